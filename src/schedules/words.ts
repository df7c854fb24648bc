// What people say of times, as triggers, and back: "every weekday at 9", "in 20 minutes", "tomorrow at 17:00". The same words head the sections of HEARTBEAT.md.
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { checkTrigger, type Trigger } from "./trigger.ts";
import { isZone, localOf, momentOf } from "./zones.ts";

export interface Clock {
  now: number;
  /** Of the person. */
  zone: string;
}
interface Time {
  hour: number;
  minute: number;
  /** Morning or afternoon was said. */
  sure?: true;
}

const DAY_MS = 86_400_000;
const UNITS: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS };
const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = ["january", "february", "march", "april", "may", "june"].concat([
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
]);
const PARTS: Record<string, Time> = {
  morning: { hour: 9, minute: 0 },
  noon: { hour: 12, minute: 0 },
  midday: { hour: 12, minute: 0 },
  afternoon: { hour: 15, minute: 0 },
  evening: { hour: 18, minute: 0 },
  night: { hour: 21, minute: 0 },
  midnight: { hour: 0, minute: 0 },
};
const COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const NTH = ["first", "second", "third", "fourth", "fifth"];
const CRON_LIKE = /^@[a-z]+$|^[\d*?][\d*?/,-]*(?: [\d*?/,L#a-z-]+){4,5}$/i;
const TIME = String.raw`(?:\d{1,2}(?:[:.]\d{2})?(?: ?[ap]\.?m\.?| o'?clock| ?h)?|noon|midday|midnight)`;
const SURE = String.raw`(?:\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?)`;

export const FORMS =
  'Say it like "every weekday at 9", "every 30 minutes", "tomorrow at 17:00", "in 20 minutes", "on 3 December at 10:00", or as a cron expression such as "0 9 * * 1-5".';

const unread = (text: string): StewardError =>
  new StewardError("invalid", `"${oneLine(text, 80)}" is no time that Steward can read`, { hint: FORMS });

/** Throws invalid, with forms that can be read; also for what is over already. */
export function readWhen(given: string, clock: Clock): Trigger {
  const { text, zone } = zoned(plain(given));
  const bare = /^`([^`]+)`$/.exec(text)?.[1]?.trim() ?? text;
  const found = CRON_LIKE.test(bare) ? { cron: bare } : worded(bare, { ...clock, zone: zone ?? clock.zone });
  if (!found) throw unread(given);
  if ("at" in found && found.at <= clock.now) throw new StewardError("invalid", `"${oneLine(given, 80)}" is over already`, { hint: FORMS });
  return checkTrigger(("cron" in found || "days" in found) && zone ? { ...found, zone } : found);
}

const plain = (text: string): string =>
  text
    .trim()
    .replace(/[.!,]+$/, "")
    .replace(/\s+/g, " ");

/** A zone may stand at the end: "at 9 Europe/Berlin", "in UTC". */
function zoned(text: string): { text: string; zone?: string } {
  const [, rest, name] = /^(.*?),? (?:in |\()?((?:[A-Z][A-Za-z_]+\/[A-Za-z_/+-]+)|UTC|GMT)(?: time)?\)?$/.exec(text) ?? [];
  return rest && name && isZone(name) ? { text: rest, zone: name } : { text };
}

function worded(given: string, clock: Clock): Trigger | undefined {
  const text = given
    .toLowerCase()
    .replace(/\s*\(\s*(?:at )?([^()]+?)\s*\)/g, " at $1")
    .replace(/^(?:please )?(?:each|every single) /, "every ");
  return span(text, clock) ?? repeated(text, clock) ?? single(text, clock);
}

const countOf = (word = "1"): number =>
  word === "a" || word === "an" ? 1 : word === "other" ? 2 : COUNTS.includes(word) ? COUNTS.indexOf(word) : Number(word);

/** "in 20 minutes", "in half an hour". */
function span(text: string, { now }: Clock): Trigger | undefined {
  if (/^in half an hour$/.test(text)) return { at: now + 1_800_000 };
  const pieces = /^in (.+)$/.exec(text)?.[1]?.split(/,? and |, /) ?? [];
  const amounts = pieces.map((piece) => {
    const [, count, unit] = /^(\d{1,6}|[a-z]+) (second|sec|minute|min|hour|hr|day|week)s?$/.exec(piece) ?? [];
    return unit === undefined ? NaN : countOf(count) * UNITS[{ sec: "second", min: "minute", hr: "hour" }[unit] ?? unit]!;
  });
  const total = amounts.reduce((sum, one) => sum + one, 0);
  return amounts.length > 0 && total > 0 ? { at: now + total } : undefined;
}

// ---- Again and again

const SHORT: Record<string, string> = {
  hourly: "every hour",
  daily: "every day",
  nightly: "every night",
  weekly: "every week",
  monthly: "every month",
};

function repeated(given: string, clock: Clock): Trigger | undefined {
  const text = given
    .replace(/^(hourly|daily|nightly|weekly|monthly)\b/, (word) => SHORT[word]!)
    .replace(/^(?:on )?((?:week(?:day|end)|mon|tues|wednes|thurs|fri|satur|sun)(?:day)?s)\b/, (_, days: string) => `every ${days}`)
    .replace(
      /^at (.+?) (every .+|on (?:week(?:day|end)s|\w+days))$/,
      (_, time: string, days: string) => `${days.replace(/^on /, "every ")} at ${time}`,
    );
  const rest = /^every (.+)$/.exec(text)?.[1];
  if (rest === undefined) return undefined;
  const { head, times } = timed(rest);
  if (times === undefined) return undefined;
  return interval(head, times, clock) ?? onDays(head, times) ?? inMonth(head, times);
}

function interval(head: string, times: Time[], { now, zone }: Clock): Trigger | undefined {
  const [, count, unit] = /^(?:(\d{1,6}|other|[a-z]+) )?(second|sec|minute|min|hour|hr|day|week)s?$/.exec(head) ?? [];
  const amount = countOf(count);
  const name = { sec: "second", min: "minute", hr: "hour" }[unit ?? ""] ?? unit;
  if (name === undefined || !(amount >= 1)) return undefined;
  if (name === "day" && amount === 1) return daily("*", times);
  if (name === "week" && amount === 1) return daily("1", times);
  const fits = { second: 60, minute: 60, hour: 24 }[name];
  if (times.length === 0 && fits !== undefined && fits % amount === 0) {
    const step = amount === 1 ? "*" : amount === fits ? "0" : `*/${amount}`;
    if (name === "second") return { cron: amount === 60 ? "* * * * *" : `${step} * * * * *` };
    return { cron: name === "minute" ? `${step} * * * *` : `0 ${step} * * *` };
  }
  if (fits !== undefined && times.length > 0) return undefined;
  const every = amount * UNITS[name]!;
  if (fits !== undefined) return { every, from: now };
  const [time = PARTS["morning"]!] = times;
  const { day } = localOf(zone, nextAt(time, { now, zone }));
  return { days: every / DAY_MS, from: day, time: (time.hour * 60 + time.minute) * 60_000 };
}

const cronOf = (times: Time[], days: string): Trigger | undefined => {
  const minutes = [...new Set(times.map(({ minute }) => minute))];
  const hours = [...new Set(times.map(({ hour }) => hour))].sort((a, b) => a - b);
  return minutes.length === 1 ? { cron: `${minutes[0]} ${hours.join(",")} ${days}` } : undefined;
};
const daily = (weekdays: string, times: Time[]): Trigger | undefined =>
  cronOf(times.length > 0 ? times : [PARTS["morning"]!], `* * ${weekdays}`);

function onDays(head: string, times: Time[]): Trigger | undefined {
  const [, days = "", part] = /^(.*?) ?(morning|noon|midday|afternoon|evening|night|midnight)?s?$/.exec(head) ?? [];
  const at = times.length > 0 ? times.map((time) => within(part, time)) : part ? [PARTS[part]!] : [];
  if (head === "") return times.length > 0 ? daily("*", times) : undefined;
  if (days === "" || days === "day") return part || days === "day" ? daily("*", at) : undefined;
  if (/^week ?days?$|^working days?$|^workdays?$/.test(days)) return daily("1-5", at);
  if (/^weekends?$/.test(days)) return daily("0,6", at);
  const found = days.split(/,? and |, |,|\/| /).map((word) => weekdayOf(word));
  return found.every((day) => day >= 0) ? daily([...new Set(found)].sort((a, b) => a - b).join(","), at) : undefined;
}

/** "the evening at 8" is 20:00. */
const within = (part: string | undefined, { hour, minute, sure }: Time): Time =>
  !sure && hour > 0 && hour < 12 && ["afternoon", "evening", "night"].includes(part ?? "") ? { hour: hour + 12, minute } : { hour, minute };

const weekdayOf = (word: string): number =>
  DAYS.findIndex(
    (day) => day === word || `${day}s` === word || (word.length >= 3 && word.length <= 5 && day.startsWith(word.replace(/\.$/, ""))),
  );

/** "month on the 5th", "1st of the month", "last day of the month", "first monday of the month". */
function inMonth(head: string, times: Time[]): Trigger | undefined {
  const at = times.length > 0 ? times : [PARTS["morning"]!];
  if (head === "month") return cronOf(at, "1 * *");
  const text = head.replace(/^month on (?:the )?(.+)$/, "$1").replace(/ (?:day )?of (?:the|each|every) month$/, "");
  if (text === head) return undefined;
  const [, date] = /^(\d{1,2})(?:st|nd|rd|th)?$/.exec(text) ?? [];
  if (date) return cronOf(at, `${Number(date)} * *`);
  if (text === "last" || text === "last day") return cronOf(at, "L * *");
  const [, nth, day] = /^(\w+) (\w+)$/.exec(text) ?? [];
  const weekday = weekdayOf(day ?? "");
  if (nth === undefined || weekday < 0) return NTH[0] === text ? cronOf(at, "1 * *") : undefined;
  if (nth === "last") return cronOf(at, `* * ${weekday}L`);
  const order = NTH.indexOf(nth) + 1 || Number(/^([1-5])(?:st|nd|rd|th)$/.exec(nth)?.[1] ?? 0);
  return order > 0 ? cronOf(at, `* * ${weekday}#${order}`) : undefined;
}

// ---- Once

function single(text: string, clock: Clock): Trigger | undefined {
  const iso = /^(?:on )?(\d{4}-\d{2}-\d{2})(?:(?:t| at | )(\d{1,2}:\d{2})(?::(\d{2}))?)?(z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (iso?.[4]) return moment(Date.parse(`${iso[1]}T${iso[2]?.padStart(5, "0") ?? "00:00"}:${iso[3] ?? "00"}${iso[4].toUpperCase()}`));
  const { head, times } = timed(text);
  const [time, ...more] = times ?? [];
  if (times === undefined || more.length > 0) return undefined;
  if (head === "" || head === "today" || head === "this") return time && atDay(head === "" ? undefined : 0, time, clock);
  const [, days = head, part] = /^(.*?) ?(?:in the )?(morning|noon|midday|afternoon|evening|night|midnight)$/.exec(head) ?? [];
  const at = time ? within(head === "tonight" ? "night" : part, time) : part ? PARTS[part] : undefined;
  if (/^(?:today|this|in the|at|tonight|)$/.test(days) && (part || head === "tonight")) return atDay(0, at ?? PARTS["night"]!, clock);
  if (head === "tonight") return atDay(0, at ?? PARTS["night"]!, clock);
  if (days === "tomorrow") return atDay(1, at ?? PARTS["morning"]!, clock);
  if (days === "the day after tomorrow") return atDay(2, at ?? PARTS["morning"]!, clock);
  const far = weekdayIn(days, clock);
  if (far !== undefined) return later(atDay(far, at ?? PARTS["morning"]!, clock), 7, clock);
  return onDate(days, at ?? PARTS["morning"]!, clock);
}

const moment = (at: number): Trigger | undefined => (Number.isFinite(at) ? { at } : undefined);

/** Days from now; absent: the next time that the wall shows this. */
function atDay(far: number | undefined, { hour, minute }: Time, { now, zone }: Clock): { at: number } {
  const { day } = localOf(zone, now);
  const at = momentOf(zone, day + (far ?? 0), (hour * 60 + minute) * 60_000);
  return { at: far === undefined && at <= now ? momentOf(zone, day + 1, (hour * 60 + minute) * 60_000) : at };
}
const nextAt = (time: Time, clock: Clock): number => atDay(undefined, time, clock).at;
const later = ({ at }: { at: number }, days: number, { now, zone }: Clock): { at: number } => {
  if (at > now) return { at };
  const { day, ms } = localOf(zone, at);
  return { at: momentOf(zone, day + days, ms) };
};

function weekdayIn(text: string, { now, zone }: Clock): number | undefined {
  const wanted = weekdayOf(/^(?:on |this |next |coming )*(\w+)$/.exec(text)?.[1] ?? "");
  if (wanted < 0) return undefined;
  const far = (wanted - new Date(localOf(zone, now).day * DAY_MS).getUTCDay() + 7) % 7;
  return /\bnext\b/.test(text) && far === 0 ? 7 : far;
}

/** "3 december", "december 3rd, 2026", "2026-12-03", "3.12.2026". */
function onDate(text: string, time: Time, clock: Clock): Trigger | undefined {
  const words = text
    .replace(/^on (?:the )?/, "")
    .replace(/(\d)(?:st|nd|rd|th)\b/, "$1")
    .replace(/ of /, " ")
    .replaceAll(",", "");
  const [, y, m, d] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(words) ?? [];
  const [, first, month, year] = /^(\d{1,2})\.? (\w+)(?: (\d{4}))?$/.exec(words) ?? [];
  const [, month2, second, year2] = /^([a-z]+)\.? (\d{1,2})(?: (\d{4}))?$/.exec(words) ?? [];
  const [, d3, m3, y3] = /^(\d{1,2})\.(\d{1,2})\.(\d{4})?$/.exec(words) ?? [];
  const named = MONTHS.findIndex((name) => (month ?? month2 ?? "").length >= 3 && name.startsWith(month ?? month2 ?? "-"));
  const monthAt = Number(m ?? m3 ?? named + 1);
  const date = Number(d ?? d3 ?? first ?? second);
  if (!(monthAt >= 1 && monthAt <= 12 && date >= 1)) return undefined;
  const given = y ?? y3 ?? year ?? year2;
  const thisYear = new Date(localOf(clock.zone, clock.now).day * DAY_MS).getUTCFullYear();
  const on = (inYear: number): number => {
    const utc = new Date(Date.UTC(inYear, monthAt - 1, date));
    return utc.getUTCDate() === date ? momentOf(clock.zone, utc.getTime() / DAY_MS, (time.hour * 60 + time.minute) * 60_000) : NaN;
  };
  const at = on(given === undefined ? thisYear : Number(given));
  return moment(given === undefined && at <= clock.now ? on(thisYear + 1) : at);
}

// ---- The time of day

/** What stands before the times, and the times; none when there are none. `times` is undefined when one can't be read. */
function timed(text: string): { head: string; times: Time[] | undefined } {
  const said =
    new RegExp(`^(?:(.*?) )?(?:at|@) ?(${TIME}(?:(?:,| and|, and) (?:at )?${TIME})*)$`).exec(text) ??
    new RegExp(`^(?:(.*?) )?(${SURE}(?:(?:,| and|, and) ${SURE})*)$`).exec(text) ??
    new RegExp(`^(${TIME})$`).exec(text)?.toSpliced(1, 0, "");
  if (!said?.[2]) return { head: text, times: / at /.test(text) && !/ at (?:night|noon|midnight)$/.test(text) ? undefined : [] };
  const times = said[2].split(/,? and (?:at )?|, ?/).map(timeOf);
  return { head: said[1] ?? "", times: times.every((time) => time !== undefined) ? times : undefined };
}

function timeOf(text: string): Time | undefined {
  const named = PARTS[text.trim()];
  if (named) return named;
  const [, hours, minutes = "00", half] = /^(\d{1,2})(?:[:.](\d{2}))?(?: ?([ap])\.?m\.?| o'?clock| ?h)?$/.exec(text.trim()) ?? [];
  const [hour, minute] = [Number(hours), Number(minutes)];
  if (hours === undefined || minute > 59 || hour > 24 || (half && (hour < 1 || hour > 12))) return undefined;
  if (hour === 24) return minute === 0 ? { hour: 0, minute } : undefined;
  return half ? { hour: (hour % 12) + (half === "p" ? 12 : 0), minute, sure: true } : { hour, minute };
}
