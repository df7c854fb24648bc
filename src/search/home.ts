// The name of this home among those that share a store: a file is only found by those that have seen it themselves.
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomText } from "../std/id.ts";

/** Kept in `folder`; made there once, also when several ask at once. */
export function homeOf(folder: string): string {
  const path = join(folder, "home");
  if (existsSync(path)) return readFileSync(path, "utf8");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = `${path}.${randomText(8)}`;
  writeFileSync(fresh, randomText(16), { mode: 0o600 });
  try {
    linkSync(fresh, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(fresh);
  }
  return readFileSync(path, "utf8");
}
