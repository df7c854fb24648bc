// The store: it opens, and SQLite finds its pages whole. Whether its logs were changed behind its back is history.ts's.
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { bytes } from "../std/text.ts";
import { type Check, type Finding, ok, problem, warning } from "./check.ts";

/** Above this the whole server would stand still for too long. */
const READ = 200e6;

export const check: Check = {
  name: "store",
  async check({ home, env, serving, steward }) {
    if (env["STEWARD_DATABASE_URL"]) {
      const { store } = await steward();
      await store.get("health");
      if (!store.shared || "missing" in store.shared)
        return warning(
          `Postgres answers, but each process has a search index of its own: ${store.shared?.missing}`,
          "Install pgvector for that server (Debian: postgresql-NN-pgvector), let one who may run CREATE EXTENSION vector in Steward's database, and start Steward again.",
        );
      return ok(`Postgres answers; its processes share the search index (${store.shared.about})`);
    }
    const path = env["DB_PATH"] ?? join(home, "steward.db");
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined || size === 0) return ok(`${path} is made at the first start`);
    return serving && size > READ ? ok(`${path}, ${bytes(size)}; too large to be read while Steward runs`) : look(path, size);
  },
};

function look(path: string, size: number): Finding {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    try {
      const first = (sql: string): unknown => Object.values(db.prepare(sql).get() ?? {})[0];
      const verdict = String(first("PRAGMA quick_check(1)"));
      if (verdict === "ok") return ok(`${path}, ${bytes(size)}, version ${String(first("PRAGMA user_version"))}, whole`);
      return damaged(path, verdict);
    } finally {
      db.close();
    }
  } catch (error) {
    return damaged(path, (error as Error).message);
  }
}

const damaged = (path: string, what: string): Finding =>
  problem(
    `${path} is damaged: ${what}`,
    "Stop Steward, keep a copy of it, and put the newest good copy in its place. Nothing here changes it.",
  );
