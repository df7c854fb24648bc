// What keeps background tasks within bounds: agents that answer each other, how many are open, two ends at once, what would only grow.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../src/core/events.ts";
import type { Commit, Store } from "../src/core/store.ts";
import type { Said } from "../src/testing/scripted.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { say } from "../src/run/inbox.ts";
import { send } from "../src/tasks/bus.ts";
import { listen } from "../src/tasks/ears.ts";
import taskTools from "../src/tools/task.ts";
import { harness, OWNER } from "./harness.ts";
import { gated, said, start, type Started, until as happened } from "./turns-place.ts";

const tools = [...taskTools];
const act = (input: object): Said => ({ call: "task", input });
const is = (code: string) => (error: unknown) => (error as { code?: string }).code === code;
const until = (is: () => boolean | Promise<boolean>): Promise<boolean> => happened(async () => (await is()) || undefined);
const drained = (one: Started) => one.worker.drain();
const notices = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : []));
const errors = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result?.error ?? ""] : []));
/** The last thing that the model was told or answered. */
const newest = (prompt: string): string => prompt.slice(Math.max(prompt.lastIndexOf('"role":"user"'), prompt.lastIndexOf('"role":"tool"')));
const CUT = "messages of agents followed each other without a word of the person";

test("who resumes a task whenever its result comes is cut off, and the person is told", async () => {
  const one = await start(
    (count, prompt) => {
      const last = newest(prompt);
      if (prompt.includes("You are a subagent")) return [{ text: `answer ${count}` }];
      if (count > 60 || last.includes("tool-result")) return [{ text: "ok" }];
      return last.includes("is ready")
        ? [act({ do: "resume", name: "Deep", text: `and now ${count}` })]
        : [act({ do: "start", name: "Deep", text: "begin" })];
    },
    { tools, config: { "tasks.hops": 6 } },
  );
  await one.say("go");
  await drained(one);
  const events = await one.events();
  assert.deepEqual(
    errors(events).filter((error) => error !== ""),
    [`Not resumed: 6 ${CUT}. Do not try again; finish with what you know.`],
  );
  assert.deepEqual(notices(events), [`Messages between subagents were cut off at Steward: 6 ${CUT}.`]);
  await one.say("go on");
  await drained(one);
  assert.equal((await one.ends()).at(-1)!.stop, "end", "the person's word begins anew");
});

test("a lead and a member that answer each other are cut off", async () => {
  const team = {
    roles: [
      { name: "Lead", brief: "Ask." },
      { name: "Ann", brief: "Answer." },
    ],
  };
  const one = await start(
    (count, prompt) => {
      const last = newest(prompt);
      if (prompt.includes("You are Ann")) return [{ text: `answer ${count}` }];
      return count > 60 || last.includes("tool-result") ? [{ text: "ok" }] : [act({ do: "send", name: "Ann", text: `question ${count}` })];
    },
    { tools, config: { "tasks.hops": 7, "tasks.teams": { two: team } } },
  );
  const { session } = await one.steward.tasks.team(OWNER, { team: "two", goal: "Talk.", session: one.session });
  await drained(one);
  const log = (await one.steward.store.events(session)).map(({ event }) => event);
  assert.equal(errors(log).at(-1), `Not sent: 7 ${CUT}. Do not try again; finish with what you know.`);
});

test("all of a team speak on its channel, also who may write to few of them; on no other", async () => {
  const team = {
    roles: [
      { name: "Lead", brief: "Ask." },
      { name: "Ann", brief: "Answer.", may: ["Lead"] },
    ],
  };
  const one = await start(
    (_count, prompt) => {
      const channel = /#two-\w+/.exec(prompt)![0];
      if (newest(prompt).includes("tool-result")) return [{ text: "done" }];
      if (!prompt.includes("You are Ann"))
        return newest(prompt).includes("Talk") ? [act({ do: "send", name: "Ann", text: "go" })] : [{ text: "ok" }];
      return [channel, "#else"].map((name) => act({ do: "send", name, text: "hear me" }));
    },
    { tools, config: { "tasks.teams": { two: team } } },
  );
  await one.steward.tasks.team(OWNER, { team: "two", goal: "Talk.", key: "k" });
  await drained(one);
  const { session } = (await one.steward.tasks.list(OWNER)).find(({ name }) => name === "Ann")!;
  const log = (await one.steward.store.events(session)).map(({ event }) => event);
  assert.deepEqual(errors(log), ["", "Ann may not write to #else"]);
  const [channel] = await one.steward.tasks.channels(OWNER);
  assert.deepEqual([channel!.name.startsWith("two-"), channel!.messages], [true, 1]);
});

test("no more are open than may be, also when one is resumed", async () => {
  const one = await start(() => [{ text: "done" }], { tools, config: { "tasks.most": 1 } });
  const first = await one.steward.tasks.start(OWNER, { text: "one" });
  await drained(one);
  await one.steward.tasks.start(OWNER, { text: "two" });
  await assert.rejects(one.steward.tasks.resume(OWNER, first.id, { key: "k" }), is("limit"));
  await drained(one);
  assert.equal((await one.steward.tasks.resume(OWNER, first.id, { key: "k" })).state, "waiting");
});

test("one that is stopped at the moment in which it ends is stopped, and its result is told to nobody", async () => {
  const real = await sqlite(":memory:");
  const held: { stop?: () => Promise<unknown> } = {};
  const endsIt = ({ merge = {} }: Commit): boolean => Object.values(merge).some(({ state }) => state === "done");
  const store: Store = {
    ...real,
    async commit(change) {
      const { stop } = held;
      if (stop && endsIt(change)) {
        delete held.stop;
        await stop();
      }
      return real.commit(change);
    },
  };
  const one = await start(() => [{ text: "done" }], { store, now: Date.now });
  const other = harness({ store: real, model: scripted(() => []) });
  const { id } = await one.steward.tasks.start(OWNER, { text: "work", session: one.session });
  held.stop = () => other.tasks.stop(OWNER, id);
  await drained(one);
  const { state, result } = await one.steward.tasks.get(OWNER, id);
  assert.deepEqual([state, result?.error], ["stopped", "It was stopped by the person"]);
  assert.ok(!(await one.events()).some(({ type }) => type === "message.received"));
});

const keys = async (one: Started, prefix: string): Promise<string[]> => (await one.steward.store.list(prefix)).map(({ key }) => key);
const numbered = (count: number, make: (n: number) => [string, unknown]): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => make(n)));

test("what was asked over A2A, and under which keys tasks were resumed, goes by age and by count; so do tasks", async () => {
  const one = await start(() => [{ text: "done" }]);
  const { store } = one.steward;
  const at = one.clock.at;
  const { id, session } = await one.steward.tasks.start(OWNER, { text: "one" });
  await drained(one);
  const doc = (await store.get(`p/owner/task/${id}`)) as object;
  const past = at - 40 * 86_400_000;
  await store.commit({
    put: {
      ...numbered(310, (n) => [`p/owner/task/old${n}`, { ...doc, id: `old${n}`, session: `ses_old${n}`, at: past + n }]),
      "p/owner/a2a/context/here": id,
      "p/owner/a2a/context/gone": "old0",
      ...numbered(510, (n) => [`p/owner/a2a/task/here~${n}`, { id: `here~${n}`, context: "here", task: id, session, seq: 2, at: at - n }]),
      "p/owner/a2a/task/here~old": { id: "here~old", context: "here", task: id, session, seq: 2, at: past },
      "p/owner/a2a/task/gone~1": { id: "gone~1", context: "gone", task: "old0", session, seq: 2, at },
      ...numbered(310, (n) => [`p/owner/resumed/${n}`, { at: at - n }]),
      "p/owner/resumed/old": { at: past },
      "p/owner/resumed/older": true,
      "p/owner/ear/ses_none": { channels: ["a"], principal: OWNER },
      [`p/owner/ear/${session}`]: { channels: ["a"], principal: OWNER },
      "p/owner/tasks": { version: 24 },
    },
  });
  await one.steward.tasks.start(OWNER, { text: "two" });
  assert.equal((await keys(one, "p/owner/task/")).length, 301, "300 that are over, and the new one");
  assert.deepEqual(await keys(one, "p/owner/a2a/context/"), ["p/owner/a2a/context/here"]);
  const asked = await keys(one, "p/owner/a2a/task/");
  assert.deepEqual(
    [asked.length, asked.includes("p/owner/a2a/task/here~0"), asked.includes("p/owner/a2a/task/here~old")],
    [499, true, false],
    "the newest 500, less the one whose task is gone",
  );
  const resumed = await keys(one, "p/owner/resumed/");
  assert.deepEqual([resumed.length, resumed.includes("p/owner/resumed/0"), resumed.includes("p/owner/resumed/old")], [300, true, false]);
  assert.deepEqual(await keys(one, "p/owner/ear/"), [`p/owner/ear/${session}`], "who is gone hears nothing any more");
});

test("what was said on channels goes by age and by count, also on those where nothing is said any more", async () => {
  const one = await start(() => []);
  const { at } = one.clock;
  const key = (channel: string, n: number): string => `p/owner/bus/${channel}/${String(n).padStart(12, "0")}`;
  const row = (channel: string, n: number, when: number): [string, unknown] => [
    key(channel, n),
    { n, at: when, channel, from: "x", text: "t" },
  ];
  await one.steward.store.commit({
    put: {
      ...numbered(510, (n) => row("busy", n, at - 1000 + n)),
      ...numbered(110, (n) => row(`team-${n}`, 1000 + n, at - 5000 + n)),
      ...Object.fromEntries([row("old", 2000, at - 40 * 86_400_000)]),
      "p/owner/bus": { version: 2024, recent: [] },
    },
  });
  await one.steward.tasks.send(OWNER, { to: "#new", text: "hello" });
  const channels = await one.steward.tasks.channels(OWNER);
  const names = channels.map(({ name }) => name);
  assert.deepEqual(
    [channels.length, names.includes("new"), names.includes("team-109"), names.includes("team-0"), names.includes("old")],
    [100, true, true, false, false],
  );
  assert.equal(channels.find(({ name }) => name === "busy")!.messages, 500);
});

test("what one tree says drives out nothing of what others have sent", async () => {
  const one = await start(() => []);
  const { at } = one.clock;
  const sent = { at, from: "person", root: "", to: "#a", hash: "h", key: "k", got: ["before"] };
  await one.steward.store.commit({
    put: {
      "p/owner/bus": {
        version: 1,
        recent: [sent, ...Array.from({ length: 250 }, (_, n) => ({ ...sent, from: "ses", root: "ses", key: `o${n}` }))],
      },
    },
  });
  await one.steward.tasks.send(OWNER, { to: "#a", text: "another" });
  assert.deepEqual(await one.steward.tasks.send(OWNER, { to: "#a", text: "x", key: "k" }), { to: ["before"] }, "once for its key");
});

test("what was sent while the clock was ahead mutes nobody", async () => {
  const one = await start(() => []);
  const sender = { principal: OWNER, name: "Steward", session: one.session, root: one.session, hops: 0 };
  const say20 = async (of: string): Promise<void> => {
    for (let n = 0; n < 20; n++) await send(one.steward, sender, { to: "#c", text: `${of} ${n}`, key: `${of}${n}` });
  };
  await say20("ahead");
  await assert.rejects(send(one.steward, sender, { to: "#c", text: "more", key: "m" }), is("limit"));
  one.clock.at -= 86_400_000;
  await say20("now");
  await assert.rejects(send(one.steward, sender, { to: "#c", text: "more", key: "m" }), is("limit"));
  await one.steward.store.close();
});

/** A tool that stands still until it is let go, by this name. */
function standing(name: string) {
  const { slow, ...rest } = gated();
  return { ...rest, tool: { ...slow, name } };
}
const calls = (prompt: string): number => prompt.split('"tool-result"').length - 1;
const statesOf = async (one: Started): Promise<unknown> =>
  Object.fromEntries((await one.steward.tasks.list(OWNER)).map(({ name, state }) => [name, state]));

test("a task does not wait for what its person says to one that is over, and its result comes", async () => {
  const [first, second] = [standing("first"), standing("second")];
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("CHILD") && !prompt.includes("PARENT"))
        return prompt.includes("CHAT") && calls(prompt) === 0 ? [{ call: "second", input: {} }] : [{ text: "child" }];
      if (!prompt.includes("PARENT")) return [{ text: "Thanks" }];
      const steps = [act({ do: "start", name: "C", text: "CHILD", wait: true }), { call: "first", input: {} }, { text: "parent" }];
      return [steps[calls(prompt)]!];
    },
    { tools: [...tools, first.tool, second.tool] },
  );
  const parent = await one.steward.tasks.start(OWNER, { text: "PARENT", name: "P", session: one.session });
  const works = [drained(one)];
  await until(() => first.runs.length === 1);
  const child = (await one.steward.tasks.list(OWNER)).find(({ name }) => name === "C")!;
  await say(one.steward, OWNER, { session: child.session, parts: said("CHAT") });
  works.push(drained(one));
  await until(() => second.runs.length === 1);
  first.open();
  await until(async () => (await one.steward.tasks.get(OWNER, parent.id)).state === "done");
  second.open();
  await Promise.all(works);
  assert.equal((await one.events()).filter((event) => event.type === "message.received").length, 1);
  await one.steward.store.close();
});

test("Stop stops a task that was over and was spoken to again, also before its turn begins", async () => {
  const { tool, runs } = standing("stands");
  const one = await start(
    (_count, prompt) => (prompt.includes("AGAIN") && calls(prompt) === 0 ? [{ call: "stands", input: {} }] : [{ text: "first" }]),
    { tools: [...tools, tool] },
  );
  const { id } = await one.steward.tasks.start(OWNER, { text: "WORK", name: "T" });
  await drained(one);
  await one.steward.tasks.send(OWNER, { to: id, text: "AGAIN" });
  const work = drained(one);
  await until(() => runs.length === 1);
  assert.equal((await one.steward.tasks.stop(OWNER, id)).state, "stopped");
  await work;
  assert.deepEqual([runs[0]!.aborted, (await one.steward.tasks.get(OWNER, id)).result!.error], [true, "It was stopped by the person"]);
  // Before its turn begins, too.
  await one.steward.tasks.resume(OWNER, id, {});
  await drained(one);
  await one.steward.tasks.send(OWNER, { to: id, text: "AGAIN" });
  assert.equal((await one.steward.tasks.stop(OWNER, id)).state, "stopped");
  await drained(one);
  assert.equal(runs.length, 1);
  await one.steward.store.close();
});

test("who goes on with a team goes on with all of it; a member that was stopped alone can be resumed while its lead is open", async () => {
  const { tool, runs } = standing("stands");
  const roles = [
    { name: "Lead", brief: "Leads" },
    { name: "Finder", brief: "Finds" },
  ];
  const one = await start(
    (_count, prompt) => {
      if (!prompt.includes("who leads a team")) return calls(prompt) === 0 ? [{ call: "stands", input: {} }] : [{ text: "Found" }];
      const since = prompt.split("GOAHEAD")[1];
      if (since !== undefined && calls(since) === 0) return [act({ do: "send", name: "Finder", text: "Again" })];
      return calls(prompt) === 0 ? [act({ do: "send", name: "Finder", text: "Find it" })] : [{ text: "Waits" }];
    },
    { tools: [...tools, tool], config: { "tasks.teams": { r: { about: "", roles } } } },
  );
  const lead = await one.steward.tasks.team(OWNER, { team: "r", goal: "G" });
  const finder = (await one.steward.tasks.list(OWNER)).find(({ name }) => name === "Finder")!;
  const ears = async () => (await one.steward.store.list("p/owner/ear/")).length;
  const work = drained(one);
  await until(() => runs.length === 1);
  await one.steward.tasks.stop(OWNER, lead.id);
  await work;
  await assert.rejects(one.steward.tasks.resume(OWNER, finder.id, {}), is("conflict"));
  assert.deepEqual([await statesOf(one), await ears()], [{ Lead: "stopped", Finder: "stopped" }, 0]);
  await one.steward.tasks.resume(OWNER, lead.id, { text: "GOAHEAD" });
  assert.deepEqual([await statesOf(one), await ears()], [{ Lead: "waiting", Finder: "waiting" }, 2]);
  await one.steward.tasks.stop(OWNER, finder.id);
  await one.steward.tasks.resume(OWNER, finder.id, { text: "Go on" });
  await drained(one);
  const heard = JSON.stringify(await one.steward.store.events(finder.session));
  assert.deepEqual([await statesOf(one), heard.includes("Go on"), heard.includes("Again")], [{ Lead: "done", Finder: "done" }, true, true]);
  await one.steward.store.close();
});

test("an agent of another system hears and speaks on channels of its own only, and so does what it starts", async () => {
  const { tool, runs, open } = standing("stands");
  const one = await start(
    (_count, prompt) => {
      const child = prompt.includes("You are a subagent");
      if (prompt.includes("STRANGER") && !child) {
        const steps = [act({ do: "join", name: "#findings" }), act({ do: "start", name: "Z", text: "HELP" }), { text: "joined" }];
        return [steps[calls(prompt)] ?? { text: "noted" }];
      }
      if (!child) return [{ text: "noted" }];
      return [
        [act({ do: "send", name: "#findings", text: "of a stranger" }), { call: "stands", input: {} }, { text: "z" }][calls(prompt)]!,
      ];
    },
    { tools: [...tools, tool], config: { "a2a.serve.enabled": true } },
  );
  const message = { messageId: "m1", contextId: "c1", role: "ROLE_USER", parts: [{ text: "STRANGER" }] };
  const params = { message, configuration: { returnImmediately: true } };
  await listen(one.steward, OWNER, { session: one.session, channel: "findings", on: true });
  await one.steward.tasks.answer(OWNER, {
    ...{ url: "http://x", version: "1.0", signal: new AbortController().signal },
    body: { jsonrpc: "2.0", id: 1, method: "SendMessage", params },
  });
  const work = drained(one);
  await until(() => runs.length === 1);
  assert.deepEqual(await one.steward.tasks.send(OWNER, { to: "#findings", text: "the code of the safe" }), { to: [one.session] });
  open();
  await work;
  const [own, stranger] = await one.steward.tasks.channels(OWNER);
  assert.deepEqual([own?.name.replace(/-\w{6}\./, "-ID."), stranger?.name], ["a2a-ID.findings", "findings"]);
  assert.equal((await one.events()).filter((event) => event.type === "message.received").length, 1);
  await one.steward.store.close();
});
