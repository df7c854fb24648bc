// Documented capabilities of the page by the numbers of docs/checklist.md, in a real Chromium. What else the page does is in pages.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtin, oneBrowser, openPage, say, sessionOf, skip, talk, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test(
  "T-029 T-035 T-036 T-039 dark by default, and after a reload the conversation is there without raw JSON or empty bubbles",
  options,
  async (t) => {
    const place = await openPage(t, { config: { model: "builtin/rules", "computer.mode": "full" } });
    const { page } = await visit(browser(), place);
    await say(page, "create a file hello.txt that says hi");
    await page.getByRole("region", { name: /^Write hello\.txt: Done/ }).waitFor();
    await page.getByText("Connected").waitFor();
    await page.reload();
    await page.getByRole("region", { name: /^Write hello\.txt: Done/ }).waitFor();
    await page.locator(".end").waitFor();
    const articles = await page.getByRole("article").allInnerTexts();
    assert.ok(articles.length >= 2 && articles.some((words) => words.includes("create a file hello.txt")));
    for (const words of articles) {
      assert.notEqual(words.trim(), "");
      assert.doesNotMatch(words, /\{"|"success"/);
    }
    for (const path of ["/", "/settings", "/health"]) {
      await page.goto(place.gateway.url + path);
      await page.getByRole("heading").first().waitFor();
      const colours = await page.evaluate(() =>
        getComputedStyle(document.body)
          .backgroundColor.match(/[\d.]+/g)!
          .slice(0, 3)
          .map(Number),
      );
      assert.ok(Math.max(...colours) < 64, `${path}: ${colours}`);
    }
  },
);

test("T-038 shortcuts: search, new chat, input, Enter and Shift+Enter, Escape", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(1), "Old");
  const { page } = await visit(browser(), place, { path: `/s/${id}` });
  await page.getByText("Answer 0").waitFor();
  const focused = (name: string): Promise<unknown> => page.waitForFunction((one) => document.activeElement?.id === one, name);
  await page.keyboard.press("ControlOrMeta+k");
  await focused("search");
  await page.keyboard.press("ControlOrMeta+/");
  await focused("composer");
  await page.keyboard.press("ControlOrMeta+n");
  await page.getByText("Say what you need in plain words.").waitFor();
  await focused("composer");
  await page.keyboard.type("what is");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("2 + 2?");
  assert.equal(await page.locator("#composer").inputValue(), "what is\n2 + 2?");
  await page.keyboard.press("Enter");
  await page.getByRole("article", { name: "You" }).waitFor();
  await page.waitForFunction(() => document.querySelector<HTMLTextAreaElement>("#composer")?.value === "");
  await page.getByRole("button", { name: "More for this session" }).click();
  await page.getByRole("menuitem", { name: "Clear" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("menuitem", { name: "Clear" }).waitFor({ state: "detached" });
});
