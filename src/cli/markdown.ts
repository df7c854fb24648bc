// Markdown for a terminal, modestly and a line at a time: headings, lists, code, bold. What it does not know stays as it is.
import { bold, cyan, dim, underlined } from "./output.ts";

export interface Renderer {
  /** The next whole line. */
  line(text: string): string;
  /** A line that is still growing; changes nothing. */
  peek(text: string): string;
  /** Whether lines stand in a code block, where they are not to be folded. */
  inCode(): boolean;
}

export function renderer(): Renderer {
  const state = { fence: "" };
  const line = (text: string): string => {
    const fence = /^\s{0,3}(```+|~~~+)\s*(\S*)/.exec(text);
    if (state.fence) {
      if (!fence?.[1]!.startsWith(state.fence) || fence[2]) return `${dim("│")} ${cyan(text)}`;
      state.fence = "";
      return dim("└──");
    }
    if (!fence) return block(text);
    state.fence = fence[1]!;
    return dim(`┌── ${fence[2]}`.trimEnd());
  };
  return {
    line,
    inCode: () => state.fence !== "",
    peek(text) {
      const { fence } = state;
      const shown = line(text);
      state.fence = fence;
      return shown;
    },
  };
}

/** Markdown as it was written, for pipes and terminals without styles. */
export const unrendered = (): Renderer => ({ line: (text) => text, peek: (text) => text, inCode: () => true });

function block(line: string): string {
  const heading = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/.exec(line);
  if (heading) return bold(plain(heading[1]!));
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) return dim("─".repeat(24));
  const item = /^(\s*)[-*+]\s+(?:\[([ xX])\]\s+)?(.*)$/.exec(line);
  if (item) return `${item[1]}${item[2] === undefined ? "•" : item[2] === " " ? "☐" : "☑"} ${inline(item[3]!)}`;
  const quote = /^\s{0,3}>\s?(.*)$/.exec(line);
  return quote ? `${dim("▎")}${inline(quote[1]!)}` : inline(line);
}

/** Code first: nothing inside it is styled. */
const inline = (text: string): string =>
  text
    .split(/(`[^`]+`)/)
    .map((part) => (/^`[^`]+`$/.test(part) ? cyan(part.slice(1, -1)) : spans(part)))
    .join("");

const spans = (text: string): string =>
  text
    .replace(/\*\*(\S(?:.*?\S)?)\*\*/g, (_, inner: string) => bold(inner))
    .replace(
      /(^|[^!])\[([^\]]+)\]\(([^()\s]+)\)/g,
      (_, before: string, label: string, url: string) => `${before}${underlined(label)}${label === url ? "" : dim(` (${url})`)}`,
    );

const plain = (text: string): string => text.replace(/\*\*(.+?)\*\*/g, "$1").replace(/`([^`]+)`/g, "$1");
