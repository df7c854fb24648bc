// Discord's own cases: sessions that resume or are forgotten, what was missed, slash commands, threads, doubtful sends, refusals with their remedies.
import assert from "node:assert/strict";
import { test } from "node:test";
import discord from "../src/channels/discord.ts";
import { idAt, openBookmarks } from "../src/channels/discord-bookmarks.ts";
import { discordText } from "../src/channels/discord-form.ts";
import type { ChannelHost } from "../src/core/channel.ts";
import { connect, type Trial, until } from "../src/testing/channel-platform.ts";
import { hasCode, StewardError } from "../src/std/error.ts";
import { type DiscordPlatform, discordPlatform, THREAD } from "./platform-discord.ts";

type Work = (given: { trial: Trial; platform: DiscordPlatform }) => Promise<void>;

const withDiscord = (name: string, work: Work): void =>
  void test(name, async () => {
    const platform = await discordPlatform();
    const trial = await connect(discord, platform);
    try {
      await work({ trial, platform });
    } finally {
      await trial.close();
      await platform.close();
    }
  });

const texts = ({ got }: Trial): string[] => got.map(({ text }) => text);

withDiscord("what was said while the socket was broken comes with the same session, once and in order", async ({ trial, platform }) => {
  await platform.say({ text: "one" });
  await trial.came(1);
  for (const socket of platform.state.sockets) socket.terminate();
  platform.state.sockets.clear();
  await platform.say({ text: "two" });
  await platform.say({ text: "three" });
  await trial.came(3);
  assert.deepEqual(texts(trial), ["one", "two", "three"]);
  assert.deepEqual(
    platform.state.seen.filter((one) => one === "identify" || one === "resume"),
    ["identify", "resume"],
  );
  assert.deepEqual(trial.lost, []);
});

withDiscord(
  "a session that Discord forgot begins anew, and what came meanwhile is fetched, in rooms and threads too",
  async ({ trial, platform }) => {
    const { state, rooms } = platform;
    await platform.say({ text: "one" });
    await platform.say({ text: "room one", chat: rooms[0], group: true });
    await trial.came(2);
    const { session } = state;
    for (const socket of state.sockets) socket.terminate();
    state.sockets.clear();
    state.session = undefined;
    await platform.say({ text: "two" });
    await platform.say({ text: "room two", chat: rooms[1], group: true, mention: true });
    await platform.say({ text: "thread one", chat: THREAD, group: true });
    await trial.came(5);
    assert.notEqual(state.session, session);
    const byPlace = Map.groupBy(trial.got, ({ to }) => JSON.stringify([to.chat, to.thread]));
    assert.deepEqual(
      [...byPlace.values()]
        .map((all) => all.map(({ text, addressed }) => [text, addressed]))
        .toSorted((a, b) => (a[0]![0]! < b[0]![0]! ? -1 : 1)),
      [
        [
          ["one", true],
          ["two", true],
        ],
        [["room one", false]],
        [["room two", true]],
        [["thread one", false]],
      ],
    );
  },
);

withDiscord("what can't be kept is tried again by itself, and nothing of that chat overtakes it", async ({ trial, platform }) => {
  let refuse = 2;
  trial.inbox.now = async ({ from }) => {
    const goes = refuse <= 0 && texts(trial).includes("elsewhere");
    if (from === platform.people[0] && !goes) {
      refuse--;
      throw new StewardError("unavailable", "The disk is full");
    }
    return {};
  };
  await platform.say({ text: "first" });
  await platform.say({ text: "second" });
  await platform.say({ text: "elsewhere", from: platform.people[1] });
  await trial.came(3);
  assert.deepEqual(texts(trial), ["elsewhere", "first", "second"]);
});

withDiscord(
  "a restart brings what was never kept, a first message of somebody new too, over more than one page",
  async ({ trial, platform }) => {
    trial.inbox.now = async () => Promise.reject(new StewardError("unavailable", "The disk is full"));
    await platform.say({ text: "first", from: platform.people[1] });
    await until(() => (trial.cursors.get("at")?.includes('direct":{"6') ? true : undefined), "the conversation is known");
    await trial.close();
    for (let n = 0; n < 105; n++) await platform.say({ text: `m${n}`, from: platform.people[1] });
    const heir = await connect(discord, platform, trial.cursors);
    try {
      await heir.came(106);
      assert.deepEqual(texts(heir), ["first", ...Array.from({ length: 105 }, (_, n) => `m${n}`)]);
      await platform.say({ text: "live", from: platform.people[1] });
      await heir.came(107);
    } finally {
      await heir.close();
    }
    const third = await connect(discord, platform, heir.cursors);
    try {
      await platform.say({ text: "only this", from: platform.people[1] });
      await third.came(1);
      assert.deepEqual(texts(third), ["only this"]);
    } finally {
      await third.close();
    }
  },
);

withDiscord(
  "T-104: threads have their parent and their own id, answers and roles address it, and it is not its own reader",
  async ({ trial, platform }) => {
    const { people, rooms, state, tell } = platform;
    await platform.say({ text: "in the thread", chat: THREAD, group: true, mention: true });
    const [threaded] = await trial.came(1);
    assert.deepEqual(threaded!.to, { channel: "discord", chat: rooms[0], thread: THREAD });
    const receipt = await trial.channel.send(threaded!.to, { text: "here", replyTo: threaded!.message }, "k1");
    assert.deepEqual(
      platform.kept().map(({ chat, thread, text }) => ({ chat, thread, text })),
      [{ chat: rooms[0], thread: THREAD, text: "here" }],
    );
    const plain = (content: string, more: object = {}) => ({
      ...{ ...state.messages[0]!, id: platform.nextId(), channel_id: rooms[0], content, mentions: [], guild_id: "1", ...more },
    });
    tell("MESSAGE_CREATE", plain("as an answer", { type: 19, referenced_message: state.messages.find(({ id }) => id === receipt) }));
    tell("MESSAGE_CREATE", plain("<@&100000000000000004> by role <:party:123456789012345678>", { mention_roles: ["100000000000000004"] }));
    tell("MESSAGE_CREATE", plain("joined", { type: 7 }));
    tell("MESSAGE_CREATE", plain("by a webhook", { webhook_id: "9" }));
    tell(
      "MESSAGE_CREATE",
      plain("", { flags: 1 << 13, attachments: [{ id: "1", filename: "voice.ogg", size: 3, url: `${state.root}/attachments/x` }] }),
    );
    tell("MESSAGE_REACTION_ADD", {
      user_id: people[1],
      channel_id: rooms[0],
      message_id: receipt,
      guild_id: "1",
      emoji: { id: null, name: "👍" },
    });
    await trial.came(6);
    assert.deepEqual(
      trial.got
        .slice(1)
        .map(({ kind, text, addressed, bot, files, quoted }) => ({ kind, text, addressed, bot, voice: files?.[0]?.voice, quoted })),
      [
        {
          kind: "message",
          text: "as an answer",
          addressed: true,
          bot: false,
          voice: undefined,
          quoted: { from: "100000000000000001", text: "here", own: true },
        },
        { kind: "message", text: "by role :party:", addressed: true, bot: false, voice: undefined, quoted: undefined },
        { kind: "message", text: "by a webhook", addressed: false, bot: true, voice: undefined, quoted: undefined },
        { kind: "message", text: "", addressed: false, bot: false, voice: true, quoted: undefined },
        { kind: "reaction", text: "", addressed: undefined, bot: false, voice: undefined, quoted: undefined },
      ],
    );
  },
);

withDiscord(
  "edits have keys of their own, marks and typing go out, and what Discord itself changes is no edit",
  async ({ trial, platform }) => {
    const { id } = await platform.say({ text: "one" });
    const [first] = await trial.came(1);
    platform.tell("MESSAGE_CREATE", { ...platform.state.messages[0], id: platform.nextId(), mentions: undefined });
    platform.tell("MESSAGE_UPDATE", { ...platform.state.messages[0], embeds: [{}] });
    await platform.change!(id, "two");
    const [, edit] = await trial.came(2);
    assert.deepEqual([edit!.kind, edit!.text, edit!.message, edit!.key === first!.key], ["edit", "two", id, false]);
    const words = { content: "!exec id", attachments: [] };
    const passed = { message_reference: { type: 1 }, message_snapshots: [{ message: words }], content: "", id: platform.nextId() };
    platform.tell("MESSAGE_CREATE", { ...platform.state.messages[0], ...passed });
    const [, , forwarded] = await trial.came(3);
    assert.deepEqual([forwarded!.text, forwarded!.forwarded], ["!exec id", true]);
    await trial.channel.typing!(first!.to);
    await trial.channel.react!(first!.to, id, "seen");
    await trial.channel.react!(first!.to, id, undefined);
    assert.deepEqual(platform.state.reactions, [`PUT ${id} 👀`, `DELETE ${id} 👀`]);
    await assert.rejects(trial.channel.send({ channel: "discord", chat: "../../users" }, { text: "x" }, "k"), { code: "not_found" });
  },
);

withDiscord(
  "slash commands are offered once, are answered within three seconds however long it takes, only to the sender",
  async ({ trial, platform }) => {
    const { state, people } = platform;
    const list = [
      { name: "status", about: "How it is" },
      { name: "Über", about: "not a name there" },
    ];
    await trial.channel.commands!(list);
    await trial.channel.commands!(list);
    assert.deepEqual(
      state.commands.map(({ name, description }) => [name, description]),
      [["status", "How it is"]],
    );
    assert.equal(state.calls.filter((one) => /^PUT .*commands$/.test(one)).length, 1);
    const slow = Promise.withResolvers<{ text?: string }>();
    trial.inbox.now = () => slow.promise;
    const token = platform.command("status", "all of it", people[0]);
    const shown = await until(() => (state.answers.get(token)?.type === 5 ? state.answers.get(token) : undefined), "it is deferred");
    assert.deepEqual([shown.flags, shown.content, trial.got.length], [64, undefined, 0]);
    slow.resolve({ text: "Only *you* see this" });
    await until(() => shown.content, "the text");
    assert.equal(shown.content, "Only *you* see this");
    trial.inbox.now = async () => ({});
    const quiet = platform.command("status", "", people[1], platform.rooms[0]);
    await until(() => state.answers.get(quiet)?.gone, "the placeholder goes");
    assert.deepEqual(
      trial.got.map(({ kind, text, from, where, addressed }) => [kind, text, from, where, addressed]),
      [
        ["command", "status all of it", people[0], "direct", true],
        ["command", "status", people[1], "group", true],
      ],
    );
  },
);

withDiscord("S-35: before the check nothing is told and nothing is asked, whoever comes", async ({ trial, platform }) => {
  const { state, people, rooms, tell } = platform;
  state.calls.length = 0;
  const seen: [string | undefined, string[]][] = [];
  trial.inbox.now = async ({ to }) => {
    seen.push([to.thread, [...state.calls]]);
    return {};
  };
  const known = "800000000000000802";
  const thread = { id: known, type: 11, parent_id: rooms[0] };
  state.channels.set(known, thread);
  const token = platform.command("status", "", people[1], known);
  await until(() => seen[0], "the command");
  await until(() => state.answers.get(token)?.gone, "it was told then");
  state.calls.length = 0;
  const said = { author: { id: people[1], username: "ben" }, type: 0, content: "hi", mentions: [], mention_roles: [], attachments: [] };
  const unknown = { ...said, guild_id: "1", timestamp: new Date().toISOString(), channel_id: "800000000000000803" };
  tell("MESSAGE_CREATE", { ...unknown, id: platform.nextId() });
  tell("THREAD_UPDATE", { id: unknown.channel_id, type: 11, parent_id: rooms[0] });
  await trial.came(2);
  tell("MESSAGE_CREATE", { ...unknown, id: platform.nextId() });
  await trial.came(3);
  assert.deepEqual(seen, [
    [known, []],
    [undefined, []],
    [unknown.channel_id, []],
  ]);
});

withDiscord("of a file no more is read than is allowed, whatever was said of its length", async ({ trial, platform }) => {
  const { state } = platform;
  await platform.say({ text: "look", file: { name: "t.csv", bytes: new Uint8Array(3) } });
  const endless = { id: "1", filename: "t.csv", size: 3, url: `${state.root}/attachments/endless` };
  platform.tell("MESSAGE_CREATE", { ...state.messages[0]!, id: platform.nextId(), attachments: [endless] });
  const [, message] = await trial.came(2);
  await assert.rejects(message!.files![0]!.bytes(100_000), { code: "limit" });
});

test("the token goes to no gateway but Discord's own, or that of the server that was set; a session goes on there too", async () => {
  const foreign = await discordPlatform({ url: "ws://127.0.0.9:9/gateway" });
  await assert.rejects(
    connect({ ...discord, name: "home" }, foreign),
    (error) => hasCode(error, "denied") && error.hint === "Look at channels.home.api.",
  );
  await foreign.close();
  const platform = await discordPlatform({ resumeUrl: "ws://127.0.0.9:9/gateway" });
  const trial = await connect(discord, platform);
  for (const socket of platform.state.sockets) socket.terminate();
  platform.state.sockets.clear();
  await platform.say({ text: "two" });
  await trial.came(1);
  assert.deepEqual([trial.lost, platform.state.seen.filter((one) => one === "resume")], [[], ["resume"]]);
  await trial.close();
  await platform.close();
});

withDiscord("a button that was answered goes, and its presser alone is told", async ({ trial, platform }) => {
  await platform.say({ text: "hello" });
  const [message] = await trial.came(1);
  const buttons = Array.from({ length: 7 }, (_, n) => ({ id: `b${n}`, label: `B${n}` }));
  const receipt = await trial.channel.send(message!.to, { text: "Which?", buttons }, "k1");
  assert.deepEqual(
    platform.state.messages.at(-1)!.components.map((row) => row.components.length),
    [5, 2],
  );
  trial.inbox.now = async () => ({ text: "Answered: B3" });
  await platform.press!(receipt, "b3", platform.people[0]);
  const done = await until(() => [...platform.state.answers.values()].find(({ followups }) => followups.length > 0), "it is told");
  assert.deepEqual([done.type, done.followups], [6, ["Answered: B3"]]);
});

withDiscord(
  "a send of which nobody heard is found after a restart by what it said and when; what is not there is sent again",
  async ({ trial, platform }) => {
    await platform.say({ text: "hello" });
    const [{ to }] = (await trial.came(1)) as [(typeof trial.got)[0]];
    const since = Date.now();
    await trial.channel.send(to, { text: "same words" }, "before");
    platform.fail("broken-after", 2);
    await assert.rejects(trial.channel.send(to, { text: "same words" }, "doubtful"), (error) => !hasCode(error, "unavailable"));
    const heir = await connect(discord, platform, trial.cursors);
    try {
      const was = { message: { text: "same  words" }, since };
      const ids = platform.kept().map(({ id }) => id);
      assert.equal(ids.length, 2);
      assert.ok(ids.includes((await heir.channel.lookup!(to, "doubtful", was))!));
      assert.equal(await heir.channel.lookup!(to, "never", { message: { text: "other words" }, since }), undefined);
      await assert.rejects(heir.channel.lookup!(to, "unknown"), { code: "internal" });
    } finally {
      await heir.close();
    }
    // Within the minutes of the nonce it is the same message; the life that sent it knows its receipt from the gateway.
    assert.equal(await trial.channel.lookup!(to, "doubtful"), platform.kept()[1]!.id);
    assert.equal(await trial.channel.send(to, { text: "same words" }, "doubtful"), platform.kept()[1]!.id);
    assert.equal(platform.kept().length, 2);
  },
);

withDiscord(
  "an earlier message of the same words, or a file of the same name, is not taken for one that never left",
  async ({ trial, platform }) => {
    await platform.say({ text: "hello" });
    const [{ to }] = (await trial.came(1)) as [(typeof trial.got)[0]];
    const file = (...bytes: number[]) => ({ text: "", file: { name: "out.txt", mime: "text/plain", bytes: new Uint8Array(bytes) } });
    const first = await trial.channel.send(to, { text: "Done." }, "k1");
    const named = await trial.channel.send(to, file(1), "k2");
    const heir = await connect(discord, platform, trial.cursors);
    try {
      const { lookup } = heir.channel;
      const since = Date.now() + 5;
      assert.equal(await lookup!(to, "k3", { message: file(1, 2), since }), undefined, "another size");
      await assert.rejects(lookup!(to, "k4", { message: file(1), since }), { code: "internal" });
      await assert.rejects(lookup!(to, "k5", { message: { text: "Done." }, since }), { code: "internal" });
      assert.equal(await lookup!(to, "k6", { message: { text: "Done." }, since, known: [first, named] }), undefined);
      await new Promise((resolve) => setTimeout(resolve, 10));
      const second = await trial.channel.send(to, { text: "Done." }, "k7");
      assert.equal(await lookup!(to, "k7", { message: { text: "Done." }, since }), second, "what came since is it");
    } finally {
      await heir.close();
    }
  },
);

withDiscord("after its nonce has grown old a doubtful message is looked for, not doubled", async ({ trial, platform }) => {
  await platform.say({ text: "hello" });
  const [{ to }] = (await trial.came(1)) as [(typeof trial.got)[0]];
  platform.state.sockets.clear(); // its own event is not heard
  platform.fail("broken-after", 2);
  await assert.rejects(trial.channel.send(to, { text: "once" }, "k1"));
  platform.state.nonces.clear();
  assert.equal(await trial.channel.send(to, { text: "once" }, "k1"), platform.kept()[0]!.id);
  assert.equal(platform.kept().length, 1);
});

withDiscord("a gateway that stays away is given up, and closing while it is tried harms nothing", async ({ trial, platform }) => {
  const { state } = platform;
  state.away = true;
  for (const socket of state.sockets) socket.terminate();
  const tries = (): number => state.seen.filter((one) => one === "upgrade").length;
  await until(() => trial.lost[0], "it is lost");
  assert.ok(hasCode(trial.lost[0], "unavailable"));
  await trial.close();
  // What was under way when it was closed has come by then.
  await assert.rejects(trial.channel.probe(), { code: "unavailable" });
  const before = tries();
  await assert.rejects(trial.channel.probe(), { code: "unavailable" });
  assert.equal(tries(), before);
});

test("what was read shrinks to one id when nothing is missing, and outlives a restart", async () => {
  const cursor: { text?: string } = {};
  const at = 1_800_000_000_000;
  const host = {
    cursor: { get: async () => cursor.text, put: async (text: string) => void (cursor.text = text) },
    now: () => at,
  } as unknown as ChannelHost;
  const marks = await openBookmarks(host);
  await marks.meet("61", idAt(at + 1000));
  marks.moved("61", idAt(at + 1000), true);
  for (let n = 0; n < 50; n++) marks.moved(`7${n}`, idAt(at + n * 10_000), false);
  marks.settled();
  await marks.save();
  const { at: all, rooms, direct } = JSON.parse(cursor.text!) as { at: string; rooms: object; direct: object };
  assert.deepEqual([all, Object.keys(rooms).length, direct], [idAt(at + 430_000), 6, { "61": idAt(at + 1000) }]);
  const heir = await openBookmarks(host);
  assert.deepEqual([heir.of("70"), heir.of("749"), heir.of("61"), heir.direct()], [all, idAt(at + 490_000), idAt(at + 1000), ["61"]]);
});

withDiscord("of a room in which very much was said the first 2,000 messages are read", async ({ trial, platform }) => {
  const { state, rooms } = platform;
  await platform.say({ text: "one", chat: rooms[0], group: true });
  await trial.came(1);
  await trial.close();
  for (let n = 0; n < 2050; n++) state.messages.push({ ...state.messages[0]!, id: platform.nextId(), content: `m${n}` });
  const heir = await connect(discord, platform, trial.cursors);
  await heir.came(2000);
  await heir.close();
  const third = await connect(discord, platform, heir.cursors);
  await platform.say({ text: "now", chat: rooms[0], group: true });
  await until(() => third.got.find(({ text }) => text === "now"), "it goes on");
  assert.deepEqual([heir.got.length, heir.got.at(-1)!.text, third.got.length < 60], [2000, "m1999", true]);
  await third.close();
});

withDiscord("O-113: a file without words is announced as OS-Agent's bot does", async ({ trial, platform }) => {
  await platform.say({ text: "hello" });
  const [message] = await trial.came(1);
  const file = { name: "chart_1.png", mime: "image/png", bytes: new Uint8Array([1, 2, 3]) };
  await trial.channel.send(message!.to, { text: "", file }, "k1");
  const kept = await until(() => platform.kept().find((one) => one.file), "the file");
  assert.deepEqual([kept.text, kept.file!.name, [...kept.file!.bytes]], ["Returned file: chart_1.png", "chart_1.png", [1, 2, 3]]);
});

test("a missing intent and a refused token say what to do; without the intent it can be done with mentions alone", async () => {
  const platform = await discordPlatform({ contentDenied: true });
  try {
    await assert.rejects(
      connect(discord, platform),
      (error) => hasCode(error, "denied") && /Message Content Intent/.test(error.hint ?? ""),
    );
    const trial = await connect(discord, { ...platform, config: { ...platform.config, messageContent: false } });
    const { account } = await trial.channel.probe();
    assert.equal(account, platform.state.botId);
    platform.revoke();
    await until(() => trial.lost[0], "it is lost");
    assert.ok(hasCode(trial.lost[0], "denied") && /Reset Token/.test(trial.lost[0].hint ?? ""));
    await trial.close();
  } finally {
    await platform.close();
  }
});

test("Markdown in Discord's own form: what it knows stays, what it does not is plain, nothing plain becomes a mark", () => {
  const cases: [string, string][] = [
    ["# One\n\n#### Four", "# One\n\n**Four**"],
    ["- a\n- b\n  1. c", "• a\n• b\n   1. c"],
    ["| a | b |\n|---|---|\n| 1 | 22 |", "```\na  b\n─  ──\n1  22\n```"],
    ["> one\n> two", "> one\n> two"],
    ["[a (b)](https://x.org/a_(b))", "[a (b)](https://x.org/a_%28b%29)"],
    ["see https://x.org/a_b_c?d=_e", "see https://x.org/a_b_c?d=_e"],
    ["snake_case_name and \\*stars\\* and ||spoiler||", "snake_case_name and \\*stars\\* and \\|\\|spoiler\\|\\|"],
    ["__init__ costs 2 * 3", "**init** costs 2 \\* 3"],
    ["`a` and ``b ` c``", "`a` and `` b ` c ``"],
    ["```js\nconst a = 1;\n```", "```js\nconst a = 1;\n```"],
    ["C:\\new\\_file", "C:\\new\\_file"],
    ["-# small", "\\-# small"],
  ];
  assert.deepEqual(
    cases.map(([from]) => discordText(from)),
    cases.map(([, to]) => to),
  );
});
