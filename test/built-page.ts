// The built page, for tests with a browser and without one.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Built now when it is not there. */
export function builtPage(): string {
  const web = process.env.STEWARD_TEST_WEB ?? join(root, "dist", "web");
  if (!existsSync(join(web, "index.html"))) spawnSync(process.execPath, [join(root, "scripts", "build.ts")], { stdio: "inherit" });
  return web;
}
