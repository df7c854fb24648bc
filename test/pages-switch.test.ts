// The page: who answers is seen and switched in the conversation, commands are completed and answered; by keyboard, for a screen reader, on a phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./gateway-place.ts";
import { accessibility, oneBrowser, openPage, say, sessionOf, skip, talk, visit, type Visit } from "./pages-place.ts";

const options = { skip, timeout: 280_000 };
const browser = oneBrowser();

async function leave({ context, strays, complaints }: Visit): Promise<void> {
  assert.deepEqual({ strays, complaints }, { strays: [], complaints: [] });
  await context.close();
}

test("the switcher says what answers and why, and switches it for the session; the answer names its model", options, async (t) => {
  const place = await openPage(t);
  const id = await sessionOf(place, talk(1), "Model");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  const { page } = v;
  await page.getByRole("button", { name: "Model: compatible/test-1, chosen for everybody" }).click();
  const panel = page.getByRole("dialog", { name: "Who answers" });
  await panel.getByText("Now: compatible/test-1 by the engine loop (chosen for everybody)").waitFor();
  await panel.getByRole("radio", { name: "builtin/rules" }).check();
  await panel.getByRole("button", { name: "Switch" }).click();
  await panel.getByText("Now: builtin/rules by the engine loop (chosen for this session)").waitFor();
  assert.equal((await place.client.call("sessions.get", { params: { id } })).model, "builtin/rules");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Model: builtin/rules, chosen for this session" }).waitFor();
  await say(page, "what is 6*7?");
  await page.locator(".end", { hasText: "builtin/rules" }).nth(1).waitFor(); // the first is of the turn before
  await page.getByRole("button", { name: "Model: builtin/rules" }).click();
  await panel.getByRole("button", { name: "Back to the default" }).click();
  await panel.getByText("Now: compatible/test-1").waitFor();
  await panel.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Model: compatible/test-1, chosen for everybody" }).waitFor();
  await leave(v);
});

test("a pin is set and refuses with what to do; all of it by keyboard", options, async (t) => {
  const place = await openPage(t, {
    config: { "providers.far": { kind: "compatible", baseUrl: "https://far.invalid/v1", models: ["big"] } },
  });
  const id = await sessionOf(place, talk(1), "Pinned");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  const { page } = v;
  await page.getByRole("button", { name: /^Model: / }).focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog", { name: "Who answers" });
  await panel.getByRole("radio", { name: "None" }).focus();
  await page.keyboard.press("ArrowDown");
  await eventually(() => panel.getByRole("radio", { name: "Local models only" }).isChecked());
  await panel.getByRole("button", { name: "Switch" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  const button = page.getByRole("button", { name: /^Model: compatible\/test-1.*, pinned$/ });
  await button.waitFor();
  await eventually(() => button.evaluate((element) => element === document.activeElement));
  const refused = await place.client
    .call("choice.put", { body: { scope: "session", session: id, model: "far/big" } })
    .catch((error: Error) => error.message);
  assert.match(String(refused), /far\/big is not on this machine/);
  await leave(v);
});

test("a slash opens the commands: arrows, Tab and Enter; the answer is in the conversation, new goes on elsewhere", options, async (t) => {
  const place = await openPage(t);
  const id = await sessionOf(place, talk(1), "Commands");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  const { page } = v;
  const field = page.getByLabel("Message", { exact: true });
  await field.fill("/");
  const list = page.getByRole("listbox", { name: "Commands" });
  await list.getByRole("option", { name: "/help" }).waitFor();
  assert.ok((await list.getByRole("option").count()) > 20);
  await page.keyboard.press("ArrowDown");
  await eventually(async () => (await field.getAttribute("aria-activedescendant")) === "slash-list-1");
  await page.locator("#slash-list-1[aria-selected=true]").waitFor();
  await page.keyboard.type("vers");
  await list.getByRole("option", { name: "/version" }).waitFor();
  await page.keyboard.press("Tab");
  await eventually(async () => (await field.inputValue()) === "/version");
  await page.keyboard.press("Enter");
  await page.locator("article.reply", { hasText: "Steward 0.0.1-test, Node" }).waitFor();
  assert.equal(place.model.requests.length, 0);
  await field.fill("/model ");
  await list.getByRole("option", { name: "compatible/test-1" }).waitFor();
  await page.keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  await field.fill("/hel");
  await list.getByRole("option", { name: "/help" }).waitFor();
  await page.keyboard.press("Enter");
  await eventually(async () => (await field.inputValue()) === "/help ");
  await field.fill("new");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => /^\/s\/ses_/.test(url.pathname) && !url.pathname.endsWith(id));
  await leave(v);
});

for (const width of [1280, 390])
  for (const theme of ["dark", "light"] as const)
    test(`nothing of the switcher and the commands keeps anybody out: ${width} wide, ${theme}`, options, async (t) => {
      const place = await openPage(t);
      const id = await sessionOf(place, talk(1), "Look");
      const v = await visit(browser(), place, { path: `/s/${id}`, width, height: 844, theme });
      const { page } = v;
      await page.getByLabel("Message", { exact: true }).fill("/");
      await page.getByRole("option", { name: "/help" }).waitFor();
      if (process.env["SHOTS"]) await page.screenshot({ path: `${process.env["SHOTS"]}/slash-${width}-${theme}.png` });
      assert.deepEqual(await accessibility(page), []);
      await page.getByLabel("Message", { exact: true }).fill("");
      await page.getByRole("button", { name: /^Model: / }).click();
      const panel = page.getByRole("dialog", { name: "Who answers" });
      await panel.getByRole("radio", { name: "builtin/rules" }).waitFor();
      if (process.env["SHOTS"]) await page.screenshot({ path: `${process.env["SHOTS"]}/switcher-${width}-${theme}.png` });
      assert.deepEqual(await accessibility(page), []);
      const box = (await panel.boundingBox())!;
      assert.ok(box.x >= 0 && box.x + box.width <= width && box.y >= 0 && box.y + box.height <= 844);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      await leave(v);
    });
