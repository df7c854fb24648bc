// File tools over the real machine: outputs and error texts as a whole, and what is on the disk afterwards.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Computer } from "../src/core/computer.ts";
import type { ToolOutput } from "../src/core/ports.ts";
import { StewardError } from "../src/std/error.ts";
import { at, bad, call, computer, home, ok, place, plain, workspace } from "./tools-place.ts";

const HOSTILE = [
  "-rf",
  "--help",
  "a\nb",
  `it's "quoted"`,
  "$(touch pwned)",
  "`id`",
  "ünï 漢字 🎉",
  "* ? [x]",
  " lead",
  "back\\slash",
  "...",
];

describe("read_file", () => {
  const read = (path: string, more: object = {}): Promise<ToolOutput> => call("read_file", { path, ...more });
  test("text exactly as it is", async () => {
    for (const text of ["", "a", "a\n", "\ufeffbom\r\nünï 漢字 🎉\t\n\n", " \n "]) {
      place("read", { "f.txt": text });
      assert.deepEqual(await read(at("read/f.txt")), ok(text));
    }
    assert.deepEqual(await read("~/read/f.txt"), ok(" \n "));
    writeFileSync(join(workspace, "rel.txt"), "relative");
    for (const path of ["rel.txt", "./rel.txt", ".//./rel.txt", "../workspace/rel.txt"]) assert.deepEqual(await read(path), ok("relative"));
  });
  test("what is not text", async () => {
    place("read", { bin: new Uint8Array([0xff, 0xfe, 1]), nul: "a\0b" });
    assert.deepEqual(await read(at("read/bin")), ok("<binary file, 3 bytes>"));
    assert.deepEqual(await read(at("read/nul")), ok("<binary file, 3 bytes>"));
    assert.deepEqual(await read(at("read/bin"), { offset: 1 }), ok("<binary file, 3 bytes>"));
  });
  test("failures", async () => {
    assert.deepEqual(await read(at("nope")), bad(`File does not exist: ${at("nope")}`));
    assert.deepEqual(await read(at("read/bin/x")), bad(`File does not exist: ${at("read/bin/x")}`));
    assert.deepEqual(await read(home), bad(`Not a file: ${home}`));
    assert.deepEqual(await read(""), bad("The path is empty"));
    assert.deepEqual(await read("a\0b"), bad("A path can't hold a NUL character"));
  });
  test("lines", async () => {
    place("read", { lines: "one\r\ntwo\nthree" });
    const lines = (offset?: number, limit?: number): Promise<ToolOutput> => read(at("read/lines"), { offset, limit });
    assert.deepEqual(await lines(1, 1), ok("one\r\n"));
    assert.deepEqual(await lines(2), ok("two\nthree"));
    assert.deepEqual(await lines(undefined, 2), ok("one\r\ntwo\n"));
    assert.deepEqual(await lines(3, 100), ok("three"));
    assert.deepEqual(await lines(0, 0), ok("one\r\n"));
    assert.deepEqual(await lines(4), bad("The file has only 3 lines"));
    place("read", { ended: "1\n2\n", none: "" });
    assert.deepEqual(await read(at("read/ended"), { offset: 3 }), bad("The file has only 2 lines"));
    assert.deepEqual(await read(at("read/none"), { offset: 1 }), ok(""));
    assert.deepEqual(await read(at("read/none"), { offset: 2 }), bad("The file has only 0 lines"));
  });
  test("a huge file is read by ranges", async () => {
    const big = at("read/big");
    const line = `${"é".repeat(49)}x\n`;
    const count = 60_000;
    writeFileSync(big, line.repeat(count));
    const reads: number[] = [];
    const watched: Computer = {
      ...computer,
      read: async (path, range) => (reads.push(range?.limit ?? Infinity), computer.read(path, range)),
    };
    const size = statSync(big).size;
    const fits = Math.floor((1024 * 1024) / 100);
    assert.deepEqual(
      await call("read_file", { path: big }, {}, watched),
      ok(`${line.repeat(fits)}\n… (lines 1–${fits} of a file of ${size} bytes; read on with offset ${fits + 1})`),
    );
    assert.deepEqual(reads, [1024 * 1024]);
    assert.deepEqual(await call("read_file", { path: big, offset: count - 1, limit: 5 }, {}, watched), ok(line.repeat(2)));
    assert.deepEqual(await call("read_file", { path: big, offset: 30_000, limit: 2 }, {}, watched), ok(line.repeat(2)));
    assert.deepEqual(await call("read_file", { path: big, offset: count + 1 }, {}, watched), bad(`The file has only ${count} lines`));
    assert.ok(reads.every((limit) => limit <= 1024 * 1024));
    const many = (await call("read_file", { path: big, offset: 2 }, {}, watched)).output as string;
    assert.ok(many.startsWith(line) && many.endsWith("\n… (cut off at 1048576 bytes; ask for fewer lines)"));
    writeFileSync(big, "é".repeat(700_000));
    const beginning = (of: number): ToolOutput =>
      ok(`${"é".repeat(524_288)}\n… (the beginning of a file of ${of} bytes, whose first line is longer)`);
    assert.deepEqual(await call("read_file", { path: big }, {}, watched), beginning(1_400_000));
    truncateSync(big, 3_000_000_000);
    assert.deepEqual(await call("read_file", { path: big }, {}, watched), beginning(3_000_000_000));
    rmSync(big);
  });
});

describe("write_file and edit_file", () => {
  test("write", async () => {
    const path = at("write/new/deep/f.txt");
    assert.deepEqual(await call("write_file", { path, content: "ü🎉\r\n" }), ok(`Wrote 4 characters to ${path}`));
    assert.equal(readFileSync(path, "utf8"), "ü🎉\r\n");
    chmodSync(path, 0o755);
    assert.deepEqual(await call("write_file", { path, content: "" }), ok(`Wrote 0 characters to ${path}`));
    assert.deepEqual([readFileSync(path, "utf8"), statSync(path).mode & 0o777], ["", 0o755]);
    assert.deepEqual(await call("write_file", { path: at("write"), content: "" }), bad(`Not a file: ${at("write")}`));
    assert.match((await call("write_file", { path: `${path}/below`, content: "" })).error ?? "", /\S/);
    assert.deepEqual(await call("write_file", { path: "", content: "" }), bad("The path is empty"));
  });
  test("edit", async () => {
    const path = at("edit/f.txt");
    const edit = async (
      text: string | Uint8Array,
      old_text: string,
      new_text: string,
      more: object = {},
    ): Promise<[ToolOutput, string]> => {
      place("edit", { "f.txt": text });
      return [await call("edit_file", { path, old_text, new_text, ...more }), readFileSync(path, "utf8")];
    };
    const once = ok(`Replaced 1 occurrence in ${path}`);
    assert.deepEqual(await edit("a $& b", "$&", "$1 $$"), [once, "a $1 $$ b"]);
    assert.deepEqual(await edit("\ufeffx\r\ny\r\nz", "x\ny", "1\n2"), [once, "\ufeff1\r\n2\r\nz"]);
    assert.deepEqual(await edit("x\r\ny", "x\r\n", ""), [once, "y"]);
    assert.deepEqual(await edit("aXbX", "X", "", { all: true }), [ok(`Replaced 2 occurrences in ${path}`), "ab"]);
    assert.deepEqual(await edit("aXbX", "X", ""), [
      bad(`The text occurs 2 times in ${path}: give more of what stands around it, or set all`),
      "aXbX",
    ]);
    assert.deepEqual(await edit("abc", "d", "e"), [
      bad(`Text not found in ${path}: it must match exactly, spaces and line ends included`),
      "abc",
    ]);
    assert.deepEqual(await edit("abc", "", "e"), [bad("old_text is empty: use write_file to make a file"), "abc"]);
    assert.deepEqual(await edit("abc", "a", "a"), [bad("old_text and new_text are the same"), "abc"]);
    assert.deepEqual((await edit(new Uint8Array([0xff, 97]), "a", "b"))[0], bad(`Not a text file: ${path}`));
    assert.deepEqual([...readFileSync(path)], [0xff, 97]);
    assert.deepEqual(
      await call("edit_file", { path: at("edit/none"), old_text: "a", new_text: "b" }),
      bad(`File does not exist: ${at("edit/none")}`),
    );
    assert.deepEqual(await call("edit_file", { path: at("edit"), old_text: "a", new_text: "b" }), bad(`Not a file: ${at("edit")}`));
    truncateSync(path, 21 * 1024 * 1024);
    assert.deepEqual(await call("edit_file", { path, old_text: "a", new_text: "b" }), bad("The file is too large to edit: 22020096 bytes"));
  });
});

describe("folders, moving, deleting", () => {
  test("list", async () => {
    const folder = place("list", { "b.txt": "12345", ".hidden": "", "A/inner": "x" });
    symlinkSync("A", join(folder, "to-folder"));
    symlinkSync("b.txt", join(folder, "to-file"));
    symlinkSync("nowhere", join(folder, "to-nothing"));
    const { output } = await call("list_directory", { path: folder });
    assert.deepEqual(
      [...(output as { name: string }[])].sort((a, b) => (a.name < b.name ? -1 : 1)),
      [
        { name: ".hidden", type: "file", size: 0 },
        { name: "A", type: "dir", size: 0 },
        { name: "b.txt", type: "file", size: 5 },
        { name: "to-file", type: "file", size: 5 },
        { name: "to-folder", type: "dir", size: 0 },
        { name: "to-nothing", type: "file", size: 0 },
      ],
    );
    assert.deepEqual(await call("list_directory", { path: place("list/empty") }), ok([]));
    assert.deepEqual(await call("list_directory", { path: at("nope") }), bad(`Directory does not exist: ${at("nope")}`));
    assert.deepEqual(await call("list_directory", { path: at("list/b.txt") }), bad(`Not a directory: ${at("list/b.txt")}`));
  });
  test("a link to what tools may not see is listed as a file", async () => {
    place("list2");
    symlinkSync("/etc", at("list2/secret"));
    const guarded: Computer = {
      ...computer,
      stat: async (path) =>
        path.endsWith("secret") ? Promise.reject(new StewardError("denied", "Permission denied")) : computer.stat(path),
    };
    assert.deepEqual(await call("list_directory", { path: at("list2") }, {}, guarded), ok([{ name: "secret", type: "file", size: 0 }]));
  });
  test("a folder of many", async () => {
    place("many", Object.fromEntries(Array.from({ length: 2100 }, (_, index) => [`f${index}`, ""])));
    const output = (await call("list_directory", { path: at("many") })).output as unknown[];
    assert.deepEqual([output.length, output.at(-1)], [2001, { name: "… 100 more entries are not shown", type: "more", size: 0 }]);
  });
  test("create_directory and file_info", async () => {
    const path = at("made/a b/ü");
    assert.deepEqual(await call("create_directory", { path: `${path}/` }), ok(`Created directory: ${path}`));
    assert.deepEqual(await call("create_directory", { path }), ok(`Created directory: ${path}`));
    place("made", { "f.txt": "abc" });
    chmodSync(at("made/f.txt"), 0o604);
    utimesSync(at("made/f.txt"), 1_000_000_000, 1_000_000_000);
    assert.deepEqual(await call("create_directory", { path: at("made/f.txt") }), bad(`Not a directory: ${at("made/f.txt")}`));
    const info = (await call("file_info", { path: at("made/f.txt") })).output as { created: string };
    assert.ok(Math.abs(Date.parse(info.created) - Date.now()) < 60_000);
    assert.deepEqual(info, {
      path: at("made/f.txt"),
      name: "f.txt",
      type: "file",
      size: 3,
      created: info.created,
      modified: "2001-09-09T01:46:40.000Z",
      permissions: "604",
    });
    chmodSync(path, 0o750);
    const folder = (await call("file_info", { path })).output as { type: string; permissions: string; name: string };
    assert.deepEqual([folder.type, folder.permissions, folder.name], ["directory", "750", "ü"]);
    assert.deepEqual(await call("file_info", { path: at("nope") }), bad(`Path does not exist: ${at("nope")}`));
  });
  test("move", async () => {
    place("move", { "a.txt": "A", "b.txt": "B", "dir/x": "X", "empty/..keep": "" });
    rmSync(at("move/empty/..keep"));
    const move = (source: string, destination: string): Promise<ToolOutput> =>
      call("move_file", { source: at("move", source), destination: at("move", destination) });
    assert.deepEqual(await move("a.txt", "c.txt"), ok(`Moved ${at("move/a.txt")} to ${at("move/c.txt")}`));
    assert.deepEqual(await move("c.txt", "dir"), ok(`Moved ${at("move/c.txt")} to ${at("move/dir/c.txt")}`));
    assert.equal(readFileSync(at("move/dir/c.txt"), "utf8"), "A");
    assert.deepEqual(await move("dir", "empty"), ok(`Moved ${at("move/dir")} to ${at("move/empty/dir")}`));
    assert.equal(readFileSync(at("move/empty/dir/x"), "utf8"), "X");
    place("move", { "x.txt": "new" });
    assert.deepEqual(await move("x.txt", "b.txt"), bad(`Destination already exists: ${at("move/b.txt")}`));
    assert.equal(readFileSync(at("move/b.txt"), "utf8"), "B");
    assert.deepEqual(await move("none", "b.txt"), bad(`Source does not exist: ${at("move/none")}`));
    assert.match((await move("empty", "empty/dir/in")).error ?? "", /\S/);
    assert.ok(existsSync(at("move/empty/dir/x")));
    symlinkSync("nowhere", at("move/dangling"));
    assert.deepEqual(await move("dangling", "moved-link"), ok(`Moved ${at("move/dangling")} to ${at("move/moved-link")}`));
    assert.ok(lstatSync(at("move/moved-link")).isSymbolicLink());
    for (const source of [home, "/", "~", workspace])
      assert.match(
        (await call("move_file", { source, destination: at("elsewhere") })).error ?? "",
        /^Permission denied: \S+ itself can't be moved$/,
      );
  });
  test("delete", async () => {
    place("del", { "f.txt": "", "full/x": "", "empty/x": "", "kept/x": "K" });
    rmSync(at("del/empty/x"));
    symlinkSync(at("del/kept"), at("del/link"));
    symlinkSync("nowhere", at("del/dangling"));
    const remove = (path: string, more: object = {}): Promise<ToolOutput> => call("delete_file", { path, ...more });
    for (const name of ["f.txt", "empty", "link", "dangling"]) {
      assert.deepEqual(await remove(at("del", name)), ok(`Deleted ${at("del", name)}`));
      assert.throws(() => lstatSync(at("del", name)), { code: "ENOENT" });
    }
    assert.equal(readFileSync(at("del/kept/x"), "utf8"), "K");
    assert.deepEqual(
      await remove(at("del/full")),
      bad(`Directory not empty: ${at("del/full")}. Set recursive to delete it with everything in it`),
    );
    assert.ok(existsSync(at("del/full/x")));
    assert.deepEqual(await remove(at("del/full"), { recursive: true }), ok(`Deleted ${at("del/full")}`));
    assert.deepEqual(await remove(at("del/full")), bad(`Path does not exist: ${at("del/full")}`));
    for (const path of ["/", "~", home, workspace, `${workspace}/`, ".", `${workspace}/../workspace`])
      assert.match((await remove(path, { recursive: true })).error ?? "", /^Permission denied: \S+ itself can't be deleted$/);
    assert.ok(existsSync(workspace));
  });
});

test("hostile names everywhere", async () => {
  for (const name of HOSTILE) {
    rmSync(at("hostile"), { recursive: true, force: true });
    const path = at("hostile", name);
    const content = `${name} needle`;
    assert.deepEqual(await call("write_file", { path, content }), ok(`Wrote ${[...content].length} characters to ${path}`));
    assert.deepEqual(await call("read_file", { path }), ok(content));
    assert.deepEqual(await call("list_directory", { path: at("hostile") }), ok([{ name, type: "file", size: Buffer.byteLength(content) }]));
    const line = content.split("\n").findIndex((text) => text.includes("needle")) + 1;
    const found = ok([{ path, line, text: content.split("\n")[line - 1] }]);
    for (const on of [computer, plain]) {
      assert.deepEqual(await call("search_files", { text: "needle", path: at("hostile") }, {}, on), found, name);
      assert.deepEqual(await call("search_files", { text: "needle", path }, {}, on), found, name);
      assert.deepEqual(await call("find_files", { pattern: "*", path: at("hostile") }, {}, on), ok([path]), name);
      assert.deepEqual(
        await call("find_files", { pattern: name.replace(/[[\\*?]/g, "\\$&"), path: at("hostile") }, {}, on),
        ok([path]),
        name,
      );
      if (!name.includes("\n")) assert.deepEqual(await call("search_files", { text: name, path: at("hostile") }, {}, on), found, name);
    }
    assert.deepEqual(await call("move_file", { source: path, destination: `${path}2` }), ok(`Moved ${path} to ${path}2`));
    assert.deepEqual(await call("delete_file", { path: `${path}2` }), ok(`Deleted ${path}2`));
  }
  assert.deepEqual(await call("list_directory", { path: at("hostile") }), ok([]));
});
