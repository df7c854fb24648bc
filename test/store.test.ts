// The store contract on SQLite and Postgres, and random histories against a small model.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import pg from "pg";
import { postgres } from "../src/stores/postgres.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { randomText } from "../src/std/id.ts";
import { type Place, storeContract } from "../src/testing/store.ts";
import { startPostgres } from "./postgres.ts";

const server = await startPostgres();
after(() => server.skip === undefined && server.stop());

async function sqlitePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "steward-store-"));
  return { open: (options) => sqlite(join(folder, "steward.db"), options), remove: () => rm(folder, { recursive: true }) };
}

async function postgresPlace(): Promise<Place> {
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
