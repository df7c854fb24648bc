// The page in a real Chromium before a real Steward: what a person does with it, from the claim link on.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { openGateway } from "../src/gateway/server.ts";
import { hasCode } from "../src/std/error.ts";
import type { Action } from "../src/testing/model-server.ts";
import { builtPage } from "./built-page.ts";
import { eventually } from "./gateway-place.ts";
import { accessibility, builtin, oneBrowser, openPage, say, sessionOf, skip, talk, visit, type Visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

/** The text as it stands in the conversation, not as it is told to screen readers. */
const reply = (page: Page, text: string) => page.locator(".md").getByText(text);

async function leave(...visits: Visit[]): Promise<void> {
  for (const { context, strays, complaints } of visits) {
    await context.close();
    assert.deepEqual({ strays, complaints }, { strays: [], complaints: [] });
  }
}
const sessionId = (page: Page): string => new URL(page.url()).pathname.replace("/s/", "");
const composer = (page: Page) => page.getByLabel("Message", { exact: true });
const focused = (page: Page, id: string): Promise<unknown> => page.waitForFunction((one) => document.activeElement?.id === one, id);

test("first run: the claim link signs in once, leaves no code in the address, and a used one says so", options, async (t) => {
  const place = await openPage(t, builtin);
  const link = await place.gateway.claimLink();
  const first = await visit(browser(), place, { signedIn: false, path: "/?server=http://127.0.0.2:9&token=stolen&session=x" });
  await first.page.getByText("This browser is not signed in yet").waitFor();
  await first.page.getByLabel("Link or code").fill(link);
  await first.page.keyboard.press("Enter");
  await composer(first.page).waitFor();
  assert.equal(first.page.url(), `${place.gateway.url}/`);
  await first.page.reload();
  await composer(first.page).waitFor();
  const second = await visit(browser(), place, { signedIn: false });
  await second.page.goto(link);
  await second.page.getByText("This link has been used or is too old").waitFor();
  assert.equal(second.page.url(), `${place.gateway.url}/claim`);
  for (let tries = 0; tries < 4; tries++) {
    await second.page.getByLabel("Link or code").fill(`wrong-code-${tries}`);
    await second.page.keyboard.press("Enter");
    await second.page.getByText("This link has been used or is too old").waitFor();
  }
  await second.page.getByLabel("Link or code").fill("wrong-code-5");
  await second.page.keyboard.press("Enter");
  await second.page.getByText("There were too many wrong tries, so every open link is void. Make a new one: steward claim.").waitFor();
  assert.deepEqual(await accessibility(second.page), []);
  await leave(first, second);
});

test(
  "S-03 another window works with the same proof; the cookie elsewhere is worth nothing; cleared and signed out say how to get in",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    const v = await visit(browser(), place);
    const cookies = await v.context.cookies(place.gateway.url);
    const tab = await v.context.newPage();
    await tab.goto(place.gateway.url);
    await composer(tab).waitFor();
    await say(tab, "what can you do");
    await tab.locator(".end").waitFor();
    const thief = await visit(browser(), place, { signedIn: false });
    await thief.context.addCookies(cookies);
    await thief.page.goto(place.gateway.url);
    await thief.page.getByText("its stored data was cleared").waitFor();
    const stolen = await thief.page.evaluate(async () => [
      (await fetch("/api/me")).status,
      (await fetch("/api/sessions", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })).status,
      await new Promise((resolve) => {
        const socket = new WebSocket(`ws://${location.host}/ws/chat`);
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
      }),
    ]);
    assert.deepEqual(stolen, [401, 401, "refused"]);
    const own = await tab.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`ws://${location.host}/ws/chat`, [`steward.${localStorage.getItem("steward.proof")}`]);
          socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
          socket.onerror = () => resolve("refused");
        }),
    );
    assert.equal(own, "connected");
    await tab.evaluate(() => localStorage.removeItem("steward.proof"));
    await v.page.getByText("its stored data was cleared").waitFor();
    await tab.reload();
    await tab.getByLabel("Link or code").fill(await place.gateway.claimLink());
    await tab.keyboard.press("Enter");
    await composer(tab).waitFor();
    await composer(v.page).waitFor();
    await tab.goto(`${place.gateway.url}/settings`);
    await tab.getByRole("button", { name: "Sign out" }).click();
    await tab.getByLabel("Link or code").waitFor();
    await v.page.getByLabel("Link or code").waitFor();
    assert.equal(await tab.evaluate(() => localStorage.getItem("steward.proof")), null);
    assert.deepEqual(await v.context.cookies(place.gateway.url), []);
    await thief.context.close();
    await leave(v);
  },
);

test("a plain request is done for real, shown as a card, and undone from it", options, async (t) => {
  const place = await openPage(t, { config: { model: "builtin/rules", "computer.mode": "full" } });
  const v = await visit(browser(), place);
  await say(v.page, "create a file hello.txt that says hi");
  const card = v.page.getByRole("region", { name: /^Write hello\.txt: Done/ });
  await card.waitFor();
  const file = join(place.home, "workspace", "hello.txt");
  assert.equal(readFileSync(file, "utf8").trim(), "hi");
  assert.match(v.page.url(), /\/s\/ses_/);
  await card.getByRole("button", { name: /^Undo/ }).click();
  await card.getByText("Undone").waitFor();
  assert.equal(existsSync(file), false);
  assert.equal(await v.page.getByRole("article", { name: "You" }).count(), 1);
  await v.page.reload();
  await card.getByText("Undone").waitFor();
  assert.equal(await v.page.getByRole("article", { name: "You" }).count(), 1);
  await leave(v);
});

test(
  "an ask is answered in place: denied it does not happen, allowed it does, and a lasting answer can be taken back",
  options,
  async (t) => {
    const place = await openPage(t, { config: { model: "builtin/rules", "computer.mode": "guarded" } });
    if (/none|no sandbox|not available/i.test(await place.composed.steward.sandbox())) return t.skip("no sandbox on this machine");
    const v = await visit(browser(), place);
    const outside = mkdtempSync(join(tmpdir(), "steward-outside-"));
    t.after(() => rmSync(outside, { recursive: true }));
    const target = join(outside, "outside.txt");
    await say(v.page, `create a file ${target} that says hi`);
    await v.page.getByRole("button", { name: "Deny" }).click();
    await v.page.getByText("Denied", { exact: false }).first().waitFor();
    await composer(v.page).and(v.page.getByPlaceholder("Ask Steward")).waitFor();
    assert.equal(existsSync(target), false);
    await say(v.page, `create a file ${target} that says hi`);
    await v.page.getByRole("button", { name: "Allow for a week" }).click();
    await v.page.getByText(/Allowed until/).waitFor();
    const [grant] = (await place.client.call("grants.list")).grants;
    assert.ok(Math.abs(grant!.until - Date.now() - 604_800_000) < 60_000);
    await v.page.getByRole("region", { name: /^Write outside\.txt: Done/ }).waitFor();
    assert.equal(readFileSync(target, "utf8").trim(), "hi");
    await v.page.goto(`${place.gateway.url}/settings`);
    await v.page.getByText(`changes in ${outside}`).waitFor();
    await v.page.getByRole("button", { name: `Take back: changes in ${outside}` }).click();
    await v.page.getByText("None in force.").waitFor();
    await leave(v);
  },
);

/** Pieces of a reply that stops until `go` is called. */
function halting(): { script: Action[]; go(): void } {
  const gate = Promise.withResolvers<void>();
  return {
    script: [
      { do: "thinking", text: "Let me think." },
      { do: "text", text: "First half of it, " },
      { do: "until", promise: gate.promise },
      { do: "text", text: "second half. " },
      { do: "text", text: "The end." },
    ],
    go: gate.resolve,
  };
}

test("reconnects in the middle of a stream: the server's listener restarts, nothing is lost or doubled", options, async (t) => {
  const { script, go } = halting();
  const place = await openPage(t, { script });
  const v = await visit(browser(), place);
  await say(v.page, "tell me something");
  await reply(v.page, "First half of it,").waitFor();
  const { port } = new URL(place.gateway.url);
  await place.gateway.close();
  await v.page.getByText("Reconnecting").waitFor();
  go();
  // Somebody else's connection may have the port for a moment.
  const again = await eventually(() =>
    openGateway(place.composed.steward, { host: "127.0.0.1", port: Number(port), web: builtPage() }).catch((error: unknown) => {
      if (!hasCode(error, "conflict")) throw error;
      return undefined;
    }),
  );
  await reply(v.page, "First half of it, second half. The end.").waitFor();
  await v.page.getByText("Connected").waitFor();
  assert.equal(await reply(v.page, "First half of it,").count(), 1);
  await say(v.page, "once more");
  await reply(v.page, "First half of it, second half. The end.").nth(1).waitFor();
  assert.equal(await v.page.getByRole("article", { name: "You" }).count(), 2);
  await leave(v);
  await again.close();
});

test("two windows on one session stay in step, and the same message is there once", options, async (t) => {
  const place = await openPage(t, builtin);
  const one = await visit(browser(), place);
  await say(one.page, "what time is it");
  await one.page.locator(".end").waitFor();
  const two = await visit(browser(), place, { path: `/s/${sessionId(one.page)}` });
  await two.page.locator(".end").waitFor();
  await say(two.page, "what can you do");
  await one.page.getByText("what can you do").last().waitFor();
  await one.page.locator(".end").nth(1).waitFor();
  await two.page.locator(".end").nth(1).waitFor();
  const texts = (page: Page): Promise<string[]> => page.getByRole("article").allInnerTexts();
  assert.deepEqual(await texts(one.page), await texts(two.page));
  assert.equal((await texts(one.page)).length, 4);
  await leave(one, two);
});

test("a session that is not there says so, and nothing goes on connecting", options, async (t) => {
  const place = await openPage(t, builtin);
  const v = await visit(browser(), place, { path: "/s/ses_nosuch" });
  await v.page.getByText("This session can't be shown").waitFor();
  await v.page.getByRole("heading", { name: "Not found" }).waitFor();
  assert.equal(await v.page.locator(".connection").count(), 0);
  await v.page.getByRole("link", { name: "Begin a new one" }).click();
  await v.page.getByText("Connected").waitFor();
  await leave(v);
});

test("a message sent while it runs steers the turn; Stop and Escape twice end it", options, async (t) => {
  const { script, go } = halting();
  const place = await openPage(t, { script });
  const v = await visit(browser(), place);
  await say(v.page, "begin");
  await reply(v.page, "First half of it,").waitFor();
  await v.page.getByPlaceholder("Add to what it is doing").waitFor();
  await say(v.page, "and mind the gap");
  await v.page.getByText("and mind the gap").waitFor();
  await v.page.getByRole("button", { name: "Stop" }).click();
  await v.page.locator(".end.cancelled").first().waitFor();
  go();
  await v.page.getByPlaceholder("Ask Steward").waitFor();
  place.model.script(halting().script);
  await say(v.page, "again");
  await v.page.getByPlaceholder("Add to what it is doing").waitFor();
  const before = await v.page.locator(".end.cancelled").count();
  // Twice within a moment, which a machine that stands still may miss.
  await eventually(async () => {
    for (let press = 0; press < 2; press++) await v.page.keyboard.press("Escape");
    const stopped = v.page.locator(".end.cancelled").nth(before).waitFor({ timeout: 3000 });
    return stopped.then(
      () => true,
      () => false,
    );
  });
  await leave(v);
});

test("a failed turn says why and what to do, and Try again does it again", options, async (t) => {
  const place = await openPage(t, {
    script: (_request, index) =>
      index === 0 ? [{ do: "status", status: 401, message: "bad key" }] : [{ do: "text", text: "Now it works." }],
  });
  const v = await visit(browser(), place);
  await say(v.page, "hello there");
  await v.page.getByRole("button", { name: "Try again" }).click();
  await reply(v.page, "Now it works.").waitFor();
  await leave(v);
});

test("the list: search, rename, clear, delete with a way back, export, keyboard", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(2), "Garden plans");
  await sessionOf(place, talk(1), "Taxes");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  const list = v.page.getByRole("navigation", { name: "Sessions" });
  await list.getByText("Garden plans").waitFor();
  await v.page.keyboard.press("Control+k");
  await focused(v.page, "search");
  await v.page.keyboard.type("taxes");
  await list.getByText("Garden plans").waitFor({ state: "detached" });
  await list.getByText("Taxes").waitFor();
  assert.equal(await list.getByRole("listitem").count(), 1);
  await v.page.keyboard.press("Escape");
  await list.getByText("Garden plans").waitFor();
  await list.getByRole("button", { name: "More for Garden plans" }).click();
  const download = v.page.waitForEvent("download");
  await v.page.getByRole("menuitem", { name: "Export as Markdown" }).click();
  assert.match(readFileSync(await (await download).path(), "utf8"), /Question 1[\s\S]*Answer 1/);
  await list.getByRole("button", { name: "More for Garden plans" }).focus();
  await v.page.keyboard.press("Enter");
  await v.page.locator("[role=menuitem]:focus").waitFor();
  await v.page.keyboard.press("Enter");
  await v.page.getByLabel("Title of the session").fill("Orchard");
  await v.page.keyboard.press("Enter");
  await v.page.getByRole("heading", { name: "Orchard" }).waitFor();
  await v.page.getByRole("button", { name: "More for this session" }).click();
  await v.page.getByRole("menuitem", { name: "Clear" }).click();
  await v.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await v.page.getByText("Answer 1").waitFor();
  await v.page.getByRole("button", { name: "More for this session" }).click();
  await v.page.getByRole("menuitem", { name: "Clear" }).click();
  await v.page.getByRole("dialog").getByRole("button", { name: "Clear" }).click();
  await v.page.getByText("Say what you need in plain words.").waitFor();
  await list.getByRole("button", { name: "More for Orchard" }).click();
  await v.page.getByRole("menuitem", { name: "Delete" }).click();
  await v.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await list.getByText("Orchard").waitFor({ state: "detached" });
  await v.page.getByRole("button", { name: "Undo", exact: true }).click();
  await list.getByText("Orchard").waitFor();
  await v.page.getByText("Say what you need in plain words.").waitFor();
  await v.page.keyboard.press("Control+/");
  await focused(v.page, "composer");
  await leave(v);
});

test("files: chosen and pasted ones are uploaded, previewed, removed, and sent with the message", options, async (t) => {
  const place = await openPage(t, builtin);
  const v = await visit(browser(), place);
  const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
  const go = Promise.withResolvers<void>();
  await v.page.route("**/api/files?*", (route) => go.promise.then(() => route.continue()));
  await v.page.locator("input[type=file]").setInputFiles([
    { name: "dot.png", mimeType: "image/png", buffer: png },
    { name: "gone.txt", mimeType: "text/plain", buffer: Buffer.from("x") },
  ]);
  // Nothing moves under the pointer while they are uploaded, nor when they are there.
  const away = await v.page.getByRole("button", { name: "Remove gone.txt" }).elementHandle();
  const stands = (): Promise<number[]> =>
    away.evaluate((button) => {
      const [own, list] = [button, button.closest(".attached")!].map((one) => one.getBoundingClientRect());
      return [own!.x - list!.x, own!.y - list!.y, list!.height];
    });
  const during = await stands();
  assert.equal(await v.page.locator(".attached progress").count(), 2);
  go.resolve();
  await v.page.waitForFunction(() => !document.querySelector(".attached progress"));
  assert.deepEqual(await stands(), during);
  await away.click();
  await v.page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["pasted words"], "pasted.txt", { type: "text/plain" }));
    document
      .getElementById("composer")!
      .dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    const drop = new DataTransfer();
    drop.items.add(new File(["dropped words"], "dropped.txt", { type: "text/plain" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: drop, bubbles: true, cancelable: true }));
  });
  await eventually(async () => (await v.page.locator(".attached li").count()) === 3);
  await v.page.locator(".attached img").waitFor();
  await v.page.getByRole("button", { name: "Send" }).and(v.page.locator(":enabled")).waitFor();
  await say(v.page, "what can you do");
  const message = v.page.getByRole("article", { name: "You" });
  await message.getByText("pasted.txt").waitFor();
  await message.getByRole("img", { name: "dot.png" }).waitFor();
  await v.page.waitForFunction(() => document.querySelector<HTMLImageElement>(".picture img")?.naturalWidth === 1);
  const tab = v.context.waitForEvent("page");
  await message.getByText("pasted.txt").click();
  await (await tab).getByText("pasted words").waitFor();
  await v.page.locator(".end").waitFor();
  const said = (await place.events(sessionId(v.page))).find(({ event }) => event.type === "message.received")!.event;
  assert.deepEqual(said.type === "message.received" && said.parts.map((part) => (part.type === "file" ? part.name : part.text)), [
    "what can you do",
    "dot.png",
    "pasted.txt",
    "dropped.txt",
  ]);
  await leave(v);
});

test("settings: a switch, a list, a key, a token, full mode with a warning and a banner", options, async (t) => {
  const place = await openPage(t, { config: { model: "builtin/rules" } });
  const v = await visit(browser(), place, { path: "/settings" });
  const kept = join(place.home, "permissions.json");
  await v.page.getByRole("switch", { name: "Browser" }).check();
  await v.page.getByRole("switch", { name: "Applications" }).uncheck();
  await v.page.locator(".switch-row").filter({ hasText: "Run commands in a shell" }).getByText("Limits").click();
  await v.page.getByRole("textbox", { name: "Blocked commands" }).fill("halt");
  await v.page.keyboard.press("Enter");
  await v.page.getByRole("button", { name: "Remove halt from blocked commands" }).waitFor();
  // The page shows a change before it is kept; the first makes the file.
  await eventually(() => {
    if (!existsSync(kept)) return false;
    const { browser, applications, terminal } = JSON.parse(readFileSync(kept, "utf8")).capabilities;
    return browser.enabled && !applications.enabled && terminal.restrictions.blocked_commands.at(-1) === "halt";
  });
  await v.page.reload();
  assert.equal(await v.page.getByRole("switch", { name: "Browser" }).isChecked(), true);
  await v.page.getByLabel("What is it for?").fill("backup");
  await v.page.getByRole("button", { name: "Make a token" }).click();
  const token = await v.page.locator(".once code").innerText();
  const asked = (): Promise<number> =>
    fetch(`${place.gateway.url}/api/me`, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status);
  assert.equal(await asked(), 200);
  await v.page.getByRole("button", { name: "Revoke backup" }).click();
  await v.page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await v.page.getByText("There are none.").waitFor();
  assert.equal(await asked(), 401);
  await v.page.getByText("Contained", { exact: true }).waitFor();
  await leave(v);
});

test("the whole page by keyboard: skip link, menus and dialogs give the focus back", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(1), "Alone");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.getByText("Answer 0").waitFor();
  assert.equal(await v.page.evaluate(() => document.querySelector("a, button, input, textarea")?.className), "skip");
  await v.page.locator(".skip").focus();
  await v.page.keyboard.press("Enter");
  await focused(v.page, "composer");
  const more = v.page.getByRole("button", { name: "More for this session" });
  await more.focus();
  await v.page.keyboard.press("Enter");
  await v.page.locator("[role=menuitem]:focus").waitFor();
  await v.page.keyboard.press("End");
  await v.page.locator("[role=menuitem]:focus", { hasText: "Delete" }).waitFor();
  await v.page.keyboard.press("Escape");
  await eventually(() => more.evaluate((here) => here === document.activeElement));
  await leave(v);
});

test("on a phone: a request by touch, the drawer, another session, a new chat", options, async (t) => {
  const place = await openPage(t, builtin);
  const other = await sessionOf(place, talk(30), "Garden plans");
  const v = await visit(browser(), place, { width: 390, height: 844 });
  await v.page.getByRole("button", { name: "What can you do?" }).tap();
  await v.page.locator(".end").waitFor();
  await say(v.page, "what time is it");
  await v.page.locator(".end").nth(1).waitFor();
  await v.page.getByRole("button", { name: "Open the list of sessions" }).tap();
  await v.page.getByRole("link", { name: /Garden plans/ }).tap();
  await v.page.getByText("Answer 29").waitFor();
  assert.equal(sessionId(v.page), other);
  await v.page.locator(".shell:not(.drawer)").waitFor();
  const field = await composer(v.page).boundingBox();
  assert.ok(field && field.y > 700 && field.y + field.height <= 844 && field.x >= 0 && field.x + field.width <= 390);
  await v.page.getByRole("button", { name: "Open the list of sessions" }).tap();
  await v.page.getByRole("button", { name: "New chat" }).tap();
  await v.page.getByText("Say what you need in plain words.").waitFor();
  await leave(v);
});

for (const width of [1280, 390])
  for (const theme of ["dark", "light"] as const)
    test(`${width} px, ${theme}: axe finds nothing serious, nothing overflows`, options, async (t) => {
      const place = await openPage(t, builtin);
      const id = await sessionOf(
        place,
        JSON.parse(readFileSync(join(import.meta.dirname, "pages-sample.json"), "utf8")),
        "A rather long title of a session that does not fit",
      );
      const v = await visit(browser(), place, { width, theme, height: width === 390 ? 844 : 800 });
      const check = async (what: string): Promise<void> => {
        const wide = await v.page.evaluate(() =>
          [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("pre, .wide, .hidden, .sidebar"))
            .map((one) => one.className || one.tagName),
        );
        assert.deepEqual({ what, wide, broken: await accessibility(v.page) }, { what, wide: [], broken: [] });
      };
      await check("empty");
      await v.page.goto(`${place.gateway.url}/s/${id}`);
      await v.page.getByRole("button", { name: "Allow once" }).waitFor();
      await check("the end of a session");
      await v.page.locator(".list").evaluate((list) => list.scrollTo(0, 0));
      await v.page.getByText("Tidy up").first().waitFor();
      await check("its beginning");
      if (width === 390) {
        await v.page.getByRole("button", { name: "Open the list of sessions" }).click();
        await v.page.locator(".sidebar").getByText("Settings").waitFor();
        await check("drawer");
        await v.page.locator(".sidebar").getByText("Settings").click();
      } else await v.page.goto(`${place.gateway.url}/settings`);
      await v.page.getByRole("switch", { name: "Screen control" }).waitFor();
      await check("settings");
      await v.page.goto(`${place.gateway.url}/health`);
      await v.page.getByRole("region", { name: "Log", exact: true }).and(v.page.locator("pre")).waitFor();
      await check("health");
      await leave(v);
    });
