// As crash.test.ts, with a real process that is really killed: SIGKILL before and after each commit, on a real file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { eventsOf, flows, live, type World } from "./crash-flows.ts";
import { temporary } from "./harness.ts";

/** The signal that ended it, or null when the flow came to its end. */
function child(args: string[]): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [join(import.meta.dirname, "kill-child.ts"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    running.stderr.on("data", (chunk: Buffer) => (errors += String(chunk)));
    running.on("exit", (code, signal) =>
      code === 0 || signal === "SIGKILL" ? resolve(signal) : reject(new Error(`It ended with ${code}: ${errors}`)),
    );
  });
}

for (const [at, flow] of flows.entries())
  test(`${flow.name}: SIGKILL before and after each commit`, async () => {
    let points = 0;
    for (const when of ["before", "after"])
      for (let dieAt = 1; ; dieAt++) {
        const where = `${when} commit ${dieAt}`;
        const home = temporary();
        const signal = await child([String(at), when, String(dieAt), home]);
        const clock = { ahead: 0 };
        const world: World = { home, now: () => Date.now() + clock.ahead };
        const real = await sqlite(join(home, "steward.db"), { exclusive: true, now: world.now });
        for (let heirs = 0; heirs < 3; heirs++) {
          await live(flow, mortal(real, Infinity, "before"), world);
          clock.ahead += 65_000;
        }
        flow.check(await eventsOf(real), world, where);
        assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, where);
        await real.close();
        if (signal === null) break;
        points++;
      }
    assert.ok(points >= 8, `only ${points} points`);
    console.log(`      ${points} kills`);
  });
