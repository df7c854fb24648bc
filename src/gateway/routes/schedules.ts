// Routes about schedules. What they are and do is src/schedules.
import type { Body, RouteName } from "../../core/api.ts";
import type { ScheduleInfo, ScheduleRun } from "../../core/api-schedules.ts";
import type { Principal } from "../../core/types.ts";
import { type Steward, zoneOf } from "../../run/steward.ts";
import { calendarOf } from "../../schedules/calendar.ts";
import { addSchedule, changeSchedule, type Patch, removeSchedule, runNow } from "../../schedules/change.ts";
import { historyOf } from "../../schedules/history.ts";
import { whenText } from "../../schedules/said.ts";
import { type Run, runsKey, type Schedule, scheduleOf, schedulesOf, type Sums, sumsKey } from "../../schedules/state.ts";
import { timesOf, type Trigger } from "../../schedules/trigger.ts";
import { readWhen } from "../../schedules/words.ts";
import { hasCode, StewardError } from "../../std/error.ts";
import type { Handlers } from "../table.ts";

type Names = Extract<RouteName, `schedules.${string}` | "heartbeat.get">;
const MOST = 200;

export const schedules = {
  "schedules.list": async ({ steward, who, query: { limit = 50, from = 0, q = "" } }) => {
    const words = q
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    const all = (await schedulesOf(steward, who)).filter((doc) => words.every((word) => textOf(doc).includes(word)));
    const sorted = all.toSorted((a, b) => (a.next ?? Infinity) - (b.next ?? Infinity) || b.createdAt - a.createdAt);
    const shown = await Promise.all(sorted.slice(from, from + Math.min(limit, MOST)).map((doc) => told(steward, doc)));
    return { schedules: shown, total: all.length, zone: zoneOf(steward), now: steward.now() };
  },
  "schedules.add": async ({ steward, who, body }) => {
    const { when, trigger, ...rest } = body;
    return {
      schedule: await told(steward, await addSchedule(steward, who, { ...given(rest), trigger: triggerOf(steward, { when, trigger }) })),
    };
  },
  "schedules.preview": async ({ steward, body: { when } }) => {
    const zone = zoneOf(steward);
    try {
      const trigger = readWhen(when, { now: steward.now(), zone });
      return { trigger, text: whenText(trigger, zone), next: nextFive(trigger, zone, steward.now()), zone };
    } catch (error) {
      if (!hasCode(error, "invalid")) throw error;
      return { text: when, next: [], zone, problem: `${error.message}. ${error.hint ?? ""}`.trim() };
    }
  },
  "schedules.calendar": async ({ steward, who, query }) => ({ ...(await calendarOf(steward, who, query)), zone: zoneOf(steward) }),
  "schedules.get": async ({ steward, who, id }) => ({ schedule: await told(steward, await scheduleOf(steward, who, id)) }),
  "schedules.change": async ({ steward, who, id, body }) => {
    await scheduleOf(steward, who, id);
    const { when, trigger, enabled, ...rest } = body;
    const patch: Patch = {
      ...given(rest),
      ...(when === undefined && trigger === undefined ? {} : { trigger: triggerOf(steward, { when, trigger }) }),
      ...(enabled === undefined ? {} : { enabled }),
      ...(enabled ? { seen: true as const } : {}),
    };
    return { schedule: await told(steward, await changeSchedule(steward, who, { id, patch })) };
  },
  "schedules.remove": async ({ steward, who, id }) => ({ success: true, undo: (await removeSchedule(steward, who, id)).undo }),
  "schedules.run": ({ steward, who, id, body: { missed } }) => runNow(steward, who, id, missed),
  "schedules.history": async ({ steward, who, id, query: { limit = 50, before } }) => {
    const doc = await scheduleOf(steward, who, id);
    const rows = await historyOf(steward, doc, { limit: Math.min(limit, MOST), ...(before === undefined ? {} : { before }) });
    return { runs: rows.map(rowOf) };
  },
  "heartbeat.get": async ({ steward, who, query: { read } }) => heartbeat(steward, who, read === true),
} satisfies Pick<Handlers, Names>;

async function heartbeat(steward: Steward, who: Principal, read: boolean) {
  const problems = read ? await steward.schedules.look() : steward.schedules.problems();
  const sections = (await schedulesOf(steward, who)).filter(({ source }) => source === "heartbeat");
  return {
    enabled: steward.settings.config().heartbeat.enabled,
    sections: await Promise.all(sections.map((doc) => told(steward, doc))),
    problems: who.role === "owner" ? problems : [],
  };
}

const textOf = ({ id, name, action }: Schedule): string => `${id} ${name} ${Object.values(action).join(" ")}`.toLowerCase();

/** Without what was not given. */
const given = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };

function triggerOf(steward: Steward, { when, trigger }: Pick<Body<"schedules.add">, "when" | "trigger">): Trigger {
  if (when !== undefined) return readWhen(when, { now: steward.now(), zone: zoneOf(steward) });
  if (trigger === undefined) throw new StewardError("invalid", "when is missing", { hint: 'Such as "every weekday at 9".' });
  if (!("cron" in trigger)) return trigger;
  return trigger.zone === undefined ? { cron: trigger.cron } : { cron: trigger.cron, zone: trigger.zone };
}

function nextFive(trigger: Trigger, zone: string, now: number): number[] {
  const times = timesOf(trigger, zone);
  const found: number[] = [];
  for (let at = times.next(now); at !== undefined && found.length < 5; at = times.next(at)) found.push(at);
  return found;
}

async function told(steward: Steward, doc: Schedule): Promise<ScheduleInfo> {
  const { person, stamp: _stamp, handled: _handled, handledCount: _count, done: _done, runs: _runs, ...rest } = doc;
  const { role: _role, stamps: _stamps, agreed: _agreed, text: _text, last: _last, held = false, finished = false, ...shown } = rest;
  const sums = ((await steward.store.get(sumsKey(person, doc.id))) ?? {}) as Sums;
  const newest = (await steward.store.list(runsKey(person, doc.id), { last: 3 }))
    .map(({ value }) => value as Run)
    .findLast(({ outcome }) => outcome !== "waiting");
  const { ran = 0, failed = 0, missed = 0, skipped = 0, byHand = 0 } = sums;
  return {
    ...{ ...shown, held, finished, when: whenText(doc.trigger, zoneOf(steward)), sums: { ran, failed, missed, skipped, byHand } },
    ...(newest ? { newest: rowOf(newest) } : {}),
  };
}

const rowOf = ({ schedule: _schedule, key: _key, from: _from, holes: _holes, ...row }: Run): ScheduleRun => row;
