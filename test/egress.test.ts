// The proxy with real servers and real programs: where it lets a computer go, and where not.
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { connect as connectSocket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { after, test } from "node:test";
import { bytes, curl, hasProgram, place, program, type Place } from "./egress-place.ts";
import { until } from "./turns-place.ts";

const open: Place[] = [];
after(() => Promise.all(open.map((one) => one.close())));
async function fresh(how: Parameters<typeof place>[0] = {}): Promise<Place> {
  const one = await place(how);
  open.push(one);
  return one;
}
/** Lists hosts for the computer, and opens their private addresses. */
function list(one: Place, origins: string[]): void {
  one.set(
    "computer.egress",
    origins.map((origin) => new URL(origin).host),
  );
  one.set("outbound.allow", origins);
}

test("S-64: a listed host is reached by http and https, with curl, Python and git", async () => {
  const one = await fresh();
  const web = await one.http((req, res) => void req.pipe(res.writeHead(200, { "X-Saw": `${req.method} ${req.url} ${req.headers.host}` })));
  const secure = await one.https("api.test", (req, res) => {
    if (req.url?.startsWith("/r.git"))
      return void res.writeHead(200, { "Content-Type": "application/x-git-upload-pack-advertisement" }).end(refs);
    res.end(`secure ${req.url}`);
  });
  list(one, [`http://a.test:${web}`, `https://api.test:${secure}`]);
  const plain = await curl(one, ["-i", "-d", "body", `http://a.test:${web}/x?y=1`]);
  assert.match(plain.out, new RegExp(`^HTTP/1.1 200 OK\r\n(.*\r\n)*X-Saw: POST /x\\?y=1 a.test:${web}\r\n(.*\r\n)*\r\nbody$`));
  assert.deepEqual(await curl(one, [`https://api.test:${secure}/q`, `https://api.test:${secure}/r`]), {
    code: 0,
    out: "secure /qsecure /r",
    err: "",
  });
  const script = `import urllib.request as u; print(u.urlopen("https://api.test:${secure}/py").read().decode(), u.urlopen(u.Request("http://a.test:${web}/", data=b"x" * 300000)).read().decode().count("x"))`;
  assert.equal((await program(one, ["python3", "-c", script])).out, "secure /py 300000\n");
  if (await hasProgram("git"))
    assert.match((await program(one, ["git", "ls-remote", `https://api.test:${secure}/r.git`])).out, /^1{40}\tHEAD$/m);
  assert.deepEqual(
    new Set(one.verdicts().map(String)),
    new Set([`egress allowed,a.test:${web},list`, `egress allowed,api.test:${secure},list`]),
  );
});
const line = (text: string): string => `${(text.length + 4).toString(16).padStart(4, "0")}${text}`;
const refs = `${line("# service=git-upload-pack\n")}0000${line(`${"1".repeat(40)} HEAD\0agent=x\n`)}${line(`${"1".repeat(40)} refs/heads/main\n`)}0000`;

test("S-64: a host on no list is refused in words, and no name is looked up for it", async () => {
  const one = await fresh();
  const { code, out } = await curl(one, ["-w", "%{http_code}", "http://other.test/secret"]);
  assert.deepEqual([code, out.slice(-3), out.startsWith("Steward: other.test may not be reached: it is on no list")], [0, "403", true]);
  assert.match((await curl(one, ["https://other.test/"])).err, /CONNECT tunnel failed, response 403/);
  const python = await program(one, ["python3", "-c", "import urllib.request as u; u.urlopen('https://other.test/')"]);
  assert.match(python.err, /Tunnel connection failed: 403 other.test may not be reached/);
  assert.deepEqual(one.resolved, []);
  assert.ok(!JSON.stringify(one.logs).includes("/secret"));
});

test("S-49: private, loopback, link-local, metadata and own addresses are refused behind listed names, in every form", async () => {
  const own = Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
  const addresses = [
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
  ];
  const forms = ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fd00:ec2::254", ...own];
  const all = [...addresses, ...forms];
  const names = Object.fromEntries(all.map((address, at) => [`h${at}.test`, [address]]));
  const one = await fresh({ names: { ...names, "mixed.test": ["93.184.216.34", "127.0.0.1"] } });
  one.set("computer.egress", ["*.test", "127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"]);
  for (const host of [...Object.keys(names), "mixed.test", "127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"]) {
    assert.match(
      await bytes(one, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
      /^HTTP\/1.1 403 .*not a public address/,
      `${host} ${names[host]}`,
    );
    assert.match(
      await bytes(one, `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`),
      /^HTTP\/1.1 403 .*not a public address/,
      host,
    );
  }
  for (const host of ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
    assert.match(await bytes(one, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`), /^HTTP\/1.1 400 /, host);
});

test("S-49: what outbound.allow opens is an origin: not another port, not Steward's own, never the metadata address", async () => {
  const one = await fresh({ names: { "meta.test": ["169.254.169.254"] } });
  const [web, other] = [await one.http((_, res) => void res.end("web")), await one.http((_, res) => void res.end("other"))];
  one.set("computer.egress", ["a.test", `a.test:${web}`, `a.test:${other}`, "meta.test"]);
  one.set("outbound.allow", [`http://a.test:${web}`, "http://meta.test", `http://a.test:${other}`]);
  one.set("server.port", other);
  assert.equal((await curl(one, [`http://a.test:${web}/`])).out, "web");
  assert.match((await curl(one, [`http://a.test:${other}/`])).out, /not a public address/);
  assert.match((await curl(one, ["http://meta.test/"])).out, /not a public address/);
  assert.match(await bytes(one, `CONNECT a.test:${web} HTTP/1.1\r\n\r\n`), /^HTTP\/1.1 403 .*not a public address/);
});

test("S-49: each connection looks the name up once and goes to the address that was checked", async () => {
  const one = await fresh();
  const web = await one.http((_, res) => void res.end("web"));
  list(one, [`http://a.test:${web}`]);
  await curl(one, [`http://a.test:${web}/`]);
  assert.deepEqual(one.resolved, ["a.test"]);
  one.set("outbound.allow", []); // the name now leads to what was private all along
  assert.match((await curl(one, [`http://a.test:${web}/`])).out, /not a public address/);
});

test("S-50: a redirect is the program's to follow, and is judged like any other request", async () => {
  const one = await fresh();
  const web = await one.http((_, res) => void res.writeHead(302, { Location: "http://other.test/" }).end());
  list(one, [`http://a.test:${web}`]);
  assert.match((await curl(one, ["-L", `http://a.test:${web}/`])).out, /^Steward: other.test may not be reached/);
});

/** CONNECT, then this. */
const tunnelled = (one: Place, target: string, servername: string | undefined): Promise<string> =>
  new Promise((resolve) => {
    const socket = connectSocket(one.inside, "127.0.0.1", () => void socket.write(`CONNECT ${target} HTTP/1.1\r\n\r\n`));
    socket.once("data", (bytes_) => {
      if (!bytes_.toString("latin1").startsWith("HTTP/1.1 200")) return resolve(bytes_.toString("latin1"));
      const secure = connectSecurely({ socket, rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }) });
      secure.once("secureConnect", () => (resolve("connected"), secure.destroy())).once("error", (error) => resolve(error.message));
    });
  });

test("S-64: TLS through the proxy names the host that was judged, or is cut off", async () => {
  const one = await fresh();
  const port = await one.https("api.test", (_, res) => void res.end("x"));
  list(one, [`https://api.test:${port}`]);
  assert.equal(await tunnelled(one, `api.test:${port}`, "api.test"), "connected");
  assert.match(await tunnelled(one, `api.test:${port}`, "other.test"), /unrecognized name|unrecognized_name/i);
  assert.match(await tunnelled(one, `api.test:${port}`, undefined), /unrecognized name|unrecognized_name/i);
  const why = one.verdicts().flatMap(([message, , text]) => (message === "egress refused" ? [text] : []));
  assert.deepEqual(why, ["its TLS is for other.test", "its TLS is for no name"]);
});

test("S-64: on port 443 nothing but TLS passes; CONNECT to port 80 is refused", async (t) => {
  const one = await fresh();
  one.set("computer.egress", ["api.test"]);
  assert.match(await bytes(one, "CONNECT api.test:80 HTTP/1.1\r\n\r\n"), /^HTTP\/1.1 403 CONNECT is for https/);
  const got: string[] = [];
  const { createServer } = await import("node:net");
  const port = await one
    .listening(
      createServer((socket) => void socket.on("data", (piece) => got.push(String(piece)))),
      443,
    )
    .catch(() => undefined);
  if (port === undefined) return t.skip("port 443 of this machine can't be taken here");
  one.set("outbound.allow", ["https://api.test"]);
  const said = await bytes(one, "CONNECT api.test:443 HTTP/1.1\r\n\r\nSSH-2.0-evil\r\n");
  assert.deepEqual([said, got], ["HTTP/1.1 200 Connection established\r\n\r\n", []]);
});

test("S-64: requests with two meanings, and what is no request, are refused; none reaches a server", async () => {
  const one = await fresh();
  const seen: string[] = [];
  const web = await one.http((req, res) => (seen.push(req.url!), void res.end("x")));
  list(one, [`http://a.test:${web}`]);
  const at = `a.test:${web}`;
  const bad = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    `GET https://${at}/ HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
    `GET http://u:p@${at}/ HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
    `GET http://${at}/ HTTP/1.1\r\nHost: other.test\r\n\r\n`,
    `GET http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nHost: ${at}\r\n\r\n`,
    `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
    `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `POST http://${at}/ HTTP/1.0\r\nHost: ${at}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nX : y\r\n\r\n`,
    `GET http://${at}/ HTTP/1.1\nHost: ${at}\nX:\x01y\n\n`,
    `TRACE http://${at}/ HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
    `CONNECT ${at}/x HTTP/1.1\r\n\r\n`,
    "CONNECT a.test HTTP/1.1\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x05\x01\x00",
    `GET http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nX: ${"y".repeat(20_000)}\r\n\r\n`,
  ];
  for (const text of bad)
    assert.match(await bytes(one, Buffer.from(text, "latin1")), /^(HTTP\/1.1 400 |$)/, JSON.stringify(text.slice(0, 90)));
  assert.deepEqual(seen, []);
});

test("S-64: proxy headers, credentials of the proxy and hop-by-hop headers stay here", async () => {
  const one = await fresh();
  const web = await one.http((req, res) => void res.end(JSON.stringify(req.rawHeaders)));
  list(one, [`http://a.test:${web}`]);
  const { text } = await one.task();
  const sent = [
    "-H",
    "Proxy-Connection: x",
    "-H",
    "Connection: X-Gone, keep-alive",
    "-H",
    "X-Gone: 1",
    "-H",
    "Te: trailers",
    "-H",
    "Upgrade: h2c",
    "-H",
    "X-Stays: 1",
  ];
  const { out } = await curl(one, [...sent, "-A", "me", `http://a.test:${web}/`], text);
  assert.deepEqual(JSON.parse(out), ["Host", `a.test:${web}`, "User-Agent", "me", "Accept", "*/*", "X-Stays", "1", "Connection", "close"]);
});

test("S-64: a slow head and an idle connection are ended; one exchange after the other works on one connection", async () => {
  const one = await fresh({ options: { headMs: 100, idleMs: 400 } });
  const web = await one.http((req, res) => void (req.url === "/never" || res.end(`saw ${req.url}.`)));
  list(one, [`http://a.test:${web}`]);
  const get = (path: string): string => `GET http://a.test:${web}${path} HTTP/1.1\r\nHost: a.test:${web}\r\n\r\n`;
  assert.equal(await bytes(one, "GET http://a.te"), "");
  assert.equal(await bytes(one, ""), "");
  assert.equal(await bytes(one, get("/never")), "");
  const other = await fresh();
  list(other, [`http://a.test:${web}`]);
  const got: string[] = [];
  const socket = connectSocket(other.inside, "127.0.0.1", () => void socket.write(get("/1") + get("/2")));
  socket.on("data", (piece) => got.push(piece.toString("latin1")));
  await until(() => got.join("").includes("saw /2.") || undefined);
  assert.deepEqual(got.join("").match(/saw .*?\./g), ["saw /1.", "saw /2."]);
  socket.destroy();
});

test("S-64: connections and bytes of a person are limited, those of others are not touched", async () => {
  const one = await fresh({ options: { mostTunnels: 2, mostBytes: 500_000 } });
  const web = await one.http((_, res) => void res.end(Buffer.alloc(1_000_000)));
  list(one, [`http://a.test:${web}`]);
  const idle = [1, 2].map(() => connectSocket(one.inside, "127.0.0.1"));
  assert.match(await until(async () => (await bytes(one, "", 5000).catch(() => "")) || undefined), /^HTTP\/1.1 503 too many connections/);
  for (const socket of idle) socket.destroy();
  const cut = await until(async () => {
    const ran = await curl(one, ["-o", "/dev/null", `http://a.test:${web}/`]);
    return ran.err.includes("503") ? undefined : ran;
  });
  assert.notEqual(cut.code, 0);
  assert.match((await curl(one, [`http://a.test:${web}/`])).out, /^Steward: today's amount of bytes is used up/);
  assert.deepEqual([typeof one.egresses("ben").open, one.egresses("ben") === one.egress], ["function", false]);
});

test("a slow reader slows the server down, and all is closed when its person is forgotten", async () => {
  const one = await fresh();
  const sent = { bytes: 0, closed: false };
  const web = await one.http((_, res) => {
    const more = (): void => {
      for (let room = true; room; sent.bytes += 65_536) room = res.write(Buffer.alloc(65_536));
      res.once("drain", more);
    };
    res.once("close", () => (sent.closed = true));
    more();
  });
  list(one, [`http://a.test:${web}`]);
  const socket = connectSocket(
    one.inside,
    "127.0.0.1",
    () => void socket.write(`GET http://a.test:${web}/ HTTP/1.1\r\nHost: a.test:${web}\r\n\r\n`),
  ).pause();
  let before = -1;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const still = sent.bytes > 0 && sent.bytes === before;
    before = sent.bytes;
    return still || undefined;
  });
  assert.ok(sent.bytes < 40e6, `${sent.bytes} bytes were taken from the server for a reader that read none`);
  one.egresses.forget("owner");
  await until(() => sent.closed || undefined);
  socket.destroy();
});

test("S-64: what the network does is said in words and a status", async () => {
  const one = await fresh({
    options: {
      resolve: async (host) =>
        host === "gone.test" ? Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })) : [{ address: "127.0.0.1", family: 4 }],
    },
  });
  const closed = await one.http(() => undefined);
  const broken = await one.raw((socket) => void socket.destroy());
  one.set("computer.egress", ["gone.test", `a.test:${broken}`, `a.test:${closed + 1}`]);
  one.set("outbound.allow", [`http://a.test:${broken}`]);
  assert.equal((await curl(one, ["http://gone.test/"])).out, "Steward: gone.test:80 is not known by the name service.\n");
  assert.equal((await curl(one, [`http://a.test:${broken}/`])).out, "Steward: http://a.test broke the connection off.\n");
});
