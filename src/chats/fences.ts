// Fenced code in Markdown as lines see it: also in lists and quotes, whose marks stand before it.

export const lines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

const OPEN = /^((?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t]){0,40})(`{3,}|~{3,})([^`\n]*)\n?$/;
const LEAD = /^[ \t>]*/;

export interface Fence {
  /** The line that opens it, as it stands. */
  open: string;
  /** What stands before each further line: the indent of its list, the marks of its quote. */
  lead: string;
  ticks: string;
  lang: string;
  /** Without what stands before them. */
  rows: string[];
}

export function opened(line: string): Fence | undefined {
  const [, before = "", ticks, lang = ""] = OPEN.exec(line) ?? [];
  return ticks === undefined ? undefined : { open: line, lead: before.replace(/[^\s>]/g, " "), ticks, lang: lang.trim(), rows: [] };
}

/** This line ends it. */
export function closes({ lead, ticks }: Fence, line: string): boolean {
  const bare = within(lead, line).trim();
  return bare.startsWith(ticks) && bare.replaceAll(ticks[0]!, "") === "";
}

/** A quote that ends takes its code with it. */
export const leaves = ({ lead }: Fence, line: string): boolean => lead.includes(">") && !/^ *>/.test(line);

/** Its lines, and in their places what is fenced. */
export function units(text: string): (string | Fence)[] {
  const out: (string | Fence)[] = [];
  let fence: Fence | undefined;
  for (const line of lines(text)) {
    if (fence && leaves(fence, line)) fence = undefined;
    if (fence && closes(fence, line)) fence = undefined;
    else if (fence) fence.rows.push(within(fence.lead, line));
    else out.push((fence = opened(line)) ?? line);
  }
  return out;
}

/** Without as much of it as stands before the line. */
function within(lead: string, line: string): string {
  let at = 0;
  while (at < lead.length && lead[at] === line[at]) at++;
  return line.slice(at);
}

/** With these rows, on its own. `first`: it begins here. */
export function fenced({ open, lead, ticks, lang }: Fence, rows: string[], first = false): string {
  const begin = first ? open.replace(/\n$/, "") : `${lead}${ticks}${lang}`;
  const body = rows.map((row) => (row.trim() === "" ? lead.trimEnd() : `${lead}${row.replace(/\n$/, "")}`));
  return `${[begin, ...body, `${lead}${ticks}`].join("\n")}\n`;
}

/** Nothing of the paragraph before goes on in this line: it is blank, of a fence, of a list or a head. */
export const begins = (line: string): boolean => /^(?:\s*$|#|(?:[-*+]|\d{1,9}[.)])\s|`{3}|~{3})/.test(line.replace(LEAD, ""));

/** In a message of its own nothing stands above by which an indent is more than one: it would be code. */
export function dedented(text: string): string {
  let indent = indentOf(text);
  if (indent === 0) return text;
  return lines(text)
    .map((row) => {
      if (row.trim() !== "") indent = Math.min(indent, indentOf(row));
      return row.slice(Math.min(indent, indentOf(row)));
    })
    .join("");
}

const indentOf = (text: string): number => /^ */.exec(text)![0].length;

/** After the marks of its quote. */
export const put = (text: string, marks: string): string => text.replace(LEAD, (lead) => lead + marks);
