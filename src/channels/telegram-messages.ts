// A message of Telegram as Steward takes it.
import type { Message, Update, User } from "grammy/types";
import type { Inbound, InboundFile } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { limited } from "./bounds.ts";
import { asked } from "./telegram-faults.ts";
import type { Line } from "./telegram-reading.ts";
import { inWords, pollInWords } from "./things.ts";

const MOST_READ = 20 * 1024 * 1024;

export const nameOf = ({ first_name, last_name = "" }: User): string => `${first_name} ${last_name}`.trim();

/** The topic of a forum is a thread. */
export const addressOf = ({ chat, message_thread_id, is_topic_message }: Message): Address => ({
  ...{ channel: "telegram", chat: String(chat.id) },
  ...(is_topic_message && message_thread_id !== undefined ? { thread: String(message_thread_id) } : {}),
});

const SAID = [
  ...["text", "caption", "document", "photo", "video", "audio", "voice", "video_note", "animation", "sticker", "location", "venue"],
  ...["contact", "poll", "dice", "story", "game", "paid_media", "checklist", "invoice"],
];
/** Somebody said it; the rest are notices of Telegram's, such as that a message was pinned. */
export const isSaid = (message: Message): boolean => SAID.some((kind) => kind in message);

/** "" of what has no words of its own. */
function thingIn({ venue, location, contact, sticker, poll, dice }: Message): string {
  const place = venue?.location ?? location;
  if (place) return inWords("Location", venue?.title, venue?.address, place.latitude, place.longitude);
  if (contact) return inWords("Contact", contact.first_name, contact.last_name, contact.phone_number);
  if (sticker) return inWords("Sticker", sticker.emoji ?? sticker.set_name ?? "a picture");
  if (poll)
    return pollInWords(
      poll.question,
      poll.options.map(({ text }) => text),
    );
  return dice ? inWords(dice.emoji, dice.value) : "";
}

export function inboundOf(line: Line, message: Message, { edited_message }: Update): Inbound {
  const { me } = line;
  const username = me.username ?? "";
  // A place that moves is changed every few seconds.
  const raw = message.text ?? message.caption ?? (edited_message ? "" : thingIn(message));
  const direct = message.chat.type === "private";
  const mention = new RegExp(`@${username.replace(/\W/g, "")}\\b`, "gi");
  const answers = message.reply_to_message;
  const command = /^\/([a-z0-9_]+)(?:@(\w+))?(?:\s|$)/i.exec(raw);
  const forMe = command?.[2] === undefined || command[2].toLowerCase() === username.toLowerCase();
  const text = raw.replace(mention, "").trim();
  // Another bot's command is not ours.
  const addressed = direct || (command ? command[2] !== undefined && forMe : mention.test(raw) || answers?.from?.id === me.id);
  return {
    ...{
      key: `${message.chat.id}:${message.message_id}${edited_message ? `:${message.edit_date}` : ""}`,
      kind: edited_message ? "edit" : "message",
    },
    ...{ from: String(message.from?.id ?? ""), name: message.from ? nameOf(message.from) : "", bot: message.from?.is_bot ?? true },
    ...{
      to: { ...addressOf(message), channel: line.host.name },
      where: direct ? "direct" : "group",
      addressed,
      text,
      message: String(message.message_id),
      at: message.date * 1000,
    },
    ...(isForwarded(message) ? { forwarded: true } : {}),
    ...(answers?.from
      ? {
          quoted: {
            from: String(answers.from.id),
            text: answers.text ?? answers.caption ?? "",
            ...(answers.from.id === me.id ? { own: true } : {}),
          },
        }
      : {}),
    files: filesOf(line, message),
  };
}

/** Written by somebody else, or by another program in the sender's name. */
function isForwarded({ forward_origin: origin, via_bot, from }: Message): boolean {
  return via_bot !== undefined || (origin !== undefined && !(origin.type === "user" && origin.sender_user.id === from?.id));
}

interface Held {
  file_id: string;
  file_size?: number;
  file_name?: string;
  mime_type?: string;
}

function filesOf(line: Line, message: Message): InboundFile[] {
  const photo = message.photo?.at(-1);
  const held: [Held | undefined, string][] = [
    [message.document, "file"],
    [photo, "photo.jpg"],
    [message.video, "video.mp4"],
    [message.audio, "audio.mp3"],
    [message.voice, "voice.ogg"],
    [message.video_note, "video.mp4"],
  ];
  return held.flatMap(([file, name]) =>
    file
      ? [
          {
            name: file.file_name ?? name,
            ...(file.mime_type ? { mime: file.mime_type } : {}),
            ...(file.file_size === undefined ? {} : { size: file.file_size }),
            ...(message.voice ? { voice: true } : {}),
            bytes: (limit: number) => download(line, file.file_id, limit),
          },
        ]
      : [],
  );
}

async function download({ api, config: given, host }: Line, id: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const { file_path, file_size = 0 } = await asked(() => api.getFile(id));
  if (file_size > Math.min(limit, MOST_READ)) throw new StewardError("limit", "The file is too large: bots may read 20 MB at Telegram");
  const response = await host.fetch(`${given.apiRoot}/file/bot${given.token}/${file_path}`);
  if (!response.ok)
    throw new StewardError(
      response.status >= 500 || response.status === 429 ? "unavailable" : "not_found",
      `Telegram did not hand over the file (HTTP ${response.status})`,
    );
  return limited(response, limit, "Telegram");
}
