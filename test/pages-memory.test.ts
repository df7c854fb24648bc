// The page about memory in a real Chromium: searched, forgotten, changed, put back; readable on a phone.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { memoryPaths } from "../src/web/memory-api.ts";
import { eventually } from "./gateway-place.ts";
import { accessibility, builtin, oneBrowser, openPage, sameRoutes, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();

test("the table of calls says what the routes say", () => {
  sameRoutes(memoryPaths);
});

for (const [theme, width] of [
  ["light", 1280],
  ["dark", 390],
] as const)
  test(`search, facts and fields at ${width} px, ${theme}`, { skip, timeout: 280_000 }, async (t) => {
    const place = await openPage(t, builtin);
    mkdirSync(join(place.home, "workspace"), { recursive: true });
    writeFileSync(join(place.home, "workspace", "garden.md"), "# Garden\n\nThe marigold stands by the gate.\n");
    const { id } = await place.client.call("sessions.make", { body: {} });
    await place.client.call("sessions.say", {
      params: { id },
      body: { parts: [{ type: "text", text: "remember that my marigold is thirsty" }] },
    });
    await eventually(async () => (await place.events(id)).some(({ event }) => event.type === "turn.completed"));
    const { page } = await visit(browser(), place, { path: "/memory", width, height: 800, theme });
    const search = page.getByRole("region", { name: "Search" });
    await search.getByRole("searchbox").fill("marigold");
    await search.getByRole("searchbox").press("Enter");
    await search.getByText("garden.md, line 1").waitFor();
    await search.getByText("In a conversation").first().waitFor();
    assert.deepEqual(await accessibility(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false);
    await search.getByRole("searchbox").fill("xylophone");
    await search.getByRole("searchbox").press("Enter");
    await search.getByText("Nothing was found").waitFor();
    const facts = page.getByRole("region", { name: "Facts" });
    await page.reload();
    await facts.getByRole("listitem").first().waitFor();
    await facts.getByRole("button", { name: /Forget/ }).click();
    await facts.getByText("Nothing yet").waitFor();
    await facts.getByText("History of facts").click();
    await facts.getByText("forgotten by you").waitFor();
    await facts.getByRole("button", { name: /Bring back/ }).click();
    await facts.getByRole("button", { name: /Forget/ }).waitFor();
    const fields = page.getByRole("region", { name: "Fields" });
    const box = fields.getByLabel("The memory as JSON");
    await box.fill('{"name":"Ada"}');
    await fields.getByRole("button", { name: "Save" }).click();
    await fields.getByText("1 version").waitFor();
    await box.fill('{"name":"Bob"}');
    await fields.getByRole("button", { name: "Save" }).click();
    await fields.getByText("2 versions").click();
    await box.fill("no json");
    await fields.getByRole("button", { name: "Save" }).click();
    await page.getByText(/JSON/).last().waitFor();
    await fields.getByRole("button", { name: "Discard" }).click();
    await fields
      .getByRole("button", { name: /Put back/ })
      .last()
      .click();
    await page.getByText("That version holds again.").waitFor();
    assert.deepEqual(JSON.parse((await place.client.call("memory.get")).memory), { name: "Ada" });
  });
