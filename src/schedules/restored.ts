// The way back of what was changed of a schedule, by its entry in the journal.
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { inLane } from "../std/lanes.ts";
import { overtaken, traces } from "./change.ts";
import { joined } from "./joined.ts";
import { plannedAnew } from "./plan.ts";
import { changeLane, runKey, type Schedule, scheduleKey, timesOfSchedule, write } from "./state.ts";

/** False: it was about something else. */
export async function restoreSchedule(steward: Steward, { person }: Principal, key: string, before: unknown): Promise<boolean> {
  if (!key.startsWith(scheduleKey(person, ""))) return false;
  const then = before as Schedule | undefined;
  return inLane(steward.lanes, changeLane({ person, id: key.slice(scheduleKey(person, "").length) }), async () => {
    for (;;) {
      const now = (await steward.store.get(key)) as Schedule | undefined;
      if (!now && !then) return true;
      const done = then ? await broughtBack(steward, now, then) : await write(steward, { before: now }, await traces(steward, now!));
      if (done) return true;
    }
  });
}

async function broughtBack(steward: Steward, now: Schedule | undefined, then: Schedule): Promise<boolean> {
  const { next: _next, finished: _finished, ...rest } = then;
  const at = steward.now();
  const last = Math.max(rest.last ?? 0, now?.last ?? 0);
  const back: Schedule = { ...rest, runs: now?.runs ?? rest.runs, updatedAt: at, ...(last > 0 ? { last } : {}) };
  const over = now ? overtaken(steward, now, at) : { change: {} };
  const stale = now?.next !== undefined && now.next > at ? [runKey(then.person, now.id, now.next)] : [];
  const { schedule, put, jobs } = plannedAnew(back, timesOfSchedule(steward, back), at);
  const drop = stale.filter((one) => put[one] === undefined);
  return write(steward, { before: now, after: schedule }, joined(over.change, { put, jobs, drop }));
}
