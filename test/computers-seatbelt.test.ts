// A person's own computer on macOS, as far as it can be tried elsewhere: the profile word by word, and all but the walls with a stand-in for sandbox-exec.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Computer, ComputerOptions } from "../src/core/computer.ts";
import { seatbeltArguments } from "../src/computers/seatbelt.ts";
import { ownArguments } from "../src/computers/seatbelt-profile.ts";
import { openSeatbelt } from "../src/computers/seatbelt-own.ts";
import { pythonMissing } from "../src/computers/sandbox.ts";
import { hasCode } from "../src/std/error.ts";
import { computerContract, processesWith } from "../src/testing/computer.ts";
import { ownOptions, plainOptions } from "../src/testing/computer-options.ts";

const folders: string[] = [];
process.once("exit", () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
function fresh(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "steward-seatbelt-")));
  folders.push(folder);
  return folder;
}

/** Takes its arguments as the real one does, and builds no walls. Notes the profile that it was given. */
function standIn(): { exec: string; said(): string[] } {
  const folder = fresh();
  const [exec, note] = [path.join(folder, "sandbox-exec"), path.join(folder, "said")];
  const text = `#!/bin/bash
said=()
while [ "$1" = -D ] || [ "$1" = -p ]; do said+=("$1" "$2"); shift 2; done
printf '%s\\0' "\${said[@]}" > '${note}'
exec "$@"
`;
  writeFileSync(exec, text);
  chmodSync(exec, 0o755);
  return { exec, said: () => readFileSync(note, "utf8").split("\0").slice(0, -1) };
}
const optionsOf = (home: string, more: Partial<ComputerOptions> = {}): ComputerOptions => ({ ...ownOptions(home), ...more });

test("the profile: everything is denied but the system's programs, the person's folders and one port", () => {
  const args = ownArguments({
    folder: "/Users/ada/.steward/computers/ben",
    temporary: "/Users/ada/.steward/computers/ben/tmp",
    port: 4321,
    trust: "/private/tmp/t.pem",
  });
  const at = args.indexOf("-p");
  assert.deepEqual(
    args.slice(0, at).filter((word) => word !== "-D"),
    [
      "HOME=/Users/ada/.steward/computers/ben/home",
      "DATA=/Users/ada/.steward/computers/ben/data",
      "RETURN=/Users/ada/.steward/computers/ben/return",
      "STATE=/Users/ada/.steward/computers/ben/state",
      "TEMPORARY=/Users/ada/.steward/computers/ben/tmp",
      "ABOVE0=/Users/ada/.steward/computers/ben",
      "ABOVE1=/Users/ada/.steward/computers",
      "ABOVE2=/Users/ada/.steward",
      "ABOVE3=/Users/ada",
      "ABOVE4=/Users",
      "TRUST=/private/tmp/t.pem",
    ],
  );
  assert.equal(args.length, at + 2);
  const lines = args[at + 1]!.split("\n");
  assert.deepEqual(lines.slice(0, 2), ["(version 1)", "(deny default)"]);
  const own = (kind: string): string =>
    ["HOME", "DATA", "RETURN", "STATE", "TEMPORARY"].map((name) => `(${kind} (param "${name}"))`).join(" ");
  assert.deepEqual(lines.slice(-6), [
    `(allow file-read-metadata ${[0, 1, 2, 3, 4].map((n) => `(literal (param "ABOVE${n}"))`).join(" ")})`,
    `(allow process-exec file-read* file-write* ${own("subpath")})`,
    `(deny file-write-unlink ${own("literal")})`,
    `(allow file-read* (literal (param "TRUST")))`,
    `(allow network-outbound (remote ip "localhost:4321"))`,
    "",
  ]);
  const words = lines.flatMap((line) => /^\(allow ([a-z*-]+(?: [a-z*-]+)*)/.exec(line)?.[1]?.split(" ") ?? []);
  assert.deepEqual([...new Set(words)].toSorted(), [
    ...[
      "file-ioctl",
      "file-read*",
      "file-read-metadata",
      "file-write*",
      "file-write-data",
      "ipc-posix-sem",
      "ipc-posix-shm-read-data",
      "mach-lookup",
    ],
    ...["network-outbound", "process-exec", "process-fork", "process-info*", "pseudo-tty", "signal", "sysctl-read"],
  ]);
  for (const word of ["signal", "process-info*"]) assert.ok(lines.includes(`(allow ${word} (target same-sandbox))`), word);
  assert.ok(
    !lines.some((line) => /"\/(Users|Volumes|private\/tmp|private\/var\/folders)/.test(line.replaceAll('(literal "/private/tmp")', ""))),
  );
  assert.equal(lines.filter((line) => line.split("(").length !== line.split(")").length).length, 0, "every parenthesis is closed");
  assert.equal(ownArguments({ folder: "/a", temporary: "/a/tmp" }).at(-1)!.includes("network"), false, "no port, no network");
});

test("the profiles with engines' programs: read and run, not written, and of the folder that they lie in only that it is there", () => {
  const home = "/Users/ada/.steward";
  const own = ownArguments({ folder: `${home}/computers/ben`, temporary: "/tmp/t", programs: `${home}/programs` });
  assert.ok(own.includes(`PROGRAMS=${home}/programs`));
  assert.deepEqual(own.at(-1)!.match(/^.*"PROGRAMS".*$/gm), ['(allow process-exec file-read* (subpath (param "PROGRAMS")))']);
  assert.deepEqual(
    own.filter((word) => word.startsWith("ABOVE")),
    ["computers/ben", "computers", ""]
      .map((name, at) => `ABOVE${at}=${home}/${name}`.replace(/\/$/, ""))
      .concat(["ABOVE3=/Users/ada", "ABOVE4=/Users"]),
  );
  const guarded = seatbeltArguments({
    ...{ home: "/Users/ada", workspace: "/Users/ada/w", temporary: "/private/tmp/s", hidden: [home] },
    ...{ programs: `${home}/programs`, engines: `${home}/engines/guarded/owner` },
  });
  const lines = guarded.at(-1)!.split("\n");
  const wanted = [
    '(deny file-read* file-write* (subpath (param "HIDDEN0")))',
    '(allow file-read* (subpath (param "PROGRAMS")))',
    '(allow file-read-metadata (literal (param "PROGRAMSUP")))',
    '(allow file-read* file-write* (subpath (param "ENGINES")))',
    '(allow file-read-metadata (literal (param "ENGINESUP")) (literal (param "ENGINESTOP")))',
  ];
  assert.deepEqual(
    lines.filter((line) => /HIDDEN|PROGRAMS|ENGINES/.test(line)),
    wanted,
  );
  const names = {
    PROGRAMS: "/programs",
    PROGRAMSUP: "",
    ENGINES: "/engines/guarded/owner",
    ENGINESUP: "/engines/guarded",
    ENGINESTOP: "/engines",
  };
  for (const [name, at] of Object.entries(names)) assert.ok(guarded.includes(`${name}=${home}${at}`), name);
});

const missing = process.platform === "linux" ? await pythonMissing() : "The stand-in is for systems without the real one";
if (missing !== undefined) console.log(`A computer by seatbelt is not tested: ${missing}`);
const open = async (): Promise<{ computer: Computer; close(): Promise<void> }> => {
  const computer = await openSeatbelt(optionsOf(fresh()), standIn().exec);
  return { computer, close: () => computer.dispose() };
};
computerContract("seatbelt (stand-in)", open, missing);

describe("a computer by seatbelt", missing === undefined ? {} : { skip: missing }, () => {
  test("/data and /return are the person's folders, by file, by argument, by text, by variable; state, processes, stop, reset, remove", async () => {
    const [home, { exec, said }] = [fresh(), standIn()];
    const computer = await openSeatbelt(optionsOf(home), exec);
    try {
      assert.deepEqual([computer.home, (await computer.machine!.state()).state], [`${home}/home`, "stopped"]);
      await computer.write("/data/a.txt", new TextEncoder().encode("one"));
      assert.equal(readFileSync(`${home}/data/a.txt`, "utf8"), "one");
      assert.deepEqual(
        (await computer.list("/data")).map((info) => info.path),
        ["/data/a.txt"],
      );
      assert.equal((await computer.exec(["cat", "/data/a.txt"])).stdout, "one");
      assert.equal(
        (await computer.exec("cat /data/a.txt \"$DATA/a.txt\"; mv '/data/a.txt' /return/; ls /return; pwd")).stdout,
        `oneonea.txt\n${home}/home\n`,
      );
      assert.equal((await computer.exec("pwd; echo /database", { cwd: "/return" })).stdout, `${home}/return\n/database\n`);
      assert.equal(Buffer.from(await computer.read("/return/a.txt")).toString(), "one");
      assert.deepEqual(said(), ownArguments({ folder: home, temporary: `${home}/tmp` }));
      await computer.shell({ id: "one", columns: 80, rows: 24, command: ["sleep", "7654.25"] });
      const { state, usage } = await computer.machine!.state();
      assert.deepEqual([state, usage!.processes >= 2], ["running", true]);
      assert.ok((await computer.machine!.processes()).some(({ command }) => command === "sleep 7654.25"));
      await computer.machine!.stop();
      // What was killed is gone a moment later.
      for (const end = Date.now() + 60_000; processesWith("7654.25").length > 0 && Date.now() < end;) await delay(20);
      assert.deepEqual(
        [processesWith("7654.25"), existsSync(`${home}/tmp`), (await computer.machine!.state()).state],
        [[], false, "stopped"],
      );
      await computer.write("~/mine", new Uint8Array(1));
      await computer.machine!.reset();
      assert.deepEqual([existsSync(`${home}/home/mine`), existsSync(`${home}/return/a.txt`)], [false, true]);
      await computer.machine!.remove();
      assert.equal(existsSync(home), false);
    } finally {
      await computer.dispose();
    }
  });

  test("one that takes more memory than it may is ended, and comes back when it is asked for something", async () => {
    const bounds = { memoryBytes: 2 ** 30 };
    const computer = await openSeatbelt(optionsOf(fresh(), { limits: () => ({ ...plainOptions.limits(), ...bounds }) }), standIn().exec);
    try {
      const running = computer.exec(["sleep", "8765.5"]);
      assert.equal((await computer.exec("echo here")).stdout, "here\n");
      bounds.memoryBytes = 1;
      const ended = await running.then(
        ({ code }) => code !== 0,
        (error: unknown) => hasCode(error, "unavailable"),
      );
      assert.ok(ended);
      for (const end = Date.now() + 60_000; (await computer.machine!.state()).state !== "stopped"; await delay(20))
        assert.ok(Date.now() < end);
      bounds.memoryBytes = 2 ** 30;
      assert.equal((await computer.exec("echo again")).stdout, "again\n");
      assert.deepEqual(processesWith("8765.5"), []);
    } finally {
      await computer.dispose();
    }
  });

  test("the way out is one port of this machine, told to each command with its task", async () => {
    const opened: string[] = [];
    const egress = {
      open: ({ readable, writable }: { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> }) => {
        opened.push("tunnel");
        void readable.pipeTo(writable).catch(() => {});
      },
      trust: async () => "-----CERTIFICATE-----\n",
      variables: (port: number, task?: string) => ({ HTTP_PROXY: `http://${task ?? "none"}@127.0.0.1:${port}` }),
    };
    const { exec, said } = standIn();
    const computer = await openSeatbelt(optionsOf(fresh(), { egress }), exec);
    try {
      const script =
        'p=${HTTP_PROXY##*:}; exec 3<>/dev/tcp/127.0.0.1/$p; echo hello >&3; read -r line <&3; echo "$line ${HTTP_PROXY%@*}"; tail -1 "$SSL_CERT_FILE"';
      const { stdout } = await computer.exec(["bash", "-c", script], { task: "t1" });
      assert.equal(stdout, "hello http://t1\n-----CERTIFICATE-----\n");
      assert.deepEqual(opened, ["tunnel"]);
      assert.match(said().at(-1)!, /\(allow network-outbound \(remote ip "localhost:\d+"\)\)\n$/);
    } finally {
      await computer.dispose();
    }
  });
});
