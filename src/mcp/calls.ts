// Calls that are under way at one server, and which of them a question of the server's belongs to. Never to another session than that of its call.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Transport } from "@modelcontextprotocol/client";
import type { ToolContext } from "../core/ports.ts";
import type { Elicited } from "./questions.ts";

export interface Call {
  context: Pick<ToolContext, "signal" | "output" | "ask"> & { session?: string };
  /** It goes on. */
  alive(): void;
  /** A person is asked; the silence is theirs. */
  asking(work: Promise<unknown>): void;
}
export interface Calls {
  size(): number;
  /** While `work` runs, the call is under way, and what answers its requests belongs to it. */
  during<T>(call: Call, work: () => Promise<T>): Promise<T>;
  /** Aborts when the call is over. */
  over(call: Call): AbortSignal;
  /** To be called once the transport is connected. */
  follow(transport: Transport): void;
  /** Undefined when it can't be told whose session is meant. */
  meant(): Call | undefined;
  /** One question of a call after the other, and so many at most: the next is cancelled. */
  question(call: Call, put: () => Promise<Elicited>): Promise<Elicited>;
}

const MOST_QUESTIONS = 20;
const MOST_OPEN = 2000;

export function openCalls(): Calls {
  const open = new Map<Call, AbortController>();
  const asked = new WeakMap<Call, { count: number; last: Promise<unknown> }>();
  const current = new AsyncLocalStorage<Call>();
  return {
    size: () => open.size,
    async during(call, work) {
      const end = new AbortController();
      open.set(call, end);
      try {
        return await current.run(call, work);
      } finally {
        open.delete(call);
        end.abort();
      }
    },
    over: (call) => open.get(call)?.signal ?? AbortSignal.abort(),
    follow: (transport) => follow(transport),
    meant() {
      const own = current.getStore();
      if (own && open.has(own)) return own;
      const sessions = new Set([...open.keys()].map(({ context }) => context.session));
      return sessions.size === 1 ? [...open.keys()].at(-1) : undefined;
    },
    async question(call, put) {
      const state = asked.get(call) ?? { count: 0, last: Promise.resolve() };
      asked.set(call, state);
      if (++state.count > MOST_QUESTIONS) return { action: "cancel" };
      const before = state.last;
      const done = before.then(() => (open.has(call) ? put() : { action: "cancel" as const }));
      state.last = done.catch(() => undefined);
      return done;
    },
  };
}

/** What answers a request is met where the request was made. (Over HTTP the same holds by itself for what comes on a request's own stream.) */
function follow(transport: Transport): void {
  const places = new Map<string | number, <T>(run: () => T) => T>();
  const send = transport.send.bind(transport);
  const deliver = transport.onmessage;
  transport.send = (message, options) => {
    if ("method" in message && "id" in message) {
      const [oldest] = places.keys();
      if (places.size >= MOST_OPEN && oldest !== undefined) places.delete(oldest);
      places.set(message.id, AsyncLocalStorage.snapshot());
    }
    return send(message, options);
  };
  transport.onmessage = (message, extra) => {
    const id = "method" in message ? undefined : message.id;
    const place = id === undefined ? undefined : places.get(id);
    if (place === undefined || id === undefined) return deliver?.(message, extra);
    places.delete(id);
    place(() => deliver?.(message, extra));
  };
}
