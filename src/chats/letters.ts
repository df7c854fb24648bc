// Messages that were not delivered, or of which nobody knows: kept for their person, who may send them once more or forget them.
import type { Principal } from "../core/types.ts";
import { type Letter, type Queued, sending } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import type { Address } from "../core/types.ts";

/** How far it was sent; durable before the platform is called. `now`: the piece whose outcome is unknown to an heir. */
export interface Progress {
  receipts: string[];
  now?: number;
  /** Since when that piece is being sent, epoch milliseconds. */
  since?: number;
  tries?: number;
  /** Pieces of which nobody knows whether they arrived. */
  doubtful?: number;
  /** Why the platform does not take these files, by their places: a line stands for each. */
  refused?: Record<number, string>;
  /** What arrived when it was sent before; "": did not, or nobody knows. */
  had?: string[];
}
export const progressKey = (id: string): string => `sending/${id}`;

export interface DeadLetter {
  id: string;
  to: Address;
  at: number;
  text: string;
  error: string;
  /** It may have arrived. */
  unknown: boolean;
  letter: Queued;
  /** Of its pieces that arrived; "": did not, or nobody knows. */
  receipts?: string[];
}
export const letterKey = (person: string, id = ""): string => `p/${person}/letter/${id}`;
const MOST = 500;

/** Newest first. */
export async function deadLetters({ store }: Steward, { person }: Principal): Promise<DeadLetter[]> {
  return (await store.list(letterKey(person), { last: MOST })).map(({ value }) => value as DeadLetter).toReversed();
}

/** Keys of the oldest, so that one more has room. */
export async function tooManyLetters({ store }: Steward, person: string): Promise<string[]> {
  const all = await store.list(letterKey(person));
  return all.slice(0, Math.max(0, all.length - MOST + 1)).map(({ key }) => key);
}

async function letterOf({ store }: Steward, { person }: Principal, id: string): Promise<DeadLetter> {
  const letter = (await store.get(letterKey(person, id))) as DeadLetter | undefined;
  if (!letter) throw new StewardError("not_found", "There is no such message", { hint: "It may have been sent again already." });
  return letter;
}

/** Puts it at the end of its queue again: what of it has arrived is not repeated. Twice is once. */
export async function resend(steward: Steward, who: Principal, id: string): Promise<void> {
  const { letter, receipts = [] } = await letterOf(steward, who, id);
  const { person, to, text, files, buttons, session, ask } = letter;
  const again: Letter = {
    person,
    to,
    text,
    ...(files ? { files } : {}),
    ...(buttons ? { buttons } : {}),
    ...(session ? { session } : {}),
    ...(ask ? { ask } : {}),
  };
  const { put, jobs } = sending(again, steward.now());
  const queued = Object.values(put)[0] as Queued;
  const had = receipts.some((one) => one !== "") ? { [progressKey(queued.id)]: { receipts: [], had: receipts } satisfies Progress } : {};
  await steward.store.commit({ once: `resend/${id}`, put: { ...put, ...had }, jobs, drop: [letterKey(who.person, id)] });
}

export async function forgetLetter(steward: Steward, who: Principal, id: string): Promise<void> {
  await letterOf(steward, who, id);
  await steward.store.commit({ drop: [letterKey(who.person, id)] });
}
