// Moves and writes of skills' folders. In the owner's workspace, where commands may plant links at any moment, the person's computer does it, which follows none; elsewhere the file system.
import { cp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { newId } from "../std/id.ts";

interface Hand {
  write(path: string, bytes: Uint8Array, exec: boolean): Promise<void>;
  move(from: string, to: string): Promise<void>;
  /** Nothing when it is not there. */
  remove(path: string): Promise<void>;
}

export async function handOn(steward: Steward, who: Principal, source: "workspace" | "person" | "bundled"): Promise<Hand> {
  const computer = source === "workspace" ? await steward.computer({ ...who, via: "page" }).catch(() => undefined) : undefined;
  if (!computer || computer.mode === "contained") return plain;
  return {
    async write(path, bytes, exec) {
      await computer.write(path, bytes);
      if (exec) await computer.exec(["chmod", "+x", path]);
    },
    move: (from, to) => computer.move(from, to),
    async remove(path) {
      if (await computer.stat(path)) await computer.remove(path);
    },
  };
}

const plain: Hand = {
  async write(path, bytes, exec) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, bytes, { flag: "wx", mode: exec ? 0o700 : 0o600 });
  },
  async move(from, to) {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await rename(from, to).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EXDEV") throw error;
      return copied(from, to);
    });
  },
  remove: (path) => rm(path, { recursive: true, force: true }),
};

/** To another disk: whole before it has its name, and only then gone from where it was. */
async function copied(from: string, to: string): Promise<void> {
  const fresh = join(dirname(to), `.${newId("new")}`);
  try {
    await cp(from, fresh, { recursive: true, verbatimSymlinks: true });
    await rename(fresh, to);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  await rm(from, { recursive: true, force: true });
}
