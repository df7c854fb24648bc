// Where results and reports go: into a session, to a chat, to the person. The one place that knows.
import { createHash } from "node:crypto";
import type { Commit } from "../core/store.ts";
import type { Address, Item } from "../core/types.ts";
import { homeKey, sending } from "../run/outbox.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { joined } from "./joined.ts";
import type { Deliver } from "./state.ts";

export interface Told {
  text: string;
  /** The same twice is one. */
  key: string;
  /** The session in which it came about. */
  session?: string | undefined;
  /** What says it, for people. */
  from?: string;
  /** Its person's own words, such as a reminder; else others may have written some of it. */
  own?: boolean;
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 24);

/** The parts of a commit that bring a result where it is to go. `owner`: who may send to any chat. Throws not_found and denied when it can't go there. */
export async function delivering(
  steward: Steward,
  { person, deliver, owner }: { person: string; deliver: Deliver; owner: boolean },
  told: Told,
): Promise<Commit> {
  if (deliver.to === "log") return {};
  if (deliver.to === "person") return deliverTo(steward, person, told);
  if (deliver.to === "channel") {
    await mayReach(steward, person, deliver.address, owner);
    return sending(
      { person, to: deliver.address, text: told.text, ...(told.session ? { session: told.session } : {}) },
      steward.now(),
      `dlv_${digest(told.key)}`,
    );
  }
  return deliver.session === told.session
    ? shownAgain(steward, person, told)
    : intoSession(steward, person, { ...told, into: deliver.session });
}

/** To a person, by whatever way they prefer. The session of a run then stands in their list. */
export async function deliverTo(steward: Steward, person: string, told: Told): Promise<Commit> {
  const { text, key, session, from = "schedules" } = told;
  const notice = steward.notices.telling(person, { text, key: `schedule/${key}`, from, ...(session === undefined ? {} : { session }) });
  return session === undefined ? notice : joined(notice, await shownAgain(steward, person, told));
}

/** The session of a run stands in the list from now on. */
export async function shownAgain(
  { now, store }: Steward,
  person: string,
  { session, text }: Pick<Told, "session" | "text">,
): Promise<Commit> {
  const key = sessionKey(person, session!);
  const doc = (await store.get(key)) as SessionDoc | undefined;
  return doc ? { merge: { [key]: { quiet: null, updatedAt: now(), snippet: oneLine(text, 120) } } } : {};
}

const said = ({ text, key, from = "schedule" }: Told) => {
  const item: Item = { id: `itm_${digest(key)}`, kind: "text", text, by: from };
  return { type: "item.completed" as const, turn: "", item };
};

/** Also to the chat in which that session lives. The next turn there reads it. */
async function intoSession({ store, now }: Steward, person: string, told: Told & { into: string }): Promise<Commit> {
  const { into, text, key } = told;
  const doc = (await store.get(sessionKey(person, into))) as SessionDoc | undefined;
  if (!doc || doc.deletedAt) throw new StewardError("not_found", "The session that it should be told in is gone");
  const home = (await store.get(homeKey(into))) as Address | undefined;
  const letter: Commit = home ? sending({ person, to: home, text, session: into }, now(), `dlv_${digest(key)}`) : {};
  return {
    ...letter,
    put: { ...letter.put, ...(told.own ? {} : { [taintKey(into)]: true }) },
    merge: { [sessionKey(person, into)]: { updatedAt: now(), snippet: oneLine(text, 120), quiet: null } },
    events: [{ session: into, event: said(told) }],
  };
}

/** A chat in which this person has spoken. The owner's are their own business. */
export async function mayReach({ store }: Steward, person: string, { channel, chat }: Address, owner: boolean): Promise<void> {
  if (owner || (await store.list(`p/${person}/route/${channel}/${chat}/`)).length > 0) return;
  throw new StewardError("denied", "That chat is not one of yours", { hint: "Write something there first." });
}
