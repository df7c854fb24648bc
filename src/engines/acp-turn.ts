// One turn of an agent that speaks the Agent Client Protocol: started for it, its own session gone on with where it can, ended with it.
import { written } from "../core/transcript.ts";
import type { Failure, Part, Stop } from "../core/types.ts";
import type { Process } from "../core/workplace.ts";
import { StewardError } from "../std/error.ts";
import { oneLine, visible } from "../std/text.ts";
import { type Agent, filled } from "./acp-agents.ts";
import { type Calls, openCalls, planOf } from "./acp-calls.ts";
import { type Answers, connect, type Fields, fieldsOf, RpcFailure } from "./acp-connection.ts";
import { openSession, resumable, type Session, START_MS, within } from "./acp-session.ts";
import { asked, partsOf } from "./asked.ts";
import { aborted, asError, type Ended, type Frame, images, newFault, watch } from "./frame.ts";

/** How long a cancelled agent may take to end its session well. */
const GRACE_MS = 500;
const STEER_MS = 500;
/** Words of an agent may come after the call that they were said before: so long a silence says that there are none. */
const QUIET_MS = 250;
const MOST_QUIET_MS = 1500;

/** What comes before `live` is told again from an earlier session: it is in the log. */
interface Heard {
  live: boolean;
  /** Epoch milliseconds of the newest words. */
  at: number;
  asking: number;
  /** Resolves when it has made more calls than it may. */
  full: PromiseWithResolvers<undefined>;
  /** Something was not allowed: some agents then stop. */
  refused: boolean;
  /** What it said instead of failing. */
  failure?: string;
  /** US dollars since the session began: believed of one that has an account of its own, as the owner says. */
  cost?: number;
}
export async function runAgent(frame: Frame, agent: Agent, idleMs: number): Promise<Ended> {
  const process = await start(frame, agent);
  const heard: Heard = { live: false, at: 0, asking: 0, refused: false, full: Promise.withResolvers() };
  const calls = openCalls(frame.record, new Set(frame.turn.tools.map(({ name }) => name)), (hurry) => quiet(heard, hurry));
  const connection = connect(process, agent.name, answers(frame, agent, { heard, calls }));
  const [asking, working] = [() => heard.asking > 0, () => frame.record.running() > 0];
  const watched = watch(frame.place, { name: agent.name, idleMs, heard: connection.heard, asking, working });
  const over = Promise.race([connection.broken, watched.failed, calls.failed, aborted(frame.host.signal)]);
  let well = false;
  try {
    const session = await Promise.race([openSession(frame, agent, connection), over]);
    if (session === undefined) return { stop: "cancelled" };
    const ended = await talk(frame, session, { over, heard, calls });
    const { cost } = heard;
    well = ended.stop === "end";
    return {
      ...ended,
      ...(session.fresh && agent.account !== undefined && cost !== undefined ? { cost } : {}),
      ...resumable(agent, session, ended),
    };
  } finally {
    watched.stop();
    calls.close();
    if (well) await leaves(process);
    await process.kill();
  }
}

/** It may still be writing down what was said last, for the next turn. */
async function leaves(process: Process): Promise<void> {
  process.end();
  await Promise.race([process.exited, new Promise((resolve) => setTimeout(resolve, GRACE_MS))]);
}

async function start({ place, turn }: Frame, agent: Agent): Promise<Process> {
  const fill = (text: string): string => filled(text, place, turn.model);
  const [first = "", ...rest] = agent.command;
  const path = agent.package === undefined ? first : (await place.program(first)).path;
  for (const [name, text] of Object.entries(agent.files)) await place.write(`${place.state}/${name}`, new TextEncoder().encode(fill(text)));
  const env = Object.fromEntries(
    Object.entries({ ...(place.mode === "full" ? agent.bare : {}), ...agent.env }).map(([name, text]) => [name, fill(text)]),
  );
  return place.start([path, ...rest.map(fill)], { cwd: place.cwd, env: { ...place.doors.env, ...env } });
}

// ---- What the agent says

/** Once the words have an end. */
async function quiet(heard: Heard, hurry: AbortSignal): Promise<void> {
  const began = Date.now();
  while (!hurry.aborted && Date.now() - Math.max(heard.at, began) < QUIET_MS && Date.now() - began < MOST_QUIET_MS)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

function answers({ turn, host, place, record }: Frame, agent: Agent, { heard, calls }: { heard: Heard; calls: Calls }): Answers {
  const [noise, failure] = [agent.noise, agent.failure].map((pattern) => (pattern === undefined ? undefined : new RegExp(pattern)));
  const permission = async ({ toolCall, options }: Fields): Promise<Fields> => {
    const { own, tool, input, title } = await calls.asked(fieldsOf(toolCall));
    const { allowed } = own ? { allowed: true } : await host.permit({ tool, input, about: oneLine(title, 200) });
    const chosen = optionFor(options, allowed);
    heard.refused ||= !allowed;
    if (host.signal.aborted || chosen === undefined) return { outcome: { outcome: "cancelled" } };
    return { outcome: { outcome: "selected", optionId: chosen.optionId } };
  };
  return {
    request(method, params) {
      if (method !== "session/request_permission") return undefined;
      heard.asking++;
      return permission(params).finally(() => heard.asking--);
    },
    async notice(method, params) {
      if (method !== "session/update" || !heard.live) return;
      const { sessionUpdate: kind, content, messageId, entries, cost, ...more } = fieldsOf(params.update);
      const { type, text } = fieldsOf(content);
      const key = typeof messageId === "string" ? messageId : "";
      const wrong = typeof text === "string" && failure?.test(text) === true && place.used().output === 0;
      if (wrong && kind === "agent_message_chunk") heard.failure = oneLine(text, 500);
      const said = typeof text === "string" && !wrong && noise?.test(text) !== true ? text : "";
      if (said !== "") heard.at = Date.now();
      if (kind === "agent_message_chunk" && type === "text") record.say("text", key, said);
      if (kind === "agent_thought_chunk" && type === "text") record.say("thinking", key, said);
      if (kind === "tool_call" || kind === "tool_call_update") await calls.take({ ...more, content, sessionUpdate: kind });
      if (record.calls() > turn.rounds) heard.full.resolve(undefined);
      if (kind === "plan") await record.plan(planOf(entries));
      const { amount, currency } = fieldsOf(cost);
      if (kind === "usage_update" && typeof amount === "number" && currency === "USD") heard.cost = amount;
    },
  };
}

function optionFor(options: unknown, allowed: boolean): Fields | undefined {
  const all = (Array.isArray(options) ? (options as unknown[]) : []).map(fieldsOf);
  const kinds = allowed ? ["allow_once", "allow_always"] : ["reject_once", "reject_always"];
  return kinds.flatMap((kind) => all.filter((option) => option.kind === kind))[0];
}

// ---- The turn

const STOPS: Readonly<{ [reason: string]: Stop }> = {
  end_turn: "end",
  max_tokens: "length",
  max_turn_requests: "limit",
  refusal: "refusal",
};

interface Talk {
  over: Promise<undefined>;
  heard: Heard;
  calls: Calls;
}

async function talk(frame: Frame, session: Session, { over, heard, calls }: Talk): Promise<Ended> {
  const { host, place, record } = frame;
  const { id: sessionId, connection } = session;
  const faulty = newFault(place);
  heard.live = true;
  let prompt = await opening(frame, session);
  for (;;) {
    const answer = connection.request("session/prompt", { sessionId, prompt });
    const steering = steer(frame, session);
    const result = await Promise.race([answer, over, heard.full.promise])
      .catch((error: unknown) => Promise.reject(refusal(error, place.fault())))
      .finally(steering.stop);
    if (result === undefined) return stopped(session, answer, host.signal.aborted ? "cancelled" : "limit");
    await Promise.race([calls.settled(), over]);
    const nothing = place.used().output === 0;
    const error = faulty() ?? (nothing ? place.fault() : undefined);
    // Some agents end well and give the error as their words.
    if (error !== undefined) return { stop: "failed", error, mute: nothing };
    if (nothing && heard.failure !== undefined) throw new StewardError("unavailable", `The agent could not go on: ${heard.failure}`);
    const stop = heard.refused && result.stopReason === "cancelled" ? "end" : STOPS[String(result.stopReason)];
    if (stop === undefined) throw new StewardError("unavailable", `The agent stopped by itself (${oneLine(String(result.stopReason))})`);
    const news = stop === "end" ? [...steering.left, ...partsOf(await record.steer())] : [];
    if (news.length === 0) return { stop };
    prompt = await blocks(frame, session, news);
  }
}

/** What it kept of the turn is believed only when it ended it well. */
async function stopped({ id: sessionId, connection }: Session, answer: Promise<unknown>, stop: Stop): Promise<Ended> {
  connection.notify("session/cancel", { sessionId });
  const grace = new Promise<false>((resolve) => setTimeout(resolve, GRACE_MS, false));
  const well = await Promise.race([
    answer.then(
      () => true,
      () => false,
    ),
    grace,
  ]);
  return { stop, lost: !well };
}

function refusal(error: unknown, fault: Failure | undefined): unknown {
  if (!(error instanceof RpcFailure)) return error;
  if (fault !== undefined) return asError(fault);
  const { details, message } = (typeof error.data === "object" ? (error.data ?? {}) : {}) as Fields;
  const more = [details, message, error.data].find((one) => typeof one === "string");
  return new StewardError(
    "unavailable",
    `The agent could not go on: ${error.message}${more === undefined ? "" : ` (${oneLine(visible(more), 500)})`}`,
  );
}

/** Where the agent takes messages in the middle of a turn they are given to it; where not, they are what it is asked next. */
function steer({ record, host, turn, file }: Frame, session: Session): { left: Part[]; stop(): void } {
  const left: Part[] = [];
  const { id: sessionId, connection, can } = session;
  if (can.steering !== true) return { left, stop: () => {} };
  const look = async (): Promise<void> => {
    const parts = partsOf(await record.steer());
    if (parts.length === 0 || host.signal.aborted) return;
    const prompt = await blocks({ turn, file }, session, parts);
    const { outcome } = await connection.request(
      "_session/steering",
      { sessionId, prompt, _meta: { steering: { idleBehavior: "promptRequired" } } },
      START_MS,
    );
    if (outcome === "promptRequired") left.push(...parts);
  };
  const state = { looking: false };
  const timer = setInterval(() => {
    if (state.looking) return;
    state.looking = true;
    void look()
      .catch(() => {})
      .finally(() => (state.looking = false));
  }, STEER_MS);
  return { left, stop: () => clearInterval(timer) };
}

/** An agent that takes no instructions apart from what it is asked gets them there. */
async function opening(frame: Frame, session: Session): Promise<Fields[]> {
  const { turn, more } = frame;
  const { past, parts } = asked(session.fresh ? { history: turn.history } : turn, more);
  const system = within(session.can, "sessionCapabilities", "systemPrompt") !== undefined;
  const first = [
    ...(session.fresh && !system ? [`<instructions>\n${turn.instructions}\n</instructions>`] : []),
    ...(past === "" ? [] : [past]),
  ];
  return [...first.map((text): Fields => ({ type: "text", text })), ...(await blocks(frame, session, parts))];
}

async function blocks({ turn, file }: Pick<Frame, "turn" | "file">, { can }: Session, parts: Part[]): Promise<Fields[]> {
  const shown = within(can, "promptCapabilities", "image") === true ? await images(parts, turn.session, file) : new Map<string, string>();
  return parts.flatMap((part): Fields[] => {
    const data = part.type === "file" ? shown.get(part.id) : undefined;
    return [
      { type: "text", text: written(part) },
      ...(part.type === "file" && data !== undefined ? [{ type: "image", mimeType: part.mime, data }] : []),
    ];
  });
}
