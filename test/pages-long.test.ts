// The page under load and under attack: ten thousand messages, long streams, hostile text, its weight.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import type { Event } from "../src/core/events.ts";
import type { Item } from "../src/core/types.ts";
import { builtPage } from "./built-page.ts";
import { builtin, oneBrowser, openPage, say, sessionOf, skip, talk, visit } from "./pages-place.ts";

const browser = oneBrowser();
const options = { skip, timeout: 280_000 };

/** Milliseconds that the page's own thread has computed so far: what else the machine does is not in it. */
async function computing(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")!.value * 1000;
  };
}

/** Scrolls evenly for `frames` frames; the longest frames in milliseconds, and the most elements there were. */
const scroll = (
  page: Page,
  { frames, step }: { frames: number; step: number },
): Promise<{ worst: number; median: number; nodes: number; top: number }> =>
  page.evaluate(
    ({ frames, step }) =>
      new Promise((resolve) => {
        const list = document.querySelector(".list")!;
        const times: number[] = [];
        let nodes = 0;
        let last = performance.now();
        const next = (now: number): void => {
          times.push(now - last);
          last = now;
          nodes = Math.max(nodes, document.querySelectorAll("*").length);
          if (times.length > frames) {
            const sorted = times.slice(5).sort((a, b) => a - b);
            return resolve({ worst: sorted.at(-1)!, median: sorted[sorted.length >> 1]!, nodes, top: list.scrollTop });
          }
          list.scrollTop += step;
          requestAnimationFrame(next);
        };
        requestAnimationFrame(next);
      }),
    { frames, step },
  );

/** With what a frame computed on the average: how long frames take tells more of what else the machine does. */
async function steadily(
  page: Page,
  way: { frames: number; step: number },
): Promise<Awaited<ReturnType<typeof scroll>> & { computed: number }> {
  const computed = await computing(page);
  const before = await computed();
  return { ...(await scroll(page, way)), computed: ((await computed()) - before) / way.frames };
}

const rich = (turn: number): string =>
  `Answer ${turn} with **bold**, \`code\` and a [link](https://example.com/${turn}).\n\n${turn % 5 === 0 ? "```js\nconst a = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n" : "- one\n- two\n"}`;

test("10,000 messages scroll smoothly, with few elements, back to the first", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(5000, rich), "Long");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.getByText("Answer 4999").first().waitFor();
  const begun = Date.now();
  // All the way up, as fast as pages come.
  await v.page.evaluate(async () => {
    const list = document.querySelector(".list")!;
    while (!document.querySelector('[data-key="message/m0"]')) {
      list.scrollTop = 0;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  const loaded = Date.now() - begun;
  await v.page.locator(".list").evaluate((list) => list.scrollTo(0, 0));
  await v.page.getByText("Question 0", { exact: true }).waitFor();
  assert.equal(await v.page.getByText("Question 0", { exact: true }).count(), 1);
  const down = await steadily(v.page, { frames: 240, step: 60 });
  await v.page.locator(".list").evaluate((list) => list.scrollTo(0, list.scrollHeight / 2));
  const up = await steadily(v.page, { frames: 240, step: -60 });
  const told = ({ computed, median, worst }: typeof down): string =>
    `a frame computes ${computed.toFixed(1)}, median ${median.toFixed(1)}, worst ${worst.toFixed(1)} ms`;
  t.diagnostic(`all loaded in ${loaded} ms; down: ${told(down)}; up: ${told(up)}; at most ${Math.max(down.nodes, up.nodes)} elements`);
  assert.ok(down.computed < 50 && up.computed < 50, `${told(down)}; ${told(up)}`);
  assert.ok(down.nodes < 2500 && up.nodes < 2500, `${down.nodes} and ${up.nodes} elements`);
  await v.page.getByRole("button", { name: /To the newest|New messages/ }).click();
  await v.page.getByText("Answer 4999").first().waitFor();
  assert.deepEqual(v.complaints, []);
});

test("a row stays where it is while older ones are put before it", options, async (t) => {
  const place = await openPage(t, builtin);
  const id = await sessionOf(place, talk(300, rich), "Anchored");
  const v = await visit(browser(), place, { path: `/s/${id}` });
  await v.page.getByText("Answer 299").first().waitFor();
  const held = Promise.withResolvers<void>();
  await v.page.route(/events\?.*before=/, (route) => held.promise.then(() => route.continue()));
  const stand = (): Promise<{ key: string; at: number; height: number }> =>
    v.page.evaluate(async (key) => {
      const list = document.querySelector<HTMLElement>(".list")!;
      if (!key) list.scrollTop = 900;
      for (let i = 0; i < 6; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
      const slots = [...document.querySelectorAll<HTMLElement>(".slot")];
      const slot = slots.find((one) =>
        key ? one.dataset.key === key : one.getBoundingClientRect().bottom > list.getBoundingClientRect().top + 5,
      )!;
      return { key: slot.dataset.key!, at: slot.getBoundingClientRect().top, height: list.scrollHeight };
    }, first.key);
  const first = { key: "" };
  const before = await stand();
  first.key = before.key;
  held.resolve();
  await v.page.waitForFunction((height) => document.querySelector(".list")!.scrollHeight > height + 500, before.height);
  const after = await stand();
  assert.ok(Math.abs(after.at - before.at) < 3, `moved by ${after.at - before.at} px`);
});

test("a long stream stays in view, is not drawn over and over, and scrolling up lets go of it", options, async (t) => {
  const paragraph = "A line of words that goes on for a while, with **bold** and `code`.\n\n";
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const place = await openPage(t, {
    script: [
      { do: "text", text: paragraph.repeat(150), pieces: 900 },
      { do: "until", promise: gate.promise },
      { do: "text", text: paragraph.repeat(150), pieces: 600 },
      { do: "text", text: "The very end." },
    ],
  });
  const v = await visit(browser(), place);
  const computed = await computing(v.page);
  const before = await computed();
  await v.page.evaluate(() => {
    const longest = { ms: 0 };
    Object.assign(globalThis, { longest });
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest.ms = Math.max(longest.ms, duration)))).observe({
      type: "longtask",
    });
  });
  await say(v.page, "go on");
  await v.page.waitForFunction(() => document.querySelectorAll(".md p").length >= 150);
  await v.page.waitForFunction(() => {
    const list = document.querySelector(".list")!;
    return list.scrollHeight - list.scrollTop - list.clientHeight < 4;
  });
  await v.page.locator(".list").hover();
  await v.page.mouse.wheel(0, -900);
  const button = v.page.getByRole("button", { name: /To the newest|New messages/ });
  await button.waitFor();
  const top = await v.page.locator(".list").evaluate(async (list) => {
    // The wheel moves it for some frames.
    for (let still = 0, last = -1; still < 10; last = list.scrollTop) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      still = list.scrollTop === last ? still + 1 : 0;
    }
    return list.scrollTop;
  });
  gate.resolve();
  await v.page.getByRole("button", { name: "New messages" }).waitFor();
  assert.equal(await v.page.locator(".list").evaluate((list) => list.scrollTop), top);
  await button.click();
  await v.page.locator(".md").getByText("The very end.").waitFor();
  const longest = await v.page.evaluate(() => (globalThis as unknown as { longest: { ms: number } }).longest.ms);
  const all = (await computed()) - before;
  t.diagnostic(`longest task while streaming ${longest.toFixed(0)} ms, all ${all.toFixed(0)} ms of the processor`);
  // A task has computed no more than all of them: what it took beyond that is the machine's.
  assert.ok(Math.min(longest, all) < 1000, `a task of ${longest} ms, all computed ${all} ms`);
  assert.deepEqual(v.complaints, []);
});

test(
  "replies that would break or hold up the page are shown as plain text, and one broken row leaves the others alone",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    const steps = Array.from({ length: 5000 }, (_, at) => `${" ".repeat(at)}- a`).join("\n");
    const texts = [
      `${">".repeat(5000)} x`,
      "1. ".repeat(5000),
      `${"a.".repeat(30_000)}@`,
      steps.slice(0, 199_000),
      "b ".repeat(150_000),
      "*a".repeat(20_000),
    ];
    const broken = { id: "br", kind: "plan" } as unknown as Item;
    const items = [
      ...texts.map((text, at) => ({ id: `x${at}`, kind: "text", text }) as const),
      broken,
      { id: "last", kind: "text", text: "**All** good." } as const,
    ];
    const events = items.flatMap((item, at): Event[] => [
      { type: "message.received", id: `q${at}`, from: "owner", parts: [{ type: "text", text: `Question ${at}` }] },
      { type: "turn.started", turn: `u${at}`, engine: "loop", model: "builtin/rules" },
      { type: "item.completed", turn: `u${at}`, item },
      { type: "turn.completed", turn: `u${at}`, stop: "end", seen: at, engine: "loop", model: "builtin/rules" },
    ]);
    const id = await sessionOf(place, events, "Heavy");
    const v = await visit(browser(), place);
    const computed = await computing(v.page);
    await v.page.goto(`${place.gateway.url}/s/${id}`);
    await v.page.locator(".md strong").getByText("All").waitFor();
    const seen = new Set<string>();
    for (let step = 0; step < 400; step++) {
      const { words, top } = await v.page.locator(".list").evaluate(async (list) => {
        list.scrollTop -= list.clientHeight * (list.scrollTop > 30_000 ? 20 : 1);
        for (let i = 0; i < 2; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
        return {
          words: [...list.querySelectorAll(".slot")].map(
            (slot) => `${(slot as HTMLElement).dataset.key} ${slot.textContent.length} ${slot.textContent.slice(0, 20)}`,
          ),
          top: list.scrollTop,
        };
      });
      for (const one of words) seen.add(one);
      if (top <= 0) break;
    }
    const took = await computed();
    t.diagnostic(`shown and scrolled through with ${took.toFixed(0)} ms of the processor`);
    assert.ok(took < 10_000, `${took} ms`);
    for (const [at, text] of texts.entries())
      assert.ok(
        [...seen].some((one) => one.startsWith(`item/x${at} `) && Number(one.split(" ")[1]) >= text.trim().length),
        `${at}: ${[...seen].join(", ")}`,
      );
    assert.ok([...seen].some((one) => /^item\/br \d+ This could not be/.test(one)));
    assert.deepEqual(v.complaints, []);
  },
);

const hostile = [
  "<script>window.owned = 1</script>",
  "<img src=x onerror='window.owned = 1'>",
  "<svg onload='window.owned = 1'><a xlink:href='javascript:window.owned=1'>x</a></svg>",
  "[click](javascript:window.owned=1)",
  "[click](JaVaScRiPt&#58;window.owned=1)",
  "[click](data:text/html,<script>window.owned=1</script>)",
  "[click]( java\tscript:window.owned=1)",
  "![x](javascript:window.owned=1)",
  "![x](https://evil.example/pixel.png)",
  "![x](data:image/svg+xml,<svg onload=window.owned=1>)",
  "<javascript:window.owned=1>",
  "<a href='javascript:window.owned=1'>x</a>",
  "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
  "<style>*{display:none}</style>",
  "<base href='https://evil.example/'>",
  "<meta http-equiv=refresh content='0;url=https://evil.example'>",
  "<form action=https://evil.example><button>go</button></form>",
  "```html\n<img src=x onerror=window.owned=1>\n```",
  '```x" onclick="window.owned=1\ncode\n```',
  "[a]: javascript:window.owned=1\n\n[a][a]",
  "<details open ontoggle=window.owned=1>",
  "&lt;script&gt;window.owned=1&lt;/script&gt;",
  "| <img src=x onerror=window.owned=1> | b |\n|---|---|\n| [x](javascript:window.owned=1) | <script>window.owned=1</script> |",
  "\u202Egnp.exe",
  'https://evil.example/"onmouseover="window.owned=1',
];

test(
  "S-90: hostile text in replies, thinking, tools, asks, titles, names of files does not run, leave, or change the page",
  options,
  async (t) => {
    const place = await openPage(t, builtin);
    const turn = "t";
    const text = hostile.join("\n\n");
    const bad = "<img src=x onerror=window.owned=1>";
    const events: Event[] = [
      {
        type: "message.received",
        id: "m",
        from: "owner",
        parts: [
          { type: "text", text },
          { type: "file", id: "fil_x", name: `${bad}.png`, mime: "text/html", size: 3 },
        ],
      },
      { type: "turn.started", turn, engine: "loop", model: bad },
      ...hostile.map((one, index): Event => ({ type: "item.completed", turn, item: { id: `i${index}`, kind: "text", text: one } })),
      { type: "item.completed", turn, item: { id: "th", kind: "thinking", text } },
      { type: "item.completed", turn, item: { id: "pl", kind: "plan", entries: [{ text: bad, state: "done" }] } },
      { type: "item.completed", turn, item: { id: "no", kind: "notice", level: "error", text } },
      {
        type: "item.completed",
        turn,
        item: {
          id: "to",
          kind: "tool",
          call: { id: "c", tool: bad, input: { path: bad, command: bad } },
          result: { success: true, output: text, error: null, full: "../../logout" },
        },
      },
      {
        type: "item.completed",
        turn,
        item: {
          id: "to2",
          kind: "tool",
          call: { id: "c2", tool: "execute_terminal_command", input: { command: `echo ${bad}` } },
          result: { success: false, output: { html: bad }, error: bad },
        },
      },
      {
        type: "ask.opened",
        ask: {
          id: "a",
          session: "",
          turn,
          call: "c3",
          kind: "choice",
          prompt: bad,
          shows: text,
          options: [bad],
          openedAt: 1,
          expiresAt: 4e12,
        },
      },
      { type: "context.compacted", upTo: 0, summary: text, by: bad },
      {
        type: "turn.completed",
        turn,
        stop: "failed",
        seen: 1,
        engine: bad,
        model: bad,
        error: { code: "internal", message: bad, hint: text },
      },
    ];
    const id = await sessionOf(place, events, `${bad} title`);
    const v = await visit(browser(), place, { path: `/s/${id}` });
    await v.page.locator(".end").waitFor();
    const seen = { links: new Set<string>() };
    // Everything is drawn once, from the end to the beginning, with its folds open.
    for (let step = 0; step < 30; step++) {
      for (const fold of await v.page.locator("details:not([open]) > summary").all()) await fold.click({ timeout: 1000 }).catch(() => {});
      for (const href of await v.page.locator("main a[href]").evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href)))
        seen.links.add(href);
      assert.equal(
        await v.page
          .locator(
            "main :is(script, iframe, object, embed, style, base, meta, form[action], [onerror], [onload], [onclick], [onmouseover], [ontoggle])",
          )
          .count(),
        0,
      );
      assert.equal(await v.page.locator("main img:not([src^='/api/files/']):not([src^='blob:'])").count(), 0);
      const top = await v.page.locator(".list").evaluate((list) => ((list.scrollTop -= 500), list.scrollTop));
      await v.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))));
      if (top <= 0) break;
    }
    assert.deepEqual(
      [...seen.links].filter((href) => !/^https?:\/\//.test(href)),
      [],
    );
    assert.equal(await v.page.evaluate(() => "owned" in globalThis), false);
    assert.equal(await v.page.locator('main a[target="_blank"]:not([rel~="noopener"])').count(), 0);
    assert.deepEqual({ strays: v.strays, complaints: v.complaints }, { strays: [], complaints: [] });
  },
);

test("the page weighs little: script and style of the first load under 60 KB gzipped", options, (t) => {
  const web = builtPage();
  const html = readFileSync(join(web, "index.html"), "utf8");
  const files = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file!);
  const sizes = files.map((file) => gzipSync(readFileSync(join(web, file)), { level: 9 }).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  t.diagnostic(files.map((file, index) => `${file} ${sizes[index]}`).join(", "));
  assert.ok(files.length >= 2 && total < 60 * 1024, `${total} bytes`);
});
