// The contract of a computer: what `exec` promises, asked through the port alone. Programs that one speaks with are in computer-live.ts, the file members in computer-files.ts, terminals in computer-shell.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Computer } from "../core/computer.ts";
import { hasCode, type Code } from "../std/error.ts";
import { fileContract } from "./computer-files.ts";
import { feed, liveContract } from "./computer-live.ts";
import { shellContract } from "./computer-shell.ts";

/** `open` gives a computer with an empty workspace. With `skip` the suite only says why it can't run. */
export function computerContract(name: string, open: () => Promise<{ computer: Computer; close(): Promise<void> }>, skip?: string): void {
  describe(`computer ${name}`, skip === undefined ? {} : { skip }, () => {
    const held: { opened?: Awaited<ReturnType<typeof open>> } = {};
    before(async () => void (held.opened = await open()));
    after(() => held.opened?.close());
    const computer = (): Computer => held.opened!.computer;
    commandContract(computer);
    outputContract(computer);
    endContract(computer);
    liveContract(computer, processesWith);
    fileContract(computer);
    shellContract(computer);
  });
}

export const refuses = (work: Promise<unknown>, code: Code): Promise<void> =>
  assert.rejects(work, (error) => hasCode(error, code) || assert.fail(error as Error));

/** Lines of the processes of this host, those in sandboxes included, whose arguments hold the text. */
export function processesWith(text: string): string[] {
  if (process.platform !== "linux")
    return execFileSync("/bin/ps", ["-Ao", "pid,command"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.includes(text));
  const line = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
    } catch {
      return "";
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => `${pid} ${line(pid)}`)
    .filter((one) => one.includes(text));
}

/** A number of seconds that no other process sleeps. */
const uniqueSleep = (): string => `3${Math.random().toString().slice(2, 8)}.${Math.random().toString().slice(2, 10)}`;
const done = { code: 0, stdout: "", stderr: "", timedOut: false, cancelled: false, lost: 0 };

function commandContract(computer: () => Computer): void {
  test("text runs in a shell, an array without one", async () => {
    assert.deepEqual(await computer().exec("printf '%s' a{1,2} $((1+1)); printf oh >&2; exit 3"), {
      ...done,
      code: 3,
      stdout: "a1a22",
      stderr: "oh",
    });
    assert.deepEqual(await computer().exec(["printf", "%s|", "$HOME", "a b", "*", "'"]), { ...done, stdout: "$HOME|a b|*|'|" });
  });
  test("exit codes: 128 + signal, 127 for no such program, 126 for one that can't run", async () => {
    const codes = [];
    for (const command of ["kill -9 $$", "kill -TERM $$", "no-such-program-here"]) codes.push((await computer().exec(command)).code);
    codes.push((await computer().exec(["no-such-program-here"])).code);
    await computer().write("plain.txt", Buffer.from("no program"));
    codes.push((await computer().exec(["./plain.txt"])).code);
    assert.deepEqual(codes, [137, 143, 127, 127, 126]);
  });
  test("standard input: text, bytes, none, and more than is read", async () => {
    assert.equal((await computer().exec("cat", { stdin: "päth\n" })).stdout, "päth\n");
    assert.equal((await computer().exec(["wc", "-c"], { stdin: new Uint8Array(300_000) })).stdout.trim(), "300000");
    assert.deepEqual(await computer().exec(["cat"]), done);
    assert.deepEqual(await computer().exec(["true"], { stdin: new Uint8Array(8_000_000) }), done);
  });
  test("starts in the workspace, or in the folder that is named", async () => {
    await computer().makeFolder("in/side");
    assert.equal((await computer().exec("pwd")).stdout, `${computer().workspace}\n`);
    assert.equal((await computer().exec("pwd", { cwd: "in/side" })).stdout, `${computer().workspace}/in/side\n`);
    assert.equal((await computer().exec("pwd", { cwd: "~" })).stdout, `${computer().home}\n`);
    await computer().write("in/file", new Uint8Array());
    await refuses(computer().exec("pwd", { cwd: "nowhere" }), "not_found");
    await refuses(computer().exec("pwd", { cwd: "in/file" }), "invalid");
  });
  test("bad commands are refused: empty, with NUL, longer than the system takes", async () => {
    for (const bad of ["", [], [""], "a\0b", ["echo", "a\0b"]]) await refuses(computer().exec(bad), "invalid");
    await refuses(computer().exec(["true"], { env: { A: "a\0b" } }), "invalid");
    await refuses(computer().exec(["echo", "x".repeat(3_000_000)]), "limit");
  });
  test("the environment comes from an allow list; nothing of the server's is in it", async () => {
    process.env["STEWARD_CANARY"] = "canary-of-the-server";
    const { stdout } = await computer().exec("env", { env: { GIVEN: "1 2" } });
    delete process.env["STEWARD_CANARY"];
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]!);
    const known =
      /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|TZ|SHELL|TMPDIR|XDG_CACHE_HOME|PWD|SHLVL|_|GIVEN|STEWARD_EXEC|DATA|RETURN|DBUS_STARTER\w+)$/;
    assert.deepEqual(
      names.filter((name) => !known.test(name)),
      [],
    );
    assert.ok(
      stdout.includes(`HOME=${computer().home}\n`) && stdout.includes("GIVEN=1 2\n") && /^PATH=\/\S*\/usr\/bin/m.test(stdout),
      stdout,
    );
  });
  test("many commands at once do not mix", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, at) => computer().exec(`echo ${at}; echo e${at} >&2; exit ${at}`)));
    assert.deepEqual(
      results,
      results.map((_, at) => ({ ...done, code: at, stdout: `${at}\n`, stderr: `e${at}\n` })),
    );
  });
}

function outputContract(computer: () => Computer): void {
  test("output is shown as it comes, and a character cut in two stays whole", async () => {
    const seen: string[] = [];
    const input = feed();
    // It goes on only when what it printed before has been shown.
    const onOutput = (text: string): void => {
      seen.push(text);
      input.put("\n");
    };
    const command = String.raw`printf 'a\342'; read a; printf '\202\254b'; read b; printf '\360\237' >&2; sleep 0.3; printf '\230\200' >&2`;
    assert.deepEqual(await computer().exec(command, { stdin: input, onOutput }), { ...done, stdout: "a€b", stderr: "😀" });
    assert.deepEqual(seen, ["a", "€b", "😀"]);
  });
  test("junk bytes do no harm", async () => {
    const { code, stdout } = await computer().exec("head -c 100000 /dev/urandom");
    assert.deepEqual([code, stdout.length > 50_000, stdout.includes("\ufffd")], [0, true, true]);
  });
  test("the head of each stream is kept, the rest is counted", async () => {
    const command = "head -c 5000 /dev/zero | tr '\\0' x; head -c 700 /dev/zero | tr '\\0' y >&2";
    assert.deepEqual(await computer().exec(command, { maxBytes: 1000 }), {
      ...done,
      stdout: "x".repeat(1000),
      stderr: "y".repeat(700),
      lost: 4000,
    });
    assert.deepEqual(await computer().exec("printf '€€'", { maxBytes: 4 }), { ...done, stdout: "€", lost: 2 });
  });
  test("100 MB of output neither fills memory nor blocks", async () => {
    await computer().exec("head -c 30000000 /dev/zero"); // the stream's own buffers are there then
    const memory = { before: process.memoryUsage.rss(), most: 0 };
    const onOutput = (): void => void (memory.most = Math.max(memory.most, process.memoryUsage.rss()));
    const { code, stdout, lost } = await computer().exec("head -c 100000000 /dev/zero", { onOutput });
    assert.deepEqual({ code, all: stdout.length + lost }, { code: 0, all: 100_000_000 });
    assert.ok(memory.most - memory.before < 60e6, `memory grew by ${Math.round((memory.most - memory.before) / 1e6)} MB`);
  });
  test("an onOutput that throws ends the command and is the error", async () => {
    const seconds = uniqueSleep();
    const onOutput = (): never => {
      throw new TypeError("no one listens");
    };
    await assert.rejects(computer().exec(`echo go; sleep ${seconds}`, { onOutput }), { name: "TypeError", message: "no one listens" });
    assert.deepEqual(processesWith(seconds), []);
  });
}

/** Children of every kind: in the group, in a session of their own, forked twice, deaf to SIGTERM. Prints "ready" when all run. */
function family(seconds: string): string {
  const daemon = `setsid sleep ${seconds} </dev/null >/dev/null 2>&1 &`;
  const twice = `( setsid sh -c 'sleep ${seconds} & sleep ${seconds}' & );`;
  const deaf = `sh -c 'trap "" TERM; sleep ${seconds}; sleep ${seconds}' &`;
  return `sleep ${seconds} & ${daemon} ${twice} ${deaf} sleep 0.3; echo ready`;
}

function endContract(computer: () => Computer): void {
  test("cancelling ends the command and all that it started", async () => {
    const seconds = uniqueSleep();
    const stop = new AbortController();
    const counted = { children: 0 };
    const until = performance.now() + 60_000;
    const look = (): void => {
      counted.children = processesWith(`sleep ${seconds}`).length;
      if (counted.children >= 6 || performance.now() > until) stop.abort();
      else setTimeout(look, 20);
    };
    const onOutput = (text: string): void => void (text.includes("ready") && look());
    const result = await computer().exec(`${family(seconds)}; sleep ${seconds}`, { signal: stop.signal, onOutput });
    assert.deepEqual({ ...result, code: result.code > 128 }, { ...done, code: true, stdout: "ready\n", cancelled: true });
    assert.ok(counted.children >= 6, `only ${counted.children} children were seen running`);
    assert.deepEqual(processesWith(seconds), []);
  });
  test("a time-out does the same, from outside", async () => {
    const seconds = uniqueSleep();
    const command = `trap '' TERM INT HUP; ${family(seconds)}; sleep ${seconds}; sleep ${seconds}`;
    // Where much else runs, its children take longer to begin.
    for (const timeoutMs of [800, 4000, 20_000]) {
      const result = await computer().exec(command, { timeoutMs });
      assert.deepEqual(processesWith(seconds), []);
      if (result.stdout === "" && timeoutMs < 20_000) continue;
      assert.deepEqual({ ...result, code: result.code > 128 }, { ...done, code: true, stdout: "ready\n", timedOut: true });
      break;
    }
  });
  test("what is left in the background when the command ends is ended, and does not hold it up", async () => {
    const seconds = uniqueSleep();
    assert.deepEqual(await computer().exec(family(seconds)), { ...done, stdout: "ready\n" }); // they sleep for days
    assert.deepEqual(processesWith(seconds), []);
  });
  test("cancelled before it began: nothing runs", async () => {
    assert.deepEqual(await computer().exec("touch ran", { signal: AbortSignal.abort() }), { ...done, code: 143, cancelled: true });
    assert.equal(await computer().stat("ran"), undefined);
  });
}
