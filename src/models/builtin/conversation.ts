// Reads a prompt: who said what, which calls were made and what came of them. Draws no conclusions.
import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import type { Call, Result } from "./meaning.ts";

export interface Done {
  call: Call;
  result: Result;
}
/** A message of the person, what was done for it, and the closing answer ("" when there is none yet). */
export interface Exchange {
  text: string;
  done: Done[];
  reply: string;
}
/** More than a follow-up question ever needs; older exchanges are not read. */
const WINDOW = 8;
/** When a message was sent may stand before it. */
const SENT = /^<time>[^<>]{0,60}<\/time>\s*/;
/** What a schedule says beside its prompt. */
const DUE = /\n?<schedule>[^<]*<\/schedule>/;
/** What runs commands has one of two names, by the door; the rules know the first. */
export const terminal = { own: "execute_terminal_command", other: "execute_terminal" };
const SUMMARY = "[Summary of the earlier conversation]";

/** The newest exchanges, oldest first; the last one is to be answered now. */
export function exchanges(prompt: LanguageModelV4Prompt): Exchange[] {
  const list: Exchange[] = [];
  const open = new Map<string, Done>();
  for (const message of prompt.slice(start(prompt))) {
    if (message.role === "user") {
      const text = message.content
        .flatMap((part) => (part.type === "text" ? [part.text] : []))
        .join("\n")
        .replace(SENT, "")
        .replace(DUE, "");
      if (reported(list, text)) continue;
      list.push({ text: text.startsWith(SUMMARY) ? "" : text, done: [], reply: text.startsWith(SUMMARY) ? SUMMARY : "" });
    }
    const last = list.at(-1);
    if (!last || message.role === "user" || message.role === "system") continue;
    for (const part of message.content) {
      if (part.type === "tool-call") {
        const done = {
          call: { tool: part.toolName === terminal.other ? terminal.own : part.toolName, input: objectOf(part.input) },
          result: { success: false, output: null, error: "Unknown whether this ran." },
        };
        open.set(part.toolCallId, done);
        last.done.push(done);
      }
      if (part.type === "tool-result") Object.assign(open.get(part.toolCallId) ?? {}, { result: resultOf(part.output) });
    }
    if (message.role === "assistant")
      last.reply = message.content.some(({ type }) => type === "tool-call")
        ? ""
        : message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  }
  return list;
}

const SLOT = '<notification from="';

/** What a program reported is no request: it stands beside what is being done, and is answered only when that is nothing. */
function reported(list: Exchange[], text: string): boolean {
  if (!text.startsWith(SLOT)) return false;
  const last = list.at(-1);
  const own = text.startsWith(`${SLOT}steward"`);
  if (!own && last?.reply === "" && last.text.startsWith(SLOT)) last.text += `\n${text}`;
  return own || last?.reply === "";
}

/** The words of notifications, when a message is nothing else. */
export const notices = (text: string): string[] | undefined =>
  text.startsWith(SLOT)
    ? [...text.matchAll(/<notification from="\w+">([^<]*)<\/notification>/g)].map(([, words = ""]) =>
        words.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
      )
    : undefined;

function start(prompt: LanguageModelV4Prompt): number {
  let seen = 0;
  for (let index = prompt.length - 1; index >= 0; index--) if (prompt[index]?.role === "user" && ++seen === WINDOW) return index;
  return 0;
}

/** The person's time zone, from "Time zone: X" in the instructions; undefined when none is named or it is not known here. */
export function zoneOf(prompt: LanguageModelV4Prompt): string | undefined {
  for (const message of prompt) {
    const zone = message.role === "system" ? /\bTime zone: ?([\w/+-]{1,60})/i.exec(message.content)?.[1] : undefined;
    if (zone && isZone(zone)) return zone;
  }
  return undefined;
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone }).format(0);
    return true;
  } catch {
    return false;
  }
}

const objectOf = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

function resultOf(output: { type: string; value?: unknown; reason?: string }): Result {
  if (output.type === "execution-denied")
    return { success: false, output: null, error: `Denied${output.reason ? `: ${output.reason}` : ""}` };
  const value =
    output.type === "content" && Array.isArray(output.value)
      ? output.value.map((part: { text?: unknown }) => (typeof part?.text === "string" ? part.text : "")).join("")
      : output.value;
  const parsed = typeof value === "string" ? parse(value) : value;
  const { success, output: inner, error } = objectOf(parsed);
  if (typeof success === "boolean") return { success, output: inner ?? null, error: typeof error === "string" ? error : null };
  return output.type.startsWith("error")
    ? { success: false, output: null, error: typeof value === "string" ? value : JSON.stringify(value) }
    : { success: true, output: parsed, error: null };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
