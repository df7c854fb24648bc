// Sessions by a name that a client chose, as OS-Agent's programs have them: one a person and name, beside all others of that person.
import type { Principal } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { type SessionDoc, sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";

export interface NamedSession {
  name: string;
  session: string;
  /** Up to which event what came by itself (notifications and what they led to) was handed to a client. */
  told: number;
  /** The notification at `told` has still to be answered. */
  owing?: boolean;
}

const MOST = 2000;

const prefix = (person: string): string => `p/${person}/named/`;
const keyOf = (person: string, name: string): string => `${prefix(person)}${encodeURIComponent(name.toWellFormed())}`;

async function alive({ store }: Steward, person: string, session: string): Promise<SessionDoc | undefined> {
  const doc = (await store.get(sessionKey(person, session))) as SessionDoc | undefined;
  return doc && !doc.deletedAt ? doc : undefined;
}

/** The session of this name, made when it is new or was deleted. Throws limit when there are very many. */
export async function namedSession(steward: Steward, { person }: Principal, name: string): Promise<NamedSession> {
  const key = keyOf(person, name);
  const known = (await steward.store.get(key)) as NamedSession | undefined;
  if (known && (await alive(steward, person, known.session))) return known;
  if (!known && (await steward.store.list(prefix(person))).length >= MOST)
    throw new StewardError("limit", `There are ${MOST} sessions by name already`, { hint: "Use one of those." });
  const at = steward.now();
  const id = newId("ses");
  const doc: SessionDoc = { id, title: name.slice(0, 60).toWellFormed(), createdAt: at, updatedAt: at, messages: 0 };
  await steward.store.commit({
    once: `${key}/${known?.session ?? ""}`,
    put: { [key]: { name, session: id, told: 1 } satisfies NamedSession, [sessionKey(person, id)]: doc },
    events: [{ session: id, event: { type: "session.created", person, title: doc.title } }],
  });
  return (await steward.store.get(key)) as NamedSession;
}

/** All of this person's, the one used last first. */
export async function namedSessions(steward: Steward, { person }: Principal): Promise<{ name: string; doc: SessionDoc }[]> {
  const found = await Promise.all(
    (await steward.store.list(prefix(person))).map(async ({ value }) => {
      const { name, session } = value as NamedSession;
      const doc = await alive(steward, person, session);
      return doc ? [{ name, doc }] : [];
    }),
  );
  return found.flat().sort((one, other) => other.doc.updatedAt - one.doc.updatedAt);
}

export async function noteTold(
  steward: Steward,
  { person }: Principal,
  { name, told, owing }: Pick<NamedSession, "name" | "told"> & { owing: boolean },
): Promise<void> {
  await steward.store.commit({ merge: { [keyOf(person, name)]: { told, owing } } });
}
