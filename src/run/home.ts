// Steward's home folder and those in it, private to its owner. Node's own recursive mkdir never ends below /proc, so parents are made here.
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { StewardError } from "../std/error.ts";

const FOLDERS = ["workspace", "files", "kept", "logs", "computers", "adapters"];

/** Makes what is missing, mode 0700. Throws `unavailable` with what to do when it can't be written to. */
export function makeHome(home: string): void {
  try {
    for (const folder of [home, ...FOLDERS.map((name) => join(home, name))]) makeFolder(folder);
  } catch (error) {
    throw new StewardError("unavailable", `${home} can't be written to`, {
      hint: "Check the owner and the free space, or set STEWARD_HOME to another folder.",
      cause: error,
    });
  }
}

function makeFolder(path: string): void {
  if (isFolder(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isFolder(path)) throw error; // another process may have made it just now
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
