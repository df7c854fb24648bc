// record: a message becomes durable together with the job that answers it. What comes from chats is admitted and routed by src/chats.
import { textOf } from "../core/history.ts";
import type { Source } from "../core/events.ts";
import type { Commit } from "../core/store.ts";
import type { Address, FilePart, Part, Principal } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { countMessage } from "./allowance.ts";
import { LONGEST, type Reply, type Scene } from "./asides.ts";
import { belongs } from "./documents.ts";
import { filePart } from "./files.ts";
import { placeFile } from "./places.ts";
import { cancelling, turnJob } from "./jobs.ts";
import { homeKey } from "./outbox.ts";
import { limitedNow } from "./rights.ts";
import { ownDoc, sessionDoc, sessionKey, stopHelpers } from "./sessions.ts";
import type { Steward } from "./steward.ts";
import { taintKey } from "./taint.ts";

export type GivenPart = { type: "text"; text: string } | { type: "file"; id: string };
const MAX_TEXT = 200_000;

/** A message from a client that knows its session. Resolves when it is durable; a running turn takes it up. The same key twice is one message. A command is answered at once instead: `reply`. `rounds`: model calls at most, if fewer than the setting. `think`: whether the model shall reason. `literal`: by a program whose words are for the model, so never a command. */
export async function say(
  steward: Steward,
  who: Principal,
  message: { session: string; parts: GivenPart[]; key?: string | undefined; rounds?: number; think?: boolean; literal?: boolean },
): Promise<{ key: string; reply?: Reply }> {
  const { session, key = newId("key"), rounds, think } = message;
  const how = { ...(rounds === undefined ? {} : { rounds }), ...(think === undefined ? {} : { think }) };
  const doc = await ownDoc(steward, who, session);
  countMessage(steward, who);
  if (doc.halted) await steward.store.commit({ merge: { [sessionKey(who.person, session)]: { halted: null } } }); // a stopped task answers its person
  const { reply, given } = message.literal ? { given: message.parts } : await commandIn(steward, { who, session, key }, message.parts);
  if (reply) return { key, reply };
  const parts = await Promise.all(
    given.map(async (part): Promise<Part> => (part.type === "file" ? attached(steward, who, { session, id: part.id }) : checked(part))),
  );
  if (!parts.some((part) => part.type === "file" || part.text.trim() !== "")) throw new StewardError("invalid", "The message is empty");
  await record(steward, { who, session, parts, key, titled: doc.title !== "", how });
  return { key };
}

/** Only what is all text, and all of it, can be a command. */
export async function commandIn<P extends Part | GivenPart>(
  steward: Steward,
  scene: Scene,
  parts: P[],
): Promise<{ reply?: Reply; given: (P | { type: "text"; text: string })[] }> {
  const [only] = parts;
  if (parts.length !== 1 || only?.type !== "text" || only.text.length > LONGEST) return { given: parts };
  const found = await steward.commands.take(scene, only.text);
  if (found === undefined) return { given: parts };
  return "literal" in found ? { given: [{ type: "text", text: found.literal }] } : { reply: found, given: parts };
}

async function attached(steward: Steward, who: Principal, { session, id }: { session: string; id: string }): Promise<FilePart> {
  const file = await filePart(steward, who, id);
  await belongs(steward, who, { session, id });
  const path = await placeFile(steward, who, file);
  const { place: _, ...plain } = file;
  return path.startsWith("/data/") ? { ...plain, place: path } : plain;
}

function checked(part: { type: "text"; text: string }): Part {
  if (part.text.length > MAX_TEXT)
    throw new StewardError("invalid", `The message has ${part.text.length} characters; at most ${MAX_TEXT} fit`, {
      hint: "Send it as a file.",
    });
  return { type: "text", text: part.text.replaceAll("\0", "") };
}

export interface Recorded {
  who: Principal;
  session: string;
  parts: Part[];
  key: string;
  titled: boolean;
  how?: { rounds?: number; think?: boolean };
  replyTo?: Address;
  /** Not the person's own words. */
  source?: Source;
  /** Noted with it. */
  merge?: Commit["merge"];
}

/** One commit, once for each key: also of a chat that is in another session, or in which its writer counts as somebody else, by now. */
export async function record(steward: Steward, { who, session, parts, key, titled, how, replyTo, source, merge }: Recorded): Promise<void> {
  const snippet = oneLine(textOf(parts) || parts.map((part) => (part.type === "file" ? part.name : "")).join(", "), 120);
  const title = oneLine(snippet, 60);
  const limits = await limitedNow(steward, who);
  const where = { ...(replyTo ? { replyTo } : {}), ...(source ? { source } : {}), ...limits };
  await steward.store.commit({
    once: `say/${replyTo ? chatKey(replyTo, key) : `${who.person}/${session}/${key}`}`,
    events: [
      { session, event: { type: "message.received", id: newId("msg"), from: who.person, parts, key, ...where } },
      ...(titled ? [] : [{ session, event: { type: "session.updated" as const, title } }]),
    ],
    merge: { ...merge, [sessionKey(who.person, session)]: { updatedAt: steward.now(), snippet, ...(titled ? {} : { title }) } },
    add: { [sessionKey(who.person, session)]: { messages: 1 } },
    put: { ...(replyTo ? { [homeKey(session)]: replyTo } : {}), ...(source ? { [taintKey(session)]: true } : {}) },
    jobs: [turnJob(session, who, { ...how, ...limits })],
  });
}

/** Asks the running turn to stop, also one that waits for a retry or a person. False when none runs, or another one than `only`. */
export async function cancelTurn(steward: Steward, who: Principal, session: string, only?: string): Promise<boolean> {
  const { running } = await sessionDoc(steward, who, session);
  if (!running || (only !== undefined && running !== only)) return false;
  await steward.store.commit(cancelling(session, who, running));
  steward.store.publish(session, { type: "turn.cancelling", turn: running });
  await stopHelpers(steward, who, session);
  return true;
}

/** The same message of a chat, also when the chat is in another session by now. */
export const chatKey = ({ channel, chat }: Address, key: string): string => `${JSON.stringify([channel, chat])}/${key}`;

/** The document that says in which session a chat is. */
export const routeKey = (person: string, { channel, chat, thread = "" }: Address): string =>
  `p/${person}/route/${channel}/${chat}/${thread}`;
