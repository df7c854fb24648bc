// The store in the SQL that SQLite and Postgres share. A driver brings transactions, notices to other processes and its full-text statements.
import { type Event, type LiveEvent, spoken, type Stored } from "../core/events.ts";
import type { Job, Notice, Store } from "../core/store.ts";
import { StewardError } from "../std/error.ts";
import { broken, type Broken } from "./audit.ts";
import type { Bell } from "./bell.ts";
import { apply, noticesOf, parse } from "./commit.ts";
import { wordsOf } from "./words.ts";

export type Value = string | number | null;
export type Row = Record<string, Value>;
export type Statement = readonly [sql: string, ...values: Value[]];
/** Work as data: yields statements that may be sent together and gets the rows of each, so one text runs synchronously on SQLite and pipelined on Postgres. */
export type Steps<T> = Generator<Statement[], T, Row[][]>;

export interface Sql {
  /** Each statement for itself. */
  read<T>(steps: Steps<T>): Promise<T>;
  /** One transaction. `tell` makes the notices that go out with it. `alone`: on no process does another such transaction run at the same time. `steps` may be called again after a deadlock. */
  write<T>(steps: () => Steps<T>, more?: { tell?: (result: T) => Notice[]; alone?: boolean }): Promise<T>;
  words: {
    learn(where: { session: string; seq: number; person: string }, words: string[]): Statement[];
    forget(session: string): Statement[];
    /** $1 pattern, $2 person, $3 limit; rows of session, seq, at, body, newest first. */
    find: string;
    pattern(words: string[]): string;
  };
  bell: Bell;
  publish(session: string, event: LiveEvent): void;
  close(): Promise<void>;
}
/** `audit` reads whole logs and names each event that was changed or removed behind the store's back. */
export type AuditedStore = Store & { audit(session?: string): Promise<Broken[]> };

/** Numbered from 1; what is released is never edited, only added to. `key`: type of text that sorts by code point; `serial`: a rising number as primary key. */
export const migrations = ({ key, serial, words }: { key: string; serial: string; words: string[] }): string[][] => [
  [
    `CREATE TABLE heads (session ${key} PRIMARY KEY, seq BIGINT NOT NULL, person ${key} NOT NULL, chain TEXT NOT NULL)`,
    `CREATE TABLE events (session ${key} NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, body TEXT NOT NULL, chain TEXT NOT NULL, PRIMARY KEY (session, seq))`,
    `CREATE TABLE docs (key ${key} PRIMARY KEY, value TEXT NOT NULL)`,
    `CREATE TABLE once (key ${key} PRIMARY KEY, at BIGINT NOT NULL)`,
    `CREATE TABLE jobs (n ${serial}, id ${key} NOT NULL UNIQUE, kind ${key} NOT NULL, lane ${key} NOT NULL, run_at BIGINT NOT NULL, until BIGINT NOT NULL DEFAULT 0,
      running ${key}, worker TEXT, epoch INT NOT NULL DEFAULT 0, tries INT NOT NULL DEFAULT 0, data TEXT NOT NULL)`,
    "CREATE INDEX jobs_due ON jobs (run_at, n, kind, lane)",
    "CREATE UNIQUE INDEX jobs_running ON jobs (running) WHERE running IS NOT NULL",
    ...words,
  ],
];

export const tooNew = (found: number, known: number): StewardError =>
  new StewardError("conflict", `The database has schema ${found}; this Steward knows up to ${known}`, {
    hint: "Upgrade Steward. The database was not changed.",
  });

/** The lease of a process that is gone holds up nobody. */
export const FREE_LEASES = "UPDATE jobs SET running = NULL, until = 0 WHERE running IS NOT NULL";

export function sqlStore(sql: Sql, now: () => number): AuditedStore {
  return {
    async commit(change) {
      return (
        (await sql.write(() => apply(change, now(), sql.words), { tell: (stored) => (stored ? noticesOf(change, stored) : []) })) ?? []
      );
    },
    events: (session, range = {}) => sql.read(eventsOf(session, range)),
    async claim(worker, kinds, leaseMs, not = []) {
      const seen = kinds.length > 0 ? await sql.read(candidate({ kinds, not, at: now() })) : undefined;
      return seen && sql.write(() => take(worker, seen, { kinds, not, at: now(), leaseMs }), { alone: true });
    },
    get: (key) => sql.read(document(key)),
    list: (prefix, range = {}) => sql.read(documents(prefix, range)),
    search: (person, words, limit) => sql.read(search(sql.words, person, { words, limit })),
    jobs: () => sql.read(counts(now())),
    publish: (session, event) => sql.publish(session, event),
    watch: (signal) => sql.bell.watch(signal),
    audit: (session) => broken(sql, session),
    close: () => sql.close(),
  };
}

/** A person is looked for in the text of the data, where quotes within texts are escaped, so that only a principal can look so. */
const candidateOf = (kinds: number, not: number): string => `SELECT id, lane FROM jobs WHERE run_at <= $1
  AND kind IN (${Array.from({ length: kinds }, (_, n) => `$${n + 2}`).join(", ")})
  ${Array.from({ length: not }, (_, n) => `AND data NOT LIKE $${n + 2 + kinds} ESCAPE '!'`).join(" ")}
  AND NOT EXISTS (SELECT 1 FROM jobs busy WHERE busy.running = jobs.lane AND busy.until > $1) ORDER BY run_at, n LIMIT 1`;

const LEASE = `UPDATE jobs SET running = lane, until = $2, worker = $3, epoch = epoch + 1, tries = tries + 1
  WHERE id = $1 AND run_at <= $5 AND NOT EXISTS (SELECT 1 FROM jobs busy WHERE busy.running = $4) RETURNING id, kind, lane, run_at, data, epoch, tries`;

interface Wanted {
  kinds: string[];
  not: string[];
  at: number;
}
const principalLike = (person: string): string => `%"principal":{"person":${JSON.stringify(person).replace(/[!%_]/g, "!$&")},%`;

function* candidate({ kinds, not, at }: Wanted): Steps<Row | undefined> {
  return (yield [[candidateOf(kinds.length, not.length), at, ...kinds, ...not.map(principalLike)]])[0]?.[0];
}

/** `seen` may be out of date: then the next one is looked for. The unique index on `running` makes two leases in a lane impossible, whatever else goes wrong. */
function* take(worker: string, seen: Row, { kinds, not, at, leaseMs }: Wanted & { leaseMs: number }): Steps<Job | undefined> {
  for (let due: Row | undefined = seen; due; due = yield* candidate({ kinds, not, at })) {
    const [, rows] = yield [
      ["UPDATE jobs SET running = NULL, until = 0 WHERE running = $1 AND until <= $2", due["lane"]!, at],
      [LEASE, due["id"]!, Math.ceil(at + leaseMs), worker, due["lane"]!, at],
    ];
    const row = rows?.[0];
    if (row)
      return {
        ...{ id: String(row["id"]), kind: String(row["kind"]), lane: String(row["lane"]), runAt: Number(row["run_at"]) },
        ...{ data: parse(row["data"], `job ${row["id"]}`), epoch: Number(row["epoch"]), tries: Number(row["tries"]) },
      };
  }
  return undefined;
}

function* eventsOf(
  session: string,
  { after = 0, before = Number.MAX_SAFE_INTEGER, limit, last }: { after?: number; before?: number; limit?: number; last?: number },
): Steps<Stored[]> {
  const order = last === undefined ? "ASC" : "DESC";
  const sql = `SELECT seq, at, body FROM events WHERE session = $1 AND seq > $2 AND seq < $3 ORDER BY seq ${order} LIMIT $4`;
  const [rows = []] = yield [[sql, session, after, before, last ?? limit ?? Number.MAX_SAFE_INTEGER]];
  if (last !== undefined) rows.reverse();
  return (last === undefined ? rows : rows.slice(0, limit)).map((row) => toStored(session, row));
}

const toStored = (session: string, row: Row): Stored => {
  const seq = Number(row["seq"]);
  return { session, seq, at: Number(row["at"]), event: parse(row["body"], `event ${seq} of session ${session}`) as Event };
};

function* document(key: string): Steps<unknown> {
  const row = (yield [["SELECT value FROM docs WHERE key = $1", key]])[0]?.[0];
  return row && parse(row["value"], `document ${key}`);
}

function* documents(prefix: string, { first, last }: { first?: number; last?: number }): Steps<{ key: string; value: unknown }[]> {
  const order = last === undefined ? "ASC" : "DESC";
  const sql = `SELECT key, value FROM docs WHERE key >= $1 AND key < $2 ORDER BY key ${order} LIMIT $3`;
  const [rows = []] = yield [[sql, prefix, `${prefix}\u{10ffff}`, last ?? first ?? Number.MAX_SAFE_INTEGER]];
  if (last !== undefined) rows.reverse();
  return rows.map((row) => ({ key: String(row["key"]), value: parse(row["value"], `document ${row["key"]}`) }));
}

function* counts(at: number): Steps<{ due: number; later: number; running: number; next?: number }> {
  const sql = `SELECT COALESCE(SUM(CASE WHEN until <= $1 AND run_at <= $1 THEN 1 ELSE 0 END), 0) AS due, COALESCE(SUM(CASE WHEN until <= $1 AND run_at > $1 THEN 1 ELSE 0 END), 0) AS later,
    COALESCE(SUM(CASE WHEN until > $1 THEN 1 ELSE 0 END), 0) AS leased, MIN(CASE WHEN until <= $1 THEN run_at END) AS next FROM jobs`;
  const row = (yield [[sql, at]])[0]?.[0] ?? {};
  const next = row["next"] == null ? {} : { next: Number(row["next"]) };
  return { due: Number(row["due"]), later: Number(row["later"]), running: Number(row["leased"]), ...next };
}

function* search(
  text: Sql["words"],
  person: string,
  { words, limit }: { words: string; limit: number },
): Steps<{ session: string; seq: number; at: number; text: string }[]> {
  const wanted = wordsOf(words);
  if (wanted.length === 0 || limit < 1) return [];
  const [rows = []] = yield [[text.find, text.pattern(wanted), person, Math.floor(limit)]];
  return rows.map((row) => {
    const { session, seq, at, event } = toStored(String(row["session"]), row);
    return { session, seq, at, text: spoken(event) };
  });
}
