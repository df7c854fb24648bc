// What the conversation draws, top to bottom: entries of the session, days between them, messages on their way, the work that goes on.
import { computed } from "@preact/signals";
import type { Entry, View } from "../core/fold.ts";
import { sessionInPath } from "./router.ts";
import { NEW, pending, type Pending } from "./sending.ts";
import { older, view } from "./session.ts";
import { speaksForItself } from "./tools.ts";

export type Row =
  | { key: string; kind: "entry"; entry: Entry }
  | { key: string; kind: "day"; at: number }
  | { key: string; kind: "pending"; pending: Pending }
  | { key: string; kind: "working" };

const known = new WeakMap<Entry | Pending, Row>();
const days = new Map<number, Row>();
const working: Row = { key: "working", kind: "working" };

function entryRow(entry: Entry): Row {
  const row: Row = known.get(entry) ?? { key: `${entry.kind}/${entry.id}`, kind: "entry", entry };
  known.set(entry, row);
  return row;
}

function pendingRow(one: Pending): Row {
  const row: Row = known.get(one) ?? { key: `message/${one.key}`, kind: "pending", pending: one };
  known.set(one, row);
  return row;
}

function dayRow(at: number): Row {
  const day = new Date(at).setHours(0, 0, 0, 0);
  const row: Row = days.get(day) ?? { key: `day/${day}`, kind: "day", at };
  days.set(day, row);
  return row;
}

/** Nothing to see: empty text, and items that only the model reads. */
function isSeen(entry: Entry): boolean {
  if (entry.kind !== "item") return true;
  const { item } = entry;
  if (item.kind === "tool") return !speaksForItself(item);
  return item.kind === "text" || item.kind === "thinking" ? item.text.trim() !== "" : item.kind !== "step";
}

function add(rows: Row[], entries: readonly Entry[], last: { day: number }): void {
  for (const entry of entries) {
    if (!isSeen(entry)) continue;
    const day = new Date(entry.at).setHours(0, 0, 0, 0);
    // Only a message begins a day, so that a turn over midnight stays in one piece.
    if (day !== last.day && (entry.kind === "message" || last.day === 0)) {
      rows.push(dayRow(entry.at));
      last.day = day;
    }
    rows.push(entryRow(entry));
  }
}

const olderRows = computed(() => {
  const rows: Row[] = [];
  const last = { day: 0 };
  for (const segment of older.value) add(rows, segment, last);
  return { rows, last: last.day };
});

export const rows = computed<readonly Row[]>(() => {
  const now = view.value;
  const going = pending.value.filter(({ session }) => session === (sessionInPath.value ?? NEW));
  if (!now) return going.map(pendingRow);
  const list = [...olderRows.value.rows];
  add(list, now.entries, { day: olderRows.value.last });
  const keys = new Set(now.entries.slice(-60).flatMap((entry) => (entry.kind === "message" && entry.key ? [entry.key] : [])));
  for (const one of going) if (!keys.has(one.key)) list.push(pendingRow(one));
  if (now.turn && !isStreaming(now)) list.push(working);
  return list;
});

/** Something is growing on the screen already, so no sign of work is needed. */
function isStreaming({ entries }: View): boolean {
  const last = entries.findLast((entry) => entry.kind !== "message");
  return last?.kind === "item" && (last.state === "live" || last.state === "running");
}

/** A guess of a row's height before it has been drawn, from its text and the width of the column. */
export function guess(row: Row, width: number): number {
  if (row.kind !== "entry") return row.kind === "day" ? 52 : 64;
  const { entry } = row;
  const lines = (text: string, share: number): number =>
    text.split("\n", 400).reduce((sum, line) => sum + Math.max(1, Math.ceil((line.length * 7.6) / (width * share))), 0);
  if (entry.kind === "message")
    return 58 + 24 * entry.parts.reduce((sum, part) => sum + (part.type === "text" ? lines(part.text, 0.78) : 2), 0);
  if (entry.kind === "item" && entry.item.kind === "text") return 26 + 26 * lines(entry.item.text, 1);
  return entry.kind === "end" ? 44 : 60;
}
