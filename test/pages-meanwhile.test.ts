// The pages beside the conversation while something else goes on: lists and texts that are changed elsewhere, answers that come late, a server that is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { dayOf } from "../src/money/ledger.ts";
import { zoneOf } from "../src/run/steward.ts";
import { addSchedule } from "../src/schedules/change.ts";
import { eventually } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";
import { accessibility, builtin, button, oneBrowser, openPage, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const add = async (page: Page, label: string, ...all: string[]): Promise<void> => {
  for (const one of all) {
    await page.getByLabel(label, { exact: true }).fill(one);
    await page.keyboard.press("Enter");
  }
};

test("a list is changed as it is then: who was taken out elsewhere stays out, what was blocked stays blocked", options, async (t) => {
  const place = await openPage(t, builtin);
  const { client } = place;
  const room = "-100";
  const rooms = async () => (await client.call("channels.list")).channels[0]!.groups;
  const put = (people: string[]) =>
    client.call("channels.set", {
      params: { id: "telegram" },
      body: { kind: "telegram", enabled: false, groups: { [room]: { people } } },
    });
  await put(["bob", "eve"]);
  const { page, context } = await visit(browser(), place, { path: "/channels" });
  await button(page, "Who is answered at Telegram").click();
  await button(page, `Take eve out of room ${room}`).waitFor();
  await put(["bob"]);
  // The second is added before the first is answered.
  await page.route("**/api/channels/**", (route) => void rest(300).then(() => route.continue()));
  await add(page, `Platform's id of somebody in room ${room}`, "carl", "dora");
  await eventually(async () => (await rooms())[room]!.people.includes("dora"));
  assert.deepEqual(await rooms(), { [room]: { people: ["bob", "carl", "dora"] } });
  await button(page, `Take dora out of room ${room}`).waitFor();
  // Nobody looks, so the page does not find out by itself.
  await page.evaluate(() => Object.defineProperty(document, "hidden", { value: true }));
  await client.call("channels.set", { params: { id: "telegram" }, body: { groups: {} } });
  await add(page, `Platform's id of somebody in room ${room}`, "eve");
  await page.getByText("That was taken out meanwhile.").waitFor();
  assert.deepEqual(await rooms(), {}, "a room that was taken out is not listed again");

  await page.goto(`${place.gateway.url}/settings`);
  await page.locator(".switch-row").filter({ hasText: "Read, write, move" }).getByText("Limits").click();
  const blocked = async () => (await client.call("permissions.get")).capabilities["filesystem"]!.restrictions.blocked_paths;
  const before = await blocked();
  const more = { restrictions: { blocked_paths: [...before, "~/taxes"] } };
  await client.call("permissions.put", { body: { capabilities: { filesystem: more } } });
  await page.locator("#may-filesystem-blocked_paths").fill("~/photos");
  await page.keyboard.press("Enter");
  await page.getByText("~/taxes", { exact: true }).waitFor();
  assert.deepEqual(await blocked(), [...before, "~/taxes", "~/photos"]);

  const chain = (value: string[]) => client.call("config.change", { body: { key: "failover.chain", value } });
  await chain(["builtin/rules"]);
  await page.reload();
  await button(page, "Remove builtin/rules").waitFor();
  await chain([]);
  await add(page, "Who else answers", "ollama/small");
  await button(page, "Remove ollama/small").waitFor();
  assert.deepEqual((await client.call("config.get")).config.failover.chain, ["ollama/small"]);
  await context.close();
});

test("what is written stays: over a memory that the agent changed, another file, an undo", options, async (t) => {
  const place = await openPage(t, builtin);
  const { client } = place;
  const memory = async () => JSON.parse((await client.call("memory.get")).memory) as unknown;
  const { page, context } = await visit(browser(), place, { path: "/memory" });
  const box = page.getByLabel("The memory as JSON");
  await box.fill('{"colour":"blue"}');
  await client.call("memory.edit", { body: { field: "doctor", value: "Dr. Bo" } });
  const told = await memory();
  await button(page, "Save").click();
  await page.getByText("It was changed since you began to write.", { exact: false }).waitFor();
  await page.locator("pre").filter({ hasText: "Dr. Bo" }).first().waitFor();
  assert.deepEqual([await memory(), await box.inputValue()], [told, '{"colour":"blue"}']);
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Replace it").click();
  await page.getByText("Saved.").waitFor();
  assert.deepEqual([await memory(), await box.inputValue()], [{ colour: "blue" }, '{"colour":"blue"}']);

  await page.goto(`${place.gateway.url}/identity`);
  const user = page.getByRole("textbox", { name: "USER.md" });
  const soul = page.getByRole("textbox", { name: "SOUL.md" });
  await user.fill("Ada, in Rome.");
  await button(page, "SOUL.md").click();
  await soul.fill("Mine.");
  await page.getByRole("radio", { name: "Mentor" }).click();
  await page.getByText("Mentor from the next message on.").waitFor();
  await page.getByText("The file was changed since you began to write.", { exact: false }).waitFor();
  assert.equal(await soul.inputValue(), "Mine.");
  await button(page, "USER.md").click();
  assert.equal(await user.inputValue(), "Ada, in Rome.");
  await button(page, "Save").click();
  await page.getByText("USER.md is saved.", { exact: false }).waitFor();
  await button(page, "SOUL.md").click();
  await button(page, "Discard").click();
  await eventually(async () => (await soul.inputValue()) !== "Mine." && button(page, "Save").isDisabled());
  await context.close();
});

test("“It works” is said of the settings that were tried only", options, async (t) => {
  const place = await openPage(t, builtin);
  const { page, context } = await visit(browser(), place, { path: "/channels" });
  const gate = Promise.withResolvers<void>();
  await page.route("**/api/channels/*/test", (route) => void gate.promise.then(() => route.fulfill({ json: { account: "good-bot" } })));
  await button(page, "Add a channel").click();
  await page.getByRole("radio", { name: "Telegram" }).check();
  const token = page.getByLabel("token", { exact: true });
  await token.fill("111:tried");
  await button(page, "Try it").click();
  await page.getByText("Trying it at the platform …").waitFor();
  await token.fill("999:never-tried");
  const answered = page.waitForResponse("**/api/channels/*/test");
  gate.resolve();
  await (await answered).finished();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.deepEqual([await page.locator(".channel-outcome").innerText(), await button(page, "Connect").count()], ["", 0]);
  await button(page, "Try it").click();
  await page.getByText("It works, as good-bot.").waitFor();
  await context.close();
});

test("the switcher opens and closes while nobody says who answers", options, async (t) => {
  const place = await openPage(t, builtin);
  const context = await browser().newContext();
  const page = await context.newPage();
  await page.route("**/api/choice*", (route) => route.abort());
  await page.goto(await place.gateway.claimLink());
  await page.getByLabel("Message", { exact: true }).waitFor();
  const opens = page.locator(".model-menu > button");
  const panel = page.getByRole("dialog", { name: "Who answers" });
  await opens.click();
  await panel.getByText("Steward did not say who answers.", { exact: false }).waitFor();
  assert.deepEqual(await accessibility(page), []);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await page.unroute("**/api/choice*");
  await opens.click();
  await panel.getByText("Now: builtin/rules", { exact: false }).waitFor();
  await panel.getByRole("button", { name: "Close" }).click();
  await panel.waitFor({ state: "detached" });
  await context.close();
});

test(
  "schedules: the keyboard stays, the history too, once is once, a late answer puts nothing back, and away is said",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    const { client } = place;
    const { id } = await addSchedule(place.composed.steward, OWNER, {
      ...{ trigger: { cron: "0 9 * * *" }, action: { tell: "hello" }, name: "Morning" },
    });
    const { page, context } = await visit(browser(), place);
    await page.clock.install();
    await page.goto(`${place.gateway.url}/schedules`);
    await button(page, "History of Morning").click();
    const history = page.locator(".schedule-history");
    await history.waitFor();
    await button(page, "Pause Morning").focus();
    await page.keyboard.press("Enter");
    await button(page, "Resume Morning").waitFor();
    const focus = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    assert.deepEqual([await focus(), await history.count()], ["Resume Morning", 1]);
    await button(page, "Run now: Morning").dblclick();
    await page.getByText("Morning runs now.").waitFor();
    await history.getByText("(by hand)", { exact: false }).waitFor();
    const { runs } = await client.call("schedules.history", { params: { id }, query: {} });
    assert.equal(runs.length, 1);

    // Asked while it was paused, answered after it goes on.
    const late = Promise.withResolvers<void>();
    const held: Promise<void>[] = [];
    await page.route("**/api/schedules?*", async (route) => {
      if (held.length > 0) return route.continue();
      const response = await route.fetch();
      held.push(late.promise.then(() => route.fulfill({ response })));
    });
    await page.clock.runFor(10_000);
    await eventually(() => Promise.resolve(held.length > 0));
    await button(page, "Resume Morning").click();
    await button(page, "Pause Morning").waitFor();
    late.resolve();
    await Promise.all(held);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.equal(await button(page, "Pause Morning").count(), 1);

    await page.route("**/api/**", (route) => route.abort());
    await page.clock.runFor(16_000);
    await page.getByText("This may be old: Steward can't be reached.").first().waitFor();
    await eventually(async () => (await page.locator(".card .stale").count()) > 1);
    assert.equal(await page.locator(".card .stale:visible").count(), 1, "said once");
    assert.deepEqual(await accessibility(page), []);
    await page.unroute("**/api/**");
    await page.clock.runFor(16_000);
    await page.locator(".stale").first().waitFor({ state: "detached" });
    await context.close();
  },
);

test("usage goes on to the next day in a window that stays open", options, async (t) => {
  const clock = { offset: 0 };
  const place = await openPage(t, { ...builtin, now: () => Date.now() + clock.offset });
  const { page, context } = await visit(browser(), place);
  await page.clock.install();
  await page.goto(`${place.gateway.url}/usage`);
  await page.getByLabel("When").selectOption("1");
  await page.getByText("No model was asked yet.", { exact: false }).waitFor();
  clock.offset = 86_400_000;
  const day = dayOf(Date.now() + clock.offset, zoneOf(place.composed.steward));
  const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.get("from") === day);
  await page.clock.runFor(61_000);
  await asked;
  await context.close();
});

test(
  "a network that changes while somebody signs in: what only reads is asked again, and a longer break ends by itself",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    for (const breaks of [1, 3]) {
      const context = await browser().newContext();
      const page = await context.newPage();
      const asked = { times: 0 };
      await page.route("**/api/me", (route) => (asked.times++ < breaks ? route.abort("connectionreset") : route.continue()));
      await page.goto(await place.gateway.claimLink());
      if (breaks > 2) await page.getByText("Steward can't be reached").waitFor();
      await page.getByLabel("Message", { exact: true }).waitFor();
      assert.equal(asked.times, breaks + 1);
      await context.close();
    }
  },
);
