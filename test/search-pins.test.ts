// A pin to local models holds for meanings too: what is said under it goes to no model elsewhere, not as a text, not as a question, not as something found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { choose } from "../src/commands/choose.ts";
import { choiceKey } from "../src/run/choice.ts";
import { instructions } from "../src/run/context.ts";
import { eraseSession } from "../src/run/erasure.ts";
import { say } from "../src/run/inbox.ts";
import { factKey, facts, openMemory } from "../src/run/memory.ts";
import { makeSession, sessionKey } from "../src/run/sessions.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { OWNER } from "./harness.ts";
import { place } from "./search-cases.ts";

async function pinnedPlace(local: boolean) {
  const at = await place({ store: await sqlite(":memory:"), config: { "memory.embedding": "far/model" } });
  at.steward.models.isLocal = async () => local;
  const { id } = await makeSession(at.steward, OWNER, {});
  await say(at.steward, OWNER, { session: id, parts: [{ type: "text", text: "a hound at home" }] });
  await at.steward.store.commit({ merge: { [sessionKey("owner", id)]: { pin: "local" } } });
  await at.speak("a dog outside");
  const search = async (session: string, words: string) =>
    (await openMemory(at.steward, OWNER, { journal: undefined as never, session, turn: "t" }).search(words, 9)).messages.map(
      ({ text }) => text,
    );
  return { ...at, pinned: id, search };
}

test("what is said under a pin is not sent to a model elsewhere, nor what is asked there, nor told to another session's model", async () => {
  const at = await pinnedPlace(false);
  await at.steward.search.sync(OWNER);
  assert.deepEqual(at.asked, [".", "a dog outside"]);
  assert.deepEqual(await at.search(at.pinned, "hound"), ["a hound at home"]);
  assert.deepEqual(at.asked.includes("hound"), false);
  assert.deepEqual(await at.search(at.session, "hound"), ["a dog outside"]);
  assert.deepEqual(at.asked.slice(2), ["hound"]);
});

test("a pin for a person or everybody sends nothing; a pin that comes later takes away what was known", async () => {
  const at = await pinnedPlace(false);
  await at.steward.search.sync(OWNER);
  const before = [...at.asked];
  await at.steward.store.commit({ put: { [choiceKey("owner")]: { pin: "local" } } });
  await at.speak("another puppy");
  const { vectors } = await at.steward.search.sync(OWNER);
  assert.deepEqual([vectors, at.asked], [0, before]);
  await at.find("puppy");
  assert.deepEqual(at.asked, before);
});

test("no session's model elsewhere gets a fact or a turn that a pin keeps here: not in its instructions, not by recall, not by forgetting it", async () => {
  const at = await pinnedPlace(false);
  const memoryOf = (session: string, turn = "t") => {
    const journal = { record: async () => "und_1", ids: [] } as unknown as Parameters<typeof openMemory>[2]["journal"];
    return openMemory(at.steward, OWNER, { journal, session, turn });
  };
  const [pinned, other] = [memoryOf(at.pinned), memoryOf(at.session)];
  const seen = async (session: string): Promise<string[]> => {
    const text = await instructions(at.steward, OWNER, { session, model: "far/away", windowFrom: Date.now() + 1000 });
    return ["diagnosis", "tea"].filter((word) => text.includes(word));
  };
  const { id } = await pinned.add("Has the diagnosis XYZ");
  await other.add("Likes tea");
  assert.deepEqual([(await other.list()).map(({ text }) => text), (await pinned.list()).length], [["Likes tea"], 2]);
  assert.deepEqual([await seen(at.session), await seen(""), await seen(at.pinned)], [["tea"], ["tea"], ["diagnosis", "tea"]]);
  const found = async (session?: string) =>
    (await at.steward.search.find(OWNER, { words: "diagnosis", limit: 5, ...(session ? { session } : {}) })).filter(
      ({ from }) => from === "fact",
    ).length;
  assert.deepEqual([await found(at.session), await found(at.pinned), await found()], [0, 1, 1]);
  await assert.rejects(other.remove(id), { code: "not_found" });
  await assert.rejects(other.turn(2, at.pinned), { code: "not_found" });
  assert.match(await pinned.turn(2), /a hound at home/);
  assert.match(await pinned.turn(2, at.session), /a dog outside/);
  await assert.rejects(pinned.edit("diagnosis", "XYZ"), { code: "denied" });
  await other.edit("drink", "tea");
  // It stays where it was kept when its session is gone; a pin that comes later takes what was kept before it.
  await at.steward.store.commit({ drop: [sessionKey("owner", at.pinned)] });
  assert.deepEqual(await seen(at.session), ["tea"]);
  await at.steward.store.commit({ merge: { [sessionKey("owner", at.session)]: { pin: "local" } } });
  assert.deepEqual([await seen(""), await seen(at.session)], [[], ["diagnosis", "tea"]]);
  await at.steward.store.commit({
    merge: { [sessionKey("owner", at.session)]: { pin: null } },
    put: { [choiceKey("owner")]: { pin: "local" } },
  });
  assert.deepEqual(await seen(at.session), ["diagnosis", "tea"], "all of this person's answers stay here");
});

test("a fact that an older version kept under a pin stays here when its session is unpinned or erased; one from before the pin only goes with it", async () => {
  const at = await pinnedPlace(false);
  const { store } = at.steward;
  const keep = (id: string, session: string) => store.commit({ put: { [factKey("owner", id)]: { id, text: id, at: 1, session } } });
  const pin = (session: string, value: "local" | null) => choose(at.steward, OWNER, { scope: "session", session, pin: value });
  const told = async () => (await facts(at.steward, OWNER, at.session)).map(({ text }) => text);
  await keep("old", at.pinned);
  await pin(at.pinned, null);
  assert.deepEqual(await told(), []);
  const { id: later } = await makeSession(at.steward, OWNER, {});
  await keep("before the pin", later);
  await store.commit({ merge: { [sessionKey("owner", later)]: { pin: "local" } } });
  assert.deepEqual(await told(), []);
  await pin(later, null);
  assert.deepEqual(await told(), ["before the pin"]);
  await store.commit({ merge: { [sessionKey("owner", later)]: { pin: "local", deletedAt: 1 } } });
  await store.commit(await eraseSession(at.steward, { person: "owner", session: later }));
  assert.deepEqual([await store.get(sessionKey("owner", later)), await told()], [undefined, []]);
});

test("facts of very many sessions, and of their helpers, are told apart without reading each session", async () => {
  const { steward, session, pinned } = await pinnedPlace(false);
  const rows = Array.from({ length: 300 }, (_, n) => ({ id: `ses_x${n}`, parent: n === 7 ? pinned : session }));
  await steward.store.commit({
    put: Object.fromEntries(
      rows.flatMap((doc) => [
        [sessionKey("owner", doc.id), doc],
        [factKey("owner", doc.id), { id: doc.id, text: "x", at: 1, session: doc.id }],
      ]),
    ),
  });
  const read: string[] = [];
  const { get } = steward.store;
  steward.store.get = (key) => (read.push(key), get(key));
  assert.equal((await facts(steward, OWNER, session)).length, 299);
  assert.ok(read.length < 10, `${read.length}`);
});

test("a model on this machine reads all of it", async () => {
  const at = await pinnedPlace(true);
  await at.steward.search.sync(OWNER);
  assert.deepEqual([...at.asked].sort(), [".", "a dog outside", "a hound at home"]);
});
