// What only a contained computer has: it lasts, it restarts, it is bounded, its way out, notifications; and a supervisor that outlives its clients.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
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
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Computer, ComputerOptions, Limits, Tunnel } from "../src/core/computer.ts";
import contained from "../src/computers/contained.ts";
import { supervised } from "../src/computers/supervised.ts";
import { supervisorStart } from "../src/computers/supervisor.ts";
import { refuses } from "../src/testing/computer.ts";
import { ownOptions, plainOptions } from "../src/testing/computer-options.ts";

const missing = await contained.missing({ config: {}, env: {} });
if (missing !== undefined) console.log(`Contained computers are not tested: ${missing}`);
const skip = missing === undefined ? {} : { skip: missing };
const MB = 1024 ** 2;
const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing.toReversed()) await close();
});

function fresh(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "steward-own-")));
  closing.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }));
  return folder;
}
const optionsOf = (home: string, more: Partial<ComputerOptions> = {}): ComputerOptions => ({ ...ownOptions(home), ...more });
async function opened(more: Partial<ComputerOptions> = {}, home = fresh()): Promise<{ computer: Computer; home: string }> {
  const computer = await contained.open(optionsOf(home, more));
  closing.push(() => computer.dispose());
  return { computer, home };
}
async function until(done: () => boolean | Promise<boolean>, what: string, ms = 60_000): Promise<void> {
  for (const end = Date.now() + ms; !(await done()); await delay(50)) assert.ok(Date.now() < end, `${what} did not happen`);
}
const limits = (more: Partial<Limits>): { limits(): Limits } => ({ limits: () => ({ ...plainOptions.limits(), ...more }) });

describe("a contained computer", skip, () => {
  test("state, processes, stop and start again, reset, remove", async () => {
    const { computer, home } = await opened();
    const machine = computer.machine!;
    assert.equal((await machine.state()).state, "stopped");
    assert.deepEqual([await computer.shells(), await machine.processes(), (await machine.state()).state], [[], [], "stopped"]);
    await machine.start();
    const shell = await computer.shell({ id: "one", columns: 80, rows: 24, command: ["sleep", "1234"] });
    assert.ok((await machine.processes()).some(({ command }) => command === "sleep 1234"));
    const { state, usage, diskBytes } = await machine.state();
    assert.ok(state === "running" && usage!.processes >= 2 && usage!.memoryBytes > 5 * MB && diskBytes! > 0);
    const running = computer.exec(["sleep", "1234"]);
    const reading = (async () => {
      for await (const _ of shell.output({ signal: new AbortController().signal }));
    })();
    const broken = Promise.all([refuses(running, "unavailable"), refuses(reading, "unavailable")]);
    const sleeping = async (): Promise<number> => (await machine.processes()).filter(({ command }) => command === "sleep 1234").length;
    await until(async () => (await sleeping()) === 2, "the command runs");
    await machine.stop();
    await broken;
    assert.equal((await computer.exec("echo up again; echo kept > ~/kept; echo d > /data/d")).stdout, "up again\n");
    await machine.reset();
    assert.deepEqual([existsSync(`${home}/home/kept`), existsSync(`${home}/data/d`)], [false, true]);
    await machine.reset({ everything: true });
    assert.deepEqual(readdirSync(`${home}/data`), []);
    await machine.remove();
    assert.deepEqual([existsSync(home), (await machine.state()).state], [false, "absent"]);
  });
  test("what is asked while it stops is answered with nothing; what was starting when it was closed makes nothing afterwards", async () => {
    const { computer, home } = await opened();
    const machine = computer.machine!;
    await machine.start();
    const asked = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? computer.shells() : machine.processes()));
    await machine.stop();
    for (const answer of await Promise.all(asked)) assert.ok(Array.isArray(answer));
    const starting = machine.start();
    await computer.dispose();
    rmSync(home, { recursive: true });
    await starting.catch(() => {});
    assert.equal(existsSync(home), false);
  });

  test("what a container left belongs to this computer's user again", { skip: process.getuid?.() !== 0 }, async () => {
    const { computer, home } = await opened();
    const strange = `${fresh()}/strange`;
    writeFileSync(strange, "");
    for (const folder of ["home", "data", "return", "state"]) chownSync(`${home}/${folder}`, 1000, 1000);
    mkdirSync(`${home}/home/deep`);
    writeFileSync(`${home}/home/deep/kept`, "kept");
    symlinkSync(strange, `${home}/home/link`);
    for (const name of ["deep", "deep/kept"]) chownSync(`${home}/home/${name}`, 1000, 1000);
    const { stdout } = await computer.exec(
      "echo $HOME; cat deep/kept; echo more >> deep/kept; echo new > /data/new && stat -c %U deep/kept",
    );
    assert.equal(stdout, "/home/person\nkeptperson\n");
    chownSync(strange, 1000, 1000);
    chownSync(`${home}/home`, 1000, 1000);
    await computer.machine!.stop();
    assert.equal((await computer.exec(["echo", "up"])).stdout, "up\n");
    assert.deepEqual([statSync(strange).uid, lstatSync(`${home}/home/link`).uid], [1000, 0]);
  });
  test("nothing inside can kill the supervisor, or look into it", async () => {
    const { computer } = await opened();
    const { stdout } = await computer.exec(
      "kill -9 1; kill -9 -1; cat /proc/1/environ /proc/1/mem 2>/dev/null | wc -c; readlink /proc/1/fd/* | wc -l",
    );
    assert.deepEqual(stdout.trim().split(/\s+/), ["0", "0"]);
    assert.equal((await computer.exec("echo $STEWARD_SUPERVISOR; cat /proc/1/comm")).stdout.trim().split("\n").length, 1);
  });
  test("a command that the inside can't end in time is ended from outside", async () => {
    const { computer } = await opened();
    const began = performance.now();
    const bomb = "b() { b | b & }; trap '' TERM; b; sleep 100";
    const { timedOut } = await computer.exec(bomb, { timeoutMs: 700 });
    assert.ok(timedOut && performance.now() - began < 60_000);
    await until(async () => (await computer.exec(["echo", "ok"]).catch(() => undefined))?.stdout === "ok\n", "the computer works again");
  });
  test("limits on memory and processes hold for all of it together, where the machine lets them be set", async () => {
    const { computer } = await opened(limits({ memoryBytes: 200 * MB, processes: 40 }));
    const many = await computer.exec("for i in $(seq 1 80); do sleep 5 & done 2>/dev/null; ls -d /proc/[0-9]* | wc -l");
    assert.ok(Number(many.stdout.trim() || 0) <= 42, many.stdout);
    const fat = await computer.exec(["python3", "-c", "x = bytearray(400 * 1024 ** 2); print(len(x))"]);
    assert.ok(fat.code !== 0 && fat.stdout === "");
    assert.equal((await computer.exec(["echo", "fine"])).stdout, "fine\n");
  });
  test("when the disk is used up all is ended, and nothing begins until something is removed", async () => {
    const { computer } = await opened(limits({ diskBytes: 30 * MB }));
    const filling = computer.exec("i=0; while head -c 5000000 /dev/urandom > big$i; do i=$((i+1)); sleep 0.1; done; sleep 60");
    await refuses(filling, "limit");
    await refuses(computer.exec(["true"]), "limit");
    await refuses(computer.write("x", new Uint8Array(1)), "limit");
    await refuses(computer.shell({ id: "x", columns: 80, rows: 24 }), "limit");
    for (const { path: one, name } of await computer.list(".")) if (name.startsWith("big")) await computer.remove(one);
    await until(async () => (await computer.exec(["true"]).catch(() => undefined))?.code === 0, "it works again");
  });
  test("notify leaves one file each, in order, whole", async () => {
    const { computer, home } = await opened();
    assert.deepEqual((await computer.exec("notify first one; echo 'from a pipe' | notify; notify ''")).stderr, "");
    const folder = `${home}/state/notifications`;
    const names = readdirSync(folder);
    assert.deepEqual(
      names.map((name) => readFileSync(`${folder}/${name}`, "utf8").trim()),
      ["first one", "from a pipe", ""],
    );
    for (const name of names) assert.match(name, /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z\.txt$/);
  });
  test("the way out: each connection is a tunnel, with certificates and the task's variables", async () => {
    const open = ({ readable, writable }: Tunnel): void => void readable.pipeTo(writable).catch(() => {});
    const variables = (port: number, task?: string): Record<string, string> => ({
      HTTP_PROXY: `http://${task ?? "none"}:p@127.0.0.1:${port}`,
    });
    const { computer } = await opened({ egress: { open, trust: async () => "CERTIFICATE-X\n", variables } });
    const { stdout } = await computer.exec("echo $HTTP_PROXY; tail -1 $SSL_CERT_FILE; echo $PIP_CERT", { task: "t7" });
    const [proxy = "", certificate, pip] = stdout.trim().split("\n");
    assert.match(proxy, /^http:\/\/t7:p@127\.0\.0\.1:\d+$/);
    assert.deepEqual([certificate, pip], ["CERTIFICATE-X", "/run/steward/trust.pem"]);
    const script = `import socket, threading
s = socket.create_connection(("127.0.0.1", ${new URL(proxy).port}))
def send():
    for _ in range(300): s.sendall(b"x" * 65536)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
n = 0
while True:
    b = s.recv(65536)
    if not b: break
    n += len(b)
print(n)`;
    const counts = await Promise.all([1, 2, 3].map(() => computer.exec(["python3", "-c", script], { timeoutMs: 120_000 })));
    assert.deepEqual(
      counts.map((one) => one.stdout),
      Array.from({ length: 3 }, () => `${300 * 65_536}\n`),
    );
  });
});

describe("a supervisor that serves", { skip: process.platform !== "linux" && "needs Linux" }, () => {
  test("terminals outlive the client, its commands do not", async () => {
    const folder = fresh();
    const socket = `${folder}/socket`;
    const { args, env } = supervisorStart("serve", socket);
    const server = spawn("python3", args, { env: { PATH: process.env["PATH"], ...env }, stdio: "ignore" });
    closing.push(() => server.kill("SIGKILL"));
    // It is there a moment before anybody listens there.
    const answers = (): Promise<boolean> =>
      new Promise((resolve) => {
        const found = createConnection(socket, () => (found.destroy(), resolve(true))).on("error", () => resolve(false));
      });
    await until(answers, "the socket");
    const client = (): Computer =>
      supervised(optionsOf(folder), {
        home: folder,
        workspace: folder,
        platform: "linux",
        shell: "/bin/bash",
        env: { PATH: process.env["PATH"]!, HOME: folder },
        connect: async () => createConnection(socket),
        kill: async () => {},
        dispose: async () => {},
      });
    const one = client();
    const shell = await one.shell({ id: "stays", columns: 80, rows: 24, script: true });
    await shell.run("X=still; cd /usr");
    const seconds = `81${Math.random().toString().slice(2, 8)}`;
    const running = one.exec(["sleep", seconds]);
    const other = client();
    await until(async () => (await other.exec(`pgrep -fx 'sleep ${seconds}'`)).code === 0, "the command runs");
    await one.dispose();
    await refuses(running, "unavailable");
    await until(async () => (await other.exec(`pgrep -fx 'sleep ${seconds}'`)).code === 1, "the command's end");
    const again = await other.shell({ id: "stays", columns: 80, rows: 24, existing: true });
    const seen: string[] = [];
    const stop = new AbortController();
    const output = again.output({ signal: stop.signal });
    await again.run("echo $X $PWD");
    for await (const event of output) {
      if (event.type === "data") seen.push(Buffer.from(event.bytes).toString());
      if (event.type === "ran" && seen.length > 0) stop.abort();
    }
    assert.equal(seen.join(""), "still /usr\r\n");
    server.kill("SIGTERM");
    await until(() => server.exitCode === 0, "it ends when told");
    await other.dispose();
  });
});
