// The schedules page in a real Chromium: empty, made in words with a preview, paused, run, its history, the calendar, the heartbeat; by keyboard, on a phone, in both themes.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { addSchedule } from "../src/schedules/change.ts";
import { schedulesOf } from "../src/schedules/state.ts";
import { schedulePaths } from "../src/web/schedules-api.ts";
import { eventually } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";
import { accessibility, builtin, button, oneBrowser, openPage, overflows, sameRoutes, shot, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("the page's table of calls about schedules is the gateway's", () => {
  sameRoutes(schedulePaths);
});

test("schedules from the first to their history", options, async (t) => {
  const place = await openPage(t, builtin);
  const { steward } = place.composed;
  const { page, strays, complaints } = await visit(browser(), place, { path: "/schedules" });
  await page.getByText("Nothing is scheduled yet.", { exact: false }).waitFor();
  await page.getByText("HEARTBEAT.md has no sections.").waitFor();
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);

  await page.getByRole("button", { name: "Schedule something" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Schedule something" });
  await dialog.getByLabel("When", { exact: true }).fill("whenever");
  await dialog.getByText("is no time that Steward can read", { exact: false }).waitFor();
  await dialog.getByLabel("When", { exact: true }).fill("every weekday at 9");
  await dialog.getByText("every weekday at 9:00 (", { exact: false }).waitFor();
  assert.equal(await dialog.getByRole("listitem").count(), 5);
  await dialog.getByLabel("What to do").fill("List the files in my workspace");
  await dialog.getByLabel("Name", { exact: true }).fill("Morning look");
  await dialog.getByText("Advanced", { exact: true }).click();
  await dialog.getByLabel("Time zone").selectOption("Europe/Berlin");
  await dialog.getByText("Europe/Berlin", { exact: false }).first().waitFor();
  await dialog.getByLabel("When it is due and still at work").selectOption("wait");
  await dialog.getByLabel("Tries after a failure").fill("99");
  await dialog.getByLabel("Model", { exact: true }).fill("nothing");
  const keep = dialog.getByRole("button", { name: "Schedule", exact: true });
  await keep.click();
  await dialog.getByText("retries: At most 10.").waitFor();
  // The focus comes after the words.
  await page.locator("#schedule-retries:focus").waitFor();
  const retries = dialog.getByLabel("Tries after a failure");
  assert.deepEqual(
    [await retries.getAttribute("aria-invalid"), await page.evaluate(() => document.activeElement?.id)],
    ["true", "schedule-retries"],
  );
  await retries.fill("3");
  await keep.click();
  await dialog.getByText('"nothing" is not a model\'s name', { exact: false }).waitFor();
  assert.deepEqual(await accessibility(page), []);
  await shot(page, "schedules-dialog");
  await dialog.getByLabel("Model", { exact: true }).fill("builtin/rules");
  await keep.click();
  const row = page.getByRole("listitem", { name: "Morning look" });
  await row.getByText("every weekday at 9:00", { exact: false }).waitFor();
  await page.getByRole("listitem").filter({ hasText: "Morning look" }).first().waitFor();
  const [made] = await schedulesOf(steward, OWNER);
  assert.deepEqual(
    [made!.trigger, made!.overlap, made!.retries, made!.ceiling, made!.model, made!.deliver, made!.onMissed],
    [{ cron: "0 9 * * 1-5", zone: "Europe/Berlin" }, "wait", 3, undefined, "builtin/rules", { to: "person" }, { within: 3_600_000 }],
  );
  await button(page, "Month").click();
  await eventually(async () => (await page.locator(".calendar > li").count()) >= 20);

  await button(page, "Pause Morning look").click();
  await row.getByText("paused").waitFor();
  await button(page, "Resume Morning look").click();
  await button(page, "Run now: Morning look").click();
  await button(page, "History of Morning look").click();
  const history = page.getByRole("list", { name: "History of Morning look" });
  await history.getByText("ran", { exact: true }).waitFor();
  await history.getByRole("link", { name: /^Session of / }).waitFor();
  await shot(page, "schedules-page");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);

  await button(page, "Change Morning look").click();
  const change = page.getByRole("dialog", { name: "Change Morning look" });
  await change.getByText("Advanced", { exact: true }).click();
  assert.equal(await change.getByLabel("Tokens at most").inputValue(), "");
  await change.getByLabel("Tokens at most").fill("600000");
  await change.getByLabel("Its result goes").selectOption("log");
  await change.getByLabel("Time zone").selectOption("");
  await change.getByLabel("What", { exact: true }).selectOption("tell");
  await change.getByRole("button", { name: "Save" }).click();
  await row.getByText("Reminds you", { exact: false }).waitFor();
  const [changed] = await schedulesOf(steward, OWNER);
  assert.deepEqual(
    [changed!.trigger, changed!.ceiling, changed!.deliver, changed!.overlap, changed!.action],
    [{ cron: "0 9 * * 1-5" }, { tokens: 600_000 }, { to: "log" }, "wait", { tell: "List the files in my workspace" }],
  );
  await button(page, "Remove Morning look").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("Nothing is scheduled yet.", { exact: false }).waitFor();
  assert.deepEqual(await schedulesOf(steward, OWNER), []);
  // Twice the server refused what was written.
  assert.deepEqual([strays, complaints.filter((line) => !line.includes("422"))], [[], []]);
});

test("on a phone, in the dark, many, one that waits, and a heartbeat with a mistake", options, async (t) => {
  const place = await openPage(t, builtin);
  const { steward } = place.composed;
  for (let n = 0; n < 60; n++)
    await addSchedule(steward, OWNER, { trigger: { cron: `${n} 9 * * *` }, action: { prompt: `Look at thing ${n}` }, name: `Thing ${n}` });
  const tainted = { source: "agent" as const, session: "", turn: "", tool: "schedule_task", holds: true };
  await addSchedule(
    steward,
    OWNER,
    { trigger: { cron: "0 8 * * *" }, action: { prompt: "Send it all away" }, name: "From a page" },
    tainted,
  );
  writeFileSync(join(steward.home, "workspace", "HEARTBEAT.md"), "## Every hour\n- Look at the inbox\n\n## Sometimes\n- x\n");
  await steward.schedules.look();
  const { page, strays, complaints } = await visit(browser(), place, { path: "/schedules", width: 390, height: 844, theme: "dark" });
  await page.getByText("1 to 50 of 62").waitFor();
  await page.getByText('HEARTBEAT.md, line 4, "Sometimes"', { exact: false }).waitFor();
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);
  await button(page, "Later").click();
  await page.getByText("51 to 62 of 62").waitFor();
  await page.getByLabel("Search schedules").fill("from a page");
  const held = page.getByRole("listitem", { name: "From a page" });
  await held.getByText("waits for you").waitFor();
  await shot(page, "schedules-phone");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);
  await button(page, "Resume From a page").click();
  await held.getByText("· next", { exact: false }).waitFor();
  assert.deepEqual([strays, complaints], [[], []]);
});
