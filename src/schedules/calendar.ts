// What will run between two times. Schedules that come very often are one entry a day, with how often.
import type { Principal } from "../core/types.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { isOn, type Schedule, schedulesOf, timesOfSchedule } from "./state.ts";
import type { Times } from "./trigger.ts";
import { localOf, momentOf } from "./zones.ts";

export interface CalendarEntry {
  schedule: string;
  name: string;
  at: number;
  times?: number;
}
const MOST = 2000;
const OFTEN = 6;
const LONGEST_MS = 62 * 86_400_000;

export async function calendarOf(
  steward: Steward,
  who: Principal,
  { from, to }: { from: number; to: number },
): Promise<{ entries: CalendarEntry[]; more: boolean }> {
  const zone = zoneOf(steward);
  const until = Math.min(to, from + LONGEST_MS);
  const all = (await schedulesOf(steward, who)).filter((one) => isOn(one) && (one.next ?? Infinity) <= until);
  const found: { entries: CalendarEntry[]; until: number; more: boolean } = { entries: [], until, more: false };
  for (const [at, doc] of all.entries()) {
    const span = { from: Math.max(from, doc.next ?? 0), until: found.until, zone };
    found.entries.push(...entriesOf(doc, timesOfSchedule(steward, doc), span));
    if (found.entries.length <= MOST * (at < all.length - 1 ? 4 : 1)) continue;
    // What is later than the last that is told need not be looked for any more.
    found.entries = found.entries.toSorted((a, b) => a.at - b.at).slice(0, MOST);
    found.until = found.entries.at(-1)!.at;
    found.more = true;
  }
  return { entries: found.entries.toSorted((a, b) => a.at - b.at), more: found.more || to > until };
}

/** A local day at a time. */
function entriesOf(
  { id, name }: Schedule,
  times: Times,
  { from, until, zone }: { from: number; until: number; zone: string },
): CalendarEntry[] {
  const found: CalendarEntry[] = [];
  for (let at = times.next(from - 1); at !== undefined && at <= until && found.length < MOST;) {
    const end = momentOf(zone, localOf(zone, at).day + 1, 0) - 1;
    const span = { after: at - 1, until: Math.min(end, until) };
    const count = times.count(span);
    if (count > OFTEN) {
      found.push({ schedule: id, name, at, times: count });
      at = times.next(span.until);
    } else {
      found.push({ schedule: id, name, at });
      at = times.next(at);
    }
  }
  return found;
}
