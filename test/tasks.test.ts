// Background tasks: started, waited for, told later, stopped, resumed; what they may, what they cost; and the messages between them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../src/core/events.ts";
import type { Tool } from "../src/core/ports.ts";
import type { Principal, ToolResult } from "../src/core/types.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { listSessions, makeSession, removeSession } from "../src/run/sessions.ts";
import { isTainted } from "../src/run/taint.ts";
import { startWorker } from "../src/run/worker.ts";
import type { Said } from "../src/testing/scripted.ts";
import agentTools from "../src/tools/agents.ts";
import taskTools from "../src/tools/task.ts";
import { OWNER } from "./harness.ts";
import { gated, said, start, type Started, until } from "./turns-place.ts";

const tools = [...taskTools, ...agentTools] as Tool[];
const act = (input: object): Said => ({ call: "task", input });
const called = (prompt: string): number => prompt.split('"tool-result"').length - 1;
const isTask = (prompt: string): boolean => prompt.includes("You are a subagent");
const ada: Principal = { person: "ada", role: "member", via: "page" };
const is = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

const eventsOf = async (one: Started, session: string): Promise<Event[]> =>
  (await one.steward.store.events(session)).map(({ event }) => event);
const textsOf = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : []));
const resultsOf = (events: Event[]): ToolResult[] =>
  events.flatMap((event) =>
    event.type === "item.completed" && event.item.kind === "tool" && event.item.result ? [event.item.result] : [],
  );
const toldIn = (events: Event[]): [from: string, text: unknown][] =>
  events.flatMap((event) =>
    event.type === "message.received" && event.source === "agent"
      ? [[event.from, event.parts[0]?.type === "text" ? event.parts[0].text : ""] as [string, unknown]]
      : [],
  );
const tasksOf = (one: Started, who = OWNER) => one.steward.tasks.list(who);
const drained = (one: Started) => one.worker.drain();

test("A-080 a task works in the background and its result comes back once, as a message that is data", async () => {
  const one = await start(
    (_count, prompt) => {
      if (isTask(prompt)) return [{ text: "The answer is 42." }];
      if (prompt.includes("is ready")) return [{ text: "It is 42." }];
      return called(prompt) ? [{ text: "On it." }] : [act({ do: "start", name: "Deep", text: "Find the answer." })];
    },
    { tools },
  );
  await one.say("go");
  await drained(one);
  const events = await one.events();
  assert.deepEqual(textsOf(events), ["On it.", "It is 42."]);
  assert.deepEqual(
    resultsOf(events).map(({ output }) => output),
    [{ own: true, started: "Deep" }],
  );
  assert.deepEqual(toldIn(events), [["Deep", "Deep is ready.\n\nThe answer is 42."]]);
  const [task, ...more] = await tasksOf(one);
  assert.deepEqual(more, []);
  const { id: _id, session, at: _at, endedAt: _end, ...rest } = task!;
  assert.deepEqual(rest, {
    ...{ name: "Deep", state: "done", by: "agent", from: one.session, engine: "loop", model: "script/one", asks: 0, cost: 0, tokens: 12 },
    result: { text: "The answer is 42.", files: [] },
  });
  const last = one.model.requests.at(-1)!.prompt.at(-1);
  assert.match(JSON.stringify(last), /<notification from=\\"agent Deep\\">Deep is ready/);
  assert.deepEqual(
    (await listSessions(one.steward, OWNER, {})).sessions.map(({ id }) => id),
    [one.session],
    "its session is no session of the list",
  );
  assert.ok(session !== one.session);
  const asked = one.model.requests.find(({ prompt }) => isTask(JSON.stringify(prompt)))!;
  assert.match(JSON.stringify(asked.prompt.at(-1)), /Your task:\\n\\nFind the answer\./);
  const names = (asked.tools ?? []).map(({ name }) => name);
  assert.deepEqual(names, ["task"], "the older names are for OS-Agent's door");
});

test("a result that a call waits for is the call's, and no message; several are waited for at once", async () => {
  const one = await start(
    (_count, prompt) => {
      if (isTask(prompt)) return [{ text: prompt.includes("Do A") ? "a" : "b" }];
      const done = called(prompt);
      if (done === 0) return [act({ do: "start", name: "A", text: "Do A" }), act({ do: "start", name: "B", text: "Do B" })];
      return done === 2 ? [act({ do: "wait" })] : [{ text: "both" }];
    },
    { tools },
  );
  await one.say("go");
  await drained(one);
  one.clock.at += 60_000;
  await drained(one);
  const events = await one.events();
  assert.deepEqual(toldIn(events), []);
  const [output] = resultsOf(events)
    .slice(2)
    .map((result) => result.output as { results: { name: string; text: string }[] });
  assert.deepEqual(
    output!.results.map(({ name, text }) => [name, text]),
    [
      ["A", "a"],
      ["B", "b"],
    ],
  );
  assert.deepEqual(textsOf(events), ["both"]);
});

test("a result that came when the waiting turn was stopped is told as a message", async () => {
  const { slow, runs, open } = gated();
  const one = await start(
    (_count, prompt) => {
      if (isTask(prompt)) return called(prompt) ? [{ text: "late" }] : [{ call: "slow", input: {} }];
      if (prompt.includes("is ready")) return [{ text: "thanks" }];
      return [act({ do: "start", name: "A", text: "Do A", wait: true })];
    },
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const work = drained(one);
  await until(() => runs.length === 1 || undefined);
  await until(async () => ((await tasksOf(one))[0] ? true : undefined));
  assert.equal(await cancelTurn(one.steward, OWNER, one.session), true);
  await until(async () => ((await one.ends()).length === 1 ? true : undefined));
  open();
  await work;
  await drained(one);
  one.clock.at += 60_000;
  await drained(one);
  assert.deepEqual(toldIn(await one.events()), [["A", "A is ready.\n\nlate"]]);
  assert.deepEqual(textsOf(await one.events()), ["thanks"]);
});

test("the session that asked is gone: the result goes to the newest of its person", async () => {
  const { slow, runs, open } = gated();
  const one = await start(
    (_count, prompt) => {
      if (isTask(prompt)) return called(prompt) ? [{ text: "found it" }] : [{ call: "slow", input: {} }];
      if (prompt.includes("is ready")) return [{ text: "told" }];
      return called(prompt) ? [{ text: "on it" }] : [act({ do: "start", name: "A", text: "Do A" })];
    },
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const work = drained(one);
  await until(() => runs.length === 1 || undefined);
  const other = await makeSession(one.steward, OWNER, {});
  await removeSession(one.steward, OWNER, one.session);
  open();
  await work;
  assert.deepEqual(toldIn(await eventsOf(one, other.id)), [["A", "A is ready.\n\nfound it"]]);
  assert.deepEqual(textsOf(await eventsOf(one, other.id)), ["told"]);
});

test("stop ends it and what it started, queued or running; resume goes on in its session", async (t) => {
  const { slow, runs } = gated();
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("Go on")) return [{ text: "went on" }];
      if (prompt.includes("Do deep")) return [{ call: "slow", input: {} }];
      if (isTask(prompt)) return called(prompt) ? [{ call: "slow", input: {} }] : [act({ do: "start", name: "Child", text: "Do deep" })];
      return called(prompt) ? [{ text: "ok" }] : [act({ do: "start", name: "Top", text: "Do A" })];
    },
    { tools: [...tools, slow] },
  );
  await one.say("go");
  const worker = startWorker(one.steward, { name: "other", auto: true });
  t.after(() => worker.stop(1000));
  await until(() => runs.length === 2 || undefined);
  const [top, child] = await tasksOf(one);
  assert.deepEqual([top!.state, child!.state, child!.parent], ["running", "running", top!.id]);
  assert.match(top!.progress!, /^slow/);
  assert.equal((await one.steward.tasks.stop(OWNER, top!.id)).state, "stopped");
  await until(() => worker.running() === 0 || undefined);
  assert.deepEqual(
    (await tasksOf(one)).map(({ name, state, result }) => [name, state, result]),
    ["Top", "Child"].map((name) => [name, "stopped", { text: "", error: "It was stopped by the person", files: [] }]),
  );
  assert.deepEqual(
    runs.map(({ aborted }) => aborted),
    [true, true],
  );
  await one.steward.tasks.resume(OWNER, top!.id, { key: "k" });
  await one.steward.tasks.resume(OWNER, top!.id, { key: "k" });
  await until(async () => toldIn(await one.events()).length > 0 || undefined);
  await until(() => worker.running() === 0 || undefined);
  const again = await one.steward.tasks.get(OWNER, top!.id);
  assert.deepEqual([again.state, again.result], ["done", { text: "went on", files: [] }]);
  assert.deepEqual(toldIn(await one.events()), [["Top", "Top is ready.\n\nwent on"]]);
  await assert.rejects(one.steward.tasks.stop(ada, top!.id), is("not_found"));
  await assert.rejects(one.steward.tasks.get(ada, top!.id), is("not_found"));
});

test("as many and as deep as may be, names once, and no more rights than the starter has", async () => {
  const seen: Principal[] = [];
  const look = {
    ...gated().slow,
    name: "look",
    run: async (_: unknown, { principal }: { principal: Principal }) => (seen.push(principal), { output: "x" }),
  };
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("Do deeper")) return [{ text: "deepest" }];
      const first = [{ call: "look", input: {} }, act({ do: "start", text: "Do deeper" })];
      if (isTask(prompt)) return called(prompt) ? [{ text: "done" }] : first;
      if (prompt.includes("is ready")) return [{ text: "" }];
      return called(prompt)
        ? [{ text: "ok" }]
        : [
            act({ do: "start", name: "A", text: "one" }),
            act({ do: "start", name: "a", text: "two" }),
            act({ do: "start", name: "person", text: "x" }),
            act({ do: "start", name: "B", text: "three" }),
            act({ do: "start", name: "C", text: "four" }),
            act({ do: "wait", name: "nobody" }),
          ];
    },
    { tools: [...tools, look], config: { "tasks.most": 2, "tasks.depth": 1 } },
  );
  const guest: Principal = { person: "owner", role: "owner", via: "local" };
  await say(one.steward, guest, { session: one.session, parts: said("go") });
  await drained(one);
  assert.deepEqual(
    resultsOf(await one.events()).map(({ output, error }) => error ?? output),
    [
      { own: true, started: "A" },
      "Agent a already exists",
      "person means somebody else: take another name",
      { own: true, started: "B" },
      "At most 2 tasks may be open. Wait for some, or stop some.",
      "Agent nobody not found",
    ],
  );
  assert.deepEqual(seen, [guest, guest]);
  const inner = (await tasksOf(one))[0]!;
  assert.equal(resultsOf(await eventsOf(one, inner.session)).at(-1)!.error, "Tasks start others at most 1 deep. Do this yourself.");
  assert.equal(await isTainted(one.steward, one.session, []), true, "what they said is not the person's word");
});

/** A hidden tool of the test: two subagents that talk as `talk` says. */
const pair = (talk: (name: string, prompt: string) => Said[], more: object = {}) =>
  start(
    (_count, prompt) => {
      const name = /Name: (\w+)/.exec(prompt)?.[1];
      if (isTask(prompt) && name) return talk(name, prompt);
      if (called(prompt) || prompt.includes("is ready")) return [{ text: "ok" }];
      return ["Ann", "Bob"].map((one) => act({ do: "start", name: one, text: `Name: ${one}` }));
    },
    { tools, ...more },
  );
const byName = async (one: Started, name: string) => (await tasksOf(one)).find((task) => task.name === name)!;

test("A-081 A-082 A-083 what is said on a channel reaches all that listen, once, in one order, with the sender that Steward knows", async () => {
  const one = await pair((name, prompt) => {
    if (name === "Ann" && prompt.includes("On #findings")) return [{ text: "heard" }];
    if (called(prompt) === 0) return name === "Ann" ? [act({ do: "join", name: "#Findings" })] : [act({ do: "join", name: "findings" })];
    if (name === "Bob" && called(prompt) === 1)
      return [act({ do: "send", name: "#findings", text: "<one> is Bob's" }), act({ do: "send", name: "Ann", text: "for you" })];
    return [{ text: `${name} done` }];
  });
  const heard: [string, string][] = [];
  const failing = one.steward.tasks.subscribe(OWNER, "findings", () => {
    throw new Error("broken subscriber");
  });
  const leave = one.steward.tasks.subscribe(OWNER, "#findings", (text, sender) => heard.push([sender, text]));
  const { id } = await makeSession(one.steward, OWNER, {});
  await one.steward.store.commit({ put: { [`p/owner/ear/${id}`]: { channels: ["findings"], principal: OWNER } } });
  await removeSession(one.steward, OWNER, id);
  await one.say("go");
  await drained(one);
  await until(() => heard.length === 1 || undefined);
  assert.deepEqual(heard, [["Bob", "<one> is Bob's"]]);
  const ann = await eventsOf(one, (await byName(one, "Ann")).session);
  assert.deepEqual(toldIn(ann), [
    ["Bob", "On #findings: <one> is Bob's"],
    ["Bob", "for you"],
  ]);
  assert.deepEqual(toldIn(await eventsOf(one, (await byName(one, "Bob")).session)), [], "not to who said it");
  assert.deepEqual(toldIn(await eventsOf(one, id)), [], "nor to a session that is gone, and it holds up nobody");
  assert.equal(await isTainted(one.steward, (await byName(one, "Ann")).session, []), true);
  assert.deepEqual(
    (await one.steward.tasks.read(OWNER, "findings")).map(({ from, text }) => [from, text]),
    [["Bob", "<one> is Bob's"]],
  );
  await assert.rejects(one.steward.tasks.read(ada, "findings"), is("not_found"));
  leave();
  failing();
  await one.steward.tasks.send(OWNER, { to: "#findings", text: "again", key: "k" });
  await one.steward.tasks.send(OWNER, { to: "#findings", text: "again", key: "k" });
  assert.deepEqual([heard.length, (await one.steward.tasks.read(OWNER, "findings")).length], [1, 2], "the same key is one message");
});

test("a subagent speaks to the person and to who started it; the person speaks to it", async () => {
  const one = await pair((name, prompt) => {
    if (name === "Bob") return prompt.includes("how far") ? [{ text: "halfway" }] : [{ text: "Bob done" }];
    if (called(prompt)) return [{ text: "Ann done" }];
    return [act({ do: "send", name: "person", text: "It will take a while." }), act({ do: "send", name: "lead", text: "I began." })];
  });
  await one.say("go");
  await drained(one);
  const events = await one.events();
  const notices = events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : []));
  assert.deepEqual(notices, ["Ann: It will take a while."]);
  assert.deepEqual(
    toldIn(events)
      .map(([from, text]) => `${from}: ${String(text)}`)
      .sort(),
    ["Ann: Ann is ready.\n\nAnn done", "Ann: I began.", "Bob: Bob is ready.\n\nBob done"],
  );
  const bob = await byName(one, "Bob");
  assert.deepEqual(await one.steward.tasks.send(OWNER, { to: bob.id, text: "how far are you?" }), { to: ["Bob"] });
  await drained(one);
  assert.deepEqual(
    (await eventsOf(one, bob.session)).flatMap((event) => (event.type === "message.received" ? [event.from] : [])).at(-1),
    "owner",
  );
  assert.deepEqual(textsOf(await eventsOf(one, bob.session)).at(-1), "halfway");
  assert.equal(toldIn(await one.events()).length, 3, "what the person asked of it is between them");
});

test("two that answer each other without end are cut off, and the person is told", async () => {
  const one = await pair(
    (name, prompt) => {
      const other = name === "Ann" ? "Bob" : "Ann";
      if (prompt.includes("Not sent")) return [{ text: "gave up" }];
      const got = prompt.split(`agent ${other}`).length - 1;
      return called(prompt) < got + (name === "Ann" ? 1 : 0)
        ? [act({ do: "send", name: other, text: `ping ${got} of ${name}` })]
        : [{ text: "I wait" }];
    },
    { config: { "tasks.hops": 8 } },
  );
  await one.say("go");
  await drained(one);
  const logs = await Promise.all(["Ann", "Bob"].map(async (name) => eventsOf(one, (await byName(one, name)).session)));
  const refused = logs.flatMap(resultsOf).flatMap(({ error }) => error ?? []);
  assert.deepEqual(refused, [
    "Not sent: 8 messages of agents followed each other without a word of the person. Do not try again; finish with what you know.",
  ]);
  assert.equal(logs.flatMap(toldIn).length, 7);
  const notices = (await one.events()).flatMap((event) =>
    event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : [],
  );
  assert.match(notices[0]!, /^Messages between subagents were cut off at (Ann|Bob): /);
  assert.equal(notices.length, 1, "once");
});

test("the same again and again, and too many in a minute, are not sent", async () => {
  const one = await pair(
    (name, prompt) => {
      const done = called(prompt);
      if (name === "Bob" || done > 5) return [{ text: "done" }];
      return [act({ do: "send", name: "person", text: done < 3 ? "same" : `other ${done}` })];
    },
    { config: { "tasks.rate": 3 } },
  );
  await one.say("go");
  await drained(one);
  const ann = resultsOf(await eventsOf(one, (await byName(one, "Ann")).session));
  assert.deepEqual(
    ann.map(({ error }) => error?.replace(/\. Do not.*/, "") ?? "sent"),
    [
      "sent",
      "sent",
      "Not sent: the same was said before, and again",
      "sent",
      "Not sent: 3 messages were sent within a minute",
      "Not sent: 3 messages were sent within a minute",
    ],
  );
});

const CREW = {
  about: "finds things out",
  roles: [
    { name: "Lead", brief: "Ask both, then sum up." },
    { name: "Ann", brief: "Knows A." },
    { name: "Bob", brief: "Knows B.", may: ["Lead"] },
  ],
};

test("a team: the lead is given the goal, members begin when spoken to, write to whom they may, and end with it", async () => {
  const one = await start(
    (_count, prompt) => {
      const who = /You are (\w+), (?:who leads|in a team)/.exec(prompt)?.[1];
      const done = called(prompt);
      if (who === "Ann") return [{ text: "A is 1" }];
      if (who === "Bob") return done ? [{ text: "B is 2" }] : [act({ do: "send", name: "Ann", text: "psst" })];
      if (prompt.includes("A is 1") && prompt.includes("B is 2")) return [{ text: "Together 3" }];
      if (done === 0) return ["Ann", "Bob"].map((name) => act({ do: "send", name, text: "What is yours?" }));
      return [{ text: "waiting" }];
    },
    { tools, config: { "tasks.teams": { sums: CREW } } },
  );
  assert.deepEqual(
    (await one.steward.tasks.teams(OWNER))[0]!.roles.map(({ name }) => name),
    ["Lead", "Ann", "Bob"],
  );
  const lead = await one.steward.tasks.team(OWNER, { team: "sums", goal: "Add A and B.", key: "once" });
  assert.equal((await one.steward.tasks.team(OWNER, { team: "sums", goal: "Add A and B.", key: "once" })).id, lead.id);
  await drained(one);
  const after = await tasksOf(one);
  assert.deepEqual(
    after.map(({ name, state, parent, team }) => [name, state, parent === undefined ? "" : "below", team]),
    [
      ["Lead", "done", "", "sums"],
      ["Ann", "done", "below", "sums"],
      ["Bob", "done", "below", "sums"],
    ],
  );
  assert.equal(after[0]!.result!.text, "Together 3");
  assert.equal(resultsOf(await eventsOf(one, after[2]!.session))[0]!.error, "Bob may not write to Ann");
  await assert.rejects(one.steward.tasks.team(OWNER, { team: "none", goal: "x" }), is("not_found"));
});

test("a budget of dollars and of tokens holds for a task and for all that it starts; resumed with more it goes on", async () => {
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("Your task:")) return [{ text: "inner done" }];
      return called(prompt) ? [{ text: "outer done" }] : [act({ do: "start", text: "inner", wait: true })];
    },
    { tools, config: { prices: { "script/one": { input: 1000, output: 1000 } }, "providers.script": { maxTokens: 100 } } },
  );
  const { tasks } = one.steward;
  const { id } = await tasks.start(OWNER, { text: "outer", budget: { dollars: 0.01 } });
  await drained(one);
  const poor = await tasks.get(OWNER, id);
  assert.deepEqual([poor.state, poor.result?.error], ["failed", "It reached a limit before it was ready"]);
  const { tokens } = await tasks.start(OWNER, { text: "outer", name: "capped", budget: { tokens: 50 } });
  assert.equal(tokens, 0);
  await drained(one);
  assert.equal((await byName(one, "capped")).state, "failed");
  await tasks.resume(OWNER, id, { budget: { dollars: 100 } });
  await drained(one);
  const rich = await tasks.get(OWNER, id);
  assert.deepEqual([rich.state, rich.result?.text], ["done", "outer done"]);
  const inner = (await tasksOf(one)).find(({ parent }) => parent === id)!;
  assert.equal(inner.state, "done");
  assert.ok(rich.tokens > inner.tokens && rich.cost > inner.cost && inner.cost > 0, "what it started counts for it");
});

test("A-067 /subagents and /tasks: what is at work, with its state; run, show, stop, resume", async (t) => {
  const { slow, runs } = gated();
  const one = await start(
    (_count, prompt) => (prompt.includes("is ready") || prompt.includes("Go on") ? [{ text: "ok" }] : [{ call: "slow", input: {} }]),
    {
      tools: [...tools, slow],
    },
  );
  const worker = startWorker(one.steward, { name: "other", auto: true });
  t.after(() => worker.stop(1000));
  const tell = async (text: string): Promise<string> => {
    const { reply } = await say(one.steward, OWNER, { session: one.session, parts: said(text) });
    return reply!.text;
  };
  assert.equal(await tell("/subagents"), "This session has no subagents at work.");
  assert.equal(await tell("/tasks"), "There are no tasks. /tasks run WHAT begins one.");
  const id = /^compare all offers is at work \((tsk_\w+)\)\. Its result comes here\.$/.exec(
    await tell("/tasks run compare all offers"),
  )![1]!;
  await until(() => runs.length === 1 || undefined);
  const line = `- compare all offers: running – slow (just now, ${id})`;
  assert.equal(await tell("subagents"), `${line}\n\n/subagents stop NAME stops one.`);
  assert.equal(await tell("/tasks"), line);
  assert.equal(await tell("subagents stop compare all offers"), "Stopped compare all offers.");
  assert.equal(await tell("subagents"), "This session has no subagents at work.");
  assert.match(await tell(`/tasks show ${id}`), /: stopped .*It was stopped by the person/s);
  await until(() => worker.running() === 0 || undefined);
  const task = (await tasksOf(one))[0]!.session;
  await say(one.steward, OWNER, { session: task, parts: said("Go on and tell me why") });
  await until(async () => textsOf(await eventsOf(one, task)).includes("ok") || undefined);
  await until(() => worker.running() === 0 || undefined);
  assert.equal((await tasksOf(one))[0]!.state, "stopped", "it answers its person and stays stopped");
  assert.equal(await tell("tasks resume compare all offers"), "compare all offers goes on.");
  assert.match(await tell("/tasks stop nobody"), /There is no subagent nobody here/);
});

test("helper agents of OS-Agent's door stand among the tasks, and each door is offered its own names", async () => {
  const { slow, runs } = gated();
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("Your name: Deep")) return [{ call: "slow", input: {} }];
      if (called(prompt) === 0) return [{ call: "spawn_agent", input: { name: "Deep" } }];
      return called(prompt) === 1 ? [{ call: "send_to_agent", input: { name: "Deep", message: "go" } }] : [{ text: "ok" }];
    },
    { tools: [...tools, slow] },
  );
  await say(one.steward, { ...OWNER, via: "osAgent" }, { session: one.session, parts: said("go") });
  const work = drained(one);
  await until(() => runs.length === 1 || undefined);
  const [helper] = await tasksOf(one);
  assert.deepEqual([helper!.name, helper!.state, helper!.helper, helper!.from], ["Deep", "running", true, one.session]);
  await assert.rejects(one.steward.tasks.stop(ada, helper!.id), is("not_found"));
  await one.steward.tasks.stop(OWNER, helper!.id);
  await work;
  assert.equal((await one.steward.tasks.get(OWNER, helper!.id)).state, "done");
  assert.deepEqual(resultsOf(await one.events()).at(-1)!.error, "Agent Deep was stopped");
  const names = (one.model.requests[0]!.tools ?? []).map(({ name }) => name);
  assert.deepEqual(names, ["spawn_agent", "send_to_agent", "slow"]);
});
