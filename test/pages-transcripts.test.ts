// Transcripts on the page, at the document and in the conversation, and on the plain page. What is heard is transcripts.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { voiceServer, wav } from "../src/testing/voice-server.ts";
import { oneBrowser, openPage, skip as noChromium, visit } from "./pages-place.ts";
import { openPlainPlace } from "./plain-place.ts";

const browser = oneBrowser();
const file = { name: "idea.wav", mimeType: "audio/wav", buffer: Buffer.from(wav()) };

test("O-033 the page shows the transcript at its audio, and why there is none", { skip: noChromium, timeout: 280_000 }, async (t) => {
  const server = await voiceServer("What was said.");
  t.after(() => server.close());
  const voice = { "voice.hear": "tape", "voice.providers": { tape: { kind: "openai", baseUrl: server.url } } };
  const place = await openPage(t, { config: { model: "builtin/rules", ...voice } });
  const { page, context, complaints } = await visit(browser(), place, { path: "/computer" });
  await page.getByRole("tab", { name: "Documents" }).click();
  const given = page.getByLabel("Documents to add");
  await given.setInputFiles(file);
  const tab = context.waitForEvent("page");
  await page.getByRole("button", { name: "Transcript of idea.wav" }).click();
  await (await tab).getByText("What was said.").waitFor();
  await page.getByRole("button", { name: "idea_transcription.txt", exact: true }).waitFor();
  server.script(() => ({ do: "status", status: 400, message: "<b>It hisses</b>" }));
  await given.setInputFiles({ ...file, name: "noise.wav" });
  await page.getByText(/not transcribed: .* did not take the audio: <b>It hisses<\/b>/).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test(
  "O-033 the plain page lists the transcript, and takes it for no other answer",
  {
    skip: noChromium || ((await bubblewrapMissing()) ?? false),
    timeout: 280_000,
  },
  async (t) => {
    const server = await voiceServer("What was said.");
    t.after(() => server.close());
    const go = Promise.withResolvers<void>();
    server.script(async () => {
      await go.promise;
      return { do: "hear", text: "What was said." };
    });
    const voice = { "voice.hear": "tape", "voice.providers": { tape: { kind: "openai", baseUrl: server.url } } };
    const place = await openPlainPlace({ config: voice });
    t.after(() => place.close());
    const context = await browser().newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(await place.plain.claimLink());
    await page.locator("#audio").setInputFiles(file);
    await page.locator("#uploads").getByText("Uploaded: /data/idea.wav").waitFor();
    const documents = page.getByRole("list", { name: "Documents" });
    await documents.getByText("idea.wav").waitFor();
    go.resolve();
    await documents.getByText("idea_transcription.txt").waitFor();
    await page.locator("#log").getByText("what is said in idea.wav").waitFor();
    await page.locator("#audio").setInputFiles({ ...file, name: "two.txt", mimeType: "text/plain", buffer: Buffer.from("text") });
    await page.locator("#uploads").getByText("Uploaded: /data/two.txt").waitFor();
  },
);
