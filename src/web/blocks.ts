// Markdown as blocks, and what in it may become an address or a character. Growing text is parsed block by block:
// only the last blocks, still open, are parsed again. Drawing is `markdown.tsx`.
import type { Token } from "marked";
import { lex, LONGEST } from "./lexer.ts";

export interface Parsed {
  text: string;
  /** Blocks that more text can't change any more, and how much text they cover. */
  closed: Token[];
  covered: number;
  open: Token[];
}

const parsed = new Map<string, Parsed>();
const KEPT = 400;

/** `id` names the text while it grows. */
export function parse(id: string, given: string): Parsed {
  const text = given.replace(/\r\n?/g, "\n");
  const before = parsed.get(id);
  if (before?.text === text) return before;
  const grows = before !== undefined && text.length <= LONGEST && text.startsWith(before.text.slice(0, before.covered));
  const closed = grows ? before.closed : [];
  const covered = grows ? before.covered : 0;
  const tokens = lex(text.slice(covered));
  // The last block may still grow, and as it grows turn out to belong to the one before ("1" becomes the list's next item).
  const solid = tokens.flatMap(({ type }, index) => (type === "space" ? [] : [index]));
  const last = solid.at(-2) ?? 0;
  const head = tokens.slice(0, last);
  const raw = head.map((token) => token.raw).join("");
  // The lexer may tidy what it read; only what is there letter by letter is closed.
  const ready = text.startsWith(raw, covered) ? head : [];
  const next: Parsed = {
    text,
    closed: ready.length > 0 ? [...closed, ...ready] : closed,
    covered: covered + (ready.length > 0 ? raw.length : 0),
    open: tokens.slice(ready.length),
  };
  parsed.delete(id);
  parsed.set(id, next);
  if (parsed.size > KEPT) parsed.delete(parsed.keys().next().value!);
  return next;
}

/** The address when it is one that may be followed; anything else is only text. */
export function safeAddress(href: string): URL | undefined {
  const url = URL.parse(words(href).trim());
  return url && /^(https?|mailto):$/.test(url.protocol) ? url : undefined;
}

/** Whether the words of a link begin with its real host, as a plain address does; anywhere else in them it could belong to another name. */
export const namesHost = (text: string, host: string): boolean => text.replace(/^https?:\/\//, "").split("/")[0] === host;

const named: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  rarr: "→",
  larr: "←",
  times: "×",
  euro: "€",
};

/** Character references as characters; they end up in text nodes only. */
export function words(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,8}));/g,
    (whole, decimal: string | undefined, hex: string | undefined, name: string | undefined) => {
      if (name !== undefined) return named[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
    },
  );
}
