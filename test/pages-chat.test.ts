// The conversation in a real Chromium when things go otherwise: a first message that waits, a lost connection, a clear, midnight.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page, Route } from "playwright-core";
import type { Event } from "../src/core/events.ts";
import { eventually } from "./gateway-place.ts";
import { builtin, oneBrowser, openPage, say, sessionOf, skip, talk, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };
const composer = (page: Page) => page.getByLabel("Message", { exact: true });
const bubbles = (page: Page): Promise<string[]> => page.locator(".bubble").allInnerTexts();
/** The same as `talk`, said later in the same session. */
const later = (turns: number): Event[] => JSON.parse(JSON.stringify(talk(turns)).replaceAll(/"([tmi])(\d+)"/g, '"later-$1$2"')) as Event[];

test("a first message that could not be sent comes back with its files, and nothing written meanwhile is lost", options, async (t) => {
  const place = await openPage(t, builtin);
  const v = await visit(browser(), place);
  const asked = Promise.withResolvers<Route>();
  await v.page.route("**/api/sessions", (route) => (route.request().method() === "POST" ? asked.resolve(route) : route.continue()));
  await v.page.locator("input[type=file]").setInputFiles({ name: "report.txt", mimeType: "text/plain", buffer: Buffer.from("hello") });
  await v.page.locator(".attached progress").waitFor({ state: "detached" });
  await say(v.page, "what can you do");
  const route = await asked.promise;
  await composer(v.page).fill("and one more thing");
  assert.deepEqual(await bubbles(v.page), ["what can you do"]);
  await route.abort();
  await v.page.getByText("Steward can't be reached", { exact: false }).first().waitFor();
  assert.equal(await composer(v.page).inputValue(), "what can you do\nand one more thing");
  assert.deepEqual([await v.page.locator(".attached .name").allInnerTexts(), await bubbles(v.page)], [["report.txt"], []]);
  await v.page.unroute("**/api/sessions");
  await composer(v.page).press("Enter");
  await v.page.locator(".message").getByText("report.txt").waitFor();
  await v.page.locator(".end").waitFor();
  assert.deepEqual([v.strays, v.complaints], [[], []]);
  await v.context.close();
});

test(
  "while the session of a first message is made, the message is shown, and what is written then goes into the same session",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    const v = await visit(browser(), place);
    const asked = Promise.withResolvers<Route>();
    await v.page.route("**/api/sessions", (route) => (route.request().method() === "POST" ? asked.resolve(route) : route.continue()));
    await say(v.page, "what can you do");
    const route = await asked.promise;
    await v.page.locator(".message").getByText("Sending…").waitFor();
    await say(v.page, "how much disk space is free");
    assert.equal(await composer(v.page).inputValue(), "how much disk space is free");
    await route.continue();
    await v.page.waitForURL("**/s/*");
    await v.page.locator(".end").waitFor();
    assert.equal(await composer(v.page).inputValue(), "how much disk space is free");
    await composer(v.page).press("Enter");
    await eventually(async () => (await v.page.locator(".end").count()) === 2);
    assert.deepEqual(await bubbles(v.page), ["what can you do", "how much disk space is free"]);
    assert.equal((await place.client.call("sessions.list", { query: {} })).total, 1);
    await v.page.getByRole("button", { name: "New chat" }).click();
    await v.page.waitForURL(`${place.gateway.url}/`);
    assert.equal(await composer(v.page).inputValue(), "");
    await v.context.close();
  },
);

test("a message that was not sent stands in its own session only", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(2), "Alpha");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.route("**/messages", (route) => route.abort());
  await say(v.page, "for Alpha only");
  await v.page.getByText("Not sent:", { exact: false }).waitFor();
  await v.page.getByRole("button", { name: "New chat" }).click();
  await v.page.getByRole("heading", { name: /^Good / }).waitFor();
  assert.deepEqual(await bubbles(v.page), []);
  await v.page.goBack();
  await v.page.getByText("Not sent:", { exact: false }).waitFor();
  await v.context.close();
});

test("what was said since a clear is all there, and so is one turn that is longer than a page of events", options, async (t) => {
  const place = await openPage(t, builtin);
  const named = ["A", "B", "C"].map((title): Event => ({ type: "session.updated", title }));
  // With the clear, as many events as are asked for at once.
  const id = await sessionOf(place, [...talk(10), { type: "session.updated", cleared: true }, ...later(49), ...named], "Cleared");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.getByText("Answer 48").waitFor();
  await eventually(async () => {
    await v.page.locator(".list").evaluate((list) => (list.scrollTop -= 2000));
    return (await bubbles(v.page))[0] === "Question 0";
  });
  assert.equal(await v.page.getByText("Question 0", { exact: true }).count(), 1);
  const [asked, started, said, ended] = talk(1) as [Event, Event, Event & { type: "item.completed" }, Event];
  const pieces = Array.from({ length: 250 }, (_, at): Event => ({ ...said, item: { id: `p${at}`, kind: "text", text: `Piece ${at}` } }));
  for (const [title, after] of [
    ["Ends", []],
    ["Goes on", [{ type: "session.updated", title: "Long" }]],
  ] as [string, Event[]][]) {
    const long = await sessionOf(place, [asked, started, ...pieces, ended, ...after], title);
    await v.page.goto(`${place.gateway.url}/s/${long}`);
    await v.page.locator(".connection.connected").waitFor();
    await v.page.getByText("Piece 249", { exact: true }).waitFor();
    await eventually(async () => {
      await v.page.locator(".list").evaluate((list) => (list.scrollTop = 0));
      return (await bubbles(v.page)).length > 0;
    });
    assert.deepEqual([await bubbles(v.page), await v.page.getByText("Steward: Piece").count()], [["Question 0"], 0]);
  }
  assert.deepEqual([v.strays, v.complaints], [[], []]);
  await v.context.close();
});

test("after a lost connection, what many turns changed is asked for once", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(2), "Storm");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.getByText("Answer 1").waitFor();
  await v.page.locator(".connection.connected").waitFor();
  await v.context.setOffline(true);
  await v.page.locator(".connection.offline").waitFor();
  const missed = later(60).map((event): Event => {
    if (event.type !== "item.completed") return event;
    const { id: name } = event.item;
    const call = { id: `call-${name}`, tool: "write_file", input: { path: "a" } };
    return {
      ...event,
      item: { id: name, kind: "tool", call, result: { success: true, output: "ok", error: null, undo: [`und_${name}`] } },
    };
  });
  await place.composed.steward.store.commit({ events: missed.map((event) => ({ session: id, event })) });
  const asked: string[] = [];
  v.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await v.context.setOffline(false);
  await v.page.getByText("Question 59", { exact: true }).waitFor();
  const of = (path: string): number => asked.filter((one) => one === path).length;
  await place.composed.steward.store.commit({ events: [{ session: id, event: { type: "session.updated", title: "Calm again" } }] });
  await v.page.getByRole("heading", { name: "Calm again" }).waitFor();
  await eventually(() => of("/api/choice") > 0 && of("/api/undo") > 0);
  assert.ok(of("/api/choice") + of("/api/undo") <= 10, `${of("/api/choice")} and ${of("/api/undo")} requests`);
  await v.context.close();
});

test("a window that stays open over midnight says Yesterday, and older days are whole in other languages", options, async (t) => {
  const night = new Date();
  night.setHours(23, 58, 0, 0);
  const clock = { now: night.getTime() - 10 * 86_400_000 };
  const place = await openPage(t, { ...builtin, now: () => clock.now });
  const id = await sessionOf(place, talk(1), "Night");
  clock.now = night.getTime();
  await place.composed.steward.store.commit({ events: later(1).map((event) => ({ session: id, event })) });
  const context = await browser().newContext({ locale: "de-DE" });
  const page = await context.newPage();
  await page.clock.install({ time: night });
  await page.goto(await place.gateway.claimLink());
  await composer(page).waitFor();
  await page.goto(`${place.gateway.url}/s/${id}`);
  await page.locator(".day").nth(1).waitFor();
  const days = (): Promise<string[]> => page.locator(".day").allInnerTexts();
  const [old, today] = await days();
  assert.match(old!, /^[A-Z][a-z]+, \d{1,2}\. \S+ \d{4}$/);
  assert.equal(today, "Today");
  clock.now += 5 * 60_000;
  await page.clock.fastForward(5 * 60_000);
  await eventually(async () => (await page.clock.runFor(500), (await days())[1] === "Yesterday"));
  await context.close();
});

test("a link whose words are another address says its host", options, async (t) => {
  const place = await openPage(t, builtin);
  const text = "[https://support.microsoft.com/account](https://t.co/abc) and https://docs.example.com/guide";
  const id = await sessionOf(
    place,
    talk(1, () => text),
    "Links",
  );
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.locator(".reply a").nth(1).waitFor();
  assert.deepEqual(await v.page.locator(".reply a").allInnerTexts(), [
    "https://support.microsoft.com/account t.co",
    "https://docs.example.com/guide",
  ]);
  await v.context.close();
});
