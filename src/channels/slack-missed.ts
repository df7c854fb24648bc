// What was missed while nobody listened: read from the conversations themselves, and looked for when Slack seems to be silent.
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { remember } from "./bounds.ts";
import { asked } from "./slack-faults.ts";
import { isTs, later } from "./slack-marks.ts";
import { keyOf } from "./slack-messages.ts";
import { takeMessage } from "./slack-reading.ts";
import type { Line, SlackEvent, SlackMessage } from "./slack-wire.ts";

const LONGEST_PAUSE_MS = 60_000;
const MOST_TRIES = 10;
const PAGE = 200;
/** At once, of a room and of a conversation of two. */
const MOST_PAGES = { room: 10, direct: 50 };

/** Reads what came while nobody listened, conversation by conversation, those first that spoke last. */
export async function catchUp(line: Line): Promise<void> {
  const places = line.marks.places();
  for (const place of places) line.marks.caughtUp(place, false);
  const unheard = (await conversations(line)).filter((id) => !places.includes(id));
  for (const place of [...places, ...unheard]) await readAgain(line, place);
  if (!line.stop.signal.aborted) line.marks.allTried();
}

async function readAgain(line: Line, place: string): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES && !line.stop.signal.aborted; tries++) {
    try {
      return void (await readPlace(line, place));
    } catch (error) {
      line.host.log("warning", "What was written meanwhile could not be read", { place, error: messageOf(error) });
      // Where it is no member any more, or may not read, there is nothing to wait for.
      if (error instanceof StewardError && error.code !== "unavailable") line.marks.caughtUp(place, true);
      const wait = hasCode(error, "unavailable") && error.retryAt !== undefined ? error.retryAt - Date.now() : undefined;
      if (wait === undefined) return;
      await pause(Math.min(wait, LONGEST_PAUSE_MS), line.stop.signal);
    }
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    timer.unref();
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Conversations of people with this account alone, and whose they are. */
async function conversations({ api, host, direct }: Line): Promise<string[]> {
  try {
    const { channels = [] } = await api.users.conversations({ types: "im", limit: 999, exclude_archived: true });
    for (const { id, user } of channels) if (id !== undefined && user !== undefined) remember(direct, user, id);
    return channels.flatMap(({ id }) => (id === undefined ? [] : [id]));
  } catch (error) {
    host.log("debug", "Slack does not list the conversations", { error: messageOf(error) });
    return [];
  }
}

/** Takes what is there and was not told. */
async function readPlace(line: Line, place: string): Promise<void> {
  const [chat = ""] = place.split("/");
  for (let after: string | undefined = line.marks.since(place); after !== undefined;) {
    const { missed, last, left }: Missed = await since(line, place, after);
    const shared = missed.length > 0 && (await isShared(line, chat));
    for (const event of missed) await takeMessage(line, event, shared);
    if (left === "older") line.host.log("warning", "More was written meanwhile than is read: the oldest of it is left out", { place });
    after = left === "newer" && last !== undefined && later(last, after) ? last : undefined;
  }
  line.marks.caughtUp(place, true);
}

interface Missed {
  missed: SlackEvent[];
  /** Of all that was read. */
  last?: string | undefined;
  /** There is more than is read at once: of a conversation its beginning, of a thread its end. */
  left?: "older" | "newer";
}

/** What other people wrote after that, oldest first. */
async function since(line: Line, place: string, oldest: string): Promise<Missed> {
  const [channel = "", thread] = place.split("/");
  const found: SlackEvent[] = [];
  const read: string[] = [];
  let cursor: string | undefined;
  for (let page = MOST_PAGES[channel.startsWith("D") ? "direct" : "room"]; page > 0; page--) {
    const asking = { channel, oldest, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
    const { messages = [], response_metadata } = await asked(() =>
      thread === undefined ? line.api.conversations.history(asking) : line.api.conversations.replies({ ...asking, ts: thread }),
    );
    read.push(...(messages as SlackMessage[]).map(({ ts }) => ts).filter(isTs));
    for (const message of messages as SlackMessage[])
      if (isTs(message.ts) && later(message.ts, oldest) && message.user !== line.me.user)
        found.push({ ...message, type: "message", channel });
    cursor = response_metadata?.next_cursor;
    if (!cursor) break;
  }
  const last = read.at(-1);
  const left = !cursor || last === undefined ? undefined : later(last, read[0]!) ? "newer" : "older";
  return { missed: found.toSorted((a, b) => (later(a.ts!, b.ts!) ? 1 : -1)), last, ...(left ? { left } : {}) };
}

/** Of what was written where people spoke last: the oldest time that is still not told, epoch milliseconds. Only looks. */
export async function untold(line: Line): Promise<number | undefined> {
  const [place] = line.marks.places();
  if (place === undefined || !line.marks.isTried()) return undefined;
  const first = (await since(line, place, line.marks.since(place))).missed.find(
    (event) => !line.taken.has(keyOf(event) ?? "") && keyOf(event) !== undefined,
  );
  return first && Number(first.ts) * 1000;
}

/** Whether people of another workspace are there. When Slack does not say, it counts as if. */
async function isShared({ api }: Line, chat: string): Promise<boolean> {
  return api.conversations.info({ channel: chat }).then(
    ({ channel }) => channel?.is_ext_shared === true,
    () => true,
  );
}
