// Whether what is said in a chat is still read by those for whom it is meant, and by nobody else: seen each time that something is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deadLetters } from "../src/chats/letters.ts";
import { unpair } from "../src/chats/pairing.ts";
import { receive } from "../src/chats/receive.ts";
import { mayGrow } from "../src/chats/reach.ts";
import type { Channel, Inbound } from "../src/core/channel.ts";
import { sending } from "../src/run/outbox.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

const PAIRED = { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c77", at: 1, id: "p" };
const chatOf = (chat: string) => ({ channel: "post", chat });

async function place(given: { config?: Record<string, unknown>; channel?: Partial<Channel>; paired?: boolean } = {}) {
  const at = { now: 1_800_000_000_000 };
  const channel = Object.assign(keepingChannel(), given.channel);
  const steward = harness({
    store: await sqlite(":memory:", { now: () => at.now }),
    model: scripted(() => [{ text: "hello" }]),
    channels: { post: channel },
    now: () => at.now,
    config: { channels: { post: { enabled: true, ...given.config } } },
  });
  if (given.paired !== false) await steward.store.commit({ put: { "paired/post/77": PAIRED } });
  const worker = startWorker(steward, { name: "w", auto: false });
  let count = 0;
  return {
    ...{ steward, channel, at, drain: () => worker.drain() },
    async hear(text: string, more: Partial<Inbound> & { chat?: string } = {}): Promise<void> {
      const { chat = "c77", ...rest } = more;
      const entry = steward.settings.config().channels["post"];
      await receive(steward, inbound(`m${++count}`, "77", chatOf(chat), text, rest), { entry, channel });
    },
    async send(text: string, chat = "c77"): Promise<void> {
      await steward.store.commit(sending({ person: "owner", to: chatOf(chat), text }, at.now));
      await worker.drain();
    },
    texts: () => channel.sent.map(({ text }) => text),
    reasons: async () => (await deadLetters(steward, OWNER)).map(({ error }) => error),
  };
}

test("S-36: where it can't be asked who reads in a room, what is to be said there waits; only readers who are known end it", async () => {
  const answer: { readers: () => Promise<string[] | undefined> } = { readers: async () => ["77"] };
  const config = { groups: { room: { people: ["77"] } } };
  const one = await place({ config, channel: { readers: () => answer.readers() } });
  await one.hear("just me", { chat: "room", where: "group", addressed: true });
  for (const error of [new Error("429"), new StewardError("unavailable", "Down", { retryAt: one.at.now + 60_000 })]) {
    answer.readers = () => Promise.reject(error);
    await one.drain();
    assert.deepEqual([one.texts(), await one.reasons()], [[], []]);
    one.at.now += 6000;
  }
  answer.readers = async () => ["77"];
  await one.drain();
  assert.deepEqual(one.texts(), [], "the platform said until when");
  one.at.now += 60_000;
  await one.drain();
  assert.deepEqual(one.texts(), ["hello"]);
  answer.readers = () => Promise.reject(new StewardError("unavailable", "Down"));
  await one.send("late", "room");
  one.at.now += 73 * 3_600_000;
  await one.drain();
  for (const gone of [async () => undefined, () => Promise.reject(new StewardError("denied", "Not in it any more"))]) {
    answer.readers = gone;
    await one.send("private", "room");
  }
  const others = "Others can read there now";
  assert.deepEqual(
    [(await one.reasons()).toSorted(), one.texts()],
    [[others, others, "The platform does not say just now who reads there"], ["hello"]],
  );
});

test("S-29: to whoever was taken out nothing is sent in any of their chats, by a pairing or a list", async () => {
  const one = await place();
  for (const chat of ["c77", "other"]) await one.hear("hi", { chat });
  await one.drain();
  await unpair(one.steward, "post", "77");
  for (const chat of ["c77", "other"]) await one.send("private", chat);
  assert.deepEqual(one.texts(), ["hello", "hello"]);
  await one.steward.store.commit({ put: { "paired/post/77": { ...PAIRED, person: "mia" } } });
  await one.send("private", "other");
  assert.deepEqual(
    await one.reasons(),
    Array.from({ length: 3 }, () => "Nobody is let in there any more"),
  );
  const two = await place({ paired: false, config: { allow: { "77": "owner" } } });
  await two.hear("hi");
  await two.drain();
  assert.equal(await mayGrow(two.steward, chatOf("c77"), "owner"), true);
  const { config } = two.steward.settings;
  two.steward.settings.config = () => ({ ...config(), channels: { post: { ...config().channels["post"]!, allow: {} } } });
  await two.send("private");
  assert.deepEqual([two.texts(), await mayGrow(two.steward, chatOf("c77"), "owner")], [["hello"], false]);
});

test("S-36: where conversations of two can grow, nothing is sent any more once others came in", async () => {
  let readers = ["77"];
  const one = await place({ channel: { readers: async () => readers, grows: true } });
  await one.hear("hi");
  await one.drain();
  assert.equal(await mayGrow(one.steward, chatOf("c77"), "owner"), true);
  readers = ["77", "@spouse"];
  await one.send("private");
  assert.deepEqual([one.texts(), await one.reasons()], [["hello"], ["Others can read there now"]]);
  assert.equal(await mayGrow(one.steward, chatOf("c77"), "owner"), false);
});
