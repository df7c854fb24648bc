// The way back: lists what the journal holds, and reverses it one by one. Writing the journal is journal.ts.
import type { UndoInfo } from "../core/api.ts";
import type { Computer } from "../core/computer.ts";
import type { Change, Principal, UndoEntry } from "../core/types.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { takeBackMemory } from "./json-memory.ts";
import { documentChange, dropKept, type Journal, keysOf, openJournal, sessionUndoKey, undoKey } from "./journal.ts";
import { covers, entryAt, reach } from "./reach.ts";
import type { Steward } from "./steward.ts";

export async function listUndo(
  steward: Steward,
  { person }: Principal,
  { session, limit = 200 }: { session?: string | undefined; limit?: number | undefined } = {},
): Promise<UndoInfo[]> {
  return (await newest(steward, { person, session }, Math.min(limit, 2000))).map(toInfo);
}

interface Whose {
  person: string;
  /** Only what was changed in this session. */
  session?: string | undefined;
}

/** The newest that many, newest first. */
async function newest({ store }: Steward, { person, session }: Whose, last: number): Promise<UndoEntry[]> {
  if (session === undefined) return (await store.list(undoKey(person, ""), { last })).map(({ value }) => value as UndoEntry).reverse();
  const ids = (await store.list(sessionUndoKey(person, session, ""), { last })).map(({ key }) => key.split("/").at(-1)!);
  const entries = await Promise.all(ids.map((id) => store.get(undoKey(person, id)) as Promise<UndoEntry | undefined>));
  return entries.filter((entry) => entry !== undefined).reverse();
}

/** Newest first, a few at a time. */
async function* newestFirst(steward: Steward, whose: Whose): AsyncGenerator<UndoEntry> {
  for (let last = 20, below = "\u{10ffff}"; ; last *= 4) {
    const entries = await newest(steward, whose, last);
    for (const entry of entries)
      if (entry.id < below) {
        yield entry;
        below = entry.id;
      }
    if (entries.length < last) return;
  }
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

/** The person's own undo: reverses one entry, or the newest. What is there now is kept first, as an entry of its own, so nothing is lost. */
export const undo = (steward: Steward, who: Principal, id?: string): Promise<UndoInfo[]> =>
  oneByOne(steward, who.person, async () => reverseOne(steward, { who, entry: await find(steward, who, id) }));

/** A tool that undoes: only what its own session changed, and only where it might have written itself. */
export interface Undoing {
  who: Principal;
  session: string;
  /** Approved for this call. */
  granted: string[];
}

export const undoInSession = (steward: Steward, { who, session, granted }: Undoing, id?: string): Promise<UndoInfo[]> =>
  oneByOne(steward, who.person, async () =>
    reverseOne(steward, { who, entry: await find(steward, { person: who.person, session }, id), granted }),
  );

/** The scopes that a tool's undo needs; none when there is nothing that could be undone. */
export async function undoScopes(steward: Steward, { who, session }: Omit<Undoing, "granted">, id?: string): Promise<string[]> {
  const entry = await find(steward, { person: who.person, session }, id).catch(() => undefined);
  const computer = entry && pathsOf(entry).length > 0 ? await steward.computer(who) : undefined;
  return entry && computer ? scopesOf(steward, computer, entry) : [];
}

const running = new WeakMap<Steward, Map<string, Promise<unknown>>>();

/** Two at once would both find the entry not yet undone. */
function oneByOne<T>(steward: Steward, person: string, act: () => Promise<T>): Promise<T> {
  const last = running.get(steward) ?? new Map<string, Promise<unknown>>();
  running.set(steward, last);
  const next = (last.get(person) ?? Promise.resolve()).then(act, act);
  last.set(person, next);
  return next;
}

interface Wanted {
  who: Principal;
  entry: UndoEntry;
  /** Set when a tool asks. */
  granted?: string[];
}

async function reverseOne(steward: Steward, { who, entry, granted }: Wanted): Promise<UndoInfo[]> {
  const computer = await steward.computer(who);
  await refuse(steward, computer, { who, entry, ...(granted ? { granted } : {}) });
  const failed = await reverse(steward, { who, entry, ...(granted ? { granted } : {}) }, computer).then(
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

/** What may not be written may not be written by an undo: blocked paths, Steward's own files, for a tool also what was not approved. */
async function refuse(steward: Steward, computer: Computer, { entry, granted }: Wanted): Promise<void> {
  if (entry.state === "undone") throw new StewardError("conflict", `This was undone already: ${entry.summary}`);
  if (entry.state === "impossible") throw new StewardError("conflict", `This can't be undone: ${entry.reason ?? entry.summary}`);
  if (granted && entry.change.type === "own" && entry.tool !== "propose_change")
    throw new StewardError("denied", `This person made the change themselves and takes it back themselves: ${entry.summary}`);
  if (granted && (await changedElsewhere(steward, entry)))
    throw new StewardError(
      "conflict",
      `It was changed again since, and not here, so this person takes it back themselves: ${entry.summary}`,
    );
  if (pathsOf(entry).length === 0) return;
  if (!sameFiles(entry, computer))
    throw new StewardError("conflict", `This was made in ${entry.mode} mode, on other files than those of ${computer.mode} mode`, {
      hint: `Switch back to ${entry.mode} mode to undo it.`,
    });
  if (granted && !steward.permissions.read().capabilities.filesystem.enabled)
    throw new StewardError("denied", "Permission denied: filesystem is switched off", {
      hint: "It can be switched on at the settings page, under Permissions.",
    });
  for (const scope of await scopesOf(steward, computer, entry))
    if (granted && !granted.some((one) => covers(one, scope)))
      throw new StewardError("denied", `Permission denied: undoing "${entry.summary}" was not approved`);
}

/** The person's change, or another session's, of the same thing holds against a tool that would put back the whole of it. */
async function changedElsewhere(steward: Steward, entry: UndoEntry): Promise<boolean> {
  const thing = thingOf(entry);
  if (thing === undefined || (entry.change.type === "document" && entry.change.after !== undefined)) return false; // field by field
  for await (const later of newestFirst(steward, { person: entry.person })) {
    if (later.id <= entry.id) return false;
    if (later.session !== entry.session && later.state !== "undone" && thingOf(later) === thing) return true;
  }
  return false;
}

const thingOf = ({ change }: UndoEntry): string | undefined =>
  change.type === "own" ? change.target : change.type === "document" ? change.key : undefined;

/** Guarded and full are the same machine; a contained computer is another. */
const sameFiles = ({ mode }: UndoEntry, computer: Computer): boolean =>
  mode === undefined || (mode === "contained") === (computer.mode === "contained");

function pathsOf({ change }: UndoEntry): string[] {
  if (change.type === "document" || change.type === "command" || change.type === "own") return [];
  return change.type === "moved" ? [change.from, change.to] : [change.path];
}

/** Throws denied for a path that may not be touched now. */
async function scopesOf(steward: Steward, computer: Computer, entry: UndoEntry): Promise<string[]> {
  const rules = reach(steward, computer);
  const scopes = new Set<string>();
  for (const path of pathsOf(entry)) {
    const at = await rules.named(path);
    await rules.refuseTree(at);
    const scope = await rules.scope(at, true);
    if (scope) scopes.add(scope);
  }
  return [...scopes];
}

/** The entry of that id, or the newest that was not undone: when that one can't be, this is said, and which can. */
async function find(steward: Steward, whose: Whose, id?: string): Promise<UndoEntry> {
  if (id !== undefined) {
    const entry = (await steward.store.get(undoKey(whose.person, id))) as UndoEntry | undefined;
    if (entry && (whose.session === undefined || entry.session === whose.session)) return entry;
    const where = whose.session === undefined ? "" : " in this session";
    throw new StewardError("not_found", `There is no such change${where}`, { hint: "steward undo --list shows what can be undone." });
  }
  let first: UndoEntry | undefined;
  for await (const entry of newestFirst(steward, whose)) {
    if (entry.tool === "undo" || entry.state === "undone") continue;
    if (first === undefined && entry.state === "done") return entry;
    first ??= entry;
    if (entry.state === "done") throw stuck(first, `Before it, "${entry.summary}" can be undone: its id is ${entry.id}.`);
  }
  throw first ? stuck(first, "No change before it can be undone.") : new StewardError("not_found", "There is nothing to undo");
}

const stuck = ({ summary, reason }: UndoEntry, hint: string): StewardError =>
  new StewardError("conflict", `The newest change can't be undone: ${summary}${reason ? ` (${reason})` : ""}`, { hint });

async function reverse(steward: Steward, wanted: Wanted, computer: Computer): Promise<void> {
  const { who, entry } = wanted;
  const { change } = entry;
  if (change.type === "document") return reverseDocument(steward, wanted, change);
  if (change.type === "own") return steward.own.restore(who, change);
  if (change.type === "command") return;
  const journal = openJournal(steward, { principal: who, session: entry.session, turn: entry.turn, tool: "undo", computer });
  if (change.type === "created") return setAside(computer, journal, change.path);
  if (change.type === "moved") return moveBack(computer, change);
  if (!(await entryAt(computer, change.kept))) {
    if (change.type === "removed" && (await entryAt(computer, change.path))) return; // stopped before it was removed
    throw new StewardError("not_found", `What was kept of ${change.path} is gone`);
  }
  await setAside(computer, journal, change.path);
  await computer.move(change.kept, change.path);
}

async function reverseDocument(
  steward: Steward,
  { who, entry, granted }: Wanted,
  { key, before }: Change & { type: "document" },
): Promise<void> {
  const { store } = steward;
  if (entry.tool === "sessions") return bringBack(steward, key);
  if (await steward.schedules.restore(who, key, before)) return;
  if (await takeBackMemory(steward, who, entry, granted !== undefined)) return;
  const [session, turn] = granted ? [entry.session, entry.turn] : ["", ""];
  const made = { person: who.person, session, turn, tool: "undo", summary: `Took back: ${entry.summary}`, key };
  const { put } = documentChange(steward, { ...made, before: await store.get(key) });
  await store.commit(before === undefined ? { put, drop: [key] } : { put: { ...put, [key]: before } });
}

/** A session that was deleted; what happened to it since stays. */
async function bringBack({ store }: Steward, key: string): Promise<void> {
  if ((await store.get(key)) === undefined) throw new StewardError("not_found", "Its seven days are over, so its log was erased");
  await store.commit({ merge: { [key]: { deletedAt: null } } });
}

/** Keeps what stands at `path` now, if anything, so that the older state can take its place. */
async function setAside(computer: Computer, journal: Journal, path: string): Promise<void> {
  if (!(await entryAt(computer, path))) return;
  const { id, kept } = journal.place(path);
  await journal.record(`Kept ${path} as it was before the undo`, { type: "removed", path, kept }, id);
  await computer.move(path, kept);
}

async function moveBack(computer: Computer, { from, to }: { from: string; to: string }): Promise<void> {
  if (await entryAt(computer, from)) {
    if (!(await entryAt(computer, to))) return; // stopped before it was moved
    throw new StewardError("conflict", `${from} exists again, so ${to} can't be moved back`);
  }
  await computer.move(to, from);
}

/** Drops entries older than the setting together with what they kept; those of another computer when it is there again. */
export async function forgetOld(steward: Steward, who: Principal): Promise<number> {
  const before = steward.now() - steward.settings.config().undo.keepDays * 86_400_000;
  const computer = await steward.computer(who);
  const old = (await steward.store.list(undoKey(who.person, "")))
    .map(({ value }) => value as UndoEntry)
    .filter((entry) => entry.at < before && sameFiles(entry, computer));
  for (const { id } of old) await dropKept(steward, computer, id);
  if (old.length > 0) await steward.store.commit({ drop: old.flatMap(keysOf) });
  return old.length;
}
