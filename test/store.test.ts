// The store contract on SQLite and Postgres, and random histories against a small model.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlite } from "../src/stores/sqlite.ts";
import { type Place, storeContract } from "../src/testing/store.ts";

async function sqlitePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "steward-store-"));
  return { open: (options) => sqlite(join(folder, "steward.db"), options), remove: () => rm(folder, { recursive: true }) };
}
storeContract("sqlite", sqlitePlace);
