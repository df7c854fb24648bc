// The process dies before or after each commit of a background task's life; an heir takes over. No result lost or told twice, no message doubled. Some of it with real kills.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { inherited, stoppedAtEach } from "./crash-place.ts";
import { temporary } from "./harness.ts";
import { taskFlows } from "./tasks-flows.ts";

for (const flow of taskFlows)
  test(`${flow.name}: stopped before and after each commit`, () => stoppedAtEach(flow, { heirs: 4, least: 20 }));

test("a task whose result comes later: SIGKILL at every sixth commit, on a real file", { timeout: 280_000 }, async () => {
  for (let dieAt = 2; ; dieAt += 6) {
    const home = temporary();
    const signal = await killed(["tasks", "before", String(dieAt), home]);
    await inherited(taskFlows[0]!, home, { heirs: 4, where: `kill ${dieAt}` });
    if (signal === null) return assert.ok(dieAt > 20);
  }
});

function killed(args: string[]): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "kill-child.ts"), ...args], { stdio: "ignore" });
    child.on("exit", (code, signal) => (code === 0 || signal === "SIGKILL" ? resolve(signal) : reject(new Error(`It ended with ${code}`))));
  });
}
