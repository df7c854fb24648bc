// Helper agents: who they are, what they may, running at the same time, restarts, Stop, deletion, usage, and whose they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import type { Event } from "../src/core/events.ts";
import type { Tool } from "../src/core/ports.ts";
import type { Principal, ToolResult } from "../src/core/types.ts";
import { listAgents } from "../src/gateway/agents.ts";
import { spawnAgent } from "../src/run/agents.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { turnJob } from "../src/run/jobs.ts";
import {
  changeSession,
  clearSession,
  getSession,
  listSessions,
  makeSession,
  removeSession,
  sessionDoc,
  sessionKey,
} from "../src/run/sessions.ts";
import { takeReturns, usedBy } from "../src/run/returns.ts";
import { isTainted, taintKey } from "../src/run/taint.ts";
import { undo } from "../src/run/undo.ts";
import { startWorker } from "../src/run/worker.ts";
import type { Said } from "../src/testing/scripted.ts";
import { ownComputer } from "../src/testing/own-computer.ts";
import agentTools from "../src/tools/agents.ts";
import memoryTools from "../src/tools/memory.ts";
import personTools from "../src/tools/person.ts";
import { OWNER } from "./harness.ts";
import { gated, said, start, type Started, tool, touch, until } from "./turns-place.ts";

const tools = [...agentTools, ...memoryTools, ...personTools] as Tool[];
const called = (prompt: string): number => prompt.split('"tool-result"').length - 1;
const helperIn = (prompt: string): string | undefined => /Your name: (\w+)/.exec(prompt)?.[1];
const spawn = (name: string, more: object = {}): Said => ({ call: "spawn_agent", input: { name, ...more } });
const send = (name: string, message = "go"): Said => ({ call: "send_to_agent", input: { name, message } });
const ada: Principal = { person: "ada", role: "member", via: "page" };

const resultsOf = (events: Event[]): ToolResult[] =>
  events.flatMap((event) =>
    event.type === "item.completed" && event.item.kind === "tool" && event.item.result ? [event.item.result] : [],
  );
const results = async (one: Started): Promise<ToolResult[]> => resultsOf(await one.events());
const words = (all: ToolResult[]): unknown[] => all.map(({ output, error }) => error ?? output);
const helper = async (one: Started, at = 0): Promise<string> => (await listAgents(one.steward, OWNER, one.session))[at]!.session;
const helperEvents = async (one: Started, at = 0): Promise<Event[]> =>
  (await one.steward.store.events(await helper(one, at))).map(({ event }) => event);
const is = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

/** Spawns those names, sends to all of them in one step, says "done". Helpers do what `work` says. */
const team =
  (names: string[], work: (name: string, prompt: string) => Said[]) =>
  (_count: number, prompt: string): Said[] => {
    const name = helperIn(prompt);
    if (name) return work(name, prompt);
    const done = called(prompt);
    if (done === 0) return names.map((one) => spawn(one));
    return done === names.length ? names.map((one) => send(one)) : [{ text: "done" }];
  };

test("O-087 the helper gets the message, its answer returns, its tokens count to the senior's turn", async () => {
  const one = await start(
    (_count, prompt) => {
      if (helperIn(prompt)) return [{ text: "It is 42." }];
      if (called(prompt) === 0) return [spawn("Deep", { details: "Thinks long.", context: "Asked by mice." })];
      return called(prompt) === 1 ? [send("deep", "What is it?")] : [{ text: "42" }];
    },
    { tools },
  );
  await one.say("find out");
  await one.worker.drain();
  assert.deepEqual(words(await results(one)), ["Spawned Deep", "It is 42."]);
  const [asked] = one.model.requests.filter(({ prompt }) => JSON.stringify(prompt).includes("Your name"));
  assert.deepEqual(asked!.prompt.slice(1), [
    {
      role: "user",
      content: [
        { type: "text", text: "<time>Fri, 15 Jan 2027, 08:00</time>" },
        { type: "text", text: "Your name: Deep\nDetails: Thinks long.\nContext: Asked by mice." },
      ],
    },
    { role: "user", content: [{ type: "text", text: "What is it?" }] },
  ]);
  const [system] = asked!.prompt;
  assert.match(String(system!.content), /^You are a junior agent, a helper of Steward/);
  assert.doesNotMatch(String(system!.content), /Deep|mice/, "another agent's words are no system words");
  const names = (asked!.tools ?? []).map(({ name }) => name);
  assert.deepEqual(names, ["remember", "recall", "forget", "show_plan"]);
  const own = (one.model.requests[0]!.tools ?? []).map(({ name }) => name);
  assert.deepEqual(own, ["spawn_agent", "send_to_agent", "remember", "recall", "forget", "ask_person", "show_plan"]);
  assert.deepEqual(
    (await one.ends()).map(({ usage }) => usage),
    [{ input: 40, output: 8 }],
  );
  await one.say("again");
  await one.worker.drain();
  assert.deepEqual((await one.ends()).at(-1)?.usage, { input: 10, output: 2 }, "counted once");
});

test("O-088 the fifth spawn is refused, and a name only once; an unknown name is said", async () => {
  const one = await start(
    (count) =>
      count === 0
        ? [...["a", "b", "c", "A", "d", "e"].map((name) => spawn(name)), spawn(" "), send("nobody"), send("a", "  ")]
        : [{ text: "done" }],
    { tools },
  );
  await one.say("go");
  await one.worker.drain();
  assert.deepEqual(words(await results(one)), [
    ...["Spawned a", "Spawned b", "Spawned c", "Agent a already exists", "Spawned d", "Agent limit reached"],
    ...["An agent needs a name", "Agent nobody not found", "A message has 1 to 100000 characters"],
  ]);
  assert.deepEqual(
    (await listAgents(one.steward, OWNER, one.session)).map(({ name, running }) => [name, running]),
    ["a", "b", "c", "d"].map((name) => [name, false]),
  );
});

test("MAX_MINI_AGENTS: as many as are set, and none at 0", async () => {
  const two = await start((count) => (count === 0 ? [spawn("a"), spawn("b"), spawn("c")] : [{ text: "done" }]), {
    tools,
    config: { "agents.most": 2 },
  });
  await two.say("go");
  await two.worker.drain();
  assert.deepEqual(words(await results(two)), ["Spawned a", "Spawned b", "Agent limit reached"]);
  const none = await start(() => [{ text: "hi" }], { tools, config: { "agents.most": 0 } });
  await none.say("go");
  await none.worker.drain();
  assert.ok(!none.model.requests[0]!.tools!.some(({ name }) => name.endsWith("_agent")));
});

test("of spawns at the same moment no more come through than may be", async () => {
  const one = await start(() => [{ text: "" }], { tools });
  const made = await Promise.allSettled(
    Array.from({ length: 8 }, (_, at) => spawnAgent(one.steward, OWNER, { session: one.session, call: `c${at}`, name: `n${at}` })),
  );
  assert.deepEqual(
    [made.filter(({ status }) => status === "fulfilled").length, (await listAgents(one.steward, OWNER, one.session)).length],
    [4, 4],
  );
});

test("helpers that are told in one step run at the same time", async () => {
  const { slow, runs, open } = gated();
  const one = await start(
    team(["a", "b"], (name, prompt) => (called(prompt) ? [{ text: `${name} ready` }] : [{ call: "slow", input: {} }])),
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const done = one.worker.drain();
  await until(() => (runs.length === 2 ? true : undefined));
  assert.deepEqual(
    (await listAgents(one.steward, OWNER, one.session)).map(({ running }) => running),
    [true, true],
  );
  open();
  await done;
  assert.deepEqual(
    words(await results(one))
      .slice(2)
      .toSorted(),
    ["a ready", "b ready"],
  );
  const [order] = one.model.requests.slice(-1);
  assert.match(JSON.stringify(order!.prompt), /a ready.*b ready/, "in the order of the calls");
  assert.deepEqual((await one.ends())[0]?.usage, { input: 70, output: 14 });
});

test("S-62 a helper has its senior's person and door, and no helpers or questions of its own", async () => {
  const seen: Principal[] = [];
  const look = tool("look", async ({ principal }) => void seen.push(principal));
  const guest: Principal = { person: "owner", role: "owner", via: "osAgent" };
  const one = await start(
    team(["a"], (_name, prompt) =>
      called(prompt)
        ? [{ text: "ok" }]
        : [{ call: "look", input: {} }, spawn("b"), send("a"), { call: "ask_person", input: { question: "?" } }],
    ),
    { tools: [...tools, look] },
  );
  await say(one.steward, guest, { session: one.session, parts: said("go") });
  await one.worker.drain();
  assert.deepEqual(seen, [guest]);
  assert.deepEqual(words(resultsOf(await helperEvents(one))).slice(1), [
    "Unknown tool: spawn_agent",
    "Unknown tool: send_to_agent",
    "Unknown tool: ask_person",
  ]);
  await assert.rejects(spawnAgent(one.steward, OWNER, { session: await helper(one), call: "c", name: "x" }), is("denied"));
});

test("a helper's session is hidden, only read, and nobody else's", async () => {
  const one = await start(
    team(["a"], () => [{ text: "found" }]),
    { tools },
  );
  await one.say("go");
  await one.worker.drain();
  const id = await helper(one);
  const listed = async (q?: string) => (await listSessions(one.steward, OWNER, { q })).sessions.map((session) => session.id);
  assert.deepEqual([await listed(), await listed("found"), await listed(id)], [[one.session], [], []]);
  assert.equal((await getSession(one.steward, OWNER, id)).title, "a");
  for (const change of [
    () => say(one.steward, OWNER, { session: id, parts: said("hello") }),
    () => changeSession(one.steward, OWNER, id, { title: "mine" }),
    () => clearSession(one.steward, OWNER, id),
    () => removeSession(one.steward, OWNER, id),
  ])
    await assert.rejects(change(), is("conflict"));
  for (const look of [
    () => listAgents(one.steward, ada, one.session),
    () => getSession(one.steward, ada, id),
    () => spawnAgent(one.steward, ada, { session: one.session, call: "c", name: "spy" }),
    () => cancelTurn(one.steward, ada, id),
  ])
    await assert.rejects(look(), is("not_found"));
});

test("a Stop of the senior stops its helpers, also when it was heard by another process", async () => {
  const { slow, runs } = gated();
  const one = await start(
    team(["a", "b"], () => [{ call: "slow", input: {} }]),
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const done = one.worker.drain();
  await until(() => (runs.length === 2 ? true : undefined));
  const other = await start(() => [{ text: "" }], { store: one.steward.store });
  assert.equal(await cancelTurn(other.steward, OWNER, one.session), true);
  await done;
  await one.worker.drain();
  assert.deepEqual([runs.map(({ aborted }) => aborted), (await one.ends()).map(({ stop }) => stop)], [[true, true], ["cancelled"]]);
  for (const at of [0, 1]) {
    const ends = (await helperEvents(one, at)).flatMap((event) => (event.type === "turn.completed" ? [event.stop] : []));
    assert.deepEqual(ends, ["cancelled"]);
  }
  await one.say("and now?");
  await one.worker.drain();
  assert.deepEqual((await one.ends()).at(-1)?.usage, { input: 30, output: 6 }, "what the stopped helpers used is counted by the next turn");
});

test("a helper that nobody waits for any more does not begin", async () => {
  const one = await start(() => [{ text: "never" }], { tools });
  await spawnAgent(one.steward, OWNER, { session: one.session, call: "c", name: "a" });
  const id = await helper(one);
  await one.steward.store.commit({
    merge: { [sessionKey("owner", id)]: { asked: "trn_gone" } },
    events: [{ session: id, event: { type: "message.received", id: "m", from: "agent:x", parts: said("go"), key: "send/x" } }],
    jobs: [turnJob(id, OWNER)],
  });
  await one.worker.drain();
  assert.equal(one.model.requests.length, 0);
  const last = (await helperEvents(one)).at(-1);
  assert.deepEqual(last?.type === "turn.completed" && last.stop, "cancelled");
});

test("a helper that fails or is stopped is a result the senior reads", async () => {
  const { slow, runs } = gated();
  const one = await start(
    team(["a", "b"], (name) => (name === "a" ? [{ fail: new Error("broken model") }] : [{ call: "slow", input: {} }])),
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const done = one.worker.drain();
  await until(() => (runs.length === 1 ? true : undefined));
  assert.equal(await cancelTurn(one.steward, OWNER, await helper(one, 1)), true);
  await done;
  assert.deepEqual(
    words(await results(one))
      .slice(2)
      .toSorted(),
    ["Agent a failed: broken model", "Agent b was stopped"],
  );
  assert.deepEqual(
    (await one.ends()).map(({ stop }) => stop),
    ["end"],
  );
});

test("a deleted session takes its helpers along, an undo brings them back, and they are erased with it", async () => {
  const one = await start(
    team(["a"], () => [{ text: "ok" }]),
    { tools },
  );
  await one.say("go");
  await one.worker.drain();
  const id = await helper(one);
  const { undo: entry } = await removeSession(one.steward, OWNER, one.session);
  await assert.rejects(getSession(one.steward, OWNER, id), is("not_found"));
  await undo(one.steward, OWNER, entry);
  assert.equal((await getSession(one.steward, OWNER, id)).title, "a");
  await removeSession(one.steward, OWNER, one.session);
  one.clock.at += 7 * 86_400_000 + 1;
  await one.worker.drain();
  assert.deepEqual(await one.steward.store.events(id), []);
  assert.equal(await one.steward.store.get(sessionKey("owner", id)), undefined);
});

test("S-69 S-70 taint goes to a helper and comes back; a senior's words are not the person's", async () => {
  const fetched: string[] = [];
  const web = {
    ...tool("web_fetch", async () => {}),
    input: z.object({ url: z.string() }),
    run: async ({ url }: { url: string }) => (fetched.push(url), { output: "page" }),
  } as Tool;
  const one = await start(
    team(["a"], (_name, prompt) =>
      called(prompt)
        ? [{ text: "ok" }]
        : ["https://named.example/", "https://evil.example/"].map((url) => ({ call: "web_fetch", input: { url } })),
    ),
    { tools: [...tools, web] },
  );
  await one.steward.store.commit({ put: { [taintKey(one.session)]: true } });
  await one.say("look at named.example");
  const done = one.worker.drain();
  const ask = await until(async () => (await openAsks(one.steward, OWNER))[0]);
  assert.deepEqual([ask.scope, ask.session, fetched], ["host:evil.example", await helper(one), ["https://named.example/"]]);
  assert.deepEqual(
    (await listAgents(one.steward, OWNER, one.session)).map(({ asks }) => asks),
    [1],
  );
  await answerAsk(one.steward, OWNER, ask.id, { choice: "deny" });
  await done;
  assert.deepEqual([fetched.length, await one.steward.store.get(taintKey(await helper(one)))], [1, true]);
  const clean = await start(
    team(["a"], () => [{ text: "ok" }]),
    { tools },
  );
  await clean.say("go");
  await clean.worker.drain();
  assert.equal(await isTainted(clean.steward, clean.session, []), true, "a helper's answer is others' words");
  assert.equal(await isTainted(clean.steward, await helper(clean), []), false);
});

test("a restart in the middle goes on where it was: the helper is not told twice, its answer is found", async () => {
  const { slow, runs, open } = gated();
  const one = await start(
    team(["a"], (_name, prompt) => (called(prompt) ? [{ text: "ready" }] : [{ call: "slow", input: {} }])),
    { tools: [...tools, slow] },
  );
  await one.say("go");
  void one.worker.drain();
  await until(() => (runs.length === 1 ? true : undefined));
  await one.worker.stop(60_000);
  open();
  await one.heir().drain();
  assert.deepEqual(words(await results(one)), ["Spawned a", "ready"]);
  assert.equal((await helperEvents(one)).filter(({ type }) => type === "message.received").length, 2);
});

test("a helper's ask for an approval reaches the person, and waiting turns take no place", async () => {
  const guest: Principal = { person: "ada", role: "guest", via: "page" };
  const one = await start(
    team(["a"], (_name, prompt) => (called(prompt) ? [{ text: "ok" }] : [{ call: "touch", input: { path: "~/outside" } }])),
    { tools: [...tools, touch] },
  );
  const sessions = await Promise.all([1, 2, 3].map(() => makeSession(one.steward, guest, {})));
  for (const { id } of sessions) await say(one.steward, guest, { session: id, parts: said("go") });
  const worker = startWorker(one.steward, { name: "auto", auto: true });
  for (let answered = 0; answered < 3; answered++) {
    const ask = await until(async () => (await openAsks(one.steward, guest))[0]);
    assert.equal((await sessionDoc(one.steward, guest, ask.session)).agent, "a");
    await answerAsk(one.steward, guest, ask.id, { choice: "allow" });
  }
  for (const { id } of sessions)
    await until(async () => ((await one.steward.store.events(id)).some(({ event }) => event.type === "turn.completed") ? true : undefined));
  await worker.stop(1000);
  for (const { id } of sessions) {
    const events = (await one.steward.store.events(id)).map(({ event }) => event);
    assert.deepEqual(words(resultsOf(events)), ["Spawned a", "ok"]);
    const told = events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : []));
    assert.match(told.join("\n"), /^Agent a waits for your answer: touch wants to change .*$/);
  }
});

test("what a helper puts into /return reaches the person in the session that it works for", async () => {
  const own = ownComputer();
  const one = await start(() => [{ text: "" }], { tools, computer: own.kind, mode: "contained" });
  await spawnAgent(one.steward, OWNER, { session: one.session, call: "c", name: "a" });
  await one.steward.store.commit({ put: usedBy(one.steward, "owner", await helper(one)) });
  own.put("/return/found.txt", "gold");
  assert.equal(await takeReturns(one.steward, OWNER, own.computer, 1), 1);
  const files = (events: Event[]): string[] =>
    events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "file" ? [event.item.file.name] : []));
  assert.deepEqual([files(await one.events()), files(await helperEvents(one))], [["found.txt"], []]);
});
