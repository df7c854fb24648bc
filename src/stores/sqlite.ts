// One file, one machine: the default store. Looks for damage before it opens; what several dialects share is in sql.ts.
import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, noLog } from "../std/log.ts";
import { Bell } from "./bell.ts";
import { explain, inspect, isBusy } from "./damage.ts";
import { type AuditedStore, FREE_LEASES, migrations, type Row, type Sql, type Statement, type Steps, sqlStore, tooNew } from "./sql.ts";

export interface SqliteOptions {
  now?: () => number;
  /** This process is the only one that uses the database: leases that a dead one left are freed at once. */
  exclusive?: boolean;
  log?: Log;
}

const MIGRATIONS = migrations({
  key: "TEXT",
  serial: "INTEGER PRIMARY KEY AUTOINCREMENT",
  words: [
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, session TEXT NOT NULL, seq INTEGER NOT NULL, person TEXT NOT NULL)",
    "CREATE INDEX texts_session ON texts (session)",
    "CREATE VIRTUAL TABLE words USING fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii', prefix = '1 2 3')",
  ],
});

const WORDS: Sql["words"] = {
  learn: ({ session, seq, person }, words) => [
    ["INSERT INTO texts (session, seq, person) VALUES ($1, $2, $3)", session, seq, person],
    ["INSERT INTO words (rowid, tokens) VALUES (last_insert_rowid(), $1)", words.join(" ")],
  ],
  forget: (session) => [
    ["DELETE FROM words WHERE rowid IN (SELECT id FROM texts WHERE session = $1)", session],
    ["DELETE FROM texts WHERE session = $1", session],
  ],
  find: `SELECT texts.session, texts.seq, at, body FROM words JOIN texts ON texts.id = words.rowid JOIN events ON events.session = texts.session AND events.seq = texts.seq
    WHERE words MATCH $1 AND person = $2 ORDER BY words.rowid DESC LIMIT $3`,
  pattern: (words) => words.map((word) => `"${word}"*`).join(" AND "),
};

/** `path` may be `:memory:`. Throws `unavailable` when the file is damaged (after keeping a copy) or can't be written, `conflict` when a newer Steward made it. */
export async function sqlite(path: string, { now = Date.now, exclusive = false, log = noLog }: SqliteOptions = {}): Promise<AuditedStore> {
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw explain(error, path);
    }
  };
  const db = guard(() => {
    if (path !== ":memory:") {
      closeSync(openSync(path, "a", 0o600)); // Steward's data is nobody else's to read
      inspect(path, { newest: MIGRATIONS.length, log });
    }
    return new DatabaseSync(path, { timeout: 5000 });
  });
  const run = runner(db);
  try {
    await patiently(() => db.exec("PRAGMA journal_mode = WAL"));
    db.exec("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
    await patiently(() => run.transaction(migrate(db)));
    if (exclusive) run.transaction(steps([FREE_LEASES]));
  } catch (error) {
    guard(() => db.close());
    throw explain(error, path);
  }
  const bell = new Bell();
  return sqlStore(
    {
      bell,
      words: WORDS,
      read: async (work) => guard(() => run.each(work)),
      async write(work, { tell } = {}) {
        const result = guard(() => run.transaction(work()));
        bell.ring(tell?.(result) ?? []);
        return result;
      },
      publish: (session, live) => bell.ring([{ session, live }]),
      async close() {
        bell.close();
        if (db.isOpen) guard(() => db.close());
      },
    },
    now,
  );
}

function* steps(statements: string[]): Steps<void> {
  yield statements.map((sql): Statement => [sql]);
}

function* migrate(db: DatabaseSync): Steps<void> {
  const [[row] = []] = yield [["PRAGMA user_version"]];
  const version = Number(row?.["user_version"]);
  if (version > MIGRATIONS.length) throw tooNew(version, MIGRATIONS.length);
  for (const statement of MIGRATIONS.slice(version).flat()) db.exec(statement);
  if (version < MIGRATIONS.length) db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
}

/** Everything between begin and commit happens without waiting, so transactions need no queue. */
function runner(db: DatabaseSync): { each<T>(work: Steps<T>): T; transaction<T>(work: Steps<T>): T } {
  const known = new Map<string, StatementSync>();
  const query = ([sql, ...values]: Statement): Row[] => {
    let prepared = known.get(sql);
    if (!prepared) known.set(sql, (prepared = db.prepare(sql.replace(/\$(\d+)/g, "?$1"))));
    return prepared.all(...values) as Row[];
  };
  const each = <T>(work: Steps<T>): T => {
    let step = work.next();
    while (!step.done) step = work.next(step.value.map(query));
    return step.value;
  };
  const transaction = <T>(work: Steps<T>): T => {
    query(["BEGIN IMMEDIATE"]);
    try {
      const result = each(work);
      query(["COMMIT"]);
      return result;
    } catch (error) {
      if (db.isTransaction) query(["ROLLBACK"]);
      throw error;
    }
  };
  return { each, transaction };
}

/** Another process that starts at the same moment may hold the file in a way that SQLite's own timeout doesn't wait for. */
async function patiently<T>(work: () => T): Promise<T> {
  for (const deadline = Date.now() + 5000; ; await sleep(10 + Math.random() * 20)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
    }
  }
}
