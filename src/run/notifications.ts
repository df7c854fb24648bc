// What a program tells the agent, from inside the person's computer or from outside: each once, in order, at a bearable rate. It wakes the agent like a message, but is never the person's word.
import { createHash } from "node:crypto";
import type { Computer, FileInfo } from "../core/computer.ts";
import type { Event } from "../core/events.ts";
import type { Commit, Job } from "../core/store.ts";
import type { DocumentInfo } from "../core/api-documents.ts";
import type { FilePart, Part, Principal } from "../core/types.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import { clip, oneLine } from "../std/text.ts";
import { fileKey, keepBytes } from "./files.ts";
import { turnJob } from "./jobs.ts";
import { placeFile } from "./places.ts";
import { makeSession, ownDoc, sessionDoc, sessionKey, type SessionDoc } from "./sessions.ts";
import { BETWEEN_MS, settledFiles } from "./settled-files.ts";
import type { Steward } from "./steward.ts";
import { taintKey } from "./taint.ts";

export interface Notification {
  message: string;
  /** Default: the newest; one is made when there is none. */
  session?: string | undefined;
  /** The same key twice is one notification. */
  key?: string | undefined;
  from: "computer" | "outside";
}

export const MOST_TEXT = 10_000;
const A_MINUTE = 20;
const MINUTE_MS = 60_000;
const SAME_MS = 5000;
const MOST_HELD = 1000;
const MOST_SHOWN = 8000;

const stateKey = (person: string): string => `p/${person}/notified`;
const heldKey = (person: string, id: string): string => `p/${person}/held/${id}`;

interface State {
  /** When the newest were delivered, at most a minute ago. */
  times?: number[];
  recent?: { hash: string; at: number; id: string; session: string }[];
  held?: number;
}
interface Held {
  text: string;
  session: string;
  from: Notification["from"];
  who: Principal;
}

/** Durable when it resolves. An identical text within five seconds is the same notification. More than twenty a minute are put together into one message. Throws limit when a thousand wait. */
export function notify(steward: Steward, who: Principal, given: Notification): Promise<{ id: string; session: string }> {
  return inLane(steward.lanes, `notify/${who.person}`, () => take(steward, who, given));
}

async function take(steward: Steward, who: Principal, given: Notification): Promise<{ id: string; session: string }> {
  const text = clip(given.message.replaceAll("\0", ""), MOST_TEXT);
  if (text.trim() === "") throw new StewardError("invalid", "The notification is empty");
  if (given.session !== undefined) await ownDoc(steward, who, given.session);
  const now = steward.now();
  const state = ((await steward.store.get(stateKey(who.person))) ?? {}) as State;
  const hash = digest(`${given.session ?? ""}\0${text}`);
  const recent = (state.recent ?? []).filter(({ at }) => now - at < SAME_MS);
  const same = recent.find((one) => one.hash === hash);
  if (same) return { id: same.id, session: same.session };
  const once = `notify/${who.person}/${given.key === undefined ? `${hash}/${Math.floor(now / SAME_MS)}` : `key/${given.key}`}`;
  const session = given.session ?? (await newestSession(steward, who, "Notifications"));
  const id = `ntf_${digest(once).slice(0, 24)}`;
  const times = (state.times ?? []).filter((at) => now - at < MINUTE_MS);
  const seen = { recent: [...recent, { hash, at: now, id, session }].slice(-50) };
  if (times.length >= A_MINUTE || (state.held ?? 0) > 0) {
    const first = times[0] ?? now;
    if ((state.held ?? 0) >= MOST_HELD)
      throw new StewardError("limit", `${MOST_HELD} notifications wait to be read`, { retryAt: first + MINUTE_MS });
    await steward.store.commit({
      once,
      put: { [heldKey(who.person, newId("ntf"))]: { text, session, from: given.from, who } satisfies Held },
      merge: { [stateKey(who.person)]: seen },
      add: { [stateKey(who.person)]: { held: 1 } },
      jobs: [
        { id: newId("job"), kind: "notifications", lane: `notify/${who.person}`, runAt: first + MINUTE_MS, data: { person: who.person } },
      ],
    });
    return { id, session };
  }
  const doc = await sessionDoc(steward, who, session);
  const told = message(steward, { who, session, doc, from: given.from, id, parts: [{ type: "text", text }] });
  await steward.store.commit({ ...told, once, merge: { ...told.merge, [stateKey(who.person)]: { times: [...times, now], ...seen } } });
  return { id, session };
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

interface Told {
  who: Principal;
  session: string;
  doc: SessionDoc;
  from: Notification["from"];
  id: string;
  parts: Part[];
}

/** The commit that puts it into the session and wakes the agent. What comes from the computer is answered there, also for somebody who may do more. */
function message(steward: Steward, { who, session, doc, from, id, parts }: Told): Commit {
  const event: Event = {
    type: "message.received",
    id,
    from: who.person,
    parts,
    key: id,
    source: from === "computer" ? "computer" : "notification",
  };
  const first = parts[0];
  const title = doc.title === "" ? { title: "Notifications" } : {};
  return {
    events: [
      { session, event },
      ...(doc.title === "" ? [{ session, event: { type: "session.updated" as const, title: "Notifications" } }] : []),
    ],
    put: { [taintKey(session)]: true },
    merge: {
      [sessionKey(who.person, session)]: {
        updatedAt: steward.now(),
        snippet: first?.type === "text" ? oneLine(first.text, 120) : "",
        ...title,
      },
    },
    add: { [sessionKey(who.person, session)]: { messages: 1 } },
    jobs: [turnJob(session, from === "computer" ? { ...who, via: "schedule" } : who)],
  };
}

/** The session used last; a new one of this title when there is none. */
export async function newestSession(steward: Steward, who: Principal, title: string): Promise<string> {
  const docs = (await steward.store.list(sessionKey(who.person, ""))).map(({ value }) => value as SessionDoc);
  const [newest] = docs
    .filter(({ deletedAt, parent, task, quiet }) => !deletedAt && !quiet && parent === undefined && task === undefined)
    .toSorted((a, b) => b.updatedAt - a.updatedAt);
  return newest?.id ?? (await makeSession(steward, who, { title })).id;
}

/** What had to wait becomes one message a session, when the minute is over. */
export async function tellHeld(steward: Steward, job: Job): Promise<void> {
  const { person } = job.data as { person: string };
  await inLane(steward.lanes, `notify/${person}`, async () => {
    const lease = { job: job.id, epoch: job.epoch, then: "done" as const };
    const held = (await steward.store.list(heldKey(person, ""))).map(({ key, value }) => ({ key, ...(value as Held) }));
    if (held.length === 0) return void (await steward.store.commit({ lease }));
    const state = ((await steward.store.get(stateKey(person))) ?? {}) as State;
    const whole: Commit = {
      lease,
      drop: held.map(({ key }) => key),
      add: { [stateKey(person)]: { held: -held.length } },
      merge: { [stateKey(person)]: { times: [...(state.times ?? []).slice(1 - A_MINUTE), steward.now()] } },
    };
    for (const [session, group] of Map.groupBy(held, (one) => one.session)) join(whole, await together(steward, session, group));
    await steward.store.commit(whole);
  });
}

function join(whole: Commit, part: Commit): void {
  whole.events = [...(whole.events ?? []), ...(part.events ?? [])];
  whole.jobs = [...(whole.jobs ?? []), ...(part.jobs ?? [])];
  for (const field of ["put", "merge", "add"] as const) Object.assign((whole[field] ??= {}), part[field]);
}

async function together(steward: Steward, named: string, held: (Held & { key: string })[]): Promise<Commit> {
  const { who } = held.at(-1)!;
  const there = await sessionDoc(steward, who, named).catch(() => undefined);
  const session = there ? named : await newestSession(steward, who, "Notifications");
  const doc = there ?? (await sessionDoc(steward, who, session));
  const texts = held.map(({ text }, at) => (held.length === 1 ? text : `${at + 1}. ${text}`)).join("\n");
  const text = held.length === 1 ? texts : `${held.length} more notifications:\n${texts}`;
  const parts: Part[] = [{ type: "text", text: clip(text, MOST_TEXT) }];
  if (text.length > MOST_SHOWN) parts.push(await asFile(steward, who, { texts, key: held[0]!.key }));
  const from = held.some((one) => one.from === "computer") ? "computer" : "outside";
  return message(steward, { who, session, doc, from, id: `ntf_${digest(held[0]!.key).slice(0, 24)}`, parts });
}

/** Nothing of what did not fit is lost. The same texts are the same file, whenever it was cut off. */
async function asFile(steward: Steward, who: Principal, { texts, key }: { texts: string; key: string }): Promise<FilePart> {
  const id = `fil_${digest(`held\0${key}`).slice(0, 32)}`;
  const bytes = new TextEncoder().encode(texts);
  const file = await keepBytes(steward, who.person, { id, name: "notifications.txt", bytes, limit: Infinity });
  await steward.store.commit({ merge: { [fileKey(who.person, id)]: { ...file } } });
  try {
    const place = await placeFile(steward, { ...who, via: "schedule" }, file);
    return { ...file, place };
  } catch (error) {
    steward.log("warning", "The texts of notifications could not be put into the computer", { error: messageOf(error) });
    return file;
  }
}

/** Tells the session that a document has come, for doors whose clients expect that. */
export const notifyUpload = (steward: Steward, who: Principal, session: string, { name, path }: DocumentInfo): Promise<unknown> =>
  notify(steward, who, { message: `File uploaded: ${path ?? name}`, session, from: "outside" });

// ---- Files that a program in the computer writes

export const NOTICES = "/state/notifications";
const MOST_FILES = 100;
const MOST_NAMES = 5000;

/** Takes up what lies there, in the order of the names; each file goes once it is durable. Returns how many. */
export async function takeNotices(steward: Steward, who: Principal, computer: Computer, betweenMs = BETWEEN_MS): Promise<number> {
  const wanted = (files: FileInfo[]): FileInfo[] =>
    files
      .filter(({ name, type }) => type === "file" && name.endsWith(".txt") && !name.startsWith("."))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, MOST_FILES);
  const files = wanted(await settledFiles(() => computer.list(NOTICES, MOST_NAMES).then(wanted), betweenMs));
  let taken = 0;
  for (const { path, version } of files) {
    const bytes = await computer.read(path, { limit: MOST_TEXT * 4 });
    const text = new TextDecoder().decode(bytes);
    try {
      if (text.replaceAll("\0", "").trim() !== "")
        await notify(steward, who, { message: text, key: digest(`${path}\0${version}`), from: "computer" });
    } catch (error) {
      if (hasCode(error, "limit")) return taken; // they lie well where they are
      throw error;
    }
    await computer.remove(path);
    taken++;
  }
  return taken;
}
