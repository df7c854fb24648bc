// A person's sessions: list, find, make, rename, pin, clear, delete. Saying something is `inbox.ts`.
import type { SessionInfo } from "../core/api.ts";
import type { Stored } from "../core/events.ts";
import type { Store } from "../core/store.ts";
import type { Principal, UndoEntry } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { cancelling } from "./jobs.ts";
import type { Steward } from "./steward.ts";

/** The document beside the log, so that lists need not read logs. `running` is the open turn, `asks` the open questions. */
export interface SessionDoc {
  id: string;
  title: string;
  createdAt: number;
  updatedAt: number;
  messages: number;
  engine?: string | null;
  model?: string | null;
  pin?: "local" | "engine" | null;
  running?: string | null;
  asks?: number;
  snippet?: string;
  deletedAt?: number | null;
  /** Only of a helper agent's session: the session it works for, its name there, and the turn there that waits for it. */
  parent?: string;
  agent?: string;
  asked?: string;
  /** Of a run of a schedule that had nothing to tell: in no list. */
  quiet?: boolean | null;
  /** Only of a background task's session; `halted`: it was stopped, so nothing begins there. */
  task?: string;
  halted?: true | null;
}

/** The helper agents of a session, oldest first. Each change of it is one version on. */
export interface Team {
  version: number;
  agents: { name: string; session: string; call: string; at: number }[];
}

export const KEEP_DELETED_MS = 7 * 86_400_000;

export const sessionKey = (person: string, id: string): string => `p/${person}/session/${id}`;
export const teamKey = (person: string, session: string): string => `p/${person}/team/${session}`;
/** What helpers have used that no turn of their senior's session has counted yet. */
export const helpersUsageKey = (session: string): string => `helpers-usage/${session}`;
const currentKey = (person: string): string => `p/${person}/current`;

/** The live document; not_found when it is deleted, unknown, or somebody else's. */
export async function sessionDoc({ store }: Steward, { person }: Principal, id: string): Promise<SessionDoc> {
  const doc = (await store.get(sessionKey(person, id))) as SessionDoc | undefined;
  const parent = doc?.parent === undefined ? undefined : ((await store.get(sessionKey(person, doc.parent))) as SessionDoc | undefined);
  if (!doc || doc.deletedAt || (doc.parent !== undefined && (!parent || parent.deletedAt)))
    throw new StewardError("not_found", `There is no session ${oneLine(id, 40)}`, { hint: "steward sessions list shows yours." });
  return doc;
}

/** The same for what changes it: a helper agent's session is only read. Throws `conflict`. */
export async function ownDoc(steward: Steward, who: Principal, id: string): Promise<SessionDoc> {
  const doc = await sessionDoc(steward, who, id);
  if (doc.parent !== undefined)
    throw new StewardError("conflict", "This is a helper agent's session: it talks only to its senior, and goes with it");
  return doc;
}

export async function teamOf({ store }: Steward, { person }: Principal, session: string): Promise<Team> {
  return ((await store.get(teamKey(person, session))) as Team | undefined) ?? { version: 0, agents: [] };
}

/** Stops the turns of all helpers of a session. One that begins later sees by itself that nobody waits for it. */
export async function stopHelpers(steward: Steward, who: Principal, session: string): Promise<void> {
  for (const { session: helper } of (await teamOf(steward, who, session)).agents) {
    const { running } = ((await steward.store.get(sessionKey(who.person, helper))) ?? {}) as Partial<SessionDoc>;
    if (!running) continue;
    await steward.store.commit(cancelling(helper, who, running));
    steward.store.publish(helper, { type: "turn.cancelling", turn: running });
  }
}

async function info({ store }: Steward, doc: SessionDoc): Promise<SessionInfo> {
  const [newest] = await store.events(doc.id, { last: 1 });
  return toInfo(doc, newest?.seq ?? 0);
}

export function toInfo(doc: SessionDoc, seq?: number): SessionInfo {
  const { id, title, createdAt, updatedAt, messages, engine, model, snippet, parent, task } = doc;
  return {
    id,
    title,
    createdAt,
    updatedAt,
    messages,
    ...(seq === undefined ? {} : { seq }),
    running: Boolean(doc.running),
    asks: doc.asks ?? 0,
    ...(engine ? { engine } : {}),
    ...(model ? { model } : {}),
    ...(snippet ? { snippet } : {}),
    ...(parent ? { parent } : {}),
    ...(task ? { task } : {}),
  };
}

export async function getSession(steward: Steward, who: Principal, id: string): Promise<SessionInfo> {
  return info(steward, await sessionDoc(steward, who, id));
}

/** Newest first. One without a title appears with its first message. `q`: its id, or all words in the title or in a message. `before`: only those last used before that time. */
export async function listSessions(
  steward: Steward,
  who: Principal,
  { q, limit = 100, before = Infinity }: { q?: string | undefined; limit?: number | undefined; before?: number | undefined },
): Promise<{ sessions: SessionInfo[]; total: number }> {
  const docs = (await steward.store.list(sessionKey(who.person, "")))
    .map(({ value }) => value as SessionDoc)
    .filter((doc) => !doc.deletedAt && !doc.quiet && doc.parent === undefined && doc.task === undefined && doc.updatedAt < before);
  const most = Math.min(limit, 1000);
  const found = q?.trim()
    ? await matching(steward, who, { docs, q: q.trim(), most })
    : docs.filter((doc) => doc.title !== "" || doc.messages > 0);
  const sorted = found.sort((a, b) => b.updatedAt - a.updatedAt);
  return { sessions: sorted.slice(0, most).map((doc) => toInfo(doc)), total: sorted.length };
}

const MOST_HITS = 32_000;
/** For a list that is asked for with every key that is pressed. */
const MOST_LISTED_HITS = 4000;

/** What the words are found in, newest first, until it is enough: what may not be shown can stand before all that may. */
export async function hitsUntil(
  { store }: Steward,
  { person, words, first, most = MOST_HITS }: { person: string; words: string; first: number; most?: number },
  enough: (hits: Awaited<ReturnType<Store["search"]>>) => boolean,
): ReturnType<Store["search"]> {
  for (let limit = first; ; limit *= 8) {
    const hits = await store.search(person, words, limit);
    if (hits.length < limit || limit >= most || enough(hits)) return hits;
  }
}

interface Matching {
  docs: SessionDoc[];
  q: string;
  most: number;
}
async function matching(steward: Steward, { person }: Principal, { docs, q, most }: Matching): Promise<SessionDoc[]> {
  const among = new Set(docs.map(({ id }) => id));
  const rows = await hitsUntil(
    steward,
    { person, words: q, first: 500, most: MOST_LISTED_HITS },
    (found) => new Set(found.flatMap(({ session }) => (among.has(session) ? [session] : []))).size >= Math.min(most, among.size),
  );
  const hits = new Map(rows.reverse().map((hit) => [hit.session, hit.text]));
  const lower = q.toLowerCase();
  return docs.flatMap((doc) => {
    const text = hits.get(doc.id);
    if (text !== undefined) return [{ ...doc, snippet: around(text, lower) }];
    return doc.id === q || (doc.title !== "" && doc.title.toLowerCase().includes(lower)) ? [doc] : [];
  });
}

function around(text: string, lower: string): string {
  const at = Math.max(0, text.toLowerCase().indexOf(lower.split(/\s+/)[0] ?? ""));
  return oneLine(`${at > 30 ? "…" : ""}${text.slice(Math.max(0, at - 30))}`, 120);
}

export async function makeSession(
  steward: Steward,
  { person }: Principal,
  { title = "", id = newId("ses") }: { title?: string | undefined; id?: string },
): Promise<SessionInfo> {
  const at = steward.now();
  const doc: SessionDoc = { id, title, createdAt: at, updatedAt: at, messages: 0 };
  await steward.store.commit({
    once: `make/${id}`,
    put: { [sessionKey(person, id)]: doc, [currentKey(person)]: id },
    events: [{ session: id, event: { type: "session.created", person, ...(title ? { title } : {}) } }],
  });
  return toInfo(doc, 1);
}

export async function changeSession(steward: Steward, who: Principal, id: string, { title }: { title: string }): Promise<SessionInfo> {
  await ownDoc(steward, who, id);
  await steward.store.commit({
    merge: { [sessionKey(who.person, id)]: { title } },
    events: [{ session: id, event: { type: "session.updated", title } }],
  });
  return getSession(steward, who, id);
}

/** Empties the history under the same id. The log keeps what was there. */
export async function clearSession(steward: Steward, who: Principal, id: string): Promise<void> {
  await ownDoc(steward, who, id);
  await steward.store.commit({
    merge: { [sessionKey(who.person, id)]: { messages: 0, updatedAt: steward.now(), snippet: null } },
    events: [{ session: id, event: { type: "session.updated", cleared: true } }],
  });
}

/** Hides it at once and stops its turn; its log is erased after seven days unless the undo id is used. */
export async function removeSession(steward: Steward, who: Principal, id: string): Promise<{ undo: string }> {
  const doc = await ownDoc(steward, who, id);
  if (doc.task !== undefined) throw new StewardError("conflict", "This is a background task's session: it goes when the task is old");
  const at = steward.now();
  const key = sessionKey(who.person, id);
  const entry: UndoEntry = {
    id: newId("und"),
    person: who.person,
    session: id,
    turn: "",
    at,
    tool: "sessions",
    state: "done",
    summary: `Deleted the session "${doc.title || oneLine(doc.snippet ?? "untitled", 40)}"`,
    change: { type: "document", key, before: doc },
  };
  const stop = doc.running ? cancelling(id, who, doc.running) : undefined;
  const current = await steward.store.get(currentKey(who.person));
  await steward.store.commit({
    put: { [`p/${who.person}/undo/${entry.id}`]: entry, ...stop?.put },
    merge: { [key]: { deletedAt: at } },
    ...(current === id ? { drop: [currentKey(who.person)] } : {}),
    jobs: [
      { id: newId("job"), kind: "erase", lane: id, runAt: at + KEEP_DELETED_MS, data: { person: who.person, session: id } },
      ...(stop?.jobs ?? []),
    ],
  });
  if (doc.running) steward.store.publish(id, { type: "turn.cancelling", turn: doc.running });
  await stopHelpers(steward, who, id);
  return { undo: entry.id };
}

export async function sessionEvents(
  steward: Steward,
  who: Principal,
  id: string,
  range: { after?: number | undefined; before?: number | undefined; last?: number | undefined; limit?: number | undefined },
): Promise<{ events: Stored[]; seq: number }> {
  await sessionDoc(steward, who, id);
  const wanted = Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined));
  const events = await steward.store.events(id, {
    ...wanted,
    ...(range.last === undefined ? { limit: Math.min(range.limit ?? 1000, 5000) } : { last: Math.min(range.last, 5000) }),
  });
  const [newest] = await steward.store.events(id, { last: 1 });
  return { events, seq: newest?.seq ?? 0 };
}

/** The session that a door without session ids (the older clients, a bare `steward chat`) goes on with. */
export async function currentSession(steward: Steward, who: Principal): Promise<string> {
  const id = await steward.store.get(currentKey(who.person));
  if (typeof id === "string" && (await steward.store.get(sessionKey(who.person, id)))) return id;
  return (await makeSession(steward, who, {})).id;
}

export async function setCurrentSession(steward: Steward, who: Principal, id: string): Promise<void> {
  await ownDoc(steward, who, id);
  await steward.store.commit({ put: { [currentKey(who.person)]: id } });
}
