// A session's log as what is said in it: the answer to one message, the rest of what goes on, what comes by itself. Knows no network.
import type { LiveEvent, Stored } from "../core/events.ts";
import type { Part } from "../core/types.ts";
import { StewardError } from "../std/error.ts";

/** A question that only the person can answer. */
export interface Question {
  id: string;
  prompt: string;
  /** What exactly will be done, or run. */
  shows?: string;
  options: string[];
}
export type End = "end" | "limit" | "length" | "refusal" | "cancelled";
/** What came by itself: a program told something, the agent answered that, a file came back from the computer. */
export type News =
  | { type: "notification"; text: string; from: "computer" | "notification" }
  | { type: "reply"; text: string }
  | { type: "file"; id: string; name: string; size: number };

/** How far a program has read, and what it knows to go on. */
export interface Thread {
  seq: number;
  running: boolean;
  /** Number of the newest message, and up to which they are answered. */
  said: number;
  seen: number;
}
export interface Reading {
  /** Pieces of a text as they are made, instead of whole messages. */
  pieces?: boolean | undefined;
  /** Called for each question; without it the answer breaks off with `conflict`, and the turn waits. */
  onQuestion?: ((question: Question) => void) | undefined;
}

export const owes = ({ running, said, seen }: Thread): boolean => running || said > seen;

/** Notes what an event changes. */
function note(thread: Thread, { seq, event }: Stored): void {
  thread.seq = seq;
  if (event.type === "message.received" && !event.command) thread.said = seq;
  if (event.type === "turn.started") thread.running = true;
  if (event.type === "session.updated" && event.cleared) thread.seen = seq;
  if (event.type !== "turn.completed") return;
  thread.running = false;
  thread.seen = Math.max(thread.seen, event.seen);
}

const textOf = (parts: readonly Part[]): string => parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");

/** Fragments: each a whole message of the agent, or pieces of it, that follow the message. `mine` tells which it is; without it everything from here on counts, until nothing runs any more and the log was read up to `upTo`. */
export async function* answers(
  events: AsyncIterable<Stored | LiveEvent>,
  thread: Thread,
  { mine, upTo = 0, pieces = false, onQuestion }: Reading & { mine?: (message: { key: string; text: string }) => boolean; upTo?: number },
): AsyncGenerator<string, End> {
  let asked = mine ? Infinity : 0;
  let stop: End = "end";
  const shown = new Map<string, number>();
  for await (const one of events) {
    if (!("seq" in one)) {
      if (!pieces || asked > thread.seq || one.type !== "item.delta" || one.kind !== "text") continue;
      const from = shown.get(one.item) ?? 0;
      if (one.at > from) continue; // what was missed comes with the whole
      const text = one.text.slice(from - one.at);
      shown.set(one.item, from + text.length);
      if (text) yield text;
      continue;
    }
    note(thread, one);
    const { event, seq } = one;
    if (event.type === "message.received" && mine?.({ key: event.key ?? "", text: textOf(event.parts) })) asked = Math.min(asked, seq);
    if (asked > seq) continue;
    if (event.type === "item.completed" && event.turn === "" && event.item.kind === "text") {
      // The answer to a command: mine when the message was.
      if (!mine || seq !== asked + 1) continue;
      yield event.item.text;
      return "end";
    }
    if (event.type === "item.completed" && event.item.kind === "text") {
      const text = event.item.text.slice(shown.get(event.item.id) ?? 0);
      shown.delete(event.item.id);
      if (text) yield text;
    }
    if (event.type === "ask.opened") question(event.ask, onQuestion);
    if (event.type === "turn.completed" && event.stop === "failed" && (!mine || event.seen >= asked)) throw failed(event.error);
    if (event.type === "turn.completed" && event.stop !== "failed") stop = event.stop;
    if (mine ? event.type === "turn.completed" && event.seen >= asked : seq >= upTo && !owes(thread)) return stop;
  }
  throw new StewardError("unavailable", "The session's events ended before its turn");
}

function question(
  { id, prompt, shows, options }: { id: string; prompt: string; shows?: string; options: string[] },
  tell: Reading["onQuestion"],
): void {
  if (tell) return tell({ id, prompt, options, ...(shows === undefined ? {} : { shows }) });
  throw new StewardError("conflict", `This needs an answer first: ${prompt}`, {
    hint: `Answer it at the page, or by answer("${id}", …); continueStream() goes on then.`,
  });
}

function failed(error: { code?: string; message?: string; hint?: string; retryAt?: number } | undefined): StewardError {
  const { code = "internal", message = "The turn failed", hint, retryAt } = error ?? {};
  return new StewardError(code as StewardError["code"], message, { ...(hint ? { hint } : {}), ...(retryAt ? { retryAt } : {}) });
}

/** What nobody in this session asked for, and what the agent says to it. */
export async function* news(events: AsyncIterable<Stored | LiveEvent>, thread: Thread): AsyncGenerator<News, void> {
  let owed = Infinity;
  for await (const one of events) {
    if (!("seq" in one)) continue;
    note(thread, one);
    const { event, seq } = one;
    if (event.type === "message.received" && event.source) {
      owed = Math.min(owed, seq);
      yield { type: "notification", text: textOf(event.parts), from: event.source === "computer" ? "computer" : "notification" };
    }
    if (event.type === "item.completed" && event.item.kind === "file") {
      const { id, name, size } = event.item.file;
      yield { type: "file", id, name, size };
    }
    if (event.type === "item.completed" && event.item.kind === "text" && event.item.text && event.turn !== "" && seq > owed)
      yield { type: "reply", text: event.item.text };
    if (event.type === "turn.completed" && event.seen >= owed) owed = Infinity;
  }
}
