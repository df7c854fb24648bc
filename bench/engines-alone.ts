// The programs of engines as anybody runs them, without Steward, before the same model server: first words, memory of the whole tree, first request.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type ModelServer, modelServer } from "../src/testing/model-server.ts";
import type { RealPrograms } from "../test/programs.ts";
import { below, residentOf } from "./processes.ts";
import { median, now } from "./server.ts";

export type Add = (measure: string, value: number, unit: string, aim?: { atMost?: number }) => void;
export const TURNS = 5;

interface Place {
  program: string;
  home: string;
  model: ModelServer;
  env: NodeJS.ProcessEnv;
}
interface Times {
  first: number;
  later: number[];
}

export async function alone(add: Add, real: RealPrograms): Promise<void> {
  for (const [name, program, run] of [
    ["claude -p", "claude", claude],
    ["opencode run", "opencode", opencodeRun],
    ["opencode serve", "opencode", opencodeServe],
    ["claude-agent-acp", "claude-agent-acp", acp],
  ] as const) {
    const model = await modelServer({ script: [{ do: "text", text: "Hello." }] });
    const home = mkdtempSync(join(tmpdir(), "steward-bench-"));
    const memory = watchMemory(() => below([process.pid]));
    const { first, later } = await run({ program: real.path[program]!, home, model, env: environment(home, model) });
    add(`${name} alone: first words, first time`, first, "ms");
    add(`${name} alone: first words, later`, median(later), "ms");
    add(`${name} alone: memory of its processes, resident`, memory() / 1e6, "MB");
    sizes(add, `${name} alone`, model);
    await model.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Of the first request that has tools: a title may be asked for before. */
export function sizes(add: Add, name: string, { requests }: ModelServer, aim: { atMost?: number } = {}): void {
  const { body } = requests.find((request) => (request.body.tools?.length ?? 0) > 0) ?? requests[0]!;
  const bytes = Buffer.byteLength(JSON.stringify(body));
  add(`${name}: first request for "hi"`, bytes, "bytes");
  add(`${name}: first request, four characters a token`, bytes / 4, "tokens", aim);
}

/** Looks ten times a second. Stops and returns the most bytes that were resident. */
export function watchMemory(pids: () => number[]): () => number {
  const seen = { most: 0 };
  const timer = setInterval(() => {
    seen.most = Math.max(
      seen.most,
      pids().reduce((sum, pid) => sum + residentOf(pid), 0),
    );
  }, 100);
  return () => (clearInterval(timer), seen.most);
}

/** Nothing is looked up outside, so that the network is not measured. */
function environment(home: string, { url }: ModelServer): NodeJS.ProcessEnv {
  const model = { npm: "@ai-sdk/openai-compatible", options: { baseURL: `${url}/v1`, apiKey: "sk-bench" }, models: { "test-1": {} } };
  const config = { provider: { bench: model }, model: "bench/test-1", small_model: "bench/test-1", permission: { "*": "allow" } };
  return {
    ...{ PATH: process.env.PATH, HOME: home, IS_SANDBOX: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
    ...{ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "sk-bench", ANTHROPIC_MODEL: "test-1", ANTHROPIC_SMALL_FAST_MODEL: "test-1" },
    ...{ OPENCODE_CONFIG_CONTENT: JSON.stringify(config), OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1" },
    ...{ OPENCODE_DISABLE_DEFAULT_PLUGINS: "1", npm_config_fetch_retries: "0" },
  };
}

type Child = ChildProcessByStdio<Writable, Readable, null>;
const start = ({ program, env, home }: Place, args: string[]): Child =>
  spawn(program, args, { env, cwd: home, stdio: ["pipe", "pipe", "ignore"] });

async function over(child: Child): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
}

/** A process for each turn. Until a line of its output holds `word`. */
async function eachTime(place: Place, args: string[], word: string): Promise<Times> {
  const times: number[] = [];
  for (let turn = 0; turn <= TURNS; turn++) {
    const began = now();
    const child = start(place, args);
    child.stdin.end();
    for await (const line of createInterface({ input: child.stdout }))
      if (line.includes(word) && times.length === turn) times.push(now() - began);
    await over(child);
    if (times.length === turn) throw new Error(`${place.program} ${args.join(" ")} said nothing and ended with ${child.exitCode}`);
  }
  return { first: times[0]!, later: times.slice(1) };
}

const claude = (place: Place): Promise<Times> =>
  eachTime(place, ["-p", "hi", "--output-format", "stream-json", "--verbose"], '"assistant"');
const opencodeRun = (place: Place): Promise<Times> => eachTime(place, ["run", "--format", "json", "hi"], '"type":"text"');

/** One server, one session; the first time with its start. */
async function opencodeServe(place: Place): Promise<Times> {
  const began = now();
  const server = start(place, ["serve", "--port", "0"]);
  const rows = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const address = /http:\/\/\S+/;
  let row = await rows.next();
  while (!row.done && !address.test(row.value)) row = await rows.next();
  const url = address.exec(String(row.value))![0];
  const ask = async (path: string, body: object): Promise<{ id: string }> => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await response.json()) as { id: string };
  };
  const { id } = await ask("/session", {});
  const times: number[] = [];
  for (let turn = 0; turn <= TURNS; turn++) {
    const stop = new AbortController();
    const events = await fetch(`${url}/event`, { signal: stop.signal });
    const sent = turn === 0 ? began : now();
    const words = firstOf(events, /"type":"message\.part\.[^]*Hello/);
    await ask(`/session/${id}/message`, { parts: [{ type: "text", text: "hi" }] });
    times.push((await words) - sent);
    stop.abort();
  }
  server.kill();
  await over(server);
  return { first: times[0]!, later: times.slice(1) };
}

async function firstOf(events: Response, pattern: RegExp): Promise<number> {
  let text = "";
  for await (const piece of events.body!.pipeThrough(new TextDecoderStream())) if (pattern.test((text += piece))) return now();
  throw new Error("The events ended");
}

/** One process, one session; the first time with its start. */
async function acp(place: Place): Promise<Times> {
  const began = now();
  const agent = start(place, []);
  const waiting = new Map<number, (message: { result: { sessionId: string } }) => void>();
  const heard: { first?: number } = {};
  createInterface({ input: agent.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const message = JSON.parse(line) as { id?: number; result: { sessionId: string } };
    if (line.includes('"agent_message_chunk"')) heard.first ??= now();
    if (message.id !== undefined) waiting.get(message.id)?.(message);
  });
  const ask = (method: string, params: object): Promise<{ result: { sessionId: string } }> => {
    const id = waiting.size;
    const answer = new Promise<{ result: { sessionId: string } }>((resolve) => waiting.set(id, resolve));
    agent.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return answer;
  };
  await ask("initialize", { protocolVersion: 1, clientCapabilities: {} });
  const { sessionId } = (await ask("session/new", { cwd: place.home, mcpServers: [] })).result;
  const times: number[] = [];
  for (let turn = 0; turn <= TURNS; turn++) {
    delete heard.first;
    const sent = turn === 0 ? began : now();
    await ask("session/prompt", { sessionId, prompt: [{ type: "text", text: "hi" }] });
    times.push(heard.first! - sent);
  }
  agent.kill();
  await over(agent);
  return { first: times[0]!, later: times.slice(1) };
}
