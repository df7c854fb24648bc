// MCP servers at an address: tokens kept, renewed and forgotten; what may be asked and what not; whose attempt it is. The reference servers beside them.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { ToolContext } from "../src/core/ports.ts";
import { openAddress } from "../src/mcp/address.ts";
import { vaultOf } from "../src/mcp/oauth.ts";
import { noLog } from "../src/std/log.ts";
import { OWNER } from "./harness.ts";
import { openMcp, reference } from "./mcp-place.ts";
import { signInServer, type SignInServer } from "./mcp-sign-in-server.ts";

const all = { config: { "mcp.tokens": 100_000 } };
const PAGE = "http://127.0.0.1:7777";
const ADA = { person: "ada", role: "member", via: "page" } as const;
const context = { principal: OWNER, signal: new AbortController().signal, output: () => {} } as Partial<ToolContext> as ToolContext;
type Place = Awaited<ReturnType<typeof openMcp>>;

async function define({ servers }: Place, name: string, server: object): Promise<void> {
  const { wants } = await servers.add(name, server);
  await servers.approve(name, { definition: wants!.hash, tools: [] });
}

/** As a browser that is sent there and comes back; what it comes back with. */
async function visited(url: string): Promise<{ state: string; code: string }> {
  const answer = await fetch(url, { redirect: "manual" });
  const back = new URL(answer.headers.get("location")!);
  assert.equal(back.origin + back.pathname, `${PAGE}/mcp-servers`);
  return Object.fromEntries(back.searchParams) as { state: string; code: string };
}

async function signIn({ servers }: Place, who: Parameters<Place["servers"]["tools"]>[0] = OWNER): Promise<void> {
  const { url } = await servers.signIn(who, "notes", { by: "browser", page: PAGE });
  await servers.signedIn(who, "browser", await visited(url!));
}

const opened = async (t: { after(run: () => Promise<void>): void }): Promise<{ place: Place; remote: SignInServer }> => {
  const [place, remote] = [await openMcp(all), await signInServer()];
  t.after(async () => {
    await place.close();
    await remote.close();
  });
  await define(place, "notes", { url: remote.url, people: ["owner", "ada"] });
  return { place, remote };
};

test("S-12 tokens are kept as secrets of one person, renewed when they end, and forgotten", async (t) => {
  const { place, remote } = await opened(t);
  const { servers, steward } = place;
  await assert.rejects(servers.test(OWNER, "notes"), { code: "denied", message: "The server notes wants you to sign in" });
  assert.ok(!remote.asked.some((one) => one.includes("register")), "nothing is registered while nobody looks");
  await signIn(place);
  const { server } = await servers.test(OWNER, "notes");
  await servers.approve("notes", { tools: server.tools.map(({ name, wants }) => ({ name, hash: wants!.hash })) });
  const [tool] = await servers.tools(OWNER);
  assert.deepEqual(await tool!.run({}, context), { output: "noted" });
  remote.expire();
  assert.deepEqual(await tool!.run({}, context), { output: "noted" });
  const secrets = await steward.secrets.names();
  assert.deepEqual(
    secrets.map((name) => name.replace(/[0-9a-f]{24}$/, "#")),
    ["mcp.notes.#"],
  );
  const kept = JSON.parse((await steward.secrets.get(secrets[0]!))!) as { tokens: { access_token: string; refresh_token: string } };
  for (const file of readdirSync(join(steward.home, ".."), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
    assert.ok(!readFileSync(join(file.parentPath, file.name)).includes(kept.tokens.refresh_token), `${file.name} holds a token`);
  assert.deepEqual(await servers.mine(ADA), [{ name: "notes", what: remote.url, signedIn: false }]);
  await assert.rejects(async () => tool!.run({}, { ...context, principal: ADA }), { code: "denied" });
  await signIn(place, ADA);
  assert.deepEqual(await tool!.run({}, { ...context, principal: ADA }), { output: "noted" });
  assert.equal((await steward.secrets.names()).length, 2);
  await servers.forget("ada");
  await servers.signOut(OWNER, "notes");
  assert.deepEqual(await steward.secrets.names(), []);
  await assert.rejects(async () => tool!.run({}, context), { code: "denied", message: "The server notes wants you to sign in" });
});

test("S-12 calls at once renew a token once; whom the authorization server has forgotten signs in as a new client", async (t) => {
  const { place, remote } = await opened(t);
  const { servers } = place;
  await signIn(place);
  const { server } = await servers.test(OWNER, "notes");
  await servers.approve("notes", { tools: server.tools.map(({ name, wants }) => ({ name, hash: wants!.hash })) });
  const [tool] = await servers.tools(OWNER);
  const asked = (): string[] => remote.asked.splice(0).filter((one) => one.startsWith("POST"));
  asked();
  remote.expire();
  const three = await Promise.all([1, 2, 3].map(() => tool!.run({}, context)));
  assert.deepEqual([three, asked()], [Array.from({ length: 3 }, () => ({ output: "noted" })), ["POST /token"]]);
  const warn = t.mock.method(console, "warn", () => {}); // the client library's own word on it
  remote.expire();
  remote.forgetClients();
  await assert.rejects(async () => tool!.run({}, context), { code: "denied", message: "The server notes wants you to sign in" });
  assert.equal(warn.mock.callCount(), 1);
  assert.deepEqual([(await servers.mine(OWNER))[0]!.signedIn, asked()], [false, ["POST /token"]]);
  await signIn(place);
  assert.deepEqual([await tool!.run({}, context), asked()], [{ output: "noted" }, ["POST /register", "POST /token"]]);
});

test("the owner signs in to what others use, so as to look at it, and does not use it", async (t) => {
  const { place, remote } = await opened(t);
  const { servers } = place;
  await servers.add("notes", { url: remote.url, people: ["ada"] }, true);
  await assert.rejects(servers.test(OWNER, "notes"), { code: "denied", message: "The server notes wants you to sign in" });
  await signIn(place);
  await place.approveAll("notes");
  const names = async (who: typeof OWNER | typeof ADA): Promise<string[]> => (await servers.tools(who)).map(({ name }) => name);
  assert.deepEqual([await names(OWNER), await names(ADA)], [[], ["notes_note"]]);
  await assert.rejects(async () => (await servers.tools(ADA))[0]!.run({}, context), { code: "not_found" });
  await servers.signOut(OWNER, "notes");
  assert.deepEqual(await servers.mine(OWNER), [{ name: "notes", what: remote.url, signedIn: false }]);
});

test("who signs out while a token is renewed stays signed out", async (t) => {
  const { place, remote } = await opened(t);
  const { servers, steward } = place;
  await signIn(place);
  const { server } = await servers.test(OWNER, "notes");
  await servers.approve("notes", { tools: server.tools.map(({ name, wants }) => ({ name, hash: wants!.hash })) });
  const [tool] = await servers.tools(OWNER);
  const held = Promise.withResolvers<void>();
  t.mock.method(console, "warn", () => {}); // the client library's own word on a renewal that was broken off
  remote.expire();
  remote.hold(held.promise);
  remote.asked.length = 0;
  const called = Promise.resolve(tool!.run({}, context)).catch(() => undefined);
  while (!remote.asked.includes("POST /token")) await pause(5);
  const { remove } = steward.secrets;
  t.mock.method(steward.secrets, "remove", async (name: string) => {
    await remove(name);
    held.resolve();
    await pause(100); // tokens that come now would be kept next
  });
  const out = servers.signOut(OWNER, "notes").then(() => "signed out");
  assert.equal(await Promise.race([out, pause(60_000, "waits", { ref: false })]), "signed out"); // nor does it wait for the renewal
  await called;
  await vaultOf(steward, { name: "notes", person: "owner", url: remote.url }).change({}); // after what waits to be written
  assert.equal((await servers.mine(OWNER))[0]!.signedIn, false);
});

/** A server with sessions, each of which shows the tool as `described` said when it began. Calls with `hold` are answered when that is said, those of sessions that it does not know as `unknown` says. */
async function sessionServer() {
  const sessions = new Map<string, string>();
  const state = {
    ...{ described: "Notes.", seen: [] as string[], held: Promise.withResolvers<void>() },
    unknown: (_id: unknown): [status: number, answer: object] => [404, {}],
  };
  const server = createServer(async (request, response) => {
    const session = String(request.headers["mcp-session-id"]);
    if (request.method === "DELETE") state.seen.push(`DELETE ${session}`);
    if (request.method !== "POST") return response.writeHead(request.method === "DELETE" && sessions.delete(session) ? 200 : 405).end();
    const { id, method, params } = (await json(request)) as { id?: number; method: string; params?: { arguments?: { hold?: boolean } } };
    if (method === "server/discover") return response.writeHead(400).end("no");
    state.seen.push(method);
    const fresh = `s${state.seen.length}`;
    if (method === "initialize") sessions.set(fresh, state.described);
    else if (!sessions.has(session)) {
      const [status, answer] = state.unknown(id);
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    }
    if (id === undefined) return response.writeHead(202).end();
    const answers: Record<string, unknown> = {
      initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "notes", version: "1" } },
      "tools/list": { tools: [{ name: "note", description: sessions.get(session), inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: "noted" }] },
    };
    if (params?.arguments?.hold) {
      state.seen.push("held");
      await state.held.promise;
    }
    const headers = { "content-type": "application/json", ...(method === "initialize" ? { "mcp-session-id": fresh } : {}) };
    response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: "2.0", id, result: answers[method] }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { state, sessions, close, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` };
}

test("a server that has ended its session is asked in a new one; one that can't be reached is shown as failed", async (t) => {
  const { state, sessions, close, url } = await sessionServer();
  const place = await openMcp(all);
  t.after(() => place.close());
  t.after(close);
  await place.add("notes", { url });
  const [tool] = await place.servers.tools(OWNER);
  assert.deepEqual(await tool!.run({}, context), { output: "noted" });
  sessions.clear();
  state.seen.length = 0;
  const three = await Promise.all([1, 2, 3].map(() => tool!.run({}, context)));
  assert.deepEqual(
    three,
    Array.from({ length: 3 }, () => ({ output: "noted" })),
  );
  assert.deepEqual([state.seen.filter((one) => one === "initialize").length, sessions.size], [1, 1]);
  const [last] = sessions.keys();
  await place.servers.test(OWNER, "notes");
  assert.ok(state.seen.includes(`DELETE ${last}`) && !sessions.has(last!), "its session is ended with it");
  const called = async (unknown: typeof state.unknown): Promise<unknown[]> => {
    Object.assign(state, { unknown, seen: [] });
    sessions.clear();
    const answer = await Promise.resolve(tool!.run({}, context)).then(
      ({ output }) => output,
      (error: Error) => error.message,
    );
    return [answer, state.seen.filter((one) => one === "tools/call").length];
  };
  const words = (id: unknown, message: string): [number, object] => [400, { jsonrpc: "2.0", id, error: { code: -32000, message } }];
  assert.deepEqual(await called(() => words(null, "Bad Request: No valid session ID provided")), ["noted", 2]);
  // What answers the call itself may have run: it is told, and not done twice.
  for (const message of ["Paid, but the session of the mail server expired", "Bad Request: No valid session ID provided"]) {
    const [error, calls] = await called((id) => words(id, message));
    assert.deepEqual([String(error).includes(message), calls], [true, 1]);
  }
  assert.deepEqual(await called(() => [404, {}]), ["noted", 1], "it was opened anew");
  // A call on a connection that another has replaced ends with the server, too.
  const slow = Promise.resolve(tool!.run({ hold: true }, context)).catch(() => "ended");
  while (!state.seen.includes("held")) await pause(5);
  sessions.clear();
  assert.deepEqual(await tool!.run({}, context), { output: "noted" });
  await place.servers.test(OWNER, "notes");
  assert.equal(await Promise.race([slow, pause(60_000, "goes on", { ref: false })]), "ended");
  close();
  await assert.rejects(async () => tool!.run({}, context), { code: "unavailable" });
  const [shown] = await place.servers.list();
  assert.deepEqual([shown!.state, /refused the connection|broke the connection off/.test(shown!.note!)], ["failed", true]);
  await assert.rejects(async () => tool!.run({}, context), {
    message: /^The server notes could not be started: .* refused the connection/,
  });
});

test("what one person is shown, and their signing out, switches nothing off for another", async (t) => {
  const { state, close, url } = await sessionServer();
  const place = await openMcp(all);
  t.after(() => place.close());
  t.after(close);
  const { servers } = place;
  const toAda = { ...context, principal: ADA };
  await place.add("notes", { url, people: ["owner", "ada"] });
  const one = async (who: typeof OWNER | typeof ADA) => (await servers.tools(who))[0];
  const described = async (): Promise<unknown[]> => [(await one(OWNER))?.description, (await one(ADA))?.description];
  state.described = "Notes of Ada.";
  const before = (await one(ADA))!;
  await assert.rejects(async () => before.run({}, toAda), { code: "denied" });
  assert.deepEqual(await described(), ["Notes.", undefined]);
  const [{ tools } = assert.fail()] = await servers.list();
  assert.deepEqual(
    tools.map(({ state: how, why }) => [how, why]),
    [["changed", "the server shows it so to ada"]],
  );
  assert.match(tools[0]!.wants!.text, /Notes of Ada\./);
  await servers.approve("notes", { tools: [{ name: "note", hash: tools[0]!.wants!.hash }] });
  assert.deepEqual(await described(), ["Notes.", "Notes of Ada."]);
  assert.deepEqual(
    [await (await one(ADA))!.run({}, toAda), await (await one(OWNER))!.run({}, context)],
    [{ output: "noted" }, { output: "noted" }],
  );
  assert.equal((await servers.list())[0]!.tools[0]!.state, "approved");
  const slow = (await one(OWNER))!.run({ hold: true }, context);
  while (!state.seen.includes("held")) await pause(5);
  await servers.signOut(ADA, "notes");
  state.held.resolve();
  assert.deepEqual(await slow, { output: "noted" });
  // What nobody is shown any more is not approved any more, once the next has been looked at.
  const approved = async (description: string, look: () => Promise<void>): Promise<void> => {
    state.described = description;
    const { server } = await servers.test(OWNER, "notes");
    await look();
    await servers.approve("notes", { tools: [{ name: "note", hash: server.tools[0]!.wants!.hash }] });
    state.described = "Notes of Ada.";
    await servers.signOut(ADA, "notes");
  };
  await place.steward.store.commit({ merge: { "mcp/notes": { listed: {} } } }); // as it was kept before
  await approved("Newer notes.", async () => {}); // what she is shown now, nobody knows
  assert.deepEqual(await before.run({}, toAda), { output: "noted" });
  assert.deepEqual(Object.keys((await place.steward.store.get("mcp/notes")) as object).toSorted(), ["definition", "tools"]);
  await approved("Other notes.", async () => assert.rejects(async () => before.run({}, toAda), { code: "denied" }));
  await assert.rejects(async () => before.run({}, toAda), { code: "denied" });
});

test("S-12 S-102 an attempt is ended once, by the person and the browser that began it", async (t) => {
  const { place } = await opened(t);
  const { servers } = place;
  const begun = await servers.signIn(OWNER, "notes", { by: "one browser", page: PAGE });
  const again = await servers.signIn(OWNER, "notes", { by: "one browser", page: PAGE });
  const [first, second] = [new URL(begun.url!).searchParams, new URL(again.url!).searchParams];
  assert.notEqual(first.get("state"), second.get("state"));
  assert.notEqual(first.get("code_challenge"), second.get("code_challenge"));
  const back = await visited(again.url!);
  await assert.rejects(servers.signedIn(OWNER, "another browser", back), { code: "not_found" });
  await assert.rejects(servers.signedIn(ADA, "one browser", back), { code: "not_found" });
  await assert.rejects(servers.signedIn(OWNER, "one browser", { ...back, state: "made up" }), { code: "not_found" });
  await servers.signedIn(OWNER, "one browser", back);
  await assert.rejects(servers.signedIn(OWNER, "one browser", back), { code: "not_found" });
  const other = await visited(begun.url!);
  await assert.rejects(servers.signedIn(OWNER, "one browser", { state: other.state, code: back.code }), { code: "unavailable" });
  await assert.rejects(servers.signIn(OWNER, "notes", { by: "x", page: undefined }), { code: "invalid" });
});

test("S-12 S-102 a server that leads elsewhere gets nobody there: no page, no code, no token", async (t) => {
  const seen: string[] = [];
  const thief = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => thief.once("listening", resolve));
  t.after(() => void thief.close());
  const there = `http://localhost:${(thief.address() as AddressInfo).port}`;
  const leads = [
    { authorize: "javascript:alert(1)" },
    { authorize: "file:///etc/passwd" },
    { authorize: `${there}/authorize` },
    { authorize: "https://evil.example/authorize" },
    { register: `${there}/register` },
    { issuer: there },
    { issuer: "https://issuer.example" },
    { moved: `${there}/mcp` },
  ];
  for (const lead of leads) {
    const [place, remote] = [await openMcp(all), await signInServer(lead)];
    await define(place, "notes", { url: remote.url });
    await assert.rejects(place.servers.signIn(OWNER, "notes", { by: "browser", page: PAGE }), JSON.stringify(lead));
    await assert.rejects(place.servers.test(OWNER, "notes"));
    assert.deepEqual(await place.steward.secrets.names().then((names) => names.filter((name) => name.includes("token"))), []);
    await Promise.all([place.close(), remote.close()]);
  }
  const [place, remote] = [await openMcp(all), await signInServer({ token: `${there}/token` })];
  t.after(async () => void (await Promise.all([place.close(), remote.close()])));
  await define(place, "notes", { url: remote.url });
  await assert.rejects(signIn(place));
  assert.deepEqual(seen, []);
});

test("S-102 what comes back from another issuer than the one that was asked is not believed", async (t) => {
  const { place, remote } = await opened(t);
  const { servers } = place;
  for (const iss of ["https://evil.example", `${remote.issuer}/other`, ""]) {
    const { url } = await servers.signIn(OWNER, "notes", { by: "browser", page: PAGE });
    const back = await visited(url!);
    const asked = remote.asked.length;
    await assert.rejects(servers.signedIn(OWNER, "browser", { ...back, iss }), iss);
    assert.deepEqual(remote.asked.slice(asked), [], "its code goes nowhere");
  }
  const { url } = await servers.signIn(OWNER, "notes", { by: "browser", page: PAGE });
  await servers.signedIn(OWNER, "browser", { ...(await visited(url!)), iss: remote.issuer });
  assert.deepEqual(
    (await servers.mine(OWNER)).map(({ signedIn }) => signedIn),
    [true],
  );
});

test("S-102 only the server's origin, its declared issuers by https, and what the owner lists", async (t) => {
  const asked: string[] = [];
  const http = createServer((request, response) => {
    asked.push(request.url!);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => http.once("listening", resolve));
  t.after(() => void http.close());
  const here = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const config = (more: object) => ({
    url: "https://mcp.example.org/mcp",
    args: [],
    env: {},
    headers: {},
    enabled: true,
    seconds: 60,
    network: true,
    ...more,
  });
  const remote = openAddress(config({}), noLog);
  const denied = { code: "denied" };
  for (const url of [
    `${here}/.well-known/oauth-authorization-server`,
    "http://auth.example.org/.well-known/oauth-authorization-server",
    "https://auth.example.org/token",
    "https://auth.example.org/.well-known/oauth-protected-resource",
    "https://169.254.169.254/.well-known/oauth-authorization-server",
    "https://10.0.0.1/.well-known/openid-configuration",
  ])
    await assert.rejects(remote.fetch(url), denied, url);
  await assert.rejects(remote.fetch("https://auth.example.org/.well-known/oauth-authorization-server", { method: "POST" }), denied);
  for (const url of [
    "javascript:alert(1)",
    "http://mcp.example.org/authorize",
    "https://other.example.org/",
    "file:///etc/passwd",
    "myapp://go",
  ])
    assert.throws(() => remote.mayVisit(new URL(url)), denied, url);
  remote.declared("https://auth.example.org/tenant");
  remote.declared("http://plain.example.org");
  remote.mayVisit(new URL("https://auth.example.org/authorize"));
  assert.throws(() => remote.mayVisit(new URL("https://plain.example.org/authorize")), denied);
  const listed = openAddress(config({ oauth: { origins: ["https://login.example.net"] } }), noLog);
  listed.mayVisit(new URL("https://login.example.net/authorize"));
  const local = openAddress(config({ url: `${here}/mcp` }), noLog);
  assert.equal((await local.fetch(`${here}/anything`)).status, 200);
  assert.deepEqual(asked, ["/anything"]);
  await Promise.all([remote.close(), listed.close(), local.close()]);
});

test("the reference servers for files and for memory", async (t) => {
  const place = await openMcp(all);
  t.after(() => place.close());
  const { workspace } = await place.steward.computer(OWNER);
  await place.add("files", reference("filesystem", workspace));
  await place.add("memory", { ...reference("memory"), env: { MEMORY_FILE_PATH: join(workspace, "memory.jsonl") } });
  const tools = new Map((await place.servers.tools(OWNER)).map((tool) => [tool.name, tool]));
  const run = async (name: string, input: unknown): Promise<unknown> => (await tools.get(name)!.run(input, context)).output;
  assert.deepEqual([tools.get("files_read_text_file")!.effect, tools.get("files_write_file")!.effect], ["read", "send"]);
  await run("files_write_file", { path: join(workspace, "a.txt"), content: "hello" });
  assert.equal(readFileSync(join(workspace, "a.txt"), "utf8"), "hello");
  assert.deepEqual(await run("files_read_text_file", { path: join(workspace, "a.txt") }), { text: "hello", data: { content: "hello" } });
  const outside = await tools.get("files_read_text_file")!.run({ path: "/etc/passwd" }, context);
  assert.match(outside.error!, /Access denied/);
  await run("memory_create_entities", { entities: [{ name: "Ada", entityType: "person", observations: ["likes tea"] }] });
  assert.match(JSON.stringify(await run("memory_search_nodes", { query: "tea" })), /Ada/);
});
