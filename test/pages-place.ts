// A real Chromium in front of a real Steward: what the tests of the page share.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, type TestContext } from "node:test";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { routes } from "../src/core/api.ts";
import type { Event } from "../src/core/events.ts";
import { builtPage } from "./built-page.ts";
import { deaf } from "./deaf.ts";
import { openPlace, type Place } from "./gateway-place.ts";

const found = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => existsSync(path));
/** Why the tests of the page can't run here, or false. */
export const skip = found ? false : "no Chromium on this machine";

/** What Playwright turns off, since the last list counts, and pages of Chromium's own window that nobody sees: a third of what a new window costs. */
const needless = [
  ...["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable"],
  ...["LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect"],
  ...["OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"],
  ...["WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIReloadButton"],
];

export const launch = (more: string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath: deaf(found!),
    headless: true,
    timeout: 120_000,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--disable-features=${needless.join(",")}`,
      ...more,
    ],
  });

/** One browser for the tests of a file, unless something is missing for them. */
export function oneBrowser(without: string | false = skip): () => Browser {
  const held: { browser?: Browser } = {};
  before(async () => {
    if (without === false) held.browser = await launch();
  });
  after(() => held.browser?.close());
  return () => held.browser!;
}

export type PlaceOptions = NonNullable<Parameters<typeof openPlace>[0]>;
/** Closed with the test. */
export async function openPage(t: TestContext, options: PlaceOptions = {}): Promise<Place> {
  const place = await openPlace({ web: builtPage(), ...options });
  t.after(() => place.close());
  return place;
}
export const builtin: PlaceOptions = { config: { model: "builtin/rules" } };

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Requests that left for another host; the console's errors and refused content. */
  strays: string[];
  complaints: string[];
}
export interface VisitOptions {
  width?: number;
  height?: number;
  path?: string;
  theme?: "dark" | "light";
  /** Enter by a claim link first. Default true. */
  signedIn?: boolean;
}

export async function visit(
  browser: Browser,
  place: Place,
  { width = 1280, height = 800, path = "/", theme, signedIn = true }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width, height }, hasTouch: width < 500, reducedMotion: "reduce" });
  context.setDefaultTimeout(60_000);
  if (theme) await context.addInitScript((value) => localStorage.setItem("steward.theme", value), theme);
  const page = await context.newPage();
  const strays: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== place.gateway.url) strays.push(request.url());
  });
  page.on("requestfailed", (request) => {
    const { errorText = "" } = request.failure() ?? {};
    if (errorText !== "net::ERR_ABORTED") console.error(`${request.method()} ${request.url()}: ${errorText}`); // shown with a test that fails
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on(
    "console",
    (message) =>
      void (message.type() === "error" && !/net::ERR|status of (401|403|404|50\d)/.test(message.text()) && complaints.push(message.text())),
  );
  if (signedIn) {
    await page.goto(await place.gateway.claimLink());
    await page
      .getByLabel("Message", { exact: true })
      .waitFor()
      .catch(async (error: unknown) => {
        throw new Error(`The page shows no chat but: ${await page.locator("body").innerText()}\n${complaints.join("\n")}`, {
          cause: error,
        });
      });
    if (path !== "/") await page.goto(place.gateway.url + path);
  } else await page.goto(place.gateway.url + path);
  return { page, context, strays, complaints };
}

/** Writes and sends; on a phone with the button, where Enter is a new line. */
export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  if ((page.viewportSize()?.width ?? 0) < 500) await page.getByRole("button", { name: /^Send/ }).tap();
  else await page.keyboard.press("Enter");
}

export const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** A picture for whoever wants to look. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env.STEWARD_TEST_SHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

/** Whether anything is wider than the window. */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** A table of calls that the page has of its own says what the gateway's says. */
export function sameRoutes(paths: Partial<Record<keyof typeof routes, string>>): void {
  for (const [name, path] of Object.entries(paths)) {
    const route = routes[name as keyof typeof routes];
    assert.equal(path, `${route.method} ${route.path}`);
  }
}

/** Rules of axe that are broken seriously or critically: rule and first place. */
export async function accessibility(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(" ")} ${failureSummary}`).join(" | ")}`);
  });
  return violations;
}

/** A session whose log is these events. */
export async function sessionOf(place: Place, events: Event[], title = "Prepared"): Promise<string> {
  const { id } = await place.client.call("sessions.make", { body: { title } });
  for (let at = 0; at < events.length; at += 500)
    await place.composed.steward.store.commit({ events: events.slice(at, at + 500).map((event) => ({ session: id, event })) });
  return id;
}

export function talk(turns: number, text = (turn: number): string => `Answer ${turn}`): Event[] {
  return Array.from({ length: turns }, (_, index): Event[] => {
    const turn = `t${index}`;
    return [
      { type: "message.received", id: `m${index}`, from: "owner", parts: [{ type: "text", text: `Question ${index}` }] },
      { type: "turn.started", turn, engine: "loop", model: "builtin/rules" },
      { type: "item.completed", turn, item: { id: `i${index}`, kind: "text", text: text(index) } },
      { type: "turn.completed", turn, stop: "end", seen: index, engine: "loop", model: "builtin/rules", usage: { input: 120, output: 30 } },
    ];
  }).flat();
}
