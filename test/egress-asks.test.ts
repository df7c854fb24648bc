// Hosts that are on no list: the person is asked, once for all that wait, and the answer holds as long as the person said.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { answerTo, listGrants, openAsks, opening } from "../src/run/asks.ts";
import host from "../src/computers/host.ts";
import type { ComputerKind, ExecOptions } from "../src/core/computer.ts";
import { openEgress } from "../src/run/egress.ts";
import { causeOf, NO_TASK_MS, openAnswers } from "../src/run/egress-answers.ts";
import terminal from "../src/tools/terminal.ts";
import { makeSession, removeSession } from "../src/run/sessions.ts";
import type { Ask, Principal } from "../src/core/types.ts";
import { curl, inner, place, type Place } from "./egress-place.ts";
import { OWNER } from "./harness.ts";
import { start, until } from "./turns-place.ts";

const BEN: Principal = { person: "ben", role: "member", via: "page" };
const open: Place[] = [];
after(() => Promise.all(open.map((one) => one.close())));

/** A server that is on no list, at a private address that is open. */
async function unlisted(how: Parameters<typeof place>[0] = {}) {
  const one = await place(how);
  open.push(one);
  const port = await one.http((req, res) => void res.end(`saw ${req.url}`));
  one.set(
    "outbound.allow",
    ["a", "b", "c", "d", "e"].map((name) => `http://${name}.test:${port}`),
  );
  const at = (path: string, name = "a"): string => `http://${name}.test:${port}${path}`;
  const asks = (who: Principal = OWNER): Promise<Ask[]> => openAsks(one.steward, who);
  const events = async (session: string) =>
    (await one.steward.store.events(session)).flatMap(({ event }) => (event.type.startsWith("ask.") ? [event.type] : []));
  return { ...one, one, port, at, asks, events };
}
const no = /^Steward: .* may not be reached: /;

test("S-64 S-39: a new host is asked about in the task's session, showing host, port and command; once holds for what waited", async () => {
  const { one, at, port, ...rest } = await unlisted();
  const task = await one.task(OWNER, "pip install \u202ex");
  const going = [curl(one, [at("/1")], task.text), curl(one, [at("/2")], task.text)];
  const ask = await one.asked();
  assert.deepEqual(
    { ...ask, id: "", openedAt: 0, expiresAt: ask.expiresAt - ask.openedAt },
    {
      ...{ id: "", session: task.session, turn: task.turn, call: "call_1", kind: "approval", openedAt: 0, expiresAt: 600_000 },
      prompt: `A program wants to connect to a.test, port ${port}`,
      shows: `a.test:${port}\nfor: pip install \\u{202e}x`,
      scope: `egress:a.test:${port}`,
      options: ["allow", "deny"],
    },
  );
  await until(() => one.logs.filter(({ message }) => message === "a connection waits for an answer").length === 2 || undefined);
  assert.deepEqual([one.resolved, (await rest.asks()).length], [[], 1]);
  await one.answer(ask, { choice: "allow", for: "once" });
  assert.deepEqual(
    (await Promise.all(going)).map(({ out }) => out),
    ["saw /1", "saw /2"],
  );
  assert.deepEqual([await rest.events(task.session), await rest.asks()], [["ask.opened", "ask.answered"], []]);
  const again = curl(one, [at("/3")], task.text);
  await one.answer(await one.asked(), { choice: "deny" });
  assert.match((await again).out, no);
});

test("S-64 S-42: an answer for the task holds for that task only, also after a restart; one with an end until then", async () => {
  const { one, at, port, asks } = await unlisted();
  const task = await one.task();
  const first = curl(one, [at("/1")], task.text);
  await one.answer(await one.asked(), { choice: "allow", for: "task" });
  assert.equal((await first).out, "saw /1");
  assert.equal((await curl(one, [at("/2")], task.text)).out, "saw /2");
  const heir = openEgress(() => one.steward, { resolve: async () => [{ address: "127.0.0.1", family: 4 }] });
  const egress = heir("owner");
  assert.equal((await curl({ ...one, egress, inside: await one.listening(inner(egress)) }, [at("/3")], task.text)).out, "saw /3");
  heir.close();
  const other = await one.task();
  const second = curl(one, [at("/4")], other.text);
  await one.answer(await one.asked(), { choice: "allow", for: "scope", until: Date.now() + 3_600_000 });
  assert.equal((await second).out, "saw /4");
  await task.end();
  assert.equal((await curl(one, [at("/5")])).out, "saw /5");
  assert.deepEqual([(await listGrants(one.steward, OWNER)).map(({ scope }) => scope), await asks()], [[`egress:a.test:${port}`], []]);
});

test("S-64: what was denied stays denied for the task, without asking again", async () => {
  const { one, at, asks, events } = await unlisted();
  const task = await one.task();
  const first = curl(one, [at("/1")], task.text);
  await one.answer(await one.asked(), { choice: "deny" });
  assert.match((await first).out, /the person said no, and that holds for this task/);
  assert.match((await curl(one, [at("/2")], task.text)).out, /the person said no/);
  assert.deepEqual([await asks(), (await events(task.session)).length], [[], 2]);
  one.set("computer.egress", [new URL(at("/")).host]);
  assert.equal((await curl(one, [at("/3")], task.text)).out, "saw /3");
});

test("S-41: a question that nobody answers in time is a refusal, closed in the log", async () => {
  const { one, at, events, asks } = await unlisted({ options: { askMs: 150 } });
  const task = await one.task();
  const { out } = await curl(one, ["-w", "%{http_code}", at("/1")], task.text);
  assert.match(out, /nobody answered in time.*403$/s);
  assert.match((await curl(one, [at("/2")], task.text)).out, /nobody answered in time/);
  assert.deepEqual([await events(task.session), await asks()], [["ask.opened", "ask.answered"], []]);
});

test("S-64: a program that gave up is answered when it tries again", async () => {
  const { one, at } = await unlisted();
  const task = await one.task();
  // It may give up before it has asked at all.
  const ask = await until(async () => {
    assert.equal((await curl(one, ["--max-time", "0.2", at("/1")], task.text)).code, 28);
    return (await openAsks(one.steward, OWNER))[0];
  });
  await one.answer(ask, { choice: "allow", for: "once" });
  await until(async () => ((await openAsks(one.steward, OWNER)).length === 0 ? true : undefined));
  assert.equal((await curl(one, [at("/2")], task.text)).out, "saw /2");
});

test("S-64: without a task the newest session is asked; an answer for the task is none of another's", async () => {
  const { one, at, asks, events } = await unlisted();
  const task = await one.task();
  await task.end();
  const { id } = await makeSession(one.steward, OWNER, { title: "newest" });
  await one.steward.store.commit({ merge: { [`p/owner/session/${id}`]: { updatedAt: Date.now() + 1000 } } });
  const background = curl(one, [at("/1")], task.text);
  const ask = await one.asked();
  assert.deepEqual([ask.session, ask.turn, ask.shows?.split("\n")[1]], [id, "", "for a program in the background or in a terminal"]);
  await one.answer(ask, { choice: "allow", for: "task" });
  assert.equal((await background).out, "saw /1");
  assert.equal((await curl(one, [at("/2")])).out, "saw /2");
  const busy = await one.task();
  const third = curl(one, [at("/3")], busy.text);
  await one.answer(await one.asked(), { choice: "deny" });
  assert.match((await third).out, no);
  assert.deepEqual(
    [await asks(), await events(id), await one.steward.store.list("p/owner/answered/").then((all) => all.length)],
    [[], ["ask.opened", "ask.answered"], 2 - 1],
  );
});

test("S-64: nobody's question without a session: refused in words", async () => {
  const { one, at } = await unlisted();
  assert.match((await curl(one, [at("/1")])).out, /there is no session in which to ask/);
  const task = await one.task();
  await task.end();
  await removeSession(one.steward, OWNER, task.session);
  assert.match((await curl(one, [at("/1")], task.text)).out, /there is no session in which to ask/);
});

test("S-28 S-64: at most three questions about hosts are open for a person at a time", async () => {
  const { one, at, asks } = await unlisted();
  const task = await one.task();
  const going = ["a", "b", "c"].map((name) => curl(one, [at("/", name)], task.text));
  await until(async () => ((await asks()).length === 3 ? true : undefined));
  assert.match((await curl(one, [at("/", "d")], task.text)).out, /3 questions about hosts are open already/);
  for (const ask of await asks()) await one.answer(ask, { choice: "allow", for: "once" });
  assert.deepEqual(
    (await Promise.all(going)).map(({ out }) => out),
    ["saw /", "saw /", "saw /"],
  );
  const later = curl(one, [at("/", "d")], task.text);
  await one.answer(await one.asked(), { choice: "allow" });
  assert.equal((await later).out, "saw /");
});

test("S-64: a task of another person, or a made-up one, is refused with 407 and asks nobody", async () => {
  const { one, at, asks } = await unlisted({ person: "ben" });
  const task = await one.task(OWNER);
  const stolen = one.egresses("owner").variables(one.inside, task.text)["http_proxy"]!;
  for (const proxy of [stolen, stolen.replace(/:[^:@]+@/, ":wrong@")]) {
    const { out, code } = await curl(one, ["-x", proxy, "-w", "%{http_code}", at("/1")]);
    assert.deepEqual([code, out], [0, "Steward: the name and password in the proxy's address are not valid here.\n407"]);
  }
  assert.deepEqual([await asks(OWNER), await asks(BEN)], [[], []]);
  const own = curl(one, [at("/2")], task.text); // Ben's egress signs it, but the session is the owner's: nobody's task, and Ben has no session
  assert.match((await own).out, /there is no session in which to ask/);
  assert.deepEqual([await asks(OWNER), await asks(BEN)], [[], []]);
});

test("S-64: somebody suspended reaches nothing, not even listed hosts", async () => {
  const { one, at } = await unlisted();
  one.set("computer.egress", [new URL(at("/")).host]);
  await one.steward.store.commit({ put: { "person/owner": { id: "owner", suspended: true } } });
  assert.match((await curl(one, [at("/1")])).out, /this person is suspended/);
});

test("S-41: a background question that an earlier Steward left behind is closed once it is over", async () => {
  const { one, at, asks } = await unlisted();
  const task = await one.task();
  const old: Ask = {
    id: "ask_old",
    session: task.session,
    turn: "",
    call: "",
    kind: "approval",
    prompt: "old",
    scope: "egress:x",
    options: ["allow", "deny"],
    openedAt: 0,
    expiresAt: 1,
  };
  await one.steward.store.commit(opening("owner", old));
  const going = curl(one, [at("/1")], task.text);
  const ask = await until(async () => (await asks()).find(({ id }) => id !== "ask_old"));
  assert.deepEqual(
    (await asks()).map(({ id }) => id),
    [ask.id],
  );
  await one.answer(ask, { choice: "allow" });
  assert.equal((await going).out, "saw /1");
  assert.deepEqual(await answerTo(one.steward, "owner", old, AbortSignal.abort()), { choice: "deny" });
});

test("a question ends with its turn, and does not stand in the way of the next", async () => {
  const { one, at, asks } = await unlisted();
  for (let round = 0; round < 4; round++) {
    const task = await one.task();
    const going = curl(one, [at(`/${round}`)], task.text);
    const ask = await one.asked();
    const { withdraw } = await import("../src/run/asks.ts");
    await task.end();
    await withdraw(one.steward, OWNER, [ask]);
    assert.match((await going).out, no);
    await one.steward.store.commit({ drop: [`p/owner/answered/${ask.id}`] });
  }
  assert.deepEqual(await asks(), []);
});

test("S-64: a command that a turn runs carries its task; in a contained computer the network needs no question of its own", async () => {
  const given: ExecOptions[] = [];
  const kind: ComputerKind = {
    ...host,
    async open(options) {
      const computer = await host.open(options);
      return { ...computer, mode: "contained", exec: async (command, how = {}) => (given.push(how), computer.exec(command, how)) };
    },
  };
  const one = await start(
    (count) => (count === 0 ? [{ call: "execute_terminal_command", input: { command: "true", network: true } }] : [{ text: "ok" }]),
    {
      ...{ computer: kind, mode: "contained", tools: terminal },
    },
  );
  await one.say("go");
  await one.worker.drain();
  const events = await one.events();
  const item = events.flatMap((event) => (event.type === "item.started" && event.item.kind === "tool" ? [event] : []))[0]!;
  assert.deepEqual(JSON.parse(given[0]!.task!), [one.session, item.turn, item.item.id]);
  const cause = await causeOf(one.steward, { session: one.session, turn: item.turn, item: item.item.id });
  assert.equal(cause?.command, "true");
  assert.ok(!events.some(({ type }) => type === "ask.opened"));
  await one.steward.store.close();
});

test("S-28: what belongs to no task is asked about again in the next hour, and what was answered for an hour is forgotten then", async () => {
  const { one } = await unlisted();
  const clock = { at: one.steward.now() };
  one.steward.now = () => clock.at;
  const book = openAnswers(() => one.steward);
  const first = await book(undefined);
  first.asked = 20;
  first.allowed.set("old.test", clock.at + 10).set("new.test", clock.at + NO_TASK_MS * 2);
  first.denied.set("old.test", { until: clock.at + 10, why: "no" });
  clock.at += NO_TASK_MS;
  assert.equal((await book(undefined)).asked, 20);
  clock.at += 1;
  const next = await book(undefined);
  assert.deepEqual([next.asked, [...next.allowed.keys()], next.denied.size], [0, ["new.test"], 0]);
});
