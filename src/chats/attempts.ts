// How often the same thing that a platform brings has failed: what always fails must not keep everything after it from coming in.
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";

const MOST = 5;
const MOST_KEPT = 2000;
const kept = new WeakMap<Steward, Map<string, number>>();

/** Counts this failure. True from the fifth on. */
export function tooOften(steward: Steward, what: string): boolean {
  const counts = kept.get(steward) ?? new Map<string, number>();
  kept.set(steward, counts);
  const count = (counts.get(what) ?? 0) + 1;
  counts.delete(what);
  counts.set(what, count);
  if (counts.size > MOST_KEPT) counts.delete(counts.keys().next().value!);
  return count >= MOST;
}

/** A message that can never be taken must not keep all after it from coming in: it is left out, and that is said. */
export async function givenUp(steward: Steward, { name, key }: { name: string; key: string }, error: unknown): Promise<{ text?: string }> {
  const passing = error instanceof StewardError && error.code !== "internal";
  if (passing || !tooOften(steward, `message/${name}/${key}`)) throw error;
  steward.log("error", "A message could not be taken and was left out", { channel: name, key, error: messageOf(error) });
  await steward.notices.tell("owner", {
    ...{ text: `A message at ${name} could not be taken and was left out: ${messageOf(error)}`, key: `left-out/${name}/${key}` },
    from: `Channel ${name}`,
  });
  return { text: "Sorry, this message could not be taken. Please write it differently." };
}
