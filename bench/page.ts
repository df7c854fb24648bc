// The page in Chromium: its weight on the wire, and the time from opening it to the first message shown.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { discard, median, newHome, root, startServer } from "./server.ts";

type Add = (measure: string, value: number, unit: string, aim?: { atMost?: number }) => void;
const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function pageCost(add: Add, runs: number): Promise<void> {
  const html = readFileSync(join(root, "dist", "web", "index.html"), "utf8");
  const named = [...html.matchAll(/(?:src|href)="\/?(assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path!);
  const weight = [join("index.html"), ...named].reduce(
    (sum, path) => sum + gzipSync(readFileSync(join(root, "dist", "web", path)), { level: 9 }).byteLength,
    0,
  );
  add("page: HTML, script and style at first, gzip", weight / 1000, "kB", { atMost: 80 });
  const all = readdirSync(join(root, "dist", "web"), { recursive: true, withFileTypes: true }).filter(
    (file) => file.isFile() && /\.(?:js|css|html)$/.test(file.name),
  );
  add(
    "page: everything it may ever load, gzip",
    all.reduce((sum, file) => sum + gzipSync(readFileSync(join(file.parentPath, file.name))).byteLength, 0) / 1000,
    "kB",
  );
  if (!existsSync(CHROMIUM)) return console.log("page in Chromium: left out, there is no Chromium");
  const home = newHome();
  const server = await startServer(home);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const times: { shown: number; answered: number }[] = [];
  for (let at = 0; at < runs; at++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const link = await fetch(`${server.url}/api/claim-link`, { method: "POST", headers: { authorization: `Bearer ${server.token}` } });
    const { url } = (await link.json()) as { url: string };
    const begun = performance.now();
    await page.goto(url);
    const composer = page.getByRole("textbox", { name: /message/i });
    await composer.waitFor();
    const shown = performance.now() - begun;
    await composer.fill("what is 6*7?");
    await composer.press("Enter");
    await page.getByText("42").first().waitFor();
    times.push({ shown, answered: performance.now() - begun });
    await context.close();
  }
  await browser.close();
  await server.stop();
  discard(home);
  add("page: claim link opened → ready to type", median(times.map(({ shown }) => shown)), "ms");
  add("page: claim link opened → first answer shown", median(times.map(({ answered }) => answered)), "ms", { atMost: 1500 });
}
