// The page about people in a real Chromium: invited by link, in a second browser, chatting, suspended, let in, removed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client/client.ts";
import { peoplePaths } from "../src/web/people-api.ts";
import {
  accessibility,
  builtin,
  button,
  oneBrowser,
  openPage,
  overflows,
  sameRoutes,
  say,
  sessionOf,
  shot,
  skip,
  talk,
  visit,
} from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("the page's table of calls about people is the gateway's", () => {
  sameRoutes(peoplePaths);
});

test("the owner invites by a link, the member chats, is suspended and told so, let in again and removed", options, async (t) => {
  const place = await openPage(t, { ...builtin, config: { ...builtin.config } });
  const owner = await visit(browser(), place, { path: "/people" });
  const { page } = owner;
  await page.getByText("Nobody else is here yet").waitFor();
  await shot(page, "people-empty");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Invite somebody").focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).fill("Mia Wallace");
  await page.getByLabel("The link works for").selectOption("72");
  assert.deepEqual(await accessibility(page), []);
  await shot(page, "people-invite");
  await page.getByLabel("Name", { exact: true }).press("Enter");
  const link = await page.locator(".once code").textContent();
  await page.getByText("This link works on this machine only").waitFor();
  await shot(page, "people-link");
  await page.keyboard.press("Escape");
  await page.getByText("invited, the link works until").waitFor();

  const member = await visit(browser(), place, { signedIn: false });
  await member.page.goto(link!);
  await member.page.getByLabel("Message", { exact: true }).waitFor();
  assert.equal(await member.page.getByRole("link", { name: "People" }).count(), 0);
  await say(member.page, "what can you do");
  await member.page.locator(".end").waitFor();
  await member.page.locator(".who").getByText("Mia Wallace").waitFor();
  await shot(member.page, "people-member");
  await member.page.goto(`${place.gateway.url}/settings`);
  const tokens = member.page.getByRole("region", { name: "Tokens" });
  await member.page.getByLabel("What is it for?").fill("my script");
  await button(member.page, "Make a token").click();
  const token = (await tokens.locator(".once code").textContent())!;
  assert.deepEqual((await connect({ url: place.gateway.url, token }).call("me.get")).person, "mia-wallace");
  await member.page.reload();
  await tokens.getByText("· used", { exact: false }).waitFor();
  assert.deepEqual(await accessibility(member.page), []);
  await button(member.page, "Revoke my script").click();
  await button(member.page, "Revoke").click();
  await tokens.getByText("There are none.").waitFor();
  await assert.rejects(connect({ url: place.gateway.url, token }).call("me.get"), { code: "denied" });
  await member.page.goBack();
  await member.page.locator(".who").getByText("Mia Wallace").waitFor();
  await page.getByText("1 session", { exact: false }).waitFor();

  for (const theme of ["light", "dark"] as const) {
    const phone = await visit(browser(), place, { width: 390, height: 800, path: "/people", theme });
    await phone.page.getByRole("heading", { name: "Mia Wallace" }).waitFor();
    await shot(phone.page, `people-phone-${theme}`);
    assert.deepEqual([await accessibility(phone.page), await overflows(phone.page)], [[], false]);
    await phone.context.close();
  }

  await button(page, "Suspend Mia Wallace").click();
  await button(page, "Suspend").click();
  await button(page, "Let Mia Wallace in").waitFor();
  await shot(page, "people-suspended");
  await member.page.getByText("Your access to this Steward is suspended. Its owner can let you in again.").waitFor();
  await shot(member.page, "people-shut-out");
  assert.deepEqual(await accessibility(member.page), []);
  await member.page.reload();
  await member.page.getByText("Your access to this Steward is suspended").waitFor();
  await button(page, "Let Mia Wallace in").click();
  await button(page, "Suspend Mia Wallace").waitFor();
  await member.page.reload();
  await member.page.getByLabel("Message", { exact: true }).waitFor();
  await member.page.goto(`${place.gateway.url}/people`);
  await member.page.getByText("Only the owner sees who is here.").waitFor();

  await button(page, "Remove Mia Wallace").click();
  assert.ok(await button(page, "Remove").isDisabled());
  await page.getByLabel("to confirm").fill("mia wallace");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Remove").click();
  await member.page.getByText("This browser is not signed in yet").waitFor({ timeout: 30_000 });
  await page.getByText("Nobody else is here yet").waitFor({ timeout: 60_000 });
  assert.deepEqual([owner.strays, owner.complaints, member.strays, member.complaints], [[], [], [], []]);
  await owner.context.close();
  await member.context.close();
});

test("somebody else in the same browser finds nothing of who was there before; who comes back finds it all", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(
    place,
    talk(1, () => "the owner's own answer"),
    "Divorce plans",
  );
  const v = await visit(browser(), place, { path: `/s/${id}` });
  const { page } = v;
  const answer = page.getByText("the owner's own answer");
  const composer = page.getByLabel("Message", { exact: true });
  await answer.waitFor();
  await composer.fill("half of a message");
  const other = await v.context.newPage();
  const signOut = async (): Promise<void> => {
    await other.goto(`${place.gateway.url}/settings`);
    await button(other, "Sign out").click();
    await page.getByText("This browser is not signed in yet", { exact: false }).waitFor();
  };
  await signOut();
  await other.goto(await place.gateway.claimLink());
  await answer.waitFor();
  assert.equal(await composer.inputValue(), "half of a message");

  await page.locator("#search").fill("divorce");
  await page.locator(".session-title").getByText("Divorce plans").waitFor();
  await signOut();
  const { url } = await place.client.call("people.invite", { body: { name: "Gus", role: "guest", hours: 1 } });
  await page.getByLabel("Link or code").fill(url);
  await button(page, "Enter").click();
  await page.locator(".who").getByText("Gus").waitFor();
  await page.getByText("Your sessions will stand here.").waitFor();
  assert.deepEqual([await page.locator("#search").inputValue(), await composer.inputValue()], ["", ""]);
  assert.equal(new URL(page.url()).pathname, "/");

  // The other window was the owner's, and shows nothing of it from now on.
  await other.locator(".who").getByText("Gus").waitFor();
  await page.goto(await place.gateway.claimLink());
  await composer.waitFor();
  await page.goto(`${place.gateway.url}/s/${id}`);
  await answer.waitFor();
  const again = await place.client.call("people.invite", { body: { name: "Ann", role: "guest", hours: 1 } });
  await other.goto(again.url);
  await page.locator(".who").getByText("Ann").waitFor();
  await page.getByText("This session can't be shown").waitFor();
  assert.equal(await answer.count(), 0);
  await v.context.close();
});
