// Notices to people: the channel that they prefer, quiet hours, urgent ones that go on until read; over a stop, once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { noticesOf, readNotice, setPreferences } from "../src/notices/notices.ts";
import { quietUntil } from "../src/notices/quiet.ts";
import { receive } from "../src/chats/receive.ts";
import { startWorker } from "../src/run/worker.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import taskTools from "../src/tools/task.ts";
import { harness, OWNER } from "./harness.ts";
import { start as begin } from "./turns-place.ts";

const NIGHT = Date.UTC(2026, 0, 10, 23, 30);
const pairing = (channel: string) => ({
  [`paired/${channel}/77`]: { channel, from: "77", person: "owner", role: "owner", name: "", chat: "c7", at: 1, id: channel },
});

async function start() {
  const at = { now: NIGHT };
  const [one, two] = [keepingChannel(), keepingChannel()];
  const steward = harness({
    store: await sqlite(":memory:", { now: () => at.now }),
    model: scripted(() => [{ text: "hello" }]),
    channels: { one, two },
    now: () => at.now,
    config: { channels: { one: { enabled: true }, two: { enabled: true } } },
  });
  await steward.store.commit({ put: { ...pairing("one"), ...pairing("two") } });
  const worker = startWorker(steward, { name: "w", auto: false });
  const after = async (minutes: number): Promise<number[]> => {
    at.now += minutes * 60_000;
    await worker.drain();
    return [one.sent.length, two.sent.length];
  };
  return { steward, one, two, after, at };
}

test("it goes once, by the channel that the person prefers, and waits for the end of quiet hours", async () => {
  const { steward, one, two, after } = await start();
  await setPreferences(steward, "owner", { channels: ["two"], quiet: { from: "22:00", to: "07:00" } });
  await steward.notices.tell("owner", { text: "The backup is done", key: "k1", from: "schedule Backup" });
  await steward.notices.tell("owner", { text: "The backup is done", key: "k1", from: "schedule Backup" });
  assert.deepEqual(await after(0), [0, 0]);
  assert.deepEqual(await after(449), [0, 0]);
  assert.deepEqual(await after(2), [0, 1]);
  assert.deepEqual(await after(600), [0, 1]);
  assert.equal(two.sent[0]!.text, "**schedule Backup**\n\nThe backup is done");
  assert.deepEqual(
    (await noticesOf(steward, "owner")).map(({ sent }) => sent),
    [["two"]],
  );
  assert.deepEqual(one.sent, []);
});

test("an urgent one comes at once and goes on until it is read; any word of the person, or its button, reads it", async () => {
  const { steward, one, after } = await start();
  await setPreferences(steward, "owner", { quiet: { from: "22:00", to: "07:00" }, escalateMinutes: 5 });
  await steward.notices.tell("owner", { text: "The cellar is wet", key: "k1", from: "Note", urgent: true });
  assert.deepEqual(await after(0), [1, 0]);
  assert.deepEqual(await after(4), [1, 0]);
  assert.deepEqual(await after(2), [1, 1]);
  assert.deepEqual(await after(6), [2, 1]);
  const button = one.sent[0]!.buttons![0]!.id;
  assert.deepEqual(await receive(steward, inbound("p1", "77", { channel: "one", chat: "c7" }, "", { kind: "press", press: button })), {
    text: "Thank you.",
  });
  assert.deepEqual(await after(60), [2, 1]);
  await steward.notices.tell("owner", { text: "Again", key: "k2", from: "Note", urgent: true });
  assert.deepEqual(await after(0), [3, 1]);
  await receive(steward, inbound("m1", "77", { channel: "one", chat: "c7" }, "I am here"));
  assert.deepEqual(await after(60), [4, 1], "only the answer");
});

test("nobody is told without end, nor by the channel that is the trouble", async () => {
  const { steward, after } = await start();
  await steward.notices.tell("owner", { text: "one is deaf", key: "k1", from: "channel one", urgent: true, not: "one" });
  for (let n = 0; n < 20; n++) await after(11);
  assert.deepEqual(await after(11), [0, 3]);
  const [notice] = await noticesOf(steward, "owner");
  await readNotice(steward, "owner", notice!.id);
  await assert.rejects(readNotice(steward, "owner", "ntc_x"), { code: "not_found" });
});

test("quiet hours are those of the wall, also when clocks change and over midnight", () => {
  const zone = "Europe/Berlin";
  const night = { from: "22:00", to: "07:00" };
  const hours = (from: number): number | undefined => {
    const until = quietUntil(night, { now: from, zone });
    return until === undefined ? undefined : (until - from) / 3_600_000;
  };
  assert.equal(hours(Date.UTC(2026, 2, 28, 21, 0)), 8, "the night of 23 hours");
  assert.equal(hours(Date.UTC(2026, 9, 24, 20, 0)), 10, "the night of 25 hours");
  assert.equal(hours(Date.UTC(2026, 0, 10, 12, 0)), undefined);
  assert.equal(quietUntil({ from: "12:00", to: "12:00" }, { now: 0, zone }), undefined);
  assert.equal(quietUntil({ from: "01:00", to: "02:00" }, { now: Date.UTC(2026, 0, 1, 1, 30), zone: "UTC" }), Date.UTC(2026, 0, 1, 2, 0));
});

test("a word of the person reads what was urgent and came, not what waits for the end of quiet hours", async () => {
  const { steward, one, after } = await start();
  await setPreferences(steward, "owner", { quiet: { from: "22:00", to: "07:00" } });
  await steward.notices.tell("owner", { text: "Not urgent", key: "k1", from: "Note" });
  await steward.notices.tell("owner", { text: "Urgent", key: "k2", from: "Note", urgent: true });
  await after(0);
  await steward.notices.here("owner");
  const read = (await noticesOf(steward, "owner")).map(({ text, readAt }) => [text, readAt !== undefined]);
  assert.deepEqual(read.toSorted(), [
    ["Not urgent", false],
    ["Urgent", true],
  ]);
  await after(451);
  assert.equal(one.sent.at(-1)!.text, "**Note**\n\nNot urgent");
});

test("what waits for the end of quiet hours comes within minutes once they are taken away", async () => {
  const { steward, after } = await start();
  await setPreferences(steward, "owner", { quiet: { from: "22:00", to: "07:00" } });
  await steward.notices.tell("owner", { text: "Hello", key: "k1", from: "Note" });
  assert.deepEqual(await after(0), [0, 0]);
  await setPreferences(steward, "owner", { quiet: undefined });
  assert.deepEqual(await after(5), [1, 0]);
});

test("a channel that was taken out is nobody's way any more", async () => {
  const { steward, one, after } = await start();
  await steward.store.commit({ put: pairing("gone") });
  await setPreferences(steward, "owner", { channels: ["gone", "one"] });
  await steward.notices.tell("owner", { text: "Hello", key: "k1", from: "Note" });
  await after(0);
  assert.equal(one.sent.length, 1);
});

test("quiet hours end when their last minute is one that the clock leaves out", () => {
  const zone = "Europe/Berlin";
  const now = Date.UTC(2026, 2, 29, 0, 30);
  assert.equal(quietUntil({ from: "22:00", to: "02:30" }, { now, zone }), Date.UTC(2026, 2, 29, 1, 0));
});

test("a task that is ready where no chat hears of it and nobody looks is pointed at, once; the result itself stands in the session", async () => {
  const channel = keepingChannel();
  const one = await begin(
    (_count, prompt) => {
      if (prompt.includes("You are a subagent")) return [{ text: "The answer is 42." }];
      if (prompt.includes("is ready")) return [{ text: "It is 42." }];
      if (prompt.includes('"tool-result"')) return [{ text: "On it." }];
      return [{ call: "task", input: { do: "start", name: "Deep", text: "Find the answer." } }];
    },
    { tools: taskTools, channels: { one: channel }, config: { channels: { one: { enabled: true } } } },
  );
  await one.steward.store.commit({ put: pairing("one") });
  const told = async () => (await noticesOf(one.steward, "owner")).map(({ from, text, session }) => ({ from, text, session }));
  const results = async () => (await one.events()).filter((event) => event.type === "message.received" && event.source === "agent").length;
  const off = one.steward.notices.looking(one.session);
  await one.say("go");
  await one.worker.drain();
  assert.deepEqual([await told(), await results()], [[], 1], "somebody looks");
  off();
  const [task] = await one.steward.tasks.list(OWNER);
  await one.steward.tasks.resume(OWNER, task!.id, {});
  await one.worker.drain();
  await one.worker.drain();
  assert.deepEqual([await told(), await results()], [[{ from: "Task Deep", text: "Deep is ready.", session: one.session }], 2]);
  assert.deepEqual(
    channel.sent.map(({ text }) => text),
    ["**Task Deep**\n\nDeep is ready."],
  );
});

test("an urgent one that comes after the quiet hours is read by the next word, though the person spoke while it waited", async () => {
  const { steward, after } = await start();
  await setPreferences(steward, "owner", { quiet: { from: "22:00", to: "07:00" }, urgentAlways: false });
  const told = { text: "Urgent", key: "k", from: "Note", urgent: true };
  const isRead = async () => (await noticesOf(steward, "owner"))[0]!.readAt !== undefined;
  await steward.notices.tell("owner", told);
  await after(0);
  await steward.notices.here("owner");
  assert.equal(await isRead(), false);
  await after(451);
  await steward.notices.here("owner");
  assert.equal(await isRead(), true);
});
