// Markdown in the forms of other systems: each says how a piece of it looks there. Nothing of the text is lost; what a form can't show stands as plain words.
import { Lexer, type Token, type Tokens } from "marked";

/** All texts that come in are raw; what goes out is the system's own form. Inline pieces come in formed already. */
export interface Form {
  /** Plain words, escaped as need be. */
  text(raw: string): string;
  bold(inner: string): string;
  italic(inner: string): string;
  strike(inner: string): string;
  code(raw: string): string;
  pre(raw: string, language: string): string;
  link(inner: string, address: string): string;
  heading(inner: string, depth: number): string;
  quote(inner: string): string;
}

const LONGEST = 200_000;

/** Never throws. */
export function formed(markdown: string, form: Form): string {
  if (markdown.length > LONGEST) return form.text(markdown);
  try {
    // Long gaps cost a lexer of Markdown the square of their length. What shows nothing, such as a definition alone, stands as it is.
    const calm = markdown.replace(/[ \t]{200,}/g, (gap) => gap.slice(0, 200));
    return blocks(new Lexer({ gfm: true, breaks: true }).lex(calm), form).trim() || form.text(markdown).trim();
  } catch {
    return form.text(markdown);
  }
}

function blocks(tokens: Token[], form: Form): string {
  return tokens
    .map((token) => block(token, form))
    .filter((one) => one !== "")
    .join("\n\n");
}

function block(token: Token, form: Form): string {
  const one = token as Tokens.Generic;
  if (one.type === "space" || one.type === "def") return "";
  if (one.type === "code") return form.pre(String(one["text"]), /^[\w+#-]*/.exec(String(one["lang"] ?? ""))?.[0] ?? "");
  if (one.type === "heading") return form.heading(inline(one.tokens, form), Number(one["depth"]));
  if (one.type === "blockquote") return form.quote(blocks(one.tokens ?? [], form));
  if (one.type === "list") return list(token as Tokens.List, form, 0);
  if (one.type === "table") return form.pre(tableText(token as Tokens.Table), "");
  if (one.type === "hr") return form.text("———");
  if (one.tokens) return inline(one.tokens, form);
  return form.text(String(one["text"] ?? one.raw).trimEnd());
}

function list({ items, ordered, start }: Tokens.List, form: Form, depth: number): string {
  const pad = "   ".repeat(depth);
  return items
    .map((item, at) => {
      const mark = item.task ? (item.checked ? "☑" : "☐") : ordered ? `${(start || 1) + at}.` : "•";
      const inner = item.tokens
        .filter(({ type }) => type !== "checkbox")
        .map((token) => (token.type === "list" ? `\n${list(token as Tokens.List, form, depth + 1)}` : block(token, form)));
      return `${pad}${form.text(mark)} ${inner
        .join("\n")
        .replace(/\n{2,}/g, "\n")
        .trim()}`;
    })
    .join("\n");
}

function inline(tokens: Token[] = [], form: Form): string {
  return tokens.map((token) => span(token, form)).join("");
}

function span(token: Token, form: Form): string {
  const one = token as Tokens.Generic;
  const inner = (): string => inline(one.tokens, form);
  if (one.type === "strong") return form.bold(inner());
  if (one.type === "em") return form.italic(inner());
  if (one.type === "del") return form.strike(inner());
  if (one.type === "codespan") return form.code(String(one["text"]));
  if (one.type === "br") return "\n";
  if (one.type === "link")
    return one.raw === one["href"] || one.raw === `<${one["href"]}>`
      ? form.text(String(one["href"]))
      : form.link(inner(), String(one["href"]));
  if (one.type === "image") return form.link(form.text(String(one["text"] || "image")), String(one["href"]));
  if (one.type === "escape") return form.text(String(one["text"]));
  if (one.tokens) return inner();
  return form.text(String(one["text"] ?? one.raw));
}

const PLAIN: Form = {
  ...{ text: (raw) => raw, bold: (inner) => inner, italic: (inner) => inner, strike: (inner) => inner, code: (raw) => raw },
  ...{ pre: (raw) => raw, link: (inner) => inner, heading: (inner) => inner, quote: (inner) => inner },
};

/** Columns under each other, in letters of one width. */
function tableText({ header, rows }: Tokens.Table): string {
  const all = [header, ...rows].map((cells) => cells.map(({ tokens }) => inline(tokens, PLAIN).replace(/\s+/g, " ")));
  const widths = header.map((_, at) => Math.max(...all.map((cells) => [...(cells[at] ?? "")].length)));
  const line = (cells: string[]): string =>
    cells
      .map((cell, at) => cell + " ".repeat(Math.max(0, widths[at]! - [...cell].length)))
      .join("  ")
      .trimEnd();
  const [head, ...body] = all;
  return [line(head!), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join("\n");
}
