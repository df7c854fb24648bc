// What packages of known programs are, byte by byte: a registry that gives something else under their names is not believed. Fetching is npm.ts.
import { promises as fs } from "node:fs";
import path from "node:path";
import type { ProgramNeed } from "../core/workplace.ts";
import { StewardError } from "../std/error.ts";
import pins from "./pins.json" with { type: "json" };

interface Lock {
  packages: Record<string, Locked>;
}
interface Locked {
  version?: string;
  integrity?: string;
  /** Of one that goes by another name than its own. */
  name?: string;
}

/** Throws unavailable when a package that came is not the one that is meant, or when npm could not check one. */
export async function checkPins(folder: string, need: ProgramNeed, known: Record<string, string> = pins): Promise<void> {
  const lock = JSON.parse(await fs.readFile(path.join(folder, "package-lock.json"), "utf8")) as Lock;
  for (const [at, locked] of Object.entries(lock.packages)) {
    const name = at.slice(at.lastIndexOf("node_modules/") + "node_modules/".length);
    if (at === "" || !(await fs.stat(path.join(folder, at)).catch(() => undefined))) continue;
    const why = wrongIn(name, locked, need, known);
    if (why === undefined) continue;
    throw new StewardError("unavailable", `${need.name} was not brought: the package ${name} ${locked.version} ${why}`, {
      hint: "Do not trust this registry, or look at npm's registry setting.",
    });
  }
}

/** A registry says itself which versions a package needs, and what they are called: beside a known one none of a known name may be unknown. */
function wrongIn(
  name: string,
  { version, integrity, name: own = name }: Locked,
  need: ProgramNeed,
  known: Record<string, string>,
): string | undefined {
  const pin = known[`${name}@${version}`];
  const strange = own !== name || Object.keys(known).some((one) => one.startsWith(`${name}@`));
  if (pin === undefined ? strange && known[`${need.package}@${need.version}`] !== undefined : pin !== integrity)
    return "is not the one that Steward knows";
  return /^sha512-/.test(integrity ?? "") ? undefined : "has no checksum";
}
