// steward logs: the newest lines of the log, from its files: also when Steward does not run or can't.
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { oneLine } from "../../std/text.ts";
import { type Command, usageError } from "../command.ts";
import { DONE } from "../exit.ts";
import { dim, type Output, red, yellow } from "../output.ts";

const LOOK_MS = 250;

export const logs: Command = {
  usage: ["logs [-n N] [-f] [--json]"],
  about: "Shows the newest log lines. Secrets are not in them. With -f goes on until Ctrl-C; with --json an array, or with -f a line each.",
  options: {
    lines: { value: "N", short: "n", help: "how many (50)" },
    follow: { short: "f", help: "go on with what is added" },
    json: { help: "as JSON" },
  },
  examples: [
    ["steward logs -n 200", "more of them"],
    ["steward logs -f", "watch"],
  ],
  async run({ host, out, flags, args }) {
    if (args.length > 0) throw usageError("logs takes no further words");
    const count = flags.number("lines", { min: 0, max: 100_000 }) ?? 50;
    const path = join(host.home, "logs", "steward.log");
    const size = existsSync(path) ? statSync(path).size : 0;
    const lines = newest(path, count);
    const asJson = flags.has("json");
    if (asJson && !flags.has("follow")) out.json(lines.map(parsed));
    else for (const line of lines) put(out, line, asJson);
    if (lines.length === 0 && !asJson && !flags.has("follow")) out.line("The log is empty.");
    if (flags.has("follow")) await follow(path, size, (line) => put(out, line, asJson));
    return DONE;
  },
};

/** From the current file, and the one before when that is not enough. */
function newest(path: string, count: number): string[] {
  const read = (file: string): string[] => (existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : []);
  const lines = read(path);
  return count === 0 ? [] : (lines.length < count ? [...read(`${path}.1`), ...lines] : lines).slice(-count);
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { message: line };
  }
}

function put(out: Output, line: string, asJson: boolean): void {
  if (asJson) return out.line(line);
  const { time, level = "info", message, ...fields } = parsed(line);
  const at = typeof time === "string" ? new Date(time).toLocaleString("sv-SE") : "";
  const colour = level === "info" || level === "debug" ? dim : level === "warning" ? yellow : red;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${oneLine(typeof value === "string" ? value : JSON.stringify(value), 200)}`,
  );
  out.line(`${dim(at)} ${colour(String(level).padEnd(7))} ${String(message)}${rest.length > 0 ? dim(`  ${rest.join(" ")}`) : ""}`);
}

/** Until Ctrl-C. A file that was put aside is read to its end first, then the new one from its beginning. */
async function follow(path: string, from: number, each: (line: string) => void): Promise<void> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const state = { fd: open(path), at: from, rest: Buffer.alloc(0) };
  const drain = (): void => {
    if (state.fd === undefined) return;
    const { size } = fstatSync(state.fd);
    if (size < state.at) Object.assign(state, { at: 0, rest: Buffer.alloc(0) });
    const added = Buffer.alloc(size - state.at);
    state.at += readSync(state.fd, added, 0, added.length, state.at);
    const all = Buffer.concat([state.rest, added]);
    const end = all.lastIndexOf(10) + 1;
    state.rest = all.subarray(end);
    for (const line of all.subarray(0, end).toString("utf8").split("\n")) if (line) each(line);
  };
  while (!stop.signal.aborted) {
    drain();
    const moved = existsSync(path) && (state.fd === undefined || statSync(path).ino !== fstatSync(state.fd).ino);
    if (moved) {
      if (state.fd !== undefined) {
        drain();
        closeSync(state.fd);
      }
      Object.assign(state, { fd: open(path), at: 0, rest: Buffer.alloc(0) });
      continue;
    }
    await wait(LOOK_MS, undefined, { signal: stop.signal }).catch(() => {});
  }
  if (state.fd !== undefined) closeSync(state.fd);
}

const open = (path: string): number | undefined => (existsSync(path) ? openSync(path, "r") : undefined);
