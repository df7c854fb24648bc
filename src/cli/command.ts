// What a command is, and how its line is read. Each command is a file in commands/ that exports one.
import { parseArgs } from "node:util";
import { StewardError } from "../std/error.ts";
import type { CliHost } from "./cli.ts";
import type { Output } from "./output.ts";

export interface Option {
  /** What stands for the value in the help; absent: a switch. */
  value?: string;
  short?: string;
  help: string;
}
export interface Command {
  /** The forms it can be written in, without "steward". */
  usage: string[];
  about: string;
  options: Record<string, Option>;
  /** First words that choose what it does, for completion. */
  verbs?: string[];
  examples: [line: string, what: string][];
  /** Returns the exit code. Throws StewardError. */
  run(given: Given): Promise<number>;
}
/** A line of the table of commands. */
export interface Entry {
  summary: string;
  load(): Promise<Command>;
}
export interface Given {
  commands: Record<string, Entry>;
  host: CliHost;
  out: Output;
  /** What is left beside options. */
  args: string[];
  flags: Flags;
}
export interface Flags {
  has(name: string): boolean;
  text(name: string): string | undefined;
  /** Throws `invalid` when it is not a whole number in the range. */
  number(name: string, range: { min: number; max: number }): number | undefined;
}

/** Options that every command has. */
export const everywhere: Record<string, Option> = {
  home: { value: "DIR", help: "Steward's home instead of STEWARD_HOME or ~/.steward" },
  help: { short: "h", help: "this help" },
};

export const usageError = (message: string, hint?: string): StewardError => new StewardError("invalid", message, hint ? { hint } : {});

export function readLine(name: string, command: Command, argv: string[]): { args: string[]; flags: Flags } {
  const all = { ...command.options, ...everywhere };
  const options = Object.fromEntries(
    Object.entries(all).map(([key, { value, short }]) => [
      key,
      { type: value ? ("string" as const) : ("boolean" as const), ...(short ? { short } : {}) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
    return { args: positionals, flags: flagsOf(values) };
  } catch (error) {
    const message = (error as Error).message.split(". To ")[0]!.replace(/\s+/g, " ");
    throw usageError(message.replace(/\.$/, ""), `steward help ${name} shows what it takes.`);
  }
}

function flagsOf(values: Record<string, unknown>): Flags {
  const text = (name: string): string | undefined => (typeof values[name] === "string" ? values[name] : undefined);
  return {
    has: (name) => values[name] !== undefined,
    text,
    number(name, { min, max }) {
      const given = text(name);
      if (given === undefined) return undefined;
      const number = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
      if (number >= min && number <= max) return number;
      throw usageError(`--${name} takes a whole number from ${min} to ${max}, not "${given}"`);
    },
  };
}
