// Making, changing, pausing and removing schedules, running one now, and the way back. Each is one commit that also plans what is due next.
import type { Commit } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { documentChange } from "../run/journal.ts";
import { sessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { oneLine, visible } from "../std/text.ts";
import { runJob } from "./due.ts";
import { historyOf, runsOf, sessionsOf } from "./history.ts";
import { joined } from "./joined.ts";
import { begins, crowded } from "./live.ts";
import { plannedAnew } from "./plan.ts";
import { alertOf, HELD, righted } from "./report.ts";
import {
  type Action,
  changeLane,
  isOn,
  type Run,
  runKey,
  type Schedule,
  scheduleKey,
  scheduleOf,
  schedulesOf,
  sumsKey,
  timesOfSchedule,
  type Wanted,
  write,
} from "./state.ts";
import { mayReach } from "./telling.ts";
import { checkTrigger, type Trigger } from "./trigger.ts";

/** Where a change is made, for the journal; "" outside of a session. */
export interface Maker {
  source: Schedule["source"];
  session: string;
  turn: string;
  tool: string;
  /** Ids of what can be undone are added to it. */
  ids?: string[];
  /** What others may have written was read before, or nobody is there: the person looks at it first. */
  holds?: boolean;
  /** What it does are the person's own words. */
  agreed?: boolean;
}
export const BY_HAND: Maker = { source: "person", session: "", turn: "", tool: "schedules" };

const MOST: Record<Principal["role"], number> = { owner: 20_000, member: 2000, guest: 50 };
/** That wait until their person has seen them. */
const MOST_HELD = 20;
const MOST_TEXT = 20_000;
/** What is finished is kept so long. */
const KEPT_MS = 30 * 86_400_000;
/** By hand, of one schedule, a minute. */
const MOST_BY_HAND = 20;
export const USUAL: Pick<Wanted, "deliver" | "onMissed" | "overlap" | "retries"> = {
  deliver: { to: "person" },
  onMissed: { within: 3_600_000 },
  overlap: "skip",
  retries: 2,
};

export type New = Pick<Wanted, "trigger" | "action"> & Partial<Wanted>;

export async function addSchedule(steward: Steward, who: Principal, given: New, maker: Maker = BY_HAND): Promise<Schedule> {
  const now = steward.now();
  const all = await schedulesOf(steward, who);
  const count = all.filter(({ finished }) => !finished).length;
  if (count >= MOST[who.role]) throw new StewardError("limit", `There are ${count} schedules already`, { hint: "Remove some first." });
  if (maker.holds && all.filter(({ held }) => held).length >= MOST_HELD)
    throw new StewardError("limit", `${MOST_HELD} schedules wait already until their person has seen them`);
  mustCome(given.trigger, now);
  const wanted = await checked(steward, who, {
    ...USUAL,
    ...("at" in given.trigger ? { onMissed: { within: 86_400_000 } } : {}),
    name: "",
    ...given,
  });
  const fresh: Schedule = {
    ...wanted,
    ...{ id: newScheduleId(all), person: who.person, role: who.role, source: maker.source, enabled: true, stamp: "", runs: 0 },
    ...{ createdAt: now, updatedAt: now, handled: now },
    ...(maker.holds ? { held: true as const } : {}),
    ...(maker.agreed ? { agreed: true as const } : {}),
  };
  const { schedule, put, jobs } = plannedAnew(fresh, timesOfSchedule(steward, fresh), now);
  if (isOn(fresh) && schedule.next === undefined) throw new StewardError("invalid", "That time is over, so it would never run");
  const undo = entry(steward, maker, { doc: schedule, summary: `Scheduled "${oneLine(schedule.name)}"`, before: undefined });
  if (!(await write(steward, { after: schedule }, { put: { ...put, ...undo.put }, jobs }))) throw busy();
  maker.ids?.push(undo.id);
  await tidy(steward, all);
  return scheduleOf(steward, who, schedule.id);
}

/** What was finished long ago goes, and the oldest where there are too many. A few at a time. */
async function tidy(steward: Steward, all: Schedule[]): Promise<void> {
  const over = all.filter(({ finished }) => finished).toSorted((a, b) => b.handled - a.handled);
  const before = steward.now() - KEPT_MS;
  for (const doc of over.filter(({ handled, role }, at) => at >= MOST[role] || handled < before).slice(-10))
    await inLane(steward.lanes, changeLane(doc), async () => write(steward, { before: doc }, await traces(steward, doc)));
}

const isPast = (trigger: Trigger, now: number): boolean => "at" in trigger && trigger.at <= now;
function mustCome(trigger: Trigger, now: number): void {
  if (isPast(trigger, now))
    throw new StewardError("invalid", "That time is over, so it would never run", { hint: "Give one that is still to come." });
}

/** Short, for people, so another one may have it. */
function newScheduleId(all: Schedule[]): string {
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString("hex");
  return all.some((one) => one.id === id) ? newScheduleId(all) : id;
}
const busy = (): StewardError => new StewardError("conflict", "It is being changed from several places at once");

async function checked(steward: Steward, who: Principal, given: Wanted): Promise<Wanted> {
  const { action, deliver, session, maxRuns, retries } = given;
  const [[kind, text] = ["", ""]] = Object.entries(action);
  const clean = "script" in action ? text.replaceAll("\0", "") : visible(text).trim();
  if (clean.trim() === "") throw new StewardError("invalid", "There is nothing to do");
  if (clean.length > MOST_TEXT) throw new StewardError("limit", `What a schedule does can have at most ${MOST_TEXT} characters`);
  if (session !== undefined) await sessionDoc(steward, who, session);
  if (deliver.to === "session") await sessionDoc(steward, who, deliver.session);
  if (deliver.to === "channel") await mayReach(steward, who.person, deliver.address, who.role === "owner");
  if (maxRuns !== undefined && !(maxRuns >= 1)) throw new StewardError("invalid", "maxRuns is at least 1");
  if (!(retries >= 0 && retries <= 10)) throw new StewardError("invalid", "retries lies between 0 and 10");
  if (given.model !== undefined) await steward.models.check(given.model);
  if (given.engine !== undefined) await steward.engine(given.engine);
  return {
    ...given,
    name: oneLine(visible(given.name), 80) || oneLine(clean, 60),
    trigger: checkTrigger(given.trigger),
    action: actionOf(kind, clean),
  };
}

const actionOf = (kind: string, text: string): Action =>
  kind === "prompt" ? { prompt: text } : kind === "script" ? { script: text } : { tell: text };

interface Entry {
  doc: Schedule;
  summary: string;
  before: Schedule | undefined;
}
const entry = (steward: Steward, { session, turn, tool }: Maker, { doc, summary, before }: Entry) =>
  documentChange(steward, { person: doc.person, session, turn, tool, summary, key: scheduleKey(doc.person, doc.id), before });

// ---- Changes

type Optional = "session" | "ceiling" | "maxRuns" | "engine" | "model" | "pin";
export type Patch = Partial<Omit<Wanted, Optional>> & { [K in Optional]?: Wanted[K] | null } & { enabled?: boolean; seen?: true };

/** `null` of a field that need not be there takes it away. */
export async function changeSchedule(
  steward: Steward,
  who: Principal,
  { id, patch, summary }: { id: string; patch: Patch; summary?: string },
  maker: Maker = BY_HAND,
): Promise<Schedule> {
  for (;;) {
    const before = await scheduleOf(steward, who, id);
    const { seen, ...fields } = patch;
    if (before.source === "heartbeat" && Object.keys(fields).some((name) => name !== "enabled"))
      throw new StewardError("conflict", "It stands in HEARTBEAT.md: change it there", { hint: "steward identity edit HEARTBEAT.md" });
    const now = steward.now();
    if (fields.trigger) mustCome(fields.trigger, now);
    const whole = Object.fromEntries(Object.entries({ ...before, ...fields }).filter(([, value]) => value !== null)) as unknown as Schedule;
    if (fields.enabled && !before.finished) mustCome(whole.trigger, now);
    const { held, agreed, ...rest } = { ...whole, ...(await checked(steward, who, whole)) };
    const said = fields.action !== undefined || fields.trigger !== undefined || fields.deliver !== undefined;
    const holds = !seen && (held || (maker.holds === true && said));
    const agrees = maker.source === "person" && (seen || fields.action !== undefined);
    const next: Schedule = {
      ...{ ...rest, updatedAt: now },
      ...(holds ? { held: true as const } : {}),
      ...(agrees || (agreed && (fields.action === undefined || maker.agreed)) ? { agreed: true as const } : {}),
    };
    const undo = entry(steward, maker, { doc: next, before, summary: summary ?? `Changed the schedule "${oneLine(next.name)}"` });
    const right = before.held && !holds ? await righted(steward, who.person, [HELD]) : {};
    if (!(await replace(steward, before, next, joined(right, { put: undo.put })))) continue;
    maker.ids?.push(undo.id);
    return scheduleOf(steward, who, id);
  }
}

/** Plans anew where the times or whether it is on have changed. A time that has come but was not taken up yet is accounted for. */
export async function replace(steward: Steward, before: Schedule, after: Schedule, more: Commit = {}): Promise<boolean> {
  const same =
    JSON.stringify([before.trigger, isOn(before), before.maxRuns]) === JSON.stringify([after.trigger, isOn(after), after.maxRuns]);
  const kept = same && (isOn(before) || before.finished);
  if (kept) return write(steward, { before, after }, more);
  const now = steward.now();
  const over = overtaken(steward, before, now);
  const { schedule, put, jobs } = plannedAnew(
    { ...after, ...(over.last === undefined ? {} : { last: over.last }) },
    timesOfSchedule(steward, after),
    now,
  );
  const stale =
    over.last === undefined && before.next !== undefined && schedule.next !== before.next
      ? [runKey(before.person, before.id, before.next)]
      : [];
  return write(steward, { before, after: schedule }, joined(over.change, more, { put, jobs, drop: stale }));
}

/** Due times up to now that a change came before. */
export function overtaken(steward: Steward, { person, id, next, ...doc }: Schedule, now: number): { last?: number; change: Commit } {
  if (next === undefined || next > now) return { change: {} };
  const times = timesOfSchedule(steward, doc);
  const last = times.last({ after: next, until: now }) ?? next;
  const count = 1 + times.count({ after: next, until: last });
  const row: Run = {
    ...{ schedule: id, due: next, outcome: "skipped", reason: "It was changed before it could run", endedAt: now },
    ...(count > 1 ? { to: last, count } : {}),
  };
  return { last, change: { put: { [runKey(person, id, next)]: row }, add: { [sumsKey(person, id)]: { skipped: count } } } };
}

export const turnSchedule = (steward: Steward, who: Principal, id: string, { on, ...maker }: Maker & { on: boolean }): Promise<Schedule> =>
  changeSchedule(
    steward,
    who,
    {
      id,
      patch: { enabled: on, ...(on && maker.source === "person" ? { seen: true as const } : {}) },
      summary: `${on ? "Resumed" : "Paused"} the schedule ${id}`,
    },
    maker,
  );

/** With its history. What runs now ends by itself and tells nobody. */
export const removeSchedule = (steward: Steward, who: Principal, id: string, maker: Maker = BY_HAND): Promise<{ undo: string }> =>
  inLane(steward.lanes, changeLane({ person: who.person, id }), async () => {
    for (;;) {
      const before = await scheduleOf(steward, who, id);
      if (before.source === "heartbeat" && maker.source !== "heartbeat")
        throw new StewardError("conflict", "It stands in HEARTBEAT.md: take its section out there, or pause it here");
      const undo = entry(steward, maker, { doc: before, before, summary: `Removed the schedule "${oneLine(before.name)}"` });
      const kept = maker.source === "heartbeat" ? {} : { put: undo.put };
      if (!(await write(steward, { before }, joined(await traces(steward, before), kept)))) continue;
      if (maker.source !== "heartbeat") maker.ids?.push(undo.id);
      return { undo: undo.id };
    }
  });

/** The parts of a commit that take away what is kept beside a schedule. */
export async function traces(steward: Steward, { person, id, held }: Schedule): Promise<Commit> {
  const rows = await runsOf(steward, person, id);
  const { erase, drop } = await sessionsOf(steward, person, rows, true);
  const keys = [...rows.map(({ due }) => runKey(person, id, due)), sumsKey(person, id), `p/${person}/due-looks/${id}`];
  return joined({ erase, drop: [...drop, ...keys] }, await righted(steward, person, [alertOf({ id }), ...(held ? [HELD] : [])]));
}

/** Runs it once, now, beside its times; or makes up for what was missed, `row`. Returns the row's time. */
export async function runNow(steward: Steward, who: Principal, id: string, row?: number): Promise<{ due: number }> {
  for (;;) {
    const before = await scheduleOf(steward, who, id);
    if (before.held) throw new StewardError("conflict", "You have not seen it yet", { hint: `steward cron resume ${id} lets it run.` });
    const now = steward.now();
    const newest = await historyOf(steward, before, { limit: 5 * MOST_BY_HAND });
    await mayBegin(steward, before, newest);
    const taken = new Set(newest.map(({ due }) => due));
    let due = now;
    while (taken.has(due) || due === before.next) due++;
    const asked = row === undefined ? undefined : ((await steward.store.get(runKey(who.person, id, row))) as Run | undefined);
    if (row !== undefined && (asked?.schedule !== id || asked.outcome !== "missed"))
      throw new StewardError("not_found", "Nothing was missed then");
    if (asked?.madeUp) throw new StewardError("conflict", "It was made up for already");
    const { asks: _asks, ...answered } = asked ?? {};
    const made: Run = { schedule: id, due, outcome: "queued", byHand: true };
    const reason = "Steward did not run at that time; it was made up for later";
    const put = {
      [runKey(who.person, id, due)]: made,
      ...(row === undefined ? {} : { [runKey(who.person, id, row)]: { ...answered, reason, madeUp: true } }),
    };
    if (await write(steward, { before, after: before }, joined(begins(before, due), { put, jobs: [runJob(before, due)] }))) return { due };
  }
}

/** Throws limit when it was wanted too often, or too much runs already. */
async function mayBegin(steward: Steward, doc: Schedule, newest: Run[]): Promise<void> {
  const lately = newest.filter(({ byHand, due }) => byHand && due > steward.now() - 60_000);
  if (lately.length >= MOST_BY_HAND)
    throw new StewardError("limit", `It was run ${lately.length} times within a minute`, { retryAt: lately.at(-1)!.due + 60_000 });
  const full = await crowded(steward, doc, true);
  if (full) throw new StewardError("limit", `It can't run now: ${full}`);
}
