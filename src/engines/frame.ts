// What all engines that are programs have around a turn: calls left from before, the workplace, what ends it, and the outcome whatever happens.
import type { EngineHost, Host, Message, Outcome, Turn } from "../core/ports.ts";
import { resultText } from "../core/history.ts";
import type { Failure, Part, Stop } from "../core/types.ts";
import type { Workplace } from "../core/workplace.ts";
import { failureOf, hasCode, StewardError } from "../std/error.ts";
import { openRecord, type Record } from "./record.ts";

export interface Frame {
  turn: Turn;
  host: Host;
  place: Workplace;
  record: Record;
  /** Results of calls that a restart had left open. */
  more: Message[];
  file: EngineHost["file"];
}
export interface Ended {
  stop: Stop;
  /** The program's own session, when it holds all of this turn. */
  resume?: string;
  /** US dollars, as the program says: of what went by no door. What went by one is another model than it believes. */
  cost?: number;
  error?: Failure;
  /** What it said last is not the model's. */
  mute?: boolean;
  /** What its own session holds of this turn is not known. */
  lost?: boolean;
}

/** Throws `stale` only. `work` ends what it started. */
export async function framed(turn: Turn, host: Host, work: (frame: Omit<Frame, "file">) => Promise<Ended>): Promise<Outcome> {
  const record = openRecord(turn, host);
  const held: { place?: Workplace; faulty?: () => Failure | undefined } = {};
  const attempt = async (): Promise<Ended> => {
    const more = await leftOver(turn, host);
    if (host.signal.aborted) return { stop: "cancelled" };
    const opening = host.workplace();
    const place = await Promise.race([opening, aborted(host.signal)]);
    if (place === undefined) return { stop: "cancelled" };
    held.place = place;
    held.faulty = newFault(place);
    return work({ turn, host, place, record, more });
  };
  const {
    cost,
    mute = false,
    lost: _,
    ...ended
  } = await attempt().catch((error: unknown): Ended => {
    if (hasCode(error, "stale")) throw error;
    if (host.signal.aborted) return { stop: "cancelled" };
    return { stop: "failed", error: held.faulty?.() ?? failureOf(error) };
  });
  const last = await record.close();
  const used = held.place?.used();
  const usage = used === undefined ? {} : { usage: { ...used, ...(cost && used.output === 0 ? { cost } : {}) } };
  return { ...ended, seen: record.seen(), last: mute ? [] : last, ...usage };
}

/** Resolves when the turn is to end. */
export const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });

/** Steward's own calls are made; the program's own, whose beginning is in the log, are said to be unknown. */
async function leftOver({ pending }: Turn, host: Host): Promise<Message[]> {
  const results: Message[] = [];
  for (const call of pending)
    if (!host.signal.aborted) results.push({ role: "tool", call: call.id, tool: call.tool, result: resultText(await host.call(call)) });
  return results;
}

const LOOK_MS = 100;
/** A program's own tools have limits of their own: so much longer it may be silent while one of them runs. */
export const TOOL_MS = 900_000;

export interface Watch {
  /** Rejects with what makes waiting for the program pointless. */
  failed: Promise<never>;
  stop(): void;
}

interface Watched {
  name: string;
  idleMs: number;
  /** Milliseconds, as `Date.now()`. */
  heard(): number;
  /** A person is waited for. */
  asking(): boolean;
  /** One of its own tools runs. */
  working(): boolean;
}

/** Looks at the model's door, since programs hide for long what is wrong there, and at how long the program has been silent: what it waits for at Steward's doors is no silence of its own. */
export function watch(place: Workplace, { name, idleMs, heard, asking, working }: Watched): Watch {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const faulty = newFault(place);
  const held = { at: 0 };
  const timer = setInterval(() => {
    if (place.waiting?.() || asking()) held.at = Date.now();
    const fault = faulty();
    if (fault !== undefined) failed.reject(asError(fault));
    const limit = idleMs + (working() ? TOOL_MS : 0);
    if (Date.now() - Math.max(heard(), held.at) > limit) failed.reject(silent(name, limit));
  }, LOOK_MS);
  return { failed: failed.promise, stop: () => clearInterval(timer) };
}

/** From now on: what the program can do nothing about, such as a limit, an outage, a refused key, the budget; and what it made nothing of. A request that was wrong it may correct. */
export function newFault(place: Workplace): () => Failure | undefined {
  const before = place.fault();
  return () => {
    const fault = place.fault();
    return fault !== undefined && fault !== before && ["limit", "unavailable", "denied"].includes(fault.code) ? fault : undefined;
  };
}

export const asError = ({ code, message, ...more }: Failure): StewardError => new StewardError(code, message, more);

const silent = (name: string, ms: number): StewardError =>
  new StewardError("unavailable", `${name} has said nothing for ${Math.round(ms / 1000)} seconds`, {
    hint: "The setting idleSeconds of the engine says how long is waited.",
  });

/** Files as what a program takes: images where it can, anything else by name and place. */
export async function images(parts: Part[], session: string, file: EngineHost["file"]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const part of parts)
    if (part.type === "file" && part.mime.startsWith("image/"))
      found.set(part.id, Buffer.from(await file(session, part.id)).toString("base64"));
  return found;
}
