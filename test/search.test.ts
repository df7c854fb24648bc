// Search over a SQLite file for each person: what every index must do, and what is peculiar to the file.
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { say } from "../src/run/inbox.ts";
import { eraseSession } from "../src/run/erasure.ts";
import { listSessions, makeSession, sessionKey } from "../src/run/sessions.ts";
import { chunksOf } from "../src/search/chunks.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { OWNER } from "./harness.ts";
import { place, searchContract, told } from "./search-cases.ts";

const open = () => sqlite(":memory:");
searchContract("sqlite", open);

test("forgetting a person removes their file, and only theirs", async () => {
  const at = await place({ store: await open() });
  const files = (): number => readdirSync(join(at.steward.home, "search")).filter((name) => name.endsWith(".db")).length;
  await at.steward.search.sync(OWNER);
  await at.steward.search.sync({ person: "bea", role: "member", via: "page" });
  assert.equal(files(), 2);
  await at.steward.search.forget("owner");
  assert.equal(files(), 1);
});

const fileOf = (home: string): DatabaseSync => {
  const folder = join(home, "search");
  return new DatabaseSync(
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith(".db"))!,
    ),
  );
};

test("what an older version read is read anew: without commands", async () => {
  const at = await place({ store: await open(), config: { "memory.embedding": "first/model" } });
  await at.speak("a hound");
  await at.steward.search.sync(OWNER);
  const db = fileOf(at.steward.home);
  db.exec(
    "UPDATE document SET version = rtrim(rtrim(version, '2')); INSERT INTO piece (ref, place, at, text) SELECT ref, 9, 9, '/whoami' FROM document",
  );
  await at.steward.search.sync(OWNER);
  assert.deepEqual(
    db
      .prepare("SELECT text FROM piece")
      .all()
      .map(({ text }) => text),
    ["a hound"],
  );
  assert.deepEqual(at.asked, [".", "a hound", "a hound"]);
});

test("the text of an erased session is no longer in the file, whether or not meanings are still kept", async () => {
  const at = await place({ store: await open() });
  at.steward.settings.set("memory.embedding", "first/model");
  const rows = (): unknown[] =>
    fileOf(at.steward.home)
      .prepare("SELECT text FROM piece")
      .all()
      .map(({ text }) => text);
  const erased = async (text: string, erase: (id: string) => Promise<void>): Promise<void> => {
    const { id } = await makeSession(at.steward, OWNER, {});
    await say(at.steward, OWNER, { session: id, parts: [{ type: "text", text }] });
    await at.steward.search.sync(OWNER);
    assert.deepEqual(rows(), [text]);
    await at.steward.store.commit({ merge: { [sessionKey("owner", id)]: { deletedAt: 1 } } });
    await erase(id);
    assert.deepEqual(rows(), []);
  };
  await erased("secret one", async (id) => {
    await at.steward.store.commit(await eraseSession(at.steward, { person: "owner", session: id }));
    assert.equal((await at.steward.store.events(id)).length, 0);
  });
  await erased("secret two", async () => {
    at.steward.settings.set("memory.embedding", undefined);
    await at.steward.search.sync(OWNER);
  });
  const vectors = (): unknown => fileOf(at.steward.home).prepare("SELECT count(*) AS n FROM meaning_rowids").get()?.["n"];
  const before = vectors();
  at.steward.settings.set("memory.embedding", "first/model");
  await at.steward.search.sync(OWNER);
  assert.deepEqual([before, vectors()], [1, 0]);
});

test("erasing asks no model for meanings, waits for no look, and leaves no vector behind", async () => {
  const at = await place({ store: await open(), config: { "memory.embedding": "first/model" } });
  await at.speak("a hound");
  await at.steward.search.erase("owner", [at.session]);
  assert.deepEqual(at.asked, []);
  const { embed } = at.steward.models;
  let [asks, answer] = [(): void => {}, (): void => {}];
  const asked = new Promise<void>((resolve) => (asks = resolve));
  const answered = new Promise<void>((resolve) => (answer = resolve));
  at.steward.models.embed = async (name, texts) => {
    if (texts[0] !== ".") {
      asks();
      await answered;
    }
    return embed(name, texts);
  };
  const looking = at.steward.search.sync(OWNER);
  await asked;
  await at.steward.search.erase("owner", [at.session]);
  answer();
  const { pieces, vectors } = await looking;
  const left = fileOf(at.steward.home).prepare("SELECT count(*) AS n FROM meaning_rowids").get()?.["n"];
  assert.deepEqual([pieces, vectors, left], [0, 0, 0]);
});

test("the list of sessions reads what the words are found in until each session is there, and never all of it", async () => {
  const at = await place({ store: await open() });
  const { store } = at.steward;
  const drafts = (many: number, word: string) => ({
    events: Array.from({ length: many }, (_, n) => ({
      session: at.session,
      event: {
        type: "message.received" as const,
        id: `msg_${word}${n}`,
        from: "owner",
        parts: [{ type: "text" as const, text: `${word} ${n}` }],
      },
    })),
  });
  await store.commit(drafts(600, "invoice"));
  const read: number[] = [];
  const { search } = store;
  store.search = async (...asked) => (read.push(asked[2]), search(...asked));
  const list = async (q: string) => (await listSessions(at.steward, OWNER, { q, limit: 50 })).sessions.map(({ id }) => id);
  assert.deepEqual([await list("invoice"), read.splice(0)], [[at.session], [500]]);
  await makeSession(at.steward, OWNER, { title: "About something else" });
  await store.commit(drafts(4100, "bill"));
  assert.deepEqual([await list("bill"), read], [[at.session], [500, 4000]]);
});

test("an index that is damaged is made anew", async () => {
  const at = await place({ store: await open() });
  at.write("a.txt", "about wolves");
  await at.steward.search.sync(OWNER);
  at.steward.search.close();
  const folder = join(at.steward.home, "search");
  const [file] = readdirSync(folder).filter((name) => name.endsWith(".db"));
  await new Promise((resolve) => setImmediate(resolve));
  for (const end of ["-wal", "-shm"]) rmSync(join(folder, `${file}${end}`), { force: true });
  writeFileSync(join(folder, file!), "this is no database, but it is long enough to be looked at as one".repeat(50));
  assert.equal((await at.steward.search.sync(OWNER)).files, 1);
  assert.deepEqual(told(await at.find("wolves")), ["file a.txt:1 words"]);
  assert.ok(existsSync(join(folder, file!)));
});

test("pieces hold every line, in order, none too long", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.lorem({ maxCount: 400 }), fc.constant("")), { maxLength: 60 }), (lines) => {
      const text = lines.join("\n");
      const chunks = chunksOf(text);
      const squeeze = (one: string): string => one.replaceAll(/\s+/g, "");
      assert.equal(squeeze(chunks.map(({ text: piece }) => piece).join("")), squeeze(text));
      assert.ok(chunks.every(({ text: piece }) => piece.length <= 1300));
    }),
  );
});
