// When something is due: a cron expression, an interval or one moment, and their times. How people say it is words.ts.
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { isZone, localOf, momentOf } from "./zones.ts";
import { type Cron, countTimes, lastTime, nextTime, readCron, type Span } from "./cron.ts";

export type { Span };
/** Epoch milliseconds. `zone`: absent, that of the person, also when it changes. */
export type Trigger = { cron: string; zone?: string } | { every: number; from: number } | Days | { at: number };
/** Every so many days, when the wall shows this. `from`: the first, counted from 1 January 1970; `time`: milliseconds since midnight; `zone` as with cron. */
type Days = { days: number; from: number; time: number; zone?: string };

/** The times of a trigger in one zone. None is a fraction of a millisecond; an interval's are counted from where it begins. */
export interface Times {
  next(after: number): number | undefined;
  /** The last that is after the first and not after the second. */
  last(span: Span): number | undefined;
  count(span: Span): number;
}

const read = new Map<string, Cron>();
function cronOf(text: string): Cron {
  const known = read.get(text);
  if (known) return known;
  const made = readCron(text);
  if (read.size > 500) read.clear();
  read.set(text, made);
  return made;
}

export function timesOf(trigger: Trigger, zone: string): Times {
  if ("at" in trigger) return once(trigger.at);
  if ("every" in trigger) return interval(trigger);
  if ("days" in trigger) return everyDays(trigger, trigger.zone ?? zone);
  const cron = cronOf(trigger.cron);
  const where = trigger.zone ?? zone;
  return {
    next: (after) => nextTime(cron, where, after),
    last: (span) => lastTime(cron, where, span),
    count: (span) => (span.until <= span.after ? 0 : countTimes(cron, where, span)),
  };
}

function once(at: number): Times {
  const within = ({ after, until }: Span): boolean => at > after && at <= until;
  return {
    next: (after) => (at > after ? at : undefined),
    last: (span) => (within(span) ? at : undefined),
    count: (span) => (within(span) ? 1 : 0),
  };
}

function interval({ every, from }: { every: number; from: number }): Times {
  const upTo = (at: number): number => Math.max(0, Math.floor((at - from) / every));
  return {
    next: (after) => from + (upTo(after) + 1) * every,
    last: ({ after, until }) => (upTo(until) > upTo(after) ? from + upTo(until) * every : undefined),
    count: ({ after, until }) => Math.max(0, upTo(until) - upTo(after)),
  };
}

function everyDays({ days, from, time }: Days, zone: string): Times {
  const at = (n: number): number => momentOf(zone, from + n * days, time);
  /** Of the last that has come by then; -1 before the first. */
  const upTo = (moment: number): number => {
    const n = Math.floor((localOf(zone, moment).day - from) / days);
    return Math.max(-1, at(n + 1) <= moment ? n + 1 : at(n) <= moment ? n : n - 1);
  };
  return {
    next: (after) => at(upTo(after) + 1),
    last: ({ after, until }) => (upTo(until) > upTo(after) ? at(upTo(until)) : undefined),
    count: ({ after, until }) => Math.max(0, upTo(until) - upTo(after)),
  };
}

/** Times that were done already, while the clock was ahead: they do not come again. Both ends belong to it. */
export type Done = [from: number, to: number][];

export function without(times: Times, done: Done): Times {
  if (done.length === 0) return times;
  const holds = (at: number) => done.find(([from, to]) => at >= from && at <= to);
  return {
    next(after) {
      let at = times.next(after);
      for (let range = at === undefined ? undefined : holds(at); range; range = at === undefined ? undefined : holds(at))
        at = times.next(range[1]);
      return at;
    },
    last({ after, until }) {
      let at = times.last({ after, until });
      for (let range = at === undefined ? undefined : holds(at); range; range = at === undefined ? undefined : holds(at))
        at = times.last({ after, until: range[0] - 1 });
      return at;
    },
    count: ({ after, until }) =>
      times.count({ after, until }) -
      done.reduce((sum, [from, to]) => sum + times.count({ after: Math.max(after, from - 1), until: Math.min(until, to) }), 0),
  };
}

export const SHORTEST_MS = 1000;
const DAY_MS = 86_400_000;

/** Throws invalid, with what to do. Returns it as it is kept. */
export function checkTrigger(trigger: Trigger): Trigger {
  if ("zone" in trigger && trigger.zone !== undefined && !isZone(trigger.zone))
    throw new StewardError("invalid", `There is no time zone ${oneLine(trigger.zone, 60)}`);
  if ("cron" in trigger) {
    readCron(trigger.cron);
    return trigger;
  }
  if ("every" in trigger) {
    if (!(Number.isSafeInteger(trigger.every) && trigger.every >= SHORTEST_MS && trigger.every <= 10 * 366 * 86_400_000))
      throw new StewardError("invalid", "An interval lies between one second and ten years");
    return { every: trigger.every, from: Math.floor(trigger.from) };
  }
  if ("days" in trigger) {
    const { days, from, time } = trigger;
    const known = Number.isSafeInteger(days) && days >= 1 && days <= 3660 && Number.isSafeInteger(from) && Math.abs(from) < 1e7;
    if (!known || !(time >= 0 && time < DAY_MS))
      throw new StewardError("invalid", "An interval of days lies between one day and ten years");
    return { ...trigger, time: Math.floor(time) };
  }
  if (!Number.isFinite(trigger.at) || Math.abs(trigger.at) > 8.64e15) throw new StewardError("invalid", "There is no such time");
  return { at: Math.floor(trigger.at) };
}
