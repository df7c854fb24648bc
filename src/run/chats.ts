// What the rest needs of the chats: accounts at platforms, how they are, and requests that platforms make. They are src/chats.
import type { ChannelKind, HookAnswer, HookRequest } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";

export type ChannelState =
  /** Turned off, or taken out of the configuration. */
  | "off"
  /** A setting is missing. */
  | "missing"
  | "opening"
  /** Messages travel in both directions, seen lately. */
  | "healthy"
  /** It was not seen lately that they do. */
  | "doubtful"
  /** The platform can't be reached; it is tried again. */
  | "waiting"
  /** The platform refuses the account: somebody has to do something. */
  | "refused"
  /** Another process of this install has it. */
  | "elsewhere";
export interface ChannelInfo {
  name: string;
  kind: string;
  title: string;
  state: ChannelState;
  /** Steward's own account at the platform. */
  account?: string;
  /** What is wrong and what to do. */
  problem?: string;
  hint?: string;
  /** Epoch milliseconds: in this state since; the platform was last heard; a message last came in; it is tried again. */
  since: number;
  heardAt?: number;
  messageAt?: number;
  retryAt?: number;
  /** Settings that are missing. */
  missing: string[];
  /** Messages that wait to go out. */
  waiting: number;
}
/** Its body is read only when somebody listens. */
export type HookCall = Omit<HookRequest, "body"> & { body(): Promise<HookRequest["body"]> };
export interface Chats {
  /** Keeps all channels of the configuration connected from now on. */
  begin(): void;
  list(): Promise<ChannelInfo[]>;
  /** The platforms that there are, by their names. */
  kinds(): Promise<ChannelKind[]>;
  /** Throws not_found with the known names in the hint. */
  kind(name: string): Promise<ChannelKind>;
  /** After a change of settings or secrets: opens, closes and opens anew what has changed. */
  refresh(): Promise<void>;
  /** Connects anew at once, such as after a change at the platform. Throws not_found. */
  again(name: string): Promise<ChannelInfo>;
  /** Tries settings without keeping anything: connects, goes there and back, closes. Throws what is wrong. */
  test(entry: { name: string; kind: string; settings: Record<string, unknown> }): Promise<{ account: string }>;
  /** Lets in, as a guest, whoever was told this code there. Throws denied, limit. */
  approve(given: { channel: string; code: string; by: string }): Promise<{ name: string; person: string }>;
  /** What a platform asks of `/hooks/<name>`. Throws not_found when nobody listens there. */
  hook(name: string, call: HookCall): Promise<HookAnswer>;
  /** Done within three seconds. */
  close(): Promise<void>;
}

/** None. */
export const noChats: Chats = {
  begin() {},
  list: async () => [],
  kinds: async () => [],
  kind: async () => Promise.reject(new StewardError("not_found", "There are no channels")),
  refresh: async () => {},
  again: async () => Promise.reject(new StewardError("not_found", "There are no channels")),
  test: async () => Promise.reject(new StewardError("not_found", "There are no channels")),
  approve: async () => Promise.reject(new StewardError("not_found", "There are no channels")),
  hook: async () => Promise.reject(new StewardError("not_found", "Nobody listens there")),
  close: async () => {},
};
