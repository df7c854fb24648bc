// Undo of every kind of change, through the gate, on real files of any size and kind.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Computer } from "../src/core/computer.ts";
import { guard } from "../src/run/guard.ts";
import { openJournal } from "../src/run/journal.ts";
import { forgetOld, listUndo, undo } from "../src/run/undo.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";

async function start(granted: string[] = []) {
  const home = temporary();
  const clock = { at: Date.now() };
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => [{ text: "" }]), home, now: () => clock.at });
  const raw = await steward.computer(OWNER);
  const computer = (): Computer => {
    const journal = openJournal(steward, { principal: OWNER, session: "ses_1", turn: "trn_1", tool: "test", computer: raw });
    return guard(steward, raw, { principal: OWNER, granted, journal, note: { cached: false }, reads: false });
  };
  return { steward, computer, clock, home, at: (name: string) => join(home, "workspace", name) };
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a new file goes, a replaced file comes back with its mode, a moved one returns", async () => {
  const { steward, computer, at } = await start();
  await computer().write("new.txt", bytes("one"));
  writeFileSync(at("old.sh"), "before", { mode: 0o750 });
  await computer().write("old.sh", bytes("after"));
  await computer().move("old.sh", "moved.sh");
  assert.deepEqual(
    (await listUndo(steward, OWNER)).map(({ summary, state }) => [summary.replaceAll(`${at("")}/`, ""), state]),
    [
      ["Moved old.sh to moved.sh", "done"],
      ["Wrote 5 B to old.sh", "done"],
      ["Wrote 3 B to the new file new.txt", "done"],
    ],
  );
  for (let count = 0; count < 3; count++) await undo(steward, OWNER);
  assert.equal(existsSync(at("new.txt")), false);
  assert.equal(existsSync(at("moved.sh")), false);
  assert.equal(readFileSync(at("old.sh"), "utf8"), "before");
  assert.equal(lstatSync(at("old.sh")).mode & 0o777, 0o750);
  await assert.rejects(undo(steward, OWNER), { code: "not_found" });
});

test("a deleted folder of 10,000 files comes back as it was, links, modes and empty folders too", async () => {
  const { steward, computer, at } = await start();
  mkdirSync(at("big/empty"), { recursive: true });
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(at(`big/${folder}`));
    for (let file = 0; file < 100; file++) writeFileSync(at(`big/${folder}/${file}`), `${folder}.${file}`);
  }
  symlinkSync("/etc/hostname", at("big/link"));
  symlinkSync("nowhere", at("big/broken"));
  chmodSync(at("big/7/7"), 0o600);
  const sums = (): string =>
    execFileSync(
      "sh",
      ["-c", 'cd "$1" && find . -printf "%p %y %m %l\\n" | sort && find . -type f -exec cat {} + | cksum', "sh", at("big")],
      { encoding: "utf8" },
    );
  const before = sums();
  await computer().remove("big");
  assert.equal(existsSync(at("big")), false);
  const [done] = await undo(steward, OWNER);
  assert.equal(done?.state, "undone");
  assert.equal(sums(), before);
  assert.equal(readlinkSync(at("big/broken")), "nowhere");
});

test("links come back as links: relative, broken, and to a folder; also when they were moved", async () => {
  const { steward, computer, at } = await start();
  mkdirSync(at("folder"));
  writeFileSync(at("file"), "x");
  for (const [name, to] of [
    ["near", "file"],
    ["lost", "nowhere"],
    ["deep", "folder"],
  ] as const) {
    symlinkSync(to, at(name));
    await computer().remove(name);
    assert.throws(() => readlinkSync(at(name)), name);
    assert.equal((await undo(steward, OWNER))[0]?.state, "undone", name);
    assert.equal(readlinkSync(at(name)), to);
    await computer().move(name, `${name}.moved`);
    assert.equal((await undo(steward, OWNER))[0]?.state, "undone", name);
    assert.equal(readlinkSync(at(name)), to);
  }
  assert.equal(readFileSync(at("file"), "utf8"), "x");
});

test("a large binary file that is replaced comes back byte for byte", async () => {
  const { steward, computer, at } = await start();
  execFileSync("dd", ["if=/dev/urandom", `of=${at("large")}`, "bs=1M", "count=64"], { stdio: "ignore" });
  const sum = (): string => execFileSync("cksum", [at("large")], { encoding: "utf8" });
  const before = sum();
  await computer().write("large", bytes("small"));
  await undo(steward, OWNER);
  assert.equal(sum(), before);
});

test("undoing never loses what came later: it is kept as a change of its own", async () => {
  const { steward, computer, at } = await start();
  await computer().write("a.txt", bytes("first"));
  writeFileSync(at("a.txt"), "edited by hand since");
  await undo(steward, OWNER);
  assert.equal(existsSync(at("a.txt")), false);
  const kept = (await listUndo(steward, OWNER)).find(({ tool }) => tool === "undo");
  assert.equal(kept?.state, "done");
  await undo(steward, OWNER, kept?.id);
  assert.equal(readFileSync(at("a.txt"), "utf8"), "edited by hand since");
});

test("a second undo, an unknown id and another person's id are refused", async () => {
  const { steward, computer } = await start();
  await computer().write("a.txt", bytes("x"));
  const [entry] = await listUndo(steward, OWNER);
  await undo(steward, OWNER, entry!.id);
  await assert.rejects(undo(steward, OWNER, entry!.id), { code: "conflict" });
  await assert.rejects(undo(steward, OWNER, "und_nothing"), { code: "not_found" });
  await assert.rejects(undo(steward, { ...OWNER, person: "other" }, entry!.id), { code: "not_found" });
});

test("a move that can't be taken back says why and changes nothing", async () => {
  const { steward, computer, at } = await start();
  writeFileSync(at("a"), "a");
  await computer().move("a", "b");
  writeFileSync(at("a"), "somebody else's");
  const [done] = await undo(steward, OWNER);
  assert.deepEqual([done?.state, /exists again/.test(done?.reason ?? "")], ["failed", true]);
  assert.deepEqual([readFileSync(at("a"), "utf8"), readFileSync(at("b"), "utf8")], ["somebody else's", "a"]);
});

test("a command's changes are named honestly and can't be undone", async () => {
  const { steward, computer, at, clock } = await start();
  clock.at = Date.now();
  await computer().exec("echo x > made.txt; mkdir -p sub; echo y > sub/also");
  const [entry] = await listUndo(steward, OWNER);
  assert.deepEqual([entry?.state, entry?.changed?.toSorted()], ["impossible", [at("made.txt"), at("sub/also")].toSorted()]);
  await assert.rejects(undo(steward, OWNER, entry!.id), { code: "conflict" });
  await computer().exec("true");
});

test("what was kept goes when its time is over", async () => {
  const { steward, computer, at, clock, home } = await start();
  writeFileSync(at("a"), "a");
  await computer().remove("a");
  assert.equal(readdirSync(join(home, "state", "kept")).length, 1);
  clock.at += 31 * 86_400_000;
  assert.equal(await forgetOld(steward, OWNER), 1);
  assert.deepEqual([readdirSync(join(home, "state", "kept")), await listUndo(steward, OWNER)], [[], []]);
});

test("S-54 S-58 outside the workspace, in Steward's home and in blocked paths nothing is written or read", async () => {
  const { computer, home, at } = await start();
  mkdirSync(join(home, ".ssh"));
  writeFileSync(join(home, ".ssh", "id"), "secret");
  mkdirSync(join(home, "state"), { recursive: true });
  writeFileSync(join(home, "state", "config.json"), "{}");
  symlinkSync(join(home, ".ssh"), at("inno"));
  symlinkSync(join(home, "state", "config.json"), at("cfg"));
  for (const path of [
    "~/.ssh/id",
    "../.ssh/id",
    "inno/id",
    "inno/../.ssh/id",
    `${home}/workspace/../.ssh/id`,
    "~/state/config.json",
    "cfg",
    "../state/config.json",
  ]) {
    await assert.rejects(computer().read(path), { code: "denied" }, path);
    await assert.rejects(computer().write(path, bytes("x")), { code: "denied" }, path);
    if (path === "cfg") continue; // a link itself may go: what it leads to stays
    await assert.rejects(computer().remove(path), { code: "denied" }, path);
    await assert.rejects(computer().move(path, "here"), { code: "denied" }, path);
  }
  await assert.rejects(computer().write("~/elsewhere.txt", bytes("x")), { code: "denied" });
  mkdirSync(join(home, ".sshfoo"));
  writeFileSync(join(home, ".sshfoo", "ok"), "fine");
  assert.equal(new TextDecoder().decode(await computer().read("~/.sshfoo/ok")), "fine");
});
