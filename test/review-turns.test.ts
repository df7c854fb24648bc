// Holes that a hostile reading of the turns found, each closed and kept closed: leases, Stop, what was read, retries, asks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toMessages } from "../src/core/history.ts";
import type { Principal } from "../src/core/types.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { cancelTurn, say } from "../src/run/inbox.ts";
import { cancelKey } from "../src/run/jobs.ts";
import { getSession, listSessions, makeSession, removeSession } from "../src/run/sessions.ts";
import { OWNER } from "./harness.ts";
import { asked, asking, beats, call, down, gated, said, start, stops, tool, touch, until, words } from "./turns-place.ts";

const GUEST: Principal = { person: "gus", role: "member", via: "page" };

// ---- Leases

test("the lease is renewed while a summary is written, so nobody starts the turn a second time", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const gate = Promise.withResolvers<void>();
  const one = await start(() => [{ text: "an answer that is long enough ".repeat(40) }], { config: { "limits.windowTokens": 1000 } });
  for (let turn = 0; turn < 5; turn++) {
    await one.say(`${turn} ${words}`);
    await one.worker.drain();
  }
  const { open } = one.steward.models;
  const opened = { count: 0 };
  one.steward.models.open = async (name) => {
    if (opened.count++ === 0) await gate.promise;
    return open(name);
  };
  await one.say(words);
  const running = one.worker.drain();
  await until(() => opened.count > 0);
  await beats(one, t, 4);
  assert.equal(await one.steward.store.claim("other", ["turn"], 60_000), undefined);
  gate.resolve();
  await running;
  assert.deepEqual(
    await stops(one),
    Array.from({ length: 6 }, () => "end"),
  );
});

test("a worker whose machine slept longer than the lease goes on with its turn, and does not run it beside itself", async () => {
  const { slow, runs, open } = gated();
  const one = await start((count) => (count === 0 ? [call("slow")] : [{ text: "end" }]), { tools: [slow] });
  await one.say("go");
  const running = one.worker.drain();
  await until(() => runs.length > 0);
  one.clock.at += 3_600_000;
  const second = one.worker.drain();
  await until(async () => (await one.steward.store.jobs()).running === 1);
  assert.equal(one.worker.running(), 1);
  open();
  await Promise.all([running, second]);
  assert.deepEqual([runs.length, one.model.requests.length, await stops(one)], [1, 2, ["end"]]);
  assert.match(JSON.stringify(await one.events()), /"output":"done"/);
});

test("a worker that stops gives its turns to the heir at once", async () => {
  const one = await start((count) => (count === 0 ? [call("touch")] : [{ text: "end" }]), { tools: [touch] });
  await one.say("go");
  const running = one.worker.drain();
  const ask = await asked(one);
  await one.worker.stop(1000);
  await running;
  assert.deepEqual(await one.steward.store.jobs(), { due: 1, later: 0, running: 0, next: one.clock.at });
  const heir = one.heir().drain();
  await until(async () => (await one.steward.store.jobs()).running === 1);
  await answerAsk(one.steward, OWNER, ask.id, { choice: "allow" });
  await heir;
  assert.deepEqual(await stops(one), ["end"]);
});

// ---- Stop, and what was read

test("a message sent right after Stop, while a retry waits, is answered in a turn of its own", async () => {
  const one = await start((count) => (count === 0 ? [down] : [{ text: "here" }]));
  await one.say("first");
  await one.worker.drain();
  assert.equal(await cancelTurn(one.steward, OWNER, one.session), true);
  await one.say("do this instead");
  await one.worker.drain();
  assert.deepEqual(await stops(one), ["cancelled", "end"]);
});

test("a message sent while the last attempt fails is answered in a turn of its own", async () => {
  const late: { tell?: () => void } = {};
  const one = await start((count) => {
    if (count === 3) late.tell!();
    return count < 4 ? [down] : [{ text: "here" }];
  });
  late.tell = () => void one.say("second");
  await one.say("first");
  for (let tries = 0; tries < 5; tries++) {
    await one.worker.drain();
    one.clock.at += 10_000;
  }
  assert.deepEqual(await stops(one), ["failed", "end"]);
});

test("what comes while the turn is being built is either in its history or still to be read", async () => {
  const one = await start(() => [{ text: "ok" }]);
  const { steward, session } = one;
  const { tools } = steward;
  let told = false;
  steward.tools = async () => {
    if (!told) await one.say("meanwhile");
    told = true;
    return tools();
  };
  await one.say("first");
  await one.worker.drain();
  assert.match(JSON.stringify(one.model.requests), /meanwhile/);
  const read = (await steward.store.events(session)).findLast(({ event }) => event.type === "message.received")!.seq;
  assert.ok((await one.ends()).at(-1)!.seen >= read);
});

test("a Stop meant for a turn that has ended does not stop the next one, live or as a document", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { slow, runs, open } = gated();
  const one = await start((count) => (count === 0 ? [call("slow")] : [{ text: "end" }]), { tools: [slow] });
  await one.steward.store.commit({ put: { [cancelKey(one.session)]: "trn_before" } });
  await one.say("go");
  const running = one.worker.drain();
  await until(() => runs.length > 0);
  one.steward.store.publish(one.session, { type: "turn.cancelling", turn: "trn_before" });
  await beats(one, t, 2);
  assert.equal(runs[0]!.aborted, false);
  open();
  await running;
  assert.deepEqual(await stops(one), ["end"]);
  assert.equal(await one.steward.store.get(cancelKey(one.session)), undefined);
});

test("a Stop whose live event is lost takes effect at the next heartbeat", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { slow, runs } = gated();
  const one = await start(() => [call("slow")], { tools: [slow] });
  await one.say("go");
  const running = one.worker.drain();
  await until(() => runs.length > 0);
  one.steward.store.publish = () => {};
  await cancelTurn(one.steward, OWNER, one.session);
  await beats(one, t, 1);
  await running;
  assert.deepEqual(await stops(one), ["cancelled"]);
});

test("a turn that is stopped while nobody runs it takes its question along, and says what was under way", async () => {
  const one = await start((count) => (count === 0 ? [call("wait")] : [{ text: "ok" }]), { tools: [asking] });
  await one.say("go");
  const running = one.worker.drain();
  await asked(one);
  await one.worker.stop(1000);
  await running;
  await cancelTurn(one.steward, OWNER, one.session);
  await one.heir().drain();
  assert.deepEqual([await openAsks(one.steward, OWNER), (await getSession(one.steward, OWNER, one.session)).asks], [[], 0]);
  const closed = (await one.events()).filter(({ type }) => type === "ask.answered" || type === "turn.completed");
  assert.deepEqual(
    closed.map((event) => (event.type === "ask.answered" ? event.by : event.type === "turn.completed" && event.stop)),
    ["cancelled", "cancelled"],
  );
  assert.match(JSON.stringify(toMessages(await one.log())), /not known whether this ran/);
  assert.deepEqual(await one.steward.store.list("p/owner/answered/"), []);
});

test("deleting a session stops its turn, and one that waits is not begun", async () => {
  const one = await start(() => [call("wait")], { tools: [asking] });
  await one.say("go");
  const running = one.worker.drain();
  await asked(one);
  await removeSession(one.steward, OWNER, one.session);
  await running;
  assert.deepEqual([await stops(one), await openAsks(one.steward, OWNER)], [["cancelled"], []]);
  const other = await start(() => [{ text: "never" }]);
  await other.say("go");
  await removeSession(other.steward, OWNER, other.session);
  await other.worker.drain();
  assert.equal(other.model.requests.length, 0);
});

// ---- Retries

test("a message that comes while a retry waits burns no retry, and what failed attempts used is counted", async () => {
  const one = await start((count) => (count === 0 ? [call("slow")] : count < 4 ? [down] : [{ text: "here" }]), {
    tools: [tool("slow", async () => "done")],
  });
  await one.say("first");
  await one.worker.drain();
  for (const text of ["second", "third", "fourth"]) {
    await one.say(text);
    await one.worker.drain();
  }
  assert.equal(one.model.requests.length, 2);
  for (let tries = 0; tries < 4; tries++) {
    one.clock.at += 5000;
    await one.worker.drain();
  }
  const [end, ...more] = await one.ends();
  assert.deepEqual([end!.stop, end!.usage, more, one.model.requests.length], ["end", { input: 20, output: 4 }, [], 5]);
  assert.deepEqual(await one.steward.store.jobs(), { due: 0, later: 0, running: 0 });
});

test("a message that came while a retry waited is answered at once when that turn is stopped", async () => {
  const one = await start((count) => (count === 0 ? [down] : [{ text: "here" }]));
  await one.say("first");
  await one.worker.drain();
  await one.say("second");
  await one.worker.drain();
  await cancelTurn(one.steward, OWNER, one.session);
  await one.worker.drain();
  assert.deepEqual(await stops(one), ["cancelled", "end"]);
});

test("Stop, or deleting the session, ends a turn whose retry waits, at once", async () => {
  for (const end of [cancelTurn, removeSession]) {
    const one = await start(() => [down]);
    await one.say("first");
    await one.worker.drain();
    await end(one.steward, OWNER, one.session);
    await one.worker.drain();
    assert.deepEqual(await stops(one), ["cancelled"]);
  }
});

// ---- Asks

test("people who wait for an answer don't hold up everybody else, and nobody may leave questions without end", async () => {
  const one = await start(
    (_, prompt) =>
      prompt.includes("tool-result") ? [{ text: "over" }] : prompt.includes("waiting") ? [call("wait")] : [{ text: "answered" }],
    {
      tools: [asking],
    },
  );
  const sessions: string[] = [];
  for (let count = 0; count < 301; count++) {
    const { id } = await makeSession(one.steward, GUEST, {});
    sessions.push(id);
    await say(one.steward, GUEST, { session: id, parts: said("waiting") });
  }
  void one.worker.drain();
  await until(async () => (await openAsks(one.steward, GUEST)).length === 300);
  await one.say("hello");
  void one.worker.drain();
  await until(async () => ((await stops(one)).length > 0 ? true : undefined));
  const denied = await until(async () => {
    const logs = (await Promise.all(sessions.map((id) => one.steward.store.events(id)))).flat();
    const errors = logs.flatMap(({ event }) =>
      event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result?.error] : [],
    );
    return errors.length > 0 ? errors : undefined;
  });
  assert.deepEqual(denied, ["Not asked: 300 questions are open already. Answer or stop some of them first."]);
  await one.worker.stop(5000);
});

test("an answer after the end of a question is refused", async () => {
  const one = await start((count) => (count === 0 ? [call("touch")] : [{ text: "ok" }]), {
    tools: [touch],
    config: { "asks.expireMinutes": 1 },
  });
  await one.say("go");
  const running = one.worker.drain();
  const ask = await asked(one);
  one.clock.at = ask.expiresAt;
  await assert.rejects(answerAsk(one.steward, OWNER, ask.id, { choice: "allow" }), {
    code: "conflict",
    message: "This question has expired",
  });
  await one.worker.stop(1000);
  await running;
  await one.heir().drain();
  const answer = (await one.events()).find(({ type }) => type === "ask.answered");
  assert.equal(answer?.type === "ask.answered" && answer.by, "expired");
});

test("answered questions leave nothing behind, so the list of open ones stays quick", async () => {
  const one = await start((count) => (count % 2 === 0 ? [call("wait")] : [{ text: "ok" }]), { tools: [asking] });
  for (let round = 0; round < 3; round++) {
    await one.say(`go ${round}`);
    const running = one.worker.drain();
    const ask = await asked(one);
    await answerAsk(one.steward, OWNER, ask.id, { choice: "yes" });
    await assert.rejects(answerAsk(one.steward, OWNER, ask.id, { choice: "no" }), { code: "conflict" });
    await running;
    await assert.rejects(answerAsk(one.steward, OWNER, ask.id, { choice: "no" }), { code: "not_found" });
  }
  const left = await Promise.all(["ask", "answered"].map((kind) => one.steward.store.list(`p/owner/${kind}/`)));
  assert.deepEqual(left, [[], []]);
  assert.equal((await one.events()).filter((event) => event.type === "ask.answered" && event.answer.choice === "yes").length, 3);
});

// ---- Sessions, deliveries, rounds

test("a list of sessions claims no number that it did not read, and hides what nobody has used", async () => {
  const one = await start(() => [{ text: "ok" }]);
  assert.deepEqual((await listSessions(one.steward, OWNER, {})).sessions, []);
  assert.deepEqual(
    (await listSessions(one.steward, OWNER, { q: one.session })).sessions.map(({ id }) => id),
    [one.session],
  );
  const named = await makeSession(one.steward, OWNER, { title: "Plans" });
  await one.say("hi");
  await one.worker.drain();
  const { sessions } = await listSessions(one.steward, OWNER, {});
  assert.deepEqual(
    sessions.map(({ id, seq }) => [id, seq]).sort(),
    [
      [named.id, undefined],
      [one.session, undefined],
    ].sort(),
  );
  assert.equal((await getSession(one.steward, OWNER, one.session)).seq, (await one.log()).at(-1)!.seq);
});

test("a door may promise fewer rounds than the setting, never more", async () => {
  for (const [rounds, expected] of [
    [2, 2],
    [99, 4],
  ] as const) {
    let count = 0;
    const one = await start(() => [{ call: "count", input: {} }], {
      tools: [tool("count", async () => count++)],
      config: { "limits.rounds": 4 },
    });
    await one.say("go", rounds);
    await one.worker.drain();
    assert.deepEqual([one.model.requests.length, await stops(one)], [expected, ["limit"]]);
  }
});
