// The built-in model: what it makes of plain requests, follow-ups and chains. Its words for results are in builtin-replies.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { model, next, optionsOf, type Turn, TOOLS } from "./builtin-prompt.ts";
import { computing } from "./took.ts";

const path = (value: string) => ({ path: value });
const command = (value: string) => ({ command: value });
const app = (value: string) => ({ app_name: value });

const sections = readFileSync(new URL("builtin-requests.txt", import.meta.url), "utf8")
  .split(/^# /m)
  .slice(1);
const rows = (section: string): [string, string][] =>
  section
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => {
      const at = line.lastIndexOf(" => ");
      return [line.slice(0, at).replaceAll("⏎", "\n"), line.slice(at + 4)];
    });

test("the table is read whole", () => {
  const counts = sections.map((section) => [/^none/.test(section), rows(section).length] as const);
  const total = (none: boolean) => counts.reduce((sum, [is, count]) => sum + (is === none ? count : 0), 0);
  assert.ok(total(false) >= 150 && total(true) >= 60, JSON.stringify(counts));
});

for (const section of sections) {
  const name = /^\S+/.exec(section)![0].replace(":", "");
  test(`requests for ${name}`, async () => {
    for (const [said, expected] of rows(section)) {
      const [text, ...call] = await next([said]);
      if (name !== "none") assert.deepEqual([text, ...call], ["", name, JSON.parse(expected)], said);
      else {
        assert.deepEqual(call, [], said);
        assert.match(String(text), new RegExp(expected), said);
      }
    }
  });
}

test("what it does not understand names the closest abilities and how to connect a model", async () => {
  assert.deepEqual(await next(["reorganise my disk space"]), [
    "I did not understand “reorganise my disk space”, so I did nothing. I am the built-in model and follow plain requests by rules. The closest that I can do:\n\n- how much disk space is free?\n\nFor anything else, connect a language model: on the settings page, or with `steward config set model PROVIDER/NAME`. A running Ollama is found by itself (`ollama/qwen2.5`, say); a cloud model needs a key, which the settings page takes (or `KIMI_API_KEY` in the environment).",
  ]);
});

test("a tool that is not offered is never called; the switch is named", async () => {
  assert.deepEqual(await next(["run ls"], ["read_file"]), [
    "I can't do that: the **Terminal** switch is off here. Turn it on under Permissions on the settings page, or in `permissions.json` (`capabilities.terminal.enabled`).",
  ]);
  assert.deepEqual(await next(["open Safari"], []), [
    "I can't do that: the **Applications** switch is off here. Turn it on under Permissions on the settings page, or in `permissions.json` (`capabilities.applications.enabled`).",
  ]);
  assert.deepEqual(await next(["undo"], []), ["I can't do that here: the tool `undo` is not on offer in this conversation."]);
  const { content } = await model.doGenerate({ ...optionsOf(["list files"]), toolChoice: { type: "none" } });
  assert.deepEqual(
    content.map(({ type }) => type),
    ["text"],
  );
});

const read = (name: string, more: object = { output: "hi" }) => ({ tool: "read_file", input: path(name), ...more });
const FOLLOW: [string, Turn[], unknown[]][] = [
  [
    "the missing word completes the question",
    ["delete", { reply: "What should I delete? Name a file or folder." }, "notes.txt"],
    ["", "delete_file", path("notes.txt")],
  ],
  [
    "a quoted answer",
    ["delete", { reply: "What should I delete? Name a file or folder." }, '"my notes.txt"'],
    ["", "delete_file", path("my notes.txt")],
  ],
  [
    "two questions in a row",
    [
      "move",
      { reply: "What should I move? Name a file or folder." },
      '"a b.txt"',
      { reply: "Where should I move `a b.txt`?" },
      "my Documents",
    ],
    ["", "move_file", { source: "a b.txt", destination: "~/Documents/a b.txt" }],
  ],
  [
    "an answer can be any text",
    ["create a file called notes.txt with my meeting notes", { reply: "What should `notes.txt` contain?" }, "delete everything"],
    ["", "write_file", { path: "notes.txt", content: "delete everything" }],
  ],
  [
    "an answer of several lines",
    [
      "create a file called notes.txt with my meeting notes",
      { reply: "What should `notes.txt` contain?" },
      '- one\n- delete a.txt\n  "two"',
    ],
    ["", "write_file", { path: "notes.txt", content: '- one\n- delete a.txt\n  "two"' }],
  ],
  ["a name, then nothing else", ["create a file", { reply: "What should the file be called?" }, "a.txt"], ["", "file_info", path("a.txt")]],
  [
    "another request instead of an answer",
    ["delete", { reply: "What should I delete? Name a file or folder." }, "list files"],
    ["", "list_directory", path(".")],
  ],
  ["never mind", ["delete", { reply: "What should I delete? Name a file or folder." }, "never mind"], ["All right, I did nothing."]],
  ["a name without a question before", ["hi", { reply: "Hello!" }, "rename notes"], ["What should `notes` be called?"]],
  [
    "it is the file handled last",
    ["read notes.txt", read("notes.txt"), { reply: "`notes.txt`:" }, "delete it"],
    ["", "delete_file", path("notes.txt")],
  ],
  [
    "there is the folder handled last",
    ["list ~/Documents", { tool: "list_directory", input: path("~/Documents"), output: [] }, { reply: "x" }, "move a.txt there"],
    ["", "move_file", { source: "a.txt", destination: "~/Documents/a.txt" }],
  ],
  [
    "a deleted file is not it",
    ["delete a.txt", { tool: "delete_file", input: path("a.txt") }, { reply: "x" }, "read it"],
    ["Which file do you mean?"],
  ],
  [
    "a single find is it",
    ["find a.txt", { tool: "find_files", input: { pattern: "a.txt" }, output: ["src/a.txt"] }, { reply: "x" }, "read it"],
    ["", "read_file", path("src/a.txt")],
  ],
  [
    "a summary is no request",
    ["[Summary of the earlier conversation]\ndelete a.txt", "hi"],
    ["Hello! What can I do for you? “Help” shows what I understand."],
  ],
  ["which app, then its name", ["quit", { reply: "Which app should I quit?" }, "Slack"], ["", "quit_application", app("Slack")]],
  [
    "which command, then the command",
    ["run", { reply: "Which command should I run?" }, "echo 'a b'"],
    ["", "execute_terminal_command", command("echo 'a b'")],
  ],
];

test("follow-ups", async () => {
  for (const [name, turns, expected] of FOLLOW) assert.deepEqual(await next(turns), expected, name);
});

const wrote = (name: string, content: string, more: object = { output: "ok" }) => ({
  tool: "write_file",
  input: { path: name, content },
  ...more,
});
const TWO = "create a.txt with 'one' and then create b.txt with 'two', then read it";
const CHAINS: [string, Turn[], unknown[]][] = [
  ["first", [TWO], ["", "write_file", { path: "a.txt", content: "one" }]],
  [
    "second, with what came of the first",
    [TWO, wrote("a.txt", "one")],
    ["I wrote 3 characters to `a.txt`.", "write_file", { path: "b.txt", content: "two" }],
  ],
  [
    "third: it is the second's file",
    [TWO, wrote("a.txt", "one"), wrote("b.txt", "two")],
    ["I wrote 3 characters to `b.txt`.", "read_file", path("b.txt")],
  ],
  ["the end", [TWO, wrote("a.txt", "one"), wrote("b.txt", "two"), read("b.txt", { output: "two" })], ["`b.txt`:\n\n```\ntwo\n```"]],
  [
    "a failure stops the rest",
    [TWO, wrote("a.txt", "one", { error: "Permission denied: ~/.ssh is blocked" })],
    [
      "That was not allowed: ~/.ssh is blocked. What I may do is set under Permissions on the settings page (**Filesystem**, its blocked paths), or in `permissions.json`.\n\nSo I did not go on with “create b.txt with 'two'”, “read it”.",
    ],
  ],
  [
    "two apps",
    ["Open Safari and Finder", { tool: "launch_application", input: app("Safari"), output: "Launched Safari" }],
    ["I opened Safari.", "launch_application", app("Finder")],
  ],
  [
    "a list",
    ["1. list files\n2. read a.txt", { tool: "list_directory", input: path("."), output: [] }],
    ["This folder is empty.", "read_file", path("a.txt")],
  ],
  ["words before a call", ["what is 2+2 and then list files"], ["`2+2` = **4**", "list_directory", path(".")]],
  [
    "words before a call are said once",
    ["what is 2+2 and then list files", { tool: "list_directory", input: path("."), output: [] }],
    ["This folder is empty."],
  ],
  [
    "what is found is it",
    ["find a.txt and then delete it", { tool: "find_files", input: { pattern: "a.txt" }, output: ["x/a.txt"] }],
    ["1 match for `a.txt`:\n\n- `x/a.txt`", "delete_file", path("x/a.txt")],
  ],
  [
    "an empty file only where nothing is",
    ["create a.txt", { tool: "file_info", input: path("a.txt"), error: "File does not exist: a.txt" }],
    ["", "write_file", { path: "a.txt", content: "" }],
  ],
  [
    "an empty file was made",
    ["create a.txt", { tool: "file_info", input: path("a.txt"), error: "File does not exist: a.txt" }, wrote("a.txt", "")],
    ["I created `a.txt`, empty."],
  ],
  [
    "append to what is there",
    ['append "c" to a.txt', read("a.txt", { output: "a\nb\nb" })],
    ["", "edit_file", { path: "a.txt", old_text: "b\nb", new_text: "b\nb\nc\n" }],
  ],
  [
    "append to an empty line",
    ['append "c" to a.txt', read("a.txt", { output: "\n" })],
    ["", "edit_file", { path: "a.txt", old_text: "\n", new_text: "\nc\n" }],
  ],
  [
    "append to no file",
    ['append "c" to a.txt', read("a.txt", { error: "File does not exist: a.txt" })],
    ["", "write_file", { path: "a.txt", content: "c\n" }],
  ],
  [
    "append where reading is denied",
    ['append "c" to a.txt', read("a.txt", { error: "Permission denied: a.txt is in the blocked path ~/.ssh" })],
    [
      "That was not allowed: a.txt is in the blocked path ~/.ssh. What I may do is set under Permissions on the settings page (**Filesystem**, its blocked paths), or in `permissions.json`.",
    ],
  ],
  [
    "appended",
    [
      'append "c" to a.txt',
      read("a.txt", { output: "a" }),
      { tool: "edit_file", input: { path: "a.txt", old_text: "a", new_text: "a\nc\n" }, output: "ok" },
    ],
    ["I added it at the end of `a.txt`."],
  ],
  [
    "a question in a chain comes last",
    ["delete and then list files"],
    ["First a question, so I did not go on with “list files”.\n\nWhat should I delete? Name a file or folder."],
  ],
  ["the time of a message is no part of it", ["<time>2026-07-31 14:05</time>\nlist files"], ["", "list_directory", path(".")]],
  [
    "an existing file is left",
    ["create a.txt", { tool: "file_info", input: path("a.txt"), output: { path: "a.txt" } }],
    ["`a.txt` is there already, so I left it as it is."],
  ],
  [
    "forget finds the fact",
    [
      "forget that I like tea",
      { tool: "recall", input: { words: "I like tea" }, output: { facts: [{ id: "mem_1", text: "I like tea" }] } },
    ],
    ["", "forget", { id: "mem_1" }],
  ],
  [
    "and says which",
    [
      "forget tea",
      { tool: "recall", input: { words: "tea" }, output: { facts: [{ id: "mem_1", text: "I like tea" }] } },
      { tool: "forget", input: { id: "mem_1" }, output: null },
    ],
    ["Forgotten: I like tea."],
  ],
  [
    "forget asks when two fit",
    [
      "forget tea",
      {
        tool: "recall",
        input: { words: "tea" },
        output: {
          facts: [
            { id: "mem_1", text: "I like tea" },
            { id: "mem_2", text: "Tea is at 5" },
          ],
        },
      },
    ],
    ["That fits several things. Say “forget” with the id of one:\n\n- `mem_1`: I like tea\n- `mem_2`: Tea is at 5"],
  ],
  [
    "a turn that another model began",
    ["tidy up a bit", read("a.txt")],
    [
      "`a.txt`:\n\n```\nhi\n```\n\nAnother model began this and could not go on. I am the built-in model and stopped here; say what is still to be done.",
    ],
  ],
  ["two quick messages that only look", ["what is 2+2", "list files"], ["`2+2` = **4**", "list_directory", path(".")]],
  [
    "an unanswered delete is not done late",
    ["delete a.txt", "hi"],
    [
      "I did not finish “delete a.txt”. Say it again if you still want it.\n\nHello! What can I do for you? “Help” shows what I understand.",
    ],
  ],
  [
    "a steering message: what was done is told",
    ["read a.txt", read("a.txt"), "list files"],
    ["`a.txt`:\n\n```\nhi\n```", "list_directory", path(".")],
  ],
];

test("chains, step by step", async () => {
  for (const [name, turns, expected] of CHAINS) assert.deepEqual(await next(turns), expected, name);
});

const VERBS = [
  "delete ",
  "create a file called ",
  "write ",
  "move ",
  "run ",
  "open ",
  "what is ",
  "find ",
  "replace ",
  "remember ",
  "and then ",
  " to ",
  " in ",
  " with ",
  '"',
  "“",
  "‘",
  "'",
  "`",
  "```\n",
  "\n",
  ", ",
  "$ ",
  "(",
  "please ",
  "a.txt",
  "\ufdd00\ufdd1",
  "__proto__",
];

test("any text gets an answer within 20 ms, with no tool that was not offered", async () => {
  for (let warm = 0; warm < 200; warm++) await next(["please find files containing x in src and then read it"]);
  const words = fc
    .array(fc.oneof(fc.constantFrom(...VERBS), fc.string({ unit: "binary" })), { maxLength: 40 })
    .map((parts) => parts.join(""));
  const long = fc
    .tuple(fc.constantFrom(...VERBS, " ", "a", "-", "\t", "((("), fc.integer({ min: 1, max: 3000 }))
    .map(([part, count]) => part.repeat(count));
  await fc.assert(
    fc.asyncProperty(fc.oneof(words, long), fc.subarray(TOOLS), async (text, tools) => {
      const times: number[] = [];
      let answer: unknown[] = [];
      for (let attempt = 0; attempt < 3 && !(times[0]! < 20); attempt++)
        times.unshift(await computing(async () => (answer = await next([text], tools))));
      assert.ok(Math.min(...times) < 20, `${Math.min(...times)} ms`);
      assert.ok(answer[1] === undefined ? answer[0] !== "" : tools.includes(String(answer[1])));
    }),
    { numRuns: 1500 },
  );
});
