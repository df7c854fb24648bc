// What was said, as a search finds it: by the store's words, and for its meaning in the index, where it goes with its session.
import { spoken, type Stored } from "../core/events.ts";
import type { SearchIndex } from "../core/search-index.ts";
import type { Principal } from "../core/types.ts";
import type { Hit } from "../run/hits.ts";
import { hitsUntil, sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { maySend } from "./meaning.ts";
import { around } from "./shown.ts";

const MOST_PAGE = 1000;
/** Ends the version of what was read as it is now: without commands and their answers. */
const FORM = " 2";

const refOf = (session: string): string => `said:${session}`;

export async function dropSaid(index: SearchIndex, sessions: string[]): Promise<void> {
  for (const id of sessions) await index.drop(refOf(id));
}

/** Those that were not deleted, nor was the one that they work for. */
export async function sessionsOf({ store }: Steward, person: string): Promise<Map<string, SessionDoc>> {
  const docs = (await store.list(sessionKey(person, ""))).map(({ value }) => value as SessionDoc);
  const deleted = new Set(docs.flatMap(({ id, deletedAt }) => (deletedAt ? [id] : [])));
  return new Map(docs.filter(({ id, parent = id }) => !deleted.has(id) && !deleted.has(parent)).map((doc) => [doc.id, doc]));
}

/** Only for their meaning: words of messages are the store's. Without a model for meanings nothing comes, but what may stay no longer goes. */
export async function readSaid(
  steward: Steward,
  { person }: Principal,
  { index, reads }: { index: SearchIndex; reads: boolean },
): Promise<void> {
  const known = await index.versions("said:");
  if (known.size === 0 && !reads) return;
  for (const [ref, version] of known)
    if (!version.endsWith(FORM)) {
      await index.drop(ref);
      known.delete(ref);
    }
  const [sessions, may] = [await sessionsOf(steward, person), await maySend(steward, person)];
  for (const [id, doc] of sessions) {
    const { updatedAt, parent = "" } = doc;
    if (!may(doc, sessions.get(parent))) continue; // what was known of it goes
    const ref = refOf(id);
    const before = known.get(ref);
    known.delete(ref);
    if (reads && before?.split(" ")[1] !== String(updatedAt)) await readSession(steward, index, { ref, session: id, before, updatedAt });
  }
  for (const ref of known.keys()) await index.drop(ref);
}

interface Unread {
  ref: string;
  session: string;
  before: string | undefined;
  updatedAt: number;
}

/** On from where it was read before. Whoever is slower than another process leaves it to that one. */
async function readSession({ store }: Steward, index: SearchIndex, { ref, session, before, updatedAt }: Unread): Promise<void> {
  for (let last = before; ;) {
    const after = Number(last?.split(" ")[0] ?? 0);
    const log = await store.events(session, { after, limit: MOST_PAGE });
    const done = log.length < MOST_PAGE;
    const pieces = log.flatMap((stored) =>
      spokenIn(stored) === "" ? [] : [{ place: stored.seq, at: stored.at, text: spokenIn(stored).slice(0, 4000) }],
    );
    const version = `${log.at(-1)?.seq ?? after} ${done ? updatedAt : 0}${FORM}`;
    if (!(await index.put({ ref, before: last, version, pieces, keep: true })) || done) return;
    last = version;
  }
}

/** A title is a message, or a few words about some. */
const spokenIn = ({ event }: Stored): string =>
  event.type === "session.created" || event.type === "session.updated" ? "" : spoken(event).trim();

interface Wanted {
  words: string;
  limit: number;
  parts: string[];
  /** Those in which it may be found. */
  sessions: Map<string, SessionDoc>;
}

/** A title that a session took from its first message is that message. */
export async function saidWith(steward: Steward, { person }: Principal, { words, limit, parts, sessions }: Wanted): Promise<Hit[]> {
  type Rows = Awaited<ReturnType<Steward["store"]["search"]>>;
  const shown = (rows: Rows): Rows => {
    const seen = new Set<string>();
    return rows
      .toReversed()
      .filter(({ session, text }) => {
        const again = seen.has(`${session} ${text}`) && text === sessions.get(session)?.title;
        seen.add(`${session} ${text}`);
        return !again && sessions.has(session);
      })
      .toReversed();
  };
  const rows = await hitsUntil(steward, { person, words, first: limit * 2 }, (found) => shown(found).length >= limit);
  return shown(rows)
    .slice(0, limit)
    .map(({ session, seq, at, text }) => ({ from: "said", session, number: seq, at, by: "words", text: around(text, parts) }));
}
