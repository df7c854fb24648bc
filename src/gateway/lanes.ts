// For the older clients, one message of a conversation at a time: each gets its own answer, across sockets and requests.

/** Waits for its turn; the result lets the next one in and may be called twice. */
export type Lanes = (lane: string) => Promise<() => void>;

export function openLanes(): Lanes {
  const tails = new Map<string, Promise<void>>();
  return async (lane) => {
    const before = tails.get(lane) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const tail = before.then(() => promise);
    tails.set(lane, tail);
    void tail.then(() => {
      if (tails.get(lane) === tail) tails.delete(lane);
    });
    await before;
    return resolve;
  };
}
