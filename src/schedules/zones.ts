// Clocks of time zones: what the wall shows at a moment, and when it is turned forwards or back. Knows nothing of schedules.

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Local time less UTC, in milliseconds, at that moment. */
type Offset = (at: number) => number;
interface Zone {
  offset: Offset;
  /** By the number of the day. */
  turns: Map<number, Turn | undefined>;
}
/** From `at` on the offset is `after`. */
export interface Turn {
  at: number;
  before: number;
  after: number;
}

const zones = new Map<string, Zone>();

function zoneNamed(name: string): Zone {
  const known = zones.get(name);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  const made: Zone = { turns: new Map(), offset: (at) => readOffset(format, at) };
  if (zones.size > 100) zones.clear();
  zones.set(name, made);
  return made;
}

function readOffset(format: Intl.DateTimeFormat, at: number): number {
  const text = format.format(at);
  const [, sign = "+", hours = "0", minutes = "0", seconds = "0"] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text) ?? [];
  return (sign === "-" ? -1 : 1) * ((Number(hours) * 60 + Number(minutes)) * MINUTE_MS + Number(seconds) * 1000);
}

export function isZone(name: string): boolean {
  try {
    zoneNamed(name);
    return true;
  } catch {
    return false;
  }
}

export const offsetAt = (zone: string, at: number): number => zoneNamed(zone).offset(at);

/** The clock of the zone around a local day: its offset, or the turn that falls into it. Days are counted from 1 January 1970 there. */
export function clockOf(zone: string, day: number): { offset: number } | { turn: Turn } {
  const { offset, turns } = zoneNamed(zone);
  if (turns.size > 50_000) turns.clear();
  if (!turns.has(day)) turns.set(day, turnAround(offset, day));
  const turn = turns.get(day);
  if (!turn) return { offset: offset(day * DAY_MS) };
  const [low, high] = [Math.min(turn.before, turn.after), Math.max(turn.before, turn.after)];
  if ((day + 1) * DAY_MS - low <= turn.at) return { offset: turn.before };
  return day * DAY_MS - high >= turn.at ? { offset: turn.after } : { turn };
}

function turnAround(offset: Offset, day: number): Turn | undefined {
  let [low, high] = [(day - 1) * DAY_MS, (day + 2) * DAY_MS];
  const [before, after] = [offset(low), offset(high)];
  if (before === after) return undefined;
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offset(middle) === before) low = middle;
    else high = middle;
  }
  return { at: high, before, after };
}

/** The local day of a moment, and the milliseconds since its midnight as the wall shows them. */
export function localOf(zone: string, at: number): { day: number; ms: number } {
  const local = at + offsetAt(zone, at);
  const day = Math.floor(local / DAY_MS);
  return { day, ms: local - day * DAY_MS };
}

/** The first moment at which the wall shows this, or when the clock is turned past it the moment of that. */
export function momentOf(zone: string, day: number, ms: number): number {
  const clock = clockOf(zone, day);
  const local = day * DAY_MS + ms;
  return "offset" in clock ? local - clock.offset : firstMoment(clock.turn, local);
}

/** In a day of a turn. */
export function firstMoment({ at, before, after }: Turn, local: number): number {
  if (local - before < at) return local - before;
  return local - after >= at ? local - after : at;
}
