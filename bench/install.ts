// Size and time of an installation from a fresh clone: what `./steward start` does before it can start.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./server.ts";

type Add = (measure: string, value: number, unit: string, aim?: { atMost?: number }) => void;

/** Once only: it downloads everything anew, with npm's cache as it is. */
export function installCost(add: Add): void {
  const folder = mkdtempSync(join(tmpdir(), "steward-install-"));
  try {
    execFileSync("git", ["clone", "--quiet", root, join(folder, "clone")]);
    const begun = performance.now();
    execFileSync(join(folder, "clone", "steward"), ["--version"], { stdio: "ignore" });
    add("fresh clone to first answer (npm's cache as it is)", (performance.now() - begun) / 1000, "s", { atMost: 30 });
    add("node_modules with its own Node", kilobytes(join(folder, "clone", "node_modules")) / 1000, "MB", { atMost: 300 });
    add("dist", kilobytes(join(folder, "clone", "dist")) / 1000, "MB");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const kilobytes = (folder: string): number => Number(execFileSync("du", ["-sk", folder], { encoding: "utf8" }).split("\t")[0]);
