// The plain page's listener without a browser: who gets in, tickets, returned files, what strangers get.
import assert from "node:assert/strict";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { asDocument, documentKey } from "../src/run/documents.ts";
import { fileKey, keepBytes } from "../src/run/files.ts";
import { bytes, eventually, raw } from "./gateway-place.ts";
import { connect } from "./os-agent-place.ts";
import { builtPlain, openPlainPlace, type PlainPlace } from "./plain-place.ts";

const missing = (await bubblewrapMissing()) ?? false;
const encoder = new TextEncoder();
const post = { "content-type": "application/json" };

/** As if it had come out of /return. */
async function returned({ composed }: PlainPlace, person: string, name: string, text: string): Promise<void> {
  const { steward } = composed;
  const kept = await keepBytes(steward, person, { name, bytes: encoder.encode(text), limit: 1e6 });
  await steward.store.commit({
    put: { [fileKey(person, kept.id)]: kept, [documentKey(person, kept.id)]: asDocument(steward, kept, { kind: "returned" }) },
  });
}

interface Answer {
  ticket: string;
  socket: string;
}

describe("the plain page's listener", { skip: missing }, () => {
  let place: PlainPlace;
  before(async () => {
    place = await openPlainPlace({ config: { "server.origins": ["http://localhost:3000"] } });
    await returned(place, "owner", "report 1.html", "<script>alert(1)</script>");
    await place.tokenFor("mallory");
    await returned(place, "mallory", "secret.txt", "mine");
  });
  after(() => place.close());
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") => raw(place.plain.url, { method, path, headers });
  const token = async (person: string): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await place.tokenFor(person, person === "owner" ? "owner" : "member")}`,
  });

  test("O-103 / is the page, with a policy that lets it reach OS-Agent's socket and nothing else", async () => {
    const page = await get("/");
    assert.equal(page.status, 200);
    assert.match(page.text, /<title>Steward, the plain page<\/title>/);
    assert.doesNotMatch(page.text, /<script(?![^>]* src="\/assets\/)|<style| style=| on\w+=/);
    const csp = String(page.headers["content-security-policy"]);
    assert.match(csp, new RegExp(`connect-src 'self' ws://127\\.0\\.0\\.1:${place.osAgent.port};`));
    assert.match(csp, /default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'/);
    assert.match(String(page.headers["permissions-policy"]), /microphone=\(self\)/);
    assert.equal(page.headers["x-content-type-options"], "nosniff");
    for (const path of ["/s/x", "/settings", "/api/sessions", "/assets/none.js", "/ws"]) assert.equal((await get(path)).status, 404, path);
  });

  test("the first load of the page is below 15 kB compressed", async () => {
    const page = await get("/");
    const assets = [...page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    assert.equal(assets.length, 2);
    const packed = await Promise.all(
      assets.map(async (path) => {
        assert.equal((await get(path, { "accept-encoding": "gzip" })).headers["content-encoding"], "gzip");
        return (await stat(join(builtPlain(), `${path}.gz`))).size;
      }),
    );
    const total = packed.reduce((sum, size) => sum + size, gzipSync(page.text).length);
    assert.ok(total < 15_000, `${total} bytes`);
  });

  test("S-01 foreign hosts, origins and too many strangers are treated as at the main door", async () => {
    assert.equal((await get("/", { host: "evil.example" })).status, 421);
    assert.equal((await get("/files/owner/", { ...(await token("owner")), origin: "https://evil.example" })).status, 403);
    assert.equal((await get("/files/owner/", { ...(await token("owner")), origin: place.gateway.url })).status, 403);
    const added = await get("/files/owner/", { ...(await token("owner")), origin: "http://localhost:3000" });
    assert.equal(added.headers["access-control-allow-origin"], "http://localhost:3000");
    assert.match(await bytes(place.plain.url, "GET / HTTP/1.1\r\nHost: x:y:z\r\n\r\n"), /^HTTP\/1\.1 (400|421)/);
    const socket = new WebSocket(`${place.plain.url.replace("http", "ws")}/ws`, { headers: { origin: place.plain.url } });
    const status = await new Promise((resolve) => {
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.on("error", () => {});
    });
    assert.equal(status, 401);
  });

  test("the link signs in at this port: a cookie of its own name, once, and both halves are needed for a ticket", async () => {
    const link = await place.plain.claimLink();
    assert.ok(link.startsWith(`${place.plain.url}/claim#`));
    const halves = await place.signIn(link.split("#")[1]);
    assert.match(halves.cookie, new RegExp(`^steward-${new URL(place.plain.url).port}=`));
    await assert.rejects(place.signIn(link.split("#")[1]), /403/);
    const ticket = (headers: Record<string, string>) => raw(place.plain.url, { method: "POST", path: "/api/ticket", headers });
    const own = { origin: place.plain.url };
    assert.equal((await ticket({ ...own, cookie: halves.cookie })).status, 401);
    assert.equal((await ticket({ ...own, "x-steward-proof": halves["x-steward-proof"] })).status, 401);
    assert.equal((await ticket({ ...halves })).status, 403);
    assert.equal((await ticket({ ...halves, origin: "http://localhost:1" })).status, 403);
    const answer = await ticket({ ...halves, ...own });
    const { ticket: given, ...rest } = answer.json() as unknown as Answer;
    assert.match(given, /^tkt_[\w-]{43}$/);
    assert.deepEqual(rest, { socket: place.osAgent.url, user: "owner", session: "main", folder: "owner", guest: false });
    // The main door knows nothing of this page: neither its cookie by that name, nor its origin.
    assert.equal((await raw(place.gateway.url, { path: "/api/me", headers: { ...halves } })).status, 401);
    assert.equal((await raw(place.gateway.url, { path: "/api/me", headers: { ...halves, ...own } })).status, 403);
  });

  test("a ticket opens one socket, from this page's origin, as whoever asked for it; what it hangs on ends it", async () => {
    const halves = await place.signIn();
    const own = { origin: place.plain.url };
    const ask = async (): Promise<Answer> =>
      (await raw(place.plain.url, { method: "POST", path: "/api/ticket", headers: { ...halves, ...own } })).json() as unknown as Answer;
    const { ticket, socket } = await ask();
    const open = (one: string, origin = place.plain.url) => protocol(`${socket}/?user=mallory&session=s`, one, origin);
    const opened = await open(ticket);
    assert.equal(await next(opened, { command: "list_sessions" }), '{"result":["s"]}');
    await assert.rejects(open(ticket), /401/);
    await assert.rejects(open("tkt_wrong"), /401/);
    await assert.rejects(open((await ask()).ticket, "https://evil.example"), /403/);
    const steward = place.composed.steward;
    assert.deepEqual(await steward.store.list("p/mallory/named/"), []);
    const closed = new Promise((resolve) => opened.on("close", resolve));
    const leave = await raw(place.plain.url, { method: "POST", path: "/api/logout", headers: { ...halves, ...own } });
    assert.equal(leave.status, 200);
    assert.equal(await closed, 4401);
    assert.equal((await raw(place.plain.url, { method: "POST", path: "/api/ticket", headers: { ...halves, ...own } })).status, 401);
  });

  test("a ticket of somebody who has left, or one that is too old, opens nothing", async () => {
    const halves = await place.signIn();
    const own = { origin: place.plain.url };
    const made = await raw(place.plain.url, { method: "POST", path: "/api/ticket", headers: { ...halves, ...own } });
    const { ticket, socket } = made.json() as unknown as Answer;
    await raw(place.plain.url, { method: "POST", path: "/api/logout", headers: { ...halves, ...own } });
    await assert.rejects(protocol(`${socket}/`, ticket, place.plain.url), /401/);
    const { openTickets } = await import("../src/gateway/tickets.ts");
    const clock = { now: 0 };
    const tickets = openTickets(() => clock.now);
    const caller = { principal: { person: "p", role: "member", via: "page" } as const, by: "x", ambient: true };
    const late = tickets.make(caller);
    clock.now = 30_001;
    assert.equal(tickets.redeem(late), undefined);
    const fresh = tickets.make(caller);
    assert.deepEqual(tickets.redeem(fresh), { ...caller, ambient: false });
    assert.equal(tickets.redeem(fresh), undefined);
  });

  test("O-070 S-92 /files gives the person's own returned files, as downloads, with a token", async () => {
    const found = await get("/files/owner/report%201.html", await token("owner"));
    assert.equal(found.text, "<script>alert(1)</script>");
    const {
      "content-type": type,
      "content-disposition": how,
      "x-content-type-options": sniff,
      "content-security-policy": csp,
    } = found.headers;
    assert.deepEqual(
      [type, how, sniff, csp],
      [
        "text/plain; charset=utf-8",
        `attachment; filename="report 1.html"; filename*=UTF-8''report%201.html`,
        "nosniff",
        "default-src 'none'; sandbox",
      ],
    );
    const head = await get("/files/owner/report%201.html", await token("owner"), "HEAD");
    assert.deepEqual([head.status, head.headers["content-length"], head.text], [200, "25", ""]);
    const list = (await get("/files/owner/", await token("owner"))).json() as unknown as { files: { name: string; size: number }[] };
    assert.deepEqual(
      list.files.map(({ name, size }) => [name, size]),
      [["report 1.html", 25]],
    );
    assert.equal((await get("/files/owner/report%201.html")).status, 401);
    const followed = await get("/files/owner/report%201.html", { "sec-fetch-mode": "navigate" });
    assert.deepEqual([followed.status, followed.headers["location"]], [303, "/#files/owner/report%201.html"]);
  });

  test("O-109 S-56 S-94 no path leads anywhere else: traversal in every encoding, links, other people's files", async () => {
    const root = join(place.home, "returns", "owner");
    await mkdir(root, { recursive: true });
    await writeFile(join(root, "copy.bin"), new Uint8Array([0, 1, 2]));
    await writeFile(join(root, "report 1.html"), "newer");
    await symlink("/etc/passwd", join(root, "link.txt"));
    await mkdir(join(root, "sub"));
    const mine = await token("owner");
    assert.deepEqual((await get("/files/owner/copy.bin", mine)).headers["content-type"], "application/octet-stream");
    assert.equal((await get("/files/owner/report%201.html", mine)).text, "newer");
    const paths = [
      "/files/../../etc/passwd",
      "/files/owner/../../etc/passwd",
      "/files/owner/..%2f..%2fetc%2fpasswd",
      "/files/owner/%2e%2e/%2e%2e/etc/passwd",
      "/files/%2e%2e/passwd",
      "/files/owner/%252e%252e%252fpasswd",
      "/files/owner/..%5cpasswd",
      "/files/owner/copy.bin%00.txt",
      "/files/owner/%ff",
      "/files//etc/passwd",
      "/files/owner/link.txt",
      "/files/owner/sub",
      "/files/owner/",
      "/files/mallory/secret.txt",
      "/files/mallory/",
      "/files/nobody/secret.txt",
    ];
    for (const path of paths.filter((one) => one !== "/files/owner/")) {
      const { status, text } = await get(path, mine);
      assert.deepEqual([path, status, /Not Found/.test(text)], [path, 404, true]);
    }
    assert.equal((await get("/files/../../etc/passwd")).status, 404);
    assert.equal((await get("/files/mallory/secret.txt", await token("mallory"))).text, "mine");
    assert.equal((await get("/files/owner/report%201.html", await token("mallory"))).status, 404);
    const parted = await get("/files/owner/", mine);
    assert.doesNotMatch(parted.text, /link\.txt|sub|secret/);
  });
});

describe("the plain page where OS-Agent's door is open", { skip: missing }, () => {
  test("O-070 O-108 this machine's programs and this page come as the user they name; no other page does", async (t) => {
    const place = await openPlainPlace({ config: { "auth.local": "open" } });
    t.after(() => place.close());
    const talk = await connect(`${place.osAgent.url}/?user=demo&session=s`);
    await talk.ask("list_sessions");
    await returned(place, "user_demo", "out.txt", "done");
    await returned(place, "owner", "own.txt", "mine");
    const get = (path: string, headers = {}) => raw(place.plain.url, { path, headers });
    assert.equal((await get("/files/demo/out.txt")).text, "done");
    assert.equal((await get("/files/demo/out.txt", { "sec-fetch-site": "same-origin" })).text, "done");
    for (const [path, headers] of [
      ["/files/owner/own.txt", {}],
      ["/files/guest/own.txt", {}],
      ["/files/demo/out.txt", { "sec-fetch-site": "cross-site" }],
      ["/files/demo/out.txt", { "x-forwarded-for": "10.0.0.1" }],
    ] as const)
      assert.equal((await get(path, headers)).status, 401, path);
    const asked = await raw(place.plain.url, {
      method: "POST",
      path: "/api/ticket",
      headers: { ...post, origin: place.plain.url },
      body: JSON.stringify({ user: "demo" }),
    });
    const { ticket, ...rest } = asked.json() as unknown as Answer;
    assert.deepEqual(rest, { socket: place.osAgent.url, user: "demo", session: "main", folder: "demo", guest: true });
    const opened = await protocol(`${place.osAgent.url}/?session=s`, ticket, place.plain.url);
    assert.equal(await next(opened, { command: "list_sessions" }), '{"result":["s"]}');
    opened.close();
    await talk.close();
  });

  test("quiet=1: results come, and nothing that came by itself", async (t) => {
    const place = await openPlainPlace({ config: { "auth.local": "open" }, script: [{ do: "text", text: "Noted." }] });
    t.after(() => place.close());
    const [loud, quiet] = await Promise.all(["", "&quiet=1"].map((more) => connect(`${place.osAgent.url}/?user=demo&session=s${more}`)));
    assert.deepEqual(await quiet!.ask("send_notification", { message: "Disk is full" }), { result: "ok" });
    await loud!.until((frame) => frame === "Noted.");
    assert.deepEqual(quiet!.frames, ['{"result":"ok"}']);
    await loud!.close();
    place.model.script([{ do: "text", text: "Still here." }]);
    quiet!.send("Hello");
    await eventually(() => quiet!.frames.length > 1);
    assert.deepEqual(quiet!.frames.slice(1), ["Still here."]);
    await quiet!.close();
  });
});

/** Opens a socket with its credential as a subprotocol, as a page does. Rejects with the status. */
async function protocol(url: string, credential: string, origin: string): Promise<WebSocket> {
  const socket = new WebSocket(url, [`steward.${credential}`], { origin });
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  socket.on("open", () => resolve(socket));
  socket.on("unexpected-response", (_request, response) => reject(new Error(String(response.statusCode))));
  socket.on("error", reject);
  return promise;
}

function next(socket: WebSocket, frame: object): Promise<string> {
  const answer = new Promise<string>((resolve) => socket.once("message", (data) => resolve(String(data))));
  socket.send(JSON.stringify(frame));
  return answer;
}
