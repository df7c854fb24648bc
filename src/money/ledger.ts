// What was spent: one row for each model call, and sums that every row and every reservation changes in the same commit. Reading them is sums.ts, what may be spent budget.ts.
import type { Commit } from "../core/store.ts";
import type { Principal, Usage } from "../core/types.ts";
import { newId } from "../std/id.ts";
import type { Steward } from "../run/steward.ts";
import { taskSumKey } from "../run/tasks.ts";

/** For whom and for what a call is made. `turn` is "" for what no turn asked for. */
export interface Account {
  person: string;
  session: string;
  turn: string;
  engine: string;
  /** Of a helper agent: the session and the turn that it works for, which pay for it too. */
  senior?: { session: string; turn: string };
  /** Of a background task: itself and those that started it. */
  tasks?: string[];
}
/** A reservation as it is kept: what a call may cost stands in the sums until it is settled. */
export interface Held extends Account {
  id: string;
  at: number;
  /** "2026-11-21" in the zone of this Steward, also for what is settled later. */
  day: string;
  model: string;
  /** Tokens, at most. */
  input: number;
  output: number;
  /** Nanodollars, at most. */
  worst: number;
  /** Nobody knows the price. */
  unknown?: true;
  /** A ceiling of tokens holds, so that they are reserved too. */
  capped?: true;
}
/** One model call. Kept without end. */
export interface Row extends Omit<Account, "senior" | "tasks">, Omit<Usage, "cost"> {
  id: string;
  at: number;
  day: string;
  model: string;
  /** Nanodollars, counted towards the ceilings. */
  cost: number;
  /** Nobody knows the price: `cost` is what the budget counts for it. */
  unknown?: true;
  /** The engine said what it cost. */
  reported?: true;
  /** It is not known what was used, so the most that it could be counts. */
  assumed?: true;
}
/** Numbers of one document. Days also have them by model and by engine, as `m|provider/name|cost` and `e|loop|cost`. */
export type Sums = Record<string, number>;

/** What an engine with an account of its own says that it cost has no requests. */
export const isUsed = ({ requests, cost }: Sums): boolean => Boolean(requests || cost);

export const monthOf = (day: string): string => day.slice(0, 7);
export const dayKey = (person: string | undefined, day: string): string => `${person === undefined ? "" : `p/${person}/`}usage/day/${day}`;
export const monthKey = (person: string | undefined, month: string): string =>
  `${person === undefined ? "" : `p/${person}/`}usage/month/${month}`;
export const sessionSumKey = (person: string, session: string): string => `p/${person}/usage/session/${session}`;
export const turnSumKey = (person: string, turn: string): string => `p/${person}/usage/turn/${turn}`;
/** What a session and its helpers used on one day. */
export const sessionDayKey = (person: string, day: string, session: string): string => `p/${person}/usage/on/${day}/${session}`;
export const rowKey = (person: string, day: string, id: string): string => `p/${person}/usage/row/${day}/${id}`;
const heldKey = (person: string, turn: string, id: string): string => `p/${person}/usage/held/${turn || "-"}/${id}`;

const formats = new Map<string, Intl.DateTimeFormat>();
/** "2026-11-21" in that zone. */
export function dayOf(at: number, zone: string): string {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" });
  formats.set(zone, format);
  return format.format(at);
}

type Spent = Account & { day: string; model: string };

/** What a reservation stands in: all that may have a ceiling. */
const counters = ({ person, session, turn, senior, tasks = [], day }: Spent): string[] => [
  ...tasks.map((task) => taskSumKey(person, task)),
  ...[dayKey(undefined, day), monthKey(undefined, monthOf(day)), dayKey(person, day), monthKey(person, monthOf(day))],
  ...[sessionSumKey(person, session), ...(turn ? [turnSumKey(person, turn)] : [])],
  ...(senior ? [sessionSumKey(person, senior.session), turnSumKey(person, senior.turn)] : []),
];

function adding(spent: Spent, held: Sums, figures: Sums): NonNullable<Commit["add"]> {
  const { person, session, senior, day, model, engine } = spent;
  const add = Object.fromEntries(counters(spent).map((key) => [key, { ...figures, ...held }]));
  const names = Object.entries(figures);
  if (names.length === 0) return add;
  add[sessionDayKey(person, day, senior?.session ?? session)] = figures;
  const by = Object.fromEntries(
    names.flatMap(([name, value]) => [[`m|${model}|${name}`, value] as const, [`e|${engine}|${name}`, value] as const]),
  );
  for (const key of [dayKey(undefined, day), dayKey(person, day)]) Object.assign(add[key]!, by);
  return add;
}

const heldSums = ({ worst, capped, input, output }: Held, sign: 1 | -1): Sums => ({
  ...(worst === 0 ? {} : { held: sign * worst }),
  ...(capped ? { heldTokens: sign * (input + output) } : {}),
});

/** In the sums before it resolves; whoever reads them afterwards sees it. */
export async function hold({ store }: Steward, held: Held): Promise<void> {
  await store.commit({ put: { [heldKey(held.person, held.turn, held.id)]: held }, add: adding(held, heldSums(held, 1), {}) });
}

/** Counts once, whoever is first: what was used, or nothing when `row` is undefined. The reservation is over. */
export async function settleHeld({ store }: Steward, held: Held, row: Row | undefined): Promise<void> {
  const { person, turn, id } = held;
  await store.commit({
    once: `usage/${id}`,
    drop: [heldKey(person, turn, id)],
    ...(row ? { put: { [rowKey(person, row.day, row.id)]: row } } : {}),
    add: adding(held, heldSums(held, -1), row ? figuresOf(row) : {}),
  });
}

/** Without a reservation: what costs nothing. */
export async function note({ store }: Steward, account: Account, row: Row): Promise<void> {
  await store.commit({ ...noted(row), add: adding({ ...account, day: row.day, model: row.model }, {}, figuresOf(row)) });
}

/** What an engine says in the end: a cost beyond that of its calls, by which also those `without` a price are known now. It is no request. */
export async function noteReported({ store }: Steward, account: Account, row: Row, without: Priceless[]): Promise<void> {
  const each = without.map((call) => adding({ ...account, ...call }, {}, { unknown: -1 }));
  const said = adding({ ...account, day: row.day, model: row.model }, {}, { cost: row.cost });
  await store.commit({ ...noted(row), add: together([said, ...each]) });
}
/** Where a call without a price was counted. */
export type Priceless = Pick<Row, "day" | "model">;

const noted = (row: Row): Commit => ({ once: `usage/${row.id}`, put: { [rowKey(row.person, row.day, row.id)]: row } });

function together(all: NonNullable<Commit["add"]>[]): NonNullable<Commit["add"]> {
  const sums: Record<string, Sums> = {};
  for (const [key, figures] of all.flatMap((one) => Object.entries(one))) {
    const sum = (sums[key] ??= {});
    for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sums;
}

function figuresOf({ input, output, cached, written, thinking, cost, unknown }: Row): Sums {
  const figures: Sums = { requests: 1, input, output, cost };
  for (const [name, value] of Object.entries({ cached, written, thinking, unknown: unknown ? 1 : 0 })) if (value) figures[name] = value;
  return figures;
}

export const newHeld = (
  steward: Steward,
  account: Account,
  rest: Pick<Held, "day" | "model" | "input" | "output" | "worst" | "unknown" | "capped">,
): Held => ({
  id: newId("use"),
  at: steward.now(),
  ...account,
  ...rest,
});

export function rowOf(
  { id, at, person, session, turn, engine, day, model, unknown }: Held,
  usage: Usage,
  rest: Pick<Row, "cost" | "reported" | "assumed">,
): Row {
  const { input, output, cached, written, thinking } = usage;
  return {
    ...{ id, at, day, person, session, turn, engine, model, input, output },
    ...(cached ? { cached } : {}),
    ...(written ? { written } : {}),
    ...(thinking ? { thinking } : {}),
    ...(unknown && !rest.reported ? { unknown } : {}),
    ...rest,
  };
}

/** Reservations of this process whose call is under way. */
const alive = new WeakMap<Steward, Set<string>>();
export function living(steward: Steward): Set<string> {
  const ids = alive.get(steward) ?? new Set<string>();
  alive.set(steward, ids);
  return ids;
}

/** What a process that is gone had reserved for this turn counts as the most that it could have cost. Only for whoever runs the turn now. */
export async function settleLeft(steward: Steward, { person }: Pick<Principal, "person">, turn: string): Promise<void> {
  await settleAll(steward, heldKey(person, turn, ""), () => true);
}

/** The same for all that a person has, with a turn or without, of reservations that are older than any call lasts. */
export async function settleOld(steward: Steward, person: string): Promise<void> {
  await settleAll(steward, `p/${person}/usage/held/`, ({ at }) => steward.now() - at > LONGEST_CALL_MS);
}
const LONGEST_CALL_MS = 6 * 3_600_000;

async function settleAll(steward: Steward, prefix: string, which: (held: Held) => boolean): Promise<void> {
  for (const { value } of await steward.store.list(prefix)) {
    const held = value as Held;
    if (living(steward).has(held.id) || !which(held)) continue;
    await settleHeld(steward, held, rowOf(held, { input: held.input, output: held.output }, { cost: held.worst, assumed: true }));
  }
}

/** What a turn and its helpers cost so far, in nanodollars; undefined when a price is not known, or nothing was asked. */
export async function turnCost(steward: Steward, { person }: Pick<Principal, "person">, turn: string): Promise<number | undefined> {
  await settleLeft(steward, { person }, turn);
  const sums = (await steward.store.get(turnSumKey(person, turn))) as Sums | undefined;
  return !sums || !isUsed(sums) || sums["unknown"] ? undefined : (sums["cost"] ?? 0);
}
