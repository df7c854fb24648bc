// The doctor on the health page, in a real Chromium: looked for by hand, mended by hand, readable on a phone.
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { accessibility, builtin, oneBrowser, openPage, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();

test("the owner has it look, sees a line for each check, and has it mend what is safe", { skip, timeout: 280_000 }, async (t) => {
  const place = await openPage(t, builtin);
  const file = join(place.home, "permissions.json");
  rmSync(file, { force: true });
  const { page } = await visit(browser(), place, { path: "/health", width: 390, height: 800 });
  const card = page.getByRole("region", { name: "Doctor" });
  await card.getByRole("button", { name: "Look", exact: true }).click();
  await card.getByText(/\d+ of 18 checks passed/).waitFor({ timeout: 60_000 });
  assert.equal(await card.getByRole("listitem").count(), 18);
  await card.getByText("There is no permissions.json, so the defaults hold").waitFor();
  assert.deepEqual(await accessibility(page), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false);
  await card.getByRole("button", { name: "Mend what is safe to mend" }).click();
  await card.getByText("permissions.json was written with the defaults").waitFor({ timeout: 60_000 });
  assert.equal(existsSync(file), true);
});
