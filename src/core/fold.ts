// Pure views over a session's log: what the model reads, and what every screen shows.
import { visible } from "../std/text.ts";
import type { LiveEvent, Stored } from "./events.ts";
import type { Message } from "./ports.ts";
import type { Answer, Ask, Failure, Item, Part, Stop, ToolCall, ToolResult, Usage } from "./types.ts";

// ---- The model's history

/** The JSON a model reads for a result: three fields, the same bytes each time. Control and invisible characters are taken out. */
export const resultText = ({ success, output, error }: ToolResult): string =>
  JSON.stringify({ success, output: typeof output === "string" ? visible(output) : output, error });

export const NOT_RUN: ToolResult = { success: false, output: null, error: "Not run: the turn ended before." };

export interface Clock {
  zone: string;
  /** When the message before this log came in. */
  before?: number;
}

/** What the model should see of `log` (a window, oldest first). Calls of an open turn's last step that have no result yet are left without one. With a clock, a message after a pause says when it was sent. */
export function toMessages(all: Stored[], clock?: Clock): Message[] {
  const { log, summary } = window(all);
  const results = new Map<string, ToolResult>();
  for (const { event } of log)
    if (event.type === "item.completed" && event.item.kind === "tool" && event.item.result) results.set(event.item.call.id, event.item.result);
  const open = new Set(pendingCalls(log).map((call) => call.id));
  const state: Building = { messages: summary ? [summary] : [], unread: [], thinking: [], text: "" };
  const sent = timer(clock);
  for (const stored of log) {
    const { event } = stored;
    if (event.type === "session.updated" && event.cleared) Object.assign(state, { messages: [], unread: [], thinking: [], text: "" });
    if (event.type === "message.received") state.unread.push({ seq: stored.seq, parts: [...sent(stored.at), ...event.parts] });
    if (event.type === "item.completed") addItem(state, event.item, { results, open });
    if (event.type === "turn.completed") closeTurn(state, event.seen);
  }
  readUpTo(state, Infinity);
  if (state.text || state.thinking.length > 0) flush(state, []);
  return state.messages;
}

interface Building {
  messages: Message[];
  unread: { seq: number; parts: Part[] }[];
  thinking: { text: string; meta?: unknown }[];
  text: string;
  meta?: unknown;
}

function addItem(state: Building, item: Item, { results, open }: { results: Map<string, ToolResult>; open: Set<string> }): void {
  if (item.kind === "thinking") state.thinking.push({ text: item.text, ...(item.meta === undefined ? {} : { meta: item.meta }) });
  if (item.kind === "text") {
    state.text += item.text;
    if (item.meta !== undefined) state.meta = item.meta;
  }
  if (item.kind !== "step") return;
  readUpTo(state, item.seen);
  flush(state, item.calls, item.meta);
  for (const call of item.calls)
    if (!open.has(call.id)) state.messages.push({ role: "tool", call: call.id, tool: call.tool, result: resultText(results.get(call.id) ?? NOT_RUN) });
}

/** The person's messages stand where they were read, not where they arrived, so that the bytes sent stay a prefix of those sent next. */
function readUpTo(state: Building, seen: number): void {
  while (state.unread[0] && state.unread[0].seq <= seen) state.messages.push({ role: "user", parts: state.unread.shift()!.parts });
}

function closeTurn(state: Building, seen: number): void {
  readUpTo(state, seen);
  if (state.text || state.thinking.length > 0) flush(state, []);
}

function flush(state: Building, calls: ToolCall[], meta: unknown = state.meta): void {
  const { thinking, text } = state;
  state.messages.push({ role: "assistant", ...(thinking.length > 0 ? { thinking } : {}), text, calls, ...(meta === undefined ? {} : { meta }) });
  state.thinking = [];
  state.text = "";
  delete state.meta;
}

/** What is left after the last compaction, and its summary as a message. */
function window(all: Stored[]): { log: Stored[]; summary?: Message } {
  const last = all.findLast(({ event }) => event.type === "context.compacted")?.event;
  if (last?.type !== "context.compacted") return { log: all };
  return {
    log: all.filter(({ seq }) => seq > last.upTo),
    summary: { role: "user", parts: [{ type: "text", text: `[Summary of the earlier conversation]\n${last.summary}` }] },
  };
}

const PAUSE_MS = 30 * 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function timer(clock: Clock | undefined): (at: number) => Part[] {
  let before = clock?.before ?? -Infinity;
  return (at) => {
    const paused = at - before > PAUSE_MS;
    before = at;
    return clock && paused ? [{ type: "text", text: `<time>${dateText(at, clock.zone)}</time>` }] : [];
  };
}

/** "Sat, 21 Nov 2026, 09:15" in that zone. */
export function dateText(at: number, zone: string): string {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  formats.set(zone, format);
  return format.format(at);
}

/** Calls of the open turn's last step that have no result yet. */
export function pendingCalls(log: Stored[]): ToolCall[] {
  const turn = openTurn(log);
  if (!turn) return [];
  const done = new Set<string>();
  let calls: ToolCall[] = [];
  for (const { event } of log) {
    if (event.type !== "item.completed" || event.turn !== turn) continue;
    if (event.item.kind === "step") calls = event.item.calls;
    if (event.item.kind === "tool") done.add(event.item.call.id);
  }
  return calls.filter(({ id }) => !done.has(id));
}

export function openTurn(log: Stored[]): string | undefined {
  const last = log.findLast(({ event: e }) => e.type === "turn.started" || e.type === "turn.completed")?.event;
  return last?.type === "turn.started" ? last.turn : undefined;
}

export const messagesAfter = (log: Stored[], seen: number): Stored[] => log.filter(({ event, seq }) => event.type === "message.received" && seq > seen);

export const textOf = (parts: Part[]): string => parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");

// ---- What a screen shows

export interface View {
  session: string;
  title: string;
  engine?: string;
  model?: string;
  /** The newest number that is folded in; reconnect with `after=seq`. */
  seq: number;
  entries: Entry[];
  /** The running turn, if any. */
  turn?: { id: string; engine: string; model: string; at: number; waiting?: { on: "model" | "retry" | "ask"; until?: number; text?: string } };
}

/** One thing to draw, oldest first. Ids are unique in a view. */
export type Entry =
  | { kind: "message"; id: string; seq: number; at: number; from: string; parts: Part[]; key?: string }
  /** `live`: still streaming, not durable. `running`: a tool at work, `output` is what it has printed so far. */
  | { kind: "item"; id: string; seq: number; at: number; turn: string; state: "live" | "waiting" | "running" | "done"; item: Item; output?: string }
  | { kind: "ask"; id: string; seq: number; at: number; ask: Ask; answered?: { by: string; answer: Answer; at: number } }
  | { kind: "end"; id: string; seq: number; at: number; stop: Stop; engine: string; model: string; usage?: Usage; error?: Failure; startedAt?: number }
  | { kind: "compacted"; id: string; seq: number; at: number; summary: string };

export const emptyView = (session: string): View => ({ session, title: "", seq: 0, entries: [] });

/** A new view with these events folded in. Numbers already folded in are ignored, so replays are harmless. */
export function fold(view: View, events: (Stored | LiveEvent)[]): View {
  const next: View = { ...view, entries: [...view.entries] };
  for (const event of events) {
    if (!("event" in event)) applyLive(next, event);
    else if (event.seq > next.seq) {
      apply(next, event);
      next.seq = event.seq;
    }
  }
  return next;
}

function apply(view: View, stored: Stored): void {
  const { event, seq, at } = stored;
  switch (event.type) {
    case "session.created":
      view.title = event.title ?? "";
      return;
    case "session.updated":
      if (event.cleared) view.entries = [];
      for (const key of ["title", "engine", "model"] as const) if (event[key] !== undefined) view[key] = event[key];
      return;
    case "message.received":
      return void view.entries.push({ kind: "message", id: event.id, seq, at, from: event.from, parts: event.parts, ...(event.key ? { key: event.key } : {}) });
    case "turn.started":
      view.turn = { id: event.turn, engine: event.engine, model: event.model, at };
      return;
    case "item.started":
      return putItem(view, { id: event.item.id, seq, at, turn: event.turn, state: "running", item: event.item });
    case "item.completed":
      return completeItem(view, event.turn, event.item, { seq, at });
    case "ask.opened":
      return void view.entries.push({ kind: "ask", id: event.ask.id, seq, at, ask: event.ask });
    case "ask.answered":
      return answerAsk(view, event.ask, { by: event.by, answer: event.answer, at });
    case "context.compacted":
      return void view.entries.push({ kind: "compacted", id: `compacted-${seq}`, seq, at, summary: event.summary });
    case "turn.completed":
      return endTurn(view, stored);
    case "delivery.settled":
  }
}

function answerAsk(view: View, id: string, answered: { by: string; answer: Answer; at: number }): void {
  const index = view.entries.findLastIndex((entry) => entry.kind === "ask" && entry.id === id);
  const entry = view.entries[index];
  if (entry?.kind === "ask") view.entries[index] = { ...entry, answered };
  if (view.turn?.waiting?.on === "ask") delete view.turn.waiting;
}

function endTurn(view: View, { event, seq, at }: Stored): void {
  if (event.type !== "turn.completed") return;
  const { turn, stop, engine, model, usage, error } = event;
  view.entries = view.entries.filter((entry) => entry.kind !== "item" || entry.turn !== turn || entry.state === "done");
  const startedAt = view.turn?.id === turn ? view.turn.at : undefined;
  view.entries.push({ kind: "end", id: turn, seq, at, stop, engine, model, ...(usage ? { usage } : {}), ...(error ? { error } : {}), ...(startedAt ? { startedAt } : {}) });
  delete view.turn;
}

type ItemEntry = Entry & { kind: "item" };

function putItem(view: View, entry: Omit<ItemEntry, "kind">): void {
  const index = view.entries.findLastIndex((one) => one.kind === "item" && one.turn === entry.turn && sameItem(one.item, entry.item));
  const old = view.entries[index];
  const output = old?.kind === "item" ? old.output : undefined;
  const next: ItemEntry = { kind: "item", ...entry, ...(output === undefined ? {} : { output }) };
  if (index < 0) view.entries.push(next);
  else view.entries[index] = { ...next, id: old!.id };
}

const sameItem = (a: Item, b: Item): boolean => a.id === b.id || (a.kind === "tool" && b.kind === "tool" && a.call.id === b.call.id);

/** A step shows its calls as waiting cards, and clears what was streamed by an attempt that did not survive. */
function completeItem(view: View, turn: string, item: Item, { seq, at }: { seq: number; at: number }): void {
  if (item.kind !== "step") return putItem(view, { id: item.id, seq, at, turn, state: "done", item });
  view.entries = view.entries.filter((entry) => entry.kind !== "item" || entry.turn !== turn || entry.state !== "live");
  for (const call of item.calls) putItem(view, { id: call.id, seq, at, turn, state: "waiting", item: { id: call.id, kind: "tool", call } });
}

function applyLive(view: View, event: LiveEvent): void {
  if (event.type === "turn.cancelling") {
    if (view.turn?.id === event.turn) view.turn = { ...view.turn, waiting: { on: "model", text: "Stopping" } };
    return;
  }
  if (event.type === "turn.waiting") {
    const { on, until, text } = event;
    if (view.turn?.id === event.turn) view.turn = { ...view.turn, waiting: { on, ...(until ? { until } : {}), ...(text ? { text } : {}) } };
    return;
  }
  const index = view.entries.findLastIndex((entry) => entry.kind === "item" && entry.turn === event.turn && (entry.item.id === event.item || entry.id === event.item));
  const entry = view.entries[index];
  if (view.turn?.waiting?.on === "model") view.turn = { id: view.turn.id, engine: view.turn.engine, model: view.turn.model, at: view.turn.at };
  if (entry?.kind !== "item") return addLive(view, event);
  if (entry.item.kind === "tool") view.entries[index] = { ...entry, output: ((entry.output ?? "") + event.text).slice(-100_000) };
  else if (entry.state === "live" && "text" in entry.item)
    view.entries[index] = { ...entry, item: { ...entry.item, text: entry.item.text.slice(0, event.at) + event.text } };
}

function addLive(view: View, event: LiveEvent & { type: "item.delta" }): void {
  if (event.kind === "tool" || event.at > 0) return; // its beginning was missed: wait for the durable item
  view.entries.push({ kind: "item", id: event.item, seq: view.seq, at: Date.now(), turn: event.turn, state: "live", item: { id: event.item, kind: event.kind, text: event.text } });
}
