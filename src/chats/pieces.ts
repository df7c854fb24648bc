// Splits Markdown into pieces that each fit a message and stand on their own: code stays code, tables keep their head, links and words stay whole.
import type { Channel } from "../core/channel.ts";
import { Lexer, type Token, type Tokens } from "marked";
import { begins, closes, dedented, type Fence, fenced, leaves, lines, opened, put, units } from "./fences.ts";

type Fits = (markdown: string) => boolean;

/** What is many times as long in Markdown is not measured: that takes long. */
export const fitsIn =
  ({ length, limits }: Pick<Channel, "length" | "limits">, more = ""): Fits =>
  (markdown) =>
    markdown.length <= limits.text * 2 && length(markdown + more) <= limits.text;

/** Pieces that fit, in order; a text that fits is one piece, as it stands. What has no place to cut is cut between characters. */
export function pieces(text: string, fits: Fits): string[] {
  const clean = text.trim();
  if (clean === "") return [];
  if (fits(clean)) return [clean];
  const parts = blocks(clean).flatMap((block) => (fits(tidy(block.raw)) ? [block.raw] : cutBlock(block, fits)));
  return gather(parts, "", fits);
}

/** As many neighbours together as fit. How many is looked for in strides, so that a text of small parts is not measured once for each. */
function gather(parts: string[], glue: string, fits: Fits): string[] {
  return strides(parts, (some) => fits(tidy(some.join(glue))))
    .map((some) => tidy(some.join(glue)))
    .filter((one) => one !== "");
}

/** In groups, each as large as fits and not empty. */
function strides(parts: string[], fits: (some: string[], at: number) => boolean): string[][] {
  const out: string[][] = [];
  let guess = 1;
  for (let at = 0; at < parts.length; at += guess) {
    guess = most({ guess, of: parts.length - at }, (count) => fits(parts.slice(at, at + count), at));
    out.push(parts.slice(at, at + guess));
  }
  return out;
}

/** The greatest count that fits, at least 1; looked for from a guess on, doubling and then halving. */
function most({ guess, of }: { guess: number; of: number }, fits: (count: number) => boolean): number {
  let [low, high] = [1, of];
  for (let step = Math.min(Math.max(guess, 2), of); low < high;) {
    if (fits(step)) low = step;
    else high = step - 1;
    step = high === of && low * 2 < of ? Math.max(low * 2, low + 1) : Math.ceil((low + high) / 2);
    if (low === high) break;
  }
  return low;
}

const tidy = (text: string): string => text.trimEnd().replace(/^\n+/, "");

const LONGEST = 10_000;

/** Lexers of Markdown take long for what is long and odd, so they see a section at a time: up to a blank line, or a fenced block. What is longer is known by its first lines. */
function blocks(text: string): Token[] {
  return sections(text).flatMap((raw): Token[] => {
    if (raw.length > LONGEST) return [longBlock(raw)];
    try {
      const lexer = new Lexer({ gfm: true });
      lexer.blockTokens(raw, lexer.tokens);
      return lexer.tokens;
    } catch {
      return [{ type: "text", raw, text: raw }];
    }
  });
}

function longBlock(raw: string): Token {
  const [first = "", second = ""] = lines(raw.slice(0, LONGEST));
  const fence = /^ {0,3}[`~]/.test(first) ? opened(first) : undefined;
  if (fence) {
    const body = raw.slice(first.length).replace(/\n {0,3}(`{3,}|~{3,}) *\n{0,9}$/, "");
    return { type: "code", raw, lang: fence.lang, text: body };
  }
  const isTable = first.includes("|") && /^[ |:-]*-[ |:-]*\n?$/.test(second);
  return isTable ? { type: "table", raw } : { type: "text", raw, text: raw };
}

/** Several short ones are one. What is indented belongs to what stands before it. */
function sections(text: string): string[] {
  const out: string[] = [];
  let now: string[] = [];
  let size = 0;
  let fence: Fence | undefined;
  let over = false;
  for (const line of lines(text)) {
    if (fence && leaves(fence, line)) fence = undefined;
    const begun = fence ? undefined : opened(line);
    if (size > LONGEST / 10 && (over || begun) && !fence && /^\S/.test(line)) {
      out.push(now.join(""));
      [now, size] = [[], 0];
    }
    over = line.trim() === "";
    if (begun) fence = begun;
    else if (fence && closes(fence, line)) [fence, over] = [undefined, true];
    now.push(line);
    size += line.length;
  }
  return [...out, now.join("")];
}

/** A list by its items, what is fenced in it by rows; else by lines. */
function cutBlock(token: Token, fits: Fits): string[] {
  if (token.type === "code") return cutCode(token as Tokens.Code, fits);
  if (token.type === "table") return cutTable(token as Tokens.Table, fits);
  const shape = (text: string): string => dedented(tidy(text));
  const inside: Fits = (text) => fits(shape(text));
  const parts = (token.type === "list" ? (token as Tokens.List).items.map(({ raw }) => raw) : [token.raw]).flatMap((raw) =>
    inside(raw)
      ? [raw]
      : units(raw).flatMap((unit) => {
          if (typeof unit !== "string") return cutFence(unit, inside);
          return inside(unit) ? [unit] : cutQuoted(unit, inside);
        }),
  );
  const whole = strides(parts, (some) => inside(some.join(""))).map((some) => shape(some.join("")));
  return closed(
    whole.filter((one) => one !== ""),
    fits,
  ).map((one) => `${one}\n`);
}

/** Each piece a fenced block of its own, with the same language, where the code stood. */
function cutFence(fence: Fence, fits: Fits): string[] {
  const inside: Fits = (row) => fits(fenced(fence, [row]));
  if (!inside("x")) return cutLine(fence.rows.join(""), fits);
  const rows = fence.rows.flatMap((row) => (inside(row) ? [row] : cutLine(row, inside)));
  const parts = strides(rows, (some, at) => fits(fenced(fence, some, at === 0)));
  return parts.length === 0 ? [fenced(fence, [], true)] : parts.map((some, at) => fenced(fence, some, at === 0));
}

function cutCode({ text, lang = "", raw }: Tokens.Code, fits: Fits): string[] {
  const ticks = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1] ?? "```";
  return cutFence({ open: `${ticks}${lang}`, lead: "", ticks, lang, rows: lines(text) }, (piece) => fits(tidy(piece)));
}

/** A line that is too long; what is quoted stays quoted. */
function cutQuoted(line: string, fits: Fits): string[] {
  const lead = /^ {0,3}>[ >]{0,20}/.exec(line)?.[0] ?? "";
  return cutLine(line.slice(lead.length), (one) => fits(lead + one)).map((one) => lead + one);
}

/** Each piece with the head; a row that is too long on its own is cut like a line. */
function cutTable({ raw }: Tokens.Table, fits: Fits): string[] {
  const [head = "", rule = "", ...rows] = lines(raw.trimEnd()).map((one) => one.replace(/\n$/, ""));
  const whole = (body: string[]): string => [head, rule, ...body].join("\n");
  if (!fits(whole(["| x |"]))) return cutLine(raw, fits);
  const short = rows.map((row) => fits(whole([row])));
  return strides(rows, (some, at) => some.length === 1 || (short.slice(at, at + some.length).every(Boolean) && fits(whole(some)))).flatMap(
    (some) => (some.length === 1 && !fits(whole(some)) ? cutLine(some[0]!, fits) : [`${whole(some)}\n\n`]),
  );
}

/** In lines, cut where nothing is torn: between sentences, then words, then characters; never inside a link where the link fits. */
function cutLine(text: string, fits: Fits): string[] {
  const parts = text.match(/\[[^\]\n]*\]\([^)\n]*\)\S*\s*|<?https?:\/\/\S+\s*|\S+\s*|\s+/g) ?? [text];
  return gather(
    parts.flatMap((part) => (fits(tidy(part)) ? [part] : cutWord(part, fits))),
    "",
    fits,
  ).map((one) => `${one}\n`);
}

function cutWord(word: string, fits: Fits): string[] {
  const chars = [...word];
  const out: string[] = [];
  let guess = 1;
  for (let at = 0; at < chars.length; at += guess) {
    guess = most({ guess, of: chars.length - at }, (count) => fits(chars.slice(at, at + count).join("")));
    out.push(chars.slice(at, at + guess).join(""));
  }
  return out;
}

const MARKS = ["**", "__", "~~", "`", "*"] as const;

/** What is bold or code at the end of a piece goes on at the beginning of the next. */
function closed(parts: string[], fits: Fits): string[] {
  let carried: string[] = [];
  return parts.map((part, at) => {
    const begun = put(part, carried.join(""));
    const [next = ""] = lines(parts[at + 1] ?? "");
    carried = begins(next) ? [] : openMarks(lastParagraph(begun));
    const ended = begun.trimEnd() + carried.toReversed().join("");
    const whole = carried.length === 0 ? begun : ended;
    if (fits(tidy(whole))) return whole;
    carried = [];
    return part;
  });
}

/** What is open before it goes no further. */
function lastParagraph(text: string): string {
  const rows = lines(text);
  const from = rows.findLastIndex(begins);
  return rows.slice(from >= 0 && (opened(rows[from]!) || rows[from]!.trim() === "") ? from + 1 : Math.max(from, 0)).join("");
}

function openMarks(text: string): string[] {
  const open: string[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === "\\") {
      at += 2;
      continue;
    }
    const mark = MARKS.find((one) => text.startsWith(one, at));
    if (mark === undefined || (open.includes("`") && mark !== "`")) {
      at++;
      continue;
    }
    const known = open.lastIndexOf(mark);
    if (known >= 0) open.splice(known);
    else if (/\S/.test(text[at + mark.length] ?? " ") && (mark !== "*" || at === 0 || /\s/.test(text[at - 1]!))) open.push(mark);
    at += mark.length;
  }
  return open;
}
