// A deleted session's end: what goes with it, and what stays of it.
import type { Commit } from "../core/store.ts";
import { messageOf } from "../std/error.ts";
import { localMarks } from "./memory.ts";
import { helpersUsageKey, KEEP_DELETED_MS, type SessionDoc, sessionKey, type Team, teamKey } from "./sessions.ts";
import type { Steward } from "./steward.ts";

/** Deletes the logs of sessions that were hidden long ago and not brought back, and of their helpers. */
export async function eraseSession(
  steward: Steward,
  { person, session }: { person: string; session: string },
): Promise<Pick<Commit, "erase" | "drop" | "merge">> {
  const doc = (await steward.store.get(sessionKey(person, session))) as SessionDoc | undefined;
  if (!doc?.deletedAt || steward.now() - doc.deletedAt < KEEP_DELETED_MS) return {};
  const team = await steward.store.get(teamKey(person, session));
  const all = [session, ...((team as Team | undefined)?.agents ?? []).map((agent) => agent.session)];
  await steward.search
    .erase(person, all)
    .catch((error: unknown) => steward.log("warning", "An erased session is still in the index of search", { error: messageOf(error) }));
  const drop = all.flatMap((one) => [sessionKey(person, one), `turn/${one}`, `tainted/${one}`, `home/${one}`]);
  const merge = await localMarks(steward, { person }, all);
  return { erase: all, drop: [...drop, teamKey(person, session), helpersUsageKey(session)], merge };
}
