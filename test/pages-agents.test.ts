// The page with helper agents: the tree above the composer, a helper's log by keyboard, read-only, and the way back.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Script } from "../src/testing/model-server.ts";
import { accessibility, oneBrowser, openPage, say, skip, visit } from "./pages-place.ts";

const browser = oneBrowser();

test("helper agents are a tree; each opens its log, which is only read", { skip, timeout: 280_000 }, async (t) => {
  const gate = Promise.withResolvers<void>();
  const script: Script = ({ body }) => {
    const messages = JSON.stringify(body.messages);
    if (/Your name: Scout/.test(messages))
      return [
        { do: "text", text: "I look around. " },
        { do: "until", promise: gate.promise },
        { do: "text", text: "Nothing there." },
      ];
    const done = messages.split('"role":"tool"').length - 1;
    if (done === 0) return [{ do: "calls", calls: [{ tool: "spawn_agent", input: { name: "Scout", details: "Has good eyes" } }] }];
    if (done === 1) return [{ do: "calls", calls: [{ tool: "send_to_agent", input: { name: "Scout", message: "Look behind the hill" } }] }];
    return [{ do: "text", text: "The scout saw nothing." }];
  };
  const place = await openPage(t, { script });
  const { page, context, complaints, strays } = await visit(browser(), place);
  await say(page, "is there anything behind the hill?");
  const tree = page.getByRole("navigation", { name: "Helper agents" });
  await tree.getByText("1 of 1 running").waitFor();
  await page.getByRole("region", { name: /Ask Scout: Look behind the hill: Running/ }).waitFor();
  assert.deepEqual(await accessibility(page), []);
  const link = tree.getByRole("link", { name: /Scout Running/ });
  await link.focus();
  await page.keyboard.press("Enter");
  await page.locator(".md").getByText("I look around.").waitFor();
  const seniors = page.getByRole("article", { name: "Senior agent" });
  await seniors.nth(1).waitFor();
  assert.equal(await seniors.count(), 2);
  await page.getByText("A helper agent: it talks only to").waitFor();
  assert.equal(await page.getByLabel("Message", { exact: true }).count(), 0);
  assert.deepEqual(await accessibility(page), []);
  await page.getByRole("link", { name: "the session it works for" }).click();
  await tree.getByText("1 of 1 running").waitFor();
  gate.resolve();
  await page.locator(".md").getByText("The scout saw nothing.").waitFor();
  await tree.getByText("1, all idle").waitFor();
  assert.equal(await page.getByRole("navigation", { name: "Sessions" }).getByText("Scout").count(), 0);
  assert.deepEqual([complaints, strays], [[], []]);
  await context.close();
});
