// A text as the words by which it is searched. The same for all stores.
const WORD = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}]|[[\p{L}\p{N}]--[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}]]+/gv;
/** Letters and digits only, lower case, without accents: the same words for both dialects, with nothing left that a query language could read. Scripts without spaces go by character. */
export const wordsOf = (text: string): string[] => [...new Set(wordsIn(text))];

/** In their order, each as often as it is there. */
export function wordsIn(text: string): string[] {
  const plain = text.slice(0, 100_000).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.match(WORD)?.map((word) => word.slice(0, 60).toWellFormed()) ?? [];
}
