// What people are told of their schedules: missed times once for all of them together, and what went wrong once until it is right again.
import type { Commit, Job } from "../core/store.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { joined } from "./joined.ts";
import { momentText } from "./said.ts";
import type { Schedule } from "./state.ts";
import { deliverTo, shownAgain } from "./telling.ts";

interface Missed {
  id: string;
  name: string;
  from: number;
  to: number;
  count: number;
  asks?: true;
}

/** What was missed is collected so long, so that a whole night is one message. */
const COLLECT_MS = 10_000;
/** So long after a message the next one waits, and tells all that was missed meanwhile. */
const PAUSE_MS = 3_600_000;
/** A report that is due so soon may be made up already. */
const SOON_MS = 5000;
const MOST_NAMED = 10;
const missedKey = (person: string, id = ""): string => `p/${person}/schedules-missed/${id}`;
/** When the next report is due, or was. */
const reportKey = (person: string): string => `p/${person}/schedules-report`;

/** The parts of a commit that let the person know. */
export async function reportingMissed(
  { store, now }: Steward,
  { person, id, name, onMissed, source }: Schedule,
  { from, to, count }: { from: number; to: number; count: number },
): Promise<Commit> {
  if (source === "heartbeat") return {}; // it looks again soon, and nobody asked for that moment
  const missed: Missed = { id, name, from, to, count, ...(onMissed === "ask" ? { asks: true as const } : {}) };
  const put = { [missedKey(person, `${id}/${from}`)]: missed };
  const at = now();
  const last = ((await store.get(reportKey(person))) as { at: number } | undefined)?.at ?? -Infinity;
  const behind = last > at + PAUSE_MS + COLLECT_MS; // the clock was set back since
  if (last > at + SOON_MS && !behind) return { put };
  const runAt = Math.max(at + COLLECT_MS, behind ? 0 : last + PAUSE_MS);
  const data = { principal: { person }, person };
  return {
    put: { ...put, [reportKey(person)]: { at: runAt } },
    jobs: [{ id: newId("job"), kind: "schedule-report", lane: `schedule-report/${person}`, runAt, data }],
  };
}

export async function report(steward: Steward, job: Job): Promise<void> {
  const { person } = job.data as { person: string };
  const lease = { job: job.id, epoch: job.epoch, then: "done" as const };
  const found = await steward.store.list(missedKey(person));
  if (found.length === 0) return void (await steward.store.commit({ lease }));
  const all = summed(found.map(({ value }) => value as Missed));
  const told = await deliverTo(steward, person, { text: reportText(steward, all), key: job.id });
  await steward.store.commit({
    ...told,
    put: { ...told.put, [reportKey(person)]: { at: steward.now() } },
    drop: [...(told.drop ?? []), ...found.map(({ key }) => key)],
    lease,
  });
}

/** Each schedule once. */
function summed(all: Missed[]): Missed[] {
  const each = new Map<string, Missed>();
  for (const one of all) {
    const { from, to, count } = each.get(one.id) ?? { from: one.from, to: one.to, count: 0 };
    each.set(one.id, { ...one, from: Math.min(from, one.from), to: Math.max(to, one.to), count: count + one.count });
  }
  return [...each.values()];
}

function reportText(steward: Steward, found: Missed[]): string {
  const zone = zoneOf(steward);
  const lines = found.slice(0, MOST_NAMED).map(({ id, name, from, to, count, asks }) => {
    const when = count === 1 ? momentText(from, zone) : `${count} times from ${momentText(from, zone)} to ${momentText(to, zone)}`;
    return `- ${oneLine(name, 60)} (${id}): ${when}${asks ? ". You decide whether it is made up for: /cron run " + id : ""}`;
  });
  const rest = found.slice(MOST_NAMED);
  const more = rest.length > 0 ? [`- and ${rest.length} more schedules, ${rest.reduce((sum, { count }) => sum + count, 0)} times`] : [];
  return [`Steward did not run when these were due, so they were missed:`, ...lines, ...more].join("\n");
}

// ---- Once, not once a run

/** What a schedule itself is told of. */
export const alertOf = ({ id }: Pick<Schedule, "id">): string => `schedule:${id}`;
/** That something waits until its person has seen it. */
export const HELD = "held";
const alertsKey = (person: string): string => `p/${person}/schedule-alerts`;
/** Among the causes: how often something was right again. */
const TURNS = "#";

/** Tells of a trouble, unless the person knows of it already; what is returned keeps that in mind. `cause`: what it is about. Several at the same moment are one. */
export async function alerting(
  steward: Steward,
  person: string,
  { cause, text, session }: { cause: string; text: string; session?: string | undefined },
): Promise<Commit> {
  const known = ((await steward.store.get(alertsKey(person))) ?? {}) as Record<string, number>;
  if (known[cause] !== undefined) return {};
  const key = `schedule/alert/${cause}/${known[TURNS] ?? 0}`;
  await steward.notices.tell(person, { text, key, from: "schedules", ...(session === undefined ? {} : { session }) });
  const shown = session === undefined ? {} : await shownAgain(steward, person, { session, text });
  return joined(shown, { merge: { [alertsKey(person)]: { [cause]: steward.now() } } });
}

/** The parts of a commit that say that these are right again. */
export async function righted({ store }: Steward, person: string, causes: string[]): Promise<Commit> {
  const known = ((await store.get(alertsKey(person))) ?? {}) as Record<string, number>;
  const over = causes.filter((cause) => known[cause] !== undefined);
  if (over.length === 0) return {};
  const key = alertsKey(person);
  return { merge: { [key]: Object.fromEntries(over.map((cause) => [cause, null])) }, add: { [key]: { [TURNS]: 1 } } };
}
