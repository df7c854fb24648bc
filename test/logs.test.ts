// The log on disk: levels, rotation, redaction, a full disk. Leaves what is logged to the parts that log.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openLog, tail } from "../src/run/logs.ts";
import { redactor } from "../src/run/redact.ts";
import type { Level } from "../src/std/log.ts";

function place(t: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "steward-logs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}
const at = (): number => Date.UTC(2026, 0, 2);
const none = (): string[] => [];

test("a line is one JSON object with time, level, message and fields", (t) => {
  const folder = place(t);
  const log = openLog({ folder, level: () => "info", secrets: none, now: at });
  log("info", "started", { port: 7777 });
  log.close();
  assert.deepEqual(
    tail(folder, 10).map((line) => JSON.parse(line) as unknown),
    [{ time: "2026-01-02T00:00:00.000Z", level: "info", message: "started", port: 7777 }],
  );
  assert.equal(statSync(join(folder, "steward.log")).mode & 0o777, 0o600);
});

test("T-092: levels from debug to fatal; those below the set one are left out, also when it changes", (t) => {
  const folder = place(t);
  let level: Level = "warning";
  const log = openLog({ folder, level: () => level, secrets: none });
  const all: Level[] = ["debug", "info", "warning", "error", "critical", "fatal"];
  for (const one of all) log(one, "x");
  level = "debug";
  log("debug", "x");
  log.close();
  assert.deepEqual(
    tail(folder, 10).map((line) => (JSON.parse(line) as { level: string }).level),
    ["warning", "error", "critical", "fatal", "debug"],
  );
});

test("T-096: files are put aside by size and five are kept", (t) => {
  const folder = place(t);
  const log = openLog({ folder, level: () => "info", secrets: none, maxBytes: 1000 });
  for (let i = 0; i < 100; i++) log("info", `line ${i} ${"x".repeat(100)}`);
  log.close();
  const files = readdirSync(folder).sort();
  assert.deepEqual(files, ["steward.log", "steward.log.1", "steward.log.2", "steward.log.3", "steward.log.4", "steward.log.5"]);
  for (const file of files) assert.ok(statSync(join(folder, file)).size <= 1000);
  assert.match(tail(folder, 1)[0] ?? "", /line 99 /);
  assert.equal(tail(folder, 9).length, 9);
});

test("two logs on one file lose nothing when it is put aside", (t) => {
  const folder = place(t);
  const [one, two] = [1, 2].map(() => openLog({ folder, level: () => "info", secrets: none, maxBytes: 2000 }));
  for (let i = 0; i < 40; i++) (i % 2 === 0 ? one! : two!)("info", `n${i}.`);
  one!.close();
  two!.close();
  const text = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("");
  for (let i = 0; i < 40; i++) assert.ok(text.includes(`n${i}.`), `line ${i} is there`);
});

test("S-87: a secret appears in no form, and remote text cannot break a line", (t) => {
  const folder = place(t);
  const secret = 'p@ss "word"/ä+1\\é?';
  const log = openLog({ folder, level: () => "info", secrets: () => [secret] });
  const forms = {
    plain: `before ${secret} after`,
    url: `https://x.test/?key=${encodeURIComponent(secret)}&more=${new URLSearchParams({ a: secret }).toString()}`,
    base64: Buffer.from(secret).toString("base64"),
    base64url: Buffer.from(secret).toString("base64url"),
    basic: Buffer.from(`user:${secret}`).toString("base64"),
    json: JSON.stringify(secret),
    twice: JSON.stringify(JSON.stringify({ secret })),
    percent: [...Buffer.from(secret)].map((byte) => `%${byte.toString(16)}`).join(""),
    hex: Buffer.from(secret).toString("hex"),
    error: new Error(`refused ${secret}`),
  };
  for (const [name, value] of Object.entries(forms)) log("info", name, { value });
  log("info", "remote", { name: "a\r\nb\u001b[31m\u0007\u202e\u009b" });
  log.close();
  const lines = tail(folder, 100);
  assert.equal(lines.length, Object.keys(forms).length + 1);
  for (const [index, name] of Object.keys(forms).entries()) {
    const line = lines[index] ?? "";
    assert.ok(line.includes("[redacted]"), `${name}: ${line}`);
    const { value } = JSON.parse(line) as { value: unknown };
    assert.ok(!JSON.stringify(value).includes("word"), `${name}: ${line}`);
  }
  assert.match(lines.at(-1) ?? "", /^[\x20-\x7e]+$/);
});

test("any secret is gone from any text that holds it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 6, maxLength: 40, unit: "binary" }), fc.string(), fc.string(), (secret, before, after) => {
      const redact = redactor(() => [secret]);
      const wrap = (text: string): string => `${before}\u0000${text}\u0000${after}`;
      for (const form of [secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret)])
        if (secret.isWellFormed()) assert.ok(!redact(wrap(form)).includes(`\u0000${form}\u0000`));
    }),
  );
});

test("what cannot be written as JSON is still a line", (t) => {
  const folder = place(t);
  const log = openLog({ folder, level: () => "info", secrets: none });
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  log("info", "circle", { circle });
  log("info", "big", { big: 10n });
  log("info", "trap", {
    toJSON: undefined,
    get: {
      toJSON: () => {
        throw new Error("no");
      },
    },
  });
  log("info", "long", { text: "y".repeat(1_000_000), many: Array.from({ length: 5000 }, () => "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz") });
  log.close();
  const lines = tail(folder, 10);
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    ["circle", "big", "trap", "long"],
  );
  assert.ok((lines[3] ?? "").length < 64_000);
});

test(
  "a full disk loses lines, counts them, and says so when there is room again",
  { skip: process.platform !== "linux" && "needs /dev/full" },
  (t) => {
    const folder = place(t);
    symlinkSync("/dev/full", join(folder, "steward.log"));
    const log = openLog({ folder, level: () => "info", secrets: none });
    log("info", "lost");
    log("error", "lost as well");
    assert.equal(log.dropped(), 2);
    unlinkSync(join(folder, "steward.log"));
    log.close();
    log("info", "kept");
    log.close();
    assert.deepEqual(
      tail(folder, 10)
        .map((line) => JSON.parse(line) as { message: string; lines?: number })
        .map(({ message, lines }) => ({ message, lines })),
      [
        { message: "log lines were lost because they could not be written", lines: 2 },
        { message: "kept", lines: undefined },
      ],
    );
  },
);

test("tail of a folder without a log is empty", (t) => {
  assert.deepEqual(tail(place(t), 5), []);
});
