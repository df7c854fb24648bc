// Waiting for a platform: not longer than a minute, and not longer than the connection is there.
import { StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";

/** Why it is gone, once that is told. */
export interface Lost {
  error?: Error;
  tell(error: Error): void;
}

/** Told by the adapter, or by whoever closes the channel. */
export function losing(lost: Lost, error: unknown): void {
  lost.error ??= error instanceof Error ? error : new StewardError("unavailable", String(error));
  lost.tell(lost.error);
}

/** Nothing is left behind by waiting, however often. */
export function unlessLost<T>(lost: Lost, work: Promise<T>): Promise<T> {
  if (lost.error) {
    work.catch(() => {});
    return Promise.reject(lost.error);
  }
  return new Promise((resolve, reject) => {
    lost.tell = reject;
    work.then(resolve, reject);
  });
}

export const withinMinute = <T>(work: Promise<T>): Promise<T> =>
  within(work, 60_000, () => new StewardError("unavailable", "The platform did not answer within a minute"));

const SOON_MS = 10_000;

/** Rejects as the work does; what takes longer is not waited for. */
export function soon(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, SOON_MS).unref()));
  return Promise.race([work, enough]).finally(() => clearTimeout(timer));
}
