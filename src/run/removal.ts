// Takes a person away with everything that is theirs: a job that may be stopped anywhere and begins again. Shutting out and asking for it is `people.ts`.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Job, Store } from "../core/store.ts";
import { StewardError } from "../std/error.ts";
import { computerName } from "./computers.ts";
import { turnKey } from "./context.ts";
import { heldKey } from "./held.ts";
import { cancelKey } from "./jobs.ts";
import { homeKey, type Queued } from "./outbox.ts";
import { stopTurns } from "./people.ts";
import { goneKey, personKey, personOf } from "./persons.ts";
import { helpersUsageKey, sessionKey } from "./sessions.ts";
import type { Steward } from "./steward.ts";
import { taintKey } from "./taint.ts";

const SAFE = /^[a-z0-9_-]{1,64}$/;
const NAME = /^[\w-][\w.-]*$/;
/** Documents that name their person, wherever they are kept: also messages that wait to go out or begin to be shown, and rooms. */
const NAMING = ["auth/", "paired/", "outbox/", "draft/", "reach/"];
const BATCH = 20;
/** A turn that is being stopped may still write a moment. */
const AGAIN_MS = 300;

/** Ends when a whole pass has found nothing more; until then it comes back. */
export async function removePerson(steward: Steward, job: Job): Promise<void> {
  const { store, now } = steward;
  const { person: id } = job.data as { person: string };
  const lease = { job: job.id, epoch: job.epoch };
  if (!(await personOf(steward, id))?.removing || !SAFE.test(id)) return void (await store.commit({ lease: { ...lease, then: "done" } }));
  await stopTurns(steward, id);
  const found = (await dropDocuments(store, id)) > 0;
  for (const folder of ["files", "skills"]) await rm(join(steward.home, folder, id), { recursive: true, force: true });
  const copies = await computerName(steward, id);
  if (NAME.test(copies)) await rm(join(steward.home, "returns", copies), { recursive: true, force: true });
  await removeComputer(steward, id);
  await steward.search.forget(id);
  await steward.servers.forget(id);
  for (const cache of Object.values(steward.caches)) cache.clear();
  if (found) return void (await store.commit({ lease: { ...lease, then: { retryAt: now() + AGAIN_MS } } }));
  await store.commit({ put: { [goneKey(id)]: { at: now() } }, drop: [personKey(id)], lease: { ...lease, then: "done" } });
  steward.log("info", "A person was removed", { person: id });
}

/** Sessions first, whose logs are erased together with their documents. Returns how many documents there were. */
async function dropDocuments(store: Store, id: string): Promise<number> {
  const sessions = (await store.list(sessionKey(id, ""))).map(({ key }) => key.slice(sessionKey(id, "").length));
  for (let at = 0; at < sessions.length; at += BATCH) {
    const some = sessions.slice(at, at + BATCH);
    await store.commit({ erase: some, drop: some.flatMap((one) => keysOf(id, one)) });
  }
  const own = [...(await store.list(`p/${id}/`)), ...(await store.list(heldKey(id, "")))].map(({ key }) => key);
  const naming = await Promise.all(
    NAMING.map(async (prefix) => (await store.list(prefix)).filter(({ value }) => (value as { person?: string } | null)?.person === id)),
  );
  const sending = naming.flat().flatMap(({ value }) => {
    const { id: letter, to, turn } = value as Partial<Queued>;
    return to ? [`sending/${letter}`, `draft/${turn}`] : [];
  });
  // What was heard in a chat stands beside who reads there.
  const named = naming.flat().flatMap(({ key }) => (key.startsWith("reach/") ? [key, key.replace("reach/", "heard/")] : [key]));
  const keys = [...own, ...named, ...sending];
  for (let at = 0; at < keys.length; at += 500) await store.commit({ drop: keys.slice(at, at + 500) });
  return sessions.length + keys.length;
}

const keysOf = (id: string, session: string): string[] => [
  ...[sessionKey(id, session), turnKey(session), taintKey(session), cancelKey(session), helpersUsageKey(session), homeKey(session)],
];

/** Throws unavailable while there is a computer but nothing that could take it away. */
async function removeComputer(steward: Steward, id: string): Promise<void> {
  const { problem } = await steward.computers.choice();
  if (problem !== undefined) {
    const folder = steward.settings.config().computer.stateDir ?? join(steward.home, "computers");
    if (!existsSync(join(folder, await computerName(steward, id)))) return;
    await steward.computers.forget(id); // it is tried anew
    throw new StewardError("unavailable", `The computer of ${id} can't be removed yet: ${problem}`);
  }
  const computer = await steward.computers.own(id);
  await computer.machine?.remove();
  await steward.computers.forget(id);
}
