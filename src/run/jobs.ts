// What the job of a turn carries, how long a lease lasts, and how a person stops a turn. Claiming and running is `worker.ts`.
import type { Job, NewJob } from "../core/store.ts";
import type { Principal, Rights } from "../core/types.ts";
import { newId } from "../std/id.ts";
import type { Steward } from "./steward.ts";

/** A job that nobody renewed for this long is free for another worker; it is renewed three times as often. */
export const LEASE_MS = 60_000;

export interface TurnData {
  session: string;
  principal: Principal;
  /** Model calls at most, for doors that promise fewer than the setting. */
  rounds?: number;
  /** Whether the model shall reason, for doors that let their clients say. */
  think?: boolean;
  /** The older part of the window shall become a summary, also when it fits; there may be nothing to answer. */
  compact?: boolean;
  ceiling?: Ceiling;
  /** Of the message that it came for, where that has its own. */
  rights?: Rights;
}
/** What the turn may cost with its helpers: US dollars, tokens. `of`: the turn with which it is counted, where it goes on with what that one began. */
export interface Ceiling {
  dollars?: number;
  tokens?: number;
  of?: { session: string; turn: string };
}

/** What a worker holds of a job that it runs. The turn keeps `turn` and `waiting` current. */
export interface Hold {
  /** Aborts with reason "cancelled" by a person, or a `stale` error when another worker owns the job or Steward stops. */
  abort: AbortController;
  /** The open turn: only a Stop that is meant for it counts. */
  turn?: string;
  /** It waits for a person, so it takes no place from others. */
  waiting: boolean;
  /** Calls that wait for helper agents. */
  away?: number;
  /** To be called when `waiting` became true. */
  changed(): void;
}

/** What a kind of job does. Ends with a commit that holds the lease; throwing lets it be tried again. */
export type Work = (steward: Steward, job: Job, hold: Hold) => Promise<void>;

/** The person stands first in the principal: so stores find whose job it is. */
export const turnJob = (
  session: string,
  { person, role, via }: Principal,
  how: Pick<TurnData, "rounds" | "think" | "compact" | "ceiling" | "rights"> = {},
): NewJob => ({
  id: newId("job"),
  kind: "turn",
  lane: session,
  data: { session, principal: { person, role, via }, ...how } satisfies TurnData,
});

/** Holds the id of the turn that is to stop, so that a Stop which comes late never hits the next one. */
export const cancelKey = (session: string): string => `cancel/${session}`;

/** The parts of a commit that stop a turn, also one that nobody runs. The live event beside it only makes it quick. */
export const cancelling = (session: string, who: Principal, turn: string): { put: Record<string, unknown>; jobs: NewJob[] } => ({
  put: { [cancelKey(session)]: turn },
  jobs: [turnJob(session, who)],
});
