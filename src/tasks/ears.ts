// Who listens to which channel: one document for each session that does.
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { channelName } from "./docs.ts";

const MOST_CHANNELS = 20;
const MOST_EARS = 100;

export interface Ear {
  channels: string[];
  /** With whose rights it is woken. */
  principal: Principal;
}
export const earKey = (person: string, session: string): string => `p/${person}/ear/${session}`;

/** Sessions that listen to it. */
export async function earsOf({ store }: Steward, person: string, channel: string): Promise<{ session: string; principal: Principal }[]> {
  const root = earKey(person, "");
  return (await store.list(root)).flatMap(({ key, value }) => {
    const { channels, principal } = value as Ear;
    return channels.includes(channel) ? [{ session: key.slice(root.length), principal }] : [];
  });
}

/** Returns what it listens to now. */
export async function listen(steward: Steward, who: Principal, wish: { session: string; channel: string; on: boolean }): Promise<string[]> {
  const channel = channelName(wish.channel);
  const key = earKey(who.person, wish.session);
  const { channels: before = [] } = ((await steward.store.get(key)) ?? {}) as Partial<Ear>;
  const channels = wish.on ? [...new Set([...before, channel])] : before.filter((one) => one !== channel);
  if (channels.length > MOST_CHANNELS) throw new StewardError("limit", `At most ${MOST_CHANNELS} channels can be listened to`);
  if (wish.on && before.length === 0 && (await steward.store.list(earKey(who.person, ""))).length >= MOST_EARS)
    throw new StewardError("limit", "Too many sessions listen to channels");
  const { person, role, via } = who;
  await steward.store.commit(
    channels.length > 0 ? { put: { [key]: { channels, principal: { person, role, via } } satisfies Ear } } : { drop: [key] },
  );
  return channels;
}

/** Those of this process that want to know at once that something was sent. */
const all = new WeakMap<Steward["lanes"], Set<() => void>>();
export function hearing({ lanes }: Steward): Set<() => void> {
  const some = all.get(lanes) ?? new Set<() => void>();
  all.set(lanes, some);
  return some;
}
