// Search over one Postgres with pgvector: what every index must do, and what several processes on it share. Skipped with its reason where there is none.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import type { Indexes, SearchIndex } from "../src/core/search-index.ts";
import type { Patient } from "../src/doctor/check.ts";
import { check as storeCheck } from "../src/doctor/store.ts";
import { say } from "../src/run/inbox.ts";
import { makeSession, sessionKey } from "../src/run/sessions.ts";
import { randomText } from "../src/std/id.ts";
import { postgres, type PostgresStore } from "../src/stores/postgres.ts";
import { OWNER, temporary } from "./harness.ts";
import { startPostgres, vectorMissing } from "./postgres.ts";
import { place, searchContract, told, vectorOf } from "./search-cases.ts";

const server = await startPostgres();
const skip = await vectorMissing(server);
if (skip) console.log(`postgres-search: skipped, ${skip}`);
after(() => (server.skip === undefined ? server.stop() : undefined));

const freshSchema = (): string => `s_${randomText(8)}`;
const connect = (schema = freshSchema()): Promise<PostgresStore> => postgres(server.url ?? "", { schema });
searchContract("postgres", connect, skip);

const SPACE = { name: "near/embed", dimensions: 32 };
const embed = async (texts: string[]): Promise<Float32Array[]> => texts.map((text) => Float32Array.from(vectorOf(text)));
const indexesOf = ({ shared }: PostgresStore): Indexes => {
  assert.ok("indexes" in shared, JSON.stringify(shared));
  return shared.indexes;
};
const refs = (found: { ref: string }[]): string[] => found.map(({ ref }) => ref);
const near = (index: SearchIndex, words: string, limit = 9) => index.byMeaning(Float32Array.from(vectorOf(words)), limit);
const piece = (text: string) => [{ place: 1, at: 1, text }];

async function until(met: () => Promise<boolean>): Promise<void> {
  while (!(await met())) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function raw<T extends pg.QueryResultRow>(schema: string, sql: string, url = server.url): Promise<T[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<T>(sql.replaceAll("$", `${schema}.`))).rows;
  } finally {
    await client.end();
  }
}

test("two Stewards on one database: what one indexes the other finds, and nothing is embedded twice", { skip }, async () => {
  const schema = freshSchema();
  const home = temporary();
  const config = { "memory.embedding": "near/embed" };
  const [one, two] = [
    await place({ store: await connect(schema), config, home }),
    await place({ store: await connect(schema), config, home }),
  ];
  one.write("money.txt", "The bill came on Monday");
  await one.speak("My hound likes the garden");
  await one.steward.search.sync(OWNER);
  assert.deepEqual([told(await two.find("puppy"))[0], told(await two.find("invoice"))[0]], ["said #2 meaning", "file money.txt:1 meaning"]);
  assert.deepEqual(
    [one.asked.sort(), two.asked],
    [
      [".", "My hound likes the garden", "The bill came on Monday"],
      [".", "puppy", "invoice"],
    ],
  );
  await two.speak("The puppy barks");
  await two.steward.search.sync(OWNER);
  assert.deepEqual(told(await one.find("hound")).slice(0, 2), ["said #2 both", "said #2 meaning"]);
  assert.equal((await one.find("hound"))[1]!.text, "The puppy barks");
  await one.steward.store.close();
  await two.steward.store.close();
});

test("both look at once: each text goes to the model once", { skip }, async () => {
  const schema = freshSchema();
  const config = { "memory.embedding": "near/embed" };
  const home = temporary();
  const [one, two] = [
    await place({ store: await connect(schema), config, home }),
    await place({ store: await connect(schema), config, home }),
  ];
  const { id: session } = await makeSession(one.steward, OWNER, {});
  const texts = Array.from({ length: 300 }, (_, at) => `message number ${at}`);
  for (const text of texts) await say(one.steward, OWNER, { session, parts: [{ type: "text", text }] });
  await Promise.all([one.steward.search.sync(OWNER), two.steward.search.sync(OWNER)]);
  assert.equal((await one.steward.search.sync(OWNER)).vectors, 300);
  assert.deepEqual([...one.asked, ...two.asked].filter((text) => text !== ".").sort(), texts.sort());
  await one.steward.store.close();
  await two.steward.store.close();
});

test(
  "homes: the same file is kept once, one that a home has not seen is not found there, and taken away by none but its own",
  { skip },
  async () => {
    const schema = freshSchema();
    const stores = [await connect(schema), await connect(schema)] as const;
    const at = (n: 0 | 1, home: string) => indexesOf(stores[n]).open({ person: "owner", home, space: SPACE });
    const [a, b] = [await at(0, "a"), await at(1, "b")];
    assert.equal(await a.put({ ref: "file:/w/x", before: undefined, version: "v1", pieces: piece("a hound") }), true);
    assert.equal(await a.put({ ref: "file:/w/x", before: undefined, version: "v1", pieces: piece("a hound") }), false);
    assert.equal(await a.fill(9, embed), 1);
    assert.deepEqual([refs(await b.byWords(["hound"], 9)), refs(await near(b, "puppy")), [...(await b.versions("file:"))]], [[], [], []]);
    assert.equal(await b.put({ ref: "file:/w/x", before: undefined, version: "v1", pieces: piece("a hound") }), true);
    assert.equal(await b.fill(9, embed), 0);
    assert.deepEqual(
      [await a.counts(), await b.counts()],
      [
        { pieces: 1, vectors: 1 },
        { pieces: 1, vectors: 1 },
      ],
    );
    assert.deepEqual(refs(await near(b, "puppy")), ["file:/w/x"]);
    await a.drop("file:/w/x");
    assert.deepEqual([await a.counts(), refs(await b.byWords(["hou"], 9))], [{ pieces: 0, vectors: 0 }, ["file:/w/x"]]);
    assert.equal(await b.put({ ref: "file:/w/x", before: "v1", version: "v2", pieces: piece("an invoice\0") }), true);
    assert.deepEqual(await raw(schema, "SELECT text FROM $pieces"), [{ text: "an invoice " }]);
    for (const store of stores) await store.close();
  },
);

test(
  "a person's rows are found, counted, filled and forgotten under that person only; an erased session takes its pieces along",
  { skip },
  async () => {
    const schema = freshSchema();
    const store = await connect(schema);
    const open = (person: string) => indexesOf(store).open({ person, home: "h", space: SPACE });
    const [owner, bea] = [await open("owner"), await open("bea")];
    await store.commit({
      events: [{ session: "ses_1", event: { type: "session.created", person: "owner" } }],
      put: { [sessionKey("owner", "ses_1")]: {} },
    });
    for (const [index, ref] of [
      [owner, "said:ses_1"],
      [owner, "said:ses_2"],
      [bea, "said:ses_1"],
    ] as const)
      await index.put({ ref, before: undefined, version: "1 1", pieces: piece("a hound"), keep: true });
    assert.equal(await owner.fill(9, embed), 2);
    assert.deepEqual([await bea.counts(), await near(bea, "puppy")], [{ pieces: 1, vectors: 0 }, []]);
    await store.commit({ erase: ["ses_1"] });
    assert.deepEqual([refs(await near(owner, "puppy")), refs(await bea.byWords(["hound"], 9))], [["said:ses_2"], ["said:ses_1"]]);
    await indexesOf(store).forget("owner");
    assert.deepEqual(
      [await owner.counts(), await bea.counts()],
      [
        { pieces: 0, vectors: 0 },
        { pieces: 1, vectors: 0 },
      ],
    );
    assert.deepEqual(await raw(schema, "SELECT DISTINCT person FROM $pieces UNION SELECT person FROM $documents"), [{ person: "bea" }]);
    await store.close();
  },
);

test("few among many: nearness of others does not hide a person's own", { skip }, async () => {
  const schema = freshSchema();
  const store = await connect(schema);
  const open = (person: string) => indexesOf(store).open({ person, home: "h", space: SPACE });
  const [owner, bea] = [await open("owner"), await open("bea")];
  const pieces = Array.from({ length: 3000 }, (_, at) => ({ place: at, at, text: `hound ${at}` }));
  await bea.put({ ref: "said:b", before: undefined, version: "1 1", pieces, keep: true });
  while ((await bea.fill(1000, embed)) > 0);
  await owner.put({ ref: "said:o", before: undefined, version: "1 1", pieces: piece("a garden"), keep: true });
  await owner.fill(9, embed);
  assert.deepEqual(refs(await near(owner, "puppy")), ["said:o"]);
  await raw(schema, "ANALYZE $pieces; ANALYZE $vectors_1");
  // More often than Postgres looks before it settles on one plan for all.
  for (let round = 0; round < 7; round++) assert.equal((await near(bea, "puppy", 200)).length, 200);
  assert.deepEqual(refs(await near(owner, "puppy")), ["said:o"]);
  const [{ indexdef } = { indexdef: "" }] = await raw<{ indexdef: string }>(
    schema,
    `SELECT indexdef FROM pg_indexes WHERE schemaname = '${schema}' AND indexname = 'vectors_1_near'`,
  );
  assert.match(indexdef, /USING hnsw \(vector (\w+\.)?halfvec_cosine_ops\)/);
  await store.close();
});

test("what fails is given to the next; another model has a table of its own; what nobody uses goes", { skip }, async () => {
  const schema = freshSchema();
  const store = await connect(schema);
  const open = (name: string, dimensions: number) => indexesOf(store).open({ person: "owner", home: "h", space: { name, dimensions } });
  const first = await open("first/model", 32);
  await first.put({ ref: "said:o", before: undefined, version: "1 1", pieces: piece("a hound"), keep: true });
  await assert.rejects(
    first.fill(9, () => Promise.reject(new Error("down"))),
    /down/,
  );
  assert.equal(await first.fill(9, embed), 1);
  const taken = Promise.withResolvers<Float32Array[]>();
  await first.put({ ref: "said:p", before: undefined, version: "1 1", pieces: piece("a bill"), keep: true });
  const slow = first.fill(9, () => taken.promise);
  await until(async () => (await raw(schema, "SELECT FROM $vectors_1")).length === 2);
  assert.equal(await first.fill(9, embed), 0);
  await raw(schema, "UPDATE $vectors_1 SET until = 0");
  assert.equal(await first.fill(9, embed), 1);
  taken.resolve(await embed(["a bill"]));
  assert.equal(await slow, 1);
  await first.drop("said:p");
  const second = await open("second/model", 5000);
  assert.deepEqual(
    [await second.counts(), await first.counts()],
    [
      { pieces: 1, vectors: 0 },
      { pieces: 1, vectors: 1 },
    ],
  );
  const long = (): Float32Array => new Float32Array(5000).fill(70_000);
  assert.equal(await second.fill(9, async () => [long()]), 1);
  assert.deepEqual(refs(await second.byMeaning(long(), 9)), ["said:o"]);
  await raw(schema, "UPDATE $spaces SET used = 0 WHERE id = 1");
  await open("second/model", 5000);
  assert.deepEqual(
    (
      await raw<{ tablename: string }>(
        schema,
        `SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' AND tablename LIKE 'vectors%'`,
      )
    ).map(({ tablename }) => tablename),
    ["vectors_2"],
  );
  await store.close();
});

test("without the extension each process has its own file, and says so", { skip: server.skip ?? false }, async () => {
  const name = `plain_${randomText(6)}`;
  await raw("", `CREATE ROLE ${name} LOGIN PASSWORD '${name}'`);
  await raw("", `CREATE DATABASE ${name} OWNER ${name}`);
  const url = new URL(server.url!);
  Object.assign(url, { username: name, password: name, pathname: `/${name}` });
  const store = await postgres(url.href);
  const at = await place({ store, config: { "memory.embedding": "near/embed" } });
  await at.speak("My hound likes the garden");
  assert.deepEqual(told(await at.find("puppy")), ["said #2 meaning"]);
  assert.ok("missing" in store.shared);
  assert.match(store.shared.missing, /^Postgres has no extension "vector" \(pgvector\): /);
  const patient = { env: { STEWARD_DATABASE_URL: url.href }, steward: async () => at.steward } as Partial<Patient> as Patient;
  const { state, message, hint } = await storeCheck.check(patient);
  assert.deepEqual(
    [state, message],
    ["warning", `Postgres answers, but each process has a search index of its own: ${store.shared.missing}`],
  );
  assert.match(hint!, /CREATE EXTENSION vector/);
  await store.close();
});
