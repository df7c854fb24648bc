// The history of kept facts, as the journal of changes tells it, the person's own forgetting, and the way back.
import type { Principal, UndoEntry } from "../core/types.ts";
import { documentChange, undoKey } from "../run/journal.ts";
import { type Fact, factKey, facts } from "../run/memory.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";

interface Changed {
  at: number;
  did: "kept" | "forgotten";
  by: "you" | "agent";
  fact: string;
  text: string;
  session?: string;
  there: boolean;
}
interface Entry {
  entry: UndoEntry;
  fact: string;
  before?: Fact;
}

const MOST = 200;

/** Newest first. */
async function entries({ store }: Steward, { person }: Principal): Promise<Entry[]> {
  const root = factKey(person, "");
  return (await store.list(undoKey(person, "")))
    .flatMap(({ value }): Entry[] => {
      const entry = value as UndoEntry;
      const { change } = entry;
      if (change.type !== "document" || !change.key.startsWith(root)) return [];
      return [{ entry, fact: change.key.slice(root.length), ...(change.before ? { before: change.before as Fact } : {}) }];
    })
    .reverse();
}

export async function factChanges(steward: Steward, who: Principal): Promise<Changed[]> {
  const there = new Map((await facts(steward, who)).map((one) => [one.id, one]));
  const all = await entries(steward, who);
  return all.slice(0, MOST).map(({ entry: { at, summary, session }, fact, before }): Changed => {
    const text = before?.text ?? there.get(fact)?.text ?? all.find((one) => one.fact === fact && one.before)?.before?.text ?? summary;
    return {
      ...{ at, did: before ? "forgotten" : "kept", by: session === "" ? "you" : "agent", fact, text, there: there.has(fact) },
      ...(session === "" ? {} : { session }),
    };
  });
}

/** Throws not_found for one that was never forgotten, conflict for one that is there. */
export async function restoreFact(steward: Steward, who: Principal, id: string): Promise<Fact> {
  const { person } = who;
  const key = factKey(person, id);
  const before = (await entries(steward, who)).find((one) => one.fact === id && one.before)?.before;
  if (await steward.store.get(key)) throw new StewardError("conflict", "This fact is kept already");
  if (!before) throw new StewardError("not_found", "There is no such fact");
  const summary = `Brought back "${oneLine(before.text)}"`;
  const { put } = documentChange(steward, { person, session: "", turn: "", tool: "memory", summary, key, before: undefined });
  await steward.store.commit({ put: { ...put, [key]: before } });
  return before;
}

/** The person's own forgetting. Throws not_found. */
export async function forgetFact(steward: Steward, { person }: Principal, id: string): Promise<void> {
  const key = factKey(person, id);
  const before = (await steward.store.get(key)) as Fact | undefined;
  if (!before) throw new StewardError("not_found", "There is no such fact");
  const summary = `Forgot "${oneLine(before.text)}"`;
  const { put } = documentChange(steward, { person, session: "", turn: "", tool: "memory", summary, key, before });
  await steward.store.commit({ put, drop: [key] });
}
