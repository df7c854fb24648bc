// What Slack tells, by whichever way it comes: taken once each, in order, and acknowledged only when it is durable.
import type { Inbound } from "../core/channel.ts";
import { inLane } from "../std/lanes.ts";
import { remember } from "./bounds.ts";
import { refusal } from "./slack-faults.ts";
import { readText, slackLines } from "./slack-form.ts";
import { inboundOf, keyOf, senderOf } from "./slack-messages.ts";
import { type EventBody, type Interaction, isSlacks, type Line, placeOf, type SlackEvent, type SlashCommand } from "./slack-wire.ts";

export type Told =
  | { kind: "event"; body: EventBody }
  | { kind: "interaction"; body: Interaction }
  | { kind: "command"; body: SlashCommand };

/** Resolves once it is durable or means nothing; throws when it could not be kept: then Slack is not told, and brings it again. */
export async function take(line: Line, { kind, body }: Told): Promise<void> {
  line.host.heard();
  if (kind === "interaction") return takePress(line, body);
  if (kind === "command") return takeCommand(line, body);
  if (body.event) await takeEvent(line, body.event, body.is_ext_shared_channel === true);
}

/** Slack brings again what was not acknowledged within three seconds, and a mention comes twice: as a message and as a mention. All of them wait for the first. */
function once(line: Line, key: string, work: () => Promise<{ text?: string }>): Promise<{ text?: string; first: boolean }> {
  const known = line.taken.get(key);
  if (known) return known.then((answer) => ({ ...answer, first: false }));
  const taking = work();
  remember(line.taken, key, taking);
  taking.catch(() => line.taken.delete(key));
  return taking.then((answer) => ({ ...answer, first: true }));
}

async function takeEvent(line: Line, event: SlackEvent, shared: boolean): Promise<void> {
  if (event.type === "app_uninstalled" || event.type === "tokens_revoked") return line.host.lost(refusal({ refused: "token_revoked" }));
  await line.caughtUp;
  if (event.type === "message" || event.type === "app_mention") await takeMessage(line, event, shared);
  if (event.type === "reaction_added") await takeReaction(line, event, shared);
}

/** True when it is taken by this very call. */
export async function takeMessage(line: Line, event: SlackEvent, shared: boolean): Promise<boolean> {
  const key = keyOf(event);
  if (key === undefined) return false;
  const { first } = await once(line, key, () =>
    inLane(line.lanes, event.channel ?? "", async () => {
      const message = await inboundOf(line, { event, key, shared });
      if (!message || message.from === line.me.user) return {};
      const { text } = await keep(line, message, placeOf(message.to.chat, event.thread_ts));
      if (text) await whisper(line, message, text);
      return {};
    }),
  );
  return first;
}

async function keep(line: Line, message: Inbound, place: string): Promise<{ text?: string }> {
  const { marks, host } = line;
  const { to, kind, message: ts } = message;
  const own = placeOf(to.chat, to.thread);
  const meant = message.where === "direct" || message.addressed === true || marks.places().includes(own);
  try {
    const answer = await host.inbox(message);
    if (message.where === "direct") remember(line.direct, message.from, to.chat);
    if (meant && !message.bot) waits(line, own);
    if (kind === "message") {
      if (meant) marks.taken(own, ts);
      if (place !== own) marks.taken(place, ts);
    }
    if (meant) marks.save();
    return answer;
  } catch (error) {
    if (kind === "message") marks.failed(place, ts);
    marks.save();
    throw error;
  }
}

const MOST_WAITING = 500;
function waits({ waiting }: Line, place: string): void {
  waiting.add(place);
  if (waiting.size > MOST_WAITING) waiting.delete(waiting.keys().next().value!);
}

/** Seen by the sender alone. */
async function whisper({ api }: Line, { to, from }: Inbound, text: string): Promise<void> {
  const place = { channel: to.chat, ...(to.thread === undefined ? {} : { thread_ts: to.thread }) };
  await api.chat.postEphemeral({ ...place, user: from.split(":").at(-1)!, text: slackLines(text) }).catch(() => undefined);
}

async function takeReaction(line: Line, { user, item, event_ts = "" }: SlackEvent, shared: boolean): Promise<void> {
  const chat = item?.channel;
  if (chat === undefined || user === undefined || item?.ts === undefined) return;
  const message: Inbound = {
    ...{
      key: `reaction:${chat}:${event_ts}:${user}`,
      kind: "reaction",
      from: senderOf(line, user, [], shared),
      bot: user === line.me.user,
    },
    ...{ to: { channel: line.host.name, chat }, where: chat.startsWith("D") ? "direct" : "group", text: "", message: item.ts },
  };
  await once(line, message.key, () => line.host.inbox(message));
}

async function takePress(line: Line, body: Interaction): Promise<void> {
  const { user, container, actions, message } = body;
  const [action] = actions ?? [];
  const chat = container?.channel_id;
  if (body.type !== "block_actions" || !user || !action || chat === undefined || container?.message_ts === undefined) return;
  const thread = container.thread_ts ?? message?.thread_ts;
  const press: Inbound = {
    ...{ key: `press:${chat}:${container.message_ts}:${user.id}:${action.action_ts ?? body.trigger_id ?? ""}`, kind: "press" },
    ...{ from: senderOf(line, user.id, [user.team_id]), name: user.name ?? user.username ?? "", text: "" },
    ...{
      to: { channel: line.host.name, chat, ...(thread === undefined ? {} : { thread }) },
      where: chat.startsWith("D") ? "direct" : "group",
    },
    ...{ addressed: true, press: action.value ?? action.action_id ?? "", message: container.message_ts },
  };
  const { text, first } = await once(line, press.key, () => line.host.inbox(press));
  if (!text || !first) return;
  await answerAt(line, body.response_url, text);
  const blocks = message?.blocks?.filter(({ type }) => type !== "actions");
  if (blocks && blocks.length > 0)
    await line.api.chat
      .update({ channel: chat, ts: container.message_ts, text: message?.text ?? "", blocks: blocks as never })
      .catch(() => undefined);
}

const GREETING =
  "Hello, I am Steward. Write to me directly, mention me in a channel, or say what you need behind this command: `/steward what is on my list?` – `/steward help` shows what else I understand.";

/** What is said by a slash command is between the two: it is answered where they are alone. */
async function takeCommand(line: Line, body: SlashCommand): Promise<void> {
  const { text = "", user_id: user, user_name: name = "", team_id, channel_id = "", trigger_id = "" } = body;
  if (user === undefined) return;
  const said = readText(text, line.me.user);
  if (said === "") {
    const greet = async (): Promise<object> => (await answerAt(line, body.response_url, GREETING), {});
    return void (await once(line, `greeting:${trigger_id}`, greet));
  }
  const from = senderOf(line, user, [team_id]);
  const channel = line.host.name;
  const message: Inbound = {
    ...{
      key: `command:${trigger_id}`,
      kind: "message",
      from,
      name,
      to: { channel, chat: line.direct.get(user) ?? user },
      where: "direct",
      addressed: true,
    },
    ...{ text: said, message: "", read: async () => ({ to: { channel, chat: await chatWith(line, user) } }) },
  };
  const answer = await once(line, message.key, () => inLane(line.lanes, message.to.chat, () => line.host.inbox(message)));
  if (!answer.first) return;
  if (answer.text) await answerAt(line, body.response_url, answer.text);
  else if (channel_id !== line.direct.get(user)) await answerAt(line, body.response_url, "I answer in our direct messages.");
}

/** Opens it when there is none. Their id does as well, but then it is another conversation here. */
export async function chatWith(line: Line, user: string): Promise<string> {
  const known = line.direct.get(user);
  if (known !== undefined) return known;
  const opened = await line.api.conversations.open({ users: user }).then(
    ({ channel }) => channel?.id,
    () => undefined,
  );
  if (opened !== undefined) remember(line.direct, user, opened);
  return opened ?? user;
}

async function answerAt(line: Line, address: string | undefined, text: string): Promise<void> {
  if (address === undefined || !isSlacks(line, address)) return;
  const body = JSON.stringify({ response_type: "ephemeral", replace_original: false, text: slackLines(text) });
  await line.host.fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body }).catch(() => undefined);
}
