// What Claude's program says and asks while it works: its frames become events, its calls and wishes go to the host.
import type { Event } from "../core/events.ts";
import type { Host, Message, Turn } from "../core/ports.ts";
import type { Effect, Failure, Item, ToolCall, ToolResult } from "../core/types.ts";
import { newId } from "../std/id.ts";
import { visible } from "../std/text.ts";
import { failureFor } from "./claude-failure.ts";
import type { Block } from "./claude-history.ts";
import { aborted } from "./frame.ts";
import { callOf, itemsOf, newReply, type Reply, stream, whole } from "./claude-reply.ts";
import type { Offer } from "./claude-start.ts";
import { planOf, resultOf, sizeOf } from "./claude-content.ts";
import { answerTools } from "./claude-tools.ts";
import { type Frame, isRecord, type Line, NAME, type Question, textIn } from "./claude-wire.ts";

type ToolItem = Item & { kind: "tool" };
interface Known {
  call: ToolCall;
  /** Resolves when the decision to make this call is in the log. */
  decided: PromiseWithResolvers<void>;
  /** Of one of its own: from when it was let run. */
  item?: ToolItem;
  done?: boolean;
}
export interface End {
  result?: Frame;
  failure?: Failure;
  /** It gave no sign of life. */
  silent?: true;
}
export interface Talk {
  turn: Turn;
  host: Host;
  offer: Offer;
  prompt(messages: Message[]): Promise<Block[]>;
  line?: Line;
  reply?: Reply;
  /** By the program's id. */
  known: Map<string, Known>;
  seen: number;
  /** Whether the model was asked at all. */
  begun: boolean;
  /** Of the model's answers. The program takes those of the same id for one when it reads its session again. */
  ids: Set<string>;
  mixed?: boolean;
  /** Characters that it has said. */
  told: number;
  /** The last time that it gave a sign of life, in milliseconds. */
  heard: number;
  /** Questions that are being answered. */
  open: Set<Promise<unknown>>;
  /** Everything that is written, one after the other. */
  order: Promise<void>;
  /** The end that the program tells, or what makes going on pointless. */
  ended: PromiseWithResolvers<End>;
  session?: string;
}

/** Most is counted twice: as it is streamed and as a whole. */
const MOST_TEXT = 8_000_000;
/** How long a call waits for the rest of the answer that it is part of. */
const REST_MS = 2000;
const EFFECTS: Record<string, Effect> = { Read: "read", Glob: "read", Grep: "read", WebFetch: "read", WebSearch: "read" };

export function emit(talk: Talk, ...events: Event[]): Promise<void> {
  const done = talk.order.then(() => talk.host.emit(...events));
  talk.order = done;
  done.catch((error: unknown) => talk.ended.reject(error)); // only stale
  return done;
}

const completed = ({ turn }: Talk, item: Item): Event => ({ type: "item.completed", turn: turn.id, item });

// ---- Frames

export function take(talk: Talk, frame: Frame): void {
  talk.heard = Date.now();
  const own = frame.parent_tool_use_id === null || frame.parent_tool_use_id === undefined;
  if (frame.type === "system") takeNews(talk, frame);
  if (frame.type === "stream_event" && own) takeStream(talk, frame);
  if (frame.type === "assistant" && own) takeAnswer(talk, frame);
  if (frame.type === "user") takeResults(talk, frame);
  if (frame.type === "result") {
    talk.session = textIn(frame.session_id) || talk.session!;
    if (!((frame.queued_turn_count as number) > 0)) talk.ended.resolve({ result: frame });
  }
}

function takeNews(talk: Talk, frame: Frame): void {
  if (frame.subtype === "init") talk.session = textIn(frame.session_id);
  if (frame.subtype === "status" && frame.status === "requesting") talk.begun = true;
  if (frame.subtype === "api_retry") talk.ended.resolve({ failure: failureFor(Number(frame.error_status ?? 0), textIn(frame.error)) });
}

function takeStream(talk: Talk, frame: Frame): void {
  const { type, message } = isRecord(frame.event) ? frame.event : {};
  if (type === "message_start") {
    talk.begun = true;
    const id = isRecord(message) ? textIn(message.id) : "";
    if (talk.ids.has(id)) talk.mixed = true;
    talk.ids.add(id);
    leave(talk);
    talk.reply = newReply(true);
  }
  if (talk.reply === undefined) return;
  stream(talk.reply, frame, talk.turn.id, shownBy(talk));
  if (type !== "message_stop") return;
  talk.reply.streamed = false;
  decide(talk, talk.reply);
}

function takeAnswer(talk: Talk, { message, error }: Frame): void {
  if (!isRecord(message) || !Array.isArray(message.content)) return;
  // What it says in the model's place about a failure comes again with its result.
  if (error !== undefined || message.model === "<synthetic>") return;
  talk.begun = true;
  if (!talk.reply?.streamed) {
    leave(talk);
    talk.reply = newReply(false);
  }
  if (
    says(
      talk,
      (message.content as unknown[]).reduce((sum: number, block) => sum + sizeOf(block), 0),
    )
  )
    return;
  for (const block of message.content as unknown[]) if (isRecord(block)) whole(talk.reply, block, talk.turn.id, shownBy(talk));
  for (const [id, call] of talk.reply.calls)
    if (!talk.known.has(id) || talk.known.get(id)!.done) talk.known.set(id, { call, decided: Promise.withResolvers() });
  if (!talk.reply.streamed) decide(talk, talk.reply);
}

const shownBy =
  (talk: Talk): Host["live"] =>
  (event) => {
    if (!says(talk, event.type === "item.delta" ? event.text.length : 0)) talk.host.live(event);
  };

/** True when it is too much. */
function says(talk: Talk, characters: number): boolean {
  talk.told += characters;
  if (talk.told <= MOST_TEXT) return false;
  talk.ended.resolve({ failure: { code: "limit", message: `${NAME} says too much in one turn, so it was stopped` } });
  return true;
}

/** An answer after which the program asked the model once more, though it made no call. */
function leave(talk: Talk): void {
  const items = talk.reply ? itemsOf(talk.reply) : [];
  delete talk.reply;
  if (items.length > 0) void emit(talk, ...items.map((item) => completed(talk, item))).catch(() => {});
}

/** The words and calls until here become part of the log, and only then do the calls run. */
function decide(talk: Talk, reply: Reply): void {
  if (reply.calls.size === 0) return;
  const calls = [...reply.calls.keys()].flatMap((id) => talk.known.get(id) ?? []);
  const step: Item = { id: newId("itm"), kind: "step", calls: calls.map(({ call }) => call), seen: talk.seen };
  const items = [...itemsOf(reply), step];
  reply.pieces = reply.pieces.filter((piece) => !piece.whole);
  reply.calls.clear();
  const written = emit(talk, ...items.map((item) => completed(talk, item)));
  for (const { decided } of calls)
    void written.then(
      () => decided.resolve(),
      () => {},
    );
}

function takeResults(talk: Talk, { message }: Frame): void {
  if (!isRecord(message) || !Array.isArray(message.content)) return;
  for (const block of message.content as unknown[]) {
    if (!isRecord(block) || block.type !== "tool_result") continue;
    const known = talk.known.get(textIn(block.tool_use_id));
    if (known === undefined || known.done) continue;
    known.done = true;
    if (!isServed(talk, known.call))
      void emit(talk, completed(talk, { ...itemOf(known), result: stoppedOf(talk, known) ?? resultOf(block) })).catch(() => {});
  }
}

const isServed = ({ turn }: Talk, { tool }: ToolCall): boolean => turn.tools.some(({ name }) => name === tool);
const itemOf = ({ item, call }: Known): ToolItem => item ?? { id: newId("itm"), kind: "tool", call };

/** What the program makes of a stop is said to the model, and says little of what has happened. */
const stoppedOf = ({ host }: Talk, { item }: Known): ToolResult | undefined =>
  host.signal.aborted && item ? { success: false, output: null, error: STOPPED } : undefined;
const STOPPED = "Stopped while it ran. Look at what it did before doing it again.";

/** What was begun and has no result, and what was decided and never begun: said before the turn ends or is tried again. */
export async function closeCalls(talk: Talk, why: string): Promise<void> {
  for (const known of talk.known.values()) {
    if (known.done || isServed(talk, known.call)) continue;
    known.done = true;
    const error =
      talk.host.signal.aborted && known.item
        ? STOPPED
        : known.item
          ? `It is not known whether this ended: ${why}. Check before doing it again.`
          : `Not run: ${why}.`;
    await emit(talk, completed(talk, { ...itemOf(known), result: { success: false, output: null, error } }));
  }
}

/** Whether one of its own calls is at work. */
export const isWorking = ({ known }: Talk): boolean => [...known.values()].some(({ item, done }) => item !== undefined && !done);

// ---- Questions

export function answer(talk: Talk, question: Question): Promise<object> {
  talk.heard = Date.now();
  const answered = answerTo(talk, question).finally(() => {
    talk.open.delete(answered);
    talk.heard = Date.now();
  });
  talk.open.add(answered);
  answered.catch((error: unknown) => talk.ended.reject(error));
  return answered;
}

async function answerTo(talk: Talk, { subtype, body }: Question): Promise<object> {
  if (subtype === "mcp_message") return { mcp_response: await answerTools(talk, body.message) };
  if (subtype === "can_use_tool") return mayUse(talk, body);
  if (subtype !== "hook_callback" || !isRecord(body.input)) throw new Error("Steward can't do this");
  return body.callback_id === "before" ? before(talk, body.input) : after(talk, body.input);
}

async function mayUse({ host }: Talk, { tool_name: tool, input, decision_reason: about }: Record<string, unknown>): Promise<object> {
  const { allowed, reason } = await host.permit({
    tool: textIn(tool),
    input,
    ...(typeof about === "string" ? { about: visible(about) } : {}),
  });
  return allowed ? { behavior: "allow", updatedInput: input } : { behavior: "deny", message: reason ?? "Not allowed" };
}

/** Every call comes by here before it runs, its agents' too. */
async function before(talk: Talk, { tool_use_id, tool_name, tool_input, agent_id }: Record<string, unknown>): Promise<object> {
  const id = textIn(tool_use_id);
  let known = talk.known.get(id);
  if (known === undefined || known.done) {
    known = { call: callOf(tool_name, tool_input), decided: Promise.withResolvers() };
    known.decided.resolve();
    talk.known.set(id, known);
  }
  if (agent_id === undefined) await decision(talk, known);
  if (talk.host.signal.aborted) return refusal("The turn was stopped");
  if (isServed(talk, known.call)) return {};
  const { allowed, reason } = await talk.host.permit({ tool: known.call.tool, input: tool_input, listed: true });
  if (!allowed) return refusal(reason ?? "Not allowed");
  known.item = { id: newId("itm"), kind: "tool", call: known.call, effect: EFFECTS[known.call.tool] ?? "write" };
  const plan = known.call.tool === "TodoWrite" ? planOf(tool_input) : [];
  await emit(talk, { type: "item.started", turn: talk.turn.id, item: known.item }, ...plan.map((item) => completed(talk, item)));
  return {};
}

const refusal = (why: string): object => ({
  hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: "deny", permissionDecisionReason: why },
});

/** The answer's other calls are waited for, but not for ever: the program may wait for this one, and the person for the end. */
async function decision(talk: Talk, { decided }: Known): Promise<void> {
  const late = (): void => {
    if (talk.reply) decide(talk, talk.reply);
    void talk.order.then(decided.resolve, () => {});
  };
  const timer = setTimeout(late, REST_MS);
  await Promise.race([decided.promise, aborted(talk.host.signal)]).finally(() => clearTimeout(timer));
}

/** Before the model is asked again, it gets what the person has said meanwhile. */
async function after(talk: Talk, { agent_id }: Record<string, unknown>): Promise<object> {
  if (agent_id !== undefined) return {};
  const { messages, seen } = await talk.host.steer();
  talk.seen = Math.max(talk.seen, seen);
  if (messages.length > 0) await say(talk, await talk.prompt(messages));
  return {};
}

export const say = async ({ line }: Talk, content: Block[]): Promise<void> =>
  line?.send({
    ...{ type: "user", session_id: "", parent_tool_use_id: null, priority: "next", uuid: crypto.randomUUID() },
    // As written: no commands, no files that are named in it.
    ...{ client_composed: true, message: { role: "user", content } },
  });
