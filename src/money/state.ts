// The ceilings that hold for somebody now, what is left of each, extending one by hand, and all of it as text.
import type { Principal } from "../core/types.ts";
import { openAsk, settleAsk } from "../run/asks.ts";
import { OWNER_ID } from "../run/persons.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { askedKey } from "./budget-asks.ts";
import { type Ceiling, ceilingsOf, endOf, extending, money, periodText, stateOf, todayOf } from "./budget.ts";
import { monthOf } from "./ledger.ts";
import { dollars, nano, pricesAsOf } from "./prices.ts";
import { everUsed, type Figures, usage } from "./sums.ts";

/** US dollars. */
export interface CeilingState {
  key: string;
  period: Ceiling["period"];
  /** Absent: of everybody together. */
  person?: string;
  unattended?: true;
  /** With what was allowed beyond it. */
  limit: number;
  extra: number;
  spent: number;
  /** Reserved by calls under way. */
  reserved: number;
  left: number;
  /** When it begins anew. */
  until?: number;
}

/** Of days and months. What everybody together may spend is told to the owner only. */
export async function ceilingStates(steward: Steward, who: Principal, person: string): Promise<CeilingState[]> {
  const all = ceilingsOf(steward, { principal: { person, role: "member", via: "page" }, session: "", turn: "" }, todayOf(steward));
  const shown = all.filter(
    ({ period, person: of }) => (period === "day" || period === "month") && (of !== undefined || who.role === "owner"),
  );
  return Promise.all(shown.map((ceiling) => toState(steward, ceiling)));
}

async function toState(steward: Steward, ceiling: Ceiling): Promise<CeilingState> {
  const { limit, spent, taken } = await stateOf(steward, ceiling);
  const until = endOf(ceiling.period, steward.now(), zoneOf(steward));
  const { key, period, person, unattended } = ceiling;
  return {
    ...{ key, period, ...(person === undefined ? {} : { person }), ...(unattended ? { unattended } : {}) },
    ...{ limit: dollars(limit), extra: dollars(limit - ceiling.limit), spent: dollars(spent), reserved: dollars(taken - spent) },
    left: dollars(Math.max(0, limit - taken)),
    ...(until === undefined ? {} : { until }),
  };
}

/** Ceilings that are the same for every session and turn. */
export function fixedCeilings(steward: Steward, person: string): { session?: number; turn?: number; unattendedTurn: number } {
  const { budget } = steward.settings.config();
  const { session, turn } = { ...budget.person, ...budget.people[person] };
  return { ...(session === undefined ? {} : { session }), ...(turn === undefined ? {} : { turn }), unattendedTurn: budget.unattendedTurn };
}

const EXTENDABLE = /^(?:p\/[a-z0-9_-]{1,64}\/)?usage\/(?:(?:day|month)\/[\d-]{7,10}|session\/[\w-]{1,80}|turn\/[\w-]{1,80})$/;

/** Who waits at this ceiling goes on; an open question about it is answered by this. */
export async function allowMore(steward: Steward, who: Principal, { key, amount }: { key: string; amount: number }): Promise<void> {
  if (who.role !== "owner") throw new StewardError("denied", "Only the owner can allow more");
  if (!EXTENDABLE.test(key)) throw new StewardError("invalid", "There is no such ceiling", { hint: "steward usage budget shows them." });
  const more = extending(key, { amount: nano(amount), by: who.person, at: steward.now() });
  await steward.store.commit(more);
  const last = (await steward.store.get(askedKey({ key }))) as { ask: string } | undefined;
  const ask = last && (await openAsk(steward, OWNER_ID, last.ask));
  if (ask) await settleAsk(steward, { person: OWNER_ID, ask, answer: { choice: ask.options[0] ?? "" }, by: who.person });
  steward.log("info", "A ceiling was extended", { ceiling: key, dollars: amount, by: who.person });
}

/** 1234567 → "1.2M". Not by Intl: that loads megabytes which an idle Steward does not need. */
function short(count: number): string {
  const size = [1e9, 1e6, 1e3].find((one) => count >= one * 0.99995) ?? 1;
  return `${Number((count / size).toFixed(size === 1 ? 0 : 1))}${{ 1e9: "B", 1e6: "M", 1e3: "K" }[size] ?? ""}`;
}
const line = (name: string, { requests, cost, input, output, unknown }: Figures): string =>
  `${name}: $${cost.toFixed(2)}, ${requests} ${requests === 1 ? "request" : "requests"}, ${short(input)} tokens in, ${short(output)} out${unknown > 0 ? ` (${unknown} without a known price)` : ""}`;

/** What this person used, and what is left of the budget. */
export async function usageText(steward: Steward, who: Principal): Promise<string> {
  const { person } = who;
  const today = todayOf(steward);
  const at = async (from: string): Promise<Figures> => (await usage(steward, { person, from, to: today, by: "day" })).total;
  const states = await ceilingStates(steward, who, person);
  const { session, turn, unattendedTurn } = fixedCeilings(steward, person);
  const budget = states.map(
    (state) =>
      `Budget ${state.person === undefined ? "of everybody together " : ""}${periodText({ ...state, limit: 0 })}: ${money(nano(state.left))} left of ${money(nano(state.limit))}`,
  );
  return [
    line("Today", await at(today)),
    line("This month", await at(`${monthOf(today)}-01`)),
    line("Altogether", await everUsed(steward, person)),
    ...(budget.length > 0 ? budget : ["No budget is set for a day or a month."]),
    ...(session === undefined ? [] : [`At most $${session.toFixed(2)} in one session.`]),
    ...(turn === undefined ? [] : [`At most $${turn.toFixed(2)} in one turn.`]),
    `At most $${unattendedTurn.toFixed(2)} in a turn that runs with nobody there.`,
    `Prices as of ${pricesAsOf}, where the configuration has none.`,
  ].join("\n");
}
