// config.json on disk, for the commands that edit or write the whole of it. The running Steward takes a change up by itself.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig, refusePrototype } from "../core/config.ts";
import { messageOf, StewardError } from "../std/error.ts";

export const configPath = (home: string): string => join(home, "config.json");

export const readConfig = (home: string): string | undefined =>
  existsSync(configPath(home)) ? readFileSync(configPath(home), "utf8") : undefined;

/** As they hold when nothing is configured. */
export const defaultsText = (): string => `${JSON.stringify(parseConfig({}), null, 2)}\n`;

/** Throws `invalid` that says what is wrong and where. */
export function checkConfig(text: string): void {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new StewardError("invalid", "The configuration must be a JSON object");
    refusePrototype(value);
    parseConfig(value);
  } catch (error) {
    throw error instanceof StewardError ? error : new StewardError("invalid", `The configuration is not JSON: ${messageOf(error)}`);
  }
}

/** Whole or not at all, for its owner only. */
export function writeConfig(home: string, text: string, name = "config.json"): string {
  const path = join(home, name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}

/** A copy beside it; undefined when there is none to copy. */
export function backupConfig(home: string, now: number): string | undefined {
  if (!existsSync(configPath(home))) return undefined;
  const path = `${configPath(home)}.backup-${new Date(now).toISOString().replace(/[-:]|\.\d+Z$/g, "")}`;
  copyFileSync(configPath(home), path);
  return path;
}
