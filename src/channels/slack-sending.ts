// What Steward says in Slack: messages, changes to them, files. Each bears its key, so that it can be found again when nobody knows whether it arrived.
import type { WebAPICallResult } from "@slack/web-api";
import type { Outgoing } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { asked, explained, isUnclear, refusedAs } from "./slack-faults.ts";
import { slackLines, slackMarkdown, slackSummary } from "./slack-form.ts";
import { isTs } from "./slack-marks.ts";
import { chatWith } from "./slack-reading.ts";
import { isSlacks, type Line, placeOf, type SlackMessage } from "./slack-wire.ts";

const EVENT = "steward_message";
const LOOK_MS = 700;
/** More than Slack allows for blocks. */
const TOO_MUCH = new Set(["invalid_blocks", "msg_blocks_too_long", "invalid_blocks_format"]);

export async function send(line: Line, { to, message, key }: { to: Address; message: Outgoing; key: string }): Promise<string> {
  const chat = await chatOf(line, to);
  const place = { channel: chat, ...(to.thread === undefined ? {} : { thread_ts: to.thread }) };
  const since = line.host.now();
  try {
    const receipt = message.file ? await sendFile(line, { place, message, key }) : await post(line, { place, message, key });
    line.waiting.delete(placeOf(to.chat, to.thread));
    return receipt;
  } catch (error) {
    if (!isUnclear(error)) throw explained(error, false);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS).unref());
    const found = await lookup(line, { to, key, since }).catch((cause: unknown) => {
      throw new Error(`Slack had a fault, and does not say whether the message arrived: ${messageOf(cause)}`, { cause: error });
    });
    if (found === undefined) throw explained(error, true);
    return found;
  }
}

/** A person's id stands for the conversation with them. */
const chatOf = (line: Line, { chat }: Address): Promise<string> | string => (/^[UW]/.test(chat) ? chatWith(line, chat) : chat);

interface Sending {
  place: { channel: string; thread_ts?: string };
  message: Outgoing;
  key: string;
}

async function post({ api }: Line, { place, message, key }: Sending): Promise<string> {
  const fixed = {
    ...place,
    ...{ unfurl_links: false, unfurl_media: false },
    metadata: { event_type: EVENT, event_payload: { key } },
  };
  const say = async (text: string, blocks: object[]): Promise<WebAPICallResult & { ts?: unknown }> =>
    api.apiCall("chat.postMessage", { ...fixed, text, blocks });
  const { ts } = await say(slackSummary(message.text), blocksOf(message)).catch((error: unknown) => {
    if (!TOO_MUCH.has(refusedAs(error) ?? "")) throw error;
    return say(slackLines(message.text), buttonsOf(message, "above"));
  });
  if (!isTs(ts)) throw new Error("Slack gave no receipt");
  return ts;
}

export async function edit(line: Line, { to, receipt, message }: { to: Address; receipt: string; message: Outgoing }): Promise<void> {
  if (!isTs(receipt)) throw new StewardError("invalid", "This message can't be changed at Slack");
  const chat = await chatOf(line, to);
  try {
    await line.api.chat.update({ channel: chat, ts: receipt, text: slackSummary(message.text), blocks: blocksOf(message) as never });
  } catch (error) {
    throw explained(error, false);
  }
}

const blocksOf = (message: Outgoing): object[] => [
  ...(message.text === "" ? [] : [{ type: "markdown", text: slackMarkdown(message.text) }]),
  ...buttonsOf(message),
];

/** `above`: Slack shows no text beside blocks, so it stands in one. */
function buttonsOf({ buttons = [], text }: Outgoing, above?: "above"): object[] {
  if (buttons.length === 0) return [];
  const elements = buttons.map(({ id, label, style }) => ({
    ...{ type: "button", action_id: id, value: id, text: { type: "plain_text", text: label.slice(0, 75), emoji: false } },
    ...(style ? { style } : {}),
  }));
  const lines = above === undefined ? [] : [{ type: "section", text: { type: "mrkdwn", text: slackLines(text).slice(0, 3000) } }];
  return [...lines, { type: "actions", elements }];
}

/** The block's id is the key: a message with a file bears no metadata. */
async function sendFile(line: Line, { place, message, key }: Sending): Promise<string> {
  const { api, host } = line;
  const { name, bytes } = message.file!;
  const { upload_url = "", file_id = "" } = await asked(() => api.files.getUploadURLExternal({ filename: name, length: bytes.length }));
  if (!isSlacks(line, upload_url)) throw new StewardError("denied", "Slack named a place for files that is not its own");
  const uploaded = await host
    .fetch(upload_url, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: new Uint8Array(bytes) })
    .catch((cause: unknown) => {
      throw new StewardError("unavailable", `The file could not be brought to Slack: ${messageOf(cause)}`);
    });
  if (!uploaded.ok) throw new StewardError("unavailable", `Slack did not take the file (HTTP ${uploaded.status})`);
  const section = {
    type: "section",
    block_id: blockId(key),
    text: { type: "mrkdwn", text: slackSummary(message.text) || `:page_facing_up: ${slackLines(name)}` },
  };
  const { channel: channel_id, thread_ts } = place;
  const where = { channel_id, ...(thread_ts === undefined ? {} : { thread_ts }) };
  await api.apiCall("files.completeUploadExternal", { files: [{ id: file_id, title: name }], ...where, blocks: [section] });
  return (await sharedAs(line, file_id, channel_id)) ?? `file:${file_id}`;
}

const blockId = (key: string): string => `steward:${key}`.slice(0, 255);
const SHARE_TRIES = 5;
const SHARE_MS = 400;

/** The message that shows the file; Slack makes it a little later. */
async function sharedAs({ api }: Line, file: string, chat: string): Promise<string | undefined> {
  for (let tries = 0; tries < SHARE_TRIES; tries++) {
    const { public: open = {}, private: closed = {} } = await api.files.info({ file }).then(
      (found) => found.file?.shares ?? {},
      () => ({ public: {}, private: {} }),
    );
    const ts = [...(open[chat] ?? []), ...(closed[chat] ?? [])].at(-1)?.ts;
    if (ts !== undefined) return ts;
    await new Promise((resolve) => setTimeout(resolve, SHARE_MS).unref());
  }
  return undefined;
}

const PAGE = 200;
const MOST_PAGES = 10;
/** Clocks differ. */
const EARLIER_SECONDS = 600;

/** Read back to before it was tried, or through all that is there; else nobody can tell. */
export async function lookup(line: Line, { to, key, since }: { to: Address; key: string; since?: number }): Promise<string | undefined> {
  const channel = await chatOf(line, to);
  const oldest = since === undefined ? undefined : `${Math.floor(since / 1000) - EARLIER_SECONDS}.000000`;
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const asking = {
      ...{ channel, limit: PAGE, include_all_metadata: true },
      ...(oldest === undefined ? {} : { oldest }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    const found = await asked(() =>
      to.thread === undefined ? line.api.conversations.history(asking) : line.api.conversations.replies({ ...asking, ts: to.thread }),
    );
    const ours = ((found.messages ?? []) as SlackMessage[]).find((one) => bears(one, key));
    if (ours?.ts !== undefined) return ours.ts;
    cursor = found.response_metadata?.next_cursor;
    if (!cursor) return undefined;
  }
  throw new StewardError("internal", "There is too much in this conversation to find the message again");
}

const bears = ({ metadata, blocks }: SlackMessage, key: string): boolean =>
  (metadata?.event_type === EVENT && metadata.event_payload?.["key"] === key) ||
  (blocks ?? []).some(({ block_id }) => block_id === blockId(key));
