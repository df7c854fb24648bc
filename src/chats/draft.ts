// What a chat shows of a turn's answer while it grows; the answer itself takes its place.
import type { Address } from "../core/types.ts";

/** The message that shows what a turn says while it says it; `receipt` is absent while it is being made. */
export const draftKey = (turn: string): string => `draft/${turn}`;
export interface Draft {
  to: Address;
  person?: string;
  receipt?: string;
  /** What was sent there first and since when, epoch milliseconds: by that it is found again when nobody heard of its receipt. */
  first?: { text: string; since: number };
  /** Nobody can know whether it stands there: the answer says that it is the whole. */
  lost?: true;
  /** The answer itself stands there, or is about to. */
  final?: boolean;
}
