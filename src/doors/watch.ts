// What the model's side of one turn has come to: tokens used, the fault that a program should have given up on, and signs that it runs in circles.
import type { Failure, Usage } from "../core/types.ts";
import { failureOf, StewardError } from "../std/error.ts";

/** The same request this often is a loop. */
const SAME = 6;
/** So many answers in a row without a token are no answers. */
const EMPTY = 4;
const MOST_KEPT = 2000;
/** Programs that are told to give up still try again in other forms, at once. */
const HASTE_MS = 5000;

export interface Watch {
  /** Throws when nothing more may be asked in this turn. `digest` is the same for the same request. */
  begin(asked: Asked): void;
  failed(asked: Asked, failure: Failure): void;
  /** `tokens`: whether there was anything in it. */
  answered(asked: Asked, tokens: boolean): void;
  spend(usage: Usage): void;
  used(): Usage;
  fault(): Failure | undefined;
}
export interface Asked {
  /** "provider/name". */
  model: string;
  digest: string;
  /** The turn's own model was asked and tools were offered: not a request beside the work, such as for a title. */
  work: boolean;
  /** Another model than the turn's, as the owner says: the program is told what it fails of, which says nothing of the turn's. */
  other?: true;
}

/** Until when asking this model again is pointless, epoch milliseconds: a program's haste would only make it worse. */
function restsUntil({ code, reason, retryAt }: Failure, now: number): number {
  if (reason === "key" || reason === "quota") return Infinity;
  return code === "unavailable" || reason === "rate" ? Math.max(retryAt ?? 0, now + HASTE_MS) : now;
}

/** `most`: requests of one turn. */
export function newWatch({ now, most }: { now(): number; most: number }): Watch {
  const resting = new Map<string, { failure: Failure; until: number }>();
  const often = new Map<string, number>();
  const used: Usage = { input: 0, output: 0 };
  const state: { fault?: { failure: Failure; work: boolean }; stuck?: StewardError; empty: number; work: boolean; asked: number } = {
    empty: 0,
    work: false,
    asked: 0,
  };
  const stick = (message: string): StewardError =>
    (state.stuck = new StewardError("unavailable", message, { hint: "Say it again, or choose another engine or model." }));
  return {
    begin({ digest, work, model }) {
      if (state.stuck) throw state.stuck;
      const rest = resting.get(model);
      if (rest && rest.until > now()) throw new StewardError(rest.failure.code, rest.failure.message, rest.failure);
      state.work ||= work;
      const times = (often.get(digest) ?? 0) + 1;
      if (often.size < MOST_KEPT) often.set(digest, times);
      if (++state.asked > most) throw stick(`The engine asked its model ${most} times in one turn.`);
      if (times > SAME) throw stick(`The engine asked its model the same thing ${SAME} times and did not get on.`);
    },
    failed({ work, model, other }, failure) {
      resting.set(model, { failure, until: restsUntil(failure, now()) });
      const budget = failure.code === "limit" && failure.reason === undefined;
      if (other && !budget) return;
      if (state.work && !work && failure.code !== "limit") return; // what is asked beside the work decides nothing
      state.fault = { failure, work };
    },
    answered({ work }, tokens) {
      if (state.fault && (work || !state.fault.work)) delete state.fault;
      state.empty = tokens ? 0 : state.empty + 1;
      if (state.empty >= EMPTY) stick(`The model answered ${EMPTY} times without a word.`);
    },
    spend({ input, output, cached, written, thinking }) {
      used.input += input;
      used.output += output;
      if (cached !== undefined) used.cached = (used.cached ?? 0) + cached;
      if (written !== undefined) used.written = (used.written ?? 0) + written;
      if (thinking !== undefined) used.thinking = (used.thinking ?? 0) + thinking;
    },
    used: () => ({ ...used }),
    fault: () => (state.stuck ? failureOf(state.stuck) : state.fault?.failure),
  };
}
