// A due time has come: one commit says what becomes of it and of those before it that were missed, starts the run and plans the next.
import type { Commit, Job, NewJob } from "../core/store.ts";
import { newId } from "../std/id.ts";
import type { Steward } from "../run/steward.ts";
import { joined } from "./joined.ts";
import { begins, crowded } from "./live.ts";
import { planDue, runner, waitingFor } from "./plan.ts";
import { forget } from "./history.ts";
import { reportingMissed } from "./report.ts";
import { isOn, type Run, runKey, type Schedule, scheduleKey, sumsKey, timesOfSchedule, write } from "./state.ts";

export interface RunData {
  principal: { person: string };
  schedule: string;
  due: number;
}
/** How often old rows are looked for: after so many due times. */
const SWEEP = 50;

export async function come(steward: Steward, job: Job): Promise<void> {
  const { store, now } = steward;
  const { principal, schedule, due } = job.data as RunData;
  const lease = { job: job.id, epoch: job.epoch, then: "done" as const };
  for (;;) {
    const doc = (await store.get(scheduleKey(principal.person, schedule))) as Schedule | undefined;
    // Another due time waits by now, or none.
    if (!doc || doc.next !== due || !isOn(doc)) return void (await store.commit({ lease }));
    const at = now();
    if (due > at) return void (await store.commit({ lease: { ...lease, then: { retryAt: due } } }));
    const { after, change } = await stepped(steward, { ...doc, next: due }, at);
    if (!(await write(steward, { before: doc, after }, { ...change, lease }))) continue;
    if (Math.floor(after.handledCount / SWEEP) !== Math.floor((doc.handledCount ?? 0) / SWEEP)) await forget(steward, after);
    return;
  }
}

async function stepped(
  steward: Steward,
  doc: Schedule & { next: number },
  at: number,
): Promise<{ after: Schedule & { handledCount: number }; change: Commit }> {
  const { person, id } = doc;
  const { run, missed, next } = planDue(doc, timesOfSchedule(steward, doc), at);
  const rows: Run[] = [];
  if (missed) rows.push(missedRow(doc, missed, at));
  const full = run === undefined ? undefined : await crowded(steward, doc);
  if (full !== undefined) rows.push({ schedule: id, due: run!, outcome: "skipped", reason: full, endedAt: at });
  const starts = run !== undefined && full === undefined;
  if (starts) rows.push({ schedule: id, due: run, outcome: "queued" });
  const runs = doc.runs + (starts ? 1 : 0);
  const ends = doc.maxRuns !== undefined && runs >= doc.maxRuns;
  const waits = waitingFor({ ...doc, runs, last: run ?? missed!.to, handled: at }, ends ? undefined : next);
  return {
    after: { ...waits.schedule, handledCount: (doc.handledCount ?? 0) + rows.length },
    change: joined(
      { put: waits.put, jobs: waits.jobs },
      missed ? await reportingMissed(steward, doc, missed) : {},
      starts ? { ...begins(doc, run), jobs: [runJob(doc, run)] } : {},
      {
        put: Object.fromEntries(rows.map((row) => [runKey(person, id, row.due), row])),
        add: { [sumsKey(person, id)]: { missed: missed?.count ?? 0, skipped: full === undefined ? 0 : 1 } },
      },
    ),
  };
}

function missedRow(
  { id, onMissed, done = [] }: Schedule,
  { from, to, count }: { from: number; to: number; count: number },
  at: number,
): Run {
  const holes = done.filter((range) => range[0] > from && range[1] < to);
  return {
    ...{ schedule: id, due: from, outcome: "missed", endedAt: at },
    ...(count > 1 ? { to, count } : {}),
    ...(holes.length > 0 ? { holes } : {}),
    reason: "Steward did not run at that time",
    ...(onMissed === "ask" ? { asks: true as const } : {}),
  };
}

export const runJob = (schedule: Schedule, due: number): NewJob => ({
  id: newId("job"),
  kind: "schedule-run",
  lane: `schedule-run/${schedule.id}${schedule.overlap === "parallel" ? `/${due}` : ""}`,
  data: { principal: runner(schedule), schedule: schedule.id, due } satisfies RunData,
});
