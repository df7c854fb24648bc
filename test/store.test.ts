// The store contract on SQLite and Postgres, and random histories against a small model.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import pg from "pg";
import type { Event, LiveEvent } from "../src/core/events.ts";
import type { Notice } from "../src/core/store.ts";
import { mortal } from "../src/testing/mortal.ts";
import { hasCode, type StewardError } from "../src/std/error.ts";
import { postgres } from "../src/stores/postgres.ts";
import type { AuditedStore } from "../src/stores/sql.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { randomText } from "../src/std/id.ts";
import { type Place, storeContract } from "../src/testing/store.ts";
import { type Running, startPostgres } from "./postgres.ts";
import { type Command, commands, Model, timed, viewOf } from "./store-model.ts";

interface AuditedPlace extends Place {
  open(options: { now: () => number; exclusive?: boolean }): Promise<AuditedStore>;
}

const server = await startPostgres();
after(() => server.skip === undefined && server.stop());

async function sqlitePlace(): Promise<AuditedPlace> {
  const folder = await mkdtemp(join(tmpdir(), "steward-store-"));
  return { open: (options) => sqlite(join(folder, "steward.db"), options), remove: () => rm(folder, { recursive: true }) };
}

async function postgresPlace(): Promise<AuditedPlace> {
  const url = server.url ?? "";
  const schema = `t_${randomText(8)}`;
  return {
    open: (options) => postgres(url, { ...options, schema }),
    async remove() {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(`DROP SCHEMA ${schema} CASCADE`);
      await client.end();
    },
  };
}

storeContract("sqlite", sqlitePlace);
storeContract("postgres", postgresPlace, server.skip);

async function sameAsModel(place: () => Promise<AuditedPlace>, history: Command[]): Promise<void> {
  const where = await place();
  const model = new Model();
  const store = await where.open({ now: () => model.at });
  try {
    for (const command of history) {
      if ("pass" in command) model.at += command.pass;
      else if ("claim" in command)
        assert.deepEqual(await store.claim("w", command.claim, command.leaseMs), model.claim(command.claim, command.leaseMs));
      else {
        const change = timed(command.commit, model.at);
        assert.deepEqual(await outcome(async () => store.commit(change)), await outcome(async () => model.commit(change)));
      }
      assert.deepEqual(await viewOf(store), model.view());
    }
    assert.deepEqual(await store.audit(), []);
  } finally {
    await store.close();
    await where.remove();
  }
}
async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, "internal") || hasCode(error, "unavailable")) throw error;
    return (error as { code: string }).code;
  }
}

test("sqlite: any history leaves what the model says", async () => {
  await fc.assert(
    fc.asyncProperty(commands, (history) => sameAsModel(sqlitePlace, history)),
    { numRuns: 60 },
  );
});
test("postgres: any history leaves what the model says", { skip: server.skip ?? false }, async () => {
  await fc.assert(
    fc.asyncProperty(commands, (history) => sameAsModel(postgresPlace, history)),
    { numRuns: 12 },
  );
});

const skip = server.skip ?? false;
const delta = (text: string, at: number): LiveEvent => ({ type: "item.delta", turn: "t", item: "i", kind: "text", text, at });
const said = (text: string): Event => ({ type: "message.received", id: "m", from: "ada", parts: [{ type: "text", text }] });

test("postgres: processes hear of one another, also of live events larger than a notification", { skip }, async () => {
  const where = await postgresPlace();
  const [here, there] = [await where.open({ now: Date.now }), await where.open({ now: Date.now })];
  const stop = new AbortController();
  const watching = there.watch(stop.signal);
  const long = "äöü\u0001'\\".repeat(8000);
  for (let at = 0; at < 40; at++) here.publish("s", delta("x", at));
  here.publish("s", delta(long, 40));
  here.publish("s", { type: "turn.waiting", turn: "t", on: "model", text: "y".repeat(9000) });
  await here.commit({ events: [{ session: "s", event: said("hello") }], jobs: [{ id: "j", kind: "k", lane: "l", data: {} }] });
  here.publish("r", delta("later", 0));
  const heard: Notice[] = [];
  for await (const notice of watching) if (heard.push(notice) && notice.session === "r") stop.abort();
  const texts = heard.flatMap(({ session, live }) => (session === "s" && live?.type === "item.delta" ? [live] : []));
  assert.ok(texts.map(({ text }) => text).join("") === "x".repeat(40) + long, "pieces are missing or out of order");
  assert.deepEqual(
    texts.map(({ at }) => at),
    texts.map((_, n) => texts.slice(0, n).reduce((sum, { text }) => sum + text.length, 0)),
  );
  assert.deepEqual(heard.filter(({ live }) => live?.type !== "item.delta" || live.at === 0).slice(1), [
    { session: "s" },
    { session: "s", seq: 1, jobs: true },
    { session: "r", live: delta("later", 0) },
  ]);
  await Promise.all([here.close(), there.close()]);
  await where.remove();
});

test(
  "postgres: an outage refuses commits plainly, then goes on and tells readers to read again",
  { skip: skip || (server.skip === undefined && server.again ? false : "the server is not ours to stop") },
  async () => {
    const where = await postgresPlace();
    const store = await where.open({ now: Date.now });
    const stop = new AbortController();
    const watching = store.watch(stop.signal);
    const [kept] = await store.commit({ events: [{ session: "s", event: said("kept") }] });
    await (server as Running).stop(true);
    for (const work of [() => store.commit({ put: { a: 1 } }), () => store.get("a"), () => store.claim("w", ["k"], 1)])
      await assert.rejects(
        work(),
        (error: StewardError) => error.code === "unavailable" && error.hint !== undefined && !/steward@/.test(error.message),
      );
    store.publish("s", delta("into the void", 0));
    await assert.rejects(postgres(server.url ?? ""), { code: "unavailable" });
    await (server as Running).again?.();
    const heard: Notice[] = [];
    for await (const notice of watching) if (heard.push(notice) && Object.keys(notice).length === 0) stop.abort();
    assert.deepEqual(heard, [{ session: "s", seq: 1 }, { session: "s", live: delta("into the void", 0) }, { jobs: true }, {}]);
    await store.commit({ put: { a: 2 } });
    assert.deepEqual([await store.get("a"), await store.events("s")], [2, [kept]]);
    await store.close();
    await where.remove();
  },
);

test("postgres: many that start at once make one schema; a newer one is left alone", { skip }, async () => {
  const url = server.url ?? "";
  const schema = `t_${randomText(8)}`;
  const stores = await Promise.all(Array.from({ length: 6 }, () => postgres(url, { schema })));
  await Promise.all(stores.map((store) => store.commit({ add: { sum: { n: 1 } } })));
  assert.deepEqual(await stores[0]?.get("sum"), { n: 6 });
  await Promise.all(stores.map((store) => store.close()));
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`INSERT INTO ${schema}.versions (version) VALUES (99)`);
  await assert.rejects(postgres(url, { schema }), { code: "conflict" });
  await client.query(`DROP SCHEMA ${schema} CASCADE`);
  await client.end();
});

test("sqlite: many processes that start at once share one file and never a lane", async () => {
  const folder = await mkdtemp(join(tmpdir(), "steward-store-"));
  const path = join(folder, "steward.db");
  const script = `import { sqlite } from ${JSON.stringify(new URL("../src/stores/sqlite.ts", import.meta.url).href)};
    const store = await sqlite(${JSON.stringify(path)});
    for (let n = 0; n < 10; n++) await store.commit({ jobs: [{ id: process.pid + "." + n, kind: "k", lane: "l" + n % 3, data: null }] });
    for (let job; (await store.jobs()).due > 0; ) {
      job = await store.claim("w", ["k"], 1e6);
      if (!job) continue;
      await store.commit({ merge: { busy: { [job.lane]: process.pid } } });
      if ((await store.get("busy"))[job.lane] !== process.pid) throw new Error("overlap");
      await store.commit({ add: { done: { n: 1 } }, lease: { job: job.id, epoch: job.epoch, then: "done" } });
    }
    await store.close();`;
  const ends = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", "inherit"] });
    return new Promise((resolve) => child.once("exit", resolve));
  });
  assert.deepEqual(await Promise.all(ends), [0, 0, 0, 0]);
  const store = await sqlite(path);
  assert.deepEqual([await store.get("done"), await store.jobs()], [{ n: 40 }, { due: 0, later: 0, running: 0 }]);
  await store.close();
  await rm(folder, { recursive: true });
});

test("mortal: dies at its commit, before or after it is applied, and does nothing more", async () => {
  for (const when of ["before", "after"] as const) {
    const real = await sqlite(":memory:");
    const doomed = mortal(real, 2, when);
    const watching = doomed.watch(new AbortController().signal)[Symbol.asyncIterator]();
    await doomed.commit({ put: { a: 1 }, jobs: [{ id: "j", kind: "k", lane: "l", data: {} }] });
    assert.deepEqual((await watching.next()).value, { jobs: true });
    await assert.rejects(doomed.commit({ put: { a: 2 } }), { code: "unavailable" });
    assert.deepEqual([await real.get("a"), doomed.dead(), doomed.commits()], [when === "after" ? 2 : 1, true, 2]);
    await assert.rejects(doomed.commit({ put: { a: 3 } }), { code: "unavailable" });
    await assert.rejects(doomed.get("a"), { code: "unavailable" });
    assert.equal(await doomed.claim("w", ["k"], 10), undefined);
    assert.equal((await watching.next()).done, true);
    await real.close();
  }
});
