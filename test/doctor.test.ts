// The doctor through its doors: the command line on homes with something wrong, a server asked over HTTP by its owner and by others.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { Answered } from "../src/core/api.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { checks } from "../src/doctor/doctor.ts";
import { place } from "./cli-place.ts";
import { openPlace, raw } from "./gateway-place.ts";

type Report = Answered<"doctor.get">;
type Summary = Report["summary"];
const states = ({ checks: all }: Summary): Record<string, string> => Object.fromEntries(all.map(({ name, severity }) => [name, severity]));

test("each file of src/doctor is a check in the list, or one of the two that hold them", () => {
  const files = readdirSync(join(import.meta.dirname, "..", "src", "doctor")).map((file) => file.replace(/\.ts$/, ""));
  assert.deepEqual(files.toSorted(), [...checks.map(({ name }) => name), "check", "doctor"].toSorted());
  const page = readFileSync(join(import.meta.dirname, "..", "docs", "doctor.md"), "utf8");
  for (const { name } of checks) assert.ok(page.includes(`| \`${name}\` |`), name);
});

test("T-098 T-099 a line a check and a summary; exit code 1 on a problem; --fix mends rights, missing files, a dead process's lock and the configuration", async () => {
  const { home, run } = place();
  chmodSync(home, 0o755);
  writeFileSync(join(home, "run.json"), JSON.stringify({ pid: 4194305, started: "1", url: "http://127.0.0.1:1", token: "x" }));
  writeFileSync(join(home, "config.json"), "{ broken");
  writeFileSync(join(home, "config.last-good.json"), JSON.stringify({ zone: "Europe/Berlin" }));
  const names = ["home", "logs", "instance", "configuration", "permissions"];
  const sick = await run(["doctor", ...names]);
  assert.equal(sick.code, 1, sick.err);
  for (const line of [
    /✗ home .*open to others \(755\)/,
    /! logs .*not there/,
    /! instance .*left over/,
    /✗ configuration /,
    /! permissions /,
  ])
    assert.match(sick.out, line);
  assert.match(sick.out, /3 of 5 checks passed: degraded\nsteward doctor --fix/);
  assert.equal(statSync(home).mode & 0o777, 0o755, "nothing changes without --fix");
  const mended = await run(["doctor", "--fix", ...names]);
  assert.deepEqual([mended.code, mended.err], [0, ""], mended.out);
  assert.match(mended.out, /repaired: The last good copy is back/);
  assert.match(mended.out, /5 of 5 checks passed: healthy/);
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.equal(existsSync(join(home, "run.json")), false);
  assert.equal(statSync(join(home, "permissions.json")).mode & 0o777, 0o600);
  assert.ok(existsSync(join(home, "logs")));
  assert.deepEqual(JSON.parse(readFileSync(join(home, "config.json"), "utf8")), { zone: "Europe/Berlin" });
  const aside = readdirSync(home).find((name) => name.startsWith("config.json.broken-"));
  assert.equal(readFileSync(join(home, aside!), "utf8"), "{ broken");
});

test("T-100 T-101 --json prints the summary, --report writes it with time and system; a name that no check has is refused", async () => {
  const { home, run } = place();
  const file = join(home, "health.json");
  const { code, out } = await run(["doctor", "--json", "--report", file, "node", "clock"]);
  const summary = JSON.parse(out) as Summary;
  const fine = { passed: true, severity: "info", details: [], fix_available: false, fix_applied: false };
  assert.deepEqual(summary, {
    ...{ status: "healthy", total_checks: 2, passed: 2, failed: 0 },
    checks: [
      { name: "node", message: `Node ${process.versions.node}`, ...fine },
      { name: "clock", message: summary.checks[1]!.message, ...fine },
    ],
  });
  assert.match(summary.checks[1]!.message, /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
  assert.equal(code, 0);
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  assert.deepEqual(report.summary, summary);
  assert.deepEqual(Object.keys(report), ["timestamp", "system", "summary"]);
  assert.ok(Date.parse(report.timestamp) > 0);
  assert.deepEqual([report.system.platform, report.system.node], [process.platform, process.version]);
  const wrong = await run(["doctor", "hom"]);
  assert.deepEqual([wrong.code, wrong.out], [4, ""]);
  assert.match(wrong.err, /no check named "hom"\nChecks: node, clock, home/);
});

test("a home that is not there is one problem of its own; what can't be looked at for that is said once as one", async () => {
  const { home, run } = place();
  rmSync(home, { recursive: true });
  const { code, out } = await run(["doctor", "--json", "home", "history", "model", "secrets"]);
  assert.equal(code, 1);
  assert.deepEqual(states(JSON.parse(out) as Summary), { home: "critical", history: "critical", model: "warning", secrets: "warning" });
  assert.equal(existsSync(home), false, "looking makes nothing");
});

test("a damaged database, a taken port, a secret that is nowhere and a wrong zone are problems with what to do next", async () => {
  const { home, run } = place();
  mkdirSync(home, { recursive: true });
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const config = {
    server: { port },
    providers: { compatible: { baseUrl: "http://127.0.0.1:9", key: { secret: "gone" } } },
  };
  writeFileSync(join(home, "config.json"), JSON.stringify(config));
  const { out } = await run(["doctor", "--json", "ports", "secrets"]);
  other.close();
  const { checks: found } = JSON.parse(out) as Summary;
  assert.deepEqual(
    found.map(({ message, hint }) => [message, hint]),
    [
      ["The configuration names secrets that are nowhere: gone", "steward secret set gone"],
      [`Another program listens at 127.0.0.1:${port}`, `End it, or take another: steward config set server.port ${port + 1}`],
    ],
  );
  writeFileSync(join(home, "config.json"), JSON.stringify({ ...config, zone: "Mars/Olympus" }));
  assert.match((await run(["doctor", "configuration"])).out, /zone: must be a time zone such as Europe\/Berlin/);
  const store = await sqlite(join(home, "steward.db"));
  await store.close();
  const whole = readFileSync(join(home, "steward.db"));
  writeFileSync(join(home, "steward.db"), whole.fill(0xff, 4096));
  const damaged = await run(["doctor", "store"]);
  assert.equal(damaged.code, 1, damaged.out);
  assert.match(damaged.out, /✗ store .*steward\.db is damaged: /);
  assert.deepEqual(readFileSync(join(home, "steward.db")), whole, "it is only read");
});

test("S-117: an event that was changed behind the store's back is found", async () => {
  const steward = await openPlace();
  try {
    const { id } = await steward.client.call("sessions.make", { body: { title: "Notes" } });
    const fine = await steward.client.call("doctor.get", { query: { names: "history" } });
    assert.equal(fine.summary.status, "healthy");
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(join(steward.home, "steward.db"), { timeout: 5000 });
    db.prepare("UPDATE events SET body = replace(body, 'Notes', 'Votes') WHERE session = ?").run(id);
    db.close();
    const { summary } = await steward.client.call("doctor.get", { query: { names: "history" } });
    assert.equal(summary.status, "degraded");
    assert.match(summary.checks[0]!.details[0]!, new RegExp(`^${id} 1: `));
  } finally {
    await steward.close();
  }
});

test("a server tells its owner, nobody else; its own ports are its own", async () => {
  const steward = await openPlace();
  try {
    const { url } = steward.gateway;
    const own = await steward.client.call("doctor.get", { query: { names: "home,store,model,ports,instance" } });
    assert.deepEqual(states(own.summary), { home: "info", instance: "info", store: "info", model: "info", ports: "info" });
    rmSync(join(steward.home, "permissions.json"), { force: true });
    const mended = await steward.client.call("doctor.repair", { body: { names: ["permissions"] } });
    assert.deepEqual(
      mended.summary.checks.map(({ severity, fix_applied, fix_message }) => [severity, fix_applied, fix_message]),
      [["info", true, "permissions.json was written with the defaults"]],
    );
    for (const role of ["member", "guest"] as const) {
      const headers = { authorization: `Bearer ${await steward.tokenFor(`x${role}`, role)}`, "content-type": "application/json" };
      const asked = await raw(url, { path: "/api/doctor", headers });
      const fixed = await raw(url, { method: "POST", path: "/api/doctor/repair", headers, body: "{}" });
      assert.deepEqual([asked.status, fixed.status], [403, 403]);
      assert.ok(!`${asked.text}${fixed.text}`.includes(steward.home));
    }
    assert.equal((await raw(url, { path: "/api/doctor" })).status, 401);
  } finally {
    await steward.close();
  }
});

test("the whole of it against a running server, by the command line", async () => {
  const { home, run, start } = place();
  await start();
  const { code, out, err } = await run(["doctor", "--json"]);
  const summary = JSON.parse(out) as Summary;
  assert.deepEqual(
    summary.checks.map(({ name }) => name),
    checks.map(({ name }) => name),
    err,
  );
  const seen = states(summary);
  assert.deepEqual(
    ["home", "logs", "instance", "configuration", "store", "history", "ports"].map((name) => [name, seen[name]]),
    ["home", "logs", "instance", "configuration", "store", "history", "ports"].map((name) => [name, "info"]),
    out,
  );
  assert.equal(code, summary.failed > 0 ? 1 : 0);
  assert.match(summary.checks.find(({ name }) => name === "instance")!.message, /^Process \d+ serves http:/);
  const left = ["home", "data", "return"].flatMap((one) => {
    const folder = join(home, "computers", "owner", one);
    return existsSync(folder) ? readdirSync(folder) : [];
  });
  assert.deepEqual(left, [], "the self-test leaves nothing in a computer");
});
