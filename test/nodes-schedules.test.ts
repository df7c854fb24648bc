// Schedules on one Postgres with several nodes: each due time runs once. And ten thousand of them on both stores: finding what is due stays fast.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Store } from "../src/core/store.ts";
import { startWorker } from "../src/run/worker.ts";
import { addSchedule, removeSchedule } from "../src/schedules/change.ts";
import { runsOf } from "../src/schedules/history.ts";
import { runKey, type Schedule, scheduleKey, schedulesOf } from "../src/schedules/state.ts";
import { postgres } from "../src/stores/postgres.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { eventually } from "./gateway-place.ts";
import { harness, OWNER } from "./harness.ts";
import { startPostgres } from "./postgres.ts";
import { leastOf } from "./took.ts";

const server = await startPostgres();
const skip = "skip" in server ? server.skip : false;
if (skip) console.log(`nodes: skipped, ${skip}`);
after(() => ("skip" in server ? undefined : server.stop()));
const connect = (): Promise<Store> => postgres("skip" in server ? "" : server.url);

const NODES = 3;
const EACH = 4;

test("three nodes, twelve schedules of every second: each due time ends once, on one node", { skip }, async () => {
  const ran: string[] = [];
  const stewards = await Promise.all(
    Array.from({ length: NODES }, async () => harness({ store: await connect(), model: scripted(() => []) })),
  );
  for (const steward of stewards)
    steward.log = (_level, message, more) =>
      void (message === "A schedule ran" && ran.push(`${String(more?.["schedule"])} ${String(more?.["due"])}`));
  const [first] = stewards as [(typeof stewards)[number]];
  for (let n = 0; n < NODES * EACH; n++)
    await addSchedule(stewards[n % NODES]!, OWNER, {
      trigger: { cron: "* * * * * *" },
      action: { tell: `tick ${n}` },
      deliver: { to: "log" },
      overlap: "wait",
    });
  const workers = stewards.map((steward, n) => startWorker(steward, { name: `node-${n}`, auto: true }));
  await eventually(() => ran.length >= NODES * EACH * 3, 150_000);
  await Promise.all(workers.map((worker) => worker.stop(3000)));
  assert.equal(ran.length, new Set(ran).size);
  for (const { id, createdAt } of await schedulesOf(first, OWNER)) {
    const rows = (await runsOf(first, OWNER.person, id)).flatMap(({ due, to = due, count = 1 }) =>
      Array.from({ length: count }, (_, at) => due + ((to - due) / Math.max(1, count - 1)) * at),
    );
    const begin = Math.floor(createdAt / 1000) * 1000 + 1000;
    assert.deepEqual(
      rows,
      rows.map((_, at) => begin + at * 1000),
    );
  }
  for (const { id } of await schedulesOf(first, OWNER)) await removeSchedule(first, OWNER, id);
  const last = startWorker(first, { name: "last", auto: false });
  // What a worker has left behind is free when its lease is over.
  await eventually(async () => (await last.drain(), (await first.store.jobs()).next === undefined), 120_000);
  await Promise.all(stewards.map(({ store }) => store.close()));
});

const MANY = 10_000;
async function many(store: Store): Promise<void> {
  const now = Date.now();
  for (let from = 0; from < MANY; from += 1000) {
    const docs = Array.from({ length: 1000 }, (_, n): Schedule => {
      const id = (from + n).toString(16).padStart(8, "0");
      const more = {
        createdAt: now,
        updatedAt: now,
        handled: now,
        runs: 0,
        retries: 0,
        stamp: "s",
        enabled: true,
        source: "person",
        role: "owner",
      } as const;
      return {
        ...more,
        id,
        person: "many",
        name: `Thing ${id}`,
        trigger: { every: 86_400_000, from: now },
        action: { tell: "x" },
        deliver: { to: "log" },
        onMissed: "skip",
        overlap: "skip",
        next: now + 86_400_000,
      };
    });
    await store.commit({
      put: Object.fromEntries(
        docs.flatMap((doc) => [
          [scheduleKey("many", doc.id), doc],
          [runKey("many", doc.id, doc.next!), { schedule: doc.id, due: doc.next, outcome: "waiting" }],
        ]),
      ),
      jobs: docs.map(({ id, next }) => ({
        id: `job_${id}`,
        kind: "schedule",
        lane: `schedule/${id}`,
        runAt: next!,
        data: { principal: { person: "many", role: "owner", via: "schedule" }, schedule: id, due: next },
      })),
    });
  }
}

for (const [name, open, without] of [
  ["SQLite", () => sqlite(":memory:"), false],
  ["Postgres", connect, skip],
] as const)
  test(`ten thousand schedules on ${name}: a claim takes no longer, one that is due is found at once`, { skip: without }, async () => {
    const store = await open();
    await many(store);
    const kinds = ["turn", "deliver", "schedule", "schedule-run", "schedule-report"];
    const idle = await leastOf(25, async () => {
      const all: number[] = [];
      for (let n = 0; n < 20; n++) {
        const at = performance.now();
        assert.equal(await store.claim("w", kinds, 60_000), undefined);
        all.push(performance.now() - at);
      }
      return all.toSorted((a, b) => a - b)[10]!;
    });
    const steward = harness({ store, model: scripted(() => []) });
    const worker = startWorker(steward, { name: "w", auto: true });
    const late = await leastOf(10_000, async () => {
      const { id } = await addSchedule(steward, OWNER, {
        trigger: { at: Date.now() + 300 },
        action: { tell: "now" },
        deliver: { to: "log" },
      });
      return eventually(async () => {
        const [row] = await runsOf(steward, OWNER.person, id);
        return row?.endedAt === undefined ? undefined : row.endedAt - row.due;
      });
    });
    console.log(`      ${name}: claim ${idle.toFixed(2)} ms, late by ${late} ms`);
    assert.ok(idle < 25, `${idle} ms`);
    assert.ok(late < 10_000, `${late} ms`);
    await worker.stop(2000);
    await store.close();
  });
