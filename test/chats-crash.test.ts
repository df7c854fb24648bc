// What goes out to chats and what is answered there, stopped before and after each commit; the platform outlives every process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Draft, draftKey } from "../src/chats/draft.ts";
import { deadLetters } from "../src/chats/letters.ts";
import { approve, pendingPairings } from "../src/chats/pairing.ts";
import { receive } from "../src/chats/receive.ts";
import type { Channel, Outgoing } from "../src/core/channel.ts";
import type { Store } from "../src/core/store.ts";
import type { Ask } from "../src/core/types.ts";
import { openAsks, opening } from "../src/run/asks.ts";
import { putFile } from "../src/run/files.ts";
import { type Letter, sending } from "../src/run/outbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import type { Steward } from "../src/run/steward.ts";
import { startWorker } from "../src/run/worker.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { mortal, type Mortal } from "../src/testing/mortal.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";

const TO = { channel: "post", chat: "c77" };
const PAIRED = { "paired/post/77": { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c77", at: 1, id: "p" } };

/** The platform: messages by their receipts, in order. */
interface Platform {
  messages: Map<string, Outgoing>;
  channel(more?: Partial<Channel>): Channel;
}
function platform(edits: boolean): Platform {
  const messages = new Map<string, Outgoing>();
  return {
    messages,
    channel: () => ({
      ...keepingChannel(),
      async send(_to, message) {
        const receipt = `r${messages.size + 1}`;
        messages.set(receipt, message);
        return receipt;
      },
      ...(edits ? { edit: async (_to, receipt, message) => void messages.set(receipt, message) } : {}),
    }),
  };
}

interface Case {
  edits?: boolean;
  before(steward: Steward): Promise<void>;
  /** Done again by each heir, as platforms and people do. */
  drive?(steward: Steward): Promise<unknown>;
  check(steward: Steward, at: Platform, where: string): Promise<void>;
}

async function stopped({ edits = false, before, drive, check }: Case): Promise<number> {
  let points = 0;
  for (const when of ["before", "after"] as const)
    for (let dieAt = 1; ; dieAt++) {
      const clock = { at: 1_800_000_000_000 };
      const home = temporary();
      const real = await sqlite(":memory:", { now: () => clock.at });
      const at = platform(edits);
      const life = (store: Store): Steward =>
        harness({
          ...{ store, home, now: () => clock.at, model: scripted(() => [{ text: "hello" }]) },
          channels: { post: at.channel() },
          config: { channels: { post: { enabled: true } } },
        });
      const first = life(real);
      await before(first);
      const doomed: Mortal = mortal(real, dieAt, when);
      for (const store of [doomed, real, real]) {
        const steward = life(store);
        await drive?.(steward).catch((error: unknown) => {
          if (store === doomed && !doomed.dead()) throw error;
        });
        await startWorker(steward, { name: "w", auto: false }).drain();
        clock.at += 70_000;
      }
      await check(first, at, `${when} commit ${dieAt}`);
      assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, `${when} commit ${dieAt}`);
      await real.close();
      if (!doomed.dead()) break;
      points++;
    }
  return points;
}

const letter = async (steward: Steward, more: Partial<Letter>): Promise<void> =>
  void (await steward.store.commit({ ...sending({ person: "owner", to: TO, text: "", ...more }, steward.now()) }));

test("three pieces, a file and buttons: each arrives at most once, in order; what nobody can know is said", async () => {
  const words = (mark: string): string => `${mark} ${"word ".repeat(700)}`.trim();
  const text = ["one", "two", "three"].map(words).join("\n\n");
  const points = await stopped({
    async before(steward) {
      const { id } = await putFile(steward, OWNER, { name: "a.txt", bytes: new Uint8Array([65]), limit: 10 });
      await letter(steward, { text, files: [id], buttons: [{ id: "b", label: "B" }] });
      await letter(steward, { text: "after" });
    },
    async check(steward, { messages }, where) {
      const sent = [...messages.values()].map((one) => (one.file ? one.file.name : one.text.split(" ")[0]));
      const all = ["one", "two", "three", "a.txt", "after"];
      assert.deepEqual(
        sent,
        all.filter((one) => sent.includes(one)),
        `${where}: in order, none twice`,
      );
      const unknown = (await deadLetters(steward, OWNER)).filter((one) => one.unknown).length;
      assert.ok(all.length - sent.length <= unknown, `${where}: ${sent.join()} and ${unknown} unknown`);
      const buttons = [...messages.values()].flatMap((one) => (one.buttons ? [one.text.split(" ")[0]] : []));
      assert.deepEqual(buttons, sent.includes("three") ? ["three"] : [], where);
    },
  });
  assert.ok(points >= 10, `${points} points`);
});

test("what has grown in the chat becomes the answer, wherever it is stopped: nothing is in doubt", async () => {
  await stopped({
    edits: true,
    async before(steward) {
      const receipt = await steward.channels["post"]!.send(TO, { text: "The whole …" }, "t1.draft");
      await steward.store.commit({ put: { [draftKey("t1")]: { to: TO, receipt } satisfies Draft } });
      await letter(steward, { text: "The whole answer", turn: "t1" });
    },
    async check(steward, { messages }, where) {
      assert.deepEqual([...messages.values()], [{ text: "The whole answer" }], where);
      assert.deepEqual(await deadLetters(steward, OWNER), [], where);
      assert.equal(await steward.store.get(draftKey("t1")), undefined, where);
    },
  });
});

const question = (session: string, kind: Ask["kind"]): Ask => ({
  ...{ id: "ask_1", session, turn: "t1", call: "c1", kind, prompt: "Which?", options: kind === "text" ? [] : ["red", "blue"] },
  ...{ openedAt: 0, expiresAt: 9e15 },
});

async function asked(steward: Steward, kind: Ask["kind"]): Promise<void> {
  await makeSession(steward, OWNER, { id: "ses_1" });
  await steward.store.commit({ put: { ...PAIRED, "p/owner/route/post/c77/": "ses_1" } });
  await steward.store.commit(opening("owner", question("ses_1", kind)));
}

async function answeredOnce(steward: Steward, choice: string, where: string): Promise<void> {
  const log = (await steward.store.events("ses_1")).map(({ event }) => event);
  assert.deepEqual(
    log.flatMap((event) => (event.type === "ask.answered" ? [event.answer.choice] : [])),
    [choice],
    where,
  );
  assert.deepEqual(
    log.filter(({ type }) => type === "message.received" || type === "turn.started"),
    [],
    `${where}: it was no message`,
  );
  assert.deepEqual(await openAsks(steward, OWNER), [], where);
}

test("a typed answer is one answer and no message, also when the platform brings it again after a stop", async () => {
  for (const [kind, said] of [
    ["text", "as you like"],
    ["choice", "Blue!"],
  ] as const)
    await stopped({
      before: (steward) => asked(steward, kind),
      drive: (steward) => Promise.all([0, 1].map(() => receive(steward, inbound("m1", "77", TO, said)))),
      check: (steward, _at, where) => answeredOnce(steward, kind === "text" ? said : "blue", where),
    });
});

test("a pressed button is one answer", async () => {
  await stopped({
    before: (steward) => asked(steward, "choice"),
    drive: (steward) => receive(steward, inbound("press:1", "77", TO, "", { kind: "press", press: "ask/ask_1/0" })),
    check: (steward, _at, where) => answeredOnce(steward, "red", where),
  });
});

test("a pairing is approved once and told once, wherever it is stopped", async () => {
  await stopped({
    before: async (steward) => void (await receive(steward, inbound("m1", "77", TO, "hi"))),
    async drive(steward) {
      const [pending] = await pendingPairings(steward);
      if (pending) await approve(steward, { channel: "post", code: pending.code, by: "owner" });
    },
    async check(steward, { messages }, where) {
      assert.equal((await steward.store.list("paired/post/")).length, 1, where);
      const texts = [...messages.values()].map(({ text }) => text.slice(0, 10));
      assert.ok(texts.filter((one) => one === "You are in").length <= 1, `${where}: ${texts.join()}`);
      assert.equal((await steward.store.list("person/chat_")).length, 1, where);
    },
  });
});
