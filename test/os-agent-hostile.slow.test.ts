// OS-Agent's door against those who mean harm: frames that are larger inside than outside, answers that nobody reads, disks filled, keys that were changed.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { WebSocket } from "ws";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { openCrowd } from "../src/gateway/os-agent/crowd.ts";
import { safeName } from "../src/gateway/os-agent/files.ts";
import { readText } from "../src/gateway/os-agent/frames.ts";
import type { Caller } from "../src/gateway/auth.ts";
import { openTickets } from "../src/gateway/tickets.ts";
import { openLog } from "../src/run/logs.ts";
import { eventually } from "./gateway-place.ts";
import { temporary } from "./harness.ts";
import { openOsPlace, type OsPlace, parsed, PYTHON, type Talk } from "./os-agent-place.ts";

const MB = 1024 ** 2;
const KEY = "0123456789abcdef0123456789abcdef-signs";
const missing = await bubblewrapMissing();

test("a command of a great many parts is not looked into; large texts are", () => {
  const parts = `[${"{},".repeat(3 * MB)}{}]`;
  assert.throws(() => readText(`{"command":"nothing","args":{"a":${parts}}}`), { code: "invalid", message: /too many parts/ });
  for (const prompt of [parts, `{"a":${parts}}`, "[".repeat(MB)])
    assert.deepEqual(readText(prompt), { command: "team_chat", args: { prompt } });
  const content = `"\\,{}[]:`.repeat(MB);
  const asked = { command: "write_file", args: { path: "\\", content } };
  assert.deepEqual(readText(JSON.stringify(asked)), asked);
});

test("names of uploads fit any file system, keep their ends, and no character is cut", () => {
  for (const [given, name] of [
    [`${"漢".repeat(120)}.txt`, `${"漢".repeat(65)}.txt`],
    [`a${"𠀀".repeat(150)}.tar.gz`, `a${"𠀀".repeat(49)}.gz`],
    ["x".repeat(300), "x".repeat(200)],
    ["../../.bashrc", ".bashrc"],
    ["..", "file"],
  ] as const)
    assert.equal(safeName(given), name);
});

test("a log that was closed makes nothing in a home that may be gone", async () => {
  const folder = join(temporary(), "logs");
  const log = openLog({ folder, level: () => "debug", secrets: () => [] });
  log("info", "before");
  log.end();
  await rm(folder, { recursive: true });
  log("info", "after");
  assert.equal(existsSync(folder), false);
});

test("a flood of tickets costs only the tickets of who asks for them", () => {
  const tickets = openTickets(() => 1);
  const caller = (by: string): Caller => ({ principal: { person: by, role: "guest", via: "osAgent" }, by, ambient: false });
  const mine = tickets.make(caller("cookie"));
  const [first] = Array.from({ length: 3000 }, () => tickets.make(caller("open")));
  assert.equal(tickets.redeem(first!), undefined);
  assert.equal(tickets.redeem(mine)?.by, "cookie");
  assert.equal(tickets.redeem(mine), undefined);
});

test("frames that never end are counted together, for each person and for all", () => {
  const crowd = openCrowd();
  const ended: string[] = [];
  const enter = (person: string) => {
    const socket = Object.assign(new EventEmitter(), {
      OPEN: 1,
      readyState: 1,
      bufferedAmount: 0,
      close(code: number) {
        socket.readyState = 2;
        ended.push(`${person} ${code}`);
      },
    });
    const raw = Object.assign(new EventEmitter(), { destroySoon: () => crowd.leave(seat) });
    const seat = crowd.enter(person, socket as unknown as WebSocket, raw as unknown as Socket);
    return (bytes: number) => raw.emit("data", { length: bytes });
  };
  const eve = Array.from({ length: 5 }, () => enter("eve"));
  for (const arrives of eve) arrives(60 * MB);
  assert.deepEqual(ended, ["eve 1013"]);
  for (const person of ["ada", "bob", "cleo", "dan"]) enter(person)(100 * MB);
  assert.deepEqual(ended, ["eve 1013", "cleo 1013", "dan 1013"]);
  assert.equal(crowd.count("eve"), 4);
});

describe("OS-Agent's door without a computer", () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace();
  });
  after(() => place.close());

  test("many tiny parts are an error, soon, and the connection goes on", async () => {
    const talk = await place.connect("/?user=parts");
    talk.send(`{"command":"set_memory","args":{"a":[${"{},".repeat(5 * MB)}{}]}}`);
    assert.match(await talk.until(() => true), /too many parts/);
    talk.send(`{"command":"read_file","args":{"path":${"[".repeat(9000)}${"]".repeat(9000)}}}`);
    assert.doesNotMatch(await talk.until(() => true, 1), /inside Steward/);
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["main"] });
    await talk.close();
  });

  test("an unknown command after a chat is answered after the chat", async () => {
    place.model.script([
      { do: "wait", ms: 150 },
      { do: "text", text: "Slow." },
    ]);
    const talk = await place.connect("/?user=order");
    talk.send("go");
    talk.send({ command: "nothing" });
    talk.send(Buffer.from([1]));
    await eventually(() => talk.frames.length === 3);
    assert.deepEqual(talk.frames, ["Slow.", '{"error":"Unknown command: nothing"}', '{"error":"Invalid binary message"}']);
    await talk.close();
  });

  test("names that differ only at their ends stay two", async () => {
    const names: string[] = [];
    for (const end of ["one", "two"]) {
      const long = "n".repeat(220) + end;
      const talk = await place.connect(`/?user=${long}&session=${long}`);
      names.push(...((await talk.ask("list_sessions")).result as string[]));
      await talk.close();
    }
    assert.equal(new Set(names).size, 2);
  });

  test("sessions by name are many, not without end", async () => {
    const put: Record<string, unknown> = {};
    for (let at = 0; at < 2000; at++) put[`p/user_names/named/n${at}`] = { name: `n${at}`, session: `ses_none${at}`, told: 1 };
    await (await place.connect("/?user=names&session=mine")).close();
    await place.composed.steward.store.commit({ put });
    const talk = await place.connect("/?user=names&session=mine");
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["mine"] });
    const more = await place.connect("/?user=names&session=more");
    assert.match(await more.until(() => true), /2000 sessions/);
    assert.equal((await more.closed)[0], 1011);
    await talk.close();
  });

  test("who has shown a token in the first frame is no stranger any more", async () => {
    const token = await place.tokenFor("owner", "owner");
    const talk = await place.connect("/?auth=frame&session=known");
    talk.send({ token });
    await talk.until(() => true);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // younger ones are spared
    const strangers = Array.from({ length: 140 }, () =>
      connectSocket({ host: "127.0.0.1", port: place.osAgent.port }).on("error", () => {}),
    );
    await Promise.all(strangers.map((one) => new Promise((resolve) => one.once("connect", resolve))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["known"] });
    for (const one of strangers) one.destroy();
    await talk.close();
  });

  test("a connection that is not read from, since much waits, is not taken for dead", async (t) => {
    const release = Promise.withResolvers<void>();
    place.model.script([
      { do: "until", promise: release.promise },
      { do: "text", text: "At last." },
    ]);
    t.mock.timers.enable({ apis: ["setInterval"] });
    const talk = await place.connect("/?user=patient");
    talk.send("go");
    for (let at = 0; at < 70; at++) talk.send({ command: "get_memory" });
    // In slices: a machine that stands still takes one of them, and the frames are read in the others.
    for (let slice = 0; slice < 50; slice++) await new Promise((resolve) => setTimeout(resolve, 10));
    for (let beat = 0; beat < 4; beat++) t.mock.timers.tick(30_000);
    t.mock.timers.reset();
    release.resolve();
    await eventually(() => talk.frames.length === 71);
    assert.equal(talk.frames[0], "At last.");
    await talk.close();
  });

  test("tokens end with the key that signed them", async () => {
    await place.composed.steward.secrets.set("secret-key", KEY);
    const { token } = await place.client.call("tokens.sign", { body: { user: "ada" } });
    const talk = await place.connect(`/?token=${token}`);
    await place.composed.steward.secrets.set("secret-key", `${KEY}-new`);
    assert.deepEqual(await talk.closed, [4401, "revoked"]);
    await assert.rejects(place.connect(`/?token=${token}`), { message: "401" });
  });

  test("O-086 here the shell tool is known as execute_terminal, elsewhere by its other name", async () => {
    const names = () => (place.model.requests.at(-1)!.body["tools"] as { function: { name: string } }[]).map((tool) => tool.function.name);
    place.model.script([{ do: "text", text: "ok" }]);
    const talk = await place.connect("/?user=tools");
    talk.send("go");
    await talk.until(() => true);
    assert.deepEqual([names().includes("execute_terminal"), names().includes("execute_terminal_command")], [true, false]);
    await talk.close();
    const { id } = await place.client.call("sessions.make", { body: {} });
    const before = place.model.requests.length;
    await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "go" }] } });
    await eventually(() => place.model.requests.length > before);
    assert.deepEqual([names().includes("execute_terminal"), names().includes("execute_terminal_command")], [false, true]);
  });
});

describe("OS-Agent's door over a computer", { skip: missing ?? false }, () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace({ config: { "computer.limits.diskMb": 64, "computer.persist": false } });
  });
  after(() => place.close());
  const run = (talk: Talk, command: string) => talk.ask("vm_execute", { command });

  test("answers that nobody reads are not made without end", async () => {
    const talks = await Promise.all(Array.from({ length: 4 }, () => place.connect("/?user=mute")));
    await run(talks[0]!, "truncate -s 9M /tmp/nothing; truncate -s 17M /tmp/more");
    assert.match((await talks[0]!.ask("read_file", { path: "/tmp/more" })).error!, /at most 16777216/);
    const unread = async (ms: number): Promise<Record<string, unknown>[]> => {
      const before = talks.map(({ frames }) => frames.length);
      for (const talk of talks) {
        talk.socket.pause();
        for (let at = 0; at < 3; at++) talk.send({ command: "read_file", args: { path: "/tmp/nothing" } });
      }
      await new Promise((resolve) => setTimeout(resolve, ms));
      assert.ok(process.memoryUsage().rss < 1500 * MB);
      for (const [at, talk] of talks.entries()) {
        talk.socket.resume();
        await eventually(() => talk.frames.length >= before[at]! + 3);
      }
      return talks.flatMap(({ frames }) => frames.map((frame) => parsed(frame) ?? {}).slice(-3));
    };
    const isRefused = ({ error }: Record<string, unknown>): boolean => /have not read yet/.test(String(error));
    let all = await unread(3000);
    // They are read in a computer, which a busy machine may keep from it for long.
    for (const ms of [10_000, 30_000]) if (!all.some(isRefused)) all = await unread(ms);
    assert.ok(all.some(isRefused));
    assert.ok(all.some(({ result }) => typeof result === "string" && result.length === 9 * MB));
    for (const talk of talks) await talk.close();
  });

  test("what is typed into a program that reads nothing does not pile up", async () => {
    const [busy, typist] = [await place.connect("/?user=typist"), await place.connect("/?user=typist")];
    assert.match((await typist.ask("vm_keys", { data: "x".repeat(100_001), delay: 0 })).error!, /At most 100000/);
    busy.send({ command: "vm_execute_stream", args: { command: "echo here; sleep 60" } });
    await busy.until((frame) => frame.includes("here"));
    const answers: unknown[] = [];
    for (let at = 0; at < 4; at++) answers.push(await typist.ask("vm_input", { data: "x".repeat(6 * MB) }));
    assert.deepEqual(answers.slice(0, 2), [{ result: "ok" }, { result: "ok" }]);
    assert.match((answers[3] as { error: string }).error, /has not been read/);
    assert.deepEqual(await typist.ask("restart_terminal"), { result: "restarted" });
    await Promise.all([busy.close(), typist.close()]);
  });

  test("copies on the server hold as much as a computer may, of whatever size the files say they are", async () => {
    const talk = await place.connect("/?user=filler");
    await run(talk, "for n in 1 2 3; do truncate -s 30M ~/hole$n; done");
    const answers = [];
    for (const n of [1, 2, 3]) answers.push(await talk.ask("download_file", { path: `~/hole${n}`, dest: `part${n}` }));
    assert.deepEqual(
      answers.map(({ error }) => error?.slice(0, 12)),
      [undefined, undefined, "Your copies "],
    );
    const returns = join(place.home, "returns", "filler");
    assert.deepEqual((await readdir(returns, { recursive: true })).toSorted(), ["part1", "part1/hole1", "part2", "part2/hole2", "part3"]);
    assert.match((await talk.ask("download_file", { path: "~/hole1", dest: "x".repeat(300) })).error!, /too long/);
    const others = await Promise.all(["a", "b", "c"].map(async () => place.connect("/?user=racer")));
    await run(others[0]!, "truncate -s 30M ~/hole");
    const raced = await Promise.all(others.map((one, at) => one.ask("download_file", { path: "~/hole", dest: `at${at}` })));
    assert.equal(raced.filter(({ error }) => error !== undefined).length, 1);
    for (const one of [talk, ...others]) await one.close();
  });

  test("O-063 PERSIST_VMS=0: the computer goes with the person's last connection, once nothing of theirs runs; files stay", async () => {
    const { computers } = place.composed.steward;
    const [one, other] = [await place.connect("/?user=brief"), await place.connect("/?user=brief&session=other")];
    await run(one, "echo kept > ~/kept; touch /tmp/gone");
    const first = await computers.own("user_brief");
    await one.close();
    const release = Promise.withResolvers<void>();
    place.model.script([
      { do: "until", promise: release.promise },
      { do: "text", text: "ok" },
    ]);
    const before = place.model.requests.length;
    other.send("go");
    await eventually(() => place.model.requests.length > before);
    await other.close();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(await computers.own("user_brief"), first); // a turn runs
    release.resolve();
    await eventually(async () => (await first.machine!.state()).state !== "running");
    const again = await place.connect("/?user=brief");
    assert.deepEqual(await run(again, "cat ~/kept; ls /tmp/gone 2>&1 | grep -c No"), { result: "kept\n1" });
    assert.notEqual(await computers.own("user_brief"), first);
    await again.close();
  });

  test("O-086 execute_terminal runs in the computer, with what stands on its input", async () => {
    let round = 0;
    place.model.script(() =>
      round++ === 0
        ? [{ do: "calls", calls: [{ tool: "execute_terminal", input: { command: "hostname; tr a-z A-Z", stdin_data: "loud" } }] }]
        : [{ do: "text", text: "ok" }],
    );
    const talk = await place.connect("/?user=shell", { headers: { "user-agent": PYTHON } });
    talk.send("go");
    await talk.until((frame) => frame === "ok");
    assert.match(JSON.stringify(place.model.requests.at(-1)!.body.messages!.at(-1)), /computer\\+nLOUD/);
    await talk.close();
  });
});
