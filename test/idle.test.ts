// What a Steward that was started and waits has loaded: nothing that it will use only later. Each package costs memory that is never given back.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

/** Tells what was loaded, and which parts of Intl were used (the first takes 4 MB). */
const WATCH = `
import { registerHooks } from "node:module";
import { appendFileSync } from "node:fs";
const tell = (line) => appendFileSync(process.env.LOADED, line + "\\n");
registerHooks({ load: (url, context, next) => (tell(url), next(url, context)) });
for (const name of ["DateTimeFormat", "NumberFormat", "Collator", "PluralRules", "RelativeTimeFormat", "ListFormat", "Segmenter"])
  Intl[name] = new Proxy(Intl[name], {
    construct: (target, args) => (tell("Intl." + name), new target(...args)),
    apply: (target, _self, args) => (tell("Intl." + name), target(...args)),
  });
`;

/** Packages that a listening server needs at once. Whoever adds one looks at the idle memory first: npm run bench -- start. */
const PACKAGES = ["@hono/node-server", "hono", "ipaddr.js", "lru-cache", "ws", "zod"];
/** Loaded when something of theirs is used. */
const LATER = /\/src\/(?:channels|doctor|engines|models|tools|voices|testing|web)\//;

test("a Steward that waits has loaded no package, tool, engine, model or date format that it does not use yet", async () => {
  const home = mkdtempSync(join(tmpdir(), "steward-idle-"));
  const [loaded, watch] = [join(home, "loaded"), join(home, "watch.mjs")];
  writeFileSync(watch, WATCH);
  writeFileSync(join(home, "config.json"), JSON.stringify({ model: "builtin/rules" }), { mode: 0o600 });
  const env = { PATH: process.env.PATH, HOME: home, STEWARD_HOME: home, STEWARD_KEYCHAIN: "off", OPENAI_API_KEY: "key", LOADED: loaded };
  const child = spawn(process.execPath, ["--import", watch, join(root, "src", "main.ts"), "start", "--no-open", "--port", "0"], { env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const started = Promise.withResolvers<void>();
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => {
        said.push(String(data));
        if (said.join("").includes("Ctrl-C stops it")) started.resolve();
      });
    void ended.then(() => started.reject(new Error(`it ended: ${said.join("")}`)));
    await started.promise;
    const { url } = JSON.parse(readFileSync(join(home, "run.json"), "utf8")) as { url: string };
    assert.equal((await fetch(`${url}/api/health`)).status, 200);
    const lines = [...new Set(readFileSync(loaded, "utf8").trim().split("\n"))];
    const packages = new Set(lines.flatMap((line) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(line)?.[1] ?? []));
    assert.deepEqual([...packages].sort(), PACKAGES);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("Intl.")),
      [],
    );
    assert.deepEqual(
      lines.filter((line) => LATER.test(line)).map((line) => line.slice(line.indexOf("/src/"))),
      [],
    );
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
});
