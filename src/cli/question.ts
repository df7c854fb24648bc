// An open question in the terminal: how it is shown, and what a typed answer means.
import type { Ask } from "../core/types.ts";
import { usageError } from "./command.ts";
import { bold, cyan, dim, yellow } from "./output.ts";
import { duration } from "./words.ts";

export interface Reply {
  choice: string;
  for?: "once" | "task" | "scope";
  until?: number;
}

const DAY_MS = 86_400_000;
export const LASTING_DAYS = 30;

/** The question, what exactly it is about, and how to answer. */
export function questionLines(ask: Ask): string[] {
  const shows = ask.shows === undefined ? [] : ask.shows.split("\n");
  return [yellow(bold(`? ${ask.prompt}`)), ...shows.map((line) => `  ${cyan(line)}`), dim(`  ${choices(ask)}`)];
}

export function choices({ kind, options, scope }: Ask): string {
  if (kind === "text") return "type your answer";
  if (kind === "choice") return options.map((option, index) => `${index + 1} ${option}`).join("   ");
  return scope ? `y once   t for this task   a always: ${scope} (${LASTING_DAYS} days)   n no` : "y once   t for this task   n no";
}

/** What `typed` answers; undefined when it is none of the answers. */
export function readAnswer(ask: Ask, typed: string, now: number): Reply | undefined {
  const text = typed.trim();
  if (ask.kind === "text") return text === "" ? undefined : { choice: text };
  const lower = text.toLowerCase();
  if (ask.kind === "choice") {
    const choice =
      ask.options.find((option) => option.toLowerCase() === lower) ?? (/^\d+$/.test(text) ? ask.options[Number(text) - 1] : undefined);
    return choice === undefined ? undefined : { choice };
  }
  if (["n", "no", "deny"].includes(lower)) return { choice: "deny" };
  if (["y", "yes", "allow"].includes(lower)) return { choice: "allow", for: "once" };
  if (["t", "task"].includes(lower)) return { choice: "allow", for: "task" };
  if (ask.scope && ["a", "always"].includes(lower)) return { choice: "allow", for: "scope", until: now + LASTING_DAYS * DAY_MS };
  return undefined;
}

/** For somebody who can't be asked here. */
export function howToAnswer({ id, kind, options, expiresAt }: Ask, now: number): string {
  const answer = kind === "text" ? "TEXT" : options.join("|");
  return `Answer with: steward ask answer ${id} ${answer}   (open for ${duration(expiresAt - now)})`;
}

/** Answer words with flags, as `steward ask answer` takes them. Throws `invalid`. */
export function flaggedAnswer(ask: Ask, typed: string, { wide, now }: { wide: "task" | "always" | undefined; now: number }): Reply {
  const reply = readAnswer(ask, typed, now);
  if (!reply)
    throw usageError(
      `"${typed}" is not an answer to this`,
      ask.kind === "text" ? "Type some text." : `Answers: ${ask.options.join(", ")}.`,
    );
  if (!wide) return reply;
  const wider = ask.kind === "approval" && reply.choice === "allow" ? readAnswer(ask, wide, now) : undefined;
  if (!wider) throw usageError(`--${wide} goes with allow, and only where the question offers it`);
  return wider;
}
