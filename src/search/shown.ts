// What a search shows of what it found: the piece around the words, and several lists as one.
import type { Found } from "../core/search-index.ts";
import type { Hit } from "../run/hits.ts";

export function hitOf({ ref, place, at, text }: Found, by: Hit["by"], parts: string[]): Hit {
  const [, from, name] = /^(file|said):(.*)$/s.exec(ref)!;
  const hit = { at, by, text: around(text, parts) };
  return from === "file" ? { from, path: name!, line: place, ...hit } : { from: "said", session: name!, number: place, ...hit };
}

const keyOf = (hit: Hit): string =>
  hit.from === "said" ? `said ${hit.session} ${hit.number}` : hit.from === "file" ? `file ${hit.path} ${hit.line}` : `fact ${hit.id}`;

/** Each list by its order: what stands high in several comes first. */
export function merged(lists: Hit[][]): Hit[] {
  const all = new Map<string, { hit: Hit; score: number }>();
  for (const list of lists)
    for (const [at, hit] of list.entries()) {
      const before = all.get(keyOf(hit));
      const both = before && before.hit.by !== hit.by ? { ...before.hit, by: "both" as const } : hit;
      all.set(keyOf(hit), { hit: both, score: (before?.score ?? 0) + 1 / (60 + at) });
    }
  return [...all.values()].sort((a, b) => b.score - a.score || b.hit.at - a.hit.at).map(({ hit }) => hit);
}

const MOST_TEXT = 400;

/** The part of a text in which the first of the words stands. */
export function around(text: string, parts: string[]): string {
  if (text.length <= MOST_TEXT) return text;
  const lower = text.toLowerCase();
  const at = Math.max(0, Math.min(...parts.map((part) => lower.indexOf(part)).filter((one) => one >= 0), text.length) - MOST_TEXT / 4);
  const from = at >= text.length - MOST_TEXT / 4 ? 0 : at;
  return `${from > 0 ? "…" : ""}${text.slice(from, from + MOST_TEXT)}${from + MOST_TEXT < text.length ? "…" : ""}`;
}
