// How a flow dies and is taken over: before and after each commit in this process, or as a process of its own that was killed.
import assert from "node:assert/strict";
import { join } from "node:path";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { eventsOf, type Flow, live, type World } from "./crash-flows.ts";
import { temporary } from "./harness.ts";

/** Longer than a lease, and than what waits. */
const LATER_MS = 65_001;

/** One life for each commit before and after which it stops, and as many heirs. `least`: so many commits it must have at least. */
export async function stoppedAtEach(flow: Flow, { heirs, least }: { heirs: number; least: number }): Promise<void> {
  let points = 0;
  for (const when of ["before", "after"] as const)
    for (let dieAt = 1; ; dieAt++) {
      const where = `${when} commit ${dieAt}`;
      const clock = { at: 1_000_000 };
      const world: World = { home: temporary(), now: () => clock.at };
      const real = await sqlite(":memory:", { now: world.now });
      const doomed = mortal(real, dieAt, when);
      await live(flow, doomed, world);
      for (let heir = 0; heir < heirs; heir++) {
        clock.at += LATER_MS;
        await live(flow, mortal(real, Infinity, "before"), world);
      }
      flow.check(await eventsOf(real), world, where);
      assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, where);
      await real.close();
      if (!doomed.dead()) break;
      points++;
    }
  assert.ok(points >= least, `only ${points} points`);
  console.log(`      ${points} points`);
}

/** What a killed process left in its home, taken over by as many heirs. */
export async function inherited(flow: Flow, home: string, { heirs, where }: { heirs: number; where: string }): Promise<void> {
  const clock = { ahead: 0 };
  const world: World = { home, now: () => Date.now() + clock.ahead };
  const real = await sqlite(join(home, "steward.db"), { exclusive: true, now: world.now });
  for (let heir = 0; heir < heirs; heir++) {
    await live(flow, mortal(real, Infinity, "before"), world);
    clock.ahead += LATER_MS;
  }
  flow.check(await eventsOf(real), world, where);
  assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, where);
  await real.close();
}
