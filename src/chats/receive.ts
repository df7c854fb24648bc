// receive → admit → route → record, for what comes from a platform. Resolves once it is durable or was not admitted.
import { createHash } from "node:crypto";
import type { Inbound } from "../core/channel.ts";
import type { Address, Part, Principal } from "../core/types.ts";
import { allowanceOf, countMessage } from "../run/allowance.ts";
import { putFile } from "../run/files.ts";
import { placeFile } from "../run/places.ts";
import { chatKey, commandIn, record, routeKey } from "../run/inbox.ts";
import { makeSession, sessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { bytes as sizeOf, oneLine, visible } from "../std/text.ts";
import { type Admitted, admit, type Door } from "./admission.ts";
import { bangIn, isBangTalk, reported, speaksOsAgent, takeBang } from "./bang.ts";
import { tooOften } from "./attempts.ts";
import { hearing, keyOf, noteHeard, wasHeard, wasRecorded } from "./heard.ts";
import { takeHook } from "./hooks.ts";
import { pressed, typedAnswer } from "./questions.ts";
import { noteReach } from "./reach.ts";

const MOST_TEXT = 200_000;
const MOST_FILES = 20;

/** Throws unavailable when it could not be kept: then the platform is not told, and brings it again. A webhook's throws whatever keeps it from being taken, conflict when it was before. */
export async function receive(
  steward: Steward,
  message: Inbound,
  given: Omit<Door, "isOurs"> = { entry: entryOf(steward, message) },
): Promise<{ text?: string }> {
  const isOurs = async (one: Inbound): Promise<boolean> =>
    (one.to.thread !== undefined && (await steward.store.get(threadKey(one.to))) === true) || isBangTalk(steward, one);
  const admitted = await admit(steward, message, { ...given, isOurs });
  if (!admitted || message.kind === "reaction") return {};
  const { who, hook } = admitted;
  if (hook) {
    await takeHook(steward, message, { who, hook, session: await route(steward, who, message.to) });
    return {};
  }
  try {
    if (message.kind === "press") return await pressed(steward, message, admitted);
    const { to } = message;
    const key = keyOf(message);
    if (await wasHeard(steward, to, key)) return {};
    const { empty, ...answer } = await taken(steward, message.read ? { ...message, ...(await message.read()) } : message, admitted);
    await noteHeard(steward, to, key);
    // Seen, and durable: the mark is only a look, so nobody waits for it.
    if (message.kind === "message" && !empty) void given.channel?.react?.(message.to, message.message, "seen").catch(() => {});
    return answer;
  } catch (error) {
    if (!(error instanceof StewardError) || error.code === "internal" || error.code === "unavailable" || error.code === "stale")
      throw error;
    // What can't be done is said; the platform need not bring it again.
    return { text: `${error.message}.${error.hint ? ` ${error.hint}` : ""}` };
  }
}

const entryOf = (steward: Steward, { to }: Inbound): Door["entry"] => steward.settings.config().channels[to.channel];

/** A thread of a room in which Steward was spoken to. */
const threadKey = ({ channel, chat, thread = "" }: Address): string => `thread/${JSON.stringify([channel, chat, thread])}`;

/** `empty`: nothing in it could be read. */
type Taken = { text?: string; empty?: true };
/** In a room it is a bare mention. */
const emptyOf = ({ kind, where }: Inbound): Taken =>
  kind === "message" && where === "direct" ? { text: "I can't read messages of this kind.", empty: true } : { empty: true };

async function taken(steward: Steward, message: Inbound, admitted: Admitted): Promise<Taken> {
  const { who, room } = admitted;
  const { to } = message;
  await noteReach(steward, message, { person: who.person, room: room === true, channel: steward.channels[to.channel] });
  if (!room) await steward.notices.here(who.person);
  const session = await route(steward, who, to);
  if (room && to.thread !== undefined && (await steward.store.get(threadKey(to))) !== true)
    await steward.store.commit({ put: { [threadKey(to)]: true } });
  const key = keyOf(message);
  if (await wasRecorded(steward, session, to, key)) return {};
  if (await takeBang(steward, message, { admitted, session })) return {};
  const plain = visible(message.text.slice(0, MOST_TEXT));
  if (message.forwarded || message.passed !== undefined) return passedOn(steward, message, { admitted, session, text: plain });
  const onlyText = message.kind === "message" && (message.files ?? []).length === 0;
  if (onlyText && (await typedAnswer(steward, { who, session, key: chatKey(to, key), text: plain, message }))) return {};
  const reset = speaksOsAgent(steward, to.channel) && bangIn(plain)?.name === "reset";
  const said = message.kind === "command" ? `/${plain}` : plain;
  // With this word platforms begin a conversation.
  const spoken = reset ? "/clear" : /^\/start(\s|$)/i.test(said) ? "/help" : said;
  const scene = { who, session, key: chatKey(to, key), replyTo: to };
  // A change may correct what was said, and runs nothing: what was a command then has been done.
  if (message.kind === "edit" && (await steward.commands.meant(scene, spoken)))
    return { text: "A changed message is no command. Write it anew." };
  const { reply, given } = await commandIn<Part>(steward, scene, [{ type: "text", text: spoken }]);
  if (reply) return {};
  const { title } = await sessionDoc(steward, who, session);
  countMessage(steward, who);
  const files = message.kind === "edit" ? [] : await brought(steward, who, message);
  const words = given.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  const parts: Part[] = [...(words.trim() === "" ? [] : [{ type: "text" as const, text: framed(words, message, admitted) }]), ...files];
  if (parts.length === 0) return emptyOf(message);
  await record(steward, { who, session, parts, key, titled: title !== "", replyTo: to, ...(await hearing(steward, to, key)) });
  return {};
}

/** With somebody else's words: no command, no answer to a question, and they are data for the model. What the sender says of them is theirs. */
async function passedOn(
  steward: Steward,
  message: Inbound,
  { admitted, session, text }: { admitted: Admitted; session: string; text: string },
): Promise<Taken> {
  const { who } = admitted;
  const { title } = await sessionDoc(steward, who, session);
  countMessage(steward, who);
  const own = message.forwarded || text.trim() === "" ? "" : framed(text, message, admitted);
  const words = [own === "" ? text : own, message.passed ?? ""].filter((one) => one.trim() !== "");
  const parts: Part[] = [
    ...words.map((one): Part => ({ type: "text", text: visible(one.slice(0, MOST_TEXT)) })),
    ...(await brought(steward, who, message)),
  ];
  const source = own === "" ? "notification" : "forwarded";
  const more = { replyTo: message.to, source, ...(await hearing(steward, message.to, keyOf(message))) } as const;
  if (parts.length === 0) return emptyOf(message);
  await record(steward, { who, session, parts, key: keyOf(message), titled: title !== "", ...more });
  return {};
}

/** In a room it says who wrote; only the sender's own words, and Steward's, are quoted. */
function framed(text: string, { from, kind, name, quoted }: Inbound, { room }: Admitted): string {
  const writer = room ? `${oneLine(visible(name ?? from), 60)}: ` : "";
  const quote = quoted && (quoted.own || quoted.from === from) ? `${visible(quoted.text).slice(0, 2000).replace(/^/gm, "> ")}\n\n` : "";
  return `${quote}${writer}${kind === "edit" ? "(I have changed this message:) " : ""}${text}`;
}

/** Only now, after the check, is anything fetched. One that fails is named, not lost silently. Brought again, each is the same file. */
async function brought(steward: Steward, who: Principal, { to, key, files = [] }: Inbound): Promise<Part[]> {
  const placed: string[] = [];
  const limit = allowanceOf(steward, who.role).uploadBytes;
  const parts: Part[] = [];
  for (const [at, file] of files.slice(0, MOST_FILES).entries()) {
    const mark = createHash("sha256")
      .update(JSON.stringify([who.person, chatKey(to, key), at]))
      .digest("hex");
    const name = oneLine(visible(file.name), 200) || "file";
    try {
      if ((file.size ?? 0) > limit) throw new StewardError("limit", `it is larger than ${sizeOf(limit)}`);
      const part = await putFile(steward, who, { name, bytes: await file.bytes(limit), limit, id: `fil_${mark.slice(0, 32)}` });
      const place = await placeFile(steward, who, part).catch(() => undefined);
      placed.push(`${part.name} → ${place ?? "(kept, but the computer can't be reached)"}`);
      parts.push(place?.startsWith("/data/") ? { ...part, place } : part);
    } catch (error) {
      if (hasCode(error, "unavailable") && !tooOften(steward, `file/${mark}`)) throw error;
      parts.push({ type: "text", text: `(The file "${name}" could not be taken: ${messageOf(error)})` });
    }
  }
  if (files.length > MOST_FILES) parts.push({ type: "text", text: `(${files.length - MOST_FILES} more files were left out.)` });
  if (placed.length > 0 && speaksOsAgent(steward, to.channel)) await reported(steward, who, { to, key, placed });
  return parts;
}

/** The session in which the chat is, made when there is none. */
export async function route(steward: Steward, who: Principal, to: Address): Promise<string> {
  const key = routeKey(who.person, to);
  const known = (await steward.store.get(key)) as string | undefined;
  if (known && (await sessionDoc(steward, who, known).catch(missing))) return known;
  await steward.store.commit({ once: `${key}/${known ?? ""}`, put: { [key]: newId("ses") } });
  const id = (await steward.store.get(key)) as string;
  await makeSession(steward, who, { id });
  return id;
}

function missing(error: unknown): undefined {
  if (!hasCode(error, "not_found")) throw error;
}
