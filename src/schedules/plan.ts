// What happens to a due time when its moment has come, and what is due next. Pure: the same schedule and clock give the same plan.
import type { NewJob } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { newId } from "../std/id.ts";
import { isOn, type Run, runKey, type Schedule } from "./state.ts";
import type { Times } from "./trigger.ts";

/** So late is still on time. */
export const GRACE_MS = 60_000;

export interface Plan {
  /** The due time that runs now. */
  run?: number;
  /** Those that are too late. */
  missed?: { from: number; to: number; count: number };
  next?: number;
}

/** `next` of the schedule is due by now. */
export function planDue({ next: due, onMissed }: Schedule & { next: number }, times: Times, now: number): Plan {
  const latest = times.last({ after: due, until: now }) ?? due;
  const within = typeof onMissed === "object" ? onMissed.within : 0;
  const runs = now - latest <= Math.max(GRACE_MS, within);
  const to = runs ? times.last({ after: due - 1, until: latest - 1 }) : latest;
  const next = times.next(Math.max(latest, now));
  return {
    ...(runs ? { run: latest } : {}),
    ...(to === undefined || (runs && latest === due)
      ? {}
      : { missed: { from: due, to, count: 1 + times.count({ after: due, until: to }) } }),
    ...(next === undefined ? {} : { next }),
  };
}

interface Waiting {
  schedule: Schedule;
  put: Record<string, unknown>;
  jobs: NewJob[];
}

/** The schedule with its next due time as a row in advance, and the job that comes then. `due` undefined: nothing comes any more. */
export function waitingFor(schedule: Schedule, due: number | undefined): Waiting {
  const { next: _next, ...rest } = schedule;
  if (due === undefined) return { schedule: { ...rest, finished: true }, put: {}, jobs: [] };
  const { person, id } = schedule;
  const row: Run = { schedule: id, due, outcome: "waiting" };
  return {
    schedule: { ...rest, next: due },
    put: { [runKey(person, id, due)]: row },
    jobs: [
      { id: newId("job"), kind: "schedule", lane: `schedule/${id}`, runAt: due, data: { principal: runner(schedule), schedule: id, due } },
    ],
  };
}

/** The person stands first: so stores find whose job it is. */
export const runner = ({ person, role }: Pick<Principal, "person" | "role">): Principal => ({ person, role, via: "schedule" });

/** After a change: nothing that is accounted for already comes again. */
export function plannedAnew(schedule: Schedule, times: Times, now: number): Waiting {
  const { next: _next, finished: _finished, ...rest } = schedule;
  const spent = schedule.maxRuns !== undefined && schedule.runs >= schedule.maxRuns;
  if (!isOn({ ...rest })) return { schedule: rest, put: {}, jobs: [] };
  const due = spent ? undefined : times.next(Math.max(now, schedule.last ?? 0));
  return waitingFor({ ...rest, handled: now }, due);
}
