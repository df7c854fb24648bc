// What every channel promises, tried against a platform: a local server that speaks its wire and can be told to misbehave. Each test file brings the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel, ChannelHost, ChannelKind, Inbound } from "../core/channel.ts";
import { hasCode, StewardError } from "../std/error.ts";

/** A message as the platform keeps it, after all edits. */
export interface Kept {
  id: string;
  chat: string;
  thread?: string;
  /** In the platform's own form. */
  text: string;
  buttons?: { id: string; label: string }[];
  file?: { name: string; bytes: Uint8Array };
  /** By how many edits it became so. */
  edits: number;
}
export interface Said {
  /** Default: the conversation of that person with the account alone. */
  chat?: string;
  group?: boolean;
  /** Mentions the account, as people do there. */
  mention?: boolean;
  from?: string;
  bot?: boolean;
  text: string;
  /** A sticker of this name instead of words. */
  sticker?: string;
  /** The message that it answers, as people do there. */
  answers?: string;
  /** `as`: the way in which people there send pictures and what they speak, when it is another one. */
  file?: { name: string; bytes: Uint8Array; as?: "image" | "voice" };
}
/** What goes wrong with the next so many calls that send: refused for a while, an error of the server, a connection that breaks before or after the message was taken. */
export type Fault = "limited" | "error" | "broken-before" | "broken-after";

export interface Platform {
  config: Record<string, unknown>;
  /** Settings with which silence is seen soon: too soon where a machine is busy with other things. */
  hasty?: Record<string, unknown>;
  /** The same, of settings that are looked at with each question: they hold from when it is silent. */
  soon?: Record<string, unknown>;
  /** Two people, and two rooms of which the account is a member. */
  people: [string, string];
  rooms: [string, string];
  say(said: Said): Promise<{ id: string }>;
  /** The same message once more, as platforms do that were not told. Absent: it never does. */
  redeliver?(id: string): Promise<void>;
  /** Absent: it has no edits of people's messages. */
  change?(id: string, text: string): Promise<void>;
  press?(message: string, button: string, from: string): Promise<void>;
  /** People send stickers there. */
  stickers?: true;
  /** It tells which message is answered. */
  quotes?: true;
  /** What the account showed besides messages, in order: `mark ID`, `unmark ID`, `typing CHAT`. Absent: nothing of this is there. */
  signs?(): string[];
  /** Names of the commands that it offers as the platform's own. Absent: that can't be done by a program. */
  offered?(): string[];
  kept(): Kept[];
  fail(fault: Fault, times: number): void;
  /** All connections break; new ones are taken. */
  cut(): Promise<void>;
  /** Connections stay open and nothing comes over them any more. Absent: there is none to stay open. */
  freeze?(): Promise<void>;
  /** The account is refused from now on. */
  revoke(): void;
  /** Requests that the account has made, such as to see that nothing was fetched. */
  calls(): string[];
  close(): Promise<void>;
}

export interface Trial {
  channel: Channel;
  /** The settings that it goes by. */
  config: object;
  got: Inbound[];
  lost: unknown[];
  /** Resolves when so many have come in. */
  came(count: number): Promise<Inbound[]>;
  /** What the inbox does with the next ones. */
  inbox: { now(message: Inbound): Promise<{ text?: string }> };
  cursors: Map<string, string>;
  close(): Promise<void>;
}

/** Connects the adapter; `cursors` are those of an earlier life. `fetch`: the platform's own process network. */
export async function connect(kind: ChannelKind, platform: Platform, cursors: Map<string, string> = new Map()): Promise<Trial> {
  const got: Inbound[] = [];
  const lost: unknown[] = [];
  const inbox: Trial["inbox"] = { now: async () => ({}) };
  const host: ChannelHost = {
    name: kind.name,
    async inbox(message) {
      const answer = await inbox.now(message);
      const read = await message.read?.().catch((error: unknown) => {
        if (!(error instanceof StewardError) || error.code === "unavailable") throw error;
        return { text: `(${error.message})` };
      });
      got.push({ ...message, ...read });
      return answer;
    },
    cursor: { get: async () => cursors.get("at"), put: async (cursor) => void cursors.set("at", cursor) },
    fetch: (url, init) => fetch(url, init),
    heard() {},
    lost: (error) => lost.push(error),
    log() {},
    hook() {},
    now: Date.now,
  };
  const config = kind.config.parse(platform.config);
  const channel = await kind.open(config, host);
  const came = (count: number): Promise<Inbound[]> =>
    until(() => (got.length >= count ? got : undefined), `${count} messages, not ${got.length}`);
  return { channel, config: config as object, got, lost, came, inbox, cursors, close: () => channel.close() };
}

/** Looks again until there is something; fails after a minute. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`It did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Suite {
  kind: ChannelKind;
  start(): Promise<Platform>;
  /** It may be sent again under the same key, or looked up. */
  sure: "repeatable" | "lookup" | "unknown";
  /** There are no rooms. */
  alone?: boolean;
  /** Only in threads it is shown that it works. */
  quiet?: boolean;
  /** Pictures and spoken messages have ways of their own. */
  media?: boolean;
}

const LONG = [
  "# Plan",
  "",
  "One **bold** word and `code`, [a link](https://example.org/a?b=1&c=2).",
  "",
  "```js",
  ...Array.from({ length: 30 }, (_, at) => `const x${at} = "<&>" + ${at};`),
  "```",
  "",
  "1. first",
  "2. second",
].join("\n");

const PICTURE = new Uint8Array(
  Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64"),
);

type Case = (trial: Trial, platform: Platform, suite: Suite) => Promise<void>;

const direct = async (trial: Trial, platform: Platform): Promise<Inbound> => {
  await platform.say({ text: "hello", from: platform.people[0] });
  return (await trial.came(1))[0]!;
};
const byId = (platform: Platform, id: string): Kept => {
  const found = platform.kept().find((one) => one.id === id);
  assert.ok(found, `the platform has ${id}`);
  return found;
};

async function inRoom(trial: Trial, platform: Platform): Promise<void> {
  const [chat] = platform.rooms;
  await platform.say({ text: "lunch?", from: platform.people[0], chat, group: true });
  await platform.say({ text: "what time is it", from: platform.people[0], chat, group: true, mention: true });
  const room = await until(() => (trial.got.some(({ addressed }) => addressed) ? trial.got : undefined), "the mention");
  const meant = room.find(({ addressed }) => addressed)!;
  assert.deepEqual([meant.where, meant.text.trim(), meant.from], ["group", "what time is it", platform.people[0]]);
  assert.ok(room.every((one) => one.where === "group" && (one === meant || !one.addressed)));
}

const CASES: Record<string, Case> = {
  async "a message comes with the sender's id, its chat and a key of its own; its answer has a receipt"(trial, platform) {
    const message = await direct(trial, platform);
    assert.deepEqual(
      [message.kind, message.from, message.where, message.text, message.bot ?? false],
      ["message", platform.people[0], "direct", "hello", false],
    );
    await platform.say({ text: "hello", from: platform.people[1] });
    const [, other] = await trial.came(2);
    assert.notEqual(other!.key, message.key);
    assert.notEqual(other!.to.chat, message.to.chat);
    const receipt = await trial.channel.send(message.to, { text: "hi there" }, "k1");
    assert.equal(byId(platform, receipt).text.trim(), "hi there");
  },

  async "in a room it tells whether it is meant; of other programs, that they are"(trial, platform, suite) {
    if (!suite.alone) await inRoom(trial, platform);
    await platform.say({ text: "beep", bot: true, from: platform.people[1] });
    await direct(trial, platform);
    await until(() => trial.got.find(({ text }) => text === "hello"), "the person's message");
    assert.ok(trial.got.filter(({ text }) => text === "beep").every(({ bot }) => bot === true));
  },

  async "Markdown keeps its meaning, at the limit too"(trial, platform) {
    const message = await direct(trial, platform);
    const { limits, length } = trial.channel;
    const receipt = await trial.channel.send(message.to, { text: LONG }, "k1");
    const { text } = byId(platform, receipt);
    assert.match(text, /const x29 = /);
    assert.match(text, /https:\/\/example\.org\/a\?b=1/);
    let full = "";
    while (length(`${full}word & <b> `) <= limits.text) full += "word & <b> ";
    const whole = await trial.channel.send(message.to, { text: full.trim() }, "k2");
    assert.match(byId(platform, whole).text, /word (&|&amp;) (<b>|&lt;b&gt;|\\?<b\\?>)$/);
  },

  async "refused for a while and broken servers are unavailable, and nothing was sent"(trial, platform) {
    const message = await direct(trial, platform);
    const before = platform.kept().length;
    for (const fault of ["limited", "error"] as const) {
      platform.fail(fault, 50);
      const begun = Date.now();
      await assert.rejects(trial.channel.send(message.to, { text: fault }, `k-${fault}`), (error) => {
        assert.ok(hasCode(error, "unavailable"), `${fault}: ${String(error)}`);
        if (fault === "limited") assert.ok(error.retryAt! >= begun + 1000, "it says until when");
        return true;
      });
      platform.fail(fault, 0);
    }
    assert.equal(platform.kept().length, before);
    await trial.channel.send(message.to, { text: "now" }, "k-now");
    assert.equal(platform.kept().length, before + 1);
  },

  async "a connection that breaks while sending leaves no false certainty"(trial, platform, suite) {
    const message = await direct(trial, platform);
    platform.fail("broken-after", 50);
    const key = "k-broken";
    const sent = await trial.channel.send(message.to, { text: "perhaps" }, key).then(
      (receipt) => ({ receipt }),
      (error: unknown) => ({ error }),
    );
    platform.fail("broken-after", 0);
    if ("error" in sent) {
      if (suite.sure === "unknown")
        assert.ok(!(sent.error instanceof StewardError) || sent.error.code === "internal", `nobody can know: ${String(sent.error)}`);
      if (suite.sure === "repeatable") await trial.channel.send(message.to, { text: "perhaps" }, key);
      if (suite.sure === "lookup") assert.ok(await trial.channel.lookup!(message.to, key), "it finds what it sent");
    }
    assert.equal(platform.kept().filter(({ text }) => text.trim() === "perhaps").length, 1);
  },

  async "what it has sent can be changed, and a change to the same is no error"(trial, platform) {
    const { edit } = trial.channel;
    if (!edit) return;
    const message = await direct(trial, platform);
    const receipt = await trial.channel.send(message.to, { text: "one" }, "k1");
    await trial.channel.edit!(message.to, receipt, { text: "two" });
    await trial.channel.edit!(message.to, receipt, { text: "two" });
    assert.equal(byId(platform, receipt).text.trim(), "two");
    await assert.rejects(
      trial.channel.edit!(message.to, receipt.replace(/\d/g, "9"), { text: "three" }),
      (error) => error instanceof StewardError,
    );
  },

  async "buttons come back with who pressed them"(trial, platform) {
    if (trial.channel.limits.buttons === 0 || !platform.press) return;
    const message = await direct(trial, platform);
    const buttons = [
      { id: "ask/ask_123456789012345678/a", label: "Allow once", style: "primary" as const },
      { id: "ask/ask_123456789012345678/d", label: "Deny", style: "danger" as const },
    ];
    const receipt = await trial.channel.send(message.to, { text: "May I?", buttons }, "k1");
    assert.deepEqual(
      byId(platform, receipt).buttons?.map(({ label }) => label),
      ["Allow once", "Deny"],
    );
    await platform.press(receipt, buttons[1]!.id, platform.people[1]);
    const [, press] = await trial.came(2);
    assert.deepEqual([press!.kind, press!.press, press!.from, press!.message], ["press", buttons[1]!.id, platform.people[1], receipt]);
  },

  async "an answer to what it said is known as that, with what it said; to what others said it is not"(trial, platform) {
    if (!platform.quotes) return;
    const from = platform.people[0];
    const first = await platform.say({ text: "hello", from });
    const [{ to }] = (await trial.came(1)) as [Inbound];
    const receipt = await trial.channel.send(to, { text: "Which colour?" }, "k1");
    await platform.say({ text: "dark green", from, answers: receipt });
    await platform.say({ text: "as I said", from, answers: first.id });
    const [, own, other] = (await trial.came(3)) as [Inbound, Inbound, Inbound];
    assert.deepEqual([own.text, own.quoted?.own, own.quoted?.text.trim()], ["dark green", true, "Which colour?"]);
    assert.deepEqual([other.text, other.quoted?.own], ["as I said", undefined]);
  },

  async "what is neither words nor a file is put into words"(trial, platform) {
    if (!platform.stickers) return;
    await platform.say({ text: "", sticker: "wave", from: platform.people[0] });
    const [message] = await trial.came(1);
    assert.deepEqual([message!.kind, message!.text], ["message", "(Sticker: wave)"]);
  },

  async "files go both ways, and nothing is fetched before it is asked for"(trial, platform) {
    if (trial.channel.limits.file === 0) return;
    const bytes = new TextEncoder().encode("a,b\n1,2\n");
    await platform.say({ text: "look", from: platform.people[0], file: { name: "t.csv", bytes } });
    const [message] = await trial.came(1);
    const [file] = message!.files ?? [];
    assert.equal(file?.name, "t.csv");
    assert.ok(!platform.calls().some((call) => /download|\bfile\/|files-pri|attachments\/.*t\.csv/.test(call)), "nothing fetched yet");
    assert.deepEqual(Buffer.from(await file.bytes(1000)).toString(), "a,b\n1,2\n");
    await assert.rejects(file.bytes(3), (error) => hasCode(error, "limit"));
    const receipt = await trial.channel.send(message!.to, { text: "", file: { name: "out.txt", mime: "text/plain", bytes } }, "k1");
    const kept = await until(() => byId(platform, receipt).file, "the file");
    assert.deepEqual([kept.name, Buffer.from(kept.bytes).toString()], ["out.txt", "a,b\n1,2\n"]);
  },

  async "pictures go both ways, and what was spoken comes as that"(trial, platform, { media }) {
    if (trial.channel.limits.file === 0 || !media) return;
    await platform.say({ text: "", from: platform.people[0], file: { name: "dot.png", bytes: PICTURE, as: "image" } });
    await platform.say({ text: "", from: platform.people[0], file: { name: "hello.ogg", bytes: new Uint8Array([1, 2]), as: "voice" } });
    const got = await trial.came(2);
    const [picture, spoken] = got.map(({ files = [] }) => files[0]!);
    assert.deepEqual([got.map(({ files = [] }) => files.length), picture!.voice ?? false, spoken!.voice], [[1, 1], false, true]);
    assert.deepEqual([[...(await picture!.bytes(1000))], [...(await spoken!.bytes(1000))]], [[...PICTURE], [1, 2]]);
    const file = { name: "out.png", mime: "image/png", bytes: PICTURE };
    const receipt = await trial.channel.send(got[0]!.to, { text: "", file }, "k1");
    const kept = await until(() => byId(platform, receipt).file, "the picture");
    assert.deepEqual([kept.name, [...kept.bytes]], ["out.png", [...PICTURE]]);
  },

  async "what was taken up bears a mark, it shows that it works, and its commands are the platform's own"(trial, platform, { quiet }) {
    const { channel } = trial;
    if (platform.signs) {
      const { to, message } = await direct(trial, platform);
      for (const mark of ["seen", "seen", undefined] as const) await channel.react!(to, message, mark);
      await channel.typing!(to);
      const signs = [`mark ${message}`, `mark ${message}`, `unmark ${message}`, ...(quiet ? [] : [`typing ${to.chat}`])];
      assert.deepEqual(platform.signs(), signs);
    }
    if (!platform.offered) return assert.equal(channel.commands, undefined);
    await channel.commands!([{ name: "status", about: "How it is" }]);
    assert.deepEqual(platform.offered(), ["status"]);
  },

  async "what could not be kept comes again, and what came while it was away"(trial, platform, suite) {
    let refuse = 1;
    trial.inbox.now = async () => {
      if (refuse-- > 0) throw new StewardError("unavailable", "The disk is full");
      return {};
    };
    await platform.say({ text: "first", from: platform.people[0] });
    if (platform.redeliver) await trial.came(1);
    else await until(() => (refuse < 1 ? true : undefined), "it was tried");
    await trial.close();
    await platform.say({ text: "meanwhile", from: platform.people[0] });
    const again = await connect(suite.kind, platform, trial.cursors);
    try {
      const both = (): string[] => [...trial.got, ...again.got].map(({ text }) => text);
      await until(
        () => ["first", "meanwhile"].every((one) => both().includes(one)) || undefined,
        "what was refused, and what came meanwhile",
      );
      assert.deepEqual([...new Set(both())], ["first", "meanwhile"]);
    } finally {
      await again.close();
    }
  },

  async "it mends a broken connection by itself or says that it is lost"(trial, platform) {
    await direct(trial, platform);
    await platform.cut();
    await platform.say({ text: "after", from: platform.people[0] });
    await until(() => (trial.lost.length > 0 || trial.got.some(({ text }) => text === "after") ? true : undefined), "either");
  },

  async "a connection over which nothing comes is seen"(trial, platform, { kind }) {
    if (!platform.freeze) return;
    if (platform.hasty) await trial.close();
    const hasty = platform.hasty ? await connect(kind, { ...platform, config: { ...platform.config, ...platform.hasty } }) : trial;
    try {
      await direct(hasty, platform);
      await platform.freeze();
      Object.assign(hasty.config, platform.soon);
      const probed = (): Promise<true | undefined> =>
        hasty.channel.probe().then(
          () => undefined,
          () => true,
        );
      await until(async () => (hasty.lost.length > 0 ? true : await probed()), "it is in doubt");
    } finally {
      await hasty.close();
    }
  },

  async "a refused account is denied, with what to do; closing twice is no error"(trial, platform, suite) {
    platform.revoke();
    await assert.rejects(trial.channel.probe(), (error) => hasCode(error, "denied") && error.hint !== undefined);
    // What to do is said with the name that it has here.
    const foreign = new RegExp(`NAME|channels set ${suite.kind.name} `);
    await assert.rejects(
      connect({ ...suite.kind, name: "home" }, platform),
      (error) => hasCode(error, "denied") && error.hint !== undefined && !foreign.test(error.hint),
    );
    await trial.close();
  },
};

/** Registers the tests: a platform and a channel for each. */
export function channelContract(suite: Suite): void {
  for (const [name, work] of Object.entries(CASES))
    void test(`${suite.kind.name}: ${name}`, async () => {
      const platform = await suite.start();
      try {
        const trial = await connect(suite.kind, platform);
        try {
          await work(trial, platform, suite);
        } finally {
          await trial.close();
        }
      } finally {
        await platform.close();
      }
    });
}
