// Counts failed attempts per address in a sliding minute. Counting is synchronous, so parallel attempts are all seen.

export interface Tries {
  /** Counts one; the time to wait for when there were too many. */
  count(key: string): number | undefined;
  over(key: string): boolean;
}

const MAX_KEYS = 10_000;

export function openTries(now: () => number, { limit, windowMs }: { limit: number; windowMs: number }): Tries {
  const seen = new Map<string, { count: number; until: number }>();
  const current = (key: string): { count: number; until: number } => {
    const old = seen.get(key);
    if (old && old.until > now()) return old;
    seen.delete(key);
    const fresh = { count: 0, until: now() + windowMs };
    seen.set(key, fresh);
    if (seen.size > MAX_KEYS) seen.delete(seen.keys().next().value!);
    return fresh;
  };
  return {
    count(key) {
      const one = current(key);
      one.count++;
      return one.count > limit ? one.until : undefined;
    },
    over: (key) => current(key).count >= limit,
  };
}
