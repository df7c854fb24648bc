// WebChat in a real Chromium in front of a real Steward: what is written looks right and cannot run, what is said arrives, on a wide screen and a phone.
import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { until } from "../src/testing/channel-platform.ts";
import { accessibility, oneBrowser, overflows, shot, skip } from "./pages-place.ts";
import { type ChatPlace, openChatPlace } from "./webchat-place.ts";

const HOSTILE = [
  "# Title with <b>bold</b>",
  "",
  "<img src=x onerror='window.ran=1'><script>window.ran=1</script> and **strong**, *soft*, ~~gone~~, `<i>code</i>`",
  "[bad](javascript:window.ran=1) [data](data:text/html,x) [good](https://example.org/a?b=1&c=2) https://example.net/x.",
  "",
  "- one",
  "  - inner",
  "- two",
  "",
  "3. three",
  "4. four",
  "",
  "> quoted",
  "",
  "```html",
  "</script><script>window.ran=1</script>",
  "**not bold**",
  "```",
  "",
  "| a | b |",
  "| --- | --- |",
  "| `x` | <u>y</u> |",
].join("\n");
const SHOWN = [
  "<h3>Title with &lt;b&gt;bold&lt;/b&gt;</h3>",
  "<p>&lt;img src=x onerror='window.ran=1'&gt;&lt;script&gt;window.ran=1&lt;/script&gt; and <strong>strong</strong>, <em>soft</em>, <del>gone</del>, <code>&lt;i&gt;code&lt;/i&gt;</code><br>",
  '<span>bad</span> <span>data</span> <a href="https://example.org/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">good</a> ',
  '<a href="https://example.net/x" target="_blank" rel="noopener noreferrer">https://example.net/x</a>.</p>',
  "<ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>",
  '<ol start="3"><li>three</li><li>four</li></ol>',
  "<blockquote><p>quoted</p></blockquote>",
  '<pre tabindex="0"><code>&lt;/script&gt;&lt;script&gt;window.ran=1&lt;/script&gt;\n**not bold**</code></pre>',
  '<div class="wide" tabindex="0"><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x</code></td><td>&lt;u&gt;y&lt;/u&gt;</td></tr></tbody></table></div>',
].join("");

describe("WebChat's page", { skip, timeout: 280_000 }, () => {
  const browser = oneBrowser();
  let place: ChatPlace;
  before(async () => {
    place = await openChatPlace();
  });
  after(() => place?.close());

  interface Looks {
    width?: number;
    colorScheme?: "dark" | "light";
    url?: string;
  }
  const enter = async (t: TestContext, { width = 1280, colorScheme = "dark", url }: Looks = {}) => {
    const context = await browser().newContext({ viewport: { width, height: 800 }, colorScheme, hasTouch: width < 500 });
    t.after(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    const strays: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on(
      "console",
      (message) => void (message.type() === "error" && !/status of 40[13]/.test(message.text()) && complaints.push(message.text())),
    );
    page.on(
      "request",
      (request) => void (!request.url().startsWith(place.door.url) && !request.url().startsWith("data:") && strays.push(request.url())),
    );
    await page.goto(url ?? (await place.door.claimLink()));
    return { page, context, complaints, strays };
  };
  const connected = (page: Page) => page.locator("#state").filter({ hasText: "Connected" }).waitFor();
  const say = async (page: Page, text: string): Promise<void> => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const messages = (page: Page) => page.locator("#log > div").allInnerTexts();

  test("A-048 Markdown is drawn from elements of its own; markup in it stays text and nothing of it runs", async (t) => {
    const { page, complaints, strays } = await enter(t);
    await connected(page);
    assert.equal(page.url(), `${place.door.url}/`);
    place.model.script([{ do: "text", text: HOSTILE, pieces: 40 }]);
    await say(page, "Show <b>me</b>");
    await page.locator(".theirs table").waitFor();
    await until(async () => ((await page.locator(".theirs").innerHTML()) === SHOWN ? true : undefined), "it is drawn").catch(() => {});
    assert.equal(await page.locator(".theirs").innerHTML(), SHOWN);
    await connected(page);
    assert.equal(await page.locator(".mine").innerHTML(), "Show &lt;b&gt;me&lt;/b&gt;");
    assert.equal(await page.evaluate("window.ran"), undefined);
    await shot(page, "webchat-1280");
    assert.deepEqual(await accessibility(page), []);
    const long = `${"**a ".repeat(20_000)}${"[".repeat(20_000)}${"> ".repeat(5000)}${"`".repeat(20_000)}`;
    // The best of three: the machine may stand still in one of them.
    const took = await page.evaluate(
      `Math.min(...[1, 2, 3].map(() => { const from = performance.now(); markdown(${JSON.stringify(long)}); return performance.now() - from; }))`,
    );
    assert.ok(Number(took) < 2000, `${String(took)} ms for a text that is made to take long`);
    assert.deepEqual([complaints, strays], [[], []]);
  });

  test("A-047 A-049 two tabs are two conversations; questions are answered in words; what runs is stopped", async (t) => {
    const { page, context, complaints } = await enter(t);
    await connected(page);
    place.model.script([
      { do: "calls", calls: [{ tool: "ask_person", input: { question: "Tea or coffee?", options: ["tea", "coffee"] } }] },
    ]);
    await say(page, "I am thirsty");
    await page.getByText("Answer with one of: tea, coffee.").waitFor();
    place.model.script([{ do: "text", text: "Tea it is." }]);
    await say(page, "Tea");
    await page.getByText("Tea it is.").waitFor();
    const other = await context.newPage();
    await other.goto(place.door.url);
    await connected(other);
    assert.deepEqual(await messages(other), []);
    const release = Promise.withResolvers<void>();
    place.model.script([
      { do: "text", text: "Thinking about it" },
      { do: "until", promise: release.promise },
    ]);
    await say(other, "Think for long");
    await other.getByText("Thinking about it").waitFor();
    await other.getByRole("button", { name: "Stop" }).click();
    await connected(other);
    release.resolve();
    assert.equal(await other.getByRole("button", { name: "Stop" }).isVisible(), false);
    assert.deepEqual(await messages(page), ["I am thirsty", "Tea or coffee?\n\nAnswer with one of: tea, coffee.", "Tea", "Tea it is."]);
    await page.evaluate("now.socket.close()");
    await page.getByText("your next message begins another one").waitFor();
    place.model.script([{ do: "text", text: "Here again." }]);
    await say(page, "Back?");
    await page.getByText("Here again.").waitFor();
    assert.doesNotMatch(JSON.stringify(place.model.requests.at(-1)), /thirsty/);
    await page.getByRole("button", { name: "New conversation" }).click();
    await connected(page);
    assert.deepEqual(await messages(page), []);
    assert.deepEqual(complaints, []);
  });

  test("what is written while the connection breaks arrives once, in its conversation, and is answered; of two attempts to connect one counts", async (t) => {
    const { page, complaints } = await enter(t);
    await connected(page);
    await page.evaluate("void connect(); void connect()");
    await connected(page);
    place.model.script([{ do: "text", text: "First." }]);
    await say(page, "One");
    await page.getByText("First.").waitFor();
    const session = String(await page.evaluate("now.session"));
    const ended = async (): Promise<number> => (await place.events(session)).filter(({ event }) => event.type === "turn.completed").length;
    await until(async () => ((await ended()) === 1 ? true : undefined), "the first has ended");
    // It is taken, and neither its confirmation nor its answer comes through.
    place.model.script([{ do: "text", text: "Second." }]);
    await page.evaluate("now.socket.onmessage = () => {}");
    await say(page, "Two");
    await until(async () => ((await ended()) === 2 ? true : undefined), "it is answered");
    await page.locator(".mine.unsure").waitFor();
    place.model.script([{ do: "text", text: "Third." }]);
    await page.evaluate("now.socket.close(); at('text').value = 'Three'; say()");
    await page.getByText("Third.").waitFor();
    assert.deepEqual(await messages(page), ["One", "First.", "Two", "Three", "Second.", "Third."]);
    assert.equal(await page.locator(".unsure").count(), 0);
    const said = (await place.events(session)).flatMap(({ event }) => (event.type === "message.received" ? [event.parts] : []));
    assert.deepEqual(
      said,
      ["One", "Two", "Three"].map((text) => [{ type: "text", text }]),
    );
    assert.deepEqual(complaints, []);
  });

  test("on a phone nothing is wider than the screen; who is not signed in comes in by a token, and out again", async (t) => {
    const { page, complaints } = await enter(t, { width: 390, colorScheme: "light", url: place.door.url });
    await page.getByRole("heading", { name: "Come in" }).waitFor();
    assert.deepEqual(await accessibility(page), []);
    await page.getByLabel(/Or paste a token/).fill("wrong");
    await page.getByRole("button", { name: "Come in" }).click();
    await page.locator("#told").filter({ hasText: "not valid" }).waitFor();
    await page.getByLabel(/Or paste a token/).fill(place.gateway.localToken);
    await page.getByRole("button", { name: "Come in" }).click();
    await connected(page);
    place.model.script([
      { do: "text", text: `${"long".repeat(60)}\n\n| ${"wide | ".repeat(20)}\n|${" --- |".repeat(20)}\n| ${"cell | ".repeat(20)}` },
    ]);
    await say(page, "word".repeat(80));
    await page.locator(".theirs table").waitFor();
    assert.equal(await overflows(page), false);
    assert.deepEqual(await accessibility(page), []);
    await shot(page, "webchat-390");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Come in" }).waitFor();
    assert.deepEqual(await messages(page), []);
    await page.goto(`${place.door.url}/claim#nothing`);
    await page.locator("#told").filter({ hasText: /./ }).waitFor();
    assert.deepEqual(complaints, []);
  });
});
