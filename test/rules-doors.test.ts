// The security rules about hosts, origins, cookies and the local address, one test each by its name. The other rules of the gateway are in rules-gateway.test.ts.
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, describe, test } from "node:test";
import { hostAllowed, hostName, isLoopback, originAllowed } from "../src/gateway/addresses.ts";
import { openDoor } from "../src/gateway/door.ts";
import { routes } from "../src/core/api.ts";
import type { Route } from "../src/core/api-shapes.ts";
import { parseConfig } from "../src/core/config.ts";
import { bytes, openChat, openPlace, raw, signIn } from "./gateway-place.ts";

const JSON_TYPE = { "content-type": "application/json" };

const place = await openPlace({ config: { "server.origins": ["http://localhost:3000"], "server.hosts": ["steward.lan"] } });
after(() => place.close());
const { bearer } = place;
const { url } = place.gateway;

describe("rules of the doors", () => {
  const make = (headers: Record<string, string>) =>
    raw(url, { method: "POST", path: "/api/sessions", headers: { ...JSON_TYPE, ...headers }, body: "{}" });
  const refused = (headers: Record<string, string>, protocols: string[] = []) =>
    openChat(url, headers, protocols).then(
      ({ socket }) => (socket.terminate(), "open"),
      (error: Error) => error.message,
    );

  test("S-01 a socket with a foreign Origin gets 403, one without Origin and token 401", async () => {
    assert.equal(await refused({ origin: "https://evil.example", ...bearer }), "403");
    assert.equal(await refused({ origin: "null", ...bearer }), "403");
    assert.equal(await refused({ origin: `${url}.evil.example`, ...bearer }), "403");
    assert.equal(await refused({}), "401");
    const { cookie, "x-steward-proof": proof } = await signIn(place);
    const own = [`steward.${proof}`];
    assert.equal(await refused({ cookie }, own), "401");
    assert.equal(await refused({ origin: "https://evil.example", cookie }, own), "403");
    assert.equal(await refused({ origin: "null", cookie }, own), "403");
    // What another server of this machine can do with the cookie alone, whatever it writes into the other headers.
    assert.equal(await refused({ origin: url, cookie }), "401");
    assert.equal(await refused({ origin: url, cookie, "sec-fetch-site": "same-origin" }), "401");
    assert.equal(await refused({ origin: url, cookie }, [`steward.${"A".repeat(43)}`]), "401");
    assert.equal(await refused({ origin: url, cookie }, ["steward."]), "401");
    assert.equal(await refused({ origin: url, cookie, "x-steward-proof": proof }), "401");
    assert.equal(await refused({ origin: url }, own), "401");
    assert.equal(await refused({ authorization: "Bearer stw_wrong" }), "401");
    assert.equal(await refused({ origin: url }), "401");
    for (const headers of [bearer, { origin: "http://localhost:3000", ...bearer }]) assert.equal(await refused(headers), "open");
    assert.equal(await refused({ origin: url, cookie }, own), "open");
    assert.equal(await refused({ origin: url, cookie }, ["other", ...own]), "open");
  });

  test("S-02 a listener on every address is called by the addresses of this machine and nothing else", () => {
    const config = parseConfig({});
    const own = (): string[] => Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
    const all = own();
    const written = all.map((address) => (address.includes(":") ? `[${address}]` : address));
    const outer = written.filter((address) => !isLoopback(address.replace(/[[\]]/g, "")));
    for (const host of ["0.0.0.0", "::"])
      for (const [at, address] of written.entries()) {
        // Networks of containers come and go on this machine.
        if (!own().includes(all[at]!)) continue;
        assert.equal(hostAllowed(`${address}:7777`, { host, port: 7777 }, config), true, address);
        assert.equal(originAllowed(`http://${address}:7777`, { host, port: 7777 }, config), true, address);
        assert.equal(originAllowed(`http://${address}:3000`, { host, port: 7777 }, config), false, address);
      }
    for (const host of ["192.0.2.1", "0.0.0.0", "[::]", "evil.com", "localhost.evil.com"])
      assert.equal(hostAllowed(host, { host: "0.0.0.0", port: 7777 }, config), false, host);
    for (const host of outer) assert.equal(hostAllowed(host, { host: "127.0.0.1", port: 7777 }, config), false, host);
  });

  test("S-02 a Host that is not this server's is answered 421", async () => {
    const { port } = new URL(url);
    const status = async (host: string) => (await raw(url, { path: "/api/health", headers: { host } })).status;
    for (const host of [
      `localhost:${port}`,
      `LocalHost.:${port}`,
      "127.0.0.1",
      "[::1]:99",
      `[::ffff:127.0.0.1]:${port}`,
      "[::FFFF:7F00:1]",
      "steward.lan",
      "Steward.LAN.:7777",
    ])
      assert.deepEqual([host, await status(host)], [host, 200]);
    for (const host of [
      "evil.example",
      "127.0.0.1.nip.io",
      "localhost.evil.example",
      "0.0.0.0",
      "10.0.0.1",
      "[::ffff:10.0.0.1]",
      "127.0.0.1@evil.example",
      "127.0.0.256",
      "steward.lan.evil",
      "",
    ])
      assert.deepEqual([host, await status(host)], [host, 421]);
    assert.equal(hostName("[::ffff:127.0.0.1]:80"), "127.0.0.1");
    assert.equal(isLoopback("127.1"), false);
    assert.match(
      await bytes(
        url,
        "GET /ws/chat HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      ),
      /^HTTP\/1.1 421 /,
    );
  });

  test("S-03 a change with only a cookie needs proof that Steward's page sent it", async () => {
    const own = await signIn(place);
    const status = async (headers: Record<string, string>) => (await make({ ...own, ...headers })).status;
    assert.deepEqual(
      await Promise.all([
        status({}),
        status({ "sec-fetch-site": "cross-site" }),
        status({ "sec-fetch-site": "same-site" }),
        status({ "sec-fetch-site": "none" }),
        status({ origin: "https://evil.example" }),
        status({ origin: "http://localhost:1" }),
      ]),
      [403, 403, 403, 403, 403, 403],
    );
    assert.deepEqual(
      await Promise.all([
        status({ "sec-fetch-site": "same-origin" }),
        status({ origin: url }),
        status({ origin: "http://localhost:3000" }),
      ]),
      [200, 200, 200],
    );
    const read = (site: string) => raw(url, { path: "/api/me", headers: { ...own, "sec-fetch-site": site } });
    assert.deepEqual(
      [
        (await read("cross-site")).status,
        (await read("same-site")).status,
        (await read("same-origin")).status,
        (await read("none")).status,
      ],
      [401, 401, 200, 200],
    );
  });

  test("S-03 a stolen cookie alone is no credential on any route, whatever headers are forged beside it", async () => {
    const { cookie } = await signIn(place);
    const forged = { cookie, origin: url, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", referer: `${url}/` };
    for (const [name, { method, path, right, body }] of Object.entries(routes) as [string, Route][]) {
      if (right === "public") continue;
      const answer = (headers: Record<string, string>) =>
        raw(url, { method, path: path.replace(":id", "x"), headers: { ...headers, ...JSON_TYPE }, ...(body ? { body: "{}" } : {}) });
      const wrong = { ...forged, "x-steward-proof": "A".repeat(43) };
      const statuses = [await answer({ cookie }), await answer(forged), await answer(wrong)].map(({ status }) => status);
      assert.deepEqual([name, ...statuses], [name, 401, 401, 401]);
    }
    assert.equal((await raw(url, { path: "/api/health", headers: forged })).text, '{"status":"ok"}');
    const stream = await raw(url, { path: "/api/stream", headers: { ...forged, accept: "text/event-stream" } });
    assert.equal(stream.status, 401);
  });

  test("S-06 both halves of a browser's sign-in go with logout, and it lasts thirty days from when it was last used", async () => {
    const clock = { now: Date.now() };
    const later = await openPlace({ now: () => clock.now });
    try {
      const [one, two] = [await signIn(later), await signIn(later)];
      const me = (headers: Record<string, string>) => raw(later.gateway.url, { path: "/api/me", headers });
      const days = (count: number): void => void (clock.now += count * 86_400_000);
      days(20);
      assert.equal((await me({ cookie: one.cookie })).headers["set-cookie"], undefined);
      assert.match(String((await me(one)).headers["set-cookie"]), /^steward-\d+=[\w-]{43}; HttpOnly; .*Max-Age=2592000$/);
      assert.deepEqual([(await me(one)).status, (await me(one)).headers["set-cookie"]], [200, undefined]);
      days(20);
      assert.deepEqual([(await me(one)).status, (await me(two)).status], [200, 401]);
      const out = await raw(later.gateway.url, {
        method: "POST",
        path: "/api/logout",
        headers: { ...one, ...JSON_TYPE, origin: later.gateway.url },
        body: "{}",
      });
      assert.deepEqual([out.status, /Max-Age=0$/.test(String(out.headers["set-cookie"]))], [200, true]);
      assert.equal((await me(one)).status, 401);
      assert.deepEqual(await later.composed.steward.store.list("auth/cookie/"), []);
    } finally {
      await later.close();
    }
  });

  test("S-05 only configured origins get a CORS grant, never a star", async () => {
    const ask = (origin: string) =>
      raw(url, {
        method: "OPTIONS",
        path: "/api/chat",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
    const evil = await ask("https://evil.example");
    assert.deepEqual([evil.status, evil.headers["access-control-allow-origin"]], [403, undefined]);
    const { headers } = await raw(url, { path: "/api/me", headers: { ...bearer, origin: url } });
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(originAllowed("https://localhost:7777", { host: "127.0.0.1", port: 7777 }, parseConfig({})), true);
    for (const origin of [
      "http://localhost:7778",
      "http://localhost",
      "http://LOCALHOST:7777",
      "http://localhost:7777/",
      "http://a@localhost:7777",
      "*",
      "",
    ])
      assert.equal(originAllowed(origin, { host: "127.0.0.1", port: 7777 }, parseConfig({})), false, origin);
  });

  test("T-042 the preflight of a configured origin is granted", async () => {
    const { status, headers } = await raw(url, {
      method: "OPTIONS",
      path: "/api/chat",
      headers: { origin: "http://localhost:3000", "access-control-request-method": "POST" },
    });
    assert.deepEqual([status, headers["access-control-allow-origin"], headers["vary"]], [204, "http://localhost:3000", "Origin"]);
    const answered = await raw(url, { path: "/api/status", headers: { ...bearer, origin: "http://localhost:3000" } });
    assert.deepEqual([answered.status, answered.headers["access-control-allow-origin"]], [200, "http://localhost:3000"]);
  });

  test("T-043 a foreign page gets no grant, no socket, and can't post", async () => {
    const { status, headers } = await raw(url, {
      method: "POST",
      path: "/api/chat",
      headers: { ...bearer, origin: "https://evil.example", "content-type": "text/plain" },
      body: '{"message":"hi"}',
    });
    assert.deepEqual([status, headers["access-control-allow-origin"]], [403, undefined]);
    assert.equal(
      (
        await raw(url, {
          method: "POST",
          path: "/api/chat",
          headers: { ...bearer, "content-type": "text/plain" },
          body: '{"message":"hi"}',
        })
      ).status,
      415,
    );
    assert.equal(await refused({ origin: "https://evil.example" }), "403");
  });

  test('S-06 loopback alone lets nobody in; auth.local "open" lets a program in as a guest, a page or a proxy never', async () => {
    const status = async (headers: Record<string, string> = {}) => (await raw(url, { path: "/api/me", headers })).status;
    const { cookie } = await signIn(place);
    assert.deepEqual([await status(), await status({ cookie })], [401, 401]);
    place.composed.steward.settings.set("auth.local", "open");
    try {
      const me = (await raw(url, { path: "/api/me" })).json();
      assert.deepEqual([me.person, me.role, me.via, me.mode], ["guest", "guest", "local", "contained"]);
      assert.equal((await raw(url, { path: "/api/config" })).status, 403);
      for (const headers of [
        { origin: url },
        { "sec-fetch-site": "none" },
        { "x-forwarded-for": "127.0.0.1" },
        { forwarded: "for=1.2.3.4" },
        { authorization: "Bearer stw_wrong" },
      ])
        assert.deepEqual([headers, await status(headers as unknown as Record<string, string>)], [headers, 401]);
      assert.equal(await refused({ origin: "https://evil.example" }), "403");
      const { socket } = await openChat(url, {});
      socket.terminate();
      const elsewhere = openDoor(place.composed.steward, { host: "0.0.0.0", port: 1 });
      const answer = await elsewhere.visit({
        request: new Request("http://localhost/api/me"),
        peer: { address: "127.0.0.1", secure: false },
      });
      elsewhere.close();
      assert.equal(answer.status, 401);
    } finally {
      place.composed.steward.settings.set("auth.local", undefined);
    }
    assert.equal(await status(), 401);
  });
});
