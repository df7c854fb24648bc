// Paths of a computer: from what a caller writes to a held place on this machine. What is done there is left to files.ts and tree.ts.
//
// How a path is kept from being swapped between check and use:
// - `stat` (and nothing else on an absolute path) follows links. It answers with the resolved path, which the caller may judge.
// - An absolute path without `.`, `..` or a trailing slash is taken as resolved: every folder of it is opened from the
//   one before with no-follow, so a link that stands, or was put, anywhere in it is a `conflict`. Nothing outside is touched.
// - Any other path (`~/x`, `x`, `/a/../b`) is resolved first, then opened in just that way.
// - move, remove and copy act on a last name that is a link itself; the rest refuse it.
// On Linux the folders are held as descriptors and named by /proc/self/fd/<n>/<name>, which is openat() by another spelling.
// macOS has no such spelling: there the real path is compared before and after, which narrows the gap without closing it.
import { constants, promises as fs, type BigIntStats } from "node:fs";
import path from "node:path";
import { StewardError } from "../std/error.ts";

/** What absolute paths mean: `at` as seen by people and commands, `host` on this machine. The longest `at` wins. */
export interface Mount {
  at: string;
  host: string;
}
export interface View {
  home: string;
  workspace: string;
  mounts: Mount[];
}
/** A name in a held folder. `at` and `folder` are for file system calls, `path` is for people. `name` is "" for a mount itself. */
export interface Spot {
  folder: string;
  at: string;
  name: string;
  path: string;
  /** Throws conflict when the place is no longer what was checked. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export const LINUX = process.platform === "linux";
/** O_PATH: a handle that neither reads nor wakes what it names. */
export const PIN = 0x200000 | constants.O_NOFOLLOW;
const MAX_LINKS = 40;

/** Absolute; `exact` when it is in resolved form. Throws invalid. */
export function absolutePath(view: View, given: string): { path: string; exact: boolean } {
  if (typeof given !== "string" || given === "") throw new StewardError("invalid", "The path is empty");
  if (given.includes("\0")) throw new StewardError("invalid", "A path can't hold a NUL character");
  if (!given.isWellFormed()) throw new StewardError("invalid", "The path is not valid Unicode");
  if (given.startsWith("/"))
    return { path: sized(given), exact: path.posix.normalize(given) === given && (given === "/" || !given.endsWith("/")) };
  const full = given === "~" || given.startsWith("~/") ? view.home + given.slice(1) : `${view.workspace}/${given}`;
  return { path: sized(full), exact: false };
}

function sized(full: string): string {
  const long = Buffer.byteLength(full) > 4095 || full.split("/").some((name) => Buffer.byteLength(name) > 255);
  if (long) throw new StewardError("invalid", "The path is too long", { hint: "A name holds at most 255 bytes, a path 4095." });
  return full;
}

/** The mount that a path lies in and the names below it. */
export function mountOf(view: View, full: string): { mount: Mount; names: string[] } | undefined {
  const under = view.mounts.filter(({ at }) => at === "/" || full === at || full.startsWith(`${at}/`));
  const mount = under.toSorted((a, b) => b.at.length - a.at.length)[0];
  return (
    mount && {
      mount,
      names: full
        .slice(mount.at === "/" ? 0 : mount.at.length)
        .split("/")
        .filter(Boolean),
    }
  );
}

/** True for a folder that exists only because mounts lie in it, such as "/" of a contained computer. */
export const isVirtual = (view: View, full: string): boolean =>
  !mountOf(view, full) && view.mounts.some(({ at }) => at.startsWith(full === "/" ? "/" : `${full}/`));

/** Follows links, name by name and never out of the view; names that don't exist stay as they are. `last: "keep"` leaves a final link alone. */
export async function resolvePath(view: View, full: string, last: "follow" | "keep"): Promise<string> {
  const todo = full.split("/").reverse();
  const done: string[] = [];
  let links = 0;
  let missing = false;
  while (todo.length > 0) {
    const name = todo.pop()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (missing) throw new StewardError("not_found", `${full} does not exist`);
      done.pop();
      continue;
    }
    done.push(name);
    if (missing || (last === "keep" && todo.every((rest) => rest === ""))) continue;
    const target = await linkAt(view, `/${done.join("/")}`);
    if (target === undefined) missing = true;
    if (!target) continue;
    if (++links > MAX_LINKS) throw new StewardError("invalid", `${full} goes round in a circle of links`);
    if (target.startsWith("/")) done.length = 0;
    else done.pop();
    todo.push(...target.split("/").reverse());
  }
  return sized(`/${done.join("/")}`);
}

/** The target of a link, "" for what is no link, undefined for what does not exist. */
async function linkAt(view: View, full: string): Promise<string | undefined> {
  const place = mountOf(view, full);
  if (!place) return isVirtual(view, full) ? "" : undefined;
  if (place.names.length === 0) return "";
  try {
    return await fs.readlink(path.join(place.mount.host, ...place.names));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL") return "";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Opens the folder of a resolved path, each step from the one before and without following links. The caller closes. */
export async function openBeneath(view: View, full: string, make = false): Promise<Spot> {
  const place = mountOf(view, full);
  if (!place) {
    if (!make && !isVirtual(view, full)) throw new StewardError("not_found", `${full} does not exist`);
    throw new StewardError("denied", `Permission denied: ${full} is outside this computer's own folders`);
  }
  const { mount, names } = place;
  const name = names.at(-1) ?? "";
  return LINUX
    ? heldSpot(mount, { full, name, parents: names.slice(0, -1), make })
    : comparedSpot(mount, { full, name, parents: names.slice(0, -1), make });
}

interface Wanted {
  full: string;
  name: string;
  parents: string[];
  make: boolean;
}

async function heldSpot(mount: Mount, { full, name, parents, make }: Wanted): Promise<Spot> {
  let folder = await fs.open(mount.host, 0x200000 | constants.O_DIRECTORY);
  for (const parent of parents) {
    const at = `/proc/self/fd/${folder.fd}/${parent}`;
    const next = await openFolder(at, { full, make }).finally(() => folder.close());
    folder = next;
  }
  const base = `/proc/self/fd/${folder.fd}`;
  return { folder: base, at: `${base}/${name || "."}`, name, path: full, check: async () => {}, close: () => folder.close() };
}

async function openFolder(at: string, { full, make }: { full: string; make: boolean }): Promise<fs.FileHandle> {
  const open = (): Promise<fs.FileHandle> => fs.open(at, PIN | constants.O_DIRECTORY);
  try {
    return await open();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && make) {
      await fs.mkdir(at).catch(unless("EEXIST"));
      return open().catch(async () => {
        throw linkConflict(full);
      });
    }
    if (code !== "ENOTDIR" && code !== "ELOOP") throw error;
    throw await notFolder(at, { full, make });
  }
}

async function notFolder(at: string, { full, make }: { full: string; make: boolean }): Promise<StewardError> {
  const stat = await fs.lstat(at);
  if (stat.isSymbolicLink() || (LINUX && stat.isDirectory())) return linkConflict(full);
  return new StewardError(make ? "conflict" : "not_found", make ? `A part of ${full} is a file, not a folder` : `${full} does not exist`);
}

export const linkConflict = (full: string): StewardError =>
  new StewardError("conflict", `${full} leads through a link, or was changed just now`, {
    hint: "Ask for its details first: they name the place that it leads to.",
  });

export const unless =
  (...codes: string[]) =>
  (error: NodeJS.ErrnoException): void => {
    if (!codes.includes(error.code ?? "")) throw error;
  };

async function comparedSpot(mount: Mount, { full, name, parents, make }: Wanted): Promise<Spot> {
  const root = await fs.realpath(mount.host);
  let folder = root;
  for (const parent of parents) {
    folder = path.join(folder, parent);
    const stat = await fs.lstat(folder).catch(unless("ENOENT"));
    if (!stat && make) await fs.mkdir(folder).catch(unless("EEXIST"));
    else if (!stat) throw new StewardError("not_found", `${full} does not exist`);
    else if (!stat.isDirectory()) throw await notFolder(folder, { full, make });
  }
  const check = async (): Promise<void> => {
    const now = await fs.realpath(folder);
    if (now !== folder && now.toLowerCase() !== folder.toLowerCase()) throw linkConflict(full);
  };
  await check();
  return { folder, at: path.join(folder, name), name, path: full, check, close: async () => {} };
}

/** Inode, device, size and change time as one short text. */
export const versionOf = (stat: BigIntStats): string =>
  [stat.dev, stat.ino, stat.size, stat.ctimeNs].map((value) => value.toString(36)).join("-");
