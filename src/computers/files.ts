// The file members of a computer whose files are on this machine. Where a path leads is left to paths.ts, whole trees to tree.ts, what a person may touch to the caller.
//
// `hidden` paths are judged by the caller, by resolved path. One thing only shows here: a hard link, which is the same file
// under an innocent name; reading or copying a file with more than one name is refused when one of them is hidden.
import { randomUUID } from "node:crypto";
import { constants, promises as fs, type BigIntStats } from "node:fs";
import path from "node:path";
import type { Computer, FileInfo } from "../core/ports.ts";
import { messageOf, StewardError, type Code } from "../std/error.ts";
import { absolutePath, isVirtual, linkConflict, LINUX, mountOf, openBeneath, PIN, resolvePath, unless, versionOf, type Spot, type View } from "./paths.ts";
import { copyTree, removeTree } from "./tree.ts";

export type Files = Pick<Computer, "stat" | "read" | "write" | "list" | "makeFolder" | "move" | "remove" | "copy">;
const WHOLE_READ = 256 * 1024 * 1024;
const PROC_MAGIC = 0x9fa0;

export function openFiles(view: View, hidden: () => string[]): Files {
  const at = <T>(given: string, how: Manner, act: (spot: Spot) => Promise<T>): Promise<T> => within(view, { given, how }, act);
  const allowed = (file: fs.FileHandle): Promise<void> => refuseSecret(file, hidden);
  return {
    stat: (given) => stat(view, given),
    read: (given, range = {}) => at(given, {}, (spot) => read(spot, range, allowed)),
    write: (given, bytes) => at(given, { make: true }, (spot) => write(spot, bytes)),
    list: (given) => list(view, given),
    makeFolder: (given) => at(given, { make: true }, makeFolder),
    move: (from, to) => at(from, { keep: true }, async (source) => (await fs.lstat(source.at), at(to, { keep: true, make: true }, (target) => move(source, target, allowed)))),
    remove: (given) => at(given, { keep: true }, (spot) => (refuseRoot(view, spot), removeTree(spot.at))),
    copy: (from, to) => at(from, { keep: true }, async (source) => (await fs.lstat(source.at), at(to, { keep: true, make: true }, (target) => copy(source, target, allowed)))),
  };
}

/** `keep`: a last name that is a link is meant itself. `make`: missing folders are made. */
interface Manner {
  keep?: boolean;
  make?: boolean;
}

async function within<T>(view: View, { given, how }: { given: string; how: Manner }, act: (spot: Spot) => Promise<T>): Promise<T> {
  try {
    const { path: full, exact } = absolutePath(view, given);
    const spot = await openBeneath(view, exact ? full : await resolvePath(view, full, how.keep ? "keep" : "follow"), how.make);
    try {
      const result = await act(spot);
      await spot.check();
      return result;
    } finally {
      await spot.close();
    }
  } catch (error) {
    throw explained(error, given);
  }
}

const CODES: Record<string, [Code, string]> = {
  ENOENT: ["not_found", "does not exist"],
  ENOTDIR: ["invalid", "is not a folder"],
  EISDIR: ["invalid", "is a folder"],
  EINVAL: ["invalid", "can't be used for that"],
  ENAMETOOLONG: ["invalid", "is too long a path"],
  ELOOP: ["conflict", "leads through a link, or was changed just now"],
  EEXIST: ["conflict", "exists already"],
  ENOTEMPTY: ["conflict", "is not empty"],
  EBUSY: ["conflict", "is in use"],
  ETXTBSY: ["conflict", "is a program that runs"],
  EACCES: ["denied", "may not be used: the system refuses it"],
  EPERM: ["denied", "may not be used: the system refuses it"],
  EROFS: ["denied", "is on a read-only disk"],
  ENOSPC: ["limit", "can't be written: the disk is full"],
  EDQUOT: ["limit", "can't be written: the disk quota is used up"],
  EFBIG: ["limit", "is too large"],
  EMFILE: ["limit", "can't be opened: too many files are open"],
  EIO: ["unavailable", "can't be read or written: the disk reports an error"],
};

function explained(error: unknown, given: string): unknown {
  const [code, words] = CODES[(error as NodeJS.ErrnoException)?.code ?? ""] ?? [];
  if (error instanceof StewardError || !(error instanceof Error)) return error;
  const shown = given.length > 200 ? `${given.slice(0, 200)}…` : given;
  return new StewardError(code ?? "internal", words ? `${shown} ${words}` : messageOf(error), { cause: error });
}

async function stat(view: View, given: string): Promise<FileInfo | undefined> {
  try {
    const full = await resolvePath(view, absolutePath(view, given).path, "follow");
    if (isVirtual(view, full)) return virtual(full);
    return await within(view, { given: full, how: {} }, async (spot) => {
      const info = infoOf(spot.path, await fs.lstat(spot.at, { bigint: true }));
      if (info.type === "link") throw linkConflict(spot.path);
      return info;
    });
  } catch (error) {
    const known = explained(error, given) as StewardError;
    if (known.code === "not_found") return undefined;
    throw known;
  }
}

const virtual = (full: string): FileInfo => ({ path: full, name: path.posix.basename(full), type: "dir", size: 0, modified: 0, created: 0, mode: 0o555, version: "0" });

function infoOf(full: string, stat: BigIntStats): FileInfo {
  const type = stat.isFile() ? "file" : stat.isDirectory() ? "dir" : stat.isSymbolicLink() ? "link" : "other";
  return {
    path: full,
    name: path.posix.basename(full),
    type,
    size: Number(stat.size),
    modified: Number(stat.mtimeNs / 1000n) / 1000,
    created: Number(stat.birthtimeNs / 1000n) / 1000,
    mode: Number(stat.mode) & 0o7777,
    version: versionOf(stat),
  };
}

async function list(view: View, given: string): Promise<FileInfo[]> {
  const { path: full, exact } = absolutePath(view, given);
  const folder = exact ? full : await resolvePath(view, full, "follow");
  if (isVirtual(view, folder)) return virtualList(view, folder);
  return within(view, { given: folder, how: {} }, async (spot) => {
    const held = await holdFolder(spot);
    try {
      const names = await fs.readdir(held.folder, "buffer");
      const infos: FileInfo[] = [];
      for (let from = 0; from < names.length; from += 64) infos.push(...(await Promise.all(names.slice(from, from + 64).map((name) => infoBelow(held.folder, name, spot.path)))).flat());
      return infos.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    } finally {
      await held.close();
    }
  });
}

/** A file that went away in the meantime is no longer in the list. */
async function infoBelow(folder: string, name: Buffer, full: string): Promise<FileInfo[]> {
  const stat = await fs.lstat(Buffer.concat([Buffer.from(`${folder}/`), name]), { bigint: true }).catch(unless("ENOENT"));
  return stat ? [infoOf(`${full === "/" ? "" : full}/${name.toString()}`, stat)] : [];
}

function virtualList(view: View, folder: string): FileInfo[] {
  const start = folder === "/" ? "/" : `${folder}/`;
  const names = new Set(view.mounts.filter(({ at }) => at.startsWith(start)).map(({ at }) => at.slice(start.length).split("/")[0]!));
  return [...names].toSorted().map((name) => virtual(start + name));
}

async function holdFolder(spot: Spot): Promise<{ folder: string; close(): Promise<void> }> {
  const stat = await fs.lstat(spot.at);
  if (stat.isSymbolicLink()) throw linkConflict(spot.path);
  if (!stat.isDirectory()) throw new StewardError("invalid", `${spot.path} is not a folder`);
  if (!LINUX) return { folder: spot.at, close: async () => {} };
  const handle = await fs.open(spot.at, PIN | constants.O_DIRECTORY);
  return { folder: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
}

type Allowed = (file: fs.FileHandle) => Promise<void>;

async function read(spot: Spot, { offset = 0, limit = Infinity }: { offset?: number; limit?: number }, allowed: Allowed): Promise<Uint8Array> {
  if (!Number.isSafeInteger(offset) || offset < 0 || !(limit >= 0) || (limit !== Infinity && !Number.isSafeInteger(limit))) throw new StewardError("invalid", "The range to read is not valid");
  const file = await openRegular(spot);
  try {
    await allowed(file);
    const { size } = await file.stat();
    const most = Math.min(limit, Math.max(0, size - offset));
    if (most > WHOLE_READ) throw new StewardError("limit", `${spot.path} is too large to read at once`, { hint: "Read it in parts." });
    const bytes = Buffer.allocUnsafeSlow(most);
    let filled = 0;
    while (filled < most) {
      const { bytesRead } = await file.read(bytes, filled, most - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return new Uint8Array(bytes.buffer, 0, filled);
  } finally {
    await file.close();
  }
}

/** Opens for reading only what is a plain file; a pipe or a device is recognised without opening it. */
async function openRegular(spot: Spot): Promise<fs.FileHandle> {
  const pin = LINUX ? await fs.open(spot.at, PIN) : undefined;
  try {
    const stat = pin ? await pin.stat() : await fs.lstat(spot.at);
    if (stat.isSymbolicLink()) throw linkConflict(spot.path);
    refuseOdd(spot, stat);
    return await fs.open(pin ? `/proc/self/fd/${pin.fd}` : spot.at, constants.O_RDONLY | constants.O_NONBLOCK | (pin ? 0 : constants.O_NOFOLLOW));
  } finally {
    await pin?.close();
  }
}

function refuseOdd(spot: Spot, stat: { isFile(): boolean; isDirectory(): boolean }): void {
  if (stat.isDirectory()) throw new StewardError("invalid", `${spot.path} is a folder`);
  if (!stat.isFile()) throw new StewardError("invalid", `${spot.path} is a pipe, a socket or a device, not a file`);
}

/** The server's own memory and environment are files too; and a hidden file may have a second name. */
async function refuseSecret(file: fs.FileHandle, hidden: () => string[]): Promise<void> {
  const { nlink, dev, ino } = await file.stat();
  if (LINUX && (await fs.statfs(`/proc/self/fd/${file.fd}`)).type === PROC_MAGIC) throw new StewardError("denied", "What the system says about its processes is no file to read", { hint: "Use a command." });
  if (nlink < 2) return;
  const own = LINUX ? await fs.readlink(`/proc/self/fd/${file.fd}`) : "";
  const left = { entries: 5000 };
  for (const one of hidden()) if (own !== one && !own.startsWith(`${one}/`) && (await holds(one, { dev, ino, left }))) throw new StewardError("denied", "This file is another name of a hidden file");
}

/** Looks at no more than `left.entries` names, so that a large hidden folder can't stall a read. */
async function holds(at: string, sought: { dev: number; ino: number; left: { entries: number } }): Promise<boolean> {
  const stat = await fs.lstat(at).catch(() => undefined);
  if (!stat || sought.left.entries-- <= 0) return false;
  if (!stat.isDirectory()) return stat.dev === sought.dev && stat.ino === sought.ino;
  for (const name of await fs.readdir(at).catch((): string[] => [])) if (await holds(path.join(at, name), sought)) return true;
  return false;
}

async function write(spot: Spot, bytes: Uint8Array): Promise<void> {
  const old = await fs.lstat(spot.at).catch(unless("ENOENT"));
  if (old?.isSymbolicLink()) throw linkConflict(spot.path);
  if (old) {
    refuseOdd(spot, old);
    await fs.access(spot.at, constants.W_OK);
  }
  const fresh = path.posix.join(spot.folder, `.steward-${randomUUID()}`);
  const file = await fs.open(fresh, "wx", 0o666);
  try {
    await file.writeFile(bytes);
    if (old && process.getuid?.() === 0) await file.chown(old.uid, old.gid);
    if (old) await file.chmod(old.mode & 0o7777);
    await file.sync();
    await spot.check();
    await fs.rename(fresh, spot.at);
  } catch (error) {
    await fs.rm(fresh, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await syncFolder(spot.folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  await handle.sync().catch(unless("EINVAL", "EBADF")).finally(() => handle.close());
}

async function makeFolder(spot: Spot): Promise<void> {
  await fs.mkdir(spot.at).catch(unless("EEXIST"));
  const stat = await fs.lstat(spot.at);
  if (stat.isSymbolicLink()) throw linkConflict(spot.path);
  if (!stat.isDirectory()) throw new StewardError("conflict", `${spot.path} is a file`);
}

async function move(source: Spot, target: Spot, allowed: Allowed): Promise<void> {
  const [stat, there] = [await fs.lstat(source.at), await fs.lstat(target.at).catch(unless("ENOENT"))];
  const same = there?.ino === stat.ino && there.dev === stat.dev && source.path !== target.path && source.path.toLowerCase() === target.path.toLowerCase();
  if (there && !same) {
    if (!there.isDirectory()) throw new StewardError("conflict", `${target.path} exists already`);
    if (source.path === target.path) throw new StewardError("conflict", `${target.path} is where it is already`);
    await fs.rmdir(target.at).catch((error: unknown) => {
      throw new StewardError("conflict", `${target.path} exists already`, { cause: error });
    });
  }
  if (target.path.startsWith(`${source.path}/`)) throw new StewardError("invalid", `${source.path} can't be moved into itself`);
  try {
    await fs.rename(source.at, target.at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await replace(target, (fresh) => copyTree(source.at, fresh, { whole: true, allow: allowed }));
    await removeTree(source.at);
  }
}

function copy(source: Spot, target: Spot, allowed: Allowed): Promise<void> {
  if (target.path === source.path || target.path.startsWith(`${source.path}/`)) throw new StewardError("invalid", `${source.path} can't be copied into itself`);
  return replace(target, async (fresh) => {
    await copyTree(source.at, fresh, { whole: false, allow: allowed });
    await fs.lstat(fresh).catch(() => {
      throw new StewardError("invalid", `${source.path} is a pipe, a socket or a device, not a file`);
    });
  });
}

/** Fills a fresh place beside the target, then lets it take the target's name; what stood there goes last. */
async function replace(target: Spot, fill: (fresh: string) => Promise<void>): Promise<void> {
  const [fresh, aside] = [path.posix.join(target.folder, `.steward-${randomUUID()}`), path.posix.join(target.folder, `.steward-${randomUUID()}`)];
  try {
    await fill(fresh);
    const old = await fs.lstat(target.at).catch(unless("ENOENT"));
    if (old) await fs.rename(target.at, aside);
    await fs.rename(fresh, target.at);
    if (old) await removeTree(aside);
  } catch (error) {
    await fs.lstat(fresh).then(() => removeTree(fresh), unless("ENOENT"));
    throw error;
  }
}

function refuseRoot(view: View, spot: Spot): void {
  if (spot.name !== "" && spot.path !== view.home && spot.path !== mountOf(view, spot.path)?.mount.at) return;
  throw new StewardError("denied", `Permission denied: ${spot.path} can't be removed as a whole`);
}
