// Every route, socket and stream as one person with another's ids: nothing of theirs is told, nothing of theirs changes. A route that is not covered here fails the test.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { connect, type Client } from "../src/client/client.ts";
import { type RouteName, routes } from "../src/core/api.ts";
import type { Route } from "../src/core/api-shapes.ts";
import type { Role } from "../src/core/types.ts";
import { makeToken } from "../src/gateway/credentials.ts";
import { turnJob } from "../src/run/jobs.ts";
import { currentSession } from "../src/run/sessions.ts";
import type { TaskDoc } from "../src/run/tasks.ts";
import { eventually, openChat, openPlace, type Place, raw } from "./gateway-place.ts";

const table = Object.entries(routes) as [RouteName, Route][];
const JSON_TYPE = { "content-type": "application/json" };
/** In everything that is Ben's. */
const MARK = "zebra";
const WALKERS: [string, Role][] = [
  ["ann", "member"],
  ["gus", "guest"],
  ["owner", "owner"],
];

interface Try {
  query?: Record<string, string>;
  body?: unknown;
  /** Bytes instead of JSON. */
  bytes?: string;
  /** What it must be answered with; absent: anything that tells nothing. */
  status?: number;
}
/** Ben's things, by what they are; and a few of the walker's own, for bodies in which both are mixed. */
interface Things {
  session: string;
  file: string;
  upload: string;
  ask: string;
  undo: string;
  grant: string;
  token: string;
  fact: string;
  helper: string;
  schedule: string;
  letter: string;
  notice: string;
  task: string;
  terminal: string;
  folder: string;
  mine: { session: string };
}

/** Bodies for routes with an id: valid ones, so that only the id can be what is wrong. Those without a body need no entry. */
const WITH_ID: Partial<Record<RouteName, (ben: Things) => Try[]>> = {
  "sessions.change": () => [{ body: { title: "mine now" } }],
  "sessions.say": () => [{ body: { parts: [{ type: "text", text: "hello" }] } }],
  "asks.answer": () => [{ body: { choice: "allow" } }],
  "uploads.put": () => [{ query: { at: "0" }, bytes: "mine" }],
  "agents.spawn": () => [{ body: { name: "mole" } }],
  "shells.run": () => [{ body: { command: "echo mine" } }],
  "shells.type": () => [{ body: { data: "mine" } }],
  "skills.change": () => [{ body: { enabled: false } }],
  "schedules.change": () => [{ body: { enabled: false } }, { body: { when: "every day at 9", action: { tell: "mine" } } }],
  "schedules.run": () => [{ body: {} }],
  "identity.put": () => [{ body: { text: "mine" } }],
  "mcp.signIn": () => [{}],
  "mcp.signOut": () => [{}],
};

/** Routes without an id: how Ben's ids could still get in, or why there is no way. Every such route has to be here. */
const WITHOUT_ID: Partial<Record<RouteName, (ben: Things) => Try[]>> = {
  "documents.list": (ben) => [{}, { query: { session: ben.session }, status: 404 }],
  "uploads.begin": () => [{ body: { name: "a.txt", size: 3 } }],
  "notifications.send": (ben) => [{ body: { message: "hello", session: ben.session }, status: 404 }],
  "named.list": () => [{}],
  "named.open": () => [{ body: { name: "mine" } }],
  "computer.exec": (ben) => [
    { body: { command: "cat private.txt", cwd: ben.folder } },
    { body: { command: "cat", secret: { name: ben.token } } },
  ],
  "schedules.list": () => [{}, { query: { q: MARK } }],
  "schedules.add": (ben) => [
    { body: { when: "every day at 9", action: { prompt: "mine" }, session: ben.session }, status: 404 },
    { body: { when: "every day at 9", action: { tell: "mine" }, deliver: { to: "session", session: ben.session } }, status: 404 },
  ],
  "schedules.preview": () => [{ body: { when: "every day at 9" } }],
  "schedules.calendar": () => [{ query: { from: "0", to: "9999999999999" } }],
  "heartbeat.get": () => [{}, { query: { read: "1" } }],
  "skills.list": () => [{}],
  "skills.make": () => [{ body: { name: "mine", description: "Mine." } }],
  "skills.add": () => [{ bytes: "mine", status: 422 }],
  "context.get": (ben) => [{}, { query: { session: ben.session }, status: 404 }, { query: { session: ben.helper }, status: 404 }],
  "identity.get": () => [{}],
  "changes.list": () => [{}],
  "memory.get": () => [{}],
  "memory.put": () => [{ body: { memory: "{}" } }],
  "memory.edit": () => [{ body: { field: "notes", value: "mine" } }],
  "memory.reset": () => [{}],
  "memory.history": () => [{}],
  "memory.search": (ben) => [{ query: { q: "private" } }, { query: { q: ben.session } }],
  "memory.sync": () => [{}],
  "memory.facts": () => [{}],
  "computer.get": () => [{}],
  "computer.reset": () => [{ body: { everything: true } }],
  "computer.start": () => [{}],
  "computer.restart": () => [{}],
  "computer.processes": () => [{}],
  "computer.test": () => [], // its own checks are about nothing but the caller's computer, and take long: computers' own tests
  "terminals.list": () => [{}],
  "terminals.make": (ben) => [{ body: { columns: 80, rows: 24, cwd: ben.folder } }],
  "tree.list": (ben) => [{}, { query: { path: ben.folder } }, { query: { path: "~/../../ben/home" } }],
  "tree.read": (ben) => ["private.txt", `${ben.folder}/private.txt`, "../../ben/home/private.txt"].map((path) => ({ query: { path } })),
  "tree.write": (ben) => [{ query: { path: `${ben.folder}/private.txt` }, bytes: "mine" }],
  "tree.change": (ben) => [
    { body: { action: "copy", path: `${ben.folder}/private.txt`, to: "copy.txt" } },
    { body: { action: "remove", path: `${ben.folder}/private.txt` } },
  ],
  "me.get": () => [{}],
  "me.leave": () => [{}],
  "tokens.list": () => [{}],
  "tokens.make": () => [{ body: { label: "mine" } }],
  "asks.list": () => [{}],
  "grants.list": () => [{}],
  "undo.list": (ben) => [{}, { query: { session: ben.session } }, { query: { session: ben.helper } }],
  "undo.newest": () => [{}],
  "files.upload": () => [{ query: { name: "a.txt" }, bytes: "mine" }],
  "sessions.list": (ben) => [{}, { query: { q: MARK } }, { query: { q: ben.session } }, { query: { q: "private" } }],
  "sessions.make": () => [{ body: { title: "mine" } }],
  "notices.stream": () => [], // followed below, while Ben speaks
  "config.schema": () => [{}],
  "models.list": () => [{}, { query: { probe: "1" } }],
  "engines.list": () => [{}],
  "tasks.list": () => [{}],
  "tasks.start": (ben) => [{ body: { text: "mine", session: ben.session }, status: 404 }, { body: { text: "mine" } }],
  "tasks.send": (ben) => [{ body: { to: ben.task, text: "mine" }, status: 404 }, { body: { to: "#private", text: "mine" } }],
  "bus.list": () => [{}],
  "a2a.answer": (ben) => [{ body: { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: ben.task } } }],
  "teams.list": () => [{}],
  "teams.run": () => [{ body: { team: "none", goal: "mine" }, status: 404 }],
  "mcp.mine": () => [{}],
  "mcp.signedIn": (ben) => [{ body: { state: ben.token, code: "x" }, status: 404 }],
  "usage.get": () => [{}, { query: { by: "session", person: "ben" } }],
  "usage.csv": () => [{}, { query: { person: "ben" } }],
  "budget.get": () => [{}, { query: { person: "ben" } }],
  "openapi.get": () => [{}],
  "letters.list": () => [{}],
  "notices.list": () => [{}],
  "notices.tell": () => [{ body: { text: "mine" } }],
  "notices.readAll": () => [{ body: {} }],
  "notices.prefer": () => [{ body: {} }],
  "commands.list": () => [{}],
  "choice.get": (ben) => [{}, { query: { session: ben.session }, status: 404 }],
  "choice.put": (ben) => [
    { body: { scope: "person", model: "builtin/rules" } },
    { body: { scope: "session", session: ben.session, model: "builtin/rules" }, status: 404 },
  ],
  "openai.models": () => [{}],
  "openai.chat": () => [{ body: { messages: [{ role: "user", content: "hello" }] } }],
  "openai.responses": (ben) => [{ body: { input: "hello", previous_response_id: `resp_${ben.session}_x` }, status: 404 }],
  "tools.serve": (ben) => [
    { body: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "read_session", arguments: { session: ben.session } } } },
  ],
  "chat.say": (ben) => [{ body: { message: "hello", conversation_id: ben.session } }],
  "status.get": () => [{}],
  "clear.do": () => [{}],
  "history.get": () => [{}],
  "conversations.list": () => [{}],
  "conversations.make": () => [{}],
};

/** Routes that answer so for any id that is not one's own, as the older interface says. */
const ALWAYS_FINE: RouteName[] = ["conversations.remove"];

const idsOf = ({ mine: _mine, folder: _folder, ...ids }: Things): string[] => Object.values(ids);

async function thingsOf(place: Place, ben: Client, mine: Client): Promise<Things> {
  const { store, home } = place.composed.steward;
  const folder = `${home}/computers/ben/home`;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/private.txt`, MARK);
  const session = await ben.call("sessions.make", { body: { title: `${MARK} title` } });
  await ben.call("sessions.say", { params: { id: session.id }, body: { parts: [{ type: "text", text: `${MARK} private` }] } });
  const ask = await eventually(async () => (await ben.call("asks.list")).asks[0]);
  const gone = await ben.call("sessions.make", { body: { title: `${MARK} gone` } });
  const file = await ben.call("files.upload", { query: { name: `${MARK}.txt` }, body: new TextEncoder().encode(MARK) });
  const upload = await ben.call("uploads.begin", { body: { name: `${MARK}.bin`, size: 10 } });
  const who = { person: "ben", role: "member", via: "page" } as const;
  const token = await makeToken(store, who, { label: MARK, now: Date.now() });
  const helper = "ses_helperofben";
  await store.commit({
    put: {
      "p/ben/grant/grt_ben": { id: "grt_ben", scope: `write:/${MARK}`, until: Date.now() + 1e6 },
      "p/ben/task/tsk_ben": {
        ...{ id: "tsk_ben", name: MARK, person: "ben", principal: who, by: "person", session: helper, root: "tsk_ben", depth: 1, hops: 0 },
        ...{ key: "k", at: 1, state: "open", upTo: 0, run: 0, told: 0 },
      } satisfies TaskDoc,
      "p/ben/bus/private/000000000001": { n: 1, at: 1, channel: "private", from: MARK, text: MARK },
      "p/ben/notice/ntc_ben": { id: "ntc_ben", text: MARK, from: MARK, at: 1, urgent: false, sent: [] },
      "p/ben/letter/dlv_ben": {
        id: "dlv_ben",
        to: { channel: "post", chat: MARK },
        at: 1,
        text: MARK,
        error: "",
        unknown: false,
        letter: {},
      },
      "p/ben/fact/fct_ben": { id: "fct_ben", text: `${MARK} fact`, at: Date.now() },
      [`p/ben/session/${helper}`]: {
        ...{ id: helper, title: `${MARK} helper`, createdAt: 1, updatedAt: 1, messages: 1, parent: session.id, agent: MARK },
      },
    },
    events: [
      { session: helper, event: { type: "session.created", person: "ben", title: MARK } },
      { session: helper, event: { type: "message.received", id: "msg_1", from: "ben", parts: [{ type: "text", text: MARK }], key: "k" } },
    ],
  });
  // Not due while the tests run, whatever the time is.
  const when = `every day at ${(new Date().getHours() + 12) % 24}:00`;
  const { schedule } = await ben.call("schedules.add", { body: { when, action: { prompt: MARK } } });
  await ben.call("memory.put", { body: { memory: JSON.stringify({ note: MARK }) } });
  const { undo } = await ben.call("sessions.remove", { params: { id: gone.id } });
  const own = await mine.call("sessions.make", { body: { title: "own" } });
  return {
    ...{
      session: session.id,
      file: file.id,
      upload: upload.id,
      ask: ask.id,
      undo,
      grant: "grt_ben",
      token: token.id,
      fact: "fct_ben",
      helper,
      schedule: schedule.id,
      letter: "dlv_ben",
      notice: "ntc_ben",
    },
    ...{ task: "tsk_ben", terminal: "trm-of-ben", folder, mine: { session: own.id } },
  };
}

/** All that is Ben's, as it is kept. */
async function everythingOf({ composed: { steward } }: Place, person: string): Promise<unknown> {
  const docs = await steward.store.list(`p/${person}/`);
  const sessions = docs.filter(({ key }) => key.startsWith(`p/${person}/session/`)).map(({ key }) => key.split("/").at(-1)!);
  const logs = await Promise.all(sessions.map((id) => steward.store.events(id)));
  const file = await readFile(`${steward.home}/computers/${person}/home/private.txt`, "utf8");
  return { file, docs: docs.filter(({ key }) => !key.includes("/use/")), logs, person: await steward.store.get(`person/${person}`) };
}

describe("one person's things and another's ids", () => {
  let place: Place;
  let ben: Client;
  const tokens: Record<string, string> = {};
  const things: Record<string, Things> = {};
  before(async () => {
    const state = { asked: false };
    place = await openPlace({
      config: { "limits.turnsEach": 50, "a2a.serve.enabled": true },
      script: () => {
        const first = !state.asked;
        state.asked = true;
        return first ? [{ do: "calls", calls: [{ tool: "ask_person", input: { question: `${MARK}?` } }] }] : [{ do: "text", text: "ok" }];
      },
    });
    for (const [person, role] of WALKERS) tokens[person] = role === "owner" ? place.gateway.localToken : await place.tokenFor(person, role);
    ben = connect({ url: place.gateway.url, token: await place.tokenFor("ben") });
    const shared = await thingsOf(place, ben, ben);
    for (const [person] of WALKERS) {
      const own = await connect({ url: place.gateway.url, token: tokens[person]! }).call("sessions.make", { body: { title: "own" } });
      things[person] = { ...shared, mine: { session: own.id } };
    }
  });
  after(async () => {
    for (const [person] of [...WALKERS, ["ben"]]) await place.composed.steward.computers.forget(person!);
    await place.close();
  });

  const send = async (person: string, { method, path }: Route, given: Try & { id?: string; accept?: string }) => {
    const search = given.query ? `?${new URLSearchParams(given.query)}` : "";
    const body = given.bytes ?? (given.body === undefined ? undefined : JSON.stringify(given.body));
    return raw(place.gateway.url, {
      method,
      path: `${path.replace(":id", given.id ?? "")}${search}`,
      headers: {
        authorization: `Bearer ${tokens[person]}`,
        accept: given.accept ?? "*/*",
        ...(given.bytes === undefined && body ? JSON_TYPE : {}),
      },
      ...(body === undefined ? {} : { body }),
    });
  };
  const tellsNothing = (where: string, text: string, sent = ""): void => {
    for (const word of [MARK, ...idsOf(things["ann"]!)])
      assert.ok(!text.includes(word) || sent.includes(word), `${where} tells of ${word}: ${text.slice(0, 300)}`);
  };

  test("S-94 every route is covered, by its id or by what its query and body could carry", () => {
    const uncovered = table.filter(([name, { right, path }]) => right === "self" && !path.includes(":id") && !WITHOUT_ID[name]);
    assert.deepEqual(
      uncovered.map(([name]) => name),
      [],
    );
    const bodiless = table.filter(([name, route]) => {
      const needed = route.body !== undefined && !route.body.safeParse({}).success;
      return route.right === "self" && route.path.includes(":id") && needed && !WITH_ID[name];
    });
    assert.deepEqual(
      bodiless.map(([name]) => name),
      [],
    );
    for (const name of [...Object.keys(WITH_ID), ...Object.keys(WITHOUT_ID)]) assert.ok(name in routes, `${name} is no route any more`);
    assert.deepEqual(
      table.filter(([, { right }]) => right === "public").map(([name]) => name),
      ["health.get", "claim.redeem", "hooks.take", "a2a.card"],
    );
  });

  for (const [person, role] of WALKERS)
    test(`S-94 routes with an id, as ${role}: each of another's ids is not found, whatever kind of thing it is`, async () => {
      const untouched = await everythingOf(place, "ben");
      for (const [name, route] of table) {
        if (route.right !== "self" || !route.path.includes(":id")) continue;
        for (const id of idsOf(things[person]!))
          for (const one of WITH_ID[name]?.(things[person]!) ?? [route.body ? { body: {} } : {}])
            for (const accept of route.raw === "events" ? ["application/json", "text/event-stream"] : ["*/*"]) {
              const { status, text } = await send(person, route, { ...one, id, accept });
              // Where there is no computer at all, that is said before anything is looked for.
              const fine =
                status === 404 || (ALWAYS_FINE.includes(name) && status === 200) || (name.startsWith("terminals.") && status === 503);
              assert.ok(fine, `${name} with ${id}: ${status} ${text.slice(0, 200)}`);
              tellsNothing(name, text, id);
            }
      }
      assert.deepEqual(await everythingOf(place, "ben"), untouched);
    });

  for (const [person, role] of WALKERS)
    test(`S-94 lists, searches and bodies, as ${role}, tell and change nothing of another's`, { timeout: 280_000 }, async () => {
      const untouched = await everythingOf(place, "ben");
      for (const [name, tries] of Object.entries(WITHOUT_ID) as [RouteName, (ben: Things) => Try[]][])
        for (const one of tries(things[person]!)) {
          const { status, text } = await send(person, routes[name], one);
          if (one.status !== undefined) assert.deepEqual([name, one, status], [name, one, one.status]);
          assert.notEqual(status, 500, `${name}: ${text}`);
          tellsNothing(name, text, JSON.stringify(one));
        }
      assert.deepEqual(await everythingOf(place, "ben"), untouched);
    });

  test("S-94 what only the owner may do is refused to members and guests, also with ids that exist", async () => {
    for (const [name, route] of table) {
      if (route.right !== "owner") continue;
      for (const person of ["ann", "gus"])
        for (const id of route.path.includes(":id") ? ["ben", things["ann"]!.token, "owner"] : [""])
          assert.deepEqual([name, (await send(person, route, { id, ...(route.body ? { body: {} } : {}) })).status], [name, 403]);
    }
    const { tokens: own } = await place.client.call("tokens.list");
    assert.ok(own.every(({ id }) => id !== things["ann"]!.token));
    const answer = await send("owner", routes["tokens.remove"], { id: things["ann"]!.token });
    assert.equal(answer.status, 404);
  });

  test("S-94 another's file can't be attached to one's own message, nor another's session be made the current one", async () => {
    const untouched = await everythingOf(place, "ben");
    for (const [person] of WALKERS) {
      const { mine, file, session } = things[person]!;
      const parts = [
        { type: "text", text: "look" },
        { type: "file", id: file },
      ];
      assert.equal((await send(person, routes["sessions.say"], { id: mine.session, body: { parts } })).status, 404);
      assert.equal((await send(person, routes["conversations.switch"], { id: session })).status, 404);
    }
    assert.deepEqual(await everythingOf(place, "ben"), untouched);
  });

  test("S-94 the chat socket never leads into another's conversation", async () => {
    const untouched = await everythingOf(place, "ben");
    for (const [person] of WALKERS) {
      const chat = await openChat(place.gateway.url, { authorization: `Bearer ${tokens[person]}` });
      for (const conversation_id of [things[person]!.session, things[person]!.helper]) {
        const from = chat.frames.length;
        chat.send({ message: "hello", conversation_id });
        const frames = await chat.until(({ type }) => type === "status_update", from);
        tellsNothing("/ws/chat", JSON.stringify(frames));
      }
      chat.socket.terminate();
    }
    assert.deepEqual(await everythingOf(place, "ben"), untouched);
  });

  test("S-94 another's terminal is not there", async () => {
    for (const [person] of WALKERS) {
      const socket = new WebSocket(`${place.gateway.url.replace("http", "ws")}/ws/terminal/${things[person]!.terminal}`, {
        headers: { authorization: `Bearer ${tokens[person]}` },
      });
      const refused = Promise.withResolvers<number>();
      socket.on("unexpected-response", (_request, response) => refused.resolve(response.statusCode ?? 0));
      socket.on("open", () => refused.resolve(101));
      socket.on("error", () => {});
      assert.ok([404, 503].includes(await refused.promise));
      socket.terminate();
    }
  });

  test("S-97 the stream of notices tells of one's own sessions only, while others speak", async () => {
    const heard: Record<string, string> = {};
    const stop = new AbortController();
    const readers = WALKERS.map(async ([person]) => {
      const response = await fetch(`${place.gateway.url}/api/stream`, {
        headers: { authorization: `Bearer ${tokens[person]}`, accept: "text/event-stream" },
        signal: stop.signal,
      });
      heard[person] = "";
      for await (const piece of response.body!) heard[person] += new TextDecoder().decode(piece);
    });
    await eventually(() => WALKERS.every(([person]) => heard[person]?.includes("event: asks")));
    const session = await ben.call("sessions.make", { body: { title: `${MARK} loud` } });
    await ben.call("sessions.say", { params: { id: session.id }, body: { parts: [{ type: "text", text: MARK }] } });
    await eventually(async () => (await place.events(session.id)).some(({ event }) => event.type === "turn.completed"));
    const own = WALKERS.map(([person]) => things[person]!.mine.session);
    for (const [n, [person]] of WALKERS.entries())
      await send(person, routes["sessions.change"], { id: own[n]!, body: { title: `told to ${person}` } });
    await eventually(() => WALKERS.every(([person], n) => heard[person]!.includes(own[n]!)));
    stop.abort();
    await Promise.allSettled(readers);
    for (const [n, [person]] of WALKERS.entries()) {
      tellsNothing("/api/stream", heard[person]!);
      for (const other of [session.id, ...own.filter((_, at) => at !== n)]) assert.ok(!heard[person]!.includes(other));
      assert.match(heard[person]!, /event: asks\ndata: \{"open":0\}/);
    }
  });

  test("S-94 a turn with another's session in its job reads nothing of it", async () => {
    const { steward } = place.composed;
    const untouched = await everythingOf(place, "ben");
    const who = { person: "ann", role: "member", via: "page" } as const;
    await steward.store.commit({ jobs: [turnJob(things["ann"]!.helper, who)] });
    await eventually(async () => (await steward.store.jobs()).due === 0 && (await steward.store.jobs()).running <= 1);
    assert.deepEqual(await everythingOf(place, "ben"), untouched);
    assert.notEqual(await currentSession(steward, who), things["ann"]!.helper);
  });

  test("S-98 cached answers, stored files and limits are each person's own", async () => {
    const { steward } = place.composed;
    steward.caches.file.set("ben\0full\0/x\0", "1", new TextEncoder().encode(MARK));
    assert.equal(steward.caches.file.get("ann\0full\0/x\0", "1"), undefined);
    const mine = await connect({ url: place.gateway.url, token: tokens["ann"]! }).call("files.upload", {
      query: { name: "mine.txt" },
      body: new TextEncoder().encode("mine"),
    });
    for (const [person, status] of [
      ["ann", 200],
      ["gus", 404],
      ["owner", 404],
    ] as const)
      assert.equal((await send(person, routes["files.get"], { id: mine.id })).status, status);
  });
});
