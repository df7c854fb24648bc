// The sandboxes seen from the inside: what a hostile command can reach in mode guarded and in mode contained. Skips, with the reason, where there is no bubblewrap.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import type { Computer, ComputerKind, Egress, ExecResult } from "../src/core/computer.ts";
import type { Mode } from "../src/core/types.ts";
import contained from "../src/computers/contained.ts";
import guarded from "../src/computers/guarded.ts";
import { processesWith } from "../src/testing/computer.ts";
import { plainOptions } from "../src/testing/computer-options.ts";

const CANARY = "canary-0c9f1d";
const missing = process.platform === "linux" ? await guarded.missing() : "the tests from the inside are written for Linux";
if (missing !== undefined) console.log(`Sandboxes are not tested: ${missing}`);
const skip = missing === undefined ? {} : { skip: missing };

interface Scene {
  computer: Computer;
  home: string;
  hidden: string[];
  /** A process of the host with the canary in its environment. */
  other: ChildProcess;
  port: number;
  /** The task of each connection that came to the proxy. */
  tunnels: string[];
  close(): Promise<void>;
}

/** A home with secrets of every kind: hidden folders and files, links to them, Steward's own home around the workspace, a socket, a listener. */
async function build(kind: ComputerKind, mode: Mode): Promise<Scene> {
  const home = realpathSync(mkdtempSync(path.join(tmpdir(), "steward-sandbox-")));
  const own = path.join(home, ".steward");
  for (const folder of [".ssh", "notes", ".steward/workspace/deep/er/secret"]) mkdirSync(path.join(home, folder), { recursive: true });
  for (const file of [".ssh/id", ".netrc", ".steward/config.json", ".steward/workspace/deep/er/secret/key"])
    writeFileSync(path.join(home, file), CANARY);
  writeFileSync(path.join(home, "notes/plain"), "plain");
  symlinkSync(".ssh", path.join(home, "innocent"));
  symlinkSync("../.ssh/id", path.join(home, "notes/innocent"));
  symlinkSync(home, path.join(own, "workspace/home-link"));
  const hidden = [
    path.join(home, "innocent"),
    path.join(home, ".netrc"),
    path.join(own, "workspace/deep/er/secret"),
    path.join(home, "none"),
  ];
  const other = spawn("/bin/sleep", ["54321.9"], { env: { STEWARD_CANARY: CANARY } });
  const servers = await Promise.all([
    listen(0, "127.0.0.1"),
    listen(path.join(home, "notes/socket")),
    listen(path.join(own, "workspace/socket")),
    listen(`\0steward-${process.pid}-${mode}`),
  ]);
  process.env["STEWARD_CANARY"] = CANARY;
  const options = {
    person: "ada",
    mode,
    home: mode === "contained" ? path.join(own, "computers/ada") : home,
    workspace: path.join(own, "workspace"),
    steward: own,
  };
  const tunnels: string[] = [];
  const computer = await kind.open({
    ...options,
    ...plainOptions,
    ...(mode === "guarded" ? { egress: proxy(tunnels) } : {}),
    hidden: () => hidden,
    env: { ...process.env, SECRET_KEY: CANARY },
  });
  const close = async (): Promise<void> => {
    await computer.dispose();
    other.kill("SIGKILL");
    for (const server of servers) server.close();
    delete process.env["STEWARD_CANARY"];
    rmSync(home, { recursive: true, force: true });
  };
  return { computer, home, hidden, other, port: (servers[0].address() as { port: number }).port, tunnels, close };
}

/** Says something on each connection and ends it. */
function proxy(tunnels: string[]): Egress {
  const task: { of?: string } = {};
  return {
    open({ writable }) {
      tunnels.push(task.of ?? "");
      const writer = writable.getWriter();
      void writer.write(Buffer.from("through the proxy")).then(() => writer.close());
    },
    trust: async () => "authority\n",
    variables(port, of) {
      if (of !== undefined) task.of = of;
      return { http_proxy: `http://127.0.0.1:${port}` };
    },
  };
}

const listen = (at: number | string, where?: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(CANARY)).on("error", reject);
    const ready = (): void => resolve(server.unref());
    if (typeof at === "number") server.listen(at, where, ready);
    else server.listen(at, ready);
  });

/** Makes the calls in perl, which is part of most systems: no compiler needed. */
const call = (computer: Computer, script: string): Promise<ExecResult> => computer.exec(["perl", "-e", script]);

for (const [kind, mode] of [
  [guarded, "guarded"],
  [contained, "contained"],
] as [ComputerKind, Mode][]) {
  describe(`inside ${mode}`, skip, () => {
    const held: { scene?: Scene } = {};
    before(async () => void (held.scene = await build(kind, mode)));
    after(() => held.scene?.close());
    const scene = (): Scene => held.scene!;
    secretCases(scene);
    writeCases(scene);
    processCases(scene);
    networkCases(scene);
    kernelCases(scene);
  });
}

function secretCases(scene: () => Scene): void {
  test("S-37: hidden paths can't be read by any name", async () => {
    const { computer, home } = scene();
    const files = [
      ".ssh/id",
      "innocent/id",
      "notes/innocent",
      "notes/../.ssh/id",
      "./.ssh/../.netrc",
      ".steward/config.json",
      ".steward/workspace/deep/er/secret/key",
      ".steward/workspace/../config.json",
    ];
    const roots = [
      home,
      `/proc/1/root${home}`,
      `/proc/self/root${home}`,
      `/proc/self/cwd/${"../".repeat(9)}${home}`,
      `${home}/.steward/workspace/home-link`,
      "home-link",
      `/old_root${home}`,
      `/newroot${home}`,
      `/oldroot${home}`,
    ];
    for (const root of roots) {
      const { stdout, stderr } = await computer.exec(["cat", ...files.map((file) => `${root}/${file}`)]);
      assert.deepEqual({ root, stdout, refused: stderr.trim().split("\n").length }, { root, stdout: "", refused: files.length });
    }
  });
  test("S-44: the canary is nowhere: not in the environment, in no process, in no file within reach", async () => {
    const { computer, home } = scene();
    const { stdout } = await computer.exec(
      `env; cat /proc/*/environ /proc/*/cmdline /proc/*/mountinfo; set; grep -rs ${CANARY.slice(0, -1)}[d] ${home} ~ /tmp /dev/shm /run /var/tmp /data /return .`,
    );
    assert.ok(stdout.includes("HOME=") && !stdout.includes(CANARY), stdout.slice(0, 2000));
  });
  test("a path that becomes hidden is hidden from the next command on", async () => {
    const { computer, home, hidden } = scene();
    const read = async (): Promise<string> => (await computer.exec(["cat", `${home}/notes/plain`])).stdout;
    assert.equal(await read(), computer.mode === "guarded" ? "plain" : "");
    hidden.push(path.join(home, "notes/plain"));
    assert.equal(await read(), "");
    hidden.pop();
    assert.equal(await read(), computer.mode === "guarded" ? "plain" : "");
  });
  test("what is hidden in the workspace can't be renamed into the open", async () => {
    const { computer } = scene();
    if (computer.mode === "guarded") {
      const { stdout } = await computer.exec(
        "for d in deep/er/secret deep/er deep; do mv $d open-$RANDOM 2>/dev/null && echo moved $d; rm -rf $d 2>/dev/null && echo removed $d; done; ln deep/er/secret/key hard; cp -r deep copy; true",
      );
      assert.equal(stdout, "");
    }
    assert.ok(!(await computer.exec(`grep -rs ${CANARY} .`)).stdout.includes(CANARY));
    assert.ok(existsSync(path.join(scene().home, ".steward/workspace/deep/er/secret/key")));
  });
  test("a hidden path that a person renames to and fro never makes a command fail for good", async () => {
    const { computer, home } = scene();
    const results: number[] = [];
    for (let round = 0; round < 4; round++) {
      const running = computer.exec(["true"]);
      renameSync(path.join(home, ".netrc"), path.join(home, ".away"));
      renameSync(path.join(home, ".away"), path.join(home, ".netrc"));
      results.push((await running).code);
    }
    assert.deepEqual(results, [0, 0, 0, 0]);
  });
}

function writeCases(scene: () => Scene): void {
  test("S-61: nothing outside the workspace can be written; /tmp is private, and forgotten with the sandbox", async () => {
    const { computer, home } = scene();
    const places = [
      `${home}/x`,
      `${home}/notes/plain`,
      `${home}/.steward/x`,
      `${home}/.ssh/x`,
      "/x",
      "/etc/x",
      "/usr/x",
      "/usr/bin/x",
      "/run/x/y",
      "/sys/x",
      "/boot/x",
      "/home/x",
      "/root/x",
      "/proc/1/root/x",
    ];
    for (const place of places) {
      const { code } = await computer.exec(`echo x > ${place}`);
      assert.ok(code !== 0, `${place} was written`);
    }
    const { stdout } = await computer.exec(
      "echo own > own && cat own && echo t > /tmp/steward-inside && cat /tmp/steward-inside && touch /dev/shm/x",
    );
    assert.equal(stdout, "own\nt\n");
    assert.deepEqual(
      [existsSync("/tmp/steward-inside"), (await computer.exec("cat /tmp/steward-inside")).stdout],
      [false, computer.mode === "contained" ? "t\n" : ""],
    );
    assert.equal(readFileSync(path.join(home, "notes/plain"), "utf8"), "plain");
  });
  test("S-61: no knob of the machine can be turned: nothing in /proc or /sys but what is a process's own opens for writing", async () => {
    // Opened and closed again without a byte written, so that a hole found here changes nothing on the machine.
    const script = String.raw`use Fcntl; use File::Find; no warnings;
      my $open = sub { return unless -f $_; sysopen(my $f, $_, O_WRONLY) and print "$_\n" };
      my $own = sub { grep { !($File::Find::dir eq "/proc" && /^([0-9]+|self|thread-self)$/) } @_ };
      find({ no_chdir => 1, preprocess => $own, wanted => $open }, grep { -e } "/proc", "/sys"); print "looked\n"`;
    const { stdout } = await call(scene().computer, script);
    assert.deepEqual(stdout.split("\n").slice(0, 5), ["looked", ""]);
  });
  test("no disk or memory device is there", async () => {
    const { stdout } = await scene().computer.exec(
      "find /dev -type b; ls /dev/mem /dev/kmem /dev/port /dev/kmsg /dev/fuse /dev/kvm /dev/net/tun 2>/dev/null",
    );
    assert.equal(stdout, "");
  });
}

function processCases(scene: () => Scene): void {
  test("the host's processes are out of sight and out of reach", async () => {
    const { computer, other } = scene();
    const { stdout } = await computer.exec("ls -d /proc/[0-9]* | wc -l; cat /proc/*/cmdline | tr '\\0' ' '");
    assert.ok(Number(stdout.split("\n")[0]) < 8 && !stdout.includes("54321.9"), stdout);
    await computer.exec(`kill -9 ${other.pid} ${process.pid}; kill -9 -1; true`);
    assert.deepEqual([other.exitCode, other.signalCode], [null, null]);
    assert.equal(processesWith("54321.9").length >= 1, true);
  });
  test("S-68: a command dies with the server, daemons and all", async () => {
    const { computer, home } = scene();
    const seconds = `6${Math.random().toString().slice(2, 9)}`;
    const module = (name: string): string => JSON.stringify(path.join(import.meta.dirname, `../src/computers/${name}.ts`));
    const options = {
      person: "ada",
      mode: computer.mode,
      home: computer.mode === "contained" ? `${home}/.steward/computers/ada` : home,
      workspace: `${home}/.steward/workspace`,
      steward: `${home}/.steward`,
      env: {},
    };
    const script = `const { default: kind } = await import(${module(computer.mode)}); const computer = await kind.open({ ...${JSON.stringify(options)}, hidden: () => [], config: {}, log() {}, limits: () => (${JSON.stringify(plainOptions.limits())}) });
      await computer.exec("setsid sleep ${seconds} & echo up; sleep ${seconds}", { onOutput: (text) => console.log(text) });`;
    const server = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => server.stdout.once("data", resolve));
    while (processesWith(`sleep ${seconds}`).filter((line) => /^\d+ sleep/.test(line)).length < 2)
      await new Promise((resolve) => setTimeout(resolve, 20));
    server.kill("SIGKILL");
    const end = Date.now() + 60_000;
    while (processesWith(seconds).length > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(processesWith(seconds), []);
  });
}

function networkCases(scene: () => Scene): void {
  const connect = (kind: string): string => `use IO::Socket::INET; use IO::Socket::UNIX; my $s = ${kind} or die "refused: $!"; print <$s>`;
  test("no connection leads out: the host's loopback, the network, sockets in files, abstract sockets", async () => {
    const { computer, home, port } = scene();
    const ways = [
      `IO::Socket::INET->new(PeerAddr => "127.0.0.1:${port}", Timeout => 2)`,
      `IO::Socket::INET->new(PeerAddr => "192.0.2.1:80", Timeout => 2)`,
      ...[`${home}/notes/socket`, `${home}/.steward/workspace/socket`, "socket"].map((file) => `IO::Socket::UNIX->new(Peer => "${file}")`),
      `IO::Socket::UNIX->new(Peer => "\\0steward-${process.pid}-${computer.mode}")`,
    ];
    for (const way of ways) {
      const { stdout, stderr } = await call(computer, connect(way));
      assert.deepEqual([stdout, stderr.startsWith("refused: ")], ["", true], `${way}: ${stderr}`);
    }
    assert.equal((await computer.exec("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")).stdout, "lo\n");
  });
  test("S-64: with the network asked for, only the proxy is reached", async () => {
    const { computer, home, port, tunnels } = scene();
    if (computer.mode === "contained") return;
    const ways = [
      `IO::Socket::INET->new(PeerAddr => "127.0.0.1:${port}", Timeout => 2)`,
      `IO::Socket::INET->new(PeerAddr => "169.254.169.254:80", Timeout => 2)`,
      `IO::Socket::UNIX->new(Peer => "${home}/notes/socket")`,
      `IO::Socket::UNIX->new(Peer => "\\0steward-${process.pid}-${computer.mode}")`,
    ];
    for (const way of ways) {
      const { stdout, stderr } = await computer.exec(["perl", "-e", connect(way)], { network: true });
      assert.deepEqual([stdout, stderr.startsWith("refused: ")], ["", true], `${way}: ${stderr}`);
    }
    assert.equal(tunnels.length, 0);
    const proxied = connect('IO::Socket::INET->new(PeerAddr => (split "/", $ENV{http_proxy})[2], Timeout => 2)');
    assert.equal((await computer.exec(["perl", "-e", proxied], { network: true, task: "t" })).stdout, "through the proxy");
    assert.deepEqual(tunnels, ["t"]);
    assert.match((await computer.exec('cat "$SSL_CERT_FILE" | tail -1', { network: true })).stdout, /^authority$/m);
    assert.deepEqual((await computer.exec("exit 7", { network: true })).code, 7);
    assert.deepEqual((await computer.exec(["/no/such"], { network: true })).code, 127);
  });
  test("without having asked for it, a command knows no proxy", async () => {
    const { stdout } = await scene().computer.exec("env; ls /run");
    if (scene().computer.mode === "guarded") assert.doesNotMatch(stdout, /proxy|steward-egress/i);
  });
}

/** Numbers of system calls on this processor. */
const CALLS: Record<string, number> =
  process.arch === "arm64"
    ? {
        mount: 40,
        umount2: 39,
        unshare: 97,
        setns: 268,
        ptrace: 117,
        bpf: 280,
        keyctl: 219,
        perf_event_open: 241,
        process_vm_readv: 270,
        pivot_root: 41,
        chroot: 51,
        clone: 220,
        socket: 198,
      }
    : {
        mount: 165,
        umount2: 166,
        unshare: 272,
        setns: 308,
        ptrace: 101,
        bpf: 321,
        keyctl: 250,
        perf_event_open: 298,
        process_vm_readv: 310,
        pivot_root: 155,
        chroot: 161,
        clone: 56,
        socket: 41,
      };

function kernelCases(scene: () => Scene): void {
  test("S-61: dangerous system calls are refused", async () => {
    const { computer } = scene();
    const same = { io_uring_setup: 425, io_uring_enter: 426, open_tree: 428, fsopen: 430, pidfd_getfd: 438, mount_setattr: 442 };
    const { clone, socket, ...plain } = CALLS as { clone: number; socket: number };
    const lines = Object.entries({ ...plain, ...same }).map(
      ([name, number]) => `$! = 0; my $r = syscall(${number}, 0, 0, 0, 0, 0, 0); print "${name} $r ", $!+0, "\\n";`,
    );
    const special = [
      `$! = 0; my $c = syscall(435, 0, 0); print "clone3 $c ", $!+0, "\\n";`,
      `$! = 0; $c = syscall(${clone}, 0x10000011, 0, 0, 0, 0); print "newuser $c ", $!+0, "\\n";`,
      `$! = 0; $c = syscall(${socket}, 40, 1, 0); print "vsock $c ", $!+0, "\\n";`,
      `$! = 0; my $b = "x"; $c = ioctl(STDIN, 0x5412, $b); print "tiocsti ", $!+0, "\\n";`,
    ];
    const { stdout, stderr } = await call(
      computer,
      [...lines, ...special]
        .map((line) => `{ ${line} }`)
        .join("\n")
        .replace(/\$c = sys/g, "my $c = sys")
        .replace("my my", "my"),
    );
    const expected = [
      ...Object.keys({ ...plain, ...same }).map((name) => `${name} -1 1`),
      "clone3 -1 38",
      "newuser -1 1",
      "vsock -1 97",
      "tiocsti 1",
    ];
    assert.deepEqual([stdout.trim().split("\n"), stderr], [expected, ""]);
  });
  test("S-61: no mount, no namespace, no new root, no other user by any program", async () => {
    const { computer } = scene();
    for (const command of [
      "unshare -Ur true",
      "unshare -m true",
      "mount -t tmpfs none /tmp",
      "umount /proc",
      "nsenter -t 1 -m true",
      "chroot / true",
      "su -c true",
      "setpriv --reuid 0 --clear-groups true",
      "bwrap --ro-bind / / true",
    ])
      assert.ok((await computer.exec(`${command} </dev/null`)).code !== 0, `${command} worked`);
  });
  test("S-61: not root, no capability, no way to gain one: setuid programs gain nothing", async () => {
    const { computer } = scene();
    const { stdout } = await computer.exec("grep -E '^(Uid|Cap...|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '");
    const uid = process.getuid!() === 0 ? 1000 : process.getuid!();
    const none = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}: 0000000000000000`);
    assert.deepEqual(stdout.trim().split("\n"), [`Uid: ${uid} ${uid} ${uid} ${uid}`, ...none, "NoNewPrivs: 1", "Seccomp: 2"]);
    const setuid = await computer.exec(
      'cp /bin/sh sh && chmod 6755 sh && ./sh -p -c \'grep -E "^(Uid|CapEff)" /proc/self/status | tr -s "\\t " " "\'; rm sh',
    );
    assert.equal(setuid.stdout, `Uid: ${uid} ${uid} ${uid} ${uid}\nCapEff: 0000000000000000\n`);
  });
  test("S-61: processes, memory, open files and file size have limits that can't be raised", async () => {
    const { computer } = scene();
    const { stdout } = await computer.exec(
      "ulimit -Hu; ulimit -Hf; ulimit -Hd; ulimit -Hn; ulimit -Hc; ulimit -Hu 999999 2>/dev/null && echo raised",
      { env: {} },
    );
    const { processes, memoryBytes, diskBytes } = plainOptions.limits();
    const own = [`${processes}`, `${diskBytes / 1024}`, `${memoryBytes / 1024}`, "16384", "0"];
    assert.deepEqual(stdout.trim().split("\n"), computer.mode === "contained" ? own : ["2048", "16777216", "8388608", "16384", "0"]);
    const { code, stderr } = await call(computer, 'my $x = "a" x (9 * 1024 ** 3); print length $x');
    assert.ok(code !== 0 && /memory/i.test(stderr), stderr);
    const full = await computer.exec("fallocate -l 2G /tmp/big");
    assert.ok(full.code !== 0 && full.stderr.includes("space"), full.stderr);
  });
}
