// engines/claude when things go wrong: stops, limits, refused keys, silence, a program that dies or prints garbage, a Steward that dies.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Event } from "../src/core/events.ts";
import type { Failure } from "../src/core/types.ts";
import { StewardError } from "../src/std/error.ts";
import type { Action } from "../src/testing/model-server.ts";
import { limit, openPlace, script } from "./engine-claude-place.ts";

const NATIVE = { execute_terminal: async () => "" };
const bash = (command: string) => ({ tool: "Bash", input: { command, description: "a test" } });

/** Milliseconds from the stop to the end of the turn. */
async function stopped(
  t: { after(fn: () => unknown): void },
  actions: Action[],
  at: (event: Event | "live") => boolean,
): Promise<[number, string[]]> {
  const stop = new AbortController();
  const clock = { at: 0 };
  const now = (event: Event | "live"): void => {
    if (clock.at > 0 || !at(event)) return;
    clock.at = performance.now();
    stop.abort("cancelled");
  };
  const place = await openPlace({
    script: script(actions, [{ do: "text", text: "I went on." }]),
    tools: {
      ...NATIVE,
      wait: (_input, signal) =>
        new Promise((_resolve, reject) => {
          const end = (): void => reject(new Error("stopped"));
          if (signal.aborted) end();
          else signal.addEventListener("abort", end);
        }),
    },
  });
  t.after(place.close);
  const { push } = place.live;
  place.live.push = (...events) => (now("live"), push.apply(place.live, events));
  place.say("Go");
  const outcome = await place.run({ signal: stop.signal, onEvent: now });
  const took = performance.now() - clock.at;
  assert.equal(outcome.stop, "cancelled");
  assert.equal(outcome.error, undefined);
  assert.deepEqual(await place.workplace.left(), []);
  return [took, place.story()];
}

test("a stop ends the turn at once: while the model speaks, while a command runs, while a tool of Steward's does", limit, async (t) => {
  const speaking = await stopped(t, [{ do: "text", text: "Once upon", pieces: 1 }, { do: "hang" }], (event) => event === "live");
  assert.deepEqual(speaking[1], ["text Once upon", "end cancelled"]);
  const isStart = (event: Event | "live"): boolean => event !== "live" && event.type === "item.started";
  const running = await stopped(t, [{ do: "calls", calls: [bash("sleep 60 & sleep 60")] }], isStart);
  assert.deepEqual(running[1].slice(0, 2), ["step Bash @2", "started Bash"]);
  assert.match(running[1][2]!, /^Bash = /);
  assert.deepEqual(running[1].slice(3), ["end cancelled"]);
  const waiting = await stopped(t, [{ do: "calls", calls: [{ tool: "mcp__steward__wait", input: {} }] }], isStart);
  assert.deepEqual(waiting[1], ["step wait @2", "started wait", "wait = Error: stopped", "end cancelled"]);
  for (const [took] of [speaking, running, waiting]) assert.ok(took < 10_000, `${took} ms`); // less than one second where nothing else runs
});

test("a limit, a refused key, an outage and an unknown model are told at once, as the door saw them", limit, async (t) => {
  const failing = async (action: Action, fault?: Failure): Promise<Failure | undefined> => {
    const place = await openPlace({ script: [action], ...(fault ? { fault: () => fault } : {}) });
    t.after(place.close);
    place.say("Hello");
    const from = performance.now();
    const { stop, error, last, resume } = await place.run();
    assert.ok(performance.now() - from < 60_000, "it took too long");
    assert.equal(place.server.requests.length, 1);
    assert.deepEqual([stop, last, resume], ["failed", [], undefined]);
    return error;
  };
  const seen: Failure = { code: "limit", reason: "rate", message: "The account rests", retryAt: 12345 };
  assert.deepEqual(await failing({ do: "status", status: 429, headers: { "retry-after": "3600" } }, seen), seen);
  const alone = [
    await failing({ do: "status", status: 429, code: "rate_limit_error" }),
    await failing({ do: "status", status: 401, code: "authentication_error" }),
    await failing({ do: "status", status: 529, code: "overloaded_error" }),
    await failing({ do: "cut" }),
    await failing({
      do: "status",
      status: 400,
      code: "invalid_request_error",
      message: "prompt is too long: 200001 tokens > 200000 maximum",
    }),
  ];
  assert.deepEqual(
    alone.map((error) => [error?.code, error?.reason]),
    [
      ["limit", "rate"],
      ["denied", "key"],
      ["unavailable", "outage"],
      ["unavailable", "outage"],
      ["limit", "context"],
    ],
  );
});

test("a limit behind a tool round keeps what was done, and the next attempt does not do it again", limit, async (t) => {
  const place = await openPlace({
    script: script(
      [{ do: "calls", calls: [bash("echo once >> count")] }],
      [{ do: "status", status: 429 }],
      [{ do: "text", text: "Done." }],
    ),
    tools: NATIVE,
  });
  t.after(place.close);
  place.say("Count");
  assert.equal((await place.run()).stop, "failed");
  assert.equal((await place.run()).stop, "end");
  assert.equal(readFileSync(join(place.workplace.cwd, "count"), "utf8"), "once\n");
  assert.deepEqual(place.story(), ["step Bash @2", "started Bash", 'Bash = "(Bash completed with no output)"', "text Done.", "end end"]);
});

test("a model that says nothing is given up", limit, async (t) => {
  const past = [
    { role: "user" as const, parts: [{ type: "text" as const, text: "Hello" }] },
    { role: "assistant" as const, text: "Yes?", calls: [] },
  ];
  /** How often the model was asked: not at all by a program that takes so long to start on this machine. */
  const silent = async (seconds: number): Promise<number> => {
    const place = await openPlace({ config: { silent_seconds: seconds }, script: [{ do: "hang" }] });
    t.after(place.close);
    place.say("Hello");
    const { stop, error } = await place.run();
    const silence = { code: "unavailable", message: `Claude's program gave no sign of life for ${seconds} seconds` };
    assert.deepEqual([stop, error], ["failed", silence]);
    assert.deepEqual((await place.run({ history: [...past, past[0]!] })).error, silence);
    assert.deepEqual(await place.workplace.left(), []);
    const asked = place.server.requests.length;
    return asked < 2 && seconds < 20 ? silent(seconds * 4) : asked;
  };
  assert.equal(await silent(3), 2);
});

test("a question to the person may last longer than the program may be silent", limit, async (t) => {
  const asked = async (silent: number): Promise<string[]> => {
    const question = { open: false };
    const place = await openPlace({
      config: { silent_seconds: silent },
      script: script([{ do: "calls", calls: [{ tool: "mcp__steward__ask_person", input: {} }] }], [{ do: "text", text: "Blue it is." }]),
      tools: {
        async ask_person() {
          question.open = true;
          await new Promise((resolve) => setTimeout(resolve, silent * 1000 + 2500));
          question.open = false;
          return "blue";
        },
      },
    });
    t.after(place.close);
    place.say("Paint it");
    const { stop } = await place.run();
    // A slow start of the program, before the question, says nothing of it.
    return stop === "failed" && !question.open && silent < 30 ? asked(silent * 4) : place.story();
  };
  const story = ["step ask_person @2", "started ask_person", 'ask_person = "blue"', "text Blue it is.", "end end"];
  assert.deepEqual(await asked(4), story);
});

test("killed at each step, it is tried again from what was done, and nothing is done twice", limit, async (t) => {
  const answers: Action[][] = [
    [
      { do: "text", text: "I begin." },
      { do: "calls", calls: [{ tool: "mcp__steward__note", input: { text: "one" } }, bash("echo once >> count")] },
    ],
    [{ do: "text", text: "All done." }],
  ];
  // How many events there are in the quiet course, and at which of them it dies.
  for (let dies = 1; dies <= 7; dies++) {
    const notes: unknown[] = [];
    const state = { events: 0 };
    const place = await openPlace({
      script: (request) => {
        const done = JSON.stringify(request.body.messages).includes("tool_result");
        return script(...answers)(request, done ? 1 : 0);
      },
      tools: { ...NATIVE, note: async (input) => (notes.push(input), "noted") },
    });
    t.after(place.close);
    place.say("Go");
    const kill = async (): Promise<void> => {
      if ((state.events += 1) === dies) process.kill(place.workplace.started[0]!.pid, "SIGKILL");
    };
    const first = await place.run({ onEvent: kill });
    if (first.stop === "failed") {
      assert.equal(first.error?.code, "unavailable");
      assert.match(first.error.message, /^Claude's program was ended by signal 9 in the middle of the turn/);
      assert.equal((await place.run()).stop, "end", `killed at event ${dies}`);
    }
    const count = join(place.workplace.cwd, "count");
    assert.ok(notes.length <= 1 && (!existsSync(count) || readFileSync(count, "utf8") === "once\n"), `killed at event ${dies}`);
    assert.equal(notes.length, 1, `killed at event ${dies}`);
    assert.equal(place.story().at(-1), "end end");
    assert.deepEqual(await place.workplace.left(), []);
  }
});

test("when Steward loses the turn at each step, the heir goes on and does nothing twice", limit, async (t) => {
  const answers: Action[][] = [
    [{ do: "calls", calls: [{ tool: "mcp__steward__note", input: { text: "one" } }, bash("echo once >> count")] }],
    [{ do: "text", text: "All done." }],
  ];
  for (let dies = 1; dies <= 6; dies++) {
    const notes: unknown[] = [];
    const state = { events: 0, lost: false };
    const place = await openPlace({
      script: (request) => script(...answers)(request, JSON.stringify(request.body.messages).includes("tool_result") ? 1 : 0),
      tools: { ...NATIVE, note: async (input) => (notes.push(input), "noted") },
    });
    t.after(place.close);
    place.say("Go");
    const lose = (): void => {
      if ((state.events += 1) < dies) return;
      state.lost = true;
      throw new StewardError("stale", "another worker has the turn");
    };
    await place.run({ onEvent: lose }).catch((error: unknown) => assert.equal((error as StewardError).code, "stale"));
    assert.deepEqual(await place.workplace.left(), [], "the loser's program is gone");
    if (state.lost) assert.equal((await place.run()).stop, "end");
    const count = join(place.workplace.cwd, "count");
    assert.ok(notes.length <= 1 && (!existsSync(count) || readFileSync(count, "utf8") === "once\n"), `lost at event ${dies}`);
    assert.equal(place.story().at(-1), "end end");
  }
});

test("what is no Claude ends cleanly: garbage, a line without end, a flood, a quick death, silence, deafness", limit, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "steward-fake-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const failing = async (name: string, lines: string, silent = 60): Promise<string> => {
    const program = join(folder, name);
    writeFileSync(program, `#!/bin/sh\n${lines}\n`);
    chmodSync(program, 0o755);
    const place = await openPlace({ program, config: { silent_seconds: silent } });
    t.after(place.close);
    place.say("Hello");
    const { stop, error, resume } = await place.run();
    assert.deepEqual([stop, error?.code, resume], ["failed", "unavailable", undefined], name);
    assert.deepEqual(await place.workplace.left(), []);
    return error!.message;
  };
  assert.deepEqual(
    [
      await failing("garbage", "while :; do echo '<html>sign in</html>'; done"),
      await failing("endless", "tr '\\0' a </dev/zero"),
      await failing("flood", `yes '{"type":"ping"}'`),
      await failing("shapes", `echo '{"type":"assistant"}'; echo '{"type":"result","session_id":7}'; cat >/dev/null`),
      await failing("death", "echo 'no licence' >&2; exit 3"),
      await failing("words", "echo 'Please log in'; exit 0"),
      await failing("silent", "cat >/dev/null", 2),
      await failing("deaf", "exec <&-; sleep 600", 2),
    ],
    [
      "Claude's program prints what is no message: <html>sign in</html>",
      `Claude's program prints what is no message: ${"a".repeat(79)}…`,
      "Claude's program prints without end",
      "Claude's program failed: it does not say why",
      "Claude's program ended with code 3 in the middle of the turn. It said: no licence",
      "Claude's program ended with code 0 in the middle of the turn",
      "Claude's program gave no sign of life for 2 seconds",
      "Claude's program gave no sign of life for 2 seconds",
    ],
  );
  const place = await openPlace({ program: join(folder, "absent") });
  t.after(place.close);
  place.say("Hello");
  assert.match((await place.run()).error!.message, /^Claude's program ended with code 127/);
});
