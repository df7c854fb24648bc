// A message's way through the whole of Steward, as the list of its events.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import type { Event } from "../src/core/events.ts";
import type { Tool } from "../src/core/ports.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { receive } from "../src/chats/receive.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { getSession, makeSession, sessionEvents } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";
import { until } from "./turns-place.ts";

const echo: Tool<{ text: string }> = {
  name: "echo",
  description: "Says it back.",
  capability: "none",
  effect: "read",
  input: z.object({ text: z.string() }),
  run: async ({ text }) => ({ output: text }),
};
const writes: Tool<{ path: string }> = {
  name: "touch",
  description: "Makes a file.",
  capability: "filesystem",
  effect: "write",
  input: z.object({ path: z.string() }),
  async run({ path }, { computer }) {
    await computer.write(path, new TextEncoder().encode("x"));
    return { output: "made" };
  },
};
const tools = [echo, writes] as Tool[];
const said = (text: string) => ({ parts: [{ type: "text" as const, text }] });

async function start(script: Parameters<typeof scripted>[0], more: Partial<Parameters<typeof harness>[0]> = {}) {
  const model = scripted(script);
  const steward = harness({ store: await sqlite(":memory:"), model, tools, ...more });
  const worker = startWorker(steward, { name: "w", auto: false });
  const session = (await makeSession(steward, OWNER, {})).id;
  const events = async (): Promise<Event[]> => (await sessionEvents(steward, OWNER, session, {})).events.map(({ event }) => event);
  return {
    steward,
    worker,
    session,
    model,
    events,
    say: (text: string, key?: string) => say(steward, OWNER, { session, key, ...said(text) }),
  };
}

const shape = (event: Event): string => ("item" in event ? `${event.type} ${event.item.kind}` : event.type);

test("a message becomes a reply, and the log tells the story", async () => {
  const flow = await start((_, count): Said[] =>
    count === 0 ? [{ thinking: "hm" }, { text: "Looking." }, { call: "echo", input: { text: "hi" } }] : [{ text: "Done." }],
  );
  await flow.say("do it", "k1");
  await flow.say("do it", "k1");
  await flow.worker.drain();
  const events = await flow.events();
  assert.deepEqual(events.map(shape), [
    "session.created",
    "message.received",
    "session.updated",
    "turn.started",
    "item.completed thinking",
    "item.completed text",
    "item.completed step",
    "item.started tool",
    "item.completed tool",
    "item.completed text",
    "turn.completed",
  ]);
  const { title, messages, running, seq } = await getSession(flow.steward, OWNER, flow.session);
  assert.deepEqual({ title, messages, running, seq }, { title: "do it", messages: 2, running: false, seq: 11 });
  assert.deepEqual(await flow.steward.store.jobs(), { due: 0, later: 0, running: 0 });
});

test("the next request begins with the bytes of the one before", async () => {
  const flow = await start((_, count): Said[] =>
    count % 2 === 0 ? [{ thinking: "t" }, { text: "a" }, { call: "echo", input: { text: "b" } }] : [{ text: "end" }],
  );
  for (const text of ["one", "two", "three"]) {
    await flow.say(text);
    await flow.worker.drain();
  }
  const bytes = flow.model.requests.map(({ prompt }) => JSON.stringify(prompt).slice(0, -1));
  assert.equal(bytes.length, 6);
  for (let at = 1; at < bytes.length; at++)
    assert.ok(bytes[at]!.startsWith(bytes[at - 1]!), `request ${at}:\n${bytes[at - 1]}\n${bytes[at]}`);
  assert.deepEqual(flow.model.requests[5]!.tools, flow.model.requests[0]!.tools);
});

test("a message that comes while a turn runs joins it, and stands where it was read", async () => {
  const flow = await start((request, count): Said[] => {
    if (count === 0) void flow.say("and also this");
    return count === 0
      ? [{ call: "echo", input: { text: "b" } }]
      : [{ text: `read ${JSON.stringify(request.prompt).includes("also this")}` }];
  });
  await flow.say("first");
  await flow.worker.drain();
  const events = await flow.events();
  assert.equal(events.filter(({ type }) => type === "turn.started").length, 1);
  assert.deepEqual(
    events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : [])),
    ["read true"],
  );
  assert.deepEqual(
    flow.model.requests[1]!.prompt.map(({ role }) => role),
    ["system", "user", "assistant", "tool", "user"],
  );
});

test("a write outside the workspace asks, and runs when a person allows it", async () => {
  const flow = await start((_, count): Said[] => (count === 0 ? [{ call: "touch", input: { path: "~/outside.txt" } }] : [{ text: "ok" }]));
  await flow.say("write");
  const running = flow.worker.drain();
  const ask = await until(async () => (await openAsks(flow.steward, OWNER))[0]);
  assert.equal((await getSession(flow.steward, OWNER, flow.session)).asks, 1);
  assert.deepEqual((await flow.events()).map(shape).slice(-2), ["item.completed step", "ask.opened"]);
  await assert.rejects(answerAsk(flow.steward, { ...OWNER, person: "other" }, ask.id, { choice: "allow" }), { code: "not_found" });
  await assert.rejects(answerAsk(flow.steward, OWNER, ask.id, { choice: "maybe" }), { code: "invalid" });
  await answerAsk(flow.steward, OWNER, ask.id, { choice: "allow" });
  await assert.rejects(answerAsk(flow.steward, OWNER, ask.id, { choice: "deny" }), { code: "conflict" });
  await running;
  assert.deepEqual((await flow.events()).map(shape).slice(-6), [
    "ask.opened",
    "ask.answered",
    "item.started tool",
    "item.completed tool",
    "item.completed text",
    "turn.completed",
  ]);
  assert.equal((await getSession(flow.steward, OWNER, flow.session)).asks, 0);
});

test("a denied write is a result that the model sees, and nothing was started", async () => {
  const flow = await start((_, count): Said[] => (count === 0 ? [{ call: "touch", input: { path: "~/no.txt" } }] : [{ text: "ok" }]));
  await flow.say("write");
  const running = flow.worker.drain();
  const ask = await until(async () => (await openAsks(flow.steward, OWNER))[0]);
  await answerAsk(flow.steward, OWNER, ask.id, { choice: "deny" });
  await running;
  const events = await flow.events();
  assert.ok(!events.some(({ type }) => type === "item.started"));
  assert.match(JSON.stringify(flow.model.requests[1]!.prompt.at(-1)), /Permission denied/);
});

test("cancelling stops a turn that waits for a person", async () => {
  const flow = await start((): Said[] => [{ call: "touch", input: { path: "~/x.txt" } }]);
  await flow.say("write");
  const running = flow.worker.drain();
  await until(async () => (await openAsks(flow.steward, OWNER))[0]);
  assert.equal(await cancelTurn(flow.steward, OWNER, flow.session), true);
  await running;
  const end = (await flow.events()).findLast(({ type }) => type === "turn.completed");
  assert.equal(end?.type === "turn.completed" && end.stop, "cancelled");
  assert.deepEqual(await openAsks(flow.steward, OWNER), []);
  assert.equal(await cancelTurn(flow.steward, OWNER, flow.session), false);
});

test("the same call with the same result again and again is stopped, and said", async () => {
  const flow = await start((): Said[] => [{ call: "echo", input: { text: "again" } }]);
  await flow.say("loop");
  await flow.worker.drain();
  const events = await flow.events();
  assert.equal(flow.model.requests.length, 3);
  const end = events.at(-1);
  assert.equal(end?.type === "turn.completed" && end.stop, "limit");
  assert.match(JSON.stringify(events.at(-2)), /same call of echo/);
});

test("calls that can't run are results: unknown tool, wrong arguments, not JSON, switched off", async () => {
  const flow = await start((_, count): Said[] =>
    count === 0
      ? [
          { call: "nope", input: {} },
          { call: "echo", input: { text: 5 } },
          { call: "echo", input: "{not json" },
          { call: "touch", input: { path: "a" } },
        ]
      : [{ text: "ok" }],
  );
  flow.steward.permissions.toggle("filesystem", false);
  await flow.say("try");
  await flow.worker.drain();
  const errors = (await flow.events()).flatMap((event) =>
    event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result?.error?.slice(0, 42)] : [],
  );
  assert.deepEqual(errors, [
    "Unknown tool: nope",
    "Wrong arguments for echo: text: Invalid in",
    "The arguments of echo are not valid JSON: ",
    "Permission denied: filesystem is switched ",
  ]);
});

test("a model that fails twice is tried again with growing waits, then answers", async () => {
  const clock = { at: 1_000_000 };
  const waits: number[] = [];
  const flow = await start((_, count): Said[] => (count < 2 ? [{ fail: new StewardError("unavailable", "down") }] : [{ text: "here" }]), {
    store: await sqlite(":memory:", { now: () => clock.at }),
    now: () => clock.at,
  });
  await flow.say("hi");
  for (let tries = 0; tries < 3; tries++) {
    await flow.worker.drain();
    const { next } = await flow.steward.store.jobs();
    if (next === undefined) break;
    waits.push(next - clock.at);
    clock.at = next;
  }
  assert.deepEqual(waits, [1000, 2000]);
  assert.deepEqual((await flow.events()).map(shape).slice(-3), ["turn.started", "item.completed text", "turn.completed"]);
});

test("a failure that does not pass by itself ends the turn as data", async () => {
  const flow = await start((): Said[] => [
    { text: "half" },
    { fail: new StewardError("denied", "The key was refused", { hint: "Set a new one" }) },
  ]);
  await flow.say("hi");
  await flow.worker.drain();
  const end = (await flow.events()).at(-1);
  assert.deepEqual(end?.type === "turn.completed" && { stop: end.stop, error: end.error }, {
    stop: "failed",
    error: { code: "denied", message: "The key was refused", hint: "Set a new one" },
  });
});

test("a channel's message is answered at its address once, also when it comes twice", async () => {
  const channel = keepingChannel();
  const flow = await start((): Said[] => [{ text: "hello" }], { channels: { chat: channel } });
  await flow.steward.store.commit({ put: { "paired/chat/u1": { person: "owner", role: "owner" } } });
  const message = inbound("m1", "u1", { channel: "chat", chat: "7" }, "hi");
  await Promise.all([
    receive(flow.steward, message),
    receive(flow.steward, message),
    receive(flow.steward, { ...message, key: "m2", from: "stranger" }),
  ]);
  await flow.worker.drain();
  assert.deepEqual(
    channel.sent.map(({ to, text }) => ({ to, text })),
    [{ to: { channel: "chat", chat: "7" }, text: "hello" }],
  );
});
