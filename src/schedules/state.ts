// What is kept of a schedule and of its due times, under which keys, and the one way in which a schedule changes.
import type { Commit } from "../core/store.ts";
import type { Address, Principal, Role } from "../core/types.ts";
import type { Pin } from "../run/choice.ts";
import { lesserRole, personOf } from "../run/persons.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { randomText } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { type Done, type Times, timesOf, type Trigger, without } from "./trigger.ts";

/** A prompt is for the agent; a script runs in the person's own computer without a model; what is to be told is only told. */
export type Action = { prompt: string } | { script: string } | { tell: string };
/** `person`: as their preferences say. `log`: nowhere but in the history. */
export type Deliver = { to: "session"; session: string } | { to: "channel"; address: Address } | { to: "person" } | { to: "log" };
/** `within`: milliseconds in which a missed time is still made up for. */
export type OnMissed = { within: number } | "skip" | "ask";
export interface Ceiling {
  /** US dollars of one run. */
  dollars?: number;
  /** Of one run, in and out. */
  tokens?: number;
}
/** What people and tools may say of one. */
export interface Wanted {
  name: string;
  trigger: Trigger;
  action: Action;
  deliver: Deliver;
  /** Each run goes on in this session; absent: each begins a fresh one. */
  session?: string;
  onMissed: OnMissed;
  overlap: "skip" | "wait" | "parallel";
  retries: number;
  ceiling?: Ceiling;
  maxRuns?: number;
  engine?: string;
  model?: string;
  pin?: Pin;
}
export interface Schedule extends Wanted {
  id: string;
  person: string;
  /** Of whoever made it; runs never have more rights than that. */
  role: Role;
  source: "person" | "agent" | "heartbeat" | "builtin";
  enabled: boolean;
  /** The agent made it after reading what others may have written, or with nobody there: nothing runs before the person has seen it. */
  held?: true;
  /** The agent made it, and what it does are words of the person, or the person has read them. */
  agreed?: true;
  /** Nothing comes any more. */
  finished?: true;
  createdAt: number;
  updatedAt: number;
  /** Another one with each change: who does not know the newest changes nothing. */
  stamp: string;
  /** Those of the changes before. */
  stamps?: string[];
  /** The due time that waits. */
  next?: number;
  /** The newest due time that is accounted for. */
  last?: number;
  /** By the clock as it was then. */
  handled: number;
  done?: Done;
  /** Rows that were made, for knowing when to look for old ones. */
  handledCount?: number;
  /** How many runs there were. */
  runs: number;
  /** Of its section, when it comes from HEARTBEAT.md. */
  text?: string;
}

export type Outcome = "waiting" | "queued" | "running" | "ran" | "failed" | "missed" | "skipped";
/** A due time, or several that follow each other and ended alike. Every due time is in exactly one. */
export interface Run {
  schedule: string;
  /** The first, or the only one. Runs by hand have the moment at which they were asked for. */
  due: number;
  /** The last, and how many. */
  to?: number;
  count?: number;
  /** Between them what was done already, while the clock was ahead. */
  holes?: Done;
  outcome: Outcome;
  reason?: string;
  /** It was missed, and the person decides whether it is made up for. */
  asks?: true;
  /** It was missed, and was made up for by a run by hand. */
  madeUp?: true;
  byHand?: true;
  tries?: number;
  startedAt?: number;
  endedAt?: number;
  session?: string;
  turn?: string;
  /** Key of the message, and the number in the log after which it stands. */
  key?: string;
  from?: number;
  /** While it runs: what a section of HEARTBEAT.md went by when it began, without and with what changes often. */
  state?: [narrow: string, wide: string];
  /** Tokens, and US dollars where the price is known. */
  tokens?: number;
  cost?: number;
  /** What came of it, shortened. */
  said?: string;
}
/** How the due times of a schedule ended so far, also those whose rows are no longer kept. */
export interface Sums {
  ran?: number;
  failed?: number;
  missed?: number;
  skipped?: number;
  byHand?: number;
}

export const schedulesKey = (person: string): string => `p/${person}/schedule/`;
export const scheduleKey = (person: string, id: string): string => `${schedulesKey(person)}${id}`;
/** In the order of their times. */
export const runsKey = (person: string, id: string): string => `p/${person}/due/${id}/`;
export const runKey = (person: string, id: string, due: number): string => `${runsKey(person, id)}${String(due).padStart(15, "0")}`;
export const sumsKey = (person: string, id: string): string => `p/${person}/due-sums/${id}`;
/** The latest time that was seen, to the hour, or for which something was planned, and the zone. Only clock.ts lowers the one and changes the other. */
export const CLOCK = "schedules/clock";
/** What was planned within this time is not written down anew. */
export const SLACK_MS = 60_000;
/** Changes by others between writing and looking whether it was written. */
const STAMPS = 8;
/** Nobody changes anything by what was read so long ago. */
const SPENT_MS = 3_600_000;

/** Taking one away and ending its runs do not overlap. */
export const changeLane = ({ person, id }: Pick<Schedule, "person" | "id">): string => `schedule-end/${person}/${id}`;

export const newStamp = (): string => randomText(12);

/** Throws not_found. */
export async function scheduleOf({ store }: Steward, { person }: Pick<Principal, "person">, id: string): Promise<Schedule> {
  const doc = (await store.get(scheduleKey(person, id))) as Schedule | undefined;
  if (doc) return doc;
  throw new StewardError("not_found", `There is no schedule ${oneLine(id, 40)}`, { hint: "steward cron list shows yours." });
}

export async function schedulesOf({ store }: Steward, { person }: Pick<Principal, "person">): Promise<Schedule[]> {
  return (await store.list(schedulesKey(person))).map(({ value }) => value as Schedule);
}

export const timesOfSchedule = (steward: Steward, { trigger, done = [] }: Pick<Schedule, "trigger" | "done">): Times =>
  without(timesOf(trigger, zoneOf(steward)), done);

/** Whether its times are planned. */
export const isOn = ({ enabled, held, finished }: Schedule): boolean => enabled && !held && !finished;

/** With what rights it runs: never more than its maker had, never more than its person has now, and with nobody there. */
export async function runnerOf(steward: Steward, { person, role }: Schedule): Promise<Principal> {
  const now = (await personOf(steward, person))?.role ?? "guest";
  return { person, role: lesserRole(role, now), via: "schedule" };
}

/** One commit that turns `before` into `after`, or takes it away, if nobody else changed it since. False when somebody did: look again. */
export async function write(
  { store, now }: Steward,
  { before, after }: { before?: Schedule | undefined; after?: Schedule | undefined },
  more: Commit = {},
): Promise<boolean> {
  const { person, id } = (after ?? before)!;
  const key = scheduleKey(person, id);
  const stamp = newStamp();
  const stamps = before ? [before.stamp, ...(before.stamps ?? [])].slice(0, STAMPS) : [];
  const at = now();
  const seen = after ? (((await store.get(CLOCK)) as { at: number } | undefined)?.at ?? -Infinity) : Infinity;
  await store.commit({
    ...more,
    once: before ? `schedule/${id}/${before.stamp}` : `schedule/${id}/new/${stamp}`,
    spent: { prefix: `schedule/${id}/`, before: at - SPENT_MS },
    put: { ...more.put, ...(after ? { [key]: { ...after, stamp, ...(before ? { stamps } : {}) } } : {}) },
    merge: { ...more.merge, ...(at > seen + SLACK_MS ? { [CLOCK]: { at } } : {}) },
    drop: [...(more.drop ?? []), ...(after ? [] : [key])],
  });
  const kept = (await store.get(key)) as Schedule | undefined;
  return after ? kept?.stamp === stamp || kept?.stamps?.includes(stamp) === true : kept === undefined;
}
