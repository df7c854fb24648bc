// What happens at Discord as Steward takes it: messages, interactions, reactions. Who may speak is decided elsewhere.
import {
  type APIAttachment,
  type APIInteraction,
  type APIMessage,
  type APIUser,
  ApplicationCommandOptionType,
  type GatewayMessageReactionAddDispatchData,
  InteractionType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import type { ChannelHost, Inbound, InboundFile } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { limited } from "./bounds.ts";
import { inWords, pollInWords } from "./things.ts";

/** As whom Steward is there. */
export interface Self {
  id: string;
  /** Roles that only this bot has: people pick them instead of the bot. */
  roles: Set<string>;
}
export interface Place {
  to: Address;
  direct: boolean;
}

export const nameOf = ({ global_name, username }: Pick<APIUser, "global_name" | "username">): string => global_name ?? username;

/** What people write; the rest are notices of Discord's. */
export const isWritten = ({ type }: Pick<APIMessage, "type">): boolean => type === MessageType.Default || type === MessageType.Reply;

/** As it comes: Discord may leave things out. */
type Told = Pick<APIMessage, "author"> & Partial<APIMessage>;

/** It mentions Steward, or one of its roles, or answers it; by other programs, nothing does. */
export const isMeant = ({ author, mentions = [], mention_roles = [], referenced_message: answers }: Told, self: Self): boolean =>
  author.bot !== true &&
  (mentions.some(({ id }) => id === self.id) || mention_roles.some((role) => self.roles.has(role)) || answers?.author.id === self.id);

export function inboundOf(message: APIMessage, { self, place, host, edited }: Taking): Inbound {
  const { author, referenced_message: answers, message_snapshots: passed = [] } = message;
  const forwarded = message.message_reference?.type === MessageReferenceType.Forward || passed.length > 0;
  return {
    ...{ key: `${message.channel_id}:${message.id}${edited ? `:${message.edited_timestamp}` : ""}`, kind: edited ? "edit" : "message" },
    ...{ from: author.id, name: nameOf(author), bot: author.bot === true || message.webhook_id !== undefined },
    ...{ to: place.to, where: place.direct ? "direct" : "group", addressed: place.direct || isMeant(message, self) },
    ...{ text: textOf(message, self) || (edited ? "" : thingsIn(message)), message: message.id, at: Date.parse(message.timestamp) },
    ...(answers
      ? { quoted: { from: answers.author.id, text: answers.content, ...(answers.author.id === self.id ? { own: true } : {}) } }
      : {}),
    ...(forwarded ? { forwarded } : {}),
    files: filesOf(message, host),
  };
}
export interface Taking {
  self: Self;
  place: Place;
  host: ChannelHost;
  edited: boolean;
}

/** Without the mention of Steward; others by their names. Of what was passed on from elsewhere, its words. */
function textOf({ content, mentions, message_snapshots }: APIMessage, { id, roles }: Self): string {
  const names = new Map(mentions.map((user) => [user.id, nameOf(user)]));
  const own = content
    .replace(/<@(!|&)?(\d+)>/g, (found, mark: string | undefined, who: string) => {
      if (mark === "&") return roles.has(who) ? "" : found;
      return who === id ? "" : names.has(who) ? `@${names.get(who)}` : found;
    })
    .replace(/<a?(:\w+:)\d+>/g, "$1")
    .trim();
  return [own, message_snapshots?.[0]?.message.content ?? ""].filter((one) => one !== "").join("\n\n");
}

/** "" of what has no words of its own. */
function thingsIn({ sticker_items: stickers = [], poll }: APIMessage): string {
  const answers = poll?.answers.map(({ poll_media }) => poll_media.text ?? "") ?? [];
  return [...stickers.map(({ name }) => inWords("Sticker", name)), ...(poll ? [pollInWords(poll.question.text ?? "", answers)] : [])].join(
    "\n",
  );
}

function filesOf({ attachments, flags, message_snapshots }: APIMessage, host: ChannelHost): InboundFile[] {
  const all = [...attachments, ...(message_snapshots?.[0]?.message.attachments ?? [])];
  const spoken = ((flags ?? 0) & MessageFlags.IsVoiceMessage) !== 0;
  return all.map((one) => ({
    name: one.filename,
    ...(one.content_type ? { mime: one.content_type } : {}),
    size: one.size,
    ...(spoken ? { voice: true } : {}),
    bytes: (limit: number) => download(one, limit, host),
  }));
}

async function download({ url, size }: APIAttachment, limit: number, host: ChannelHost): Promise<Uint8Array<ArrayBuffer>> {
  if (size > limit) throw new StewardError("limit", "The file is larger than allowed");
  const response = await host.fetch(url);
  if (!response.ok)
    throw new StewardError(
      response.status >= 500 ? "unavailable" : "not_found",
      `Discord did not hand over the file (HTTP ${response.status})`,
    );
  return limited(response, limit, "Discord");
}

/** Undefined: it is of a kind that Steward does not offer. */
export function interactionOf(interaction: APIInteraction, place: Place): Inbound | undefined {
  const user = interaction.member?.user ?? interaction.user;
  if (!user) return undefined;
  const who = { from: user.id, name: nameOf(user), bot: user.bot === true };
  const where = { to: place.to, where: place.direct ? ("direct" as const) : ("group" as const), addressed: true };
  const key = `interaction:${interaction.id}`;
  if (interaction.type === InteractionType.MessageComponent)
    return { key, kind: "press", ...who, ...where, text: "", press: interaction.data.custom_id, message: interaction.message.id };
  if (interaction.type !== InteractionType.ApplicationCommand) return undefined;
  const { name, options = [] } = interaction.data as { name: string; options?: { type: ApplicationCommandOptionType; value?: unknown }[] };
  const words = options.filter(({ type }) => type === ApplicationCommandOptionType.String).map(({ value }) => String(value));
  return { key, kind: "command", ...who, ...where, text: [name, ...words].join(" "), message: interaction.id };
}

export function reactionOf(data: GatewayMessageReactionAddDispatchData, place: Place): Inbound {
  const { channel_id, message_id, user_id, emoji, member } = data;
  return {
    ...{ key: `reaction:${channel_id}:${message_id}:${user_id}:${emoji.id ?? emoji.name}`, kind: "reaction", from: user_id },
    ...{ bot: member?.user.bot === true, to: place.to, where: place.direct ? "direct" : "group", text: "", message: message_id },
  };
}
