// Pairing codes: how somebody unknown who writes to Steward alone becomes one of its people. The owner approves; the code says whom.
import type { Inbound } from "../core/channel.ts";
import type { Role } from "../core/types.ts";
import { personOf } from "../run/persons.ts";
import { sending } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { newId, randomText } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import { oneLine, visible } from "../std/text.ts";
import { inKey, pairedKey } from "./let-in.ts";
import { ensureChatPerson } from "./own-person.ts";
import { type Reach, reachKey } from "./reach.ts";

/** Somebody at a platform who is one of Steward's people there, in conversations with Steward alone. */
export interface Pairing {
  channel: string;
  /** The platform's immutable id. */
  from: string;
  /** As the platform showed them then. */
  name: string;
  person: string;
  role: Role;
  /** Steward's own account at the platform: with another one, all pair anew. */
  account?: string;
  /** Where they can be written to. */
  chat: string;
  at: number;
  /** Of this approval. */
  id: string;
}
/** Asked for and not approved yet. */
export interface PendingPairing {
  id: string;
  channel: string;
  from: string;
  name: string;
  account?: string;
  chat: string;
  code: string;
  expiresAt: number;
}

const LIFE_MS = 600_000;
const MOST_PENDING = 20;
const MOST_WRONG = 5;
const LOCKED_MS = 600_000;
/** 62 bits. */
const CODE_LENGTH = 12;

const pendingKey = (channel: string, from = ""): string => `pairing/${channel}/${inKey(from)}`;
const wrongKey = (issuer: string): string => `pairing-wrong/${issuer}`;

/** What a stranger is told, at most once in the life of a code; undefined when they know already. The code goes out by the outbox. */
export async function offerCode(steward: Steward, { from, name = "", to }: Inbound, account: string | undefined): Promise<void> {
  await inLane(steward.lanes, `pairing/${to.channel}`, async () => {
    const now = steward.now();
    const pending = await pendingOf(steward, to.channel);
    const alive = pending.filter(({ expiresAt }) => expiresAt > now);
    if (alive.some((one) => one.from === from)) return;
    const oldest = alive.toSorted((a, b) => a.expiresAt - b.expiresAt).slice(0, Math.max(0, alive.length - MOST_PENDING + 1));
    const gone = [...pending.filter((one) => !alive.includes(one) && one.from !== from), ...oldest];
    const code = randomText(CODE_LENGTH).toUpperCase();
    const doc: PendingPairing = {
      ...{ id: newId("pair"), channel: to.channel, from, name: oneLine(visible(name), 60), chat: to.chat, code, expiresAt: now + LIFE_MS },
      ...(account === undefined ? {} : { account }),
    };
    const text = `I don't know you yet. To let you in, the owner approves this code within ten minutes: ${shown(code)}\n\nOn Steward's page under Channels, or in a chat of theirs: approve ${to.channel} ${shown(code)}`;
    const sent = sending({ person: "owner", to, text, stranger: true }, now);
    await steward.store.commit({
      put: { [pendingKey(to.channel, from)]: doc, ...sent.put },
      drop: gone.map((one) => pendingKey(one.channel, one.from)),
      jobs: sent.jobs,
    });
    steward.log("info", "Somebody unknown asks to be paired", { channel: to.channel, name: doc.name });
  });
}

const shown = (code: string): string => code.match(/.{4}/g)!.join("-");

async function pendingOf({ store }: Steward, channel: string): Promise<PendingPairing[]> {
  return (await store.list(pendingKey(channel))).map(({ value }) => value as PendingPairing);
}

/** Of all channels, newest first, still valid. Only for the owner. */
export async function pendingPairings({ store, now }: Steward): Promise<PendingPairing[]> {
  const all = (await store.list("pairing/")).map(({ value }) => value as PendingPairing);
  return all.filter(({ expiresAt }) => expiresAt > now()).toSorted((a, b) => b.expiresAt - a.expiresAt);
}

export interface Approval {
  channel: string;
  code: string;
  /** An existing person; absent: they become a person of their own, a guest. */
  person?: string;
  /** At most this there, whatever the person may elsewhere. */
  role?: Role;
  /** Who types codes: wrong ones are counted by issuer. */
  by: string;
}

/** Once, also at the same moment. Throws denied, in the same words for wrong, used and expired codes; limit after five wrong ones. */
export function approve(steward: Steward, given: Approval): Promise<Pairing> {
  // One after the other: many at once are counted too.
  return inLane(steward.lanes, "pairing-codes", () => approved(steward, given));
}

async function approved(steward: Steward, { channel, code, person, role, by }: Approval): Promise<Pairing> {
  const tries = [`by/${by}`, `to/${channel}`];
  for (const one of tries) await refuseLocked(steward, one);
  const plain = code.replace(/[\s-]/g, "").toUpperCase();
  const found = (await pendingOf(steward, channel)).find((one) => same(one.code, plain) && one.expiresAt > steward.now());
  if (!found) {
    for (const one of tries) await countWrong(steward, one);
    throw new StewardError("denied", "This code is not valid", {
      hint: "A code works once, for ten minutes. Who needs one writes to Steward again.",
    });
  }
  return accept(steward, found, { ...(person === undefined ? {} : { person }), ...(role === undefined ? {} : { role }) });
}

async function refuseLocked({ store, now }: Steward, who: string): Promise<void> {
  const { count = 0, until = 0 } = ((await store.get(wrongKey(who))) ?? {}) as { count?: number; until?: number };
  if (count >= MOST_WRONG && until > now())
    throw new StewardError("limit", "There were too many wrong codes", {
      hint: "Wait ten minutes, or approve it on Steward's page.",
      retryAt: until,
    });
}

async function countWrong({ store, now }: Steward, who: string): Promise<void> {
  const { until = 0 } = ((await store.get(wrongKey(who))) ?? {}) as { until?: number };
  const key = wrongKey(who);
  if (until <= now()) await store.commit({ put: { [key]: { count: 1, until: now() + LOCKED_MS } } });
  else await store.commit({ add: { [key]: { count: 1 } }, merge: { [key]: { until: now() + LOCKED_MS } } });
}

/** Without its code, by the owner who sees it in the list. */
export async function acceptPending(steward: Steward, id: string, as: { person?: string; role?: Role }): Promise<Pairing> {
  const found = (await pendingPairings(steward)).find((one) => one.id === id);
  if (!found)
    throw new StewardError("not_found", "There is no such request any more", {
      hint: "It holds for ten minutes; they write again for a new one.",
    });
  return accept(steward, found, as);
}

async function accept(steward: Steward, pending: PendingPairing, as: { person?: string; role?: Role }): Promise<Pairing> {
  const { channel, from, name, account, chat, id } = pending;
  const known = as.person === undefined ? await ensureChatPerson(steward, { channel, id: from, name }) : await personOf(steward, as.person);
  if (!known)
    throw new StewardError("not_found", `There is no person ${oneLine(as.person ?? "", 40)}`, {
      hint: "steward people list shows who is here.",
    });
  const pairing: Pairing = {
    ...{ channel, from, name, person: known.id, role: as.role ?? known.role, chat, at: steward.now(), id: newId("prg") },
    ...(account === undefined ? {} : { account }),
  };
  const to = { channel, chat };
  const sent = sending(
    { person: known.id, to, text: `You are in${known.id === "owner" ? "" : `, as ${known.name}`}. What can I do for you?` },
    steward.now(),
  );
  await steward.store.commit({
    once: `paired/${id}`,
    put: { [pairedKey(channel, from)]: pairing, ...sent.put },
    drop: [pendingKey(channel, from), reachKey(to)],
    jobs: sent.jobs,
  });
  const now = (await steward.store.get(pairedKey(channel, from))) as Pairing | undefined;
  if (now?.id !== pairing.id) throw new StewardError("denied", "This code is not valid", { hint: "It was used already." });
  return pairing;
}

export async function refusePending({ store }: Steward, id: string): Promise<void> {
  const found = (await store.list("pairing/")).find(({ value }) => (value as PendingPairing).id === id);
  if (found) await store.commit({ drop: [found.key] });
}

export async function pairings({ store }: Steward): Promise<Pairing[]> {
  return (await store.list("paired/")).map(({ value }) => value as Pairing).filter(({ channel }) => channel !== undefined);
}

/** What comes from there from now on is a stranger's. */
export async function unpair({ store }: Steward, channel: string, from: string): Promise<void> {
  const paired = (await store.get(pairedKey(channel, from))) as Pairing | undefined;
  if (!paired) throw new StewardError("not_found", "Nobody is paired there under this id");
  // What is on its way there, and what sessions that live there say later, is not sent any more.
  const closed: Reach = { closed: true };
  await store.commit({
    drop: [pairedKey(channel, from)],
    ...(paired.chat ? { put: { [reachKey({ channel, chat: paired.chat })]: closed } } : {}),
  });
}

/** As long for a wrong code as for a right one. */
function same(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let wrong = 0;
  for (let at = 0; at < one.length; at++) wrong |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return wrong === 0;
}
