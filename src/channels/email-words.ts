// What a person says in a mail: without the history that their program put below it, without the signature; what they pass on is marked as not theirs.
import { deepAt } from "../std/nesting.ts";

/** How a line begins that says who wrote what follows, and the word that stands towards its end. */
const OPENING = /^(?:on|am|le|el|il|op|den|em|dnia)\s/iu;
const WROTE = /(?<![\p{L}\p{N}])(?:wrote|schrieb|écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał)(?![\p{L}\p{N}])/iu;
const OUTLOOK = /^(?:_{10,}|-{2,}\s*(?:original message|ursprüngliche nachricht|message d'origine|mensaje original)\s*-{2,})\s*$/iu;
const BLOCK = /^\*?(?:from|von|de|da|van)\s*:\*?\s+\S/iu;
const FIELD = /^\*?(?:sent|date|gesendet|datum|envoyé|enviado|to|an|à|para|subject|betreff|objet|asunto|cc)\s*:/iu;
const FORWARDED =
  /^-{2,}\s*(?:forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado)|^begin forwarded message:/iu;
const MOST_PASSED = 20_000;

export interface Words {
  own: string;
  /** Somebody else's, which the sender passed on; "" when there are none. */
  passed: string;
}

/** `forwards`: the mail says that it is passed on, so what looks like history is what it passes on, and without a sign of where that begins it is all of it. */
export function ownWords(text: string, forwards: boolean): Words {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const begins = (line: string, at: number): boolean => FORWARDED.test(line) || (forwards && (OUTLOOK.test(line) || isBlock(lines, at)));
  const forward = lines.findIndex((line, at) => begins(line.trim(), at));
  const own = said(forward < 0 ? lines : lines.slice(0, forward));
  if (forward < 0) return forwards ? { own: "", passed: clipped(text.trim()) } : { own, passed: "" };
  return { own, passed: clipped(lines.slice(forward).join("\n").trim()) };
}

export const clipped = (text: string): string => text.slice(0, MOST_PASSED);

function said(lines: string[]): string {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.startsWith(">")) continue;
    if (line === "-- " || OUTLOOK.test(line.trim()) || isBlock(lines, at)) break;
    const long = attribution(lines, at);
    if (long === 0) out.push(line);
    else {
      // Marked lines below are passed over one by one, so that answers between them stay; unmarked ones can't be told from history.
      at += long - 1;
      while (lines[at + 1]?.trim() === "") at++;
      if (lines[at + 1]?.startsWith(">") === false) break;
    }
  }
  return out
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** How many lines say who wrote what follows: programs break that line. */
function attribution(lines: string[], at: number): number {
  let joined = "";
  for (let count = 1; count <= 3 && at + count <= lines.length; count++) {
    joined += `${count === 1 ? "" : " "}${lines[at + count - 1]!.trim()}`;
    if (joined.length >= 600 || !OPENING.test(joined)) return 0;
    if (joined.endsWith(":") && WROTE.test(joined.slice(Math.max(4, joined.length - 220)))) return count;
  }
  return 0;
}

const isBlock = (lines: string[], at: number): boolean =>
  BLOCK.test(lines[at]!.trim()) && lines.slice(at + 1, at + 5).filter((line) => FIELD.test(line.trim())).length >= 2;

const HISTORY = ["blockquote", "div.gmail_quote", "div.moz-cite-prefix", "div#appendonsend", "div#divRplyFwdMsg"];

const MOST_PAGE = 400_000;
/** What lies deeper costs more than its length. */
const DEEPEST = 200;

/** `whole`: with what mail programs mark as history. Never throws. */
export async function fromHtml(html: string, whole: boolean): Promise<string> {
  const { convert } = await import("html-to-text");
  const start = html.slice(0, MOST_PAGE);
  const page = start.slice(0, deepAt(start, DEEPEST));
  const skip = (selector: string): { selector: string; format: "skip" } => ({ selector, format: "skip" });
  try {
    return convert(page, {
      wordwrap: false,
      limits: { maxDepth: DEEPEST + 10, maxChildNodes: 2000, ellipsis: "…" },
      selectors: [
        ...[...(whole ? [] : HISTORY), "img", "style"].map(skip),
        { selector: "a", options: { hideLinkHrefIfSameAsText: true, ignoreHref: false } },
      ],
    });
  } catch {
    return "";
  }
}
