// What processes take, read from the kernel: those below a process, those of a container, their memory and processor time.
import { readdirSync, readFileSync } from "node:fs";

export interface Memory {
  /** Bytes; what several share is counted in each. */
  resident: number;
  /** Bytes; what is shared is counted once, in parts. */
  proportional: number;
  /** Bytes that nobody else has. */
  own: number;
}
interface Process {
  pid: number;
  parent: number;
  command: string;
}

function all(): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const [parent = ""] = afterName(name);
      found.push({ pid: Number(name), parent: Number(parent), command: readFileSync(`/proc/${name}/cmdline`, "utf8") });
    } catch {
      // it has ended
    }
  }
  return found;
}

/** Fields of /proc/<pid>/stat from the parent on. */
function afterName(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 4).split(" ");
}

/** All that descend from these, without them. */
export function below(roots: readonly number[]): number[] {
  const processes = all();
  const found = new Set(roots);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  return [...found].filter((pid) => !roots.includes(pid));
}

/** Those whose command line holds one of these words. */
export const named = (words: readonly string[]): number[] =>
  all()
    .filter(({ command }) => words.some((word) => command.includes(word)))
    .map(({ pid }) => pid);

export function memoryOf(pids: readonly number[]): Memory {
  const sum = { resident: 0, proportional: 0, own: 0 };
  for (const pid of pids)
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
      sum.resident += bytes("Rss");
      sum.proportional += bytes("Pss");
      sum.own += bytes("Private_Clean") + bytes("Private_Dirty");
    } catch {
      // it has ended
    }
  return sum;
}

/** Seconds of processor time, those of children that have ended and were waited for included. */
export function cpuOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids)
    try {
      const fields = afterName(pid);
      ticks += [10, 11, 12, 13].reduce((sum, at) => sum + Number(fields[at]), 0);
    } catch {
      // it has ended
    }
  return ticks / 100;
}

/** Bytes; 0 for one that has ended. */
export function residentOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The most it has had so far, in bytes. */
export const residentPeak = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
