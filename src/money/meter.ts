// Reserves what a call may cost before it begins, within the ceilings, and settles it with what it used.
import { setTimeout as sleep } from "node:timers/promises";
import type { Usage } from "../core/types.ts";
import type { Call, Meter, Reservation, Spender } from "../run/meter.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { type Origin, payers } from "../run/tasks.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { once } from "../std/once.ts";
import {
  type Ceiling,
  ceilingsOf,
  givenCeilings,
  limitReached,
  overCeiling,
  type Reached,
  stateOf,
  taskCeilings,
  todayOf,
} from "./budget.ts";
import { askForMore, type Asked } from "./budget-asks.ts";
import {
  type Account,
  type Held,
  hold,
  living,
  newHeld,
  note,
  noteReported,
  type Priceless,
  rowOf,
  settleHeld,
  settleLeft,
  settleOld,
  turnSumKey,
} from "./ledger.ts";
import { affords, costOf, nano, type Price, priceOf, searchPriceOf, worstOf } from "./prices.ts";

/** How long others' calls may hold what would be enough. */
const LONGEST_WAIT_MS = 120_000;

interface Run {
  refused?: StewardError;
  /** Questions that it has waited for: what was denied once is not asked again, however often its program tries. */
  asked: Asked;
  /** Nanodollars, tokens and calls without a price, of this run. */
  cost: number;
  tokens: number;
  unknown: Priceless[];
  /** Calls that are being reserved. */
  waiting: number;
}

export function openMeter(steward: Steward, spender: Spender): Meter {
  const { principal, session, turn, engine } = spender;
  const run: Run = { cost: 0, tokens: 0, unknown: [], waiting: 0, asked: { ids: new Set() } };
  const account = once(async (): Promise<Payer> => {
    if (turn && !spender.shared) await settleLeft(steward, principal, turn);
    await settleOld(steward, principal.person);
    const doc = ((await steward.store.get(sessionKey(principal.person, session))) ?? {}) as Partial<SessionDoc>;
    const tasks = await payers(steward, principal.person, doc.task);
    const { of, ...own } = spender.ceiling ?? {};
    const origin: Origin | undefined = tasks[0]?.origin ?? of;
    const asked = doc.parent && doc.asked ? { session: doc.parent, turn: doc.asked } : undefined;
    const senior = origin ? { session: origin.session, turn: origin.turn } : asked;
    const { person } = principal;
    const ids = tasks.length > 0 ? { tasks: tasks.map(({ id }) => id) } : {};
    const limits = [...taskCeilings(tasks), ...givenCeilings(turnSumKey(person, senior?.turn ?? turn), person, origin?.ceiling ?? own)];
    return { person, session, turn, engine, ...(senior ? { senior } : {}), ...ids, ...(limits.length > 0 ? { limits } : {}) };
  });
  const meter: Meter = async (call) => {
    const price = priceOf(steward, call.model, call.id);
    const search = call.searches ? searchPriceOf(steward, call.model) : undefined;
    try {
      delete run.refused;
      run.waiting++;
      const known = priced(steward, price, call.model);
      const rates = { ...known.price, ...(search === undefined ? {} : { search }) };
      return await reserve(steward, { spender, account: await account(), run }, { ...call, ...known, price: rates });
    } catch (error) {
      if (hasCode(error, "limit")) run.refused = error;
      throw error;
    } finally {
      run.waiting--;
    }
  };
  meter.waits = () => run.waiting > 0;
  meter.refused = () => run.refused;
  meter.reported = async (cost, model) => {
    const of = await account();
    const most = await believable(steward, { spender, account: of, run });
    const more = isCount(cost, MOST_DOLLARS) ? Math.min(nano(cost), most) - run.cost : 0;
    if (more <= 0 && run.unknown.length === 0) return;
    const held = newHeld(steward, plain(of), { day: todayOf(steward), model, input: 0, output: 0, worst: 0 });
    const row = rowOf(held, { input: 0, output: 0 }, { cost: Math.max(0, more), reported: true });
    await noteReported(steward, of, row, run.unknown);
    Object.assign(run, { cost: run.cost + row.cost, unknown: [] });
  };
  return meter;
}

/** What counts where nobody knows the price is a setting. Throws limit when it says that nothing of that kind may be asked. */
function priced(steward: Steward, price: Price | undefined, model: string): { price: Price; unknown?: true } {
  if (price) return { price };
  const { unknownPrice } = steward.settings.config().budget;
  if (unknownPrice !== "refuse") return { price: { input: unknownPrice, output: unknownPrice }, unknown: true };
  throw new StewardError("limit", `Nobody knows what ${model} costs, so it is not asked`, {
    hint: `steward config set 'prices.${model}' '{"input": DOLLARS, "output": DOLLARS}', for a million tokens, or budget.unknownPrice.`,
  });
}

/** `limits`: those of the tasks that it belongs to. */
type Payer = Account & { limits?: Ceiling[] };
interface Spend {
  spender: Spender;
  account: Payer;
  run: Run;
}
type Priced = Call & { price: Price; unknown?: true };

const plain = ({ limits: _limits, ...account }: Payer): Account => account;

const DEFAULT_OUTPUT = 16_000;
function outputOf(steward: Steward, { model, output }: Call): number {
  const { maxTokens } = steward.settings.config().providers[model.slice(0, model.indexOf("/"))] ?? {};
  return output ?? (typeof maxTokens === "number" ? maxTokens : DEFAULT_OUTPUT);
}

/** First added to the sums, then compared: so of several processes at the same time none goes over. */
async function reserve(steward: Steward, spend: Spend, call: Priced): Promise<Reservation> {
  const { spender, account, run } = spend;
  const { price, model, input, unknown, least = Infinity, searches = 0 } = call;
  const most = outputOf(steward, call);
  for (let output = most, pause = 20, waited = 0; ;) {
    const day = todayOf(steward);
    const ceilings = ceilingsOf(steward, { ...account, principal: spender.principal }, day);
    if (searches > 0 && price.search === undefined && ceilings.length > 0) throw unpriced(model);
    const worst = worstOf(price, { input, output, searches });
    const capped = ceilings.some(({ tokens }) => tokens) ? { capped: true as const } : {};
    const held = newHeld(steward, plain(account), { day, model, input, output, worst, ...(unknown ? { unknown } : {}), ...capped });
    if (worst === 0 && !unknown && !held.capped) return settling(steward, spend, { held, call });
    living(steward).add(held.id);
    const reached = await hold(steward, held)
      .then(() => overCeiling(steward, ceilings, { worst, tokens: input + output }))
      .catch((error: unknown) => (living(steward).delete(held.id), Promise.reject(error)));
    if (!reached) return { ...settling(steward, spend, { held, call }), ...(ceilings.length > 0 ? { output } : {}) };
    await settleHeld(steward, held, undefined).finally(() => living(steward).delete(held.id));
    const left = reached.limit - reached.taken;
    const fits = reached.tokens ? left - input : affords(price, call, left);
    if (fits >= least && fits < output) output = fits;
    else if (reached.spent + (reached.tokens ? input + output : worst) <= reached.limit && waited < LONGEST_WAIT_MS) {
      waited += pause = Math.min(pause * 2, 2000);
      await rest(pause, spender);
    } else if (!reached.task && (await more(steward, spender, { reached, worst, asked: run.asked }))) output = most;
    else throw limitReached(reached, spender.principal, worst);
    if (spender.scope?.signal.aborted) throw new StewardError("unavailable", "The turn was stopped");
  }
}

const unpriced = (model: string): StewardError =>
  new StewardError("invalid", `Nobody knows what a search of the web by ${model} costs, so under a budget none is made`);

/** Ends early when the turn is stopped. */
const rest = (ms: number, { scope }: Spender): Promise<unknown> =>
  sleep(ms, undefined, scope ? { signal: scope.signal } : {}).catch(() => undefined);

const more = async (
  steward: Steward,
  { scope, principal }: Spender,
  about: { reached: Reached; worst: number; asked: Asked },
): Promise<boolean> => scope !== undefined && principal.via !== "schedule" && (await askForMore(steward, scope, about));

/** More of either, in one call, is no count: a sum that it went into would be of no use any more. */
const MOST_TOKENS = 1e9;
const MOST_DOLLARS = 1e6;
const isCount = (value: unknown, most: number): boolean => typeof value === "number" && value >= 0 && value < most;

/** What others counted is believed only as far as it is a count; for what is none, the most counts that the call may have used. */
const clean = (usage: Usage, { input, output }: Held): Usage => {
  const sure = Object.entries(usage).filter(([name, value]) => isCount(value, name === "cost" ? MOST_DOLLARS : MOST_TOKENS));
  return { input, output, ...Object.fromEntries(sure) };
};

/** No model costs so many times what its price says, and no token of one without a price so many nanodollars. */
const MOST_TIMES = 10;
const MOST_A_TOKEN = 1_000_000;
/** How much of a program's own sum is believed: it may say anything, and the budget is everybody's. Of what went by no door, what is left for it. */
async function believable(steward: Steward, { spender: { principal }, account, run }: Spend): Promise<number> {
  if (run.tokens > 0) return Math.max(run.cost * MOST_TIMES, run.unknown.length > 0 ? run.tokens * MOST_A_TOKEN : 0);
  const ceilings = ceilingsOf(steward, { ...account, principal }, todayOf(steward)).filter(({ tokens }) => !tokens);
  const states = await Promise.all(ceilings.map((ceiling) => stateOf(steward, ceiling)));
  return Math.max(0, Math.min(Infinity, ...states.map(({ limit, taken }) => limit - taken)));
}

/** What costs nothing was not reserved, so that it is only noted. */
function settling(
  steward: Steward,
  { account, run }: Spend,
  { held, call: { price, searches = 0 } }: { held: Held; call: Priced },
): Reservation {
  return {
    most: { input: held.input, output: held.output, ...(searches > 0 ? { searches } : {}) },
    settle: async (given, { assumed } = {}) => {
      const usage = given && clean(given, held);
      const free = held.worst === 0 && !held.unknown && !held.capped;
      const over = (): unknown => living(steward).delete(held.id);
      if (!usage) return free ? undefined : settleHeld(steward, held, undefined).finally(over);
      const counted = costOf(price, usage);
      const said = usage.cost === undefined ? 0 : nano(usage.cost);
      const reported = usage.cost !== undefined && (held.unknown || said > counted);
      const row = rowOf(held, usage, {
        cost: Math.max(said, counted),
        ...(reported ? { reported } : {}),
        ...(assumed ? { assumed } : {}),
      });
      run.cost += row.cost;
      run.tokens += usage.input + usage.output;
      if (row.unknown) run.unknown.push({ day: row.day, model: row.model });
      await (free ? note(steward, account, row) : settleHeld(steward, held, row)).finally(over);
    },
  };
}
