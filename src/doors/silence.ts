// How long a model was silent: it may have thought all the while, and of thinking that a program is not shown nothing comes by the wire.
import { thoughtIn } from "../run/metered.ts";

/** A shorter silence is the way there and back. */
const MOMENT_MS = 1000;

export interface Silence {
  /** Something of the answer came. */
  heard(): void;
  /** Tokens of thinking that were perhaps made in all silences so far. */
  thought(): number;
}

/** From now on. */
export function openSilence(now: () => number): Silence {
  const state = { since: now(), ms: 0 };
  const heard = (): void => {
    const at = now();
    if (at - state.since > MOMENT_MS) state.ms += at - state.since;
    state.since = at;
  };
  return {
    heard,
    thought() {
      heard();
      return thoughtIn(state.ms);
    },
  };
}
