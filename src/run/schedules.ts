// What the rest needs of schedules and of the heartbeat. They are src/schedules.
import type { Principal } from "../core/types.ts";
import type { Scope } from "./approval.ts";
import type { Need } from "./identity.ts";
import type { Journal } from "./journal.ts";

export interface Schedules {
  /** From now on watches the clock and HEARTBEAT.md. */
  begin(): void;
  /** The same once, now: after a reload. Resolves to what is wrong with HEARTBEAT.md. */
  look(): Promise<string[]>;
  /** The same as it was found last. */
  problems(): string[];
  /** A wish of the agent, in the words of the tool `schedule_task`. */
  wish(scope: Scope, journal: Journal, input: Record<string, unknown>): Promise<unknown>;
  /** What a call needs a person for when it is such a wish; of every other nothing. */
  needs(scope: Scope, call: { tool: string; input: Record<string, unknown> }): Promise<Need[]>;
  /** The way back of a change of a document. False: the document is no schedule. */
  restore(who: Principal, key: string, before: unknown): Promise<boolean>;
  close(): void;
}
