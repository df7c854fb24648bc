// Questions to a supervisor and their answers, and what the pieces of a supervised computer work with. What is asked is theirs.
import type { ComputerOptions } from "../core/computer.ts";
import { StewardError, type Code } from "../std/error.ts";
import { explained } from "./files.ts";
import { type Channel, type Ears, hasStopped, type Link, type Message } from "./link.ts";
import type { Place } from "./place.ts";

/** A living link and what the supervisor said of itself. */
export interface Session {
  link: Link;
  /** Where programs inside reach the proxy. */
  port?: number;
  /** File inside with the certificates to trust. */
  trust?: string;
}
/** What the pieces of a supervised computer work with. */
export interface Inside {
  options: ComputerOptions;
  place: Place;
  session(): Promise<Session>;
  /** True while a link is there or nothing says that nothing runs. */
  awake(): Promise<boolean>;
  /** One question, one answer. `given` is the path that it is about, for the words of an error. */
  ask(message: Message, given?: string): Promise<Message>;
  env(session: Session, more: { task?: string; env?: Record<string, string> }): Record<string, string>;
}

/** More does not fit into one frame; the system takes less anyway. */
const LONGEST_ASK = 3 * 1024 * 1024;

/** Opens a channel for a question; throws limit for one that is too long. */
export function openAsk(link: Link, message: Message, ears: Omit<Ears, "closed"> = {}): { channel: Channel; answer: Promise<Message> } {
  if (JSON.stringify(message).length > LONGEST_ASK)
    throw new StewardError("limit", "The command is too long for the system", {
      hint: "Put the text into a file, or into the command's standard input.",
    });
  const { promise: answer, resolve, reject } = Promise.withResolvers<Message>();
  answer.catch(() => {});
  const channel = link.open(message, { ...ears, closed: (told) => (told instanceof StewardError ? reject(told) : resolve(told)) });
  return { channel, answer };
}

/** A question that only what runs can answer: of what is asleep, or stopped meanwhile, there is nothing. What was started anew meanwhile is asked once more. */
export async function askAwake(inside: Inside, ask: Message): Promise<Message> {
  if (!(await inside.awake())) return {};
  return inside.ask(ask).catch(async (error: unknown) => {
    if (!hasStopped(error)) throw error;
    return (await inside.awake()) ? inside.ask(ask) : {};
  });
}

/** What should be text, and may be anything. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const CODES: Code[] = ["invalid", "not_found", "denied", "conflict", "stale", "unavailable", "limit", "internal"];
const BUSY = ["E2BIG", "EAGAIN", "ENOMEM", "ENFILE", "EMFILE"];

/** The answer, or the error in it. */
export async function answered({ answer }: { answer: Promise<Message> }, given = "It"): Promise<Message> {
  const told = await answer;
  const error = told["error"] as { code?: unknown; errno?: unknown; message?: unknown } | undefined;
  if (typeof error !== "object" || error === null) return told;
  const words = (textOf(error.message) || "no reason given").slice(0, 1000);
  if (typeof error.errno === "string") {
    if (error.errno === "E2BIG") throw new StewardError("limit", "The command is too long for the system");
    if (BUSY.includes(error.errno)) throw new StewardError("limit", "The computer can start no more programs now");
    throw explained(Object.assign(new Error(words), { code: error.errno }), given);
  }
  throw new StewardError(CODES.find((code) => code === error.code) ?? "internal", words);
}
