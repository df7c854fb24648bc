// The port of the search index: pieces of one person's texts, their words, and what they mean as vectors. A cache: it can be made again.
export interface Piece {
  /** Where in its document: a line of a file, a number in a log. */
  place: number;
  /** Epoch milliseconds. */
  at: number;
  text: string;
}
export interface Found extends Piece {
  ref: string;
}
/** A model of vectors and their length. Vectors of one are never compared with those of another. */
export interface Space {
  name: string;
  dimensions: number;
}
/** All of it is one person's. References begin with `said:` or `file:`; those of files count for one home only. */
export interface SearchIndex {
  /** Vectors are kept. */
  meanings: boolean;
  /** Version of each document by its reference, of those that begin with `prefix`. */
  versions(prefix: string): Promise<Map<string, string>>;
  /** Replaces a document, with `keep` adds to it. False, and nothing is done, when its version is not `before` any more: somebody else was faster. */
  put(document: { ref: string; before: string | undefined; version: string; pieces: Piece[]; keep?: boolean }): Promise<boolean>;
  drop(ref: string): Promise<void>;
  /** Those that hold all words (any case, beginnings count), best first. */
  byWords(words: string[], limit: number): Promise<Found[]>;
  /** Nearest first; none without a space. */
  byMeaning(vector: Float32Array, limit: number): Promise<Found[]>;
  /** Gives the newest texts that have no vector, and that nobody else is at, to `embed` and keeps what comes back. Resolves to how many; throws what `embed` throws. */
  fill(limit: number, embed: (texts: string[]) => Promise<Float32Array[]>): Promise<number>;
  counts(): Promise<{ pieces: number; vectors: number }>;
  close(): void;
}
export interface Indexes {
  /** `home`: id of the home whose files are meant. Another space than before: what has no vector there is given to `fill` again. */
  open(of: { person: string; home: string; space?: Space | undefined }): Promise<SearchIndex>;
  forget(person: string): Promise<void>;
}
/** Of a store: an index that all its processes share, or why there is none, for people. */
export type SharedIndexes = { indexes: Indexes; about: string } | { missing: string };
