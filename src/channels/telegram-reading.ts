// What comes from Telegram: polls and webhook calls. Updates are acknowledged only when all that is in them is durable.
import type { Api } from "grammy";
import type { Update, User } from "grammy/types";
import type { ChannelHost, HookRequest } from "../core/channel.ts";
import { asked, explained } from "./telegram-faults.ts";
import { telegramHtml } from "./telegram-form.ts";
import { addressOf, inboundOf, isSaid, nameOf } from "./telegram-messages.ts";

export const POLL_SECONDS = 25;
const KINDS = ["message", "edited_message", "callback_query", "message_reaction"] as const;

export interface Line {
  api: Api;
  config: { token: string; apiRoot: string; webhookUrl?: string | undefined; webhookSecret?: string | undefined };
  host: ChannelHost;
  me: User;
  stop: AbortController;
  /** When Telegram was last heard where messages come in. */
  heard: { at: number };
}

/** `done` when it no longer reads. */
export async function poll(line: Line): Promise<{ done: Promise<void> }> {
  const { api, host, me, stop, heard } = line;
  await asked(() => api.deleteWebhook());
  const [at = "0", whose = String(me.id)] = ((await host.cursor.get()) ?? "0").split(" ");
  // Another bot counts otherwise.
  let offset = whose === String(me.id) ? Number(at) : 0;
  const again = async (): Promise<void> => {
    const updates = await api.getUpdates({ offset, timeout: POLL_SECONDS, allowed_updates: [...KINDS] }, stop.signal as never);
    heard.at = host.now();
    host.heard();
    if (updates.length === 0) return;
    await takeAll(line, updates);
    offset = updates.at(-1)!.update_id + 1;
    await host.cursor.put(`${offset} ${me.id}`);
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await again();
      } catch (error) {
        if (stop.signal.aborted) return;
        host.lost(explained(error, true));
        return;
      }
    }
  };
  return { done: run() };
}

/** Chats side by side, each in order; all of them durable, or none is told to be read. */
async function takeAll(line: Line, updates: Update[]): Promise<void> {
  const chats = Map.groupBy(updates, (update) => chatOf(update));
  await Promise.all(
    [...chats.values()].map(async (own) => {
      for (const update of own) await take(line, update);
    }),
  );
}

const chatOf = (update: Update): number =>
  (update.message ?? update.edited_message ?? update.callback_query?.message ?? update.message_reaction)?.chat.id ?? 0;

export async function listen(line: Line, url: string): Promise<{ done: Promise<void> }> {
  const { api, host, stop, config: given } = line;
  host.hook(async (request) => {
    if (!hasSecret(request, given.webhookSecret!)) return { status: 401 };
    line.heard.at = host.now();
    host.heard();
    await take(line, JSON.parse(new TextDecoder().decode(request.body)) as Update);
    return { status: 200 };
  });
  await asked(() =>
    api.setWebhook(`${url.replace(/\/$/, "")}/hooks/${host.name}`, {
      ...{ secret_token: given.webhookSecret!, allowed_updates: [...KINDS] },
      max_connections: 1, // one after the other: their order is kept
    }),
  );
  return { done: new Promise((resolve) => stop.signal.addEventListener("abort", () => resolve())) };
}

function hasSecret({ headers }: HookRequest, secret: string): boolean {
  const given = headers["x-telegram-bot-api-secret-token"] ?? "";
  let wrong = given.length ^ secret.length;
  for (let at = 0; at < secret.length; at++) wrong |= given.charCodeAt(at % (given.length || 1)) ^ secret.charCodeAt(at);
  return wrong === 0;
}

async function take(line: Line, update: Update): Promise<void> {
  const { host, api } = line;
  const message = update.message ?? update.edited_message;
  if (message && isSaid(message)) {
    const { text } = await host.inbox(inboundOf(line, message, update));
    if (text) await api.sendMessage(message.chat.id, telegramHtml(text), { parse_mode: "HTML" }).catch(() => undefined);
  }
  const press = update.callback_query;
  if (press?.message) {
    const { text } = await host.inbox({
      ...{
        key: `press:${press.id}`,
        kind: "press",
        from: String(press.from.id),
        name: nameOf(press.from),
        bot: press.from.is_bot,
        text: "",
      },
      ...{ to: addressOf(press.message), where: press.message.chat.type === "private" ? "direct" : "group", addressed: true },
      ...{ press: press.data ?? "", message: String(press.message.message_id) },
    });
    await asked(() => api.answerCallbackQuery(press.id, text ? { text: text.slice(0, 200) } : {})).catch(() => true);
    if (text)
      await asked(() =>
        api.editMessageReplyMarkup(press.message!.chat.id, press.message!.message_id, { reply_markup: { inline_keyboard: [] } }),
      ).catch(() => true);
  }
  const reaction = update.message_reaction;
  if (reaction?.user)
    await host.inbox({
      ...{ key: `reaction:${update.update_id}`, kind: "reaction", from: String(reaction.user.id), bot: reaction.user.is_bot, text: "" },
      ...{
        to: { channel: host.name, chat: String(reaction.chat.id) },
        where: reaction.chat.type === "private" ? "direct" : "group",
        message: String(reaction.message_id),
      },
    });
}
