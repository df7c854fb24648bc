// ./steward on small projects of its own: installing, building, starting, from anywhere and twice at once. npm is a stand-in that links packages.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, test } from "node:test";

const root = dirname(import.meta.dirname);
const base = mkdtempSync(join(tmpdir(), "steward launcher "));
after(() => rmSync(base, { recursive: true, force: true }));

const main = `// A small program in Steward's place.
import { load, names, places } from "./kinds/load.ts";
const [what, ...rest] = process.argv.slice(2);
const folders = { home: process.env["STEWARD_HOME"] ?? "/nowhere" };
if (what === "--version") console.log("0.1.0");
else if (what === "args") console.log(JSON.stringify({ rest, cwd: process.cwd(), inside: Object.keys(process.env).filter((name) => name.startsWith("NODE_")) }));
else if (what === "load") console.log(JSON.stringify({ names: names("tools", folders), got: await load("tools", rest[0] ?? "", folders), root: places().root }));
else if (what === "read") for await (const piece of process.stdin) process.stdout.write(piece);
else if (what === "exit") process.exitCode = 7;
`;

/** Puts into PATH just what the launcher may use, so that nothing of this machine's Node or npm is found by chance. */
const tools = join(base, "tools");
mkdirSync(tools);
for (const name of ["sh", "find", "mkdir", "rmdir", "rm", "cat", "cp", "cmp", "date", "tail", "sleep", "readlink", "touch", "ln", "ls"])
  for (const folder of ["/bin", "/usr/bin"])
    if (existsSync(join(folder, name)) && !existsSync(join(tools, name))) symlinkSync(join(folder, name), join(tools, name));

interface Project {
  folder: string;
  /** Lines of arguments that npm was called with. */
  installs(): string[];
  run(
    args: string[],
    options?: { command?: string; cwd?: string; path?: string; input?: string; home?: string },
  ): Promise<{ code: number; out: string; err: string }>;
}

function project(name: string, { withNode = true } = {}): Project {
  const folder = join(base, name);
  const bin = join(folder, "npm bin");
  mkdirSync(bin, { recursive: true });
  for (const file of [
    "steward",
    "package.json",
    "package-lock.json",
    "scripts/build.ts",
    "scripts/declarations.ts",
    "scripts/light.ts",
    "src/kinds/load.ts",
    "src/std/error.ts",
  ]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  mkdirSync(join(folder, "src/tools"));
  writeFileSync(join(folder, "src/main.ts"), main);
  writeFileSync(
    join(folder, "src/tools/one.ts"),
    '// One.\nimport * as z from "zod/mini";\nimport { twice } from "./pieces.ts";\nexport default { name: "one", four: twice(2), ok: z.string().safeParse("x").success };\n',
  );
  writeFileSync(join(folder, "src/tools/pieces.ts"), "// Pieces.\nexport const twice = (x: number): number => x * 2;\n");
  const link = `for at in ${quote(join(root, "node_modules"))}/* ${quote(join(root, "node_modules"))}/.bin; do ${withNode ? "" : "case $at in */.bin) continue;; esac; "}ln -s "$at" node_modules/; done`;
  writeFileSync(
    join(bin, "npm"),
    `#!/bin/sh\nprintf '%s\\n' "$*" >>${quote(join(folder, "npm.log"))}\nrm -rf node_modules; mkdir node_modules; sleep 0.3\n${link}\ntouch node_modules/.package-lock.json\n`,
  );
  chmodSync(join(bin, "npm"), 0o755);
  const installs = (): string[] =>
    existsSync(join(folder, "npm.log")) ? readFileSync(join(folder, "npm.log"), "utf8").trim().split("\n") : [];
  return {
    folder,
    installs,
    run: async (
      args,
      { command = join(folder, "steward"), cwd = base, path = [bin, tools].join(delimiter), input = "", home = base } = {},
    ) => {
      const child = spawn(command, args, { cwd, env: { PATH: path, HOME: base, STEWARD_HOME: home } });
      const [out, err] = [child.stdout, child.stderr].map((stream) => stream.setEncoding("utf8").toArray() as Promise<string[]>);
      // A start that fails at once reads nothing.
      child.stdin.on("error", () => undefined).end(input);
      const code = await new Promise<number>((resolve, reject) => child.on("error", reject).on("close", (status) => resolve(status ?? -1)));
      return { code, out: (await out)!.join(""), err: (await err)!.join("") };
    },
  };
}
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const later = (file: string): void => utimesSync(file, new Date(Date.now() + 2000), new Date(Date.now() + 2000));

test("a fresh clone installs, builds and starts; the second start is quiet", async () => {
  const { run, installs, folder } = project("fresh");
  const first = await run(["--version"]);
  assert.deepEqual([first.code, first.out], [0, "0.1.0\n"], first.err);
  assert.match(first.err, /^steward: installing what is missing \(npm ci\) \.\.\. \d+ s\nsteward: building \.\.\. \d+ s\n$/);
  assert.deepEqual(
    installs(),
    ["ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error"].map((line) => line.replace("--include=dev", "--omit=dev")),
  );
  assert.deepEqual(await run(["--version"]), { code: 0, out: "0.1.0\n", err: "" });
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(".")),
    [],
  );
});

test("arguments, standard input, exit code and folder pass through; no setting of Node leaks to children", async () => {
  const { run } = project("pass");
  await run(["--version"]);
  const rest = ["a b", "", "*", "--x='y'", "ü"];
  assert.deepEqual(JSON.parse((await run(["args", ...rest], { cwd: tools })).out), { rest, cwd: tools, inside: [] });
  assert.equal((await run(["read"], { input: "one\ntwo" })).out, "one\ntwo");
  assert.equal((await run(["exit"])).code, 7);
});

test("links, other folders and spaces in the path work", async () => {
  const { run, folder } = project("with 'odd' name");
  const links = join(base, "links");
  mkdirSync(links);
  symlinkSync(join(folder, "steward"), join(links, "first"));
  symlinkSync("first", join(links, "steward"));
  assert.equal((await run(["--version"], { command: join(links, "steward"), cwd: links })).out, "0.1.0\n");
  assert.equal((await run(["--version"], { command: "./steward", cwd: links })).out, "0.1.0\n");
  assert.equal((await run(["--version"], { command: "./steward", cwd: folder })).out, "0.1.0\n");
  assert.equal((await run(["steward", "--version"], { command: "sh", cwd: folder })).out, "0.1.0\n");
});

test("adapters come from the bundle and from the person's folder", async () => {
  const { run, folder } = project("bundle");
  const home = join(base, "home");
  mkdirSync(join(home, "adapters/tools"), { recursive: true });
  writeFileSync(
    join(home, "adapters/tools/mine.ts"),
    'import * as z from "zod/mini";\nconst ok: boolean = z.string().safeParse("x").success;\nexport default { name: "mine", ok };\n',
  );
  const names = ["mine", "one"];
  assert.deepEqual(JSON.parse((await run(["load", "one"], { home })).out), {
    names,
    got: { name: "one", four: 4, ok: true },
    root: folder,
  });
  assert.deepEqual(JSON.parse((await run(["load", "mine"], { home })).out), { names, got: { name: "mine", ok: true }, root: folder });
  assert.deepEqual(readdirSync(join(folder, "dist/tools")), ["one.js"]);
  assert.ok(existsSync(join(folder, "dist/cache")), "the compile cache is kept beside the bundle");
});

test("a changed source is built again, a changed lock is installed again", async () => {
  const { run, installs, folder } = project("change");
  await run(["--version"]);
  writeFileSync(join(folder, "src/main.ts"), main.replace("0.1.0", "0.2.0"));
  later(join(folder, "src/main.ts"));
  const changed = await run(["--version"]);
  assert.equal(changed.out, "0.2.0\n");
  assert.match(changed.err, /^steward: building \.\.\. \d+ s\n$/);
  appendFileSync(join(folder, "package-lock.json"), "\n");
  later(join(folder, "package-lock.json"));
  assert.match((await run(["--version"])).err, /installing what is missing/);
  assert.equal(installs().length, 2);
  later(join(folder, "package-lock.json"));
  await run(["--version"]);
  assert.equal(installs().length, 2, "a lock that was only touched is not installed again");
});

test("what is lost is brought back: the bundle, the packages", async () => {
  const { run, installs, folder } = project("lost");
  await run(["--version"]);
  rmSync(join(folder, "dist"), { recursive: true });
  assert.equal((await run(["--version"])).out, "0.1.0\n");
  assert.equal(installs().length, 1);
  rmSync(join(folder, "node_modules"), { recursive: true });
  assert.equal((await run(["--version"])).out, "0.1.0\n");
  assert.equal(installs().length, 2);
});

test("two starts at once install and build once", async () => {
  const { run, installs } = project("twice");
  const both = await Promise.all([run(["--version"]), run(["--version"]), run(["--version"])]);
  assert.deepEqual(
    both.map(({ code, out }) => ({ code, out })),
    Array.from({ length: 3 }, () => ({ code: 0, out: "0.1.0\n" })),
    both.map(({ err }) => err).join(""),
  );
  assert.equal(installs().length, 1);
});

test("a lock whose owner died is taken over", async () => {
  const { run, folder } = project("stale");
  const gone = spawn("true");
  await new Promise((resolve) => gone.on("close", resolve));
  mkdirSync(join(folder, ".lock"));
  writeFileSync(join(folder, ".lock/pid"), `${gone.pid}\n`);
  assert.equal((await run(["--version"])).out, "0.1.0\n");
  assert.ok(!existsSync(join(folder, ".lock")));
});

test("without npm it says what to install", async () => {
  const { run } = project("no npm");
  const { code, out, err } = await run(["--version"], { path: tools });
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /npm is needed .*\n.*Install Node\.js with npm/);
});

test("what a linked node_modules leads to is never emptied", async () => {
  const { run, folder, installs } = project("linked");
  mkdirSync(join(folder, "theirs"));
  symlinkSync("theirs", join(folder, "node_modules"));
  const { code, err } = await run(["--version"]);
  assert.deepEqual([code, installs()], [1, []]);
  assert.match(err, /^steward: node_modules is a link/);
});

test("a failed installation shows npm's words and can be tried again", async () => {
  const { run, folder } = project("npm fails");
  const npm = join(folder, "npm bin/npm");
  copyFileSync(npm, `${npm}.good`);
  writeFileSync(npm, "#!/bin/sh\nmkdir -p node_modules\necho 'npm error no network' >&2\nexit 1\n");
  const { code, err } = await run(["--version"]);
  assert.equal(code, 1);
  assert.match(err, /npm error no network\nsteward: the installation failed\.\n +Check the network/);
  copyFileSync(`${npm}.good`, npm);
  assert.equal((await run(["--version"])).out, "0.1.0\n");
});

test("only an old Node: it says which is needed", async () => {
  const { run, folder } = project("old node", { withNode: false });
  const node = join(folder, "npm bin/node");
  writeFileSync(node, "#!/bin/sh\necho 20.20.2\n");
  chmodSync(node, 0o755);
  const { code, err } = await run(["--version"]);
  assert.equal(code, 1);
  assert.match(err, /24\.12 or newer is needed/);
  rmSync(node);
  symlinkSync(process.execPath, node);
  assert.equal((await run(["--version"])).out, "0.1.0\n");
  assert.equal(readFileSync(join(folder, "dist/.node"), "utf8"), `${node}\n`);
});

test("a source that does not build is named, and nothing half-built stays", async () => {
  const { run, folder } = project("broken");
  writeFileSync(join(folder, "src/main.ts"), 'import "./missing.ts";\n');
  const { code, err } = await run(["--version"]);
  assert.equal(code, 1);
  assert.match(err, /missing\.ts/);
  assert.ok(!existsSync(join(folder, "dist/main.js")));
  writeFileSync(join(folder, "src/main.ts"), main);
  assert.equal((await run(["--version"])).out, "0.1.0\n");
});

test("a start costs little: under 150 ms of CPU with the launcher's own share", async (context) => {
  const { run, folder } = project("cost");
  await run(["--version"]);
  await run(["--version"]);
  const costs: number[] = [];
  for (let i = 0; i < 7; i++) {
    const { out } = await run(["-c", `"$0" --version; times`, join(folder, "steward")], { command: "sh" });
    const [user = "", system = ""] = (out.trim().split("\n").at(-1) ?? "").split(" ");
    costs.push([user, system].reduce((sum, text) => sum + Number(/^(\d+)m([\d.]+)s$/.exec(text)?.[2] ?? Number.NaN), 0) * 1000);
  }
  const median = costs.toSorted((a, b) => a - b)[3]!;
  context.diagnostic(`${median.toFixed(0)} ms of CPU, median of ${costs.length}`);
  assert.ok(median < 150, `${median} ms of CPU`);
});
