// The page of background tasks in a real Chromium: empty, started, the live tree, stopped, resumed, results, channels, teams; by keyboard, on a phone, in both themes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { taskPaths } from "../src/web/tasks-api.ts";
import { OWNER } from "./harness.ts";
import { accessibility, button, oneBrowser, openPage, overflows, sameRoutes, shot, skip, visit } from "./pages-place.ts";
import type { Action } from "../src/testing/model-server.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };
const text = (words: string): Action[] => [{ do: "text", text: words }];
const call = (input: object): Action[] => [{ do: "calls", calls: [{ tool: "task", input }] }];

test("the page's table of calls about tasks is the gateway's", () => {
  sameRoutes(taskPaths);
});

test("tasks are started, seen at work with what they started, stopped, resumed, read; a team and its channel too", options, async (t) => {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const place = await openPage(t, {
    config: {
      "tasks.teams": {
        sums: {
          roles: [
            { name: "Lead", brief: "Sums up." },
            { name: "Ann", brief: "Knows A." },
          ],
        },
      },
    },
    script: ({ body }) => {
      const asked = JSON.stringify(body.messages);
      if (asked.includes("Go on from where")) return text("Went on to the end.");
      if (asked.includes("who leads a team"))
        return asked.includes("I know it")
          ? text("A is known.")
          : asked.includes('\\"sent')
            ? text("I wait")
            : call({ do: "send", name: "Ann", text: "Do you know it?" });
      if (asked.includes("in a team that"))
        return asked.includes('\\"sent') ? text("I know it") : call({ do: "send", name: "#all", text: "On it" });
      if (asked.includes("look deeper")) return [{ do: "until", promise: gate.promise }, ...text("deep enough")];
      return asked.includes('\\"started') ? text("My part is done.") : call({ do: "start", name: "Deeper", text: "look deeper" });
    },
  });
  const { page, strays, complaints } = await visit(browser(), place, { path: "/tasks" });
  const one = (name: string) => page.getByRole("group", { name, exact: true });
  await page.getByText("Nothing works in the background.", { exact: false }).waitFor();
  const team = page.getByRole("region", { name: "Team sums" });
  await team.waitFor();
  assert.deepEqual(await team.locator("dt, dd").allInnerTexts(), [
    ...["Lead", "Sums up.\nleads · writes to all"],
    ...["Ann", "Knows A.\nwrites to all"],
  ]);
  await shot(page, "tasks-empty");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);

  await page.getByLabel("What shall be done").fill("Compare the offers");
  await page.getByLabel("Name (if you like)").fill("Offers");
  await page.getByLabel("Dollars at most (if you like)").fill("2");
  await page.keyboard.press("Enter");
  await one("Offers").getByText("at most $2", { exact: false }).waitFor();
  await one("Deeper").getByText("running", { exact: true }).waitFor();
  await page.getByRole("status").getByText("2 tasks").waitFor();
  assert.equal(await page.locator("li li").getByRole("heading", { name: "Deeper" }).count(), 1, "below what started it");
  await shot(page, "tasks-tree");
  assert.deepEqual([await accessibility(page), await overflows(page)], [[], false]);
  assert.match((await button(page, "Stop Deeper").getAttribute("aria-label"))!, /Deeper/);
  for (const theme of ["light", "dark"] as const) {
    const phone = await visit(browser(), place, { width: 390, height: 800, path: "/tasks", theme });
    await phone.page.getByRole("group", { name: "Deeper" }).waitFor();
    await shot(phone.page, `tasks-phone-${theme}`);
    assert.deepEqual([await accessibility(phone.page), await overflows(phone.page)], [[], false]);
    await phone.context.close();
  }

  await button(page, "Stop Offers").focus();
  await page.keyboard.press("Enter");
  await button(page, "Stop it").click();
  await one("Deeper").getByText("It was stopped by the person").waitFor();
  await button(page, "Resume Offers").click();
  await one("Offers").getByText("done", { exact: true }).waitFor();
  await button(page, "Result of Offers").click();
  await page.getByRole("region", { name: "Result of Offers" }).getByText("Went on to the end.").waitFor();
  await page.getByRole("link", { name: "Open Offers" }).click();
  await page.getByText("Go on from where you stopped.").waitFor();
  await page.goBack();

  await place.composed.steward.store.commit({ put: { "p/owner/ear/none": { channels: ["all"], principal: OWNER } } });
  await page.getByLabel("What shall be done").fill("Add A");
  await page.getByLabel("By whom").selectOption("sums");
  await button(page, "Start").click();
  await one("Lead").getByText("done", { exact: true }).waitFor();
  await one("Ann").getByText("team sums", { exact: false }).waitFor();
  await button(page, "Read #all").click();
  await page.getByRole("list", { name: "Messages on #all" }).getByText("On it").waitFor();
  await page.getByLabel("Say something on #all").fill("Well done");
  await page.keyboard.press("Enter");
  await page.getByRole("list", { name: "Messages on #all" }).getByText("Well done").waitFor();
  await shot(page, "tasks-done");
  assert.deepEqual([await accessibility(page), await overflows(page), strays, complaints], [[], false, [], []]);
});
