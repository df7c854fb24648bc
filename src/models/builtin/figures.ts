// Reads what df, du, ps, uptime and their like print, and says it in a sentence or a table. Unknown output is left to reply.ts.
import { bytes } from "../../std/text.ts";
import type { Call, Known } from "./meaning.ts";
import { cell, code } from "./markdown.ts";

type Reading = (text: string, known: Known) => string | undefined;
const READ: Record<string, Reading> = {
  disk: (text) => {
    const row = text
      .split("\n")
      .map((line) => /\s(\d+)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(\/.*)$/.exec(line))
      .find((match) => match);
    return row
      ? `**${bytes(Number(row[3]) * 1024)}** of ${bytes(Number(row[1]) * 1024)} disk space is free (${row[4]} % used).`
      : undefined;
  },
  size: (text) => {
    const row = /^(\d+)\s+(.+)$/m.exec(text);
    return row?.[2] ? `${code(row[2])} takes **${bytes(Number(row[1]) * 1024)}**.` : undefined;
  },
  memory: (text) => linuxMemory(text) ?? macMemory(text),
  load: (text) => {
    const load = /load averages?: ([\d.]+),? ([\d.]+),? ([\d.]+)/.exec(text);
    const cores = Number(/^(\d+)$/m.exec(text)?.[1] ?? 0);
    if (!load) return undefined;
    return `The load is **${load[1]}** over the last minute, ${load[2]} over 5 and ${load[3]} over 15${cores ? `, on ${cores} ${cores === 1 ? "core" : "cores"} (${Math.round((Number(load[1]) / cores) * 100)} % busy)` : ""}.`;
  },
  uptime: (text) => {
    const time = /up\s+(.+?),\s+\d+ users?/.exec(text)?.[1] ?? /up\s+(.+?),\s+load/.exec(text)?.[1];
    return time
      ? `The machine has been up for **${time.replace(/\s+/g, " ").replace(/(\d+):(\d\d)$/, (_, hours: string, minutes: string) => `${Number(hours)} h ${Number(minutes)} min`)}**.`
      : undefined;
  },
  ip: (text) => {
    const all = text
      .trim()
      .split(/\s+/)
      .filter((word) => /^[\da-f.:]+$/i.test(word));
    return all.length > 0
      ? `The IP ${all.length === 1 ? "address is" : "addresses are"} ${all.map(code).join(", ")}.`
      : "This machine shows no IP address to commands; commands may be cut off from the network.";
  },
  hostname: (text) => `This machine is called ${code(text.trim())}.`,
  user: (text) => `Commands run as ${code(text.trim())}.`,
  pwd: (text) => `We are in ${code(text.trim())}.`,
  system: (text) => `This machine runs **${cell(text.trim().split("\n").at(-1) ?? "")}** (${code(text.trim().split("\n")[0] ?? "")}).`,
  processes: (text) => {
    const rows = text
      .split("\n")
      .map((line) => /^\s*(\d+)\s+([\d.]+)\s+([\d.]+)\s+(.+)$/.exec(line))
      .filter((row) => row !== null);
    return rows.length > 0
      ? `The busiest processes:\n\n| Process | CPU % | Memory % | Id |\n|---|---:|---:|---:|\n${rows.map(([, id, cpu, memory, name]) => `| ${cell(name?.split("/").at(-1) ?? "")} | ${cpu} | ${memory} | ${id} |`).join("\n")}`
      : undefined;
  },
};

/** The sentence for a command that a rule chose, or undefined. */
export function figures({ view = "" }: Call, text: string, known: Known): string | undefined {
  if (view.startsWith("copy ")) return `I copied ${view.slice(5).split("\n").map(code).join(" to ")}.`;
  return text.trim() !== "" || view === "ip" ? (Object.hasOwn(READ, view) ? READ[view]?.(text, known) : undefined) : undefined;
}

function linuxMemory(text: string): string | undefined {
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN) * 1024;
  const [total, free] = [kilobytes("MemTotal"), kilobytes("MemAvailable")];
  if (Number.isNaN(total) || Number.isNaN(free)) return undefined;
  const [swap, swapFree] = [kilobytes("SwapTotal"), kilobytes("SwapFree")];
  return `**${bytes(free)}** of ${bytes(total)} memory is available (${Math.round((1 - free / total) * 100)} % used)${swap > 0 ? `; ${bytes(swap - swapFree)} of ${bytes(swap)} swap is in use` : ""}.`;
}

function macMemory(text: string): string | undefined {
  const total = Number(/hw\.memsize: (\d+)/.exec(text)?.[1] ?? Number.NaN);
  const size = Number(/page size of (\d+)/.exec(text)?.[1] ?? Number.NaN);
  const pages = (name: string) => Number(new RegExp(`^Pages ${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const free = (pages("free") + pages("inactive") + pages("speculative")) * size;
  return Number.isNaN(total + free)
    ? undefined
    : `**${bytes(free)}** of ${bytes(total)} memory is available (${Math.round((1 - free / total) * 100)} % used).`;
}
