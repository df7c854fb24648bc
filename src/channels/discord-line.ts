// What the parts of an account at Discord share, and where a channel of Discord's is in Steward's words.
import type { REST } from "@discordjs/rest";
import { type APIChannel, type APIGuildChannel, ChannelType, Routes } from "discord-api-types/v10";
import type { ChannelHost } from "../core/channel.ts";
import type { Bookmarks } from "./discord-bookmarks.ts";
import { hasCode } from "../std/error.ts";
import { remember } from "./bounds.ts";
import { asked, isTokenRefusal } from "./discord-faults.ts";
import type { Work } from "./discord-lanes.ts";
import type { Place, Self } from "./discord-messages.ts";

export interface Line {
  rest: REST;
  host: ChannelHost;
  self: Self;
  application: string;
  bookmarks: Bookmarks;
  lanes: Work;
  /** The parent of each thread; "" of what is no thread. */
  parents: Map<string, string>;
  /** Servers whose channels are not told yet: what is missing there is unknown. */
  awaited: Set<string>;
  /** Ids of messages that were fetched: when the gateway tells them too, they are known. */
  fetched: Map<string, true>;
  /** Ids of what Steward has sent, by nonce. */
  receipts: Map<string, string>;
}

const THREADS: ReadonlySet<number> = new Set([ChannelType.PublicThread, ChannelType.PrivateThread, ChannelType.AnnouncementThread]);

export function learn({ parents }: Line, channel: Pick<APIChannel | APIGuildChannel, "id" | "type">): void {
  const { parent_id: parent } = channel as { parent_id?: string | null };
  parents.set(channel.id, THREADS.has(channel.type) ? (parent ?? "") : "");
}

/** `meant`: it is looked for, once, when Discord has not told of it; what is not meant for Steward makes no call. */
export async function placeOf(line: Line, channel: string, { direct, meant }: { direct: boolean; meant: boolean }): Promise<Place> {
  const { host, parents, rest } = line;
  if (!direct && meant && !parents.has(channel)) {
    const found = await asked<APIChannel>(() => rest.get(Routes.channel(channel))).catch(unlessHidden);
    if (found) learn(line, found);
    else parents.set(channel, "");
  }
  const parent = direct ? "" : (parents.get(channel) ?? "");
  return { direct, to: { channel: host.name, ...(parent === "" ? { chat: channel } : { chat: parent, thread: channel }) } };
}

/** It may be heard and yet not be looked at: then it counts as no thread. */
function unlessHidden(error: unknown): undefined {
  if (isTokenRefusal(error) || !(hasCode(error, "denied") || hasCode(error, "not_found"))) throw error;
}

const MOST_RECEIPTS = 500;

export const keep = <T>(map: Map<string, T>, key: string, value: T): void => remember(map, key, value, MOST_RECEIPTS);
