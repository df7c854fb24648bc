// A simulated year of schedules with downtime, clocks that jump both ways and daylight saving: every due time is accounted for once, none runs twice. And the same with the process dying at each commit.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as z from "zod/mini";
import type { Store } from "../src/core/store.ts";
import type { Tool } from "../src/core/ports.ts";
import type { Steward } from "../src/run/steward.ts";
import { startWorker } from "../src/run/worker.ts";
import { addSchedule, type New } from "../src/schedules/change.ts";
import { runsOf } from "../src/schedules/history.ts";
import { type Run, schedulesOf, type Sums, sumsKey } from "../src/schedules/state.ts";
import { timesOf } from "../src/schedules/trigger.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 2, 1, 12, 0, 30);
const ZONE = "Europe/Berlin";
const TOLD = { action: { tell: "tick" }, deliver: { to: "log" } } as const;
const ALL: New[] = [
  { ...TOLD, trigger: { cron: "30 2 * * *" }, onMissed: "skip" },
  { ...TOLD, trigger: { cron: "0 9 * * *" }, onMissed: { within: 5 * HOUR } },
  { ...TOLD, trigger: { cron: "15,45 18 * * 1" }, onMissed: "ask", overlap: "parallel" },
  { ...TOLD, trigger: { every: 36 * HOUR, from: START }, onMissed: { within: DAY }, overlap: "wait" },
];

type Step = { is: "up" | "down" | "ahead" | "behind"; hours: number; stay: number };
const step: fc.Arbitrary<Step> = fc.record({
  is: fc.constantFrom("up", "up", "down", "ahead", "behind"),
  hours: fc.integer({ min: 1, max: 900 }),
  stay: fc.integer({ min: 0, max: 100 }),
});

test("a year: every due time is in exactly one row, none runs twice, nothing stalls", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 25 }), (steps) => year(steps)),
    { numRuns: Number(process.env["STEWARD_TEST_YEARS"] ?? 3), endOnFailure: true },
  );
});

const stepsOf = (...all: [Step["is"], number, number][]): Step[] => all.map(([is, hours, stay]) => ({ is, hours, stay }));
const BACK_AND_FORTH = stepsOf(
  ["up", 1339, 0],
  ["ahead", 612, 91],
  ["behind", 180, 28],
  ["up", 719, 0],
  ["down", 657, 0],
  ["up", 773, 0],
  ["behind", 856, 67],
  ["ahead", 637, 13],
  ["behind", 158, 10],
  ["up", 216, 0],
  ["behind", 625, 3],
  ["behind", 416, 47],
  ["down", 438, 0],
);

test("a clock that goes back again and again: what was missed around times that ran is counted without them", () =>
  year(BACK_AND_FORTH, 195));

async function year(steps: Step[], days = 365): Promise<void> {
  const clock = { at: START };
  const store = await sqlite(":memory:", { now: () => clock.at });
  const steward = harness({ store, model: scripted(() => []), now: () => clock.at, config: { zone: ZONE } });
  const ran: string[] = [];
  steward.log = (_level, message, more) =>
    void (message === "A schedule ran" && ran.push(`${String(more?.["schedule"])} ${String(more?.["due"])}`));
  for (const one of ALL) await addSchedule(steward, OWNER, one);
  const worker = startWorker(steward, { name: "w", auto: false });
  /** As a process that is up: each due time at its moment. */
  const upTo = async (end: number): Promise<void> => {
    for (let next = (await store.jobs()).next; next !== undefined && next <= end; next = (await store.jobs()).next) {
      clock.at = Math.max(clock.at, next);
      await worker.drain();
    }
    clock.at = end;
  };
  const jump = async (to: number): Promise<void> => {
    clock.at = to;
    await steward.schedules.look();
    await worker.drain();
  };
  const end = START + days * DAY;
  for (const { is, hours, stay } of steps) {
    const far = Math.min(hours * HOUR, Math.max(0, end - clock.at));
    if (is === "up") await upTo(clock.at + far);
    if (is === "down") await jump(clock.at + far);
    if (is === "ahead") {
      const real = clock.at;
      await jump(real + far);
      await upTo(clock.at + stay * HOUR);
      await jump(real + stay * HOUR);
    }
    if (is === "behind") {
      const real = clock.at;
      await jump(Math.max(START, real - far));
      await upTo(clock.at + stay * HOUR);
      await jump(real + stay * HOUR);
    }
  }
  await upTo(Math.max(clock.at, end));
  await worker.drain();
  assert.deepEqual(ran.length, new Set(ran).size, "something ran twice");
  for (const doc of await schedulesOf(steward, OWNER)) await accounted(steward, doc.id, clock.at);
  await store.close();
}

async function accounted({ store }: Steward, id: string, now: number): Promise<void> {
  const rows = await runsOf({ store } as Steward, OWNER.person, id);
  const [doc] = (await store.list(`p/owner/schedule/${id}`)).map(({ value }) => value as { trigger: New["trigger"]; next?: number });
  const times = timesOf(doc!.trigger, ZONE);
  const over = rows.filter(({ outcome, due }) => outcome !== "waiting" && due <= now);
  const held = over.reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal(held, times.count({ after: START, until: now }), JSON.stringify([doc, over.slice(-5)]));
  assert.ok(over.every(({ outcome }) => ["ran", "missed", "skipped"].includes(outcome)));
  assert.ok(doc!.next !== undefined && doc!.next > now && doc!.next <= now + 8 * DAY, `stalls: ${doc!.next} after ${now}`);
  const sums = ((await store.get(sumsKey(OWNER.person, id))) ?? {}) as Sums;
  const all = rows.filter(({ outcome }) => outcome !== "waiting").reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal((sums.ran ?? 0) + (sums.missed ?? 0) + (sums.skipped ?? 0) + (sums.failed ?? 0), all);
}

test("stopped before and after each commit: each due time ends once, its tool runs at most once", async () => {
  let points = 0;
  for (const when of ["before", "after"] as const)
    for (let dieAt = 1; ; dieAt++) {
      const where = `${when} commit ${dieAt}`;
      const clock = { at: Date.UTC(2026, 10, 21, 12, 0, 30) };
      const real = await sqlite(":memory:", { now: () => clock.at });
      const doomed = mortal(real, dieAt, when);
      const did: string[] = [];
      const at = (hour: number, minute: number): number => Date.UTC(2026, 10, 21, hour, minute, 1);
      await life(doomed, { clock, did, times: [at(13, 0), at(14, 0)] }).catch((error: unknown) => {
        if (!doomed.dead()) throw error;
      });
      await life(mortal(real, Infinity, "before"), { clock, did, times: [at(14, 5), at(14, 10), at(14, 20)] });
      await ended(real, { did, where });
      await real.close();
      if (!doomed.dead()) break;
      points++;
    }
  assert.ok(points >= 30, `only ${points} points`);
  console.log(`      ${points} points`);
});

async function life(store: Store, { clock, did, times }: { clock: { at: number }; did: string[]; times: number[] }): Promise<void> {
  const work: Tool<{ due: string }> = {
    ...{ name: "work", description: "Does it.", capability: "none", effect: "write", input: z.object({ due: z.string() }) },
    run: async ({ due }) => (did.push(due), { output: "done" }),
  };
  const model = scripted(({ prompt }) => {
    const text = JSON.stringify(prompt);
    return text.includes('"tool-result"')
      ? [{ text: "done" }]
      : [{ call: "work", input: { due: /was due 21 Nov 2026 at (\S+?)[.,]/.exec(text)?.[1] ?? "?" } }];
  });
  const steward = harness({ store, model, now: () => clock.at, tools: [work] as Tool[] });
  if ((await schedulesOf(steward, OWNER)).length === 0)
    await addSchedule(steward, OWNER, { trigger: { cron: "0 * * * *" }, action: { prompt: "Do it" }, deliver: { to: "person" } });
  const worker = startWorker(steward, { name: "w", auto: false });
  for (const at of times) {
    clock.at = Math.max(clock.at, at);
    await worker.drain();
  }
}

async function ended(store: Store, { did, where }: { did: string[]; where: string }): Promise<void> {
  const steward = { store } as Steward;
  const [doc, ...others] = await schedulesOf(steward, OWNER);
  assert.deepEqual(others, [], where);
  const rows = await runsOf(steward, OWNER.person, doc!.id);
  const due = rows.map((row: Run) => new Date(row.due).toISOString().slice(11, 16));
  const first = due[0] ?? "";
  assert.deepEqual(due, ["13:00", "14:00", "15:00"].slice(["13:00", "14:00", "15:00"].indexOf(first)), where);
  for (const row of rows.slice(0, -1)) assert.ok(["ran", "missed", "skipped"].includes(row.outcome), `${where}: ${JSON.stringify(rows)}`);
  assert.equal(rows.at(-1)!.outcome, "waiting", where);
  assert.equal(new Set(did).size, did.length, `${where}: ${did.join()}`);
  const jobs = await store.jobs();
  assert.deepEqual([jobs.due, jobs.running], [0, 0], where);
}
