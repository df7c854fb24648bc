// Ceilings: which hold for a call, whether what it may cost still fits, and extending them. Asking a person is budget-asks.ts.
import type { Commit } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { type Account, dayKey, dayOf, monthKey, monthOf, sessionSumKey, type Sums, turnSumKey } from "./ledger.ts";
import { dollars, nano } from "./prices.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { type TaskDoc, taskSumKey } from "../run/tasks.ts";

export type Period = "day" | "month" | "session" | "turn";
/** Money in nanodollars. */
export interface Ceiling {
  /** Of the document with the sums that it is compared with: also its name for people who extend it. */
  key: string;
  period: Period;
  /** Absent: of everybody together. */
  person?: string;
  /** Of a turn that runs with nobody there. */
  unattended?: true;
  limit: number;
  /** Of a background task, set when it was started. */
  task?: true;
  /** The limit is of tokens. */
  tokens?: true;
}
export interface Reached extends Ceiling {
  /** The limit with its extensions. */
  limit: number;
  spent: number;
  /** Spent and reserved by others. */
  taken: number;
}
/** What the owner allowed beyond a ceiling: counted in the sums, so that it ends with their period. */
export interface Extension {
  id: string;
  ceiling: string;
  amount: number;
  at: number;
  by: string;
}

export type Spending = Pick<Account, "session" | "turn" | "senior"> & { principal: Principal; limits?: Ceiling[] };

/** Those that the configuration sets for this call. What a helper agent does counts for its senior's turn and session. */
export function ceilingsOf(steward: Steward, { principal, session, turn, senior, limits = [] }: Spending, day: string): Ceiling[] {
  const { budget } = steward.settings.config();
  const { person, via } = principal;
  const own = { ...budget.person, ...budget.people[person] };
  const alone = via === "schedule";
  const perTurn = alone ? Math.min(budget.unattendedTurn, own.turn ?? Infinity) : own.turn;
  const place = senior ?? { session, turn };
  const all: (Omit<Ceiling, "limit"> & { dollars: number | undefined })[] = [
    { key: dayKey(undefined, day), period: "day", dollars: budget.day },
    { key: monthKey(undefined, monthOf(day)), period: "month", dollars: budget.month },
    { key: dayKey(person, day), period: "day", person, dollars: own.day },
    { key: monthKey(person, monthOf(day)), period: "month", person, dollars: own.month },
    { key: sessionSumKey(person, place.session), period: "session", person, dollars: own.session },
    ...(place.turn
      ? [
          {
            key: turnSumKey(person, place.turn),
            period: "turn" as const,
            person,
            dollars: perTurn,
            ...(alone ? { unattended: true as const } : {}),
          },
        ]
      : []),
  ];
  return [
    ...limits,
    ...all.flatMap(({ dollars: amount, ...ceiling }) => (amount === undefined ? [] : [{ ...ceiling, limit: nano(amount) }])),
  ];
}

/** What was set for background tasks: those that started one pay too. */
export const taskCeilings = (tasks: TaskDoc[]): Ceiling[] =>
  tasks.flatMap(({ id, person, budget = {} }) => givenCeilings(taskSumKey(person, id), person, budget));

/** What was set for one piece of work: nobody is asked for more. */
export function givenCeilings(key: string, person: string, { dollars: amount, tokens }: { dollars?: number; tokens?: number }): Ceiling[] {
  const ceiling = { key, period: "turn" as const, person, task: true as const };
  return [
    ...(amount === undefined ? [] : [{ ...ceiling, limit: nano(amount) }]),
    ...(tokens === undefined ? [] : [{ ...ceiling, limit: tokens, tokens: true as const }]),
  ];
}

export async function stateOf({ store }: Steward, ceiling: Ceiling): Promise<Reached> {
  const { cost = 0, held = 0, extra = 0, input = 0, output = 0, heldTokens = 0 } = ((await store.get(ceiling.key)) ?? {}) as Sums;
  if (ceiling.tokens) return { ...ceiling, spent: input + output, taken: input + output + heldTokens };
  return { ...ceiling, limit: ceiling.limit + extra, spent: cost, taken: cost + held };
}

/** The one with the least room, when the reservation of `worst`, which is in the sums already, is too much for any. */
export async function overCeiling(
  steward: Steward,
  ceilings: Ceiling[],
  { worst, tokens }: { worst: number; tokens: number },
): Promise<Reached | undefined> {
  const states = await Promise.all(ceilings.map((ceiling) => stateOf(steward, ceiling)));
  const [tightest] = states
    .filter(({ taken, limit }) => taken > limit)
    .map((state) => ({ ...state, taken: state.taken - (state.tokens ? tokens : worst) }))
    .sort((a, b) => Number(b.tokens ?? false) - Number(a.tokens ?? false) || a.limit - a.taken - (b.limit - b.taken));
  return tightest;
}

/** When the sums of this period begin anew, to the second; undefined for those that have no end. */
export function endOf(period: Period, at: number, zone: string): number | undefined {
  if (period !== "day" && period !== "month") return undefined;
  const name = (time: number): string => (period === "day" ? dayOf(time, zone) : monthOf(dayOf(time, zone)));
  const now = name(at);
  let [low, high] = [at, at + (period === "day" ? 26 : 32 * 24) * 3_600_000];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2);
    if (name(middle) === now) low = middle;
    else high = middle;
  }
  return high;
}

export const extensionKey = (ceiling: string, id: string): string => `${ceiling}/extension/${id}`;

/** The parts of a commit that extend a ceiling; nothing else has to be told. */
export function extending(
  ceiling: string,
  { amount, by, at }: Pick<Extension, "amount" | "by" | "at">,
): Required<Pick<Commit, "put" | "add">> {
  const extension: Extension = { id: newId("ext"), ceiling, amount, at, by };
  return { put: { [extensionKey(ceiling, extension.id)]: extension }, add: { [ceiling]: { extra: amount } } };
}

// ---- In words

export const money = (nanodollars: number): string => {
  const amount = dollars(nanodollars);
  return amount > 0 && amount < 0.01 ? `$${amount.toPrecision(1)}` : `$${amount.toFixed(2)}`;
};
const PERIODS: Record<Period, string> = {
  day: "for today",
  month: "for this month",
  session: "for this session",
  turn: "for one turn",
};
export const periodText = ({ period, unattended, task }: Ceiling): string =>
  task ? "for this task" : unattended ? "for a turn that runs with nobody there" : PERIODS[period];

/** What of everybody together is spent is the owner's to know. */
export function reachedText({ person, ...reached }: Reached, { role }: Principal, worst: number): string {
  if (reached.tokens)
    return `the ${reached.limit} tokens that this task may use are not enough for the next step (${reached.taken} are used)`;
  if (person === undefined && role !== "owner") return `the budget that all share ${periodText(reached)} is used up`;
  const { spent, taken, limit } = reached;
  const reserved = taken > spent ? `, ${money(taken - spent)} is reserved by calls under way` : "";
  const what = `the budget of ${money(limit)} ${person === undefined ? "that all share " : ""}${periodText(reached)}`;
  return taken >= limit
    ? `${what} is used up`
    : `${what} has ${money(limit - taken)} left${reserved}, and the next step may cost up to ${money(worst)}`;
}

export function limitReached(reached: Reached, principal: Principal, worst: number): StewardError {
  const hint = reached.task
    ? "It can be resumed with a larger budget."
    : principal.role === "owner"
      ? "steward usage shows what was spent and allows more; steward config set budget.… changes the ceiling."
      : "The owner can allow more.";
  return new StewardError("limit", `I stopped here: ${reachedText(reached, principal, worst)}.`, { hint });
}

/** What one tap allows more: enough to go on, a fifth of the ceiling or more, in round figures. */
export function moreFor({ limit, taken }: Reached, worst: number): number {
  const wanted = Math.max(taken + worst * 2 - limit, limit / 5, nano(0.01));
  const ten = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => Math.round(step * ten)).find((amount) => amount >= wanted)!;
}

export const todayOf = (steward: Steward): string => dayOf(steward.now(), zoneOf(steward));
