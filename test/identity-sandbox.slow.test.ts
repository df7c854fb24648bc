// Identity and skills on real sandboxes: what a command leaves behind can't change a file later, and scripts run inside.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import contained from "../src/computers/contained.ts";
import guarded from "../src/computers/guarded.ts";
import type { Principal } from "../src/core/types.ts";
import { undo } from "../src/run/undo.ts";
import { addSkill, removeSkill } from "../src/skills/install.ts";
import { FIRST } from "../src/skills/first-texts.ts";
import { makeIdentity, readIdentity } from "../src/skills/identity.ts";
import { openOwn } from "../src/skills/own.ts";
import { skillFile } from "../src/skills/skill-text.ts";
import { useSkill } from "../src/skills/skills.ts";
import { plainOptions } from "../src/testing/computer-options.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";

const missing = await bubblewrapMissing();
const options = { skip: process.platform === "linux" && missing === undefined ? false : (missing ?? "Linux only"), timeout: 280_000 };
const MIA: Principal = { person: "mia", role: "member", via: "page" };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function openGuarded() {
  const home = temporary();
  const steward = harness({
    store: await sqlite(":memory:"),
    model: scripted(() => []),
    home,
    computer: guarded,
    config: { workspace: join(home, "workspace") },
  });
  mkdirSync(steward.home, { recursive: true });
  steward.own = openOwn(() => steward, { bundled: "" });
  return { steward, home };
}

test("guarded: a process that a command leaves behind is gone with it, so nothing changes an identity file unseen", options, async (t) => {
  const { steward, home } = await openGuarded();
  await makeIdentity(steward);
  const computer = await steward.computer(OWNER);
  t.after(() => computer.dispose());
  const script =
    "setsid nohup sh -c 'sleep 0.4; echo evil >> SOUL.md; while sleep 0.1; do echo evil >> TOOLS.md; done' >/dev/null 2>&1 & echo now >> USER.md; echo ok";
  const ran = await steward.own.during(OWNER, computer, () => computer.exec(script));
  assert.equal(ran.stdout, "ok\n");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const found = await readIdentity(steward, OWNER);
  assert.deepEqual(
    found.map(({ name, text, waits }) => [name, text === FIRST[name], waits !== undefined]),
    [
      ["SOUL.md", true, false],
      ["USER.md", true, true],
      ["MEMORY.md", true, false],
      ["HEARTBEAT.md", true, false],
      ["TOOLS.md", true, false],
    ],
  );
  assert.equal(readFileSync(join(home, "workspace", "SOUL.md"), "utf8"), FIRST["SOUL.md"]);
});

test("guarded: skills in the workspace are written, replaced, removed and brought back by the sandbox's own hand", options, async (t) => {
  const { steward, home } = await openGuarded();
  const computer = await steward.computer(OWNER);
  t.after(() => computer.dispose());
  const one = (body: string) => ({
    name: "one",
    files: new Map([
      ["SKILL.md", { bytes: bytes(skillFile({ name: "one", description: "One.", body })), exec: false }],
      ["run.sh", { bytes: bytes("echo ran\n"), exec: true }],
    ]),
  });
  const text = async () => ((await useSkill(steward, OWNER, "one")) as { text: string }).text;
  await addSkill(steward, OWNER, one("First."), { source: "workspace" });
  const { folder } = (await useSkill(steward, OWNER, "one")) as { folder: string };
  assert.equal((await computer.exec(["sh", `${folder}/run.sh`])).stdout, "ran\n");
  await addSkill(steward, OWNER, one("Second."), { source: "workspace", replace: true });
  assert.equal(await text(), "Second.");
  await undo(steward, OWNER);
  assert.equal(await text(), "First.");
  const { undo: id } = await removeSkill(steward, OWNER, "one");
  await assert.rejects(text(), { code: "not_found" });
  await undo(steward, OWNER, id);
  assert.equal(await text(), "First.");
  assert.deepEqual(readdirSync(join(home, "workspace", "skills")), ["one"]);
  const away = temporary();
  await computer.exec(`rm -rf skills && ln -s ${away} skills`);
  await assert.rejects(addSkill(steward, OWNER, one("Third."), { source: "workspace" }));
  assert.deepEqual(readdirSync(away), []);
});

test(
  "contained: a skill's script is put into the member's own computer and runs there, out of reach of this machine",
  options,
  async (t) => {
    const home = temporary();
    const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => []), home });
    steward.own = openOwn(() => steward, { bundled: join(import.meta.dirname, "..", "skills") });
    const own = await contained.open({
      person: "mia",
      mode: "contained",
      home: join(home, "mia"),
      workspace: join(home, "mia", "home"),
      steward: steward.home,
      hidden: () => [],
      ...plainOptions,
      env: process.env,
    });
    t.after(() => own.dispose());
    steward.computer = async () => own;
    const files = new Map([
      ["SKILL.md", { bytes: bytes(skillFile({ name: "look", description: "Looks.", body: "Run it." })), exec: false }],
      ["scripts/look.sh", { bytes: bytes(`#!/bin/sh\npwd; ls ${home} 2>&1 | tail -1\n`), exec: true }],
    ]);
    await addSkill(steward, MIA, { name: "look", files });
    const { folder } = (await useSkill(steward, MIA, "look")) as { folder: string };
    assert.equal(folder, "/home/person/.skills/look");
    const { stdout } = await own.exec([`${folder}/scripts/look.sh`], { cwd: folder });
    assert.match(stdout, /^\/home\/person\/\.skills\/look\n.*(?:No such file|cannot access)/);
    assert.deepEqual(readdirSync(join(steward.home, "skills", "mia", "look")).sort(), ["SKILL.md", "scripts"]);
    const table = (await useSkill(steward, MIA, "table-figures")) as { folder: string };
    await own.write("/home/person/t.csv", bytes("city;amount\nRome;1,5\nOslo;2\nRome;3\n"));
    const figures = await own.exec(["python3", `${table.folder}/scripts/figures.py`, "t.csv", "--group", "city", "--sum", "amount"]);
    assert.deepEqual(JSON.parse(figures.stdout), { by: "city", of: "amount", groups: { Rome: 4.5, Oslo: 2 } });
  },
);
