// A script of a schedule: a command in the person's own computer, without a model. One that was stopped in its middle is not run again by itself.
import { guard } from "../run/guard.ts";
import { openJournal } from "../run/journal.ts";
import { LEASE_MS } from "../run/jobs.ts";
import type { Steward } from "../run/steward.ts";
import { mustBeOn } from "../run/by-hand.ts";
import { StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import type { End, Running } from "./run.ts";
import { type Run, runKey } from "./state.ts";

const MOST_OUTPUT = 20_000;
const LONGEST_MS = 30 * 60_000;

/** Of one person in this process; the next ones wait. */
const AT_ONCE = 8;

interface Crowd {
  running: number;
  waiting: (() => void)[];
}
const crowds = new WeakMap<Steward, Map<string, Crowd>>();

/** A place among the scripts of this person. What is returned gives it to the next. */
async function placeIn(steward: Steward, person: string): Promise<() => void> {
  const all = crowds.get(steward) ?? new Map<string, Crowd>();
  crowds.set(steward, all);
  const crowd = all.get(person) ?? { running: 0, waiting: [] };
  all.set(person, crowd);
  if (crowd.running < AT_ONCE) crowd.running++;
  else await new Promise<void>((resolve) => crowd.waiting.push(resolve));
  return () => {
    const next = crowd.waiting.shift();
    if (next) next();
    else if (--crowd.running === 0) all.delete(person);
  };
}

export async function runScript(running: Running, script: string): Promise<End> {
  const { steward, hold, doc, row } = running;
  if (row.startedAt !== undefined)
    return { outcome: "failed", reason: "It is not known whether the script ran to its end: Steward was stopped meanwhile." };
  mustBeOn(steward, "terminal");
  hold.waiting = true;
  hold.changed();
  const leave = await placeIn(steward, doc.person);
  try {
    if (hold.abort.signal.aborted) throw stopping();
    return await begun(running, script);
  } finally {
    leave();
  }
}

const stopping = (): StewardError => new StewardError("stale", "Steward is stopping");

async function begun({ steward, job, hold, doc, row, who }: Running, script: string): Promise<End> {
  const computer = await steward.computer(who);
  const started: Run = { ...row, outcome: "running", startedAt: steward.now() };
  await steward.store.commit({
    put: { [runKey(doc.person, doc.id, row.due)]: started },
    lease: { job: job.id, epoch: job.epoch, then: { keepMs: LEASE_MS } },
  });
  const place = { session: doc.session ?? "", turn: `sch_${doc.id}`, tool: "schedule" };
  const journal = openJournal(steward, { principal: who, computer, ...place });
  const guarded = guard(steward, computer, { principal: who, granted: [], journal, note: { cached: false }, reads: false });
  const { code, stdout, stderr } = await guarded.exec(script, {
    timeoutMs: LONGEST_MS,
    signal: hold.abort.signal,
    maxBytes: MOST_OUTPUT * 4,
  });
  if (hold.abort.signal.aborted) throw stopping();
  const text = visible(
    clip(
      [stdout, stderr]
        .map((one) => one.trimEnd())
        .filter((one) => one !== "")
        .join("\n"),
      MOST_OUTPUT,
    ),
  );
  if (code === 0) return { outcome: "ran", ...(text === "" ? { quiet: true as const } : { text }) };
  return { outcome: "failed", reason: `The script ended with ${code}${text === "" ? "" : `: ${clip(text, 400)}`}`, again: {} };
}
