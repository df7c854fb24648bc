// Finding adapters by file name: from source, from a bundle, and the person's own. Leaves the adapters themselves to their tests.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { isAdapter, load, names, places } from "../src/kinds/load.ts";
import { StewardError } from "../src/std/error.ts";

const folder = mkdtempSync(join(tmpdir(), "steward load "));
after(() => rmSync(folder, { recursive: true }));

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const home = join(folder, "home");
const builtin = join(folder, "code");
const folders = { home, builtin };
put("code/tools/clock.ts", 'export default { name: "clock" };\n');
put("code/tools/pieces.ts", "export const piece = 1;\n");
put("code/tools/deep/inner.ts", "export default 1;\n");
put("code/tools/bundled.js", 'var bundled = { name: "bundled" };\nexport { bundled as default };\n');
put(
  "home/adapters/tools/mine.ts",
  'import * as z from "zod/mini";\nimport { word } from "./words.ts";\nconst schema: unknown = z.string();\nexport default { name: word, checks: schema instanceof z.ZodMiniString };\n',
);
put("home/adapters/tools/words.ts", 'export const word: string = "mine";\n');
put("home/adapters/tools/clock.ts", 'export default { name: "not this one" };\n');

test("lists adapters, not what they share, the person's own included", () => {
  assert.deepEqual(names("tools", folders), ["bundled", "clock", "mine"]);
  assert.deepEqual(names("voices", folders), []);
});

test("loads Steward's own before the person's", async () => {
  assert.deepEqual(await load("tools", "clock", folders), { name: "clock" });
  assert.deepEqual(await load("tools", "bundled", folders), { name: "bundled" });
});

test("a person's adapter imports Steward's packages by bare name", async () => {
  assert.deepEqual(await load("tools", "mine", folders), { name: "mine", checks: true });
});

test("an unknown name says which are known", async () => {
  await assert.rejects(load("tools", "nothing", folders), (error: unknown) => {
    assert.ok(error instanceof StewardError);
    assert.equal(error.code, "not_found");
    assert.equal(error.message, 'There is no tool named "nothing".');
    assert.match(error.hint ?? "", /^Known: bundled, clock, mine\./);
    return true;
  });
});

for (const name of ["../clock", "Clock", "", "pieces", "deep/inner", "clock.ts", "__proto__", "clock\0"])
  test(`${JSON.stringify(name)} is no adapter's name`, async () => {
    await assert.rejects(load("tools", name, folders), { code: "not_found" });
  });

for (const [what, text, why] of [
  ["throws", 'throw new Error("no luck");\nexport default 1;\n', /no luck/],
  ["is not TypeScript", "export default ((;\n", /.+/],
  ["imports what is missing", 'import "no-such-package-here";\nexport default 1;\n', /no-such-package-here/],
  ["exports nothing", "export default undefined;\n", /no default export/],
] as const)
  test(`a person's file that ${what} is named`, async () => {
    const name = `bad-${what.replaceAll(/[^a-z]+/gi, "-").toLowerCase()}`;
    const file = put(`home/adapters/tools/${name}.ts`, text);
    try {
      await assert.rejects(load("tools", name, folders), (error: unknown) => {
        assert.ok(error instanceof StewardError);
        assert.equal(error.code, "invalid");
        assert.ok(error.message.includes(file), error.message);
        assert.match(error.message, why);
        return true;
      });
    } finally {
      rmSync(file);
    }
  });

test("places are found from source and from every folder of a bundle", () => {
  const root = "/opt/steward";
  const web = "/opt/steward/dist/web";
  assert.deepEqual(places("/opt/steward/src/kinds"), { root, code: "/opt/steward/src", web });
  for (const here of ["/opt/steward/dist", "/opt/steward/dist/chunks", "/opt/steward/dist/models"])
    assert.deepEqual(places(here), { root, code: "/opt/steward/dist", web });
});

test("a default export is recognised in source and in bundles", () => {
  const is = (text: string): boolean => isAdapter(put("x.ts", text));
  assert.deepEqual(
    [
      "export default 1",
      "const a = 1;export{a as default}",
      "const a = 1;\nexport { a as default, b };",
      "export const x = 1",
      "// export default\nexport const y = 1",
    ].map(is),
    [true, true, true, false, false],
  );
});
