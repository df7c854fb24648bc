// OS-Agent's commands in Discord: what they do in a real terminal and real files, for whom, and once; files that come and go.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { follow } from "../src/chats/follow.ts";
import { receive } from "../src/chats/receive.ts";
import type { Inbound } from "../src/core/channel.ts";
import { awaitedKey } from "../src/chats/bang.ts";
import { putFile } from "../src/run/files.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { until } from "../src/testing/channel-platform.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";

async function chat(options: { role?: "owner" | "guest"; room?: boolean } = {}) {
  const channel = keepingChannel();
  const home = temporary();
  const steward = harness({
    store: await sqlite(":memory:"),
    model: scripted(() => [{ text: "by the model" }]),
    channels: { discord: channel },
    ...{ home, mode: "full" },
    config: { channels: { discord: { groups: { r1: { people: ["77"] } } } } },
  });
  const paired = { channel: "discord", from: "77", person: "owner", role: options.role ?? "owner", name: "", chat: "c", at: 1 };
  await steward.store.commit({ put: { "paired/discord/77": paired } });
  const worker = startWorker(steward, { name: "w", auto: true });
  const to = { channel: "discord", chat: options.room ? "r1" : "c77" };
  let count = 0;
  const said: string[] = [];
  const say = async (text: string, more: Partial<Inbound> = {}): Promise<{ text?: string }> =>
    receive(steward, inbound(`m${++count}`, "77", to, text, { where: options.room ? "group" : "direct", ...more }));
  return {
    ...{ steward, channel, home, to, say },
    /** What was sent next. */
    async next(): Promise<string> {
      const sent = await until(() => channel.sent[said.length], `an answer after ${said.at(-1)}`);
      said.push(sent.file ? `${sent.text} [${Buffer.from(sent.file.bytes).toString()}]` : sent.text);
      return said.at(-1)!;
    },
    async close() {
      await worker.stop(1000);
      for (const { id } of await (await steward.computer(OWNER)).shells())
        await (await (await steward.computer(OWNER)).shell({ id, columns: 80, rows: 24, existing: true })).close();
      await steward.store.close();
    },
  };
}

/** A machine that is busy may be seen waiting once more before the line that was typed is read. */
async function toldAtLast(one: Awaited<ReturnType<typeof chat>>, wanted: RegExp): Promise<void> {
  for (let told = await one.next(); !wanted.test(told); told = await one.next()) assert.match(told, /^\*\*VM input requested/);
}

test("O-111 O-114: commands run in a terminal that stays, write and read files, and ask in the chat what they need to know", async () => {
  const one = await chat();
  try {
    await one.say("!write notes.txt one two");
    assert.equal(await one.next(), "Saved");
    await one.say("!read notes.txt");
    assert.equal(await one.next(), "```\none two\n```");
    await one.say("!exec FOLDER=$(basename notes.txt .txt); echo $FOLDER");
    assert.equal(await one.next(), "```\nnotes\n```");
    await one.say("!exec read -p 'Your name? ' name; echo hello $name from $FOLDER");
    assert.equal(await one.next(), "**VM input requested:** Your name?");
    assert.ok(await one.steward.store.get(awaitedKey(one.to, "77")));
    // While the computer can't be reached nothing was typed: the platform brings it again.
    const { computers, store } = one.steward;
    one.steward.computers = { ...computers, own: async () => Promise.reject(new StewardError("unavailable", "The computer is away")) };
    await assert.rejects(one.say("Mia", { key: "typed" }), { code: "unavailable" });
    one.steward.computers = computers;
    await store.commit({ put: { "bang-typed/long ago": true } });
    await one.say("Mia", { key: "typed" });
    await one.say("Mia", { key: "typed" });
    await toldAtLast(one, /hello Mia from notes/);
    assert.equal((await store.list("bang-typed/")).length, 1, "what is long past is forgotten");
    await store.commit({ put: { [awaitedKey(one.to, "77")]: { shell: "bang-gone", principal: OWNER } } });
    await one.say("a password of mine");
    assert.equal(await one.next(), "Nothing waits for this any more; it was not typed.");
    assert.equal(await one.steward.store.get(awaitedKey(one.to, "77")), undefined);
    await one.say("!run echo out; echo err >&2");
    assert.equal(await one.next(), "```\nout\nerr\n```");
    await one.say("!delete notes.txt");
    assert.equal(await one.next(), "Deleted");
    await one.say("!delete notes.txt");
    assert.equal(await one.next(), "File not found");
    await one.say("!ls");
    assert.doesNotMatch(await one.next(), /notes\.txt/);
    await one.say("!write");
    assert.equal(await one.next(), "Error: It goes like this: !write PATH TEXT");
    await one.say("!run seq 1 1000");
    const long = await one.next();
    assert.match(long, /^The last of 3892 characters; all are in the file\.\n```\n[\s\S]*999\n1000\n```$/);
    assert.match(await one.next(), /^ \[1\n2\n3\n/);
    await one.say("!reset");
    assert.match(await one.next(), /^Cleared/);
    await one.say("!important: hello");
    assert.equal(await one.next(), "by the model");
    await one.say("!notify The build is done");
    assert.equal(await one.next(), "Notified");
  } finally {
    await one.close();
  }
});

test("O-111: the same message runs once; one that was cut off is not run again and says so", async () => {
  const one = await chat();
  try {
    await one.say("!run echo x >> twice.txt; pwd", { key: "same" });
    const folder = (await one.next()).split("\n")[1]!;
    await one.say("!run echo x >> twice.txt; pwd", { key: "same" });
    await one.say("!run echo after");
    assert.equal(await one.next(), "```\nafter\n```");
    assert.equal(readFileSync(join(folder, "twice.txt"), "utf8"), "x\n");
    const store = one.steward.store;
    const principal = { person: "owner", role: "owner", via: "osAgent" };
    const data = {
      principal,
      from: "77",
      owner: true,
      session: "",
      to: one.to,
      key: "k",
      id: "bang_cut",
      name: "run",
      rest: "touch cut.txt",
    };
    await store.commit({ put: { "bang-begun/bang_cut": true }, jobs: [{ id: "j", kind: "bang", lane: "bang/x", data }] });
    assert.equal(await one.next(), "Steward was stopped while `!run` ran. Nobody knows how far it came.");
    assert.equal(existsSync(join(folder, "cut.txt")), false);
  } finally {
    await one.close();
  }
});

test("O-111: only the owner stops Steward; switched off is switched off; strangers and other rooms get nothing", async () => {
  const guest = await chat({ role: "guest" });
  const stops: string[] = [];
  try {
    guest.steward.stop = () => void stops.push("guest");
    await guest.say("!shutdown");
    assert.equal(await guest.next(), "Error: Only the owner may stop Steward.");
    await guest.say("!exec id", { forwarded: true });
    assert.equal(await guest.next(), "by the model");
    await guest.say("!exec id", { from: "78" });
    assert.match(await guest.next(), /^I don't know you yet/);
    guest.steward.permissions.toggle("terminal", false);
    await guest.say("!exec id");
    assert.match(await guest.next(), /^Error: Permission denied: terminal is switched off/);
    assert.ok(guest.channel.sent.every(({ text }) => !text.includes("uid=")));
  } finally {
    await guest.close();
  }
  const owner = await chat();
  try {
    owner.steward.stop = () => void stops.push("owner");
    await owner.say("!shutdown");
    assert.equal(await owner.next(), "Steward stops now.");
    await until(() => stops[0], "it stops");
    assert.deepEqual(stops, ["owner"]);
  } finally {
    await owner.close();
  }
});

test("O-110 O-111: in a room that is listed a command needs no mention, and only whoever typed it answers its question", async () => {
  const room = await chat({ room: true });
  try {
    await room.say("lunch?");
    await room.say("!exec read -p 'Go on? ' x; echo said $x");
    assert.equal(await room.next(), "**VM input requested:** Go on?");
    await room.say("no", { from: "78" });
    await room.say("yes");
    await toldAtLast(room, /said yes/);
  } finally {
    await room.close();
  }
});

test("O-112 O-113: what was uploaded is said with its path; what the computer hands over is sent as an attachment", async () => {
  const one = await chat();
  const ended = new AbortController();
  follow(one.steward, ended.signal);
  try {
    const bytes = async () => new TextEncoder().encode("a,b\n");
    await one.say("look", { files: [{ name: "t.csv", size: 4, bytes }] });
    assert.match(await one.next(), /^Uploaded:\n`t\.csv → .*\/uploads\/.*`$/);
    assert.equal(await one.next(), "by the model");
    const session = (await one.steward.store.list("p/owner/route/discord/"))[0]!.value as string;
    const file = await putFile(one.steward, OWNER, { name: "chart.txt", bytes: new TextEncoder().encode("chart"), limit: 100 });
    await one.steward.store.commit({
      events: [{ session, event: { type: "item.completed", turn: "", item: { id: "itm_1", kind: "file", file } } }],
    });
    assert.equal(await one.next(), " [chart]");
  } finally {
    ended.abort();
    await one.close();
  }
});
