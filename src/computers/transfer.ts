// Moves and copies between two held places; a target appears whole or not at all. Trees are walked by tree.ts.
import { randomUUID } from "node:crypto";
import { promises as fs } from "node:fs";
import path from "node:path";
import { StewardError } from "../std/error.ts";
import type { Allowed } from "./content.ts";
import { unless, type Spot } from "./paths.ts";
import { copyTree, removeTree } from "./tree.ts";

export async function move(source: Spot, target: Spot, allowed: Allowed): Promise<void> {
  const [stat, there] = [await fs.lstat(source.at), await fs.lstat(target.at).catch(unless("ENOENT"))];
  const same =
    there?.ino === stat.ino &&
    there.dev === stat.dev &&
    source.path !== target.path &&
    source.path.toLowerCase() === target.path.toLowerCase();
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

export function copy(source: Spot, target: Spot, allowed: Allowed): Promise<void> {
  if (target.path === source.path || target.path.startsWith(`${source.path}/`))
    throw new StewardError("invalid", `${source.path} can't be copied into itself`);
  return replace(target, async (fresh) => {
    await copyTree(source.at, fresh, { whole: false, allow: allowed });
    await fs.lstat(fresh).catch(() => {
      throw new StewardError("invalid", `${source.path} is a pipe, a socket or a device, not a file`);
    });
  });
}

/** Fills a fresh place beside the target, then lets it take the target's name; what stood there goes last. */
async function replace(target: Spot, fill: (fresh: string) => Promise<void>): Promise<void> {
  const [fresh, aside] = [
    path.posix.join(target.folder, `.steward-${randomUUID()}`),
    path.posix.join(target.folder, `.steward-${randomUUID()}`),
  ];
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
