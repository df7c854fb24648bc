// The one way out: what is refused, how redirects go, limits of size and time; and the circuit breakers. Real servers on loopback.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { isPublic } from "../src/run/addresses.ts";
import { breakers } from "../src/run/breaker.ts";
import { outbound } from "../src/run/outbound.ts";
import type { Outbound, OutboundOptions } from "../src/run/outbound.ts";
import { StewardError } from "../src/std/error.ts";
import { noLog } from "../src/std/log.ts";

interface Scope {
  after(work: () => unknown): void;
}
async function serve(t: Scope, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  server.keepAliveTimeout = 65_000; // it is not the server that ends what is used again
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
function client(t: Scope, options: Partial<OutboundOptions> = {}): Outbound {
  const fetch = outbound({ log: noLog, connectMs: 30_000, ...options });
  t.after(() => fetch.close());
  return fetch;
}
const anywhere = (): boolean => true;

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request) text += String(piece);
  return text;
}
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return error instanceof StewardError ? error.code : String(error);
  }
}

const forbidden = [
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "169.254.169.254",
  "100.64.0.1",
  "100.127.255.255",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "192.0.0.1",
  "192.0.2.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "::",
  "::1",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "fc00::1",
  "fd12:3456::1",
  "ff02::1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::127.0.0.1",
  "::8.8.8.8",
  "2002:7f00:1::",
  "2001::1",
  "2001:0:4136:e378::",
  "64:ff9b::7f00:1",
  "64:ff9b:1::a00:1",
  "2001:db8::1",
  "3fff::1",
  "2606:4700::5efe:10.0.0.1",
  "2606:4700::200:5efe:7f00:1",
  "100::1",
  "5f00::1",
];

test("S-49: which addresses are public", () => {
  assert.deepEqual(forbidden.filter(isPublic), []);
  const open = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::200e"];
  assert.deepEqual(open.filter(isPublic), open);
});

test("S-49: any IPv4 address inside an IPv6 one is refused", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom("::ffff:", "::", "64:ff9b::", "::ffff:0:"), (address, prefix) =>
      assert.equal(isPublic(prefix + address), false),
    ),
    { numRuns: 300 },
  );
});

test("S-49: literal private addresses and numbers in disguise are refused before any connection", async (t) => {
  let resolved = 0;
  const fetch = client(t, { resolve: () => Promise.resolve((resolved++, [])) });
  const hosts = [
    ...forbidden.filter((one) => !one.includes(":")),
    ...forbidden.filter((one) => one.includes(":") && !one.includes("%")).map((one) => `[${one}]`),
  ];
  const disguised = ["127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "①②⑦.⓪.⓪.①", "134744072", "0x8.8.8.8"];
  for (const host of [...hosts, ...disguised]) assert.equal(await codeOf(fetch(`http://${host}/`)), "denied", host);
  assert.equal(await codeOf(fetch("http://[fe80::1%25eth0]/")), "invalid");
  assert.equal(resolved, 0);
});

test("S-49: a name is resolved once and every answer is checked", async (t) => {
  const asked: string[] = [];
  const answers: Record<string, string[]> = {
    "inside.test": ["127.0.0.1"],
    "mixed.test": ["8.8.8.8", "10.0.0.1"],
    "mapped.test": ["::ffff:10.0.0.1"],
    localhost: ["127.0.0.1"],
  };
  const fetch = client(t, {
    resolve: (host) => {
      asked.push(host);
      return Promise.resolve((answers[host] ?? []).map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
    },
  });
  for (const host of Object.keys(answers)) assert.equal(await codeOf(fetch(`http://${host}/`)), "denied", host);
  assert.deepEqual(asked, Object.keys(answers));
});

test("S-49: the connection goes to the address that was resolved, and to no second answer", async (t) => {
  const origin = await serve(t, (_, response) => void response.end("here"));
  const { port } = new URL(origin);
  let asked = 0;
  const fetch = client(t, {
    allow: anywhere,
    resolve: () => Promise.resolve([{ address: asked++ === 0 ? "127.0.0.1" : "127.0.0.2", family: 4 }]),
  });
  const response = await fetch(`http://model.test:${port}/x`);
  assert.deepEqual([response.status, await response.text(), response.url, asked], [200, "here", `http://model.test:${port}/x`, 1]);
});

test("S-53: only http and https, and no user name in an address", async (t) => {
  const fetch = client(t, { allow: anywhere });
  for (const url of [
    "file:///etc/passwd",
    "data:text/plain,x",
    "blob:https://x.test/1",
    "ftp://x.test/",
    "javascript:1",
    "view-source:https://x.test",
    "chrome://settings",
    "https://user:pass@x.test/",
  ])
    assert.equal(await codeOf(fetch(url)), "denied", url);
  for (const url of ["", "nothing", "\\\\server\\share", "//x.test/"]) assert.equal(await codeOf(fetch(url)), "invalid", url);
});

test("S-51: a configured address is matched by its exact origin", async (t) => {
  const origin = await serve(t, (_, response) => void response.end("ok"));
  const fetch = client(t, { allow: (one) => one === origin });
  assert.equal(await (await fetch(`${origin}/v1/models`)).text(), "ok");
  for (const url of [
    origin.replace("127.0.0.1", "127.0.0.2"),
    origin.replace("127.0.0.1", "127.0.0.1.evil.test"),
    origin.replace("http:", "https:"),
    "http://127.0.0.1/",
    `http://x.test/?${origin}`,
  ])
    assert.equal(await codeOf(fetch(url)), "denied", url);
});

test("S-50: a redirect to another origin carries neither credentials nor body; on the same origin both stay", async (t) => {
  const seen: unknown[] = [];
  const listen: RequestListener = (request, response) => {
    void textOf(request).then((body) => {
      const { authorization, cookie, "x-api-key": key, "content-type": type, accept } = request.headers;
      seen.push({ at: request.url, method: request.method, authorization, cookie, key, type, accept, body });
      const to = new URL(request.url ?? "/", "http://x").searchParams.get("to");
      if (to === null) response.end("done");
      else response.writeHead(Number(request.url?.slice(1, 4)), { location: to }).end();
    });
  };
  const [one, two] = [await serve(t, listen), await serve(t, listen)];
  const fetch = client(t, { allow: anywhere });
  const init = {
    method: "POST",
    body: "{}",
    headers: { authorization: "Bearer k", cookie: "a=b", "x-api-key": "k", "content-type": "application/json", accept: "text/plain" },
  };
  const whole = { authorization: "Bearer k", cookie: "a=b", key: "k", type: "application/json", accept: "text/plain" };
  const bare = { authorization: undefined, cookie: undefined, key: undefined, type: undefined, accept: "text/plain" };
  const last = async (url: string): Promise<unknown> => {
    const response = await fetch(url, init);
    assert.equal(await response.text(), "done");
    assert.equal(response.redirected, true);
    return seen.at(-1);
  };
  assert.deepEqual(await last(`${one}/307?to=/end`), { at: "/end", method: "POST", ...whole, body: "{}" });
  assert.deepEqual(await last(`${one}/302?to=/end`), { at: "/end", method: "GET", ...whole, type: undefined, body: "" });
  for (const status of [301, 302, 303, 307, 308])
    assert.deepEqual(await last(`${one}/${status}?to=${two}/end`), { at: "/end", method: "GET", ...bare, body: "" });
});

test("S-49: each redirect is checked again, and there are at most five", async (t) => {
  const origin = await serve(
    t,
    (request, response) =>
      void response
        .writeHead(302, {
          location: request.url === "/out" ? "http://169.254.169.254/latest" : request.url === "/file" ? "file:///etc/passwd" : "/again",
        })
        .end(),
  );
  const fetch = client(t, { allow: (one) => one === origin });
  assert.deepEqual(
    [await codeOf(fetch(`${origin}/out`)), await codeOf(fetch(`${origin}/file`)), await codeOf(fetch(`${origin}/again`))],
    ["denied", "denied", "unavailable"],
  );
});

test("S-11: a credential is not sent unencrypted to another machine", async (t) => {
  const fetch = client(t, { allow: anywhere, resolve: () => Promise.reject(new Error("was looked up")) });
  for (const headers of [{ authorization: "Bearer x" }, { "x-api-key": "x" }, { cookie: "x" }, { "x-goog-api-key": "x" }] as Record<
    string,
    string
  >[])
    assert.equal(await codeOf(fetch("http://models.test/v1", { headers })), "denied", JSON.stringify(headers));
  assert.equal(await codeOf(fetch("http://models.test/v1", { headers: { accept: "x" } })), "unavailable");
});

test("S-80: an answer is cut off at its limit, whatever it declares and however it is packed", async (t) => {
  const origin = await serve(t, (request, response) => {
    if (request.url === "/declared") response.writeHead(200, { "content-length": 5000 }).write("x");
    else if (request.url === "/packed") response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(5_000_000)));
    else if (request.url === "/endless") {
      const more = (): void => void (response.write("x".repeat(500)) && !response.destroyed && setImmediate(more));
      more();
    } else response.end("x".repeat(1000));
  });
  const fetch = client(t, { allow: anywhere, maxBytes: 1000 });
  const read = async (path: string): Promise<string> => (await fetch(origin + path)).text();
  assert.equal((await read("/fits")).length, 1000);
  for (const path of ["/declared", "/packed", "/endless"]) assert.equal(await codeOf(read(path)), "limit", path);
});

test("time limits, aborts and a broken connection are told apart", async (t) => {
  const origin = await serve(t, (request, response) => {
    if (request.url === "/pause") response.write("first");
    if (request.url === "/break") response.write("first", () => response.destroy());
  });
  const quick = client(t, { allow: anywhere, totalMs: 150 });
  await assert.rejects(quick(`${origin}/never`), { code: "unavailable", message: `${origin} did not answer in time (0.15 s).` });
  const fetch = client(t, { allow: anywhere });
  assert.equal(await codeOf(quick(`${origin}/pause`).then((response) => response.text())), "unavailable");
  assert.equal(await codeOf(fetch(`${origin}/break`).then((response) => response.text())), "unavailable");
  const stop = new AbortController();
  const response = await fetch(`${origin}/pause`, { signal: stop.signal });
  const reason = new Error("the person stopped it");
  stop.abort(reason);
  await assert.rejects(response.text(), reason);
  await assert.rejects(fetch(origin, { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(fetch("http://127.0.0.1:1/"), { code: "unavailable" });
});

test("a connection is used again, unless its server is about to close it", async (t) => {
  const used = async (seconds: number): Promise<number> => {
    const ports = new Set<number | undefined>();
    const url = await serve(t, (request, response) => {
      ports.add(request.socket.remotePort);
      response.setHeader("keep-alive", `timeout=${seconds}`).end();
    });
    const fetch = client(t, { allow: anywhere });
    for (let at = 0; at < 3; at++) {
      await (await fetch(url)).text();
      for (let turn = 0; turn < 5; turn++) await setTimeout(1); // until the connection is at rest
    }
    return ports.size;
  };
  assert.deepEqual([await used(60), await used(4)], [1, 3]);
});

test("streams arrive piece by piece; forms, Request objects and empty answers work", async (t) => {
  const origin = await serve(t, (request, response) => {
    if (request.url === "/empty") response.writeHead(204).end();
    else if (request.url === "/stream") response.write("one");
    else
      void textOf(request).then((body) =>
        response.end(
          `${request.method} ${request.headers["content-type"]?.split(";")[0]} ${request.headers["user-agent"]} ${body.includes("hello")}`,
        ),
      );
    request.on("close", () => undefined);
  });
  const fetch = client(t, { allow: anywhere });
  const reader = (await fetch(`${origin}/stream`)).body!.getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), "one");
  await reader.cancel();
  const form = new FormData();
  form.append("file", new Blob(["hello"]), "a.txt");
  assert.equal(await (await fetch(origin, { method: "POST", body: form })).text(), "POST multipart/form-data Steward true");
  assert.equal(
    await (await fetch(new Request(origin, { method: "PUT", body: "hello", headers: { "content-type": "text/x" } }))).text(),
    "PUT text/x Steward true",
  );
  assert.equal((await fetch(`${origin}/empty`)).status, 204);
});

test("proxy settings of the environment are not followed", async (t) => {
  const proxy = await serve(t, (_, response) => void response.end("proxy"));
  const origin = await serve(t, (_, response) => void response.end("direct"));
  const names = ["http_proxy", "HTTP_PROXY", "all_proxy", "NODE_USE_ENV_PROXY"];
  for (const name of names) process.env[name] = name === "NODE_USE_ENV_PROXY" ? "1" : proxy;
  t.after(() => names.forEach((name) => delete process.env[name]));
  assert.equal(await (await client(t, { allow: anywhere })(origin)).text(), "direct");
});

test("T-090: five failures open a circuit, a minute later three good calls close it", async () => {
  let now = 0;
  const circuit = breakers({ now: () => now });
  const fail = (): Promise<string> => codeOf(circuit.call("model", () => Promise.reject(new Error("down"))));
  const pass = (): Promise<string> => codeOf(circuit.call("model", () => Promise.resolve()));
  for (let i = 0; i < 4; i++) await fail();
  await pass();
  for (let i = 0; i < 4; i++) assert.equal(await fail(), "Error: down");
  assert.deepEqual(circuit.list(), [{ name: "model", state: "closed", failures: 4, since: 0 }]);
  now = 1000;
  await fail();
  assert.deepEqual(circuit.list(), [{ name: "model", state: "open", failures: 5, since: 1000 }]);
  now = 60_999;
  assert.equal(await pass(), "unavailable");
  now = 61_000;
  assert.equal(await pass(), "no error");
  assert.equal(circuit.list()[0]?.state, "half-open");
  await fail();
  assert.deepEqual(circuit.list(), [{ name: "model", state: "open", failures: 6, since: 61_000 }]);
  now = 121_000;
  for (let i = 0; i < 3; i++) await pass();
  assert.deepEqual(circuit.list(), [{ name: "model", state: "closed", failures: 0, since: 121_000 }]);
});

test("T-090: at most three calls try a half-open circuit at once; refusals and aborts are no failures", async () => {
  let now = 0;
  const circuit = breakers({ now: () => now });
  for (let i = 0; i < 5; i++) circuit.enter("x")(false);
  now = 60_000;
  const open = [circuit.enter("x"), circuit.enter("x"), circuit.enter("x")];
  assert.throws(() => circuit.enter("x"), { code: "unavailable", retryAt: 120_000 });
  open[0]?.(undefined);
  const fourth = circuit.enter("x");
  for (const done of [open[1], open[2], fourth]) done?.(true);
  assert.equal(circuit.list()[0]?.state, "closed");
  for (let i = 0; i < 9; i++) await codeOf(circuit.call("x", () => Promise.reject(new StewardError("denied", "no"))));
  assert.deepEqual(circuit.list(), [{ name: "x", state: "closed", failures: 0, since: 60_000 }]);
});
