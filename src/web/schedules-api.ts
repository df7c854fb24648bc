// The calls of the page about schedules.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const schedulePaths = {
  "schedules.list": "GET /api/schedules",
  "schedules.add": "POST /api/schedules",
  "schedules.preview": "POST /api/schedules/preview",
  "schedules.calendar": "GET /api/calendar",
  "schedules.change": "PATCH /api/schedules/:id",
  "schedules.remove": "DELETE /api/schedules/:id",
  "schedules.run": "POST /api/schedules/:id/run",
  "schedules.history": "GET /api/schedules/:id/history",
  "heartbeat.get": "GET /api/heartbeat",
} as const satisfies Partial<Record<RouteName, string>>;
export const callSchedules = callsOf(schedulePaths);

export type Schedule = Answered<"schedules.list">["schedules"][number];
export type Run = Answered<"schedules.history">["runs"][number];
export type Entry = Answered<"schedules.calendar">["entries"][number];

const formats = new Map<string, Intl.DateTimeFormat>();
function format(zone: string, how: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(how)}`;
  const made = formats.get(key) ?? new Intl.DateTimeFormat(undefined, { timeZone: zone, ...how });
  formats.set(key, made);
  return made;
}
/** In the zone in which schedules are planned, wherever the page is open. */
export const clockIn = (zone: string, at: number): string => format(zone, { hour: "2-digit", minute: "2-digit" }).format(at);
export const dayIn = (zone: string, at: number): string => format(zone, { weekday: "long", day: "numeric", month: "long" }).format(at);
const yearIn = (zone: string, at: number): string => format(zone, { year: "numeric" }).format(at);
/** With the year only where it is another. */
export const momentIn = (zone: string, at: number): string =>
  format(zone, {
    ...{ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
    ...(yearIn(zone, at) === yearIn(zone, Date.now()) ? {} : { year: "numeric" }),
  }).format(at);
