// As whom a platform's id is let in: by a pairing, or by the entry's list.
import type { ChannelEntry } from "../core/config-channels.ts";
import type { Role } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import type { Pairing } from "./pairing.ts";

export const inKey = (from: string): string => encodeURIComponent(from.toWellFormed());
export const pairedKey = (channel: string, from = ""): string => `paired/${channel}/${inKey(from)}`;

export interface LetIn {
  /** Absent: somebody of their own. */
  person?: string;
  role: Role;
}
/** By the platform's id only. A pairing with another account of Steward's does not count, where it is known. */
export async function letIn(
  { store }: Steward,
  { channel, from }: { channel: string; from: string },
  { entry, account }: { entry: ChannelEntry | undefined; account?: string | undefined },
): Promise<LetIn | undefined> {
  const paired = (await store.get(pairedKey(channel, from))) as Pick<Pairing, "person" | "role" | "account"> | undefined;
  if (paired && (paired.account === undefined || account === undefined || paired.account === account)) return paired;
  const allow = entry?.allow ?? [];
  if (Array.isArray(allow)) return allow.includes(from) ? { role: "owner" } : undefined;
  return Object.hasOwn(allow, from) ? { person: allow[from]!, role: "owner" } : undefined;
}
