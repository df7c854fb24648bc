// claim → run → settle: one turn of one session, every step in the log before the next begins.
import type { Event, LiveEvent, Stored } from "../core/events.ts";
import { messagesAfter, openTurn, pendingCalls, toMessages } from "../core/history.ts";
import type { Host, Outcome, Turn } from "../core/ports.ts";
import type { Commit, Job, NewJob } from "../core/store.ts";
import type { Address, Item, Principal } from "../core/types.ts";
import { failureOf, hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { compact } from "./compact.ts";
import { instructions, readWindow, turnKey, type TurnState } from "./context.ts";
import { cancelKey } from "./inbox.ts";
import { sessionKey, type SessionDoc } from "./sessions.ts";
import { type Steward, zoneOf } from "./steward.ts";
import { offered, specOf, toolbox } from "./toolbox.ts";

export const LEASE_MS = 60_000;
const RETRIES = 3;
const LONGEST_WAIT_MS = 60_000;

/** What one run of a turn job works on. Everything that it writes carries the lease. */
export interface Running {
  steward: Steward;
  principal: Principal;
  session: string;
  job: Job;
  log: LogView;
  state: TurnState & { failures?: number };
  /** Aborts with reason "cancelled" by a person, or a `stale` error when another worker owns the turn or Steward stops. */
  abort: AbortController;
}

/** Resolves when the turn is settled or will be retried. Throws only what makes the job itself be retried. */
export async function runTurn(steward: Steward, job: Job, abort: AbortController): Promise<void> {
  const { session, principal } = job.data as { session: string; principal: Principal };
  const state = ((await steward.store.get(turnKey(session))) as Running["state"] | undefined) ?? { from: 0, seen: 0 };
  const { log, cut } = await readWindow(steward, session, state);
  const open = state.turn ?? openTurn(log);
  const running: Running = { steward, principal, session, job, state, abort, log: logView(steward, session, log) };
  const cancelled = open !== undefined && open !== null && (await steward.store.get(cancelKey(session))) === open;
  if (cancelled) return settle(running, { turn: open, engine: "", model: "" }, { stop: "cancelled", seen: log.at(-1)?.seq ?? 0 });
  if (!open && messagesAfter(log, state.seen).length === 0) return void (await keep(running, { lease: "done" }));
  await compact(running, cut);
  const doc = ((await steward.store.get(sessionKey(principal.person, session))) ?? {}) as Partial<SessionDoc>;
  const turn = {
    turn: open ?? newId("trn"),
    engine: doc.engine || steward.settings.config().runtime.engine,
    model: steward.models.current({ ...(doc.model ? { model: doc.model } : {}) }),
  };
  if (open) await resumed(running, open);
  else
    await keep(running, {
      events: [{ type: "turn.started", ...turn }],
      put: { [turnKey(session)]: { ...state, turn: turn.turn } },
      merge: { running: turn.turn },
    });
  state.turn = turn.turn;
  const beat = setInterval(
    () => void keep(running, {}).catch((error: unknown) => hasCode(error, "stale") && abort.abort(error)),
    LEASE_MS / 3,
  );
  const outcome = await attempt(running, turn).finally(() => clearInterval(beat));
  if (hasCode(abort.signal.reason, "stale")) throw abort.signal.reason;
  await finish(running, turn, outcome);
}

interface Named {
  turn: string;
  engine: string;
  model: string;
}

async function attempt(running: Running, named: Named): Promise<Outcome> {
  try {
    const engine = await running.steward.engine(named.engine);
    return await engine.run(await describe(running, named), hostFor(running, named.turn));
  } catch (error) {
    if (hasCode(error, "stale")) throw error;
    return { stop: "failed", seen: running.log.seq(), error: failureOf(error) };
  }
}

/** A pause that a restart made is said in the log, which also clears what had been streamed but not kept. */
async function resumed(running: Running, turn: string): Promise<void> {
  if (running.job.tries < 2 || running.state.failures) return;
  const notice: Item = {
    id: newId("itm"),
    kind: "notice",
    level: "info",
    text: "Steward was restarted during this turn and goes on from what was done.",
  };
  await keep(running, { events: [{ type: "item.completed", turn, item: notice }] });
}

async function describe(running: Running, { turn, model }: Named): Promise<Turn> {
  const { steward, principal, session, state } = running;
  const log = await running.log.read();
  const windowFrom = log[0]?.at ?? steward.now();
  const rounds = log.filter(({ event }) => event.type === "item.completed" && event.turn === turn && event.item.kind === "step").length;
  return {
    id: turn,
    session,
    model,
    instructions: await instructions(steward, principal, { model, windowFrom }),
    history: toMessages(log, { zone: zoneOf(steward) }),
    tools: (await offered(steward)).map(specOf),
    rounds: Math.max(1, steward.settings.config().limits.rounds - rounds),
    seen: Math.max(state.seen, log.at(-1)?.seq ?? 0),
    pending: pendingCalls(log),
  };
}

function hostFor(running: Running, turn: string): Host {
  const { steward, principal, session, abort, log } = running;
  const reader = { seen: log.seq() };
  const live = (event: LiveEvent): void => steward.store.publish(session, event);
  return {
    signal: abort.signal,
    live,
    emit: (...events) => keep(running, { events }),
    call: toolbox(steward, {
      principal,
      session,
      turn,
      signal: abort.signal,
      live,
      log: () => log.read(),
      emit: (events, more) => keep(running, { events, ...more }),
    }),
    async steer() {
      const all = await log.read();
      const news = messagesAfter(all, reader.seen);
      const before = all.findLast(({ seq, event }) => seq <= reader.seen && event.type === "message.received")?.at;
      reader.seen = Math.max(reader.seen, all.at(-1)?.seq ?? 0);
      return { messages: toMessages(news, { zone: zoneOf(steward), ...(before === undefined ? {} : { before }) }), seen: reader.seen };
    },
  };
}

interface Kept {
  events?: Event[];
  put?: Record<string, unknown>;
  add?: Record<string, Record<string, number>>;
  /** Into the session's document. */
  merge?: Partial<SessionDoc>;
  drop?: string[];
  jobs?: NewJob[];
  lease?: "done" | { retryAt: number };
}

/** The one way in which a turn writes: with its lease, so that a worker that lost it can write nothing. */
async function keep(running: Running, { events = [], merge, lease, ...more }: Kept): Promise<void> {
  const { steward, session, principal, job, log } = running;
  const change: Commit = {
    ...more,
    lease: { job: job.id, epoch: job.epoch, then: lease ?? { keepMs: LEASE_MS } },
    ...(events.length > 0 ? { events: events.map((event) => ({ session, event })) } : {}),
    ...(merge ? { merge: { [sessionKey(principal.person, session)]: merge } } : {}),
  };
  log.add(await steward.store.commit(change));
}

/** Tries again what may pass by itself, after 1, 2 and 4 seconds or when the endpoint says; settles everything else. */
async function finish(running: Running, named: Named, outcome: Outcome): Promise<void> {
  const { steward, state, session } = running;
  const failures = state.failures ?? 0;
  const { error } = outcome;
  const now = steward.now();
  const retryAt = Math.max(error?.retryAt ?? 0, now + 1000 * 2 ** failures);
  const passing = error?.code === "unavailable" || (error?.code === "limit" && error.retryAt !== undefined);
  if (outcome.stop !== "failed" || !passing || failures >= RETRIES || retryAt - now > LONGEST_WAIT_MS)
    return settle(running, named, outcome);
  steward.log("warning", "A model failed; trying again", { session, model: named.model, error: error.message, retryAt });
  await keep(running, { put: { [turnKey(session)]: { ...state, failures: failures + 1 } }, lease: { retryAt } });
  steward.store.publish(session, { type: "turn.waiting", turn: named.turn, on: "retry", until: retryAt, text: error.message });
}

/** One commit: the closing items, the end of the turn, a delivery for each waiting address, the job. */
async function settle(running: Running, named: Named, outcome: Outcome): Promise<void> {
  const { steward, session, state } = running;
  const { last = [], ...end } = outcome;
  const log = await running.log.read();
  const started = log.findLast(({ event }) => event.type === "turn.started" && event.turn === named.turn)?.event;
  const names =
    started?.type === "turn.started"
      ? { turn: named.turn, engine: named.engine || started.engine, model: named.model || started.model }
      : named;
  const events: Event[] = [
    ...last.map((item): Event => ({ type: "item.completed", turn: named.turn, item })),
    { type: "turn.completed", ...names, ...end },
  ];
  const { turn: _turn, failures: _failures, ...kept } = state;
  await keep(running, {
    events,
    put: { [turnKey(session)]: { ...kept, seen: end.seen } satisfies TurnState },
    merge: { running: null, updatedAt: steward.now() },
    add: { [sessionKey(running.principal.person, session)]: { messages: last.some(({ kind }) => kind === "text") ? 1 : 0 } },
    drop: [cancelKey(session)],
    jobs: deliveries(log, events, { running, turn: named.turn, seen: end.seen }),
    lease: "done",
  });
  if (outcome.error)
    steward.log("error", "A turn failed", { session, turn: named.turn, code: outcome.error.code, error: outcome.error.message });
}

/** One delivery for each place whose messages this turn answered. */
function deliveries(log: Stored[], closing: Event[], { running, turn, seen }: { running: Running; turn: string; seen: number }): NewJob[] {
  const homes = new Map<string, Address>();
  for (const { event, seq } of messagesAfter(log, running.state.seen))
    if (event.type === "message.received" && event.replyTo && seq <= seen) homes.set(JSON.stringify(event.replyTo), event.replyTo);
  if (homes.size === 0) return [];
  const text = replyText([...log.map(({ event }) => event), ...closing], turn);
  if (!text) return [];
  return [...homes].map(([lane, to]) => ({
    id: newId("job"),
    kind: "deliver",
    lane,
    data: { session: running.session, delivery: newId("dlv"), to, text },
  }));
}

/** What a turn said, as one text: for doors that deliver whole replies. */
export function replyText(events: Event[], turn: string): string {
  return events
    .flatMap((event) => {
      if (event.type === "item.completed" && event.turn === turn && event.item.kind === "text") return [event.item.text];
      if (event.type === "turn.completed" && event.turn === turn && event.stop === "failed")
        return [`Sorry, I encountered an error: ${event.error?.message ?? "unknown"}${event.error?.hint ? ` (${event.error.hint})` : ""}`];
      return event.type === "turn.completed" && event.turn === turn && event.stop === "cancelled" ? ["(Stopped.)"] : [];
    })
    .join("\n\n");
}

// ---- The window of the log, kept current

export interface LogView {
  /** Everything of the window, what others wrote meanwhile included. */
  read(): Promise<Stored[]>;
  add(stored: Stored[]): void;
  /** The newest number known. */
  seq(): number;
}

function logView({ store }: Steward, session: string, log: Stored[]): LogView {
  const newest = (): number => log.at(-1)?.seq ?? 0;
  return {
    seq: newest,
    add(stored) {
      if (stored[0]?.seq === newest() + 1) log.push(...stored);
    },
    async read() {
      const news = await store.events(session, { after: newest() });
      log.push(...news.filter(({ seq }) => seq > newest())); // a second read may have been faster
      return log;
    },
  };
}
