// The search index as a SQLite file for each person, with vectors by an extension where there is one. The other leaf of the port is the store's, on Postgres.
import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Found, Indexes, SearchIndex, Space } from "../core/search-index.ts";
import { once } from "../std/once.ts";

const SCHEMA = `
CREATE TABLE document (ref TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE piece (id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL, place INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, vector INTEGER NOT NULL DEFAULT 0);
CREATE INDEX piece_ref ON piece (ref);
CREATE INDEX piece_bare ON piece (id) WHERE vector = 0;
CREATE VIRTUAL TABLE words USING fts5 (text, content = 'piece', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2", prefix = '2 3');
CREATE TRIGGER piece_in AFTER INSERT ON piece BEGIN INSERT INTO words (rowid, text) VALUES (new.id, new.text); END;
CREATE TRIGGER piece_out AFTER DELETE ON piece BEGIN INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text); END;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`;
const VERSION = 1;
/** So many are taken by their signs alone before they are compared in full. */
const COARSE = 8;

/** In `folder()`, named so that no person's id is a path. */
export function indexFiles(folder: () => string): Indexes {
  const pathOf = (person: string): string => join(folder(), `${createHash("sha256").update(person).digest("hex").slice(0, 32)}.db`);
  const extension = once(async () => (await import("sqlite-vec")).getLoadablePath());
  return {
    /** Without meanings where the extension was not installed for this machine. */
    async open({ person, space }) {
      const library = space && (await extension().catch(() => undefined));
      return openIndexFile(pathOf(person), space && library !== undefined ? { ...space, library } : undefined);
    },
    forget: async (person) => removeIndexFile(pathOf(person)),
  };
}

interface Vectorial extends Space {
  library: string;
}

/** Another space than before throws the vectors away. A file that can't be read is made anew. */
function openIndexFile(path: string, space: Vectorial | undefined): SearchIndex {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return opened(path, space);
  } catch (error) {
    if (!/malformed|not a database|no such|corrupt/i.test(String(error))) throw error;
    removeIndexFile(path);
    return opened(path, space);
  }
}

function removeIndexFile(path: string): void {
  for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${end}`, { force: true });
}

function databaseAt(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000, allowExtension: true });
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  const { user_version: version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version === VERSION) return db;
  if (version !== 0) throw new Error("no such version");
  db.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`);
  return db;
}

function opened(path: string, space: Vectorial | undefined): SearchIndex {
  const db = databaseAt(path);
  const vectors = space ? vectorTable(db, space) : undefined;
  const inOne = <T>(work: () => T): T => {
    db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      db.exec("COMMIT");
      return result;
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  };
  const drop = (ref: string): void => {
    vectors?.drop(ref);
    db.prepare("DELETE FROM piece WHERE ref = ?").run(ref);
    db.prepare("DELETE FROM document WHERE ref = ?").run(ref);
  };
  const insert = db.prepare("INSERT INTO piece (ref, place, at, text) VALUES (?, ?, ?, ?)");
  const known = db.prepare("SELECT version FROM document WHERE ref = ?");
  return {
    meanings: vectors !== undefined,
    versions: async (prefix) => {
      const rows = db.prepare("SELECT ref, version FROM document WHERE substr(ref, 1, ?) = ?").all(prefix.length, prefix);
      return new Map(rows.map(({ ref, version }) => [String(ref), String(version)]));
    },
    put: async ({ ref, before, version, pieces, keep = false }) =>
      inOne(() => {
        if (known.get(ref)?.["version"] !== before) return false;
        if (!keep) drop(ref);
        db.prepare("INSERT OR REPLACE INTO document (ref, version) VALUES (?, ?)").run(ref, version);
        for (const { place, at, text } of pieces) insert.run(ref, place, at, text);
        return true;
      }),
    drop: async (ref) => inOne(() => drop(ref)),
    byWords: async (words, limit) => (words.length === 0 ? [] : withWords(db, words, limit)),
    byMeaning: async (vector, limit) => vectors?.near(vector, limit) ?? [],
    async fill(limit, embed) {
      const bare = vectors
        ? (db.prepare("SELECT id, text FROM piece WHERE vector = 0 ORDER BY id DESC LIMIT ?").all(limit) as { id: number; text: string }[])
        : [];
      if (bare.length === 0) return 0;
      const made = await embed(bare.map(({ text }) => text));
      inOne(() => vectors?.set(bare.map(({ id }, at) => ({ id, vector: made[at]! }))));
      return bare.length;
    },
    counts: async () => countsOf(db),
    close: () => db.close(),
  };
}

const withWords = (db: DatabaseSync, words: string[], limit: number): Found[] =>
  db
    .prepare(
      "SELECT ref, place, at, piece.text FROM words JOIN piece ON piece.id = words.rowid WHERE words MATCH ? ORDER BY words.rank LIMIT ?",
    )
    .all(words.map((word) => `"${word.replaceAll('"', "")}"*`).join(" AND "), limit) as unknown as Found[];

function countsOf(db: DatabaseSync): Awaited<ReturnType<SearchIndex["counts"]>> {
  const count = (sql: string): number => (db.prepare(sql).get() as { n: number }).n;
  return {
    pieces: count("SELECT count(*) n FROM piece"),
    vectors: count("SELECT count(*) n FROM piece WHERE vector = 1"),
  };
}

interface Vectors {
  set(all: { id: number; vector: Float32Array }[]): void;
  drop(ref: string): void;
  near(vector: Float32Array, limit: number): Found[];
}

function vectorTable(db: DatabaseSync, { name, dimensions, library }: Vectorial): Vectors {
  db.enableLoadExtension(true);
  db.loadExtension(library);
  db.enableLoadExtension(false);
  const space = `${name} ${dimensions}`;
  const before = db.prepare("SELECT value FROM setting WHERE name = 'space'").get() as { value: string } | undefined;
  if (before?.value !== space)
    db.exec(`BEGIN; DROP TABLE IF EXISTS meaning; UPDATE piece SET vector = 0;
      CREATE VIRTUAL TABLE meaning USING vec0 (id INTEGER PRIMARY KEY, whole float[${dimensions}] distance_metric=cosine, signs bit[${dimensions}]);
      INSERT OR REPLACE INTO setting VALUES ('space', '${space.replaceAll("'", "''")}'); COMMIT`);
  db.exec("DELETE FROM meaning WHERE id NOT IN (SELECT id FROM piece)"); // those of texts that went while there was no space
  const insert = db.prepare("INSERT OR REPLACE INTO meaning (id, whole, signs) VALUES (?, ?, vec_quantize_binary(?))");
  const mark = db.prepare("UPDATE piece SET vector = 1 WHERE id = ?");
  const near = db.prepare(`WITH coarse AS (SELECT id, whole FROM meaning WHERE signs MATCH vec_quantize_binary(?) AND k = ?)
    SELECT ref, place, at, text FROM coarse JOIN piece ON piece.id = coarse.id ORDER BY vec_distance_cosine(whole, ?) LIMIT ?`);
  const bytes = (vector: Float32Array): Uint8Array => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return {
    set(all) {
      // A text may have gone while its vector was made.
      for (const { id, vector } of all) if (Number(mark.run(id).changes) > 0) insert.run(BigInt(id), bytes(vector), bytes(vector));
    },
    drop: (ref) => void db.prepare("DELETE FROM meaning WHERE id IN (SELECT id FROM piece WHERE ref = ?)").run(ref),
    near: (vector, limit) => near.all(bytes(vector), Math.min(4096, limit * COARSE), bytes(vector), limit) as unknown as Found[],
  };
}
