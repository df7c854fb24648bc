// Frames over one stream: many channels, each with credit in both directions. What the channels are for is left to supervised.ts.
//
// Bytes travel as DATA and only as far as the receiver gave credit; OPEN, EVENT and CLOSE hold JSON. Whoever opened a channel,
// each side closes it once; with the second CLOSE its number is free. The other end is inside a computer and may be anything: whatever breaks these rules ends the link.
import type { Duplex } from "node:stream";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { encodeFrame, FRAME, frameParser, type Frame } from "./frames.ts";

/** Bytes that may be on their way on a channel, in each direction. */
export const WINDOW = 512 * 1024;
const PIECE = 64 * 1024;
const MOST_UNSENT = 64 * 1024 * 1024;
const MOST_THEIRS = 512;
/** Those that were refused and not yet given up by the other side are counted too. */
const MOST_KNOWN = 1024;
/** What the supervisor tells by itself is short. */
const LONGEST_EVENT = 16 * 1024;
/** A small piece does not keep the large one alive that it came in. */
const SMALL = 4096;

const STOPPED = "The computer stopped while it was working";
/** Whether the link ended because what it led to has ended, which says nothing of what runs now. */
export const hasStopped = (error: unknown): boolean => hasCode(error, "unavailable") && error.message === STOPPED;

export type Message = Record<string, unknown>;
/** What the one who opened a channel, or took one, wants to hear. */
export interface Ears {
  /** Has to give credit back (`grant`) for what it has dealt with. */
  data?(stream: number, bytes: Uint8Array): void;
  event?(message: Message): void;
  end?(stream: number): void;
  /** Once, last: the answer of the other side, or that the link has ended. */
  closed(answer: Message | StewardError): void;
}
export interface Channel {
  /** Resolves when all of it was handed over; waits for credit. Resolves also when the channel has closed meanwhile. */
  send(stream: number, bytes: Uint8Array): Promise<void>;
  grant(count: number): void;
  end(stream: number): void;
  event(message: Message): void;
  /** Gives up one's own side; `closed` is still called when the other side is done. */
  close(message?: Message): void;
}
export interface Link {
  open(ask: Message, ears: Ears): Channel;
  /** Ends the link with this reason. */
  end(why: StewardError): void;
  readonly ended: Promise<StewardError>;
}

interface Own {
  ears: Ears;
  credit: number;
  owed: number;
  waiting: (() => void)[];
  told: boolean;
  heard: boolean;
}
interface State {
  stream: Duplex;
  channels: Map<number, Own>;
  next: number;
  theirs: number;
  over?: StewardError;
  /** Senders that wait until the stream takes more. */
  full: (() => void)[];
  /** Keeps the process alive while something is open; the stream alone doesn't. */
  awake?: NodeJS.Timeout | undefined;
  settle(why: StewardError): void;
}

const encode = (message: Message): Uint8Array => Buffer.from(JSON.stringify(message));

/** `accept` answers channels that the other side opens: what it wants to hear, or undefined to refuse. */
export function openLink(stream: Duplex, accept: (ask: Message, channel: Channel) => Ears | undefined): Link {
  const { promise: ended, resolve: settle } = Promise.withResolvers<StewardError>();
  const state: State = { stream, channels: new Map(), next: 1, theirs: 0, full: [], settle };
  const end = (why: StewardError): void => finish(state, why);
  const parse = frameParser();
  const gone = new StewardError("unavailable", STOPPED, { hint: "Try again: it is started anew." });
  stream.on("data", (piece: Uint8Array) => {
    try {
      for (const frame of parse(piece)) if (!state.over) take(state, frame, accept);
    } catch (error) {
      end(new StewardError("unavailable", `The computer does not answer as it should: ${messageOf(error)}`, { cause: error }));
    }
  });
  stream.on("drain", () => resume(state));
  const broken = (error: unknown): void => end(error instanceof StewardError ? error : gone);
  stream.on("error", broken);
  stream.on("end", () => end(gone));
  stream.on("close", () => end(gone));
  if (stream.destroyed) broken(stream.errored); // nothing tells of it any more
  return {
    ended,
    end,
    open(ask, ears) {
      if (state.over) {
        const why = state.over;
        queueMicrotask(() => ears.closed(why));
        return { send: async () => {}, grant() {}, end() {}, event() {}, close() {} };
      }
      const number = state.next;
      state.next += 2;
      state.channels.set(number, fresh(ears));
      state.awake ??= setInterval(() => {}, 2 ** 30);
      put(state, encodeFrame(FRAME.open, number, encode(ask)));
      return channelOf(state, number);
    },
  };
}

function resume(state: State): void {
  for (const go of state.full.splice(0)) go();
}

/** Ends the link when the other side takes nothing any more while more and more is for it. */
function put(state: State, bytes: Uint8Array): void {
  state.stream.write(bytes);
  if (state.stream.writableLength > MOST_UNSENT)
    finish(state, new StewardError("unavailable", "The computer does not take what it is sent"));
}

const fresh = (ears: Ears): Own => ({ ears, credit: WINDOW, owed: WINDOW, waiting: [], told: false, heard: false });

function finish(state: State, why: StewardError): void {
  if (state.over) return;
  state.over = why;
  rest(state);
  state.stream.destroy();
  const left = [...state.channels.values()];
  state.channels.clear();
  resume(state);
  for (const own of left) closed(own, why);
  state.settle(why);
}

function closed(own: Own, answer: Message | StewardError): void {
  if (own.heard) return;
  own.heard = true;
  for (const go of own.waiting.splice(0)) go();
  own.ears.closed(answer);
}

function channelOf(state: State, number: number): Channel {
  const write = (kind: number, ...parts: Uint8Array[]): void => {
    const own = state.channels.get(number);
    if (own && !own.told && !own.heard && !state.over) put(state, encodeFrame(kind, number, ...parts));
  };
  return {
    grant(count) {
      const own = state.channels.get(number);
      if (!own || count <= 0) return;
      own.owed += count;
      const bytes = Buffer.allocUnsafe(4);
      bytes.writeUInt32BE(count);
      write(FRAME.credit, bytes);
    },
    end: (stream) => write(FRAME.end, Uint8Array.of(stream)),
    event: (message) => write(FRAME.event, encode(message)),
    close(message = {}) {
      const own = state.channels.get(number);
      if (!own || own.told) return;
      write(FRAME.close, encode(message));
      own.told = true;
      if (own.heard) forget(state, number);
    },
    async send(stream, bytes) {
      for (let at = 0; at < bytes.length;) {
        const own = state.channels.get(number);
        if (!own || own.heard || own.told || state.over) return;
        const count = Math.min(bytes.length - at, own.credit, PIECE);
        if (count <= 0) await new Promise<void>((resolve) => own.waiting.push(resolve));
        else if (state.stream.writableNeedDrain) await new Promise<void>((resolve) => state.full.push(resolve));
        else {
          own.credit -= count;
          write(FRAME.data, Uint8Array.of(stream), bytes.subarray(at, at + count));
          at += count;
        }
      }
    },
  };
}

function rest(state: State): void {
  clearInterval(state.awake);
  state.awake = undefined;
}

function forget(state: State, number: number): void {
  if (state.channels.delete(number) && number % 2 === 0) state.theirs--;
  if (state.channels.size === 0) rest(state);
}

function take(state: State, { kind, channel, body }: Frame, accept: (ask: Message, channel: Channel) => Ears | undefined): void {
  const own = state.channels.get(channel);
  if (kind === FRAME.open) return opened(state, { channel, body }, accept);
  if (!own || own.heard) return;
  if (kind === FRAME.data) {
    own.owed -= Math.max(0, body.length - 1);
    if (own.owed < 0 || body.length === 0) throw new StewardError("invalid", "it sent more than it may");
    if (body.length > 1 && !own.told) own.ears.data?.(body[0]!, body.length > SMALL ? body.subarray(1) : Uint8Array.from(body.subarray(1)));
  } else if (kind === FRAME.credit) {
    if (body.length !== 4) throw new StewardError("invalid", "it gave credit that is no number");
    own.credit += Buffer.from(body.buffer, body.byteOffset, 4).readUInt32BE(0);
    if (own.credit > WINDOW) throw new StewardError("invalid", "it gave more credit than there is");
    for (const go of own.waiting.splice(0)) go();
  } else if (kind === FRAME.end) {
    if (!own.told) own.ears.end?.(body[0] ?? 0);
  } else if (kind === FRAME.event) {
    brief(body);
    if (!own.told && own.ears.event) own.ears.event(decode(body));
  } else {
    const answer = decode(body);
    channelOf(state, channel).close();
    forget(state, channel);
    closed(own, answer);
  }
}

function opened(
  state: State,
  { channel: number, body }: { channel: number; body: Uint8Array },
  accept: (ask: Message, channel: Channel) => Ears | undefined,
): void {
  if (number % 2 !== 0 || number === 0 || state.channels.has(number))
    throw new StewardError("invalid", "it opened a channel that is not its own");
  const own = fresh({ closed() {} });
  state.channels.set(number, own);
  state.theirs++;
  if (state.theirs > MOST_KNOWN) throw new StewardError("invalid", "it opened more channels than it may");
  const channel = channelOf(state, number);
  const ears = state.theirs > MOST_THEIRS ? undefined : accept(decode(brief(body)), channel);
  if (ears) own.ears = ears;
  else channel.close({});
}

function brief(body: Uint8Array): Uint8Array {
  if (body.length > LONGEST_EVENT) throw new StewardError("invalid", "it said more than it may");
  return body;
}

function decode(body: Uint8Array): Message {
  const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString() || "{}");
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new StewardError("invalid", "it said something that is no message");
  return value as Message;
}
