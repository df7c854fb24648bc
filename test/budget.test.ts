// Ceilings: none is passed, at the limit one question or one message, whoever waits goes on when it is answered, what runs unattended never waits.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workplace } from "../src/core/workplace.ts";
import { watch } from "../src/engines/frame.ts";
import type { Event } from "../src/core/events.ts";
import type { Principal } from "../src/core/types.ts";
import { endOf as periodEnd, moreFor, todayOf } from "../src/money/budget.ts";
import { dayKey, type Held, sessionSumKey, turnSumKey } from "../src/money/ledger.ts";
import { nano } from "../src/money/prices.ts";
import { allowMore, ceilingStates } from "../src/money/state.ts";
import type { Scope } from "../src/run/approval.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { turnJob } from "../src/run/jobs.ts";
import { meterFor } from "../src/run/meter.ts";
import { sessionKey, type SessionDoc } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { hasCode } from "../src/std/error.ts";
import agentTools from "../src/tools/agents.ts";
import taskTools from "../src/tools/task.ts";
import { harness, OWNER } from "./harness.ts";
import { BEN, CALL, endOf, type MoneyPlace, moneyPlace, notices, NOON, sums, texts, TODAY } from "./money-place.ts";

/** Something over what one call may cost: 2 millidollars of output and the input. */
const ONE_CALL = 0.003;

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("It did not come");
}
const asked = ({ steward }: MoneyPlace) => eventually(async () => (await openAsks(steward, OWNER))[0]);
const spend = async ({ store }: MoneyPlace, key: string, dollars: number): Promise<void> =>
  void (await store.commit({ add: { [key]: { cost: nano(dollars) } } }));
const LIMIT = "I stopped here: the budget of $1.00 for today is used up.";

test("at a ceiling the owner is asked once where the turn runs; one tap, and it goes on", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  await spend(place, dayKey("owner", TODAY), 1);
  const running = place.turn("hi");
  const ask = await asked(place);
  assert.deepEqual(
    { kind: ask.kind, session: ask.session, prompt: ask.prompt, options: ask.options, expiresAt: Math.round(ask.expiresAt / 1000) * 1000 },
    {
      kind: "choice",
      session: "ses_owner",
      prompt: "The budget of $1.00 for today is used up. Allow more?",
      options: ["allow 0.20 more today", "deny"],
      expiresAt: Date.parse("2026-11-22T00:00:00Z"),
    },
  );
  await answerAsk(place.steward, OWNER, ask.id, { choice: "allow 0.20 more today" });
  const events = await running;
  assert.deepEqual([endOf(events)?.stop, texts(events)], ["end", ["hello"]]);
  const day = await sums(place.store, dayKey("owner", TODAY));
  assert.deepEqual([day["extra"], day["held"], day["cost"]], [nano(0.2), 0, nano(1) + CALL]);
  const [extension] = await place.store.list(`${dayKey("owner", TODAY)}/extension/`);
  assert.deepEqual(
    { ...(extension?.value as object), id: "" },
    { id: "", ceiling: dayKey("owner", TODAY), amount: nano(0.2), at: NOON, by: "owner" },
  );
  assert.deepEqual(endOf(await place.turn("again"))?.stop, "end", "it holds for the day");
  place.clock.at += 86_400_000;
  assert.deepEqual(
    (await ceilingStates(place.steward, OWNER, "owner")).map(({ limit, extra, left }) => [limit, extra, left]),
    [[1, 0, 1]],
  );
  await place.close();
});

test("denied: the turn ends with stop limit and one message; the next one may ask again", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  await spend(place, dayKey("owner", TODAY), 1);
  for (const round of [1, 2]) {
    const running = place.turn("hi");
    await answerAsk(place.steward, OWNER, (await asked(place)).id, { choice: "deny" });
    const events = await running;
    const end = endOf(events);
    assert.deepEqual([end?.stop, end?.error], ["limit", undefined]);
    assert.equal(texts(events).length, round);
    assert.equal(
      texts(events).at(-1),
      `${LIMIT} steward usage shows what was spent and allows more; steward config set budget.… changes the ceiling.`,
    );
  }
  assert.equal(place.model.requests.length, 0);
  assert.equal((await sums(place.store, dayKey("owner", TODAY)))["held"], 0);
  await place.close();
});

test("two turns at one ceiling: one question, and both go on; the other one reads where it is open", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  await spend(place, dayKey("owner", TODAY), 1);
  const both = [place.turn("one", { session: "ses_a" }), place.turn("two", { session: "ses_b" })];
  const ask = await asked(place);
  const other = ask.session === "ses_a" ? "ses_b" : "ses_a";
  const told = await eventually(async () => notices((await place.store.events(other)).map(({ event }) => event))[0]);
  assert.equal(told, "Waiting: the budget of $1.00 for today is used up. The question about it is open in another session.");
  assert.equal((await openAsks(place.steward, OWNER)).length, 1);
  await answerAsk(place.steward, OWNER, ask.id, { choice: ask.options[0]! });
  for (const events of await Promise.all(both)) assert.deepEqual([endOf(events)?.stop, texts(events)], ["end", ["hello"]]);
  await place.close();
});

test("a member waits while the owner is asked, elsewhere; a member can't answer, and what was denied is not asked again", async () => {
  const place = await moneyPlace({ config: { "budget.people": { ben: { day: 1 } } } });
  await spend(place, dayKey("ben", TODAY), 0.9995);
  const running = place.turn("hi", { who: BEN });
  const ask = await asked(place);
  assert.equal(
    ask.prompt,
    "Ben waits: the budget of $1.00 for today has $0.0005 left, and the next step may cost up to $0.003. Allow more?",
  );
  assert.equal(((await place.store.get(sessionKey("owner", ask.session))) as SessionDoc).title, "Budget");
  assert.deepEqual(await openAsks(place.steward, BEN), []);
  await assert.rejects(answerAsk(place.steward, BEN, ask.id, { choice: ask.options[0]! }), (error) => hasCode(error, "not_found"));
  await assert.rejects(answerAsk(place.steward, { ...OWNER, role: "guest" }, ask.id, { choice: ask.options[0]! }), (error) =>
    hasCode(error, "denied"),
  );
  await assert.rejects(allowMore(place.steward, BEN, { key: dayKey("ben", TODAY), amount: 1 }), (error) => hasCode(error, "denied"));
  await answerAsk(place.steward, OWNER, ask.id, { choice: ask.options[0]! });
  const events = await running;
  assert.deepEqual([endOf(events)?.stop, texts(events)], ["end", ["hello"]]);
  assert.deepEqual(notices(events), [
    "Waiting: the budget of $1.00 for today has $0.0005 left, and the next step may cost up to $0.003. The owner was asked for more.",
  ]);
  await spend(place, dayKey("ben", TODAY), 1);
  const denied = place.turn("more", { who: BEN });
  await answerAsk(place.steward, OWNER, (await asked(place)).id, { choice: "deny" });
  assert.equal(endOf(await denied)?.stop, "limit");
  const after = await place.turn("please", { who: BEN });
  assert.deepEqual([endOf(after)?.stop, await openAsks(place.steward, OWNER)], ["limit", []]);
  await place.close();
});

test("a member is not told what everybody together has spent", async () => {
  const place = await moneyPlace({ config: { "budget.day": 1 } });
  await spend(place, dayKey(undefined, TODAY), 5);
  const running = place.turn("hi", { who: BEN });
  const ask = await asked(place);
  assert.equal(ask.prompt, "Ben waits: the budget of $1.00 that all share for today is used up. Allow more?");
  await answerAsk(place.steward, OWNER, ask.id, { choice: "deny" });
  const events = await running;
  assert.deepEqual(texts(events), ["I stopped here: the budget that all share for today is used up. The owner can allow more."]);
  assert.deepEqual(await ceilingStates(place.steward, BEN, "ben"), []);
  await place.close();
});

test("what runs with nobody there never waits and asks nobody: it ends with its message, its helpers too", async () => {
  const alone: Principal = { ...OWNER, via: "schedule" };
  const place = await moneyPlace({
    config: { "budget.unattendedTurn": 0.004 },
    tools: agentTools,
    script: (prompt) => {
      const done = prompt.split('"tool-result"').length - 1;
      if (/Your name: one/.test(prompt)) return [{ text: "x" }];
      if (done === 0) return [{ call: "spawn_agent", input: { name: "one", details: "helps" } }];
      return done < 4 ? [{ call: "send_to_agent", input: { name: "one", message: `work ${done}` } }] : [{ text: "done" }];
    },
  });
  await place.turn("first of all"); // attended: no ceiling
  await spend(place, "other", 0);
  const events = await place.turn("nobody is here", { who: alone, session: "ses_alone" });
  assert.equal(endOf(events)?.stop, "end", "within the ceiling");
  const { turn } = endOf(events)!;
  assert.equal((await sums(place.store, turnSumKey("owner", turn)))["requests"], 8, "three calls of the helper are the senior's too");
  await place.close();
  const tight = await moneyPlace({ config: { "budget.unattendedTurn": 0.0001 } });
  const ended = await tight.turn("nobody is here", { who: alone });
  assert.deepEqual([endOf(ended)?.stop, tight.model.requests.length, await openAsks(tight.steward, OWNER)], ["limit", 0, []]);
  assert.match(
    texts(ended)[0]!,
    /^I stopped here: the budget of \$0\.0001 for a turn that runs with nobody there has \$0\.0001 left, and the next step may cost up to/,
  );
  await tight.close();
});

test("what a turn with nobody there starts, and what the results of that begin, is paid by that turn; not so where somebody is there", async () => {
  const counted = async (who: Principal): Promise<number | undefined> => {
    const place = await moneyPlace({
      tools: taskTools,
      script: (prompt) => {
        if (prompt.includes("You are a subagent") || prompt.includes("is ready")) return [{ text: "x" }];
        return prompt.includes('"tool-result"') ? [{ text: "begun" }] : [{ call: "task", input: { do: "start", name: "S", text: "work" } }];
      },
    });
    const first = (await place.turn("begin", { who })).find((event) => event.type === "turn.completed");
    const { requests } = await sums(place.store, turnSumKey("owner", first!.turn));
    assert.equal(place.model.requests.length, 4);
    await place.close();
    return requests;
  };
  assert.deepEqual([await counted({ ...OWNER, via: "schedule" }), await counted(OWNER)], [4, 3]);
});

test("a ceiling of a session, and of a turn: helpers count for their senior's", async () => {
  const place = await moneyPlace({ config: { "budget.person": { session: ONE_CALL } } });
  assert.equal(endOf(await place.turn("one"))?.stop, "end");
  await spend(place, sessionSumKey("owner", "ses_owner"), ONE_CALL);
  const running = place.turn("two");
  const ask = await asked(place);
  assert.deepEqual(ask.options, ["allow 0.01 more in this session", "deny"]);
  await answerAsk(place.steward, OWNER, ask.id, { choice: ask.options[0]! });
  assert.equal(endOf(await running)?.stop, "end");
  assert.equal(endOf(await place.turn("elsewhere", { session: "ses_other" }))?.stop, "end");
  const { steward, store } = place;
  const doc: SessionDoc = {
    id: "ses_h",
    title: "h",
    createdAt: 1,
    updatedAt: 1,
    messages: 0,
    parent: "ses_owner",
    agent: "h",
    asked: "trn_senior",
  };
  await store.commit({ put: { [sessionKey("owner", "ses_h")]: doc } });
  const helper = meterFor(steward, { principal: OWNER, session: "ses_h", turn: "trn_h", engine: "loop" });
  await (await helper({ model: "script/one", input: 10, output: 10 })).settle({ input: 10, output: 10 });
  for (const key of [turnSumKey("owner", "trn_senior"), turnSumKey("owner", "trn_h"), sessionSumKey("owner", "ses_h")])
    assert.equal((await sums(store, key))["cost"], 30_000, key);
  await place.close();
});

test("where less output still fits, the model is told how much it may answer", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 }, "providers.script": { maxTokens: 8000 } } });
  assert.equal(endOf(await place.turn("one"))?.stop, "end");
  await spend(place, dayKey("owner", TODAY), 0.99);
  assert.equal(endOf(await place.turn("two"))?.stop, "end");
  const [first, second] = place.model.requests.map(({ maxOutputTokens }) => maxOutputTokens!);
  assert.equal(first, 8000);
  assert.ok(second! >= 1024 && second! < 5000, String(second));
  await place.close();
  const free = await moneyPlace();
  await free.turn("hi");
  assert.equal(free.model.requests[0]?.maxOutputTokens, undefined, "without a ceiling nothing is changed");
  await free.close();
});

test("many calls at the same moment, of several Stewards on one store, never take more than the ceiling", async () => {
  const place = await moneyPlace({ config: { "budget.day": 0.01 } });
  const { store } = place;
  const others = Array.from({ length: 3 }, () =>
    harness({
      store,
      model: place.model,
      now: () => NOON,
      config: { prices: { "script/one": { input: 1, output: 2 } }, "budget.day": 0.01 },
    }),
  );
  const { spent } = { spent: { calls: 0, refused: 0 } };
  await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const steward = others[n % others.length]!;
      const meter = meterFor(steward, {
        principal: { person: `p${n % 5}`, role: "member", via: "page" },
        session: `s${n}`,
        turn: `t${n}`,
        engine: "loop",
      });
      try {
        const { settle } = await meter({ model: "script/one", input: 200, output: 400 });
        const now = await sums(store, dayKey(undefined, TODAY));
        assert.ok((now["cost"] ?? 0) <= nano(0.01));
        spent.calls++;
        await new Promise((resolve) => setTimeout(resolve, 1));
        await settle({ input: 200, output: 400 });
      } catch (error) {
        assert.ok(hasCode(error, "limit"), String(error));
        spent.refused++;
      }
    }),
  );
  const day = await sums(store, dayKey(undefined, TODAY));
  assert.deepEqual([spent.calls, spent.refused, day["cost"], day["held"]], [10, 30, nano(0.01), 0]);
  await place.close();
});

test("a Stop ends the waiting at once; the question goes with the turn, a member's too", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  for (const who of [OWNER, BEN]) {
    await spend(place, dayKey(who.person, TODAY), 1);
    const running = place.turn("hi", { who });
    await asked(place);
    await cancelTurn(place.steward, who, `ses_${who.person}`);
    assert.equal(endOf(await running)?.stop, "cancelled");
    assert.deepEqual(await openAsks(place.steward, OWNER), []);
  }
  await place.close();
});

test("Steward stops while somebody is asked: the next one waits for the same question", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  await spend(place, dayKey("owner", TODAY), 1);
  const running = place.turn("hi");
  const ask = await asked(place);
  await place.worker.stop(2000);
  await running;
  const heir = harness({
    store: place.store,
    model: place.model,
    now: () => place.clock.at,
    config: { prices: { "script/one": { input: 1, output: 2 } }, "budget.person": { day: 1 } },
  });
  const worker = startWorker(heir, { name: "heir", auto: false });
  const drained = worker.drain();
  await eventually(async () => (worker.running() > 0 ? true : undefined));
  assert.deepEqual(
    (await openAsks(heir, OWNER)).map(({ id }) => id),
    [ask.id],
  );
  await answerAsk(heir, OWNER, ask.id, { choice: ask.options[0]! });
  await drained;
  const events = (await place.store.events("ses_owner")).map(({ event }) => event);
  assert.deepEqual([endOf(events)?.stop, texts(events), events.filter(({ type }) => type === "ask.opened").length], ["end", ["hello"], 1]);
  await place.close();
});

test("allowed by hand: whoever waits goes on, and the question is over", async () => {
  const place = await moneyPlace({ config: { "budget.month": 1 } });
  const month = "usage/month/2026-11";
  await spend(place, month, 1);
  const running = place.turn("hi", { who: BEN });
  await asked(place);
  await assert.rejects(allowMore(place.steward, OWNER, { key: "p/owner/session/x", amount: 1 }), (error) => hasCode(error, "invalid"));
  await allowMore(place.steward, OWNER, { key: month, amount: 0.5 });
  assert.equal(endOf(await running)?.stop, "end");
  assert.deepEqual(await openAsks(place.steward, OWNER), []);
  assert.deepEqual(
    (await ceilingStates(place.steward, OWNER, "owner")).map(({ key, limit, extra, spent }) => [key, limit, extra, spent]),
    [[month, 1.5, 0.5, 1.000_014]],
  );
  await place.close();
});

test("a reservation whose process is gone counts as its worst once the turn is taken up again; others' are left", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  const { steward, store } = place;
  const held: Held = {
    id: "use_1",
    at: NOON,
    person: "owner",
    session: "ses_owner",
    turn: "trn_1",
    engine: "loop",
    day: TODAY,
    model: "script/one",
    input: 100,
    output: 200,
    worst: 500_000,
  };
  await store.commit({ put: { "p/owner/usage/held/trn_1/use_1": held }, add: { [dayKey("owner", TODAY)]: { held: 500_000 } } });
  const alive = await meterFor(steward, { principal: OWNER, session: "ses_owner", turn: "trn_1", engine: "loop" })({
    model: "script/one",
    input: 1,
    output: 1,
  });
  const once = await sums(store, dayKey("owner", TODAY));
  assert.deepEqual([once["cost"], once["requests"], once["held"]], [500_000, 1, 3000]);
  await meterFor(steward, { principal: OWNER, session: "ses_owner", turn: "trn_1", engine: "loop" })({
    model: "script/one",
    input: 0,
    output: 0,
  });
  assert.equal((await sums(store, dayKey("owner", TODAY)))["held"], 3000, "one that is under way here is not taken for dead");
  await alive.settle({ input: 1, output: 1 });
  const day = await sums(store, dayKey("owner", TODAY));
  assert.deepEqual([day["cost"], day["requests"], day["held"]], [503_000, 2, 0]);
  await place.close();
});

test("the ends of days and months, also where the clock is changed; round amounts", () => {
  const at = (text: string): number => Date.parse(text);
  const near = (end: number | undefined, text: string): void =>
    assert.ok(Math.abs(end! - at(text)) <= 1000, `${new Date(end!).toISOString()} is not ${text}`);
  near(periodEnd("day", at("2026-10-24T22:30:00Z"), "Europe/Berlin"), "2026-10-25T23:00:00Z");
  near(periodEnd("month", at("2026-01-31T12:00:00Z"), "America/New_York"), "2026-02-01T05:00:00Z");
  const more = (limit: number, taken: number, worst: number): number =>
    moreFor({ key: "", period: "day", limit: nano(limit), spent: 0, taken: nano(taken) }, nano(worst));
  assert.deepEqual([more(5, 5, 0.1), more(1, 1, 0.7), more(0, 0, 0.001), more(100, 99, 1)], [1, 2, 0.01, 20].map(nano));
  assert.equal(todayOf.length, 1);
});

test("a program that tries again after a denial is refused at once, without another question", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  await spend(place, dayKey("owner", TODAY), 1);
  const { steward, store } = place;
  const events: Event[] = [];
  const scope: Scope = {
    ...{ principal: OWNER, session: "ses_p", turn: "trn_p", signal: new AbortController().signal },
    log: () => store.events("ses_p"),
    emit: async (more) => void events.push(...more),
    live: () => {},
  };
  const meter = meterFor(steward, { principal: OWNER, session: "ses_p", turn: "trn_p", engine: "claude", scope });
  const call = { model: "script/one", input: 100, output: 100 };
  const first = meter(call).then(
    () => undefined,
    (error: unknown) => error,
  );
  await answerAsk(steward, OWNER, (await asked(place)).id, { choice: "deny" });
  assert.ok(hasCode(await first, "limit"));
  await assert.rejects(meter(call), (error) => hasCode(error, "limit") && error.reason === undefined);
  assert.deepEqual([await openAsks(steward, OWNER), events, meter.refused?.()?.code], [[], [], "limit"]);
  await place.close();
});

test("a program that the door keeps waiting is not taken for dead", async () => {
  const state = { waiting: true };
  const place = { fault: () => undefined, waiting: () => state.waiting } as Pick<Workplace, "fault" | "waiting"> as Workplace;
  const begun = Date.now();
  const { failed, stop } = watch(place, { name: "It", idleMs: 300, heard: () => begun, asking: () => false, working: () => false });
  const silent = failed.then(
    () => 0,
    () => Date.now() - begun,
  );
  await new Promise((resolve) => setTimeout(resolve, 900));
  state.waiting = false;
  assert.ok((await silent) >= 1000, "it has its time from when it could go on");
  stop();
});

test("a search by the provider has its price; where nobody knows it, none is made under a ceiling", async () => {
  const prices = { "anthropic/one": { input: 1, output: 1 }, "script/one": { input: 1, output: 1 } };
  const place = await moneyPlace({ config: { "budget.person": { day: 0.1 }, prices } });
  const meter = meterFor(place.steward, { principal: OWNER, session: "ses_owner", turn: "t1", engine: "claude" });
  const call = { input: 0, output: 0, searches: 8 };
  const held = await meter({ model: "anthropic/one", ...call });
  assert.equal((await sums(place.store, dayKey("owner", TODAY)))["held"], nano(0.08));
  await held.settle({ input: 0, output: 0, searches: 3 });
  assert.equal((await sums(place.store, dayKey("owner", TODAY)))["cost"], nano(0.03));
  await assert.rejects(meter({ model: "anthropic/one", ...call, least: 1 }), (error) => hasCode(error, "limit"));
  await assert.rejects(meter({ model: "script/one", ...call }), (error) => hasCode(error, "invalid"));
  await place.close();
});

test("what a program says that it cost is believed as far as it can be: by what it asked, or by what is left for it", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 5 }, prices: { "script/one": { input: 1, output: 1 } } } });
  const spent = async (turn: string, model: string, asks: number): Promise<number | undefined> => {
    const meter = meterFor(place.steward, { principal: OWNER, session: "ses_owner", turn, engine: "acp" });
    for (let at = 0; at < asks; at++) await (await meter({ model, input: 100, output: 100 })).settle({ input: 100, output: 100 });
    await meter.reported!(9000, model);
    return (await sums(place.store, turnSumKey("owner", turn)))["cost"];
  };
  assert.equal(await spent("t1", "script/one", 2), nano(0.004)); // ten times its price
  assert.equal(await spent("t2", "b/unknown", 1), nano(0.2));
  assert.equal(await spent("t3", "c/own", 0), nano(5 - 0.204));
  assert.equal((await sums(place.store, dayKey("owner", TODAY)))["cost"], nano(5));
  await place.close();
});

test("a session that was waiting in the queue spends for whoever it belongs to", async () => {
  const place = await moneyPlace({ config: { "budget.people": { ben: { day: 0 } } } });
  await place.turn("mine");
  await say(place.steward, OWNER, { session: "ses_owner", key: "late", parts: [{ type: "text", text: "again" }] });
  await place.store.commit({ jobs: [turnJob("ses_owner", OWNER)] });
  await place.worker.drain();
  assert.equal((await sums(place.store, dayKey("owner", TODAY)))["requests"], 2);
  assert.deepEqual(await place.store.list("p/ben/usage/"), []);
  await place.close();
});

test("what is no count spoils no sum: a program that reports any cost, an endpoint that counts below nothing or without end", async () => {
  const place = await moneyPlace({ config: { "budget.person": { day: 1 } } });
  const spender = { principal: OWNER, session: "ses_owner", turn: "t1", engine: "acp" };
  const meter = meterFor(place.steward, spender);
  for (const cost of [JSON.parse("1e999") as number, NaN, -5, 1e12]) await meter.reported?.(cost, "script/one");
  assert.deepEqual(await sums(place.store, dayKey("owner", TODAY)), {});
  for (const usage of [
    { input: -1e9, output: -1e9 },
    { input: 1e300, output: 1 },
    { input: NaN, output: Infinity },
  ]) {
    const held = await meter({ model: "script/one", input: 10, output: 1 });
    await held.settle(usage);
  }
  const day = await sums(place.store, dayKey("owner", TODAY));
  assert.deepEqual([day["requests"], day["input"], day["output"], day["held"]], [3, 30, 3, 0]);
  assert.ok(day["cost"]! > 0 && day["cost"]! < nano(1));
});
