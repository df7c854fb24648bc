// The plain page, and a page like OS-Agent's own frontend, in a real Chromium in front of a real Steward.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { accessibility, launch, oneBrowser, skip as noChromium } from "./pages-place.ts";
import { openPlainPlace, type PlainPlace } from "./plain-place.ts";

const skip = noChromium || ((await bubblewrapMissing()) ?? false);
const options = { timeout: 280_000 };
const browser = oneBrowser(skip);

interface Seen {
  page: Page;
  complaints: string[];
}
interface Looks {
  width?: number;
  height?: number;
  colorScheme?: "dark" | "light";
}

async function openAt(
  t: TestContext,
  browser: Browser,
  url: string,
  { width = 1280, height = 800, colorScheme = "dark" }: Looks = {},
): Promise<Seen> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, acceptDownloads: true, hasTouch: width < 500 });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on(
    "console",
    (message) => void (message.type() === "error" && !/status of 40[13]/.test(message.text()) && complaints.push(message.text())),
  );
  await page.goto(url);
  return { page, complaints };
}

const status = (page: Page, text: string | RegExp) => page.locator("#state").filter({ hasText: text }).waitFor();
const say = async (page: Page, text: string): Promise<void> => {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
};
const downloaded = async (page: Page, press: () => Promise<void>): Promise<[string, string]> => {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return [download.suggestedFilename(), Buffer.concat(chunks).toString()];
};

describe("the plain page", { skip }, () => {
  let place: PlainPlace;
  before(async () => {
    place = await openPlainPlace();
  });
  after(() => place.close());
  const enter = async (t: TestContext, looks?: Looks): Promise<Seen> => {
    const seen = await openAt(t, browser(), await place.plain.claimLink(), looks);
    await status(seen.page, "Connected: main");
    return seen;
  };
  const messages = (page: Page) => page.locator("#log > div").allInnerTexts();

  test(
    "O-103 O-108 signs in by its link; chat with streamed fragments; the user is fixed; a reload stays signed in",
    options,
    async (t) => {
      const { page, complaints } = await enter(t);
      assert.equal(page.url(), `${place.plain.url}/`);
      assert.deepEqual(await page.getByLabel("User").evaluate((input: HTMLInputElement) => [input.value, input.readOnly]), ["Owner", true]);
      place.model.script([{ do: "text", text: "First <b>words</b>." }]);
      await say(page, "Hello <i>there</i>");
      await page.locator("#log").getByText("First <b>words</b>.").waitFor();
      await status(page, "Connected: main");
      place.model.script([{ do: "text", text: "Then more." }]);
      await say(page, "And?");
      await page.locator("#log").getByText("Then more.").waitFor();
      assert.deepEqual(await messages(page), ["Session main", "Hello <i>there</i>", "First <b>words</b>.", "And?", "Then more."]);
      await page.reload();
      await status(page, "Connected: main");
      assert.deepEqual(complaints, []);
    },
  );

  test("O-107 the drop-down lists sessions with their last words, and switches; think and session are fields", options, async (t) => {
    const { page } = await enter(t);
    place.model.script([{ do: "text", text: "Noted in work." }]);
    await page.getByLabel("Session", { exact: true }).fill("work");
    await page.getByLabel("Session", { exact: true }).press("Tab");
    await status(page, "Connected: work");
    await say(page, "Remember this");
    await page.locator("#log").getByText("Noted in work.").waitFor();
    await page.waitForFunction(() =>
      [...document.querySelectorAll("#sessions option")].some((one) => one.textContent === "work: Noted in work."),
    );
    await page.getByLabel("Sessions").selectOption("main");
    await status(page, "Connected: main");
    assert.deepEqual(await messages(page), ["Session main"]);
    await page.getByLabel("Think").uncheck();
    await status(page, "Connected: main");
    await page.getByRole("button", { name: "Disconnect" }).click();
    await status(page, "Not connected");
    await say(page, "Nobody hears this");
    await page.getByText("the message was not sent").waitFor();
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await status(page, "Connected: main");
  });

  test("O-105 O-106 files by button, drop and paste; audio; returned files come back as downloads", options, async (t) => {
    const { page, complaints } = await enter(t);
    const file = (name: string, text: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.locator("#upload").setInputFiles([file("a b.txt", "one"), file("big.bin", "x".repeat(9_000_000))]);
    await page.locator("#uploads").getByText("Uploaded: /data/a_b.txt").waitFor();
    await page.locator("#uploads").getByText("Uploaded: /data/big.bin").waitFor();
    await page.locator("#audio").setInputFiles({ name: "voice.mp3", mimeType: "audio/mpeg", buffer: Buffer.from("ID3") });
    await page.locator("#uploads").getByText("Uploaded: /data/voice.mp3").waitFor();
    for (const [kind, name] of [
      ["drop", "dropped.txt"],
      ["paste", "pasted.txt"],
    ] as const) {
      await page.evaluate(
        ([how, called]) => {
          const data = new DataTransfer();
          data.items.add(new File(["text"], called!, { type: "text/plain" }));
          const event =
            how === "drop" ? new DragEvent("drop", { dataTransfer: data }) : new ClipboardEvent("paste", { clipboardData: data });
          window.dispatchEvent(event);
        },
        [kind, name],
      );
      await page.locator("#uploads").getByText(`Uploaded: /data/${name}`).waitFor();
    }
    await page.getByRole("list", { name: "Documents" }).getByText("pasted.txt").waitFor();
    await page.locator("#terminal summary").click();
    await page.getByLabel("Command").fill("printf 'the result' > /return/result.txt");
    await page.getByRole("button", { name: "Run" }).click();
    const fromChat = await downloaded(page, () => page.getByRole("button", { name: "Save result.txt" }).click({ timeout: 60_000 }));
    assert.deepEqual(fromChat, ["result.txt", "the result"]);
    const fromList = await downloaded(page, () => page.getByRole("button", { name: "Download result.txt" }).click());
    assert.deepEqual(fromList, ["result.txt", "the result"]);
    // A link that was followed leads through the page, which alone can show its proof.
    await page.goto("about:blank");
    const followed = await downloaded(page, async () => void (await page.goto(`${place.plain.url}/files/owner/result.txt`)));
    assert.deepEqual(followed, ["result.txt", "the result"]);
    assert.deepEqual(complaints, []);
  });

  test("O-106 the microphone is recorded and uploaded under a name", options, async (t) => {
    const loud = await launch(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]);
    t.after(() => loud.close());
    const { page } = await openAt(t, loud, await place.plain.claimLink());
    await status(page, "Connected: main");
    await page.getByRole("button", { name: "Record" }).click();
    const stop = page.getByRole("button", { name: "Stop recording" });
    await stop.waitFor();
    assert.equal(await stop.getAttribute("aria-pressed"), "true");
    await stop.click();
    await page
      .locator("#uploads")
      .getByText(/Uploaded: \/data\/recording-\d{8}-\d{6}\.webm/)
      .waitFor();
  });

  test("the terminal line: output, a question answered, Ctrl-C, the folder stays", options, async (t) => {
    const { page } = await enter(t);
    await page.locator("#terminal summary").click();
    const run = async (command: string): Promise<void> => {
      await page.getByLabel("Command").fill(command);
      await page.getByLabel("Command").press("Enter");
    };
    const printed = (text: string) => page.waitForFunction((one) => document.getElementById("output")!.textContent.includes(one), text);
    await run("cd /tmp && read -p 'Your name: ' n && echo hello-$n");
    await page.getByLabel("Your name:").fill("Ada");
    await page.getByRole("button", { name: "Answer" }).click();
    await printed("hello-Ada");
    await run("read -sp 'Password: ' p; echo; echo length ${#p} in $PWD");
    assert.equal(await page.getByLabel("Password:").getAttribute("type"), "password");
    await page.getByLabel("Password:").fill("hunter2");
    await page.getByLabel("Password:").press("Enter");
    await printed("length 7 in /tmp");
    await run("echo begun; sleep 60; echo never");
    await printed("\nbegun");
    await page.getByRole("button", { name: "Ctrl-C" }).click();
    await page.waitForFunction(() => (document.getElementById("stop") as HTMLButtonElement).disabled);
    await run("echo after in $PWD");
    await printed("\nafter in /tmp");
    assert.equal(await page.locator("#output").evaluate((box) => /hunter2|\nnever/.test(box.textContent ?? "")), false);
  });

  test("a notification: its text, then the agent's answer", options, async (t) => {
    const { page } = await enter(t);
    place.model.script([{ do: "text", text: "I will clean up." }]);
    await page.locator("#notify summary").click();
    await page.getByLabel(/Tell the agent/).fill("The disk is full");
    await page.getByRole("button", { name: "Notify" }).click();
    await page.locator("#log").getByText("I will clean up.").waitFor();
    assert.equal(await page.locator("#log").getByText("The disk is full", { exact: true }).count(), 1);
  });

  test("without a sign-in there is a field for a token; a wrong one is told; signing out ends it", options, async (t) => {
    const { page } = await openAt(t, browser(), place.plain.url);
    await page.getByRole("heading", { name: "Come in" }).waitFor();
    const field = page.getByLabel(/paste a token/);
    await field.fill("stw_wrong");
    await field.press("Enter");
    await page.getByRole("alert").filter({ hasText: "This token is not valid" }).waitFor();
    await field.fill(await place.tokenFor("ada"));
    await field.press("Enter");
    await status(page, "Connected: main");
    assert.equal(await page.getByLabel("User").inputValue(), "ada");
    assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Come in" }).waitFor();
  });

  test("accessible in dark and light, at 1280 and 390 pixels, by keyboard; nothing is wider than the window", options, async (t) => {
    for (const colorScheme of ["dark", "light"] as const)
      for (const width of [1280, 390]) {
        const { page } = await enter(t, { colorScheme, width, height: 844 });
        place.model.script([{ do: "text", text: "A long word: ".padEnd(300, "x") }]);
        await say(page, "Say something long");
        await page
          .locator("#log")
          .getByText(/A long word/)
          .first()
          .waitFor();
        for (const id of ["files", "terminal", "notify"])
          await page.locator(`#${id}`).evaluate((box: HTMLDetailsElement) => void (box.open = true));
        assert.deepEqual(await accessibility(page), [], `${colorScheme} ${width}`);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${width}`);
        const shots = process.env["STEWARD_TEST_SHOTS"];
        if (shots) await page.screenshot({ path: `${shots}/plain-${colorScheme}-${width}.png`, fullPage: width < 500 });
      }
    const { page } = await openAt(t, browser(), place.plain.url);
    await page.getByRole("heading", { name: "Come in" }).waitFor();
    assert.deepEqual(await accessibility(page), []);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "token");
  });
});

describe("where OS-Agent's door is open", { skip }, () => {
  test("O-108 the plain page needs no sign-in, and the user is whoever is named", options, async (t) => {
    const place = await openPlainPlace({ config: { "auth.local": "open" } });
    t.after(() => place.close());
    const { page } = await openAt(t, browser(), place.plain.url);
    await status(page, "Connected: main");
    assert.equal(await page.getByLabel("User").inputValue(), "demo");
    await page.getByLabel("User").fill("grace");
    await page.getByLabel("User").press("Tab");
    await page.waitForFunction(() => document.querySelector("#state")!.textContent === "Connected: main");
    place.model.script([{ do: "text", text: "Hello Grace." }]);
    await say(page, "Hello");
    await page.locator("#log").getByText("Hello Grace.").waitFor();
    const people = (await place.composed.steward.store.list("person/")).map(({ key }) => key);
    assert.ok(people.includes("person/user_grace") && people.includes("person/user_demo"));
  });

  test(
    "O-104 a page like OS-Agent's frontend, unchanged, from http://localhost:PORT: chats, uploads, lists sessions, gets files",
    options,
    async (t) => {
      const server = createServer((_request, response) => response.setHeader("content-type", "text/html").end(FRONTEND)).listen(
        0,
        "127.0.0.1",
      );
      await once(server, "listening");
      const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
      const place = await openPlainPlace({ config: { "auth.local": "open", "server.origins": [origin] } });
      t.after(async () => {
        server.close();
        await place.close();
      });
      const { page, complaints } = await openAt(t, browser(), `${origin}/#${place.osAgent.port}`);
      await page.getByText("open", { exact: true }).waitFor();
      const call = { tool: "execute_terminal_command", input: { command: "printf returned > /return/out.txt" } };
      place.model.script(({ body }) =>
        JSON.stringify(body.messages).includes("printf") ? [{ do: "text", text: "Here it is." }] : [{ do: "calls", calls: [call] }],
      );
      await page.locator("#prompt").fill("Make out.txt");
      await page.locator("#prompt").press("Enter");
      await page.locator(".agent", { hasText: "Here it is." }).first().waitFor();
      const link = page.getByRole("link", { name: "out.txt" });
      assert.deepEqual(await downloaded(page, () => link.click({ timeout: 60_000 })), ["out.txt", "returned"]);
      await page.locator("#file").setInputFiles({ name: "my photo.png", mimeType: "image/png", buffer: Buffer.from([137, 80, 78, 71]) });
      await page.getByText("/data/my_photo.png", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Sessions" }).click();
      await page.locator("#sessions li").first().waitFor();
      assert.match((await page.locator("#sessions li").allInnerTexts()).join(), /^main: /);
      assert.deepEqual(complaints, []);
    },
  );
});

/** Written from what OS-Agent's web page does: one socket for the chat whose frames are bubbles, a new one for each request with ten seconds' patience, base64 uploads. */
const FRONTEND = `<!doctype html><meta charset="utf-8"><title>Agent</title>
<p id="state">closed</p><div id="log"></div><input id="prompt"><input id="file" type="file"><button id="list">Sessions</button><ul id="sessions"></ul>
<script>
const base = "ws://" + location.hostname + ":" + location.hash.slice(1) + "/?user=demo&session=main&think=false";
const log = document.getElementById("log");
function bubble(kind, text) { const p = document.createElement("p"); p.className = kind; p.textContent = text; log.append(p); return p; }
function open() {
  const ws = new WebSocket(base);
  ws.onopen = () => { document.getElementById("state").textContent = "open"; };
  ws.onmessage = (event) => {
    let data;
    try { data = JSON.parse(event.data); } catch { bubble("agent", event.data); return; }
    if (data.returned_file) {
      const bytes = Uint8Array.from(atob(data.data), (c) => c.charCodeAt(0));
      const a = document.createElement("a");
      a.href = URL.createObjectURL(new Blob([bytes])); a.download = data.returned_file; a.textContent = data.returned_file;
      bubble("agent", "").append(a);
    } else if (data.result !== undefined) bubble("agent", typeof data.result === "string" ? data.result : JSON.stringify(data.result));
    else bubble("agent", event.data);
  };
  return ws;
}
const ws = open();
function request(command, args) {
  return new Promise((resolve, reject) => {
    const one = new WebSocket(base);
    const timer = setTimeout(() => { one.close(); reject(new Error("timeout")); }, 10000);
    one.onopen = () => one.send(JSON.stringify({ command, args }));
    one.onmessage = (event) => {
      try { const data = JSON.parse(event.data); if ("result" in data) { clearTimeout(timer); one.close(); resolve(data.result); } } catch {}
    };
  });
}
document.getElementById("prompt").onkeydown = (event) => {
  if (event.key !== "Enter") return;
  bubble("user", event.target.value);
  ws.send(JSON.stringify({ command: "team_chat", args: { prompt: event.target.value } }));
  event.target.value = "";
};
document.getElementById("file").onchange = (event) => {
  const file = event.target.files[0];
  const reader = new FileReader();
  reader.onload = async () => bubble("agent", await request("upload_document", { file_name: file.name, file_data: reader.result.split(",")[1] }));
  reader.readAsDataURL(file);
};
document.getElementById("list").onclick = async () => {
  for (const one of await request("list_sessions_info", {})) {
    const li = document.createElement("li");
    li.textContent = one.name + ": " + one.last_message;
    document.getElementById("sessions").append(li);
  }
};
</script>`;
