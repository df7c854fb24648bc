// Markdown as the HTML that mail programs and Matrix's clients show: few tags, no scripts, no styles, nothing that is fetched.
import { type Form, formed } from "../core/markdown.ts";

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (raw: string): string => raw.replace(/[&<>"]/g, (char) => ESCAPES[char]!);

const HTML: Form = {
  text: escaped,
  bold: (inner) => `<strong>${inner}</strong>`,
  italic: (inner) => `<em>${inner}</em>`,
  strike: (inner) => `<del>${inner}</del>`,
  code: (raw) => `<code>${escaped(raw)}</code>`,
  pre: (raw, language) => `<pre><code${language ? ` class="language-${escaped(language)}"` : ""}>${escaped(raw)}</code></pre>`,
  link: (inner, address) => (/^(https?|mailto):/i.test(address) ? `<a href="${escaped(address)}">${inner}</a>` : inner),
  heading: (inner, depth) => `<h${Math.min(6, depth)}>${inner}</h${Math.min(6, depth)}>`,
  quote: (inner) => `<blockquote>${inner}</blockquote>`,
};

/** Lines break where they do in the Markdown; code keeps its lines. */
export const pageHtml = (markdown: string): string =>
  formed(markdown, HTML)
    .split(/(<pre>[\s\S]*?<\/pre>)/)
    .map((part) => (part.startsWith("<pre>") ? part : part.replaceAll("\n", "<br>\n")))
    .join("")
    .replace(/(<\/(?:h[1-6]|blockquote|pre)>)(?:<br>\n)+/g, "$1\n")
    .replace(/(?:<br>\n)+(<(?:h[1-6]|blockquote|pre)>)/g, "\n$1");

const encoder = new TextEncoder();
export const byteLength = (text: string): number => encoder.encode(text).length;
