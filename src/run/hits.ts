// The seam of search: what was said, what stands in the workspace's files and what is remembered, found by words and by meaning. Made in search/.
import type { Principal } from "../core/types.ts";

/** Where it comes from, its time, and the piece of text that was found. */
export type Hit = { text: string; at: number; by: "words" | "meaning" | "both" } & (
  | { from: "said"; session: string; number: number }
  /** As the person's computer names it. */
  | { from: "file"; path: string; line: number }
  | { from: "fact"; id: string }
);
export interface Looked {
  /** Messages and pieces of files that are known, those with a meaning, and files. */
  files: number;
  pieces: number;
  vectors: number;
  /** What could not be read or understood, for people. */
  problems: string[];
  /** Milliseconds. */
  ms: number;
}
export interface Search {
  /** This person's only; best first. `session`: the one whose model reads it, which then finds nothing that a pin keeps on this machine, unless the pin is its own too. */
  find(who: Principal, wanted: { words: string; limit: number; session?: string }): Promise<Hit[]>;
  /** Looks through the workspace and what was said since. Twice at once is once. */
  sync(who: Principal, signal?: AbortSignal): Promise<Looked>;
  /** Throws away what is known of these sessions. */
  erase(person: string, sessions: string[]): Promise<void>;
  /** Throws away what is known of a person. */
  forget(person: string): Promise<void>;
  close(): void;
}
