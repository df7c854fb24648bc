// One mailbox, while it is connected: what reading and sending share.
import type { ImapFlow } from "imapflow";
import type { ChannelHost } from "../core/channel.ts";

export interface Config {
  address: string;
  password: string;
  user?: string | undefined;
  name: string;
  imapHost: string;
  imapPort: number;
  smtpHost: string;
  smtpPort: number;
  encryption: "on" | "off";
  folder: string;
  authserv: string;
  relays: string[];
  trust: "authserv" | "from";
  answerSeconds: number;
}
/** What is known of a conversation by mail. */
export interface Thread {
  subject: string;
  /** Message-IDs, oldest first. */
  references: string[];
}
export interface Line {
  config: Config;
  host: ChannelHost;
  imap: ImapFlow;
  stop: AbortController;
  /** By the other's address and the Message-ID of the first mail. */
  threads: Map<string, Thread>;
  /** That first one, by the other's address and the Message-ID of any. */
  roots: Map<string, string>;
  /** When a mail could last have been handed over for sending. */
  smtp: { at: number };
}

export const isLoopback = (host: string): boolean => /^(127\.\d+\.\d+\.\d+|::1|localhost)$/i.test(host);
