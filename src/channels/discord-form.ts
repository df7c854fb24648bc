// Markdown as Discord's own: it knows headings, lists, quotes and code; tables become code. What was meant plainly stays plain.
import { type Form, formed } from "../core/markdown.ts";

const MARKS = /https?:\/\/[^\s<>]+|\\(?![A-Za-z0-9\s]|$)|\*|`|~~|\|\||(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g;

/** Addresses stay as they are: a backslash would become part of them. */
const escaped = (raw: string): string =>
  raw
    .replace(MARKS, (found) => (found.startsWith("http") ? found : found.replace(/[\\*`~|_]/g, "\\$&")))
    .replace(/^(\s*)(#{1,3}\s|-#\s|>{1,3}\s|[-+]\s)/gm, "$1\\$2");

/** No end of the block stands inside of it. */
const inBlock = (raw: string): string => raw.replaceAll("```", "`\u200b``");

const DISCORD: Form = {
  text: escaped,
  bold: (inner) => `**${inner}**`,
  italic: (inner) => `*${inner}*`,
  strike: (inner) => `~~${inner}~~`,
  code: (raw) => (raw.includes("`") ? `\`\` ${raw.replaceAll("``", "`\u200b`")} \`\`` : `\`${raw}\``),
  pre: (raw, language) => `\`\`\`${language}\n${inBlock(raw)}\n\`\`\``,
  link: (inner, address) =>
    /^https?:\/\/\S+$/i.test(address) ? `[${inner}](${address.replaceAll("(", "%28").replaceAll(")", "%29")})` : `${inner} (${address})`,
  heading: (inner, depth) => (depth <= 3 ? `${"#".repeat(depth)} ${inner}` : `**${inner.replaceAll("**", "")}**`),
  quote: (inner) => inner.replace(/^(?:> )*/gm, "> "),
};

export const discordText = (markdown: string): string => formed(markdown, DISCORD);
