// The page about notifications in a real Chromium, with a local Telegram and a local receiver of a webhook: none, a test, urgent, read, the order of channels by keyboard, quiet hours; on a phone, in both themes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../src/testing/channel-platform.ts";
import { localServer } from "../src/testing/local-server.ts";
import { noticePaths } from "../src/web/notices-api.ts";
import { accessibility, button, oneBrowser, openPage, overflows, sameRoutes, sessionOf, shot, skip, talk, visit } from "./pages-place.ts";
import { telegramPlatform } from "./platform-telegram.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("the page's table of calls about notices is the gateway's", () => {
  sameRoutes(noticePaths);
});

test("notifications from the first to the last read, and how they come", options, async (t) => {
  const platform = await telegramPlatform();
  const hooked: string[] = [];
  const receiver = await localServer(async (request, response) => {
    hooked.push(request.url!);
    response.end();
  });
  t.after(() => Promise.all([platform.close(), receiver.close()]));
  const hook = { kind: "webhook", secret: "a secret of more than sixteen characters", person: "owner", url: `${receiver.url}/in` };
  const place = await openPage(t, {
    config: { zone: "Europe/Berlin", "channels.pager": { ...hook, origin: receiver.url } },
  });
  const { steward } = place.composed;
  const { page, strays, complaints } = await visit(browser(), place, { path: "/notifications", height: 1600, theme: "dark" });
  /** As when the window is seen again: it asks at once. */
  const look = (): Promise<boolean> => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  const clean = async (name: string): Promise<void> => {
    await shot(page, name);
    assert.deepEqual([await accessibility(page), await overflows(page)], [[], false], name);
  };
  const row = (name: string) => page.getByRole("listitem", { name, exact: true });
  const order = () => page.getByRole("list", { name: "Channels, first choice first" }).locator("li > span:first-child").allTextContents();

  await page.getByText("Nothing was told yet.", { exact: false }).waitFor();
  await page.getByText("No channel reaches you", { exact: false }).waitFor();
  assert.equal(await page.locator(".card").getByRole("link", { name: "Channels" }).getAttribute("href"), "/channels");
  assert.equal(await page.getByRole("link", { name: "Notifications" }).getAttribute("aria-current"), "page");
  await clean("notifications-empty");
  await button(page, "Send me a test").click();
  await page.getByText("It stands here only: no channel reaches you.").waitFor();
  await row("Note").getByText("here only, so far").waitFor();
  await page.getByRole("status").getByText("1 unread").waitFor();

  await place.client.call("channels.set", { params: { id: "telegram" }, body: { kind: "telegram", settings: platform.config as never } });
  await until(async () => (await steward.chats.list()).find(({ name, state }) => name === "telegram" && state !== "opening"), "it is open");
  await place.client.call("channels.set", { params: { id: "matrix" }, body: { kind: "matrix", enabled: true, settings: {} } });
  const paired = { channel: "telegram", from: "501", person: "owner", role: "owner", name: "", chat: "501", at: 1, id: "p" };
  await steward.store.commit({ put: { "paired/telegram/501": paired, "paired/matrix/7": { ...paired, channel: "matrix", from: "7" } } });
  await look();
  await button(page, "matrix later").focus();
  assert.deepEqual(await order(), ["matrix", "telegram"]);
  await page.keyboard.press("Enter");
  await page.locator("button:focus[aria-label='matrix earlier']").waitFor();
  assert.deepEqual(await order(), ["telegram", "matrix"]);
  await button(page, "Also by the webhook pager").click();
  await button(page, "Leave out pager").waitFor();
  await button(page, "pager earlier").click();
  await until(async () => ((await order())[1] === "pager" ? true : undefined), "pager is second");
  assert.deepEqual((await place.client.call("notices.list")).preferences.channels, ["telegram", "pager", "matrix"]);

  await page.getByLabel("Quiet hours:", { exact: false }).check();
  await page.getByText("By the clock of Europe/Berlin.").waitFor();
  await page.getByLabel("From", { exact: true }).fill("23:15");
  await page.getByLabel("To", { exact: true }).fill("06:30");
  await page.getByLabel("Minutes until", { exact: false }).fill("3");
  await button(page, "Save").click();
  await page.getByText("Saved.").waitFor();
  await clean("notifications-preferences");
  const night = { from: "23:15", to: "06:30" };
  const kept = { channels: ["telegram", "pager", "matrix"], quiet: night, urgentAlways: true, escalateMinutes: 3 };
  assert.deepEqual((await place.client.call("notices.list")).preferences, kept);
  await page.getByLabel("Quiet hours:", { exact: false }).uncheck();
  await button(page, "Save").click();
  await until(async () => ((await place.client.call("notices.list")).preferences.quiet === null ? true : undefined), "no quiet hours");

  await place.client.call("channels.remove", { params: { id: "matrix" } });
  await look();
  await page.getByText("does not reach you now").waitFor();
  await button(page, "Leave out matrix").click();
  await until(async () => ((await order()).length === 2 ? true : undefined), "matrix is left out");

  const session = await sessionOf(place, talk(1), "Cellar");
  await steward.notices.tell("owner", { text: "The cellar is wet\nSee to it.", key: "k1", from: "Schedule Cellar", urgent: true, session });
  // The list is by time: not in the same millisecond.
  const told = Date.now();
  await until(() => (Date.now() > told ? true : undefined), "a moment later");
  await steward.notices.tell("owner", { text: `<img src=x>${"long ".repeat(200)}end`, key: "k2", from: "Schedule Letters" });
  await until(() => platform.kept().find(({ text }) => text.includes("The cellar is wet")), "it went out");
  await until(async () => {
    const { notices } = await place.client.call("notices.list");
    return notices.slice(0, 2).every(({ sent }) => sent.length === 1) ? true : undefined;
  }, "both went out");
  await look();
  const wet = row("Schedule Cellar");
  await wet.getByText("by telegram", { exact: true }).waitFor();
  await wet.getByText("urgent", { exact: true }).waitFor();
  await row("Schedule Letters").waitFor();
  assert.equal(await wet.getByRole("link", { name: /^Session of Schedule Cellar/ }).getAttribute("href"), `/s/${session}`);
  assert.deepEqual(await page.locator(".note h3").allTextContents(), ["Schedule Letters", "Schedule Cellar", "Note"]);
  await row("Schedule Letters").getByRole("button", { name: "Show all of it" }).click();
  await row("Schedule Letters").getByText("<img src=x>long", { exact: false }).getByText("end", { exact: false }).waitFor();
  await page.getByRole("status").getByText("3 unread").waitFor();
  await clean("notifications-page");
  await page.setViewportSize({ width: 390, height: 2000 });
  await clean("notifications-phone-dark");
  await page.evaluate(() => document.documentElement.setAttribute("data-theme", "light"));
  await clean("notifications-phone-light");
  await page.setViewportSize({ width: 1280, height: 1600 });
  await clean("notifications-light");

  await wet.getByRole("button", { name: /^Read: Schedule Cellar/ }).focus();
  await page.keyboard.press("Enter");
  await page.locator("h3:focus", { hasText: "Schedule Cellar" }).waitFor();
  await page.getByRole("status").getByText("2 unread").waitFor();
  await button(page, "Read all").click();
  await page.getByRole("status").getByText("all read").waitFor();
  assert.equal(await button(page, "Read all").count(), 0);
  await page.clock.install();
  await page.goto(`${place.gateway.url}/notifications`);
  await page.getByRole("status").getByText("all read").waitFor();
  await place.client.call("notices.tell", { body: { text: "Later" } });
  await page.clock.fastForward(16_000);
  await page.getByRole("status").getByText("1 unread").waitFor();
  assert.deepEqual([strays, complaints, hooked], [[], [], []]);
});
