// Finds an adapter by its file name: Steward's own first, then the person's. Knows no adapter and no port.
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { registerHooks } from "node:module";
import { basename, dirname, extname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf, StewardError } from "../std/error.ts";

/** Folders that hold adapters, under `src/` and under `adapters/` of STEWARD_HOME, where no tool may write. */
export const adapterFolders = ["engines", "models", "tools", "computers", "channels", "voices", "stores"] as const;
export type AdapterFolder = (typeof adapterFolders)[number];

export interface Folders {
  /** STEWARD_HOME: the person's own adapters are in `adapters/<kind>/`. */
  home: string;
  /** Folder that holds Steward's own adapters. Default: `src/` when run from source, `dist/` when bundled. */
  builtin?: string;
}

/** `code` is src/ or dist/, wherever this module ended up; `root` has package.json, skills/ and docs/; `web` has the built page. */
export function places(here: string = import.meta.dirname): { root: string; code: string; web: string } {
  const code = ["kinds", "chunks", ...adapterFolders].includes(basename(here)) ? dirname(here) : here;
  const root = dirname(code);
  return { root, code, web: join(root, "dist", "web") };
}

const NAME = /^[a-z][a-z0-9-]*$/;

/** Files without a default export are pieces that adapters of one folder share. */
export function isAdapter(file: string): boolean {
  if (!/^[a-z][a-z0-9-]*\.(ts|js|mjs)$/.test(basename(file))) return false;
  return /^\s*export\s+default\b|\bas\s+default\b[^{}]*\}/m.test(readFileSync(file, "utf8"));
}

/** Names of all adapters of this kind, the person's own included, sorted. Loads none of them. */
export function names(kind: AdapterFolder, folders: Folders): string[] {
  return [...new Set([...found(builtinFolder(kind, folders)).keys(), ...found(ownFolder(kind, folders)).keys()])].sort();
}

/**
 * The default export of `<kind>/<name>`. Throws `not_found` with the known names, `invalid` when a file of the person's
 * own cannot be loaded. The caller believes that the file implements `T`.
 */
export async function load<T>(kind: AdapterFolder, name: string, folders: Folders): Promise<T> {
  const builtin = fileNamed(builtinFolder(kind, folders), name);
  const own = builtin === undefined ? fileNamed(ownFolder(kind, folders), name) : undefined;
  if (own !== undefined) return await loadOwn<T>(own, folders);
  if (builtin === undefined) {
    const known = names(kind, folders).join(", ") || "none";
    throw new StewardError("not_found", `There is no ${kind.slice(0, -1)} named ${JSON.stringify(name)}.`, {
      hint: `Known: ${known}. Your own go to ${ownFolder(kind, folders)} as <name>.ts.`,
    });
  }
  return ((await import(pathToFileURL(builtin).href)) as { default: T }).default;
}

async function loadOwn<T>(file: string, folders: Folders): Promise<T> {
  lendPackages(join(folders.home, OWN));
  const wrong = (why: string, cause?: unknown): StewardError =>
    new StewardError("invalid", `${file} cannot be used: ${why}`, { hint: "Correct the file, or move it away, and start again.", cause });
  let loaded: { default?: T };
  try {
    loaded = (await import(pathToFileURL(file).href)) as { default?: T };
  } catch (error) {
    throw wrong(messageOf(error), error);
  }
  if (loaded.default === undefined || loaded.default === null) throw wrong("it has no default export.");
  return loaded.default;
}

const builtinFolder = (kind: AdapterFolder, folders: Folders): string => join(folders.builtin ?? places().code, kind);
const OWN = "adapters";
const ownFolder = (kind: AdapterFolder, folders: Folders): string => join(folders.home, OWN, kind);

/** Only that file is read, not the whole folder. */
const fileNamed = (folder: string, name: string): string | undefined =>
  NAME.test(name)
    ? [".ts", ".js", ".mjs"]
        .map((end) => `${folder}${sep}${name}${end}`)
        .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() && isAdapter(file))
    : undefined;

function found(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readFolder(folder)) {
    const file = `${folder}${sep}${entry}`;
    if (isAdapter(file)) files.set(entry.slice(0, -extname(entry).length), file);
  }
  return files;
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

const lent = new Set<string>();

/** Files below `folder` may import Steward's packages by bare name, and are ES modules whatever lies around them. */
function lendPackages(folder: string): void {
  if (lent.has(folder)) return;
  lent.add(folder);
  const below = pathToFileURL(join(realpathSync(folder), "/")).href;
  const parentURL = pathToFileURL(join(places().root, "package.json")).href;
  registerHooks({
    resolve(specifier, context, next) {
      const fromHere = context.parentURL?.startsWith(below) === true && !context.parentURL.includes("/node_modules/");
      const resolved =
        fromHere && isBare(specifier)
          ? firstOf(
              () => next(specifier),
              () => next(specifier, { ...context, parentURL }),
            )
          : next(specifier);
      if (!resolved.url.startsWith(below) || resolved.url.includes("/node_modules/")) return resolved;
      return { ...resolved, format: resolved.url.endsWith(".ts") ? "module-typescript" : (resolved.format ?? "module") };
    },
  });
}

const isBare = (specifier: string): boolean => /^[^./]/.test(specifier) && !/^[a-z]+:/.test(specifier);

function firstOf<T>(one: () => T, other: () => T): T {
  try {
    return one();
  } catch {
    return other();
  }
}
