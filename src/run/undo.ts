// The journal: what was there before each change, written before the change is made, and the way back.
import type { UndoInfo } from "../core/api.ts";
import type { Computer } from "../core/computer.ts";
import type { Change, Principal, UndoEntry } from "../core/types.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Steward } from "./steward.ts";

const undoKey = (person: string, id: string): string => `p/${person}/undo/${id}`;

export interface Journal {
  /** A place for what was there before; nothing is made yet. */
  place(path: string): { id: string; kept: string };
  /** Durable when it resolves; only then may the change be made. */
  record(summary: string, change: Change, id?: string): Promise<string>;
  /** The change was not made after all. */
  forget(id: string): Promise<void>;
  /** Ids recorded so far. */
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
        ...(impossible ? { state: "impossible", reason: "Steward can't take back what a command did." } : { state: "done" }),
      };
      await steward.store.commit({ put: { [undoKey(person, id)]: entry } });
      ids.push(id);
      return id;
    },
    async forget(id) {
      ids.splice(ids.indexOf(id), 1);
      await steward.store.commit({ drop: [undoKey(person, id)] });
    },
  };
}

const keptFolder = (steward: Steward, computer: Computer): string =>
  computer.mode === "contained" ? `${computer.home}/.kept` : `${steward.home}/kept`;

export async function listUndo(
  steward: Steward,
  { person }: Principal,
  { session, limit = 200 }: { session?: string | undefined; limit?: number | undefined } = {},
): Promise<UndoInfo[]> {
  const entries = (await steward.store.list(undoKey(person, ""))).map(({ value }) => value as UndoEntry);
  return entries
    .filter((entry) => session === undefined || entry.session === session)
    .reverse()
    .slice(0, Math.min(limit, 2000))
    .map(toInfo);
}

function toInfo({ id, session, turn, at, tool, summary, state, reason, change }: UndoEntry): UndoInfo {
  return {
    id,
    session,
    turn,
    at,
    tool,
    summary,
    state,
    ...(reason ? { reason } : {}),
    ...(change.type === "command" ? { changed: change.changed } : {}),
  };
}

/** Reverses one entry, or the newest that can be reversed. What is there now is kept first, as an entry of its own, so nothing is lost. */
export async function undo(steward: Steward, who: Principal, id?: string): Promise<UndoInfo[]> {
  const entry = await find(steward, who, id);
  if (entry.state === "undone") throw new StewardError("conflict", `This was undone already: ${entry.summary}`);
  if (entry.state === "impossible") throw new StewardError("conflict", `This can't be undone: ${entry.reason ?? entry.summary}`);
  const computer = await steward.computer(who);
  const failed = await reverse(steward, who, entry, computer).then(
    () => undefined,
    (error: unknown) => {
      if (hasCode(error, "unavailable")) throw error;
      return messageOf(error);
    },
  );
  const after: UndoEntry = {
    ...entry,
    state: failed === undefined ? "undone" : "failed",
    ...(failed === undefined ? {} : { reason: failed }),
  };
  await steward.store.commit({ put: { [undoKey(who.person, entry.id)]: after } });
  steward.caches.file.clear();
  steward.caches.command.clear();
  return [toInfo(after)];
}

async function find(steward: Steward, { person }: Principal, id?: string): Promise<UndoEntry> {
  if (id !== undefined) {
    const entry = (await steward.store.get(undoKey(person, id))) as UndoEntry | undefined;
    if (!entry) throw new StewardError("not_found", "There is no such change", { hint: "steward undo --list shows what can be undone." });
    return entry;
  }
  const newest = (await steward.store.list(undoKey(person, "")))
    .map(({ value }) => value as UndoEntry)
    .findLast(({ state, tool }) => state === "done" && tool !== "undo");
  if (!newest) throw new StewardError("not_found", "There is nothing to undo");
  return newest;
}

async function reverse(steward: Steward, who: Principal, entry: UndoEntry, computer: Computer): Promise<void> {
  const { change } = entry;
  if (change.type === "document") {
    await steward.store.commit(change.before === undefined ? { drop: [change.key] } : { put: { [change.key]: change.before } });
    return;
  }
  if (change.type === "command") return;
  const journal = openJournal(steward, { principal: who, session: entry.session, turn: entry.turn, tool: "undo", computer });
  if (change.type === "created") return setAside(computer, journal, change.path);
  if (change.type === "moved") return moveBack(computer, change);
  if (!(await computer.stat(change.kept))) {
    if (change.type === "removed" && (await computer.stat(change.path))) return; // stopped before it was removed
    throw new StewardError("not_found", `What was kept of ${change.path} is gone`);
  }
  await setAside(computer, journal, change.path);
  await computer.move(change.kept, change.path);
}

/** Keeps what stands at `path` now, if anything, so that the older state can take its place. */
async function setAside(computer: Computer, journal: Journal, path: string): Promise<void> {
  if (!(await computer.stat(path))) return;
  const { id, kept } = journal.place(path);
  await journal.record(`Kept ${path} as it was before the undo`, { type: "removed", path, kept }, id);
  await computer.move(path, kept);
}

async function moveBack(computer: Computer, { from, to }: { from: string; to: string }): Promise<void> {
  if (await computer.stat(from)) {
    if (!(await computer.stat(to))) return; // stopped before it was moved
    throw new StewardError("conflict", `${from} exists again, so ${to} can't be moved back`);
  }
  await computer.move(to, from);
}

/** Drops entries older than the setting together with what they kept. */
export async function forgetOld(steward: Steward, who: Principal): Promise<number> {
  const before = steward.now() - steward.settings.config().undo.keepDays * 86_400_000;
  const old = (await steward.store.list(undoKey(who.person, ""))).map(({ value }) => value as UndoEntry).filter(({ at }) => at < before);
  const computer = await steward.computer(who);
  for (const { id } of old) {
    const folder = `${keptFolder(steward, computer)}/${id}`;
    if (await computer.stat(folder)) await computer.remove(folder);
  }
  if (old.length > 0) await steward.store.commit({ drop: old.map(({ id }) => undoKey(who.person, id)) });
  return old.length;
}
