// What a damaged, unwritable or full disk does to the SQLite store: a prefix of what was confirmed or a plain error with a copy, never a crash, never a gap.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { Event, Stored } from "../src/core/events.ts";
import { StewardError } from "../src/std/error.ts";
import type { AuditedStore } from "../src/stores/sql.ts";
import { sqlite } from "../src/stores/sqlite.ts";

const root = mkdtempSync(join(tmpdir(), "steward-damage-"));
after(() => rmSync(root, { recursive: true, force: true }));
const fresh = (): string => join(mkdtempSync(join(root, "f")), "steward.db");
const say = (n: number): Event => ({
  type: "message.received",
  id: `m${n}`,
  from: "ada",
  parts: [{ type: "text", text: `message ${n} ${"long ".repeat(n % 60)}` }],
});
const SESSIONS = ["a", "b", "c"];

async function fill(store: AuditedStore, commits: number): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (let n = 0; n < commits; n++)
    stored.push(
      ...(await store.commit({
        events: [say(n), say(n + 1)].map((event) => ({ session: SESSIONS[n % 3]!, event })),
        put: { [`d${n % 5}`]: n },
      })),
    );
  return stored;
}

/** A database that was closed, and one as a killed process leaves it: in the middle, with part of its write-ahead log already copied back. */
async function victims(): Promise<{ clean: string; killed: string[]; confirmed: Stored[] }> {
  const path = fresh();
  const store = await sqlite(path);
  const confirmed = await fill(store, 200);
  const killed = [snapshot(path)];
  const other = new DatabaseSync(path);
  other.exec("PRAGMA wal_checkpoint(PASSIVE)");
  killed.push(snapshot(path));
  confirmed.push(...(await fill(store, 150)));
  killed.push(snapshot(path));
  other.close();
  await store.close();
  return { clean: path, killed, confirmed };
}

function snapshot(path: string): string {
  const copy = fresh();
  for (const end of ["", "-wal"]) if (existsSync(path + end)) copyFileSync(path + end, copy + end);
  return copy;
}

/** Opens what is left; true when it was refused. */
async function survives(path: string, confirmed: Stored[], strict: boolean): Promise<boolean> {
  const before = readFileSync(path);
  let store: AuditedStore | undefined;
  try {
    store = await sqlite(path);
    const problems = await store.audit();
    for (const session of SESSIONS) {
      const wanted = confirmed.filter((one) => one.session === session);
      const found = await store.events(session);
      const bad = new Set(problems.filter((one) => one.session === session).map(({ seq }) => seq));
      if (strict || bad.size === 0) assert.deepEqual(found, wanted.slice(0, found.length));
      else
        for (const one of found)
          assert.ok(
            bad.has(one.seq) || JSON.stringify(one) === JSON.stringify(wanted[one.seq - 1]),
            `event ${one.seq} of ${session} changed unseen`,
          );
    }
    if (strict) assert.deepEqual(problems, []);
    await store.commit({ events: [{ session: "after", event: say(1) }] });
    return false;
  } catch (error) {
    if (!(error instanceof StewardError)) throw error;
    assert.equal(error.code, "unavailable", String(error.cause ?? error));
    if (/can't be read$/.test(error.message)) return true; // one event is no longer JSON: named, the rest can be read
    assert.match(error.message, /is damaged: /);
    const copy = /A copy is kept at (\S+)\. /.exec(error.hint ?? "")?.[1] ?? "";
    assert.ok(existsSync(copy), `no copy: ${error.hint}`);
    if (!store) assert.ok(before.equals(readFileSync(copy)) && before.equals(readFileSync(path)), "the damaged file was touched");
    if (!store) await assert.rejects(sqlite(path), { code: "unavailable" });
    if (!store) assert.equal(readdirSync(join(path, "..")).filter((name) => /damaged-[^w]*$/.test(name)).length, 1);
    return true;
  } finally {
    await store?.close().catch(() => {});
  }
}

const { clean, killed, confirmed } = await victims();
const share = fc.noBias(fc.integer({ min: 1, max: 99_999 })).map((part) => part / 100_000);
const tally = { cuts: 0, refused: 0 };

const cutting = (title: string, from: () => string[], ending: string, numRuns: number) =>
  test(title, async () => {
    const property = fc.asyncProperty(share, fc.nat(), async (at, which) => {
      const sources = from();
      const path = snapshot(sources[which % sources.length]!);
      truncateSync(path + ending, Math.floor(statSync(path + ending).size * at));
      tally.cuts++;
      if (await survives(path, confirmed, true)) tally.refused++;
    });
    const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
    await fc.assert(property, { numRuns, seed });
    console.log(`      seed ${seed}: ${tally.cuts} cuts so far, ${tally.refused} refused with a copy, the others opened with a prefix`);
  });
void cutting("a closed database that was cut is refused with a copy", () => [clean], "", 20);
void cutting("a database that was cut while its write-ahead log is there opens with a prefix or is refused", () => killed, "", 25);
void cutting("a write-ahead log that was cut gives a prefix", () => killed, "-wal", 25);

test("an overwritten block is refused, found by the audit, or changed nothing", async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
  const seen = { refused: 0 };
  const property = fc.asyncProperty(
    share,
    fc.nat(),
    fc.uint8Array({ minLength: 64, maxLength: 4096 }),
    fc.boolean(),
    async (at, which, block, log) => {
      const sources = [clean, ...killed];
      const source = sources[which % sources.length]!;
      const path = snapshot(source);
      const target = log && existsSync(`${path}-wal`) ? `${path}-wal` : path;
      const bytes = readFileSync(target);
      bytes.set(block.subarray(0, bytes.length - Math.floor(bytes.length * at)), Math.floor(bytes.length * at));
      writeFileSync(target, bytes);
      if (await survives(path, confirmed, false)) seen.refused++;
    },
  );
  await fc.assert(property, { numRuns: 30, seed });
  console.log(`      seed ${seed}: 30 blocks, ${seen.refused} refused`);
});

test("what is not a database, or an empty one beside a log, is refused with a copy", async () => {
  for (const [content, log] of [
    ["not a database, but a letter to my aunt ".repeat(200), ""],
    ["SQLite", ""],
    ["", "something"],
  ] as const) {
    const path = fresh();
    writeFileSync(path, content);
    if (log) writeFileSync(`${path}-wal`, log);
    await assert.rejects(sqlite(path), (error: StewardError) => error.code === "unavailable" && /A copy is kept at/.test(error.hint ?? ""));
    assert.equal(readFileSync(path, "utf8"), content);
  }
});

test("S-117 events changed or removed behind the store's back are named", async () => {
  const path = fresh();
  const store = await sqlite(path);
  await fill(store, 30);
  assert.deepEqual(await store.audit(), []);
  const other = new DatabaseSync(path);
  other.exec(`UPDATE events SET body = replace(body, 'message', 'massage') WHERE session = 'a' AND seq = 4; UPDATE events SET at = at + 1 WHERE session = 'a' AND seq = 9;
    DELETE FROM events WHERE session = 'b' AND seq IN (5, 6); DELETE FROM events WHERE session = 'c' AND seq > 18; DELETE FROM heads WHERE session = 'b'`);
  other.close();
  assert.deepEqual(await store.audit(), [
    { session: "a", seq: 4, problem: "changed after it was written" },
    { session: "a", seq: 9, problem: "changed after it was written" },
    { session: "b", seq: 5, problem: "2 missing" },
    { session: "b", seq: 20, problem: "the log has lost its head" },
    { session: "c", seq: 19, problem: "2 missing at the end" },
  ]);
  assert.deepEqual(await store.audit("c"), [{ session: "c", seq: 19, problem: "2 missing at the end" }]);
  await store.close();
});

test("a database of a newer Steward is left as it is", async () => {
  const path = fresh();
  await (await sqlite(path)).close();
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 99");
  const open = snapshot(path);
  newer.close();
  const closed = readFileSync(path);
  for (const one of [path, open]) {
    const before = readFileSync(one);
    await assert.rejects(sqlite(one), (error: StewardError) => error.code === "conflict" && /Upgrade/.test(error.hint ?? ""));
    assert.ok(before.equals(readFileSync(one)));
  }
  assert.ok(closed.length > 0);
});

const isRoot = process.getuid?.() === 0;
/** Root may write everywhere, so this is done as nobody. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  if (isRoot) process.seteuid?.(65534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
const plain = (error: StewardError) =>
  error.code === "unavailable" && /can't be written/.test(error.message) && /Check that its folder/.test(error.hint ?? "");

test("a read-only file or folder, or none, is said plainly", async () => {
  const path = fresh();
  const store = await sqlite(path);
  await fill(store, 3);
  await store.close();
  const folder = join(path, "..");
  for (const open of [root, folder]) chmodSync(open, 0o755);
  chmodSync(path, 0o444);
  await asNobody(() => assert.rejects(sqlite(path), plain));
  if (isRoot) execFileSync("chown", ["65534", path]);
  chmodSync(path, 0o644);
  chmodSync(folder, 0o555);
  await asNobody(() => assert.rejects(sqlite(path), plain));
  await asNobody(() => assert.rejects(sqlite(join(folder, "new.db")), plain));
  chmodSync(folder, 0o755);
  await assert.rejects(sqlite(join(folder, "no", "such", "folder.db")), plain);
  await assert.rejects(sqlite(folder), plain);
  const again = await sqlite(path);
  assert.equal((await again.events("a")).length, 2);
  await again.close();
});

test("a full disk refuses plainly, loses nothing and goes on when there is space", async (t) => {
  const folder = mkdtempSync(join(root, "disk"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1500k", "tmpfs", folder], { stdio: "pipe" });
  } catch {
    return t.skip("needs the right to mount a small tmpfs");
  }
  try {
    const path = join(folder, "steward.db");
    const ballast = join(folder, "ballast");
    const store = await sqlite(path);
    writeFileSync(ballast, Buffer.alloc(600_000));
    const kept: Stored[] = [];
    const write = async () => kept.push(...(await store.commit({ events: [{ session: "a", event: say(kept.length) }] })));
    const full = async (): Promise<StewardError> => {
      for (;;)
        try {
          await write();
        } catch (error) {
          return error as StewardError;
        }
    };
    const error = await full();
    assert.equal(error.code, "unavailable", String(error));
    assert.match(`${error.message} ${error.hint}`, /full.*Free some space/);
    await assert.rejects(write(), { code: "unavailable" });
    assert.deepEqual(await store.events("a"), kept);
    await assert.rejects(sqlite(join(folder, "second.db")), { code: "unavailable" });
    rmSync(ballast);
    for (let n = 0; n < 5; n++) await write();
    await full();
    await store.close().catch(() => {});
    execFileSync("mount", ["-o", "remount,size=8m", folder]);
    const again = await sqlite(path);
    assert.deepEqual([await again.events("a"), await again.audit()], [kept, []]);
    await again.close();
  } finally {
    execFileSync("umount", ["-l", folder]);
  }
});
