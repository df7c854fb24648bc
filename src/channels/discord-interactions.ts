// Commands and buttons: Discord hears within three seconds that they came, and what they lead to when that is durable. Nothing is told before it was looked who asks, unless that takes long.
import { type APIInteraction, ChannelType, InteractionResponseType, InteractionType, MessageFlags, Routes } from "discord-api-types/v10";
import { discordText } from "./discord-form.ts";
import { interactionOf } from "./discord-messages.ts";
import { once } from "../std/once.ts";
import { learn, type Line, placeOf } from "./discord-line.ts";

const PRIVATE = MessageFlags.Ephemeral;

/** After that it is told that it came, whatever else waits there. */
const SOON_MS = 1000;

/** In the order of the channel. */
export function answer(line: Line, interaction: APIInteraction): void {
  const { channel, type } = interaction;
  if ((type !== InteractionType.ApplicationCommand && type !== InteractionType.MessageComponent) || !channel) return;
  const direct = channel.type === ChannelType.DM || interaction.guild_id === undefined;
  if (!direct) learn(line, channel);
  const taken = once(() => told(line, interaction));
  const soon = setTimeout(() => void taken(), SOON_MS).unref();
  line.lanes.add(channel.id, async () => {
    const message = interactionOf(interaction, await placeOf(line, channel.id, { direct, meant: false }));
    const { text } = message ? await line.host.inbox(message) : {};
    clearTimeout(soon);
    if (await taken()) await shown(line, interaction, text).catch(() => undefined);
  });
}

/** False when Discord does not take it any more. */
async function told({ rest, host }: Line, { id, token, type }: APIInteraction): Promise<boolean> {
  const body =
    type === InteractionType.MessageComponent
      ? { type: InteractionResponseType.DeferredMessageUpdate }
      : { type: InteractionResponseType.DeferredChannelMessageWithSource, data: { flags: PRIVATE } };
  try {
    await rest.post(Routes.interactionCallback(id, token), { body, auth: false });
    return true;
  } catch (error) {
    host.log("info", "Discord did not take that a command came", { error: String(error) });
    return false;
  }
}

/** Only to the sender. What is answered in the chat needs no word here. */
async function shown({ rest, application }: Line, { token, type }: APIInteraction, text: string | undefined): Promise<void> {
  const content = text === undefined ? undefined : discordText(text).slice(0, 2000);
  const whole = Routes.webhookMessage(application, token, "@original");
  if (type === InteractionType.ApplicationCommand) {
    if (content === undefined) await rest.delete(whole, { auth: false });
    else await rest.patch(whole, { body: { content, allowed_mentions: { parse: [] } }, auth: false });
    return;
  }
  if (content === undefined) return;
  await rest.patch(whole, { body: { components: [] }, auth: false });
  await rest.post(Routes.webhook(application, token), { body: { content, flags: PRIVATE, allowed_mentions: { parse: [] } }, auth: false });
}
