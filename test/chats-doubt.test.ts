// Sends whose outcome nobody heard: looked up where the platform can tell, sent once more where that is the same message, else said to be in doubt.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Draft, draftKey } from "../src/chats/draft.ts";
import { deadLetters } from "../src/chats/letters.ts";
import type { Channel } from "../src/core/channel.ts";
import { sending } from "../src/run/outbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { until } from "../src/testing/channel-platform.ts";
import { keepingChannel, type Sent } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

interface Given {
  /** What each send throws, in order. */
  fails: (error: Sent) => unknown;
  channel?: Partial<Channel>;
  /** It answers a turn, of which this was begun to be shown. */
  draft?: Omit<Draft, "to">;
}

const TO = { channel: "post", chat: "c" };

async function delivered({ fails, channel, draft }: Given) {
  const at = { now: 1_800_000_000_000 };
  const tries: string[] = [];
  const post = Object.assign(
    keepingChannel((sent) => {
      tries.push(sent.key);
      return fails(sent);
    }),
    channel,
  );
  const steward = harness({
    store: await sqlite(":memory:", { now: () => at.now }),
    model: scripted(() => []),
    channels: { post },
    now: () => at.now,
    config: { channels: { post: { enabled: true } } },
  });
  const worker = startWorker(steward, { name: "w", auto: false });
  const turn = draft ? { turn: "t1" } : {};
  const { put, jobs } = sending({ person: "owner", to: TO, text: "hello", ...turn }, at.now, "dlv_1");
  await steward.store.commit({ put: { ...put, ...(draft ? { [draftKey("t1")]: { to: TO, ...draft } } : {}) }, jobs });
  for (let round = 0; round < 14; round++) {
    await worker.drain();
    at.now += 600_000;
  }
  const letters = (await deadLetters(steward, OWNER)).map(({ unknown, text }) => ({ unknown, text }));
  const waiting = (await steward.store.list("outbox/")).length;
  await steward.store.close();
  return { tries: tries.length, keys: new Set(tries).size, sent: post.sent.length, letters, waiting };
}

const lost = (): Error => new Error("socket hang up");
const once = (error: () => unknown): (() => unknown) => {
  const all = [error()];
  return () => all.shift();
};

test("what arrived although nobody heard is found, also when looking fails at first; it is not sent again", async () => {
  const looks: unknown[] = [];
  const lookup: Channel["lookup"] = async (_to, key, was) => {
    looks.push([/^dlv_.*1\.0$/.test(key), was?.message.text, was?.since]);
    if (looks.length === 1) throw new StewardError("unavailable", "The platform is away");
    return "receipt-9";
  };
  assert.deepEqual(await delivered({ fails: once(lost), channel: { lookup } }), {
    ...{ tries: 1, keys: 1, sent: 0, letters: [], waiting: 0 },
  });
  assert.deepEqual(looks, [
    [true, "hello", 1_800_000_000_000],
    [true, "hello", 1_800_000_000_000],
  ]);
});

test("what is not there is sent again; so is what is the same message under its key", async () => {
  const again = { tries: 2, keys: 1, sent: 1, letters: [], waiting: 0 };
  assert.deepEqual(await delivered({ fails: once(lost), channel: { lookup: async () => undefined } }), again);
  assert.deepEqual(await delivered({ fails: once(lost), channel: { repeatable: true } }), again);
});

test("where nobody can know it is said, and what stays unclear is not tried for ever", async () => {
  const doubt = [{ unknown: true, text: "hello" }];
  assert.deepEqual(await delivered({ fails: once(lost) }), { tries: 1, keys: 1, sent: 0, letters: doubt, waiting: 0 });
  const never = await delivered({ fails: lost, channel: { repeatable: true } });
  assert.deepEqual(never, { tries: 11, keys: 1, sent: 0, letters: doubt, waiting: 0 });
  const cannot = async () => Promise.reject(new StewardError("internal", "It was too long ago"));
  assert.deepEqual((await delivered({ fails: once(lost), channel: { lookup: cannot } })).letters, doubt);
});

test("an answer whose beginning nobody heard of is sent: in its place when that is found, whole when it is not there, labelled when nobody can know", async () => {
  const first = { text: "hel …", since: 1_799_999_999_000 };
  const shown = async (lookup: NonNullable<Channel["lookup"]>, fails: Given["fails"] = () => undefined) => {
    const texts: string[] = [];
    const edit: Channel["edit"] = async (_to, receipt, { text }) => void texts.push(`${receipt}: ${text}`);
    const noting = (sent: Sent): unknown => {
      const error = fails(sent);
      if (error === undefined) texts.push(sent.text);
      return error;
    };
    const { letters, waiting } = await delivered({ draft: { first }, fails: noting, channel: { edit, lookup } });
    return { texts, letters, waiting };
  };
  const known: Channel["lookup"] = async (_to, key, was) => {
    assert.deepEqual([key, was?.message, was?.since], ["t1.draft", { text: first.text }, first.since]);
    return "r1";
  };
  assert.deepEqual(await shown(known), { texts: ["r1: hello"], letters: [], waiting: 0 });
  assert.deepEqual(await shown(async () => undefined), { texts: ["hello"], letters: [], waiting: 0 });
  const label = "(Whole, in case a part of it stands above:)\n\nhello";
  const looked: (string | undefined)[] = [];
  const forgotten: Channel["lookup"] = async (_to, key, was) => {
    looked.push(was?.message.text);
    if (key === "t1.draft") throw new StewardError("internal", "Nobody knows any more what was sent");
    return undefined;
  };
  assert.deepEqual(await shown(forgotten, once(lost)), { texts: [label], letters: [], waiting: 0 });
  assert.deepEqual(looked, [first.text, label], "it is looked for as it was sent, and its beginning not once more");
});

test("what is looked for is told apart from what has a receipt: pieces of the same message, and what its session was told before", async () => {
  const known: (string[] | undefined)[] = [];
  const errors = [undefined, undefined, lost()];
  const channel = Object.assign(
    keepingChannel(() => errors.shift()),
    { lookup: (async (_to, _key, was) => void known.push(was?.known)) satisfies Channel["lookup"] },
  );
  channel.limits.text = 10;
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => []), channels: { post: channel } });
  const worker = startWorker(steward, { name: "w", auto: false });
  await makeSession(steward, OWNER, { id: "ses_1" });
  for (const text of ["before", "one one\n\none one"]) {
    await steward.store.commit(sending({ person: "owner", to: TO, text, session: "ses_1" }, Date.now()));
    await worker.drain();
  }
  await until(async () => {
    await worker.drain();
    return known.length > 0 ? true : undefined;
  }, "it is looked for");
  assert.deepEqual(known, [["receipt-2", "receipt-1"]]);
  await steward.store.close();
});
