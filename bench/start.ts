// What one command of the launcher costs, every process of it counted.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { environment, root } from "./server.ts";

export interface CommandCost {
  wallMs: number;
  cpuMs: number;
}

/** Runs it under bash's `times`, which counts all children. */
export async function command(args: readonly string[], home: string): Promise<CommandCost> {
  const begun = performance.now();
  const child = spawn("bash", ["-c", '"$@" >/dev/null 2>&1; times', "bash", join(root, "steward"), ...args], {
    env: environment(home),
    stdio: ["ignore", "pipe", "ignore"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += String(chunk)));
  await new Promise((resolve) => child.once("close", resolve));
  const wallMs = performance.now() - begun;
  const children = out.trim().split("\n").at(-1) ?? "";
  const cpuMs = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000,
    0,
  );
  return { wallMs, cpuMs };
}
