// The calls of the page about usage.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const usagePaths = {
  "usage.get": "GET /api/usage",
  "budget.get": "GET /api/budget",
  "budget.allow": "POST /api/budget",
  "people.list": "GET /api/people",
} as const satisfies Partial<Record<RouteName, string>>;
export const callUsage = callsOf(usagePaths);

export type Usage = Answered<"usage.get">;
export type Figures = Usage["total"];
export type Line = Usage["rows"][number];
export type Budget = Answered<"budget.get">;

const DAY_MS = 86_400_000;
/** The day of this many before another, as "2026-11-21". */
export const daysBefore = (day: string, count: number): string => new Date(Date.parse(day) - count * DAY_MS).toISOString().slice(0, 10);

/** Every day from the first to the last. */
export function everyDay(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** $0.0042, $1.20: small sums are told apart. */
export const money = (dollars: number): string =>
  dollars > 0 && dollars < 0.01 ? `$${Number(dollars.toPrecision(1))}` : `$${dollars.toFixed(2)}`;

export interface Price {
  text: string;
  /** Calls whose price nobody knows, which the text lacks. */
  missing: number;
}
export const priceOf = ({ cost, unknown, requests }: Figures): Price => ({
  text: unknown > 0 && unknown === requests && cost === 0 ? "" : money(cost),
  missing: unknown,
});
