// What becomes of a task when a turn in its session has ended, and its result on its way: each in one commit with the job that does it.
import type { Event, Stored } from "../core/events.ts";
import { messagesAfter } from "../core/history.ts";
import type { Commit, Job } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { type TaskDoc, taskJob, taskKey } from "../run/tasks.ts";
import { clip } from "../std/text.ts";
import { isOpen, sessionOf, unreadOf } from "./docs.ts";
import { earKey } from "./ears.ts";
import { inOrder } from "./opening.ts";
import { joined, runMark, telling } from "./telling.ts";

interface TaskData {
  principal: Principal;
  task: string;
  /** The result of this run goes to a call, if that has taken it by now. */
  told?: number;
}
const MOST_RESULT = 100_000;
const LOOK_BACK = 1000;
const FIRST_LOOK_MS = 1000;
const LONGEST_LOOK_MS = 15_000;

export async function taskWork(steward: Steward, job: Job): Promise<void> {
  const { principal, task, told } = job.data as TaskData;
  const { person } = principal;
  const lease = { job: job.id, epoch: job.epoch, then: "done" } as const;
  const again = { ...lease, then: { retryAt: steward.now() + Math.min(FIRST_LOOK_MS * job.tries, LONGEST_LOOK_MS) } };
  await inOrder(steward, principal, async (all) => {
    const doc = (await steward.store.get(taskKey(person, task))) as TaskDoc | undefined;
    if (!doc) return { lease };
    if (told === undefined) return { ...(await afterTurn(steward, doc, all)), lease };
    const change = await lateResult(steward, doc, { told, all });
    return change ? { ...change, lease } : { lease: again };
  });
}

/** Nothing when its last turn was looked at already, or another one follows. */
async function afterTurn(steward: Steward, doc: TaskDoc, all: TaskDoc[]): Promise<Commit | undefined> {
  const { person } = doc;
  const children = all.filter(({ parent }) => parent === doc.id);
  const busy = await Promise.all(children.map((child) => isBusy(steward, child)));
  const log = await steward.store.events(doc.session, { last: LOOK_BACK });
  const end = log.findLast(({ event }) => event.type === "turn.completed");
  if (end?.event.type !== "turn.completed" || end.seq <= doc.upTo || waits(log, end.event.seen)) return undefined;
  if (doc.state === "stopped") return { merge: { [taskKey(person, doc.id)]: { upTo: end.seq } } };
  if (busy.includes(true) && end.event.stop !== "failed" && end.event.stop !== "cancelled") return undefined;
  const outcome = outcomeOf(log, end, doc);
  const read = log.filter(({ event, seq }) => event.type === "message.received" && !event.command && seq > doc.upTo && seq <= end.seq);
  if (!isOpen(doc) && read.every(({ event }) => event.type === "message.received" && event.from === person && !event.source))
    return { merge: { [taskKey(person, doc.id)]: { upTo: end.seq } } }; // the person talked with it afterwards
  const lead = all.find(({ id }) => id === doc.parent)?.name;
  const fromSenior = read.some(({ event }) => event.type === "message.received" && event.source !== undefined && event.from === lead);
  if (doc.stays && outcome.state === "done")
    return stayed(steward, doc, { seq: end.seq, outcome, tell: fromSenior || read.length === 0, all });
  return over(steward, doc, { seq: end.seq, outcome, all });
}

/** Others wait for it: it is open (a member: has something to do), or is done and another agent has spoken to it since. What its person says to it then concerns nobody else. */
async function isBusy(steward: Steward, doc: TaskDoc): Promise<boolean> {
  const { person, session, state, stays, upTo } = doc;
  const { running, deletedAt } = await sessionOf(steward, person, session);
  if (state === "open" && !stays) return true;
  if (state === "done" && !stays && !deletedAt) return spokenTo(await steward.store.events(session, { last: LOOK_BACK }), upTo);
  if (state !== "open") return false;
  const end = (await steward.store.events(session, { last: LOOK_BACK })).findLast(({ event }) => event.type === "turn.completed");
  return Boolean(running) || (end !== undefined && end.seq > upTo) || (await unreadOf(steward, doc)).length > 0;
}

/** By another agent, after the turn that came to its result had read all that it did. */
function spokenTo(log: Stored[], upTo: number): boolean {
  const end = log.find(({ seq }) => seq === upTo)?.event;
  const since = messagesAfter(log, end?.type === "turn.completed" ? end.seen : upTo);
  return since.some(({ event }) => event.type === "message.received" && event.source !== undefined);
}

const waits = (log: Stored[], seen: number): boolean => messagesAfter(log, seen).length > 0;

export interface Ended {
  state: "done" | "failed" | "stopped";
  result: NonNullable<TaskDoc["result"]>;
}

function outcomeOf(log: Stored[], end: Stored, doc: TaskDoc): Ended {
  const { event } = end;
  if (event.type !== "turn.completed") throw new TypeError("Not the end of a turn");
  const since = log.filter(({ seq }) => seq > doc.upTo && seq <= end.seq).map((one) => one.event);
  const files = since.flatMap((one) => (one.type === "item.completed" && one.item.kind === "file" ? [one.item.file.id] : []));
  const text = clip(lastWords(since), MOST_RESULT);
  const error =
    event.stop === "failed"
      ? `${event.error?.message ?? "It failed"}${event.error?.hint ? `. ${event.error.hint}` : ""}`
      : event.stop === "cancelled"
        ? "It was stopped"
        : event.stop === "limit"
          ? "It reached a limit before it was ready"
          : event.stop === "refusal"
            ? "The model refused"
            : undefined;
  const state = event.stop === "cancelled" ? "stopped" : error === undefined ? "done" : "failed";
  return { state, result: { text, files, ...(error === undefined ? {} : { error }) } };
}

/** Of the last turn that said anything: what it said after its last call, or all that it said. */
function lastWords(events: Event[]): string {
  const items = events.flatMap((event) => (event.type === "item.completed" && event.turn !== "" ? [event] : []));
  const turn = items.findLast(({ item }) => item.kind === "text" && item.text.trim() !== "")?.turn;
  const own = items.filter((one) => one.turn === turn).map(({ item }) => item);
  const texts = (some: typeof own): string =>
    some
      .flatMap((item) => (item.kind === "text" ? [item.text] : []))
      .join("\n\n")
      .trim();
  return texts(own.slice(own.findLastIndex(({ kind }) => kind === "step") + 1)) || texts(own);
}

interface Ending {
  seq: number;
  outcome: Ended;
  all: TaskDoc[];
}

/** A member has answered and waits for the next word. Its lead is told, or looks whether all are quiet. */
async function stayed(steward: Steward, doc: TaskDoc, { seq, outcome, tell, all }: Ending & { tell: boolean }): Promise<Commit> {
  const lead = all.find(({ id }) => id === doc.parent);
  const merge = { [taskKey(doc.person, doc.id)]: { upTo: seq, run: doc.run + 1, told: doc.run + 1, result: outcome.result } };
  if (!lead || !isOpen(lead)) return { merge };
  if (!tell) return { merge, jobs: [taskJob(lead.id, lead.principal)] };
  return joined({ merge }, await telling(steward, { ...doc, run: doc.run + 1, result: outcome.result }, all));
}

/** It is over: so are the members that stayed with it. */
async function over(steward: Steward, doc: TaskDoc, { seq, outcome, all }: Ending): Promise<Commit> {
  const { person, id, session } = doc;
  const at = steward.now();
  const run = doc.run + 1;
  const members = all.filter((one) => one.parent === id && one.stays && isOpen(one));
  const now: TaskDoc = { ...doc, ...outcome, run };
  const call = await waitingCall(steward, doc);
  const note: Event = {
    ...{ type: "item.completed", turn: "" },
    item: { id: `itm_${id}_${run}`, kind: "notice", level: outcome.state === "done" ? "info" : "warning", text: endText(outcome) },
  };
  const change: Commit = {
    merge: {
      [taskKey(person, id)]: { ...outcome, endedAt: at, upTo: seq, run, wanted: null, ...(doc.from === undefined ? { told: run } : {}) },
      ...Object.fromEntries(members.map((one) => [taskKey(person, one.id), { state: "done", endedAt: at }])),
    },
    drop: [earKey(person, session), ...members.map((one) => earKey(person, one.session))],
    events: [{ session, event: note }],
  };
  if (doc.from === undefined) return change;
  if (!call) return joined(change, await telling(steward, now, all));
  const later = { ...taskJob(id, doc.principal), lane: `task-told/${id}`, runAt: at + FIRST_LOOK_MS };
  const wanted = { [taskKey(person, id)]: { ...change.merge![taskKey(person, id)], wanted: call } };
  return { ...change, merge: { ...change.merge, ...wanted }, jobs: [{ ...later, data: { ...(later.data as TaskData), told: run } }] };
}

const endText = ({ state, result: { error } }: Ended): string =>
  state === "done"
    ? "This task is done."
    : `This task ${state === "stopped" ? "was stopped" : "failed"}${error && state === "failed" ? `: ${error}` : "."}`;

/** The call that waits for it, while its turn runs. */
async function waitingCall(steward: Steward, { person, wanted }: TaskDoc): Promise<TaskDoc["wanted"]> {
  if (!wanted) return undefined;
  const { running } = await sessionOf(steward, person, wanted.session);
  return running === wanted.turn ? wanted : undefined;
}

/** A result that a call waited for: taken by now, or told as a message after all. Undefined while that call is still being made. */
async function lateResult(steward: Steward, doc: TaskDoc, { told, all }: { told: number; all: TaskDoc[] }): Promise<Commit | undefined> {
  if (doc.told >= told || doc.run !== told || !doc.wanted) return {};
  const { session, turn, call } = doc.wanted;
  const log = await steward.store.events(session, { last: LOOK_BACK });
  const ended = log.some(({ event }) => event.type === "turn.completed" && event.turn === turn);
  const answer = answerOf(log, turn, call);
  if (answer?.includes(runMark(doc))) return { merge: { [taskKey(doc.person, doc.id)]: { told, wanted: null } } };
  if (answer === undefined && !ended && (await sessionOf(steward, doc.person, session)).running === turn) return undefined;
  return joined({ merge: { [taskKey(doc.person, doc.id)]: { wanted: null } } }, await telling(steward, doc, all));
}

/** What a call was answered, as text; undefined when it is still being made, or never was. */
function answerOf(log: Stored[], turn: string, call: string): string | undefined {
  const done = log.findLast(
    ({ event }) => event.type === "item.completed" && event.turn === turn && event.item.kind === "tool" && event.item.call.id === call,
  )?.event;
  return done?.type === "item.completed" && done.item.kind === "tool" && done.item.result
    ? JSON.stringify(done.item.result.output)
    : undefined;
}
