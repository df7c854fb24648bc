// Many processes, one database. What several dialects share is in sql.ts; how processes hear of one another is in postgres-bell.ts.
import pg from "pg";
import type { SharedIndexes } from "../core/search-index.ts";
import type { Notice } from "../core/store.ts";
import { StewardError } from "../std/error.ts";
import { type Log, noLog } from "../std/log.ts";
import { openExchange } from "./postgres-bell.ts";
import { forgetSaid, INDEX_TABLES, sharedIndexes } from "./postgres-index.ts";
import { type AuditedStore, FREE_LEASES, migrations, type Row, type Sql, type Statement, type Steps, sqlStore, tooNew } from "./sql.ts";

export interface PostgresOptions {
  /** Default: this machine's clock, set by the database's, so that all processes agree on when a lease ends. */
  now?: () => number;
  /** This process is the only one that uses the database: leases that a dead one left are freed at once. */
  exclusive?: boolean;
  log?: Log;
  /** Where the tables are; made when missing. Default `steward`. */
  schema?: string;
}

const MIGRATIONS = [
  ...migrations({
    key: 'TEXT COLLATE "C"',
    serial: "BIGSERIAL PRIMARY KEY",
    words: [
      'CREATE TABLE texts (id BIGSERIAL PRIMARY KEY, session TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL, person TEXT COLLATE "C" NOT NULL, tokens TSVECTOR NOT NULL)',
      "CREATE INDEX texts_session ON texts (session)",
      "CREATE INDEX texts_tokens ON texts USING gin (tokens)",
    ],
  }),
  INDEX_TABLES,
];

const WORDS: Sql["words"] = {
  learn: ({ session, seq, person }, words) => [
    [
      "INSERT INTO texts (session, seq, person, tokens) VALUES ($1, $2, $3, array_to_tsvector(string_to_array($4, ' ')))",
      session,
      seq,
      person,
      words.join(" "),
    ],
  ],
  forget: (session) => [["DELETE FROM texts WHERE session = $1", session], ...forgetSaid(session)],
  find: "SELECT session, seq, at, body FROM texts JOIN events USING (session, seq) WHERE tokens @@ $1::tsquery AND person = $2 ORDER BY id DESC LIMIT $3",
  pattern: (words) => words.map((word) => `'${word}':*`).join(" & "),
};

export type PostgresStore = AuditedStore & { shared: SharedIndexes };

/** Throws `unavailable` when the database can't be reached, `conflict` when a newer Steward made it. */
export async function postgres(
  url: string,
  { now, exclusive = false, log = noLog, schema = "steward" }: PostgresOptions = {},
): Promise<PostgresStore> {
  if (!/^[a-z_][a-z0-9_]*$/.test(schema)) throw new StewardError("invalid", `${schema} can't be the name of a schema`);
  const config: pg.PoolConfig = {
    connectionString: url,
    application_name: "steward",
    connectionTimeoutMillis: 5000,
    query_timeout: 30_000,
    lock_timeout: 10_000,
    // A process that stopped in the middle of a transaction must not hold up the others.
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    types: {
      getTypeParser: (type: number, format?: "text" | "binary") => (type === INT8 ? Number : pg.types.getTypeParser(type, format)),
    },
  };
  const pool = new pg.Pool({ ...config, max: 8, pipeline: true });
  pool.on("error", (error) => log("warning", "A connection to the database broke", { error: error.message }));
  pool.on("connect", (client) => void client.query(`SET search_path TO ${schema}`).catch(() => {}));
  const guard = guardOf(url);
  const run = runner(pool, schema);
  try {
    await guard(() => migrate(pool, schema));
    if (exclusive) await guard(() => run.transaction(freeing));
    const clock = now ?? (await guard(() => clockOf(pool)));
    const exchange = await guard(() => openExchange({ config, channel: schema, log }));
    const closing: { done?: Promise<void> } = {};
    const open = <T>(work: () => Promise<T>): Promise<T> => (closing.done ? Promise.reject(closed()) : guard(work));
    const shared = await guard(() =>
      sharedIndexes({ each: (work) => open(() => run.each(work)), transaction: (work) => open(() => run.transaction(work)) }, schema),
    );
    const store = sqlStore(
      {
        bell: exchange.bell,
        words: WORDS,
        read: (work) => open(() => run.each(work)),
        async write(work, { tell, alone = false } = {}) {
          let notices: Notice[] = [];
          const result = await open(() =>
            run.transaction(work, { alone, last: (made) => exchange.statements((notices = tell?.(made) ?? [])) }),
          );
          exchange.bell.ring(notices);
          return result;
        },
        publish: exchange.publish,
        close: () => (closing.done ??= exchange.close().then(() => pool.end())),
      },
      clock,
    );
    return { ...store, shared };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

const INT8 = 20;
const closed = () => new StewardError("unavailable", "The database is closed", { hint: "Start Steward again." });

function* freeing(): Steps<void> {
  yield [[FREE_LEASES]];
}

async function clockOf(pool: pg.Pool): Promise<() => number> {
  const sent = Date.now();
  const { rows } = await pool.query<{ at: string }>("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS at");
  const ahead = Math.round(Number(rows[0]?.at) - (sent + Date.now()) / 2);
  return Math.abs(ahead) < 20 ? Date.now : () => Date.now() + ahead;
}

/** Safe when several processes start at once, and all or nothing. */
async function migrate(pool: pg.Pool, schema: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('${schema}/schema', 7))`);
    const { rowCount } = await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
    if (!rowCount) await client.query(`CREATE SCHEMA ${schema}`);
    await client.query("CREATE TABLE IF NOT EXISTS versions (version INT PRIMARY KEY)");
    const { rows } = await client.query<{ version: number }>("SELECT COALESCE(MAX(version), 0) AS version FROM versions");
    const version = rows[0]?.version ?? 0;
    if (version > MIGRATIONS.length) throw tooNew(version, MIGRATIONS.length);
    for (const statement of MIGRATIONS.slice(version).flat()) await client.query(statement);
    if (version < MIGRATIONS.length) await client.query("INSERT INTO versions (version) VALUES ($1)", [MIGRATIONS.length]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

interface Runner {
  each<T>(work: Steps<T>): Promise<T>;
  /** `last`: statements that go out together with the commit. */
  transaction<T>(work: () => Steps<T>, more?: { alone?: boolean; last?: (result: T) => Promise<Statement[]> }): Promise<T>;
}

function runner(pool: pg.Pool, schema: string): Runner {
  const names = new Map<string, string>();
  const query = async (client: pg.Pool | pg.PoolClient, [text, ...values]: Statement): Promise<Row[]> => {
    let name = names.get(text);
    if (name === undefined) names.set(text, (name = `s${names.size}`));
    return (await client.query<Row>({ name, text, values })).rows;
  };
  const begin = { together: "BEGIN", alone: `BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('${schema}/claim', 7))` };

  const once = async <T>(
    client: pg.PoolClient,
    work: Steps<T>,
    { alone = false, last }: { alone?: boolean; last?: (result: T) => Promise<Statement[]> },
  ): Promise<T> => {
    let step = work.next();
    let begun: Promise<unknown> | undefined = client.query(alone ? begin.alone : begin.together);
    try {
      while (!step.done) {
        const [rows] = await Promise.all([Promise.all(step.value.map((statement) => query(client, statement))), begun]);
        begun = undefined;
        step = work.next(rows);
      }
      const { value } = step;
      const notes = (await last?.(value)) ?? [];
      await Promise.all([begun, ...notes.map((statement) => query(client, statement)), client.query("COMMIT")]);
      return value;
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      throw error;
    }
  };
  const transaction: Runner["transaction"] = async (work, more = {}) => {
    for (let tries = 1; ; tries++) {
      const client = await pool.connect();
      try {
        return await once(client, work(), more);
      } catch (error) {
        if (!isRace(error) || tries === 5) throw error;
      } finally {
        client.release();
      }
    }
  };
  const each: Runner["each"] = async (work) => {
    let step = work.next();
    while (!step.done) step = work.next(await Promise.all(step.value.map((statement) => query(pool, statement))));
    return step.value;
  };
  return { each, transaction };
}

/** Two transactions got into each other's way and one was undone: it can simply be tried again. */
const isRace = (error: unknown): boolean =>
  error instanceof pg.DatabaseError &&
  (error.code === "40P01" || error.code === "40001" || (error.code === "23505" && error.constraint === "jobs_running"));

/** Turns what Postgres or the network says into what people can act on. Never shows the password of the URL. */
const guardOf = (url: string) => {
  const place = /^[a-z]+:\/\/(?:[^@/]*@)?([^?#]*)/.exec(url)?.[1] ?? "the database";
  return async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw explain(error, place);
    }
  };
};

function explain(error: unknown, place: string): unknown {
  if (error instanceof StewardError || !(error instanceof Error) || error instanceof TypeError) return error;
  const unavailable = (hint: string) =>
    new StewardError("unavailable", `Postgres at ${place} can't be used: ${error.message || (error as NodeJS.ErrnoException).code}`, {
      hint,
      cause: error,
    });
  if (!(error instanceof pg.DatabaseError))
    return unavailable("Check that it runs and can be reached; Steward goes on by itself when it is back.");
  const code = error.code ?? "";
  if (code === "23505")
    return new StewardError("conflict", `Something with this id is there already: ${error.detail ?? error.message}`, { cause: error });
  if (code === "22021" || code === "22P05")
    return new StewardError("invalid", `Postgres can't keep this text: ${error.message}`, { cause: error });
  if (code === "54000") return new StewardError("limit", `This is too large for Postgres: ${error.message}`, { cause: error });
  if (code.startsWith("28") || code.startsWith("3D") || code === "42501")
    return unavailable("Check user, password, name and rights of the database in the URL.");
  if (code === "53100") return unavailable("Free some space on its disk; nothing that was confirmed is lost.");
  if (/^(?:08|25|40|53|55|57|58|XX)/.test(code)) return unavailable("Steward goes on by itself when it is back; its own log says more.");
  return new StewardError("internal", `Postgres at ${place} refused: ${error.message}`, { cause: error });
}
