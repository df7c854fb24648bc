// Where an engine's program is for one computer: brought by Steward, or on the path inside. How it is brought is src/programs.
import type { Computer } from "../core/computer.ts";
import type { ProgramNeed } from "../core/workplace.ts";
import { StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import type { Brought } from "./programs.ts";
import type { Steward } from "./steward.ts";

export interface FoundProgram {
  path: string;
  version: string;
  from: "brought" | "path";
}

const LOOK_MS = 15_000;
/** Where people's own programs are besides the path. */
const OWN = ".local/bin bin .npm-global/bin .bun/bin .opencode/bin .claude/local .cargo/bin go/bin".split(" ");

interface Wanted {
  need: ProgramNeed;
  signal: AbortSignal;
}

/** As commands inside see it. Throws not_found with how to get it. */
export async function findProgram(steward: Steward, computer: Computer, { need, signal }: Wanted): Promise<FoundProgram> {
  const brought = await steward.programs.brought(need);
  const at = brought && (await insideOf(steward, computer, { need, brought, signal }));
  if (brought && at !== undefined) return { path: at, version: brought.version, from: "brought" };
  const own = await onPath(computer, need.bin, signal);
  if (own) return own;
  const why = brought ? "was brought, but this computer can't see it" : "is not there yet";
  throw new StewardError("not_found", `${need.name} ${need.version} ${why}`, {
    reason: "program",
    hint: brought
      ? "A computer of the kind contained, or docker with folders of this machine, can."
      : `steward engines install ${need.name} brings it (${need.about}; ${need.licence}), or the button on the settings page.`,
  });
}

/** What is on the path in this computer, with its version; undefined when nothing is. */
export async function onPath(computer: Computer, bin: string, signal?: AbortSignal): Promise<FoundProgram | undefined> {
  const script = `PATH="$PATH:${OWN.map((folder) => `$HOME/${folder}`).join(":")}"; command -v -- "$1"`;
  const look = { timeoutMs: LOOK_MS, maxBytes: 10_000, ...(signal ? { signal } : {}) };
  const { code, stdout } = await computer.exec(["/bin/sh", "-c", script, "sh", bin], look);
  const path = stdout.trim();
  if (code !== 0 || !path.startsWith("/")) return undefined;
  const { stdout: said, code: ended } = await computer.exec([path, "--version"], look);
  return { path, version: /\d+(?:\.\d+)+[\w.+-]*/.exec(said)?.[0] ?? (ended === 0 ? "unknown" : "does not start"), from: "path" };
}

/** Its path inside. An engine elsewhere has no folder of this machine: there it is copied into the person's home, once. */
async function insideOf(
  steward: Steward,
  computer: Computer,
  { need, brought, signal }: Wanted & { brought: Brought },
): Promise<string | undefined> {
  const { programs, home, mode } = computer;
  if (programs === undefined || computer.platform !== process.platform) return undefined;
  const usual = `${programs}/${brought.file}`;
  if (mode !== "contained" || (await computer.stat(usual))) return usual;
  const copies = `${home}/.steward-engines/programs`;
  const copied = `${copies}/${brought.file}`;
  await inLane(steward.lanes, `program ${need.name} ${steward.home}`, async () => {
    const folder = brought.file.split("/").slice(0, 2).join("/");
    if (!(await computer.stat(copied))) await copyIn(steward, computer, { folder, copies, signal });
  });
  return copied;
}

/** Python is in each computer that Steward makes. What was cut off is begun anew. */
const UNPACK = `
import os, shutil, sys, tarfile
folder, copies = sys.argv[1:]
new = os.path.join(copies, ".new")
shutil.rmtree(new, ignore_errors=True)
os.makedirs(new)
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    archive.extractall(new)
to = os.path.join(copies, folder)
os.makedirs(os.path.dirname(to), exist_ok=True)
shutil.rmtree(to, ignore_errors=True)
os.rename(os.path.join(new, folder), to)
for other in os.listdir(os.path.dirname(to)):
    if other != os.path.basename(to):
        shutil.rmtree(os.path.join(os.path.dirname(to), other), ignore_errors=True)
shutil.rmtree(new)
`;

interface Copy {
  folder: string;
  copies: string;
  signal: AbortSignal;
}

async function copyIn(steward: Steward, computer: Computer, { folder, copies, signal }: Copy): Promise<void> {
  const stdin = steward.programs.packed(folder);
  const { code, stderr } = await computer.exec(["python3", "-c", UNPACK, folder, copies], { stdin, lasting: true, signal });
  if (code !== 0) throw new StewardError("unavailable", `The program could not be copied into the computer: ${stderr.trim().slice(-500)}`);
}
