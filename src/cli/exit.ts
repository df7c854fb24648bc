// Failure to exit code. What scripts branch on; the words are in the error itself.
import type { Code } from "../std/error.ts";

export const DONE = 0;
export const USAGE = 2;
export const NOT_RUNNING = 3;
/** A question is open that nobody here could answer. */
export const UNANSWERED = 8;
export const INTERRUPTED = 130;

export const exitCodes: Record<Code, number> = {
  internal: 1,
  invalid: 2,
  unavailable: 3,
  not_found: 4,
  denied: 5,
  conflict: 6,
  stale: 6,
  limit: 7,
};
