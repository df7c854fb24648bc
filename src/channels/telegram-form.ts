// Markdown as Telegram's HTML, and how long it is by Telegram's count: what is seen, in UTF-16 units.
import { type Form, formed } from "../core/markdown.ts";

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const escaped = (raw: string): string => raw.replace(/[&<>]/g, (char) => ESCAPES[char]!);
const quoted = (raw: string): string => escaped(raw).replaceAll('"', "&quot;");

/** Links in links, as of a picture, are one; one without words shows its address. */
function linked(inner: string, address: string): string {
  const words = inner.replace(/<\/?a\b[^>]*>/g, "");
  if (!/^(https?|mailto|tg):/i.test(address)) return words || escaped(address);
  return `<a href="${quoted(address)}">${words.trim() === "" ? escaped(address) : words}</a>`;
}

const HTML: Form = {
  text: escaped,
  bold: (inner) => `<b>${inner}</b>`,
  italic: (inner) => `<i>${inner}</i>`,
  strike: (inner) => `<s>${inner}</s>`,
  code: (raw) => `<code>${escaped(raw)}</code>`,
  pre: (raw, language) =>
    language ? `<pre><code class="language-${quoted(language)}">${escaped(raw)}</code></pre>` : `<pre>${escaped(raw)}</pre>`,
  link: linked,
  heading: (inner) => `<b>${inner.replace(/<\/?b>/g, "")}</b>`,
  quote: (inner) => `<blockquote>${inner.replace(/<\/?blockquote>/g, "")}</blockquote>`,
};

export const telegramHtml = (markdown: string): string => formed(markdown, HTML);

export const telegramLength = (markdown: string): number =>
  telegramHtml(markdown)
    .replace(/<[^>]*>/g, "")
    .replace(/&(amp|lt|gt|quot);/g, "x").length;
