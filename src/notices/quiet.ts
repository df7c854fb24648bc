// Quiet hours: until when they last, by the clock on the wall where the person is.

const MINUTE_MS = 60_000;
const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/** Epoch milliseconds at which the quiet hours end that hold now; undefined when none do. Times are HH:MM; the end may lie on the next day. */
export function quietUntil(
  quiet: { from: string; to: string } | undefined,
  { now, zone }: { now: number; zone: string },
): number | undefined {
  if (!quiet || quiet.from === quiet.to) return undefined;
  const [from, to] = [minutesOf(quiet.from), minutesOf(quiet.to)];
  const within = (at: number): boolean => (from < to ? at >= from && at < to : at >= from || at < to);
  if (!within(wall(now, zone))) return undefined;
  const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  // A day has 23 to 25 hours where clocks are put forward and back, so the end is looked for on the wall, where its own minute may be left out.
  for (let ahead = 1; ahead <= 1560; ahead++) if (!within(wall(minute + ahead * MINUTE_MS, zone))) return minute + ahead * MINUTE_MS;
  return minute + 1440 * MINUTE_MS;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Minutes since midnight. */
function wall(at: number, zone: string): number {
  const clock =
    clocks.get(zone) ?? new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  clocks.set(zone, clock);
  return minutesOf(clock.format(at));
}
