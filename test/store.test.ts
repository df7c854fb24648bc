// The store contract on SQLite and Postgres, and random histories against a small model.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import pg from "pg";
import { hasCode } from "../src/std/error.ts";
import { postgres } from "../src/stores/postgres.ts";
import type { AuditedStore } from "../src/stores/sql.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { randomText } from "../src/std/id.ts";
import { type Place, storeContract } from "../src/testing/store.ts";
import { startPostgres } from "./postgres.ts";
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
