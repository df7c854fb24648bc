// The page about channels in a real Chromium, with a local Telegram: none, added by the form, a stranger let in, rooms, a message sent again, refused, taken out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelPaths } from "../src/web/channels-api.ts";
import { until } from "../src/testing/channel-platform.ts";
import { accessibility, button, oneBrowser, openPage, overflows, sameRoutes, shot, skip, visit } from "./pages-place.ts";
import { telegramPlatform } from "./platform-telegram.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("the page's table of calls about channels is the gateway's", () => {
  sameRoutes(channelPaths);
});

test(
  "a channel is added by its form, a stranger let in, a room listed, a message sent again, and the channel taken out",
  options,
  async (t) => {
    const platform = await telegramPlatform();
    t.after(() => platform.close());
    const { token, apiRoot } = platform.config as { token: string; apiRoot: string };
    const place = await openPage(t, { script: [{ do: "text", text: "All is well." }] });
    const { client } = place;
    const { page, strays, complaints } = await visit(browser(), place, { path: "/channels", height: 1500, theme: "dark" });
    /** As when the window is seen again: it asks at once. */
    const look = (): Promise<boolean> => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    const clean = async (name: string): Promise<void> => {
      await shot(page, name);
      assert.deepEqual([await accessibility(page), await overflows(page)], [[], false], name);
    };
    await page.getByText("There are none yet.", { exact: false }).waitFor();
    await clean("channels-empty");

    await button(page, "Add a channel").click();
    await page.getByRole("radio", { name: "Telegram" }).check();
    await page.getByText("write to @BotFather", { exact: false }).waitFor();
    await page.getByLabel("token", { exact: true }).fill("999999:wrong-token-000");
    assert.equal(await page.getByLabel("token", { exact: true }).getAttribute("type"), "password");
    await page.getByText("Name and more settings").click();
    await page.getByLabel("Others, one a line").fill(`apiRoot = ${apiRoot}`);
    await button(page, "Try it").click();
    await page.getByRole("status").getByText("Telegram refuses the bot's token").waitFor();
    await page.getByRole("status").getByText("Ask @BotFather", { exact: false }).waitFor();
    await clean("channels-form");
    await page.getByLabel("token", { exact: true }).fill(token);
    await button(page, "Try it").click();
    await page.getByRole("status").getByText("It works, as 123456.").waitFor();
    assert.deepEqual((await client.call("channels.list")).channels, [], "a try keeps nothing");
    await button(page, "Connect").click();
    const row = page.getByRole("listitem", { name: "Telegram" });
    await row.getByText("works", { exact: true }).waitFor();
    await row.getByText("account 123456").waitFor();
    await row.getByText("Nobody is let in here yet.", { exact: false }).waitFor();
    assert.ok(!(await page.content()).includes(token), "the token is not told");

    // Who asks while this page is seen is shown there, and told nowhere else.
    await page.getByRole("link", { name: "Steward, new chat" }).click();
    await platform.say({ text: "/start" });
    await until(async () => (await client.call("pairings.list")).pending[0], "Mia asks");
    await look();
    await page.getByText("Mia asks to be let in at telegram.").waitFor();
    await button(page, "Look").click();
    const asks = page.getByRole("listitem", { name: "Mia", exact: true });
    await asks.getByText("10 minutes left", { exact: false }).waitFor();
    await clean("channels-asking");
    await asks.getByLabel("Approve Mia as").selectOption("owner");
    await asks.getByLabel("with the rights of").selectOption("member");
    await button(page, "Approve Mia").click();
    await page.getByText("as Owner (member)", { exact: false }).waitFor();
    await until(() => platform.kept().find(({ text }) => text.startsWith("You are in")), "Mia is told");

    await button(page, "Who is answered at Telegram").click();
    await page.getByLabel("No room is listed. Id of one").fill("-100701");
    await page.keyboard.press("Enter");
    const room = page.getByRole("group", { name: "Room -100701" });
    await room.getByText("nobody is answered here").waitFor();
    await room.getByLabel("Platform's id of somebody in room -100701").fill("501");
    await page.keyboard.press("Enter");
    await room.getByRole("button", { name: "Take 501 out of room -100701" }).waitFor();
    assert.deepEqual((await client.call("channels.list")).channels[0]!.groups, { "-100701": { people: ["501"] } });
    await clean("channels-rooms");
    await button(page, "Who is answered at Telegram").click();

    platform.fail("broken-after", 50);
    await platform.say({ text: "how are you?" });
    await until(async () => (await client.call("letters.list")).letters[0], "nobody knows whether it arrived");
    await look();
    const letter = page.getByRole("listitem", { name: "To telegram: All is well." });
    await letter.getByText("may have arrived", { exact: true }).waitFor();
    platform.fail("broken-after", 0);
    await clean("channels-undelivered");
    const before = platform.kept().length;
    await button(page, "Send again: All is well.").focus();
    await page.keyboard.press("Enter");
    await until(() => (platform.kept().length > before ? true : undefined), "it is sent again");
    await page.getByText("Everything that was to be sent to you has arrived.").waitFor();

    const { url } = await client.call("people.invite", { body: { name: "Ada", role: "member", hours: 1 } });
    const member = await visit(browser(), place, { signedIn: false, path: new URL(url).pathname + new URL(url).hash });
    await member.page.getByRole("link", { name: "Channels" }).click();
    await member.page.getByText("Everything that was to be sent to you has arrived.").waitFor();
    assert.equal(await member.page.getByRole("heading", { level: 2 }).filter({ hasNotText: "Today" }).count(), 1, "nothing of the owner's");
    assert.deepEqual([await accessibility(member.page), member.complaints], [[], []]);
    await member.context.close();

    platform.revoke();
    await button(page, "Connect anew: Telegram").click();
    await until(async () => (await client.call("channels.list")).channels.find(({ state }) => state === "refused"), "it is refused");
    await look();
    await row.getByText("refused", { exact: true }).waitFor();
    const phone = await visit(browser(), place, { width: 390, height: 1500, path: "/channels", theme: "light" });
    await phone.page.getByText("refused", { exact: true }).waitFor();
    await phone.page.getByText("as Owner (member)", { exact: false }).waitFor();
    await shot(phone.page, "channels-phone");
    assert.deepEqual([await accessibility(phone.page), await overflows(phone.page)], [[], false]);
    await phone.context.close();
    await button(page, "Change Telegram").click();
    await clean("channels-change");
    await button(page, "Cancel").click();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Change", "the focus is where it was");
    await button(page, "Remove Telegram").click();
    await button(page, "Remove").click();
    await page.getByText("There are none yet.", { exact: false }).waitFor();
    await button(page, "Take out Mia at telegram").click();
    await button(page, "Take out").click();
    await page.getByText("Mia", { exact: true }).waitFor({ state: "detached" });
    assert.deepEqual([strays, complaints], [[], []]);
  },
);
