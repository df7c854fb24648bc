// One account at a homeserver, while it is connected; and how what it says is read: nothing of it is believed to have its shape.
import type { ChannelHost } from "../core/channel.ts";
import type { Account } from "./matrix-calls.ts";
import type { Invitation, Room } from "./matrix-rooms.ts";

export interface Line extends Account {
  host: ChannelHost;
  config: {
    homeserver: string;
    accessToken: string;
    inviters: string[];
    invitations: "direct" | "inviters";
    pollSeconds: number;
    answerSeconds: number;
  };
  /** Its own id, and the name that it shows. */
  me: string;
  shown: string;
  /** When the homeserver was last heard where messages come in. */
  heard: { at: number };
  rooms: Map<string, Promise<Room>>;
  /** The thread in which a message stands, "" outside of any; of those seen or sent lately. */
  threads: Map<string, string>;
  /** Those of them that are its own. */
  own: Map<string, true>;
  /** Rooms that know that it can't read them. */
  told: Set<string>;
  invitations: Map<string, Invitation>;
  joins: number[];
  /** Its marks at people's messages. */
  marks: Map<string, string>;
}

export type Fields = Record<string, unknown>;
export const fields = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
export const words = (value: unknown): string => (typeof value === "string" ? value : "");
export const many = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fields) : []);
/** Ids that stand in keys; anybody can write any words where one belongs. */
export const eventId = (value: unknown): string => /^\$[!-~]{1,255}$/.exec(words(value))?.[0] ?? "";
export const userId = (value: unknown): string => /^@[!-~]{1,255}$/.exec(words(value))?.[0] ?? "";
