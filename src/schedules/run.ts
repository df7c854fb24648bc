// One run of a schedule: looked at before a token is spent, begun, followed to its end and settled, each exactly once whatever dies in between.
import type { Commit, Job } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import type { Hold } from "../run/jobs.ts";
import type { Steward } from "../run/steward.ts";
import { failureOf, hasCode, messageOf } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { clip } from "../std/text.ts";
import type { RunData } from "./due.ts";
import { joined } from "./joined.ts";
import { ready } from "./ready.ts";
import { sessionsOf } from "./history.ts";
import { ends, isLive } from "./live.ts";
import { alertOf, alerting, righted } from "./report.ts";
import { OWNER_ID } from "../run/persons.ts";
import { runScript } from "./script.ts";
import { failureText } from "./said.ts";
import { changeLane, type Run, runKey, runnerOf, type Schedule, scheduleKey, sumsKey } from "./state.ts";
import { delivering } from "./telling.ts";
import { runPrompt } from "./turns.ts";
import { isQuiet, statesOf, unchanged } from "./looks.ts";

/** What one run works on. */
export interface Running {
  steward: Steward;
  job: Job;
  hold: Hold;
  doc: Schedule;
  row: Run;
  who: Principal;
}
/** How a run ended. `again`: it may be tried once more; `cause`: of a trouble that concerns more than this schedule. */
export interface End {
  outcome: "ran" | "failed" | "skipped";
  reason?: string;
  text?: string;
  session?: string;
  turn?: string;
  tokens?: number;
  cost?: number;
  again?: { notBefore?: number };
  cause?: "model" | "budget";
  /** The person need not hear of it. */
  quiet?: true;
  more?: Commit;
  /** The row before, which it continues. */
  into?: Run;
}

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 3_600_000;
const MOST_SAID = 2000;

export async function runDue(steward: Steward, job: Job, hold: Hold): Promise<void> {
  const { principal, schedule, due } = job.data as RunData;
  const { person } = principal;
  const doc = (await steward.store.get(scheduleKey(person, schedule))) as Schedule | undefined;
  const row = (await steward.store.get(runKey(person, schedule, due))) as Run | undefined;
  if (!doc || !row || !isLive(row))
    return void (await steward.store.commit({
      ...ends({ person, id: schedule }, [due]),
      lease: { job: job.id, epoch: job.epoch, then: "done" },
    }));
  const running: Running = { steward, job, hold, doc, row, who: await runnerOf(steward, doc) };
  const end = turnedOff(doc, row) ?? (await act(running).catch((error: unknown) => failed(error, hold)));
  // Taken away at this moment it tells nobody.
  await inLane(steward.lanes, changeLane(doc), async () => {
    const now = await steward.store.get(scheduleKey(person, schedule));
    await (now === undefined ? drop(running, end) : settle(running, end));
  });
}

/** Paused, or changed so that its person has to see it first, before it began. Asked for by hand it runs also while it is paused. */
function turnedOff({ held, enabled }: Schedule, { key, startedAt, byHand, tries, reason }: Run): End | undefined {
  if (key !== undefined || startedAt !== undefined || (!held && (enabled || byHand))) return undefined;
  const why = held ? "You have not seen it yet" : "It was paused";
  if (tries === undefined) return { outcome: "skipped", reason: `${why}, so it did not run`, quiet: true };
  return { outcome: "failed", reason: `${reason ?? "It failed"}. ${why}, so it was not tried again`, quiet: true };
}

/** Nothing is left of a run whose schedule is gone. */
async function drop({ steward, job, doc, row }: Running, { session }: End): Promise<void> {
  const { erase, drop: keys } = await sessionsOf(steward, doc.person, session === undefined ? [] : [{ ...row, session }], true);
  const lease = { job: job.id, epoch: job.epoch, then: "done" as const };
  await steward.store.commit({ ...ends(doc, [row.due]), erase, drop: [...keys, runKey(doc.person, doc.id, row.due)], lease });
}

function failed(error: unknown, { abort }: Hold): End {
  if (hasCode(error, "stale") || hasCode(abort.signal.reason, "stale")) throw error;
  const failure = failureOf(error);
  const { code } = failure;
  const passing = code === "unavailable" || code === "internal";
  return { outcome: "failed", reason: failureText(failure), ...(passing ? { again: {} } : {}) };
}

async function act(running: Running): Promise<End> {
  const { steward, doc, row } = running;
  if ("tell" in doc.action) return { outcome: "ran", text: doc.action.tell };
  if ("script" in doc.action) return runScript(running, doc.action.script);
  if (row.key === undefined) {
    const same = !row.byHand && doc.source === "heartbeat" ? await unchanged(running) : undefined;
    if (same) return { outcome: "skipped", reason: "Nothing changed", quiet: true, ...same };
    const trouble = await ready(steward, running);
    if (trouble) return trouble;
    if (doc.source === "heartbeat") return runPrompt({ ...running, row: { ...row, state: await statesOf(running) } }, doc.action.prompt);
  }
  return runPrompt(running, doc.action.prompt);
}

/** One commit: how it ended, where the result goes, what the person has to know. Or it is tried again later. */
async function settle(running: Running, end: End): Promise<void> {
  const { steward, job, doc, row } = running;
  const { person, id } = doc;
  const now = steward.now();
  const tries = (row.tries ?? 0) + 1;
  const at = runKey(person, id, row.due);
  if (end.again && tries <= doc.retries) {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
    const retryAt = Math.max(now + pause, end.again.notBefore ?? 0);
    const { key: _key, from: _from, startedAt: _startedAt, ...rest } = await newest(running);
    const again: Run = { ...rest, outcome: "queued", tries, ...(end.reason ? { reason: end.reason } : {}) };
    return void (await steward.store.commit({ put: { [at]: again }, lease: { job: job.id, epoch: job.epoch, then: { retryAt } } }));
  }
  const told = await toldOf(running, end).catch((error: unknown) => {
    if (hasCode(error, "not_found") || hasCode(error, "denied")) return { problem: messageOf(error) };
    throw error;
  });
  const problem = "problem" in told ? told.problem : undefined;
  const done =
    problem === undefined
      ? end
      : { ...end, outcome: "failed" as const, reason: `It ran, but its result could not be delivered: ${problem}` };
  await steward.store.commit(
    joined(end.more ?? {}, ends(doc, [row.due]), problem === undefined ? (told as Commit) : await alarm(running, done), {
      ...(done.into
        ? continued(doc, { into: done.into, due: row.due, endedAt: now })
        : { put: { [at]: rowOf(await newest(running), done, now, tries) } }),
      add: { [sumsKey(person, id)]: row.byHand ? { byHand: 1 } : { [done.outcome]: 1 } },
      lease: { job: job.id, epoch: job.epoch, then: "done" },
    }),
  );
  steward.log(done.outcome === "failed" ? "warning" : "info", `A schedule ${done.outcome === "skipped" ? "was skipped" : done.outcome}`, {
    schedule: id,
    name: doc.name,
    due: new Date(row.due).toISOString(),
    ...(done.reason ? { reason: done.reason } : {}),
    ...(doc.deliver.to === "log" && done.text ? { said: clip(done.text, MOST_SAID) } : {}),
  });
}

/** Many that ended alike are one row. */
function continued({ person, id }: Schedule, { into, due, endedAt }: { into: Run; due: number; endedAt: number }): Commit {
  const whole: Run = { ...into, to: due, count: (into.count ?? 1) + 1, endedAt };
  return { put: { [runKey(person, id, into.due)]: whole }, drop: [runKey(person, id, due)] };
}

/** As it stands in the store: what the run has written of itself is in it. */
const newest = async ({ steward, doc, row }: Running): Promise<Run> =>
  ((await steward.store.get(runKey(doc.person, doc.id, row.due))) as Run | undefined) ?? row;

function rowOf({ reason: _reason, state: _state, ...row }: Run, end: End, endedAt: number, tries: number): Run {
  const { outcome, reason, session, turn, tokens, cost, text } = end;
  return {
    ...row,
    ...{ outcome, endedAt },
    ...(tries > 1 ? { tries } : {}),
    ...(reason ? { reason } : {}),
    ...(session ? { session } : {}),
    ...(turn ? { turn } : {}),
    ...(tokens === undefined ? {} : { tokens }),
    ...(cost === undefined ? {} : { cost }),
    ...(text ? { said: clip(text, MOST_SAID) } : {}),
  };
}

async function toldOf(running: Running, end: End): Promise<Commit> {
  const { steward, doc, row } = running;
  if (end.outcome !== "ran") return end.quiet ? {} : alarm(running, end);
  const right = await righted(steward, doc.person, [alertOf(doc), ...("prompt" in doc.action ? ["budget", modelOf(doc)] : [])]);
  if (end.quiet || end.text === undefined || isQuiet(end.text)) return right;
  const owner = doc.person === OWNER_ID && doc.role === "owner";
  const own = "tell" in doc.action;
  const told = { text: headed(doc, end.text), key: `${doc.id}/${row.due}`, session: end.session, from: `schedule ${doc.name}`, own };
  return joined(right, await delivering(steward, { person: doc.person, deliver: doc.deliver, owner }, told));
}

/** In a chat and among other messages it has to say what it is. */
const headed = ({ name, deliver, action }: Schedule, text: string): string => {
  if ("tell" in action) return `Reminder: ${text}`;
  return deliver.to === "session" || deliver.to === "channel" ? `**${name}**\n\n${text}` : text;
};

/** Who answers one may fail while who answers another does not. */
const modelOf = ({ engine, model, pin, session }: Schedule): string =>
  ["model", ...[engine, model, pin, session].filter((wish) => wish !== undefined)].join(":");

/** Once until it is right again; the reason stands in the history each time. */
async function alarm({ steward, doc }: Running, { cause, reason = "unknown", outcome, session }: End): Promise<Commit> {
  const about = cause === undefined ? alertOf(doc) : cause === "model" ? modelOf(doc) : cause;
  const text =
    cause === undefined
      ? `The schedule “${doc.name}” (${doc.id}) failed: ${reason}`
      : `Schedules can't run now: ${reason} ${outcome === "skipped" ? "They are skipped until that is over." : ""} First was “${doc.name}” (${doc.id}).`;
  return alerting(steward, doc.person, { cause: about, text, session });
}
