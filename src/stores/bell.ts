// Tells the watchers of one process what changed. Knows nothing of databases.
import type { Notice } from "../core/store.ts";

const LIMIT = 10_000;

/** One watcher's post. When the reader is slow the oldest live events go; that a session changed is never lost. */
class Box {
  items: Notice[] = [];
  ended = false;
  wake: (() => void) | undefined;
  private room = LIMIT;

  push(notice: Notice): void {
    this.items.push(notice);
    if (this.items.length > this.room) this.squeeze();
    this.wake?.();
  }

  take(): Notice[] {
    const items = this.items;
    this.items = [];
    this.room = LIMIT;
    return items;
  }

  /** Keeps the newest quarter of live events and the last word on each session, in order. */
  private squeeze(): void {
    const kept: Notice[] = [];
    const said = new Map<string | undefined, number>();
    let live = LIMIT / 4;
    for (const notice of this.items.reverse()) {
      const place = said.get(notice.session);
      if (notice.live && live-- <= 0) continue;
      if (notice.live) kept.push(notice);
      else if (place === undefined) said.set(notice.session, kept.push(notice) - 1);
      else if (notice.jobs) kept[place] = { ...kept[place], jobs: true };
    }
    this.items = kept.reverse();
    this.room = Math.max(LIMIT, 2 * this.items.length);
  }

  end(): void {
    this.ended = true;
    this.wake?.();
  }
}

export class Bell {
  private readonly boxes = new Set<Box>();
  private closed = false;

  ring(notices: readonly Notice[]): void {
    for (const box of this.boxes) for (const notice of notices) box.push(notice);
  }

  /** Hears from this call on, not from the first read on. */
  watch(signal: AbortSignal): AsyncIterable<Notice> {
    const box = new Box();
    const stop = () => {
      this.boxes.delete(box);
      signal.removeEventListener("abort", stop);
      box.end();
    };
    if (signal.aborted || this.closed) box.end();
    else {
      this.boxes.add(box);
      signal.addEventListener("abort", stop);
    }
    return { [Symbol.asyncIterator]: () => drain(box, stop) };
  }

  close(): void {
    this.closed = true;
    for (const box of this.boxes) box.end();
    this.boxes.clear();
  }
}

async function* drain(box: Box, stop: () => void): AsyncGenerator<Notice> {
  try {
    while (!box.ended) {
      for (const notice of box.take()) {
        if (box.ended) return;
        yield notice;
      }
      if (box.items.length === 0 && !box.ended)
        await new Promise<void>((resolve) => {
          box.wake = resolve;
        });
    }
  } finally {
    stop();
  }
}
