// The search index of all processes on one Postgres: words by its own full text, meanings by pgvector. A row is written and read under its person only.
import type { Found, Indexes, Piece, SearchIndex, SharedIndexes, Space } from "../core/search-index.ts";
import { messageOf } from "../std/error.ts";
import type { Row, Statement, Steps } from "./sql.ts";
import { wordsIn, wordsOf } from "./words.ts";

/** Older ones find too little where many share a table. */
const LEAST = [0, 8];
/** An index of nearness takes no longer vectors; those are compared one by one. */
const MOST_NEAR = 4000;
/** Vectors of a model that no process has asked for so long are thrown away. */
const UNUSED_MS = 30 * 86_400_000;
/** What a process has taken to the model and never brought back is given to another after this. */
const TAKEN_MS = 300_000;
const NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const KEY = 'TEXT COLLATE "C" NOT NULL';

/** Which texts there are: `documents` says what a home has (messages: home ''), `pieces` holds each version of a document once for all homes. */
export const INDEX_TABLES = [
  `CREATE TABLE documents (person ${KEY}, home ${KEY}, ref ${KEY}, version TEXT NOT NULL, PRIMARY KEY (person, ref, home))`,
  `CREATE TABLE pieces (id BIGSERIAL PRIMARY KEY, person ${KEY}, ref ${KEY}, version TEXT NOT NULL, place BIGINT NOT NULL, at BIGINT NOT NULL, text TEXT NOT NULL, tokens TSVECTOR NOT NULL)`,
  "CREATE INDEX pieces_ref ON pieces (person, ref)",
  "CREATE INDEX pieces_tokens ON pieces USING gin (tokens)",
  `CREATE TABLE spaces (id SERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, used BIGINT NOT NULL)`,
];

/** Statements that forget what was said in a session, for the commit that erases it. */
export const forgetSaid = (session: string): Statement[] =>
  ["pieces", "documents"].map((table) => [
    `DELETE FROM ${table} USING heads WHERE heads.session = $1 AND ${table}.person = heads.person AND ref = 'said:' || $1`,
    session,
  ]);

/** Of the driver. */
export interface Database {
  each(work: Steps<Row[]>): Promise<Row[]>;
  transaction<T>(work: () => Steps<T>): Promise<T>;
}

/** Makes the extension when it is there and may be made. `schema`: where the tables are. */
export async function sharedIndexes(database: Database, schema: string): Promise<SharedIndexes> {
  const ask = (...statement: Statement): Promise<Row[]> => database.each(one(statement));
  const installed =
    "SELECT extversion AS version, quote_ident(nspname) AS place FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'";
  let [there] = await ask(installed);
  const problems: string[] = [];
  for (const place of there ? [] : ["public", schema])
    if (!there) {
      const make: Statement[] = [["SELECT pg_advisory_xact_lock(hashtextextended('steward/vector', 7))"]];
      await database
        .transaction(() => all([...make, [`CREATE EXTENSION IF NOT EXISTS vector SCHEMA ${place}`]]))
        .catch((error: unknown) => problems.push(messageOf((error as Error).cause ?? error)));
      [there] = await ask(installed);
    }
  if (!there) return { missing: `Postgres has no extension "vector" (pgvector): ${problems[0]}` };
  const version = String(there["version"]);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < LEAST[0]! || (major === LEAST[0] && minor < LEAST[1]!))
    return { missing: `The extension "vector" of Postgres is ${version}; ${LEAST.join(".")} or newer is needed` };
  return { indexes: indexesOf({ ...database, schema, types: String(there["place"]) }), about: `pgvector ${version}` };
}

function* one(statement: Statement): Steps<Row[]> {
  return (yield [statement])[0] ?? [];
}
function* all(statements: Statement[]): Steps<void> {
  for (const statement of statements) yield [statement];
}

interface Shared extends Database {
  schema: string;
  /** The schema of pgvector's types. */
  types: string;
}
/** Whose, and where their vectors are. */
interface Mine extends Shared {
  person: string;
  home: string;
  table?: string;
}

const indexesOf = (shared: Shared): Indexes => ({
  async open({ person, home, space }) {
    const table = space && (await shared.transaction(() => vectorTable(shared, space)));
    return indexOf({ ...shared, person, home, ...(table === undefined ? {} : { table }) });
  },
  forget: (person) =>
    shared.transaction(() =>
      all([
        ["DELETE FROM pieces WHERE person = $1", person],
        ["DELETE FROM documents WHERE person = $1", person],
      ]),
    ),
});

/** One table for each model and length, so that a fleet may change its model one process after the other. */
function* vectorTable({ schema, types }: Shared, { name, dimensions }: Space): Steps<string> {
  yield [["SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", `${schema}/spaces`]];
  const touch = `INSERT INTO spaces (name, used) VALUES ($1, ${NOW}) ON CONFLICT (name) DO UPDATE SET used = ${NOW} RETURNING id`;
  const [[row] = []] = yield [[touch, `${name} ${dimensions}`]];
  const table = tableOf(row!["id"]);
  const [old = []] = yield [[`DELETE FROM spaces WHERE used < ${NOW} - $1 RETURNING id`, UNUSED_MS]];
  yield old.map(({ id }): Statement => [`DROP TABLE IF EXISTS ${tableOf(id)}`]);
  yield [
    [
      `CREATE TABLE IF NOT EXISTS ${table} (piece BIGINT PRIMARY KEY REFERENCES pieces ON DELETE CASCADE, person ${KEY}, until BIGINT NOT NULL, vector ${types}.halfvec(${dimensions}))`,
    ],
  ];
  yield [[`CREATE INDEX IF NOT EXISTS ${table}_person ON ${table} (person)`]];
  if (dimensions <= MOST_NEAR)
    yield [[`CREATE INDEX IF NOT EXISTS ${table}_near ON ${table} USING hnsw (vector ${types}.halfvec_cosine_ops)`]];
  return table;
}
const tableOf = (id: unknown): string => `vectors_${Number(id)}`;

/** Messages are the same for every home, files are not. */
const homeFor = ({ home }: Mine, ref: string): string => (ref.startsWith("said:") ? "" : home);
/** $1 the person, $2 the home. */
const HERE =
  "EXISTS (SELECT FROM documents d WHERE d.person = $1 AND d.ref = p.ref AND d.home IN ('', $2) AND p.version IN ('', d.version))";
const SHOWN = "p.ref, p.place, p.at, p.text";

function indexOf(mine: Mine): SearchIndex {
  const { person, home, table } = mine;
  const ask = (...statement: Statement): Promise<Row[]> => mine.each(one(statement));
  const count = async (what: string): Promise<number> => {
    const [row] = await ask(`SELECT count(*)::int AS n FROM pieces p ${what} WHERE p.person = $1 AND ${HERE}`, person, home);
    return Number(row?.["n"]);
  };
  return {
    meanings: table !== undefined,
    async versions(prefix) {
      const sql = "SELECT ref, version FROM documents WHERE person = $1 AND home = $2 AND starts_with(ref, $3)";
      const rows = await ask(sql, person, homeFor(mine, prefix), prefix);
      return new Map(rows.map(({ ref, version }) => [String(ref), String(version)]));
    },
    put: (document) => mine.transaction(() => put(mine, document)),
    drop: (ref) => mine.transaction(() => drop(mine, ref)),
    async byWords(words, limit) {
      const wanted = wordsOf(words.join(" "));
      if (wanted.length === 0) return [];
      const sql = `SELECT ${SHOWN} FROM pieces p, (SELECT $3::tsquery AS wanted) w WHERE tokens @@ wanted AND p.person = $1 AND ${HERE} ORDER BY ts_rank(tokens, wanted, 1) DESC, p.id DESC LIMIT $4`;
      return (await ask(sql, person, home, wanted.map((word) => `'${word}':*`).join(" & "), limit)).map(foundOf);
    },
    byMeaning: async (vector, limit) => (table === undefined ? [] : mine.transaction(() => near(mine, table, { vector, limit }))),
    fill: async (limit, embed) => (table === undefined ? 0 : fill(mine, table, { limit, embed })),
    counts: async () => ({
      pieces: await count(""),
      vectors: table === undefined ? 0 : await count(`JOIN ${table} m ON m.piece = p.id AND m.person = p.person AND m.vector IS NOT NULL`),
    }),
    close: () => {},
  };
}

const foundOf = (row: Row): Found => ({
  ...{ ref: String(row["ref"]), place: Number(row["place"]), at: Number(row["at"]), text: String(row["text"]) },
});

/** Two of the same document wait for each other. */
const alone = ({ schema, person }: Mine, ref: string): Statement => [
  "SELECT pg_advisory_xact_lock(hashtextextended($1, 7))",
  JSON.stringify([schema, person, ref]),
];

function* put(mine: Mine, { ref, before, version, pieces, keep = false }: Parameters<SearchIndex["put"]>[0]): Steps<boolean> {
  const { person } = mine;
  const home = homeFor(mine, ref);
  yield [alone(mine, ref)];
  const [won = []] = yield [
    before === undefined
      ? [
          "INSERT INTO documents (person, home, ref, version) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING ref",
          person,
          home,
          ref,
          version,
        ]
      : [
          "UPDATE documents SET version = $4 WHERE person = $1 AND home = $2 AND ref = $3 AND version = $5 RETURNING ref",
          person,
          home,
          ref,
          version,
          before,
        ],
  ];
  if (won.length === 0) return false;
  if (!keep) yield [unheld(person, ref)];
  const add = `INSERT INTO pieces (person, ref, version, place, at, text, tokens) SELECT $1, $2, $3, place, at, text, tokens::tsvector
    FROM json_to_recordset($4::json) AS n(place bigint, at bigint, text text, tokens text)
    WHERE $3 = '' OR NOT EXISTS (SELECT FROM pieces WHERE person = $1 AND ref = $2 AND version = $3)`;
  if (pieces.length > 0) yield [[add, person, ref, keep ? "" : version, JSON.stringify(pieces.map(rowOf))]];
  return true;
}

function* drop(mine: Mine, ref: string): Steps<void> {
  yield [alone(mine, ref)];
  yield [["DELETE FROM documents WHERE person = $1 AND home = $2 AND ref = $3", mine.person, homeFor(mine, ref), ref]];
  yield [unheld(mine.person, ref)];
}

/** Takes away what no home has any more. */
const unheld = (person: string, ref: string): Statement => [
  `DELETE FROM pieces p WHERE p.person = $1 AND p.ref = $2 AND NOT EXISTS (SELECT FROM documents d WHERE d.person = $1 AND d.ref = $2 AND p.version IN ('', d.version))`,
  person,
  ref,
];

/** Neither a zero nor half a character can be kept. */
const rowOf = ({ place, at, text }: Piece): object => ({
  ...{ place, at: Math.round(at), text: text.replaceAll("\0", " ").toWellFormed() },
  tokens: tokensOf(text),
});

/** Letters and digits only, so nothing has to be escaped. */
function tokensOf(text: string): string {
  const at = Map.groupBy(
    wordsIn(text).map((word, place) => ({ word, place: place + 1 })),
    ({ word }) => word,
  );
  return [...at]
    .map(
      ([word, all_]) =>
        `'${word}':${all_
          .slice(0, 200)
          .map(({ place }) => place)
          .join(",")}`,
    )
    .join(" ");
}

/** Goes on until enough are this person's; and one person's plan is not another's: who has few is compared in full. */
const NEARLY =
  "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true), set_config('plan_cache_mode', 'force_custom_plan', true)";

function* near({ person, home, types }: Mine, table: string, { vector, limit }: { vector: Float32Array; limit: number }): Steps<Found[]> {
  const [, rows = []] = yield [
    [NEARLY],
    [
      `SELECT ${SHOWN} FROM ${table} m JOIN pieces p ON p.id = m.piece WHERE m.person = $1 AND p.person = $1 AND m.vector IS NOT NULL AND ${HERE}
        ORDER BY m.vector OPERATOR(${types}.<=>) $3::${types}.halfvec LIMIT $4`,
      ...[person, home, vectorText(vector), limit],
    ],
  ];
  return rows.map(foundOf);
}

async function fill(
  mine: Mine,
  table: string,
  { limit, embed }: { limit: number; embed(texts: string[]): Promise<Float32Array[]> },
): Promise<number> {
  const { person, types } = mine;
  const taken = await mine.transaction(() => take(mine, table, limit));
  if (taken.length === 0) return 0;
  const ids = `{${taken.map(({ id }) => id).join(",")}}`;
  const vectors = await embed(taken.map(({ text }) => String(text))).catch(async (error: unknown) => {
    await mine
      .each(one([`DELETE FROM ${table} WHERE person = $1 AND piece = ANY ($2::bigint[]) AND vector IS NULL`, person, ids]))
      .catch(() => {});
    throw error;
  });
  const made = taken.map(({ id }, at) => ({ id, vector: vectorText(vectors[at]!) }));
  const keep = `UPDATE ${table} SET vector = made.vector::${types}.halfvec FROM json_to_recordset($2::json) AS made(id bigint, vector text) WHERE person = $1 AND piece = made.id`;
  await mine.each(one([keep, person, JSON.stringify(made)]));
  return taken.length;
}

/** Each text is taken by one process; by another only when that one has not come back. */
function* take({ schema, person, home }: Mine, table: string, limit: number): Steps<Row[]> {
  yield [
    ["SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", JSON.stringify([schema, table, person])],
    [`UPDATE spaces SET used = ${NOW} WHERE id = $1`, Number(table.split("_")[1])],
  ];
  const [taken = []] = yield [
    [
      `INSERT INTO ${table} (piece, person, until) SELECT p.id, p.person, ${NOW} + ${TAKEN_MS} FROM pieces p WHERE p.person = $1 AND ${HERE}
        AND NOT EXISTS (SELECT FROM ${table} m WHERE m.piece = p.id AND (m.vector IS NOT NULL OR m.until > ${NOW}))
        ORDER BY p.id DESC LIMIT $3 FOR KEY SHARE OF p SKIP LOCKED ON CONFLICT (piece) DO UPDATE SET until = excluded.until RETURNING piece`,
      ...[person, home, limit],
    ],
  ];
  const ids = `{${taken.map(({ piece }) => piece).join(",")}}`;
  return (yield [["SELECT id, text FROM pieces WHERE person = $1 AND id = ANY ($2::bigint[]) ORDER BY id DESC", person, ids]])[0] ?? [];
}

/** At length one, which its directions do not change: shorter numbers hold what large ones would not. */
function vectorText(vector: Float32Array): string {
  const length = Math.hypot(...vector) || 1;
  return `[${Array.from(vector, (value) => (value / length).toFixed(6)).join(",")}]`;
}
