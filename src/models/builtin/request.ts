// Takes a message apart into requests: quotes become tokens, chains are split, politeness goes. Knows no tool.
import { BEGINS_LATER } from "./later.ts";
import { visible } from "../../std/text.ts";
import type { Request } from "./meaning.ts";

const OPEN = "\ufdd0";
const CLOSE = "\ufdd1";
export const TOKEN = "\\ufdd0\\d+\\ufdd1";
/** Nothing but one quoted text. */
export const isToken = (text: string): boolean => /^\ufdd0\d+\ufdd1$/.test(text);
export const hasToken = (text: string): boolean => text.includes(OPEN);
const QUOTED = /```[^\n`]*\n([^`]*)```|`([^`\n]+)`|"([^"]*)"|“([^“”]*)”|(?<![^\s(])'([^']*)'(?!\w)|(?<![^\s(])‘([^‘’]*)’(?!\w)/g;
/** Longer requests than this are not read; quoted text and text below a colon do not count. */
const LONGEST = 2000;
/** A message of more lines is a text, not a list of requests. */
const MANY = 50;
const LEADS =
  /^(?:(?:hey|hi|hello|ok|okay|so|well|alright|now|please|pls|kindly|steward|then|also|and|just|first|finally|next|great|yes|yeah|sure|cool|quickly)(?:[,!.:]\s*|\s+)|(?:can|could|would|will) you (?=\w)|i(?:['’]d| would) (?:like|love|want)(?: for)?(?: you)? to |i (?:want|need)(?: for)?(?: you)? to |let['’]?s |go ahead and |do me a favou?r and |try to |maybe )/i;
const TAILS = [
  "please",
  "pls",
  "thanks",
  "thank you",
  "thx",
  "for me",
  "right now",
  "now",
  "if you can",
  "if possible",
  "would you",
  "will you",
  "steward",
  "as well",
  "too",
  "quickly",
  "real quick",
];
const CONTENT = /^(?:create|make|write|save|append|add|put|remember|note|store|run|execute|insert|touch|jot)\b/i;
const STARTS =
  /^(?:list|show|display|view|see|read|cat|print|open|create|make|write|save|append|add|put|copy|duplicate|move|rename|delete|remove|erase|trash|find|search|look|grep|replace|change|run|execute|launch|start|quit|close|force|kill|switch|activate|bring|focus|go to|visit|fetch|browse|summari[sz]e|remember|forget|undo|revert|what|which|who|where|how|tell|give|get|check|count|mkdir|calculate|compute|don['’]?t|do not|never mind|say)\b/i;
const NEGATED = /^(?:don['’]?t|do not|never)\b/i;
const JOINS = /;|(?:,? and |,? |[.!?] )?\b(?:then|after that|afterwards)\b,?|,? and(?: also| finally)?(?= )|[.!?,](?= )/gi;

/** What stands behind the tokens. One list for a whole conversation, so that an answer's tokens can join an earlier request. */
export type Kept = { value: string; typed: string }[];

/** The requests of one message, in order; none when there are no words. Adds its quotes to `kept`. */
export function requests(message: string, kept: Kept): Request[] {
  const { masked, keep, value, typed } = mask(message, kept);
  return pieces(masked, typed, keep).map((piece) => {
    const text = withoutLead(piece);
    return { text, plain: withoutTail(text), value, typed };
  });
}

/** The whole message as one quoted text. */
export function whole(message: string, kept: Kept): Request {
  const { masked, keep, value, typed } = mask(message, kept);
  const text = isToken(masked) ? masked : keep(typed(masked), typed(masked));
  return { text, plain: text, value, typed };
}

function mask(message: string, kept: Kept) {
  const keep: Keep = (value, typed) => `${OPEN}${kept.push({ value, typed }) - 1}${CLOSE}`;
  const back = (text: string, as: "value" | "typed") =>
    text.replace(/\ufdd0(\d+)\ufdd1/g, (_, index: string) => kept[Number(index)]?.[as] ?? "");
  const clean = visible(message)
    .replace(/\r\n?/g, "\n")
    .replace(/[\ufdd0\ufdd1]/g, "")
    .trim();
  const masked = clean.replace(QUOTED, (all: string, ...groups: unknown[]) =>
    keep(groups.slice(0, 6).find((group) => typeof group === "string") as string, all),
  );
  return { masked, keep, value: (text: string) => back(text, "value"), typed: (text: string) => back(text, "typed") };
}

type Keep = (value: string, typed: string) => string;

function pieces(masked: string, typed: (text: string) => string, keep: Keep): string[] {
  const lines = masked.split("\n");
  const head = lines[0] ?? "";
  const rest = lines.slice(1).join("\n").trim();
  const start = head.trimEnd();
  if (
    rest !== "" &&
    CONTENT.test(withoutLead(head)) &&
    (start.endsWith(":") || /\b(?:content|contents|text|says|saying|containing|with)$/i.test(start))
  ) {
    const body = isToken(rest) ? rest : keep(typed(lines.slice(1).join("\n")), rest);
    return [...chain(start).slice(0, -1), `${chain(start).at(-1)} ${body}`];
  }
  if (lines.length > MANY) return [`${head} …`];
  return lines.flatMap((line) => {
    const bare = line.trim().replace(/^(?:[-*•]|\d{1,3}[.)])\s+(?=\D)/, "");
    if (bare === "") return [];
    if (bare.startsWith("$ ")) return [`run ${keep(typed(bare.slice(2).trim()), typed(bare))}`];
    return chain(bare);
  });
}

/** Splits only where a request begins on the right, so that "eat and then sleep" stays together. */
function chain(all: string): string[] {
  const line = withoutLead(all);
  if (line.length > LONGEST) return [line];
  const parts: string[] = [];
  let from = 0;
  for (const join of line.matchAll(JOINS)) {
    if (join.index < from) continue;
    const left = line.slice(from, join.index).trim();
    const right = withoutLead(line.slice(join.index + join[0].length).trim());
    if (left === "" || !STARTS.test(right) || !splits(withoutLead(left), join[0].trim().toLowerCase())) continue;
    parts.push(left);
    from = join.index + join[0].length;
  }
  return [...parts, line.slice(from).trim()].filter((part) => part !== "");
}

function splits(left: string, join: string): boolean {
  if (join === "," && /^in \S+$/i.test(left)) return false;
  if (/^[.!?]$/.test(join)) return !/^(?:run|execute)\b/i.test(left);
  if (NEGATED.test(left) || BEGINS_LATER.test(left)) return false;
  if (join === ";") return !/^(?:run|execute)\b/i.test(left);
  if (join.endsWith("then") || /after/.test(join)) return true;
  return !CONTENT.test(left) || /\b(?:folder|directory)\b/i.test(left) || left.endsWith(CLOSE);
}

function withoutLead(text: string): string {
  let rest = text.trim();
  for (let round = 0; round < 8; round++) {
    const next = rest.replace(LEADS, "");
    if (next === rest || next === "") break;
    rest = next;
  }
  return rest
    .replace(/^(?:show|tell)(?: me)? (?=(?:what|which|how|who|where)\b)/i, "")
    .replace(/^(?:can|could|may) i (?:please )?(?:see|have|get) /i, "show ");
}

function withoutTail(text: string): string {
  let rest = text.length > LONGEST ? "" : text;
  for (let round = 0; round < 6; round++) {
    rest = rest.trimEnd().replace(/(?<=[\w)'"%\ufdd1])[.!?…,;:]{1,9}$/, "");
    const lower = rest.toLowerCase();
    const tail = TAILS.find((words) => lower.endsWith(` ${words}`) || lower.endsWith(`,${words}`));
    if (!tail) break;
    rest = rest.slice(0, -tail.length).replace(/[\s,]{1,9}$/, "");
  }
  return rest;
}
