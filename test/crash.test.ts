// The process dies before or after each commit of each flow; an heir takes over. Nothing lost, nothing doubled, what is unknown is labelled.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { eventsOf, flows, live, type World } from "./crash-flows.ts";
import { temporary } from "./harness.ts";

const LEASE_MS = 60_001;

for (const flow of flows)
  test(`${flow.name}: stopped before and after each commit`, async () => {
    let points = 0;
    for (const when of ["before", "after"] as const)
      for (let dieAt = 1; ; dieAt++) {
        const where = `${when} commit ${dieAt}`;
        const clock = { at: 1_000_000 };
        const world: World = { home: temporary(), now: () => clock.at };
        const real = await sqlite(":memory:", { now: world.now });
        const doomed = mortal(real, dieAt, when);
        await live(flow, doomed, world);
        for (let heirs = 0; heirs < 3; heirs++) {
          clock.at += LEASE_MS + 5000;
          await live(flow, mortal(real, Infinity, "before"), world);
        }
        flow.check(await eventsOf(real), world, where);
        assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, where);
        await real.close();
        if (!doomed.dead()) break;
        points++;
      }
    assert.ok(points >= 8, `only ${points} points`);
    console.log(`      ${points} points`);
  });
