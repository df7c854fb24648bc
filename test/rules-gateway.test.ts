// The security rules that the gateway is about, one test each by its name.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type RouteName, routes } from "../src/core/api.ts";
import { type Route } from "../src/core/api-shapes.ts";
import { digestOf, sameDigest } from "../src/gateway/credentials.ts";
import { fileHeaders } from "../src/gateway/headers.ts";
import { openTries } from "../src/gateway/tries.ts";
import { connect } from "../src/client/client.ts";
import { bytes, openChat, openPlace, raw, signIn } from "./gateway-place.ts";
import { leastOf } from "./took.ts";

const JSON_TYPE = { "content-type": "application/json" };
const table = Object.entries(routes) as [RouteName, Route][];

const place = await openPlace({ config: { "server.origins": ["http://localhost:3000"], "server.hosts": ["steward.lan"] } });
after(() => place.close());
const { bearer } = place;
const { url } = place.gateway;

describe("rules of the gateway", () => {
  const claim = async (): Promise<string> => (await place.gateway.claimLink()).split("#")[1]!;
  const redeem = (code: string, headers: Record<string, string> = {}) =>
    raw(url, { method: "POST", path: "/api/claim", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify({ code }) });

  test("S-07 revoking a token closes its sockets and streams within 2 s, also when another process did it", async () => {
    const { store } = place.composed.steward;
    const revoked = async (way: string): Promise<number> => {
      const made = await place.client.call("tokens.make", { body: { label: way } });
      const { socket } = await openChat(url, { authorization: `Bearer ${made.token}` });
      const session = await place.client.call("sessions.make", { body: {} });
      const follow = (path: string) =>
        fetch(url + path, { headers: { authorization: `Bearer ${made.token}`, accept: "text/event-stream" } });
      const [stream, notices] = await Promise.all([follow(`/api/sessions/${session.id}/events`), follow("/api/stream")]);
      const gone = once(socket, "close");
      const at = Date.now();
      if (way === "route") await place.client.call("tokens.remove", { params: { id: made.id } });
      else await store.commit({ drop: [`auth/token/${digestOf("token", made.token)}`] });
      assert.equal((await gone)[0], 4001);
      assert.match(await stream.text(), /event: notice\ndata: \{"type":"ended","reason":"revoked"\}/);
      assert.match(await notices.text(), /"reason":"revoked"/);
      return Date.now() - at;
    };
    for (const way of ["route", "store"]) assert.ok((await leastOf(2000, () => revoked(way))) < 2000, way);
  });

  test("S-08 a revoked token stops at the next request, a revoked socket at the next message", async () => {
    const made = await place.client.call("tokens.make", { body: { label: "brief" } });
    const headers = { authorization: `Bearer ${made.token}` };
    assert.equal((await raw(url, { path: "/api/me", headers })).status, 200);
    const chat = await openChat(url, headers);
    const closed = once(chat.socket, "close");
    await place.composed.steward.store.commit({ drop: [`auth/token/${digestOf("token", made.token)}`] });
    chat.send({ message: "still there?" });
    assert.equal((await raw(url, { path: "/api/me", headers })).status, 401);
    assert.equal((await closed)[0], 4001);
    assert.ok(!chat.frames.some(({ type }) => type === "status"));
  });

  test("S-09 there is no signing key to be weak: secrets are 256 random bits, kept as digests only", async () => {
    const made = await place.client.call("tokens.make", { body: { label: "strong" } });
    assert.match(made.token, /^stw_[\w-]{43}$/);
    const { cookie, "x-steward-proof": proof } = await signIn(place);
    assert.match(cookie, /^steward-\d+=[\w-]{43}$/);
    assert.match(proof, /^[\w-]{43}$/);
    const everything = JSON.stringify(await place.composed.steward.store.list("auth/"));
    assert.ok([made.token, cookie.split("=")[1]!, proof].every((secret) => !everything.includes(secret)));
    await place.client.call("tokens.remove", { params: { id: made.id } });
  });

  test("S-10 digests are of one length, one purpose each", () => {
    assert.notEqual(digestOf("token", "x"), digestOf("cookie", "x"));
    assert.equal(digestOf("token", "").length, digestOf("token", "a".repeat(999)).length);
    assert.deepEqual(
      [
        sameDigest(digestOf("claim", "a"), digestOf("claim", "a")),
        sameDigest(digestOf("claim", "a"), digestOf("claim", "b")),
        sameDigest("a", "ab"),
      ],
      [true, false, false],
    );
  });

  test("S-10 a cookie of the same name that another port set does not shut the owner out, and is none itself", async () => {
    const { cookie: own, ...proof } = await signIn(place);
    const tossed = `${own.split("=")[0]}=tossed`;
    const status = async (header: string) => (await raw(url, { path: "/api/me", headers: { cookie: header, ...proof } })).status;
    assert.deepEqual(
      await Promise.all([`${tossed}; ${own}`, `${own}; ${tossed}`, tossed, `${tossed}; ${tossed}`].map(status)),
      [200, 200, 401, 401],
    );
  });

  test("S-10 a cookie is no bearer token, a token no cookie, a proof neither, and one browser's proof not another's", async () => {
    const [one, two] = [await signIn(place), await signIn(place)];
    const cookieOf = (value: string) => ({ cookie: `steward-${place.gateway.port}=${value}` });
    const proof = { "x-steward-proof": one["x-steward-proof"] };
    const tries: Record<string, string>[] = [
      { authorization: `Bearer ${one.cookie.split("=")[1]!}` },
      { authorization: `Bearer ${one["x-steward-proof"]}` },
      { ...cookieOf(place.gateway.localToken), ...proof },
      { ...cookieOf(one["x-steward-proof"]), ...proof },
      { cookie: two.cookie, ...proof },
      { cookie: one.cookie, "x-steward-proof": one.cookie.split("=")[1]! },
      proof,
    ];
    for (const headers of tries) assert.deepEqual([headers, (await raw(url, { path: "/api/me", headers })).status], [headers, 401]);
    assert.equal((await raw(url, { path: "/api/me", headers: one })).status, 200);
  });

  test("S-15 rights come from records: what a request claims about itself changes nothing", async () => {
    const member = { authorization: `Bearer ${await place.tokenFor("mia")}` };
    const claims = { ...member, "x-role": "owner", "x-person": "owner", "x-forwarded-user": "owner" };
    assert.equal((await raw(url, { path: "/api/config", headers: claims })).status, 403);
    const me = (await raw(url, { path: "/api/me", headers: claims })).json();
    assert.deepEqual([me.person, me.role], ["mia", "member"]);
    assert.equal((await raw(url, { path: "/api/me?role=owner", headers: member })).status, 422);
    assert.equal(
      (
        await raw(url, {
          method: "POST",
          path: "/api/sessions",
          headers: { ...member, ...JSON_TYPE },
          body: '{"person":"owner","role":"owner"}',
        })
      ).status,
      422,
    );
  });

  test("S-16 a token has the rights of whose it is, and makes no other, but for an owner", async () => {
    const made = await place.client.call("tokens.make", { body: { label: "same" } });
    assert.equal((await place.client.call("tokens.list")).tokens.find(({ id }) => id === made.id)!.role, "owner");
    assert.equal(
      (await raw(url, { method: "POST", path: "/api/tokens", headers: { ...bearer, ...JSON_TYPE }, body: '{"label":"x","role":"owner"}' }))
        .status,
      422,
    );
    const member = connect({ url, token: await place.tokenFor("mia") });
    await assert.rejects(member.call("tokens.make", { body: { label: "x" } }), { code: "denied" });
    await place.client.call("tokens.remove", { params: { id: made.id } });
  });

  test("S-17 each route has a right, and the same one at every door", async () => {
    for (const [name, { right, method, path }] of table) {
      assert.ok(["public", "self", "owner"].includes(right), name);
      if (right !== "owner") continue;
      const inside = await place.gateway.fetch(new Request(`http://steward${path.replace(":id", "x")}`, { method }), {
        person: "mia",
        role: "member",
        via: "token",
      });
      assert.deepEqual([name, inside.status], [name, 403]);
    }
  });

  test("S-14 there is no second factor to replace; a one-time code is good once, in whatever blanks or letters it is written", async () => {
    const code = await claim();
    assert.equal((await redeem(` ${code}\n`)).status, 200);
    for (const form of [code, `${code} `, `\t${code}`, code.toUpperCase(), ` ${code.toUpperCase()} `, code.replace(/(.{4})/g, "$1-")])
      assert.equal((await redeem(form)).status, 403, JSON.stringify(form));
    for (const name of Object.keys(routes)) assert.doesNotMatch(name, /totp|2fa|factor|recovery|otp/i);
  });

  test("S-23 a claim code has 82 bits, works once also in parallel, for ten minutes, and is void after five wrong tries", async () => {
    const code = await claim();
    assert.match(code, /^[a-z0-9]{16}$/);
    const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(code)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403, 403, 403, 403, 403, 403, 403]);
    assert.match(
      String(answers.find(({ status }) => status === 200)!.headers["set-cookie"]),
      /^steward-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=2592000$/,
    );
    const late = await openPlace({ now: () => clock.now });
    try {
      const lateCode = (await late.gateway.claimLink()).split("#")[1]!;
      clock.now += 600_001;
      assert.equal(
        (await raw(late.gateway.url, { method: "POST", path: "/api/claim", headers: JSON_TYPE, body: JSON.stringify({ code: lateCode }) }))
          .status,
        403,
      );
      const voided = (await late.gateway.claimLink()).split("#")[1]!;
      const wrong = (guess: string) =>
        raw(late.gateway.url, { method: "POST", path: "/api/claim", headers: JSON_TYPE, body: JSON.stringify({ code: guess }) });
      assert.deepEqual(
        (await Promise.all(["a", "b", "c", "d", "e"].map(wrong))).map(({ status }) => status),
        [403, 403, 403, 403, 403],
      );
      const { status, text } = await wrong(voided);
      assert.deepEqual([status, JSON.parse(text).error.message], [403, "There were too many wrong tries, so every open link is void"]);
      assert.equal((await wrong((await late.gateway.claimLink()).split("#")[1]!)).status, 200);
    } finally {
      await late.close();
    }
  });
  const clock = { now: Date.now() };

  test("S-25 no lasting credential is in a link", async () => {
    const link = await place.gateway.claimLink();
    assert.ok(!link.includes(place.gateway.localToken) && !link.includes("stw_") && !link.includes("?"));
  });

  /** A thousand that do not go on; how long others waited for an answer meanwhile, and those for their end. */
  const halfOpen = async (): Promise<[served: number, over: number]> => {
    const began = Date.now();
    const silent = Array.from({ length: 500 }, () => connectSocket(place.gateway.port, "127.0.0.1"));
    const slow = Array.from({ length: 500 }, () => {
      const socket = connectSocket(place.gateway.port, "127.0.0.1");
      socket.write("GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
      return socket;
    });
    const told = new Map<Socket, string>();
    const gone = [...silent, ...slow].map((socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => void told.set(socket, (told.get(socket) ?? "") + String(data)));
      return once(socket, "close").catch(() => {});
    });
    const at = Date.now();
    assert.equal((await raw(url, { path: "/api/health" })).status, 200);
    assert.equal((await place.client.call("me.get")).person, "owner");
    const served = Date.now() - at;
    await Promise.all(gone);
    const over = Date.now() - began;
    const [unasked, late] = [silent, slow].map((sockets) => [
      ...new Set(sockets.flatMap((socket) => told.get(socket)?.split("\r\n")[0] ?? [])),
    ]);
    assert.deepEqual(unasked, [], "a browser would take it for the answer to what it asks at that moment");
    assert.deepEqual(late, ["HTTP/1.1 408 Request Timeout"]);
    assert.equal((await raw(url, { path: "/api/health" })).status, 200);
    return [served, over];
  };
  test("S-79 half-open connections and slow headers die in about 5 s while others are served", { timeout: 280_000 }, async () => {
    const took = { served: Infinity, over: Infinity };
    for (let tries = 0; tries < 5 && (took.served >= 1500 || took.over >= 9000); tries++) {
      const [served, over] = await halfOpen();
      Object.assign(took, { served: Math.min(took.served, served), over: Math.min(took.over, over) });
    }
    assert.ok(took.served < 1500, `served after ${took.served} ms`);
    assert.ok(took.over < 9000, `${took.over} ms`);
  });

  test("S-79 bodies of strangers end at 16 KiB, headers at their number and size", async () => {
    const body = JSON.stringify({ code: "x".repeat(20_000) });
    assert.equal((await raw(url, { method: "POST", path: "/api/claim", headers: JSON_TYPE, body })).status, 413);
    assert.match(await bytes(url, `GET /api/health HTTP/1.1\r\nHost: localhost\r\n${"X-A: b\r\n".repeat(5000)}\r\n`), /^HTTP\/1.1 4\d\d /);
  });

  test("S-80 a body is refused by its declared and by its real size", async () => {
    const huge = JSON.stringify({ message: "x".repeat(1_100_000) });
    const declared = await raw(url, {
      method: "POST",
      path: "/api/chat",
      headers: { ...bearer, ...JSON_TYPE, "content-length": String(huge.length) },
      body: huge,
    });
    assert.equal(declared.status, 413);
    const chunked = await raw(url, {
      method: "POST",
      path: "/api/chat",
      headers: { ...bearer, ...JSON_TYPE, "transfer-encoding": "chunked" },
      body: huge,
    });
    assert.deepEqual([chunked.status, chunked.json().error.code], [413, "limit"]);
    const chat = await openChat(url, bearer);
    const closed = once(chat.socket, "close");
    chat.send({ message: "x".repeat(1_100_000) });
    assert.equal((await closed)[0], 1009);
  });

  test("S-81 failures are counted as they come in, per address, and never lock out a right credential", async () => {
    const tries = openTries(() => 1000, { limit: 20, windowMs: 60_000 });
    assert.deepEqual(
      Array.from({ length: 22 }, () => tries.count("a")).filter((at) => at !== undefined),
      [61_000, 61_000],
    );
    assert.deepEqual([tries.over("a"), tries.over("b")], [true, false]);
    const other = await openPlace();
    try {
      const guess = (index: number) => raw(other.gateway.url, { path: "/api/me", headers: { authorization: `Bearer stw_${index}` } });
      const statuses = (await Promise.all(Array.from({ length: 30 }, (_, index) => guess(index)))).map(({ status }) => status);
      assert.deepEqual([statuses.filter((status) => status === 401).length, statuses.filter((status) => status === 429).length], [20, 10]);
      assert.equal(Number((await guess(99)).headers["retry-after"]) > 0, true);
      assert.equal((await other.client.call("me.get")).person, "owner");
    } finally {
      await other.close();
    }
  });

  test("S-85 no stored secret comes out of any route", async () => {
    const canary = "canary-8f1c2d-not-to-be-seen";
    const { client, composed } = place;
    await client.call("secrets.set", { params: { id: "telegram" }, body: { value: canary } });
    await client.call("apikey.set", { body: { api_key: `${canary}-key` } });
    composed.steward.settings.set("providers.other", {
      kind: "compatible",
      baseUrl: "http://127.0.0.1:1",
      key: canary,
      headers: { Authorization: canary },
    });
    const session = await client.call("sessions.make", { body: {} });
    for (const [name, { method, path }] of table) {
      if (method !== "GET" || ["notices.stream", "models.list"].includes(name)) continue;
      const { text } = await raw(url, { path: path.replace(":id", session.id), headers: bearer });
      assert.ok(!text.includes(canary), name);
    }
    assert.ok(!(await readFile(join(place.home, "logs", "steward.log"), "utf8")).includes(canary));
    assert.deepEqual((await raw(url, { path: "/api/api-key/status", headers: bearer })).json(), {
      configured: true,
      key_prefix: "canary-8f1...",
    });
    composed.steward.settings.set("providers.other", undefined);
    await client.call("secrets.remove", { params: { id: "telegram" } });
    await client.call("secrets.remove", { params: { id: "kimi-code" } });
  });

  test("S-88 a stranger sees the page and one bit of health, nothing else", async () => {
    assert.equal((await raw(url, { path: "/api/health" })).text, '{"status":"ok"}');
    assert.equal((await raw(url, { path: "/api/health", headers: { authorization: "Bearer stw_wrong" } })).text, '{"status":"ok"}');
    for (const path of ["/api/openapi.json", "/api/config/schema", "/api/me", "/api/models", "/api/nothing"]) {
      const { text, headers } = await raw(url, { path });
      assert.ok(!/version|0\.0\.1|compatible|owner|model/i.test(text), `${path}: ${text}`);
      assert.equal(headers["server"] ?? headers["x-powered-by"], undefined);
    }
  });

  test("S-89 a token in a query string is none", async () => {
    for (const name of ["token", "access_token", "authorization", "key"])
      assert.equal((await raw(url, { path: `/api/me?${name}=${place.gateway.localToken}` })).status, 401);
    assert.match(
      await bytes(
        url,
        `GET /ws/chat?token=${place.gateway.localToken} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      ),
      /^HTTP\/1.1 401 /,
    );
  });

  test("S-90 every answer carries the strict policy, errors and refusals too", async () => {
    const csp =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    const answers = await Promise.all([
      raw(url, {}),
      raw(url, { path: "/api/me", headers: bearer }),
      raw(url, { path: "/api/me" }),
      raw(url, { path: "/nowhere" }),
      raw(url, { path: "/", headers: { host: "evil.example" } }),
      raw(url, { method: "PUT", path: "/api/me" }),
    ]);
    for (const { headers } of answers) {
      const {
        "content-security-policy": policy,
        "x-content-type-options": sniff,
        "referrer-policy": referrer,
        "cross-origin-opener-policy": coop,
        "cross-origin-resource-policy": corp,
        "permissions-policy": permissions,
      } = headers;
      assert.deepEqual(
        [policy, sniff, referrer, coop, corp, typeof permissions],
        [csp, "nosniff", "no-referrer", "same-origin", "same-origin", "string"],
      );
    }
  });

  test("S-92 uploads: type by content, active ones are downloads, with a policy of their own", async () => {
    const html = new TextEncoder().encode("<!doctype html><script>alert(1)</script>");
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>');
    for (const [name, content] of [
      ["a.html", html],
      ["b.svg", svg],
      ["c.png", html],
    ] as const) {
      const { id } = await place.client.call("files.upload", { query: { name }, body: content });
      const { headers } = await raw(url, { path: `/api/files/${id}`, headers: bearer });
      assert.deepEqual(
        [name, headers["content-type"], headers["x-content-type-options"], headers["content-security-policy"]],
        [name, "text/plain; charset=utf-8", "nosniff", "default-src 'none'; sandbox"],
      );
    }
    assert.deepEqual(
      ["text/html", "image/svg+xml", "application/xhtml+xml", "application/javascript"]
        .map((mime) => fileHeaders({ name: "x", mime }))
        .map((headers) => [headers["content-type"], headers["content-disposition"]!.split(";")[0]]),
      Array.from({ length: 4 }, () => ["application/octet-stream", "attachment"]),
    );
    assert.equal(
      fileHeaders({ name: 'a"\r\nX: y', mime: "text/plain" })["content-disposition"],
      "inline; filename=\"a___X: y\"; filename*=UTF-8''a%22%0D%0AX%3A%20y",
    );
  });

  test("S-93 exports are downloads under the same policy", async () => {
    const { id } = await place.client.call("sessions.make", { body: { title: "<script>" } });
    for (const format of ["md", "json"]) {
      const { headers } = await raw(url, { path: `/api/sessions/${id}/export?format=${format}`, headers: bearer });
      assert.deepEqual(
        [headers["content-security-policy"], headers["content-disposition"]!.toString().split(";")[0], headers["x-content-type-options"]],
        ["default-src 'none'; sandbox", "attachment", "nosniff"],
      );
    }
  });

  test("S-54 S-55 S-56 a file is named by an opaque id only: paths and traversal in every encoding are the same 404", async () => {
    const tricks = [
      "../../etc/passwd",
      "..%2f..%2fetc%2fpasswd",
      "..%252f..%252fetc%252fpasswd",
      "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
      "..%c0%af..%c0%afetc%c0%afpasswd",
      "..%5c..%5cwindows",
      "%00",
      "fil_%00",
      "@etc",
      "%5c%5cserver%5cshare",
      `${"%25".repeat(9)}2e`,
      "/etc/passwd",
      "fil_00000000000000000000000000000000",
    ];
    for (const trick of tricks)
      for (const path of [`/api/files/${trick}`, `/api/sessions/${trick}`, `/api/sessions/${trick}/export`]) {
        const { status, text } = await raw(url, { path: encodeURI(path).replaceAll("%25", "%"), headers: bearer });
        assert.ok([404, 405, 400].includes(status), `${path}: ${status}`);
        assert.ok(!text.includes("root:"), path);
      }
    const say = await raw(url, { method: "POST", path: "/api/chat", headers: { ...bearer, ...JSON_TYPE }, body: '{"message":"x"}' });
    const id = say.json().conversation_id;
    const smuggled = await raw(url, {
      method: "POST",
      path: `/api/sessions/${id}/messages`,
      headers: { ...bearer, ...JSON_TYPE },
      body: '{"parts":[{"type":"file","id":"/etc/passwd"}]}',
    });
    assert.equal(smuggled.status, 404);
    assert.equal(
      (
        await raw(url, {
          method: "POST",
          path: `/api/sessions/${id}/messages`,
          headers: { ...bearer, ...JSON_TYPE },
          body: '{"parts":[{"type":"file","id":"x","path":"/etc/passwd"}]}',
        })
      ).status,
      422,
    );
  });

  test("S-04 the claim code is the only thing a link carries, in its fragment, and names no server", async () => {
    const link = new URL(await place.gateway.claimLink());
    assert.deepEqual([link.origin, link.pathname, link.search], [url, "/claim", ""]);
  });

  test("S-97 a stream ends when its session is no longer the person's", async () => {
    const session = await place.client.call("sessions.make", { body: {} });
    const stream = await fetch(`${url}/api/sessions/${session.id}/events`, { headers: { ...bearer, accept: "text/event-stream" } });
    const live = connect({ url, token: place.gateway.localToken }).follow(session.id);
    await live.next();
    await place.client.call("sessions.clear", { params: { id: session.id } });
    await place.client.call("sessions.remove", { params: { id: session.id } });
    place.composed.steward.store.publish(session.id, { type: "turn.waiting", turn: "t", on: "model" });
    assert.match(await stream.text(), /"type":"ended","reason":"gone"\}\n\n$/);
    await assert.rejects(
      async () => {
        for await (const _ of live);
      },
      { code: "not_found" },
    );
  });
});
