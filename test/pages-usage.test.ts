// The usage page in a real Chromium: empty, with figures, an unknown price, the budget, allowing more, CSV; by keyboard, on a phone, in both themes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dayKey, dayOf, note, type Row } from "../src/money/ledger.ts";
import { nano } from "../src/money/prices.ts";
import { personKey } from "../src/run/persons.ts";
import { makeSession } from "../src/run/sessions.ts";
import { zoneOf } from "../src/run/steward.ts";
import { usagePaths } from "../src/web/usage-api.ts";
import type { Place } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";
import { accessibility, builtin, button, oneBrowser, openPage, overflows, sameRoutes, say, shot, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };
const DAY_MS = 86_400_000;

test("the page's table of calls about usage is the gateway's", () => {
  sameRoutes(usagePaths);
});

/** Calls of three weeks, of two people, one model's price unknown. */
async function used({ composed: { steward } }: Place): Promise<void> {
  const { store } = steward;
  await store.commit({ put: { [personKey("mia")]: { id: "mia", name: "Mia Wallace", role: "member", createdAt: 1 } } });
  await makeSession(steward, OWNER, { id: "ses_trip", title: "The trip to Lisbon" });
  const now = Date.now();
  for (let before = 0; before < 21; before++) {
    const at = now - before * DAY_MS;
    const day = dayOf(at, zoneOf(steward));
    const size = 1 + ((before * 7) % 11);
    const models = ["anthropic/claude-sonnet-4-5", "openai/gpt-5-mini", ...(before % 5 === 0 ? ["gateway/some-new-model"] : [])];
    for (const [n, model] of models.entries()) {
      const person = n === 1 ? "mia" : "owner";
      const account = {
        person,
        session: person === "mia" ? "ses_mia" : "ses_trip",
        turn: `trn_${before}`,
        engine: n === 2 ? "claude" : "loop",
      };
      const row: Row = {
        ...{ id: `use_${before}_${n}`, at, day, ...account, model, input: size * 12_000, output: size * 900, cached: size * 8000 },
        ...(n === 2 ? { cost: 0, unknown: true } : { cost: nano((size * (n === 0 ? 31 : 4)) / 1000) }),
      };
      await note(steward, account, row);
    }
  }
}

test("empty, then with what the first message used", options, async (t) => {
  const place = await openPage(t, builtin);
  const { page, strays, complaints } = await visit(browser(), place);
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByText("No model was asked yet.", { exact: false }).waitFor();
  await page.getByText("No ceiling is set for a day or a month.", { exact: false }).waitFor();
  await shot(page, "usage-empty");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);
  await page.goto(place.gateway.url);
  await say(page, "what can you do");
  await page.locator(".end").waitFor();
  await page.goto(`${place.gateway.url}/usage`);
  await page.getByRole("row", { name: /builtin\/rules \$0\.00 1 / }).waitFor();
  await page.getByRole("img", { name: /tokens from/ }).waitFor();
  assert.deepEqual([strays, complaints], [[], []]);
});

test("figures, chart, tables, unknown prices, the budget, allowing more, CSV", options, async (t) => {
  const place = await openPage(t, { config: { ...builtin.config, "budget.day": 0.2, "budget.person": { month: 10, turn: 0.5 } } });
  await used(place);
  const { store } = place.composed.steward;
  const today = dayOf(Date.now(), zoneOf(place.composed.steward));
  const owner = await visit(browser(), place, { path: "/usage" });
  const { page } = owner;
  await page.getByRole("row", { name: /anthropic\/claude-sonnet-4-5 \$3\.94 21 / }).waitFor();
  await page.getByRole("row", { name: /gateway\/some-new-model price unknown 5 / }).waitFor();
  await page.getByText("5 calls went to models whose price nobody knows", { exact: false }).waitFor();
  await page.getByRole("img", { name: /^\$4\.4[45] from .*; the most on one day is \$0\.3[89]\./ }).waitFor();
  await shot(page, "usage-page");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);

  const chart = page.getByRole("group", { name: "What the chart shows" });
  await chart.getByRole("button", { name: "Tokens" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("img", { name: /tokens from/ }).waitFor();
  await page.getByText("Each day (21 days with calls)").click();
  await page.getByRole("row", { name: new RegExp(`^${today} `) }).waitFor();
  const by = page.getByRole("group", { name: "By what" });
  await by.getByRole("button", { name: "Session" }).click();
  await page.getByRole("row", { name: /^The trip to Lisbon / }).waitFor();
  await by.getByRole("button", { name: "Person" }).click();
  await page.getByRole("row", { name: /^Mia Wallace \$0\.51 21 / }).waitFor();
  await page.getByLabel("Whose").selectOption("mia");
  await page.getByText("Of Mia Wallace.", { exact: false }).waitFor();
  assert.deepEqual(await by.getByRole("button").allTextContents(), ["Model", "Engine"], "what she talks about is hers");
  await page.getByLabel(/^When/).selectOption("7");
  await page.getByRole("row", { name: /openai\/gpt-5-mini .* 7 / }).waitFor();
  await page.getByLabel("Whose").selectOption("");

  const csv = page.waitForEvent("download");
  await button(page, "CSV").click();
  const lines = readFileSync(await (await csv).path(), "utf8")
    .trim()
    .split("\r\n");
  assert.equal(lines.length, 1 + 7 + 7 + 2);
  assert.match(lines[1]!, /,loop,anthropic\/claude-sonnet-4-5,\d+,\d+,\d+,0,0,0\.\d+,table,counted$|,loop,openai/);
  assert.ok(lines.some((line) => line.includes(",gateway/some-new-model,") && line.endsWith(",,unknown,counted")));
  assert.ok(
    lines.every((line) => !line.includes("ses_mia")),
    "another's sessions are theirs",
  );

  await store.commit({ add: { [dayKey(undefined, today)]: { cost: nano(0.25) } } });
  await page.reload();
  const budget = page.getByRole("region", { name: "Budget" });
  await budget.getByText("$0.00 left of $0.20").waitFor();
  await shot(page, "usage-over");
  await button(page, "Allow $0.05 more: Today, everybody together").click();
  await budget.getByText("left of $0.25").waitFor();
  await page.getByLabel("Another sum in dollars: Today, everybody together").fill("2");
  await page.keyboard.press("Enter");
  await budget.getByText(/\$2\.05 of it was allowed on top/).waitFor();
  assert.deepEqual((await store.list(`${dayKey(undefined, today)}/extension/`)).length, 2);
  assert.deepEqual([owner.strays, owner.complaints, await accessibility(page)], [[], [], []]);

  for (const theme of ["light", "dark"] as const) {
    const phone = await visit(browser(), place, { width: 390, height: 800, path: "/usage", theme });
    await phone.page.getByRole("row", { name: /anthropic\/claude-sonnet-4-5/ }).waitFor();
    await shot(phone.page, `usage-phone-${theme}`);
    assert.deepEqual([await accessibility(phone.page), await overflows(phone.page)], [[], false]);
    await phone.context.close();
  }
});
