// Holes that a hostile reading of the gate found, each closed and kept closed: what loads, asks, undoes, and what it shows. The core's are in review-core.test.ts.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import guardedKind from "../src/computers/guarded.ts";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import type { Computer } from "../src/core/computer.ts";
import type { Stored } from "../src/core/events.ts";
import type { Tool } from "../src/core/ports.ts";
import type { Ask, FilePart } from "../src/core/types.ts";
import { load, names } from "../src/kinds/load.ts";
import { approvals } from "../src/run/approval.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { putFile } from "../src/run/files.ts";
import { placeFile } from "../src/run/places.ts";
import { guard } from "../src/run/guard.ts";
import { say } from "../src/run/inbox.ts";
import { outbound } from "../src/run/outbound.ts";
import { makeSession, removeSession, sessionEvents } from "../src/run/sessions.ts";
import type { Steward } from "../src/run/steward.ts";
import { taintKey } from "../src/run/taint.ts";
import { openJournal } from "../src/run/journal.ts";
import { listUndo, undo } from "../src/run/undo.ts";
import { startWorker } from "../src/run/worker.ts";
import { noLog } from "../src/std/log.ts";
import { hostsIn, webAddress } from "../src/std/web-address.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import files from "../src/tools/files.ts";
import memory from "../src/tools/memory.ts";
import terminal from "../src/tools/terminal.ts";
import undoTools from "../src/tools/undo.ts";
import web from "../src/tools/web.ts";
import { harness, OWNER, temporary } from "./harness.ts";
import { plainOptions } from "../src/testing/computer-options.ts";

const tools = [...files, ...terminal, ...memory, ...web, ...undoTools] as Tool[];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (words: string) => [{ type: "text" as const, text: words }];
const DAY_MS = 86_400_000;

async function place(more: Partial<Parameters<typeof harness>[0]> = {}) {
  const home = more.home ?? temporary();
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "" }]), ...more, home });
  mkdirSync(steward.home, { recursive: true });
  const raw = await steward.computer(OWNER);
  return { steward, home, raw, computer: over(steward, raw), at: (name: string) => join(home, "workspace", name) };
}

function over(
  steward: Steward,
  raw: Computer,
  { granted = [], session = "ses_1" }: { granted?: string[]; session?: string } = {},
): Computer {
  const journal = openJournal(steward, { principal: OWNER, session, turn: "trn_1", tool: "test", computer: raw });
  return guard(steward, raw, { principal: OWNER, granted, journal, note: { cached: false }, reads: false });
}

/** A session whose model makes these calls one by one, round by round; each ask is answered as it comes. */
async function flow(calls: Said[][], more: Partial<Parameters<typeof harness>[0]> = {}) {
  const model = scripted((_, count) => calls[count] ?? [{ text: "ok" }]);
  const steward = harness({ store: await sqlite(":memory:"), model, tools, ...more });
  mkdirSync(steward.home, { recursive: true });
  const worker = startWorker(steward, { name: "w", auto: false });
  const session = (await makeSession(steward, OWNER, {})).id;
  const events = async () => (await sessionEvents(steward, OWNER, session, {})).events.map(({ event }) => event);
  return {
    steward,
    session,
    home: join(steward.home, ".."),
    async go(words: string, answer: Parameters<typeof answerAsk>[3] = { choice: "deny" }): Promise<Ask[]> {
      await say(steward, OWNER, { session, parts: text(words) });
      const asks: Ask[] = [];
      const state = { over: false };
      const done = worker.drain().finally(() => (state.over = true));
      while (!state.over) {
        for (const ask of await openAsks(steward, OWNER))
          if (!asks.some(({ id }) => id === ask.id)) {
            asks.push(ask);
            await answerAsk(steward, OWNER, ask.id, answer);
          }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await done;
      return asks;
    },
    results: async () =>
      (await events()).flatMap((event) => (event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result!] : [])),
  };
}

/** Which of these addresses would ask, after this log. */
async function asking(urls: string[], { log = [], tainted = false }: { log?: Stored["event"][]; tainted?: boolean }): Promise<string[]> {
  const { steward, raw } = await place();
  const tool = tools.find(({ name }) => name === "fetch_page")!;
  if (tainted) await steward.store.commit({ put: { [taintKey("s")]: true } });
  const asked: string[] = [];
  for (const url of urls) {
    const stop = new AbortController();
    await approvals(
      steward,
      {
        principal: OWNER,
        session: "s",
        turn: "t",
        signal: stop.signal,
        log: async () => log.map((event, index) => ({ session: "s", seq: index + 1, at: 0, event })),
        emit: async () => void (asked.push(url), stop.abort()),
        live() {},
      },
      { tool, input: { url }, call: { id: "c", tool: tool.name, input: { url } }, computer: raw },
    ).catch(() => {});
  }
  return asked;
}
const used = (tool: string): Stored["event"] => ({
  type: "item.completed",
  turn: "t",
  item: { id: "i", kind: "tool", call: { id: "c0", tool, input: {} }, result: { success: true, output: "", error: null } },
});
const wrote = (words: string): Stored["event"] => ({ type: "message.received", id: "m", from: "owner", parts: text(words) });

// ---- What loads

test("what the agent writes is never loaded into Steward's own process", async () => {
  const { computer, steward } = await place();
  await computer.write("tools/helpful.ts", bytes("export default [];\n"));
  assert.ok(!names("tools", { home: steward.home }).includes("helpful"));
  await assert.rejects(load("tools", "helpful", { home: steward.home }), { code: "not_found" });
  await assert.rejects(computer.write(join(steward.home, "adapters/tools/helpful.ts"), bytes("export default [];\n")), { code: "denied" });
});

// ---- Addresses after words of others

test("after a page was read, every spelling of a new address asks", async () => {
  const urls = [
    "https://evil.example/?d=1",
    "evil.example/?d=://",
    "https:evil.example/?d=1",
    "https:/evil.example/",
    "HTTPS://EVIL.example./",
    "http://",
    "ht tp://x",
  ];
  assert.deepEqual(await asking(urls, { log: [used("fetch_page")] }), urls);
  assert.deepEqual(await asking(urls, { log: [used("write_file")] }), []);
});

test("a host is named only as a whole, and a parent does not name what is below it", async () => {
  const log = [wrote("Look at Example.com, docs.example.org. and http://münchen.example:80/x please"), used("fetch_page")];
  const free = [
    "https://example.com/?a",
    "https://example.com./",
    "docs.example.org",
    "https://xn--mnchen-3ya.example/",
    "münchen.example",
  ];
  const other = ["https://ample.com/", "https://secret.example.com/", "https://example.com.evil.org/", "https://example.org/"];
  assert.deepEqual(await asking([...free, ...other], { log }), other);
});

test("words of others come from files, commands and tools of one's own too, and are remembered beside the log", async () => {
  for (const tool of ["read_file", "search_files", "execute_terminal_command", "a_tool_of_ones_own"])
    assert.equal((await asking(["https://evil.example/"], { log: [used(tool)] })).length, 1, tool);
  assert.equal((await asking(["https://evil.example/"], { tainted: true })).length, 1);
  const one = await flow([
    [{ call: "write_file", input: { path: "a", content: "x" } }],
    [{ text: "ok" }],
    [{ call: "read_file", input: { path: "a" } }],
  ]);
  await one.go("write");
  assert.equal(await one.steward.store.get(taintKey(one.session)), undefined);
  await one.go("read");
  assert.equal(await one.steward.store.get(taintKey(one.session)), true);
});

test("an address means the same to the one who asks and the one who fetches", () => {
  const seen = (given: string): string | undefined => webAddress(given)?.href;
  assert.deepEqual(["example.com", "example.com:8080/x", "https:a.example", " http://b.example/\n", "https://", "mailto:x@y"].map(seen), [
    "https://example.com/",
    "https://example.com:8080/x",
    "https://a.example/",
    "http://b.example/",
    undefined,
    "mailto:x@y",
  ]);
  assert.deepEqual(
    [...hostsIn("a@b.example, (https://c.example:1/d.html?e=f.example) ... g")],
    ["b.example", "c.example", "d.html", "f.example"],
  );
});

test("a redirect to another site is not followed, and named", async () => {
  const asked: string[] = [];
  const one = await flow([[{ call: "fetch_page", input: { url: "https://start.example/a" } }]]);
  one.steward.fetch = async (url) => {
    asked.push(String(url));
    const to = { "/a": "/b", "/b": "https://www.start.example/c", "/c": "https://evil.example/?q=1" }[new URL(String(url)).pathname];
    return new Response("secret", { status: 302, headers: { location: to! } });
  };
  await one.go("read start.example");
  const [result] = await one.results();
  assert.deepEqual(asked, ["https://start.example/a", "https://start.example/b", "https://www.start.example/c"]);
  assert.match(result?.error ?? "", /^start\.example redirects to https:\/\/evil\.example\/\?q=1/);
  assert.equal(result?.output, null);
});

test("the outbound client hands a redirect back when it is told to follow none", async (t) => {
  const server = createServer((_, response) => response.writeHead(302, { location: "/elsewhere" }).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const client = outbound({ allow: () => true, log: noLog });
  t.after(() => client.close());
  const response = await client(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { redirect: "manual" });
  assert.deepEqual([response.status, response.headers.get("location")], [302, "/elsewhere"]);
});

// ---- Undo

test("a tool's undo stays in its session and behind the switch of the file tools", async () => {
  const one = await flow([[{ call: "undo", input: {} }], [{ text: "ok" }], [{ call: "undo", input: {} }]]);
  const raw = await one.steward.computer(OWNER);
  writeFileSync(join(one.home, "workspace/a"), "old");
  await over(one.steward, raw, { session: "another" }).write("a", bytes("wanted"));
  await one.go("go");
  await over(one.steward, raw, { session: one.session }).write("a", bytes("newer"));
  one.steward.permissions.toggle("filesystem", false);
  await one.go("again");
  assert.deepEqual(
    (await one.results()).map(({ error }) => error?.replace(/\. .*/, "")),
    ["There is nothing to undo", "Permission denied: filesystem is switched off"],
  );
  assert.equal(readFileSync(join(one.home, "workspace/a"), "utf8"), "newer");
});

test("a tool's undo outside the workspace asks as a write does", async () => {
  const one = await flow([[{ call: "undo", input: {} }], [{ text: "ok" }], [{ call: "undo", input: {} }]]);
  mkdirSync(join(one.home, "notes"));
  const out = join(one.home, "notes/out.txt");
  writeFileSync(out, "old");
  const computer = over(one.steward, await one.steward.computer(OWNER), { session: one.session, granted: [`write:${one.home}/notes`] });
  await computer.write(out, bytes("new"));
  const denied = await one.go("no");
  assert.deepEqual([denied.map(({ scope }) => scope), readFileSync(out, "utf8")], [[`write:${one.home}/notes`], "new"]);
  await one.go("yes", { choice: "allow" });
  assert.equal(readFileSync(out, "utf8"), "old");
});

test("an undo refuses a place that is blocked by now, and Steward's own", async () => {
  const { steward, computer, raw, at } = await place();
  mkdirSync(at("d"));
  writeFileSync(at("d/f"), "old");
  await computer.write("d/f", bytes("new"));
  steward.permissions.merge({ capabilities: { filesystem: { restrictions: { blocked_paths: [at("d")] } } } });
  await assert.rejects(undo(steward, OWNER), { code: "denied" });
  assert.equal(readFileSync(at("d/f"), "utf8"), "new");
  const journal = openJournal(steward, { principal: OWNER, session: "s", turn: "t", tool: "x", computer: raw });
  const own = join(steward.home, "config.json");
  writeFileSync(own, "{}");
  const id = await journal.record("Wrote", { type: "created", path: own });
  await assert.rejects(undo(steward, OWNER, id), { code: "denied" });
  assert.equal(existsSync(own), true);
});

test("a change of one computer is not undone on another", async () => {
  const { steward, raw } = await place();
  const photos = join(temporary(), "photos");
  writeFileSync(photos, "the host's own");
  const computer = { ...raw, mode: "contained" } as Computer;
  const journal = openJournal(steward, { principal: OWNER, session: "s", turn: "t", tool: "write_file", computer });
  await journal.record("Wrote the new file /data/photos", { type: "created", path: photos });
  await assert.rejects(undo(steward, OWNER), { code: "conflict", message: /made in contained mode/ });
  assert.equal(existsSync(photos), true);
});

test("undo after a command says that it can't, undoes nothing older, and names what can be undone", async () => {
  const { steward, computer, at, raw } = await place();
  const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
  writeFileSync(at("b"), "b");
  await computer.write("a", bytes("a"));
  await quiet();
  await computer.exec("rm b");
  await quiet();
  await computer.exec("true;");
  const [nothing, removal, write] = await listUndo(steward, OWNER);
  assert.deepEqual(
    [nothing, removal].map((entry) => [entry?.state, entry?.summary, entry?.changed]),
    [
      ["impossible", `Ran true;: no change seen in ${raw.workspace}`, []],
      ["impossible", `Ran rm b: removed or renamed something in ${raw.workspace}`, [raw.workspace]],
    ],
  );
  await assert.rejects(undo(steward, OWNER), { code: "conflict", hint: new RegExp(`its id is ${write!.id}`) });
  assert.equal(existsSync(at("a")), true);
  await undo(steward, OWNER, write!.id);
  assert.equal(existsSync(at("a")), false);
  await assert.rejects(undo(steward, OWNER), { code: "conflict", hint: "No change before it can be undone." });
});

test("a command that only reads is no change", async () => {
  const { steward, computer, at } = await place();
  writeFileSync(at("a"), "a");
  await computer.exec("cat a");
  assert.deepEqual(await listUndo(steward, OWNER), []);
});

test("what a command changed is looked for in a bounded number of files, and that is said", async () => {
  const { steward, computer, at } = await place();
  mkdirSync(at("many"));
  for (let count = 0; count < 1200; count++) writeFileSync(at(`many/${count}`), "");
  await new Promise((resolve) => setTimeout(resolve, 60));
  await computer.exec("true;", { cwd: "many" });
  assert.match((await listUndo(steward, OWNER))[0]!.summary, /: no change seen in .*\/many \(not all of it was looked at\)$/);
});

test("two undos of one change at once undo it once", async () => {
  for (let round = 0; round < 10; round++) {
    const { steward, computer, at } = await place();
    writeFileSync(at("f"), "old");
    await computer.write("f", bytes("new"));
    const [{ id } = { id: "" }] = await listUndo(steward, OWNER);
    const ends = await Promise.allSettled([undo(steward, OWNER, id), undo(steward, OWNER, id)]);
    assert.deepEqual([ends.map(({ status }) => status).toSorted(), readFileSync(at("f"), "utf8")], [["fulfilled", "rejected"], "old"]);
  }
});

test("changes are listed by session, newest first, as many as wanted", async () => {
  const { steward, raw } = await place();
  for (let count = 0; count < 30; count++) await over(steward, raw, { session: `ses_${count % 2}` }).write(`${count}`, bytes("x"));
  const listed = async (query: Parameters<typeof listUndo>[2]) =>
    (await listUndo(steward, OWNER, query)).map(({ summary }) => summary.split("/").at(-1));
  assert.deepEqual(await listed({ session: "ses_1", limit: 3 }), ["29", "27", "25"]);
  assert.deepEqual(await listed({ limit: 2 }), ["29", "28"]);
  assert.deepEqual(await listed({ session: "ses_" }), []);
});

test("bringing back a session keeps what happened to it since; one whose log is gone is not brought back", async () => {
  const clock = { at: 1_800_000_000_000 };
  const store = await sqlite(":memory:", { now: () => clock.at });
  const one = await flow([[{ text: "ok" }]], { store, now: () => clock.at });
  await one.go("x");
  const key = `p/owner/session/${one.session}`;
  const { undo: first } = await removeSession(one.steward, OWNER, one.session);
  await store.commit({ merge: { [key]: { title: "renamed meanwhile" } } });
  await undo(one.steward, OWNER, first);
  const doc = (await store.get(key)) as { title: string; deletedAt?: number };
  assert.deepEqual([doc.title, doc.deletedAt], ["renamed meanwhile", undefined]);
  const { undo: second } = await removeSession(one.steward, OWNER, one.session);
  clock.at += 8 * DAY_MS;
  await startWorker(one.steward, { name: "tidy", auto: false }).drain();
  const [entry] = await undo(one.steward, OWNER, second);
  assert.deepEqual([entry?.state, entry?.reason], ["failed", "Its seven days are over, so its log was erased"]);
  assert.equal(await store.get(key), undefined);
});

// ---- Scopes

test("a file in the home folder or in / is a scope of its own, never the whole folder", async () => {
  const write = (path: string): Said => ({ call: "write_file", input: { path, content: "x" } });
  const one = await flow([[write("~/a.txt"), write("~/b.txt"), write("~/deep/c.txt"), write("/steward-test-file")]]);
  const asks = await one.go("go", { choice: "deny" });
  assert.deepEqual(
    asks.map(({ scope }) => scope),
    [`write:${one.home}/a.txt`, `write:${one.home}/b.txt`, `write:${one.home}/deep`, "write:/steward-test-file"],
  );
});

test("files that run by themselves ask each time, whatever was allowed before", async () => {
  const calls: Said[] = [
    { call: "write_file", input: { path: "~/.config/app/settings", content: "x" } },
    { call: "write_file", input: { path: "~/.config/autostart/x.desktop", content: "x" } },
    { call: "write_file", input: { path: "~/.bashrc", content: "1" } },
    { call: "write_file", input: { path: "~/.bashrc", content: "2" } },
    { call: "write_file", input: { path: "profile", content: "x" } },
    { call: "move_file", input: { source: "profile", destination: "~/.profile" } },
    { call: "create_directory", input: { path: "bin" } },
    { call: "move_file", input: { source: "bin", destination: "~" } },
  ];
  const one = await flow([calls]);
  await one.steward.store.commit({
    put: { "p/owner/grant/g": { id: "g", scope: `write:${one.home}/.config`, until: Date.now() + DAY_MS } },
  });
  const asks = await one.go("go", { choice: "allow", for: "task" });
  assert.deepEqual(
    asks.map(({ scope, prompt }) => [scope, prompt.replace(`${one.home}/`, "~/").split(",")[0]]),
    [
      [undefined, "write_file wants to change ~/.config/autostart/x.desktop"],
      [undefined, "write_file wants to change ~/.bashrc"],
      [undefined, "write_file wants to change ~/.bashrc"],
      [undefined, "move_file wants to change ~/.profile"],
      [undefined, "move_file wants to change ~/bin"],
    ],
  );
  assert.ok((await one.results()).every(({ success }) => success));
});

test("the network is allowed once or for the task, never lasting", async () => {
  const call: Said = { call: "execute_terminal_command", input: { command: "true", network: true } };
  const one = await flow([[call, call], [{ text: "ok" }], [call]]);
  await one.steward.store.commit({ put: { "p/owner/grant/g": { id: "g", scope: "network", until: Date.now() + DAY_MS } } });
  const first = await one.go("go", { choice: "allow", for: "task" });
  const second = await one.go("again", { choice: "allow", for: "once" });
  assert.deepEqual([first.map(({ scope }) => scope), second.length], [[undefined], 1]);
  assert.ok((await one.results()).every(({ success }) => success));
});

test("a refused move says which of its two paths it was", async () => {
  const one = await flow([
    [
      { call: "write_file", input: { path: "a", content: "x" } },
      { call: "move_file", input: { source: "~/state/x", destination: "b" } },
      { call: "move_file", input: { source: "a", destination: "~/state/x" } },
      { call: "move_file", input: { source: "a", destination: "~/d/x" } },
    ],
  ]);
  await one.go("go");
  assert.deepEqual(
    (await one.results()).slice(1).map(({ error }) => error?.split(":")[0]),
    ["Permission denied (source)", "Permission denied (destination)", "Permission denied (destination)"],
  );
});

// ---- Files and commands

test("an upload does not follow a link that was planted for it", async () => {
  const { steward, home, at } = await place();
  mkdirSync(join(home, "elsewhere"));
  symlinkSync(join(home, "elsewhere"), at("uploads"));
  const file: FilePart = await putFile(steward, OWNER, { name: "x", bytes: bytes("x"), limit: 10 });
  await assert.rejects(placeFile(steward, OWNER, file), { code: "conflict" });
  assert.deepEqual(readdirSync(join(home, "elsewhere")), []);
});

test("a write that fails leaves no entry and keeps nothing; a copy over a file keeps the old one", async () => {
  const { steward, raw, home, at } = await place();
  writeFileSync(at("old"), "old");
  writeFileSync(at("new"), "new");
  const broken: Computer = {
    ...raw,
    write: () => Promise.reject(new Error("no luck")),
    makeFolder: () => Promise.reject(new Error("no luck")),
  };
  const failing = over(steward, broken);
  await assert.rejects(failing.write("old", bytes("x")), /no luck/);
  await assert.rejects(failing.write("fresh", bytes("x")), /no luck/);
  await assert.rejects(failing.makeFolder("folder"), /no luck/);
  assert.deepEqual([await listUndo(steward, OWNER), readdirSync(join(home, "state/kept"))], [[], []]);
  await over(steward, raw).copy("new", "old");
  assert.equal(readFileSync(at("old"), "utf8"), "new");
  await undo(steward, OWNER);
  assert.equal(readFileSync(at("old"), "utf8"), "old");
});

test("in full mode a command that names Steward's files, or what is in no allowed path, is refused", async () => {
  const { steward, computer, at, home } = await place({ mode: "full" });
  writeFileSync(join(steward.home, "secrets.key"), "KEY");
  await assert.rejects(computer.exec(`cat ${join(steward.home, "secrets.key")}`), { code: "denied" });
  steward.permissions.merge({ capabilities: { filesystem: { restrictions: { allowed_paths: [at("")] } } } });
  writeFileSync(at("mine"), "MINE");
  await assert.rejects(computer.exec(`cat ${join(home, "other")}`), { code: "denied" });
  assert.equal((await computer.exec(`/bin/cat ${at("mine")} 2>/dev/null`)).stdout, "MINE");
});

test("blocking a path ends what is cached of it", { skip: (await bubblewrapMissing()) !== undefined }, async () => {
  const home = temporary();
  const { steward, at } = await place({ home });
  const hidden = (): string[] =>
    steward.permissions.read().capabilities.filesystem.restrictions.blocked_paths.filter((path) => path.startsWith("/"));
  const workspace = join(home, "workspace");
  const raw = await guardedKind.open({
    person: "owner",
    mode: "guarded",
    home,
    workspace,
    steward: steward.home,
    hidden,
    ...plainOptions,
    env: process.env,
  });
  const computer = over(steward, raw);
  mkdirSync(at("d"));
  writeFileSync(at("d/key"), "SECRET");
  assert.equal((await computer.exec("cat d/key")).stdout, "SECRET");
  steward.permissions.merge({ capabilities: { filesystem: { restrictions: { blocked_paths: [at("d")] } } } });
  assert.doesNotMatch((await computer.exec("cat d/key")).stdout, /SECRET/);
});
