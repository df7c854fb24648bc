// The end of one run of a turn: tried again later, or settled with everything that it leaves behind.
import type { Event, Stored } from "../core/events.ts";
import { messagesAfter } from "../core/history.ts";
import type { Outcome } from "../core/ports.ts";
import type { Address, Failure, Usage } from "../core/types.ts";
import { answeredKey, withdraw } from "./asks.ts";
import { turnKey, type TurnState } from "./context.ts";
import { cancelKey } from "./jobs.ts";
import { laneOf, type Letter, sending } from "./outbox.ts";
import { nextTurn } from "./rights.ts";
import { keep, type Running } from "./running.ts";
import { taskJob } from "./tasks.ts";
import { helpersUsageKey, sessionKey } from "./sessions.ts";

const RETRIES = 3;
const LONGEST_WAIT_MS = 60_000;

export interface Named {
  turn: string;
  engine: string;
  model: string;
}

/** Tries again what may pass by itself, after 1, 2 and 4 seconds or when the endpoint says; settles everything else. */
export async function finish(running: Running, named: Named, outcome: Outcome): Promise<void> {
  const { steward, state, session } = running;
  const failures = state.failures ?? 0;
  const { error } = outcome;
  const now = steward.now();
  const retryAt = Math.max(error?.retryAt ?? 0, now + 1000 * 2 ** failures);
  const passing = error?.code === "unavailable" || (error?.code === "limit" && error.retryAt !== undefined);
  if (outcome.stop !== "failed" || !passing || failures >= RETRIES || retryAt - now > LONGEST_WAIT_MS)
    return settle(running, named, outcome);
  steward.log("warning", "A model failed; trying again", { session, model: named.model, error: error.message, retryAt });
  const usage = sum(state.usage, outcome.usage);
  const waiting: TurnState = { ...state, failures: failures + 1, retryAt, read: outcome.seen, ...(usage ? { usage } : {}) };
  await keep(running, { put: { [turnKey(session)]: waiting }, lease: { retryAt } });
  steward.store.publish(session, { type: "turn.waiting", turn: named.turn, on: "retry", until: retryAt, text: error.message });
}

/** One commit: the closing items, the end of the turn, a delivery for each waiting address, the job. Questions that nobody answered go before it. */
export async function settle(running: Running, named: Named, outcome: Outcome): Promise<void> {
  const { steward, session, principal, state } = running;
  const { last = [], usage: spent, ...end } = outcome;
  const asks = asksOf(await running.log.read(), named.turn);
  await withdraw(steward, principal, asks);
  const log = await running.log.read();
  const byHelpers = await usedByHelpers(running);
  const usage = costing(sum(sum(state.usage, spent), byHelpers), await steward.money.turnCost(principal, named.turn));
  const events: Event[] = [
    ...last.map((item): Event => ({ type: "item.completed", turn: named.turn, item })),
    { type: "turn.completed", ...started(log, named), ...end, ...(usage ? { usage } : {}) },
  ];
  const sent = letters(log, events, { running, turn: named.turn, seen: end.seen }).map((letter) => sending(letter, steward.now()));
  await keep(running, {
    events,
    put: {
      [turnKey(session)]: { from: state.from, seen: end.seen } satisfies TurnState,
      ...Object.assign({}, ...sent.map(({ put }) => put)),
    },
    merge: { running: null, updatedAt: steward.now() },
    add: {
      [sessionKey(principal.person, session)]: { messages: last.some(({ kind }) => kind === "text") ? 1 : 0 },
      ...(byHelpers ? { [helpersUsageKey(session)]: scaled(byHelpers, -1) } : {}),
      ...(running.senior !== undefined && usage ? { [helpersUsageKey(running.senior)]: scaled(usage, 1) } : {}),
    },
    drop: [cancelKey(session), ...asks.map(({ id }) => answeredKey(principal.person, id))],
    jobs: [
      ...sent.flatMap(({ jobs }) => jobs),
      ...nextTurn(running, log, end),
      ...(running.task ? [taskJob(running.task, principal)] : []),
    ],
    lease: "done",
  });
  if (outcome.error)
    steward.log("error", "A turn failed", { session, turn: named.turn, code: outcome.error.code, error: outcome.error.message });
}

const asksOf = (log: Stored[], turn: string) =>
  log.flatMap(({ event }) => (event.type === "ask.opened" && event.ask.turn === turn ? [event.ask] : []));

function started(log: Stored[], named: Named): Named {
  const event = log.findLast((one) => one.event.type === "turn.started" && one.event.turn === named.turn)?.event;
  return event?.type === "turn.started"
    ? { turn: named.turn, engine: named.engine || event.engine, model: named.model || event.model }
    : named;
}

export function sum(one: Usage | undefined, other: Usage | undefined): Usage | undefined {
  if (!one || !other) return one ?? other;
  const total: Usage = { ...one };
  for (const key of Object.keys(other) as (keyof Usage)[]) total[key] = (total[key] ?? 0) + (other[key] ?? 0);
  return total;
}

/** What it cost is what the ledger says. */
function costing(usage: Usage | undefined, cost: number | undefined): Usage | undefined {
  if (!usage) return undefined;
  const { cost: _said, ...tokens } = usage;
  return cost === undefined ? tokens : { ...tokens, cost };
}

async function usedByHelpers({ steward, session }: Running): Promise<Usage | undefined> {
  const used = (await steward.store.get(helpersUsageKey(session))) as Usage | undefined;
  return used && Object.values(used).some((count) => count !== 0) ? used : undefined;
}

const scaled = (usage: Usage, by: number): Record<string, number> =>
  Object.fromEntries(Object.entries(usage).map(([name, count]) => [name, (count as number) * by]));

/** One letter for each place whose messages this turn answered. */
function letters(log: Stored[], closing: Event[], { running, turn, seen }: { running: Running; turn: string; seen: number }): Letter[] {
  const homes = new Map<string, Address>();
  for (const { event, seq } of messagesAfter(log, running.state.seen))
    if (event.type === "message.received" && event.replyTo && seq <= seen) homes.set(laneOf(event.replyTo), event.replyTo);
  if (homes.size === 0) return [];
  const all = [...log.map(({ event }) => event), ...closing];
  const text = replyText(all, turn);
  const files = all.flatMap((event) =>
    event.type === "item.completed" && event.turn === turn && event.item.kind === "file" ? [event.item.file.id] : [],
  );
  if (!text && files.length === 0) return [];
  const { session, principal } = running;
  return [...homes.values()].map((to) => ({ person: principal.person, session, turn, to, text, ...(files.length > 0 ? { files } : {}) }));
}

/** A failed turn as a reply, for doors that have only replies. */
export const failedText = (error: Failure | undefined): string =>
  `Sorry, I encountered an error: ${error?.message ?? "unknown"}${error?.hint ? ` (${error.hint})` : ""}`;

/** What a turn said, as one text: for doors that deliver whole replies. */
function replyText(events: Event[], turn: string): string {
  return events
    .flatMap((event) => {
      if (event.type === "item.completed" && event.turn === turn && event.item.kind === "text") return [event.item.text];
      if (event.type === "turn.completed" && event.turn === turn && event.stop === "failed") return [failedText(event.error)];
      return event.type === "turn.completed" && event.turn === turn && event.stop === "cancelled" ? ["(Stopped.)"] : [];
    })
    .join("\n\n");
}
