// A program's conversation in OpenAI's forms as a session: which one it goes on in, and what is new in it.
import { createHash } from "node:crypto";
import type { Principal } from "../../core/types.ts";
import { choose } from "../../commands/choose.ts";
import { breach, choiceOf } from "../../run/choice.ts";
import { putFile } from "../../run/files.ts";
import type { GivenPart } from "../../run/inbox.ts";
import { makeSession, sessionDoc } from "../../run/sessions.ts";
import type { Steward } from "../../run/steward.ts";
import { hasCode, StewardError } from "../../std/error.ts";
import { bytes as sizeText, clip } from "../../std/text.ts";

export type Content = { type: "text"; text: string } | { type: "image"; url: string };
export interface Message {
  role: "system" | "user" | "assistant";
  content: Content[];
}
export interface Known {
  session: string;
  parts: GivenPart[];
  /** To be called with the answer, so that the next request finds this session by what it sends again. */
  answered(text: string): Promise<void>;
}

const MOST_KEPT = 200;
const MOST_RECORD = 60_000;
const key = (person: string): string => `p/${person}/openai`;

/** What was said so far, as one mark: the same messages are the same conversation. */
const markOf = (messages: Message[]): string =>
  createHash("sha256")
    .update(
      JSON.stringify(
        messages.map(({ role, content }) => [role, content.map((part) => (part.type === "text" ? part.text.trim() : part.url))]),
      ),
    )
    .digest("hex")
    .slice(0, 32);

/** `session`: the program names it. Throws invalid when the last message is not the person's. */
export async function conversationOf(
  steward: Steward,
  who: Principal,
  { messages, session, model }: { messages: Message[]; session?: string; model?: string },
): Promise<Known> {
  const last = messages.at(-1);
  if (last?.role !== "user") throw new StewardError("invalid", "The last message must be the user's");
  if (!last.content.some((part) => part.type === "image" || part.text.trim() !== ""))
    throw new StewardError("invalid", "The message is empty");
  const earlier = messages.slice(0, -1);
  if (session !== undefined) await sessionDoc(steward, who, session);
  const known = session ?? (await knownBy(steward, who, earlier));
  const wish = model === undefined ? undefined : wishOf(model);
  // All that can be refused is refused before a session or a file is made of it.
  for (const part of last.content) if (part.type === "image") bytesOf(steward, part.url);
  if (wish && known === undefined) await mayAnswer(steward, who, wish);
  const id = known ?? (await makeSession(steward, who, {})).id;
  if (wish) await answerWith(steward, who, { session: id, wish });
  const record = known === undefined ? recordOf(earlier) : [];
  const parts = await Promise.all([...record, ...last.content].map((part) => given(steward, who, part)));
  return {
    session: id,
    parts,
    answered: async (text) => {
      if (session === undefined) await remember(steward, who, { session: id, mark: markOf([...messages, assistant(text)]) });
    },
  };
}

const assistant = (text: string): Message => ({ role: "assistant", content: [{ type: "text", text }] });

/** The messages of a system alone begin a conversation; those that were said are looked up. */
async function knownBy(steward: Steward, who: Principal, earlier: Message[]): Promise<string | undefined> {
  if (!earlier.some(({ role }) => role === "assistant")) return undefined;
  const kept = ((await steward.store.get(key(who.person))) ?? {}) as Record<string, string>;
  const session = kept[markOf(earlier)];
  if (session === undefined) return undefined;
  const gone = await sessionDoc(steward, who, session).catch((error: unknown) => {
    if (!hasCode(error, "not_found")) throw error;
  });
  return gone === undefined ? undefined : session; // one that was deleted begins anew
}

/** One document for all; what was not asked for longest goes. */
async function remember({ store }: Steward, { person }: Principal, { session, mark }: { session: string; mark: string }): Promise<void> {
  const kept = ((await store.get(key(person))) ?? {}) as Record<string, string>;
  const old = Object.keys(kept).filter((one) => kept[one] !== session);
  const over = old.slice(0, Math.max(0, old.length - MOST_KEPT));
  const mine = Object.keys(kept).filter((one) => kept[one] === session);
  await store.commit({
    merge: { [key(person)]: { ...Object.fromEntries([...over, ...mine].map((one) => [one, null])), [mark]: session } },
  });
}

interface Wish {
  /** As the program wrote it. */
  asked: string;
  model: string;
  engine?: string;
}

/** "steward" is whoever answers; "provider/name" and "engine:provider/name" are that one, in this session. */
function wishOf(asked: string): Wish | undefined {
  if (/^(?:steward|default)$/i.test(asked)) return undefined;
  const [, engine, name = asked] = /^(?:([a-z][a-z0-9-]*):)?([a-z][a-z0-9-]*\/.+)$/.exec(asked) ?? [];
  if (!name.includes("/")) throw unknownModel(asked);
  return { asked, model: name, ...(engine === undefined ? {} : { engine }) };
}

async function mayAnswer(steward: Steward, who: Principal, { asked, model, engine }: Wish): Promise<void> {
  await Promise.all([steward.models.check(model), engine === undefined ? undefined : steward.engine(engine)]).catch(explained(asked));
  const now = await choiceOf(steward, who);
  const refused = await breach(steward, now, { engine: engine ?? now.engine, model });
  if (refused) throw new StewardError("denied", refused.message, { hint: refused.hint ?? "" });
}

const answerWith = (steward: Steward, who: Principal, { session, wish }: { session: string; wish: Wish }): Promise<unknown> =>
  choose(steward, who, {
    ...{ scope: "session", session, model: wish.model },
    ...(wish.engine === undefined ? {} : { engine: wish.engine }),
  }).catch(explained(wish.asked));

const explained =
  (asked: string) =>
  (error: unknown): never => {
    throw hasCode(error, "not_found") || hasCode(error, "invalid") ? unknownModel(asked) : error;
  };

const unknownModel = (model: string): StewardError =>
  new StewardError("not_found", `The model ${JSON.stringify(clip(model, 100))} does not exist`, {
    hint: 'Use "steward", or one of GET /v1/models.',
  });

/** What the program knows of a conversation that Steward does not: how to answer, and what was said, as a record. */
function recordOf(earlier: Message[]): Content[] {
  const line = ({ role, content }: Message): string =>
    `${role === "assistant" ? "Steward" : "Person"}: ${content.map((part) => (part.type === "text" ? part.text : "[image]")).join(" ")}`;
  const system = earlier
    .filter(({ role }) => role === "system")
    .flatMap(({ content }) => content.flatMap((part) => (part.type === "text" ? [part.text] : [])));
  const said = earlier.filter(({ role }) => role !== "system").map(line);
  return [
    ...(system.length > 0
      ? [`The program that this person speaks through says how to answer:\n${clip(system.join("\n\n"), MOST_RECORD)}`]
      : []),
    ...(said.length > 0 ? [`The conversation until now, as the program has it:\n${clip(said.join("\n"), MOST_RECORD)}`] : []),
  ].map((text) => ({ type: "text", text }));
}

/** Throws invalid for what is no picture in itself, limit for one that is too large. */
function bytesOf(steward: Steward, url: string): Buffer {
  const [, data] = /^data:image\/[\w.+-]+;base64,([A-Za-z0-9+/=\s]+)$/.exec(url) ?? [];
  if (data === undefined)
    throw new StewardError("invalid", "An image must be a data: address with its content in base64", {
      hint: "Images at other addresses are not fetched.",
    });
  const bytes = Buffer.from(data, "base64");
  const { uploadBytes } = steward.settings.config().limits;
  if (bytes.length > uploadBytes) throw new StewardError("limit", `A file may hold ${sizeText(uploadBytes)} at most`);
  return bytes;
}

async function given(steward: Steward, who: Principal, part: Content): Promise<GivenPart> {
  if (part.type === "text") return part;
  const { id } = await putFile(steward, who, {
    name: "image",
    bytes: bytesOf(steward, part.url),
    limit: steward.settings.config().limits.uploadBytes,
  });
  return { type: "file", id };
}
