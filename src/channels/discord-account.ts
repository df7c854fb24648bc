// An account at Discord, connected: what it sends, and how it proves that it hears.
import { REST } from "@discordjs/rest";
import { type APIApplicationCommand, type APIGatewayBotInfo, type APIUser, GatewayIntentBits, Routes } from "discord-api-types/v10";
import type { Channel, ChannelHost } from "../core/channel.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";
import { openBookmarks } from "./discord-bookmarks.ts";
import { asked } from "./discord-faults.ts";
import { discordText } from "./discord-form.ts";
import { type Gateway, openGateway } from "./discord-gateway.ts";
import { openLanes } from "./discord-lanes.ts";
import type { Line } from "./discord-line.ts";
import { begun, happened, quiet } from "./discord-reading.ts";
import { bodyOf, channelOf, type Doubts, idOf, lookup, send } from "./discord-sending.ts";

export interface DiscordConfig {
  token: string;
  api: string;
  messageContent: boolean;
  answerSeconds: number;
}

const MOST_FILE = 10 * 1024 * 1024;
const MOST_BUTTONS = 25;
const SEEN = encodeURIComponent("👀");
const INTENTS =
  GatewayIntentBits.Guilds |
  GatewayIntentBits.GuildMessages |
  GatewayIntentBits.GuildMessageReactions |
  GatewayIntentBits.DirectMessages |
  GatewayIntentBits.DirectMessageReactions;

export async function openAccount(given: DiscordConfig, host: ChannelHost): Promise<Channel> {
  const rest = new REST({
    ...{ api: given.api.replace(/\/$/, ""), version: "10", timeout: 60_000, retries: 0, hashSweepInterval: 0, handlerSweepInterval: 0 },
    ...{ rejectOnRateLimit: () => true, makeRequest: through(host) as never },
  });
  rest.setToken(given.token);
  const { id } = await asked<APIUser>(() => rest.get(Routes.user()));
  const info = await asked<APIGatewayBotInfo>(() => rest.get(Routes.gatewayBot()));
  if (!isDiscords(given.api, info.url))
    throw new StewardError("denied", "A gateway was named that is not Discord's, or to which the token would travel unencrypted", {
      hint: `Look at channels.${host.name}.api.`,
    });
  const line = await lineOf(rest, host, id);
  const gateway = await openGateway({
    ...{
      info,
      isOwn: (url) => isDiscords(given.api, url),
      token: given.token,
      intents: INTENTS | (given.messageContent ? GatewayIntentBits.MessageContent : 0),
    },
    ...{ heard: () => host.heard(), ready: (data) => begun(line, data), dispatch: (event) => happened(line, event) },
    lost: (error) => host.lost(error),
    log: (text, more) => host.log("info", text, more),
  }).catch(async (error: unknown) => {
    await line.lanes.stop();
    throw error;
  });
  return channel(line, gateway, given);
}

/** The one outbound client says "unavailable" of all that networks do; whether something was sent is seen from what lies behind that. */
function through(host: ChannelHost) {
  return async (url: string, { method, headers, body, signal }: RequestInit): Promise<Response> => {
    try {
      return await host.fetch(url, {
        ...(method ? { method } : {}),
        ...(headers ? { headers } : {}),
        ...(body ? { body } : {}),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      throw hasCode(error, "unavailable") ? new Error(error.message, { cause: error }) : error;
    }
  };
}

async function lineOf(rest: REST, host: ChannelHost, id: string): Promise<Line> {
  const bookmarks = await openBookmarks(host);
  const lanes = openLanes({
    log: (text, more) => host.log("warning", text, more),
    overrun: (error) => host.lost(error),
    done: () => quiet(line),
  });
  const line: Line = {
    ...{ rest, host, bookmarks, lanes, self: { id, roles: new Set() }, application: id },
    ...{ parents: new Map(), awaited: new Set(), fetched: new Map(), receipts: new Map() },
  };
  return line;
}

function channel(line: Line, gateway: Gateway, given: DiscordConfig): Channel {
  const { rest, host, bookmarks, lanes } = line;
  const doubts: Doubts = new Map();
  const reaction = (chat: string, message: string) => Routes.channelMessageOwnReaction(chat, idOf(message), SEEN);
  return {
    limits: { text: 2000, file: MOST_FILE, buttons: MOST_BUTTONS, editMs: 1500 },
    length: (markdown) => discordText(markdown).length,
    send: (to, message, key) => send(line, doubts, { to, message, key }),
    lookup: (to, key, was) => lookup(line, doubts, { to, key, was }),
    async edit(to, receipt, message) {
      await asked(() => rest.patch(Routes.channelMessage(channelOf(to), idOf(receipt)), { body: bodyOf(message) }));
    },
    async typing(to) {
      await asked(() => rest.post(Routes.channelTyping(channelOf(to))));
    },
    async react(to, message, mark) {
      const at = reaction(channelOf(to), message);
      await asked(() => (mark ? rest.put(at) : rest.delete(at)));
    },
    async probe() {
      rest.setToken(given.token);
      const { id } = await asked<APIUser>(() => rest.get(Routes.user()));
      await gateway.pulse(given.answerSeconds * 1000);
      return { account: id };
    },
    commands: (list) => offer(line, list),
    async close() {
      await Promise.all([gateway.close(), within(lanes.stop(), 1500, () => new Error("late")).catch(() => {})]);
      await bookmarks
        .save()
        .catch((error: unknown) => host.log("warning", "What was read of Discord could not be noted", { error: String(error) }));
    },
  };
}

/** Below Discord's own domains; of another server, on its very host. The token goes to nobody else. */
function isDiscords(api: string, address: string): boolean {
  const [url, own] = [URL.parse(address), new URL(api)];
  if (url?.protocol.replace("ws", "http") !== own.protocol) return false;
  const ofDiscord = /(^|\.)discord\.(com|gg)$/;
  return url.host === own.host || (ofDiscord.test(own.hostname) && url.port === "" && ofDiscord.test(url.hostname));
}

const MOST_ABOUT = 100;

/** Written only when they differ: Discord counts how many are made in a day. */
async function offer({ rest, application }: Line, list: { name: string; about: string }[]): Promise<void> {
  const path = Routes.applicationCommands(application);
  const wanted = list
    .filter(({ name }) => /^[a-z0-9_-]{1,32}$/.test(name))
    .slice(0, 100)
    .map(({ name, about }) => ({ name, description: [...(about || name)].slice(0, MOST_ABOUT).join("") }));
  const there = await asked<APIApplicationCommand[]>(() => rest.get(path));
  const marks = (all: { name: string; description: string }[]): string =>
    JSON.stringify(all.map(({ name, description }) => [name, description]).toSorted());
  if (marks(there) === marks(wanted)) return;
  const text = { type: 3, name: "text", description: "What stands behind the command", required: false };
  await asked(() => rest.put(path, { body: wanted.map((one) => ({ ...one, type: 1, options: [text], contexts: [0, 1] })) }));
}
