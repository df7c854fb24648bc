// docs/library.md: every example is run as it is written, against a real Steward with a real computer, and prints what the page says. Its secret is nowhere afterwards.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as library from "../src/client/entry.ts";
import { openPlace, type Place } from "./gateway-place.ts";
import { built, link, openProject, type Project, root } from "./library-place.ts";

const SECRET = "open-sesame-471";

interface Example {
  line: number;
  code: string;
  prints: string;
}
function examples(page: string): Example[] {
  const found: Example[] = [];
  for (const match of page.matchAll(/^```ts\n([^]*?)^```\n\n(`{3,4})text\n([^]*?)^\2$/gm))
    found.push({ line: page.slice(0, match.index).split("\n").length, code: match[1]!, prints: match[3]! });
  return found;
}

const page = readFileSync(join(root, "docs", "library.md"), "utf8");
const all = examples(page);
/** Steward runs on: a file may be gone again. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
    return Buffer.alloc(0);
  }
}
let place: Place;
let project: Project;
before(async () => {
  await built();
  place = await openPlace({ config: { model: "builtin/rules", "computer.mode": "contained", "computer.kind": "contained" } });
  await place.client.call("secrets.set", { params: { id: "door" }, body: { value: SECRET } });
  project = await openProject();
  await link(project);
});
after(async () => {
  await place.composed.steward.computers.forget("owner");
  await place.close();
  await project.close();
});

test("every example has what it prints, and every function an example", () => {
  assert.equal(all.length, [...page.matchAll(/^```ts$/gm)].length);
  const named = Object.entries(library).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
  const shown = all.map(({ code }) => code).join("\n");
  assert.deepEqual(
    named.filter((name) => !shown.includes(name) && !["ChatSession", "StewardError"].includes(name)),
    [],
  );
});

for (const { line, code, prints } of all)
  test(`docs/library.md:${line}`, { timeout: 280_000 }, async () => {
    const file = `example-${line}.ts`;
    await project.write(file, code);
    assert.equal(await project.run(file, { STEWARD_URL: place.gateway.url, STEWARD_TOKEN: place.gateway.localToken }), prints);
  });

test("O-093 execute_with_secret: the secret is in no log, event, document or file of Steward's home in plain", async () => {
  const files = readdirSync(place.home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const holding = files.filter((entry) => bytesOf(join(entry.parentPath, entry.name)).includes(SECRET)).map(({ name }) => name);
  assert.deepEqual(holding, []);
  assert.ok(files.some(({ name }) => name === "steward.log") && files.some(({ name }) => name.startsWith("steward.db")));
  const { store } = place.composed.steward;
  assert.ok(!JSON.stringify(await store.list("")).includes(SECRET));
});
