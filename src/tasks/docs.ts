// The documents of tasks: read, found by name, and what of a log belongs to them.
import { CHANNEL, NAME } from "../core/config-tasks.ts";
import type { Event, Stored } from "../core/events.ts";
import { messagesAfter } from "../core/history.ts";
import type { TurnData } from "../run/jobs.ts";
import { lesserRole, personOf } from "../run/persons.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { type TaskDoc, taskKey } from "../run/tasks.ts";
import type { Principal } from "../core/types.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine, visible } from "../std/text.ts";

/** Which task answers a context of A2A, and what was asked there. */
export const contextKey = (person: string, context: string): string => `p/${person}/a2a/context/${context}`;
export const askedKey = (person: string, id: string): string => `p/${person}/a2a/task/${id}`;
/** That a task was let go on under this key, and when. */
export const resumedKey = (person: string, key: string): string => `p/${person}/resumed/${key}`;
/** What was said on a channel. */
export interface Row {
  n: number;
  at: number;
  channel: string;
  from: string;
  text: string;
}
/** Of one message, of a channel, of all. */
export const rowKey = (person: string, channel?: string, n?: number): string =>
  `p/${person}/bus/${channel === undefined ? "" : `${channel}/`}${n === undefined ? "" : String(n).padStart(12, "0")}`;
export const MOST_TEXT = 100_000;
export const isOpen = ({ state }: TaskDoc): boolean => state === "open";

/** Throws not_found. */
export async function taskDoc({ store }: Steward, { person }: Pick<Principal, "person">, id: string): Promise<TaskDoc> {
  const doc = (await store.get(taskKey(person, id))) as TaskDoc | undefined;
  if (!doc)
    throw new StewardError("not_found", `There is no task ${oneLine(visible(id), 60)}`, { hint: "steward tasks list shows yours." });
  return doc;
}

/** Oldest first. */
export async function taskDocs({ store }: Steward, { person }: Pick<Principal, "person">): Promise<TaskDoc[]> {
  return (await store.list(taskKey(person, "")))
    .map(({ value }) => value as TaskDoc)
    .toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

export const sessionOf = async ({ store }: Steward, person: string, id: string): Promise<Partial<SessionDoc>> =>
  (await store.get(sessionKey(person, id))) ?? {};

const LOOK_BACK = 1000;
/** Steward's words in the log of a member: it begins when somebody says more. */
const BRIEF = 2;

/** Messages that no turn has read. */
export async function unreadOf({ store }: Steward, { session, stays }: Pick<TaskDoc, "session" | "stays">): Promise<Stored[]> {
  const log = await store.events(session, { last: LOOK_BACK });
  const end = log.findLast(({ event }) => event.type === "turn.completed")?.event;
  return messagesAfter(log, end?.type === "turn.completed" ? end.seen : stays ? BRIEF : 0);
}

/** It is open, or was spoken to again after its end. */
export async function isAtWork(steward: Steward, doc: TaskDoc): Promise<boolean> {
  if (isOpen(doc)) return true;
  const { running, halted, deletedAt } = await sessionOf(steward, doc.person, doc.session);
  if (halted || deletedAt) return false;
  return Boolean(running) || (await unreadOf(steward, doc)).length > 0;
}

const fold = (name: string): string => name.normalize("NFKC").toLowerCase();

/** The newest of that name or id. */
export const named = (all: TaskDoc[], name: string): TaskDoc | undefined =>
  all.find(({ id }) => id === name) ?? all.findLast((one) => fold(one.name) === fold(name.trim()));

/** Itself and all that it started, and they. */
export function below(all: TaskDoc[], id: string): TaskDoc[] {
  const found = all.filter((one) => one.id === id);
  for (let at = 0; at < found.length; at++) found.push(...all.filter(({ parent }) => parent === found[at]!.id));
  return found;
}

/** Within which it and its own talk: a team is one. */
export const treeOf = ({ id, root, team, stays }: TaskDoc): string => (team !== undefined && !stays ? id : root);

/** Those that somebody may name: of the same tree, and what was started by or from it. */
export const around = (all: TaskDoc[], { session, task }: { session: string; task?: TaskDoc | undefined }): TaskDoc[] =>
  all.filter(
    ({ id, root, from }) =>
      from === session || root === session || (task !== undefined && id !== task.id && [task.root, treeOf(task)].includes(root)),
  );

export function cleanName(given: string): string {
  const name = oneLine(visible(given), 60).trim();
  if (!NAME.test(name)) throw new StewardError("invalid", "A name has 1 to 60 letters, digits, blanks, dots, - and _");
  return name;
}

/** A few words of the text. */
export function nameFrom(text: string): string {
  const words = oneLine(visible(text), 200)
    .replace(/[^\p{L}\p{N} ._-]+/gu, " ")
    .trim()
    .split(/\s+/)
    .slice(0, 5)
    .join(" ");
  const name = words
    .slice(0, 40)
    .replace(/^[ ._-]+/, "")
    .trim();
  return NAME.test(name) ? name : "task";
}

export function cleanText(given: string): string {
  const text = visible(given).trim();
  if (text === "" || text.length > MOST_TEXT) throw new StewardError("invalid", `A message has 1 to ${MOST_TEXT} characters`);
  return text;
}

export function channelName(given: string): string {
  const name = given.replace(/^#/, "").trim().toLowerCase();
  if (!CHANNEL.test(name))
    throw new StewardError("invalid", "A channel's name has 1 to 60 small letters, digits, dots, - and _, such as #findings");
  return name;
}

/** What an agent of another system began talks on channels of its own, however it calls them; no other hears these, and it hears no others. */
export function channelIn(foreign: string | undefined, given: string): string {
  const name = channelName(given);
  return name.startsWith(prefixIn(foreign)) ? name : channelName(`${prefixIn(foreign)}${name}`);
}
export const prefixIn = (foreign: string | undefined): string => (foreign === undefined ? "" : `a2a-${foreign.slice(-6)}.`);
export const foreignOf = (task: TaskDoc | undefined): string | undefined => task?.foreign ?? (task?.by === "a2a" ? task.id : undefined);

/** What another agent says: data, with its sender, who is set here and never by a model. Its key ends with how many such messages led to it. */
export const saidBy = (sender: string, text: string, key: string): Event & { type: "message.received" } => ({
  ...personSaid(sender, text, key),
  source: "agent",
});
export const personSaid = (person: string, text: string, key: string): Event & { type: "message.received" } => ({
  type: "message.received",
  id: newId("msg"),
  from: person,
  parts: [{ type: "text", text }],
  key,
});

/** With what a turn that goes on with this is counted: where the turn that began it had a ceiling, or ran with nobody there, they have one together. */
export const ceilingOf = ({ origin, principal }: Pick<TaskDoc, "origin" | "principal">): Pick<TurnData, "ceiling"> => {
  if (!origin || (!origin.ceiling && principal.via !== "schedule")) return {};
  const { ceiling, ...of } = origin;
  return { ceiling: { ...ceiling, of } };
};

/** Whose rights are less by now has less. */
export async function principalNow(steward: Steward, who: Principal): Promise<Principal> {
  const { role = who.role } = (await personOf(steward, who.person)) ?? {};
  return { ...who, role: lesserRole(who.role, role) };
}

export function missing(error: unknown): undefined {
  if (!hasCode(error, "not_found")) throw error;
}
