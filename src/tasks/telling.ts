// Where a result goes: to the session that asked for it, else up to whoever started that, else to the newest session of its person. Always as data.
import type { Stored } from "../core/events.ts";
import type { Commit } from "../core/store.ts";
import type { Address, Principal } from "../core/types.ts";
import { turnJob, type TurnData } from "../run/jobs.ts";
import { newestSession } from "../run/notifications.ts";
import { sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import { type TaskDoc, taskKey } from "../run/tasks.ts";
import { oneLine } from "../std/text.ts";
import { ceilingOf, isOpen, personSaid, principalNow, saidBy, sessionOf } from "./docs.ts";
import { hopsOf } from "./limits.ts";

const LOOK_BACK = 300;

/** Marks a result in what a call was answered. */
export const runMark = ({ id, run }: Pick<TaskDoc, "id" | "run">): string => `${id}.${run}`;

export function joined(one: Commit, other: Commit): Commit {
  const whole: Commit = {
    ...one,
    events: [...(one.events ?? []), ...(other.events ?? [])],
    jobs: [...(one.jobs ?? []), ...(other.jobs ?? [])],
  };
  whole.drop = [...(one.drop ?? []), ...(other.drop ?? [])];
  whole.put = { ...one.put, ...other.put };
  whole.add = { ...one.add, ...other.add };
  whole.merge = { ...one.merge };
  for (const [key, fields] of Object.entries(other.merge ?? {})) whole.merge[key] = { ...whole.merge[key], ...fields };
  return whole;
}

export const resultText = ({ name, result }: Pick<TaskDoc, "name" | "result">): string => {
  const { text = "", error, files = [] } = result ?? {};
  const head = error === undefined ? `${name} is ready.` : `${name} did not come to an end: ${error}`;
  return [head, ...(text ? [text] : []), ...(files.length > 0 ? [`Files that it handed over: ${files.join(", ")}`] : [])].join("\n\n");
};

/** The parts of a commit that put the result of its newest run where it goes, and wake whoever is there. */
export async function telling(steward: Steward, doc: TaskDoc, all: TaskDoc[]): Promise<Commit> {
  const { person, id, run, name, session } = doc;
  const to = await destination(steward, doc, all);
  const hops = await hopsOf(steward, session, person);
  const key = `result/${id}/${run}~${hops + 1}`;
  const waking = await waken(steward, { ...to, text: resultText(doc), sender: name, key, how: ceilingOf(doc) });
  const task = { merge: { [taskKey(person, id)]: { told: run } } };
  return joined(joined(task, waking), await pointing(steward, { doc, session: to.session, waking }));
}

/** Where no chat hears of it and nobody looks, its person is told that something is ready; the result itself stands in the session, once. */
async function pointing(
  steward: Steward,
  { doc: { person, id, run, name, result }, session, waking }: { doc: TaskDoc; session: string; waking: Commit },
): Promise<Commit> {
  const home = waking.events?.some(({ event }) => event.type === "message.received" && event.replyTo !== undefined);
  if (home || steward.notices.isLookedAt(session)) return {};
  if ((await sessionOf(steward, person, session)).task !== undefined) return {};
  const text = result?.error === undefined ? `${name} is ready.` : `${name} did not come to an end.`;
  return steward.notices.telling(person, { text, key: `task/${id}/${run}`, from: `Task ${name}`, session });
}

export interface Waking {
  session: string;
  principal: Principal;
  sender: string;
  text: string;
  key: string;
  /** A person's own words. */
  plain?: boolean;
  /** Of the turn. */
  how?: Pick<TurnData, "ceiling">;
}

/** A message in that session, and a turn that reads it. */
export async function waken(steward: Steward, { session, principal, sender, text, key, plain, how }: Waking): Promise<Commit> {
  const who = await principalNow(steward, principal);
  const { person } = who;
  const replyTo = homeOf(await steward.store.events(session, { last: LOOK_BACK }));
  const said = plain ? personSaid(person, text, key) : saidBy(sender, text, key);
  const event = { ...said, ...(replyTo ? { replyTo } : {}) };
  return {
    events: [{ session, event }],
    ...(plain ? {} : { put: { [taintKey(session)]: true } }),
    merge: { [sessionKey(person, session)]: { updatedAt: steward.now(), snippet: oneLine(text, 120) } },
    add: { [sessionKey(person, session)]: { messages: 1 } },
    jobs: [turnJob(session, who, how)],
  };
}

/** The chat from which this session was last spoken in. */
function homeOf(log: Stored[]): Address | undefined {
  const last = log.findLast(({ event }) => event.type === "message.received" && !event.command)?.event;
  return last?.type === "message.received" ? last.replyTo : undefined;
}

/** Upwards past all that is over or gone. */
export async function destination(steward: Steward, doc: TaskDoc, all: TaskDoc[]): Promise<Pick<Waking, "session" | "principal">> {
  const { person, principal } = doc;
  let from = doc.from;
  for (let steps = 0; from !== undefined && steps < 50; steps++) {
    const { id, deletedAt, task, quiet } = await sessionOf(steward, person, from);
    const senior: TaskDoc | undefined = task === undefined ? undefined : all.find((one) => one.id === task);
    if (id !== undefined && !deletedAt && !quiet && task === undefined) return { session: id, principal };
    if (id !== undefined && !deletedAt && senior && isOpen(senior)) return { session: id, principal: senior.principal };
    from = senior?.from;
  }
  return { session: await newestSession(steward, principal, "Tasks"), principal };
}
