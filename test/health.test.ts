// Health: limits of the machine, parts that fail, the sentence for the banner.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { health, loadStatus } from "../src/run/health.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness } from "./harness.ts";

test("T-094 over 75 % of memory or 80 % of the disk is degraded, over 90 % of either is unhealthy", () => {
  const cases = [
    [0.5, 0.5, "healthy"],
    [0.75, 0.8, "healthy"],
    [0.76, 0.1, "degraded"],
    [0.1, 0.81, "degraded"],
    [0.91, 0.1, "unhealthy"],
    [0.1, 0.91, "unhealthy"],
  ] as const;
  for (const [memory, disk, status] of cases) assert.equal(loadStatus({ memory, disk }), status, `${memory} ${disk}`);
});

test("T-093 every part is named with its state and how long it took; a part that fails is said in the banner", async () => {
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "" }]) });
  mkdirSync(steward.home, { recursive: true });
  const names = (await health(steward)).components?.map(({ name }) => name);
  assert.deepEqual(names, ["llm_connection", "plugins", "system", "store", "sandbox", "settings", "heartbeat"]);
  steward.store.get = () => Promise.reject(new StewardError("unavailable", "The database is gone"));
  const broken = await health(steward);
  assert.deepEqual(
    [broken.status, broken.components?.find(({ name }) => name === "store")?.message],
    ["unhealthy", "The database is gone"],
  );
  assert.match(broken.banner ?? "", /store: The database is gone/);
});

test("a broken permissions.json shows as degraded", async () => {
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "" }]) });
  mkdirSync(steward.home, { recursive: true });
  writeFileSync(steward.permissions.path, "{");
  const found = (await health(steward)).components?.find(({ name }) => name === "settings");
  assert.equal(found?.status, "degraded");
});
