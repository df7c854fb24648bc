// Puts any text safely into Markdown: code spans, blocks, tables. Pure.
import { clip } from "../../std/text.ts";

const LONGEST = 20_000;

/** A code span that holds any text. */
export function code(text: string): string {
  const line = text.replace(/\s+/g, " ");
  const ticks = "`".repeat(1 + Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length)));
  return ticks === "`" ? `\`${line}\`` : `${ticks} ${line} ${ticks}`;
}

/** A fenced block that holds any text. */
export function block(text: string, language = ""): string {
  const fence = "`".repeat(Math.max(3, ...(text.match(/`{3,}/g) ?? []).map((run) => run.length + 1)));
  return `${fence}${language}\n${clip(text.replace(/\n$/, ""), LONGEST)}\n${fence}`;
}

export const plural = (count: number, word: string): string => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
export const asText = (output: unknown): string =>
  typeof output === "string" ? output : output === null || output === undefined ? "" : JSON.stringify(output, null, 2);

/** Names and values as a table of two columns. */
export function table(output: unknown): string {
  if (!output || typeof output !== "object" || Array.isArray(output)) return block(asText(output));
  const rows = Object.entries(output).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `| | |\n|---|---|\n${rows.map(([key, value]) => `| ${cell(key)} | ${cell(asText(value))} |`).join("\n")}`;
}

/** Text that stands as it is in a table's cell or a line. */
export const cell = (text: string): string => text.replace(/[|\\`*_<[\]]/g, "\\$&").replace(/\s*\n\s*/g, " ");
