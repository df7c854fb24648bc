// A computer of one's own on macOS: the supervisor under sandbox-exec, with nothing but the person's folders. macOS mounts nothing anew,
// so /data and /return are names: file members, folders and arguments that bear them are led to the real place, which commands have as $DATA and $RETURN.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { promises as fs } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Computer, ComputerOptions, FileInfo, ProcessInfo } from "../core/computer.ts";
import { StewardError } from "../std/error.ts";
import { inLane, type Lanes } from "../std/lanes.ts";
import { once } from "../std/once.ts";
import { watchDisk } from "./disk.ts";
import { duplexOf } from "./duplex.ts";
import { environmentOf, shellPath } from "./environment.ts";
import { engineFolders } from "./local.ts";
import { FOLDERS, USER, makeFolders, runningOf } from "./own.ts";
import { openRelay, type Relay, trustVariables } from "./relay.ts";
import { findPython, type Sandbox } from "./sandbox.ts";
import { ownArguments } from "./seatbelt-profile.ts";
import { supervised } from "./supervised.ts";
import { supervisorStart } from "./supervisor.ts";

const EXEC = "/usr/bin/sandbox-exec";
const NAMED = ["data", "return", "state"] as const;
const LOOK_MS = 5000;
const LEAVE_MS = 2000;

/** `exec`: the program that builds the walls. */
export async function openSeatbelt(options: ComputerOptions, exec: string = EXEC): Promise<Computer> {
  const [host, shell, { programs }] = await Promise.all([makeFolders(options.home), shellPath(), engineFolders(options)]);
  const at = (name: string): string => path.join(host, name);
  const [home, tools, temporary] = [at("home"), at("state/tools"), at("tmp")];
  const plain = environmentOf({ home, user: USER, shell }, options.env);
  const env = { ...plain, PATH: `${tools}/bin:${plain["PATH"]}`, TMPDIR: temporary, DATA: at("data"), RETURN: at("return") };
  const way: { open?: Promise<Relay | undefined> } = {};
  const relay = once(() => (way.open = Promise.resolve(options.egress && openRelay(options.egress, { tcp: true }))));
  const { rows, ...sandbox } = openWalls(options, { host, temporary, env, shell, exec, relay, programs });
  const disk = watchDisk({
    folders: [...FOLDERS, "tmp"].map(at),
    limit: () => options.limits().diskBytes,
    running: () => sandbox.running(),
    over: () => sandbox.kill(),
    log: options.log,
  });
  const { egress: _, ...own } = options; // the way out is the relay's port, not a tunnel of the supervisor's
  const computer = supervised(own, {
    ...(programs === undefined ? {} : { programs }),
    ...{ home, workspace: home, platform: process.platform, roots: NAMED.map(at), shell, env, tools },
    notifications: at("state/notifications"),
    ...runningOf({ options, sandbox, disk, host }),
    async dispose() {
      disk.close();
      await sandbox.kill();
      await way.open?.then((open) => open?.close()).catch(() => {});
    },
  });
  return named(computer, { host, rows, relay, variables: (port, task) => options.egress?.variables(port, task) ?? {} });
}

interface Walls {
  host: string;
  temporary: string;
  env: Record<string, string>;
  shell: string;
  exec: string;
  programs: string | undefined;
  relay(): Promise<Relay | undefined>;
}

function openWalls(options: ComputerOptions, walls: Walls): Sandbox & { rows(): Promise<ProcessInfo[]> } {
  const held: { child?: ChildProcess | undefined } = {};
  const lanes: Lanes = new Map();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => inLane(lanes, "sandbox", act);
  const rows = async (): Promise<ProcessInfo[]> => (held.child?.pid === undefined ? [] : below(held.child.pid));
  const kill = async (): Promise<void> => {
    const { child } = held;
    if (child) await end(child, await rows());
    held.child = undefined;
    await fs.rm(walls.temporary, { recursive: true, force: true });
  };
  const connect = async (): Promise<ReturnType<typeof duplexOf>> => {
    await kill();
    await makeFolders(walls.host);
    await fs.mkdir(walls.temporary, { mode: 0o700 });
    const child = await start(options, walls);
    held.child = child;
    const stream = duplexOf(child);
    const timer = setInterval(() => void tooLarge(options, rows).then((large) => (large ? inTurn(kill) : undefined)), LOOK_MS).unref();
    const over = (): void => {
      clearInterval(timer);
      if (held.child === child) held.child = undefined;
      stream.destroy();
    };
    child.once("error", over).once("exit", over);
    return stream;
  };
  return {
    rows,
    running: () => held.child !== undefined,
    kill: (then = async () => {}) => inTurn(() => kill().then(then)),
    connect: () => inTurn(connect),
  };
}

/** What a process may take is bounded by the shell that becomes it. The limit on processes is the account's on macOS, so that others' count. */
async function start({ limits }: ComputerOptions, { host, temporary, env, shell, exec, relay, programs }: Walls): Promise<ChildProcess> {
  const [python, way, all] = await Promise.all([findPython(), relay(), table()]);
  const { args, env: own } = supervisorStart("stdio");
  const { processes, diskBytes } = limits();
  const bounds = `ulimit -c 0 -n 4096 -f ${Math.ceil(diskBytes / 512)} -u ${all.length + processes} 2>/dev/null; exec "$@"`;
  const profile = ownArguments({
    folder: host,
    temporary,
    ...(way ? { port: way.port, trust: way.trust } : {}),
    ...(programs === undefined ? {} : { programs }),
  });
  return spawn(exec, [...profile, shell, "-c", bounds, "limits", python, ...args], {
    cwd: path.join(host, "home"),
    env: { ...env, ...own },
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
}

/** The supervisor ends what it started; what is left of it and below it after that is killed. */
async function end(child: ChildProcess, seen: ProcessInfo[]): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await Promise.race([gone, delay(LEAVE_MS)]);
  }
  for (const { pid, startedAt } of seen)
    if (pid !== child.pid && (await table()).some(({ info }) => info.pid === pid && Math.abs(info.startedAt - startedAt) < 2000))
      strike(pid);
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await gone;
  }
}

function strike(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // gone already
}

async function tooLarge({ limits, log }: ComputerOptions, rows: () => Promise<ProcessInfo[]>): Promise<boolean> {
  const used = (await rows().catch(() => [])).reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  if (used <= limits().memoryBytes) return false;
  log("warning", "A computer took more memory than it may, so it was ended", { bytes: used });
  return true;
}

interface Row {
  parent: number;
  info: ProcessInfo;
}

async function table(): Promise<Row[]> {
  const asked = ["-Ao", "pid=,ppid=,pcpu=,rss=,etime=,command="];
  const { stdout } = await promisify(execFile)("/bin/ps", asked, { maxBuffer: 2 ** 26, env: { LC_ALL: "C" } });
  const now = Date.now();
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, cpu, memory, days = "0", hours = "0", minutes, seconds, command] =
      /^\s*(\d+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined) return [];
    const age = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
    const info = { pid: Number(pid), cpuPercent: Number(cpu), memoryBytes: Number(memory) * 1024, startedAt: now - age * 1000 };
    return [{ parent: Number(parent), info: { ...info, command: command!.slice(0, 500) } }];
  });
}

/** The process and all below it. */
async function below(root: number): Promise<ProcessInfo[]> {
  const all = await table();
  const ours = new Set([root]);
  for (let size = 0; size !== ours.size;) {
    size = ours.size;
    for (const { parent, info } of all) if (ours.has(parent)) ours.add(info.pid);
  }
  const found = all.filter(({ info }) => ours.has(info.pid)).map(({ info }) => info);
  return found.map((one) => (one.pid === root ? { ...one, command: "supervisor" } : one));
}

interface Names {
  host: string;
  rows(): Promise<ProcessInfo[]>;
  relay(): Promise<Relay | undefined>;
  variables(port: number, task?: string): Record<string, string>;
}

/** The same computer, in which /data, /return and /state are the person's folders, and commands know the way out. */
function named(computer: Computer, { host, rows, relay, variables }: Names): Computer {
  const real = (given: string): string => given.replace(/^\/+(data|return|state)(?=\/|$)/, `${host}/$1`);
  const told = (info: FileInfo): FileInfo => {
    const name = NAMED.find((one) => info.path === `${host}/${one}` || info.path.startsWith(`${host}/${one}/`));
    return name ? { ...info, path: info.path.slice(host.length) } : info;
  };
  const safe = /^[\w./@+-]+$/.test(host);
  const line = (text: string): string =>
    safe ? text.replace(/(^|[\s"'=:(<>|&;])\/(data|return)(?=$|[/\s"';:)|&<>])/g, `$1${host}/$2`) : text;
  const around = async ({ cwd, env, task }: { cwd?: string; env?: Record<string, string>; task?: string }): Promise<object> => {
    const way = await relay();
    const out = way ? { ...variables(way.port, task), ...trustVariables(way.trust) } : {};
    return { ...(cwd === undefined ? {} : { cwd: real(cwd) }), env: { ...env, ...out } };
  };
  const { machine } = computer;
  if (!machine) throw new StewardError("internal", "A computer of one's own is a machine");
  return {
    ...computer,
    exec: async (command, how = {}) =>
      computer.exec(typeof command === "string" ? line(command) : command.map(real), { ...how, ...(await around(how)) }),
    shell: async (asked) =>
      computer.shell({ ...asked, ...(asked.command ? { command: asked.command.map(real) } : {}), ...(await around(asked)) }),
    watch: (folder, changed) => computer.watch(real(folder), changed),
    stat: async (given) => computer.stat(real(given)).then((info) => info && told(info)),
    read: (given, range) => computer.read(real(given), range),
    write: (given, bytes) => computer.write(real(given), bytes),
    list: async (given, most) => (await computer.list(real(given), most)).map(told),
    makeFolder: (given) => computer.makeFolder(real(given)),
    move: (from, to) => computer.move(real(from), real(to)),
    copy: (from, to) => computer.copy(real(from), real(to)),
    remove: (given) => computer.remove(real(given)),
    machine: {
      ...machine,
      processes: rows,
      state: async () => usedBy(await machine.state(), await rows()),
    },
  };
}
type State = Awaited<ReturnType<NonNullable<Computer["machine"]>["state"]>>;

function usedBy(state: State, rows: ProcessInfo[]): State {
  if (state.state !== "running") return state;
  const sum = (of: (row: ProcessInfo) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    ...state,
    usage: { memoryBytes: sum((row) => row.memoryBytes), cpuPercent: sum((row) => row.cpuPercent), processes: rows.length },
  };
}
