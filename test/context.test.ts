// The window that a model reads: bounded, compacted with a word about it, the same bytes from turn to turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Event, Stored } from "../src/core/events.ts";
import type { ModelKind } from "../src/core/ports.ts";
import { emptyView, fold } from "../src/core/fold.ts";
import { pendingCalls, toMessages } from "../src/core/history.ts";
import { load } from "../src/kinds/load.ts";
import { allowanceOf, MOST_EVENTS } from "../src/run/context.ts";
import { say } from "../src/run/inbox.ts";
import { openModels } from "../src/run/models.ts";
import { clearSession, makeSession, sessionEvents } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

async function start(script: (prompt: string) => Said[], config: Record<string, unknown> = {}) {
  const model = scripted((request) => script(JSON.stringify(request.prompt)));
  const steward = harness({ store: await sqlite(":memory:"), model, config });
  const worker = startWorker(steward, { name: "w", auto: false });
  const session = (await makeSession(steward, OWNER, {})).id;
  return {
    steward,
    session,
    model,
    async turn(text: string) {
      await say(steward, OWNER, { session, parts: [{ type: "text", text }] });
      await worker.drain();
    },
    events: async () => (await sessionEvents(steward, OWNER, session, { limit: 5000 })).events,
  };
}

test("T-068 a conversation that outgrows the window is summarised by the model, and the log says so", async () => {
  const flow = await start(
    (prompt) => [
      {
        text: prompt.includes("Summarise this conversation")
          ? "The person wrote about apples many times and wants them sorted by colour."
          : "noted",
      },
    ],
    { "limits.windowTokens": 2000 },
  );
  for (let at = 0; at < 12; at++) await flow.turn(`apple ${at} ${"x".repeat(1500)}`);
  const compactions = (await flow.events()).filter(({ event }) => event.type === "context.compacted");
  assert.ok(compactions.length >= 2, `${compactions.length} compactions`);
  assert.match(JSON.stringify(compactions[0]), /sorted by colour/);
  const last = JSON.stringify(flow.model.requests.at(-1)!.prompt);
  assert.match(last, /Summary of the earlier conversation/);
  assert.ok(last.includes(`apple 11 ${"x".repeat(100)}`) && !last.includes(`apple 0 ${"x".repeat(100)}`));
  assert.ok(last.length < 2000 * 4 * 2);
});

test("a model's window is asked of its provider without a request; where nobody knows it the setting holds", async () => {
  const { steward } = await start(() => []);
  const { settings, secrets, breakers, home } = steward;
  const models = openModels({
    ...{ settings, secrets, breakers, env: {}, now: Date.now, names: () => [] },
    fetch: () => Promise.reject(new Error("a request")),
    load: (name) => load<ModelKind>("models", name, { home }),
  });
  const allowed = (model?: string) => allowanceOf({ ...steward, models }, model);
  assert.deepEqual(
    await Promise.all([allowed("ollama/any"), allowed("compatible/any"), allowed("nothing"), allowed()]),
    [22_937, 60_000, 60_000, 60_000],
  );
});

test("when no summary can be written a digest stands in, and nothing is refused", async () => {
  const flow = await start(
    (prompt) => (prompt.includes("Summarise this conversation") ? [{ fail: new Error("no") }] : [{ text: "noted" }]),
    { "limits.windowTokens": 1500 },
  );
  for (let at = 0; at < 10; at++) await flow.turn(`pear ${at} ${"y".repeat(1200)}`);
  const compacted = (await flow.events()).find(({ event }) => event.type === "context.compacted")?.event;
  assert.ok(compacted?.type === "context.compacted" && compacted.by === "digest");
  assert.match(compacted.summary, /pear 0/);
});

test("after 20,000 past messages a turn reads a window, and between compactions the bytes stay a prefix", async () => {
  const flow = await start(() => [{ text: "ok" }]);
  const { store } = flow.steward;
  for (let turn = 0; turn < 10_000; turn += 500)
    await store.commit({
      events: Array.from({ length: 500 }, (_, at) => exchange(turn + at))
        .flat()
        .map((event) => ({ session: flow.session, event })),
    });
  const read: number[] = [];
  const { events } = store;
  store.events = async (session, range) => {
    const found = await events(session, range);
    read.push(found.length);
    return found;
  };
  for (const text of ["one", "two", "three"]) await flow.turn(text);
  assert.ok(Math.max(...read) <= MOST_EVENTS, `read ${Math.max(...read)} at once`);
  const bytes = flow.model.requests
    .map(({ prompt }) => JSON.stringify(prompt).slice(0, -1))
    .filter((prompt) => !prompt.includes("Summarise"));
  assert.equal(bytes.length, 3);
  assert.ok(bytes[1]!.startsWith(bytes[0]!) && bytes[2]!.startsWith(bytes[1]!));
});

const exchange = (turn: number): Event[] => [
  { type: "message.received", id: `m${turn}`, from: "owner", parts: [{ type: "text", text: `question ${turn}` }] },
  { type: "turn.started", turn: `t${turn}`, engine: "loop", model: "script/one" },
  { type: "item.completed", turn: `t${turn}`, item: { id: `i${turn}`, kind: "text", text: `answer ${turn}` } },
  { type: "turn.completed", turn: `t${turn}`, stop: "end", seen: 1_000_000, engine: "loop", model: "script/one" },
];

test("T-027 after clearing, the history is empty under the same id", async () => {
  const flow = await start(() => [{ text: "ok" }]);
  await flow.turn("the secret word is plum");
  await clearSession(flow.steward, OWNER, flow.session);
  await flow.turn("what was it?");
  assert.ok(!JSON.stringify(flow.model.requests.at(-1)!.prompt).includes("plum"));
  assert.deepEqual(
    fold(emptyView(flow.session), await flow.events()).entries.map(({ kind }) => kind),
    ["message", "item", "end"],
  );
});

test("a thousand facts do not fill the instructions: the newest are there, the rest is named", async () => {
  const flow = await start(() => [{ text: "ok" }]);
  const put = Object.fromEntries(
    Array.from({ length: 1000 }, (_, at) => [
      `p/owner/fact/fct_${String(at).padStart(5, "0")}`,
      { id: `f${at}`, text: `fact number ${at} ${"z".repeat(80)}`, at: 1 },
    ]),
  );
  await flow.steward.store.commit({ put });
  await flow.turn("hi");
  const system = flow.model.requests[0]!.prompt[0]!;
  assert.ok(system.role === "system" && system.content.length < 6500, String(JSON.stringify(system).length));
  assert.ok(
    system.content.includes("fact number 999 ") && !system.content.includes("fact number 0 ") && /older facts: recall/.test(system.content),
  );
});

// ---- Properties of the fold, over logs that Steward could have written

const call = fc.record({ id: fc.nat({ max: 1e9 }).map((n) => `c${n}`), tool: fc.constantFrom("a", "b") });
const step = fc.uniqueArray(call, { minLength: 1, maxLength: 3, selector: ({ id }) => id });
const turnOf = fc.record({
  asked: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
  steps: fc.array(fc.record({ calls: step, said: fc.string(), late: fc.boolean() }), { maxLength: 3 }),
  end: fc.string(),
});

function logOf(turns: (typeof turnOf extends fc.Arbitrary<infer T> ? T : never)[]): Stored[] {
  const log: Stored[] = [];
  const push = (event: Event): number => log.push({ session: "s", seq: log.length + 1, at: log.length, event });
  const ask = (text: string): number =>
    push({ type: "message.received", id: `m${log.length}`, from: "p", parts: [{ type: "text", text }] });
  for (const [at, { asked, steps, end }] of turns.entries()) {
    const turn = `t${at}`;
    for (const text of asked) ask(text);
    push({ type: "turn.started", turn, engine: "loop", model: "m" });
    for (const { calls, said, late } of steps) {
      const seen = log.length;
      const own = calls.map((one) => ({ ...one, id: `${turn}.${log.length}.${one.id}`, input: {} }));
      if (late) ask("late");
      if (said) push({ type: "item.completed", turn, item: { id: `i${log.length}`, kind: "text", text: said } });
      push({ type: "item.completed", turn, item: { id: `i${log.length}`, kind: "step", calls: own, seen } });
      for (const one of own) {
        push({ type: "item.started", turn, item: { id: `i${one.id}`, kind: "tool", call: one } });
        push({
          type: "item.completed",
          turn,
          item: { id: `i${one.id}`, kind: "tool", call: one, result: { success: true, output: one.id, error: null } },
        });
      }
    }
    const seen = log.length;
    if (end) push({ type: "item.completed", turn, item: { id: `i${log.length}`, kind: "text", text: end } });
    push({ type: "turn.completed", turn, stop: "end", seen, engine: "loop", model: "m" });
  }
  return log;
}

test("every prefix of a log at a turn's end gives a prefix of the messages; every call is followed by its result", () => {
  fc.assert(
    fc.property(fc.array(turnOf, { minLength: 1, maxLength: 4 }), (turns) => {
      const log = logOf(turns);
      const whole = JSON.stringify(toMessages(log)).slice(0, -1);
      for (const { seq, event } of log)
        if (event.type === "turn.completed") assert.ok(whole.startsWith(JSON.stringify(toMessages(log.slice(0, seq))).slice(0, -1)));
      const messages = toMessages(log);
      for (const [at, message] of messages.entries())
        if (message.role === "assistant")
          assert.deepEqual(
            messages.slice(at + 1, at + 1 + message.calls.length).map((one) => one.role === "tool" && one.call),
            message.calls.map(({ id }) => id),
          );
    }),
    { numRuns: 300 },
  );
});

test("folding a log in any pieces, with replays, gives the same view", () => {
  fc.assert(
    fc.property(fc.array(turnOf, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(40), { maxLength: 6 }), (turns, cuts) => {
      const log = logOf(turns);
      const once = fold(emptyView("s"), log);
      let pieces = emptyView("s");
      let before = 0;
      for (const cut of [...cuts.toSorted((a, b) => a - b), log.length]) {
        pieces = fold(pieces, log.slice(Math.max(0, before - 5), cut));
        before = cut;
      }
      assert.deepEqual(pieces, once);
      assert.deepEqual(pendingCalls(log), []);
    }),
    { numRuns: 200 },
  );
});
