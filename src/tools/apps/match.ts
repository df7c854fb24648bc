// Which application a person means: by its whole name first, then by a word of it; else the names that come close.

export interface Named {
  /** The name that people see. */
  name: string;
  /** All names that it goes by. */
  labels: string[];
}

const CLOSEST = 3;

/** The one that `wanted` names, or up to three names that are near it. Any case. */
export function pick<T extends Named>(wanted: string, all: T[]): { found: T } | { found?: undefined; near: string[] } {
  const query = plain(wanted);
  if (query === "") return { near: [] };
  const exact = all.find(({ labels }) => labels.some((label) => plain(label) === query));
  if (exact) return { found: exact };
  const holding = all.filter(({ labels }) => labels.some((label) => ` ${plain(label)} `.includes(` ${query} `)));
  const [only] = holding;
  if (only && new Set(holding.map(({ name }) => name)).size === 1) return { found: only };
  const near = all
    .map(({ name, labels }) => ({ name, far: Math.min(...labels.map((label) => distance(query, plain(label)))) }))
    .filter(({ far }) => far <= (query.length < 4 ? 1 : Math.max(2, query.length / 3)))
    .sort((a, b) => a.far - b.far);
  return { near: [...new Set([...holding, ...near].map(({ name }) => name))].slice(0, CLOSEST) };
}

export const suggestion = (near: string[]): string => (near.length > 0 ? `. Did you mean ${near.join(", ")}?` : "");

const plain = (name: string): string =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\.(?:app|desktop)$/, "")
    .replace(/[\s_-]+/g, " ")
    .trim()
    .slice(0, 100);

/** Edits from one to the other; the words of `b` that begin like `a` count as near. */
function distance(a: string, b: string): number {
  if (b.split(" ").some((word) => word.startsWith(a) || (word.length > 2 && a.startsWith(word)))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
