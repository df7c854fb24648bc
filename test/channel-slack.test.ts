// Slack: the contract of channels, through Slack's own SDK against an independent emulator; then what is Slack's own.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test, type TestContext } from "node:test";
import { readText, slackLength, slackLines, slackMarkdown } from "../src/channels/slack-form.ts";
import { openMarks } from "../src/channels/slack-marks.ts";
import slack from "../src/channels/slack.ts";
import type { ChannelKind, HookAnswer, HookRequest, Inbound } from "../src/core/channel.ts";
import { hasCode, StewardError } from "../src/std/error.ts";
import { channelContract, connect, type Trial, until } from "../src/testing/channel-platform.ts";
import { type SlackPlatform, slackPlatform } from "./platform-slack.ts";

channelContract({ kind: slack, start: slackPlatform, sure: "lookup", quiet: true, media: true });

interface Place {
  platform: SlackPlatform;
  trial: Trial;
  again(): Promise<Trial>;
  mia: string;
  ben: string;
}

async function place(t: TestContext, kind: ChannelKind = slack): Promise<Place> {
  const platform = await slackPlatform();
  const trials: Trial[] = [];
  t.after(async () => {
    for (const trial of trials) await trial.close();
    await platform.close();
  });
  const open = async (cursors?: Map<string, string>): Promise<Trial> => {
    const trial = await connect(kind, platform, cursors);
    trials.push(trial);
    return trial;
  };
  const trial = await open();
  return { platform, trial, again: () => open(trial.cursors), mia: platform.people[0], ben: platform.people[1] };
}

test("slack: a mention is one message, answered in its thread; an answer there is meant too, and so is its change", async (t) => {
  const { platform, trial, mia } = await place(t);
  const [chat] = platform.rooms;
  const { id } = await platform.say({ text: "what is *new*?", mention: true, from: mia, chat, group: true });
  const [asked] = await trial.came(1);
  const ts = id.split(":")[1]!;
  const { read: _, ...plain } = asked!;
  assert.deepEqual(
    { ...plain, at: 0 },
    {
      ...{ key: id, kind: "message", from: mia, name: "mia", bot: false, where: "group", addressed: true, files: [], message: ts, at: 0 },
      ...{ to: { channel: "slack", chat, thread: ts }, text: "what is **new**?" },
    },
  );
  const receipt = await trial.channel.send(asked!.to, { text: "Nothing." }, "k1");
  const answer = platform.kept().find((one) => one.id === receipt)!;
  assert.deepEqual([answer.chat, answer.thread, answer.text], [chat, ts, "Nothing."]);
  await platform.change!(id, "<@nobody> what is old?");
  await platform.redeliver!(id);
  const [, changed] = await trial.came(2);
  assert.deepEqual([changed!.kind, changed!.text, changed!.message, changed!.to.thread], ["edit", "@nobody what is old?", ts, ts]);
  assert.equal(trial.got.length, 2, "redelivered, and told twice, it is still one message and one change");
});

test("slack: what the inbox takes long for comes again and is still taken once", async (t) => {
  const { platform, trial, mia } = await place(t);
  const slow = Promise.withResolvers<void>();
  const asked: string[] = [];
  trial.inbox.now = async ({ key }) => {
    asked.push(key);
    await slow.promise;
    return {};
  };
  const { id } = await platform.say({ text: "big", from: mia });
  await until(() => (asked.length > 0 ? true : undefined), "it was handed over");
  assert.equal(platform.state.told.size, 0, "it is not acknowledged");
  await platform.redeliver!(id);
  slow.resolve();
  await until(() => (platform.state.told.size === 2 ? true : undefined), "both envelopes are acknowledged");
  assert.deepEqual(asked, [id]);
  assert.equal(platform.state.open.size, 0, "nothing more is");
});

test("slack: an error of the server after it has sent all the same is one message, with its receipt", async (t) => {
  const { platform, trial, mia } = await place(t);
  await platform.say({ text: "hi", from: mia });
  const [message] = await trial.came(1);
  platform.state.faults = { fault: "late", times: 1 };
  const receipt = await trial.channel.send(message!.to, { text: "once" }, "k1");
  platform.state.faults = { fault: "late", times: 1 };
  const file = { name: "a.txt", mime: "text/plain", bytes: new TextEncoder().encode("a") };
  const other = await trial.channel.send(message!.to, { text: "", file }, "k2");
  assert.deepEqual(
    platform.kept().map(({ id, file: kept }) => [id, kept?.name]),
    [
      [receipt, undefined],
      [other, "a.txt"],
    ],
  );
});

test("slack: somebody of another workspace is somebody else, whatever the id; who can't be told apart is nobody", async (t) => {
  const { platform, trial, mia } = await place(t);
  const [channel] = platform.rooms;
  const said = { type: "message", channel, channel_type: "channel", user: mia, text: "hi" };
  platform.event({ ...said, ts: "1800000000.000001", user_team: "T0FOREIGN", team: "T000000001" }, { is_ext_shared_channel: true });
  platform.event({ ...said, ts: "1800000000.000002" }, { is_ext_shared_channel: true });
  platform.event({ ...said, ts: "1800000000.000003", team: "T000000001" }, { is_ext_shared_channel: true });
  platform.event({ ...said, ts: "1800000000.000004", subtype: "message_deleted" });
  const preview = { ...said, ts: "1800000000.000003", edited: { ts: "1800000000.000007" } };
  platform.event({ ...said, subtype: "message_changed", message: preview, previous_message: preview });
  platform.event({ ...said, ts: "1800000000.000005", subtype: "channel_join" });
  platform.event({
    type: "reaction_added",
    user: mia,
    event_ts: "1800000000.000006",
    item: { type: "message", channel, ts: "1800000000.000003" },
  });
  const got = await trial.came(4);
  assert.deepEqual(
    got.map(({ kind, from }) => [kind, from]).toSorted(),
    [
      ["message", "?:" + mia],
      ["message", "T0FOREIGN:" + mia],
      ["message", mia],
      ["reaction", mia],
    ].toSorted(),
  );
});

test("slack: /steward and /twizzy are said in the conversation of the two; alone they greet; only the sender is answered there", async (t) => {
  const { platform, trial: before, again, mia, ben } = await place(t);
  await platform.say({ text: "hi", from: mia });
  const [first] = await before.came(1);
  await before.close();
  const trial = await again();
  trial.inbox.now = async ({ text }) => (text === "no" ? { text: "That is **not** allowed." } : {});
  platform.command("/twizzy", "", mia);
  await until(() => platform.state.whispers[0], "the greeting");
  assert.match(platform.state.whispers[0]!.text, /^Hello, I am Steward\./);
  assert.deepEqual(trial.got, []);
  // What is told now waits until what was missed has been read: after it nothing is asked of Slack for that any more.
  await platform.say({ text: "again", from: mia });
  await trial.came(1);
  platform.command("/steward", "what is &lt;new&gt;?", mia);
  platform.command("/steward", "no", mia);
  const [, ...got] = await trial.came(3);
  assert.deepEqual(
    got.map(({ kind, from, text, where, to }) => [kind, from, text, where, to.chat]),
    [
      ["message", mia, "what is <new>?", "direct", first!.to.chat],
      ["message", mia, "no", "direct", first!.to.chat],
    ],
  );
  await until(() => platform.state.whispers[2], "both notes");
  assert.deepEqual(
    platform.state.whispers
      .slice(1)
      .map(({ to, text }) => `${to} ${text}`)
      .toSorted(),
    [`${mia} I answer in our direct messages.`, `${mia} That is *not* allowed.`],
  );
  // S-35: before the check nothing is asked of somebody with whom nothing was said, and nothing is opened.
  platform.state.calls.length = 0;
  const strangers: unknown[] = [];
  trial.inbox.now = async ({ to }) => (strangers.push(to.chat, platform.calls().join()), {});
  platform.command("/steward", "let me in", ben);
  const [, , , known] = await trial.came(4);
  assert.deepEqual(strangers, [ben, ""]);
  await trial.channel.send({ channel: "slack", chat: ben }, { text: "Who are you?" }, "k1");
  assert.deepEqual([known!.text, known!.to.chat], ["let me in", platform.kept()[0]!.chat]);
  await platform.say({ text: "hello?", mention: true, from: ben, chat: platform.rooms[0], group: true });
  const calls = JSON.stringify(await until(() => strangers[3], "the mention"));
  assert.ok(!calls.includes("users.info"));
});

test("slack: a pressed button is answered to who pressed it, and the buttons go", async (t) => {
  const { platform, trial, mia, ben } = await place(t);
  await platform.say({ text: "do it", from: mia });
  const [message] = await trial.came(1);
  trial.inbox.now = async () => ({ text: "Allowed." });
  const receipt = await trial.channel.send(message!.to, { text: "May I?", buttons: [{ id: "ask/1/a", label: "Allow" }] }, "k1");
  await platform.press!(receipt, "ask/1/a", ben);
  await until(() => platform.kept().find((one) => one.id === receipt && one.buttons === undefined), "no buttons");
  assert.deepEqual(platform.state.whispers, [{ to: ben, text: "Allowed." }]);
});

test("slack: it works on in threads as long as nothing was said, and what was taken up bears a mark", async (t) => {
  const { platform, trial, mia } = await place(t);
  const [chat] = platform.rooms;
  await platform.say({ text: "think", mention: true, from: mia, chat, group: true });
  const [message] = await trial.came(1);
  const { to } = message!;
  await trial.channel.react!(to, message!.message, "seen");
  await trial.channel.react!(to, message!.message, "seen");
  await trial.channel.react!(to, message!.message, undefined);
  await trial.channel.react!(to, message!.message, undefined);
  await trial.channel.typing!(to);
  await trial.channel.send(to, { text: "So:" }, "k1");
  await trial.channel.typing!(to);
  await trial.channel.typing!({ channel: "slack", chat });
  assert.deepEqual(
    platform.state.status.map((one) => ({ ...one })),
    [{ channel_id: chat, thread_ts: to.thread, status: "is thinking…" }],
  );
  assert.equal(await trial.channel.readers!(to), undefined, "in a public channel everybody reads, members or not");
  assert.deepEqual(
    (await trial.channel.readers!({ channel: "slack", chat: platform.cellar }))?.toSorted(),
    ["U000000001", ...platform.people].toSorted(),
  );
});

test("slack: asked to leave, it connects anew and misses nothing; turned off, it says what to do", async (t) => {
  const { platform, trial, mia } = await place(t);
  platform.leave("refresh_requested");
  await until(() => (platform.state.sockets.size === 1 ? true : undefined), "a new socket");
  await platform.say({ text: "after", from: mia });
  await trial.came(1);
  assert.deepEqual(trial.lost, []);
  platform.leave("link_disabled");
  const lost = await until(() => trial.lost[0], "it is lost");
  assert.ok(hasCode(lost, "denied") && lost.hint?.includes("Socket Mode"));
});

test("slack: what was written meanwhile in threads and to a new conversation is read; deafness is seen and healed", async (t) => {
  const now = { late: 0 };
  const kind = {
    ...slack,
    open: (config, host) => slack.open(config, { ...host, now: () => Date.now() + now.late }),
  } satisfies typeof slack;
  const { platform, trial, again: open, mia, ben } = await place(t, kind);
  const [chat] = platform.rooms;
  await platform.say({ text: "begin", mention: true, from: mia, chat, group: true });
  const [begun] = await trial.came(1);
  await trial.close();
  await platform.say({ text: "in the thread", from: mia, chat, group: true, thread: begun!.to.thread! } as never);
  await platform.say({ text: "you don't know me", from: ben });
  const again = await open();
  const got = await again.came(2);
  assert.deepEqual(got.map(({ text, from, where, to }) => [text, from, where, to.thread]).toSorted(), [
    ["in the thread", mia, "group", begun!.to.thread],
    ["you don't know me", ben, "direct", undefined],
  ]);
  // The socket is open, but nothing comes by it.
  platform.state.sockets.clear();
  await platform.say({ text: "are you deaf?", from: ben });
  await again.channel.probe();
  now.late = 31_000;
  await assert.rejects(again.channel.probe(), (error) => hasCode(error, "unavailable") && error.message.includes("did not tell"));
  await again.close();
  const healed = await open();
  assert.deepEqual(
    (await healed.came(1)).map(({ text }) => text),
    ["are you deaf?"],
  );
});

test("slack: all conversations are read again, those first that spoke last, and then it is well; what is left out is said", async (t) => {
  const now = { late: 0 };
  const logs: string[] = [];
  const kind = {
    ...slack,
    open: (config, host) =>
      slack.open(config, {
        ...host,
        now: () => Date.now() + now.late,
        log: (_, text, more) => logs.push(`${text} ${String(more?.["place"])}`),
      }),
  } satisfies typeof slack;
  const { platform, trial, again, mia, ben } = await place(t, kind);
  const [chat, other] = platform.rooms;
  for (const from of [mia, ben]) await platform.say({ text: "begin", mention: true, from, chat: from === mia ? chat : other, group: true });
  const [first, second] = (await trial.came(2)).toSorted((a, b) => (a.from === mia ? -1 : b.from === mia ? 1 : 0));
  await trial.close();
  const { at } = JSON.parse(trial.cursors.get("at")!) as { at: string };
  const thread = ({ to }: Inbound): string => `${to.chat}/${to.thread}`;
  const gone = Array.from({ length: 150 }, (_, n) => `${chat}/1700000000.${100_000 + n}`);
  const places = Object.fromEntries([thread(first!), ...gone, other, thread(second!)].map((one) => [one, at]));
  trial.cursors.set("at", JSON.stringify({ at, places }));
  await platform.say({ text: "long ago", from: mia, chat, group: true, thread: first!.to.thread! } as never);
  await platform.say({ text: "lately", from: ben, chat: other, group: true, thread: second!.to.thread! } as never);
  platform.state.flood = { channel: other, user: ben, count: 2050 };
  const heir = await again();
  const got = await heir.came(2002);
  assert.deepEqual([got[0]!.text, got[1]!.text, got.at(-2)!.text, got.at(-1)!.text], ["lately", "m50", "m2049", "long ago"]);
  assert.deepEqual(
    logs.filter((one) => one.includes("left out")),
    [`More was written meanwhile than is read: the oldest of it is left out ${other}`],
  );
  delete platform.state.flood;
  now.late = 31_000;
  await heir.channel.probe();
  await heir.close();
  const kept = JSON.parse(trial.cursors.get("at")!) as { places: Record<string, string> };
  assert.ok(Number(kept.places[thread(first!)]) > Number(at), "how far it was read is noted");
});

test("slack: what was passed on is not its sender's word, what they say of it is", async (t) => {
  const { platform, trial, mia } = await place(t);
  const said = { type: "message", channel: "D01", channel_type: "im", user: mia, team: "T000000001" };
  const share = {
    is_share: true,
    is_msg_unfurl: true,
    author_id: "U0",
    text: "*stop* <https://a.org>",
    fallback: "[x] stop",
    files: [{ id: "F1" }],
  };
  const preview = { from_url: "https://b.org", text: "a page" };
  platform.event({ ...said, ts: "1800000000.000001", text: "", attachments: [share] });
  platform.event({ ...said, ts: "1800000000.000002", text: "what does it mean?", attachments: [share, { ...share, text: "" }, preview] });
  platform.event({ ...said, ts: "1800000000.000003", text: "see <https://b.org>", attachments: [preview] });
  const got = await trial.came(3);
  assert.deepEqual(
    got.map(({ text, forwarded, passed, files = [] }) => [text, forwarded, passed, files.length]),
    [
      ["**stop** https://a.org", true, undefined, 1],
      ["what does it mean?", undefined, "**stop** https://a.org\n\n[x] stop", 2],
      ["see https://b.org", undefined, undefined, 0],
    ],
  );
});

test("slack: without a scope it says which; a wrong app token is named", async (t) => {
  const { platform, trial, mia } = await place(t);
  await platform.say({ text: "hi", from: mia });
  const [message] = await trial.came(1);
  platform.state.lacks.set("chat.postMessage", "chat:write");
  await assert.rejects(
    trial.channel.send(message!.to, { text: "x" }, "k"),
    (error) => hasCode(error, "denied") && error.hint!.includes("chat:write"),
  );
  await assert.rejects(
    connect(slack, { ...platform, config: { ...platform.config, appToken: "xapp-1-wrong" } }),
    (error) => hasCode(error, "denied") && error.hint!.includes("xapp-"),
  );
  await assert.rejects(connect(slack, { ...platform, config: { ...platform.config, appToken: undefined } }), (error) =>
    hasCode(error, "invalid"),
  );
});

test("slack: what it says rings nobody, and what people write reads as Markdown", () => {
  assert.equal(slackMarkdown("<!channel> <@U1> <https://a.org/?b=1&c=2> `<i>`"), "&lt;!channel> &lt;@U1> https://a.org/?b=1&c=2 `&lt;i>`");
  assert.equal(
    slackLines("# A\n\n**b** <!here> [c](https://d.org/?e=1&f=2) [x](javascript:1)"),
    "*A*\n\n*b* &lt;!here&gt; <https://d.org/?e=1&amp;f=2|c> x",
  );
  assert.equal(slackLength("<b>"), 6);
  assert.equal(
    readText(
      "<@U9> *bold* ~gone~ `*raw* &lt;` <https://a.org|site> <https://b.org> <mailto:a@b.c|a@b.c> <#C1|room> <!here> 2 &lt; 3 &amp;lt;",
      "U9",
    ),
    "**bold** ~~gone~~ `*raw* <` [site](https://a.org) https://b.org a@b.c room @here 2 < 3 &lt;",
  );
});

test("slack: a mark moves on only when all before it is taken, so that who is killed meanwhile reads it again", async () => {
  const cursor = { now: JSON.stringify({ at: "1000.000000", places: { D1: "900.000000", D2: "950.000000" } }) };
  const host = { cursor: { get: async () => cursor.now, put: async (now: string) => void (cursor.now = now) }, now: () => 2e6, log() {} };
  const marks = await openMarks(host as never);
  const kept = async (): Promise<unknown> => (await marks.saved(), JSON.parse(cursor.now));
  marks.taken("D1", "2000.000001");
  marks.taken("D3", "2000.000002");
  assert.deepEqual(await kept(), { at: "1000.000000", places: { D1: "900.000000", D2: "950.000000" } });
  assert.deepEqual([marks.since("D1"), marks.since("D3"), marks.places()], ["900.000000", "700.000000", ["D2", "D1"]]);
  marks.caughtUp("D1", true);
  marks.caughtUp("D2", true);
  marks.allTried();
  marks.failed("D2", "2001.000000");
  marks.taken("D2", "2002.000000");
  assert.deepEqual(await kept(), { at: "2000.000002", places: { D1: "2000.000001", D3: "2000.000002", D2: "950.000000" } });
  marks.taken("D2", "2001.000000");
  assert.deepEqual(await kept(), { at: "2002.000000", places: { D1: "2000.000001", D3: "2000.000002", D2: "2002.000000" } });
  assert.deepEqual(
    (await openMarks({ ...host, cursor: { ...host.cursor, get: async () => "not json" } } as never)).since("D9"),
    "1700.000000",
  );
});

// ---- Events by HTTP

const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";

/** Signed as Slack's documentation says, not by the adapter's own code. */
function call(body: string, given: { at?: number; secret?: string; type?: string; signature?: string } = {}): HookRequest {
  const at = String(Math.floor((given.at ?? Date.now()) / 1000));
  const signature =
    given.signature ??
    `v0=${createHmac("sha256", given.secret ?? SECRET)
      .update(`v0:${at}:${body}`)
      .digest("hex")}`;
  const headers = { "content-type": given.type ?? "application/json", "x-slack-request-timestamp": at, "x-slack-signature": signature };
  return { method: "POST", path: "", headers, body: new TextEncoder().encode(body), peer: "203.0.113.9" };
}

async function hooked(t: TestContext): Promise<{ trial: Trial; hook(request: HookRequest): Promise<HookAnswer>; mia: string }> {
  const listening: ((request: HookRequest) => Promise<HookAnswer>)[] = [];
  const kind = {
    ...slack,
    open: (config, host) =>
      slack.open({ ...config, mode: "http", signingSecret: SECRET }, { ...host, hook: (listen) => listening.push(listen) }),
  } satisfies typeof slack;
  const { trial, mia } = await place(t, kind);
  return { trial, mia, hook: (request) => listening[0]!(request) };
}
const event = (text: string, ts: string, user: string): string =>
  `{"type":"event_callback",  "event":{"type":"message","channel":"D01","channel_type":"im","user":"${user}","team":"T000000001","ts":"${ts}","text":${JSON.stringify(text)}}}`;

test("S-75 no webhook without its secret, and the signature is over the exact raw bytes, before anything is read", async (t) => {
  const { trial, hook, mia } = await hooked(t);
  await assert.rejects(
    slack.open(slack.config.parse({ botToken: "xoxb-1", mode: "http" }), {} as never),
    (error) => hasCode(error, "invalid") && error.hint!.includes("signing-secret"),
  );
  const body = event("é  as it stands", "1800000000.000001", mia);
  const statuses = [
    call(body, { secret: "x".repeat(32) }),
    { ...call(body), body: new TextEncoder().encode(JSON.stringify(JSON.parse(body))) },
    call(body, { signature: "v0=" }),
    call(body, { signature: `v1=${"0".repeat(64)}` }),
    call("{not json", { secret: "y".repeat(32) }),
    { ...call(body), headers: {} },
    { ...call(body), method: "GET" },
  ].map(async (request) => (await hook(request)).status);
  assert.deepEqual(await Promise.all(statuses), [401, 401, 401, 401, 401, 401, 405]);
  assert.deepEqual(trial.got, []);
  assert.deepEqual(await hook(call('{"type":"url_verification","challenge":"abc"}')), {
    status: 200,
    headers: { "content-type": "text/plain" },
    body: "abc",
  });
  assert.equal((await hook(call("{not json"))).status, 400);
  assert.equal((await hook(call(body))).status, 200);
  assert.deepEqual(
    trial.got.map(({ text, from }) => [text, from]),
    [["é  as it stands", mia]],
  );
});

test("S-76 what is older than five minutes or was there already is refused; what could not be kept may come again", async (t) => {
  const { trial, hook, mia } = await hooked(t);
  const body = event("once", "1800000000.000002", mia);
  assert.equal((await hook(call(body, { at: Date.now() - 301_000 }))).status, 401);
  assert.equal((await hook(call(body, { at: Date.now() + 320_000 }))).status, 401);
  trial.inbox.now = () => Promise.reject(new StewardError("unavailable", "The disk is full"));
  const request = call(body, { at: Date.now() - 290_000 });
  assert.equal((await hook(request)).status, 503);
  trial.inbox.now = async () => ({});
  assert.equal((await hook(request)).status, 200);
  const signed = request.headers["x-slack-signature"]!;
  const shouted = { ...request, headers: { ...request.headers, "x-slack-signature": `v0=${signed.slice(3).toUpperCase()}` } };
  assert.deepEqual([(await hook(request)).status, (await hook(shouted)).status], [409, 409]);
  assert.equal((await hook(call(body))).status, 200, "Slack's own repetition has a signature of its own, and is the same message");
  assert.equal(trial.got.length, 1);
});

test("S-77 who fails too often is refused without counting others; presses and commands come as forms", async (t) => {
  const { trial, hook, mia } = await hooked(t);
  const wrong = call("{}", { secret: "z".repeat(32) });
  const statuses: number[] = [];
  for (let tries = 0; tries < 31; tries++) statuses.push((await hook(wrong)).status);
  assert.deepEqual([statuses.filter((one) => one === 401).length, statuses.at(-1)], [30, 429]);
  assert.equal((await hook({ ...wrong, peer: "203.0.113.10" })).status, 401);
  const type = "application/x-www-form-urlencoded";
  const press = {
    type: "block_actions",
    user: { id: mia, team_id: "T000000001" },
    container: { channel_id: "D01", message_ts: "1.000001" },
  };
  const form = new URLSearchParams({
    payload: JSON.stringify({ ...press, actions: [{ action_id: "a", value: "ask/1/a", action_ts: "2" }] }),
  });
  assert.equal((await hook(call(form.toString(), { type }))).status, 200);
  const command = new URLSearchParams({ command: "/steward", text: "status", user_id: mia, team_id: "T000000001", trigger_id: "3" });
  assert.equal((await hook(call(command.toString(), { type }))).status, 200);
  assert.deepEqual(
    trial.got.map(({ kind, press: id, text, from }: Inbound) => [kind, id, text, from]),
    [
      ["press", "ask/1/a", "", mia],
      ["message", undefined, "status", mia],
    ],
  );
});
