// What models cost, as the rest sees it: each call is reserved in the ledger before it begins and settled with what it used. The ledger is `money/`.
import type { Outcome } from "../core/ports.ts";
import type { Principal, Usage } from "../core/types.ts";
import type { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Scope } from "./approval.ts";
import type { Ceiling } from "./jobs.ts";
import type { Steward } from "./steward.ts";

export { metered, usageOf } from "./metered.ts";

/** For whom and for what a call is made. `turn` is "" for what no turn asked for, such as an index. */
export interface Spender {
  principal: Principal;
  session: string;
  turn: string;
  /** `turn` stands for what several processes do, so that what is reserved in it may be another's. */
  shared?: true;
  engine: string;
  /** With it, somebody can be asked for more when a ceiling is reached; without, it is the end. */
  scope?: Scope;
  /** That the job of the turn has. */
  ceiling?: Ceiling;
}
export interface Call {
  /** "provider/name". */
  model: string;
  /** What the provider calls it, where the name is another. */
  id?: string;
  /** Tokens, estimated from what is sent. */
  input: number;
  /** Tokens that the answer may have at most. Absent: as the provider's `maxTokens` in the configuration, or 16,000. */
  output?: number;
  /** Searches of the web that the provider may make for it. */
  searches?: number;
  /** So few will do, when the budget has no more: then `output` of the reservation has to be told to the model. Absent: all or nothing. */
  least?: number;
}
/** To be ended exactly once: with what the call used (an engine's own `cost` wins over a price that is not known, or is less), or with nothing when it surely never reached the model. */
export interface Reservation {
  /** `assumed`: it is not known what was used; this is the most that it can be. */
  settle(usage: Usage | undefined, more?: { assumed?: true }): Promise<void>;
  /** A ceiling holds: the answer may have so many tokens. */
  output?: number;
  /** What was reserved, in tokens. */
  most?: Usage;
}
/** Throws limit, with the ceiling that is reached, when the budget does not allow the worst case of this call. */
export interface Meter {
  (call: Call): Promise<Reservation>;
  /** A call waits for the budget, perhaps for a person. */
  waits?(): boolean;
  /** Why the last call was refused, when one was. */
  refused?(): StewardError | undefined;
  /** What the engine says that its run cost, in dollars: counts where it is more than what its calls were counted as. */
  reported?(cost: number, model: string): Promise<void>;
}

/** The ledger and the budget. */
export interface Money {
  meter(spender: Spender): Meter;
  /** US dollars that a turn and its helpers have cost; undefined when a price is not known, or no model was asked. */
  turnCost(who: Principal, turn: string): Promise<number | undefined>;
  /** What this person used, and what is left of the budget, as text for any door. */
  text(who: Principal): Promise<string>;
}

export const meterFor = (steward: Steward, spender: Spender): Meter => steward.money.meter(spender);

/** The end of a run as the ledger sees it: what the engine says that it cost counts too; refused at a ceiling it has not failed, and says so in one message. */
export async function billed(meter: Meter, model: string, outcome: Outcome): Promise<Outcome> {
  const { error: _error, ...rest } = outcome;
  if (outcome.usage?.cost !== undefined) await meter.reported?.(outcome.usage.cost, model);
  const refused = outcome.stop === "failed" ? meter.refused?.() : undefined;
  if (!refused) return outcome;
  const text = [refused.message, ...(refused.hint ? [refused.hint] : [])].map((one) => one.replace(/\.?$/, ".")).join(" ");
  return { ...rest, stop: "limit", last: [...(outcome.last ?? []), { id: newId("itm"), kind: "text", text }] };
}
