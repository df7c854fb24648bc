// The contract of a computer's file members, hostile inputs included. Asked through the port alone: what is odd is made by commands inside.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Computer } from "../core/computer.ts";
import { hasCode, type Code } from "../std/error.ts";

const refuses = (work: Promise<unknown>, code: Code): Promise<void> =>
  assert.rejects(work, (error) => hasCode(error, code) || assert.fail(error as Error));
const text = async (computer: Computer, path: string): Promise<string> => Buffer.from(await computer.read(path)).toString();
const put = (computer: Computer, path: string, content: string): Promise<void> => computer.write(path, Buffer.from(content));

/** Runs a command that must succeed, in an empty folder of the workspace. */
async function prepare(computer: Computer, folder: string, command: string): Promise<string> {
  await computer.makeFolder(folder);
  const { code, stderr } = await computer.exec(command, { cwd: folder });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return `${computer.workspace}/${folder}`;
}

export function fileContract(computer: () => Computer): void {
  contentContract(computer);
  namesContract(computer);
  linkContract(computer);
  moveContract(computer);
  treeContract(computer);
}

function contentContract(computer: () => Computer): void {
  test("what is written is read: every byte, in ranges, seen by commands too", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 256);
    await computer().write("new/folders/all.bin", bytes);
    assert.deepEqual(await computer().read("new/folders/all.bin"), bytes);
    assert.deepEqual(await computer().read("new/folders/all.bin", { offset: 99_990, limit: 50 }), bytes.slice(99_990));
    assert.deepEqual(await computer().read("new/folders/all.bin", { offset: 300, limit: 3 }), bytes.slice(300, 303));
    assert.deepEqual(await computer().read("new/folders/all.bin", { offset: 200_000 }), new Uint8Array());
    await refuses(computer().read("new/folders/all.bin", { offset: -1 }), "invalid");
    assert.equal((await computer().exec("wc -c < new/folders/all.bin")).stdout.trim(), "100000");
    await computer().write("new/empty", new Uint8Array());
    assert.deepEqual(await computer().read("new/empty"), new Uint8Array());
  });
  test("replacing keeps the mode, changes the version and leaves nothing beside it", async () => {
    await prepare(computer(), "kept", "echo old > run.sh; chmod 750 run.sh");
    const before = await computer().stat("kept/run.sh");
    await put(computer(), "kept/run.sh", "new");
    const info = await computer().stat("kept/run.sh");
    assert.deepEqual([before?.mode, info?.mode, info?.size, info?.version === before?.version], [0o750, 0o750, 3, false]);
    assert.deepEqual(
      (await computer().list("kept")).map(({ name }) => name),
      ["run.sh"],
    );
  });
  test("stat says what is there, or undefined", async () => {
    const start = Date.now();
    await put(computer(), "facts/one.txt", "12345");
    const { modified, created, version, ...rest } = (await computer().stat("facts/one.txt"))!;
    assert.deepEqual(rest, { path: `${computer().workspace}/facts/one.txt`, name: "one.txt", type: "file", size: 5, mode: 0o644 });
    assert.ok(modified >= start - 1000 && modified <= Date.now() + 1000 && created <= Date.now() + 1000 && version.length > 3);
    assert.equal((await computer().stat("facts"))?.type, "dir");
    assert.equal((await computer().stat("~"))?.path, computer().home);
    assert.equal((await computer().stat("/"))?.path, "/");
    for (const nothing of ["facts/none", "facts/one.txt/none", "none/none/none"]) assert.equal(await computer().stat(nothing), undefined);
  });
  test("errors by what is wrong: missing, a folder, a file", async () => {
    await put(computer(), "wrong/file", "");
    await refuses(computer().read("wrong/none"), "not_found");
    await refuses(computer().read("wrong"), "invalid");
    await refuses(computer().list("wrong/file"), "invalid");
    await refuses(computer().list("wrong/none"), "not_found");
    await refuses(computer().write("wrong", new Uint8Array()), "invalid");
    await refuses(computer().write("wrong/file/below", new Uint8Array()), "conflict");
    await refuses(computer().makeFolder("wrong/file"), "conflict");
    await refuses(computer().remove("wrong/none"), "not_found");
    await refuses(computer().move("wrong/none", "wrong/to"), "not_found");
    await refuses(computer().copy("wrong/none", "wrong/to"), "not_found");
    await refuses(computer().remove("~"), "denied");
    await refuses(computer().remove("/"), "denied");
  });
}

function namesContract(computer: () => Computer): void {
  test("bad paths are refused: empty, NUL, too long, broken Unicode", async () => {
    for (const bad of ["", "a\0b", "/a\0", "x".repeat(256), `${"y".repeat(200)}/`.repeat(25), "\ud800"])
      for (const act of [
        computer().stat(bad),
        computer().read(bad),
        computer().write(bad, new Uint8Array()),
        computer().list(bad),
        computer().remove(bad),
        computer().move(bad, "z"),
        computer().makeFolder(bad),
      ])
        await refuses(act, "invalid");
  });
  test("any name that the system takes works", async () => {
    const names = [
      "-rf",
      "a b",
      "line\nend",
      "quote'\"",
      "back\\slash",
      "$(id)",
      "*",
      "~",
      "ümlaut",
      "日本語",
      "😀",
      "z".repeat(255),
      ".hidden",
      "%2e%2e",
    ];
    for (const name of names) await put(computer(), `names/${name}`, name);
    const expected = names.toSorted((a, b) => (a < b ? -1 : 1));
    assert.deepEqual(
      (await computer().list("names")).map(({ name }) => name),
      expected,
    );
    for (const { path, name } of await computer().list("names")) assert.equal(await text(computer(), path), name);
    await computer().remove("names");
    assert.equal(await computer().stat("names"), undefined);
  });
  test("names that are not valid Unicode are listed and removed", async () => {
    await prepare(computer(), "bytes", String.raw`mkdir "$(printf 'd\377')" && touch "$(printf 'd\377/f\376')" "$(printf 'g\200')"`);
    assert.deepEqual(
      (await computer().list("bytes")).map(({ type }) => type),
      ["dir", "file"],
    );
    await computer().copy("bytes", "bytes-too");
    assert.equal((await computer().exec("ls -R bytes | wc -l")).stdout, (await computer().exec("ls -R bytes-too | wc -l")).stdout);
    await computer().remove("bytes");
    assert.equal(await computer().stat("bytes"), undefined);
  });
  test("pipes and devices are neither read nor written, and block nothing", async () => {
    await prepare(computer(), "odd", "mkfifo pipe");
    assert.equal((await computer().stat("odd/pipe"))?.type, "other");
    await refuses(computer().read("odd/pipe"), "invalid");
    await refuses(computer().write("odd/pipe", new Uint8Array()), "invalid");
    await refuses(computer().copy("odd/pipe", "odd/copy"), "invalid");
    await put(computer(), "odd/file", "with it");
    await computer().copy("odd", "odd-too");
    assert.deepEqual(
      (await computer().list("odd-too")).map(({ name }) => name),
      ["file"],
    );
    await computer().remove("odd");
  });
}

function linkContract(computer: () => Computer): void {
  test("S-58: only stat follows links; a resolved path never does", async () => {
    const at = await prepare(
      computer(),
      "links",
      "mkdir real && echo in > real/file && ln -s real/file to-file && ln -s real to-dir && ln -s none broken && ln -s loop loop",
    );
    assert.equal((await computer().stat(`${at}/to-dir/file`))?.path, `${at}/real/file`);
    assert.equal((await computer().stat("links/to-dir/../to-file"))?.path, `${at}/real/file`);
    assert.equal(await computer().stat("links/broken"), undefined);
    await refuses(computer().stat("links/loop"), "invalid");
    assert.equal(await text(computer(), "links/to-file"), "in\n");
    for (const path of [`${at}/to-file`, `${at}/to-dir/file`]) {
      await refuses(computer().read(path), "conflict");
      await refuses(computer().write(path, Buffer.from("out")), "conflict");
    }
    await refuses(computer().list(`${at}/to-dir`), "conflict");
    await refuses(computer().makeFolder(`${at}/to-dir`), "conflict");
    await refuses(computer().makeFolder(`${at}/to-dir/new`), "conflict");
    await refuses(computer().move(`${at}/to-dir/file`, `${at}/moved`), "conflict");
    await refuses(computer().move(`${at}/real/file`, `${at}/to-dir/moved`), "conflict");
    await refuses(computer().copy(`${at}/to-dir/file`, `${at}/copied`), "conflict");
    await refuses(computer().remove(`${at}/to-dir/file`), "conflict");
    assert.deepEqual(
      (await computer().list("links")).map(({ name, type }) => [name, type]),
      [
        ["broken", "link"],
        ["loop", "link"],
        ["real", "dir"],
        ["to-dir", "link"],
        ["to-file", "link"],
      ],
    );
    assert.deepEqual(
      (await computer().list("links/real")).map(({ name }) => name),
      ["file"],
    );
  });
  test("S-58: a link that is swapped in all the while never leads a read or write elsewhere", async () => {
    await prepare(computer(), "race", "mkdir safe other && echo safe > safe/file && echo other > other/file");
    const stop = new AbortController();
    const swap = "while :; do rm -rf safe; ln -s other safe; rm -rf safe; mkdir safe; echo safe > safe/file; done 2> /dev/null";
    const swapping = computer().exec(swap, { cwd: "race", signal: stop.signal });
    const at = `${computer().workspace}/race/safe/file`;
    const outcomes = new Set<string>();
    const end = Date.now() + 30_000;
    // Until it was there at least once, also where the one who swaps stands still for a moment.
    for (let round = 0; round < 80 || (!outcomes.has("safe\n") && Date.now() < end); round++) {
      outcomes.add(await text(computer(), at).catch((error: { code: string }) => error.code));
      await computer()
        .write(at, Buffer.from("safe\n"))
        .catch((error: { code: string }) => outcomes.add(error.code));
    }
    stop.abort();
    await swapping;
    assert.deepEqual(
      [...outcomes].filter((one) => !["safe\n", "", "conflict", "not_found"].includes(one)),
      [],
    );
    assert.ok(outcomes.has("safe\n"));
    assert.equal(await text(computer(), "race/other/file"), "other\n");
  });
}

function moveContract(computer: () => Computer): void {
  test("move renames files and folders, makes parents, and overwrites nothing", async () => {
    await prepare(computer(), "move", "mkdir -p a/b full empty && echo 1 > a/b/f && echo 2 > full/g && ln -s a link");
    await computer().move("move/a", "move/x/y/z");
    assert.equal(await text(computer(), "move/x/y/z/b/f"), "1\n");
    await refuses(computer().move("move/x", "move/full"), "conflict");
    await refuses(computer().move("move/full/g", "move/x/y/z/b/f"), "conflict");
    await refuses(computer().move("move/full", "move/x/y/z/b/f"), "conflict");
    await refuses(computer().move("move/full", "move/full"), "conflict");
    await refuses(computer().move("move/x", "move/x/y/inside"), "invalid");
    await computer().move("move/full", "move/empty");
    assert.equal(await text(computer(), "move/empty/g"), "2\n");
    await computer().move("move/link", "move/link2");
    assert.deepEqual(
      (await computer().list("move")).map(({ name, type }) => `${name} ${type}`),
      ["empty dir", "link2 link", "x dir"],
    );
  });
  test("copy holds what was there, whatever happens to the first; links stay links", async () => {
    await prepare(
      computer(),
      "copy",
      "mkdir -p a/in && echo 1 > a/f && chmod 640 a/f && ln -s /etc/passwd a/out && ln -s f a/l && chmod 500 a/in && truncate -s 50M a/sparse && touch -d @1000000000 a/f",
    );
    await computer().copy("copy/a", "copy/deep/b");
    await put(computer(), "copy/a/f", "changed");
    await computer().remove("copy/a");
    const told = (await computer().list("copy/deep/b")).map(({ name, type, mode, size }) => [
      name,
      type,
      type === "link" ? 0 : mode,
      type === "file" ? size : 0,
    ]);
    assert.deepEqual(told, [
      ["f", "file", 0o640, 2],
      ["in", "dir", 0o500, 0],
      ["l", "link", 0, 0],
      ["out", "link", 0, 0],
      ["sparse", "file", 0o644, 50 * 1024 * 1024],
    ]);
    assert.equal((await computer().stat("copy/deep/b/f"))?.modified, 1e12);
    assert.ok(Number((await computer().exec("du -k copy/deep/b/sparse | cut -f1")).stdout) < 1024, "holes stay holes");
    await put(computer(), "copy/one", "one");
    await put(computer(), "copy/two", "two");
    await computer().copy("copy/one", "copy/two");
    assert.equal(await text(computer(), "copy/two"), "one");
    await refuses(computer().copy("copy/deep", "copy/deep/b/inside"), "invalid");
  });
}

function treeContract(computer: () => Computer): void {
  test("remove takes a folder with everything in it, and follows no link", async () => {
    await prepare(
      computer(),
      "gone",
      "mkdir -p keep tree/a/b/c && echo k > keep/f && ln -s ../keep tree/to-keep && ln -s ../../keep tree/a/to-keep && touch tree/a/b/c/f",
    );
    await computer().remove("gone/tree");
    assert.equal(await text(computer(), "gone/keep/f"), "k\n");
    assert.deepEqual(
      (await computer().list("gone")).map(({ name }) => name),
      ["keep"],
    );
    await prepare(computer(), "gone", "ln -s keep only-link");
    await computer().remove("gone/only-link");
    assert.deepEqual(
      (await computer().list("gone")).map(({ name }) => name),
      ["keep"],
    );
  });
  test("a folder of 1,500 files is copied, listed, moved and removed", async () => {
    await prepare(computer(), "many", "for d in a b c; do mkdir $d; (cd $d && seq 500 | xargs touch); done");
    await computer().copy("many", "many-too");
    await computer().move("many", "moved/many");
    assert.equal((await computer().list("moved/many/b")).length, 500);
    await computer().remove("moved/many");
    assert.equal((await computer().exec("find many-too -type f | wc -l")).stdout.trim(), "1500");
    await computer().remove("many-too");
    assert.equal(await computer().stat("many-too"), undefined);
  });
}
