// A message of Matrix as Steward takes it.
import type { Inbound, InboundFile } from "../core/channel.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { limited, remember } from "./bounds.ts";
import { call, path, refusal, requested } from "./matrix-calls.ts";
import { eventId, type Fields, fields, type Line, many, userId, words } from "./matrix-line.ts";
import { isDirect, type Room } from "./matrix-rooms.ts";
import { inWords } from "./things.ts";

/** Programs say these to each other. */
const PROTOCOL = /^m\.(key\.verification\.|server_notice$)/;

/** "" of what nobody here can read. */
function wordsOf(kind: string, content: Fields, rest: string): string {
  if (kind === "m.sticker") return inWords("Sticker", rest);
  if (kind === "m.location") return inWords("Location", rest, words(content["geo_uri"]).replace(/^geo:/, ""));
  return /^m\.(text|notice|emote|image|file|audio|video)$/.test(kind) ? rest : "";
}

/** Undefined: nothing that a person said. */
export function inboundOf(line: Line, room: { id: string; facts: Room }, event: Fields): Inbound | undefined {
  const whole = fields(event["content"]);
  const relation = fields(whole["m.relates_to"]);
  const isEdit = relation["rel_type"] === "m.replace";
  const content = isEdit ? fields(whole["m.new_content"]) : whole;
  const isSticker = event["type"] === "m.sticker";
  const [id, from] = [eventId(event["event_id"]), userId(event["sender"])];
  const kind = isSticker ? "m.sticker" : words(content["msgtype"]);
  const message = isEdit ? eventId(relation["event_id"]) : id;
  if (id === "" || from === "" || message === "" || kind === "" || PROTOCOL.test(kind)) return undefined;
  const thread = isEdit ? line.threads.get(message) : relation["rel_type"] === "m.thread" ? eventId(relation["event_id"]) : undefined;
  if (!isEdit) remember(line.threads, id, thread ?? "");
  const answers = eventId(fields(relation["m.in_reply_to"])["event_id"]);
  const { quote, rest } = answers === "" ? { quote: undefined, rest: words(content["body"]) } : unquoted(words(content["body"]));
  const direct = isDirect(room.facts);
  const isFile = /^m\.(image|file|audio|video)$/.test(kind);
  const said = isFile && words(content["filename"]) === "" ? "" : wordsOf(kind, content, rest);
  const answersOwn =
    answers !== "" && relation["is_falling_back"] !== true && (line.own.has(answers) || (quote?.from ?? line.me) === line.me);
  return {
    ...{ key: id, kind: isEdit ? "edit" : "message", from, name: room.facts.members.get(from) || from, bot: kind === "m.notice" },
    to: { channel: line.host.name, chat: room.id, ...(thread ? { thread } : {}) },
    where: direct ? "direct" : "group",
    addressed: direct || (answers !== "" && line.own.has(answers) && relation["is_falling_back"] !== true) || isMeant(line, content),
    text: withoutMention(line, said),
    ...(isFile && !isEdit ? { files: [fileOf(line, content)] } : {}),
    message,
    ...(quote?.from === from ? { quoted: quote } : {}),
    ...(answersOwn ? { read: () => ownWords(line, room.id, answers) } : {}),
    ...(typeof event["origin_server_ts"] === "number" ? { at: event["origin_server_ts"] } : {}),
  };
}

/** What it answers, when that was said by this account: the homeserver tells, not whoever answers. */
async function ownWords(line: Line, room: string, id: string): Promise<Partial<Inbound>> {
  const asked: Promise<Fields> = call(line, "GET", path`client/v3/rooms/${room}/event/${id}`);
  const event = await asked.catch((error: unknown): Fields => {
    if (hasCode(error, "unavailable")) throw error;
    return {};
  });
  const text = words(fields(event["content"])["body"]);
  return words(event["sender"]) === line.me && text !== "" ? { quoted: { from: line.me, text, own: true } } : {};
}

/** What older clients put before an answer: `> <@mia:example.org> words`. */
function unquoted(body: string): { quote: { from: string; text: string } | undefined; rest: string } {
  const [, from, first = ""] = /^> (?:\* )?<(@[^>\s]{1,255})> ?(.*)/.exec(body) ?? [];
  if (from === undefined) return { quote: undefined, rest: body };
  const lines = body.split("\n");
  const end = lines.findIndex((line) => !line.startsWith(">"));
  const quoted = [first, ...lines.slice(1, end < 0 ? lines.length : end).map((line) => line.replace(/^> ?/, ""))].join("\n");
  return {
    quote: { from, text: quoted },
    rest: end < 0 ? "" : lines.slice(end).join("\n").replace(/^\n+/, ""),
  };
}

/** By what the client says; of those that say nothing, by words and links. */
function isMeant({ me, shown }: Line, content: Fields): boolean {
  const mentions = content["m.mentions"];
  if (mentions !== undefined) {
    const ids = fields(mentions)["user_ids"];
    return Array.isArray(ids) && ids.includes(me);
  }
  const [body, html] = [words(content["body"]).toLowerCase(), words(content["formatted_body"])];
  if (body.includes(me.toLowerCase()) || html.includes(`matrix.to/#/${me}`) || html.includes(`matrix.to/#/${encodeURIComponent(me)}`))
    return true;
  return shown !== "" && named(shown).test(body);
}

const plain = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const named = (name: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}@])@?${plain(name)}(?![\\p{L}\\p{N}])`, "iu");

function withoutMention({ me, shown }: Line, text: string): string {
  const ids = new RegExp(`${plain(me)}:?`, "gi");
  const bare = text.replace(ids, "");
  const atStart = new RegExp(`^\\s*@?${plain(shown)}\\s*[:,]\\s*`, "i");
  return (shown === "" ? bare : bare.replace(atStart, "")).trim();
}

function fileOf(line: Line, content: Fields): InboundFile {
  const info = fields(content["info"]);
  const { mimetype, size } = info;
  return {
    name: words(content["filename"]) || words(content["body"]) || "file",
    ...(typeof mimetype === "string" ? { mime: mimetype.slice(0, 100) } : {}),
    ...(typeof size === "number" ? { size } : {}),
    ...(content["org.matrix.msc3245.voice"] !== undefined || content["m.voice"] !== undefined ? { voice: true } : {}),
    bytes: (limit) => download(line, words(content["url"]), limit),
  };
}

async function download(line: Line, address: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const [, server = "", id = ""] = /^mxc:\/\/([^/?#]{1,255})\/([\w-]{1,255})$/.exec(address) ?? [];
  if (id === "") throw new StewardError("invalid", "This file has no address at Matrix");
  const get = (before: string): Promise<Response> => requested(line, "GET", `${before}${path`/download/${server}/${id}`}`, { ms: 300_000 });
  let response = await get("client/v1/media");
  // Homeservers from before signed-in downloads.
  if (response.status === 404 || response.status === 400) response = await get("media/v3");
  if (!response.ok) throw refusal(response, {}, line.host.name);
  return limited(response, limit, "the homeserver");
}

/** Of an invitation: who invites, and whether they mean a conversation of two. */
export function invitationOf({ me }: Line, invite: Fields): { by: string; direct: boolean } | undefined {
  const own = many(fields(invite["invite_state"])["events"]).find(
    (event) => event["type"] === "m.room.member" && event["state_key"] === me && fields(event["content"])["membership"] === "invite",
  );
  const by = words(own?.["sender"]);
  return by === "" ? undefined : { by, direct: fields(own?.["content"])["is_direct"] === true };
}
