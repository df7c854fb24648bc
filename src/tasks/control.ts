// Stops a task with all that it started, lets one go on, waits for one.
import type { Commit } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { cancelling, turnJob } from "../run/jobs.ts";
import { sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { type Budget, type TaskDoc, taskKey } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { below, ceilingOf, cleanText, isAtWork, isOpen, personSaid, resumedKey, saidBy, unreadOf, sessionOf, taskDoc } from "./docs.ts";
import { type Ear, earKey } from "./ears.ts";
import { hopsOf, refuseTooFar, type Sender } from "./limits.ts";
import { inOrder, refuseMore } from "./opening.ts";
import { teamChannel } from "./teams.ts";
import { destination, joined, waken } from "./telling.ts";

/** One commit for all of them: nothing that was queued begins any more. `by`: who stops it, for its log; a task that started it is told, unless it did this itself. */
export async function stopTask(
  steward: Steward,
  who: Principal,
  { id, by, quiet }: { id: string; by: string; quiet?: boolean },
): Promise<void> {
  await taskDoc(steward, who, id);
  let live: { session: string; turn: string }[] = [];
  await inOrder(steward, who, async (all) => {
    const doc = await taskDoc(steward, who, id);
    const some = below(all, doc.id);
    const work = await Promise.all(some.map((one) => isAtWork(steward, one)));
    if (!work.includes(true)) return undefined;
    let change: Commit = {};
    live = [];
    for (const one of some.filter((_, at) => work[at])) {
      const { running } = await sessionOf(steward, who.person, one.session);
      if (running) live.push({ session: one.session, turn: running });
      change = joined(change, stopping(steward, who, { doc: one, by, running: running ?? undefined }));
    }
    return quiet || !work[0] ? change : joined(change, await tellingOfStop(steward, { doc, by, all }));
  });
  for (const { session, turn } of live) steward.store.publish(session, { type: "turn.cancelling", turn });
}

/** The task that started it goes on without it. */
async function tellingOfStop(steward: Steward, { doc, by, all }: { doc: TaskDoc; by: string; all: TaskDoc[] }): Promise<Commit> {
  const { id, name, parent, run, session, person } = doc;
  if (parent === undefined) return {};
  const to = await destination(steward, doc, all);
  if (!all.some((one) => one.session === to.session)) return {};
  const key = `stopped/${id}/${run}~${(await hopsOf(steward, session, person)) + 1}`;
  return waken(steward, { ...to, sender: name, text: `${name} was stopped by ${by}.`, key, how: ceilingOf(doc) });
}

function stopping(
  steward: Steward,
  who: Principal,
  { doc, by, running }: { doc: TaskDoc; by: string; running: string | undefined },
): Commit {
  const { person, id, session, run } = doc;
  const stop = running === undefined ? {} : cancelling(session, who, running);
  const result = { text: doc.result?.text ?? "", error: `It was stopped by ${by}`, files: doc.result?.files ?? [] };
  return {
    ...stop,
    merge: {
      [taskKey(person, id)]: { state: "stopped", endedAt: steward.now(), result, run: run + 1, told: run + 1, wanted: null },
      [sessionKey(person, session)]: { halted: true },
    },
    drop: [earKey(person, session)],
    events: [
      {
        session,
        event: {
          type: "item.completed",
          turn: "",
          item: { id: newId("itm"), kind: "notice", level: "warning", text: `This task was stopped by ${by}.` },
        },
      },
    ],
  };
}

export interface Resumption {
  id: string;
  text?: string | undefined;
  budget?: Budget | undefined;
  key?: string | undefined;
  /** Another agent; absent: the person. */
  sender?: Sender;
}

/** What it was told before still stands in its session. Throws conflict while it is open, limit when too many are. */
export async function resumeTask(
  steward: Steward,
  who: Principal,
  { id, text, budget, key = newId("key"), sender }: Resumption,
): Promise<void> {
  const words = cleanText(text ?? "Go on from where you stopped.");
  await inOrder(steward, who, async (all) => {
    const doc = await taskDoc(steward, who, id);
    if (await steward.store.get(resumedKey(who.person, key))) return undefined;
    if (isOpen(doc)) throw new StewardError("conflict", `${doc.name} is not over: send it a message instead`);
    if (doc.stays && !all.some((one) => one.id === doc.parent && isOpen(one)))
      throw new StewardError("conflict", `${doc.name} belongs to a team: resume its lead`);
    const members = all.filter((one) => one.parent === id && one.stays && !isOpen(one));
    refuseMore(steward, all, 1 + members.length);
    if (sender) await refuseTooFar(steward, sender, "resumed");
    const { session, person } = doc;
    const mark = `resume/${key}`;
    const opened = [doc, ...members].map((one) => opening(one, all, sender?.origin));
    return [
      ...opened,
      ...(await Promise.all(members.map((one) => going(steward, one)))),
      {
        merge: {
          [taskKey(person, id)]: budget ? { budget: { ...doc.budget, ...budget } } : {},
          [sessionKey(person, session)]: { updatedAt: steward.now(), snippet: oneLine(words, 120) },
        },
        put: { [resumedKey(person, key)]: { at: steward.now() } },
        add: { [sessionKey(person, session)]: { messages: 1 } },
        events: [{ session, event: sender ? saidBy(sender.name, words, `${mark}~${sender.hops + 1}`) : personSaid(person, words, mark) }],
        jobs: [turnJob(session, doc.principal)],
      },
    ].reduce(joined);
  });
}

/** Of a team it hears its channel again. */
function opening(doc: TaskDoc, all: TaskDoc[], origin: TaskDoc["origin"]): Commit {
  const { id, person, session, principal, stays } = doc;
  const lead = stays ? all.find((one) => one.id === doc.parent) : doc;
  const hears = lead?.team === undefined ? {} : { [earKey(person, session)]: { channels: [teamChannel(lead)], principal } satisfies Ear };
  return {
    merge: {
      [taskKey(person, id)]: { state: "open", endedAt: null, wanted: null, origin: origin ?? null },
      [sessionKey(person, session)]: { halted: null },
    },
    put: hears,
  };
}

/** A member that was stopped before it had read all reads it now. */
const going = async (steward: Steward, doc: TaskDoc): Promise<Commit> =>
  (await unreadOf(steward, doc)).length > 0 ? { jobs: [turnJob(doc.session, doc.principal)] } : {};

/** Until `over` says so; looks again with each commit that may be about it. */
export async function untilTrue(steward: Steward, signal: AbortSignal, over: () => Promise<boolean>): Promise<boolean> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const beat = { wake: (): void => {} };
  const tick = setInterval(() => beat.wake(), LOOK_MS);
  try {
    const watching = steward.store.watch(both)[Symbol.asyncIterator]();
    let next = watching.next();
    for (;;) {
      if (await over()) return true;
      if (both.aborted) return false;
      const slow = new Promise<undefined>((resolve) => (beat.wake = () => resolve(undefined)));
      for (let notice = await Promise.race([next, slow]); notice !== undefined; notice = await Promise.race([next, slow])) {
        if (notice.done) return over();
        next = watching.next();
        if (!notice.value.live) break;
      }
    }
  } finally {
    clearInterval(tick);
    stop.abort();
  }
}
const LOOK_MS = 2000;
