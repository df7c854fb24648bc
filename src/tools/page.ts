// Turns a web page into readable text with links, in time linear in its size whatever it holds. Fetching it is left to web.ts.
import type { HtmlToTextOptions } from "html-to-text";
import { deepAt } from "../std/nesting.ts";

/** Of a longer page only the beginning is read, in characters. */
const LONGEST = 1_000_000;
/** The parser takes quadratic time in the depth of nesting, so deeper pages are cut where they get there. */
const DEEPEST = 1000;

const SKIPPED = [
  "title",
  "img",
  "svg",
  "script",
  "style",
  "noscript",
  "template",
  "iframe",
  "object",
  "[hidden]",
  '[style*="display:none"]',
  '[style*="display: none"]',
  '[style*="visibility:hidden"]',
  '[style*="visibility: hidden"]',
];
const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  whitespaceCharacters: " \t\r\n\f",
  limits: { maxDepth: DEEPEST + 10, maxChildNodes: 50_000 },
  selectors: [
    { selector: "a", options: { hideLinkHrefIfSameAsText: true, linkBrackets: ["(", ")"], pathRewrite: link } },
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
    { selector: "tr", format: "block", options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
    ...["th", "td"].map((selector) => ({ selector, format: "inlineSurround", options: { suffix: " | " } })),
    ...SKIPPED.map((selector) => ({ selector, format: "skip" })),
  ],
};

/** `url` is the page's own, for links that are relative. */
export async function pageText(html: string, url: string): Promise<{ title: string; text: string }> {
  const { convert } = await import("html-to-text");
  const start = html.slice(0, LONGEST);
  const end = deepAt(start, DEEPEST);
  const page = end === undefined ? start : `${start.slice(0, end)}<p>… (the rest of the page is nested too deeply to read)`;
  const title = convert(titleIn(page), { wordwrap: false }).replace(/\s+/g, " ").trim();
  return {
    title,
    text: convert(page, OPTIONS, url)
      .replace(/ \| ?$/gm, "")
      .trim(),
  };
}

/** Only addresses that can be fetched are shown. */
function link(path: string, base: string): string {
  const url = URL.parse(path, base);
  return url && /^(?:https?|mailto):$/.test(url.protocol) ? url.href : "";
}

function titleIn(page: string): string {
  const start = page.search(/<title[\s>]/i);
  if (start < 0) return "";
  const from = page.indexOf(">", start) + 1;
  const end = page.indexOf("<", from);
  return from > 0 ? page.slice(from, Math.min(end < 0 ? page.length : end, from + 1000)) : "";
}
