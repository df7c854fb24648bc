// OS-Agent's door from the command line: serving, where it listens, refusing to start, tokens, Ctrl-C.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { main } from "./cli-place.ts";
import { connect, type Talk } from "./os-agent-place.ts";

const KEY = "0123456789abcdef0123456789abcdef-signs";

async function home(t: TestContext, dotenv = ""): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "steward-os-cli-"));
  // What runs there is ended after this, and may still write.
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  await writeFile(join(folder, ".env"), dotenv);
  return folder;
}

interface Run {
  child: ChildProcess;
  out(): string;
  err(): string;
  exit: Promise<number>;
}
function steward(t: TestContext, folder: string, args: string[], env: Record<string, string> = {}): Run {
  const all = {
    PATH: process.env.PATH,
    HOME: folder,
    STEWARD_HOME: folder,
    STEWARD_PORT: "0",
    STEWARD_MODEL: "builtin/rules",
    STEWARD_KEYCHAIN: "off",
    ...env,
  };
  const child = spawn(process.execPath, [main, ...args], { env: all, stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => (said.out += String(data)));
  child.stderr.on("data", (data) => (said.err += String(data)));
  const exit = once(child, "close").then(([code]) => code as number);
  t.after(() => void child.kill("SIGKILL"));
  return { child, out: () => said.out, err: () => said.err, exit };
}

async function serving(run: Run): Promise<string> {
  for (const end = Date.now() + 120_000; ;) {
    const url = /os-agent\s+(ws:\S+)/.exec(run.out())?.[1];
    if (url && run.out().includes("Ctrl-C")) return url;
    if (Date.now() > end || run.child.exitCode !== null) throw new Error(`it does not serve: ${run.out()}${run.err()}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

test("O-001 O-002 O-096 os-agent serve: listens where it is told, shows it, stops with Ctrl-C within 2 s", async (t) => {
  const folder = await home(t);
  const run = steward(t, folder, ["os-agent", "serve", "--host", "127.0.0.1", "--port", "0", "--no-open"]);
  const url = await serving(run);
  const status = steward(t, folder, ["status"]);
  assert.equal(await status.exit, 0);
  assert.ok(status.out().includes(url));
  const made = steward(t, folder, ["token"]);
  await made.exit;
  await assert.rejects(connect(`${url}/`), { message: "401" });
  const token = made.out().trim().split("\n").at(-1);
  const talk = await connect(`${url}/?token=${token}`);
  assert.deepEqual(await talk.ask("list_sessions"), { result: ["main"] });
  const second = steward(t, folder, ["os-agent", "serve", "--no-open"]);
  assert.notEqual(await second.exit, 0);
  assert.match(second.err(), /already runs/);
  const ended = async (one: Run, { closed }: Pick<Talk, "closed">): Promise<number> => {
    const began = Date.now();
    one.child.kill("SIGINT");
    assert.equal((await closed)[0], 1001);
    assert.equal(await one.exit, 0);
    return Date.now() - began;
  };
  const took = [await ended(run, talk)];
  while (Math.min(...took) >= 4000 && took.length < 5) {
    const next = steward(t, folder, ["os-agent", "serve", "--host", "127.0.0.1", "--port", "0", "--no-open"]);
    const at = await serving(next);
    took.push(await ended(next, await connect(`${at}/?token=${token}`)));
  }
  assert.ok(Math.min(...took) < 4000, `${took.join()} ms`);
});

test("O-095 O-096 O-100 the variables are read from .env: REQUIRE_AUTH without a good key refuses to start, with one its tokens let in", async (t) => {
  for (const key of ["", "SECRET_KEY=CHANGE_ME", "SECRET_KEY=short"]) {
    const run = steward(t, await home(t, `REQUIRE_AUTH=1\nWS_PORT=0\n${key}\n`), ["start", "--os-agent", "--no-open"]);
    assert.notEqual(await run.exit, 0);
    assert.match(run.err(), /REQUIRE_AUTH.*SECRET_KEY/s);
  }
  const folder = await home(t, `REQUIRE_AUTH=1\nWS_HOST=127.0.0.1\nWS_PORT=0\nDEFAULT_SESSION=home\nSECRET_KEY=${KEY}\n`);
  const run = steward(t, folder, ["start", "--os-agent", "--no-open"]);
  const url = await serving(run);
  const signed = steward(t, folder, ["token", "--jwt", "--user", "ada", "--minutes", "5"]);
  assert.equal(await signed.exit, 0);
  const talk = await connect(`${url}/?user=bob`, { headers: { authorization: `Bearer ${signed.out().trim().split("\n").at(-1)}` } });
  assert.deepEqual(await talk.ask("list_sessions"), { result: ["home"] });
  await talk.close();
  run.child.kill("SIGTERM");
  assert.equal(await run.exit, 0);
});

test("outside loopback without REQUIRE_AUTH a warning says what that means, and the open door is shut", async (t) => {
  const folder = await home(t);
  const run = steward(t, folder, ["os-agent", "serve", "--host", "0.0.0.0", "--port", "0", "--no-open"]);
  const url = await serving(run);
  assert.match(run.out(), /listens on 0\.0\.0\.0, for everybody on this network/);
  const set = steward(t, folder, ["config", "set", "auth.local", "open"]);
  assert.equal(await set.exit, 0);
  await assert.rejects(connect(`${url}/`), { message: "401" });
  run.child.kill("SIGTERM");
  assert.equal(await run.exit, 0);
});

test("a taken port is said in words, and nothing of Steward stays", async (t) => {
  const first = steward(t, await home(t), ["os-agent", "serve", "--port", "0", "--no-open"]);
  const port = new URL(await serving(first)).port;
  const second = steward(t, await home(t), ["os-agent", "serve", "--port", port, "--no-open"]);
  assert.notEqual(await second.exit, 0);
  assert.match(second.err(), new RegExp(`can't listen on 127\\.0\\.0\\.1:${port}: the port is in use`));
  first.child.kill("SIGTERM");
  assert.equal(await first.exit, 0);
});

test("O-103 os-agent serve opens the plain page too; a taken port is a warning there, and a refusal with start --webchat", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const port = String((taken.address() as AddressInfo).port);
  const run = steward(t, await home(t), ["os-agent", "serve", "--port", "0", "--no-open"], { FRONTEND_PORT: port });
  await serving(run);
  assert.match(run.out(), new RegExp(`warning {2}The plain page is not open: Port ${port} is in use`));
  assert.doesNotMatch(run.out(), /webchat/);
  run.child.kill("SIGTERM");
  assert.equal(await run.exit, 0);
  const refused = steward(t, await home(t), ["start", "--webchat", "--no-open"], { FRONTEND_PORT: port, WS_PORT: "0" });
  assert.notEqual(await refused.exit, 0);
  assert.match(refused.err(), new RegExp(`Port ${port} is in use`));
  const folder = await home(t);
  const open = steward(t, folder, ["start", "--webchat", "--no-open"], { FRONTEND_PORT: "0", WS_PORT: "0" });
  await serving(open);
  const url = /webchat\s+(http:\S+)/.exec(open.out())![1]!;
  assert.match(await (await fetch(url)).text(), /<title>Steward WebChat<\/title>/);
  const link = new RegExp(`for WebChat and the plain page:\\n\\s+${url}/claim#(\\w+)`).exec(open.out())!;
  const headers = { "content-type": "application/json", origin: url };
  const claimed = await fetch(`${url}/api/claim`, { method: "POST", headers, body: JSON.stringify({ code: link[1] }) });
  assert.equal(claimed.status, 200);
  const again = steward(t, folder, ["claim"]);
  assert.equal(await again.exit, 0);
  assert.match(again.err(), new RegExp(`Or for WebChat and the plain page: ${url}/claim#\\w+`));
  open.child.kill("SIGINT");
  assert.equal(await open.exit, 0);
});
