// Up to where each channel of Discord was read, as one text that outlives a restart. Discord's ids carry their time, so one of them stands for all channels in which nothing happened since.
import type { ChannelHost } from "../core/channel.ts";

export interface Bookmarks {
  /** The id after which nothing of this channel was read. */
  of(channel: string): string;
  /** All up to this one was handed over. */
  moved(channel: string, id: string, direct: boolean): void;
  /** A conversation with one person that was not known; durable when it resolves, as Discord does not list them. */
  meet(channel: string, first: string): Promise<void>;
  direct(): string[];
  /** Nothing waits anywhere and nothing is missing: most of what is known becomes one id. */
  settled(): void;
  save(): Promise<void>;
}
interface Kept {
  at: string;
  direct: Record<string, string>;
  rooms: Record<string, string>;
}

const EPOCH = 1_420_070_400_000n;
const SAVE_MS = 500;
const MARGIN_MS = 60_000;
const MOST_DIRECT = 500;

/** The smallest id of that moment, epoch milliseconds. */
export const idAt = (ms: number): string => String((BigInt(Math.max(0, Math.floor(ms))) - EPOCH) << 22n);
const timeOf = (id: string): number => Number((BigInt(id) >> 22n) + EPOCH);
export const isAfter = (id: string, other: string): boolean => BigInt(id) > BigInt(other);

/** A bot that is new here begins with now. */
export async function openBookmarks({ cursor, now, log }: ChannelHost): Promise<Bookmarks> {
  const text = await cursor.get();
  const kept: Kept = read(text) ?? { at: idAt(now()), direct: {}, rooms: {} };
  const state: { timer?: NodeJS.Timeout; newest: string } = { newest: kept.at };
  const save = async (): Promise<void> => {
    clearTimeout(state.timer);
    delete state.timer;
    await cursor.put(JSON.stringify(kept));
  };
  if (text === undefined) await save();
  const later = (): void => {
    state.timer ??= setTimeout(
      () => void save().catch((error: unknown) => log("warning", "What was read of Discord could not be noted", { error: String(error) })),
      SAVE_MS,
    ).unref();
  };
  return {
    of: (channel) => kept.direct[channel] ?? kept.rooms[channel] ?? kept.at,
    moved(channel, id, direct) {
      const place = direct ? kept.direct : kept.rooms;
      const before = place[channel];
      if (before !== undefined && !isAfter(id, before)) return;
      delete place[channel]; // the newest come last
      place[channel] = id;
      if (isAfter(id, state.newest)) state.newest = id;
      const all = Object.keys(kept.direct);
      for (const old of all.slice(0, Math.max(0, all.length - MOST_DIRECT))) delete kept.direct[old];
      later();
    },
    async meet(channel, first) {
      if (kept.direct[channel] !== undefined) return;
      kept.direct[channel] = String(BigInt(first) - 1n);
      await save();
    },
    direct: () => Object.keys(kept.direct),
    settled() {
      const at = idAt(timeOf(state.newest) - MARGIN_MS);
      if (!isAfter(at, kept.at)) return;
      kept.at = at;
      for (const [room, id] of Object.entries(kept.rooms)) if (!isAfter(id, at)) delete kept.rooms[room];
      later();
    },
    save,
  };
}

function read(text: string | undefined): Kept | undefined {
  try {
    const { at, direct, rooms } = JSON.parse(text ?? "") as Kept;
    return /^\d+$/.test(at) ? { at, direct: { ...direct }, rooms: { ...rooms } } : undefined;
  } catch {
    return undefined;
  }
}
