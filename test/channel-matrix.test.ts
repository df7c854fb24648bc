// Matrix: the contract of channels against a local homeserver, and what is its own: invitations, threads, answers, encrypted rooms, gaps.
import assert from "node:assert/strict";
import { test } from "node:test";
import matrix from "../src/channels/matrix.ts";
import type { Inbound } from "../src/core/channel.ts";
import { channelContract, connect, type Trial, until } from "../src/testing/channel-platform.ts";
import { hasCode } from "../src/std/error.ts";
import { matrixPlatform, ME } from "./platform-matrix.ts";

type Server = Awaited<ReturnType<typeof matrixPlatform>>;

channelContract({ kind: matrix, start: matrixPlatform, sure: "repeatable" });

async function connected(work: (trial: Trial, server: Server) => Promise<void>, more: Record<string, unknown> = {}): Promise<void> {
  const server = await matrixPlatform();
  Object.assign(server.config, more);
  const trial = await connect(matrix, server);
  try {
    await work(trial, server);
  } finally {
    await trial.close();
    await server.close();
  }
}
const called = (server: Server, what: RegExp): string[] => server.calls().filter((call) => what.test(call));

void test("matrix: an invitation to a conversation of two is followed, and what was said since it is heard; nothing from before", () =>
  connected(async (trial, server) => {
    server.invite("!new:local", "@zoe:far", true);
    server.put("!new:local", "@zoe:far", { msgtype: "m.text", body: "are you there?" });
    const [message] = await trial.came(1);
    assert.deepEqual(
      [message!.from, message!.where, message!.text, message!.to.chat],
      ["@zoe:far", "direct", "are you there?", "!new:local"],
    );
  }));

void test("S-28, S-31: strangers open no rooms, and only a few conversations; who is named may invite", () =>
  connected(
    async (trial, server) => {
      server.invite("!open:local", "@zoe:far", false);
      server.invite("!lie:local", "@zoe:far", true, ["@zoe:far", "@max:far", "@eve:far"]);
      server.invite("!team:local", "@mia:local", false, ["@mia:local", "@ben:local"]);
      for (let n = 0; n < 14; n++) server.invite(`!flood${n}:local`, `@f${n}:far`, true);
      await until(() => called(server, /leave/)[0], "the lie is left");
      await server.say({ text: "hello" });
      await trial.came(1);
      await until(() => (called(server, /POST client\/v3\/join/).length >= 11 ? true : undefined), "those that are followed");
      const joined = called(server, /POST client\/v3\/join/).map((call) => decodeURIComponent(call.split("/").at(-1)!));
      assert.equal(joined.filter((room) => room !== "!team:local").length, 10);
      assert.ok(joined.includes("!team:local") && !joined.includes("!open:local"));
      assert.deepEqual(called(server, /leave/), ["POST client/v3/rooms/!lie%3Alocal/leave"]);
      await server.say({ text: "again" });
      await trial.came(2);
      assert.equal(called(server, /POST client\/v3\/join/).length, 11);
    },
    { inviters: ["@mia:local"] },
  ));

void test("S-36: a conversation of two is one no more when a third comes in, or when anybody may", () =>
  connected(async (trial, server) => {
    await server.say({ text: "alone" });
    await trial.came(1);
    server.join("!mia:local", "@eve:far");
    await server.say({ text: "with Eve" });
    await trial.came(2);
    server.state.rooms.get("!ben:local")!.public = true;
    await server.say({ text: "in the open", from: "@ben:local" });
    await trial.came(3);
    assert.deepEqual(
      trial.got.map(({ text, where, addressed }) => [text, where, addressed]),
      [
        ["alone", "direct", true],
        ["with Eve", "group", false],
        ["in the open", "group", false],
      ],
    );
    assert.deepEqual((await trial.channel.readers!({ channel: "matrix", chat: "!mia:local" }))!.toSorted(), ["@eve:far", "@mia:local"]);
  }));

void test("S-36: who may come in by a rule, was asked in, or may read from outside, reads too", () =>
  connected(async (trial, server) => {
    const rooms: [string, string, string | undefined][] = [
      ["restricted", "m.room.join_rules", "join_rule"],
      ["knock_restricted", "m.room.join_rules", "join_rule"],
      ["world_readable", "m.room.history_visibility", "history_visibility"],
      ["knock", "m.room.join_rules", "join_rule"],
      ["shared", "m.room.history_visibility", "history_visibility"],
      ["asked", "m.room.topic", undefined],
    ];
    const seen: unknown[] = [];
    for (const [name, type, key] of rooms) {
      const state = new Map([[type, key ? { [key]: name } : {}]]);
      server.state.rooms.set(`!${name}:local`, { members: new Set([ME, "@mia:local"]), state, public: false });
      if (!key) server.state.rooms.get(`!${name}:local`)!.coming = ["@eve:far"];
      server.put(`!${name}:local`, "@mia:local", { msgtype: "m.text", body: name });
      const got = await until(() => trial.got.find(({ text }) => text === name), name);
      seen.push([name, got.where, await trial.channel.readers!(got.to)]);
    }
    assert.deepEqual(seen, [
      ["restricted", "group", undefined],
      ["knock_restricted", "group", undefined],
      ["world_readable", "group", undefined],
      ["knock", "direct", ["@mia:local"]],
      ["shared", "direct", ["@mia:local"]],
      ["asked", "group", ["@mia:local", "@eve:far"]],
    ]);
  }));

void test("matrix: in a gap somebody may have come in; one that can't be read keeps nothing else from being read", () =>
  connected(async (trial, server) => {
    await server.say({ text: "alone" });
    await trial.came(1);
    server.state.forgetful = true;
    // While it is busy with a message more is said than one poll shows; that somebody came in stands in the gap.
    trial.inbox.now = async ({ text }) => {
      if (text !== "busy") return {};
      server.join("!mia:local", "@eve:far");
      for (let n = 0; n < 150; n++) await server.say({ text: `m${n}` });
      return {};
    };
    await server.say({ text: "busy" });
    const last = await until(() => trial.got.find(({ text }) => text === "m149"), "what is newest");
    await server.say({ text: "elsewhere", from: "@ben:local" });
    await until(() => trial.got.find(({ text }) => text === "elsewhere"), "another room");
    assert.deepEqual([last.where, trial.got[0]!.where, trial.lost], ["group", "direct", []]);
    assert.deepEqual(
      server.kept().map(({ chat, text }) => [chat, text.slice(0, 24)]),
      [["!mia:local", "I could not read all tha"]],
    );
  }));

void test("matrix: an invitation that waits is not forgotten by a restart", () =>
  connected(async (trial, server) => {
    for (let n = 0; n < 14; n++) server.invite(`!flood${n}:local`, `@f${n}:far`, true);
    const joined = (): number => new Set(called(server, /POST client\/v3\/join/)).size;
    await until(() => (joined() === 10 ? true : undefined), "ten are followed");
    await server.say({ text: "hello" });
    await until(() => trial.got.find(({ text }) => text === "hello"), "it reads on");
    await trial.close();
    const again = await connect(matrix, server, trial.cursors);
    await until(() => (joined() === 14 ? true : undefined), "the others are followed");
    await server.say({ text: "hello again" });
    await until(() => again.got.find(({ text }) => text === "hello again"), "it reads on");
    await again.close();
    assert.match(trial.cursors.get("at")!, /^@steward:local s\d+$/);
  }));

void test("matrix: threads, answers and changes", () =>
  connected(async (trial, server) => {
    const { event_id: root } = server.put("!mia:local", "@mia:local", { msgtype: "m.text", body: "root" });
    const inThread = { rel_type: "m.thread", event_id: root, is_falling_back: true, "m.in_reply_to": { event_id: root } };
    const { event_id: child } = server.put("!mia:local", "@mia:local", {
      ...{ msgtype: "m.text", body: "> <@ben:local> I am the owner\n> really\n\nwhat does he say?" },
      "m.relates_to": inThread,
    });
    await trial.came(2);
    await server.change!(child, "what does Ben say?");
    const [, answer, edit] = await trial.came(3);
    assert.deepEqual([answer!.to.thread, answer!.text, answer!.quoted], [root, "what does he say?", undefined]);
    assert.deepEqual([edit!.kind, edit!.message, edit!.to.thread, edit!.text], ["edit", child, root, "what does Ben say?"]);
    const receipt = await trial.channel.send(answer!.to, { text: "**yes** @room" }, "k1");
    const { content } = server.state.log.find(({ event }) => event.event_id === receipt)!.event;
    assert.deepEqual(content, {
      ...{ msgtype: "m.text", body: "**yes** @room", format: "org.matrix.custom.html", formatted_body: "<strong>yes</strong> @room" },
      "m.mentions": {},
      "m.relates_to": inThread,
    });
    server.put("!room1:local", "@mia:local", { msgtype: "m.text", body: "hey @steward:local, help", formatted_body: "x" });
    const group = await trial.channel.send({ channel: "matrix", chat: "!room1:local" }, { text: "here" }, "k2");
    server.put("!room1:local", "@ben:local", {
      msgtype: "m.text",
      body: "thanks",
      "m.relates_to": { "m.in_reply_to": { event_id: group } },
    });
    const [, , , mention, thanks] = await trial.came(5);
    assert.deepEqual([mention!.addressed, mention!.text, thanks!.addressed], [true, "hey , help", true]);
  }));

void test("matrix: an encrypted room is told once that it can't be read, and nothing is said there in plain text", () =>
  connected(async (trial, server) => {
    server.state.rooms.get("!mia:local")!.state.set("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" });
    for (let n = 0; n < 3; n++) server.put("!mia:local", "@mia:local", { algorithm: "m.megolm.v1.aes-sha2" }, "m.room.encrypted");
    await server.say({ text: "hello", from: "@ben:local" });
    await trial.came(1);
    await until(() => (server.state.data.size > 0 ? true : undefined), "it is noted");
    await trial.close();
    const again = await connect(matrix, server, trial.cursors);
    server.put("!mia:local", "@mia:local", { algorithm: "m.megolm.v1.aes-sha2" }, "m.room.encrypted");
    await server.say({ text: "hello", from: "@ben:local" });
    await again.came(1);
    await assert.rejects(again.channel.send({ channel: "matrix", chat: "!mia:local" }, { text: "secret" }, "k1"), (error) =>
      hasCode(error, "denied"),
    );
    await again.close();
    assert.deepEqual(
      server.kept().map(({ chat, text }) => [chat, text.slice(0, 22)]),
      [["!mia:local", "This room is encrypted"]],
    );
  }));

void test("matrix: what is between the last look and a poll that shows only the newest comes too, in order", () =>
  connected(async (trial, server) => {
    await trial.close();
    const all = Array.from({ length: 350 }, (_, n) => `m${n}`);
    for (const text of all) await server.say({ text });
    const again = await connect(matrix, server, trial.cursors);
    await again.came(350);
    await again.close();
    assert.deepEqual(
      again.got.map(({ text }) => text),
      all,
    );
  }));

void test("matrix: a mark at a message is set and taken away", () =>
  connected(async (trial, server) => {
    const { id } = await server.say({ text: "hello" });
    const [{ to }] = (await trial.came(1)) as [Inbound];
    const marks = (): unknown[] => server.state.log.filter(({ event }) => event.type === "m.reaction").map(({ event }) => event.content);
    await trial.channel.react!(to, id, "seen");
    assert.deepEqual(marks(), [{ "m.relates_to": { rel_type: "m.annotation", event_id: id, key: "👀" } }]);
    await trial.channel.react!(to, id, undefined);
    assert.deepEqual(marks(), [{}]);
    await trial.channel.typing!(to);
  }));

void test("matrix: events of any shape harm nothing", () =>
  connected(async (trial, server) => {
    const odd: unknown[] = [
      {},
      { msgtype: 7, body: [] },
      { msgtype: "m.text", body: { a: 1 }, "m.relates_to": "x", "m.mentions": [1] },
      { msgtype: "m.file", body: "../../etc/passwd", url: "https://evil.example/x", info: { size: "many" } },
      { msgtype: "m.text", body: "x", "m.new_content": 3, "m.relates_to": { rel_type: "m.replace", event_id: 5 } },
      null,
      { msgtype: "m.text", body: "odd thread", "m.relates_to": { rel_type: "m.thread", event_id: `${"$x".repeat(9000)}\0` } },
    ];
    for (const content of odd) server.put("!mia:local", "@mia:local", content as never);
    server.put("!mia:local", ME, { msgtype: "m.text", body: "my own" });
    await server.say({ text: "still there" });
    await until(() => trial.got.find(({ text }) => text === "still there"), "it lives");
    const file = trial.got.find(({ files }) => files)!.files![0]!;
    await assert.rejects(file.bytes(100), (error) => hasCode(error, "invalid"));
    assert.deepEqual(trial.got.find(({ text }) => text === "odd thread")!.to, { channel: "matrix", chat: "!mia:local" });
    assert.ok(trial.got.every(({ text }) => text !== "my own"));
    assert.deepEqual(trial.lost, []);
  }));
