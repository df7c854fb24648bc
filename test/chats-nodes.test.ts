// Several Stewards on one store: what goes out is claimed by the one that has the channel, and by the next when that one is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import { openChats } from "../src/chats/chats.ts";
import { deadLetters } from "../src/chats/letters.ts";
import { deliverStray } from "../src/chats/stray.ts";
import type { Store } from "../src/core/store.ts";
import { sending } from "../src/run/outbox.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { until } from "../src/testing/channel-platform.ts";
import { keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

const at = { now: 1_800_000_000_000 };
const to = { channel: "post", chat: "c" };

/** The clock stands still unless it is moved: what is put off does not happen. */
function node(store: Store, config: Record<string, unknown> = { channels: { post: { enabled: true } } }, down?: { is: boolean }) {
  const channel = keepingChannel();
  const steward = harness({ store, model: scripted(() => []), now: () => at.now, config });
  const open = async () => (down?.is ? Promise.reject(new StewardError("unavailable", "The platform is away")) : channel);
  const kind = { name: "post", title: "Post", needs: [], guide: "", config: z.looseObject({}), open };
  steward.chats = openChats(() => steward, { load: async () => kind, names: () => ["post"], fetch: () => fetch });
  const worker = startWorker(steward, { name: "node", auto: false });
  const state = async (): Promise<string | undefined> => (await steward.chats.list())[0]?.state;
  return {
    ...{ steward, worker, state },
    is: (wanted: string) => until(async () => ((await state()) === wanted ? true : undefined), wanted),
    say: (text: string) => store.commit(sending({ person: "owner", to, text }, at.now)),
    sent: () => channel.sent.map(({ text }) => text),
  };
}

test("what another process can send goes there at once and is not tried in vain; the next one has it when that one is gone", async () => {
  const store = await sqlite(":memory:", { now: () => at.now });
  const [one, two, bare] = [node(store), node(store), node(store, {})];
  one.steward.chats.begin();
  await one.is("healthy");
  two.steward.chats.begin();
  await two.is("elsewhere");
  try {
    for (const text of ["first", "second"]) await one.say(text);
    await two.worker.drain();
    const due = (await store.jobs()).due;
    await two.worker.drain();
    assert.deepEqual([due, (await store.jobs()).due], [2, 2], "they wait for the other one and for nobody else");
    await one.worker.drain();
    assert.deepEqual([one.sent(), two.sent()], [["first", "second"], []]);
    await one.say("third");
    await bare.worker.drain();
    await one.worker.drain();
    assert.deepEqual(one.sent().at(-1), "third", "one that knows no such channel does not say that there is none");
    await one.say("fourth");
    await two.worker.drain();
    await one.steward.chats.close();
    await one.worker.drain();
    await two.steward.chats.again("post");
    await two.is("healthy");
    await two.worker.drain();
    assert.deepEqual([one.sent().length, two.sent()], [3, ["fourth"]]);
    await one.say("fifth");
    await bare.worker.drain();
    await two.steward.chats.close();
    assert.equal((await store.list("outbox/")).length, 1);
    await deliverStray(bare.steward, () => false);
    await bare.worker.drain();
    const ends = async () => (await deadLetters(bare.steward, OWNER)).map(({ text, error }) => [text, error]);
    assert.deepEqual(await ends(), [], "who had it waits for the platform, or is started anew");
    at.now += 73 * 3_600_000;
    await one.say("sixth");
    for (let n = 0; n < 2; n++) await bare.worker.drain();
    assert.deepEqual(
      (await ends()).toSorted(),
      [
        ["fifth", "post could not be reached for too long"],
        ["sixth", 'There is no channel "post" here'],
      ],
      "where nobody has the channel any more it ends",
    );
  } finally {
    await Promise.all([one, two].map(({ steward }) => steward.chats.close()));
    await store.close();
  }
});

test("while the one that has the channel waits for its platform, another one does not say that there is no such channel", async () => {
  const store = await sqlite(":memory:", { now: () => at.now });
  const down = { is: true };
  const [one, bare] = [node(store, undefined, down), node(store, {})];
  one.steward.chats.begin();
  try {
    await one.is("waiting");
    await one.say("answer");
    for (let minutes = 0; minutes < 3; minutes++) {
      await bare.worker.drain();
      at.now += 120_000;
    }
    assert.deepEqual([await deadLetters(bare.steward, OWNER), (await store.list("outbox/")).length], [[], 1]);
    down.is = false;
    await one.steward.chats.again("post");
    await one.is("healthy");
    await bare.worker.drain();
    await one.worker.drain();
    assert.deepEqual(one.sent(), ["answer"]);
    await one.say("later");
    one.steward.settings.config = () => bare.steward.settings.config();
    await one.steward.chats.refresh();
    await bare.worker.drain();
    assert.deepEqual(
      (await deadLetters(bare.steward, OWNER)).map(({ error }) => error),
      ['There is no channel "post" here'],
      "it was turned off: nobody waits for it",
    );
  } finally {
    await one.steward.chats.close();
    await store.close();
  }
});
