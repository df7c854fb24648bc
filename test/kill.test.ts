// As crash.test.ts, with a real process that is really killed: SIGKILL before and after each commit, on a real file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { rolldown } from "rolldown";
import { flows } from "./crash-flows.ts";
import { inherited } from "./crash-place.ts";
import { temporary } from "./harness.ts";

const root = dirname(import.meta.dirname);
/** The child in one file: it is started hundreds of times, and starts in half the time so. */
const folder = join(root, "node_modules", ".cache", `kill-${process.pid}`);
before(async () => {
  const input = join(import.meta.dirname, "kill-child.ts");
  await using build = await rolldown({
    input,
    cwd: root,
    tsconfig: false,
    platform: "node",
    external: /^(@napi-rs|pg-native)/,
    logLevel: "silent",
  });
  await build.write({ dir: folder, format: "esm" });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** The signal that ended it, or null when the flow came to its end. */
function child(args: string[]): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [join(folder, "kill-child.js"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
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
        await inherited(flow, home, { heirs: 3, where });
        if (signal === null) break;
        points++;
      }
    assert.ok(points >= 8, `only ${points} points`);
    console.log(`      ${points} kills`);
  });
