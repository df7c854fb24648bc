// engines/opencode with the real program, offline: chat, tools, permissions, steering, its own session, and everything that can go wrong with it.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import type { Message } from "../src/core/ports.ts";
import opencode from "../src/engines/opencode.ts";
import { StewardError } from "../src/std/error.ts";
import type { ModelRequest, Script } from "../src/testing/model-server.ts";
import { openPlace, type PlaceOptions, realProgram } from "./engine-place.ts";

const limit = { timeout: 280_000 };

/** Steward's tools, for which OpenCode has some of its own. */
const SAME = ["execute_terminal", "read_file", "edit_file", "write_file", "find_files", "search_files", "fetch_page", "show_plan"];
const tools: Record<string, () => Promise<string>> = {
  remind: async () => "kept",
  ...Object.fromEntries(SAME.map((name) => [name, async () => "not by this one"])),
};

type Options = Partial<PlaceOptions<never>> & { program?: string };

async function open(t: TestContext, { program, ...more }: Options = {}) {
  const programs = program === undefined ? await realProgram(opencode.programs()[0]) : { opencode: { path: program, version: "0" } };
  const place = await openPlace({ tools, ...more, engine: opencode, programs });
  t.after(place.close);
  return place;
}

/** Each answer once; the last for ever. */
const script =
  (...answers: ReturnType<Script>[]): Script =>
  (_request, index) =>
    answers[Math.min(index, answers.length - 1)]!;
const bash = (command: string) => ({ tool: "bash", input: { command, description: "a test" } });
const text = (said: string): ReturnType<Script> => [{ do: "text", text: said }];
const fresh = (said: string): Message[] => [{ role: "user", parts: [{ type: "text", text: said }] }];

interface Said {
  role: string;
  content: string | { type: string; text?: string }[] | null;
}
/** What a request carried after the instructions, in short. */
const told = ({ body }: ModelRequest): string[] =>
  (body.messages as Said[])
    .slice(1)
    .map(
      ({ role, content }) =>
        `${role}: ${typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? part.type).join(" + ")}`,
    );
const system = ({ body }: ModelRequest): string => String((body.messages as Said[])[0]!.content);
const names = ({ body }: ModelRequest): string[] => (body.tools as { function: { name: string } }[]).map((tool) => tool.function.name);

test(
  "an answer is streamed with its thinking; the session goes on; nothing of its own words and no other request is sent",
  limit,
  async (t) => {
    const place = await open(t, {
      script: script([{ do: "thinking", text: "Hmm, well" }, ...text("Good morning.")], text("Good night.")),
      used: () => ({ input: 10, output: 5 }),
    });
    place.say("hello");
    const { last, resume, ...rest } = await place.run();
    assert.deepEqual(rest, { stop: "end", seen: 2, usage: { input: 10, output: 5 } });
    assert.deepEqual(place.story(), ["thinking Hmm, well", "text Good morning.", "end end"]);
    for (const item of last!)
      assert.equal(
        place.live.map((one) => (one.type === "item.delta" && one.item === item.id ? one.text : "")).join(""),
        "text" in item ? item.text : "",
      );
    place.say("bye");
    const second = await place.run({ resume: { id: resume!, fresh: fresh("bye") } });
    assert.deepEqual([second.stop, second.resume], ["end", resume]);
    assert.deepEqual(place.server.requests.map(told), [["user: hello"], ["user: hello", "assistant: Good morning.", "user: bye"]]);
    assert.match(system(place.server.requests[0]!), /^You work as the agent of Steward\. [\s\S]*You are Steward\.$/);
    assert.deepEqual(names(place.server.requests[0]!), [
      "bash",
      "edit",
      "glob",
      "grep",
      "read",
      "skill",
      "steward_remind",
      "task",
      "todowrite",
      "webfetch",
      "websearch",
      "write",
    ]);
    assert.deepEqual(await place.workplace.left(), []);
  },
);

test("its own tools are in the log before anybody is asked; Steward's go by the gate alone; todos are the plan", limit, async (t) => {
  const asked: string[][] = [];
  const place = await open(t, {
    script: script(
      [...text("I look."), { do: "calls", calls: [{ tool: "steward_remind", input: { at: 9 } }, bash("echo one; pwd")] }],
      [
        {
          do: "calls",
          calls: [
            { tool: "todowrite", input: { todos: [{ content: "tell", status: "in_progress", priority: "high" }] } },
            bash("touch made"),
          ],
        },
      ],
      text("Done."),
    ),
    permit: async ({ input }) => {
      asked.push(place.story().slice(-1));
      const allowed = JSON.stringify(input).includes("echo");
      return allowed ? { allowed } : { allowed, reason: "not today" };
    },
  });
  place.say("go");
  assert.equal((await place.run()).stop, "end");
  const story = place.story();
  const cwd = place.workplace.cwd;
  assert.deepEqual(
    [...story].sort(),
    [
      ...[
        `bash = "one\\n${cwd}\\n"`,
        "bash = The user rejected permission to use this specific tool call with the following feedback: not today",
        "end end",
      ],
      ...["plan tell:active", 'remind = "kept"', "started bash", "started bash", "started remind", "started todowrite"],
      ...story.filter((line) => line.startsWith("step")).sort(),
      ...["text Done.", "text I look."],
      ...story.filter((line) => line.startsWith("todowrite")),
    ].sort(),
  );
  assert.equal(story[0], "text I look.");
  assert.equal(story.filter((line) => line.startsWith("step")).length, 4);
  assert.deepEqual(
    place.wishes.map(({ tool, input }) => [tool, (input as { command: string }).command]),
    [
      ["bash", "echo one; pwd"],
      ["bash", "touch made"],
    ],
  );
  assert.ok(!existsSync(join(cwd, "made")));
  for (const [line] of asked) assert.ok(!line!.startsWith("text"));
});

test(
  "who answered elsewhere is told as a record, images go along, and what is said meanwhile is read before the next answer",
  limit,
  async (t) => {
    const png = Uint8Array.from(
      atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
      (char) => char.charCodeAt(0),
    );
    const place = await open(t, {
      files: { f1: png },
      script: script(text("First."), [{ do: "calls", calls: [bash("until [ -e told ]; do sleep 0.1; done")] }], text("Second.")),
    });
    place.say("one");
    await place.run();
    place.say("two", { type: "file", id: "f1", name: "a.png", mime: "image/png", size: 70 });
    // The command lasts until the program tells that it has the message.
    const letGo = (): void => {
      const told = { text: "" };
      const stdout = place.workplace.started.at(-1)!.stdout as Readable;
      stdout.on("data", (piece: Uint8Array | string) => {
        told.text += String(piece);
        if (told.text.includes("also this")) writeFileSync(join(place.workplace.cwd, "told"), "");
      });
    };
    const outcome = await place.run({
      onEvent: (event) => void (event.type === "item.started" && place.say("also this")),
      onSteer: letGo,
    });
    assert.deepEqual([outcome.stop, place.story().slice(-2)], ["end", ["text Second.", "end end"]]);
    const [, second, third] = place.server.requests.map(told);
    assert.match(
      second!.join("\n"),
      /<conversation>\n<person>one<\/person>\n<steward>First.<\/steward>\n<\/conversation>.*two.*a\.png.*image_url/s,
    );
    assert.equal(third!.at(-1), "user: also this");
  },
);

test("a limit of the model's side, a page in its place and an endless emptiness end the turn at once", limit, async (t) => {
  const fault = { code: "limit" as const, message: "Too many requests", retryAt: 99 };
  const limited = await open(t, { script: [{ do: "status", status: 429, message: "slow down", headers: { "retry-after": "3600" } }] });
  limited.say("hi");
  assert.deepEqual((await limited.run()).error, { code: "unavailable", message: "The model's side failed: slow down" });
  limited.server.script(() => {
    limited.fault.now = fault;
    return [{ do: "hang" }];
  });
  assert.deepEqual((await limited.run()).error, fault);
  const page = await open(t, { script: [{ do: "html" }] });
  page.say("hi");
  assert.deepEqual((await page.run()).error, { code: "unavailable", message: "The model's side answers, but says nothing" });
  assert.ok(page.server.requests.length < 20);
});

test("a cancelled turn ends at once, in the middle of words and of a command, and leaves nothing that runs", limit, async (t) => {
  const place = await open(t, {
    script: script([...text("Once upon a time"), { do: "hang" }], [{ do: "calls", calls: [bash("sleep 60")] }], text("Yes.")),
  });
  for (const when of ["item.delta", "item.started"]) {
    const stop = new AbortController();
    const at = { time: 0 };
    const end = (): void => {
      at.time ||= Date.now();
      stop.abort();
    };
    place.say("go");
    const outcome = await place.run({
      signal: stop.signal,
      onLive: ({ type }) => void (type === when && end()),
      onEvent: ({ type }) => void (type === when && setTimeout(end, 300)),
    });
    assert.equal(outcome.stop, "cancelled");
    assert.ok(Date.now() - at.time < 10_000, `${Date.now() - at.time} ms`); // less than one second where nothing else runs
    assert.deepEqual(await place.workplace.left(), []);
  }
  assert.match(
    place.story().find((line) => line.startsWith("bash = "))!,
    /abort|not known/i,
  );
  place.say("are you there?");
  assert.deepEqual([(await place.run()).stop, place.story()], ["end", ["text Yes.", "end end"]]);
});

test("killed at any moment it ends as a failure, and the next run goes on from what was done", limit, async (t) => {
  const calls = { do: "calls" as const, calls: [bash("echo x >> made; sleep 600")] };
  for (const when of ["begin", "item.delta", "item.started"]) {
    const place = await open(t, { script: script([...text("I make it."), calls], text("Made.")) });
    const kill = (): void => {
      for (const one of place.workplace.started) process.kill(-one.pid, "SIGKILL");
    };
    const state = { killed: false };
    const dies = (type: string): void => {
      if (type === when && !state.killed) setTimeout(kill, type === "item.started" ? 500 : 0);
      state.killed ||= type === when;
    };
    place.say("make it");
    const starts = when === "begin" ? setInterval(() => place.workplace.started.length > 0 && dies("begin"), 5) : undefined;
    const outcome = await place.run({ onLive: ({ type }) => dies(type), onEvent: ({ type }) => dies(type) });
    clearInterval(starts);
    assert.match(outcome.error!.message, /^OpenCode was ended by signal 9/);
    assert.equal(outcome.resume, undefined);
    assert.deepEqual(await place.workplace.left(), []);
    place.server.script(text("Made."));
    assert.equal((await place.run()).stop, "end");
    assert.equal(place.story().at(-2), "text Made.");
    if (when === "item.started") assert.match(place.story().join("\n"), /bash = It is not known how this ended/);
  }
});

test("stale in the middle is thrown, and what was begun is not begun again", limit, async (t) => {
  const place = await open(t, { script: script([{ do: "calls", calls: [bash("echo x")] }], text("Well.")) });
  const lost = new StewardError("stale", "somebody else has the turn");
  place.say("go");
  await assert.rejects(place.run({ onEvent: async ({ type }) => (type === "item.started" ? Promise.reject(lost) : undefined) }), lost);
  assert.deepEqual(await place.workplace.left(), []);
  await place.run();
  assert.deepEqual(place.story().slice(-3), ["bash = It is not known whether this ran", "text Well.", "end end"]);
  assert.match(
    told(place.server.requests.at(-1)!).join("\n"),
    /<call tool="bash">.*not known whether this ran.*The record ends in the middle/s,
  );
});

test("another program in its place ends as a failure that says so", limit, async (t) => {
  for (const [body, error] of [
    ["echo no such thing >&2; exit 3", /^OpenCode ended with code 3 .* It said: no such thing$/],
    ["echo opencode server listening on http://127.0.0.1:9", /^OpenCode ended with code/],
    ["yes 'not listening at all' | head -c 5000000", /^OpenCode ended with code/],
  ] as const) {
    const place = await open(t);
    const program = join(place.workplace.folder, "program");
    writeFileSync(program, `#!/bin/sh\n${body}\n`);
    chmodSync(program, 0o755);
    const other = await open(t, { program });
    other.say("hi");
    const outcome = await other.run();
    assert.equal(outcome.stop, "failed");
    assert.match(outcome.error!.message, error);
  }
});

test("a project's plugin runs behind walls, costs no long wait, changes no rule, and can be left out", limit, async (t) => {
  for (const [mode, given] of [
    ["guarded", true],
    ["guarded", false],
    ["full", true],
  ] as const) {
    const project = given && mode !== "full";
    const place = await open(t, {
      mode,
      config: { project: given, ask: true },
      env: { npm_config_registry: "http://127.0.0.1:9/" },
      permit: async () => ({ allowed: false }),
      script: script([{ do: "calls", calls: [bash("touch made")] }], text("Hello.")),
    });
    const { cwd } = place.workplace;
    mkdirSync(join(cwd, ".opencode/plugin"), { recursive: true });
    writeFileSync(
      join(cwd, ".opencode/plugin/own.js"),
      'import { writeFileSync } from "node:fs";\nexport const Own = async () => (writeFileSync("ran.txt", String(process.pid)), {});\n',
    );
    writeFileSync(
      join(cwd, "opencode.json"),
      JSON.stringify({ permission: { "*": "allow", bash: { "*": "allow" } }, agent: { steward: { permission: { bash: "allow" } } } }),
    );
    writeFileSync(join(cwd, "AGENTS.md"), "Always be brief.");
    place.say("hi");
    const from = Date.now();
    assert.equal((await place.run()).stop, "end");
    assert.ok(Date.now() - from < 60_000); // without a registry it was tried for 90 seconds
    assert.deepEqual([existsSync(join(cwd, "ran.txt")), existsSync(join(cwd, "made")), place.wishes.length], [project, false, 1]);
    assert.equal(system(place.server.requests[0]!).includes("Always be brief."), project);
  }
});

test("which tools it has, and what it need not ask for, follows switches, the mode and the settings", limit, async (t) => {
  const offered = async (more: Options): Promise<[string[], number]> => {
    const place = await open(t, { script: script([{ do: "calls", calls: [bash("true")] }], text("Well.")), ...more });
    place.say("hi");
    assert.equal((await place.run()).stop, "end");
    return [names(place.server.requests[0]!), place.wishes.length];
  };
  const { execute_terminal: _, ...others } = tools;
  const [switched] = await offered({ tools: others });
  assert.ok(!switched.includes("bash") && switched.includes("read") && !switched.includes("steward_read_file"));
  assert.deepEqual(await offered({ config: { no_tools: true, search: false } }), [
    [
      "skill",
      ...Object.keys(tools)
        .map((name) => `steward_${name}`)
        .sort(),
    ],
    0,
  ]);
  assert.equal((await offered({ mode: "contained" }))[1], 0);
  assert.equal((await offered({ mode: "contained", config: { ask: true } }))[1], 1);
});
