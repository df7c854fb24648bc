// Whose rights a turn has: what comes into a session at work by a weaker door waits for a turn of its own, and the person's words for theirs.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tool, ToolContext } from "../src/core/ports.ts";
import type { Principal } from "../src/core/types.ts";
import { turnKey } from "../src/run/context.ts";
import { cancelTurn, record, say } from "../src/run/inbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import { addSchedule } from "../src/schedules/change.ts";
import taskTools from "../src/tools/task.ts";
import { OWNER } from "./harness.ts";
import { every, HOUR, open, START } from "./schedule-place.ts";
import { down, gated, said, start, tool, until } from "./turns-place.ts";

/** A tool that notes for whom it was called. */
function noting() {
  const seen: string[] = [];
  return { seen, where: tool("where", async ({ principal }: ToolContext) => void seen.push(`${principal.role} ${principal.via}`)) };
}
/** What the model does: asks where it is for each message, and ends; a message with GATE stands still first. */
const script = (_: number, prompt: string) => {
  const last = prompt.slice(prompt.lastIndexOf('"role":"user"'));
  if (last.includes("tool-result")) return [{ text: "done" }];
  return [{ call: last.includes("GATE") ? "slow" : "where", input: {} }];
};
/** A session whose turn stands still until the gate is open. */
async function atWork(gate: ReturnType<typeof gated>, where: Tool) {
  const one = await start(script, { tools: [gate.slow, where] });
  await one.say("GATE");
  const work = one.worker.drain();
  await until(() => gate.runs.length === 1 || undefined);
  return { one, work };
}
const weaker: Principal = { ...OWNER, role: "member", via: "channel" };
const messages = async (one: Awaited<ReturnType<typeof start>>): Promise<[string, string?][]> =>
  (await one.events()).flatMap((event): [string, string?][] => {
    if (event.type === "turn.started") return [["turn", event.rights && `${event.rights.role} ${event.rights.via}`]];
    return event.type === "message.received" ? [["message", event.rights?.role]] : [];
  });

test("what is said in a chat by somebody known there with less waits for its own turn, and so do the person's own words after it", async () => {
  const [gate, { seen, where }] = [gated(), noting()];
  const { one, work } = await atWork(gate, where);
  const { session, steward } = one;
  await record(steward, { who: weaker, session, parts: said("by chat"), key: "m1", titled: true, replyTo: { channel: "x", chat: "1" } });
  await one.say("at the page");
  gate.open();
  await work;
  assert.deepEqual(seen, ["member channel", "owner page"]);
  assert.deepEqual(
    (await one.ends()).map(({ stop }) => stop),
    ["end", "end", "end"],
  );
  assert.deepEqual(await messages(one), [
    ["message", undefined],
    ["turn", undefined],
    ["message", "member"],
    ["message", undefined],
    ["turn", "member channel"],
    ["turn", undefined],
  ]);
});

test("a turn that waits to be tried again goes on with its rights, whoever's job comes first; nothing is left unread", async () => {
  const { seen, where } = noting();
  const one = await start((count, prompt) => (count === 0 ? [down] : script(count, prompt)), { tools: [where] });
  const { session, steward, clock } = one;
  await record(steward, { who: { ...OWNER, via: "schedule" }, session, parts: said("by a schedule"), key: "m1", titled: true });
  await one.worker.drain();
  await one.say("at the page");
  await one.worker.drain();
  clock.at += 60_000;
  await one.heir().drain();
  assert.deepEqual(seen, ["owner schedule", "owner page"]);
});

test("a turn whose beginning was compacted keeps its rights over a restart, whoever's job comes first", async () => {
  const { seen, where } = noting();
  const one = await start((count, prompt) => (count === 0 ? [down] : script(count, prompt)), { tools: [where] });
  const { session, steward, clock } = one;
  await record(steward, { who: { ...OWNER, via: "schedule" }, session, parts: said("by a schedule"), key: "m1", titled: true });
  await one.worker.drain();
  const upTo = (await one.log()).findLast(({ event }) => event.type === "turn.started")!.seq;
  await steward.store.commit({
    events: [{ session, event: { type: "context.compacted", upTo, summary: "look around", by: "digest" } }],
    merge: { [turnKey(session)]: { from: upTo } },
  });
  await one.say("at the page");
  clock.at += 60_000;
  await one.heir().drain();
  assert.deepEqual(seen, ["owner schedule", "owner page"]);
});

test("a stop of the person's turn leaves what came by a weaker door its own rights", async () => {
  const [gate, { seen, where }] = [gated(), noting()];
  const { one, work } = await atWork(gate, where);
  const { session, steward } = one;
  await record(steward, { who: { ...OWNER, via: "osAgent" }, session, parts: said("from outside"), key: "m1", titled: true });
  assert.equal(await cancelTurn(steward, OWNER, session), true);
  await work;
  await one.worker.drain();
  assert.deepEqual(
    (await one.ends()).map(({ stop }) => stop),
    ["cancelled", "end"],
  );
  assert.deepEqual(seen, ["owner osAgent"]);
});

test("an agent of another system that speaks while the person talks there is answered with its own rights, and reads nothing else", async () => {
  const [gate, { seen, where }] = [gated(), noting()];
  const one = await start(script, { tools: [...taskTools, gate.slow, where], config: { "a2a.serve.enabled": true } });
  const ask = (method: string, params: object): Promise<unknown> =>
    one.steward.tasks.answer(OWNER, {
      url: "http://x",
      version: "1.0",
      signal: new AbortController().signal,
      body: { jsonrpc: "2.0", id: 1, method, params },
    });
  const send = (text: string, id: string): Promise<unknown> =>
    ask("SendMessage", {
      message: { messageId: id, contextId: "c1", role: "ROLE_USER", parts: [{ text }] },
      configuration: { returnImmediately: true },
    });
  await send("first", "m1");
  await one.worker.drain();
  const [task] = await one.steward.tasks.list(OWNER);
  await say(one.steward, OWNER, { session: task!.session, parts: said("GATE in private") });
  const work = one.worker.drain();
  await until(() => gate.runs.length === 1 || undefined);
  await send("second", "m2");
  gate.open();
  await work;
  await one.worker.drain();
  assert.deepEqual(seen, ["owner schedule", "owner schedule"]);
  const { result } = (await ask("GetTask", { id: "c1~m2" })) as { result: { artifacts: { parts: { text: string }[] }[] } };
  assert.deepEqual(
    result.artifacts.map(({ parts }) => parts[0]!.text),
    ["done"],
  );
});

test("a schedule that speaks into a conversation keeps its ceiling, and reports only what it was asked", async () => {
  const [gate, { seen, where }] = [gated(), noting()];
  const world = await open((prompt) => script(0, prompt), { tools: [gate.slow, where] });
  const session = (await makeSession(world.steward, OWNER, {})).id;
  const doc = await addSchedule(
    world.steward,
    OWNER,
    every("0 * * * *", { session, action: { prompt: "look at the garden" }, ceiling: { tokens: 1 } }),
  );
  await say(world.steward, OWNER, { session, parts: said("GATE") });
  const work = world.worker.drain();
  await until(() => gate.runs.length === 1 || undefined);
  world.clock.at = START + HOUR;
  const due = world.worker.drain();
  await until(async () =>
    (await world.store.events(session)).some(({ event }) => event.type === "message.received" && event.source === "schedule"),
  );
  gate.open();
  await Promise.all([work, due]);
  await world.worker.drain();
  assert.deepEqual(seen, []);
  const [run] = await world.runs(doc.id);
  assert.equal(run!.outcome, "failed");
  assert.match(run!.reason!, /the 1 tokens that this task may use are not enough/);
});
