// A push queue read as an async iterable; ends when `signal` aborts. The oldest items go when it is full.
export class Queue<T> implements AsyncIterable<T> {
  private items: T[] = [];
  private wake: (() => void) | undefined;
  private readonly signal: AbortSignal;
  private readonly limit: number;
  /** How many items were dropped because the reader was too slow. */
  dropped = 0;

  constructor(signal: AbortSignal, limit = 10_000) {
    this.signal = signal;
    this.limit = limit;
    signal.addEventListener("abort", () => this.wake?.(), { once: true });
  }

  push(item: T): void {
    this.items.push(item);
    if (this.items.length > this.limit) {
      this.items.shift();
      this.dropped++;
    }
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (!this.signal.aborted) {
      const batch = this.items;
      this.items = [];
      for (const item of batch) {
        if (this.signal.aborted) return;
        yield item;
      }
      if (this.items.length === 0 && !this.signal.aborted)
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }
}
