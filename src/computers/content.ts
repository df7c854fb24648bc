// Reads and writes the content of one plain file at a held place. Pipes, sockets and devices are refused without being opened.
import { randomUUID } from "node:crypto";
import { constants, promises as fs } from "node:fs";
import path from "node:path";
import { StewardError } from "../std/error.ts";
import { linkConflict, LINUX, PIN, unless, type Spot } from "./paths.ts";

const WHOLE_READ = 256 * 1024 * 1024;
const PROC_MAGIC = 0x9fa0;

/** Throws denied for an open file that may not be read. */
export type Allowed = (file: fs.FileHandle) => Promise<void>;

export async function read(
  spot: Spot,
  { offset = 0, limit = Infinity }: { offset?: number; limit?: number },
  allowed: Allowed,
): Promise<Uint8Array> {
  if (!Number.isSafeInteger(offset) || offset < 0 || !(limit >= 0) || (limit !== Infinity && !Number.isSafeInteger(limit)))
    throw new StewardError("invalid", "The range to read is not valid");
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
    return await fs.open(
      pin ? `/proc/self/fd/${pin.fd}` : spot.at,
      constants.O_RDONLY | constants.O_NONBLOCK | (pin ? 0 : constants.O_NOFOLLOW),
    );
  } finally {
    await pin?.close();
  }
}

function refuseOdd(spot: Spot, stat: { isFile(): boolean; isDirectory(): boolean }): void {
  if (stat.isDirectory()) throw new StewardError("invalid", `${spot.path} is a folder`);
  if (!stat.isFile()) throw new StewardError("invalid", `${spot.path} is a pipe, a socket or a device, not a file`);
}

/** The server's own memory and environment are files too; and a hidden file may have a second name. */
export async function refuseSecret(file: fs.FileHandle, hidden: () => string[]): Promise<void> {
  const { nlink, dev, ino, blocks } = await file.stat();
  if (LINUX && blocks === 0 && (await fs.statfs(`/proc/self/fd/${file.fd}`)).type === PROC_MAGIC)
    throw new StewardError("denied", "What the system says about its processes is no file to read", { hint: "Use a command." });
  if (nlink < 2) return;
  const own = LINUX ? await fs.readlink(`/proc/self/fd/${file.fd}`) : "";
  const left = { entries: 5000 };
  for (const one of hidden())
    if (own !== one && !own.startsWith(`${one}/`) && (await holds(one, { dev, ino, left })))
      throw new StewardError("denied", "This file is another name of a hidden file");
}

/** Looks at no more than `left.entries` names, so that a large hidden folder can't stall a read. */
async function holds(at: string, sought: { dev: number; ino: number; left: { entries: number } }): Promise<boolean> {
  const stat = await fs.lstat(at).catch(() => undefined);
  if (!stat || sought.left.entries-- <= 0) return false;
  if (!stat.isDirectory()) return stat.dev === sought.dev && stat.ino === sought.ino;
  for (const name of await fs.readdir(at).catch((): string[] => [])) if (await holds(path.join(at, name), sought)) return true;
  return false;
}

export async function write(spot: Spot, bytes: Uint8Array): Promise<void> {
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
  await handle
    .sync()
    .catch(unless("EINVAL", "EBADF"))
    .finally(() => handle.close());
}
