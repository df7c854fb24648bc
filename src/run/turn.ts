// claim → run: one turn of one session, every step in the log before the next begins. How it ends is `settle.ts`.
import type { Event, LiveEvent, Stored } from "../core/events.ts";
import { before, messagesAfter, newsAfter, openTurn, pendingCalls, toMessages } from "../core/history.ts";
import type { Host, Message, Outcome, ToolSpec, Turn } from "../core/ports.ts";
import type { Job } from "../core/store.ts";
import type { Item, ToolCall } from "../core/types.ts";
import { failureOf, hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Scope } from "./approval.ts";
import { refuseTooMany } from "./asks.ts";
import { chosen } from "./choice.ts";
import { allowanceOf, instructions, readWindow, turnKey, type TurnState } from "./context.ts";
import { cancelKey, type Hold, type TurnData } from "./jobs.ts";
import { walk } from "./failover.ts";
import { keep, logView, type Running } from "./running.ts";
import { memoryFor } from "./json-memory.ts";
import { billed, type Meter, metered, meterFor } from "./meter.ts";
import { ceilingOf, hasNews, isLate, leaves, rightsOf, withRights } from "./rights.ts";
import { sessionKey, type SessionDoc, stopHelpers } from "./sessions.ts";
import { finish, type Named, settle, sum } from "./settle.ts";
import { type Steward, zoneOf } from "./steward.ts";
import { permits } from "./own-tools.ts";
import { fromOutside, taintKey } from "./taint.ts";
import { offered, specOf, toolbox } from "./toolbox.ts";
import { openWorkplace, placeFor } from "./workplace.ts";

/** Resolves when the turn is settled or will be retried. Throws only what makes the job itself be retried. */
export async function runTurn(steward: Steward, job: Job, hold: Hold): Promise<void> {
  const { session, principal: caller, compact: asked = false } = job.data as TurnData;
  const state = ((await steward.store.get(turnKey(session))) as TurnState | undefined) ?? { from: 0, seen: 0 };
  const { log, cut, seen } = await readWindow(steward, session, state);
  state.seen = seen;
  const open = state.turn ?? openTurn(log);
  if (open) hold.turn = open; // before the document is read, so that no Stop falls between
  const rights = open ? state.rights : rightsOf(log, seen);
  const principal = withRights(caller, rights);
  const doc = await docOf(steward, principal.person, session);
  if (doc.id === undefined)
    // taken away meanwhile, or never this person's
    return void (await steward.store.commit({ lease: { job: job.id, epoch: job.epoch, then: "done" } }));
  const senior = doc.parent === undefined ? {} : await docOf(steward, principal.person, doc.parent);
  const deleted = doc.deletedAt || senior.deletedAt || doc.halted;
  const view = logView(steward, session, log);
  const running: Running = {
    ...{ steward, principal, session, job, state, hold, log: view, seen },
    ...(rights ? { rights } : {}),
    ...(doc.parent ? { senior: doc.parent } : {}),
    ...(doc.task ? { task: doc.task } : {}),
  };
  if (open) {
    running.seen = readBy(running, log, open);
    if (deleted || (await isCancelled(running, open)) || !speaks(log)) return abandon(running, open);
    if (state.retryAt !== undefined && state.retryAt > steward.now()) return keep(running, { lease: { retryAt: state.retryAt } });
  } else if (deleted || isLate(job.data as TurnData, log, seen) || (!asked && messagesAfter(log, seen).length === 0))
    return keep(running, { drop: [cancelKey(session)], lease: "done" });
  const choice = await chosen(steward, principal, [doc, senior]);
  const turn: Named = { turn: open ?? newId("trn"), engine: choice.engine, model: choice.model };
  const wish = { turn: turn.turn, cut, choice };
  await steward.compact(running, { ...wish, asked });
  if (!open && !hasNews(running, await view.read()))
    return keep(running, { put: { [turnKey(session)]: { from: state.from, seen: state.seen } satisfies TurnState }, lease: "done" });
  if (open) await resumed(running, open);
  else await begin(running, turn);
  if (await isUnwanted(running)) return abandon(running, turn.turn);
  const asking = { turn: turn.turn, choice, attempt: (one: Named) => attempt(running, one) };
  const first = await walk(running, asking);
  const again = first.outcome.error?.reason === "context" && (await steward.compact(running, { ...wish, refused: true }));
  const { named, outcome } = again ? await walk(running, asking) : first;
  if (hasCode(hold.abort.signal.reason, "stale")) throw hold.abort.signal.reason;
  if (again) Object.assign(state, { usage: sum(state.usage, first.outcome.usage) });
  await finish(running, named, outcome);
}

const docOf = async ({ store }: Steward, person: string, session: string): Promise<Partial<SessionDoc>> =>
  (await store.get(sessionKey(person, session))) ?? {};

/** A helper's turn whose senior no longer waits for it. Looked at when the turn stands in its document, so that a Stop finds either. */
async function isUnwanted({ steward, principal, session, senior }: Running): Promise<boolean> {
  if (senior === undefined) return false;
  const { asked } = await docOf(steward, principal.person, session);
  const { running, deletedAt } = await docOf(steward, principal.person, senior);
  return Boolean(deletedAt) || running !== asked || (await steward.store.get(cancelKey(senior))) === asked;
}

const isCancelled = async ({ steward, session }: Running, turn: string): Promise<boolean> =>
  (await steward.store.get(cancelKey(session))) === turn;

/** False when all that the turn was asked has been cleared. */
const speaks = (log: Stored[]): boolean => toMessages(log).some(({ role }) => role === "user");

/** What an open turn has read for sure: what was there when it began, what its last step and its last attempt knew of. */
function readBy(running: Running, log: Stored[], turn: string): number {
  const { state } = running;
  const known = log.flatMap(({ event, seq }) => {
    if (event.type === "turn.started" && event.turn === turn) return [seq];
    return event.type === "item.completed" && event.turn === turn && event.item.kind === "step" ? [event.item.seen] : [];
  });
  return Math.min(Math.max(state.seen, state.read ?? 0, ...known), leaves(running, log) - 1);
}

/** Ends a turn that nobody runs. A call that was under way is labelled: nobody knows whether it ran. */
async function abandon(running: Running, turn: string): Promise<void> {
  const log = await running.log.read();
  const begun = new Set(
    log.flatMap(({ event }) => (event.type === "item.started" && event.item.kind === "tool" ? [event.item.call.id] : [])),
  );
  running.hold.abort.abort("cancelled");
  await stopHelpers(running.steward, running.principal, running.session);
  const { host } = hostFor(running, { turn, engine: "", model: "" }, []);
  for (const call of pendingCalls(log)) if (begun.has(call.id)) await host.call(call);
  await settle(running, { turn, engine: "", model: "" }, { stop: "cancelled", seen: running.seen });
}

async function begin(running: Running, turn: Named): Promise<void> {
  const { hold, session, state, rights } = running;
  hold.turn = turn.turn;
  Object.assign(state, { turn: turn.turn, ...(rights ? { rights } : {}) });
  await keep(running, {
    events: [{ type: "turn.started", ...turn, ...(rights ? { rights } : {}) }],
    put: { [turnKey(session)]: state },
    merge: { running: turn.turn },
  });
  running.seen = readBy(running, await running.log.read(), turn.turn);
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

async function attempt(running: Running, named: Named): Promise<Outcome> {
  try {
    const { engine } = await running.steward.engine(named.engine);
    const turn = await unsaid(running, await describe(running, named));
    if (running.hold.abort.signal.aborted) return { stop: "cancelled", seen: running.seen };
    const { host, meter, close } = hostFor(running, named, turn.tools);
    return await billed(meter, named.model, await engine.run(turn, host).finally(close));
  } catch (error) {
    if (hasCode(error, "stale")) throw error;
    return { stop: "failed", seen: running.seen, error: failureOf(error) };
  }
}

/** What is new is given to an own session of an engine once: after an attempt that failed nobody knows what that holds. */
async function unsaid(running: Running, turn: Turn): Promise<Turn> {
  const { resume, ...rest } = turn;
  if (resume === undefined) return turn;
  const { state, session } = running;
  if (state.given) return rest;
  state.given = true;
  await keep(running, { put: { [turnKey(session)]: state } });
  return turn;
}

async function describe(running: Running, { turn, engine, model }: Named): Promise<Turn> {
  const { steward, principal, session, state, job } = running;
  const { limits } = steward.settings.config();
  const { rounds = Infinity, think } = job.data as TurnData;
  const all = [...(await running.log.read())]; // one reading: what comes while this is made is not in it
  const end = leaves(running, all);
  const log = before(all, end);
  const windowFrom = log[0]?.at ?? steward.now();
  const done = log.filter(({ event }) => event.type === "item.completed" && event.turn === turn && event.item.kind === "step").length;
  const memory = await memoryFor(steward, principal, { session, windowFrom });
  const helper = running.senior !== undefined;
  const tools = await offered(steward, { helper, memory: memory !== undefined || principal.via === "osAgent", who: principal });
  const described: Turn = {
    id: turn,
    session,
    model,
    instructions: await instructions(steward, principal, { session, model, windowFrom, memory, helper }),
    history: toMessages(log, { zone: zoneOf(steward) }),
    tools: tools.map(specOf),
    rounds: Math.max(1, Math.min(limits.rounds, rounds) - done),
    window: Math.min(running.window ?? Infinity, await allowanceOf(steward, model)),
    seen: Math.max(state.seen, Math.min(all.at(-1)?.seq ?? 0, end - 1)),
    pending: pendingCalls(log),
    ...(think === undefined ? {} : { think }),
    ...resumable(log, { turn, engine, zone: zoneOf(steward) }),
  };
  running.seen = described.seen;
  return described;
}

/** The engine's own session knows all but what came since, when the last turn was its own and this one has done nothing yet. */
function resumable(log: Stored[], { turn, engine, zone }: { turn: string; engine: string; zone: string }): Pick<Turn, "resume"> {
  const at = log.findLastIndex(({ event }) => event.type === "turn.completed");
  const last = log[at]?.event;
  if (last?.type !== "turn.completed" || last.engine !== engine || last.resume === undefined) return {};
  const since = log.slice(at + 1).map(({ event }) => event);
  const changed = since.some(
    (event) =>
      event.type === "context.compacted" ||
      (event.type === "session.updated" && event.cleared) ||
      (event.type === "item.completed" && event.turn === turn && event.item.kind !== "notice"),
  );
  return changed ? {} : { resume: { id: last.resume, fresh: news(log, last.seen, zone) } };
}

function news(log: Stored[], seen: number, zone: string): Message[] {
  const sent = log.findLast(({ seq, event }) => seq <= seen && event.type === "message.received")?.at;
  return toMessages(newsAfter(log, seen), { zone, ...(sent === undefined ? {} : { before: sent }) });
}

/** The result of a tool that an engine's program has of its own. */
const isOutside = (event: Event): boolean =>
  event.type === "item.completed" &&
  event.item.kind === "tool" &&
  event.item.result !== undefined &&
  fromOutside(event.item, event.item.result);

/** What the engine may do. `close` ends what it started. */
function hostFor(running: Running, named: Named, tools: ToolSpec[]): { host: Host; meter: Meter; close(): Promise<void> } {
  const { steward, principal, session, log } = running;
  const { engine } = named;
  const scope = scopeOf(running, named.turn);
  const meter = meterFor(steward, { principal, session, turn: named.turn, engine, scope, ...ceilingOf(running) });
  const call = toolbox(steward, scope);
  const decided: typeof call = async (asked, how) => {
    await decide(running, named.turn, asked);
    return call(asked, how);
  };
  const place = placeFor(scope.signal, async () => {
    await steward.servers.prepare(principal, engine);
    return openWorkplace(steward, { scope, engine, model: named.model, meter, tools, call: decided });
  });
  const host: Host = {
    signal: scope.signal,
    live: scope.live,
    emit: (...events) => scope.emit(events, events.some(isOutside) ? { put: { [taintKey(session)]: true } } : {}),
    call,
    model: async (name) => metered(await steward.models.open(name), name, meter),
    workplace: place.open,
    permit: permits(steward, scope, engine),
    async steer() {
      const all = await log.read();
      const end = leaves(running, all);
      const messages = news(before(all, end), running.seen, zoneOf(steward));
      running.seen = Math.max(running.seen, Math.min(all.at(-1)?.seq ?? 0, end - 1));
      return { messages, seen: running.seen };
    },
  };
  return { host, meter, close: place.close };
}

/** What a program asks for by its door it has decided: that is in the log before the call is made. */
async function decide(running: Running, turn: string, call: ToolCall): Promise<void> {
  const steps = (await running.log.read()).flatMap(({ event }) =>
    event.type === "item.completed" && event.turn === turn && event.item.kind === "step" ? event.item.calls : [],
  );
  if (steps.some(({ id }) => id === call.id)) return;
  const step: Item = { id: newId("itm"), kind: "step", calls: [call], seen: running.seen };
  await keep(running, { events: [{ type: "item.completed", turn, item: step }] });
}

function scopeOf(running: Running, turn: string): Scope {
  const { steward, principal, session, hold, log } = running;
  const { rounds, think } = running.job.data as TurnData;
  const live = (event: LiveEvent): void => {
    steward.store.publish(session, event);
    waits(hold, event.type === "turn.waiting" && event.on === "ask");
  };
  return {
    ...{ principal, session, turn, signal: hold.abort.signal, live },
    how: { ...(rounds === undefined ? {} : { rounds }), ...(think === undefined ? {} : { think }), ...ceilingOf(running) },
    ...(running.senior === undefined ? {} : { senior: running.senior }),
    log: () => log.read(),
    async emit(events, more) {
      if (events.some(({ type }) => type === "ask.opened")) await refuseTooMany(steward, principal);
      await keep(running, { events, ...more });
      waits(hold, false);
    },
    away: (work) => away(hold, work),
  };
}

function waits(hold: Hold, asking: boolean): void {
  const waiting = asking || (hold.away ?? 0) > 0;
  if (hold.waiting === waiting) return;
  hold.waiting = waiting;
  if (waiting) hold.changed();
}

async function away<T>(hold: Hold, work: Promise<T>): Promise<T> {
  hold.away = (hold.away ?? 0) + 1;
  waits(hold, true);
  hold.changed(); // there is work for the place that is left, also for the second one who waits
  return work.finally(() => {
    hold.away = (hold.away ?? 1) - 1;
    waits(hold, false);
  });
}
