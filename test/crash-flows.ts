// The flows that are killed at each of their commits, what the world outside has seen of them, and what must hold in the end.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import type { Event } from "../src/core/events.ts";
import type { Tool } from "../src/core/ports.ts";
import type { Store } from "../src/core/store.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { receive } from "../src/chats/receive.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import type { Steward } from "../src/run/steward.ts";
import { startWorker } from "../src/run/worker.ts";
import agentTools from "../src/tools/agents.ts";
import taskTools from "../src/tools/task.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { hasCode, StewardError } from "../src/std/error.ts";
import type { Mortal } from "../src/testing/mortal.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

const SESSION = "ses_crash";

/** What the world outside has seen, in files: it outlives every process. */
export interface World {
  home: string;
  now(): number;
}
const file = (world: World, name: "ran" | "sent"): string => join(world.home, name);
const note = (world: World, name: "ran" | "sent", line: string): void => appendFileSync(file(world, name), `${line}\n`);
const noted = (world: World, name: "ran" | "sent"): string[] =>
  existsSync(file(world, name)) ? readFileSync(file(world, name), "utf8").split("\n").slice(0, -1) : [];

export interface Life {
  steward: Steward;
  store: Mortal;
  world: World;
}
export interface Flow {
  name: string;
  /** `model`: by whose name it is asked. */
  script(prompt: string, model: string): Said[];
  config?: Record<string, unknown>;
  /** What a person or a platform does; it is done again by the heir, as platforms do when they were not answered. */
  drive(life: Life): Promise<void>;
  /** Runs beside the worker. */
  beside?(life: Life): Promise<void>;
  check(events: Event[], world: World, where: string): void;
}

const work = (world: World): Tool<{ name: string }> => ({
  name: "work",
  description: "Does a thing that must not be done twice.",
  capability: "none",
  effect: "write",
  input: z.object({ name: z.string() }),
  async run({ name }) {
    note(world, "ran", name);
    return { output: `did ${name}` };
  },
});
/** Goes on until it is stopped, or until its process is gone. */
const slow = (world: World, store: Mortal): Tool<{ name: string }> => ({
  ...work(world),
  name: "slow",
  async run({ name }, { signal }) {
    note(world, "ran", name);
    while (!signal.aborted && !store.dead()) await new Promise((resolve) => setTimeout(resolve, 1));
    return { output: "stopped" };
  },
});
const touch: Tool<{ path: string }> = {
  name: "touch",
  description: "Makes a file.",
  capability: "filesystem",
  effect: "write",
  input: z.object({ path: z.string() }),
  async run({ path }, { computer }) {
    await computer.write(path, new Uint8Array([120]));
    return { output: "made" };
  },
};

/** Until it is so, or nothing is left from which it could come. */
export async function awaited({ store }: Life, is: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + 60_000; !store.dead() && Date.now() < end;) {
    if (await is()) return true;
    const { running, due } = await store.jobs();
    if (running + due === 0) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return false;
}
const hasRun = (life: Life): Promise<boolean> => awaited(life, () => noted(life.world, "ran").length > 0);

const speak = (text: string, key: string) => ({ session: SESSION, key, parts: [{ type: "text" as const, text }] });
const called = (prompt: string): boolean => prompt.includes('"tool-result"');
const texts = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : []));
const results = (events: Event[]) =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result] : []));
const count = (events: Event[], type: Event["type"]): number => events.filter((event) => event.type === type).length;

function oneTurn(events: Event[], where: string): void {
  for (const type of ["message.received", "turn.started", "turn.completed"] as const)
    assert.equal(count(events, type), 1, `${where}: ${type}\n${JSON.stringify(events, null, 1)}`);
  const end = events.at(-1)!;
  assert.equal(
    events.findLast((event) => event.type === "turn.completed")?.type === "turn.completed" && JSON.stringify(end).includes('"failed"'),
    false,
    where,
  );
}

/** Every call has one result; it ran once, or its outcome is labelled as unknown; it never ran twice. */
function callsAreHonest(events: Event[], world: World, where: string): void {
  const counts = new Map<string, number>();
  for (const name of noted(world, "ran")) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [name, times] of counts) assert.equal(times, 1, `${where}: ${name} ran ${times} times`);
  for (const result of results(events))
    assert.ok(result?.success || /not known whether/.test(result?.error ?? ""), `${where}: ${JSON.stringify(result)}`);
}

export const flows: Flow[] = [
  {
    name: "a plain turn",
    script: () => [{ text: "hello" }],
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("hi", "k1"))),
    check(events, _world, where) {
      oneTurn(events, where);
      assert.deepEqual(texts(events), ["hello"], where);
    },
  },
  {
    name: "a turn with two tool calls",
    script: (prompt) =>
      called(prompt)
        ? [{ text: "done" }]
        : [{ text: "working" }, { call: "work", input: { name: "a" } }, { call: "work", input: { name: "b" } }],
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("go", "k1"))),
    check(events, world, where) {
      oneTurn(events, where);
      assert.deepEqual(texts(events), ["working", "done"], where);
      assert.equal(results(events).length, 2, where);
      callsAreHonest(events, world, where);
    },
  },
  {
    name: "a turn in whose middle another model takes over",
    config: { "failover.chain": ["second/two"] },
    script(prompt, model) {
      if (model === "second/two") return [{ text: "done" }];
      if (!called(prompt)) return [{ text: "working" }, { call: "work", input: { name: "a" } }];
      return [{ fail: new StewardError("limit", "No credit", { reason: "quota" }) }];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("go", "k1"))),
    check(events, world, where) {
      oneTurn(events, where);
      assert.deepEqual(texts(events), ["working", "done"], where);
      const end = events.find((event) => event.type === "turn.completed");
      assert.equal(end?.type === "turn.completed" && end.model, "second/two", where);
      callsAreHonest(events, world, where);
    },
  },
  {
    name: "a turn waiting on an ask",
    script: (prompt) => (called(prompt) ? [{ text: "done" }] : [{ call: "touch", input: { path: "~/file" } }]),
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("write", "k1"))),
    async beside(life) {
      const { steward } = life;
      if (!(await awaited(life, async () => (await openAsks(steward, OWNER)).length > 0))) return;
      const [ask] = await openAsks(steward, OWNER);
      await answerAsk(steward, OWNER, ask!.id, { choice: "allow" });
    },
    check(events, world, where) {
      oneTurn(events, where);
      for (const type of ["ask.opened", "ask.answered"] as const) assert.equal(count(events, type), 1, where);
      assert.equal(results(events).length, 1, where);
      callsAreHonest(events, world, where);
      assert.deepEqual(texts(events), ["done"], where);
    },
  },
  {
    name: "a turn that is cancelled while a tool runs",
    script: (prompt) =>
      prompt.includes("instead") ? [{ text: "other" }] : called(prompt) ? [{ text: "done" }] : [{ call: "slow", input: { name: "long" } }],
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("go", "k1"))),
    async beside(life) {
      await hasRun(life);
      const { steward, store } = life;
      const before = await store.events(SESSION);
      if (!before.some(({ event }) => event.type === "message.received" && event.key === "k2")) await cancelTurn(steward, OWNER, SESSION);
      await say(steward, OWNER, speak("this instead", "k2"));
    },
    check(events, world, where) {
      assert.equal(count(events, "message.received"), 2, where);
      const ends = events.flatMap((event) => (event.type === "turn.completed" ? [event] : []));
      const started = events.flatMap((event) => (event.type === "turn.started" ? [event.turn] : []));
      assert.deepEqual(
        ends.map(({ turn }) => turn),
        started,
        `${where}: each turn ends once`,
      );
      const newest = events.findLastIndex(({ type }) => type === "message.received") + 1;
      assert.ok(ends.at(-1)!.seen >= newest, `${where}: the last message was not read`);
      assert.equal(texts(events).at(-1), "other", where);
      const [result, ...more] = results(events);
      const unknown = /not known whether/.test(result?.error ?? "");
      assert.ok(noted(world, "ran").length === 1 || (unknown && noted(world, "ran").length === 0), `${where}: it ran twice or not at all`);
      assert.ok(result?.output === "stopped" || unknown, `${where}: ${JSON.stringify(result)}`);
      assert.equal(more.length, 0, where);
    },
  },
  {
    name: "a steered turn",
    script(prompt) {
      const done = prompt.split('"tool-result"').length - 1;
      return prompt.includes("also")
        ? [{ text: "both" }]
        : done > 4
          ? [{ text: "first only" }]
          : [{ call: "work", input: { name: `w${done}` } }];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("one", "k1"))),
    async beside(life) {
      await hasRun(life);
      await say(life.steward, OWNER, speak("also two", "k2"));
    },
    check(events, world, where) {
      assert.equal(count(events, "message.received"), 2, where);
      assert.equal(count(events, "turn.started"), count(events, "turn.completed"), where);
      assert.equal(texts(events).at(-1), "both", where);
      callsAreHonest(events, world, where);
    },
  },
  {
    name: "a turn with two helper agents at once",
    script(prompt) {
      const helper = /Your name: (\w+)/.exec(prompt)?.[1];
      if (helper) return called(prompt) ? [{ text: `answer of ${helper}` }] : [{ call: "work", input: { name: helper } }];
      const done = prompt.split('"tool-result"').length - 1;
      if (done === 0) return ["one", "two"].map((name) => ({ call: "spawn_agent", input: { name, details: "helps" } }));
      if (done === 2) return ["one", "two"].map((name) => ({ call: "send_to_agent", input: { name, message: `work, ${name}` } }));
      return [{ text: prompt.includes("answer of one") && prompt.includes("answer of two") ? "both" : "not both" }];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, speak("go", "k1"))),
    check(events, world, where) {
      const counts = ["session.created", "message.received", "turn.started", "turn.completed"].map((type) =>
        count(events, type as Event["type"]),
      );
      assert.deepEqual(counts, [3, 5, 3, 3], `${where}: ${JSON.stringify(events, null, 1)}`);
      assert.deepEqual(texts(events).sort(), ["answer of one", "answer of two", "both"], where);
      assert.equal(results(events).length, 6, where);
      callsAreHonest(events, world, where);
      const outputs = results(events).map((result) => result?.output);
      for (const output of ["Spawned one", "Spawned two", "answer of one", "answer of two"])
        assert.equal(outputs.filter((one) => one === output).length, 1, `${where}: ${output}`);
    },
  },
  {
    name: "a delivery",
    script: () => [{ text: "hello" }],
    drive: async ({ steward }) => void (await receive(steward, inbound("m1", "u1", { channel: "chat", chat: "7" }, "hi"))),
    check(events, world, where) {
      oneTurn(events, where);
      assert.equal(count(events, "delivery.settled"), 1, where);
      const settled = events.find((event) => event.type === "delivery.settled");
      assert.ok(
        noted(world, "sent").length === 1 || (settled?.type === "delivery.settled" && settled.unknown === true),
        `${where}: ${JSON.stringify(settled)} ${noted(world, "sent").length} sent`,
      );
      assert.ok(noted(world, "sent").length <= 1, `${where}: sent ${noted(world, "sent").length} times`);
    },
  },
  {
    name: "what a webhook has brought, and brings again after the crash",
    config: { "channels.chat": { kind: "webhook", person: "owner", url: "https://example.org/" } },
    script: () => [{ text: "hello" }],
    async drive({ steward }) {
      const given = inbound("m1", "webhook", { channel: "chat", chat: "webhook" }, "{}");
      await receive(steward, given).catch((error: unknown) => {
        if (!hasCode(error, "conflict")) throw error;
      });
    },
    check(events, world, where) {
      oneTurn(events, where);
      const received = events.find((event) => event.type === "message.received");
      assert.equal(received?.type === "message.received" && received.source, "webhook", where);
      assert.equal(count(events, "delivery.settled"), 1, where);
      assert.ok(noted(world, "sent").length <= 1, `${where}: sent ${noted(world, "sent").length} times`);
    },
  },
  {
    name: "a command of a chat that goes on in a new session",
    script: () => [{ text: "never asked" }],
    drive: async ({ steward }) => void (await receive(steward, inbound("m1", "u1", { channel: "chat", chat: "7" }, "/new"))),
    check(events, world, where) {
      assert.equal(count(events, "message.received"), 1, where);
      assert.equal(count(events, "turn.started"), 0, where);
      const [answer, ...more] = texts(events);
      assert.match(answer!, /^This is a new session\.$|not known whether/, where);
      assert.deepEqual(more, [], where);
      assert.ok(count(events, "session.created") <= 3, where);
      assert.equal(count(events, "delivery.settled"), 1, where);
      assert.ok(noted(world, "sent").length <= 1, where);
    },
  },
];

/** One process: drives the flow and works until nothing is left to do, or until it dies. */
export async function live(flow: Flow, store: Mortal, world: World): Promise<void> {
  const channel = { ...keepingChannel(), send: async (_to: unknown, { text }: { text: string }) => (note(world, "sent", text), "r") };
  const named = (name: string) => scripted((request) => flow.script(JSON.stringify(request.prompt), name));
  const steward = harness({
    store,
    model: named("script/one"),
    ...(flow.config ? { config: flow.config } : {}),
    tools: [work(world), slow(world, store), touch, ...agentTools, ...taskTools] as Tool[],
    channels: { chat: channel },
    home: world.home,
    now: world.now,
  });
  const { open } = steward.models;
  steward.models.open = async (name) => ({ ...(await open(name)), model: named(name) });
  const life = { steward, store, world };
  const worker = startWorker(steward, { name: "w", auto: false });
  await makeSession(steward, OWNER, { id: SESSION }).catch(unlessDead(store));
  await steward.store.commit({ put: { "paired/chat/u1": { person: "owner", role: "owner" } } }).catch(unlessDead(store));
  await flow.drive(life).catch(unlessDead(store));
  await Promise.all([worker.drain(), flow.beside?.(life).catch(unlessDead(store))]);
  await worker.drain();
}

const unlessDead =
  (store: Mortal) =>
  (error: unknown): void => {
    if (!store.dead()) throw error;
  };

export async function eventsOf(store: Store): Promise<Event[]> {
  const sessions = (await store.list("p/owner/session/")).map(({ value }) => (value as { id: string }).id);
  const logs = await Promise.all(sessions.map((session) => store.events(session)));
  for (const log of logs)
    assert.deepEqual(
      log.map(({ seq }) => seq),
      log.map((_, at) => at + 1),
    );
  return logs.flat().map(({ event }) => event);
}
