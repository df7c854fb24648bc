// What comes from Matrix: long polls. The place up to which was read moves on only when all that came is durable.
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { type Answer, call, path } from "./matrix-calls.ts";
import { eventId, type Fields, fields, type Line, many, userId, words } from "./matrix-line.ts";
import { inboundOf, invitationOf } from "./matrix-messages.ts";
import { follow, invited, readInvitations, roomOf, tellEncrypted, writtenInvitations } from "./matrix-rooms.ts";

const CHANGES = ["m.room.member", "m.room.join_rules", "m.room.history_visibility", "m.room.encryption"];
const AT_ONCE = 100;
const MOST_MISSED = 1000;
const FILTER = {
  presence: { types: [] },
  account_data: { types: [] },
  room: {
    account_data: { types: [] },
    ephemeral: { types: [] },
    state: { types: CHANGES, lazy_load_members: true },
    timeline: { types: ["m.room.message", "m.sticker", "m.room.encrypted", "m.reaction", ...CHANGES], limit: AT_ONCE },
  },
};

const sync = (line: Line, since: string | undefined, seconds: number): Promise<Answer> =>
  call(line, "GET", "client/v3/sync", {
    query: {
      filter: JSON.stringify(since === undefined ? { ...FILTER, room: { ...FILTER.room, timeline: { types: [], limit: 1 } } } : FILTER),
      timeout: String(seconds * 1000),
      ...(since === undefined ? {} : { since }),
    },
    ms: (seconds + line.config.answerSeconds) * 1000,
  });

/** `done` when it no longer reads. What was said before the first time is not answered. */
export async function poll(line: Line): Promise<{ done: Promise<void> }> {
  const { host, stop, me } = line;
  const [whose, kept, invitations] = ((await host.cursor.get()) ?? "").split(" ");
  let since = whose === me && kept ? kept : undefined;
  if (since !== undefined && invitations) readInvitations(line, invitations);
  const keep = (token: string): Promise<void> => host.cursor.put(`${me} ${token} ${writtenInvitations(line)}`.trimEnd());
  const next = async (seconds: number): Promise<void> => {
    const batch = await sync(line, since, seconds);
    line.heard.at = host.now();
    host.heard();
    const token = words(batch["next_batch"]);
    if (token === "") throw new StewardError("unavailable", "What answers at the homeserver's address does not speak Matrix");
    await takeAll(line, fields(batch["rooms"]), since);
    if (token === since) return;
    await keep(token);
    since = token;
  };
  if (since === undefined) await next(0);
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const begun = Date.now();
      const before = since;
      try {
        const waiting = writtenInvitations(line);
        await follow(line);
        if (since !== undefined && writtenInvitations(line) !== waiting) await keep(since);
        await next(line.config.pollSeconds);
        // A homeserver that does not wait must not be asked without a pause.
        if (since === before && Date.now() - begun < 200) await new Promise((resolve) => setTimeout(resolve, 1000).unref());
      } catch (error) {
        if (!stop.signal.aborted) host.lost(error);
        return;
      }
    }
  };
  return { done: run() };
}

/** Rooms side by side, each in order; all of it durable, or the same comes again. */
async function takeAll(line: Line, rooms: Fields, since: string | undefined): Promise<void> {
  for (const [id, invite] of Object.entries(fields(rooms["invite"]))) {
    const invitation = invitationOf(line, fields(invite));
    if (invitation) invited(line, id, invitation);
  }
  for (const id of Object.keys(fields(rooms["leave"]))) line.rooms.delete(id);
  if (since === undefined) return;
  const joined = Object.entries(fields(rooms["join"]));
  await Promise.all(joined.map(([id, room]) => takeRoom(line, { id, room: fields(room), since })));
}

async function takeRoom(line: Line, { id, room, since }: { id: string; room: Fields; since: string }): Promise<void> {
  const timeline = fields(room["timeline"]);
  const newest = many(timeline["events"]);
  const changed = [...many(fields(room["state"])["events"]), ...newest].some(({ type }) => CHANGES.includes(words(type)));
  // What happened in a gap nobody tells: who came in then stands in no state that is asked for.
  if (changed || timeline["limited"] === true) line.rooms.delete(id);
  const entry = newest.findLastIndex((event) => isOwn(line, event, "join"));
  const events =
    entry < 0 && timeline["limited"] === true
      ? [...(await missed(line, id, { from: words(timeline["prev_batch"]), to: since })), ...newest]
      : newest.slice(entry < 0 ? 0 : begun(line, newest, entry));
  for (const event of events) await take(line, id, event);
}

const isOwn = ({ me }: Line, { type, state_key, content }: Fields, membership: string): boolean =>
  type === "m.room.member" && state_key === me && fields(content)["membership"] === membership;

/** In a room that was just entered only what was said since the invitation is meant. */
function begun(line: Line, events: Fields[], entry: number): number {
  const invitation = events.slice(0, entry).findLastIndex((event) => isOwn(line, event, "invite"));
  return invitation < 0 ? entry : invitation;
}

/** What lies between the last look and what the poll shows, oldest first. */
async function missed(line: Line, id: string, { from, to }: { from: string; to: string }): Promise<Fields[]> {
  const back: Fields[] = [];
  let at = from;
  while (at !== "" && back.length < MOST_MISSED) {
    const query = { dir: "b", from: at, to, limit: String(AT_ONCE), filter: JSON.stringify(FILTER.room.timeline) };
    const page = await call(line, "GET", path`client/v3/rooms/${id}/messages`, { query }).catch((error: unknown) => {
      if (hasCode(error, "unavailable")) throw error;
      return error;
    });
    if (page instanceof Error) {
      await givenUp(line, { id, from: at }, page);
      break;
    }
    const chunk = many(fields(page)["chunk"]);
    back.push(...chunk);
    at = chunk.length === 0 ? "" : words(fields(page)["end"]);
    if (at !== "" && back.length >= MOST_MISSED)
      line.host.log("warning", "More was said in a room than is read at once; the oldest of it is left out", { room: id });
  }
  return back.toReversed();
}

const LOST = "I could not read all that was said here while I was away. What was meant for me, please say again.";

/** The same would be refused each time: those in the room are told, and what is newer is read. */
async function givenUp(line: Line, { id, from }: { id: string; from: string }, error: Error): Promise<void> {
  line.host.log("warning", "What was said in a room meanwhile can't be read, so it is left out", { room: id, error: messageOf(error) });
  await say(line, id, { key: `gap-${from}`, text: LOST });
}

/** A word of the channel's own; whether it arrives is not waited for. */
async function say(line: Line, id: string, { key, text }: { key: string; text: string }): Promise<void> {
  const body = { msgtype: "m.notice", body: text, "m.mentions": {} };
  await call(line, "PUT", path`client/v3/rooms/${id}/send/m.room.message/${key}`, { body }).catch(() => undefined);
}

async function take(line: Line, id: string, event: Fields): Promise<void> {
  const [type, from] = [words(event["type"]), words(event["sender"])];
  if (from === line.me || event["state_key"] !== undefined) return;
  if (type === "m.room.encrypted") return tellEncrypted(line, id);
  if (type === "m.reaction") return reacted(line, id, event);
  if (type !== "m.room.message" && type !== "m.sticker") return;
  const message = inboundOf(line, { id, facts: await roomOf(line, id) }, event);
  if (!message) return;
  const { text } = await line.host.inbox(message);
  if (text) await say(line, id, { key: `said-${words(event["event_id"])}`, text });
}

async function reacted({ host }: Line, id: string, event: Fields): Promise<void> {
  const message = eventId(fields(fields(event["content"])["m.relates_to"])["event_id"]);
  const [key, from] = [eventId(event["event_id"]), userId(event["sender"])];
  if (message === "" || key === "") return;
  await host.inbox({ key, kind: "reaction", from, text: "", to: { channel: host.name, chat: id }, where: "group", message });
}
