// What the rest needs of notices: texts for a person, not for the agent. They are src/notices.
import type { Commit } from "../core/store.ts";

export interface Told {
  text: string;
  /** The same twice is one notice. */
  key: string;
  /** Which part says it, for people: "schedule Backup", "channel telegram". */
  from: string;
  /** It goes on to the person's next channel until they have read it, also in quiet hours if they allow that. */
  urgent?: boolean;
  /** Where it came about. */
  session?: string;
  /** Not by this channel. */
  not?: string;
}
export interface Notices {
  /** The parts of a commit that tell a person: kept for the page, sent by the channel that they prefer. */
  telling(person: string, told: Told): Pick<Commit, "put" | "jobs">;
  tell(person: string, told: Told): Promise<void>;
  /** The person was here: what was urgent has been read. */
  here(person: string): Promise<void>;
  /** Somebody follows this session here, until what it returns is called. */
  looking(session: string): () => void;
  /** Whether somebody does, as far as this process knows. */
  isLookedAt(session: string): boolean;
}

/** Keeps nothing. */
export const noNotices: Notices = {
  telling: () => ({}),
  tell: async () => {},
  here: async () => {},
  looking: () => () => {},
  isLookedAt: () => false,
};
