// Programs and providers that mean harm: what they send at the doors, and what never comes through.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import { readBody } from "../src/doors/body.ts";
import { estimate } from "../src/doors/policy.ts";
import { openReader } from "../src/doors/usage.ts";
import type { OpenDoors } from "../src/run/doors.ts";
import { messageOf } from "../src/std/error.ts";
import { ask, CANARY, type DoorsPlace, MEMBER, within } from "./doors-place.ts";

const QUESTION = { model: "x", max_tokens: 10, messages: [{ role: "user", content: "hi" }] };

const withDoors = (use: (place: DoorsPlace, doors: OpenDoors) => Promise<void>): Promise<void> =>
  within(async (place) => use(place, await place.open()));

/** What comes back for these bytes until the door closes. */
function raw(doors: OpenDoors, text: string | Buffer): Promise<string> {
  const { port } = new URL(doors.models.anthropic);
  return new Promise((resolve) => {
    let got = "";
    const socket = connect(Number(port), "127.0.0.1", () => void socket.write(text));
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got);
    };
    const timer = setTimeout(done, 60_000);
    socket.setEncoding("latin1").on("data", (piece: string) => (got += piece));
    socket.on("end", done).on("error", done).on("close", done);
  });
}
const head = (doors: OpenDoors, line: string, more: string[] = []): string =>
  [line, `Host: ${new URL(doors.models.anthropic).host}`, `x-api-key: ${doors.key}`, "Connection: close", ...more, "", ""].join("\r\n");
const status = (answer: string): string => /^HTTP\/1.1 (\d+)/.exec(answer)?.[1] ?? "none";

test("without a key, with a made-up one, with two, with another turn's after its end: nothing", () =>
  withDoors(async (place, doors) => {
    const other = await place.open({ turn: "trn_2" });
    await other.close();
    const body = JSON.stringify(QUESTION);
    const tries: Record<string, string>[] = [
      {},
      { "x-api-key": "" },
      { "x-api-key": "sk-steward-" + "A".repeat(48) },
      { "x-api-key": doors.key.slice(0, -1) },
      { "x-api-key": `${doors.key} x` },
      { "x-api-key": other.key },
      { authorization: `Basic ${doors.key}` },
      { authorization: `Bearer ${other.key}`, "x-api-key": doors.key },
      { "x-api-key": "k".repeat(5000) },
      { cookie: `key=${doors.key}` },
    ];
    for (const headers of tries)
      for (const path of ["/v1/messages", "/v1/chat/completions", "/v1/models", "/mcp"]) {
        const answer = await fetch(doors.models.anthropic + path, {
          method: path === "/v1/models" ? "GET" : "POST",
          headers,
          ...(path === "/v1/models" ? {} : { body }),
        });
        assert.deepEqual([path, answer.status], [path, 401]);
        await answer.text();
      }
    assert.deepEqual([place.server.requests.length, place.server.others.length, place.reserved.length, place.calls.length], [0, 0, 0, 0]);
    const again = new Set([doors.key, (await place.open()).key, (await place.open({ principal: MEMBER })).key]);
    assert.equal(again.size, 3);
  }));

test("DNS rebinding and web pages: another Host, any Origin, are refused before the key is looked at", () =>
  withDoors(async (place, doors) => {
    const { host, port } = new URL(doors.models.anthropic);
    const one = (headers: string[]): Promise<string> =>
      raw(doors, ["GET /v1/models HTTP/1.1", ...headers, `x-api-key: ${doors.key}`, "Connection: close", "", ""].join("\r\n"));
    assert.equal(status(await one([`Host: ${host}`])), "200");
    for (const name of [`evil.test:${port}`, "127.0.0.1", `127.0.0.1.evil.test:${port}`, `engine.steward`, `[::1]:${port}`, ""])
      assert.equal(status(await one([`Host: ${name}`])), "403");
    assert.equal(status(await one([`Host: ${host}`, "Origin: null"])), "403");
    assert.equal(status(await one([`Host: ${host}`, `Origin: http://${host}`])), "403");
    assert.equal(status(await one([`Host: ${host}`, "Host: evil.test"])), "403");
    assert.equal(place.server.others.length, 0);
  }));

test("a path is what it is spelled, and nothing of it reaches the provider", () =>
  withDoors(async (place, doors) => {
    const length = Buffer.byteLength(JSON.stringify(QUESTION));
    const post = (target: string): Promise<string> =>
      raw(doors, head(doors, `POST ${target} HTTP/1.1`, [`Content-Length: ${length}`]) + JSON.stringify(QUESTION));
    for (const target of [
      ...["//v1/messages", "/v1//messages", "/v1/messages/", "/V1/messages", "/v1/./messages", "/v1/x/../messages", "/v1/%6dessages"],
      ...["/v1/messages%2f..%2ffiles", "/v1/messages/batches", "/v1/files", "/v1/embeddings", "/v1/images/generations", "/v1/responses/x"],
      ...["http://evil.test/v1/messages", "*", "/v1/messages;x", "/v1/organizations/usage_report/messages", "/api/chat", "/"],
    ])
      assert.deepEqual([target, status(await post(target))], [target, "404"]);
    assert.equal(status(await raw(doors, head(doors, "CONNECT evil.test:443 HTTP/1.1"))), "none");
    for (const method of ["GET", "PUT", "DELETE", "OPTIONS"])
      assert.equal(status(await raw(doors, head(doors, `${method} /v1/messages HTTP/1.1`))), "404");
    assert.deepEqual([place.server.requests.length, place.server.others.length], [0, 0]);
    assert.equal(status(await post("/v1/messages?beta=true&url=http://evil.test")), "200");
    assert.equal(place.server.requests[0]!.path, "/v1/messages");
  }));

test("of headers only those on the list pass, either way; two meanings in one request are none", () =>
  withDoors(async (place, doors) => {
    place.server.script([{ do: "text", text: "Hi" }]);
    await ask(doors, QUESTION, {
      headers: {
        cookie: "a=b",
        "x-forwarded-for": "1.2.3.4",
        "x-stainless-os": "Linux",
        "anthropic-beta": "tools-1",
        "user-agent": "evil",
        "x-base-url": "http://evil.test",
      },
    });
    const { headers } = place.server.requests[0]!;
    const kept = Object.keys(headers).filter((name) => !/^(host|connection|content-length|accept-\w+|sec-fetch-mode)$/.test(name));
    assert.deepEqual(kept.sort(), ["accept", "anthropic-beta", "anthropic-version", "content-type", "user-agent", "x-api-key"]);
    assert.deepEqual([headers["user-agent"], headers["anthropic-beta"], headers["x-api-key"]], ["steward", "tools-1", CANARY]);
    const body = JSON.stringify(QUESTION);
    const odd = (more: string[]): Promise<string> => raw(doors, head(doors, "POST /v1/messages HTTP/1.1", more) + body);
    const length = `Content-Length: ${body.length}`;
    for (const more of [
      [length, "Transfer-Encoding: chunked"],
      [length, "Content-Length: 5"],
      ["Transfer-Encoding: chunked, identity"],
      [length, "X: a\x00b"],
    ])
      assert.deepEqual([more, status(await odd(more))], [more, "400"]);
    assert.equal(status(await odd([length, "Content-Encoding: gzip"])), "400");
    assert.equal(place.server.requests.length, 1);
  }));

test("huge, slow and broken requests end soon", () =>
  withDoors(async (place, doors) => {
    const big = `{"messages":"${"x".repeat(1000)}`;
    assert.equal(status(await raw(doors, head(doors, "POST /v1/messages HTTP/1.1", [`Content-Length: ${64 * 1024 ** 2}`]) + big)), "413");
    const chunk = `${(1024 ** 2).toString(16)}\r\n${"x".repeat(1024 ** 2)}\r\n`;
    const endless = Buffer.from(head(doors, "POST /mcp HTTP/1.1", ["Transfer-Encoding: chunked"]) + chunk.repeat(10));
    assert.equal(status(await raw(doors, endless)), "413");
    assert.equal(status(await raw(doors, head(doors, "POST /mcp HTTP/1.1", [`Content-Length: ${64 * 1024 ** 2}`]) + big)), "413");
    for (const text of ["", "{", "[]", "null", '"x"', "\u0000", "[".repeat(100_000)]) {
      const answer = await fetch(`${doors.models.anthropic}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": doors.key },
        body: text,
      });
      assert.deepEqual([text.slice(0, 5), answer.status], [text.slice(0, 5), 400]);
      await answer.text();
    }
    assert.equal(place.server.requests.length, 0);
    assert.equal(doors.fault(), undefined);
  }));

test("a body that trickles is given up", async () => {
  const seen = Promise.withResolvers<string>();
  const server = createServer(
    (req) => void readBody(req, { idleMs: 100, totalMs: 300 }).catch((error: unknown) => seen.resolve(messageOf(error))),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect(
    (server.address() as AddressInfo).port,
    "127.0.0.1",
    () => void socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"),
  );
  socket.on("error", () => undefined);
  const trickle = setInterval(() => socket.write("x"), 20);
  assert.equal(await seen.promise, "The request came too slowly.");
  clearInterval(trickle);
  socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("what would reach further than an answer is refused or left out", () =>
  withDoors(async (place, doors) => {
    const refused = async (more: object, path = "/v1/messages"): Promise<number> =>
      (await ask(doors, { ...QUESTION, ...more }, { path })).status;
    const user = (part: object) => ({ messages: [{ role: "user", content: [part] }] });
    assert.equal(await refused({ tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }), 400);
    assert.equal(await refused({ tools: [{ type: "code_execution_20250825", name: "code" }] }), 400);
    assert.equal(await refused({ tools: [{ type: "mcp", server_url: "http://evil.test" }] }, "/v1/responses"), 400);
    assert.equal(await refused({ previous_response_id: "resp_1" }, "/v1/responses"), 400);
    assert.equal(await refused(user({ type: "image", source: { type: "url", url: "http://evil.test/?secret" } })), 400);
    assert.equal(
      await refused(
        user({ type: "tool_result", tool_use_id: "x", content: [{ type: "image", source: { type: "url", url: "http://e.test" } }] }),
      ),
      400,
    );
    assert.equal(await refused(user({ type: "image_url", image_url: { url: "http://evil.test/?secret" } }), "/v1/chat/completions"), 400);
    assert.equal(
      await refused({ input: [{ role: "user", content: [{ type: "input_image", image_url: "http://e.test" }] }] }, "/v1/responses"),
      400,
    );
    assert.equal(place.server.requests.length, 0);
    const look = { name: "look", input_schema: { type: "object" } };
    const search = { type: "web_search_20250305", name: "web_search" };
    const tools = [search, { type: "web_fetch_20250910", name: "web_fetch" }, look];
    await ask(doors, { ...QUESTION, tools });
    assert.deepEqual(place.server.requests.pop()!.body.tools, [{ ...search, max_uses: 8 }, look]);
    place.steward.settings.set("doors.search", false);
    await ask(doors, { ...QUESTION, tools });
    assert.deepEqual(place.server.requests.pop()!.body.tools, [look]);
    assert.equal(await refused({ tools: [search] }), 400);
    await ask(doors, { ...QUESTION, mcp_servers: [{ url: "http://evil.test" }], service_tier: "priority", metadata: { user_id: "me" } });
    assert.deepEqual(Object.keys(place.server.requests[0]!.body).sort(), ["max_tokens", "messages", "model"]);
  }));

test("a provider that sends garbage or without end is a fault, and the door lives on", () =>
  withDoors(async (place, doors) => {
    const turns: [string, Parameters<typeof place.server.script>[0]][] = [
      ["random bytes", [{ do: "bytes", bytes: Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 37) % 256)) }, { do: "end" }]],
      ["half events", [{ do: "bytes", bytes: 'data: {"usage": \n\ndata: {{{\n\ndata: {"error"' }, { do: "end" }]],
      [
        "odd usage",
        [{ do: "bytes", bytes: 'data: {"type":"message_delta","usage":{"output_tokens":-5,"input_tokens":"many"}}\n\n' }, { do: "end" }],
      ],
      ["without end", [{ do: "flood" }]],
    ];
    for (const [name, script] of turns) {
      place.server.script(script);
      const own = await place.open({ turn: name });
      await ask(own, { ...QUESTION, stream: true })
        .then((answer) => answer.text())
        .catch(() => undefined);
      assert.deepEqual([name, own.fault()?.code], [name, "unavailable"]);
      const { input, output } = own.used();
      assert.equal(Number.isFinite(input + output) && input >= 0 && output >= 0, true);
      await own.close();
    }
    place.server.script([{ do: "text", text: "Hi" }]);
    assert.equal((await ask(doors, QUESTION)).status, 200);
  }));

test("the provider's key is seen nowhere but at the provider", () =>
  withDoors(async (place, doors) => {
    const seen: string[] = [JSON.stringify(doors.env), doors.key, JSON.stringify(doors.tools)];
    const echo = {
      message: `Incorrect key ${CANARY}, Bearer ${CANARY}, ${Buffer.from(CANARY).toString("base64")}`,
      headers: { "x-request-id": "r", "set-cookie": CANARY, location: CANARY },
    };
    for (const status of [400, 401, 403, 404, 429, 500])
      for (const stream of [true, false]) {
        place.server.script([{ do: "status", status, code: "invalid_request_error", ...echo }]);
        const own = await place.open({ turn: `${status}` });
        const answer = await ask(own, { ...QUESTION, stream });
        seen.push(await answer.text(), JSON.stringify([...answer.headers]), JSON.stringify(own.fault()));
      }
    place.server.script([{ do: "text", text: "Hi" }]);
    const good = await ask(doors, QUESTION);
    seen.push(await good.text(), JSON.stringify([...good.headers]));
    assert.deepEqual(
      seen.filter((text) => text.includes("CANARY") || text.includes(Buffer.from(CANARY).toString("base64"))),
      [],
    );
  }));

test("reading along and counting take time by length only, whatever the bytes are", () => {
  const began = process.cpuUsage();
  const parts = Array.from({ length: 20_000 }, () => ({ type: "text", text: "x" }));
  assert.equal(estimate(1_000_000, { messages: [{ role: "user", content: parts }] }), Math.ceil(1_000_000 / 3.5));
  const reader = openReader(true);
  for (let at = 0; at < 400; at++) reader.read(Buffer.alloc(65_536, "a"));
  assert.deepEqual(reader.end(), { pieces: 0, whole: false });
  const { user } = process.cpuUsage(began);
  assert.ok(user < 3_000_000, `${user} µs`);
});
