// The contract of a computer's terminals and of watching folders, with real programs, asked through the port alone.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Computer, Shell, ShellOptions, ShellOutput, Waiting } from "../core/computer.ts";
import { hasCode, type Code } from "../std/error.ts";

const refuses = (work: Promise<unknown>, code: Code): Promise<void> =>
  assert.rejects(work, (error) => hasCode(error, code) || assert.fail(error as Error));

/** A terminal and one who reads it from a position on. */
interface Seen {
  shell: Shell;
  text(): string;
  bytes(): number;
  waitings: Waiting[];
  ran: number[];
  exit: number[];
  /** Waits for a condition that output brings about. */
  until(done: (seen: Seen) => boolean, what: string): Promise<void>;
  leave(): void;
}

function follow(shell: Shell, after = 0): Seen {
  const stop = new AbortController();
  const pieces: Uint8Array[] = [];
  const state = { wake: () => {}, length: 0, error: undefined as unknown };
  const take = (one: ShellOutput): void => {
    if (one.type === "data") {
      pieces.push(one.bytes);
      state.length += one.bytes.length;
    } else if (one.type === "waiting") seen.waitings.push(one.waiting);
    else (one.type === "ran" ? seen.ran : seen.exit).push(one.code);
    state.wake();
  };
  const seen: Seen = {
    shell,
    text: () => Buffer.concat(pieces).toString(),
    bytes: () => state.length,
    waitings: [],
    ran: [],
    exit: [],
    async until(done, what) {
      const end = Date.now() + 60_000;
      while (!done(seen)) {
        if (state.error) throw state.error;
        if (Date.now() > end) assert.fail(`${what} did not come: ${JSON.stringify({ ...seen, text: seen.text().slice(-2000) })}`);
        await Promise.race([new Promise<void>((resolve) => (state.wake = resolve)), delay(200)]);
      }
    },
    leave: () => stop.abort(),
  };
  const reading = shell.output({ after, signal: stop.signal });
  const read = async (): Promise<void> => {
    for await (const one of reading) take(one);
  };
  read().catch((error: unknown) => {
    state.error = error;
    state.wake();
  });
  return seen;
}

const counter = { last: 0 };
/** Opens a terminal of its own, runs the test in it, closes it. */
async function within(computer: Computer, options: Partial<ShellOptions>, work: (seen: Seen) => Promise<void>): Promise<void> {
  const shell = await computer.shell({ id: `t${counter.last++}`, columns: 80, rows: 24, ...options });
  const seen = follow(shell);
  try {
    await work(seen);
  } finally {
    seen.leave();
    await shell.close();
  }
}

const uniqueSleep = (): string => `7${Math.random().toString().slice(2, 8)}.${Math.random().toString().slice(2, 8)}`;
const sleepers = (seconds: string): number =>
  readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "latin1") === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  }).length;
const waitsFor =
  (prompt: string | RegExp, hidden = false): ((seen: Seen) => boolean) =>
  (seen) =>
    seen.waitings.some((one) => (typeof prompt === "string" ? one.prompt === prompt : prompt.test(one.prompt)) && one.hidden === hidden);

/** Waits until a program of this name is in the foreground of a terminal. */
async function foreground(computer: Computer, name: string): Promise<void> {
  for (const end = Date.now() + 60_000; !(await computer.shells()).some(({ program }) => program === name); await delay(20))
    assert.ok(Date.now() < end, `${name} did not start`);
}

export function shellContract(computer: () => Computer): void {
  programContract(computer);
  waitingContract(computer);
  lifeContract(computer);
  scriptContract(computer);
  endContract(computer);
  watchContract(computer);
}

function programContract(computer: () => Computer): void {
  test("terminal: a shell with its prompt, its size and its folder", async () => {
    await computer().makeFolder("term/inner");
    await within(computer(), { cwd: "term/inner", columns: 91, rows: 33, env: { PS1: "ready> " } }, async (seen) => {
      seen.shell.write("echo $((6*7)) in $(basename $PWD); stty size; tty\n");
      await seen.until(() => /42 in inner\r\n33 91\r\n\/dev\/pts\/\d+/.test(seen.text()), "the answer");
      seen.shell.resize(100, 40);
      seen.shell.write("stty size\n");
      await seen.until(() => seen.text().includes("40 100\r\n"), "the new size");
      assert.deepEqual([seen.shell.info.columns, seen.shell.info.rows], [100, 40]);
    });
  });
  test("terminal: the python3 prompt waits, computes, asks and ends", async () => {
    await within(computer(), { command: ["python3", "-q"] }, async (seen) => {
      await seen.until(waitsFor(">>> "), "the prompt");
      seen.shell.write("6*7\n");
      await seen.until(() => seen.text().includes("42\r\n"), "42");
      seen.shell.write("name = input('Name: ')\n");
      await seen.until(waitsFor("Name: "), "the question");
      seen.shell.write("Ada\n");
      seen.shell.write("print(name + '!')\n");
      await seen.until(() => seen.text().includes("Ada!\r\n"), "the name");
      seen.shell.write("exit(3)\n");
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.deepEqual(seen.exit, [3]);
    });
  });
  test("terminal: top draws and goes; it never counts as waiting for a line", async () => {
    if ((await computer().exec("command -v top")).code !== 0) return;
    await within(computer(), { command: ["top", "-d", "0.5"] }, async (seen) => {
      await seen.until(() => /PID.*USER/.test(seen.text()), "the table");
      const before = seen.bytes();
      await seen.until(() => seen.bytes() > before + 50, "the next table");
      seen.shell.write("q");
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.deepEqual([seen.exit, seen.waitings], [[0], []]);
    });
  });
  test("terminal: vim edits a file", async () => {
    if ((await computer().exec("command -v vim")).code !== 0) return;
    await within(computer(), { command: ["vim", "-u", "NONE", "vim.txt"] }, async (seen) => {
      await seen.until(() => seen.text().includes("vim.txt"), "the screen");
      seen.shell.write("iwritten in vim\x1b:wq\r");
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.equal(Buffer.from(await computer().read("vim.txt")).toString(), "written in vim\n");
      assert.deepEqual(seen.waitings, []);
    });
  });
  test("terminal: a progress bar comes byte for byte", async () => {
    const draw = String.raw`for i in 1 2 3; do printf '\r%s0%% \033[1m#\033[0m' $i; sleep 0.05; done; printf '\nänd\n'`;
    await within(computer(), { command: ["sh", "-c", draw] }, async (seen) => {
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.equal(seen.text(), `${[1, 2, 3].map((at) => `\r${at}0% \x1b[1m#\x1b[0m`).join("")}\r\nänd\r\n`);
    });
  });
}

function waitingContract(computer: () => Computer): void {
  test("terminal: questions are noticed, with their prompt, and passwords are hidden", async () => {
    const script = `read -p 'Name: ' a; read -p $'Really?\n\\e[1mContinue?\\e[0m [y/N] ' b; read -s -p 'Password: ' c; echo; echo "$a $b $c"`;
    await within(computer(), { command: ["bash", "-c", script] }, async (seen) => {
      for (const [prompt, answer, hidden] of [
        ["Name: ", "Ada", false],
        ["Continue? [y/N] ", "y", false],
        ["Password: ", "s3cret", true],
      ] as const) {
        await seen.until(waitsFor(prompt, hidden), prompt);
        seen.shell.write(`${answer}\n`);
      }
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.match(seen.text(), /Ada y s3cret\r\n$/);
      assert.equal(seen.waitings.length, 3);
    });
    await within(computer(), { command: ["python3", "-c", "import getpass; print(len(getpass.getpass('Secret: ')))"] }, async (seen) => {
      await seen.until(waitsFor("Secret: ", true), "the question");
      assert.deepEqual(
        (await computer().shells()).flatMap(({ waiting }) => (waiting ? [waiting] : [])),
        [{ prompt: "Secret: ", hidden: true }],
      );
      seen.shell.write("12345\n");
      await seen.until(() => seen.exit.length > 0, "the end");
      assert.match(seen.text(), /5\r\n$/);
      assert.ok(!seen.text().includes("12345"));
    });
  });
  test("terminal: who sleeps or works does not wait", async () => {
    const works = ["printf 'half a line'; sleep 1.2", "printf 'busy '; timeout 1 sh -c 'while :; do :; done'", "sleep 1 | cat"];
    const look = (work: string): Promise<void> =>
      within(computer(), { command: ["sh", "-c", work] }, async (seen) => {
        await seen.until(() => seen.exit.length > 0, "the end");
        assert.deepEqual(seen.waitings, [], work);
      });
    await Promise.all(works.map(look));
  });
}

function lifeContract(computer: () => Computer): void {
  test("terminal: it lives on while nobody looks, and is taken up with all bytes since a position", async () => {
    const shell = await computer().shell({
      id: "lasting",
      columns: 80,
      rows: 24,
      command: ["sh", "-c", "echo first; read x; echo second $x; sleep 600"],
    });
    const one = follow(shell);
    await one.until(() => one.text() === "first\r\n", "the first line");
    one.leave();
    shell.write("typed\n");
    const again = await computer().shell({ id: "lasting", columns: 80, rows: 24, existing: true });
    const two = follow(again, one.bytes());
    await two.until(() => two.text().includes("second typed\r\n"), "the rest");
    const whole = follow(again);
    await whole.until(() => whole.bytes() === one.bytes() + two.bytes(), "all");
    assert.equal(whole.text(), one.text() + two.text());
    await again.close();
    await two.until(() => two.exit.length === 1 && whole.exit.length === 1, "the end for both");
    await refuses(computer().shell({ id: "lasting", columns: 80, rows: 24, existing: true }), "not_found");
  });
  test("terminal: several at once, listed oldest first, each its own", async () => {
    await within(computer(), { id: "b-1", command: ["cat"] }, async (first) => {
      await within(computer(), { id: "a-2", script: true }, async (second) => {
        first.shell.write("to the first\n");
        await second.shell.run("echo to the second");
        await first.until(() => first.text() === "to the first\r\nto the first\r\n", "the first");
        await second.until(() => second.ran.length > 0, "the second");
        assert.equal(second.text(), "to the second\r\n");
        const listed = (await computer().shells()).map(({ id, script, columns, program }) => ({ id, script, columns, program }));
        assert.deepEqual(listed, [
          { id: "b-1", script: false, columns: 80, program: "cat" },
          { id: "a-2", script: true, columns: 80, program: "bash" },
        ]);
      });
    });
    assert.deepEqual(await computer().shells(), []);
  });
  test("terminal: what can't be is refused", async () => {
    const size = { columns: 80, rows: 24 };
    await refuses(computer().shell({ id: "none", ...size, existing: true }), "not_found");
    for (const bad of [{ id: "a/b" }, { id: "" }, { id: "x".repeat(65) }, { columns: 0 }, { rows: 100_000 }, { command: [] }])
      await refuses(computer().shell({ id: "bad", ...size, ...bad }), "invalid");
    await refuses(computer().shell({ id: "bad", ...size, cwd: "nowhere" }), "not_found");
    await refuses(computer().shell({ id: "bad", ...size, command: ["no-such-program"] }), "not_found");
    assert.deepEqual(await computer().shells(), []);
  });
  test("terminal: a slow reader gets every byte of 8 MB, others work meanwhile", async () => {
    await within(computer(), { command: ["sh", "-c", "seq 1 1200000"] }, async ({ shell, leave }) => {
      leave();
      const [stop, sizes] = [new AbortController(), { sum: 0, at: 0, pieces: 0 }];
      for await (const one of shell.output({ signal: stop.signal })) {
        if (one.type !== "data") continue;
        assert.equal(one.at, sizes.at || one.at);
        sizes.at = one.at + one.bytes.length;
        // Nothing more is read until the other has been answered.
        if (sizes.pieces++ % 40 === 0) assert.equal((await computer().exec(["echo", "ok"])).stdout, "ok\n");
      }
      assert.equal(
        sizes.at,
        Array.from({ length: 1_200_000 }, (_, at) => String(at + 1).length + 2).reduce((sum, one) => sum + one, 0),
      );
    });
  });
}

function scriptContract(computer: () => Computer): void {
  test("script terminal: folder and variables stay, statuses come, and nothing else shows", async () => {
    await within(computer(), { script: true }, async (seen) => {
      const run = async (command: string): Promise<string> => {
        const [from, count] = [seen.text().length, seen.ran.length];
        await seen.shell.run(command);
        await seen.until(() => seen.ran.length > count, command);
        return `${seen.ran.at(-1)} ${seen.text().slice(from)}`;
      };
      assert.equal(await run("mkdir -p sc/ript; cd sc/ript; X='a b'; export Y=1"), "0 ");
      assert.equal(await run('basename "$PWD"; echo "$X"; sh -c "echo \\$Y"'), "0 ript\r\na b\r\n1\r\n");
      assert.equal(await run("false"), "1 ");
      assert.match(await run("if"), /^[12] .*syntax error/s);
      assert.equal(await run("printf 'no end of line'"), "0 no end of line");
      assert.equal(await run("printf '%s\\n' 'two\nlines'"), "0 two\r\nlines\r\n");
      assert.equal(await run("f() { echo in f; }; f"), "0 in f\r\n");
      assert.equal(await run("seq 1 20000 | tail -1; f"), "0 20000\r\nin f\r\n");
      assert.match(await run("exit 9"), /^9 /);
      assert.equal(await run('basename "$PWD"; echo "[$X]"'), `0 ${computer().workspace.split("/").at(-1)}\r\n[]\r\n`);
    });
  });
  test("script terminal: one command at a time; Ctrl-C ends all of it, a question is answered", async () => {
    await within(computer(), { script: true }, async (seen) => {
      await seen.shell.run("cd /; echo on; for i in 1 2 3; do sleep 30; done; echo never");
      await refuses(seen.shell.run("true"), "conflict");
      await foreground(computer(), "sleep");
      seen.shell.write("\x03");
      await seen.until(() => seen.ran.length === 1, "the end");
      await seen.shell.run("pwd; read -p 'Go on? ' answer; echo got $answer; python3 -c 'print(input(\"Py: \") * 2)'");
      await seen.until(waitsFor("Go on? "), "the question");
      seen.shell.write("yes\n");
      await seen.until(waitsFor("Py: "), "the second question");
      seen.shell.write("ab\n");
      await seen.until(() => seen.ran.length === 2, "the second end");
      assert.deepEqual(seen.ran, [130, 0]);
      assert.match(seen.text(), /\/\r\nGo on\? \s*got yes\r\nPy: \s*abab\r\n$/);
      assert.ok(!seen.text().includes("never"));
      await seen.shell.run("read -s -p 'Password: ' p; echo ${#p}");
      await seen.until(waitsFor("Password: ", true), "the password");
      seen.shell.write("four\n");
      await seen.until(() => seen.ran.length === 3, "the third end");
    });
  });
}

function endContract(computer: () => Computer): void {
  test("terminal: Ctrl-C and signals reach what runs in the foreground", async () => {
    await within(computer(), { command: ["bash", "--norc", "-i"], env: { PS1: "$ " } }, async (seen) => {
      for (const stop of [() => seen.shell.write("\x03"), () => seen.shell.signal("INT"), () => seen.shell.signal("KILL")]) {
        const mark = `m${Math.random().toString(36).slice(2, 8)}`;
        seen.shell.write(`sh -c 'echo ${mark} | tr m n; exec sleep 300'; echo "over $?"\n`);
        await seen.until(() => seen.text().includes(`n${mark.slice(1).replaceAll("m", "n")}`), "the start");
        const before = seen.text().length;
        stop();
        await seen.until(() => /over 13[07]|\^C|Killed|\$ $/.test(seen.text().slice(before)), "the end of it");
      }
      assert.deepEqual(seen.exit, []);
    });
  });
  test("terminal: closing ends everything it started: nohup, setsid, daemons, the deaf", async () => {
    const seconds = uniqueSleep();
    const all = `nohup sleep ${seconds} >/dev/null 2>&1 & setsid sleep ${seconds} & env -i PATH="$PATH" setsid sh -c 'sleep ${seconds} & sleep ${seconds} & wait' & (trap '' TERM HUP; sleep ${seconds}) & ( setsid sh -c 'sleep ${seconds} &' & ); echo read''y; wait`;
    await within(computer(), { command: ["bash", "-c", all] }, async (seen) => {
      await seen.until(() => seen.text().includes("ready"), "all of them");
      await seen.until(() => sleepers(seconds) >= 6, "all six sleepers");
    });
    assert.equal(sleepers(seconds), 0);
  });
}

function watchContract(computer: () => Computer): void {
  test("a watched folder tells of what is made, changed and removed in it", async () => {
    await computer().makeFolder("watched");
    const told = { count: 0, wake: () => {} };
    const over = await computer().watch("watched", () => {
      told.count++;
      told.wake();
    });
    const change = async (act: () => Promise<unknown>): Promise<void> => {
      const before = told.count;
      await act();
      for (const end = Date.now() + 60_000; told.count === before && Date.now() < end;)
        await Promise.race([new Promise<void>((resolve) => (told.wake = resolve)), delay(100)]);
      assert.ok(told.count > before);
      await delay(120); // what belongs to one change has been told by then
    };
    await change(() => computer().write("watched/new", Buffer.from("1")));
    await change(() => computer().exec("echo 2 >> watched/new"));
    await change(() => computer().remove("watched/new"));
    over();
    await delay(60);
    const last = told.count;
    await computer().write("watched/after", Buffer.from("3"));
    await delay(200);
    assert.equal(told.count, last);
    await refuses(
      computer().watch("nowhere", () => {}),
      "not_found",
    );
    await refuses(
      computer().watch("watched/after", () => {}),
      "invalid",
    );
  });
}
