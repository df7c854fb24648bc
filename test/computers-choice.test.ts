// Which computers people have, and what is everybody's: a choice that is made again, an end before the next kind, disks that are measured beside one another.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { watchDisk } from "../src/computers/disk.ts";
import type { Computer, ComputerKind } from "../src/core/computer.ts";
import { testComputer } from "../src/run/computer-test.ts";
import { openComputers } from "../src/run/computers.ts";
import { openLookout } from "../src/run/lookout.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { ownComputer } from "../src/testing/own-computer.ts";
import { scripted } from "../src/testing/scripted.ts";
import { eventually } from "./gateway-place.ts";
import { harness } from "./harness.ts";

const steward = harness({
  store: await sqlite(":memory:"),
  model: scripted(() => []),
  config: { "notifications.pollSeconds": 0.05 },
});

test("where no kind of computer works it is tried again after some seconds; one that works stays", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const held = { missing: "it is away" as string | undefined, tries: 0 };
  const kind: ComputerKind = { name: "docker", missing: async () => (held.tries++, held.missing), open: () => assert.fail() };
  const computers = openComputers(() => steward, { load: async () => kind, env: {} });
  const problem = async (): Promise<string | undefined> => (await computers.choice()).problem;
  assert.match((await problem()) ?? "", /docker does not work: it is away/);
  const { tries } = held;
  await problem();
  assert.equal(held.tries, tries);
  delete held.missing;
  context.mock.timers.tick(10_000);
  assert.deepEqual([await problem(), held.tries], [undefined, tries + 1]);
  context.mock.timers.tick(100_000);
  assert.deepEqual([await problem(), held.tries], [undefined, tries + 1]);
});

test("why a weaker kind was taken is one sentence; what to do about it is told only where nothing works", async () => {
  const missing: Record<string, string | undefined> = { docker: "No container engine was found\nInstall one." };
  const load = async (name: string): Promise<ComputerKind> => ({ name, missing: async () => missing[name], open: () => assert.fail() });
  const choice = () => openComputers(() => steward, { load, env: {} }).choice();
  assert.deepEqual(await choice(), { kind: "contained", why: "contained, because docker does not work: No container engine was found" });
  missing["contained"] = "bubblewrap is not there";
  assert.deepEqual(await choice(), {
    kind: "contained",
    why: "",
    problem: "docker does not work: No container engine was found (Install one.); contained does not work: bubblewrap is not there",
  });
});

test("the self-test finds a computer without walls, also where no port may be taken and neither timeout nor bash is there", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "steward-walls-"));
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  t.after(() => (server.close(), rmSync(folder, { recursive: true })));
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // As on macOS: whoever binds is refused.
  const python = `import socket\ndef bind(*_): raise PermissionError()\nsocket.socket.bind = bind\nimport sys\nsys.argv.pop(0)\nexec(sys.argv[1])`;
  const plain = { code: 0, stderr: "", truncated: false, timedOut: false, cancelled: false, lost: 0 };
  const exec: Computer["exec"] = async (command) => {
    if (command[0] !== "python3") return { ...plain, stdout: "" };
    const [, , script, ...args] = command as string[];
    const argv = ["-I", "-S", "-c", python, "-c", script!, ...args];
    const { stdout } = await promisify(execFile)("python3", argv, {
      env: { http_proxy: `http://a:b@127.0.0.1:${port}`, PATH: process.env["PATH"] },
    });
    return { ...plain, stdout };
  };
  const open = { ...ownComputer().computer, exec } as Computer;
  const own = Object.assign(Object.create(steward), { computer: async () => open });
  const who = { person: "owner", role: "owner", via: "osAgent" } as const;
  const checks = await testComputer(own, who, { port, signal: AbortSignal.timeout(60_000) });
  const ok = (name: string): boolean | undefined => checks.find((check) => check.name === name)?.ok;
  assert.deepEqual([ok("It can try to connect"), ok("Steward's own port")], [true, false], JSON.stringify(checks));
});

test("a computer that is forgotten is stopped first, so that it does not go on beside the next kind", async () => {
  const did: string[] = [];
  const { computer } = ownComputer();
  const machine = { stop: async () => void did.push("stop") } as Computer["machine"];
  const open = async (): Promise<Computer> => ({
    ...computer,
    ...(machine ? { machine } : {}),
    dispose: async () => void did.push("dispose"),
  });
  const computers = openComputers(() => steward, { load: async () => ({ name: "docker", missing: async () => undefined, open }), env: {} });
  await computers.own("ada");
  await computers.forget("ada");
  assert.deepEqual(did, ["stop", "dispose"]);
});

test("a computer that never answers holds up nobody else's returned files, nor the end", async () => {
  const good = ownComputer();
  const never: Computer = { ...good.computer, list: () => new Promise(() => {}), watch: () => new Promise(() => {}) };
  const own = async (person: string): Promise<Computer> => (person === "evil" ? never : good.computer);
  const watched: string[] = [];
  const { watch } = good.computer;
  good.computer.watch = (folder, changed) => (watched.push(folder), watch(folder, changed));
  const lookout = openLookout(() => Object.assign(steward, { computers: { ...steward.computers, own } }));
  lookout.attend("evil");
  lookout.attend("owner");
  await eventually(async () => watched.length > 0 || undefined);
  const began = performance.now();
  await lookout.close();
  assert.ok(performance.now() - began < 60_000);
});

test("one whose end hangs when its disk is full holds up no measurement of others", async () => {
  const folder = mkdtempSync(join(tmpdir(), "steward-disks-"));
  writeFileSync(join(folder, "big"), Buffer.alloc(100_000));
  const of = (limit: number) =>
    watchDisk({ folders: [folder], limit: () => limit, running: () => false, over: () => new Promise(() => {}), log: () => {} });
  const [full, other] = [of(1000), of(1e9)];
  await full.used();
  assert.throws(() => full.allowed(), { code: "limit" });
  assert.ok(((await other.used()).diskBytes ?? 0) >= 100_000);
  full.close();
  other.close();
  rmSync(folder, { recursive: true });
});
