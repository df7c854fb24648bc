// Many people in one install: invited, changed, suspended, let in again, taken away with everything; a fair share for each.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect, type Client } from "../src/client/client.ts";
import type { Engine } from "../src/core/ports.ts";
import { routes } from "../src/core/api.ts";
import { makeToken } from "../src/gateway/credentials.ts";
import { openGateway } from "../src/gateway/server.ts";
import { allowanceOf, countMessage } from "../src/run/allowance.ts";
import { answerAsk } from "../src/run/asks.ts";
import { say } from "../src/run/inbox.ts";
import { turnJob } from "../src/run/jobs.ts";
import { beginRemoval, invitePerson } from "../src/run/people.ts";
import { personKey } from "../src/run/persons.ts";
import { makeSession } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { scripted } from "../src/testing/scripted.ts";
import { eventually, openChat, openPlace, type Place, raw } from "./gateway-place.ts";
import { harness, OWNER } from "./harness.ts";
import { leastOf } from "./took.ts";

const JSON_TYPE = { "content-type": "application/json" };
const MANY = { "limits.turnsEach": 2 };

async function place(t: TestContext, options: Parameters<typeof openPlace>[0] = {}): Promise<Place> {
  const opened = await openPlace(options);
  t.after(() => opened.close());
  return opened;
}
const redeem = (url: string, link: string) =>
  raw(url, { method: "POST", path: "/api/claim", headers: JSON_TYPE, body: JSON.stringify({ code: link.split("#")[1] }) });

/** Somebody who followed an invitation, as a browser does. */
async function enter(at: Place, name: string, role: "member" | "guest" = "member") {
  const { person, url } = await at.client.call("people.invite", { body: { name, role } });
  const answer = await redeem(at.gateway.url, url);
  assert.equal(answer.status, 200);
  const cookie = { cookie: String(answer.headers["set-cookie"]).split(";")[0]!, "x-steward-proof": answer.json().proof };
  const { token } = await makeToken(at.composed.steward.store, { person: person.id, role }, { label: "t", now: Date.now() });
  const bearer = { authorization: `Bearer ${token}` };
  return { id: person.id, cookie, bearer, client: connect({ url: at.gateway.url, token }) };
}
const status = async (at: Place, headers: Record<string, string>): Promise<number> =>
  (await raw(at.gateway.url, { path: "/api/me", headers })).status;
const people = async (client: Client) => (await client.call("people.list")).people;

test("S-23 an invitation is a link of 82 bits for one person and role, works once also in parallel, and until its end", async (t) => {
  const clock = { now: Date.now() };
  const at = await place(t, { now: () => clock.now });
  const { person, url, expiresAt } = await at.client.call("people.invite", { body: { name: "Zoë Smith", role: "guest", hours: 168 } });
  assert.deepEqual(person, {
    ...{ id: "zoe-smith", name: "Zoë Smith", role: "guest", createdAt: clock.now, sessions: 0, suspended: false },
    invitedUntil: clock.now + 168 * 3_600_000,
  });
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/claim#[a-z0-9]{16}$/);
  assert.equal(expiresAt, person.invitedUntil);
  assert.ok(!JSON.stringify(await at.composed.steward.store.list("")).includes(url.split("#")[1]!), "only a digest is kept");
  clock.now = expiresAt - 1;
  const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(at.gateway.url, url)));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 403, 403, 403, 403, 403, 403, 403]);
  const { person: who, role } = answers.find((answer) => answer.status === 200)!.json();
  assert.deepEqual([who, role], ["zoe-smith", "guest"]);
  assert.equal((await people(at.client))[1]!.invitedUntil, undefined);
  const late = await at.client.call("people.invite", { body: { name: "Late", hours: 1 } });
  clock.now = late.expiresAt;
  assert.equal((await redeem(at.gateway.url, late.url)).status, 403);
  for (const hours of [0, 169, 1.5])
    await assert.rejects(at.client.call("people.invite", { body: { name: "Long", hours } }), { code: "invalid" });
});

test("S-23 wrong tries void the links of own browsers, and only hold up invitations", async (t) => {
  const clock = { now: Date.now() };
  const at = await place(t, { now: () => clock.now });
  const { url } = await at.client.call("people.invite", { body: { name: "Mia" } });
  const own = await at.gateway.claimLink();
  await Promise.all(Array.from({ length: 5 }, (_, n) => redeem(at.gateway.url, `#wrong${n}`)));
  assert.deepEqual([(await redeem(at.gateway.url, own)).status, (await redeem(at.gateway.url, url)).status], [403, 403]);
  clock.now += 20 * 60_000;
  assert.deepEqual([(await redeem(at.gateway.url, own)).status, (await redeem(at.gateway.url, url)).status], [403, 200]);
});

test("S-24 a link is void once its person was suspended, removed or given another role", async (t) => {
  const at = await place(t);
  const link = async (name: string) => at.client.call("people.invite", { body: { name } });
  const [suspended, widened, gone] = [await link("A"), await link("B"), await link("C")];
  await at.client.call("people.change", { params: { id: suspended.person.id }, body: { suspended: true } });
  await at.client.call("people.change", { params: { id: widened.person.id }, body: { role: "guest" } });
  await at.client.call("people.remove", { params: { id: gone.person.id } });
  for (const { url } of [suspended, widened, gone]) assert.equal((await redeem(at.gateway.url, url)).status, 403);
  await assert.rejects(at.client.call("people.link", { params: { id: suspended.person.id } }), { code: "conflict" });
  await at.client.call("people.change", { params: { id: suspended.person.id }, body: { suspended: false } });
  assert.equal((await redeem(at.gateway.url, suspended.url)).status, 200);
  const again = await at.client.call("people.link", { params: { id: widened.person.id } });
  assert.equal((await redeem(at.gateway.url, again.url)).json().role, "guest");
});

test("S-96 one link lets one browser in as the owner, also when many ask at the same time at two doors", async (t) => {
  const at = await place(t);
  const second = await openGateway(at.composed.steward, { host: "127.0.0.1", port: 0 });
  t.after(() => second.close());
  const link = await at.gateway.claimLink();
  const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => redeem(n % 2 ? at.gateway.url : second.url, link)));
  assert.deepEqual(
    answers.filter((answer) => answer.status === 200).map((answer) => answer.json().role),
    ["owner"],
  );
  assert.equal((await at.composed.steward.store.list("auth/cookie/")).length, 1);
});

test("S-96 ids are safe, unique also at the same moment, and nobody is invited as the owner", async (t) => {
  const at = await place(t);
  const invited = await Promise.all(
    ["Ann", "ann", "ÄNN!", "owner", "Guest", "李", "../../etc", "a".repeat(60)].map((name) =>
      at.client.call("people.invite", { body: { name } }),
    ),
  );
  const ids = invited.map(({ person }) => person.id);
  for (const id of ids) assert.match(id, /^[a-z0-9-]{1,64}$/);
  assert.deepEqual(ids.slice(0, 3).sort(), ["ann", "ann-2", "ann-3"]);
  assert.deepEqual(ids.slice(3), ["owner-2", "guest-2", "person", "etc", "a".repeat(40)]);
  assert.equal(new Set(invited.map(({ url }) => url)).size, ids.length);
  for (const body of [{ name: "x", role: "owner" }, { name: "" }, { name: "\u202e\u200b" }, { name: "y".repeat(61) }])
    await assert.rejects(at.client.call("people.invite", { body: body as { name: string } }), { code: "invalid" });
});

test("S-95 fields that a client may not set are refused, on every route that takes a body", async (t) => {
  const at = await place(t);
  const { id } = await enter(at, "Mia");
  const names = ["pairings.accept", "pairings.approve", "notices.tell"]; // whose body names a person, only for the owner
  for (const [name, route] of Object.entries(routes)) {
    if (!("body" in route) || name.startsWith("a2a.")) continue; // that is JSON-RPC, and turned off
    for (const extra of ["id", "owner", "person", "role2", "createdAt", "__proto__x"]) {
      if (extra === "person" && names.includes(name)) continue;
      const answer = await raw(at.gateway.url, {
        method: route.method,
        path: route.path.replace(":id", id),
        headers: { ...JSON_TYPE, authorization: `Bearer ${at.gateway.localToken}` },
        body: JSON.stringify({ [extra]: "owner" }),
      });
      assert.deepEqual([name, extra, answer.status], [name, extra, 422]);
    }
  }
  const change = (body: object) => at.client.call("people.change", { params: { id }, body });
  await assert.rejects(change({ role: "owner" }), { code: "invalid" });
  await assert.rejects(change({ id: "owner" }), { code: "invalid" });
  for (const body of [{ role: "guest" as const }, { suspended: true }])
    await assert.rejects(at.client.call("people.change", { params: { id: "owner" }, body }), { code: "invalid" });
  await assert.rejects(at.client.call("people.remove", { params: { id: "owner" } }), { code: "invalid" });
  await assert.rejects(at.client.call("people.change", { params: { id: "nobody" }, body: {} }), { code: "not_found" });
  assert.equal((await at.client.call("people.change", { params: { id: "owner" }, body: { name: "Ada" } })).name, "Ada");
});

test("S-07 S-97 suspending ends every credential, stream and socket at once, and letting in again gives them back", async (t) => {
  const at = await place(t);
  const mia = await enter(at, "Mia");
  const suspend = (suspended: boolean) => at.client.call("people.change", { params: { id: mia.id }, body: { suspended } });
  const ended = async (): Promise<number> => {
    await suspend(false);
    const { socket } = await openChat(at.gateway.url, mia.bearer);
    const session = await mia.client.call("sessions.make", { body: {} });
    const follow = (path: string) => fetch(at.gateway.url + path, { headers: { ...mia.bearer, accept: "text/event-stream" } });
    const streams = await Promise.all([follow(`/api/sessions/${session.id}/events`), follow("/api/stream")]);
    const closed = once(socket, "close");
    const begun = Date.now();
    assert.equal((await suspend(true)).suspended, true);
    assert.equal((await closed)[0], 4001);
    for (const stream of streams) assert.match(await stream.text(), /"type":"ended","reason":"suspended"/);
    return Date.now() - begun;
  };
  assert.ok((await leastOf(2000, ended)) < 2000);
  for (const headers of [mia.bearer, mia.cookie]) {
    const answer = await raw(at.gateway.url, { path: "/api/me", headers });
    assert.deepEqual([answer.status, answer.json().error.message], [403, "Your access to this Steward is suspended"]);
  }
  await assert.rejects(openChat(at.gateway.url, mia.bearer), /403/);
  assert.equal((await raw(at.gateway.url, { path: "/api/health", headers: mia.bearer })).text, '{"status":"ok"}');
  await suspend(false);
  assert.deepEqual([await status(at, mia.bearer), await status(at, mia.cookie)], [200, 200]);
});

test("S-97 another process's suspension ends what is open here too", async (t) => {
  const at = await place(t);
  const mia = await enter(at, "Mia");
  const { socket } = await openChat(at.gateway.url, mia.bearer);
  const closed = once(socket, "close");
  await at.composed.steward.store.commit({ merge: { [personKey(mia.id)]: { suspended: true } } });
  assert.equal((await closed)[0], 4001);
});

test("S-15 a role holds from the next request on, for every credential, and open pages begin anew", async (t) => {
  const at = await place(t);
  const mia = await enter(at, "Mia", "guest");
  const { socket } = await openChat(at.gateway.url, mia.bearer);
  const closed = once(socket, "close");
  const role = async () => (await mia.client.call("me.get")).role;
  assert.equal(await role(), "guest");
  await at.client.call("people.change", { params: { id: mia.id }, body: { role: "member" } });
  await closed;
  assert.equal(await role(), "member");
  await at.composed.steward.store.commit({ merge: { [personKey(mia.id)]: { role: "guest" } } });
  assert.equal(await role(), "guest");
  for (const name of ["people.list", "computers.list", "config.get"] as const)
    await assert.rejects(mia.client.call(name), { code: "denied" });
});

test("S-22 what a suspended person has queued waits until they are let in, and a running turn is stopped", async (t) => {
  const at = await place(t, { script: () => [{ do: "until", promise: new Promise(() => {}) }] });
  const { steward } = at.composed;
  const mia = await enter(at, "Mia");
  const who = { person: mia.id, role: "member", via: "page" } as const;
  const [running, queued] = [await makeSession(steward, who, {}), await makeSession(steward, who, {})];
  await say(steward, who, { session: running.id, parts: [{ type: "text", text: "work" }] });
  await eventually(async () => (await at.events(running.id)).some(({ event }) => event.type === "turn.started"));
  await at.client.call("people.change", { params: { id: mia.id }, body: { suspended: true } });
  const ended = await eventually(async () => (await at.events(running.id)).find(({ event }) => event.type === "turn.completed"));
  assert.equal(ended.event.type === "turn.completed" && ended.event.stop, "cancelled");
  await steward.store.commit({
    events: [
      {
        session: queued.id,
        event: { type: "message.received", id: "msg_1", from: mia.id, parts: [{ type: "text", text: "hi" }], key: "k" },
      },
    ],
    jobs: [turnJob(queued.id, who)],
  });
  await eventually(async () => (await steward.store.list(`held/${mia.id}/`)).length === 2 && (await steward.store.jobs()).due === 0);
  assert.ok(!(await at.events(queued.id)).some(({ event }) => event.type === "turn.started"));
  await at.client.call("people.change", { params: { id: mia.id }, body: { suspended: false } });
  await eventually(async () => (await at.events(queued.id)).some(({ event }) => event.type === "turn.started"));
  assert.deepEqual(await steward.store.list(`held/${mia.id}/`), []);
});

test("S-29 removing takes everything of a person and nothing of anybody else, and the id is not given again", async (t) => {
  const at = await place(t);
  const { steward } = at.composed;
  const [mia, mi] = [await enter(at, "Mia"), await enter(at, "Mi")];
  const before = async () =>
    JSON.stringify((await steward.store.list("")).filter(({ key }) => !/\/(cookie|token)\/|^person\//.test(key) && /p\/mi\//.test(key)));
  const made: Record<string, string> = {};
  for (const one of [mia, mi]) {
    const { id } = await one.client.call("sessions.make", { body: { title: "secret zebra" } });
    made[one.id] = id;
    await one.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "zebra" }] } });
    await eventually(async () => (await at.events(id)).some(({ event }) => event.type === "turn.completed"));
  }
  await steward.store.commit({
    put: {
      "p/mia/grant/g": { id: "g", scope: "network", until: 9e12 },
      "p/mia/fact/f": { id: "f", text: "zebra", at: 1 },
      "paired/telegram/77": { person: "mia", role: "member" },
      "paired/telegram/78": { person: "mi", role: "member" },
      'outbox/["telegram","7"]/dlv_mia': { id: "dlv_mia", person: "mia", to: { channel: "telegram", chat: "7" }, text: "zebra", at: 1 },
      "sending/dlv_mia": { receipts: ["about mia"] },
      "draft/turn_m": { to: { channel: "telegram", chat: "7" }, person: "mia", first: { text: "zebra", since: 1 } },
      'reach/["telegram","7"]': { person: "mia" },
      'heard/["telegram","7"]': { m1: 1 },
      [`home/${made["mia"]}`]: { channel: "telegram", chat: "7" },
    },
  });
  const copies = ["mia", "mi"].map((id) => join(steward.home, "returns", `person.${id}`));
  for (const folder of copies) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "copy.txt"), "zebra");
  }
  const kept = await before();
  await at.client.call("people.remove", { params: { id: "mia" } });
  assert.equal(await status(at, mia.bearer), 401);
  await eventually(async () => !(await people(at.client)).some(({ id }) => id === "mia"));
  const rest = JSON.stringify(await steward.store.list(""));
  assert.doesNotMatch(rest, /"p\/mia\/|"person":"mia"|held\/mia|dlv_mia|"heard\//);
  assert.equal(await steward.store.get(`home/${made["mia"]}`), undefined);
  assert.deepEqual(await steward.store.events(made["mia"]!), []);
  assert.deepEqual(await steward.store.search("mia", "zebra", 10), []);
  assert.equal(existsSync(join(steward.home, "files", "mia")), false);
  assert.deepEqual(copies.map(existsSync), [false, true]);
  assert.equal(await before(), kept);
  assert.equal((await steward.store.search("mi", "zebra", 10)).length > 0, true);
  assert.equal(await status(at, mi.bearer), 200);
  assert.equal((await at.client.call("people.invite", { body: { name: "Mia" } })).person.id, "mia-2");
});

test("S-29 a removal that is cut off anywhere is finished by the next start", async () => {
  for (let dieAt = 1; dieAt < 40; dieAt++)
    for (const when of ["before", "after"] as const) {
      const clock = { at: 1_800_000_000_000 };
      const real = await sqlite(":memory:", { now: () => clock.at });
      const steward = harness({ store: real, model: scripted(() => [{ text: "ok" }]), now: () => clock.at });
      const link = (person: string) => ({ key: `auth/claim/${person}`, doc: { person } });
      const { id } = await invitePerson(steward, { name: "Mia", role: "member", until: 9e12, link });
      const who = { person: id, role: "member", via: "page" } as const;
      const session = await makeSession(steward, who, { title: "one" });
      await say(steward, who, { session: session.id, parts: [{ type: "text", text: "zebra" }] });
      const doomed = mortal(real, dieAt, when);
      await beginRemoval({ ...steward, store: doomed }, id).catch(() => {});
      await startWorker({ ...steward, store: doomed }, { name: "w", auto: false })
        .drain()
        .catch(() => {});
      const over = !doomed.dead();
      const left = (await real.get(personKey(id))) as { removing?: boolean } | undefined;
      if (left && !left.removing) continue; // died before it was asked for
      clock.at += 120_000; // what the dead process had leased is free again
      const heir = startWorker(steward, { name: "heir", auto: false });
      for (let pass = 0; pass < 10 && (await real.get(personKey(id))) !== undefined; pass++) {
        await heir.drain();
        clock.at += 1000;
      }
      assert.equal(await real.get(personKey(id)), undefined, `${dieAt} ${when}`);
      assert.doesNotMatch(JSON.stringify(await real.list("")), /"p\/mia\/|"person":"mia"|held\/mia/, `${dieAt} ${when}`);
      assert.deepEqual(await real.events(session.id), []);
      await real.close();
      if (over) return;
    }
});

test("S-98 one person's many turns leave room for others: at most limits.turnsEach of theirs run at the same time", async () => {
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "ok" }]), config: MANY });
  const gate = Promise.withResolvers<void>();
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const order: string[] = [];
  const engine: Engine = {
    name: "slow",
    async run(turn) {
      const [first] = await steward.store.events(turn.session, { limit: 1 });
      const mine = first?.event.type === "session.created" ? first.event.person : "";
      running.set(mine, (running.get(mine) ?? 0) + 1);
      most.set(mine, Math.max(most.get(mine) ?? 0, running.get(mine)!));
      order.push(mine);
      if (mine === "ann") await gate.promise;
      running.set(mine, running.get(mine)! - 1);
      if (mine === "ben") gate.resolve();
      return { stop: "end", seen: turn.seen };
    },
  };
  steward.engine = async () => ({ engine, programs: () => [] });
  for (const [name, count] of [
    ["ann", 10],
    ["ben", 1],
  ] as const)
    for (let n = 0; n < count; n++) {
      const who = { person: name, role: "member", via: "page" } as const;
      const { id } = await makeSession(steward, who, {});
      await say(steward, who, { session: id, parts: [{ type: "text", text: "go" }] });
    }
  await startWorker(steward, { name: "w", auto: false }).drain();
  assert.deepEqual([order.slice(0, 3), most.get("ann"), order.length], [["ann", "ann", "ben"], 2, 11]);
});

test("guests are smaller: no lasting answers, smaller uploads, fewer messages and turns", async () => {
  const clock = { at: 1_800_000_000_000 };
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "ok" }]), now: () => clock.at });
  assert.deepEqual(allowanceOf(steward, "guest"), { lastingAnswers: false, uploadBytes: 10_485_760, messages: 60, turns: 2 });
  assert.deepEqual(allowanceOf(steward, "owner"), { lastingAnswers: true, uploadBytes: 104_857_600, messages: Infinity, turns: 8 });
  const guest = { person: "gus", role: "guest", via: "page" } as const;
  for (let n = 0; n < 60; n++) countMessage(steward, guest);
  assert.throws(() => countMessage(steward, guest), { code: "limit", retryAt: clock.at + 60_000 });
  countMessage(steward, { ...guest, person: "gil" });
  for (let n = 0; n < 100; n++) countMessage(steward, OWNER);
  clock.at += 60_000;
  countMessage(steward, guest);
  const ask = {
    id: "ask_1",
    session: "ses_1",
    turn: "t",
    call: "c",
    kind: "approval",
    prompt: "?",
    scope: "network",
    options: ["allow", "deny"],
    openedAt: 1,
    expiresAt: clock.at + 1e6,
  } as const;
  await steward.store.commit({ put: { "p/gus/ask/ask_1": { ask } } });
  await assert.rejects(answerAsk(steward, guest, "ask_1", { choice: "allow", for: "scope" }), { code: "denied" });
  await answerAsk(steward, guest, "ask_1", { choice: "allow", for: "task" });
});
