// Notices to people: kept, sent by the channel that each prefers, not in their quiet hours; urgent ones go on to the next channel until read.
import { createHash } from "node:crypto";
import { HOOK_CHAT, hookOf } from "../core/config-channels.ts";
import type { Commit, Job } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import type { Work } from "../run/jobs.ts";
import type { Notices, Told } from "../run/notices.ts";
import { sending } from "../run/outbox.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { clip } from "../std/text.ts";
import { quietUntil } from "./quiet.ts";

export interface Notice {
  id: string;
  text: string;
  from: string;
  at: number;
  urgent: boolean;
  session?: string;
  not?: string;
  /** Channels by which it went out, in their order. */
  sent: string[];
  readAt?: number;
}
export interface Preferences {
  /** Names of channels, first choice first; those that are not named come after. */
  channels: string[];
  /** Local times, such as 22:00 to 07:00. */
  quiet?: { from: string; to: string } | undefined;
  /** Urgent ones come in quiet hours too. */
  urgentAlways: boolean;
  /** How long an urgent one waits to be read before it goes on. */
  escalateMinutes: number;
}
export const DEFAULTS: Preferences = { channels: [], urgentAlways: true, escalateMinutes: 10 };
const MOST = 500;
/** How soon it is seen that quiet hours were changed while something waits for their end. */
const LOOK_MS = 5 * 60_000;
const MOST_TEXT = 4000;
/** How often an urgent one goes through all channels. */
const ROUNDS = 3;

const noticeKey = (person: string, id = ""): string => `p/${person}/notice/${id}`;
const preferencesKey = (person: string): string => `p/${person}/notice-preferences`;
const urgentKey = (person: string): string => `p/${person}/notice-urgent`;
const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 24);

export function openNotices(steward: () => Steward): Notices {
  const lookers = new Map<symbol, string>();
  const telling: Notices["telling"] = (person, told) => parts(person, told, steward().now());
  return {
    telling,
    async tell(person, told) {
      await steward().store.commit({ once: `notice/${person}/${digest(told.key)}`, ...telling(person, told) });
    },
    async here(person) {
      const { store } = steward();
      if (await store.get(urgentKey(person))) await readUrgent(steward(), person);
    },
    looking(session) {
      const looker = Symbol(session);
      lookers.set(looker, session);
      return () => void lookers.delete(looker);
    },
    isLookedAt: (session) => [...lookers.values()].includes(session),
  };
}

function parts(
  person: string,
  { text, key, from, urgent = false, session, not }: Told,
  at: number,
): Required<Pick<Commit, "put" | "jobs">> {
  // Its place in the list is its time.
  const id = `ntc_${at.toString(36).padStart(9, "0")}${digest(key)}`;
  const notice: Notice = {
    ...{ id, text: clip(text, MOST_TEXT), from, at, urgent, sent: [] },
    ...(session === undefined ? {} : { session }),
    ...(not === undefined ? {} : { not }),
  };
  return {
    put: { [noticeKey(person, id)]: notice, ...(urgent ? { [urgentKey(person)]: true } : {}) },
    jobs: [{ id: newId("job"), kind: "notice", lane: `notice/${person}/${id}`, data: { person, id } }],
  };
}

export const noticeWork: Record<string, Work> = { notice: send };

/** One step: sends it by the next channel, and comes back while it is urgent and unread. */
async function send(steward: Steward, job: Job): Promise<void> {
  const { store, now } = steward;
  const { person, id } = job.data as { person: string; id: string };
  const lease = (then: "done" | { retryAt: number }): Pick<Commit, "lease"> => ({ lease: { job: job.id, epoch: job.epoch, then } });
  const notice = (await store.get(noticeKey(person, id))) as Notice | undefined;
  if (!notice || notice.readAt !== undefined) return void (await store.commit(lease("done")));
  const prefs = await preferencesOf(steward, person);
  const quiet = notice.urgent && prefs.urgentAlways ? undefined : quietUntil(prefs.quiet, { now: now(), zone: zoneOf(steward) });
  if (quiet !== undefined) return void (await store.commit(lease({ retryAt: Math.min(quiet, now() + LOOK_MS) })));
  const all = await addressesOf(steward, person, { prefs, not: notice.not });
  const to = all.length > 0 && notice.sent.length < all.length * ROUNDS ? all[notice.sent.length % all.length] : undefined;
  if (!to) return void (await store.commit({ ...lease("done"), drop: await tooOld(steward, person) }));
  const letter = sending(
    { person, to, text: worded(notice), ...(notice.urgent ? { buttons: [{ id: `notice/${id}`, label: "Read" }] } : {}) },
    now(),
  );
  await store.commit({
    ...lease(notice.urgent ? { retryAt: now() + prefs.escalateMinutes * 60_000 } : "done"),
    put: { ...letter.put, ...(notice.urgent ? { [urgentKey(person)]: true } : {}) },
    // It may be read at this moment.
    merge: { [noticeKey(person, id)]: { sent: [...notice.sent, to.channel] } },
    jobs: letter.jobs,
    drop: await tooOld(steward, person),
  });
}

const worded = ({ text, urgent, from }: Notice): string => `${urgent ? "❗ " : ""}**${from}**\n\n${text}`;

/** Chats in which the person is paired, one for each channel, as they prefer. */
async function addressesOf(
  { store, settings, chats, channels: open }: Steward,
  person: string,
  { prefs, not }: { prefs: Preferences; not: string | undefined },
): Promise<Address[]> {
  const { channels } = settings.config();
  const there = new Set([...Object.keys(open), ...(await chats.list()).flatMap(({ name, state }) => (state === "off" ? [] : [name]))]);
  // Who was paired with a channel that was taken out is not reached by it.
  const isOn = (name: string): boolean => (Object.hasOwn(channels, name) ? channels[name]!.enabled !== false : there.has(name));
  const paired = (await store.list("paired/")).map(({ value }) => value as { channel?: string; person?: string; chat?: string });
  const own = paired.flatMap((one) =>
    one.person === person && one.channel !== undefined && one.chat !== undefined && one.channel !== not && isOn(one.channel)
      ? [{ channel: one.channel, chat: one.chat }]
      : [],
  );
  // A program reads there, not the person: only where they have asked for that.
  for (const channel of prefs.channels) {
    const hook = channel === not ? undefined : hookOf(channel, channels[channel]);
    if (hook?.url !== undefined && hook.person === person && channels[channel]?.enabled !== false) own.push({ channel, chat: HOOK_CHAT });
  }
  const rank = ({ channel }: Address): number =>
    prefs.channels.includes(channel) ? prefs.channels.indexOf(channel) : prefs.channels.length;
  return own.toSorted((a, b) => rank(a) - rank(b) || a.channel.localeCompare(b.channel));
}

export interface Reach {
  /** Channels by which it goes now, in their order. */
  reachable: string[];
  /** Webhooks of theirs: used only once they are named. */
  hooks: string[];
  /** Whose clock the quiet hours follow. */
  zone: string;
}
export async function reachOf(steward: Steward, person: string): Promise<Reach> {
  const { channels } = steward.settings.config();
  const to = await addressesOf(steward, person, { prefs: await preferencesOf(steward, person), not: undefined });
  const hooks = Object.keys(channels).filter((name) => {
    const hook = hookOf(name, channels[name]);
    return hook?.url !== undefined && hook.person === person && channels[name]?.enabled !== false;
  });
  return { reachable: [...new Set(to.map(({ channel }) => channel))], hooks: hooks.toSorted(), zone: zoneOf(steward) };
}

async function tooOld({ store }: Steward, person: string): Promise<string[]> {
  const all = await store.list(noticeKey(person));
  return all.slice(0, Math.max(0, all.length - MOST)).map(({ key }) => key);
}

/** Newest first. */
export async function noticesOf({ store }: Steward, person: string): Promise<Notice[]> {
  return (await store.list(noticeKey(person), { last: MOST }))
    .map(({ value }) => value as Notice)
    .filter(({ id }) => id !== undefined)
    .toReversed();
}

/** Throws not_found. */
export async function readNotice({ store, now }: Steward, person: string, id: string): Promise<void> {
  const notice = (await store.get(noticeKey(person, id))) as Notice | undefined;
  if (!notice) throw new StewardError("not_found", "There is no such notice");
  if (notice.readAt === undefined) await store.commit({ merge: { [noticeKey(person, id)]: { readAt: now() } } });
}

export async function readAll({ store, now }: Steward, person: string): Promise<void> {
  const open = (await store.list(noticeKey(person))).filter(({ value }) => (value as Notice).readAt === undefined);
  await store.commit({ merge: Object.fromEntries(open.map(({ key }) => [key, { readAt: now() }])), drop: [urgentKey(person)] });
}

/** What was urgent and reached them; what still waits for its hour comes all the same. */
async function readUrgent({ store, now }: Steward, person: string): Promise<void> {
  const open = (await store.list(noticeKey(person))).filter(({ value }) => {
    const { readAt, urgent } = value as Notice;
    return readAt === undefined && urgent;
  });
  const came = open.filter(({ value }) => (value as Notice).sent.length > 0);
  await store.commit({
    merge: Object.fromEntries(came.map(({ key }) => [key, { readAt: now() }])),
    drop: came.length < open.length ? [] : [urgentKey(person)],
  });
}

export async function preferencesOf({ store }: Steward, person: string): Promise<Preferences> {
  return { ...DEFAULTS, ...((await store.get(preferencesKey(person))) as Partial<Preferences> | undefined) };
}

export async function setPreferences(steward: Steward, person: string, change: Partial<Preferences>): Promise<Preferences> {
  const next = { ...(await preferencesOf(steward, person)), ...change };
  await steward.store.commit({ put: { [preferencesKey(person)]: next } });
  return next;
}
