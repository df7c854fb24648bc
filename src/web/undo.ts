// What was changed in the open session and whether it can be taken back.
import { signal } from "@preact/signals";
import type { UndoInfo } from "../core/api.ts";
import { call } from "./api.ts";
import { spoken, telling, toast } from "./notices.ts";

/** By id of the journal entry. Grows while the page is open. */
export const journal = signal<ReadonlyMap<string, UndoInfo>>(new Map());
export const undoing = signal<ReadonlySet<string>>(new Set());

const merge = (entries: readonly UndoInfo[]): void => {
  if (entries.length === 0) return;
  const next = new Map(journal.value);
  for (const entry of entries) next.set(entry.id, entry);
  journal.value = next;
};

export async function refreshJournal(session: string): Promise<void> {
  const answer = await call("undo.list", { query: { session, limit: "200" } }).catch(() => undefined);
  if (answer) merge(answer.entries);
}

export async function wholeJournal(): Promise<UndoInfo[]> {
  const { entries } = await call("undo.list", { query: { limit: "100" } });
  merge(entries);
  return entries;
}

/** Takes these changes back, the newest first. */
export async function undo(ids: readonly string[]): Promise<void> {
  undoing.value = new Set([...undoing.value, ...ids]);
  for (const id of ids.toReversed()) {
    const answer = await telling(call("undo.one", { params: { id } }));
    if (!answer) break;
    merge(answer.entries);
    const failed = answer.entries.find(({ state }) => state !== "undone");
    if (failed) {
      toast(`${failed.summary}: could not be undone. ${failed.reason ?? ""}`, { tone: "bad" });
      break;
    }
    spoken.value = `Undone: ${answer.entries.map(({ summary }) => summary).join(", ")}`;
  }
  undoing.value = new Set([...undoing.value].filter((id) => !ids.includes(id)));
}
