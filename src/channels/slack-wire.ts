// The shapes in which Slack tells things, as far as they are read here, and what a connected account consists of.
import type { WebClient } from "@slack/web-api";
import type { ChannelHost } from "../core/channel.ts";
import type { Lanes } from "../std/lanes.ts";
import type { Marks } from "./slack-marks.ts";

export interface SlackFile {
  id: string;
  name?: string;
  title?: string;
  mimetype?: string;
  size?: number;
  subtype?: string;
  mode?: string;
  file_access?: string;
  url_private?: string;
  url_private_download?: string;
}
/** Under a message: another message that was passed on, or what a page or a program says. */
export interface SlackAttachment {
  is_share?: boolean;
  is_msg_unfurl?: boolean;
  text?: string;
  fallback?: string;
  files?: SlackFile[];
}
export interface SlackMessage {
  type?: string;
  subtype?: string;
  ts?: string;
  thread_ts?: string;
  user?: string;
  bot_id?: string;
  text?: string;
  team?: string;
  user_team?: string;
  source_team?: string;
  /** Who began the thread. */
  parent_user_id?: string;
  edited?: { ts?: string };
  files?: SlackFile[];
  attachments?: SlackAttachment[];
  metadata?: { event_type?: string; event_payload?: Record<string, unknown> };
  blocks?: { type?: string; block_id?: string }[];
}
export interface SlackEvent extends SlackMessage {
  channel?: string;
  channel_type?: string;
  event_ts?: string;
  /** Of an edit: what it is now, and what it was. */
  message?: SlackMessage;
  previous_message?: SlackMessage;
  /** Of a reaction. */
  item?: { type?: string; channel?: string; ts?: string };
}
export interface EventBody {
  type: string;
  challenge?: string;
  event?: SlackEvent;
  is_ext_shared_channel?: boolean;
}
export interface Interaction {
  type: string;
  user?: { id: string; name?: string; username?: string; team_id?: string };
  container?: { channel_id?: string; message_ts?: string; thread_ts?: string };
  message?: { ts?: string; thread_ts?: string; text?: string; blocks?: { type?: string }[] };
  actions?: { action_id?: string; value?: string; action_ts?: string }[];
  response_url?: string;
  trigger_id?: string;
}
export interface SlashCommand {
  command?: string;
  text?: string;
  user_id?: string;
  user_name?: string;
  team_id?: string;
  channel_id?: string;
  response_url?: string;
  trigger_id?: string;
}

export interface SlackSettings {
  botToken: string;
  appToken?: string | undefined;
  signingSecret?: string | undefined;
  mode: "socket" | "http";
  apiUrl: string;
  pongMs: number;
}
export interface Line {
  api: WebClient;
  config: SlackSettings;
  host: ChannelHost;
  /** This account. */
  me: { user: string; team: string; enterprise?: string };
  stop: AbortController;
  marks: Marks;
  /** In each conversation one after the other. */
  lanes: Lanes;
  /** By key: what is being taken, and what was. */
  taken: Map<string, Promise<{ text?: string }>>;
  /** Conversations whose last word is a person's. */
  waiting: Set<string>;
  names: Map<string, Promise<string>>;
  /** The conversation with each person alone. */
  direct: Map<string, string>;
  /** What came meanwhile goes first. */
  caughtUp: Promise<void>;
  /** The app can't show that it works. */
  noStatus?: boolean;
}

/** A conversation, or a thread in it. */
export const placeOf = (chat: string, thread?: string): string => (thread === undefined ? chat : `${chat}/${thread}`);

/** The host of the API and those below it: to nobody else goes a token. */
export function isSlacks({ config }: Pick<Line, "config">, address: string): boolean {
  const url = URL.parse(address);
  const own = new URL(config.apiUrl);
  if (url?.protocol.replace("ws", "http") !== own.protocol) return false;
  return url.host === own.host || (url.port === "" && url.hostname.endsWith(`.${own.hostname}`));
}
