// The gateway's own behaviour: the table of routes and the router, requests and answers, credentials, the page, the client, its end.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { routes } from "../src/core/api.ts";
import { type Route } from "../src/core/api-shapes.ts";
import { handlers, openDoor } from "../src/gateway/door.ts";
import { makeRouter } from "../src/gateway/table.ts";
import { may } from "../src/gateway/rights.ts";
import { openGateway } from "../src/gateway/server.ts";
import { connect } from "../src/client/client.ts";
import type { StewardError } from "../src/std/error.ts";
import { openPlace, type Place, raw } from "./gateway-place.ts";

const table = Object.entries(routes) as [keyof typeof routes, Route][];

const place = await openPlace();
after(() => place.close());
const { bearer } = place;

describe("the gateway", () => {
  const get = (path: string, headers: Record<string, string> = bearer) => raw(place.gateway.url, { path, headers });
  const post = (path: string, body: unknown, headers: Record<string, string> = bearer) =>
    raw(place.gateway.url, {
      method: "POST",
      path,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });

  test("the router holds exactly the table, and OpenAPI describes exactly the router", async () => {
    const walked = makeRouter(handlers)
      .routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`)
      .sort();
    const inTable = table.map(([, { method, path }]) => `${method} ${path}`).sort();
    assert.deepEqual(walked, inTable);
    const document = (await get("/api/openapi.json")).json() as unknown as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; "x-right": string }>>;
    };
    assert.equal(document.openapi, "3.1.0");
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    assert.deepEqual(described.sort(), inTable);
    const rights = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((one) => [one.operationId, one["x-right"]]),
    );
    assert.deepEqual(Object.fromEntries(rights), Object.fromEntries(table.map(([name, { right }]) => [name, right])));
  });

  test("docs/api.md names every route", async () => {
    const text = await readFile(new URL("../docs/api.md", import.meta.url), "utf8");
    assert.deepEqual(
      table.filter(([, { method, path }]) => !text.includes(`\`${method} ${path}\``)).map(([name]) => name),
      [],
    );
  });

  test("one function decides on rights", () => {
    const who = (role: "owner" | "member" | "guest") => ({ person: "x", role, via: "token" as const });
    const asked = (right: "public" | "self" | "owner") =>
      [undefined, who("guest"), who("member"), who("owner")].map((one) => may(one, right));
    assert.deepEqual(
      [asked("public"), asked("self"), asked("owner")],
      [
        [true, true, true, true],
        [false, true, true, true],
        [false, false, false, true],
      ],
    );
  });

  test("every owner route refuses a member, every route but the public ones a stranger", async () => {
    const member = { authorization: `Bearer ${await place.tokenFor("mia")}` };
    for (const [name, { method, path, right }] of table) {
      const url = path.replace(":id", "x1");
      const stranger = await raw(place.gateway.url, { method, path: url, headers: {} });
      if (right !== "public") assert.deepEqual([name, stranger.status, stranger.headers["www-authenticate"]], [name, 401, "Bearer"]);
      if (right === "owner")
        assert.deepEqual([name, (await raw(place.gateway.url, { method, path: url, headers: member })).status], [name, 403]);
    }
  });

  test("failures have a status by their code, the older clients' detail, and a hint", async () => {
    const missing = await get("/api/sessions/ses_none");
    assert.equal(missing.status, 404);
    assert.deepEqual(missing.json(), {
      detail: "There is no session ses_none",
      error: { code: "not_found", message: "There is no session ses_none", hint: "steward sessions list shows yours." },
    });
    const unknown = await get("/nowhere");
    assert.deepEqual([unknown.status, unknown.json().detail], [404, "Not Found"]);
    const method = await raw(place.gateway.url, { method: "DELETE", path: "/api/sessions", headers: bearer });
    assert.deepEqual(
      [method.status, method.headers["allow"], method.json().detail],
      [405, "GET, HEAD, POST, OPTIONS", "Method Not Allowed"],
    );
  });

  test("a body is checked field by field", async () => {
    const missing = await post("/api/chat", {});
    assert.equal(missing.status, 422);
    assert.deepEqual(missing.json().detail, [{ type: "missing", loc: ["body", "message"], msg: "Field required" }]);
    const unknown = await post("/api/sessions", { title: "a", owner: "eve" });
    assert.deepEqual(
      [unknown.status, unknown.json().detail],
      [422, [{ type: "extra_forbidden", loc: ["body", "owner"], msg: "Unknown field" }]],
    );
    const query = await get("/api/sessions?limit=ten");
    assert.deepEqual([query.status, query.json().detail[0]?.loc], [422, ["query", "limit"]]);
    assert.equal((await get("/api/sessions?limit=1&limit=2")).status, 422);
    assert.equal((await get("/api/sessions?mystery=1")).status, 422);
    const form = await post("/api/sessions", {}, { ...bearer, "content-type": "text/plain" });
    assert.equal(form.status, 415);
  });

  test("an internal failure says nothing about the inside, and is logged", async () => {
    const broken = {
      ...place.composed.steward,
      store: { ...place.composed.steward.store, list: () => Promise.reject(new Error("secret path /root/x")) },
    };
    const lines: string[] = [];
    const door = openDoor({ ...broken, log: (_level, _message, fields) => void lines.push(JSON.stringify(fields)) }, { host: "127.0.0.1" });
    const response = await door.inside(new Request("http://steward/api/asks"), { person: "owner", role: "owner", via: "token" });
    const text = await response.text();
    door.close();
    assert.equal(response.status, 500);
    assert.ok(!text.includes("/root/x") && lines.some((line) => line.includes("secret path /root/x")), text);
  });

  test("sessions: made, renamed, said to, exported, cleared, deleted", async () => {
    const { client } = place;
    const made = await client.call("sessions.make", { body: { title: "Plans" } });
    const renamed = await client.call("sessions.change", { params: { id: made.id }, body: { title: "Big plans" } });
    assert.deepEqual({ ...renamed, updatedAt: 0, seq: 0 }, { ...made, title: "Big plans", updatedAt: 0, seq: 0 });
    await client.call("sessions.say", { params: { id: made.id }, body: { parts: [{ type: "text", text: "Hello" }], key: "once" } });
    await client.call("sessions.say", { params: { id: made.id }, body: { parts: [{ type: "text", text: "Hello" }], key: "once" } });
    const types: string[] = [];
    for await (const one of client.follow(made.id)) {
      if (!("event" in one)) continue;
      types.push(one.event.type);
      if (one.event.type === "turn.completed") break;
    }
    assert.deepEqual(types, ["session.created", "session.updated", "message.received", "turn.started", "item.completed", "turn.completed"]);
    const file = await client.call("sessions.export", { params: { id: made.id }, query: { format: "md" } });
    assert.deepEqual(
      [file.headers.get("content-disposition"), file.headers.get("content-security-policy")],
      ["attachment; filename=\"Big-plans.md\"; filename*=UTF-8''Big-plans.md", "default-src 'none'; sandbox"],
    );
    assert.match(await file.text(), /# Big plans[^]*Hello[^]*Hello\./);
    await client.call("sessions.clear", { params: { id: made.id } });
    assert.equal((await client.call("sessions.get", { params: { id: made.id } })).messages, 0);
    await client.call("sessions.remove", { params: { id: made.id } });
    await assert.rejects(
      client.call("sessions.get", { params: { id: made.id } }),
      (error: StewardError) => error.code === "not_found" && error.hint === "steward sessions list shows yours.",
    );
  });

  test("settings: one key at a time, secrets by name only", async () => {
    const { client } = place;
    assert.deepEqual(await client.call("config.change", { body: { key: "limits.rounds", value: 7 } }), { success: true, restart: false });
    const { config, origins } = await client.call("config.get");
    assert.deepEqual([config.limits.rounds, origins["limits.rounds"]], [7, "file"]);
    await client.call("config.change", { body: { key: "limits.rounds", value: null } });
    assert.equal((await client.call("config.get")).config.limits.rounds, 25);
    await assert.rejects(client.call("config.change", { body: { key: "limits.rounds", value: "many" } }), { code: "invalid" });
    assert.equal((await post("/api/config", {})).status, 405);
    const { where } = await client.call("secrets.set", { params: { id: "telegram" }, body: { value: "canary-1234567890" } });
    assert.deepEqual(
      (await client.call("secrets.list")).secrets.find(({ name }) => name === "telegram"),
      { name: "telegram", where },
    );
    await client.call("secrets.remove", { params: { id: "telegram" } });
    await assert.rejects(client.call("secrets.remove", { params: { id: "telegram" } }), { code: "not_found" });
    const probed = async (one: typeof client): Promise<unknown> => {
      const { current, providers } = await one.call("models.list", { query: { probe: "1" } });
      return [current, providers.find(({ name }) => name === "compatible")!.models];
    };
    assert.deepEqual(await probed(client), ["compatible/test-1", ["test-1", "test-2"]]);
    assert.deepEqual(await probed(connect({ url: place.gateway.url, token: await place.tokenFor("mia") })), ["compatible/test-1", []]);
    assert.ok(Array.isArray((await client.call("logs.tail", { query: { lines: "5" } })).lines));
    assert.equal(((await client.call("config.schema")) as { type: string }).type, "object");
  });

  test("files: uploaded, read back with a type from the content, too large refused", async () => {
    const { client } = place;
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
    const up = await client.call("files.upload", { query: { name: "../../evil.html" }, body: new Uint8Array(png) });
    assert.deepEqual({ ...up, id: "" }, { id: "", name: "evil.html", mime: "image/png", size: png.length });
    const back = await client.call("files.get", { params: { id: up.id } });
    assert.deepEqual([back.headers.get("content-type"), Buffer.from(await back.arrayBuffer())], ["image/png", png]);
    await client.call("config.change", { body: { key: "limits.uploadBytes", value: 10 } });
    await assert.rejects(client.call("files.upload", { query: { name: "a" }, body: new Uint8Array(png) }), { code: "limit" });
    await client.call("config.change", { body: { key: "limits.uploadBytes", value: null } });
  });

  test("me, claim link, tokens", async () => {
    const { client, gateway } = place;
    const me = await client.call("me.get");
    assert.deepEqual(
      [me.person, me.role, me.via, me.version, me.mode, me.home],
      ["owner", "owner", "token", "0.0.1-test", "full", place.home],
    );
    const { url } = await client.call("claim.make");
    assert.match(url, new RegExp(`^${gateway.url}/claim#[a-z0-9]{16}$`));
    const made = await client.call("tokens.make", { body: { label: "script" } });
    const other = connect({ url: gateway.url, token: made.token });
    assert.equal((await other.call("me.get")).person, "owner");
    const listed = (await client.call("tokens.list")).tokens.find(({ id }) => id === made.id)!;
    assert.deepEqual([listed.label, listed.role, typeof listed.usedAt], ["script", "owner", "number"]);
    await client.call("tokens.remove", { params: { id: made.id } });
    await assert.rejects(
      other.call("me.get"),
      (error: StewardError) => error.code === "denied" && (error.cause as { status: number }).status === 401,
    );
  });

  test("the door inside the process needs no port", async () => {
    const gateway = await openGateway(place.composed.steward, {});
    const response = await gateway.fetch(new Request("http://steward/api/me"));
    assert.equal(((await response.json()) as { person: string }).person, "owner");
    const said = await gateway.fetch(
      new Request("http://steward/api/chat", { method: "POST", body: '{"message":"hi"}', headers: { "content-type": "application/json" } }),
    );
    assert.equal(((await said.json()) as { response: string }).response, "Hello.");
    await gateway.close();
  });

  test("a port in use is a conflict with a way out", async () => {
    await assert.rejects(
      openGateway(place.composed.steward, { host: "127.0.0.1", port: place.gateway.port }),
      (error: StewardError) =>
        error.code === "conflict" && error.message === `Port ${place.gateway.port} is in use` && error.hint!.includes("--port"),
    );
  });

  test("server.stop stops by what main gave, and is refused without", async () => {
    await assert.rejects(place.client.call("server.stop"), { code: "unavailable" });
    const stopped = Promise.withResolvers<void>();
    const gateway = await openGateway(place.composed.steward, { stop: stopped.resolve });
    assert.equal((await gateway.fetch(new Request("http://steward/api/stop", { method: "POST" }))).status, 200);
    await stopped.promise;
    await gateway.close();
  });
});

describe("the page", () => {
  let place: Place;
  let web: string;
  before(async () => {
    web = await mkdtemp(join(tmpdir(), "steward-web-"));
    await mkdir(join(web, "assets"));
    await writeFile(join(web, "index.html"), "<!doctype html><title>Steward</title>");
    await writeFile(join(web, "assets", "main-abcdef12.js"), "export {};");
    await writeFile(join(web, "assets", "main-abcdef12.js.br"), "packed");
    for (const name of ["settings", "two-words"]) await writeFile(join(web, "assets", `page-${name}-ab-def12.js`), "export {};");
    await writeFile(join(web, "assets", "style-abcdef12.css"), "a{}");
    place = await openPlace({ web });
  });
  after(async () => {
    await place.close();
    await rm(web, { recursive: true });
  });
  const get = (path: string, headers: Record<string, string> = {}) => raw(place.gateway.url, { path, headers });

  test("each screen is index.html, to be asked about each time", async () => {
    for (const path of ["/", "/settings", "/two-words", "/claim", "/s/ses_1"]) {
      const { status, text, headers } = await get(path);
      assert.deepEqual(
        [path, status, text, headers["content-type"], headers["cache-control"]],
        [path, 200, "<!doctype html><title>Steward</title>", "text/html; charset=utf-8", "no-cache"],
      );
      assert.equal((await get(path, { "if-none-match": String(headers["etag"]) })).status, 304);
    }
    for (const path of ["/health", "/main", "/two", "/settings/x"]) assert.deepEqual([path, (await get(path)).status], [path, 404]);
  });

  test("T-041 built files are there under their names and under /static, packed when asked, and nothing else is", async () => {
    const script = await get("/assets/main-abcdef12.js");
    assert.deepEqual(
      [script.status, script.headers["content-type"], script.headers["cache-control"]],
      [200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
    );
    const packed = await get("/static/main-abcdef12.js", { "accept-encoding": "gzip, br" });
    assert.deepEqual([packed.text, packed.headers["content-encoding"]], ["packed", "br"]);
    assert.equal((await get("/static/style-abcdef12.css")).headers["content-type"], "text/css; charset=utf-8");
    for (const path of [
      "/static/../index.html",
      "/static/..%2f..%2fetc%2fpasswd",
      "/assets/%2e%2e/%2e%2e/etc/passwd",
      "/assets",
      "/assets/",
      "/static//etc/passwd",
      "/s/../../x",
      "/etc/passwd",
    ]) {
      const { status, text } = await get(path);
      assert.ok(status === 404 || text.startsWith("<!doctype html>"), `${path}: ${status}`);
      assert.ok(!text.includes("root:"), path);
    }
  });

  test("a page that is built anew is served without a restart", async () => {
    await writeFile(join(web, "assets", "main-zzzzzz99.js"), "export const a = 1;");
    await writeFile(join(web, "index.html"), "<!doctype html><title>Steward anew</title>");
    assert.match((await get("/")).text, /anew/);
    assert.equal((await get("/assets/main-zzzzzz99.js")).status, 200);
  });
});
