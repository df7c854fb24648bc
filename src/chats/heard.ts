// Which messages of a chat were taken already: what a platform brings again is no answer to what was asked since, and typed nowhere.
import type { Inbound } from "../core/channel.ts";
import type { Commit } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";

/** Platforms bring again what is new, so the newest of each chat are enough. */
const MOST = 200;
const KEPT_MS = 2 * 86_400_000;

type Heard = Record<string, number>;
const heardKey = ({ channel, chat }: Address): string => `heard/${JSON.stringify([channel, chat])}`;
const heardIn = async ({ store }: Steward, to: Address): Promise<Heard> => ((await store.get(heardKey(to))) ?? {}) as Heard;

/** A changed message is another one. */
export const keyOf = ({ kind, key }: Pick<Inbound, "kind" | "key">): string => (kind === "edit" ? `${key}/edit` : key);

export const wasHeard = async (steward: Steward, to: Address, key: string): Promise<boolean> =>
  Object.hasOwn(await heardIn(steward, to), key);

const MOST_BEFORE = 50;

/** Of a chat from before anything was noted: whether its session's log ends with it. */
export async function wasRecorded({ store }: Steward, session: string, to: Address, key: string): Promise<boolean> {
  if ((await store.get(heardKey(to))) !== undefined) return false;
  const log = await store.events(session, { last: MOST_BEFORE });
  return log.some(
    ({ event }) =>
      event.type === "message.received" && event.key === key && event.replyTo !== undefined && heardKey(event.replyTo) === heardKey(to),
  );
}

/** The part of a commit that notes it. */
export async function hearing(steward: Steward, to: Address, key: string): Promise<Required<Pick<Commit, "merge">>> {
  const now = steward.now();
  const newest = Object.entries(await heardIn(steward, to)).toSorted(([, one], [, other]) => other - one);
  const old = newest.filter(([, at], index) => index >= MOST - 1 || at < now - KEPT_MS);
  return { merge: { [heardKey(to)]: { ...Object.fromEntries(old.map(([one]) => [one, null])), [key]: now } } };
}

/** What was done for it is durable. */
export async function noteHeard(steward: Steward, to: Address, key: string): Promise<void> {
  if (!(await wasHeard(steward, to, key))) await steward.store.commit(await hearing(steward, to, key));
}
