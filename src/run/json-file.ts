// Small JSON files that people may edit by hand: noticed when changed, written whole and private. What they mean is the caller's.
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { refusePrototype } from "../core/config.ts";
import { StewardError } from "../std/error.ts";

/** Changes when the file may have changed; "none" when there is none. */
export function versionOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return "none";
  }
}

/** Throws when it can't be read, is not JSON, or is not an object. */
export function readObject(path: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new StewardError("invalid", `${path} must hold a JSON object`);
  refusePrototype(value);
  return value as Record<string, unknown>;
}

/** Atomic, mode 0600, in a folder of mode 0700. */
export function writePrivate(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
