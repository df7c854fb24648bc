// Finding files by name and content, with ripgrep and without, and the globs.
import assert from "node:assert/strict";
import { rmSync, utimesSync } from "node:fs";
import { before, describe, test } from "node:test";
import type { Computer } from "../src/core/computer.ts";
import { StewardError } from "../src/std/error.ts";
import { choices, globMatcher } from "../src/tools/glob.ts";
import { at, bad, call, computer, ok, place, plain } from "./tools-place.ts";
import { computing, quickest } from "./took.ts";

for (const [kind, on] of [
  ["ripgrep", computer],
  ["find and grep", plain],
] as const)
  describe(`find_files and search_files by ${kind}`, () => {
    before(() => {
      rmSync(at("tree"), { recursive: true, force: true });
      place("tree", {
        "a.md": "Alpha\nbeta one\n",
        "src/x.ts": "beta();\nconst a = 1;",
        "src/deep/y.ts": "(beta|one)+",
        "src/Z.TS": "",
        ".dot/c.md": "beta\r\n",
        ".git/config.md": "beta",
        "node_modules/m.ts": "beta",
        "bin.dat": "beta\0beta",
      });
    });
    const find = async (pattern: string, more: object = {}): Promise<unknown> =>
      (await call("find_files", { pattern, path: at("tree"), ...more }, {}, on)).output;
    const look = async (text: string, more: object = {}): Promise<unknown> =>
      (await call("search_files", { text, path: at("tree"), ...more }, {}, on)).output;
    const paths = (...names: string[]): string[] => names.map((name) => at("tree", name));
    test("names", async () => {
      assert.deepEqual(await find("*.md"), paths(".dot/c.md", "a.md"));
      assert.deepEqual(await find("*.ts"), paths("src/Z.TS", "src/deep/y.ts", "src/x.ts"));
      assert.deepEqual(await find("*.TS"), paths("src/Z.TS"));
      assert.deepEqual(await find("src/*.ts"), paths("src/Z.TS", "src/x.ts"));
      assert.deepEqual(await find("src/**/*.ts"), paths("src/Z.TS", "src/deep/y.ts", "src/x.ts"));
      assert.deepEqual(await find("**/y.*"), paths("src/deep/y.ts"));
      assert.deepEqual(await find("*.{md,dat}"), paths(".dot/c.md", "a.md", "bin.dat"));
      assert.deepEqual(await find("[ab].*"), paths("a.md"));
      assert.deepEqual(await find("nothing*"), []);
      assert.deepEqual(await find("!a.md"), []);
      assert.deepEqual(await find("a.md", { path: at("tree/a.md") }), paths("a.md"));
      assert.deepEqual(await find(at("tree/src/*.ts"), { path: undefined }), paths("src/Z.TS", "src/x.ts"));
      assert.deepEqual(await find("~/tree/a.md", { path: undefined }), paths("a.md"));
      assert.deepEqual(await find("/*.md"), paths("a.md"));
      utimesSync(at("tree/a.md"), 2_000_000_000, 2_000_000_000);
      assert.deepEqual(await find("*.md", { newest: true }), paths("a.md", ".dot/c.md"));
    });
    test("text", async () => {
      const beta = [
        { path: at("tree/.dot/c.md"), line: 1, text: "beta" },
        { path: at("tree/a.md"), line: 2, text: "beta one" },
        { path: at("tree/src/deep/y.ts"), line: 1, text: "(beta|one)+" },
        { path: at("tree/src/x.ts"), line: 1, text: "beta();" },
      ];
      assert.deepEqual(await look("beta"), beta);
      assert.deepEqual(await look("alpha"), [{ path: at("tree/a.md"), line: 1, text: "Alpha" }]);
      assert.deepEqual(await look("ALPHA"), []);
      assert.deepEqual(await look("(beta|one)+"), [beta[2]]);
      assert.deepEqual(await look("^(alpha|const)", { regex: true }), [
        { path: at("tree/a.md"), line: 1, text: "Alpha" },
        { path: at("tree/src/x.ts"), line: 2, text: "const a = 1;" },
      ]);
      assert.deepEqual(await look("beta", { path: at("tree/src/x.ts") }), [beta[3]]);
      assert.deepEqual(await look("no such words"), []);
    });
    test("caps", async () => {
      place("wide", { many: "same\n".repeat(300), long: `same${"x".repeat(5000)}` });
      const signals: (AbortSignal | undefined)[] = [];
      const watched: Computer = { ...on, exec: (argv, options) => (signals.push(options?.signal), on.exec(argv, options)) };
      const found = (await call("search_files", { text: "same", path: at("wide") }, {}, watched)).output as {
        path: string;
        text: string;
      }[];
      assert.deepEqual(
        [found.length, found.at(-1)],
        [201, { path: "…", line: 0, text: "more than 200 matches: give more of the text, or a narrower path" }],
      );
      assert.ok(found.every(({ text }) => text.length < 600));
      assert.equal(signals.at(-1)?.aborted, true, "the search is stopped once there is enough");
      place("lots", Object.fromEntries(Array.from({ length: 510 }, (_, index) => [`f${index}`, ""])));
      const files = (await call("find_files", { pattern: "f*", path: at("lots") }, {}, on)).output as string[];
      assert.deepEqual([files.length, files.at(-1)], [501, "… 510 files in all, the first 500 are shown: give a narrower pattern or path"]);
    });
    test("S-82: a pattern that is slow elsewhere is not slow here", async () => {
      place("slow", { a: `${"a".repeat(50_000)}!` });
      const took = await quickest(3000, async () => {
        assert.deepEqual(await call("search_files", { text: "(a+)+$", regex: true, path: at("slow") }, {}, on), ok([]));
        assert.deepEqual(await call("find_files", { pattern: `${"*a".repeat(60)}b`, path: at("slow") }, {}, on), ok([]));
      });
      assert.ok(took < 3000, `${took} ms`);
    });
    test("failures", async () => {
      assert.deepEqual(await call("find_files", { pattern: "*", path: at("nope") }, {}, on), bad(`Path does not exist: ${at("nope")}`));
      assert.deepEqual(await call("find_files", { pattern: "" }, {}, on), bad("The pattern is empty, too long or holds a NUL character"));
      assert.deepEqual(await call("search_files", { text: "x", path: at("nope") }, {}, on), bad(`Path does not exist: ${at("nope")}`));
      for (const text of ["", "a\nb", "a\0b"])
        assert.deepEqual(await call("search_files", { text }, {}, on), bad("The text must be one line, and not empty"));
      assert.match(
        (await call("search_files", { text: "(", regex: true, path: at("tree") }, {}, on)).error ?? "",
        /^The search failed: .+/,
      );
    });
    test("what tools may not see is not told", async () => {
      const hides: Computer = {
        ...on,
        stat: async (path) => (path.includes("deep") ? Promise.reject(new StewardError("denied", "Permission denied")) : on.stat(path)),
      };
      assert.deepEqual((await call("find_files", { pattern: "y.ts", path: at("tree") }, {}, hides)).output, []);
      assert.deepEqual((await call("search_files", { text: "(beta|one)+", path: at("tree") }, {}, hides)).output, []);
    });
  });

test("globs", async () => {
  const matches = (pattern: string, path: string): boolean => globMatcher(pattern)(path);
  assert.deepEqual(choices("a{b,{c,d}}e{f,g}"), ["abef", "abeg", "acef", "aceg", "adef", "adeg"]);
  assert.deepEqual(choices("{a},x{"), ["{a},x{"]);
  for (const [pattern, path] of [
    ["*", "a"],
    ["*", "a/b"],
    ["a*c", "abbc"],
    ["a?c", "abc"],
    ["[!a]c", "bc"],
    ["[a-c]", "b"],
    ["[]]", "]"],
    ["\\*", "*"],
    ["/a", "a"],
    ["./a", "a"],
    ["./a/b", "a/b"],
    ["a/**", "a/b/c"],
    ["**/c", "c"],
    ["a/**/c", "a/c"],
    ["[", "["],
  ] as const)
    assert.ok(matches(pattern, path), `${pattern} ${path}`);
  for (const [pattern, path] of [
    ["a", "b/c"],
    ["a/*", "a/b/c"],
    ["/b", "a/b"],
    ["[!a]c", "ac"],
    ["[a-c]", "d"],
    ["\\*", "a"],
    ["a?c", "ac"],
    ["", "a"],
  ] as const)
    assert.ok(!matches(pattern, path), `${pattern} ${path}`);
  const took = await computing(() => {
    assert.ok(!matches(`${"**/".repeat(200)}${"*a".repeat(200)}b`, `${"x/".repeat(200)}${"a".repeat(5000)}`));
    assert.ok(!matches("{a,b}".repeat(100), "c"));
  });
  assert.ok(took < 2000, `${took} ms`);
});
