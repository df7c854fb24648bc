// One message in, the turn that reads it out as pieces of one reply: for doors whose clients wait for an answer.
import type { Event, LiveEvent, Stored } from "../core/events.ts";
import type { Ask, Item } from "../core/types.ts";
import { openAsks } from "../run/asks.ts";
import type { Reply } from "../run/asides.ts";
import { cancelTurn, type GivenPart, say } from "../run/inbox.ts";
import { sessionDoc } from "../run/sessions.ts";
import { failedText } from "../run/settle.ts";
import { hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Caller } from "./auth.ts";
import { mailbox } from "./hub.ts";
import type { Gate } from "./table.ts";

/** A piece of a reply. The chunks before an `ask` or the `end`, joined, are that piece's `text`. */
export type Piece =
  | { type: "chunk"; text: string }
  | { type: "ask"; text: string }
  /** `session`: the conversation to go on in, when it is another. `done`: how the turn ended; a command has none. */
  | { type: "end"; text: string; failed: boolean; session?: string; done?: Event & { type: "turn.completed" } }
  | { type: "left"; reason: "revoked" | "gone" };

const askText =
  (gate: Gate) =>
  (ask: Ask): string =>
    [
      `I need your answer before I go on: ${ask.prompt}`,
      ...(ask.shows ? [ask.shows] : []),
      `${ask.options.length > 0 ? `Answers: ${ask.options.join(", ")}. ` : ""}Answer on the page ${gate.url()}/s/${ask.session} or in \`steward chat\`.`,
    ].join("\n\n");

/** What one turn has said so far, as a text that only grows. */
export interface Telling {
  turn?: string | undefined;
  /** The turn that began after the message. */
  own?: string | undefined;
  /** Sequence number of the message that is to be answered. */
  asked: number;
  /** Characters of each text item that were handed out. */
  sent: Map<string, number>;
  /** Handed out since the last ask. */
  text: string;
  /** Handed out in this turn, and what to say when that is nothing. */
  said: boolean;
  notice: string;
}

/** `rounds`: model calls that the door promised a message at most. */
export interface Saying {
  session: string;
  parts: GivenPart[];
  signal: AbortSignal;
  rounds?: number;
  /** A program's words, which are never a command. */
  literal?: boolean;
  /** When `signal` aborts, the turn that this message has begun, or begins, is stopped. One that ran before goes on: it is not this message's. */
  stops?: boolean;
}

/** Says it, then yields the reply as it comes. The message is durable before the first piece. Ends early when `signal` aborts. */
export async function* reply(
  gate: Gate,
  caller: Caller,
  { session, parts, signal, rounds, literal = false, stops = false }: Saying,
): AsyncGenerator<Piece> {
  const { steward } = gate;
  const { store } = steward;
  const box = mailbox();
  const off = gate.hub.follow(session, box.push);
  signal.addEventListener("abort", box.wake, { once: true });
  try {
    const doc = await sessionDoc(steward, caller.principal, session);
    const key = newId("key");
    const [newest] = await store.events(session, { last: 1 });
    let read = newest?.seq ?? 0;
    const said = await say(steward, caller.principal, { session, parts, key, literal, ...(rounds === undefined ? {} : { rounds }) });
    if (said.reply) return yield* commanded(said.reply);
    const state: Telling = { turn: doc.running ?? undefined, asked: Infinity, sent: new Map(), text: "", said: false, notice: "" };
    const waiting = doc.running ? (await openAsks(steward, caller.principal)).find((ask) => ask.session === session) : undefined;
    if (waiting) yield* asking(state, askText(gate)(waiting));
    while (!signal.aborted) {
      const mail = box.shift();
      if (!mail) {
        await box.wait(60_000);
        const lost = await stillThere(gate, caller, session);
        if (lost) return void (yield { type: "left", reason: lost });
      } else if ("live" in mail) yield* chunk(state, liveText(state, mail.live));
      else if (mail.seq > read)
        for (const stored of await store.events(session, { after: read })) {
          read = stored.seq;
          if (stored.event.type === "message.received" && stored.event.key === key) state.asked = stored.seq;
          const pieces = told(askText(gate), state, stored);
          yield* pieces;
          if (pieces.at(-1)?.type === "end") return;
        }
    }
    if (stops) await stopped(gate, caller, { session, key, box, read, state });
  } finally {
    off();
    signal.removeEventListener("abort", box.wake);
  }
}

interface Left {
  session: string;
  key: string;
  box: ReturnType<typeof mailbox>;
  read: number;
  state: Telling;
}

/** Nobody waits any more: ends the message's own turn, also one that has yet to begin. */
async function stopped({ steward }: Gate, { principal }: Caller, { session, key, box, read, state }: Left): Promise<void> {
  const at = { read, asked: state.asked, own: state.own };
  for (;;) {
    for (const { seq, event } of await steward.store.events(session, { after: at.read })) {
      at.read = seq;
      if (event.type === "message.received" && event.key === key) at.asked = seq;
      if (event.type === "turn.started" && seq > at.asked) at.own = event.turn;
      if (event.type === "turn.completed" && (event.turn === at.own || event.seen >= at.asked)) return;
    }
    const doc = await sessionDoc(steward, principal, session).catch(() => undefined);
    if (doc === undefined) return;
    if (at.own !== undefined && doc.running === at.own) return void (await cancelTurn(steward, principal, session).catch(() => false));
    while (box.shift()); // only that something came counts
    await box.wait(60_000);
  }
}

/** A command has no turn: its answer is the reply. */
function* commanded({ text, session }: Reply): Generator<Piece> {
  yield { type: "chunk", text };
  yield { type: "end", text, failed: false, ...(session === undefined ? {} : { session }) };
}

async function stillThere(gate: Gate, caller: Caller, session: string): Promise<"revoked" | "gone" | undefined> {
  if (!(await gate.auth.holds(caller))) return "revoked";
  return sessionDoc(gate.steward, caller.principal, session).then(
    () => undefined,
    (error: unknown) => (hasCode(error, "not_found") ? "gone" : undefined),
  );
}

function asking(state: Telling, question: string): Piece[] {
  const pieces = chunk(state, state.text ? `\n\n${question}` : question);
  const { text } = state;
  state.text = "";
  return [...pieces, { type: "ask", text }];
}

export function chunk(state: Telling, text: string): Piece[] {
  if (!text) return [];
  state.text += text;
  state.said = true;
  return [{ type: "chunk", text }];
}

/** The part of a live piece that was not handed out yet; "" when some before it was missed (the stored item brings that). */
export function liveText(state: Telling, live: LiveEvent): string {
  if (live.type !== "item.delta" || live.kind !== "text" || live.turn !== state.turn || state.asked === Infinity) return "";
  return grown(state, live.item, { at: live.at, text: live.text });
}

function grown(state: Telling, item: string, { at, text }: { at: number; text: string }): string {
  const sent = state.sent.get(item) ?? 0;
  if (at > sent) return "";
  const fresh = text.slice(sent - at);
  if (!fresh) return "";
  state.sent.set(item, sent + fresh.length);
  return sent === 0 && state.text ? `\n\n${fresh}` : fresh;
}

/** `words`: how a question is put at this door. */
export function told(words: (ask: Ask) => string, state: Telling, { seq, event }: Stored): Piece[] {
  if (event.type === "turn.started") {
    Object.assign(state, { turn: event.turn, said: false, notice: "", ...(seq > state.asked ? { own: event.turn } : {}) });
    return [];
  }
  if (event.type === "ask.opened" && event.ask.turn === state.turn) return asking(state, words(event.ask));
  if (event.type === "item.completed" && event.turn === state.turn && seq > state.asked) return storedItem(state, event.item);
  if (event.type !== "turn.completed" || event.turn !== state.turn || event.seen < state.asked) return [];
  return ending(state, event);
}

function storedItem(state: Telling, item: Item): Piece[] {
  if (item.kind === "notice" && item.level !== "info") state.notice = item.text;
  return item.kind === "text" ? chunk(state, grown(state, item.id, { at: 0, text: item.text })) : [];
}

function ending(state: Telling, event: Event & { type: "turn.completed" }): Piece[] {
  if (event.stop === "failed") return [{ type: "end", text: failedText(event.error), failed: true, done: event }];
  const before: Piece[] = state.said ? [] : chunk(state, event.stop === "cancelled" ? "(Stopped.)" : state.notice || "Task completed.");
  return [...before, { type: "end", text: state.text, failed: false, done: event }];
}
