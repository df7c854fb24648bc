// Cron expressions: read, and their times found and counted by arithmetic, also over decades. A fixed time of day comes once a day, also when clocks are turned.
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { clockOf, firstMoment, localOf, type Turn } from "./zones.ts";

export interface Cron {
  /** Milliseconds of a day at which it comes, in rising order, by parts. */
  hours: number[];
  minutes: number[];
  seconds: number[];
  /** No part of the time of day is a star or a step: what a turn of the clock leaves out is made up for, what it repeats comes once. */
  fixed: boolean;
  matches(day: number): boolean;
}

const DAY_MS = 86_400_000;
const FARTHEST_DAYS = 366 * 41;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const NAMED: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const wrong = (text: string, why: string): StewardError =>
  new StewardError("invalid", `"${oneLine(text, 60)}" is no cron expression: ${why}`, {
    hint: "Five fields: minute, hour, day of month, month, weekday (0 and 7 are Sunday); six with seconds in front.",
  });

/** Throws invalid, also when it never comes. */
export function readCron(text: string): Cron {
  const parts = (NAMED[text.trim().toLowerCase()] ?? text.trim()).split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) throw wrong(text, `it has ${parts.length} fields instead of 5 or 6`);
  const [second, minute, hour, dom, month, dow] = (parts.length === 5 ? ["0", ...parts] : parts) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const field = (part: string, name: string, range: Range): number[] => {
    const found = numbers(part, range);
    if (!found) throw wrong(text, `${oneLine(part, 20)} is no ${name}`);
    return found;
  };
  const seconds = field(second, "second", { from: 0, to: 59 });
  const minutes = field(minute, "minute", { from: 0, to: 59 });
  const hours = field(hour, "hour", { from: 0, to: 23 });
  const months = new Set(field(month, "month", { from: 1, to: 12, names: MONTHS, first: 1 }));
  const monthDay = dayOfMonth(dom, (part) => field(part, "day of a month", { from: 1, to: 31 }));
  const weekday = dayOfWeek(dow, (part) => field(part, "weekday", { from: 0, to: 7, names: DAYS, first: 0 }));
  const either = !/^[*?]/.test(dom) && !/^[*?]/.test(dow);
  const cron: Cron = {
    ...{ seconds, minutes, hours, fixed: ![second, minute, hour].some((part) => /[*?/]/.test(part)) },
    matches(day) {
      const date = dateOf(day);
      if (!months.has(date.month)) return false;
      return either ? monthDay(date) || weekday(date) : monthDay(date) && weekday(date);
    },
  };
  if (nextTime(cron, "UTC", 0) === undefined) throw wrong(text, "there is no such day");
  return cron;
}

interface Range {
  from: number;
  to: number;
  names?: string[];
  first?: number;
}

/** In rising order; undefined when it can't be read. */
function numbers(part: string, { from, to, names = [], first = 0 }: Range): number[] | undefined {
  const found = new Set<number>();
  const one = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    return named >= 0 ? named + first : /^\d{1,2}$/.test(word) ? Number(word) : NaN;
  };
  for (const piece of part.split(",")) {
    const [, all, low, high, by] = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(piece) ?? [];
    if (all === undefined && low === undefined) return undefined;
    const [begin, step] = [all ? from : one(low!), Number(by ?? 1)];
    const end = all || (high === undefined && by !== undefined) ? to : one(high ?? low!);
    if (!(begin >= from && end <= to && begin <= end && step >= 1)) return undefined;
    for (let value = begin; value <= end; value += step) found.add(value);
  }
  return [...found].sort((a, b) => a - b);
}

interface CalendarDay {
  month: number;
  date: number;
  weekday: number;
  /** Of its month. */
  last: number;
}
function dateOf(day: number): CalendarDay {
  const at = new Date(day * DAY_MS);
  const last = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate();
  return { month: at.getUTCMonth() + 1, date: at.getUTCDate(), weekday: at.getUTCDay(), last };
}
type Matches = (day: CalendarDay) => boolean;

function dayOfMonth(part: string, read: (part: string) => number[]): Matches {
  const pieces = part.split(",");
  const plain = pieces.filter((piece) => piece.toUpperCase() !== "L");
  const days = new Set(plain.length > 0 ? read(plain.join(",")) : []);
  const end = plain.length < pieces.length;
  return ({ date, last }) => days.has(date) || (end && date === last);
}

/** `fri#2` is the second Friday of a month, `friL` the last. */
function dayOfWeek(part: string, read: (part: string) => number[]): Matches {
  const each = part.split(",").map((piece): Matches => {
    const [, name = piece, nth, last] = /^(\w+?)(?:#([1-5])|(L))$/i.exec(piece) ?? [];
    const days = new Set(read(nth || last ? name : piece).map((day) => day % 7));
    return ({ weekday, date, last: end }) =>
      days.has(weekday) && (nth === undefined || Math.ceil(date / 7) === Number(nth)) && (last === undefined || date + 7 > end);
  });
  return (day) => each.some((matches) => matches(day));
}

// ---- Times

const msOf = (hour: number, minute: number, second: number): number => ((hour * 60 + minute) * 60 + second) * 1000;
const eachDay = ({ hours, minutes, seconds }: Cron): number => hours.length * minutes.length * seconds.length;

/** How many of the sorted numbers are at most that. */
function upTo(sorted: number[], most: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many times of an ordinary day are at most `ms` after midnight. */
function countOfDay({ hours, minutes, seconds }: Cron, ms: number): number {
  if (ms < 0) return 0;
  const [hour, minute, second] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  const whole = upTo(hours, hour - 1) * minutes.length * seconds.length;
  if (!hours.includes(hour)) return whole;
  const some = upTo(minutes, minute - 1) * seconds.length;
  return whole + some + (minutes.includes(minute) ? upTo(seconds, second) : 0);
}

/** The n-th time of an ordinary day, from 0. */
function timeOfDay({ hours, minutes, seconds }: Cron, n: number): number {
  const second = seconds[n % seconds.length]!;
  const rest = Math.floor(n / seconds.length);
  return msOf(hours[Math.floor(rest / minutes.length)]!, minutes[rest % minutes.length]!, second);
}

/** All moments of a day in which the clock is turned, in order, each once: what falls into the gap comes at its end. */
function turnedDay(cron: Cron, day: number, turn: Turn): number[] {
  const all = Array.from({ length: eachDay(cron) }, (_, n) => firstMoment(turn, day * DAY_MS + timeOfDay(cron, n)));
  return [...new Set(all)].sort((one, other) => one - other);
}

/** The times of one day as moments: how many are at most `at`, and the n-th. */
function daily(cron: Cron, zone: string, day: number): Daily {
  const clock = clockOf(zone, day);
  if ("offset" in clock) return plainDay(cron, day * DAY_MS - clock.offset);
  const { at: turn, before, after } = clock.turn;
  if (cron.fixed) {
    const all = turnedDay(cron, day, clock.turn);
    return { size: all.length, upTo: (at) => upTo(all, at), at: (n) => all[n]! };
  }
  const [one, other] = [plainDay(cron, day * DAY_MS - before), plainDay(cron, day * DAY_MS - after)];
  const [first, left] = [one.upTo(turn - 1), other.upTo(turn - 1)];
  return {
    size: first + other.size - left,
    upTo: (at) => (at < turn ? one.upTo(at) : first + other.upTo(at) - left),
    at: (n) => (n < first ? one.at(n) : other.at(n - first + left)),
  };
}

interface Daily {
  size: number;
  upTo(at: number): number;
  at(n: number): number;
}
const plainDay = (cron: Cron, start: number): Daily => ({
  size: eachDay(cron),
  upTo: (at) => (at - start >= DAY_MS ? eachDay(cron) : countOfDay(cron, at - start)),
  at: (n) => start + timeOfDay(cron, n),
});

/** The first time after that moment. */
export function nextTime(cron: Cron, zone: string, after: number): number | undefined {
  const { day: first } = localOf(zone, after);
  for (let day = first - 1; day < first + FARTHEST_DAYS; day++) {
    if (!cron.matches(day)) continue;
    const times = daily(cron, zone, day);
    const before = times.upTo(after);
    if (before < times.size) return times.at(before);
  }
  return undefined;
}

/** The last time that is not after that moment, and after `after`. */
export function lastTime(cron: Cron, zone: string, { after, until }: Span): number | undefined {
  const { day: first } = localOf(zone, after);
  for (let day = localOf(zone, until).day + 1; day >= first - 1; day--) {
    if (!cron.matches(day)) continue;
    const times = daily(cron, zone, day);
    const before = times.upTo(until);
    if (before > 0) return times.at(before - 1) > after ? times.at(before - 1) : undefined;
  }
  return undefined;
}

/** After the first, up to and with the second. */
export interface Span {
  after: number;
  until: number;
}

export function countTimes(cron: Cron, zone: string, { after, until }: Span): number {
  let count = 0;
  const last = localOf(zone, until).day + 1;
  for (let day = localOf(zone, after).day - 1; day <= last; day++) {
    if (!cron.matches(day)) continue;
    const times = daily(cron, zone, day);
    count += Math.max(0, times.upTo(until) - times.upTo(after));
  }
  return count;
}
