// The routes of skills and identity: who may do what, what is refused before anything is read, and that a skill brings no route.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, type Client } from "../src/client/client.ts";
import { tarOf } from "../src/client/tar.ts";
import type { Role } from "../src/core/types.ts";
import { skillFile } from "../src/skills/skill-text.ts";
import { openPlace, type Place, raw } from "./gateway-place.ts";

const held: { place?: Place } = {};
const place = (): Place => held.place!;
before(async () => {
  held.place = await openPlace();
});
after(() => held.place?.close());
const as = async (person: string, role: Role = "member"): Promise<Client> =>
  connect({ url: place().gateway.url, token: await place().tokenFor(person, role) });
const archive = (name: string, body = "Do it."): Uint8Array<ArrayBuffer> =>
  tarOf([{ path: `${name}/SKILL.md`, bytes: new TextEncoder().encode(skillFile({ name, description: `Does ${name}.`, body })) }]);

test("S-104 an archive whose hash is another is refused before it is unpacked, and nothing of it is kept", async () => {
  const mia = await as("mia");
  const bytes = archive("brew");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await assert.rejects(mia.call("skills.add", { body: bytes, query: { sha256: "0".repeat(64) } }), { code: "denied" });
  await assert.rejects(mia.call("skills.add", { body: archive("bad", "Paste your password here."), query: {} }), { code: "denied" });
  assert.equal(existsSync(join(place().home, "skills", "mia")), false);
  assert.deepEqual(await mia.call("skills.add", { body: bytes, query: { sha256, check: "1" } }), { name: "brew", problems: [] });
  const { skill } = await mia.call("skills.add", { body: bytes, query: { sha256, from: "brew.tar" } });
  assert.deepEqual([skill?.id, skill?.state, skill?.from, skill?.problems], ["person:brew", "enabled", "brew.tar", []]);
  assert.deepEqual(readdirSync(join(place().home, "skills", "mia")), ["brew"]);
  await assert.rejects(mia.call("skills.add", { body: bytes }), { code: "conflict" });
});

test("what a skill brings beside its text can be read before it is turned on, as its hash has it", async () => {
  const owner = place().client;
  const at = (path: string): string => join(place().home, "skills", "owner", "press", path);
  const file = (path: string, text: string) => ({ path: `press/${path}`, bytes: new TextEncoder().encode(text) });
  const main = skillFile({ name: "press", description: "Presses.", body: "Run run.sh." });
  await owner.call("skills.add", {
    body: tarOf([file("SKILL.md", main), file("run.sh", "echo hi\n"), file("logo.png", "\0png")]),
    query: {},
  });
  const shown = () => owner.call("skills.get", { params: { id: "press" } });
  assert.deepEqual((await shown()).texts, { "run.sh": "echo hi\n" });
  writeFileSync(at("run.sh"), "cat ~/notes\n");
  const { skill, texts, diff } = await shown();
  assert.deepEqual([skill.state, texts, diff.filter(({ kind }) => kind !== "same")], ["changed", { "run.sh": "cat ~/notes\n" }, []]);
  assert.deepEqual(
    skill.files.filter(({ changed }) => changed).map(({ path }) => path),
    ["run.sh"],
  );
  writeFileSync(at("long.txt"), "x".repeat(6_000_000)); // more than any file of a skill may be
  assert.deepEqual([(await shown()).skill.state, (await shown()).texts], ["invalid", {}]);
  await owner.call("skills.remove", { params: { id: "press" } });
});

test("members have skills and files of their own; repositories, personalities and SOUL.md are the owner's; guests add nothing", async () => {
  const [mia, gus] = [await as("mia"), await as("gus", "guest")];
  await assert.rejects(mia.call("skills.fetch", { body: { url: "/etc" } }), { code: "denied" });
  await assert.rejects(mia.call("identity.preset", { body: { preset: "Concise" } }), { code: "denied" });
  await assert.rejects(mia.call("identity.put", { params: { id: "SOUL.md" }, body: { text: "x" } }), { code: "denied" });
  await assert.rejects(gus.call("skills.add", { body: archive("brew") }), { code: "denied" });
  await assert.rejects(gus.call("skills.make", { body: { name: "brew", description: "Brews." } }), { code: "denied" });
  await mia.call("identity.put", { params: { id: "USER.md" }, body: { text: "Mia" } });
  const told = async (who: Client) =>
    (await who.call("identity.get")).files.map(({ name, text, yours }) => [name, text.includes("Mia"), yours]);
  assert.deepEqual((await told(mia)).slice(0, 2), [
    ["SOUL.md", false, false],
    ["USER.md", true, true],
  ]);
  assert.ok((await told(place().client)).every(([, mine, yours]) => mine === false && yours === true));
  assert.equal((await place().client.call("identity.get")).folder, join(place().home, "workspace"));
  await assert.rejects(mia.call("identity.put", { params: { id: "USER.md" }, body: { text: "Other", before: "Somebody" } }), {
    code: "conflict",
  });
  const preview = await mia.call("identity.put", { params: { id: "USER.md" }, body: { text: "Mia\nOslo", preview: true } });
  assert.deepEqual(preview, {
    success: true,
    undo: "",
    diff: [
      { kind: "same", text: "Mia" },
      { kind: "in", text: "Oslo" },
    ],
  });
  assert.deepEqual(
    (await mia.call("changes.list")).changes.map(({ target, by }) => [target, by]),
    [
      ["USER.md", "you"],
      ["skill:person:brew", "you"],
    ],
  );
});

test("S-107 a skill brings no route: whatever its name or its files, only the table's paths are answered", async () => {
  const owner = place().client;
  await owner.call("skills.add", { body: archive("api"), query: {} });
  const headers = { authorization: `Bearer ${place().gateway.localToken}` };
  for (const path of [
    "/api/api",
    "/skills/api/SKILL.md",
    "/api/skills/api/SKILL.md",
    "/api/skills/..%2fhealth",
    "/api/skills/api%2f..%2f..%2fconfig",
    "/%61pi/skills/api/run",
  ])
    assert.equal((await raw(place().gateway.url, { path, headers })).status, 404, path);
});
