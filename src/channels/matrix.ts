// Matrix by its client-server API: long polls in, events out, each under an id of its own so that it is there once. Encrypted rooms are not read.
import * as z from "zod/mini";
import type { Channel, ChannelHost, ChannelKind, Outgoing } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { remember } from "./bounds.ts";
import { call, path } from "./matrix-calls.ts";
import { type Line, words } from "./matrix-line.ts";
import { poll } from "./matrix-reading.ts";
import { readersOf, roomOf } from "./matrix-rooms.ts";
import { byteLength, pageHtml } from "./page-form.ts";

const user = z.string().check(z.regex(/^@[^:\s]+:\S+$/, "must be a Matrix id such as @mia:example.org"));
const config = z.strictObject({
  /** Of the account, such as https://matrix.example.org. */
  homeserver: z.url({ protocol: /^https?$/ }),
  accessToken: z.string().check(z.regex(/^\S{6,}$/, "must be an access token")),
  /** Whose invitations into rooms are followed. Nobody else's. */
  inviters: z._default(z.array(user), () => []),
  /** `direct`: anybody may open a conversation of two, such as to be sent a pairing code; a few in ten minutes. `inviters`: only those named. */
  invitations: z._default(z.enum(["direct", "inviters"]), "direct"),
  /** For so long a poll waits for something new: less than a proxy between lets it. */
  pollSeconds: z._default(z.number().check(z.minimum(1), z.maximum(300)), 25),
  /** For so long the homeserver may think. */
  answerSeconds: z._default(z.number().check(z.minimum(1), z.maximum(300)), 20),
});
type Config = z.infer<typeof config>;

/** An event may have 65,536 bytes, the text in two forms in it. */
const MOST_TEXT = 16_000;
const USUAL_FILE = 50 * 1024 * 1024;

export default {
  name: "matrix",
  title: "Matrix",
  needs: [
    { key: "homeserver", about: "The address of the account's homeserver, such as https://matrix.example.org." },
    {
      key: "accessToken",
      about:
        "Of Steward's own account. In Element: All settings → Help & About → Advanced → Access token; then close the window without signing out.",
      secret: true,
    },
  ],
  guide: [
    "1. Make an account for Steward at a homeserver, say in Element in a private window, and give it a name to show.",
    "2. There, under **All settings → Help & About → Advanced**, copy the *homeserver* and the *access token*: bring them here. Close that window without signing out: signing out ends the token.",
    "3. With your own account create a room **without end-to-end encryption** (it can't be taken away later), and invite Steward's account: it can't read encrypted rooms, and says so there.",
    "4. Write to it. Steward answers with a code; approve it, and you are in.",
    "5. For rooms: set `channels.matrix.inviters` to the ids of those whose invitations it follows, and list the room and its people under `groups`. It answers there to mentions, to answers to its messages, and in threads that began with it.",
  ].join("\n"),
  config,
  async open(given, host) {
    const line = await lineOf(given, host);
    const { done } = await poll(line);
    const upload = await call(line, "GET", "client/v1/media/config").catch(() => ({}));
    const most = "m.upload.size" in upload && typeof upload["m.upload.size"] === "number" ? upload["m.upload.size"] : USUAL_FILE;
    return channel(line, { done, most });
  },
} satisfies ChannelKind<Config>;

async function lineOf(given: Config, host: ChannelHost): Promise<Line> {
  const line: Line = {
    ...{ host, config: given, stop: new AbortController(), me: "", shown: "", heard: { at: host.now() }, told: new Set(), joins: [] },
    ...{ rooms: new Map(), threads: new Map(), own: new Map(), invitations: new Map(), marks: new Map() },
  };
  line.me = words((await call(line, "GET", "client/v3/account/whoami"))["user_id"]);
  if (line.me === "") throw new StewardError("unavailable", "What answers at the homeserver's address does not speak Matrix");
  const profile = await call(line, "GET", path`client/v3/profile/${line.me}/displayname`).catch(() => ({}));
  line.shown = "displayname" in profile ? words(profile["displayname"]).trim() : "";
  return line;
}

function channel(line: Line, { done, most }: { done: Promise<void>; most: number }): Channel {
  const { host, stop, heard, config: given, marks } = line;
  return {
    limits: { text: MOST_TEXT, file: most, buttons: 0, editMs: 5000 },
    length: (markdown) => byteLength(markdown) + byteLength(pageHtml(markdown)),
    repeatable: true,
    send: (to, message, key) => send(line, { to, message, key }),
    edit: (to, receipt, message) => edit(line, { to, receipt, message }),
    async typing({ chat }) {
      await call(line, "PUT", path`client/v3/rooms/${chat}/typing/${line.me}`, { body: { typing: true, timeout: 8000 } });
    },
    async react({ chat }, message, mark) {
      if (mark) {
        const relation = { rel_type: "m.annotation", event_id: message, key: "👀" };
        const answer = await put(line, { chat, type: "m.reaction", key: `seen-${message}`, content: { "m.relates_to": relation } });
        return remember(marks, message, answer);
      }
      const own = marks.get(message);
      if (own !== undefined) await call(line, "PUT", path`client/v3/rooms/${chat}/redact/${own}/${`unseen-${message}`}`, { body: {} });
      marks.delete(message);
    },
    async probe() {
      const account = words((await call(line, "GET", "client/v3/account/whoami"))["user_id"]);
      if (host.now() - heard.at > 2 * (given.pollSeconds + given.answerSeconds) * 1000)
        throw new StewardError("unavailable", "The homeserver answers, but no poll for messages has come back lately");
      return { account };
    },
    readers: (to) => readersOf(line, to),
    grows: true,
    async close() {
      stop.abort();
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 1500).unref())]);
    },
  };
}

interface Sending {
  to: Address;
  message: Outgoing;
  key: string;
}

async function send(line: Line, { to, message, key }: Sending): Promise<string> {
  await refuseEncrypted(line, to);
  const content = message.file ? await fileContent(line, message.file, message.text) : textContent(message.text);
  const relation = relationOf(to, message);
  const receipt = await put(line, {
    chat: to.chat,
    type: "m.room.message",
    key,
    content: { ...content, ...(relation ? { "m.relates_to": relation } : {}) },
  });
  remember(line.own, receipt, true);
  return receipt;
}

/** The same key is the same event: the homeserver answers with the id that it has already. */
async function put(
  line: Line,
  { chat, type, key, content }: { chat: string; type: string; key: string; content: Record<string, unknown> },
): Promise<string> {
  const answer = await call(line, "PUT", path`client/v3/rooms/${chat}/send/${type}/${key}`, { body: content });
  const id = words(answer["event_id"]);
  if (id === "") throw new StewardError("unavailable", "The homeserver took a message without telling its id");
  return id;
}

/** What is said in an encrypted room shall not be read by those who carry it. */
async function refuseEncrypted(line: Line, { chat }: Address): Promise<void> {
  if ((await roomOf(line, chat)).encrypted)
    throw new StewardError("denied", "This room is encrypted, so nothing is said there in plain text", {
      hint: "Invite Steward's account into a room without encryption.",
    });
}

/** Nobody is rung by a name that stands in the text. */
const textContent = (text: string): Record<string, unknown> => ({
  ...{ msgtype: "m.text", body: text, format: "org.matrix.custom.html", formatted_body: pageHtml(text) },
  "m.mentions": {},
});

async function fileContent(
  line: Line,
  { name, mime, bytes }: NonNullable<Outgoing["file"]>,
  text: string,
): Promise<Record<string, unknown>> {
  const answer = await call(line, "POST", "media/v3/upload", { query: { filename: name }, raw: { bytes, mime }, ms: 300_000 });
  const kind = /^(image|video|audio)\//.exec(mime)?.[1] ?? "file";
  return {
    ...{ msgtype: `m.${kind}`, filename: name, url: words(answer["content_uri"]), info: { mimetype: mime, size: bytes.length } },
    ...(text === "" ? { body: name } : { body: text, format: "org.matrix.custom.html", formatted_body: pageHtml(text) }),
    "m.mentions": {},
  };
}

function relationOf({ thread }: Address, { replyTo }: Outgoing): Record<string, unknown> | undefined {
  const answers = replyTo ?? thread;
  if (answers === undefined) return undefined;
  const reply = { "m.in_reply_to": { event_id: answers } };
  return thread === undefined ? reply : { ...reply, rel_type: "m.thread", event_id: thread, is_falling_back: replyTo === undefined };
}

async function edit(line: Line, { to, receipt, message }: Omit<Sending, "key"> & { receipt: string }): Promise<void> {
  await refuseEncrypted(line, to);
  if (!line.own.has(receipt)) await knownEvent(line, to, receipt);
  const content = textContent(message.text);
  await put(line, {
    chat: to.chat,
    type: "m.room.message",
    key: newId("edit"),
    content: {
      ...content,
      body: `* ${message.text}`,
      "m.new_content": content,
      "m.relates_to": { rel_type: "m.replace", event_id: receipt },
    },
  });
}

/** A homeserver takes changes of messages that there are not. */
async function knownEvent(line: Line, { chat }: Address, id: string): Promise<void> {
  const event = await call(line, "GET", path`client/v3/rooms/${chat}/event/${id}`).catch((error: unknown) => {
    if (hasCode(error, "denied")) throw new StewardError("not_found", "There is no such message any more");
    throw error;
  });
  if (words(event["sender"]) !== line.me) throw new StewardError("denied", "Only what Steward said can be changed by it");
  remember(line.own, id, true);
}
