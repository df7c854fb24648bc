// One process a home: run.json says who runs, where, and the key of the local command line. Made exclusively, checked by pid and start time.
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { StewardError } from "../std/error.ts";
import { makeHome } from "./home.ts";

export interface Instance {
  pid: number;
  started: string;
  /** Empty until it listens. */
  url: string;
  /** Bearer token of the local command line, new at each start. */
  token: string;
}
export interface Held {
  token: string;
  /** Makes the address known to the command line. */
  announce(url: string): void;
  release(): void;
}

const fileOf = (home: string): string => join(home, "run.json");

/** The live process of this home, or undefined. A left-over file of a dead process counts as none. */
export function liveInstance(home: string): Instance | undefined {
  try {
    const found = JSON.parse(readFileSync(fileOf(home), "utf8")) as Instance;
    return startOf(found.pid) === found.started && found.started !== "" ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `conflict` when another process runs on this home. */
export function holdInstance(home: string): Held {
  makeHome(home);
  const path = fileOf(home);
  const mine: Instance = {
    pid: process.pid,
    started: startOf(process.pid),
    url: "",
    token: `stl_${randomBytes(32).toString("base64url")}`,
  };
  for (let tries = 0; ; tries++) {
    try {
      const file = openSync(path, "wx", 0o600);
      writeSync(file, JSON.stringify(mine));
      closeSync(file);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST")
        throw new StewardError("unavailable", `${home} can't be written to`, {
          hint: "Check the owner and the free space, or set STEWARD_HOME to another folder.",
          cause: error,
        });
      const other = liveInstance(home);
      if (other || tries > 2)
        throw new StewardError("conflict", `Steward runs already on ${home}${other ? ` (process ${other.pid})` : ""}`, {
          hint: "steward status shows it; steward stop ends it.",
        });
      rmSync(path, { force: true });
    }
  }
  return {
    token: mine.token,
    announce(url) {
      writeFileSync(`${path}.new`, JSON.stringify({ ...mine, url }), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    release() {
      const now = liveInstance(home);
      if (now?.token === mine.token) rmSync(path, { force: true });
    },
  };
}

/** The start of a process as the system tells it, so that a pid that was given anew is not mistaken; "" when there is none. */
export function startOf(pid: number): string {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    }
    return execFileSync("/bin/ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}
