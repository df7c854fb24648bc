// Telegram by its Bot API, through grammY: read by long polling, or told by a webhook when a public address is set.
import * as z from "zod/mini";
import type { Channel, ChannelHost, ChannelKind, Outgoing } from "../core/channel.ts";
import type { Fetch } from "../core/ports.ts";
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { withName } from "./hints.ts";
import { asked, isUnread, isUntaken, sent, unlessSame } from "./telegram-faults.ts";
import { telegramHtml, telegramLength } from "./telegram-form.ts";
import { type Line, listen, POLL_SECONDS, poll } from "./telegram-reading.ts";

const config = z.strictObject({
  token: z.string().check(z.regex(/^\d{3,}:[\w-]{10,}$/, "must be a bot's token, such as 123456:ABC-DEF")),
  /** Of a Bot API server of one's own. */
  apiRoot: z._default(z.string(), "https://api.telegram.org"),
  /** Steward's public address, when Telegram shall call it instead of being asked. */
  webhookUrl: z.optional(z.url()),
  webhookSecret: z.optional(z.string().check(z.regex(/^[\w-]{16,256}$/, "16 to 256 letters, digits, _ or -"))),
});
type Config = z.infer<typeof config>;

const MOST_FILE = 50 * 1024 * 1024;
export default {
  name: "telegram",
  title: "Telegram",
  needs: [
    { key: "token", about: "The bot's token, from @BotFather: /newbot makes a bot, /token shows its token.", secret: true },
    { key: "webhookSecret", about: "Only for a webhook: words that Telegram shows with each call.", secret: true, optional: true },
    {
      key: "webhookUrl",
      about: "Only for a webhook: Steward's public https address. Without it nothing has to be public.",
      optional: true,
    },
  ],
  guide: [
    "1. In Telegram, write to **@BotFather**: `/newbot`, a name, a user name that ends with `bot`.",
    "2. It answers with the token: bring it here.",
    "3. Write to your bot. Steward answers with a code; approve it, and you are in.",
    "4. For groups: `/setprivacy` → *Disable* lets the bot see answers to its messages; mentions are seen anyway.",
  ].join("\n"),
  config,
  open: (given, host) => withName(host, (own) => opened(given, own)),
} satisfies ChannelKind<Config>;

async function opened(given: Config, host: ChannelHost): Promise<Channel> {
  if (given.webhookUrl !== undefined && given.webhookSecret === undefined)
    throw new StewardError("invalid", "A webhook needs webhookSecret", { hint: `steward channels set ${host.name} webhook-secret` });
  const { Api: Client } = await import("grammy");
  const api = new Client(given.token, { apiRoot: given.apiRoot, fetch: withOwnSignal(host.fetch), timeoutSeconds: POLL_SECONDS + 15 });
  const me = await asked(() => api.getMe());
  const line: Line = { api, config: given, host, me, stop: new AbortController(), heard: { at: host.now() } };
  const { done } = given.webhookUrl === undefined ? await poll(line) : await listen(line, given.webhookUrl);
  return channel(line, done);
}

/** grammY brings a signal of its own making, which the platform's fetch does not know. */
function withOwnSignal(given: Fetch): typeof fetch {
  return (url, init) => {
    const own = new AbortController();
    const signal = init?.signal;
    if (signal?.aborted) own.abort();
    signal?.addEventListener("abort", () => own.abort());
    return given(url, { ...init, signal: own.signal });
  };
}

function channel(line: Line, done: Promise<void>): Channel {
  const { api, stop, host, heard } = line;
  return {
    limits: { text: 4096, file: MOST_FILE, buttons: 20, editMs: 1500 },
    length: telegramLength,
    send: (to, message) => sent(() => send(line, to, message)),
    async edit(to, receipt, message) {
      await sent(() =>
        api.editMessageText(to.chat, numberOf(receipt), telegramHtml(message.text), {
          parse_mode: "HTML",
          link_preview_options: { is_disabled: true },
          reply_markup: { inline_keyboard: keyboard(message) },
        }),
      ).catch(unlessSame);
    },
    async typing(to) {
      await asked(() => api.sendChatAction(to.chat, "typing", threadOf(to)));
    },
    async react(to, message, mark) {
      await asked(() => api.setMessageReaction(to.chat, numberOf(message), mark ? [{ type: "emoji", emoji: "👀" }] : []));
    },
    async probe() {
      const { id } = await asked(() => api.getMe());
      if (line.config.webhookUrl === undefined && host.now() - heard.at > 3 * POLL_SECONDS * 1000)
        throw new StewardError("unavailable", "Telegram answers, but no poll for messages has come back lately");
      return { account: String(id) };
    },
    async commands(list) {
      await asked(() =>
        api.setMyCommands(
          list
            .filter(({ name }) => /^[a-z0-9_]{1,32}$/.test(name))
            .map(({ name, about }) => ({ command: name, description: about.slice(0, 256) })),
        ),
      );
    },
    async readers(to) {
      const count = await asked(() => api.getChatMemberCount(to.chat));
      if (count > 2) return undefined;
      const admins = await asked(() => api.getChatAdministrators(to.chat));
      const people = admins.filter(({ user }) => !user.is_bot).map(({ user }) => String(user.id));
      return people.length === count - 1 ? people : undefined;
    },
    async close() {
      stop.abort();
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 1500).unref())]);
    },
  };
}

const numberOf = (receipt: string): number => (/^\d{1,15}$/.test(receipt) ? Number(receipt) : 0);
const threadOf = ({ thread }: Address): { message_thread_id?: number } =>
  thread === undefined ? {} : { message_thread_id: Number(thread) };
const keyboard = ({ buttons = [] }: Outgoing) => buttons.map(({ id, label }) => [{ text: label, callback_data: id }]);

async function send({ api }: Line, to: Address, message: Outgoing): Promise<string> {
  const more = {
    ...threadOf(to),
    ...(message.replyTo ? { reply_parameters: { message_id: numberOf(message.replyTo), allow_sending_without_reply: true } } : {}),
  };
  if (message.file) {
    const { InputFile } = await import("grammy");
    const { name, mime, bytes } = message.file;
    const file = new InputFile(bytes, name);
    const captioned = { ...more, ...(message.text ? { caption: telegramHtml(message.text), parse_mode: "HTML" as const } : {}) };
    const asFile = () => api.sendDocument(to.chat, file, captioned);
    const isPhoto = /^image\/(png|jpeg|webp)$/.test(mime) && bytes.length < 10 * 1024 * 1024;
    if (!isPhoto) return String((await asFile()).message_id);
    const { message_id } = await api
      .sendPhoto(to.chat, file, captioned)
      // Not every picture is a photo to Telegram: some are too tall.
      .catch((error: unknown) => (isUntaken(error) ? asFile() : Promise.reject(error as Error)));
    return String(message_id);
  }
  const keys = keyboard(message);
  const how = {
    ...{ ...more, link_preview_options: { is_disabled: true } },
    ...(keys.length > 0 ? { reply_markup: { inline_keyboard: keys } } : {}),
  };
  const { message_id } = await api
    .sendMessage(to.chat, telegramHtml(message.text), { ...how, parse_mode: "HTML" })
    // Rather without its form than not at all.
    .catch((error: unknown) => (isUnread(error) ? api.sendMessage(to.chat, message.text, how) : Promise.reject(error as Error)));
  return String(message_id);
}
