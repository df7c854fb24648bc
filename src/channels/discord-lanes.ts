// Work that must be kept: in order for each place, the places side by side, each piece again until it succeeded.
import { hasCode, messageOf, StewardError } from "../std/error.ts";

export interface Work {
  add(place: string, work: () => Promise<void>): void;
  /** Nothing waits. */
  idle(): boolean;
  /** Nothing new begins; resolves when what runs is done. */
  stop(): Promise<void>;
}
export interface Watching {
  log(text: string, more: Record<string, unknown>): void;
  /** A place has so much waiting that it had better be read anew. */
  overrun(error: StewardError): void;
  /** A piece was done. */
  done(): void;
}

const FIRST_MS = 250;
const LONGEST_MS = 30_000;
const MOST = 1000;

export function openLanes({ log, overrun, done }: Watching): Work {
  const lanes = new Map<string, (() => Promise<void>)[]>();
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      stopped.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  const run = async (place: string, queue: (() => Promise<void>)[]): Promise<void> => {
    let wait = FIRST_MS;
    while (queue.length > 0 && !stopped.signal.aborted) {
      try {
        await queue[0]!();
        queue.shift();
        wait = FIRST_MS;
        if (queue.length === 0) lanes.delete(place);
        done();
      } catch (error) {
        if (stopped.signal.aborted) return;
        log("What came from Discord could not be kept; it is tried again", { error: messageOf(error) });
        const until = hasCode(error, "unavailable") ? (error.retryAt ?? 0) - Date.now() : 0;
        await pause(Math.max(wait, until));
        wait = Math.min(wait * 2, LONGEST_MS);
      }
    }
  };
  return {
    add(place, work) {
      if (stopped.signal.aborted) return;
      const queue = lanes.get(place);
      if (queue) {
        if (queue.length >= MOST) overrun(new StewardError("unavailable", "More comes from Discord than can be kept"));
        else queue.push(work);
        return;
      }
      const own = [work];
      lanes.set(place, own);
      const whole = run(place, own).finally(() => running.delete(whole));
      running.add(whole);
    },
    idle: () => lanes.size === 0,
    async stop() {
      stopped.abort();
      await Promise.all(running);
    },
  };
}
