// The set of tools as a whole, the terminal, the person, memory and undo: outputs and error texts as a whole.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod/mini";
import type { Computer } from "../src/core/computer.ts";
import type { ToolOutput } from "../src/core/ports.ts";
import { toolTrial, use } from "../src/testing/tools.ts";
import { all, at, bad, call, computer, ok, place, workspace } from "./tools-place.ts";
import { quickest } from "./took.ts";

test("all tools together", () => {
  assert.deepEqual(
    all.map(({ name, capability, effect }) => `${name} ${capability} ${effect}`),
    [
      "execute_terminal_command terminal write",
      "execute_terminal terminal write",
      ...[
        "read_file read",
        "write_file write",
        "edit_file write",
        "list_directory read",
        "move_file write",
        "delete_file write",
        "create_directory write",
        "file_info read",
        "find_files read",
        "search_files read",
      ].map((one) => one.replace(" ", " filesystem ")),
      ...[
        "launch_application write",
        "quit_application write",
        "list_running_apps read",
        "activate_application write",
        "get_app_info read",
      ].map((one) => one.replace(" ", " applications ")),
      ...["fetch_page read", "ask_person read", "show_plan read"].map((one) => one.replace(" ", " none ")),
      ...["remember write", "recall read", "forget write", "manage_memory write"].map((one) => one.replace(" ", " none ")),
      ...["spawn_agent write", "send_to_agent write", "undo write"].map((one) => one.replace(" ", " none ")),
      ...["read_skill read", "propose_change write"].map((one) => one.replace(" ", " none ")),
    ],
  );
  const offered = all.filter(({ name }) => name !== "execute_terminal"); // instead of the other, never beside it
  const told = offered.map(({ name, description, input }) => {
    const { $schema: _, ...parameters } = z.toJSONSchema(input, { io: "input" });
    return { name, description, parameters };
  });
  const size = Buffer.byteLength(JSON.stringify(told));
  assert.ok(size < 6600, `the tools take ${size} bytes`);
  assert.ok(told.every(({ description }) => description.length <= 100));
});

test("unknown arguments are ignored, wrong ones are named", async () => {
  assert.deepEqual(await call("list_directory", { path: place("empty"), colour: "red" }), ok([]));
  for (const [input, field] of [
    [{}, "path"],
    [{ path: 7 }, "path"],
    [{ path: null }, "path"],
    [{ path: ["/"] }, "path"],
  ] as const) {
    const result = all.find(({ name }) => name === "read_file")!.input.safeParse(input);
    assert.deepEqual(
      result.error?.issues.map(({ path }) => path.join(".")),
      [field],
    );
  }
});

describe("execute_terminal_command", () => {
  const run = (command: string, more: object = {}): Promise<ToolOutput> => call("execute_terminal_command", { command, ...more });
  test("output", async () => {
    assert.deepEqual(await run("echo '  hello  '; printf '\\n\\n'"), ok("hello"));
    assert.deepEqual(await run("echo out; echo err >&2"), ok("out\n\nStderr:\nerr"));
    assert.deepEqual(await run("echo err >&2"), ok("err"));
    assert.deepEqual(await run("true"), ok(""));
    assert.deepEqual(await run("printf 'ünï 漢字 🎉'"), ok("ünï 漢字 🎉"));
  });
  test("failure", async () => {
    assert.deepEqual(await run("echo a; echo b >&2; exit 3"), {
      output: "Command exited with code 3\n\na\n\nStderr:\nb",
      error: "Exit code: 3",
    });
    assert.deepEqual(await run("exit 1"), { output: "Command exited with code 1", error: "Exit code: 1" });
    assert.deepEqual(await run("kill -9 $$"), { output: "Command exited with code 137", error: "Exit code: 137" });
    assert.deepEqual(await run("  "), bad("The command is empty"));
  });
  test("timeout", async () => {
    const took = await quickest(5000, async () =>
      assert.deepEqual(await run("echo before; sleep 20", { timeout: 1 }), bad("Command timed out after 1 seconds")),
    );
    assert.ok(took < 5000, `${took} ms`);
    for (const timeout of [0, -1]) assert.deepEqual(await run("true", { timeout }), bad("timeout must be more than 0 seconds"));
    assert.deepEqual(await run("echo x", { timeout: 1e12 }), ok("x"));
  });
  test("working directory", async () => {
    assert.deepEqual(await run("pwd"), ok(workspace));
    place("wd/sub dir", { f: "" });
    assert.deepEqual(await run("pwd", { working_directory: "~/wd/sub dir/" }), ok(at("wd/sub dir")));
    assert.deepEqual(await run("pwd", { working_directory: "nope" }), bad(`Working directory does not exist: ${join(workspace, "nope")}`));
    assert.deepEqual(
      await run("pwd", { working_directory: at("wd/sub dir/f") }),
      bad(`Working directory does not exist: ${at("wd/sub dir/f")}`),
    );
  });
  test("output is shown while it runs, and stopping gives what there was", async () => {
    const took = await quickest(5000, async () => {
      const stop = new AbortController();
      const trial = toolTrial(computer, { signal: stop.signal });
      const context = { ...trial.context, output: (text: string) => (trial.context.output(text), stop.abort()) };
      assert.deepEqual(await use(all, "execute_terminal_command", { command: "echo first; sleep 20; echo second" }, context), {
        output: "first",
        error: "Command was stopped",
      });
      assert.deepEqual(trial.shown, ["first\n"]);
    });
    assert.ok(took < 5000, `${took} ms`);
  });
  test("what the computer is asked", async () => {
    const asked: unknown[] = [];
    const recording: Computer = {
      ...computer,
      exec: async (command, { cwd, network, timeoutMs } = {}) => (
        asked.push([command, { cwd, network, timeoutMs }]),
        { code: 0, stdout: "x", stderr: "", timedOut: false, cancelled: false, lost: 7 }
      ),
    };
    assert.deepEqual(
      await call("execute_terminal_command", { command: "curl x", network: true, working_directory: workspace }, {}, recording),
      ok("x\n\n… (7 more bytes were printed and not kept)"),
    );
    assert.deepEqual(asked, [["curl x", { cwd: workspace, network: true, timeoutMs: 60_000 }]]);
  });
});

describe("the person, memory, undo", () => {
  test("ask_person", async () => {
    const trial = toolTrial(computer, { answers: ["red", "blue"] });
    const ask = (input: object): Promise<ToolOutput> => use(all, "ask_person", input, trial.context);
    assert.deepEqual(await ask({ question: " Which? ", options: ["red", " blue ", "red", ""] }), ok("red"));
    assert.deepEqual(await ask({ question: "Why?" }), ok("blue"));
    assert.deepEqual(trial.asked, [{ prompt: "Which?", options: ["red", "blue"] }, { prompt: "Why?" }]);
    assert.deepEqual(await ask({ question: "Still there?" }), bad("The question was not answered"));
    assert.deepEqual(await ask({ question: " " }), bad("The question is empty"));
    assert.deepEqual(
      await ask({ question: "?", options: Array.from({ length: 21 }, (_, index) => `${index}`) }),
      bad("At most 20 options can be offered"),
    );
  });
  test("show_plan", async () => {
    const { items, ...rest } = await call("show_plan", { entries: [{ text: "look", state: "done" }, { text: "act" }] });
    assert.deepEqual(rest, ok("Plan shown"));
    assert.deepEqual(items, [
      {
        id: items![0]!.id,
        kind: "plan",
        entries: [
          { text: "look", state: "done" },
          { text: "act", state: "pending" },
        ],
      },
    ]);
    assert.match(items[0]!.id, /^itm_/);
    assert.deepEqual(await call("show_plan", { entries: [] }), bad("The plan is empty"));
    assert.deepEqual(
      await call("show_plan", { entries: Array.from({ length: 101 }, () => ({ text: "x" })) }),
      bad("A plan can have at most 100 entries"),
    );
  });
  test("remember, recall, forget", async () => {
    const trial = toolTrial(computer, { said: [{ session: "ses_1", number: 2, at: 0, text: "my cat is called Mia" }] });
    const tool = (name: string, input: object): Promise<ToolOutput> => use(all, name, input, trial.context);
    assert.deepEqual(await tool("recall", {}), ok({ facts: [], messages: [] }));
    assert.deepEqual(await tool("remember", { text: "Likes tea" }), ok("Remembered as fct_1"));
    assert.deepEqual(await tool("remember", { text: "Has a cat" }), ok("Remembered as fct_2"));
    assert.deepEqual(await tool("remember", { text: " " }), bad("There is nothing to remember"));
    const [at1970, tea, cat] = ["1970-01-01T00:00:00.000Z", { id: "fct_1", text: "Likes tea" }, { id: "fct_2", text: "Has a cat" }];
    assert.deepEqual(
      await tool("recall", {}),
      ok({
        facts: [
          { ...tea, at: at1970 },
          { ...cat, at: at1970 },
        ],
        messages: [],
      }),
    );
    assert.deepEqual(
      await tool("recall", { words: " cat" }),
      ok({ facts: [{ ...cat, at: at1970 }], messages: [{ session: "ses_1", number: 2, at: at1970, text: "my cat is called Mia" }] }),
    );
    assert.deepEqual(await tool("forget", { id: "fct_1" }), ok("Forgot fct_1"));
    assert.deepEqual(await tool("forget", { id: "fct_1" }), bad("There is no such fact"));
    assert.deepEqual(trial.facts, [{ ...cat, at: 0 }]);
  });
  test("undo", async () => {
    const done = { id: "und_1", summary: "Deleted /x", state: "undone" };
    const failed = { id: "und_2", summary: "Moved /y", state: "failed", reason: "/y is gone" };
    const trial = toolTrial(computer, { undo: [done] });
    assert.deepEqual(await use(all, "undo", {}, trial.context), ok([done]));
    assert.deepEqual(await use(all, "undo", { id: "und_1" }, trial.context), ok([done]));
    assert.deepEqual(trial.undone, [undefined, "und_1"]);
    assert.deepEqual(await call("undo", {}, { undo: [done, failed] }), {
      output: [done, failed],
      error: "Not undone: Moved /y (/y is gone)",
    });
    assert.deepEqual(await call("undo", {}), { output: [], error: "There is nothing to undo" });
  });
});
