// Times and senders in words, for people.
import { isData, type Source } from "../core/events.ts";

/** What stands before a message: who said it. */
export const markOf = (source: Source | undefined): string =>
  source === undefined || source === "forwarded" ? "› " : isData(source) ? "Notification: " : "Schedule: ";

/** 93,000 → "1 min 33 s"; the two largest units. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** "just now", "5 min ago", "2026-11-21". */
export function ago(at: number, now: number): string {
  const past = now - at;
  if (past < 60_000) return "just now";
  if (past < 3_600_000) return `${Math.floor(past / 60_000)} min ago`;
  if (past < 86_400_000) return `${Math.floor(past / 3_600_000)} h ago`;
  if (past < 14 * 86_400_000) return `${Math.floor(past / 86_400_000)} d ago`;
  return day(at);
}

/** The local date, 2026-11-21. */
export const day = (at: number): string => new Date(at).toLocaleDateString("sv-SE");

/** The local date and time, 2026-11-21 09:15. */
export const moment = (at: number): string => new Date(at).toLocaleString("sv-SE").slice(0, 16);
