// How many cells text takes in a terminal, and folding it into rows. Marks that stand for styles take none.

const ZERO = /\p{M}|[\u200b-\u200f\ufdd0-\ufdef]/u;
const TWO =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

const cell = (char: string): number => (char < "\u0300" ? 1 : ZERO.test(char) ? 0 : TWO.test(char) ? 2 : 1);

export function cells(text: string): number {
  let count = 0;
  for (const char of text) count += cell(char);
  return count;
}

/** Rows of at most `width` cells, broken at spaces where there are any; what follows the first row is indented like it. */
export function fold(text: string, width: number): string[] {
  if (cells(text) <= width) return [text];
  const indent = " ".repeat(Math.min(/^\s*(?:[•☐☑]\s|\d{1,3}[.)]\s)?/.exec(text)![0].length, Math.floor(width / 2)));
  const rows: string[] = [];
  let row = "";
  for (const word of text.split(/(?<=\s)/)) {
    if (cells((row + word).trimEnd()) > width && row.trim() !== "") {
      rows.push(row.trimEnd());
      row = indent;
    }
    row += word;
    while (cells(row.trimEnd()) > width) {
      const head = cut(row, width);
      rows.push(head);
      row = indent + row.slice(head.length);
    }
  }
  return [...rows, row.trimEnd()];
}

/** Its beginning, in at most `width` cells but at least one character. */
export function cut(text: string, width: number): string {
  let count = 0;
  let end = 0;
  for (const char of text) {
    count += cell(char);
    if (count > width && end > 0) break;
    end += char.length;
  }
  return text.slice(0, end);
}
