// Failover: who answers when the chosen one can't, what rests, what is told, and that nothing is done twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import * as z from "zod/mini";
import type { Engine, Tool, Turn } from "../src/core/ports.ts";
import type { Store } from "../src/core/store.ts";
import { say } from "../src/run/inbox.ts";
import { type Rest, resting } from "../src/run/failover.ts";
import { clearSession, makeSession } from "../src/run/sessions.ts";
import type { Steward } from "../src/run/steward.ts";
import { startWorker, type Worker } from "../src/run/worker.ts";
import { type Reason, StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

type Script = (request: LanguageModelV4CallOptions, count: number) => Said[];
interface Place {
  steward: Steward;
  worker: Worker;
  clock: { at: number };
  asked: string[];
  session: string;
  turn(text: string): Promise<void>;
  /** Stop, model, and what was said in each turn. */
  told(): Promise<string[]>;
}

const broken = (reason: Reason, more: { retryAt?: number } = {}): Said[] => [
  { fail: new StewardError(reason === "key" ? "denied" : "limit", `It failed of ${reason}.`, { reason, ...more }) },
];

async function place(
  scripts: Record<string, Script>,
  {
    config = {},
    tools = [],
    clock = { at: Date.UTC(2026, 5, 1, 12) },
    store,
  }: { config?: Record<string, unknown>; tools?: Tool[]; clock?: { at: number }; store?: Store },
): Promise<Place> {
  const asked: string[] = [];
  const steward = harness({
    store: store ?? (await sqlite(":memory:", { now: () => clock.at })),
    model: scripted(() => []),
    tools,
    now: () => clock.at,
    config: { model: "first/one", ...config },
  });
  steward.models.current = (chosen) => chosen?.model ?? "first/one";
  const { open } = steward.models;
  steward.models.open = async (name) => {
    const opened = await open(name);
    const model = scripted((request, count) => {
      asked.push(name);
      return scripts[name]!(request, count);
    });
    return { ...opened, model };
  };
  const worker = startWorker(steward, { name: "test", auto: false });
  const { id: session } = await makeSession(steward, OWNER, {});
  return {
    ...{ steward, worker, clock, asked, session },
    async turn(text) {
      await say(steward, OWNER, { session, parts: [{ type: "text", text }] });
      await worker.drain();
    },
    async told() {
      const events = await steward.store.events(session);
      return events.flatMap(({ event }) => {
        if (event.type === "turn.completed") return [`${event.stop} ${event.model}${event.error ? `: ${event.error.message}` : ""}`];
        if (event.type !== "item.completed") return [];
        return event.item.kind === "notice" || event.item.kind === "text" ? [event.item.text] : [];
      });
    },
  };
}

const CHAIN = { "failover.chain": ["second/two", "third/three"] };
const fine: Script = () => [{ text: "Fine." }];

test("a limit rests until its time; the next in the chain answers, and the person is told in one line", async () => {
  const back = Date.UTC(2026, 5, 1, 12, 10);
  let limited = true;
  const at = await place(
    { "first/one": () => (limited ? broken("rate", { retryAt: back }) : [{ text: "I am back." }]), "second/two": fine },
    { config: CHAIN },
  );
  await at.turn("one");
  assert.deepEqual(await at.told(), ["It failed of rate: second/two answers instead.", "Fine.", "end second/two"]);
  assert.deepEqual(await resting(at.steward), [{ model: "first/one", until: back, why: "It failed of rate." }]);
  await at.turn("two");
  assert.deepEqual(at.asked, ["first/one", "second/two", "second/two"]);
  limited = false;
  at.clock.at = back + 1;
  await at.turn("three");
  assert.deepEqual((await at.told()).slice(-2), ["I am back.", "end first/one"]);
  assert.deepEqual(await resting(at.steward), []);
});

test("in the middle of a turn: what was done is not done again, the next one reads its result", async () => {
  const runs: string[] = [];
  const touch: Tool = {
    name: "touch",
    description: "Touches.",
    capability: "none",
    effect: "write",
    input: z.object({}),
    run: async () => {
      runs.push("touched");
      return { output: "touched it" };
    },
  };
  const seen: string[] = [];
  const at = await place(
    {
      "first/one": (_, count) => (at.asked.length === 1 ? [{ call: "touch", input: {} }] : count >= 0 ? broken("quota") : []),
      "second/two": ({ prompt }) => {
        seen.push(JSON.stringify(prompt));
        return [{ text: "Done." }];
      },
    },
    { config: CHAIN, tools: [touch] },
  );
  await at.turn("touch it");
  assert.deepEqual(runs, ["touched"]);
  assert.match(seen[0]!, /touched it/);
  assert.deepEqual(at.asked, ["first/one", "first/one", "second/two"]);
  assert.deepEqual((await at.told()).at(-1), "end second/two");
});

for (const reason of ["rate", "quota", "outage", "key", "context"] as const)
  test(`${reason}: the next one answers`, async () => {
    const at = await place({ "first/one": () => broken(reason), "second/two": fine }, { config: CHAIN });
    await at.turn("go");
    assert.deepEqual((await at.told()).slice(1), ["Fine.", "end second/two"]);
  });

test("A-075 what would fail anywhere does not switch", async () => {
  const at = await place({ "first/one": () => [{ fail: new StewardError("invalid", "That is no request.") }] }, { config: CHAIN });
  await at.turn("go");
  assert.deepEqual(await at.told(), ["failed first/one: That is no request."]);
  assert.deepEqual(await resting(at.steward), []);
});

test("A-076 all are limited: one clear error, nobody is asked twice", async () => {
  const all: Script = () => broken("quota");
  const at = await place({ "first/one": all, "second/two": all, "third/three": all }, { config: CHAIN });
  await at.turn("go");
  await at.turn("again");
  const [last] = (await at.told()).slice(-1);
  assert.match(
    last!,
    /^failed first\/one: Nobody can answer now\. first\/one: It failed of quota, rests until .*third\/three: It failed of quota/,
  );
  assert.deepEqual(at.asked, ["first/one", "second/two", "third/three"]);
});

test("a new key is another account: it does not rest", async () => {
  let account = "old";
  const at = await place(
    { "first/one": () => (account === "old" ? broken("key") : [{ text: "The new key works." }]), "second/two": fine },
    { config: CHAIN },
  );
  at.steward.models.account = async (name) => `${name.split("/")[0]} ${account}`;
  await at.turn("one");
  account = "new";
  await at.turn("two");
  assert.deepEqual((await at.told()).slice(-2), ["The new key works.", "end first/one"]);
});

test("too long for one: it rests in this session only", async () => {
  const at = await place(
    { "first/one": () => (at.asked.length === 1 ? broken("context") : [{ text: "Short enough." }]), "second/two": fine },
    { config: CHAIN },
  );
  await at.turn("long");
  const other = await makeSession(at.steward, OWNER, {});
  await say(at.steward, OWNER, { session: other.id, parts: [{ type: "text", text: "short" }] });
  await at.worker.drain();
  assert.deepEqual(at.asked, ["first/one", "second/two", "first/one"]);
});

test("an engine's program that fails by itself says nothing of its model: Steward's own loop still asks it", async () => {
  const at = await place({ "first/one": fine }, { config: { "runtime.engine": "claude", "failover.chain": ["loop:first/one"] } });
  const { engine } = at.steward;
  let runs = 0;
  at.steward.engine = async (name) =>
    name === "loop"
      ? engine(name)
      : {
          programs: () => [],
          engine: {
            name,
            run: async ({ seen }) => {
              runs++;
              return { stop: "failed", seen, error: { code: "not_found", message: "claude is not there yet.", reason: "program" } };
            },
          },
        };
  await at.turn("go");
  await at.turn("again");
  assert.deepEqual([runs, at.asked], [1, ["first/one", "first/one"]]);
  assert.deepEqual((await at.told()).slice(0, 3), ["claude is not there yet: first/one answers instead.", "Fine.", "end first/one"]);
});

test("a pin is kept: local only, this engine only", async () => {
  const chain = { "failover.chain": ["second/two", "other:third/three", "builtin/rules"] };
  const scripts = { "first/one": () => broken("outage"), "second/two": fine, "builtin/rules": () => [{ text: "By rules." }] };
  const local = await place(scripts, { config: { ...chain, "runtime.pin": "local" } });
  local.steward.models.isLocal = async (name) => name !== "second/two";
  local.steward.engine = (
    (open) => async (name: string) =>
      name === "other" ? Promise.reject(new StewardError("not_found", "no")) : open(name)
  )(local.steward.engine);
  await local.turn("go");
  assert.ok(!local.asked.includes("second/two"));
  const engine = await place({ ...scripts, "second/two": () => broken("outage") }, { config: { ...chain, "runtime.pin": "engine" } });
  await engine.turn("go");
  assert.deepEqual(engine.asked, ["first/one", "second/two", "builtin/rules"]);
});

test("the chain has a time limit", async () => {
  const at = await place(
    {
      "first/one": () => {
        at.clock.at += 400_000;
        return broken("outage");
      },
      "second/two": fine,
    },
    { config: CHAIN },
  );
  await at.turn("go");
  assert.deepEqual(at.asked, ["first/one"]);
});

test("killed after the first has failed: the heir asks the second at once", async () => {
  const at = await place({ "first/one": () => broken("quota"), "second/two": fine }, { config: CHAIN });
  const { commit } = at.steward.store;
  at.steward.store.commit = async (change) => {
    const done = await commit(change);
    if (Object.keys(change.put ?? {}).some((key) => key.startsWith("rest/"))) {
      at.steward.store.commit = () => Promise.reject(new StewardError("stale", "killed"));
      throw new StewardError("stale", "killed");
    }
    return done;
  };
  await at.turn("go");
  at.steward.store.commit = commit;
  at.clock.at += 120_000;
  await at.worker.drain();
  assert.deepEqual(at.asked, ["first/one", "second/two"]);
  assert.deepEqual((await at.told()).at(-1), "end second/two");
});

test("who was told that another answers is not told again after a stop at any commit", async () => {
  const scripts = { "first/one": () => broken("quota"), "second/two": fine };
  for (let dieAt = 2; ; dieAt++) {
    // the first makes a session
    const clock = { at: Date.UTC(2026, 5, 1, 12) };
    const real = await sqlite(":memory:", { now: () => clock.at });
    const first = await place(scripts, { config: CHAIN, clock, store: real });
    await say(first.steward, OWNER, { session: first.session, parts: [{ type: "text", text: "go" }] });
    const doomed = mortal(real, dieAt, "after");
    await (await place(scripts, { config: CHAIN, clock, store: doomed })).worker.drain().catch(() => {});
    clock.at += 120_000;
    const heir = await place(scripts, { config: CHAIN, clock, store: real });
    await heir.worker.drain();
    const told = (await real.events(first.session)).flatMap(({ event }) =>
      event.type === "item.completed" && event.item.kind !== "step" && "text" in event.item ? [event.item.text] : [],
    );
    assert.equal(told.filter((text) => text.endsWith("answers instead.")).length, 1, `commit ${dieAt}: ${told.join(" | ")}`);
    if (!doomed.dead()) break;
  }
});

test("a session of the engine's own gets nothing twice: after a failed attempt it is not gone on with", async () => {
  const at = await place({}, { config: { "runtime.engine": "other" } });
  const turns: (Turn["resume"] | "new")[] = [];
  const engine: Engine = {
    name: "other",
    async run({ resume, seen }) {
      turns.push(resume ?? "new");
      return turns.length === 2
        ? { stop: "failed", seen, error: { code: "unavailable", reason: "outage", message: "Gone for a moment." } }
        : { stop: "end", seen, resume: `own ${turns.length}` };
    },
  };
  at.steward.engine = async () => ({ engine, wires: undefined, programs: () => [] });
  await at.turn("one");
  await at.turn("two");
  at.clock.at += 5000;
  await at.worker.drain();
  await at.turn("three");
  assert.deepEqual(
    turns.map((one) => (one === "new" || one === undefined ? one : one.id)),
    ["new", "own 1", "new", "own 3"],
  );
});

test("nobody who rests is asked for a summary", async () => {
  const at = await place({ "first/one": () => broken("quota"), "second/two": fine }, { config: { ...CHAIN, "limits.windowTokens": 1000 } });
  for (let count = 0; count < 6; count++) await at.turn("word ".repeat(400));
  assert.equal(
    (await at.steward.store.events(at.session)).some(({ event }) => event.type === "context.compacted"),
    true,
  );
  assert.deepEqual(
    at.asked.filter((name) => name === "first/one"),
    ["first/one"],
  );
});

const SUMMARISE = "Summarise this conversation";
const SUMMARY = "They wrote a number of long notes about grass.";
/** Takes so many characters, as those do whose window nobody knows. */
const small =
  (most: number): Script =>
  ({ prompt }) => {
    const text = JSON.stringify(prompt);
    return text.length > most ? broken("context") : [{ text: text.includes(SUMMARISE) ? SUMMARY : "Fine." }];
  };
const NOTE = `note ${"grass ".repeat(600)}`;
const writers = async ({ steward, session }: Place): Promise<string[]> =>
  (await steward.store.events(session)).flatMap(({ event }) => (event.type === "context.compacted" ? [event.by] : []));

for (const cleared of [false, true])
  test(`too long for all, and nothing that could go: what is said next${cleared ? " after a clear" : ""} is answered`, async () => {
    const at = await place({ "first/one": small(24_000), "second/two": small(24_000) }, { config: { "failover.chain": ["second/two"] } });
    await at.turn("grass ".repeat(5000));
    assert.equal(
      (await at.told()).at(-1),
      "failed first/one: Nobody can answer now. first/one: It failed of context; second/two: It failed of context.",
    );
    assert.deepEqual(await resting(at.steward), []);
    if (cleared) await clearSession(at.steward, OWNER, at.session);
    await at.turn("never mind, hello");
    assert.equal((await at.told()).at(-1), "end first/one");
  });

test("too long for all, and killed before it was shortened: the heir has it summarised by who rests only for its length", async () => {
  const taken = { characters: Infinity };
  const script: Script = (request, count) => small(taken.characters)(request, count);
  const at = await place({ "first/one": script, "second/two": script }, { config: { "failover.chain": ["second/two"] } });
  for (let note = 0; note < 7; note++) await at.turn(NOTE);
  taken.characters = 20_000;
  const { commit } = at.steward.store;
  at.steward.store.commit = async (change) => {
    const done = await commit(change);
    const rests = Object.entries(change.put ?? {}).filter(([key]) => key.startsWith("rest/"));
    if (!rests.some(([, rest]) => (rest as Rest).model === "second/two")) return done;
    at.steward.store.commit = () => Promise.reject(new StewardError("stale", "killed"));
    throw new StewardError("stale", "killed");
  };
  await at.turn("hello");
  at.steward.store.commit = commit;
  at.asked.length = 0;
  at.clock.at += 120_000;
  await at.worker.drain();
  assert.deepEqual([at.asked, await writers(at)], [["first/one", "first/one"], ["first/one"]]);
  assert.equal((await at.told()).at(-1), "end first/one");
});

test("too long for the only one who is there: that one writes the summary, not the one who has just failed", async () => {
  const gone = { first: false };
  const at = await place(
    { "first/one": (...asked) => (gone.first ? broken("outage") : small(Infinity)(...asked)), "second/two": small(20_000) },
    { config: { "failover.chain": ["second/two"] } },
  );
  for (let note = 0; note < 7; note++) await at.turn(NOTE);
  gone.first = true;
  await at.turn("hello");
  assert.deepEqual(await writers(at), ["second/two"]);
  assert.equal((await at.told()).at(-1), "end second/two");
});
