// Triggers and spans of time as people read them. The way there is words.ts.
import { oneLine } from "../std/text.ts";
import type { Schedule } from "./state.ts";
import type { Trigger } from "./trigger.ts";
import { localOf } from "./zones.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS = 86_400_000;
const UNITS: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS };

const clockText = (hour: number, minute: number): string => `${hour}:${String(minute).padStart(2, "0")}`;

/** In words where there are short ones. */
export function whenText(trigger: Trigger, zone: string): string {
  if ("at" in trigger) return momentText(trigger.at, zone);
  if ("every" in trigger) return `every ${spanText(trigger.every)}`;
  const where = trigger.zone === undefined ? "" : ` (${trigger.zone})`;
  if ("days" in trigger) return `every ${spanText(trigger.days * DAY_MS)} at ${timeText(trigger.time)}${where}`;
  return `${cronText(trigger.cron)}${where}`;
}

const timeText = (ms: number): string => clockText(Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60);

export function momentText(at: number, zone: string): string {
  const { day, ms } = localOf(zone, at);
  const date = new Date(day * DAY_MS);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} at ${timeText(ms)}`;
}

export function spanText(ms: number): string {
  const [name, size] = Object.entries(UNITS).findLast(([, one]) => ms % one === 0) ?? ["second", 1000];
  const count = ms / size;
  return count === 1 ? name : `${count} ${name}s`;
}

function cronText(cron: string): string {
  const simple = /^(\d{1,2}) (\d{1,2}(?:,\d{1,2})*) \* \* (\S+)$/.exec(cron);
  const days = simple?.[3];
  if (simple && days) {
    const times = simple[2]!.split(",").map((hour) => clockText(Number(hour), Number(simple[1])));
    const known: Record<string, string> = { "*": "every day", "1-5": "every weekday", "0,6": "every weekend" };
    const named = days.split(",").map((day) => (/^[0-7]$/.test(day) ? DAYS[Number(day) % 7] : undefined));
    const list = named.every((day) => day !== undefined) ? `every ${named.join(", ")}` : undefined;
    const said = known[days] ?? list;
    if (said) return `${said} at ${times.join(" and ")}`;
  }
  const [, step] = /^\*(?:\/(\d+))? \* \* \* \*$/.exec(cron) ?? [];
  if (step || cron === "* * * * *") return step ? `every ${step} minutes` : "every minute";
  const [, hours] = /^0 \*(?:\/(\d+))? \* \* \*$/.exec(cron) ?? [];
  if (hours || cron === "0 * * * *") return hours ? `every ${hours} hours` : "every hour";
  return `cron ${cron}`;
}

/** All that will run, as it is kept: for whoever says yes to it. */
export function wholeText(
  { id, name, trigger, action, deliver }: Pick<Schedule, "id" | "name" | "trigger" | "action" | "deliver">,
  zone: string,
): string {
  const [[kind, text] = ["", ""]] = Object.entries(action);
  const does: Record<string, string> = { prompt: "The agent does", script: "Runs in your computer", tell: "Tells you" };
  const { to } = deliver;
  const where =
    to === "session" ? `session ${deliver.session}` : to === "channel" ? `${deliver.address.channel}/${deliver.address.chat}` : to;
  return `${oneLine(name, 80)} (${id})\n${whenText(trigger, zone)}; the result goes to: ${where}\n${does[kind]}:\n${text}`;
}

/** What went wrong and what to do, as one line. */
export const failureText = ({ message, hint }: { message: string; hint?: string | undefined }): string =>
  hint === undefined ? message : `${message.replace(/[.\s]+$/, "")}. ${hint}`;
