// A message of Slack as Steward takes it.
import type { Inbound, InboundFile } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";
import { limited, remember } from "./bounds.ts";
import { asked } from "./slack-faults.ts";
import { readText } from "./slack-form.ts";
import { isSlacks, type Line, type SlackEvent, type SlackFile, type SlackMessage } from "./slack-wire.ts";

/** An id holds in its workspace only: of somebody else's it bears that one's id too. `foreign`: it is known that it may be somebody else's. */
export function senderOf({ me }: Line, user: string | undefined, teams: (string | undefined)[], foreign = false): string {
  if (user === undefined || user === "") return "";
  const known = teams.filter((team) => team !== undefined && team !== "");
  const other = known.find((team) => team !== me.team && team !== me.enterprise);
  if (other !== undefined) return `${other}:${user}`;
  return known.length === 0 && foreign ? `?:${user}` : user;
}

const NAME_MS = 2000;
/** As people see them; "" when Slack does not say in time. */
export async function nameOf(line: Line, user: string | undefined): Promise<string> {
  if (user === undefined || user === "") return "";
  const known = line.names.get(user);
  if (known) return known;
  const looked = line.api.users.info({ user }).then(
    ({ user: one }) => one?.profile?.display_name || one?.real_name || one?.name || "",
    () => (line.names.delete(user), ""),
  );
  remember(line.names, user, looked);
  return Promise.race([looked, new Promise<string>((resolve) => setTimeout(() => resolve(""), NAME_MS).unref())]);
}

const SAID = new Set([undefined, "file_share", "thread_broadcast", "me_message", "bot_message"]);
const isDirect = (chat: string, kind: string | undefined): boolean => kind === "im" || chat.startsWith("D");

/** Undefined: it is nothing that anybody said. Slack also tells of a preview or an answer as if the message had changed. */
export function keyOf({ channel, subtype, ts, message, previous_message }: SlackEvent): string | undefined {
  if (channel === undefined) return undefined;
  if (subtype !== "message_changed") return SAID.has(subtype) && ts !== undefined ? `${channel}:${ts}` : undefined;
  const at = message?.edited?.ts;
  return message?.ts === undefined || at === undefined || message.text === previous_message?.text
    ? undefined
    : `${channel}:${message.ts}:${at}`;
}

/** Of what has a key. */
export async function inboundOf(
  line: Line,
  { event, key, shared }: { event: SlackEvent; key: string; shared: boolean },
): Promise<Inbound | undefined> {
  const { channel: chat = "", channel_type, message, files = [], attachments = [] } = event;
  const direct = isDirect(chat, channel_type);
  if (event.subtype === "message_changed")
    return message && { ...(await said(line, { chat, direct, message, shared })), key, kind: "edit" };
  const own = await said(line, { chat, direct, message: event, shared });
  const passed = attachments.filter(({ is_share, is_msg_unfurl }) => is_share || is_msg_unfurl);
  const theirs = passed.map(({ text, fallback = "" }) => readText(text || fallback, line.me.user)).join("\n\n");
  return {
    ...{ ...own, key, kind: "message" },
    files: [...files, ...passed.flatMap((one) => one.files ?? [])].flatMap((file) => fileOf(line, file)),
    ...(passed.length === 0 ? {} : own.text === "" ? { forwarded: true, text: theirs } : { passed: theirs }),
    ...(event.type === "app_mention" ? { addressed: true } : {}),
  };
}

interface Spoken {
  chat: string;
  direct: boolean;
  message: SlackMessage;
  shared: boolean;
}

/** In a room it is answered in the message's thread. */
async function said(line: Line, { chat, direct, message, shared }: Spoken): Promise<Omit<Inbound, "key" | "kind">> {
  const { me, host } = line;
  const { ts = "", thread_ts, text = "", user } = message;
  const bot = message.bot_id !== undefined || user === me.user || user === "USLACKBOT";
  const mentioned = new RegExp(`<@${me.user}[|>]`).test(text);
  const ofOwn = thread_ts !== undefined && thread_ts !== ts && message.parent_user_id === me.user;
  const addressed = direct || mentioned || ofOwn;
  const thread = direct ? (thread_ts === ts ? undefined : thread_ts) : (thread_ts ?? ts);
  // Alone, somebody unknown is shown to the owner by it; in a room it is asked for when they may speak there.
  const name = direct && !bot ? await nameOf(line, user) : undefined;
  return {
    ...{ from: senderOf(line, user ?? message.bot_id, [message.user_team, message.source_team, message.team], shared), bot },
    ...(name === undefined ? {} : { name }),
    ...(name === undefined || ofOwn
      ? {
          read: async () => ({
            ...(name === undefined ? { name: await nameOf(line, user) } : {}),
            ...(ofOwn ? await began(line, chat, thread_ts) : {}),
          }),
        }
      : {}),
    ...{ to: { channel: host.name, chat, ...(thread === undefined ? {} : { thread }) }, where: direct ? "direct" : "group", addressed },
    ...{ text: readText(text, me.user), message: ts, at: Math.round(Number(ts) * 1000) },
  };
}

/** What this account said, under which the thread began: there people answer it. */
async function began(line: Line, channel: string, ts: string): Promise<Partial<Inbound>> {
  const { messages = [] } = await asked(() => line.api.conversations.replies({ channel, ts, limit: 1 })).catch(() => ({ messages: [] }));
  const { user, text = "" } = (messages as SlackMessage[]).find((one) => one.ts === ts) ?? {};
  return user === line.me.user && text !== "" ? { quoted: { from: user, text: readText(text, user), own: true } } : {};
}

function fileOf(line: Line, file: SlackFile): InboundFile[] {
  if (file.mode === "tombstone" || file.mode === "hidden_by_limit") return [];
  return [
    {
      name: file.name ?? file.title ?? "file",
      ...(file.mimetype ? { mime: file.mimetype } : {}),
      ...(file.size === undefined ? {} : { size: file.size }),
      ...(file.subtype === "slack_audio" ? { voice: true } : {}),
      bytes: (limit) => download(line, file, limit),
    },
  ];
}

/** The token goes to Slack only; who follows a redirect elsewhere leaves it behind. */
async function download(line: Line, given: SlackFile, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const file =
    given.file_access === "check_file_info"
      ? (((await asked(() => line.api.files.info({ file: given.id }))).file ?? given) as SlackFile)
      : given;
  const address = file.url_private_download ?? file.url_private;
  if (address === undefined) throw new StewardError("not_found", "Slack does not hand over this file");
  if (!isSlacks(line, address)) throw new StewardError("denied", "This file does not lie at Slack");
  const response = await fetched(line, address);
  if (response.status === 403 || (/^text\/html/.test(response.headers.get("content-type") ?? "") && !/html/.test(file.mimetype ?? "")))
    throw new StewardError("denied", "Slack does not hand over the file", { hint: "The app needs the bot scope files:read." });
  if (!response.ok)
    throw new StewardError(
      response.status >= 500 ? "unavailable" : "not_found",
      `Slack did not hand over the file (HTTP ${response.status})`,
    );
  return limited(response, limit, "Slack");
}

async function fetched({ host, config }: Line, address: string): Promise<Response> {
  try {
    return await host.fetch(address, { headers: { authorization: `Bearer ${config.botToken}` } });
  } catch (error) {
    if (error instanceof StewardError) throw error;
    throw new StewardError("unavailable", "The file could not be fetched from Slack", { cause: error });
  }
}
