// Schedules for the rest of Steward: the kinds of their jobs, and what watches the clock and HEARTBEAT.md.
import type { Work } from "../run/jobs.ts";
import type { Schedules } from "../run/schedules.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { restoreSchedule } from "./restored.ts";
import { watchClock } from "./clock.ts";
import { come } from "./due.ts";
import { readHeartbeats } from "./heartbeat.ts";
import { report } from "./report.ts";
import { runDue } from "./run.ts";
import { needsOf, wish } from "./wish.ts";

export const scheduleWork: Record<string, Work> = { schedule: come, "schedule-run": runDue, "schedule-report": report };

const LOOK_MS = 15_000;

export function openSchedules(steward: () => Steward): Schedules {
  const held: { timer?: NodeJS.Timeout; problems: string[] } = { problems: [] };
  const known = new Map<string, string>();
  const look = (): Promise<string[]> =>
    inLane(steward().lanes, "schedules", async () => {
      await watchClock(steward());
      held.problems = await readHeartbeats(steward(), known);
    }).then(() => held.problems);
  const quietly = (): void =>
    void look().catch((error: unknown) => steward().log("error", "Schedules could not be looked at", { error: messageOf(error) }));
  return {
    begin() {
      held.timer = setInterval(quietly, LOOK_MS).unref();
      quietly();
    },
    look,
    problems: () => held.problems,
    wish: (scope, journal, input) => wish(steward(), scope, journal, input),
    needs: (scope, call) => needsOf(steward(), scope, call),
    restore: (who, key, before) => restoreSchedule(steward(), who, key, before),
    close: () => clearInterval(held.timer),
  };
}
