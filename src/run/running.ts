// What one run of a turn's job works on: its window of the log, kept current, and the one way in which it writes.
import type { Event, Stored } from "../core/events.ts";
import { isAside } from "../core/history.ts";
import type { Commit, Job, NewJob } from "../core/store.ts";
import type { Principal, Rights } from "../core/types.ts";
import type { Choice } from "./choice.ts";
import type { TurnState } from "./context.ts";
import { type Hold, LEASE_MS } from "./jobs.ts";
import { sessionKey, type SessionDoc } from "./sessions.ts";
import type { Steward } from "./steward.ts";

export interface Running {
  steward: Steward;
  principal: Principal;
  session: string;
  /** Set in a helper agent's session: the session it works for. */
  senior?: string;
  /** Set in a background task's session. */
  task?: string;
  /** Everything that is written carries its lease. */
  job: Job;
  log: LogView;
  state: TurnState;
  hold: Hold;
  /** Those of the message that the turn began with, where it has its own. */
  rights?: Rights;
  /** Up to where the open turn has really read the person's messages. */
  seen: number;
  /** Tokens of history at most, since a model refused more in this run. */
  window?: number;
}

export interface Shortening {
  /** The session's own: who may see its transcript. */
  choice: Choice;
  /** Which pays for it. */
  turn: string;
  /** The window is longer than what was read, so it must be shortened. */
  cut?: boolean;
  /** A person wants it, although the window fits. */
  asked?: boolean;
  /** The model said that this is too long. */
  refused?: boolean;
}
/** Makes a summary of the older part of a window that is too long. False when the next request would be no shorter: the window fits, or there is no turn that could go. What comes meanwhile stays in the window. */
export type Compact = (running: Running, wish: Shortening) => Promise<boolean>;

interface Kept {
  events?: Event[];
  put?: Record<string, unknown>;
  add?: Record<string, Record<string, number>>;
  /** Into the session's document. */
  merge?: Partial<SessionDoc>;
  drop?: string[];
  jobs?: NewJob[];
  lease?: "done" | { retryAt: number };
}

/** Writes with the lease, so that a worker that lost it can write nothing. */
export async function keep(running: Running, { events = [], merge, lease, ...more }: Kept): Promise<void> {
  const { steward, session, principal, job, log } = running;
  const change: Commit = {
    ...more,
    lease: { job: job.id, epoch: job.epoch, then: lease ?? { keepMs: LEASE_MS } },
    ...(events.length > 0 ? { events: events.map((event) => ({ session, event })) } : {}),
    ...(merge ? { merge: { [sessionKey(principal.person, session)]: merge } } : {}),
  };
  log.add(await steward.store.commit(change));
}

export interface LogView {
  /** Everything of the window, what others wrote meanwhile included. */
  read(): Promise<Stored[]>;
  add(stored: Stored[]): void;
}

export function logView({ store }: Steward, session: string, log: Stored[]): LogView {
  const newest = (): number => log.at(-1)?.seq ?? 0;
  return {
    add(stored) {
      if (stored[0]?.seq === newest() + 1) log.push(...stored);
    },
    async read() {
      const news = await store.events(session, { after: newest() });
      log.push(...news.filter((stored) => stored.seq > newest() && !isAside(stored))); // a second read may have been faster
      return log;
    },
  };
}
