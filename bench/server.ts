// Starts a Steward of its own on a temporary home, measures its processor time and memory, and talks to its socket.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { Asked } from "./model.ts";

export const root = join(import.meta.dirname, "..");
export const now = (): number => performance.timeOrigin + performance.now();
export const median = (values: number[]): number => quantile(values, 0.5);
export const quantile = (values: number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

export interface Endpoint {
  url: string;
  /** What came since the last call. */
  asked(): Promise<Asked[]>;
  stop(): void;
}

export function startModel(): Promise<Endpoint> {
  const child = fork(join(import.meta.dirname, "model.ts"), { stdio: "ignore" });
  return new Promise((resolve) => {
    child.once("message", (port) => {
      const url = `http://127.0.0.1:${port as number}`;
      resolve({
        url: `${url}/v1`,
        asked: async () => (await (await fetch(`${url}/asked`)).json()) as Asked[],
        stop: () => child.disconnect(),
      });
    });
  });
}

export interface Server {
  url: string;
  token: string;
  pid: number;
  home: string;
  /** Milliseconds from the launcher's start until it answered. */
  readyMs: number;
  /** Seconds of processor time since its start. */
  cpu(): number;
  /** Resident bytes. */
  resident(): number;
  stop(): Promise<void>;
}

export function newHome(model?: string): string {
  const home = mkdtempSync(join(tmpdir(), "steward-bench-"));
  const config = model ? { model: "compatible/bench", providers: { compatible: { baseUrl: model } } } : { model: "builtin/rules" };
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  return home;
}

export const environment = (home: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  STEWARD_HOME: home,
  STEWARD_KEYCHAIN: "off",
  OPENAI_API_KEY: "bench",
  CI: "1",
});

export async function startServer(home: string): Promise<Server> {
  const begun = now();
  const child = spawn(join(root, "steward"), ["start", "--no-open", "--port", "0"], { env: environment(home), stdio: "ignore" });
  const run = await until(() => readRun(home), child);
  await until(async () => ((await fetch(`${run.url}/api/health`)).ok ? true : undefined), child);
  const readyMs = now() - begun;
  return {
    ...run,
    home,
    readyMs,
    cpu: () => cpuOf(run.pid),
    resident: () => residentOf(run.pid),
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}

export const discard = (home: string): void => rmSync(home, { recursive: true, force: true });

function readRun(home: string): { url: string; token: string; pid: number } | undefined {
  const run = JSON.parse(readFileSync(join(home, "run.json"), "utf8")) as { url: string; token: string; pid: number };
  return run.url === "" ? undefined : run;
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>, child: ChildProcess): Promise<T> {
  for (let tries = 0; tries < 3000; tries++) {
    if (child.exitCode !== null) throw new Error(`steward start ended with ${child.exitCode}`);
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch {
      // not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("steward start did not answer within 15 s");
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const residentOf = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

// ---- One socket, one conversation

export interface Timed {
  sentAt: number;
  firstAt: number;
  doneAt: number;
}
export interface Talker {
  say(text: string): Promise<Timed>;
  close(): void;
}

export async function talker(server: Server, conversation: string): Promise<Talker> {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/chat`, { headers: { authorization: `Bearer ${server.token}` } });
  const waiting: { turn?: { time: Timed; done: (time: Timed) => void } } = {};
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("message", (data: Buffer) => {
    const { turn } = waiting;
    const { type } = JSON.parse(String(data)) as { type: string };
    if (!turn) return;
    if (type === "chunk") turn.time.firstAt ||= now();
    if (type !== "done") return;
    turn.time.doneAt = now();
    delete waiting.turn;
    turn.done(turn.time);
  });
  return {
    say: (text) =>
      new Promise((resolve) => {
        waiting.turn = { time: { sentAt: now(), firstAt: 0, doneAt: 0 }, done: resolve };
        socket.send(JSON.stringify({ type: "message", content: text, conversation_id: conversation }));
      }),
    close: () => socket.close(),
  };
}

export async function newConversation(server: Server): Promise<string> {
  const response = await fetch(`${server.url}/api/conversations/new`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.token}` },
  });
  return ((await response.json()) as { conversation_id: string }).conversation_id;
}
