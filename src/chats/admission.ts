// Who may speak here: the one check that everything which comes from a platform passes, before anything is done with it.
import type { Channel, Inbound } from "../core/channel.ts";
import { type ChannelEntry, type Hook, hookOf } from "../core/config-channels.ts";
import type { Principal } from "../core/types.ts";
import { lesserRole, personOf, standing } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { type LetIn, letIn } from "./let-in.ts";
import { ensureChatPerson } from "./own-person.ts";
import { offerCode } from "./pairing.ts";
import { isAlone, readersOf } from "./reach.ts";

export interface Admitted {
  who: Principal;
  /** In a room: who wrote, when they are somebody here. */
  writer?: Principal;
  /** In a room that others read too. */
  room?: boolean;
  /** A program's, let in by its signature: never a person's words. */
  hook?: Hook;
}
export interface Door {
  /** Absent in a process of its own that has the channel by hand: then nobody unknown gets a word. */
  entry: ChannelEntry | undefined;
  /** The adapter that speaks. */
  kind?: string;
  /** Steward's own account at the platform, as far as it is known. */
  account?: string;
  channel?: Channel;
  /** The thread of a room was begun with Steward. */
  isOurs(message: Inbound): Promise<boolean>;
}

/** Undefined: it is dropped. A stranger in a direct conversation is sent a code, when the entry says so. */
export async function admit(steward: Steward, message: Inbound, door: Door): Promise<Admitted | undefined> {
  if (message.bot || message.from === "") return undefined;
  const hook = hookOf(message.to.channel, door.entry);
  // The entry was changed to another kind, and what was opened before still speaks.
  if (door.kind !== undefined && (door.kind === "webhook") !== (hook !== undefined)) return undefined;
  if (hook) return byEntry(steward, message.to.channel, hook);
  return message.where === "group" ? inRoom(steward, message, door) : alone(steward, message, door);
}

/** The adapter has checked the signature; whom it speaks for stands in the entry. Throws denied when that is nobody who may. */
async function byEntry(steward: Steward, channel: string, hook: Hook): Promise<Admitted> {
  const own =
    hook.person === undefined ? await ensureChatPerson(steward, { channel, id: "webhook", name: `Webhook ${channel}` }) : undefined;
  const who = await principalOf(steward, { person: hook.person ?? own!.id, role: own ? "guest" : hook.as });
  if (!who || who === "suspended")
    throw new StewardError("denied", `The webhook ${channel} speaks for nobody`, {
      hint: `channels.${channel}.person has to be one of Steward's people.`,
    });
  return { who, hook };
}

async function alone(steward: Steward, message: Inbound, { entry, account }: Door): Promise<Admitted | undefined> {
  const who = await known(steward, message, { entry, account });
  if (who === "suspended") return undefined;
  if (who) return { who };
  steward.log("warning", "A message from somebody who is not paired was dropped", { channel: message.to.channel });
  if (entry?.strangers === "pair" && (message.kind === "message" || message.kind === "command")) await offerCode(steward, message, account);
  return undefined;
}

async function known(
  steward: Steward,
  { from, name = "", to }: Inbound,
  by: { entry: ChannelEntry | undefined; account: string | undefined },
): Promise<Principal | "suspended" | undefined> {
  const found = await letIn(steward, { channel: to.channel, from }, by);
  if (!found) return undefined;
  const person = found.person ?? (await ensureChatPerson(steward, { channel: to.channel, id: from, name })).id;
  return principalOf(steward, { person, role: found.role });
}

/** The lesser of what was approved there and what the person may now. */
async function principalOf(steward: Steward, { person, role }: Required<LetIn>): Promise<Principal | "suspended" | undefined> {
  const state = await standing(steward, person);
  if (state === "suspended") return "suspended";
  const now = await personOf(steward, person);
  return now ? { person, role: lesserRole(role, now.role), via: "channel" } : undefined;
}

/** Only the rooms that are listed, only the people listed for them, only what is meant for Steward. */
async function inRoom(steward: Steward, message: Inbound, door: Door): Promise<Admitted | undefined> {
  const { entry, account, channel } = door;
  const { to, from } = message;
  const groups = entry?.groups ?? {};
  if (!Object.hasOwn(groups, to.chat) || !groups[to.chat]!.people.includes(from)) return undefined;
  if (!message.addressed && !(await door.isOurs(message))) return undefined;
  const writer = await known(steward, message, { entry, account });
  if (writer === "suspended") return undefined;
  // Where nobody can tell just now who reads, it counts as read by others.
  if (writer && isAlone(await readersOf(channel, to).catch(() => undefined), from)) return { who: writer };
  const room = await ensureChatPerson(steward, { channel: to.channel, id: `room ${to.chat}`, name: `Room ${to.chat}` });
  if ((await standing(steward, room.id)) !== "in") return undefined;
  return { who: { person: room.id, role: "guest", via: "channel" }, room: true, ...(writer ? { writer } : {}) };
}
