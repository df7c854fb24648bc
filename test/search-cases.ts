// What search must do over every index: messages, facts, files of the workspace, by words and by meaning; only theirs, and only what may be read.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Store } from "../src/core/store.ts";
import { usage } from "../src/money/sums.ts";
import type { Hit } from "../src/run/hits.ts";
import { say } from "../src/run/inbox.ts";
import { listSessions, makeSession, removeSession } from "../src/run/sessions.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";

/** A model for meanings by hand: each word has a direction, and some words share theirs. */
const SAME: Record<string, string> = { dog: "animal", hound: "animal", puppy: "animal", invoice: "money", bill: "money" };
export function vectorOf(text: string): number[] {
  const vector = Array.from({ length: 32 }, () => 0.001);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    const name = SAME[word] ?? word;
    let hash = 7;
    for (const char of name) hash = (hash * 31 + char.charCodeAt(0)) % 32;
    vector[hash]! += 1;
  }
  return vector.map((value) => value - 0.5);
}

export interface Options {
  store: Store;
  config?: Record<string, unknown>;
  home?: string;
}

export async function place({ store, config = {}, home = temporary() }: Options) {
  const steward = harness({ store, model: scripted(() => [{ text: "ok" }]), home, config, mode: "full" });
  const asked: string[] = [];
  steward.models.embed = async (_name, texts) => (asked.push(...texts), texts.map(vectorOf));
  const workspace = join(home, "workspace");
  const write = (name: string, text: string | Uint8Array): void => {
    mkdirSync(join(workspace, name, ".."), { recursive: true });
    writeFileSync(join(workspace, name), text);
  };
  const { id: session } = await makeSession(steward, OWNER, {});
  const speak = async (text: string): Promise<void> => void (await say(steward, OWNER, { session, parts: [{ type: "text", text }] }));
  return { steward, asked, workspace, write, session, speak, find: (words: string) => steward.search.find(OWNER, { words, limit: 20 }) };
}
export const told = (hits: Hit[]): string[] =>
  hits.map(
    (hit) =>
      `${hit.from} ${hit.from === "file" ? `${hit.path.split("/").at(-1)}:${hit.line}` : hit.from === "said" ? `#${hit.number}` : ""} ${hit.by}`,
  );

type Open = (config?: Record<string, unknown>) => ReturnType<typeof place>;
type Check = (title: string, body: (open: Open) => Promise<void>) => void;

/** `store` opens an empty database for each test. */
export function searchContract(name: string, store: () => Promise<Store>, skip: string | false = false): void {
  const check: Check = (title, body) =>
    test(`${name}: ${title}`, { skip }, async () => {
      const opened = await store();
      try {
        await body((config) => place({ store: opened, ...(config ? { config } : {}) }));
      } finally {
        await opened.close();
      }
    });
  finding(check);
  meaning(check);
  guarding(check);
}

function finding(check: Check): void {
  check("A-039 A-040 words: messages, files, facts, each with where it stands", async (open) => {
    const at = await open();
    await at.speak("The kitchen invoice of Frösche GmbH is 42 euros");
    at.write("notes/kitchen.md", "# Kitchen\n\nPaint it green.\n\nThe invoice of the kitchen came.\n");
    at.write("bin.dat", new Uint8Array([0, 1, 2]));
    at.write(".hidden/kitchen.md", "kitchen invoice");
    at.write("node_modules/x/kitchen.md", "kitchen invoice");
    assert.deepEqual(await at.steward.search.sync(OWNER).then(({ files, problems }) => ({ files, problems })), { files: 2, problems: [] });
    assert.deepEqual(told(await at.find("Kitchen INVO")).sort(), ["file kitchen.md:1 words", "said #2 words"]);
    assert.deepEqual(told(await at.find("frosche")), ["said #2 words"]);
    assert.deepEqual(await at.find("kitchen zebra"), []);
    await assert.rejects(at.find("  "), { code: "invalid" });
  });

  check("what changed is found anew, what is gone is gone", async (open) => {
    const at = await open();
    at.write("a.txt", "about wolves");
    await at.steward.search.sync(OWNER);
    at.write("a.txt", "about bears and much more");
    await at.steward.search.sync(OWNER);
    assert.deepEqual([told(await at.find("wolves")), told(await at.find("bears"))], [[], ["file a.txt:1 words"]]);
    rmSync(join(at.workspace, "a.txt"));
    await at.steward.search.sync(OWNER);
    assert.deepEqual(await at.find("bears"), []);
  });
}

function meaning(check: Check): void {
  check("meaning: other words for the same are found, by the model that is set; another model begins anew", async (open) => {
    const at = await open({ "memory.embedding": "first/model" });
    await at.speak("My hound likes the garden");
    at.write("money.txt", "The bill came on Monday");
    const { vectors } = await at.steward.search.sync(OWNER);
    assert.equal(vectors, 2);
    assert.deepEqual(told(await at.find("puppy"))[0], "said #2 meaning");
    assert.deepEqual(told(await at.find("invoice"))[0], "file money.txt:1 meaning");
    assert.deepEqual(told(await at.find("bill"))[0], "file money.txt:1 both");
    at.steward.models.embed = async (_name, texts) => texts.map((text) => vectorOf(text).slice(0, 16));
    at.steward.settings.set("memory.embedding", "second/model");
    assert.equal((await at.steward.search.sync(OWNER)).vectors, 2);
  });

  check("a model that does not answer leaves the words, and is asked again later", async (open) => {
    const at = await open({ "memory.embedding": "first/model" });
    at.steward.models.embed = () => Promise.reject(new Error("down"));
    await at.speak("A hound");
    assert.deepEqual(told(await at.find("hound")), ["said #2 words"]);
    at.steward.models.embed = async (_name, texts) => texts.map(vectorOf);
    assert.equal((await at.steward.search.sync(OWNER)).vectors, 1);
    assert.deepEqual(told(await at.find("puppy")), ["said #2 meaning"]);
  });

  for (const ceiling of ["budget.person.day", "budget.unattendedTurn"])
    check(`meanings count in the ledger, and none is asked for above ${ceiling}`, async (open) => {
      const price = { input: 1000, output: 0 };
      const at = await open({ "memory.embedding": "near/embed", prices: { "near/embed": price }, [ceiling]: 0.02 });
      at.write("a.txt", "a dog");
      await at.steward.search.sync(OWNER);
      assert.deepEqual(at.asked, [".", "a dog"]);
      assert.ok((await usage(at.steward, { person: "owner", from: "2000-01-01", to: "2100-01-01", by: "engine" })).total.cost > 0);
      at.write("b.txt", "expensive ".repeat(100));
      const { problems } = await at.steward.search.sync(OWNER);
      assert.match(problems.join(), /Meanings are missing: .*budget/);
      assert.deepEqual(at.asked, [".", "a dog"]);
    });
}

function guarding(check: Check): void {
  check("commands and their answers are given to no model for meanings", async (open) => {
    const at = await open({ "memory.embedding": "first/model" });
    await at.speak("/whoami");
    await at.speak("/approve telegram ABCD-EFGH-JKLM");
    await at.speak("a hound");
    await at.steward.search.sync(OWNER);
    assert.deepEqual(at.asked, [".", "a hound"]);
    assert.deepEqual(told(await at.find("puppy")), ["said #6 meaning"]);
  });

  check("what may not be shown hides nothing that stands behind it", async (open) => {
    const at = await open();
    const { id } = await makeSession(at.steward, OWNER, {});
    await at.speak("the invoice of the roof");
    const drafts = Array.from({ length: 520 }, (_, n) => ({ type: "text" as const, text: `invoice draft ${n}` }));
    await at.steward.store.commit({
      events: drafts.map((part, n) => ({ session: id, event: { type: "message.received", id: `msg_${n}`, from: "owner", parts: [part] } })),
    });
    const sessions = async () => (await listSessions(at.steward, OWNER, { q: "invoice" })).sessions.map((one) => one.id);
    assert.deepEqual(await sessions().then((ids) => ids.sort()), [at.session, id].sort());
    await removeSession(at.steward, OWNER, id);
    assert.deepEqual([told(await at.find("invoice")), await sessions()], [["said #2 words"], [at.session]]);
  });

  check("another person's messages and files are not found, a deleted session's neither", async (open) => {
    const at = await open({ "memory.embedding": "first/model" });
    const bea = { person: "bea", role: "member", via: "page" } as const;
    await at.speak("The owner's secret hound");
    await at.steward.search.sync(OWNER);
    assert.deepEqual(
      await at.steward.search.find(bea, { words: "hound", limit: 5 }).then((hits) => hits.filter(({ from }) => from === "said")),
      [],
    );
    await removeSession(at.steward, OWNER, at.session);
    assert.deepEqual([told(await at.find("hound")), told(await at.find("puppy"))], [[], []]);
    await at.steward.search.sync(OWNER);
    assert.deepEqual(told(await at.find("puppy")), []);
  });

  check("a blocked path is not read", async (open) => {
    const at = await open();
    at.write("private/diary.txt", "a dragon");
    at.steward.permissions.merge({ capabilities: { filesystem: { restrictions: { blocked_paths: [join(at.workspace, "private")] } } } });
    await at.steward.search.sync(OWNER);
    assert.deepEqual(await at.find("dragon"), []);
  });

  check(
    "what was read before its path was blocked, or files were switched off, is not found any more, also by its meaning",
    async (open) => {
      const at = await open({ "memory.embedding": "near/embed" });
      at.write("diary.txt", "a dragon");
      at.write("other.txt", "a dragon too");
      await at.steward.search.sync(OWNER);
      assert.deepEqual((await at.find("dragon")).map((hit) => hit.from === "file" && hit.path.split("/").at(-1)).sort(), [
        "diary.txt",
        "other.txt",
      ]);
      at.steward.permissions.merge({
        capabilities: { filesystem: { restrictions: { blocked_paths: [join(at.workspace, "diary.txt")] } } },
      });
      await at.steward.search.sync(OWNER);
      assert.deepEqual(
        (await at.find("dragon")).map((hit) => hit.from === "file" && hit.path.split("/").at(-1)),
        ["other.txt"],
      );
      at.steward.permissions.merge({ capabilities: { filesystem: { enabled: false } } });
      assert.deepEqual(await at.find("dragon"), []);
    },
  );
}
