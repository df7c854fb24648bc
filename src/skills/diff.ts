// Two texts compared line by line, for people to see what changes. Time is bounded: very different long texts become one block out, one block in.

export interface DiffLine {
  kind: "same" | "out" | "in";
  text: string;
}
/** Pairs of lines that the exact comparison looks at. */
export const MOST = 2_000_000;

/** `most`: less of that work, where many are compared for one answer. */
export function diffLines(before: string, after: string, most = MOST): DiffLine[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (text: string): DiffLine => ({ kind: "same", text });
  return [
    ...a.slice(0, start).map(same),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end), most),
    ...a.slice(a.length - end).map(same),
  ];
}

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** By the longest common subsequence. */
function middle(a: string[], b: string[], most: number): DiffLine[] {
  const out = (text: string): DiffLine => ({ kind: "out", text });
  const into = (text: string): DiffLine => ({ kind: "in", text });
  if (a.length * b.length > most) return [...a.map(out), ...b.map(into)];
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] =
        a[i] === b[j] ? table[(i + 1) * width + j + 1]! + 1 : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length)
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i++]! });
      j++;
    } else if (j >= b.length || (i < a.length && table[(i + 1) * width + j]! >= table[i * width + j + 1]!)) lines.push(out(a[i++]!));
    else lines.push(into(b[j++]!));
  return lines;
}

const SIGN = { same: " ", out: "-", in: "+" } as const;

/** As text with signs; of what is the same, only two lines around each change. */
export function diffText(before: string, after: string): string {
  const lines = diffLines(before, after);
  const near = lines.map((_, at) => lines.slice(Math.max(0, at - 2), at + 3).some(({ kind }) => kind !== "same"));
  return lines.flatMap(({ kind, text }, at) => (near[at] ? [`${SIGN[kind]} ${text}`] : near[at - 1] ? ["  …"] : [])).join("\n");
}
