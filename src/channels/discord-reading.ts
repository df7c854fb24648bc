// What comes from Discord: events as they happen, and by REST what happened while nobody listened. A message counts as read only when it is durable.
import {
  type APIMessage,
  GatewayDispatchEvents as On,
  type GatewayDispatchPayload,
  type GatewayGuildCreateDispatchData,
  type GatewayReadyDispatchData,
  Routes,
} from "discord-api-types/v10";
import type { Inbound } from "../core/channel.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { isAfter } from "./discord-bookmarks.ts";
import { asked, isTokenRefusal } from "./discord-faults.ts";
import { answer } from "./discord-interactions.ts";
import { keep, learn, type Line, placeOf } from "./discord-line.ts";
import { inboundOf, isMeant, isWritten, reactionOf } from "./discord-messages.ts";

const PAGE = 100;
/** Of a room in which much was said while Steward was away. */
const MOST_PAGES = 20;
/** A session begins: what came before it is fetched. */
export function begun(line: Line, { guilds, application }: GatewayReadyDispatchData): void {
  line.application = application.id;
  for (const { id } of guilds) line.awaited.add(id);
  for (const channel of line.bookmarks.direct()) line.lanes.add(channel, () => catchUp(line, channel));
}

export function happened(line: Line, { t, d }: GatewayDispatchPayload): void {
  if (t === On.GuildCreate) return arrived(line, d);
  if (t === On.GuildDelete) return void (d.unavailable ? line.awaited.add(d.id) : line.awaited.delete(d.id));
  if (t === On.ChannelCreate || t === On.ThreadCreate || t === On.ThreadUpdate) return learn(line, d);
  if (t === On.ThreadListSync) return d.threads.forEach((thread) => learn(line, thread));
  if (t === On.MessageCreate)
    return line.lanes.add(d.channel_id, async () => {
      if (!line.fetched.has(d.id)) await take(line, d, d.guild_id === undefined);
    });
  if (t === On.MessageUpdate && d.edited_timestamp && d.author && d.author.id !== line.self.id)
    return line.lanes.add(d.channel_id, () => changed(line, d, d.guild_id === undefined));
  if (t === On.MessageReactionAdd && d.user_id !== line.self.id)
    return line.lanes.add(d.channel_id, async () => {
      await line.host.inbox(reactionOf(d, await placeOf(line, d.channel_id, { direct: d.guild_id === undefined, meant: false })));
    });
  if (t === On.InteractionCreate) answer(line, d);
}

function arrived(line: Line, guild: GatewayGuildCreateDispatchData): void {
  if (guild.unavailable) return;
  const { self, bookmarks, lanes, awaited } = line;
  for (const { id, tags } of guild.roles) if (tags?.bot_id === self.id) self.roles.add(id);
  for (const channel of [...guild.channels, ...guild.threads]) {
    learn(line, channel);
    const newest = "last_message_id" in channel ? channel.last_message_id : undefined;
    if (newest && isAfter(newest, bookmarks.of(channel.id))) lanes.add(channel.id, () => catchUp(line, channel.id, newest));
  }
  awaited.delete(guild.id);
  quiet(line);
}

/** Nothing is on its way: what is known becomes short. */
export function quiet({ lanes, awaited, bookmarks }: Line): void {
  if (lanes.idle() && awaited.size === 0) bookmarks.settled();
}

/** Handed over and then noted; one of Steward's own is only noted. */
async function take(line: Line, message: APIMessage, direct: boolean): Promise<void> {
  const { self, host, bookmarks, receipts } = line;
  const { id, channel_id, author, nonce } = message;
  if (direct) await bookmarks.meet(channel_id, id);
  if (author.id === self.id) {
    if (nonce !== undefined) keep(receipts, String(nonce), id);
  } else if (isWritten(message)) {
    const place = await placeOf(line, channel_id, { direct, meant: isMeant(message, self) });
    const inbound = understood(line, () => inboundOf(message, { self, place, host, edited: false }));
    const { text } = inbound ? await host.inbox(inbound) : {};
    if (text) await whisper(line, message, text);
  }
  bookmarks.moved(channel_id, id, direct);
}

/** What Discord sends in a form that nobody knows is passed over, so that it holds up nothing. */
function understood(line: Line, read: () => Inbound): Inbound | undefined {
  try {
    return read();
  } catch (error) {
    line.host.log("error", "A message of Discord could not be understood", { error: messageOf(error) });
    return undefined;
  }
}

async function changed(line: Line, message: APIMessage, direct: boolean): Promise<void> {
  if (!isWritten(message)) return;
  const place = await placeOf(line, message.channel_id, { direct, meant: isMeant(message, line.self) });
  const inbound = understood(line, () => inboundOf(message, { self: line.self, place, host: line.host, edited: true }));
  if (inbound) await line.host.inbox(inbound);
}

/** Said once, and not missed when it can't be. */
async function whisper({ rest }: Line, { id, channel_id }: APIMessage, text: string): Promise<void> {
  const body = {
    ...{ content: text.slice(0, 2000), allowed_mentions: { parse: [] } },
    message_reference: { message_id: id, fail_if_not_exists: false },
  };
  await rest.post(Routes.channelMessages(channel_id), { body }).catch(() => undefined);
}

/** All that came after what was read, oldest first. In a room, whose newest message is told, not without end: most of it is not for Steward. */
async function catchUp(line: Line, channel: string, newest?: string): Promise<void> {
  const direct = newest === undefined;
  for (let pages = 0; ; pages++) {
    if (!direct && pages === MOST_PAGES) {
      line.host.log("warning", "More was said in a room meanwhile than is read", { room: channel });
      return line.bookmarks.moved(channel, newest, false);
    }
    const query = new URLSearchParams({ after: line.bookmarks.of(channel), limit: String(PAGE) });
    const page = await asked<APIMessage[]>(() => line.rest.get(Routes.channelMessages(channel), { query })).catch((error: unknown) => {
      if (isTokenRefusal(error)) line.host.lost(error);
      else if (hasCode(error, "denied") || hasCode(error, "not_found")) return [];
      throw error;
    });
    for (const message of page.toSorted((a, b) => (isAfter(a.id, b.id) ? 1 : -1))) {
      await take(line, message, direct);
      keep(line.fetched, message.id, true);
    }
    if (page.length < PAGE) return;
  }
}
