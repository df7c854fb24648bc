// What a summary of older messages must keep, whether it does, and what is added when it does not. Writing it is `compact.ts`.
import { isData, type Stored } from "../core/events.ts";
import { sinceCleared, textOf } from "../core/history.ts";
import { clip, oneLine } from "../std/text.ts";

const MOST_MARKS = 60;
const MOST_TURNS = 40;
const MOST_CHARACTERS = 8000;
const MOST_STEPS = 30;
const MOST_NAMED = 4000;
const OPEN = "Still open: ";
const NAMED = "Also named: ";
const NUMBERS = "The person's messages by number; recall with turn reads one with its answer:";

const PATTERNS: RegExp[] = [
  /https?:\/\/[^\s<>"')\]]+/g,
  /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g,
  /(?:~|\.{0,2})?\/[\w.@~+-]+(?:\/[\w.@~+-]+)*/g,
  /\b[\w-]+\.(?:[a-z]{2,4}|[a-z]\w{1,4})\b/g,
  /\b(?=[\w/.-]*\d)(?=[\w/.-]*[A-Za-z])\w[\w/.-]{2,60}\w\b/g,
  /\b\d{1,2}:\d{2}\b|\b\d{4}-\d{2}-\d{2}\b|[€$£]\s?\d[\d.,]*|\b\d[\d.,]{2,}\d\b/g,
  /(?<=[“"])[^“”"\n]{3,60}(?=[”"])/g,
  /(?<=[\p{Ll},;:] )\p{Lu}[\p{L}'-]+(?: \p{Lu}[\p{L}'-]+)*/gu,
];

/** Names, identifiers, addresses, figures of a text: what nobody can guess again. */
export function marksOf(text: string): string[] {
  const found = PATTERNS.flatMap((pattern) => text.match(pattern) ?? []).map((mark) => mark.replace(/[.,;:]+$/, ""));
  return [...new Set(found)].filter((mark) => mark.length >= 3 && mark.length <= 200);
}

/** The marks of these messages that count, the most often named first: the person's own words, and what Steward said more than once. */
export function weighed(log: Stored[]): string[] {
  const weights = new Map<string, number>();
  const add = (text: string, weight: number): void => {
    for (const mark of marksOf(text)) weights.set(mark, (weights.get(mark) ?? 0) + weight);
  };
  for (const { event } of log) {
    // Words of others stay in their slot.
    if (event.type === "message.received" && !isData(event.source)) add(textOf(event.parts), event.source ? 1 : 3);
    if (event.type === "context.compacted") add(event.summary.split(NUMBERS)[0]!, 3);
    if (event.type !== "item.completed") continue;
    if (event.item.kind === "text") add(event.item.text, 2);
    if (event.item.kind === "step") for (const { input } of event.item.calls) add(JSON.stringify(input) ?? "", 1);
  }
  return [...weights]
    .filter(([, weight]) => weight >= 3)
    .sort((a, b) => b[1] - a[1])
    .map(([mark]) => mark);
}

/** What of it the summary has lost. */
export function lost(summary: string, marks: string[]): string[] {
  const lower = summary.toLowerCase();
  return marks.filter((mark) => !lower.includes(mark.toLowerCase()));
}

/** What a summary says by itself, and the lines that `completed` added to it. */
function parted(summary: string): { own: string; added: string[] } {
  const at = summary.lastIndexOf("\n\n");
  const last = summary.slice(at + 2);
  if (at < 0 || ![OPEN, NAMED, NUMBERS].some((begin) => last.startsWith(begin))) return { own: summary, added: [] };
  return { own: summary.slice(0, at), added: last.split("\n") };
}

/** That of the summary before this one: a plan stands open until a newer one is shown. */
function before(log: Stored[]): { own: string; added: string[] } | undefined {
  const last = log.findLast(({ event }) => event.type === "context.compacted")?.event;
  return last?.type === "context.compacted" ? parted(last.summary) : undefined;
}

/** Steps of the newest plan that are not done. */
export function openSteps(log: Stored[]): string[] {
  const plan = log.findLast(({ event }) => event.type === "item.completed" && event.item.kind === "plan")?.event;
  if (plan?.type === "item.completed" && plan.item.kind === "plan")
    return plan.item.entries.flatMap(({ text, state }) => (state === "done" ? [] : [oneLine(text, 160)])).slice(0, MOST_STEPS);
  const line = before(log)?.added.find((one) => one.startsWith(OPEN));
  return line?.slice(OPEN.length).split("; ") ?? [];
}

/** The summary with what it lost, what is open, and the numbers by which older messages are found. `whole`: all that the summary stands for. */
export function completed(summary: string, whole: Stored[]): string {
  const open = openSteps(whole);
  const missing = lost([summary, ...open].join("\n"), weighed(whole)).slice(0, MOST_MARKS);
  const numbered = whole.flatMap(({ event, seq }) => {
    if (event.type === "context.compacted") return parted(event.summary).added.filter((line) => /^#\d+ /.test(line));
    return event.type === "message.received" && !event.source ? [`#${seq} ${oneLine(textOf(event.parts), 60)}`] : [];
  });
  const asked = [...new Set(numbered)];
  const more = asked.length > MOST_TURNS ? [`(Older ones are left out; recall finds them by their words.)`] : [];
  const added = [
    ...(open.length > 0 ? [OPEN + open.join("; ")] : []),
    ...(missing.length > 0 ? [NAMED + oneLine(missing.join(", "), MOST_NAMED)] : []),
    ...(asked.length > 0 ? [NUMBERS, ...more, ...asked.slice(-MOST_TURNS)] : []),
  ].join("\n");
  return [clip(summary, MOST_CHARACTERS), added].filter(Boolean).join("\n\n");
}

/** A plain digest for when no model can write a summary: what was asked, shortened, and where to find the rest. */
export function digest(all: Stored[], upTo: number): string {
  const log = sinceCleared(all);
  const asked = log.flatMap(({ event, seq }) =>
    seq <= upTo && event.type === "message.received" && !isData(event.source) ? [`- ${oneLine(textOf(event.parts), 90)}`] : [],
  );
  const own = before(log)?.own;
  return [
    ...(own === undefined ? [] : [clip(own, MOST_CHARACTERS / 2)]),
    "Earlier messages of this person, shortened; the tool recall finds them by their words:",
    ...(asked.length > MOST_TURNS ? [`(${asked.length - MOST_TURNS} more before these)`] : []),
    ...asked.slice(-MOST_TURNS),
  ].join("\n");
}
