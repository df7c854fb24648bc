// Kept answers: used while what they depend on is the same, bounded in number, size and time, counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileInfo } from "../src/core/computer.ts";
import { openCaches, proofOf, versionProof } from "../src/run/caches.ts";
import { defaultPermissions } from "../src/run/permissions.ts";

const info = (more: Partial<FileInfo>): FileInfo => ({
  path: "/home/me/a",
  name: "a",
  type: "file",
  size: 1,
  modified: 0,
  created: 0,
  mode: 0o644,
  version: "1:1:1",
  ...more,
});

test("T-085 T-086 an answer is given again for its time and its proof, and hits are counted", () => {
  const clock = { at: 0 };
  const { file, command } = openCaches(() => clock.at);
  file.set("k", "v1", new Uint8Array([1]));
  assert.deepEqual(file.get("k", "v1"), new Uint8Array([1]));
  assert.equal(file.get("k", "v2"), undefined);
  clock.at = 59_999;
  assert.deepEqual(file.get("k", "v1"), new Uint8Array([1]));
  clock.at = 60_000;
  assert.equal(file.get("k", "v1"), undefined);
  assert.deepEqual(file.stats(), { size: 1, max_size: 500, hits: 2, misses: 2, hit_rate: 0.5 });
  command.set("c", "p", "out");
  clock.at += 30_000;
  assert.equal(command.get("c", "p"), undefined);
  file.clear();
  assert.equal(file.stats().size, 0);
});

test("what is kept has a limit in number and in size", () => {
  const { app, file } = openCaches(() => 0);
  for (let count = 0; count < 150; count++) app.set(`a${count}`, "", count);
  assert.deepEqual([app.stats().size, app.get("a0", ""), app.get("a149", "")], [100, undefined, 149]);
  for (let count = 0; count < 40; count++) file.set(`f${count}`, "", new Uint8Array(1024 * 1024));
  assert.ok(file.stats().size < 32);
  file.set("huge", "", new Uint8Array(64 * 1024 * 1024));
  assert.equal(file.get("huge", ""), undefined);
});

test("any change of what is blocked or switched off is another proof", () => {
  const base = defaultPermissions();
  const { filesystem, terminal } = base;
  const changed = [
    base,
    { ...base, filesystem: { ...filesystem, enabled: false } },
    { ...base, filesystem: { ...filesystem, restrictions: { ...filesystem.restrictions, blocked_paths: ["~/x"] } } },
    { ...base, filesystem: { ...filesystem, restrictions: { ...filesystem.restrictions, allowed_paths: ["~/x"] } } },
    { ...base, terminal: { ...terminal, enabled: false } },
    { ...base, terminal: { ...terminal, restrictions: { ...terminal.restrictions, blocked_commands: [] } } },
    { ...base, terminal: { ...terminal, restrictions: { ...terminal.restrictions, allow_sudo: true } } },
  ];
  assert.equal(new Set(changed.map(proofOf)).size, changed.length);
  assert.equal(proofOf(defaultPermissions()), proofOf(base));
});

test("only plain files and folders of a disk have a proof", () => {
  const one = versionProof(info({}), "file");
  assert.notEqual(one, undefined);
  assert.notEqual(versionProof(info({ version: "2:1:1" }), "file"), one);
  assert.notEqual(versionProof(info({ path: "/home/me/b" }), "file"), one);
  assert.notEqual(versionProof(info({ type: "dir", path: "/" }), "dir"), undefined);
  assert.notEqual(versionProof(info({ path: "/process/a" }), "file"), undefined);
  for (const [odd, type] of [
    [undefined, "file"],
    [info({ type: "dir" }), "file"],
    [info({}), "dir"],
    [info({ type: "other" }), "file"],
    [info({ type: "link" }), "file"],
    [info({ path: "/proc/uptime", size: 0 }), "file"],
    [info({ path: "/sys/class/x" }), "file"],
    [info({ path: "/dev/shm/x" }), "file"],
    [info({ path: "/proc", type: "dir" }), "dir"],
  ] as const)
    assert.equal(versionProof(odd, type), undefined, JSON.stringify(odd));
});
