// All that is written to the terminal: control characters taken out of everything, styles only where they are shown.
import { visible } from "../std/text.ts";
import { cells, cut } from "./width.ts";

export interface Stream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}
export interface Output {
  /** To standard output, with a line end. */
  line(text?: string): void;
  /** To standard output as it is, for streaming. */
  write(text: string): void;
  /** One JSON document on standard output; characters that a terminal would act on are escaped. */
  json(value: unknown): void;
  /** To standard error, with a line end: what is said beside the result. */
  note(text: string): void;
  /** Whether standard output is a terminal. */
  tty: boolean;
  width: number;
}

/** Noncharacters stand for styles until the text is clean, so nothing untrusted can bring a sequence of its own. */
const STYLES: Record<string, string> = {
  "\ufdd0": "0",
  "\ufdd1": "1",
  "\ufdd2": "2",
  "\ufdd3": "31",
  "\ufdd4": "32",
  "\ufdd5": "33",
  "\ufdd6": "36",
  "\ufdd7": "4",
};
const styled = (mark: string) => (text: string) => `${mark}${text}\ufdd0`;
export const bold = styled("\ufdd1");
export const dim = styled("\ufdd2");
export const red = styled("\ufdd3");
export const green = styled("\ufdd4");
export const yellow = styled("\ufdd5");
export const cyan = styled("\ufdd6");
export const underlined = styled("\ufdd7");

/** No control characters but tab and line feed; a lone carriage return could rewrite the line. */
export const clean = (text: string): string => visible(text.replace(/\r\n?/g, "\n"));

export function paint(text: string, colours: boolean): string {
  return clean(text).replace(/[\ufdd0-\ufdef]/g, (mark) => (colours && STYLES[mark] ? `\u001b[${STYLES[mark]}m` : ""));
}

export function openOutput({ stdout, stderr, env }: { stdout: Stream; stderr: Stream; env: Record<string, string | undefined> }): Output {
  const coloured = (stream: Stream): boolean => Boolean(stream.isTTY) && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  const out = coloured(stdout);
  const err = coloured(stderr);
  return {
    tty: Boolean(stdout.isTTY),
    width: stdout.columns ?? 80,
    line: (text = "") => void stdout.write(`${paint(text, out)}\n`),
    write: (text) => void stdout.write(paint(text, out)),
    note: (text) => void stderr.write(`${paint(text, err)}\n`),
    json: (value) => void stdout.write(`${jsonText(value)}\n`),
  };
}

export const jsonText = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(/[^\n\x20-\x7e]/gu, (char) =>
    visible(char) === char
      ? char
      : [...char]
          .flatMap((one) => one.split(""))
          .map(escaped)
          .join(""),
  );

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Columns under headings, as wide as their widest cell; in a terminal a line is cut to its width. */
export function table(out: Output, head: string[], rows: string[][]): void {
  const all = rows.map((row) => row.map((cell) => clean(cell).replace(/\s+/g, " ")));
  const widths = head.map((title, column) => Math.max(title.length, ...all.map((row) => cells(row[column]!))));
  const text = (row: string[]): string => {
    const line = row
      .map((cell, column) => (column === row.length - 1 ? cell : cell + " ".repeat(widths[column]! - cells(cell))))
      .join("  ");
    return out.tty && cells(line) > out.width ? `${cut(line, out.width - 1)}\ufdd0…` : line;
  };
  out.line(dim(text(head)));
  for (const row of all) out.line(text(row));
}
