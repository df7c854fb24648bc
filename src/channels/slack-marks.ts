// Up to where each conversation was read, kept over restarts; what could not be kept holds its conversation back.
import type { ChannelHost } from "../core/channel.ts";
import { messageOf } from "../std/error.ts";

const MOST = 200;
/** Slack's events may come in another order than its clock's, and for so long it brings them again to who was not there. */
const OVERLAP_SECONDS = 300;

export interface Marks {
  taken(place: string, ts: string): void;
  failed(place: string, ts: string): void;
  /** What came to it while nobody listened is taken; or could not be read, so that it is to be read again. */
  caughtUp(place: string, read: boolean): void;
  /** All places were tried; from now on a new one begins with its first message. */
  allTried(): void;
  isTried(): boolean;
  /** Places with a mark, the newest first; those that are held back before all. */
  places(): string[];
  /** After this a place was not read; of one that is not known, a little before anything was read last, or before this account was connected first. */
  since(place: string): string;
  /** Writes them down, without waiting. */
  save(): void;
  saved(): Promise<void>;
}

const UNREAD = "unread";

/** A mark moves on only when all before it is taken: what is told now waits for what was missed. */
export async function openMarks(host: ChannelHost): Promise<Marks> {
  const { at, places } = read(await host.cursor.get());
  const begun = at ?? `${Math.floor(host.now() / 1000)}.000000`;
  const state = { at: begun, tried: false };
  const held = new Map<string, Set<string>>([...places.keys()].toReversed().map((place) => [place, new Set([UNREAD])]));
  const ahead = new Map<string, string>();
  const kept = keeping(host, () => ({ at: state.at, places: Object.fromEntries(places) }));
  const put = (place: string, ts: string): void => {
    places.delete(place);
    places.set(place, ts);
    if (places.size > MOST) places.delete(places.keys().next().value!);
    kept.change();
  };
  const move = (place: string): void => {
    const ts = ahead.get(place);
    if (ts === undefined || held.has(place) || !(state.tried || places.has(place))) return;
    ahead.delete(place);
    if (later(ts, places.get(place) ?? "0")) put(place, ts);
    if (state.tried && held.size === 0 && later(ts, state.at)) state.at = ts;
  };
  const release = (place: string, what: string): void => {
    const waiting = held.get(place);
    waiting?.delete(what);
    if (waiting?.size === 0) held.delete(place);
    move(place);
  };
  const hold = (place: string, what: string): void => void held.set(place, (held.get(place) ?? new Set()).add(what));
  return {
    taken(place, ts) {
      if (later(ts, ahead.get(place) ?? "0")) ahead.set(place, ts);
      release(place, ts);
    },
    failed(place, ts) {
      hold(place, ts);
      const before = just(ts);
      const known = places.get(place);
      if (known === undefined || later(known, before)) put(place, before);
    },
    caughtUp: (place, done) => (done ? release(place, UNREAD) : hold(place, UNREAD)),
    allTried() {
      state.tried = true;
      for (const place of [...ahead.keys()]) move(place);
      kept.save();
    },
    isTried: () => state.tried,
    places: () => [...new Set([...held.keys(), ...[...places.keys()].toReversed()])],
    since: (place) => places.get(place) ?? `${Math.max(0, Number.parseInt(begun, 10) - OVERLAP_SECONDS)}.000000`,
    save: kept.save,
    saved: kept.saved,
  };
}

/** One writing at a time, always of what is now. */
function keeping(host: ChannelHost, now: () => object): { change(): void; save(): void; saved(): Promise<void> } {
  const state = { dirty: true, work: Promise.resolve() };
  const save = (): void => {
    if (!state.dirty) return;
    state.dirty = false;
    state.work = state.work
      .then(() => host.cursor.put(JSON.stringify(now())))
      .catch((error: unknown) => {
        state.dirty = true;
        host.log("debug", "It could not be noted up to where Slack was read", { error: messageOf(error) });
      });
  };
  return {
    change: () => void (state.dirty = true),
    save,
    async saved() {
      save();
      await state.work;
    },
  };
}

function read(cursor: string | undefined): { at?: string; places: Map<string, string> } {
  try {
    const { at, places } = JSON.parse(cursor ?? "") as { at?: unknown; places?: Record<string, unknown> };
    const kept = Object.entries(places ?? {}).filter((one): one is [string, string] => isTs(one[1]));
    return { ...(isTs(at) ? { at } : {}), places: new Map(kept) };
  } catch {
    return { places: new Map() };
  }
}

export const isTs = (value: unknown): value is string => typeof value === "string" && /^\d{1,12}\.\d{6}$/.test(value);

/** Slack's times are text: seconds, a point, six digits that only order. */
export function later(one: string, other: string): boolean {
  const [a = "0", b = "0"] = one.split(".");
  const [c = "0", d = "0"] = other.split(".");
  return Number(a) === Number(c) ? Number(b) > Number(d) : Number(a) > Number(c);
}

/** The moment before. */
function just(ts: string): string {
  const [seconds = "0", parts = "0"] = ts.split(".");
  return Number(parts) > 0 ? `${seconds}.${String(Number(parts) - 1).padStart(6, "0")}` : `${Number(seconds) - 1}.999999`;
}
