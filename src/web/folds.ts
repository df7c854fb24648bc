// Which folded parts the person opened; kept while their rows come and go with scrolling.
import { signal, type Signal } from "@preact/signals";

const folds = new Map<string, Signal<boolean>>();

export function foldState(key: string, open = false): Signal<boolean> {
  const known = folds.get(key) ?? signal(open);
  folds.set(key, known);
  return known;
}
