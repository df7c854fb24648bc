// The folders of a computer of one's own on this machine, its name, and what can be done with it as a whole. What runs it is the sandbox's.
import { promises as fs } from "node:fs";
import path from "node:path";
import type { ComputerOptions } from "../core/computer.ts";
import { StewardError } from "../std/error.ts";
import type { DiskWatch } from "./disk.ts";
import { makeMarked, refuseUnmarked, removeMarked } from "./marked.ts";
import type { Place } from "./place.ts";
import type { Sandbox } from "./sandbox.ts";
import { giveTree } from "./tree.ts";

export const FOLDERS = ["home", "data", "return", "state"] as const;

interface Own {
  options: ComputerOptions;
  sandbox: Sandbox;
  disk: DiskWatch;
  host: string;
}

/** What the supervisor's client wants of the sandbox that runs it. */
export const runningOf = (own: Own): Pick<Place, "connect" | "kill" | "asleep" | "allowed" | "machine"> => ({
  connect: () => own.sandbox.connect(),
  kill: () => own.sandbox.kill(),
  asleep: async () => !own.sandbox.running(),
  allowed: () => own.disk.allowed(),
  machine: machineOf(own),
});

function machineOf({ options, sandbox, disk, host }: Own): NonNullable<Place["machine"]> {
  const empty = (folders: readonly string[], then: () => Promise<unknown>): Promise<void> =>
    sandbox.kill(async () => {
      await refuseUnmarked(host);
      for (const one of folders) await fs.rm(path.join(host, one), { recursive: true, force: true });
      await then();
    });
  return {
    async state() {
      const there = await fs.stat(path.join(host, "home")).catch(() => undefined);
      const state = sandbox.running() ? "running" : there ? "stopped" : "absent";
      return { state, ...(there ? await disk.used() : { diskBytes: 0 }), limits: options.limits() };
    },
    stop: () => sandbox.kill(),
    reset: ({ everything = false } = {}) => empty(everything ? FOLDERS : ["home", "state"], () => makeFolders(host)),
    // Others may keep something of theirs beside.
    remove: () => empty(FOLDERS, () => removeMarked(host)),
  };
}

/** Makes what is missing. Returns the folder, resolved. */
export async function makeFolders(home: string): Promise<string> {
  await makeMarked(home);
  const host = await fs.realpath(home);
  for (const one of FOLDERS) await makeOwn(path.join(host, one));
  await clearedFor(path.join(host, "state/notifications"));
  return host;
}

/** The user inside, whose home is the same in a container: files that name it go on working in a computer of the other kind. */
export const USER = "person";

/** What root's Steward gave to the user of a container is taken back. */
async function makeOwn(folder: string): Promise<void> {
  await fs.mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const stat = await fs.lstat(folder);
  if (!stat.isDirectory())
    throw new StewardError("conflict", `${folder} is not a folder`, { hint: "Move it away; the computer makes its own." });
  if (process.getuid?.() === 0 && stat.uid !== 0) await giveTree(folder, { uid: 0, gid: 0 });
  if ((stat.mode & 0o700) !== 0o700) await fs.chmod(folder, 0o700); // what runs inside owns it, and took the rights away
}

/** A folder of Steward's own below one that the inside may write to: whatever was put in its place goes. */
async function clearedFor(folder: string): Promise<void> {
  if ((await fs.lstat(folder).catch(() => undefined))?.isDirectory() === false) await fs.unlink(folder);
  await makeOwn(folder);
}
