// Sends what waits for an address, in order, by the process that has the channel. How one message is sent is send.ts.
import type { Commit, Job } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import { laneOf, outboxKey, type Queued, sendJob } from "../run/outbox.ts";
import { LEASE_MS } from "../run/jobs.ts";
import { personOf } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, type StewardError } from "../std/error.ts";
import { type Draft, draftKey } from "./draft.ts";
import { entriesOf } from "./entries.ts";
import { deliverBy, lastHad, mine } from "./lease.ts";
import { type DeadLetter, letterKey, type Progress, progressKey, tooManyLetters } from "./letters.ts";
import { outOfReach } from "./reach.ts";
import { arrived, type End, isOver, sendAll } from "./send.ts";

const NOT_OPEN_MS = 5000;

/** The oldest of this address; each that was written there brought a job. What another process can send is handed to whichever has the channel. */
export async function deliver(steward: Steward, job: Job): Promise<void> {
  const { store, now } = steward;
  const { to } = job.data as { to: Address };
  const lease = (then: "done" | { retryAt: number }): Pick<Commit, "lease"> => ({ lease: { job: job.id, epoch: job.epoch, then } });
  const head = (await store.list(outboxKey(to), { first: 1 }))[0]?.value as Queued | undefined;
  if (!head) return void (await store.commit(lease("done")));
  const { notBefore = 0, job: waiting = job.id } = head;
  // Only one job waits for an address, however much waits there.
  if (notBefore > now()) return void (await store.commit(lease(waiting === job.id ? { retryAt: notBefore } : "done")));
  const wait = async (until: number, progress?: Progress): Promise<void> => {
    const later: Queued = { ...head, notBefore: until, job: job.id };
    const put = { [outboxKey(to, head.id)]: later, ...(progress ? { [progressKey(head.id)]: progress } : {}) };
    await store.commit({ put, ...lease({ retryAt: until }) });
  };
  const end = (how: End): Promise<void> => settle(steward, head, how, lease("done"));
  const progress = ((await store.get(progressKey(head.id))) ?? { receipts: [] }) as Progress;
  const fail = (error: string): Promise<void> => end({ ok: false, error, receipts: arrived(progress) });
  const channel = steward.channels[to.channel];
  if (!channel) {
    if (isOver(steward, head)) return fail(`${to.channel} could not be reached for too long`);
    const where = await whereIs(steward, head);
    if (where === "nowhere") return fail(`There is no channel "${to.channel}" here`);
    if (where === "here") return wait(now() + NOT_OPEN_MS);
    return void (await store.commit({ ...lease("done"), jobs: [{ ...sendJob(to), kind: deliverBy(to.channel) }] }));
  }
  const refused = await outOfReach(steward, channel, head).catch(unlessLater);
  if (typeof refused === "string") return fail(refused);
  if (refused) return isOver(steward, head) ? fail(refused.message) : wait(Math.max(now() + NOT_OPEN_MS, refused.retryAt ?? 0), progress);
  const how = await sendAll({ steward, job, channel, head }, progress);
  return "until" in how ? wait(how.until, how.progress) : end(how);
}

function unlessLater(error: unknown): StewardError {
  if (hasCode(error, "unavailable")) return error;
  throw error;
}

/** A channel that is in no configuration may be there by its secret, by a flag, or in another process that is configured otherwise. */
async function whereIs(steward: Steward, head: Queued): Promise<"here" | "elsewhere" | "nowhere"> {
  const name = head.to.channel;
  const { settings, chats } = steward;
  const entry = settings.config().channels[name];
  const state = (await chats.list()).find((one) => one.name === name)?.state;
  if (state === "elsewhere") return "elsewhere";
  if ((entry !== undefined && entry.enabled !== false) || (state !== undefined && state !== "off")) return "here";
  if ((await entriesOf(steward)).some((one) => one.name === name && one.on)) return "here";
  const had = await lastHad(steward, name);
  const awaited = had !== undefined && !isOver(steward, { ...head, at: had });
  // Whoever had it waits for the platform, or is started anew: it is left to them, also the lease by which they take it.
  if (awaited && steward.now() - had > LEASE_MS) return "here";
  const lease = await mine(steward, name);
  await lease?.free();
  if (!lease) return "elsewhere";
  return awaited ? "here" : "nowhere";
}

async function settle(steward: Steward, head: Queued, { receipts, ...end }: End, lease: Pick<Commit, "lease">): Promise<void> {
  const { session, id, to, person, turn } = head;
  const { store } = steward;
  const receipt = receipts.filter((one) => one !== "").join();
  const letter: DeadLetter | undefined = end.ok
    ? undefined
    : { id, to, at: steward.now(), text: head.text, error: end.error ?? "", unknown: end.unknown === true, letter: head, receipts };
  const kept = letter && !head.stranger && (await personOf(steward, person)) ? letter : undefined;
  const draft = turn === undefined ? undefined : ((await store.get(draftKey(turn))) as Draft | undefined);
  const more = (await store.list(outboxKey(to), { first: 2 })).length > 1;
  await store.commit({
    ...lease,
    drop: [
      ...[outboxKey(to, id), progressKey(id)],
      ...(draft && laneOf(draft.to) === laneOf(to) ? [draftKey(turn!)] : []),
      ...(kept ? await tooManyLetters(steward, person) : []),
    ],
    ...(kept ? { put: { [letterKey(person, id)]: kept } } : {}),
    ...(more ? { jobs: [sendJob(to)] } : {}),
    ...(session === undefined || !(await isThere(steward, session))
      ? {}
      : { events: [{ session, event: { type: "delivery.settled" as const, delivery: id, to, ...end, ...(receipt ? { receipt } : {}) } }] }),
  });
  if (!end.ok) steward.log("warning", "A message was not delivered", { channel: to.channel, error: end.error ?? "" });
}

/** The log of a session that was erased does not begin anew. */
const isThere = async ({ store }: Steward, session: string): Promise<boolean> => (await store.events(session, { limit: 1 })).length > 0;
