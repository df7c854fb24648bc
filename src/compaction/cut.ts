// How long a window is, and where it may be cut.
import type { Stored } from "../core/events.ts";
import { resultText, textOf } from "../core/history.ts";
import { MOST_EVENTS } from "../run/context.ts";
import { tokens } from "../std/text.ts";

export const tokensOf = (log: Stored[]): number => log.reduce((sum, { event }) => sum + eventTokens(event), 0);

function eventTokens(event: Stored["event"]): number {
  if (event.type === "message.received") return tokens(textOf(event.parts)) + 8;
  if (event.type === "context.compacted") return tokens(event.summary);
  if (event.type !== "item.completed") return 0;
  const { item } = event;
  if (item.kind === "text" || item.kind === "thinking") return tokens(item.text);
  if (item.kind === "step") return tokens(JSON.stringify(item.calls));
  return item.kind === "tool" && item.result ? tokens(resultText(item.result)) : 0;
}

/** Where to cut so that about a third of the allowance stays: after the end of a turn that had read all before it. Undefined when there is no such place. */
export function cutAt(log: Stored[], allowance: number): number | undefined {
  const limit = allowance / 3;
  const ends = endsOfTurns(log);
  let kept = 0;
  let cut: number | undefined;
  for (let at = log.length - 1; at >= 0; at--) {
    const { event, seq } = log[at]!;
    if (ends.has(seq) && at < log.length - 1) {
      if (cut !== undefined && (kept > limit || log.length - at > MOST_EVENTS / 3)) return cut;
      cut = seq;
    }
    kept += eventTokens(event);
  }
  return cut;
}

/** A message that came while a turn was ending belongs to the next one, so no window may begin between the two. */
function endsOfTurns(log: Stored[]): Set<number> {
  const cleared = log.findLast(({ event }) => event.type === "session.updated" && event.cleared)?.seq ?? 0;
  const ends = new Set<number>();
  let newest = 0;
  for (const { event, seq } of log) {
    if (event.type === "message.received" && seq > cleared) newest = seq;
    if (event.type === "turn.completed" && newest <= event.seen) ends.add(seq);
  }
  return ends;
}
