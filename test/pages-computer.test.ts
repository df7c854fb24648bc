// The computer's page in a real Chromium before a real contained computer: terminals that outlive a reload with their screen, files, the machine.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { eventually, type Place } from "./gateway-place.ts";
import { temporary } from "./harness.ts";
import { accessibility, builtin, oneBrowser, openPage, skip as noBrowser, visit, type Visit } from "./pages-place.ts";
import contained from "../src/computers/contained.ts";

const missing = await contained.missing({ config: {}, env: process.env });
const skip = noBrowser || (missing === undefined ? false : missing);
const options = { skip, timeout: 280_000 };
const browser = oneBrowser(skip);

async function openComputer(t: TestContext, more: Parameters<typeof visit>[2] = {}): Promise<{ place: Place; v: Visit; page: Page }> {
  const place = await openPage(t, { config: { ...builtin.config, "computer.mode": "contained", "computer.kind": "contained" } });
  const v = await visit(browser(), place, { ...more, path: "/computer" });
  return { place, v, page: v.page };
}

async function leave({ context, strays, complaints }: Visit): Promise<void> {
  await context.close();
  // What was changed meanwhile is refused; the browser tells of each refusal.
  const left = complaints.filter((text) => !/status of 409/.test(text));
  assert.deepEqual({ strays, left }, { strays: [], left: [] });
}

/** The rows of the terminal that is shown, without blanks at their ends. */
const screen = (page: Page): Promise<string> =>
  page.locator(".term-panel:not([hidden]) .xterm-rows").evaluate((rows) =>
    [...rows.children]
      .map((row) => (row.textContent ?? "").replaceAll("\u00a0", " ").trimEnd())
      .join("\n")
      .trimEnd(),
  );
const shows = (page: Page, pattern: RegExp): Promise<string> =>
  eventually(async () => {
    const text = await screen(page).catch(() => "");
    return pattern.test(text) ? text : undefined;
  }).catch(async () => {
    throw new Error(`${pattern} was not on the screen:\n${await screen(page).catch(String)}`);
  });
const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
/** What stays the same for a moment. */
async function calm(page: Page): Promise<string> {
  for (let before = await screen(page); ;) {
    await page.waitForTimeout(400);
    const now = await screen(page);
    if (now === before) return now;
    before = now;
  }
}
/** Waits until the screen is this and stays so. */
async function becomes(page: Page, wanted: string): Promise<void> {
  await eventually(async () => (await calm(page)) === wanted).catch(() => {});
  assert.equal(await calm(page), wanted);
}
/** The rows of the file that the editor shows, and what they are when it has drawn all of them. */
const rows = async (page: Page): Promise<string[]> => (await calm(page)).split("\n").filter((line) => /^row \d+$/.test(line));
const whole = (found: string[]): string[] => found.map((_, at) => `row ${Number(found[0]!.slice(4)) + at}`);
const drawn = (page: Page): Promise<true> =>
  eventually(async () => {
    const found = await rows(page);
    return found.length > 20 && found.join() === whole(found).join() ? true : undefined;
  });
async function type(page: Page, text: string): Promise<void> {
  await page.locator(".term-panel:not([hidden]) textarea").focus();
  await page.keyboard.type(text);
}
async function run(page: Page, line: string): Promise<void> {
  await type(page, line);
  await page.keyboard.press("Enter");
}
const open = async (page: Page): Promise<void> => {
  await page.getByRole("button", { name: "Open a terminal" }).click();
  await shows(page, /[$#] *$/);
};

test("a terminal: typed, coloured, renamed by its program, ended; what a program waits for is said", options, async (t) => {
  const { v, page } = await openComputer(t);
  await open(page);
  await run(page, "echo he$((1+1))llo; printf '\\033[38;2;120;200;90mgreen\\033[0m\\n'; stty size");
  const text = await shows(page, /he2llo\ngreen\n\d+ \d+\n/);
  const [rows, columns] = /(\d+) (\d+)\n/.exec(text)!.slice(1).map(Number);
  assert.ok(rows! > 20 && columns! > 80, `${rows} ${columns}`);
  assert.equal(
    await page
      .getByText("green", { exact: true })
      .last()
      .evaluate((span) => getComputedStyle(span).color),
    "rgb(120, 200, 90)",
  );
  await run(page, "python3 -c \"import getpass; getpass.getpass('Secret word: '); input('Go on? '); print('done')\"");
  await page.getByText("Waits for a password; what").waitFor();
  await page.getByRole("tab", { name: /python3/ }).waitFor();
  await run(page, "hidden");
  await page.getByText("Waits for your input").first().waitFor();
  assert.doesNotMatch(await screen(page), /hidden/);
  await run(page, "yes");
  await shows(page, /\ndone\n/);
  assert.deepEqual(await accessibility(page), []);
  await page.keyboard.press("Control+Shift+ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "tab");
  await run(page, "exit 3");
  await page.getByText("Ended with code 3.").waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByText("No terminal is open").waitFor();
  await leave(v);
});

test("after a reload the screen is as it was: a shell, an editor over the whole screen, a progress that went on", options, async (t) => {
  const { v, page } = await openComputer(t);
  await open(page);
  await run(page, "for i in 1 2 3; do echo line $i; done");
  await shows(page, /line 3\n.*[$#] *$/);
  const shell = await calm(page);
  await page.reload();
  await shows(page, /line 3\n.*[$#] *$/);
  await becomes(page, shell);
  await run(page, "seq 1 300 | sed 's/^/row /' > rows.txt; clear; vim -u NONE rows.txt");
  await shows(page, /row 20\n[^]*rows\.txt/);
  await type(page, "150G");
  await shows(page, /row 150\n(row \d+\n){5}/);
  await drawn(page);
  const editor = await calm(page);
  await page.reload();
  await shows(page, /row 150\n/);
  await becomes(page, editor);
  await type(page, ":q!\n");
  await shows(page, /[$#] *$/);
  await run(page, "top -d 1");
  await shows(page, /PID USER[^]*bash/);
  await page.reload();
  const top = await shows(page, /PID USER[^]*bash/);
  assert.equal(top.match(/PID USER/g)!.length, 1);
  await type(page, "q");
  await shows(page, /[$#] *$/);
  await run(page, "(sleep 2; echo while-away) & sleep 0.1");
  await page.goto("about:blank");
  await page.waitForTimeout(2500);
  await page.goBack();
  await shows(page, /while-away/);
  await leave(v);
});

function keepSockets(): void {
  const opened: WebSocket[] = [];
  Object.assign(globalThis, { opened });
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given);
      opened.push(this);
    }
  };
}

test("what was printed long ago is gone, and a program over the whole screen is asked to draw it anew", options, async (t) => {
  const { v, page } = await openComputer(t);
  await open(page);
  await run(page, "seq 1 300 | sed 's/^/row /' > rows.txt; seq 1 200000; clear; vim -u NONE rows.txt");
  await shows(page, /row 20\n[^]*rows\.txt/);
  await type(page, "150G");
  await shows(page, /row 150\n/);
  await page.reload();
  await shows(page, /row 150\n/);
  await drawn(page).catch(() => {});
  const found = await rows(page);
  assert.deepEqual(found, whole(found));
  assert.ok(found.length > 20);
  await leave(v);
});

test("a connection that breaks comes back by itself, and nothing is missing or twice", options, async (t) => {
  const { v, page } = await openComputer(t);
  await v.context.addInitScript(keepSockets);
  await page.reload();
  await open(page);
  await run(page, "for i in $(seq 1 60); do echo n$i; sleep 0.05; done; echo end");
  await shows(page, /n5\n/);
  await page.evaluate(() => (globalThis as unknown as { opened: WebSocket[] }).opened.at(-1)!.close());
  await shows(page, /n60\nend\n/);
  const seen = (await screen(page)).split("\n").filter((line) => /^n\d+$/.test(line));
  assert.deepEqual(
    seen,
    Array.from({ length: seen.length }, (_, at) => `n${61 - seen.length + at}`),
  );
  await leave(v);
});

test("what the agent runs appears while it runs, with the way to its conversation", options, async (t) => {
  const { place, v, page } = await openComputer(t);
  const { id } = await place.client.call("sessions.make", { body: { title: "Ticking" } });
  const text = "run the command `for i in $(seq 1000); do echo tick $i; sleep 0.5; done`";
  await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text }] } });
  await page.reload();
  const runs = page.getByLabel("What the agent runs now");
  await runs.getByText("tick 3").waitFor();
  assert.deepEqual(await accessibility(page), []);
  await runs.getByRole("link", { name: "Ticking" }).click();
  await page.getByText("tick 5").first().waitFor();
  assert.equal(new URL(page.url()).pathname, `/s/${id}`);
  await place.client.call("sessions.cancel", { params: { id } });
  await leave(v);
});

test(
  "two windows on one terminal: what is typed in one is seen in the other, which takes its size until it types itself",
  options,
  async (t) => {
    const { place, v, page } = await openComputer(t);
    await open(page);
    const { columns } = (await place.client.call("terminals.list")).terminals[0]!;
    const other = await visit(browser(), place, { path: "/computer", width: 900, height: 700 });
    await shows(other.page, /[$#] *$/);
    await eventually(async () => (await place.client.call("terminals.list")).terminals[0]!.columns < columns);
    await run(other.page, "echo from the other");
    await shows(page, /\nfrom the other\n/);
    await run(page, "stty size");
    assert.match(await shows(page, /\n\d+ \d+\n/), new RegExp(`\\n\\d+ ${columns}\\n`));
    await leave(other);
    await leave(v);
  },
);

test("files: uploaded, shown, edited, changed meanwhile, renamed, moved, deleted and brought back, downloaded", options, async (t) => {
  const { place, v, page } = await openComputer(t);
  const home = join(place.home, "computers", "owner", "home");
  const folder = temporary();
  const chosen = join(folder, "greeting.py");
  writeFileSync(chosen, 'print("<b>hello</b>")\n');
  await page.getByRole("tab", { name: "Files" }).click();
  await page
    .getByText("This folder is empty")
    .or(page.getByRole("button", { name: "Name" }))
    .first()
    .waitFor();
  await page.getByLabel("Files to upload").setInputFiles(chosen);
  await page.getByRole("button", { name: "greeting.py", exact: true }).click();
  await page.locator(".preview .hl-string").waitFor();
  assert.equal(await page.locator(".preview b").count(), 0);
  await page.getByRole("button", { name: "Edit" }).click();
  const editor = page.getByLabel("Text of greeting.py");
  await editor.fill("first\n");
  await page.getByRole("button", { name: "Save" }).click();
  await eventually(() => readFileSync(join(home, "greeting.py"), "utf8") === "first\n");
  await page.getByRole("button", { name: "Edit" }).click();
  writeFileSync(join(home, "greeting.py"), "somebody else\n");
  await editor.fill("second\n");
  await page.keyboard.press("Control+s");
  await page.getByText("greeting.py was changed meanwhile").waitFor();
  await page.getByRole("button", { name: "Replace it" }).click();
  await eventually(() => readFileSync(join(home, "greeting.py"), "utf8") === "second\n");
  await page.getByRole("button", { name: "Close the preview" }).click();
  const more = async (name: string, action: string): Promise<void> => {
    await page.getByRole("button", { name: `More for ${name}` }).click();
    await page.getByRole("menuitem", { name: action }).click();
  };
  await more("greeting.py", "Rename");
  await page.getByLabel("New name of greeting.py").fill("renamed.py");
  await page.getByLabel("New name of greeting.py").press("Enter");
  await page
    .getByRole("button", { name: "renamed.py", exact: true })
    .waitFor()
    .catch(async (error: unknown) => {
      const seen = await page.evaluate(() => `${document.activeElement?.outerHTML.slice(0, 300)}\n${document.body.innerText}`);
      throw new Error(`It was not renamed; the page:\n${seen}`, { cause: error });
    });
  await page.getByRole("button", { name: "New folder" }).click();
  await page.getByLabel("Name of the new folder").fill("box");
  await page.getByLabel("Name of the new folder").press("Enter");
  await page.getByRole("button", { name: "box", exact: true }).waitFor();
  await more("renamed.py", "Move…");
  await page.getByRole("button", { name: "box", exact: true }).click();
  await page.getByText("This folder is empty").waitFor(); // it goes where the page is
  await page.getByRole("button", { name: "Move here" }).click();
  await eventually(() => textOf(join(home, "box", "renamed.py")) === "second\n");
  await more("renamed.py", "Delete");
  await page.locator(".toast", { hasText: "Deleted “renamed.py”" }).getByRole("button", { name: "Undo" }).click();
  await eventually(() => textOf(join(home, "box", "renamed.py")) === "second\n");
  await page.getByRole("button", { name: "Read again" }).click();
  const downloading = page.waitForEvent("download");
  await more("renamed.py", "Download");
  assert.equal((await downloading).suggestedFilename(), "renamed.py");
  mkdirSync(join(home, "pictures"));
  writeFileSync(
    join(home, "pictures", "dot.bin"),
    Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64"),
  );
  writeFileSync(join(home, "pictures", "evil.svg"), '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="evil"</script></svg>');
  await page.getByRole("button", { name: "Home", exact: true }).click();
  await page.getByRole("button", { name: "pictures", exact: true }).click();
  await page.getByRole("button", { name: "dot.bin", exact: true }).click();
  await page.getByRole("img", { name: "dot.bin" }).waitFor();
  await page.getByRole("button", { name: "evil.svg", exact: true }).click();
  await page.locator(".preview .code").waitFor();
  assert.equal(await page.locator(".preview svg script").count(), 0);
  assert.deepEqual(await accessibility(page), []);
  await leave(v);
});

test("the machine: its use, the self-test, a restart, and making it anew only after the word was typed", options, async (t) => {
  const { place, v, page } = await openComputer(t);
  await open(page);
  await run(page, "echo kept > kept.txt; sleep 4321 &");
  await page.getByRole("tab", { name: "Machine" }).click();
  await page.getByText("sleep 4321").waitFor();
  await page.getByRole("meter", { name: "Memory" }).waitFor();
  await page.getByRole("button", { name: "Test it" }).click();
  await page.getByText("Steward's own port").waitFor();
  assert.equal(await page.locator(".dot.failed").count(), 0);
  assert.deepEqual(await accessibility(page), []);
  await page.getByRole("button", { name: "Restart" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
  await eventually(async () => (await place.client.call("terminals.list")).terminals.length === 0);
  const { home } = await place.client.call("computer.get");
  assert.equal(await (await place.client.call("tree.read", { query: { path: `${home}/kept.txt` } })).text(), "kept\n");
  await page.getByRole("button", { name: "Reset the computer…" }).click();
  const reset = page.getByRole("dialog").getByRole("button", { name: "Reset" });
  assert.equal(await reset.isDisabled(), true);
  await page.getByLabel("Type reset to confirm").fill("reset");
  await reset.click();
  await page.getByText("The computer was made anew.").waitFor();
  assert.deepEqual(
    (await place.client.call("tree.list", { query: { path: home } })).entries.filter(({ name }) => name === "kept.txt"),
    [],
  );
  await leave(v);
});

test("on a phone: the row of keys, Ctrl for the next key, nothing wider than the screen", options, async (t) => {
  const { v, page } = await openComputer(t, { width: 390, height: 844, theme: "light" });
  await page.getByRole("button", { name: "Open a terminal" }).tap();
  await shows(page, /[$#] *$/);
  await run(page, "cat");
  await page.getByRole("button", { name: "Ctrl", exact: true }).tap();
  await type(page, "c");
  await shows(page, /\^C\n.*[$#] *$/);
  await type(page, "echo upp");
  await page.keyboard.press("Enter");
  await shows(page, /\nupp\n/);
  await page.getByRole("button", { name: "Up", exact: true }).tap();
  await shows(page, /[$#] echo upp$/);
  assert.deepEqual(await accessibility(page), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  for (const name of ["Files", "Documents", "Machine"]) {
    await page.getByRole("tab", { name }).tap();
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, name);
    assert.deepEqual(await accessibility(page), [], name);
  }
  await leave(v);
});
