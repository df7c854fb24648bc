// The port of the store: all state, and the one way to write it.
import type { Event, LiveEvent, Stored } from "./events.ts";
import type { SharedIndexes } from "./search-index.ts";

/** All state. `commit` is the only write and is atomic; every member throws StewardError("unavailable") when the database can't be reached. */
export interface Store {
  /** Appends, writes, enqueues and settles together or not at all. Returns the stored events, [] when `once` was used before. */
  commit(change: Commit): Promise<Stored[]>;
  /** Oldest first. `after`/`before` are exclusive numbers; with `last` the newest that many. */
  events(session: string, range?: { after?: number; before?: number; limit?: number; last?: number }): Promise<Stored[]>;
  /** The oldest due job of these kinds whose lane is free. The kinds a node claims are its roles. `not`: none whose data has one of these persons as its principal. */
  claim(worker: string, kinds: string[], leaseMs: number, not?: string[]): Promise<Job | undefined>;
  get(key: string): Promise<unknown>;
  /** Documents whose key begins with `prefix`, by key. With `first` only those with the smallest keys, with `last` only those with the greatest, that many. */
  list(prefix: string, range?: { first?: number; last?: number }): Promise<{ key: string; value: unknown }[]>;
  /** Sessions of this person whose messages hold all words (any case, prefixes count), newest first. */
  search(person: string, words: string, limit: number): Promise<{ session: string; seq: number; at: number; text: string }[]>;
  /** How many jobs wait (due now), wait (later), run; the earliest due time. */
  jobs(): Promise<{ due: number; later: number; running: number; next?: number }>;
  /** Of a store that several processes may use; absent where one process has it for itself. */
  shared?: SharedIndexes;
  publish(session: string, event: LiveEvent): void;
  /** Every commit and every live event from now on, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<Notice>;
  close(): Promise<void>;
}
/** `seq` is the session's newest number after a commit; `jobs` says that work was enqueued. */
export interface Notice {
  session?: string;
  seq?: number;
  jobs?: boolean;
  live?: LiveEvent;
}
export interface Commit {
  /** Idempotency key: a second commit with the same key does nothing and returns []. */
  once?: string;
  /** Idempotency keys that nobody uses again, so they need not be kept: those that begin so and were used before that time. */
  spent?: { prefix: string; before: number };
  events?: { session: string; event: Event }[];
  put?: Record<string, unknown>;
  /** Shallow-merges into an existing document (or an empty one); null removes a field. Read and written inside the transaction. */
  merge?: Record<string, Record<string, unknown>>;
  /** Adds to number fields of a document, from 0. */
  add?: Record<string, Record<string, number>>;
  drop?: string[];
  jobs?: NewJob[];
  /** Jobs that would come after this time come then, but those of these kinds: the clock was set back. */
  sooner?: { by: number; but: string[] };
  /** Proves this worker still owns the job; a stale epoch rejects the whole commit with `stale`. */
  lease?: { job: string; epoch: number; then: "done" | { keepMs: number } | { retryAt: number } };
  /** Deletes the whole logs and search texts of these sessions. */
  erase?: string[];
}
/** At most one job per lane is leased at a time. A schedule is a job with a future `runAt` (epoch milliseconds). */
export interface NewJob {
  id: string;
  kind: string;
  lane: string;
  runAt?: number;
  data: unknown;
}
export interface Job extends NewJob {
  epoch: number;
  /** How often it was claimed, this time included. */
  tries: number;
}
