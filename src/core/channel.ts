// The port of channels: chat apps, mail, webhooks. Transport only: who may speak, what is answered, splitting, order, retries and supervision are src/chats.
import type { ZodMiniType } from "zod/mini";
import type { Fetch } from "./ports.ts";
import type { Address } from "./types.ts";

/**
 * One account at a platform, connected. `send` and `edit` throw StewardError("unavailable", …, { retryAt? }) when the message
 * surely did not arrive and may later, another StewardError but internal when it surely never will, anything else when the
 * outcome is unknown.
 */
export interface Channel {
  limits: {
    /** Of one message, in what `length` counts. */
    text: number;
    /** Bytes of one file; 0: files can't be sent. */
    file: number;
    /** Buttons of one message; 0: answers are typed. */
    buttons: number;
    /** Between two edits of one message; absent: nothing is edited while it grows. */
    editMs?: number;
  };
  /** How long this Markdown is in the platform's own form. */
  length(markdown: string): number;
  /** The platform's id of the new message. `key` is the same for the same message each time. */
  send(to: Address, message: Outgoing, key: string): Promise<string>;
  /** Text and buttons as they shall be from now on; already so is no error. */
  edit?(to: Address, receipt: string, message: Outgoing): Promise<void>;
  /** Where the platform can tell: the receipt of what was sent under this key, undefined when it surely did not arrive. `was`: what it was, since when it was tried, and receipts of others there, for platforms that know no keys. Throws unavailable; internal when it can't tell after all. */
  lookup?(to: Address, key: string, was?: { message: Outgoing; since: number; known?: string[] }): Promise<string | undefined>;
  /** Sending once more under the same key is the same message at the platform. */
  repeatable?: boolean;
  /** "is typing …", for some seconds. May fail. */
  typing?(to: Address): Promise<void>;
  /** Marks a message of a person, so that they see that it was taken up; `undefined` takes the mark away. May fail. */
  react?(to: Address, message: string, mark: "seen" | undefined): Promise<void>;
  /** Goes the whole way to the platform and back, as this account. Throws what is wrong, with what to do about it. */
  probe(): Promise<{ account: string }>;
  /** Offers these as the platform's own commands. */
  commands?(list: { name: string; about: string }[]): Promise<void>;
  /** The ids of all who can read what is said there; undefined: nobody knows, so it counts as a room. Throws unavailable when it can't be asked now. Only asked for groups, and where conversations of two grow. */
  readers?(to: Address): Promise<string[] | undefined>;
  /** Others may come into what was a conversation of two. */
  grows?: true;
  /** No message is handed over any more. Idempotent, done within two seconds. */
  close(): Promise<void>;
}

/** What is sent. Markdown, short enough already. */
export interface Outgoing {
  text: string;
  buttons?: Button[];
  file?: { name: string; mime: string; bytes: Uint8Array };
  /** The platform's id of the message that it answers, where it shows that. */
  replyTo?: string;
}
export interface Button {
  /** Comes back in `press`. At most 60 characters of ASCII. */
  id: string;
  label: string;
  style?: "primary" | "danger";
}

/** Something that came from the platform: checked by nobody yet. */
export interface Inbound {
  /** Unique at this account for this message: a redelivered one has the same. */
  key: string;
  kind: "message" | "edit" | "press" | "command" | "reaction";
  /** The platform's immutable id of the sender, never a name. */
  from: string;
  /** As people see the sender; only shown. */
  name?: string;
  /** Another program, this account included: never answered. */
  bot?: boolean;
  to: Address;
  /** A conversation with this account alone, or a room. */
  where: "direct" | "group";
  /** In a room: it is meant for this account: a mention, an answer to its message, a command. The mention itself is not in `text`. */
  addressed?: boolean;
  /** Markdown. Of a command: its name and what stands behind it, without the slash. */
  text: string;
  files?: InboundFile[];
  /** The pressed button's id. */
  press?: string;
  /** The platform's id of the message, or of the one that was pressed, edited or reacted to. */
  message: string;
  /** Somebody else's words that the sender passed on: they are data. */
  forwarded?: boolean;
  /** Such words behind the sender's own. */
  passed?: string;
  /** Brings what was not fetched yet; called only after the sender was admitted. Throws StewardError. */
  read?(): Promise<Partial<Inbound>>;
  /** What it answers or quotes; `own`: said by this account. */
  quoted?: { from: string; name?: string; text: string; own?: true };
  /** Epoch milliseconds, by the platform's clock. */
  at?: number;
}
export interface InboundFile {
  name: string;
  mime?: string;
  /** Bytes as the platform says; may be absent or wrong. */
  size?: number;
  /** Spoken by the sender. */
  voice?: boolean;
  /** Brings the bytes; called only after the sender was admitted. Throws StewardError; limit when there are more. */
  bytes(limit: number): Promise<Uint8Array<ArrayBuffer>>;
}
/** Resolves once what came is durable, or was not admitted; only then may an adapter acknowledge it to the platform. `text`: to be shown at once and only to the sender, where the platform can. Throws unavailable when it could not be kept. */
export type Inbox = (message: Inbound) => Promise<{ text?: string }>;

/** A setting that a person has to bring from the platform. */
export interface Need {
  /** Key of `channels.<name>`. */
  key: string;
  /** What it is and where at the platform it is found, for people. */
  about: string;
  /** It is kept with the secrets, never in config.json. */
  secret?: boolean;
  optional?: boolean;
  /** Environment variables that may hold it, best first; only of the entry that bears the platform's name. */
  env?: string[];
}
/** Default export of `channels/<name>.ts`. */
export interface ChannelKind<C = unknown> {
  name: string;
  /** As people know it. */
  title: string;
  needs: Need[];
  /** What has to be done at the platform, step by step; Markdown. */
  guide: string;
  /** Of `channels.<name>`, with secrets in their place and without `enabled`, `kind` and what src/chats reads. */
  config: ZodMiniType<C>;
  /** Settings whose address is called only when it is public, or when another setting names its origin. */
  outside?: string[];
  /** Connects; resolves when it would hear a message. Throws denied when the platform refuses the account, with what to do; unavailable when it can't be reached. */
  open(config: C, host: ChannelHost): Promise<Channel>;
}
export interface ChannelHost {
  /** `channels.<name>`: the channel of all its addresses. */
  name: string;
  inbox: Inbox;
  /** Up to where the platform was read, kept over restarts. To be moved on only when the inbox has resolved. */
  cursor: { get(): Promise<string | undefined>; put(cursor: string): Promise<void> };
  /** The outbound client: public addresses, and the origins of this channel's configuration. */
  fetch: Fetch;
  /** The platform was heard: a message, a ping, an answer to a poll. Cheap. */
  heard(): void;
  /** The connection is gone and the adapter does not mend it itself: it is closed and opened anew. */
  lost(error: unknown): void;
  log(level: "debug" | "info" | "warning" | "error", text: string, more?: Record<string, unknown>): void;
  /** Requests to `/hooks/<name>` of Steward's listener, each with its raw bytes, 1 MiB at most; one listener. */
  hook(listen: (request: HookRequest) => Promise<HookAnswer>): void;
  now(): number;
}
export interface HookRequest {
  method: string;
  /** Behind `/hooks/<name>`, with the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array<ArrayBuffer>;
  /** Who sent it, canonical: IPv4-mapped forms are IPv4; of a proxy only when it is a configured one. */
  peer: string;
}
export interface HookAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}
