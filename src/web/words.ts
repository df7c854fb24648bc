// Numbers, times and names in words, in the person's own zone and language.
const day = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const monthDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const plain = new Intl.NumberFormat();
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);

export const timeOf = (at: number): string => clock.format(at);
export const wholeTime = (at: number): string => whole.format(at);
export const number = (value: number): string => plain.format(value);
export const compact = (value: number): string => short.format(value);

/** Today a time, this week a weekday, else a date. */
export function shortDate(at: number, now = Date.now()): string {
  const days = Math.round((midnight(now) - midnight(at)) / day);
  if (days <= 0) return clock.format(at);
  if (days === 1) return "Yesterday";
  return days < 7 ? weekday.format(at) : monthDay.format(at);
}

export function dayName(at: number, now = Date.now()): string {
  const days = Math.round((midnight(now) - midnight(at)) / day);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days < 7) return "This week";
  return days < 31 ? "This month" : "Earlier";
}

/** "0.4 s", "12 s", "3 min 5 s". */
export function duration(ms: number): string {
  if (ms < 950) return ms < 50 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const rest = Math.round(seconds % 60);
  return `${Math.floor(seconds / 60)} min${rest > 0 ? ` ${rest} s` : ""}`;
}

/** How long something has been up. */
export function since(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} seconds`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} minutes`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min` : `${Math.floor(hours / 24)} days`;
}

export const cost = (dollars: number): string => (dollars > 0 && dollars < 0.01 ? "under $0.01" : `$${dollars.toFixed(2)}`);
export const count = (value: number, one: string, many = `${one}s`): string => `${plain.format(value)} ${value === 1 ? one : many}`;

/** What a lasting answer would cover, in plain words, and the name in it. */
export function scopeWords(scope: string): { words: string; name: string } {
  const [, kind, name] = /^(write|host):(.*)$/s.exec(scope) ?? [];
  if (kind !== undefined) return { words: kind === "write" ? "changes in" : "fetching from", name: name ?? "" };
  if (scope === "network") return { words: "the network", name: "" };
  return scope === "memory" ? { words: "remembering what you did not say", name: "" } : { words: "", name: scope };
}

/** The last part of a path, for titles. */
export const baseName = (path: string): string =>
  path
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .pop() || path;
