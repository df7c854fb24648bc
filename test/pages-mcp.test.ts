// The page about MCP servers in a real Chromium: none yet, one defined, approved, tested, changed, removed; signing in at a real authorization server.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { mcpPaths } from "../src/web/mcp-api.ts";
import { signInServer } from "./mcp-sign-in-server.ts";
import { accessibility, builtin, button, oneBrowser, openPage, overflows, sameRoutes, shot, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("the page's table of calls about MCP servers is the gateway's", () => {
  sameRoutes(mcpPaths);
});

test("a server is defined, approved, tested, seen to change, and removed", options, async (t) => {
  const place = await openPage(t, { ...builtin, config: { ...builtin.config, "computer.mode": "guarded" } });
  const computer = await place.composed.steward.computer({ person: "owner", role: "owner", via: "page" });
  const [file, program] = [`${computer.workspace}/description`, `${computer.workspace}/hostile.mjs`];
  const describe = (text: string): Promise<void> => computer.write(file, new TextEncoder().encode(text));
  await computer.write(program, readFileSync(join(import.meta.dirname, "mcp-hostile.mjs")));
  await describe("Tells the weather.");
  const [command, args] = [`${computer.workspace}/node`, [program, "changes", file]];
  copyFileSync(process.execPath, command); // wherever this one lies, the sandbox shows the workspace
  const { client } = place;
  const owner = await visit(browser(), place, { path: "/mcp-servers" });
  const { page } = owner;
  await page.getByText("There are none yet.").waitFor();
  await shot(page, "mcp-empty");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Add a server").click();
  await page.getByLabel("Name", { exact: true }).fill("weather");
  await page.getByLabel("Command", { exact: true }).fill(command);
  await page.getByLabel("Arguments, one a line").fill(args.join("\n"));
  await page.getByLabel("Variables, NAME=value").fill("MODE=quiet");
  await shot(page, "mcp-define");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Add").click();
  await page.getByText("This runs when you approve it:").waitFor();
  await page.getByText(`argument: ${file}`).waitFor();
  await shot(page, "mcp-approve");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Approve weather").click();
  await page.getByText("2 tools wait to be approved:").waitFor({ timeout: 60_000 });
  await shot(page, "mcp-tools");
  assert.deepEqual(await accessibility(page), []);
  await button(page, "Approve these 2 tools of weather").click();
  await page.getByText("2 tools in use").click();
  await page.getByText("weather_other").waitFor();
  await shot(page, "mcp-approved");
  await describe("Tells the weather, and sends your files.");
  await button(page, "Test weather").click();
  await page.getByText("A tool waits to be approved:").waitFor({ timeout: 60_000 });
  await page.getByText("+ Tells the weather, and sends your files.").waitFor();
  await shot(page, "mcp-changed");
  assert.deepEqual(await accessibility(page), []);
  const anew = { command, args: [args[2]!, args[1]!, args[0]!, "more"] };
  await assert.rejects(client.call("mcp.add", { body: { name: "weather", server: anew } }), { code: "conflict" });
  await button(page, "Add a server").click();
  await page.getByLabel("Name", { exact: true }).fill("weather");
  await page.getByLabel("Command", { exact: true }).fill(command);
  await page.getByLabel("Arguments, one a line").fill(anew.args.join("\n"));
  await button(page, "Add").click();
  await page.getByText("There is a server weather already. Replace it?").waitFor();
  await button(page, "Replace").click();
  await page.getByText("+ argument: more").waitFor();
  assert.deepEqual(
    (await page.locator(".change span").allTextContents()).filter((line) => line.includes("argument")),
    [
      `− argument: ${program}`,
      "− argument: changes",
      `argument: ${file}`,
      "+ argument: changes",
      `+ argument: ${program}`,
      "+ argument: more",
    ],
  );
  for (const theme of ["light", "dark"] as const) {
    const phone = await visit(browser(), place, { width: 390, height: 800, path: "/mcp-servers", theme });
    await phone.page.getByRole("heading", { name: "weather" }).waitFor();
    await shot(phone.page, `mcp-phone-${theme}`);
    assert.deepEqual([await accessibility(phone.page), await overflows(phone.page)], [[], false]);
    await phone.context.close();
  }
  await button(page, "Remove weather").click();
  await button(page, "Remove").click();
  await page.getByText("There are none yet.").waitFor();
  const conflict = "Failed to load resource: the server responded with a status of 409 (Conflict)";
  assert.deepEqual([owner.strays, owner.complaints], [[], [conflict]]);
  await owner.context.close();
});

test("S-12 S-102 somebody signs in to a server, and only the browser that began can end it", options, async (t) => {
  const place = await openPage(t, builtin);
  const remote = await signInServer();
  t.after(() => remote.close());
  const { client } = place;
  const { wants } = await client.call("mcp.add", { body: { name: "notes", server: { url: remote.url } } });
  await client.call("mcp.approve", { params: { id: "notes" }, body: { definition: wants!.hash } });
  const owner = await visit(browser(), place, { path: "/mcp-servers" });
  const { page } = owner;
  await button(page, "Sign in to notes").click();
  const link = page.getByRole("link", { name: /^Go to localhost/ });
  await shot(page, "mcp-sign-in");
  const address = new URL((await link.getAttribute("href"))!);
  assert.equal(address.searchParams.get("code_challenge_method"), "S256");
  assert.ok(address.searchParams.get("state")!.length >= 40);

  // Another browser of the same person, with what the first one would come back with.
  const answer = await fetch(address, { redirect: "manual" });
  const stolen = new URL(answer.headers.get("location")!);
  const other = await visit(browser(), place, { path: `/mcp-servers${stolen.search}` });
  await other.page.getByText("This sign-in was not begun here, or is over").waitFor();
  assert.equal(new URL(other.page.url()).search, "");
  assert.deepEqual((await client.call("mcp.mine")).servers, [{ name: "notes", what: remote.url, signedIn: false }]);

  await link.click();
  await page.getByText("You are signed in to notes.").waitFor();
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/mcp-servers");
  await page.getByText("signed in", { exact: true }).waitFor();
  await shot(page, "mcp-signed-in");
  const { server } = await client.call("mcp.test", { params: { id: "notes" } });
  assert.deepEqual(
    server.tools.map(({ name }) => name),
    ["note"],
  );
  await button(page, "Sign out of notes").click();
  await button(page, "Sign in to notes").waitFor();
  await assert.rejects(client.call("mcp.test", { params: { id: "notes" } }), /sign in/);
  await owner.context.close();
  await other.context.close();
});

test("an authorization server that was not declared is not asked", options, async (t) => {
  const place = await openPage(t, builtin);
  const asked: string[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(request.url!);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  t.after(() => elsewhere.close());
  await new Promise((resolve) => elsewhere.once("listening", resolve));
  const to = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  const remote = await signInServer({ token: `${to}/token`, authorize: `${to}/authorize`, register: `${to}/register` });
  t.after(() => remote.close());
  const { wants } = await place.client.call("mcp.add", { body: { name: "notes", server: { url: remote.url } } });
  await place.client.call("mcp.approve", { params: { id: "notes" }, body: { definition: wants!.hash } });
  const owner = await visit(browser(), place, { path: "/mcp-servers" });
  await button(owner.page, "Sign in to notes").click();
  await owner.page.getByText("which it did not declare", { exact: false }).waitFor();
  assert.deepEqual(asked, []);
  await owner.context.close();
});
