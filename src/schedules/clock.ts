// A clock that was set back: what is planned for a time that is far ahead now would wait for nothing. It is planned anew, and what ran already does not run again.
import type { Commit } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { GUEST_ID, OWNER_ID, type Person } from "../run/persons.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { plannedAnew } from "./plan.ts";
import { runsOf } from "./history.ts";
import {
  CLOCK,
  isOn,
  type Run,
  runKey,
  type Schedule,
  scheduleKey,
  schedulesOf,
  SLACK_MS,
  sumsKey,
  timesOfSchedule,
  write,
} from "./state.ts";
import type { Done, Times } from "./trigger.ts";
import { timesOf, without } from "./trigger.ts";

interface Seen {
  at: number;
  zone?: string;
}

/** How often the time is noted when nothing is planned. */
const NOTE_MS = 3_600_000;
/** Kinds of jobs that wait for a time of their own; all others wait for another try. */
const TIMED = ["schedule", "erase"];

/** Looks whether the clock went back, or the zone is another; costs one document when neither is so. */
export async function watchClock(steward: Steward): Promise<void> {
  const [now, zone] = [steward.now(), zoneOf(steward)];
  const seen = ((await steward.store.get(CLOCK)) as Seen | undefined) ?? { at: now };
  const back = seen.at > now + SLACK_MS;
  const moved = seen.zone !== undefined && seen.zone !== zone;
  if (!back && !moved && seen.zone === zone && now < seen.at + NOTE_MS) return;
  if (back) steward.log("warning", "The clock was set back; schedules are planned anew", { was: new Date(seen.at).toISOString() });
  if (moved) steward.log("info", "The time zone is another; schedules are planned anew", { zone });
  if (back || moved)
    for (const person of await everybody(steward)) for (const doc of await schedulesOf(steward, { person })) await planAnew(steward, doc);
  await steward.store.commit({
    merge: { [CLOCK]: { zone, ...(back || seen.at <= now ? { at: now } : {}) } satisfies Partial<Seen> },
    ...(back ? { sooner: { by: now + SLACK_MS, but: TIMED } } : {}),
  });
}

async function everybody({ store }: Steward): Promise<string[]> {
  const people = (await store.list("person/")).map(({ value }) => (value as Person).id);
  return [...new Set<Principal["person"]>([OWNER_ID, GUEST_ID, ...people])];
}

/** Also one that is paused: what it did while the clock was ahead must not hold it up once it goes on. */
async function planAnew(steward: Steward, { person, id }: Schedule): Promise<void> {
  for (;;) {
    const doc = (await steward.store.get(scheduleKey(person, id))) as Schedule | undefined;
    const now = steward.now();
    if (!doc || (!isOn(doc) && !doc.finished && (doc.last ?? 0) <= now)) return;
    if (doc.next !== undefined && doc.next <= now) return; // it is taken up at any moment
    const { change, done } = await cleared(steward, doc, now);
    const { last: _last, ...rest } = doc;
    const open: Schedule = { ...rest, done, ...(doc.last !== undefined && doc.last <= now ? { last: doc.last } : {}) };
    const { schedule, put, jobs } = plannedAnew(open, timesOfSchedule(steward, open), now);
    const drop = [...(change.drop ?? [])].filter((key) => put[key] === undefined);
    if (await write(steward, { before: doc, after: schedule }, { ...change, put: { ...change.put, ...put }, drop, jobs })) return;
  }
}

/** Rows of times that are still to come: what ran is remembered as done, what was missed then is not missed yet. */
async function cleared(steward: Steward, doc: Schedule, now: number): Promise<{ change: Commit; done: Done }> {
  const times = timesOf(doc.trigger, zoneOf(steward));
  const ahead = (await runsOf(steward, doc.person, doc.id)).filter(({ due, to, byHand }) => !byHand && (to ?? due) > now);
  const change: Commit & Required<Pick<Commit, "put" | "drop" | "add">> = { put: {}, drop: [], add: {} };
  const done: Done = (doc.done ?? []).filter(([, to]) => to > now);
  for (const row of ahead) {
    const key = runKey(doc.person, doc.id, row.due);
    if (row.outcome === "waiting") change.drop.push(key);
    else if (row.outcome !== "missed") noteDone(done, times, [row.due, row.to ?? row.due]);
    else shorten(change, { doc, row, times: without(times, row.holes ?? doc.done ?? []), now });
  }
  return { change, done };
}

/** Ranges that touch are one: no time stands in two. */
function noteDone(done: Done, times: Times, range: [number, number]): void {
  const all = [...done, range].toSorted(([a], [b]) => a - b);
  done.length = 0;
  for (const [from, to] of all) {
    const before = done.at(-1);
    if (before && (from <= before[1] || times.next(before[1]) === from)) before[1] = Math.max(before[1], to);
    else done.push([from, to]);
  }
}

function shorten(
  change: Required<Pick<Commit, "put" | "drop" | "add">>,
  { doc, row, times, now }: { doc: Schedule; row: Run; times: Times; now: number },
): void {
  const key = runKey(doc.person, doc.id, row.due);
  const to = times.last({ after: row.due - 1, until: now });
  const { to: _to, count: before = 1, ...rest } = row;
  const count = to === undefined ? 0 : times.count({ after: row.due - 1, until: to });
  if (to === undefined) change.drop.push(key);
  else change.put[key] = { ...rest, ...(count > 1 ? { to, count } : {}) };
  const sums = (change.add[sumsKey(doc.person, doc.id)] ??= { missed: 0 });
  sums["missed"] = (sums["missed"] ?? 0) + count - before;
}
