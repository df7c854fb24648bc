// Server-sent events: a session's log from a number on without gap or double, then live. The person's own notices are `notices.ts`.
import type { LiveEvent, Stored } from "../core/events.ts";
import type { Store } from "../core/store.ts";
import { hasCode } from "../std/error.ts";
import { sessionDoc } from "../run/sessions.ts";
import type { Caller } from "./auth.ts";
import type { Gate, Visit } from "./table.ts";
import { mailbox } from "./hub.ts";
import type { EndReason } from "./live.ts";

export const BEAT_MS = 15_000;
const STALL_MS = 60_000;
/** Characters in one piece, about; a single event may be larger. */
const BATCH = 65_536;
const MOST_EVENTS = 200;

export const frame = (event: string, data: unknown, id?: number): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const storedFrame = (stored: Stored): string => frame("stored", stored, stored.seq);
const liveFrame = (live: LiveEvent): string => frame("live", live);

export interface Source {
  /** The next piece of the stream; waits for it. Undefined: over. */
  next(): Promise<string | undefined>;
  wake(): void;
  stop(): void;
}

/** One frame of text at a time, made when the reader takes it: a slow reader costs nothing but its place. */
export function eventStream(visit: Visit, caller: Caller, source: Source): Response {
  const { gate, request } = visit;
  const state = { takenAt: Date.now(), over: false, done: false, last: "" };
  const stop = (): void => {
    state.over = true;
    state.done = true;
    off();
    source.stop();
    source.wake();
  };
  const off = gate.live.add({
    caller,
    end(reason: EndReason) {
      state.last = frame("notice", { type: "ended", reason });
      state.over = true;
      source.wake();
    },
    cut: () => void (state.done || visit.cut?.()),
    stalled: () => Date.now() - state.takenAt > STALL_MS,
  });
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        state.takenAt = Infinity;
        const text = state.over ? undefined : await source.next().catch(() => undefined);
        const ended = state.over || text === undefined;
        if (state.last || text) controller.enqueue(new TextEncoder().encode(state.last || text));
        state.takenAt = Date.now();
        if (!ended) return;
        stop();
        controller.close();
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
  if (request.method === "HEAD") stop();
  return new Response(request.method === "HEAD" ? null : body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** Reads a session's log from a number on, in pieces of about one batch whatever the size of its events. */
function logReader(store: Store, session: string, after: number): { seq(): number; read(upTo: number): Promise<string> } {
  const state = { seq: after, page: 8 };
  return {
    seq: () => state.seq,
    /** "" when there is nothing up to that number. */
    async read(upTo) {
      let text = "";
      while (state.seq < upTo && text.length < BATCH) {
        const page = await store.events(session, { after: state.seq, limit: Math.min(state.page, upTo - state.seq) });
        const frames = page.map(storedFrame).join("");
        text += frames;
        state.seq = page.at(-1)?.seq ?? upTo;
        if (page.length === 0) return text;
        state.page = Math.max(1, Math.min(MOST_EVENTS, Math.floor((BATCH * page.length) / frames.length)));
      }
      return text;
    },
  };
}

/** Replays what is stored after `after`, then follows. The principal is checked before each piece. */
export function sessionSource(gate: Gate, caller: Caller, { session, after }: { session: string; after: number }): Source {
  const { store } = gate.steward;
  const box = mailbox();
  const off = gate.hub.follow(session, box.push);
  const log = logReader(store, session, after);
  const state = { replayed: false, over: false, upTo: 0 };

  const replay = async (): Promise<string> => {
    const [newest] = await store.events(session, { last: 1 });
    if (newest && newest.seq > log.seq()) return log.read(newest.seq);
    state.replayed = true;
    box.skip(log.seq());
    return gate.hub.saying(session).map(liveFrame).join("");
  };
  const follow = async (): Promise<string> => {
    let text = "";
    while (text.length < BATCH) {
      if (state.upTo > log.seq()) text += await log.read(state.upTo);
      else {
        const mail = box.shift();
        if (!mail) return text;
        if ("seq" in mail) state.upTo = mail.seq;
        else text += liveFrame(mail.live);
      }
    }
    return text;
  };
  return {
    async next() {
      let waited = false;
      while (!state.over) {
        const gone = await lost(gate, caller, session);
        if (gone) state.over = true;
        if (gone) return frame("notice", { type: "ended", reason: gone });
        const text = state.replayed ? await follow() : await replay();
        if (text) return text;
        if (!state.replayed) continue;
        if (waited) return ": beat\n\n";
        const at = Date.now();
        await box.wait(BEAT_MS);
        waited = Date.now() - at >= BEAT_MS - 5;
      }
      return undefined;
    },
    wake() {
      state.over = true;
      box.wake();
    },
    stop: off,
  };
}

/** Why this caller may not read this session any more; undefined when it may. */
async function lost(gate: Gate, caller: Caller, session: string): Promise<string | undefined> {
  if (!(await gate.auth.holds(caller))) return "revoked";
  try {
    await sessionDoc(gate.steward, caller.principal, session);
    return undefined;
  } catch (error) {
    if (hasCode(error, "not_found")) return "gone";
    throw error;
  }
}
