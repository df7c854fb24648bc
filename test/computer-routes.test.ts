// The doors of a person's computer: its state, files by hand, and the stream of a terminal, over a computer made by hand.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Mode, Principal } from "../src/core/types.ts";
import { routes } from "../src/core/api.ts";
import { TERMINAL_WINDOW } from "../src/core/api-computer.ts";
import { connect } from "../src/client/client.ts";
import { hasCode, type Code } from "../src/std/error.ts";
import { computerPaths } from "../src/web/computer-api.ts";
import { type Fake, fakeComputer } from "./computer-fake.ts";
import { temporary } from "./harness.ts";
import { eventually, openPlace, type Place, raw, signIn } from "./gateway-place.ts";
import { openWindow, type TestWindow } from "./terminal-window.ts";

interface Here extends Place {
  fakes: Map<string, Fake>;
  /** The owner's, and what programs of theirs send. */
  own: Fake;
  bearer: { authorization: string };
}

async function openHere(t: TestContext, { mode = "full", config = {} }: { mode?: Mode; config?: object } = {}): Promise<Here> {
  const place = await openPlace({ config: { "computer.mode": mode, ...config } });
  t.after(() => place.close());
  const fakes = new Map<string, Fake>();
  const folder = temporary();
  const { steward } = place.composed;
  const of = async ({ person, role }: Principal): Promise<Fake> => {
    const owner = role === "owner";
    const known =
      fakes.get(person) ??
      (await fakeComputer(join(folder, person), { mode: owner ? mode : "contained", machine: !owner || mode === "contained" }));
    fakes.set(person, known);
    return known;
  };
  steward.computer = async (who) => (await of(who)).computer;
  steward.computers.choice = async () => ({ kind: "contained", why: "because a test says so" });
  const own = await of({ person: "owner", role: "owner", via: "page" });
  return { ...place, fakes, own, bearer: { authorization: `Bearer ${place.gateway.localToken}` } };
}

const refused = (work: Promise<unknown>, code: Code): Promise<void> =>
  assert.rejects(work, (error) => hasCode(error, code) || assert.fail(error as Error));
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

test("the calls of the computer's page are those of the table of routes", () => {
  const wanted = Object.fromEntries(
    (Object.keys(computerPaths) as (keyof typeof computerPaths)[]).map((name) => [name, `${routes[name].method} ${routes[name].path}`]),
  );
  assert.deepEqual(computerPaths, wanted);
});

test("your computer: the owner's own machine has no machine part and is not restarted; a member's is told and managed", async (t) => {
  const here = await openHere(t);
  const mine = await here.client.call("computer.get");
  assert.deepEqual(
    [mine.kind, mine.mode, mine.machine, mine.places.map(({ name }) => name)],
    ["host", "full", undefined, ["Home", "Workspace"]],
  );
  await refused(here.client.call("computer.restart"), "invalid");
  const ada = connect({ url: here.gateway.url, token: await here.tokenFor("ada") });
  const theirs = await ada.call("computer.get");
  const { computer, state, asked } = here.fakes.get("ada")!;
  assert.deepEqual(theirs, {
    kind: "contained",
    why: "because a test says so",
    mode: "contained",
    home: computer.home,
    workspace: computer.workspace,
    places: [
      { name: "Home", path: computer.home },
      { name: "Workspace", path: computer.workspace },
      { name: "Documents", path: "/data" },
      { name: "Return", path: "/return" },
    ],
    machine: state,
    egress: [],
  });
  await ada.call("computer.start");
  await ada.call("computer.restart");
  await ada.call("computer.reset", { body: {} });
  await ada.call("computer.reset", { body: { everything: true } });
  assert.deepEqual(asked, ["start", "stop", "start", "reset", "reset everything"]);
  assert.deepEqual(
    (await ada.call("computer.processes")).processes.map(({ pid }) => pid),
    [7],
  );
  state.state = "stopped";
  assert.deepEqual(await ada.call("computer.processes"), { processes: [] });
  assert.deepEqual(await ada.call("terminals.list"), { terminals: [] });
  await refused(ada.call("computer.build"), "denied");
});

test("a computer that can't be had is told as failed, with the reason", async (t) => {
  const here = await openHere(t, { mode: "contained" });
  here.composed.steward.computer = () => Promise.reject(new Error("no sandbox here"));
  const { machine, home, places } = await here.client.call("computer.get");
  assert.deepEqual([machine?.state, machine?.note, home, places], ["failed", "no sandbox here", "", []]);
});

test("files: written, listed, read in ranges, moved, copied, removed; each is in the journal and comes back", async (t) => {
  const here = await openHere(t);
  const { home } = here.own.computer;
  const path = `${home}/desk/notes.txt`;
  const { entry, undo } = await here.client.call("tree.write", { query: { path, version: "new" }, body: bytesOf("0123456789") });
  assert.deepEqual([entry.path, entry.size, undo.length], [path, 10, 1]);
  await refused(here.client.call("tree.write", { query: { path, version: "new" }, body: bytesOf("x") }), "conflict");
  await refused(here.client.call("tree.write", { query: { path, version: "0" }, body: bytesOf("x") }), "conflict");
  const next = await here.client.call("tree.write", { query: { path, version: entry.version }, body: bytesOf("abcdefghij") });
  await refused(here.client.call("tree.write", { query: { path, version: entry.version }, body: bytesOf("late") }), "conflict");
  const get = (range?: string) =>
    raw(here.gateway.url, {
      path: `/api/computer/file?path=${encodeURIComponent(path)}`,
      headers: { ...here.bearer, ...(range ? { range } : {}) },
    });
  const whole = await get();
  assert.deepEqual(
    [whole.status, whole.text, whole.headers["content-length"], whole.headers["accept-ranges"]],
    [200, "abcdefghij", "10", "bytes"],
  );
  const piece = await get("bytes=2-4");
  assert.deepEqual([piece.status, piece.text, piece.headers["content-range"]], [206, "cde", "bytes 2-4/10"]);
  assert.deepEqual([(await get("bytes=-3")).text, (await get("bytes=8-")).text, (await get("bytes=99-")).status], ["hij", "ij", 416]);
  await here.client.call("tree.change", { body: { action: "folder", path: `${home}/desk/sub` } });
  await here.client.call("tree.change", { body: { action: "copy", path, to: `${home}/desk/sub/copy.txt` } });
  await refused(here.client.call("tree.change", { body: { action: "move", path, to: `${home}/desk/sub/copy.txt` } }), "conflict");
  await refused(here.client.call("tree.change", { body: { action: "folder", path: `${home}/desk/sub` } }), "conflict");
  await here.client.call("tree.change", { body: { action: "move", path, to: `${home}/desk/moved.txt` } });
  const listed = await here.client.call("tree.list", { query: { path: "~/desk" } });
  assert.deepEqual(
    [listed.path, listed.more, listed.entries.map(({ name, type }) => `${name} ${type}`)],
    [`${home}/desk`, false, ["moved.txt file", "sub dir"]],
  );
  const gone = await here.client.call("tree.change", { body: { action: "remove", path: `${home}/desk/sub` } });
  await refused(here.client.call("tree.list", { query: { path: `${home}/desk/sub` } }), "not_found");
  await here.client.call("undo.one", { params: { id: gone.undo[0]! } });
  assert.equal(readFileSync(`${home}/desk/sub/copy.txt`, "utf8"), "abcdefghij");
  await here.client.call("undo.one", { params: { id: next.undo[0]! } }).catch(() => {});
  const { entries } = await here.client.call("undo.list", { query: { session: "computer" } });
  assert.deepEqual(
    entries.filter(({ tool }) => tool === "by hand").map(({ summary }) => summary.split(" ")[0]),
    ["Deleted", "Moved", "Copied", "Made", "Wrote", "Wrote"],
  );
});

test("S-92: what is downloaded is an attachment, never sniffed, with a type by its content", async (t) => {
  const here = await openHere(t);
  const { workspace } = here.own.computer;
  const answers: unknown[] = [];
  for (const [name, content] of [
    ["page.png", "<script>alert(1)</script>"],
    ["note.html", Buffer.from("89504e470d0a1a0a0000", "hex")],
    ["x.svg", Buffer.from([0, 1, 2])],
    ["empty", ""],
  ] as const) {
    writeFileSync(join(workspace, name), content);
    const { headers } = await raw(here.gateway.url, {
      path: `/api/computer/file?path=${encodeURIComponent(join(workspace, name))}`,
      headers: here.bearer,
    });
    answers.push([
      headers["content-type"],
      String(headers["content-disposition"]).split(";")[0],
      headers["x-content-type-options"],
      headers["content-security-policy"],
    ]);
  }
  const rest = ["attachment", "nosniff", "default-src 'none'; sandbox"];
  assert.deepEqual(answers, [
    ["text/plain; charset=utf-8", ...rest],
    ["image/png", ...rest],
    ["application/octet-stream", ...rest],
    ["text/plain; charset=utf-8", ...rest],
  ]);
});

test("guarded: the owner's own hand needs no ask outside the workspace, is journaled, and blocked paths stay refused", async (t) => {
  const here = await openHere(t, { mode: "guarded" });
  const { home } = here.own.computer;
  const permissions = await here.client.call("permissions.get");
  const { filesystem } = permissions.capabilities;
  filesystem!.restrictions.blocked_paths = [`${home}/secret`];
  await here.client.call("permissions.put", { body: permissions });
  mkdirSync(`${home}/secret`);
  writeFileSync(`${home}/secret/key`, "k");
  const { undo } = await here.client.call("tree.write", { query: { path: `${home}/outside.txt` }, body: bytesOf("by hand") });
  assert.equal(undo.length, 1);
  await here.client.call("tree.change", { body: { action: "move", path: `${home}/outside.txt`, to: `${home}/else/where.txt` } });
  const blocked = `${home}/secret/key`;
  await refused(here.client.call("tree.read", { query: { path: blocked } }), "denied");
  await refused(here.client.call("tree.list", { query: { path: `${home}/secret` } }), "denied");
  await refused(here.client.call("tree.write", { query: { path: blocked }, body: bytesOf("x") }), "denied");
  await refused(here.client.call("tree.change", { body: { action: "remove", path: `${home}/secret` } }), "denied");
  await refused(here.client.call("tree.change", { body: { action: "copy", path: blocked, to: `${home}/desk/k` } }), "denied");
  await refused(here.client.call("terminals.make", { body: { columns: 80, rows: 24, cwd: `${home}/secret` } }), "denied");
  filesystem!.enabled = false;
  permissions.capabilities.terminal!.enabled = false;
  await here.client.call("permissions.put", { body: permissions });
  await refused(here.client.call("tree.list", { query: {} }), "denied");
  await refused(here.client.call("terminals.make", { body: { columns: 80, rows: 24 } }), "denied");
});

test("an upload beyond the limit is refused, announced or not, and leaves nothing", async (t) => {
  const here = await openHere(t, { config: { "limits.uploadBytes": 1000 } });
  const path = `${here.own.computer.workspace}/big`;
  const to = `/api/computer/file?path=${encodeURIComponent(path)}`;
  const announced = await raw(here.gateway.url, { method: "PUT", path: to, headers: here.bearer, body: new Uint8Array(1001) });
  const chunked = await raw(here.gateway.url, {
    method: "PUT",
    path: to,
    headers: { ...here.bearer, "transfer-encoding": "chunked" },
    body: new Uint8Array(5000),
  });
  assert.deepEqual([announced.status, chunked.status], [413, 413]);
  await refused(here.client.call("tree.read", { query: { path } }), "not_found");
  await here.client.call("tree.write", { query: { path }, body: new Uint8Array(1000) });
});

test("sixteen terminals a person, no more; the agent's own don't count", async (t) => {
  const here = await openHere(t);
  await here.own.computer.shell({ id: "agent", columns: 80, rows: 24, script: true });
  const made = await Promise.allSettled(
    Array.from({ length: 17 }, () => here.client.call("terminals.make", { body: { columns: 80, rows: 24 } })),
  );
  assert.deepEqual(made.map(({ status }) => status).toSorted(), [...Array.from({ length: 16 }, () => "fulfilled"), "rejected"]);
  const { terminals } = await here.client.call("terminals.list");
  assert.equal(terminals.length, 17);
  await here.client.call("terminals.remove", { params: { id: terminals[1]!.id } });
  await here.client.call("terminals.make", { body: { columns: 80, rows: 24 } });
});

async function terminalOf(here: Here): Promise<{ id: string; window(more?: string, sees?: boolean): Promise<TestWindow> }> {
  const { id } = await here.client.call("terminals.make", { body: { columns: 80, rows: 24 } });
  return { id, window: (more = "", sees = true) => openWindow(here.gateway.url, `${id}${more}`, { headers: here.bearer, sees }) };
}

test("a terminal: bytes both ways, waiting, size, signal, exit", async (t) => {
  const here = await openHere(t);
  const { id, window } = await terminalOf(here);
  const shell = here.own.shells.get(id)!;
  const one = await window();
  assert.deepEqual(one.frames[0], {
    type: "open",
    terminal: { id, columns: 80, rows: 24, startedAt: 1, script: false, program: "sh" },
    at: 0,
    fresh: true,
    replay: 0,
  });
  void shell.print("päth $ ");
  await one.until(() => one.text() === "päth $ ");
  one.type("ls\r");
  one.type(new Uint8Array([3]));
  await eventually(() => shell.typed === "ls\r\u0003");
  one.say({ type: "resize", columns: 100, rows: 30 });
  one.say({ type: "signal", name: "INT" });
  await eventually(() => shell.signals.length === 1 && shell.info.columns === 100);
  one.say("{}");
  one.say("nonsense");
  one.say({ type: "resize", columns: 0, rows: 5 });
  await one.until(() => one.frames.filter(({ type }) => type === "error").length === 3);
  shell.wait("Password: ", true);
  await one.until(() => one.frames.some((frame) => frame.type === "waiting" && frame.waiting.hidden));
  shell.exit(3);
  assert.deepEqual(await one.closed, { code: 1000, reason: "ended" });
  assert.deepEqual(one.frames.at(-1), { type: "exit", code: 3 });
});

test("reattached, it goes on where it was; what was printed before is told as a replay", async (t) => {
  const here = await openHere(t);
  const { id, window } = await terminalOf(here);
  const shell = here.own.shells.get(id)!;
  const one = await window();
  await shell.print("first ");
  await one.until(() => one.text() === "first ");
  one.socket.terminate();
  await shell.print("second ");
  const again = await window("?after=6");
  await again.until(() => again.text() === "second ");
  const whole = await window();
  await whole.until(() => whole.text() === "first second ");
  const told = (frame: TestWindow["frames"][number] | undefined): unknown =>
    frame?.type === "open" && [frame.at, frame.fresh, frame.replay];
  assert.deepEqual(
    [told(again.frames[0]), told(whole.frames[0])],
    [
      [6, false, 13],
      [0, true, 13],
    ],
  );
});

test("several windows: all see all, one's size is told to the others, the first one's answers are taken", async (t) => {
  const here = await openHere(t);
  const { id, window } = await terminalOf(here);
  const shell = here.own.shells.get(id)!;
  const [one, two] = [await window(), await window()];
  await shell.print("both");
  await Promise.all([one, two].map((each) => each.until(() => each.text() === "both")));
  two.say({ type: "resize", columns: 90, rows: 20 });
  await one.until(() => one.frames.some((frame) => frame.type === "size" && frame.columns === 90));
  assert.equal(
    two.frames.some(({ type }) => type === "size"),
    false,
  );
  two.say({ type: "answer", text: "second" });
  one.say({ type: "answer", text: "first" });
  one.type("typed");
  await eventually(() => shell.typed === "firsttyped");
  one.socket.close();
  await one.closed;
  // The server may hear of the end after what the other one says.
  await eventually(() => {
    two.say({ type: "answer", text: "now" });
    return shell.typed.startsWith("firsttypednow");
  });
});

test("back-pressure: beyond the window nothing is sent until it was seen, and the program waits", async (t) => {
  const here = await openHere(t);
  const { id, window } = await terminalOf(here);
  const shell = here.own.shells.get(id)!;
  const one = await window("", false);
  const piece = new Uint8Array(100_000).fill(65);
  const printed = { count: 0 };
  const printing = (async () => {
    for (; printed.count < 30; printed.count++) await shell.print(piece);
  })();
  await one.until(() => one.bytes().byteLength > TERMINAL_WINDOW);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual([one.bytes().byteLength, printed.count], [600_000, 5]);
  one.say({ type: "seen", at: 99_999_999 });
  await one.until(() => one.bytes().byteLength === 1_200_000);
  const seeing = setInterval(() => one.say({ type: "seen", at: one.bytes().byteLength }), 10);
  await printing;
  clearInterval(seeing);
  await one.until(() => one.bytes().byteLength === 3_000_000);
});

test("S-66 S-94 S-97: a terminal needs its person's credential, from an allowed origin, for as long as it is open", async (t) => {
  const here = await openHere(t);
  const { id } = await terminalOf(here);
  const { url } = here.gateway;
  const member = { authorization: `Bearer ${await here.tokenFor("ada")}` };
  const page = await signIn(here);
  const proof = `steward.${page["x-steward-proof"]}`;
  const attempts: [what: string, more: Parameters<typeof openWindow>[2], path?: string][] = [
    ["nobody", {}],
    ["a wrong token", { headers: { authorization: "Bearer wrong" } }],
    ["another person", { headers: member }],
    ["a foreign page", { headers: { ...here.bearer, origin: "https://evil.example" } }],
    ["a cookie alone", { headers: { cookie: page.cookie, origin: url } }],
    ["a cookie and its proof without an origin", { headers: { cookie: page.cookie }, protocols: [proof] }],
    ["no such terminal", { headers: here.bearer }, "trm-none"],
    ["a path", { headers: here.bearer }, "..%2f..%2fx"],
    ["not a number", { headers: here.bearer }, `${id}?after=-1`],
    ["another parameter", { headers: here.bearer }, `${id}?user=ada`],
  ];
  const answers: string[] = [];
  for (const [what, more, path = id] of attempts)
    answers.push(
      `${what}: ${await openWindow(url, path, more).then(
        () => "open",
        (error: Error) => error.message,
      )}`,
    );
  assert.deepEqual(answers, [
    "nobody: 401",
    "a wrong token: 401",
    "another person: 404",
    "a foreign page: 403",
    "a cookie alone: 401",
    "a cookie and its proof without an origin: 401",
    "no such terminal: 404",
    "a path: 404",
    "not a number: 422",
    "another parameter: 422",
  ]);
  const ada = connect({ url, token: member.authorization.slice(7) });
  await refused(ada.call("terminals.remove", { params: { id } }), "not_found");
  assert.deepEqual(await ada.call("terminals.list"), { terminals: [] });
  const window = await openWindow(url, id, { headers: { cookie: page.cookie, origin: url }, protocols: [proof] });
  await raw(url, {
    method: "POST",
    path: "/api/logout",
    headers: { ...page, origin: url, "content-type": "application/json" },
    body: "{}",
  });
  assert.equal((await window.closed).code, 4001);
});

test("a computer that stops ends its windows with 4004; Steward's own end with 1001", async (t) => {
  const here = await openHere(t);
  const { id, window } = await terminalOf(here);
  const one = await window();
  await here.client.call("terminals.remove", { params: { id } });
  assert.equal((await one.closed).code, 1000);
  const two = await (await terminalOf(here)).window();
  await here.gateway.close();
  assert.equal((await two.closed).code, 1001);
});

test("the self-test of one's own machine: files from both sides, and no word about walls that are not there", async (t) => {
  const here = await openHere(t);
  const { ok, checks } = await here.client.call("computer.test");
  assert.deepEqual(
    [ok, checks.map((check) => `${check.name}: ${check.ok}`)],
    [
      true,
      [
        "It starts: true",
        "Written from outside, read inside: true",
        "Written inside, read from outside: true",
        "Edited from both sides: true",
        "Walls: true",
      ],
    ],
  );
  assert.deepEqual(
    (await here.client.call("tree.list", { query: {} })).entries.filter(({ name }) => name.startsWith(".steward-test")),
    [],
  );
});
