// Finds in a fetched package what is to be started, so that it runs with no script of the package having run: a native program, or a script with a Node beside it.
import { promises as fs } from "node:fs";
import path from "node:path";
import type { ProgramNeed } from "../core/workplace.ts";
import { StewardError } from "../std/error.ts";

interface Manifest {
  bin?: string | Record<string, string>;
  optionalDependencies?: Record<string, string>;
  version?: string;
}
interface Found {
  /** Absolute. */
  file: string;
  kind: "native" | "script" | "other";
  /** The package it lies in. */
  package: string;
}

/** Returns the path of what is to be started, below `folder`. Packages for other kinds of processors are taken away. */
export async function startFile(folder: string, need: ProgramNeed): Promise<string> {
  const at = (name: string): string => path.join(folder, "node_modules", name);
  const own = await manifest(at(need.package));
  const optional = own.optionalDependencies ?? {};
  const there: string[] = [];
  for (const name of await ordered(Object.keys(optional)))
    if (await fs.stat(at(name)).catch(() => undefined)) {
      await refuseOther(at(name), optional[name]!, need);
      there.push(name);
    }
  const natives = (await Promise.all(there.map(async (name) => look(at(name), name, need.bin)))).filter((one) => one?.kind === "native");
  const found = natives[0] ?? (await look(at(need.package), need.package, need.bin));
  if (!found)
    throw new StewardError("unavailable", `The package ${need.package} ${need.version} has no program ${need.bin} for this system`, {
      hint: "Choose another engine, or another version in the configuration.",
    });
  for (const one of natives.slice(1)) await fs.rm(at(one!.package), { recursive: true, force: true });
  if (found.kind === "script") return path.relative(folder, await launcher(folder, found.file));
  await fs.chmod(found.file, 0o755);
  return path.relative(folder, found.file);
}

/** What the package itself names counts, and not what a registry says that it names. */
async function refuseOther(folder: string, named: string, need: ProgramNeed): Promise<void> {
  const wanted = named.slice(named.lastIndexOf("@") + 1);
  const { version } = await manifest(folder);
  if (!/^\d/.test(wanted) || version === wanted) return;
  throw new StewardError("unavailable", `${need.name} was not brought: it needs version ${wanted} of its program, and ${version} came`, {
    hint: "Do not trust this registry, or look at npm's registry setting.",
  });
}

const manifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await fs.readFile(path.join(folder, "package.json"), "utf8")) as Manifest;

/** What fits this machine best comes first. */
async function ordered(names: string[]): Promise<string[]> {
  const [musl, old] = await Promise.all([isMusl(), isOld()]);
  const worse = (name: string): number => (/\bmusl\b/.test(name) === musl ? 0 : 2) + (/\bbaseline\b/.test(name) === old ? 0 : 1);
  return names.toSorted((a, b) => worse(a) - worse(b));
}

const isMusl = async (): Promise<boolean> =>
  process.platform === "linux" && (await fs.readdir("/lib").catch(() => [])).some((name) => name.startsWith("ld-musl-"));

/** A processor without AVX2. */
async function isOld(): Promise<boolean> {
  if (process.arch !== "x64" || process.platform !== "linux") return false;
  return !/\bavx2\b/.test(await fs.readFile("/proc/cpuinfo", "utf8").catch(() => "avx2"));
}

/** ELF; Mach-O, for one processor or several. */
const MAGIC = ["7f454c46", "cffaedfe", "cafebabe", "cafebabf"];

async function look(folder: string, name: string, bin: string): Promise<Found | undefined> {
  const { bin: listed } = await manifest(folder);
  const told = typeof listed === "string" ? [listed] : [listed?.[bin]];
  for (const one of [...told, bin, `bin/${bin}`]) {
    if (one === undefined) continue;
    const file = path.join(folder, one);
    if (!file.startsWith(`${folder}/`) || !(await fs.lstat(file).catch(() => undefined))?.isFile()) continue;
    return { file, kind: await kindOf(file), package: name };
  }
  return undefined;
}

async function kindOf(file: string): Promise<Found["kind"]> {
  const handle = await fs.open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(200), 0, 200, 0);
    if (bytesRead >= 4 && MAGIC.includes(buffer.subarray(0, 4).toString("hex"))) return "native";
    const [first = ""] = buffer.subarray(0, bytesRead).toString("latin1").split("\n");
    return /^#!.*\bnode\b/.test(first) || /\.[cm]?js$/.test(file) ? "script" : "other";
  } finally {
    await handle.close();
  }
}

/** Node needs it, and small images of containers often lack it. */
const RARE = "libatomic.so.1";

/** Starts the script with the Node beside it, which is also the one that it finds by name. */
async function launcher(folder: string, script: string): Promise<string> {
  const start = path.join(folder, "start");
  const below = path.relative(folder, script).replaceAll("'", "'\\''");
  await fs.mkdir(path.join(folder, "bin"));
  await fs.copyFile(process.execPath, path.join(folder, "bin/node"), fs.constants.COPYFILE_FICLONE);
  await fs.chmod(path.join(folder, "bin/node"), 0o755);
  const rare = libraries().find((one) => path.basename(one) === RARE);
  if (rare !== undefined) {
    await fs.mkdir(path.join(folder, "lib"));
    await fs.copyFile(rare, path.join(folder, "lib", RARE));
  }
  await fs.writeFile(start, startText(below, rare !== undefined), { mode: 0o755 });
  return start;
}

function libraries(): string[] {
  const { sharedObjects = [] } = process.report.getReport() as { sharedObjects?: string[] };
  return process.platform === "linux" ? sharedObjects : [];
}

const startText = (below: string, rare: boolean): string => `#!/bin/sh
here=\${0%/*}
PATH="$here/bin:$PATH"
export PATH
${rare ? RARE_TEXT : ""}exec "$here/bin/node" "$here/"'${below}' "$@"
`;
const RARE_TEXT = `there=
for one in /lib/*/${RARE} /usr/lib/*/${RARE} /usr/lib64/${RARE} /usr/lib/${RARE}; do [ ! -e "$one" ] || there=1; done
[ "$there" ] || { LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; export LD_LIBRARY_PATH; }
`;
