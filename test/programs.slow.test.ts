// Programs of engines are brought by real npm from a registry of the tests, checked, kept, upgraded, removed; whatever fails leaves nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import type { ProgramNeed } from "../src/core/workplace.ts";
import { findNpm } from "../src/programs/npm.ts";
import { checkPins } from "../src/programs/pins.ts";
import { openPrograms } from "../src/programs/programs.ts";
import { startFile } from "../src/programs/unpacked.ts";
import type { Programs } from "../src/run/programs.ts";
import { hasCode, type Code } from "../src/std/error.ts";
import { noLog } from "../src/std/log.ts";
import { processesWith } from "../src/testing/computer.ts";
import { temporary } from "./harness.ts";
import { npmRegistry } from "./npm-registry.ts";

const need = (more: Partial<ProgramNeed> = {}): ProgramNeed => ({
  ...{ name: "parrot", package: "parrot-agent", version: "1.0.0", bin: "parrot", about: "A bird that repeats", licence: "MIT" },
  ...more,
});
const SCRIPT = `#!/usr/bin/env node
const { greeting } = require("parrot-words");
console.log(greeting, process.argv.slice(2).join(" "), process.versions.node);
console.log(require("child_process").execFileSync("node", ["-p", "6*7"]).toString().trim());
`;
const bird = (version: string): object => ({ name: "parrot-agent", version, files: { "bin/parrot.js": SCRIPT }, more: birdManifest });
const birdManifest = {
  bin: { parrot: "bin/parrot.js" },
  dependencies: { "parrot-words": "2.0.0" },
  scripts: { postinstall: "touch ran-postinstall", install: "touch ran-install" },
};
const words = { name: "parrot-words", version: "2.0.0", files: { "index.js": 'exports.greeting = "hello";' }, more: { main: "index.js" } };

describe("programs", async () => {
  const registry = await npmRegistry();
  registry.add(bird("1.0.0") as never, bird("1.0.1") as never, words);
  after(() => registry.close());
  afterEach(() => void (registry.tarballs.how = "given"));
  const opened = (env: Record<string, string | undefined> = {}): { programs: Programs; home: string } => {
    const home = temporary();
    return { home, programs: openPrograms({ home, env: { ...registry.env, ...env }, log: noLog }) };
  };
  const failure = async (work: Promise<unknown>, code: Code): Promise<string> => {
    const error = await work.then(
      () => assert.fail("it did not fail"),
      (thrown: unknown) => thrown,
    );
    if (!hasCode(error, code)) throw error;
    return `${error.message}. ${error.hint}`;
  };
  const empty = ({ folder }: Programs): void => assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);

  test("a script runs with a Node of its own, none of its package's own scripts ran, and it is brought once", async () => {
    const { programs } = opened();
    assert.equal(await programs.brought(need()), undefined);
    const lines: string[] = [];
    const brought = await programs.bring(need(), { progress: (line) => void lines.push(line) });
    assert.deepEqual(brought, { version: "1.0.0", file: "parrot/1.0.0/start" });
    assert.deepEqual([lines[0], lines.at(-1), lines.length], ["Fetching parrot-agent 1.0.0", "Checking what came", 4]);
    assert.deepEqual(programs.bringing("parrot"), { state: "done", line: "parrot 1.0.0 is there" });
    const start = join(programs.folder, brought.file);
    const out = execFileSync(start, ["you"], { env: { PATH: "/usr/bin:/bin" }, encoding: "utf8" });
    assert.equal(out, `hello you ${process.versions.node}\n42\n`);
    assert.deepEqual(readdirSync(join(programs.folder, "parrot/1.0.0")).toSorted(), [
      ...["bin", ...(existsSync(join(start, "../lib/libatomic.so.1")) ? ["lib"] : [])],
      ...["node_modules", "package-lock.json", "package.json", "program.json", "start"],
    ]);
    assert.equal(existsSync(join(programs.folder, "parrot/1.0.0/node_modules/parrot-agent/ran-postinstall")), false);
    assert.deepEqual([statSync(start).mode & 0o777, statSync(join(start, "../node_modules")).mode & 0o777], [0o755, 0o755]);
    registry.asked();
    assert.deepEqual(await programs.bring(need()), brought);
    assert.deepEqual([await programs.brought(need()), registry.asked()], [brought, []]);
  });

  test("of packages for several processors the right one is started, and the others go", async () => {
    const { programs } = opened();
    const native = readFileSync(realpathSync("/bin/echo"));
    const system = `${process.platform}-${process.arch}`;
    const manifest = { os: [process.platform], cpu: [process.arch] };
    const parts = ["", "-baseline", "-musl"].map((ending) => `jay-${system}${ending}`);
    registry.add(...parts.map((name) => ({ name, version: "3.0.0", files: { "bin/jay": native }, more: manifest })), {
      name: "jay-agent",
      version: "3.0.0",
      files: { "bin/jay.exe": "echo not made for this system; exit 1\n" },
      more: { bin: { jay: "bin/jay.exe" }, optionalDependencies: Object.fromEntries(parts.map((name) => [name, "3.0.0"])) },
    });
    const { file } = await programs.bring(need({ name: "jay", package: "jay-agent", bin: "jay", version: "3.0.0" }));
    const baseline = process.platform === "linux" && process.arch === "x64" && !/\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
    const musl = readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
    const right = `jay-${system}${musl ? "-musl" : baseline ? "-baseline" : ""}`;
    assert.equal(file, `jay/3.0.0/node_modules/${right}/bin/jay`);
    assert.equal(execFileSync(join(programs.folder, file), ["sings"], { encoding: "utf8" }), "sings\n");
    assert.deepEqual(
      readdirSync(join(programs.folder, "jay/3.0.0/node_modules")).filter((name) => !name.startsWith(".")),
      ["jay-agent", right],
    );
  });

  test("a newer version is brought beside the old one, which works until then and goes then", async () => {
    const { programs } = opened();
    await programs.bring(need());
    const newer = need({ version: "1.0.1" });
    assert.deepEqual(await programs.brought(newer), { version: "1.0.0", file: "parrot/1.0.0/start" });
    assert.deepEqual(await programs.bring(newer), { version: "1.0.1", file: "parrot/1.0.1/start" });
    assert.deepEqual(readdirSync(join(programs.folder, "parrot")), ["1.0.1"]);
    assert.equal(await programs.brought(need({ package: "another" })), undefined);
    await programs.remove("parrot");
    assert.deepEqual([await programs.brought(newer), programs.bringing("parrot")], [undefined, undefined]);
    empty(programs);
    assert.match(await failure(programs.remove("parrot"), "not_found"), /was not brought by Steward/);
  });

  test("what came is not what the registry says, or not what Steward knows: nothing is kept", async () => {
    const { programs } = opened();
    registry.tarballs.how = "wrong";
    assert.match(
      await failure(programs.bring(need()), "unavailable"),
      /^parrot-agent 1\.0\.0 could not be brought: what came is not what the registry says it is\./,
    );
    registry.tarballs.how = "given";
    empty(programs);
    registry.add({
      name: "opencode-ai",
      version: "1.18.33",
      files: { "bin/opencode": "#!/bin/sh\necho gotcha\n" },
      more: { bin: { opencode: "bin/opencode" } },
    });
    const opencode = need({ name: "opencode", package: "opencode-ai", version: "1.18.33", bin: "opencode" });
    assert.match(
      await failure(programs.bring(opencode), "unavailable"),
      /^opencode was not brought: the package opencode-ai 1\.18\.33 is not the one that Steward knows\./,
    );
    empty(programs);
  });

  test("a package that needs a repository or a folder of this machine is not brought, and nothing of a clone is run", async () => {
    const { programs } = opened();
    const folder = temporary();
    const ran = join(folder, "ran");
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "nest", version: "1.0.0", scripts: { prepare: "true" }, dependencies: { twig: `git+file://${folder}` } }),
    );
    writeFileSync(join(folder, ".npmrc"), "git=./evil.sh\n");
    writeFileSync(join(folder, "evil.sh"), `#!/bin/sh\ntouch '${ran}'\nexec git "$@"\n`, { mode: 0o755 });
    const who = ["-c", "user.name=t", "-c", "user.email=t@t"];
    for (const words of [
      ["init", "-q"],
      ["add", "."],
      [...who, "commit", "-qm", "one"],
    ])
      execFileSync("git", words, { cwd: folder });
    for (const [version, from] of [
      ["4.0.0", `git+file://${folder}`],
      ["4.0.1", `file:${folder}`],
    ] as const) {
      registry.add({
        name: "nest-agent",
        version,
        files: { "bin/nest.js": SCRIPT },
        more: { bin: { nest: "bin/nest.js" }, dependencies: { nest: from } },
      });
      const nest = need({ name: "nest", package: "nest-agent", bin: "nest", version });
      assert.match(await failure(programs.bring(nest), "denied"), /could not be brought: it needs what is not in the registry\./);
    }
    assert.equal(existsSync(ran), false);
    empty(programs);
  });

  test("beside a known package no other version of a known one, none under its name, and no program that it does not name", async () => {
    const sum = (letter: string): string => `sha512-${letter}`;
    const known = { "jay-agent@1.0.0": sum("a"), "jay-native@1.0.0": sum("b"), "jay-alias@1.0.0-x": sum("c") };
    const came = async (version: string, packages: Record<string, object>, named = "1.0.0"): Promise<string> => {
      const folder = temporary();
      const own = { "node_modules/jay-agent": { version, integrity: sum("a") } };
      for (const [at, { version: one }] of Object.entries({ ...own, ...packages }) as [string, { version: string }][]) {
        mkdirSync(join(folder, at, "bin"), { recursive: true });
        const optional = at in own ? { optionalDependencies: { "jay-native": named } } : {};
        writeFileSync(join(folder, at, "package.json"), JSON.stringify({ version: one, ...optional }));
        writeFileSync(join(folder, at, "bin/jay"), Buffer.from("7f454c46", "hex"));
      }
      writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...own, ...packages } }));
      const jay = need({ name: "jay", package: "jay-agent", bin: "jay", version });
      return checkPins(folder, jay, known)
        .then(() => startFile(folder, jay))
        .catch((error: unknown) => (hasCode(error, "unavailable") ? error.message : assert.fail(String(error))));
    };
    const at = (name: string, version: string, letter: string, more: object = {}) => ({
      [`node_modules/${name}`]: { version, integrity: sum(letter), ...more },
    });
    assert.equal(await came("1.0.0", at("jay-native", "1.0.0", "b")), "node_modules/jay-native/bin/jay");
    assert.match(await came("1.0.0", at("jay-native", "6.6.6", "z")), /jay-native 6\.6\.6 is not the one that Steward knows$/);
    assert.match(await came("1.0.0", at("jay-words", "1.0.0", "z", { name: "other-words" })), /jay-words 1\.0\.0 is not the one/);
    const alias = at("jay-alias", "1.0.0-x", "c", { name: "jay-agent" });
    assert.equal(await came("1.0.0", { ...alias, ...at("words", "1.0.0", "z") }), "node_modules/jay-agent/bin/jay");
    // The owner has chosen a version that nobody knows.
    assert.equal(await came("2.0.0", at("jay-native", "6.6.6", "z"), "^6.0.0"), "node_modules/jay-native/bin/jay");
    assert.match(await came("2.0.0", at("jay-native", "6.6.6", "z")), /needs version 1\.0\.0 of its program, and 6\.6\.6 came$/);
  });

  test("no network, no such package or version, no such program in it, no npm: said plainly", async () => {
    const { programs } = opened({ npm_config_registry: "http://127.0.0.1:9" });
    const offline = await failure(programs.bring(need()), "unavailable");
    assert.equal(
      offline,
      "parrot-agent 1.0.0 could not be brought: the npm registry can't be reached. Check the network, or npm's proxy and registry settings.",
    );
    assert.deepEqual(programs.bringing("parrot"), {
      state: "failed",
      line: "parrot-agent 1.0.0 could not be brought: the npm registry can't be reached",
      hint: "Check the network, or npm's proxy and registry settings.",
    });
    empty(programs);
    const there = opened().programs;
    assert.match(await failure(there.bring(need({ package: "no-such-bird" })), "not_found"), /the registry does not have it\./);
    assert.match(await failure(there.bring(need({ version: "9.9.9" })), "not_found"), /the registry does not have this version\./);
    assert.match(
      await failure(there.bring(need({ package: "parrot-words", version: "2.0.0" })), "unavailable"),
      /has no program parrot for this system/,
    );
    for (const bad of [
      { name: "../up" },
      { name: "" },
      { version: "^1.0.0" },
      { version: "latest" },
      { package: "../x" },
      { package: "--global" },
    ])
      await failure(there.bring(need(bad)), "invalid");
    empty(there);
    if (!existsSync(join(process.execPath, "../../lib/node_modules/npm")))
      assert.match(await failure(opened({ PATH: "/nonexistent" }).programs.bring(need()), "unavailable"), /npm was not found/);
    assert.equal(findNpm(process.env)[0], process.execPath);
  });

  test("given up in the middle it ends at once with all of npm; a later one is not disturbed", async () => {
    const { programs } = opened();
    registry.tarballs.how = "never";
    registry.asked();
    programs.begin(need());
    while (!registry.asked().some((path) => path.endsWith(".tgz"))) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(programs.bringing("parrot")?.state, "running");
    const same = programs.bring(need());
    programs.cancel("parrot");
    const start = performance.now();
    assert.match(await failure(same, "unavailable"), /^Bringing parrot-agent was given up/);
    assert.ok(performance.now() - start < 30_000);
    assert.deepEqual([processesWith(programs.folder), programs.bringing("parrot")?.state], [[], "failed"]);
    empty(programs);
    registry.tarballs.how = "given";
    assert.equal((await programs.bring(need())).version, "1.0.0");
  });

  test("what a Steward left that was killed is cleared away, and is never taken for a program", async () => {
    const { programs } = opened();
    mkdirSync(join(programs.folder, ".new-1/node_modules"), { recursive: true });
    mkdirSync(join(programs.folder, "parrot/1.0.0/node_modules"), { recursive: true });
    writeFileSync(join(programs.folder, "parrot/1.0.0/program.json"), '{"package":"parr');
    assert.equal(await programs.brought(need()), undefined);
    assert.equal((await programs.bring(need())).version, "1.0.0");
    assert.deepEqual(readdirSync(programs.folder), ["parrot"]);
  });

  test("npm gets what leads to the registry, and nothing else of what is around", async () => {
    const folder = temporary();
    writeFileSync(
      join(folder, "npm"),
      `#!/bin/sh\nenv > '${folder}/env'\nprintf '%s\\n' "$@" > '${folder}/words'\necho 'npm error code E403' >&2\nexit 1\n`,
      { mode: 0o755 },
    );
    const { programs } = opened({
      ...{ PATH: `${folder}:/usr/bin:/bin`, HTTPS_PROXY: "http://proxy.test", ANTHROPIC_API_KEY: "sk-secret", STEWARD_HOME: "x" },
      ...{ npm_config_ignore_scripts: "false", NODE_OPTIONS: "--inspect", npm_config_global: "true" },
    });
    assert.match(await failure(programs.bring(need()), "denied"), /the registry refuses it/);
    const names = readFileSync(join(folder, "env"), "utf8")
      .split("\n")
      .map((line) => line.split("=")[0]!);
    const own = new Set(["PWD", "_", "SHLVL", "OLDPWD", ""]);
    assert.deepEqual(names.filter((name) => !own.has(name)).toSorted(), [
      "HOME",
      "HTTPS_PROXY",
      "PATH",
      "npm_config_registry",
      "npm_config_userconfig",
    ]);
    const argv = readFileSync(join(folder, "words"), "utf8").split("\n");
    assert.deepEqual([argv[0], argv.includes("--ignore-scripts"), argv.includes("parrot-agent@1.0.0")], ["install", true, true]);
  });
});
