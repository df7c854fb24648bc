// The commands beside a running server: start, status, stop, signals, chat over the wire, port and home taken.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { place, until } from "./cli-place.ts";

interface Status {
  running: boolean;
  url: string;
  pid: number;
  health: string;
  model: string;
  mode: string;
}

test("start, status, the link, a second start, stop", async () => {
  const { start, run, json, home } = place();
  const { child, out, url } = await start(["--model", "builtin/rules"]);
  assert.match(out, /^Steward \d\S+ runs at http:\/\/127\.0\.0\.1:\d+\n {2}model {4}builtin\/rules\n {2}sandbox {2}\S/);
  const [, code = ""] = /\n {2}http:\/\/127\.0\.0\.1:\d+\/claim#(\S+)\n/.exec(out) ?? [];
  const redeemed = await fetch(`${url}/api/claim`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ code }),
  });
  assert.equal(redeemed.status, 200);

  const status = await json<Status>(["status", "--json"]);
  assert.deepEqual([status.running, status.url, status.pid, status.model, status.mode], [true, url, child.pid, "builtin/rules", "guarded"]);
  assert.match((await run(["status"])).out, new RegExp(`address +${url}\n`));

  const again = await run(["start", "--no-open"]);
  assert.equal(again.code, 0);
  assert.match(again.out, new RegExp(`^Steward already runs at ${url} \\(process ${child.pid}\\)\n[^]*/claim#`));
  assert.match((await run(["claim"])).out, new RegExp(`^${url}/claim#\\S+\n$`));

  const ended = new Promise((resolve) => child.once("exit", (...how) => resolve(how)));
  const stopped = await run(["stop"]);
  assert.deepEqual([stopped.code, stopped.out], [0, "Steward has stopped.\n"]);
  assert.deepEqual(await ended, [0, null]);
  assert.equal(existsSync(join(home, "run.json")), false);
  assert.equal((await run(["status"])).code, 3);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  test(`${signal} stops it cleanly`, async () => {
    const { start, home } = place();
    const { child } = await start();
    const ended = new Promise((resolve) => child.once("exit", (...how) => resolve(how)));
    child.kill(signal);
    assert.deepEqual(await ended, [0, null]);
    assert.equal(existsSync(join(home, "run.json")), false);
  });

test("T-162: a port that is taken is said, with an exit code", async (t) => {
  const { run } = place();
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const { code, err } = await run(["start", "--no-open", "--port", String(port)]);
  assert.equal(code, 6);
  assert.match(err, new RegExp(`^steward: [^\n]*${port}[^\n]*\n`));
});

test("a run.json of a process that is gone, or whose number was given anew, counts as none", async () => {
  const { run, home, start } = place();
  const { child } = await start();
  const left = readFileSync(join(home, "run.json"), "utf8");
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  assert.equal((await run(["status"])).code, 3);
  writeFileSync(join(home, "run.json"), JSON.stringify({ ...(JSON.parse(left) as object), pid: process.pid }));
  const { code } = await run(["stop"]);
  assert.equal(code, 3);
  await start();
});

test(
  "the link is opened in the browser, by a file that only its owner can read",
  { skip: process.platform === "linux" ? false : "xdg-open is Linux's" },
  async () => {
    const { start, run, home } = place();
    const folder = join(home, "bin");
    const opened = join(home, "opened");
    mkdirSync(folder);
    writeFileSync(
      join(folder, "xdg-open"),
      `#!/bin/sh\nstat -c %a "$1" >"${opened}.new"; cat "$1" >>"${opened}.new"; echo "$*" >>"${opened}.new"; mv "${opened}.new" "${opened}"\n`,
      { mode: 0o755 },
    );
    const env = { CI: "", SSH_CONNECTION: "", DISPLAY: ":99", PATH: `${folder}:${process.env["PATH"]}` };
    const { url } = await start();
    const { code, out } = await run(["start"], { env });
    assert.equal(code, 0);
    await until(
      () => existsSync(opened),
      () => "xdg-open did not run",
    );
    const [, link = ""] = /\n {2}(http\S+)\n/.exec(out) ?? [];
    const seen = readFileSync(opened, "utf8");
    assert.match(seen, /^600\n/);
    assert.ok(link.startsWith(`${url}/claim#`) && seen.includes(`url=${link}"`), seen);
    assert.doesNotMatch(seen.trimEnd().split("\n").at(-1)!, /claim/);
  },
);

test("start --test checks every part and ends", async () => {
  const { run } = place();
  const { code, out } = await run(["start", "--test"]);
  assert.equal(code, 0);
  assert.match(out, /^healthy {4}store: answers$/m);
  assert.doesNotMatch(out, /claim#/);
});

test("chat beside a server: streamed, asked, cancelled, steered", async () => {
  const { start, run, json, env, home } = place();
  const { url } = await start();
  const said = await run(["chat", "create a file called a.txt with the content one"]);
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /✓ write_file a\.txt/);

  // Commands that nobody else on this machine runs.
  const cancelled = await run(["chat", "run the command `sleep 30.625`"], {
    during: (child) => {
      const running = async (): Promise<boolean> =>
        (
          (await (await fetch(`${url}/api/status`, { headers: { authorization: `Bearer ${tokenOf(env["STEWARD_HOME"]!)}` } })).json()) as {
            running: boolean;
          }
        ).running;
      void until(
        async () => (await running()) && (await commandRuns("sleep 30.625")),
        () => "the command did not run",
      ).then(() => child.kill("SIGINT"));
    },
  });
  assert.equal(cancelled.code, 130, cancelled.out + cancelled.err);
  assert.match(cancelled.err, /Stopped\.\n$/);

  // What it leaves is seen also when this process has stood still while it ran.
  const begun = join(home, "workspace", "begun");
  const [slow, joined] = await Promise.all([
    run(["chat", "run the command `touch begun; sleep 2`"]),
    until(
      () => existsSync(begun),
      () => "the command did not run",
    ).then(() => run(["chat", "what is 20+3?"])),
  ]);
  assert.deepEqual([slow.code, joined.code], [0, 0]);
  assert.match(joined.out, /23/);

  const token = (await run(["token"])).out.trimEnd().split("\n").at(-1)!;
  assert.equal((await fetch(`${url}/api/sessions`, { headers: { authorization: `Bearer ${token}` } })).status, 200);
  const { tokens } = await json<{ tokens: { id: string }[] }>(["token", "list", "--json"]);
  await run(["token", "revoke", tokens[0]!.id]);
  assert.equal((await fetch(`${url}/api/sessions`, { headers: { authorization: `Bearer ${token}` } })).status, 401);
});

const tokenOf = (home: string): string => (JSON.parse(readFileSync(join(home, "run.json"), "utf8")) as { token: string }).token;

/** Whether a process with exactly this command line is there. */
function commandRuns(line: string): Promise<boolean> {
  const wanted = `${line.replaceAll(" ", "\0")}\0`;
  const read = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return "";
    }
  };
  return Promise.resolve(readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && read(pid) === wanted));
}
