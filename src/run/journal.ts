// The journal of changes: what was there before, written before the change is made. The way back is undo.ts.
import type { Computer } from "../core/computer.ts";
import type { Change, Principal, UndoEntry } from "../core/types.ts";
import { newId } from "../std/id.ts";
import type { Steward } from "./steward.ts";

export const undoKey = (person: string, id: string): string => `p/${person}/undo/${id}`;
/** Ids by session, so that a session's changes are found without reading the whole journal. */
export const sessionUndoKey = (person: string, session: string, id: string): string => `p/${person}/undo-of/${session}/${id}`;
export const keysOf = ({ person, session, id }: UndoEntry): string[] => [undoKey(person, id), sessionUndoKey(person, session, id)];

/** A change of one of Steward's own documents. */
export interface Made extends Pick<UndoEntry, "person" | "session" | "turn" | "tool" | "summary"> {
  key: string;
  before: unknown;
  after?: string;
}

/** The entry of a change that is made in the same commit, for its `put`. Outside of a session that is "". */
export function documentChange(steward: Steward, { key, before, after, ...made }: Made): { id: string; put: Record<string, unknown> } {
  const change: Change = { type: "document", key, before, ...(after === undefined ? {} : { after }) };
  const entry: UndoEntry = { ...made, id: newId("und"), at: steward.now(), state: "done", change };
  const [own, inSession] = keysOf(entry) as [string, string];
  return { id: entry.id, put: { [own]: entry, ...(made.session === "" ? {} : { [inSession]: true }) } };
}

export interface Journal {
  /** A place for what was there before; nothing is made yet. */
  place(path: string): { id: string; kept: string };
  /** Durable when it resolves; only then may the change be made. */
  record(summary: string, change: Change, id?: string): Promise<string>;
  /** The change was not made after all: neither the entry nor what was kept stays. */
  forget(id: string): Promise<void>;
  /** Ids recorded so far of what can be undone: without commands. */
  ids: string[];
}

export function openJournal(
  steward: Steward,
  { principal, session, turn, tool, computer }: { principal: Principal; session: string; turn: string; tool: string; computer: Computer },
): Journal {
  const { person } = principal;
  const ids: string[] = [];
  return {
    ids,
    place(path) {
      const id = newId("und");
      return { id, kept: `${keptFolder(steward, computer)}/${id}/${path.split("/").at(-1) || "root"}` };
    },
    async record(summary, change, id = newId("und")) {
      const impossible = change.type === "command";
      const entry: UndoEntry = {
        id,
        person,
        session,
        turn,
        at: steward.now(),
        tool,
        summary,
        change,
        ...(change.type === "document" || change.type === "own" ? {} : { mode: computer.mode }),
        ...(impossible ? { state: "impossible", reason: "Steward can't take back what a command did." } : { state: "done" }),
      };
      await steward.store.commit({ put: { [undoKey(person, id)]: entry, [sessionUndoKey(person, session, id)]: true } });
      if (change.type !== "command") ids.push(id);
      return id;
    },
    async forget(id) {
      if (ids.includes(id)) ids.splice(ids.indexOf(id), 1);
      await steward.store.commit({ drop: [undoKey(person, id), sessionUndoKey(person, session, id)] });
      await dropKept(steward, computer, id);
    },
  };
}

const keptFolder = (steward: Steward, computer: Computer): string =>
  computer.mode === "contained" ? `${computer.home}/.kept` : `${steward.home}/kept`;

export async function dropKept(steward: Steward, computer: Computer, id: string): Promise<void> {
  const folder = `${keptFolder(steward, computer)}/${id}`;
  if (await computer.stat(folder)) await computer.remove(folder);
}
