// The engine claude: runs Claude Code's program in the person's computer, with Steward's tools and history. Its own tools are shown and logged, and stay in that computer.
import { randomUUID } from "node:crypto";
import type { Engine, EngineHost, EngineKind, Host, Message, Outcome, Turn } from "../core/ports.ts";
import { transcript } from "../core/transcript.ts";
import type { Item, ToolResult, Usage } from "../core/types.ts";
import type { ProgramNeed, Process, Workplace } from "../core/workplace.ts";
import { resultText, shorten } from "../core/history.ts";
import { failureOf, hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { failureIn } from "./claude-failure.ts";
import { type Block, fileId, GO_ON, parted, promptOf, sessionFile } from "./claude-history.ts";
import { itemsOf } from "./claude-reply.ts";
import { argumentsOf, type Beginning, type ClaudeConfig, claudeConfig, environmentOf, initializeOf, offerOf } from "./claude-start.ts";
import { answer, closeCalls, type End, isWorking, say, take, type Talk } from "./claude-talk.ts";
import { type Frame, isRecord, NAME, openLine } from "./claude-wire.ts";
import { aborted, TOOL_MS } from "./frame.ts";
import { ended } from "./lines.ts";

const VERSION = "0.3.329";

export default {
  name: "claude",
  config: claudeConfig,
  wires: ["anthropic"],
  programs: () => [program()],
  open: (host) => ({ name: "claude", run: (turn, to) => run(host, turn, to) }) satisfies Engine,
} satisfies EngineKind<ClaudeConfig>;

/** The package of the kind's own program only: no JavaScript of it runs in Steward. */
const program = (): ProgramNeed => ({
  name: "claude",
  package: `@anthropic-ai/claude-agent-sdk-${process.platform}-${process.arch}`,
  version: VERSION,
  bin: "claude",
  about: "Claude Code, Anthropic's coding agent",
  licence: "Anthropic's commercial terms (not free software)",
});

interface Work {
  engine: EngineHost<ClaudeConfig>;
  turn: Turn;
  host: Host;
  place: Workplace;
  config: ClaudeConfig;
  path: string;
}
/** How the program begins, and with what it is asked. */
interface Attempt {
  from: Beginning;
  prompt: Block[];
  /** What the program's own sum of costs was when it kept this session. */
  cost: number;
}

/** How long a program that was told to stop may take; then all of it is killed. */
const STOP_MS = 500;
/** What it keeps of its session is whole only when it has left by itself. */
const LEAVE_MS = 10_000;

async function run(engine: EngineHost<ClaudeConfig>, turn: Turn, host: Host): Promise<Outcome> {
  try {
    const place = await Promise.race([host.workplace(), aborted(host.signal)]);
    if (place === undefined) return { stop: "cancelled", seen: turn.seen };
    const { path } = await place.program("claude");
    const work: Work = { engine, turn, host, place, path, config: engine.config() };
    const history = [...turn.history, ...(await pending(work))];
    for (const begin of beginnings(work, history)) {
      const attempt = await begin();
      const outcome = attempt && (await once(work, attempt));
      if (outcome) return outcome;
    }
    throw new Error("unreachable");
  } catch (error) {
    if (hasCode(error, "stale")) throw error;
    return {
      stop: host.signal.aborted ? "cancelled" : "failed",
      seen: turn.seen,
      ...(host.signal.aborted ? {} : { error: failureOf(error) }),
    };
  }
}

const UNKNOWN: ToolResult = {
  success: false,
  output: null,
  error: "It is not known whether this ran: Steward was stopped. Check before doing it again.",
};

/** Calls that a restart left open: Steward's are made, or labelled; the program's own can't be gone on with. */
async function pending({ turn, host }: Work): Promise<Message[]> {
  const results: Message[] = [];
  for (const call of turn.pending) {
    const own = turn.tools.some(({ name }) => name === call.tool);
    const result = own ? await host.call(call) : UNKNOWN;
    if (!own) await host.emit({ type: "item.completed", turn: turn.id, item: { id: newId("itm"), kind: "tool", call, result } });
    results.push({ role: "tool", call: call.id, tool: call.tool, result: resultText(result) });
  }
  return results;
}

/** Best first: its own session, Steward's history as a session of its own, the history as text. */
function beginnings(work: Work, history: Message[]): (() => Promise<Attempt | undefined>)[] {
  const { engine, turn, place } = work;
  const file = (id: string): Promise<Uint8Array> => engine.file(turn.session, id);
  const prompt = async (messages: Message[]): Promise<Block[]> => {
    const blocks = await promptOf(messages, file);
    return blocks.length > 0 ? blocks : [{ type: "text", text: GO_ON }];
  };
  const { past, fresh } = parted(shorten(history, turn.window));
  return [
    async () => {
      const known = turn.pending.length === 0 ? kept(turn.resume?.id, place) : undefined;
      return known && { ...known, prompt: await prompt(turn.resume!.fresh) };
    },
    async () => {
      if (past.length === 0) return undefined;
      const id = fileId(turn.session);
      const path = `${place.state}/${FOLDER}/${id}.jsonl`;
      const served = new Set(offerOf(work.config, turn.tools).served.map(({ name }) => name));
      await place.write(path, Buffer.from(await sessionFile(past, { id, cwd: place.cwd, file, served })));
      return { from: { resume: path }, prompt: await prompt(fresh), cost: 0 };
    },
    async () => {
      const before = transcript(past);
      const first: Block[] = before === "" ? [] : [{ type: "text", text: before }];
      return { from: { id: randomUUID() }, prompt: [...first, ...(await prompt(fresh))], cost: 0 };
    },
  ];
}

const FOLDER = "steward";
const SESSION = /^(?<file>file:)?(?<id>[0-9a-f-]{36})(?: (?<cost>[\d.e-]+))?$/;

/** What `Outcome.resume` says: which session, and what it has cost, as the program sums up over a session's life. */
function kept(text: string | undefined, { state }: Workplace): Omit<Attempt, "prompt"> | undefined {
  const { file, id, cost } = SESSION.exec(text ?? "")?.groups ?? {};
  if (id === undefined) return undefined;
  return { from: { resume: file === undefined ? id : `${state}/${FOLDER}/${id}.jsonl` }, cost: Number(cost ?? 0) };
}

// ---- One program

/** Undefined: it could not begin like this, and nothing has happened. */
async function once(work: Work, attempt: Attempt): Promise<Outcome | undefined> {
  const { turn, host, place, config } = work;
  const offer = offerOf(config, turn.tools);
  const argv = argumentsOf(work.path, turn, { config, offer, from: attempt.from });
  const started = await place.start(argv, { cwd: place.cwd, env: environmentOf(place, turn, config) });
  const talk: Talk = {
    ...{ turn, host, offer, seen: turn.seen, begun: false, told: 0, ids: new Set(), heard: Date.now(), known: new Map(), open: new Set() },
    ...{ order: Promise.resolve(), ended: Promise.withResolvers() },
    prompt: (messages) => promptOf(messages, (id) => work.engine.file(turn.session, id)),
  };
  talk.ended.promise.catch(() => {});
  talk.line = openLine(started, (question) => answer(talk, question));
  const stopWatching = watch(work, talk, started);
  try {
    const read = listen(talk, started);
    talk.line.ask(initializeOf(turn, offer)).catch((error: unknown) => talk.ended.resolve({ failure: failureOf(error) }));
    await say(talk, attempt.prompt).catch(() => {}); // it has ended, which the reader sees
    const end = await talk.ended.promise;
    if (attempt.from.resume !== undefined && !talk.begun && !end.silent && !host.signal.aborted) return undefined;
    const clean = await leave(talk, started, host.signal.aborted || end.result === undefined);
    await read;
    return await outcome(work, talk, { ...end, attempt, clean });
  } finally {
    stopWatching();
    await started.kill();
  }
}

async function listen(talk: Talk, started: Process): Promise<void> {
  try {
    for await (const frame of talk.line!.frames) take(talk, frame);
    const { code } = await started.exited;
    talk.ended.resolve({ failure: failureOf(ended(NAME, code, started.stderr())) });
  } catch (error) {
    if (hasCode(error, "stale")) talk.ended.reject(error);
    else talk.ended.resolve({ failure: failureOf(error) });
  }
}

/** A stop by the person, and a program that gives no sign of life. Returns how to end the watching. */
function watch({ host, place, config }: Work, talk: Talk, started: Process): () => void {
  const timers: NodeJS.Timeout[] = [];
  const stop = (): void => {
    talk.line!.ask({ subtype: "interrupt", cancel_queued: true }).catch(() => {});
    timers.push(setTimeout(() => talk.ended.resolve({}), STOP_MS));
  };
  if (host.signal.aborted) stop();
  else host.signal.addEventListener("abort", stop, { once: true });
  const look = (): void => {
    if (place.waiting?.()) talk.heard = Date.now();
    // Its own tools have limits of their own; a question to the person has the question's.
    const limit = config.silent_seconds * 1000 + (isWorking(talk) ? TOOL_MS : 0);
    if (talk.open.size > 0 || Date.now() - talk.heard < limit) return;
    const message = `${NAME} gave no sign of life for ${Math.round(limit / 1000)} seconds`;
    talk.ended.resolve({ failure: { code: "unavailable", message }, silent: true });
    void started.kill();
  };
  timers.push(setInterval(look, Math.min(1000, config.silent_seconds * 250)));
  return () => {
    host.signal.removeEventListener("abort", stop);
    for (const timer of timers) clearTimeout(timer);
  };
}

/** Ends the program, by its own way when it is well: it then keeps its session. True when it did. */
async function leave(talk: Talk, started: Process, force: boolean): Promise<boolean> {
  started.end();
  const late = new Promise<{ code: number }>((resolve) => setTimeout(() => resolve({ code: -1 }), force ? 0 : LEAVE_MS));
  const { code } = await Promise.race([started.exited, late]);
  await started.kill();
  await Promise.allSettled(talk.open); // a tool of Steward's that is at work
  await talk.order;
  return code === 0;
}

async function outcome(
  work: Work,
  talk: Talk,
  { result, failure, attempt, clean }: End & { attempt: Attempt; clean: boolean },
): Promise<Outcome> {
  const { turn, host, place } = work;
  const cancelled = host.signal.aborted;
  const last: Item[] = talk.reply ? itemsOf(talk.reply) : [];
  const total = costOf(result);
  const usage = usageOf(place.used(), total === undefined ? undefined : total >= attempt.cost ? total - attempt.cost : total);
  await closeCalls(talk, cancelled ? "the turn was stopped" : "the program ended");
  const rest = { seen: talk.seen, usage, last };
  if (cancelled) return { ...rest, stop: "cancelled" };
  const limited = result?.subtype === "error_max_turns";
  if (limited) last.push(stopped(turn.rounds));
  else if (result?.subtype !== "success" || result.is_error === true)
    return { ...rest, stop: "failed", error: place.fault() ?? failure ?? failureIn(result ?? { type: "" }) };
  const resume = clean && !talk.mixed ? keptAs(talk, attempt, total) : undefined;
  return { ...rest, stop: limited ? "limit" : stopOf(result), ...(resume === undefined ? {} : { resume }) };
}

const stopped = (rounds: number): Item => ({
  id: newId("itm"),
  kind: "text",
  text: `I stopped after ${rounds} rounds of tool calls without finishing. Say "go on" to continue.`,
});

const stopOf = (result: Frame | undefined): Outcome["stop"] =>
  result?.stop_reason === "max_tokens" ? "length" : result?.stop_reason === "refusal" ? "refusal" : "end";

function keptAs({ session }: Talk, { from }: Attempt, cost: number | undefined): string | undefined {
  if (session === undefined || session === "") return undefined;
  return `${from.resume?.includes("/") ? "file:" : ""}${session}${cost ? ` ${cost}` : ""}`;
}

/** What it has cost by the program's own prices; undefined where it does not know the model's. */
function costOf(result: Frame | undefined): number | undefined {
  const models = isRecord(result?.modelUsage) ? Object.values(result.modelUsage) : [];
  if (models.length === 0 || models.some((one) => isRecord(one) && one.costBasis === "unknown")) return undefined;
  return typeof result?.total_cost_usd === "number" ? result.total_cost_usd : undefined;
}

/** It has no model but the door's: where nothing went by that, it has cost nothing. */
const usageOf = (used: Usage, cost: number | undefined): Usage => ({
  ...used,
  ...(cost === undefined || used.output === 0 ? {} : { cost }),
});
