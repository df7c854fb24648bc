// One watch on the store for all streams and sockets, dealt out by session; one that fails is begun again.
import type { Notice } from "../core/store.ts";
import type { LiveEvent, Stored } from "../core/events.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf } from "../std/error.ts";

type Listener = (notice: Notice) => void;
export interface Hub {
  /** Every notice of one session, in order. Returns how to stop. */
  follow(session: string, listener: Listener): () => void;
  /** Every notice of every session. */
  all(listener: Listener): () => void;
  /** What is being said in this session and is not durable yet: each text as one delta from its beginning, of what a running tool prints the end. */
  saying(session: string): LiveEvent[];
}

type Delta = LiveEvent & { type: "item.delta" };
const MAX_SAID = 200_000;
/** Characters that are kept of what a running tool printed, and tools of one session. */
const MOST_OUTPUT = 32_000;
const MOST_TOOLS = 8;
/** The newest events that are looked through for what has ended. */
const LOOK_BACK = 16;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;

export function openHub({ store, log, notices }: Pick<Steward, "store" | "log" | "notices">, signal: AbortSignal): Hub {
  const bySession = new Map<string, Set<Listener>>();
  const everything = new Set<Listener>();
  const said = new Map<string, Map<string, Delta>>();
  const tell = (notice: Notice): void => {
    for (const listener of bySession.get(notice.session ?? "") ?? []) listener(notice);
    for (const listener of everything) listener(notice);
  };
  /** What happened while nobody watched: each stream reads on from where it is. */
  const catchUp = async (): Promise<void> => {
    for (const session of bySession.keys()) {
      const [newest] = await store.events(session, { last: 1 });
      if (newest) tell({ session, seq: newest.seq });
    }
  };
  const watch = async (again: boolean, heard: () => void): Promise<void> => {
    const stop = new AbortController();
    const notices = store.watch(AbortSignal.any([signal, stop.signal]));
    try {
      if (again) await catchUp();
      for await (const notice of notices) {
        heard();
        if (notice.session === undefined) continue;
        if (notice.live) remember(said, notice.session, notice.live);
        else forget(said, notice.session, store);
        tell(notice);
      }
    } finally {
      stop.abort();
    }
  };
  void keepWatching(watch, { signal, log, lost: () => said.clear() });
  return {
    follow(session, listener) {
      const listeners = bySession.get(session) ?? new Set();
      bySession.set(session, listeners.add(listener));
      const looked = notices.looking(session);
      return () => {
        looked();
        listeners.delete(listener);
        if (listeners.size === 0 && bySession.get(session) === listeners) bySession.delete(session);
      };
    },
    all(listener) {
      everything.add(listener);
      return () => void everything.delete(listener);
    },
    saying: (session) => [...(said.get(session)?.values() ?? [])].map((delta) => (delta.kind === "tool" ? ending(delta) : delta)),
  };
}

/** A watch that ends without being told to has failed too. */
async function keepWatching(
  watch: (again: boolean, heard: () => void) => Promise<void>,
  { signal, log, lost }: { signal: AbortSignal; log: Steward["log"]; lost(): void },
): Promise<void> {
  const state = { wait: FIRST_WAIT_MS };
  for (let round = 0; !signal.aborted; round++) {
    const error = await watch(round > 0, () => (state.wait = FIRST_WAIT_MS)).then(
      () => "it ended",
      (failed: unknown) => messageOf(failed),
    );
    if (signal.aborted) return;
    lost();
    log("warning", "Streams hear nothing for a moment: the watch on the store failed", { error, againInMs: state.wait });
    await pause(state.wait, signal);
    state.wait = Math.min(LONGEST_WAIT_MS, state.wait * 2);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Gathers the pieces that stream. */
function remember(said: Map<string, Map<string, Delta>>, session: string, live: LiveEvent): void {
  if (live.type !== "item.delta") return;
  const items = said.get(session) ?? new Map<string, Delta>();
  const before = items.get(live.item);
  const goesOn = live.at === (before ? before.at + before.text.length : 0);
  const whole = goesOn && before ? { ...live, text: before.text + live.text, at: before.at } : live;
  if (live.kind === "tool") {
    const others = before ? 0 : [...items.values()].filter(({ kind }) => kind === "tool").length;
    if (others < MOST_TOOLS) said.set(session, items.set(live.item, whole.text.length > 2 * MOST_OUTPUT ? ending(whole) : whole));
  } else if (goesOn && whole.text.length <= MAX_SAID) said.set(session, items.set(live.item, whole));
}

const ending = (delta: Delta): Delta => ({
  ...delta,
  text: delta.text.slice(-MOST_OUTPUT),
  at: delta.at + Math.max(0, delta.text.length - MOST_OUTPUT),
});

/** The next durable event makes text that streams worthless; what a tool prints, only its own end or that of the turn. */
function forget(said: Map<string, Map<string, Delta>>, session: string, store: Pick<Steward["store"], "events">): void {
  const items = said.get(session);
  if (!items) return;
  for (const [id, { kind }] of items) if (kind !== "tool") items.delete(id);
  const drop = (events: Stored[]): void => {
    for (const { event } of events) {
      if (event.type === "item.completed") items.delete(event.item.id);
      if (event.type === "turn.completed") for (const [id, { turn }] of items) if (turn === event.turn) items.delete(id);
    }
    if (items.size === 0 && said.get(session) === items) said.delete(session);
  };
  if (items.size === 0) return drop([]);
  void store.events(session, { last: LOOK_BACK }).then(drop, () => items.clear());
}

export interface Mailbox {
  push(notice: Notice): void;
  shift(): { seq: number } | { live: LiveEvent } | undefined;
  /** Forgets live events that are older than what was replayed up to `seq`. */
  skip(seq: number): void;
  /** Resolves when something came in, at `wake`, or after `ms`. */
  wait(ms: number): Promise<void>;
  wake(): void;
}

const MAX_LIVE_BYTES = 262_144;

/** What a slow reader has not taken yet: live events are dropped when they are too many, durable ones are only a number to read up to. */
export function mailbox(): Mailbox {
  const state: { mail: ({ seq: number } | { live: LiveEvent })[]; bytes: number; wake?: () => void; rung: boolean } = {
    mail: [],
    bytes: 0,
    rung: false,
  };
  const ring = (): void => {
    state.rung = true;
    state.wake?.();
  };
  const put = ({ seq, live }: Notice): void => {
    if (live) {
      state.bytes += 200 + ("text" in live ? (live.text?.length ?? 0) : 0);
      if (state.bytes > MAX_LIVE_BYTES) dropLive(state);
      else state.mail.push({ live });
    } else if (seq !== undefined) {
      const last = state.mail.at(-1);
      if (last && "seq" in last) last.seq = Math.max(last.seq, seq);
      else state.mail.push({ seq });
    }
  };
  return {
    push(notice) {
      put(notice);
      ring();
    },
    shift() {
      const mail = state.mail.shift();
      if (state.mail.length === 0) state.bytes = 0;
      return mail;
    },
    skip(seq) {
      const at = state.mail.findLastIndex((mail) => "seq" in mail && mail.seq <= seq);
      state.mail.splice(0, at + 1);
    },
    async wait(ms) {
      if (!state.rung) {
        const timer: { id?: NodeJS.Timeout } = {};
        await new Promise<void>((resolve) => {
          state.wake = resolve;
          timer.id = setTimeout(resolve, ms);
        });
        clearTimeout(timer.id);
      }
      state.rung = false;
      delete state.wake;
    },
    wake: ring,
  };
}

function dropLive(state: { mail: ({ seq: number } | { live: LiveEvent })[]; bytes: number }): void {
  const newest = Math.max(0, ...state.mail.map((mail) => ("seq" in mail ? mail.seq : 0)));
  state.mail = newest > 0 ? [{ seq: newest }] : [];
  state.bytes = 0;
}
