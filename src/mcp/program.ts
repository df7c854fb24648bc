// A server that is a program in the person's computer: JSON lines over its standard input and output, as a transport of the MCP client.
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { Computer } from "../core/computer.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { bytes as sizeText, visible } from "../std/text.ts";

export interface ProgramOptions {
  argv: string[];
  env: Record<string, string>;
  network: boolean;
  /** Throws when a line is no message of the protocol. */
  parse(line: string): JSONRPCMessage;
}
export interface Program extends Transport {
  /** The end of what it wrote to standard error, and to standard output beside the protocol. */
  said(): string;
  /** Why it is over. */
  why(): string | undefined;
}

const LONGEST_LINE = 16 * 1024 * 1024;
/** Between two calls: what it makes Steward answer, or look up again, gives it no more. */
const MOST_UNASKED = 64 * 1024 * 1024;
/** Messages that it does not read. */
const MOST_UNREAD = 32 * 1024 * 1024;
const MOST_BAD_LINES = 200;
const KEPT = 4000;
const GRACE_MS = 1500;

/** Whoever answers these may say much. */
const ASKS = new Set(["initialize", "server/discover", "tools/call"]);

interface Reading {
  said: string;
  why?: string;
  /** Bytes since the last call. */
  unasked: number;
  done?: Promise<void>;
}

export function program(computer: Computer, { argv, env, network, parse }: ProgramOptions): Program {
  const input = pipe();
  const stop = new AbortController();
  const state: Reading = { said: "", unasked: 0 };
  const end = (why: string): void => {
    if (state.why !== undefined) return;
    state.why = why;
    input.end();
    stop.abort();
    transport.onclose?.();
  };
  const transport: Program = {
    said: () => state.said.trim(),
    why: () => state.why,
    async start() {
      const onBytes = reader(state, { transport, parse, end });
      const ran = computer.exec(argv, { env, network, stdin: input.pieces, lasting: true, signal: stop.signal, maxBytes: 1, onBytes });
      state.done = ran.then(
        ({ code }) => end(`it ended with code ${code}`),
        (error: unknown) => end(messageOf(error)),
      );
    },
    async send(message) {
      if (state.why !== undefined) throw new StewardError("unavailable", `The server is gone: ${state.why}`);
      if ("method" in message && ASKS.has(message.method)) state.unasked = 0;
      if (!input.push(Buffer.from(`${JSON.stringify(message)}\n`))) end("it does not read what it is sent");
    },
    async close() {
      input.end();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(() => late.resolve(), GRACE_MS);
      await Promise.race([state.done, late.promise]);
      clearTimeout(timer);
      end("it was ended");
      await state.done;
    },
  };
  return transport;
}

interface Ways {
  transport: Transport;
  parse: ProgramOptions["parse"];
  end(why: string): void;
}

/** Lines become messages; what is none, and standard error, is kept to be shown. Whoever floods is ended. */
function reader(state: Reading, { transport, parse, end }: Ways): (stream: 1 | 2, piece: Uint8Array) => void {
  const decoder = new TextDecoder();
  const lines = splitter(LONGEST_LINE);
  const bad = { lines: 0 };
  const note = (text: string): void => void (state.said = `${state.said}${visible(text)}`.slice(-KEPT));
  const line = (text: string): void => {
    if (text.trim() === "" || state.why !== undefined) return;
    try {
      transport.onmessage?.(parse(text));
    } catch (error) {
      note(`${text.slice(0, 300)}\n`);
      transport.onerror?.(error as Error);
      if (++bad.lines > MOST_BAD_LINES) end("it prints what is no MCP");
    }
  };
  return (stream, piece) => {
    if (stream === 2) return note(decoder.decode(piece, { stream: true }));
    state.unasked += piece.byteLength;
    if (state.unasked > MOST_UNASKED) return end(`it wrote more than ${sizeText(MOST_UNASKED)} without being asked`);
    if (!lines(piece, line)) end(`it wrote a line of more than ${sizeText(LONGEST_LINE)}`);
  };
}

/** Pieces that are read while more are put in. `push` is false when too much waits. */
function pipe(): { push(piece: Uint8Array): boolean; end(): void; pieces: AsyncIterable<Uint8Array> } {
  const waiting: Uint8Array[] = [];
  const state = { over: false, size: 0, wake: () => {} };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift();
      if (next !== undefined) {
        yield next;
        state.size -= next.byteLength;
      } else if (state.over) return;
      else await new Promise<void>((resolve) => (state.wake = resolve));
    }
  }
  return {
    push(piece) {
      state.size += piece.byteLength;
      if (state.size > MOST_UNREAD) return false;
      waiting.push(piece);
      state.wake();
      return true;
    },
    end() {
      state.over = true;
      state.wake();
    },
    pieces: pieces(),
  };
}

/** Whole lines out of pieces, however small. False when a line is longer than it may be. */
function splitter(most: number): (piece: Uint8Array, line: (text: string) => void) => boolean {
  const open = { bytes: Buffer.alloc(0), size: 0 };
  const add = (piece: Uint8Array): void => {
    const size = open.size + piece.byteLength;
    if (size > open.bytes.byteLength) {
      const larger = Buffer.alloc(Math.max(size, Math.min(most, 2 * open.bytes.byteLength)));
      larger.set(open.bytes.subarray(0, open.size));
      open.bytes = larger;
    }
    open.bytes.set(piece, open.size);
    open.size = size;
  };
  return (piece, line) => {
    for (let rest = piece; ;) {
      const at = rest.indexOf(10);
      const head = at < 0 ? rest : rest.subarray(0, at);
      if (open.size + head.byteLength > most) return false;
      if (at < 0) {
        add(head);
        return true;
      }
      if (open.size > 0) add(head);
      const whole = open.size > 0 ? open.bytes.subarray(0, open.size) : head;
      const text = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength).toString("utf8");
      Object.assign(open, { bytes: Buffer.alloc(0), size: 0 });
      line(text);
      rest = rest.subarray(at + 1);
    }
  };
}
