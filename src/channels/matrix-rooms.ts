// What Steward's account knows of its rooms: who is in them, whether they are open or encrypted; and which invitations it follows.
import type { Address } from "../core/types.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { call, path } from "./matrix-calls.ts";
import { type Fields, fields, type Line, many, words } from "./matrix-line.ts";

export interface Room {
  /** Those who joined, by their ids, with the names that they show. */
  members: Map<string, string>;
  /** Those who were asked in, and may come any time. */
  coming: string[];
  /** Others may read, or come in without being asked in: nobody knows whom. */
  open: boolean;
  encrypted: boolean;
}
const NOWHERE: Room = { members: new Map(), coming: [], open: true, encrypted: false };
/** Who is in a room by any other rule, such as being in another one, nobody decided there. */
const CLOSED = new Set(["invite", "knock", "private"]);

/** Asked once, and anew after a change there. */
export async function roomOf(line: Line, id: string): Promise<Room> {
  const known = line.rooms.get(id);
  if (known) return known;
  const made = look(line, id);
  line.rooms.set(id, made);
  if (line.rooms.size > 1000) line.rooms.delete(line.rooms.keys().next().value!);
  made.catch(() => line.rooms.delete(id));
  return made;
}

async function look(line: Line, id: string): Promise<Room> {
  const asked = (at: string, query: Record<string, string> = {}): Promise<Fields | undefined> =>
    call(line, "GET", `${path`client/v3/rooms/${id}`}/${at}`, { query }).catch((error: unknown) => {
      if (hasCode(error, "not_found")) return undefined;
      throw error;
    });
  try {
    const [{ joined }, coming, rules, visibility, encryption] = await Promise.all([
      call(line, "GET", path`client/v3/rooms/${id}/joined_members`),
      asked("members", { membership: "invite" }),
      asked("state/m.room.join_rules"),
      asked("state/m.room.history_visibility"),
      asked("state/m.room.encryption"),
    ]);
    return {
      members: new Map(Object.entries(fields(joined)).map(([user, one]) => [user, words(fields(one)["display_name"])])),
      coming: many(coming?.["chunk"]).map(({ state_key }) => words(state_key)),
      open: (rules !== undefined && !CLOSED.has(words(rules["join_rule"]))) || visibility?.["history_visibility"] === "world_readable",
      encrypted: encryption !== undefined,
    };
  } catch (error) {
    if (hasCode(error, "unavailable")) throw error;
    // Not in it any more, or it can't be known: nothing that is said there is meant for it alone.
    return NOWHERE;
  }
}

/** Nobody else can read it: two members, and nobody comes in without being invited. What clients only call direct is not. */
export const isDirect = ({ members, coming, open }: Room): boolean => members.size === 2 && coming.length === 0 && !open;

/** Everybody else who is in it or may come any time; undefined: nobody knows. */
export async function readersOf(line: Line, { chat }: Address): Promise<string[] | undefined> {
  const { members, coming, open } = await roomOf(line, chat);
  return open ? undefined : [...members.keys(), ...coming].filter((user) => user !== line.me);
}

export interface Invitation {
  by: string;
  direct: boolean;
  tries: number;
}
const MOST_WAITING = 100;
const MOST_JOINS = 10;
const JOINS_MS = 600_000;

/** To be followed when there is time: `direct` as who invites says. */
export function invited({ invitations, config }: Line, room: string, { by, direct }: Omit<Invitation, "tries">): void {
  const trusted = config.inviters.includes(by);
  if (!trusted && (!direct || config.invitations === "inviters")) return;
  invitations.set(room, { by, direct, tries: 0 });
  if (invitations.size > MOST_WAITING) invitations.delete(invitations.keys().next().value!);
}

/** As they are kept beside the place up to which was read, so that a restart forgets none. */
export const writtenInvitations = ({ invitations }: Line): string =>
  invitations.size === 0
    ? ""
    : encodeURIComponent(JSON.stringify([...invitations].map(([room, { by, direct, tries }]) => [room, by, direct, tries])));

export function readInvitations({ invitations }: Line, written: string): void {
  for (const [room, by, direct, tries] of JSON.parse(decodeURIComponent(written)) as [string, string, boolean, number][])
    invitations.set(room, { by, direct, tries });
}

/** Joins a few in ten minutes, so that strangers cost little. Whoever said that a room is a conversation of two and it is none is left alone. */
export async function follow(line: Line): Promise<void> {
  const { invitations, joins, host, config } = line;
  for (const [room, invitation] of invitations) {
    const trusted = config.inviters.includes(invitation.by);
    const recent = joins.filter((at) => at > host.now() - JOINS_MS);
    if (!trusted && recent.length >= MOST_JOINS) continue;
    try {
      if (!trusted) joins.splice(0, joins.length, ...recent, host.now());
      await call(line, "POST", path`client/v3/join/${room}`, { body: {}, ms: 60_000 });
      line.rooms.delete(room);
      invitations.delete(room);
      if (trusted || isDirect(await roomOf(line, room))) continue;
      await call(line, "POST", path`client/v3/rooms/${room}/leave`, { body: {} });
      host.log("info", "A room was left again: it was said to be a conversation of two", { room });
    } catch (error) {
      if (!hasCode(error, "unavailable") || ++invitation.tries >= 5) invitations.delete(room);
      host.log("info", "An invitation could not be followed", { room, error: messageOf(error) });
    }
  }
}

const NOTICE =
  "This room is encrypted, and I can't read encrypted rooms. Please make a room without encryption (in Element: turn off “Enable end-to-end encryption” when you create it) and invite me there.";
const TOLD = "steward.encrypted";

/** Once for each room, kept at the homeserver. */
export async function tellEncrypted(line: Line, room: string): Promise<void> {
  if (line.told.has(room)) return;
  const mark = path`client/v3/user/${line.me}/rooms/${room}/account_data/${TOLD}`;
  const event = path`client/v3/rooms/${room}/send/m.room.message/${TOLD}`;
  try {
    const known = await call(line, "GET", mark).catch((error: unknown) => {
      if (hasCode(error, "not_found")) return undefined;
      throw error;
    });
    if (!known) {
      await call(line, "PUT", event, { body: { msgtype: "m.notice", body: NOTICE, "m.mentions": {} } });
      await call(line, "PUT", mark, { body: { told: true } });
    }
  } catch (error) {
    // A room in which nothing may be said is no reason to read no other.
    if (hasCode(error, "unavailable")) throw error;
    line.host.log("info", "A room can't be told that encrypted rooms are not read", { room, error: messageOf(error) });
  }
  line.told.add(room);
  if (line.told.size > 2000) line.told.delete(line.told.values().next().value!);
}
