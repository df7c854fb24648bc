// Whether what is sent to a chat is still read by those for whom it is meant: somebody was taken out, a room is not listed any more, others came into it.
import type { Channel, Inbound } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { homeKey, type Letter } from "../run/outbox.ts";
import { goneKey, isSuspended, personOf } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";
import { letIn } from "./let-in.ts";

/** Kept of every chat in which somebody spoke who may. */
export interface Reach {
  closed?: true;
  /** In whose name Steward speaks there. */
  person?: string;
  /** A conversation of two: the platform id of whoever it is with. */
  from?: string;
  /** Nobody but this platform id reads there, as far as it was seen: it is asked for each time. */
  alone?: string;
}
export const reachKey = ({ channel, chat }: Pick<Address, "channel" | "chat">): string => `reach/${JSON.stringify([channel, chat])}`;

const READERS_MS = 10_000;

/** The platform ids of all who read there; undefined when nobody can tell. Throws unavailable when that can't be asked now. */
export async function readersOf(channel: Channel | undefined, to: Address): Promise<string[] | undefined> {
  const away = (cause?: unknown): StewardError => {
    const { retryAt } = cause instanceof StewardError ? cause : {};
    return new StewardError("unavailable", "The platform does not say just now who reads there", {
      cause,
      ...(retryAt ? { retryAt } : {}),
    });
  };
  const asked = channel?.readers?.(to).catch((error: unknown) => {
    if (error instanceof StewardError && error.code !== "unavailable" && error.code !== "internal") return undefined;
    throw away(error);
  });
  return asked && within(asked, READERS_MS, away);
}

export const isAlone = (readers: string[] | undefined, from: string): boolean =>
  readers !== undefined && readers.length > 0 && readers.every((one) => one === from);

/** Somebody who may speak has spoken there. */
export async function noteReach(
  { store }: Steward,
  { to, from, where }: Inbound,
  { person, room, channel }: { person: string; room: boolean; channel: Channel | undefined },
): Promise<void> {
  const before = (await store.get(reachKey(to))) as Reach | undefined;
  const direct = where === "direct";
  const alone = direct ? channel?.grows === true : !room;
  const now: Reach = { person, ...(direct ? { from } : {}), ...(alone ? { alone: from } : {}) };
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  await store.commit({ put: { [reachKey(to)]: now } });
}

/** Whoever it was said to alone is still let in, as this person. */
async function isStillIn(steward: Steward, { channel }: Address, { from, alone, ...reach }: Reach, person: string): Promise<boolean> {
  const reader = from ?? alone;
  if (reader === undefined) return true;
  const found = await letIn(steward, { channel, from: reader }, { entry: steward.settings.config().channels[channel] });
  return found !== undefined && (found.person ?? reach.person) === person;
}

/** Whether what is not said to its end may be shown there: not in rooms where that has to be asked each time. */
export async function mayGrow(steward: Steward, to: Address, person: string): Promise<boolean> {
  const reach = (await steward.store.get(reachKey(to))) as Reach | undefined;
  if (!reach) return true;
  if (reach.closed || reach.person !== person || !(await isStillIn(steward, to, reach, person))) return false;
  if (reach.alone === undefined) return true;
  return reach.from !== undefined && isAlone(await readersOf(steward.channels[to.channel], to), reach.alone);
}

/** Why this must not be sent there any more; undefined: it may. Throws unavailable when that can't be known now. */
export async function outOfReach(
  steward: Steward,
  channel: Channel,
  letter: Pick<Letter, "person" | "to" | "session" | "stranger">,
): Promise<string | undefined> {
  const { store, settings } = steward;
  const { person, to, session, stranger } = letter;
  if (stranger) return undefined;
  const doc = await personOf(steward, person);
  if (doc ? isSuspended(doc) : await store.get(goneKey(person))) return "Its person may not come in any more";
  const reach = (await store.get(reachKey(to))) as Reach | undefined;
  if (!reach) return undefined;
  if (reach.closed) return "Nobody is let in there any more";
  const { groups } = settings.config().channels[to.channel] ?? {};
  if (reach.from === undefined && groups && !Object.hasOwn(groups, to.chat))
    return "This room is not one of those in which Steward answers";
  if (reach.from === undefined && reach.person !== person) {
    const home = session === undefined ? undefined : ((await store.get(homeKey(session))) as Address | undefined);
    return home?.channel === to.channel && home.chat === to.chat ? "Others can read there now" : undefined;
  }
  if (!(await isStillIn(steward, to, reach, person))) return "Nobody is let in there any more";
  if (reach.alone === undefined || isAlone(await readersOf(channel, to), reach.alone)) return undefined;
  return "Others can read there now";
}
