// Completes package-lock.json with the platform packages that npm leaves out when it cannot see them from this machine.
// Without them `npm ci` refuses the lock, and other platforms would miss their native parts. Run it after adding a package.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Locked {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  devOptional?: boolean;
  optionalDependencies?: Record<string, string>;
}

const path = join(dirname(import.meta.dirname), process.argv[2] ?? "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, Locked> };

const systems = ["android", "darwin", "freebsd", "linux", "openbsd", "netbsd", "sunos", "aix", "win32", "openharmony", "wasi"];
const processors = ["arm64", "arm", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el", "wasm32"];

/** What a name such as `@scope/binding-linux-arm64-musl` says about where it runs; undefined when it says nothing. */
function platform(name: string): Pick<Locked, "os" | "cpu" | "libc"> | undefined {
  const words = name.split(/[/-]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.includes("musl") ? ["musl"] : words.includes("gnu") && os === "linux" ? ["glibc"] : undefined;
  return { cpu: [cpu], ...(libc === undefined ? {} : { libc }), os: [os === "wasi" ? "none" : os] };
}

let added = 0;
for (const [where, entry] of Object.entries(lock.packages))
  for (const [name, version] of Object.entries(where === "" ? {} : (entry.optionalDependencies ?? {}))) {
    const at = `node_modules/${name}`;
    const runs = platform(name);
    if (lock.packages[at] !== undefined || runs === undefined) continue;
    lock.packages[at] = { version, ...(entry.dev === true ? { dev: true } : {}), ...runs, optional: true };
    added++;
  }
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
if (added > 0) writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(added === 0 ? "the lock is complete" : `${added} platform packages added to the lock`);
