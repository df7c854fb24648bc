// The engines on the settings page in a real Chromium: what is there, bringing asked about first, readable on a phone; a member only reads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { enginePaths } from "../src/web/engines-api.ts";
import { accessibility, builtin, oneBrowser, openPage, sameRoutes, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();

test("the table of calls says what the routes say", () => {
  sameRoutes(enginePaths);
});

for (const [theme, width] of [
  ["light", 1280],
  ["dark", 390],
] as const)
  test(
    `engines at ${width} px, ${theme}: bringing is asked about, with package, version and licence`,
    { skip, timeout: 280_000 },
    async (t) => {
      const place = await openPage(t, builtin);
      const { page } = await visit(browser(), place, { path: "/settings", width, height: 800, theme });
      const card = page.getByRole("region", { name: "Engines" });
      await card.getByText("part of Steward").waitFor();
      const names = await card.locator("b").allTextContents();
      assert.deepEqual(names, ["acp", "claude", "loop", "opencode"]);
      await card.getByText(/OpenCode, an open-source agent, MIT: not there yet/).waitFor();
      await card.getByRole("button", { name: "Bring opencode", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText(/opencode-ai 1\.18\.33 from npm\. Its licence is MIT/).waitFor();
      assert.deepEqual(await accessibility(page), []);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      assert.equal(
        (await place.client.call("engines.list")).engines.flatMap(({ programs }) => programs).filter(({ bringing }) => bringing).length,
        0,
      );
      const chain = async () => (await place.client.call("config.get")).config.failover.chain;
      for (const name of ["builtin/rules", "claude:anthropic/claude-sonnet-4-6"]) {
        await card.getByLabel("Who else answers").fill(name);
        await page.keyboard.press("Enter");
        await card.getByText(name, { exact: true }).waitFor();
      }
      await card.getByRole("button", { name: "Earlier: claude:anthropic/claude-sonnet-4-6" }).click();
      await card
        .getByRole("list", { name: "Who stands in" })
        .getByRole("listitem")
        .first()
        .getByText(/^claude:/)
        .waitFor();
      assert.deepEqual(await chain(), ["claude:anthropic/claude-sonnet-4-6", "builtin/rules"]);
      assert.deepEqual(await accessibility(page), []);
      for (const left of [1, 0]) {
        await card
          .getByRole("list", { name: "Who stands in" })
          .getByRole("button", { name: /^Remove/ })
          .first()
          .click();
        await page.waitForFunction((count) => document.querySelectorAll("[aria-label='Who stands in'] li").length === count, left);
      }
      assert.deepEqual(await chain(), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false);
    },
  );
