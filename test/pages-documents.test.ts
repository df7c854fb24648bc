// The page and files: a large one in pieces over a connection that breaks, what comes back, what a program reports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listDocuments } from "../src/run/documents.ts";
import { fileBytes } from "../src/run/files.ts";
import { notify } from "../src/run/notifications.ts";
import { takeReturns } from "../src/run/returns.ts";
import { ownComputer } from "../src/testing/own-computer.ts";
import { eventually } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";
import { builtin, oneBrowser, openPage, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

test("a large file goes up in pieces, also when the connection breaks; taken out of the draft it is gone", options, async (t) => {
  const place = await openPage(t, builtin);
  const { steward } = place.composed;
  const { page, context } = await visit(browser(), place);
  const content = Buffer.from(new Uint8Array(10_000_000).map((_, at) => (at * 13) % 239));
  const broken = { puts: 0 };
  await page.route("**/api/uploads/*", (route) =>
    route.request().method() === "PUT" && ++broken.puts === 2 ? route.abort("connectionreset") : route.continue(),
  );
  await page.locator("input[type=file]").setInputFiles([{ name: "large.bin", mimeType: "application/octet-stream", buffer: content }]);
  const row = page.locator(".attached li");
  await row.getByText("9.5 MB").waitFor();
  await row.locator("progress").waitFor({ state: "detached" });
  assert.ok(broken.puts >= 4, `${broken.puts} pieces`);
  const [document] = await listDocuments(steward, OWNER);
  assert.ok(content.equals(await fileBytes(steward, OWNER, document!.id)));
  await page.getByRole("button", { name: "Remove large.bin" }).click();
  await eventually(async () => (await listDocuments(steward, OWNER)).length === 0);
  await context.close();
});

test("what a program reports is not shown as one's own words; a returned file can be opened", options, async (t) => {
  const place = await openPage(t, builtin);
  const { steward } = place.composed;
  const { session } = await notify(steward, OWNER, { message: "The backup has finished <b>", from: "outside" });
  const { page, context, complaints } = await visit(browser(), place, { path: `/s/${session}` });
  const told = page.getByRole("article", { name: "A program" });
  await told.getByText("The backup has finished <b>").waitFor();
  assert.equal(await page.getByRole("article", { name: "You" }).count(), 0);
  await page.getByText("A program reports: The backup has finished <b>").waitFor();
  const own = ownComputer();
  own.put("/return/summary.txt", "all is well");
  await takeReturns(steward, OWNER, own.computer, 1);
  const tab = context.waitForEvent("page");
  await page.getByRole("button", { name: "summary.txt" }).click();
  await (await tab).getByText("all is well").waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
