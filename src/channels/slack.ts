// Slack, through its own SDK: told by Socket Mode, so that nothing has to be public, or by HTTP when a public address is there.
import type { Logger } from "@slack/socket-mode";
import * as z from "zod/mini";
import type { Channel, ChannelHost, ChannelKind } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";
import { withName } from "./hints.ts";
import { asked, refusedAs } from "./slack-faults.ts";
import { slackLength } from "./slack-form.ts";
import { SLACK_GUIDE } from "./slack-guide.ts";
import { listen } from "./slack-hook.ts";
import { openMarks } from "./slack-marks.ts";
import { catchUp, untold } from "./slack-missed.ts";
import { edit, lookup, send } from "./slack-sending.ts";
import { openSocket, type Socket } from "./slack-socket.ts";
import { type Line, placeOf } from "./slack-wire.ts";

const config = z.strictObject({
  botToken: z.string().check(z.regex(/^xox[a-z]-[\w.-]+$/, "must be a bot's token, which begins with xoxb-")),
  appToken: z.optional(z.string().check(z.regex(/^xapp-[\w.-]+$/, "must be an app-level token, which begins with xapp-"))),
  signingSecret: z.optional(z.string().check(z.minLength(16))),
  /** Slack is told by us where to tell (socket), or calls Steward's public address (http). */
  mode: z._default(z.enum(["socket", "http"]), "socket"),
  /** Of another Slack than the usual one. */
  apiUrl: z._default(z.url(), "https://slack.com/api/"),
  /** For so long a WebSocket may be silent after a ping. */
  pongMs: z._default(z.number().check(z.minimum(100), z.maximum(120_000)), 15_000),
});
type Config = z.infer<typeof config>;

const CALL_MS = 60_000;
const CATCH_UP_MS = 5000;
const DEAF_MS = 30_000;

export default {
  name: "slack",
  title: "Slack",
  needs: [
    {
      key: "botToken",
      about: "The bot's token (xoxb-…), at api.slack.com/apps under OAuth & Permissions, once the app is installed.",
      secret: true,
    },
    {
      key: "appToken",
      about: "For Socket Mode: an app-level token (xapp-…) with the scope connections:write, under Basic Information.",
      secret: true,
      optional: true,
    },
    {
      key: "signingSecret",
      about: "Only for events by HTTP: the app's Signing Secret, under Basic Information.",
      secret: true,
      optional: true,
    },
    {
      key: "mode",
      about: "socket (nothing has to be public; the default) or http (Slack calls Steward's public address).",
      optional: true,
    },
    { key: "apiUrl", about: "Only for another Slack than slack.com, such as GovSlack: the address of its API.", optional: true },
  ],
  guide: SLACK_GUIDE,
  config,
  open: (given, host) => withName(host, (own) => opened(given, own)),
} satisfies ChannelKind<Config>;

async function opened(given: Config, host: ChannelHost): Promise<Channel> {
  if (given.mode === "http" && given.signingSecret === undefined)
    throw new StewardError("invalid", "Events by HTTP need signingSecret", {
      hint: "steward channels set NAME signing-secret; it is at api.slack.com/apps under Basic Information.",
    });
  if (given.mode === "socket" && given.appToken === undefined)
    throw new StewardError("invalid", "Socket Mode needs appToken", {
      hint: "steward channels set NAME app-token; it is made at api.slack.com/apps under Basic Information, with the scope connections:write.",
    });
  const logger = loggerOf(host);
  const line = await connected(given, host, logger);
  const caughtUp = Promise.withResolvers<void>();
  line.caughtUp = caughtUp.promise;
  setTimeout(caughtUp.resolve, CATCH_UP_MS).unref();
  const socket = given.mode === "http" ? undefined : await openSocket(line, logger);
  if (!socket) listen(line, given.signingSecret!);
  void catchUp(line).finally(caughtUp.resolve);
  return channel(line, socket);
}

async function connected(given: Config, host: ChannelHost, logger: Logger): Promise<Line> {
  const { WebClient: Client } = await import("@slack/web-api");
  const api = new Client(given.botToken, {
    ...{ slackApiUrl: given.apiUrl, fetch: host.fetch, timeout: CALL_MS, allowAbsoluteUrls: false },
    ...{ retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, logger },
  });
  const { user_id: user = "", team_id: team = "", enterprise_id: enterprise } = await asked(() => api.auth.test());
  return {
    ...{ api, config: given, host, stop: new AbortController(), marks: await openMarks(host), caughtUp: Promise.resolve() },
    me: { user, team, ...(typeof enterprise === "string" ? { enterprise } : {}) },
    ...{ lanes: new Map(), taken: new Map(), waiting: new Set(), names: new Map(), direct: new Map() },
  };
}

/** The SDK's words, as far as they are not said better here. */
function loggerOf(host: ChannelHost): Logger {
  const say = (...words: unknown[]): void => host.log("debug", words.map(String).join(" ").slice(0, 500));
  return { debug() {}, info: say, warn: say, error: say, setLevel() {}, getLevel: () => "info" as never, setName() {} };
}

function channel(line: Line, socket: Socket | undefined): Channel {
  const { api, stop, marks } = line;
  return {
    limits: { text: 4000, file: 1_000_000_000, buttons: 25, editMs: 2000 },
    length: slackLength,
    send: (to, message, key) => send(line, { to, message, key }),
    edit: (to, receipt, message) => edit(line, { to, receipt, message }),
    lookup: (to, key, was) => lookup(line, { to, key, ...(was ? { since: was.since } : {}) }),
    async typing({ chat, thread }) {
      if (thread === undefined || line.noStatus || !line.waiting.has(placeOf(chat, thread))) return;
      await api.assistant.threads.setStatus({ channel_id: chat, thread_ts: thread, status: "is thinking…" }).catch((error: unknown) => {
        line.noStatus = /scope|permission|not_allowed|unknown_method|feature/.test(refusedAs(error) ?? "");
      });
    },
    async react({ chat }, message, mark) {
      const what = { channel: chat, timestamp: message, name: "eyes" };
      await asked(() => (mark ? api.reactions.add(what) : api.reactions.remove(what))).catch((error: unknown) => {
        if (!/already reacted|no reaction/.test(String(error))) throw error;
      });
    },
    probe: () => probe(line, socket),
    // In a public channel everybody reads, members or not.
    async readers({ chat }) {
      const { channel } = await asked(() => api.conversations.info({ channel: chat }));
      if (channel?.is_private !== true || channel.is_ext_shared === true) return undefined;
      const { members = [], response_metadata } = await asked(() => api.conversations.members({ channel: chat, limit: 100 }));
      return response_metadata?.next_cursor ? undefined : members.filter((id) => id !== line.me.user);
    },
    async close() {
      stop.abort();
      await socket?.close();
      await marks.saved();
    },
  };
}

/** There by the Web API, back by the socket's pings; and the conversation that spoke last says whether anything was left out. */
async function probe(line: Line, socket: Socket | undefined): Promise<{ account: string }> {
  const { user_id, team_id } = await asked(() => line.api.auth.test());
  if (socket && !socket.isOpen()) throw new StewardError("unavailable", "Slack answers, but the socket by which messages come is not open");
  const since = await untold(line).catch(() => undefined);
  if (since !== undefined && line.host.now() - since > DEAF_MS)
    throw new StewardError("unavailable", "Slack answers, but did not tell of a message that was written");
  return { account: `${team_id}/${user_id}` };
}
