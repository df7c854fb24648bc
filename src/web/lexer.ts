// Markdown to tokens, whatever the text: what would nest too deep, take too long or break the parser becomes plain text. What grows is `blocks.ts`.
import { Lexer, type Token, type Tokens } from "marked";

/** Text that is shown as it stands. */
export interface Plain {
  type: "plain";
  raw: string;
  /** Why, where a reader would wonder. */
  note?: string;
}

/** The parser recurses into each level, and reads all below it again. */
const DEEPEST = 100;
/** The parser's time for one paragraph or cell grows with the square of its length, and that of a word most of all. */
const LONGEST_INLINE = 20_000;
const longWord = /[\x21-\x7e]{2000}/;
/** Of one text as a whole. */
export const LONGEST = 200_000;

/** Never throws. The tokens' `raw`, joined, is the text, but for what the parser tidies. */
export function lex(text: string): Token[] {
  if (text.length > LONGEST) return [plain(text, "This is very long, so it is shown without formatting.")];
  return segments(text).flatMap((one) => (one.deep ? plain(one.text) : blocks(one.text)));
}

const plain = (raw: string, note?: string): Token => ({ type: "plain", raw, ...(note ? { note } : {}) }) satisfies Plain;

function blocks(text: string): Token[] {
  try {
    const lexer = new Lexer({ gfm: true, breaks: true });
    lexer.blockTokens(text, lexer.tokens);
    for (const { src, tokens } of lexer.inlineQueue) inlines(lexer, src, tokens);
    return [...lexer.tokens];
  } catch {
    return [plain(text)];
  }
}

function inlines(lexer: Lexer, src: string, tokens: Token[]): void {
  if (src.length <= LONGEST_INLINE && !longWord.test(src))
    try {
      lexer.inlineTokens(src, tokens);
      return;
    } catch {
      tokens.length = 0;
    }
  tokens.push({ type: "text", raw: src, text: src, escaped: false } satisfies Tokens.Text);
}

/** Cut at empty lines around what nests too deep; one segment when nothing does. */
function segments(text: string): { text: string; deep: boolean }[] {
  if (!isDeep(text)) return [{ text, deep: false }];
  const found: { text: string; deep: boolean }[] = [];
  const parts = text.split(/(\n(?:[ \t]*\n)+)/);
  for (let index = 0; index < parts.length; index += 2) {
    const part = parts[index]! + (parts[index + 1] ?? "");
    const deep = isDeep(part);
    const last = found.at(-1);
    if (last?.deep === deep) last.text += part;
    else found.push({ text: part, deep });
  }
  return found;
}

const mayBeDeep = new RegExp(`^[ \\t>*+\\-\\d.)]{${DEEPEST / 2}}`, "m");
const isDeep = (text: string): boolean => mayBeDeep.test(text) && text.split("\n").some((line) => levels(line) > DEEPEST);

/** How deep the beginning of a line may nest it: each marker is a level, and so are two columns of room. */
function levels(line: string): number {
  const step = /[ \t]|>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$)/y;
  let markers = 0;
  let columns = 0;
  for (let found = step.exec(line); found; found = step.exec(line)) {
    if (found[0] === " ") columns++;
    else if (found[0] === "\t") columns += 4;
    else markers++;
  }
  // The room after a marker belongs to it.
  return markers + Math.max(0, columns - markers) / 2;
}
