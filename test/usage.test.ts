// The ledger: what each call used and cost, in rows and in sums; prices; what an answer that breaks off counts.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import type { LanguageModelV4 } from "../src/core/ports.ts";
import { dayKey, dayOf, hold, monthKey, newHeld, type Row, rowKey, sessionDayKey, sessionSumKey, turnSumKey } from "../src/money/ledger.ts";
import { costOf, type Price, priceOf, worstOf } from "../src/money/prices.ts";
import { usageText } from "../src/money/state.ts";
import { type By, everUsed, rowsOf, usage } from "../src/money/sums.ts";
import { meterFor } from "../src/run/meter.ts";
import { metered, tokensOf } from "../src/run/metered.ts";
import { eraseSession } from "../src/run/erasure.ts";
import { removeSession } from "../src/run/sessions.ts";
import { embedder } from "../src/search/meaning.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import agentTools from "../src/tools/agents.ts";
import { OWNER, temporary } from "./harness.ts";
import { BEN, CALL, endOf, type MoneyPlace, moneyPlace, NOON, sums, TODAY } from "./money-place.ts";

const ONE = { requests: 1, input: 10, output: 2, cost: CALL };
const times = (count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(ONE).map(([name, value]) => [name, value * count]));
const plain = (doc: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(doc).filter(([name, value]) => value !== 0 && !name.includes("|")));

async function held(store: MoneyPlace["store"]): Promise<number> {
  const docs = [...(await store.list("usage/")), ...(await store.list("p/"))];
  return docs.reduce((sum, { value }) => sum + Math.abs(((value ?? {}) as { held?: number }).held ?? 0), 0);
}

test("A-070 each request is a row, and stands in the sums of its turn, session, day, month, model and engine", async () => {
  const place = await moneyPlace();
  const events = await place.turn("hi");
  const end = endOf(events);
  assert.deepEqual(end?.usage, { input: 10, output: 2, cost: 0.000_014 });
  const rows = (await place.store.list(rowKey("owner", TODAY, ""))).map(({ value }) => value as Row);
  assert.deepEqual(
    rows.map(({ id: _id, ...row }) => row),
    [
      {
        at: place.clock.at,
        day: TODAY,
        person: "owner",
        session: "ses_owner",
        turn: end.turn,
        engine: "loop",
        model: "script/one",
        input: 10,
        output: 2,
        cost: CALL,
      },
    ],
  );
  const keys = [dayKey(undefined, TODAY), monthKey(undefined, "2026-11"), dayKey("owner", TODAY), monthKey("owner", "2026-11")];
  for (const key of [
    ...keys,
    sessionSumKey("owner", "ses_owner"),
    sessionDayKey("owner", TODAY, "ses_owner"),
    turnSumKey("owner", end.turn),
  ])
    assert.deepEqual(plain(await sums(place.store, key)), ONE, key);
  const day = await sums(place.store, dayKey("owner", TODAY));
  assert.deepEqual([day["m|script/one|cost"], day["e|loop|requests"]], [CALL, 1]);
  assert.equal(await held(place.store), 0);
  await place.close();
});

test("questions are answered from sums: by day, model, engine, session, person; in the zone of this Steward", async () => {
  const place = await moneyPlace({ config: { zone: "Asia/Tokyo" } });
  await place.turn("one");
  await place.turn("two", { who: BEN });
  place.clock.at += 4 * 3_600_000; // one o'clock of the next day in Tokyo
  await place.turn("three");
  const ask = async (by: "day" | "model" | "engine" | "session" | "person", person?: string) => {
    const { rows, total } = await usage(place.steward, { person, by, from: "2026-11-01", to: "2026-11-30" });
    return [total.requests, rows.map(({ key, name, requests, cost }) => [key, name, requests, cost])];
  };
  const [one, two, three] = [0.000_014, 0.000_028, 0.000_042];
  assert.deepEqual(await ask("day"), [
    3,
    [
      ["2026-11-21", undefined, 2, two],
      ["2026-11-22", undefined, 1, one],
    ],
  ]);
  assert.deepEqual(await ask("model"), [3, [["script/one", undefined, 3, three]]]);
  assert.deepEqual(await ask("engine", "ben"), [1, [["loop", undefined, 1, one]]]);
  assert.deepEqual(await ask("session", "owner"), [2, [["ses_owner", "Talk", 2, two]]]);
  assert.deepEqual(await ask("person"), [
    3,
    [
      ["owner", "Owner", 2, two],
      ["ben", "Ben", 1, one],
    ],
  ]);
  assert.equal(dayOf(Date.parse("2026-03-29T23:30:00Z"), "Europe/Berlin"), "2026-03-30");
  await place.close();
});

test("a deleted session leaves its sums; a removed person takes theirs along, and everybody's stay", async () => {
  const place = await moneyPlace();
  await place.turn("one", { who: BEN });
  await removeSession(place.steward, BEN, "ses_ben");
  await place.store.commit(await eraseSession(place.steward, { person: "ben", session: "ses_ben" }));
  assert.deepEqual(
    (await usage(place.steward, { person: "ben", by: "session", from: TODAY, to: TODAY })).rows.map(({ name, requests }) => [
      name,
      requests,
    ]),
    [["deleted session", 1]],
  );
  await place.store.commit({
    merge: { "person/ben": { removing: true } },
    jobs: [{ id: "job_r", kind: "remove-person", lane: "person/ben", data: { person: "ben" } }],
  });
  for (let round = 0; round < 3; round++) {
    place.clock.at += 1000;
    await place.worker.drain();
  }
  assert.deepEqual(await place.store.list("p/ben/usage"), []);
  const { rows, total } = await usage(place.steward, { by: "person", from: TODAY, to: TODAY });
  assert.deepEqual([total.requests, rows.map(({ name, requests }) => [name, requests])], [1, [["people who were removed", 1]]]);
  await place.close();
});

test("what helpers use counts for their senior's turn and session, and once for the person", async () => {
  const place = await moneyPlace({
    tools: agentTools,
    script: (prompt) => {
      if (/Your name: one/.test(prompt)) return [{ text: "helped" }];
      const done = prompt.split('"tool-result"').length - 1;
      if (done === 0) return [{ call: "spawn_agent", input: { name: "one", details: "helps" } }];
      return done === 1 ? [{ call: "send_to_agent", input: { name: "one", message: "work" } }] : [{ text: "done" }];
    },
  });
  const end = endOf(await place.turn("go"));
  assert.deepEqual(end?.usage, { input: 40, output: 8, cost: 0.000_056 });
  for (const key of [
    dayKey("owner", TODAY),
    turnSumKey("owner", end.turn),
    sessionSumKey("owner", "ses_owner"),
    sessionDayKey("owner", TODAY, "ses_owner"),
  ])
    assert.deepEqual(plain(await sums(place.store, key)), times(4), key);
  await place.close();
});

test("a price that nobody knows is said, never taken for nothing; or such models are refused", async () => {
  const place = await moneyPlace({ config: { prices: {} } });
  assert.deepEqual(endOf(await place.turn("hi"))?.usage, { input: 10, output: 2 });
  assert.deepEqual((await usage(place.steward, { person: "owner", by: "model", from: TODAY, to: TODAY })).rows, [
    { key: "script/one", requests: 1, input: 10, output: 2, cached: 0, thinking: 0, cost: 0, unknown: 1 },
  ]);
  assert.match(await usageText(place.steward, OWNER), /Today: \$0\.00, 1 request, 10 tokens in, 2 out \(1 without a known price\)/);
  await place.close();
  const strict = await moneyPlace({ config: { prices: {}, "budget.unknownPrice": "refuse" } });
  const end = endOf(await strict.turn("hi"));
  assert.deepEqual([end?.stop, end?.error, strict.model.requests.length], ["limit", undefined, 0]);
  await strict.close();
});

test("what an engine says that it cost wins over a price that is not known, and over a lower one; never lowers", async () => {
  const place = await moneyPlace({ config: { prices: { "a/known": { input: 1, output: 1 } } } });
  const spender = { principal: OWNER, session: "ses_1", turn: "trn_1", engine: "claude" };
  const meter = meterFor(place.steward, spender);
  const spend = async (model: string, cost?: number): Promise<void> => {
    const { settle } = await meter({ model, input: 100, output: 100 });
    await settle({ input: 100, output: 100, ...(cost === undefined ? {} : { cost }) });
  };
  await spend("a/known", 0.5);
  await spend("a/known", 0);
  await spend("b/unknown", 0.25);
  await spend("b/unknown");
  const rows = (await place.store.list(rowKey("owner", TODAY, ""))).map(({ value }) => value as Row);
  assert.deepEqual(
    rows.map(({ cost, reported, unknown }) => [cost, reported, unknown]),
    [
      [500_000_000, true, undefined],
      [200_000, undefined, undefined],
      [250_000_000, true, undefined],
      [0, undefined, true],
    ],
  );
  await meter.reported!(1, "b/unknown");
  assert.deepEqual(plain(await sums(place.store, turnSumKey("owner", "trn_1"))), {
    requests: 4,
    input: 400,
    output: 400,
    cost: 1_000_000_000,
  });
  await meter.reported!(0.1, "b/unknown");
  assert.equal((await sums(place.store, turnSumKey("owner", "trn_1")))["cost"], 1_000_000_000);
  assert.equal(await place.steward.money.turnCost(OWNER, "trn_1"), 1);
  await place.close();
});

test("what only an engine says that it cost is in every answer; calls without a price are known where they were counted", async () => {
  const place = await moneyPlace({ config: { prices: {} } });
  const { steward } = place;
  const spender = { principal: OWNER, session: "ses_1", turn: "trn_1", engine: "acp" };
  await meterFor(steward, spender).reported!(1.5, "acp/own");
  const ask = async (by: By, person?: string): Promise<unknown[]> =>
    (await usage(steward, { person, by, from: TODAY, to: "2026-11-22" })).rows.map(({ key, requests, cost, unknown }) => [
      key,
      requests,
      cost,
      unknown,
    ]);
  for (const [by, key] of Object.entries({ day: TODAY, model: "acp/own", engine: "acp", person: "owner", session: "ses_1" }))
    assert.deepEqual(await ask(by as By, "owner"), [[key, 0, 1.5, 0]], by);
  assert.deepEqual(await ask("person"), [["owner", 0, 1.5, 0]]);
  const rows = [];
  for await (const some of rowsOf(steward, { person: "owner", from: TODAY, to: TODAY })) rows.push(...some);
  assert.deepEqual(
    rows.map(({ cost, reported }) => [cost, reported]),
    [[1_500_000_000, true]],
  );
  assert.equal(await steward.money.turnCost(OWNER, "trn_1"), 1.5);
  const meter = meterFor(steward, { ...spender, turn: "trn_2" });
  for (const model of ["open/small", "open/small", "open/big"])
    await (await meter({ model, input: 10, output: 10 })).settle({ input: 10, output: 10 });
  place.clock.at += 86_400_000;
  await meter.reported!(0.001, "open/big");
  assert.deepEqual(await ask("day", "owner"), [
    [TODAY, 3, 1.5, 0],
    ["2026-11-22", 0, 0.001, 0],
  ]);
  assert.deepEqual(await ask("model"), [
    ["acp/own", 0, 1.5, 0],
    ["open/big", 1, 0.001, 0],
    ["open/small", 2, 0, 0],
  ]);
  assert.equal(await steward.money.turnCost(OWNER, "trn_2"), 0.001);
  await place.close();
});

test("a reservation of no turn whose process is gone counts as its worst once it is older than any call lasts", async () => {
  const place = await moneyPlace({ config: { "budget.person": { month: 1 } } });
  const left = (person: string) =>
    hold(
      place.steward,
      newHeld(
        place.steward,
        { person, session: `ses_${person}`, turn: "", engine: "compaction" },
        { day: TODAY, model: "script/one", input: 1, output: 1, worst: 300_000_000 },
      ),
    );
  await left("owner");
  await left("ben");
  place.clock.at += 5 * 86_400_000;
  await place.turn("hi");
  const month = (person: string) => sums(place.store, monthKey(person, "2026-11"));
  assert.deepEqual([(await month("owner"))["held"], (await month("owner"))["cost"]], [0, 300_000_000 + CALL]);
  assert.equal((await month("ben"))["held"], 300_000_000);
  await usage(place.steward, { by: "day", from: "2026-11-01", to: "2026-11-30" });
  assert.deepEqual([(await month("ben"))["held"], (await month("ben"))["cost"]], [0, 300_000_000]);
  await place.close();
});

test("what another process has reserved for a day's index of meanings is left to it", async () => {
  const config = { "memory.embedding": "near/embed", prices: { "near/embed": { input: 1000, output: 0 } } };
  const one = await moneyPlace({ config });
  const two = await moneyPlace({ config, store: one.store });
  for (const { steward } of [one, two]) steward.models.embed = async (_name, texts) => texts.map(() => Array.from({ length: 8 }, () => 1));
  const { embed } = (await embedder(one.steward, "owner"))!;
  const answer = Promise.withResolvers<number[][]>();
  const asked = Promise.withResolvers<void>();
  one.steward.models.embed = () => (asked.resolve(), answer.promise);
  const asking = embed(["grass ".repeat(100)]);
  await asked.promise;
  await embedder(two.steward, "owner");
  answer.reject(new Error("It never reached the model"));
  await assert.rejects(asking);
  const { requests, held } = await sums(one.store, dayKey("owner", TODAY));
  assert.deepEqual([requests, held], [2, 0]);
  await two.close();
  await one.close();
});

const part = (delta: string): LanguageModelV4StreamPart => ({ type: "text-delta", id: "1", delta });
const finish = (input?: number, output?: number): LanguageModelV4StreamPart => ({
  type: "finish",
  finishReason: { unified: "stop", raw: undefined },
  usage: {
    inputTokens: { total: input, noCache: undefined, cacheRead: 5, cacheWrite: 3 },
    outputTokens: { total: output, text: undefined, reasoning: 1 },
  },
});

/** A model that streams these parts and then ends, fails, or says nothing more. */
function streaming(parts: LanguageModelV4StreamPart[], then: "end" | "hang" | Error | { refused: unknown }): LanguageModelV4 {
  return {
    specificationVersion: "v4",
    provider: "p",
    modelId: "one",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("not here")),
    doStream: async () => {
      if (typeof then === "object" && "refused" in then) throw then.refused;
      const left = [...parts];
      return {
        stream: new ReadableStream({
          pull(controller) {
            const next = left.shift();
            if (next) return controller.enqueue(next);
            if (then === "end") controller.close();
            else if (then !== "hang") controller.error(then);
          },
        }),
      };
    },
  };
}

async function counted(
  model: LanguageModelV4,
  read: (stream: ReadableStream<LanguageModelV4StreamPart>) => Promise<void>,
  abortSignal?: AbortSignal,
): Promise<unknown[]> {
  const place = await moneyPlace({ config: { prices: { "script/one": { input: 1, output: 1 } } } });
  const meter = meterFor(place.steward, { principal: OWNER, session: "s", turn: "t", engine: "loop" });
  const opened = metered({ ...(await place.steward.models.open("script/one")), model }, "script/one", meter);
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "x".repeat(180) }] }];
  await (async () => read((await opened.model.doStream({ prompt, ...(abortSignal ? { abortSignal } : {}) })).stream))().catch(() => {});
  const rows = (await place.store.list(rowKey("owner", TODAY, ""))).map(({ value }) => value as Row);
  assert.equal(await held(place.store), 0);
  await place.close();
  return rows.map(({ input, output, cached, written, thinking, assumed }) => ({ input, output, cached, written, thinking, assumed }));
}
const drain = async (stream: ReadableStream<LanguageModelV4StreamPart>): Promise<void> => {
  for await (const _ of stream);
};
const INPUT = 101; // 180 bytes of text, 20 a message, 2 of no tools

test("a stream settles with what it says that it used", async () => {
  assert.deepEqual(await counted(streaming([part("hello"), finish(70, 9)], "end"), drain), [
    { input: 70, output: 9, cached: 5, written: 3, thinking: 1, assumed: undefined },
  ]);
});

test("one that breaks, or says nothing of it, with what was sent and received; with the worst when nothing is known", async () => {
  const some = { input: INPUT, output: 5, cached: undefined, written: undefined, thinking: undefined, assumed: true };
  assert.deepEqual(await counted(streaming([part("0123456789")], new Error("broken")), drain), [some]);
  assert.deepEqual(await counted(streaming([part("0123456789"), finish()], "end"), drain), [some]);
  assert.deepEqual(await counted(streaming([part("0123456789")], "end"), drain), [some]);
  const stopped = async (stream: ReadableStream<LanguageModelV4StreamPart>): Promise<void> => {
    for await (const _ of stream) break;
  };
  assert.deepEqual(await counted(streaming([part("0123456789")], "hang"), stopped), [some]);
  assert.deepEqual(await counted(streaming([], new Error("broken")), drain), [{ ...some, output: 1000 }]);
  assert.deepEqual(await counted(streaming([], { refused: Object.assign(new Error("reset"), { code: "ECONNRESET" }) }), drain), [
    { ...some, output: 1000 },
  ]);
});

test("one that is stopped before anything came counts the time in which the model may have thought", async (t) => {
  const clock = { at: 1000 };
  t.mock.method(performance, "now", () => clock.at);
  const stop = new AbortController();
  const model = streaming([], "hang");
  model.doStream = async () => {
    setTimeout(() => ((clock.at += 50), stop.abort()), 50);
    await new Promise((_, reject) => void stop.signal.addEventListener("abort", () => reject(new Error("stopped"))));
    throw new Error("not here");
  };
  const [{ output, assumed } = {}] = (await counted(model, drain, stop.signal)) as { output?: number; assumed?: boolean }[];
  assert.ok(output! >= 12 && output! < 1000 && assumed, String(output));
});

test("what surely never reached the model, or was refused there, costs nothing", async () => {
  const never = [
    new StewardError("unavailable", "no", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) }),
    Object.assign(new Error("limited"), { statusCode: 429 }),
    new StewardError("denied", "not a public address"),
  ];
  for (const refused of never) assert.deepEqual(await counted(streaming([], { refused }), drain), []);
});

test("the size of a request is rather too much than too little; a picture is a constant", () => {
  const text = "ü".repeat(100);
  const image = { type: "file" as const, mediaType: "image/png", data: { type: "data" as const, data: new Uint8Array(1e6) } };
  assert.equal(tokensOf({ prompt: [{ role: "user", content: [{ type: "text", text }] }] }), 111);
  assert.equal(tokensOf({ prompt: [{ role: "user", content: [{ type: "text", text }, image] }] }), 5111);
});

test("prices: the configuration, then prices.json, then the table; by date, by kind, by address; never by a longer name", async () => {
  const place = await moneyPlace({
    config: {
      prices: { "anthropic/claude-opus-4-6": { input: 1, output: 2 }, "gateway/*": { input: 3, output: 4 } },
      "providers.work": { kind: "anthropic" },
      "providers.open": { kind: "compatible", baseUrl: "https://api.openai.com/v1" },
      "providers.other": { kind: "compatible", baseUrl: "https://models.example.org/v1" },
    },
  });
  const { steward } = place;
  const rate = (model: string, id?: string): [number, number] | undefined => {
    const price = priceOf(steward, model, id);
    return price && [price.input, price.output];
  };
  assert.deepEqual(rate("anthropic/claude-opus-4-6"), [1, 2]);
  assert.deepEqual(rate("gateway/anything"), [3, 4]);
  assert.deepEqual(rate("anthropic/claude-sonnet-4-5-20250929"), [3, 15]);
  assert.deepEqual(rate("anthropic/default", "claude-haiku-4-5"), [1, 5]);
  assert.deepEqual(rate("work/claude-haiku-4-5"), [1, 5]);
  assert.deepEqual(rate("open/gpt-4o-mini"), [0.15, 0.6]);
  assert.equal(rate("open/gpt-4o-audio"), undefined);
  assert.equal(rate("other/gpt-4o-mini"), undefined);
  assert.deepEqual(rate("ollama/qwen2.5"), [0, 0]);
  assert.deepEqual(rate("builtin/rules"), [0, 0]);
  assert.equal(rate("kimi-code/kimi-k2.5"), undefined);
  mkdirSync(steward.home, { recursive: true });
  writeFileSync(
    join(steward.home, "prices.json"),
    JSON.stringify({ "other/gpt-4o-mini": { input: 7, output: 8 }, "anthropic/claude-opus-4-6": { input: 9, output: 9 } }),
  );
  assert.deepEqual(
    [rate("other/gpt-4o-mini"), rate("anthropic/claude-opus-4-6")],
    [
      [7, 8],
      [1, 2],
    ],
  );
  writeFileSync(join(steward.home, "prices.json"), '{"other/gpt-4o-mini": {"input": -1}}');
  assert.deepEqual(rate("other/gpt-4o-mini"), [7, 8], "one that is not valid leaves the last good one");
  await place.close();
});

test("cached and written input have their own price, and long requests theirs; sums are exact", () => {
  const price: Price = { input: 3, output: 15, cached: 0.3, written: 3.75, long: { over: 1000, input: 6, output: 20 } };
  assert.equal(costOf(price, { input: 100, output: 10, cached: 40, written: 20 }), 40 * 3000 + 40 * 300 + 20 * 3750 + 10 * 15_000);
  assert.equal(costOf(price, { input: 1001, output: 1 }), 1001 * 6000 + 20_000);
  assert.equal(worstOf(price, { input: 100, output: 10 }), 100 * 3750 + 150_000);
  assert.equal(costOf({ input: 0.05, output: 0 }, { input: 1, output: 0 }), 50);
});

test("A-071 the totals survive a restart; the text of /usage", async () => {
  const file = join(temporary(), "steward.db");
  const config = { "budget.person": { day: 2, turn: 1 }, "budget.day": 9 };
  const first = await sqlite(file, { now: () => NOON });
  const place = await moneyPlace({ config, store: first });
  await place.turn("hi");
  await place.close();
  await first.close();
  const second = await sqlite(file, { now: () => NOON });
  const heir = await moneyPlace({ config, store: second });
  assert.deepEqual((await everUsed(heir.steward, "owner")).requests, 1);
  assert.equal(
    await heir.steward.money.text(OWNER),
    [
      "Today: $0.00, 1 request, 10 tokens in, 2 out",
      "This month: $0.00, 1 request, 10 tokens in, 2 out",
      "Altogether: $0.00, 1 request, 10 tokens in, 2 out",
      "Budget of everybody together for today: $9.00 left of $9.00",
      "Budget for today: $2.00 left of $2.00",
      "At most $1.00 in one turn.",
      "At most $1.00 in a turn that runs with nobody there.",
      "Prices as of 2026-03-21, where the configuration has none.",
    ].join("\n"),
  );
  await heir.close();
  await second.close();
});
