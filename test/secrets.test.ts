// Where secrets come from and how the encrypted file behaves when damaged. The keychain is tried where the machine has one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSecrets } from "../src/run/secrets.ts";
import type { Secrets } from "../src/run/secrets.ts";
import { StewardError } from "../src/std/error.ts";

const envNames = { "kimi-code": ["KIMI_API_KEY", "MOONSHOT_API_KEY"], telegram: ["TELEGRAM_TOKEN"] };

function place(t: { after(work: () => void): void }): string {
  const home = mkdtempSync(join(tmpdir(), "steward-secrets-"));
  t.after(() => rmSync(home, { recursive: true }));
  return home;
}
const open = (home: string, env: Record<string, string> = {}): Secrets =>
  openSecrets({ home, env: { STEWARD_KEYCHAIN: "off", ...env }, envNames });

async function unreadable(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof StewardError, String(error));
    assert.equal(error.code, "unavailable");
    assert.match(error.hint ?? "", /backup/);
    return true;
  });
}

test("T-062: the environment wins over what is kept, what is kept over .env", async (t) => {
  const home = place(t);
  writeFileSync(join(home, ".env"), 'MOONSHOT_API_KEY="from dotenv"\n');
  const seen: unknown[] = [];
  const note = async (secrets: Secrets): Promise<void> =>
    void seen.push([await secrets.where("kimi-code"), await secrets.get("kimi-code")]);
  await note(open(home));
  assert.equal(await open(home).set("kimi-code", "from the file"), "file");
  await note(open(home));
  await note(open(home, { MOONSHOT_API_KEY: "from the environment" }));
  await note(open(home, { MOONSHOT_API_KEY: "second", KIMI_API_KEY: "first" }));
  await note(open(home, { KIMI_API_KEY: "" }));
  await open(home).remove("kimi-code");
  await note(open(home));
  assert.deepEqual(seen, [
    ["dotenv", "from dotenv"],
    ["file", "from the file"],
    ["environment", "from the environment"],
    ["environment", "first"],
    ["file", "from the file"],
    ["dotenv", "from dotenv"],
  ]);
});

test("S-45: the working directory's .env is not read", (t) => {
  const [home, project] = [place(t), place(t)];
  writeFileSync(join(project, ".env"), "KIMI_API_KEY=hostile\n");
  const code = `import { openSecrets } from ${JSON.stringify(join(import.meta.dirname, "../src/run/secrets.ts"))};
    console.log(await openSecrets({ home: ${JSON.stringify(home)}, env: process.env, envNames: { "kimi-code": ["KIMI_API_KEY"] } }).get("kimi-code"));`;
  const env = { PATH: process.env["PATH"], STEWARD_KEYCHAIN: "off" };
  assert.equal(execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: project, env, encoding: "utf8" }), "undefined\n");
});

test("kept values are encrypted, private, listed by name, and read by a new start", async (t) => {
  const home = place(t);
  const secrets = open(home);
  await Promise.all([secrets.set("telegram", "token-one"), secrets.set("kimi-code", "key-two"), secrets.set("other.name", "Grüße 🗝")]);
  assert.deepEqual(await secrets.names(), ["kimi-code", "other.name", "telegram"]);
  assert.deepEqual(secrets.values().toSorted(), ["Grüße 🗝", "key-two", "token-one"]);
  assert.deepEqual(readdirSync(home).sort(), ["secrets.json", "secrets.key"]);
  for (const file of ["secrets.json", "secrets.key"]) {
    assert.equal(statSync(join(home, file)).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(join(home, file), "utf8"), /token-one|key-two|Grüße/);
  }
  const later = open(home);
  assert.deepEqual(
    [await later.get("telegram"), await later.get("kimi-code"), await later.get("other.name"), await later.get("toString")],
    ["token-one", "key-two", "Grüße 🗝", undefined],
  );
});

test("S-08: a value changed by another process holds at the next read", async (t) => {
  const home = place(t);
  const [one, two] = [open(home), open(home)];
  await one.set("telegram", "old");
  assert.equal(await two.get("telegram"), "old");
  await one.set("telegram", "new");
  assert.equal(await two.get("telegram"), "new");
});

test("S-13: a wrong or missing key, or a damaged file, is an error and never an empty answer", async (t) => {
  const home = place(t);
  await open(home, {}).set("telegram", "token");
  writeFileSync(join(home, ".env"), "TELEGRAM_TOKEN=lower\n");
  const [key, file] = [join(home, "secrets.key"), join(home, "secrets.json")];
  const [goodKey, good] = [readFileSync(key), readFileSync(file)];

  writeFileSync(key, `${Buffer.alloc(32, 7).toString("base64")}\n`);
  await unreadable(open(home).get("telegram"));
  await unreadable(open(home).set("kimi-code", "x"));
  rmSync(key);
  await unreadable(open(home).get("telegram"));
  await unreadable(open(home).set("kimi-code", "x"));
  assert.ok(!existsSync(key), "no new key is made while values are kept");
  writeFileSync(key, goodKey);

  for (const size of [0, 1, good.length >> 1, good.length - 2]) {
    writeFileSync(file, good);
    truncateSync(file, size);
    await unreadable(open(home).get("telegram"));
    await unreadable(open(home).names());
    await unreadable(open(home).set("kimi-code", "x"));
    assert.equal(statSync(file).size, size, "a damaged file is left as it is");
  }
  const swapped = JSON.parse(good.toString()) as { values: Record<string, string> };
  swapped.values = { "kimi-code": swapped.values["telegram"]! };
  writeFileSync(file, JSON.stringify(swapped));
  await unreadable(open(home).get("kimi-code"));
  writeFileSync(file, good);
  assert.equal(await open(home).get("telegram"), "token");
});

test("S-13: what the keychain holds is not looked for elsewhere when the keychain is off", async (t) => {
  const home = place(t);
  writeFileSync(join(home, "secrets.json"), JSON.stringify({ version: 1, keychain: ["telegram"], values: {} }));
  writeFileSync(join(home, ".env"), "TELEGRAM_TOKEN=lower\n");
  const secrets = open(home);
  assert.equal(await secrets.where("telegram"), "keychain");
  await assert.rejects(secrets.get("telegram"), { code: "unavailable" });
});

test("names and values that make no sense are refused", async (t) => {
  const secrets = open(place(t));
  for (const name of ["", "A", "../x", "a b", "__proto__", "x".repeat(65)])
    await assert.rejects(secrets.set(name, "v"), { code: "invalid" });
  await assert.rejects(secrets.set("telegram", ""), { code: "invalid" });
  assert.deepEqual(await secrets.names(), []);
});

test("the keychain is used where there is one", async (t) => {
  const home = place(t);
  const secrets = openSecrets({ home, env: {}, envNames });
  if (!(await secrets.keychain())) return t.skip("this machine has no keychain that answers");
  assert.equal(await secrets.set("telegram", "in the keychain"), "keychain");
  assert.deepEqual(
    [await secrets.where("telegram"), await secrets.get("telegram"), await secrets.names()],
    ["keychain", "in the keychain", ["telegram"]],
  );
  assert.doesNotMatch(readFileSync(join(home, "secrets.json"), "utf8"), /in the keychain/);
  await secrets.remove("telegram");
  assert.equal(await secrets.get("telegram"), undefined);
});
