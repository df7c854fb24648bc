// Markdown for Slack's `markdown` block and for its plain lines, and what people write there as Markdown.
import { type Form, formed } from "../core/markdown.ts";

/** Slack reads <…> in Markdown as its own: as mentions of everybody, as links under other names. Told as &lt; it shows what stands there. */
export const slackMarkdown = (markdown: string): string =>
  outsideCode(markdown, (text) => text.replace(/<((?:https?:\/\/|mailto:)[^\s<>|]+)>/g, "$1")).replaceAll("<", "&lt;");

export const slackLength = (markdown: string): number => slackMarkdown(markdown).length;

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const escaped = (raw: string): string => raw.replace(/[&<>]/g, (char) => ESCAPES[char]!);

const LINES: Form = {
  text: escaped,
  bold: (inner) => `*${inner}*`,
  italic: (inner) => `_${inner}_`,
  strike: (inner) => `~${inner}~`,
  code: (raw) => `\`${escaped(raw)}\``,
  pre: (raw) => `\`\`\`\n${escaped(raw)}\n\`\`\``,
  link: (inner, address) => (/^(https?|mailto):[^\s<>|]+$/i.test(address) ? `<${escaped(address)}|${inner}>` : inner),
  heading: (inner) => `*${inner.replaceAll("*", "")}*`,
  quote: (inner) => inner.replace(/^/gm, "> "),
};

/** For notifications, readers of screens, and where blocks are refused. */
export const slackLines = (markdown: string): string => formed(markdown, LINES);

const SHORT = 3000;
export function slackSummary(markdown: string): string {
  const whole = slackLines(markdown);
  return whole.length <= SHORT ? whole : `${whole.slice(0, SHORT).replace(/&[a-z]{0,3}$|<[^>]*$/, "")}…`;
}

/** What a person wrote, as Markdown; `me`: the mention of this account is taken out. */
export function readText(text: string, me: string): string {
  return outsideCode(text.replace(new RegExp(`<@${me}(\\|[^>]*)?>`, "g"), ""), (part) =>
    part
      .replace(/<(https?:[^|>\s]+|mailto:[^|>\s]+|tel:[^|>\s]+)(?:\|([^>]*))?>/g, (_, address: string, label?: string) =>
        label === undefined || address.endsWith(label) ? address.replace(/^mailto:|^tel:/, "") : `[${label}](${address})`,
      )
      .replace(/<!(?:subteam\^\w+|date\^[^|>]*)\|([^>]*)>/g, "$1")
      .replace(/<!(\w+)(?:\^\w+)?(?:\|[^>]*)?>/g, "@$1")
      .replace(/<[@#]\w+\|([^>]+)>/g, "$1")
      .replace(/<([@#]\w+)\|?>/g, "$1")
      .replace(/(^|[\s(])\*(?=\S)([^*\n]*\S)\*(?=$|[\s).,:;!?])/g, "$1**$2**")
      .replace(/(^|[\s(])~(?=\S)([^~\n]*\S)~(?=$|[\s).,:;!?])/g, "$1~~$2~~"),
  )
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .trim();
}

function outsideCode(text: string, change: (part: string) => string): string {
  return text
    .split(/(```[\s\S]*?(?:```|$)|`[^`\n]+`)/)
    .map((part, at) => (at % 2 === 1 ? part : change(part)))
    .join("");
}
