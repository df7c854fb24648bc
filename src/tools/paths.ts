// Paths as tools take them: `~`, relative and absolute, made absolute without looking at the disk. Checks and links are the computer's.
import type { Computer, FileInfo } from "../core/computer.ts";
import { StewardError } from "../std/error.ts";

/** Absolute, without a slash at the end. `..` stays for the computer to follow. Throws invalid when empty or with a NUL. */
export function absolute({ home, workspace }: Pick<Computer, "home" | "workspace">, path: string): string {
  if (path === "") throw new StewardError("invalid", "The path is empty");
  if (path.includes("\0")) throw new StewardError("invalid", "A path can't hold a NUL character");
  const full =
    path === "~" || path.startsWith("~/")
      ? `${home}${path.slice(1)}`
      : path.startsWith("/")
        ? path
        : `${workspace}/${path.replace(/^(?:\.\/+)+/, "")}`;
  return full.replace(/(?:\/+\.?)+$/, "") || "/";
}

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** As the computer's `stat`, but a link that leads nowhere is found too (with type "link"). */
export async function statOrLink(computer: Computer, path: string): Promise<FileInfo | undefined> {
  return (await computer.stat(path)) ?? (await entryAt(computer, path));
}

/** What stands at `path` itself, links not followed. */
export async function entryAt(computer: Computer, path: string): Promise<FileInfo | undefined> {
  const folder = path.slice(0, path.lastIndexOf("/")) || "/";
  if ((await computer.stat(folder))?.type !== "dir") return undefined;
  return (await computer.list(folder)).find(({ name }) => name === nameOf(path));
}
