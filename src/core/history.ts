// What the model reads of a session's log: the same log gives the same bytes.
import { bytes as sizeText, tokens, visible } from "../std/text.ts";
import { type Event, isData, type Stored } from "./events.ts";
import type { Message } from "./ports.ts";
import type { FilePart, Item, Part, Rights, ToolCall, ToolResult } from "./types.ts";

/** The JSON a model reads for a result: three fields, the same bytes each time. Control and invisible characters are taken out of all texts and names in it. */
export const resultText = ({ success, output, error }: ToolResult): string => JSON.stringify({ success, output, error }, withoutUnseen);

const withoutUnseen = (_: string, value: unknown): unknown => {
  if (typeof value === "string") return visible(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [visible(name), one]));
};

export const NOT_RUN: ToolResult = { success: false, output: null, error: "Not run: the turn ended before." };

const UNKNOWN: ToolResult = {
  success: false,
  output: null,
  error: "It is not known whether this ran: the turn ended while it was running.",
};

export interface Clock {
  zone: string;
  /** When the message before this log came in. */
  before?: number;
}

/** A command of the conversation, or its answer: beside what the model reads. */
export const isAside = ({ event }: Pick<Stored, "event">): boolean =>
  (event.type === "message.received" && event.command === true) ||
  (event.type === "item.completed" && event.turn === "" && event.item.kind === "text" && event.item.by === undefined);

/** What the model should see of `log` (a window, oldest first). Calls of an open turn's last step that have no result yet are left without one. With a clock, a message after a pause says when it was sent. */
export function toMessages(all: Stored[], clock?: Clock): Message[] {
  const { log, summary } = window(all.filter((stored) => !isAside(stored)));
  const results = new Map<string, ToolResult>();
  for (const { event } of log)
    if (event.type === "item.completed" && event.item.kind === "tool" && event.item.result)
      results.set(event.item.call.id, event.item.result);
  const open = new Set(pendingCalls(log).map((call) => call.id));
  for (const { event } of log)
    if (event.type === "item.started" && event.item.kind === "tool" && !results.has(event.item.call.id))
      results.set(event.item.call.id, UNKNOWN);
  const state: Building = { messages: summary ? [summary] : [], unread: [], thinking: [], text: "" };
  const sent = timer(clock);
  for (const stored of log) {
    const { event } = stored;
    if (event.type === "turn.started" || (event.type === "item.completed" && event.turn)) state.turn = event.turn;
    if (event.type === "session.updated" && event.cleared)
      Object.assign(state, { messages: [], unread: [], thinking: [], text: "", gone: state.turn });
    if (event.type === "message.received") state.unread.push({ seq: stored.seq, parts: [...sent(stored.at), ...partsOf(event)] });
    if (event.type === "item.completed" && (event.turn === "" || event.turn !== state.gone)) {
      const part = besides(event.item);
      if (part) state.unread.push({ seq: stored.seq, parts: [part] });
      else addItem(state, event.item, { results, open });
    }
    if (event.type === "turn.completed") closeTurn(state, event.seen);
  }
  readUpTo(state, Infinity);
  if (state.text || state.thinking.length > 0) flush(state, []);
  return state.messages;
}

/** What a program wrote stands in a slot of its own, which it can't close. */
const slot = (from: string, text: string): Part => ({
  type: "text",
  text: `<notification from="${from}">${visible(text).replace(/[&<>]/g, (char) => ENTITIES[char]!)}</notification>`,
});
/** A name in a place from which it can't break out. */
const nameIn = (name: string): string => visible(name).replace(/["<>&]/g, "");
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function partsOf({ parts, source, from: sender }: Event & { type: "message.received" }): Part[] {
  if (!isData(source)) return parts;
  const from = source === "computer" || source === "webhook" ? source : source === "agent" ? `agent ${nameIn(sender)}` : "outside";
  // A webhook's message begins with the words of its entry, which the owner wrote; what is passed on stands behind the person's own.
  const own = source === "webhook" || source === "forwarded";
  return parts.map((part, at) => (part.type === "text" && !(own && at === 0) ? slot(from, part.text) : part));
}

const handedOver = ({ name, size }: FilePart): Part =>
  slot("steward", `The file "${name}" (${sizeText(size)}) was in /return and has been handed to the person.`);

/** What a turn reads though nobody said it to it: a file that was handed over, what was told in the session. */
function besides(item: Item): Part | undefined {
  if (item.kind === "file") return handedOver(item.file);
  const told = (item.kind === "text" || item.kind === "notice") && item.by !== undefined;
  return told ? slot(nameIn(item.by!), item.text) : undefined;
}

interface Building {
  messages: Message[];
  unread: { seq: number; parts: Part[] }[];
  thinking: { text: string; meta?: unknown }[];
  text: string;
  meta?: unknown;
  turn?: string;
  /** What was said to this turn was cleared, so what it still says is out of the history too. */
  gone?: string;
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
    if (!open.has(call.id))
      state.messages.push({ role: "tool", call: call.id, tool: call.tool, result: resultText(results.get(call.id) ?? NOT_RUN) });
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
  state.messages.push({
    role: "assistant",
    ...(thinking.length > 0 ? { thinking } : {}),
    text,
    calls,
    ...(meta === undefined ? {} : { meta }),
  });
  state.thinking = [];
  state.text = "";
  delete state.meta;
}

/** What is left after the last time that the history was emptied; no summary of what was before, however late it came. */
export function sinceCleared(log: Stored[]): Stored[] {
  const at = log.findLastIndex(({ event }) => event.type === "session.updated" && event.cleared);
  return log.slice(at + 1).filter(({ event }) => event.type !== "context.compacted" || event.upTo > (log[at]?.seq ?? 0));
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
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      weekday: "short",
      day: "numeric",
      month: "short",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
    });
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

export const messagesAfter = (log: Stored[], seen: number): Stored[] =>
  log.filter(({ event, seq }) => event.type === "message.received" && seq > seen && !event.command);

const isNews = ({ event }: Stored): boolean =>
  (event.type === "message.received" && !event.command) || (event.type === "item.completed" && besides(event.item) !== undefined);

/** What a running turn is told of before it asks the model again: messages, files that were handed over, what others told in the session. */
export const newsAfter = (log: Stored[], seen: number): Stored[] => log.filter((stored) => stored.seq > seen && isNews(stored));

/** The number of the first message after `seen` that a turn of these rights leaves to another. What others wrote is data for any turn, unless it has rights of its own. */
export function horizon(log: Stored[], seen: number, rights: Rights | undefined): number {
  const other = messagesAfter(log, seen).find(
    ({ event }) =>
      event.type === "message.received" &&
      (event.rights ? JSON.stringify(event.rights) !== JSON.stringify(rights) : rights !== undefined && !isData(event.source)),
  );
  return other?.seq ?? Infinity;
}

/** The log without what is said from there on. */
export const before = (log: Stored[], end: number): Stored[] => log.filter((stored) => stored.seq < end || !isNews(stored));

export const textOf = (parts: Part[]): string => parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");

/** The same messages within about `allowance` tokens: the oldest results become a note, half an allowance at a time, so that between two such strides the bytes stay a prefix. The newest results stay. */
export function shorten(messages: Message[], allowance: number): Message[] {
  const sizes = messages.map(sizeOf);
  const over = sizes.reduce((sum, size) => sum + size, 0) - allowance;
  if (over <= 0) return messages;
  const stride = allowance / 2;
  let left = Math.ceil(over / stride) * stride;
  const newest = messages.findLastIndex(({ role }) => role === "assistant");
  return messages.map((message, at) => {
    if (left <= 0 || at > newest || message.role !== "tool" || sizes[at]! <= 40) return message;
    left -= sizes[at]!;
    return { ...message, result: `(result left out: ${message.result.length} characters; call again if needed)` };
  });
}

function sizeOf(message: Message): number {
  if (message.role === "tool") return tokens(message.result);
  if (message.role === "user") return tokens(textOf(message.parts));
  return tokens(message.text) + (message.calls.length > 0 ? tokens(JSON.stringify(message.calls)) : 0);
}
