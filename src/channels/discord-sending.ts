// Messages to Discord: each with a nonce, under which a second try is the first for some minutes; after that the channel is looked through.
import { createHash } from "node:crypto";
import { type APIMessage, ButtonStyle, ComponentType, MessageFlags, Routes } from "discord-api-types/v10";
import type { Button, Outgoing } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { idAt, isAfter } from "./discord-bookmarks.ts";
import { asked, sent } from "./discord-faults.ts";
import { discordText } from "./discord-form.ts";
import { keep, type Line } from "./discord-line.ts";

/** What was begun and not confirmed, by nonce. */
export type Doubts = Map<string, Attempt>;
export interface Attempt {
  message: Outgoing;
  /** Epoch milliseconds before which it was not sent. */
  since: number;
  /** Receipts of others. */
  known?: string[];
}

const ROW = 5;
const PAGE = 100;
const MOST_PAGES = 20;
const SKEW_MS = 10_000;

export const channelOf = ({ chat, thread }: Address): string => idOf(thread ?? chat);

/** Nothing else gets into an address of the API. */
export function idOf(text: string): string {
  if (!/^\d{15,22}$/.test(text)) throw new StewardError("not_found", "Discord has no such id");
  return text;
}

/** At most 25 characters. */
const nonceOf = (key: string): string => createHash("sha256").update(key).digest("base64url").slice(0, 24);

const STYLES = { primary: ButtonStyle.Primary, danger: ButtonStyle.Danger } as const;

function rows(buttons: Button[] = []): unknown[] {
  const all = buttons.map(({ id, label, style }) => ({
    type: ComponentType.Button,
    custom_id: id,
    label: label.slice(0, 80),
    style: style ? STYLES[style] : ButtonStyle.Secondary,
  }));
  return Array.from({ length: Math.ceil(all.length / ROW) }, (_, at) => ({
    type: ComponentType.ActionRow,
    components: all.slice(at * ROW, at * ROW + ROW),
  }));
}

/** A file that comes without words has those of OS-Agent's bot. */
const worded = ({ text, file }: Outgoing): string => (text === "" && file ? `Returned file: ${file.name}` : text);

/** Nobody is called by it, and no page is fetched for a preview. */
export const bodyOf = (message: Outgoing): Record<string, unknown> => ({
  content: discordText(worded(message)),
  components: rows(message.buttons),
  allowed_mentions: { parse: [], replied_user: true },
  flags: MessageFlags.SuppressEmbeds,
});

export async function send(
  line: Line,
  doubts: Doubts,
  { to, message, key }: { to: Address; message: Outgoing; key: string },
): Promise<string> {
  const nonce = nonceOf(key);
  const begun = doubts.get(nonce);
  const found = begun && (await lookup(line, doubts, { to, key }));
  if (found !== undefined) return found;
  keep(doubts, nonce, begun ?? { message, since: line.host.now() });
  const { file, replyTo } = message;
  const body = {
    ...bodyOf(message),
    ...{ nonce, enforce_nonce: true },
    ...(replyTo ? { message_reference: { message_id: idOf(replyTo), fail_if_not_exists: false } } : {}),
  };
  const files = file ? [{ name: file.name, data: file.bytes, contentType: file.mime }] : [];
  const post = (): Promise<APIMessage> => sent(() => line.rest.post(Routes.channelMessages(channelOf(to)), { body, files }));
  try {
    const { id } = await post().catch((error: unknown) => {
      if (error instanceof StewardError) throw error;
      return post(); // the same nonce: it can't become two
    });
    keep(line.receipts, nonce, id);
    doubts.delete(nonce);
    return id;
  } catch (error) {
    if (error instanceof StewardError && !begun) doubts.delete(nonce);
    throw error;
  }
}

/** Discord keeps no nonce with a message, so later it is known by what it says, when, and that it is nobody else's receipt. Undefined: it is not there. */
export async function lookup(
  { rest, self, receipts }: Line,
  doubts: Doubts,
  { to, key, was }: { to: Address; key: string; was?: Attempt | undefined },
): Promise<string | undefined> {
  const nonce = nonceOf(key);
  const known = receipts.get(nonce);
  if (known !== undefined) return known;
  const attempt = doubts.get(nonce) ?? was;
  if (!attempt) throw new StewardError("internal", "Nobody knows any more what was sent");
  const { message, since } = attempt;
  const others = new Set([...receipts.values(), ...(was?.known ?? [])]);
  const begun = idAt(since);
  let after = idAt(since - SKEW_MS);
  let early = false;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = new URLSearchParams({ after, limit: String(PAGE) });
    const found = await asked<APIMessage[]>(() => rest.get(Routes.channelMessages(channelOf(to)), { query }));
    const own = found.filter((one) => one.author.id === self.id && !others.has(one.id) && isSame(one, message));
    const sure = own.find(({ id }) => isAfter(id, begun));
    if (sure) {
      keep(receipts, nonce, sure.id);
      return sure.id;
    }
    early ||= own.length > 0;
    if (found.length < PAGE && early)
      throw new StewardError("internal", "The same was said there just before: nobody can tell which it is");
    if (found.length < PAGE) return undefined;
    after = found.reduce((newest, { id }) => (isAfter(id, newest) ? id : newest), after);
  }
  throw new StewardError("internal", "Too much was said there since to find it");
}

const plain = (text: string): string => text.replace(/\s+/g, " ").trim();

const isSame = ({ content, attachments }: APIMessage, message: Outgoing): boolean =>
  plain(content) === plain(discordText(worded(message))) &&
  attachments.map(({ size }) => size).join() === (message.file ? String(message.file.bytes.length) : "");
