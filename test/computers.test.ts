// The three computers of this machine against their contract, and what is special to each. The sandbox from the inside is in sandbox.test.ts.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import type { Computer, ComputerKind, ComputerOptions } from "../src/core/computer.ts";
import type { Mode } from "../src/core/types.ts";
import contained from "../src/computers/contained.ts";
import { environmentOf, helperProgram } from "../src/computers/environment.ts";
import guarded from "../src/computers/guarded.ts";
import host from "../src/computers/host.ts";
import { seatbeltArguments } from "../src/computers/seatbelt.ts";
import { seccompFilter } from "../src/computers/seccomp.ts";
import { computerContract, processesWith, refuses } from "../src/testing/computer.ts";
import { plainOptions } from "../src/testing/computer-options.ts";
import { eventually } from "./gateway-place.ts";

const kinds: [ComputerKind, Mode][] = [
  [host, "full"],
  [guarded, "guarded"],
  [contained, "contained"],
];
const why = new Map<ComputerKind, string | undefined>();
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function fresh(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "steward-computer-")));
  folders.push(folder);
  return folder;
}

function optionsFor(mode: Mode, home: string, more: Partial<ComputerOptions> = {}): ComputerOptions {
  const own = {
    person: "Ada.L",
    mode,
    home,
    workspace: path.join(home, "workspace"),
    steward: path.join(home, ".steward"),
    hidden: () => [],
    ...plainOptions,
  };
  return { ...own, env: { LANG: "C.UTF-8" }, ...more };
}

for (const [kind, mode] of kinds) {
  const missing = await kind.missing();
  why.set(kind, missing);
  if (missing !== undefined) console.log(`${kind.name} is not tested: ${missing}`);
  const open = async (): Promise<{ computer: Computer; close(): Promise<void> }> => {
    const computer = await kind.open(optionsFor(mode, fresh()));
    return { computer, close: () => computer.dispose() };
  };
  computerContract(kind.name, open, missing);
}

/** Options of a test that needs this kind. */
const needs = (kind: ComputerKind): { skip?: string } => {
  const missing = why.get(kind);
  return missing === undefined ? {} : { skip: missing };
};

describe("host", () => {
  test(
    "what the system says about the server itself is no file",
    { skip: process.platform !== "linux" && "only Linux has /proc" },
    async () => {
      const computer = await host.open(optionsFor("full", fresh()));
      const own = `/proc/${process.pid}/environ`;
      await refuses(computer.read(own), "denied");
      await refuses(computer.read("/proc/self/environ"), "conflict");
      await refuses(computer.read("/../proc/self/environ"), "denied");
      await refuses(computer.copy(own, "environ"), "denied");
      await refuses(computer.read("/dev/zero"), "invalid");
      assert.equal(await computer.stat("environ"), undefined);
    },
  );

  test("another name of a hidden file is not read or copied; the file of many innocent names is", async () => {
    const home = fresh();
    const computer = await host.open(optionsFor("full", home, { hidden: () => [path.join(home, ".ssh"), path.join(home, ".netrc")] }));
    mkdirSync(path.join(home, ".ssh/keys"), { recursive: true });
    for (const [secret, name] of [
      [".ssh/keys/id", "one"],
      [".netrc", "two"],
      ["plain", "three"],
    ] as const) {
      writeFileSync(path.join(home, secret), "content");
      linkSync(path.join(home, secret), path.join(home, "workspace", name));
    }
    for (const name of ["one", "two"]) {
      await refuses(computer.read(name), "denied");
      await refuses(computer.copy(name, "copied"), "denied");
    }
    assert.equal(Buffer.from(await computer.read("three")).toString(), "content");
    await computer.write("two", Buffer.from("mine"));
    assert.equal(readFileSync(path.join(home, ".netrc"), "utf8"), "content");
  });

  test(
    "files move across disks whole, and nothing is left behind",
    { skip: !existsSync("/dev/shm") && "no second disk here" },
    async () => {
      const [home, other] = [fresh(), mkdtempSync("/dev/shm/steward-")];
      folders.push(other);
      const computer = await host.open(optionsFor("full", home));
      assert.equal((await computer.exec("mkdir -p a/b && echo x > a/b/f && chmod 600 a/b/f && ln -s b/f a/l && ln a/b/f a/hard")).code, 0);
      await computer.move("a", `${other}/moved`);
      assert.deepEqual(
        [readdirSync(`${other}/moved`).toSorted(), statSync(`${other}/moved/b/f`).mode & 0o777, existsSync(path.join(home, "workspace/a"))],
        [["b", "hard", "l"], 0o600, false],
      );
      assert.equal((await computer.exec("mkdir odd && mkfifo odd/pipe")).code, 0);
      await refuses(computer.move("odd", `${other}/odd`), "invalid");
      assert.deepEqual([existsSync(path.join(home, "workspace/odd/pipe")), readdirSync(other)], [true, ["moved"]]);
    },
  );

  test("a program on the desktop gets the screen, may live on, and does not hold up the caller", async () => {
    const computer = await host.open(optionsFor("full", fresh(), { env: { DISPLAY: ":77", SECRET_KEY: "canary" } }));
    const seconds = `4${Math.random().toString().slice(2, 9)}`;
    const { stdout, code } = await computer.exec(["sh", "-c", `echo "$DISPLAY $SECRET_KEY"; sleep ${seconds} &`], { desktop: true });
    assert.deepEqual({ stdout, code }, { stdout: ":77 \n", code: 0 });
    // The shell ends as soon as it has begun another process, which may not be the program yet.
    const app = await eventually(() => processesWith(`sleep ${seconds}`).find((line) => /^\d+ sleep/.test(line)));
    process.kill(Number(app.split(" ")[0]), "SIGKILL");
    assert.equal((await computer.exec("echo [$DISPLAY]")).stdout, "[]\n");
  });
});

describe("contained", needs(contained), () => {
  test("the person's folder is /home/person, /data and /return, for files as for commands", async () => {
    const home = fresh();
    const computer = await contained.open(optionsFor("contained", home));
    assert.deepEqual([computer.home, computer.workspace, computer.platform], ["/home/person", "/home/person", "linux"]);
    const root = (await computer.list("/")).map(({ path: at, type }) => `${at} ${type}`);
    assert.deepEqual(
      root.filter((one) => /^.(data|home|return|state|usr) /.test(one)),
      ["/data dir", "/home dir", "/return dir", "/state dir", "/usr dir"],
    );
    assert.deepEqual(
      (await computer.list("/home")).map(({ name }) => name),
      ["person"],
    );
    await computer.write("/data/in.txt", Buffer.from("in"));
    const { stdout, stderr } = await computer.exec("cat /data/in.txt; echo out > /return/out.txt; echo own > ~/own; id -un; pwd");
    assert.deepEqual([stdout, stderr], ["inperson\n/home/person\n", ""]);
    assert.deepEqual(
      ["data/in.txt", "return/out.txt", "home/own"].map((one) => readFileSync(path.join(home, one), "utf8")),
      ["in", "out\n", "own\n"],
    );
    await computer.move("/return/out.txt", "/data/back.txt");
    assert.equal((await computer.stat("/data/back.txt"))?.size, 4);
    for (const one of ["/data", "/return", "/state", "/home/person", "/home", "/", "/usr/bin/env"])
      await refuses(computer.remove(one), "denied");
    await refuses(computer.write("/etc/x", new Uint8Array()), "denied");
    assert.match(Buffer.from(await computer.read("/etc/passwd")).toString(), /^person:x:/);
    await computer.dispose();
  });

  test("no link inside leads out, for any file member", async () => {
    const home = fresh();
    writeFileSync(path.join(home, "outside"), "host secret");
    const computer = await contained.open(optionsFor("contained", home));
    const own = path.join(home, "home");
    symlinkSync("/etc", path.join(own, "etc"));
    symlinkSync("../outside", path.join(own, "up"));
    symlinkSync(home, path.join(own, "host"));
    symlinkSync("/", path.join(own, "root"));
    symlinkSync("../../../../../../data", path.join(own, "data"));
    for (const way of [
      "up",
      "host/outside",
      "root/outside",
      "../../outside",
      "root/../../../outside",
      `/home/person/../..${home}/outside`,
    ]) {
      assert.equal(await computer.stat(way), undefined, way);
      await assert.rejects(computer.read(way), { name: "StewardError" }, way);
      await assert.rejects(computer.read(`/home/person/${way}`), { name: "StewardError" }, way);
    }
    for (const way of ["etc/new", "root/new"]) await refuses(computer.write(way, Buffer.from("x")), "denied");
    await computer.write("host/new", Buffer.from("x")); // inside, the place of that name is its own
    assert.match(Buffer.from(await computer.read("/etc/passwd")).toString(), /^person:x:/);
    assert.equal((await computer.stat("data"))?.path, "/data");
    assert.equal((await computer.stat("root"))?.path, "/");
    assert.deepEqual(readdirSync(home).toSorted(), ["data", "home", "outside", "return", "state"]);
    await computer.dispose();
  });

  test("no desktop, even when asked for; asking for the network changes nothing", async () => {
    const computer = await contained.open(optionsFor("contained", fresh()));
    assert.equal((await computer.exec("cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '", { network: true })).stdout, "lo\n");
    await refuses(computer.exec(["true"], { desktop: true }), "denied");
    await computer.dispose();
  });
});

describe("shared pieces", () => {
  test("S-44: the environment is made from nothing", () => {
    const person = { home: "/home/ada", user: "ada", shell: "/bin/sh" };
    const server = {
      LANG: "de_DE.UTF-8",
      TZ: "Europe/Berlin",
      LC_ALL: "C",
      SECRET_KEY: "s",
      AWS_SECRET_ACCESS_KEY: "s",
      PATH: "/evil",
      HOME: "/evil",
      LD_PRELOAD: "/evil.so",
      NODE_OPTIONS: "-r x",
      DISPLAY: ":1",
      LC_evil: "x",
    };
    const plain = environmentOf(person, server);
    assert.deepEqual(Object.keys(plain).toSorted(), ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER"]);
    assert.deepEqual(
      [plain["HOME"], plain["LANG"], plain["PATH"]?.includes("/evil") || plain["PATH"]?.includes("ada")],
      ["/home/ada", "de_DE.UTF-8", false],
    );
    const desktop = environmentOf(person, server, { own: true, desktop: true });
    assert.deepEqual(
      [desktop["DISPLAY"], desktop["PATH"]?.includes("/home/ada/.local/bin"), desktop["LD_PRELOAD"]],
      [":1", true, undefined],
    );
  });

  test("S-46: helper programs come from fixed places only", async () => {
    const folder = fresh();
    writeFileSync(path.join(folder, "steward-odd-helper"), "#!/bin/sh\n");
    chmodSync(path.join(folder, "steward-odd-helper"), 0o755);
    const before = process.env["PATH"];
    process.env["PATH"] = `${folder}:${before}`;
    assert.equal(await helperProgram("steward-odd-helper"), undefined);
    process.env["PATH"] = before;
    assert.match((await helperProgram("env")) ?? "", /^\/.*(env|coreutils|busybox)$/);
  });

  test("the filter is whole for each processor, and refused for others", () => {
    for (const processor of ["x64", "arm64"]) {
      const filter = Buffer.from(seccompFilter(processor));
      assert.equal(filter.length % 8, 0);
      const steps = filter.length / 8;
      for (let at = 0; at < steps; at++) {
        const jump = (filter.readUInt16LE(at * 8) & 7) === 5;
        if (jump) assert.ok(at + 1 + Math.max(filter[at * 8 + 2]!, filter[at * 8 + 3]!) < steps, `step ${at} jumps out`);
      }
      assert.deepEqual([filter.readUInt16LE((steps - 1) * 8), filter.readUInt32LE((steps - 1) * 8 + 4)], [6, 0x7fff0000]);
    }
    assert.throws(() => seccompFilter("mips"), { code: "unavailable" });
  });

  test("seatbelt: paths are parameters, hidden ones lose to none but the workspace", () => {
    const evil = '/Users/ada/")(allow default)(x "';
    const args = seatbeltArguments({
      home: "/Users/ada",
      workspace: "/Users/ada/.steward/workspace",
      temporary: "/private/tmp/s",
      hidden: ["/Users/ada/.steward", evil, "/Users/ada/.steward/workspace/a/b"],
    });
    const profile = args.at(-1)!;
    assert.equal(args.at(-2), "-p");
    assert.ok(!profile.includes("/ada") && profile.startsWith("(version 1)\n(deny default)"));
    assert.equal(profile.split("(").length, profile.split(")").length);
    assert.ok(args.includes(`HIDDEN1=${evil}`) && args.includes("HIDDEN2UP0=/Users/ada/.steward/workspace/a"));
    const order = ['"HIDDEN0"', '"HIDDEN1"', '"WORKSPACE"', '"HIDDEN2"', '"HIDDEN2UP0"'].map((name) => profile.indexOf(name));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.ok(!profile.includes("network") && !order.includes(-1));
    const plain = { home: "/Users/ada", workspace: "/Users/ada/w", temporary: "/private/tmp/s", hidden: [] };
    const open = seatbeltArguments({ ...plain, port: 40_000, readable: ["/private/var/t"] });
    assert.deepEqual(open.at(-1)!.match(/^.*network.*$/gm), ['(allow network-outbound (remote ip "localhost:40000"))']);
    assert.ok(open.includes("READABLE0=/private/var/t"));
  });
});
