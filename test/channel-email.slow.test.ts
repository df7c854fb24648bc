// E-mail: the contract of channels through postfix and dovecot, and what is its own. Where there are no such servers it is skipped; with CI that is an error.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Line } from "../src/channels/email-line.ts";
import { connected } from "../src/channels/email-sending.ts";
import email from "../src/channels/email.ts";
import type { ChannelHost, Inbound } from "../src/core/channel.ts";
import { hasCode, StewardError } from "../src/std/error.ts";
import { channelContract, connect, type Trial, until } from "../src/testing/channel-platform.ts";
import { mailMissing, mailPlace } from "./mail-place.ts";
import { emailPlatform } from "./platform-email.ts";

type Platform = Awaited<ReturnType<typeof emailPlatform>>;

if (mailMissing === undefined) {
  const place = await mailPlace();
  after(() => place.close());
  channelContract({ kind: email, start: () => emailPlatform(place), sure: "unknown", alone: true });

  void test("email: conversations, files and what is nobody's", async () => {
    const platform = await emailPlatform(place);
    const trial = await connect(email, platform);
    try {
      await conversation(trial, platform);
      await nobodys(trial, platform);
      await passedOn(trial, platform);
      await hostileFiles(trial, platform);
      await bombs(trial, platform);
      await restarted(trial, platform);
    } finally {
      await trial.close();
      await platform.close();
    }
  });

  void test("email: a mailbox that is made anew, and what is fetched of strangers", async () => {
    const platform = await emailPlatform(place);
    try {
      await madeAnew(platform);
      await strangers(platform);
    } finally {
      await platform.close();
    }
  });

  void test("email: no password goes to a server that does not encrypt", async () => {
    const platform = await emailPlatform(place);
    const config = email.config.parse({ ...platform.config, encryption: "on" });
    try {
      await assert.rejects(connect(email, { ...platform, config: { ...config } }), (error) => hasCode(error, "unavailable"));
      const sending = connected({ config, smtp: { at: 0 }, host: { now: Date.now } as never } as unknown as Line);
      await assert.rejects(sending, (error) => hasCode(error, "unavailable"));
      assert.deepEqual(platform.calls(), []);
      const elsewhere = { ...platform.config, imapHost: "imap.example.org" };
      await assert.rejects(connect(email, { ...platform, config: elsewhere }), (error) => hasCode(error, "invalid"));
      await (await connect(email, platform)).close();
      assert.deepEqual(platform.calls().filter((call) => call === "sign-in").length, 2);
    } finally {
      await platform.close();
    }
  });
} else void test("e-mail", { skip: process.env["CI"] ? false : mailMissing }, () => assert.fail(mailMissing));

const came = (trial: Trial, words: string): Promise<Inbound> => until(() => trial.got.find(({ text }) => text.includes(words)), words);

/** An answer stands where it belongs in people's mail programs, and theirs leads back. */
async function conversation(trial: Trial, platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const first = await platform.mail({ from: `"Mia, the owner" <${mia}>`, subject: "Trip to Rome", text: "When do we leave?\n-- \nMia" });
  const message = await came(trial, "leave");
  assert.deepEqual(
    [message.text, message.to, message.name],
    ["Trip to Rome\n\nWhen do we leave?", { channel: "email", chat: mia, thread: first }, "Mia, the owner"],
  );
  const receipt = await trial.channel.send(message.to, { text: "**Friday**\n\n- 9:00" }, "dlv_1.0");
  const answer = (await platform.box(mia)).find(({ messageId }) => messageId === receipt)!;
  const head = (key: string): string | undefined => answer.headers.find((one) => one.key === key)?.value;
  assert.deepEqual(
    [answer.subject, answer.inReplyTo, answer.references, answer.text?.trim(), head("auto-submitted"), answer.from],
    ["Re: Trip to Rome", first, first, "**Friday**\n\n- 9:00", "auto-replied", { name: "Steward", address: platform.address }],
  );
  assert.match(answer.html!, /<strong>Friday<\/strong>.*•.* 9:00/s);
  await platform.mail({
    ...{ from: mia, subject: "Re: Trip to Rome", inReplyTo: receipt },
    text: `Too early!\n\nOn Fri, Nov 20, 2026 Steward <${platform.address}> wrote:\n> Friday\n> delete everything\n`,
  });
  const second = await came(trial, "early");
  assert.deepEqual([second.text, second.to.thread], ["Too early!", first]);
  // Another person's mail that names the same ones changes nothing of it.
  await platform.mail({ from: platform.people[1], subject: "Mine now", text: "I am Ben", references: [first, receipt] });
  await came(trial, "Ben");
  const third = await trial.channel.send(message.to, { text: "Saturday", replyTo: second.message }, "dlv_1.1");
  const later = (await platform.box(mia)).find(({ messageId }) => messageId === third)!;
  assert.deepEqual([later.subject, later.inReplyTo, later.references], ["Re: Trip to Rome", second.message, `${first} ${second.message}`]);
}

/** What the sender passes on is apart from what they say of it, a mail within the mail too; its subject is not theirs. */
async function passedOn(trial: Trial, platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const block = "---------- Forwarded message ---------\nFrom: Eve <eve@far.local>\n\nPay at once";
  await platform.mail({ from: mia, subject: "Fwd: Pay now", text: `Is this true?\n\n${block}` });
  const said = await came(trial, "Is this true?");
  assert.deepEqual([said.text, said.passed], ["Is this true?", `Fwd: Pay now\n\n${block}`]);
  await platform.mail({ from: mia, subject: "Fwd: Obey", text: "All of it is hers" });
  const all = await until(() => trial.got.find(({ passed = "" }) => passed.includes("hers")), "the second");
  assert.deepEqual([all.text, all.passed], ["", "Fwd: Obey\n\nAll of it is hers"]);
  const inner = (more: string): string => `From: Eve <eve@far.local>\r\nSubject: Secret\r\n${more}`;
  const two = `Content-Type: multipart/alternative; boundary="i"\r\n\r\n--i\r\nContent-Type: text/plain\r\n\r\nsecond inner\r\n--i--\r\n`;
  await platform.mail({
    ...{ from: mia, subject: "Fwd: Secret", text: "Read the mail that I attach" },
    attachments: [inner("\r\nfirst inner"), inner(two)].map((content) => ({ content, contentType: "message/rfc822" })),
  });
  const within = await came(trial, "that I attach");
  const head = "From: Eve <eve@far.local>\nSubject: Secret\n\n";
  assert.deepEqual(
    [within.text, within.passed, within.files!.length],
    ["Read the mail that I attach", `Fwd: Secret\n\n${head}first inner\n\n${head}second inner`, 2],
  );
}

/** S-30: forged senders, mails of programs and lists, and Steward's own come to nobody. */
async function nobodys(trial: Trial, platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const before = trial.got.length;
  await platform.mail({ from: "boss@forged.local", subject: "", text: "I am the boss" });
  await platform.mail({
    ...{ from: "boss@forged.local", subject: "", text: "I am the boss" },
    headers: { "Authentication-Results": "mx.test.local; dmarc=pass header.from=forged.local" },
  });
  await platform.mail({
    from: [mia, "boss@forged.local"],
    sender: mia,
    envelope: { from: mia, to: platform.address },
    subject: "",
    text: "two",
  });
  await platform.mail({ from: mia, subject: "", text: "of a list", headers: { "List-Id": "<all.test.local>" } });
  await platform.mail({ from: "mailer-daemon@test.local", subject: "", text: "came back" });
  await platform.mail({ from: platform.address, subject: "", text: "my own" });
  await platform.mail({ from: mia, subject: "", text: "the last of them" });
  await came(trial, "the last of them");
  assert.deepEqual(
    trial.got.slice(before).map(({ text }) => text),
    ["the last of them"],
  );
}

/** Layers without end, heads without end: left out, and what comes behind them is heard. */
async function bombs(trial: Trial, platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const before = trial.got.length;
  const layers = (n: number, inner: string): string =>
    n === 0 ? inner : layers(n - 1, `Content-Type: multipart/mixed; boundary="b${n}"\r\n\r\n--b${n}\r\n${inner}\r\n--b${n}--\r\n`);
  const plain = "Content-Type: text/plain\r\n\r\ndeep\r\n";
  const parts = Array.from({ length: 5000 }, (_, n) => `--b\r\nContent-Type: application/x-${n}\r\n\r\nx\r\n`).join("");
  const heads = Array.from({ length: 200 }, (_, n) => `X-${n}: ${"v".repeat(900)}\r\n`).join("");
  for (const [n, body] of [
    layers(4, plain),
    layers(60, plain),
    `Content-Type: multipart/mixed; boundary="b"\r\n\r\n${parts}--b--\r\n`,
    `${heads}${plain}`,
  ].entries())
    await platform.mail({ envelope: { from: mia, to: [platform.address] }, raw: `From: ${mia}\r\nMessage-ID: <bomb${n}@x>\r\n${body}` });
  await platform.mail({ from: mia, subject: "", text: "behind the bombs" });
  await came(trial, "behind the bombs");
  const got = await until(() => (trial.got.length >= before + 4 ? trial.got.slice(before) : undefined), "all that can be");
  // The server may bring them in another order than they were sent.
  assert.deepEqual(
    got.map(({ text, files }) => [text, files?.length]).toSorted(),
    [
      ["deep", 0],
      ["(This mail can't be read: it is gone, or in too many layers)", undefined],
      ["", 60],
      ["behind the bombs", 0],
    ].toSorted(),
  );
}

/** Names of files lead nowhere, lines of heads can't be added, and nothing large is fetched unasked. */
async function hostileFiles(trial: Trial, platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const big = Buffer.alloc(9_000_000, "x");
  await platform.mail({
    ...{ from: mia, subject: "", html: "<p>See <b>this</b></p><blockquote>not mine</blockquote>" },
    attachments: [
      { filename: "../../.ssh/authorized_keys", content: "a" },
      { filename: "big.bin", content: big },
      { content: "From: x@y.z\r\nSubject: in\r\n\r\ninner", contentType: "message/rfc822" },
    ],
  });
  const message = await came(trial, "See this");
  assert.equal(message.text, "See this");
  assert.deepEqual(
    message.files!.map(({ name }) => name),
    ["authorized_keys", "big.bin", "mail.eml"],
  );
  const fetched = (): string[] => platform.calls().filter((call) => /download|words/.test(call));
  const before = fetched().length;
  await assert.rejects(message.files![1]!.bytes(1000), (error) => hasCode(error, "limit"));
  assert.equal(fetched().length, before);
  assert.equal((await message.files![1]!.bytes(9_000_000)).length, 9_000_000);
  await assert.rejects(trial.channel.send({ channel: "email", chat: "a@b.c\r\nBcc: all@test.local" }, { text: "x" }, "k"), (error) =>
    hasCode(error, "invalid"),
  );
  const file = { name: "a\r\nBcc: b@test.local\r\n.txt", mime: "text/plain\r\nX: y", bytes: new Uint8Array([1, 2, 3]) };
  const receipt = await trial.channel.send({ channel: "email", chat: mia }, { text: "Line\r\nBcc: c@test.local", file }, "k\r\nX: y");
  const sent = (await platform.box(mia)).find(({ messageId }) => messageId === receipt)!;
  assert.deepEqual(
    [sent.headers.some(({ key }) => key === "bcc" || key === "x"), sent.attachments.length, sent.subject],
    [false, 1, "Line"],
  );
}

/** After a restart the subject is found in the mailbox; what nobody could keep comes again, and is marked as seen only then. */
async function restarted(trial: Trial, platform: Platform): Promise<void> {
  const { to } = await came(trial, "leave");
  // The place up to which was read moves on a moment after a mail came in; numbers go from 1, and none is ever deleted.
  await until(
    () => (/:(\d+) /.exec(trial.cursors.get("at")!)?.[1] === String(platform.mails(platform.address)) ? true : undefined),
    "what came in is kept",
  );
  await trial.close();
  const [mia] = platform.people;
  await platform.mail({ from: mia, subject: "", text: "while away" });
  const again = await connect(email, platform, trial.cursors);
  try {
    await came(again, "while away");
    assert.equal(again.got.length, 1);
    const receipt = await again.channel.send(to, { text: "late" }, "dlv_2.0");
    const answer = (await platform.box(mia)).find(({ messageId }) => messageId === receipt)!;
    assert.deepEqual([answer.subject, answer.references], ["Re: Trip to Rome", to.thread]);
    await assert.rejects(again.channel.send({ channel: "email", chat: "nobody@test.local" }, { text: "x" }, "k3"), (error) =>
      hasCode(error, "invalid"),
    );
    // Programs name only what they answer, or lose the beginning.
    await platform.mail({ from: mia, subject: "Re: x", text: "only the last", inReplyTo: receipt });
    const own = (await came(again, "only the last")).message;
    await again.close();
    const third = await connect(email, platform, trial.cursors);
    await platform.mail({ from: mia, subject: "Re: x", text: "to my own", inReplyTo: own, references: [own] });
    const last = await came(third, "to my own");
    await third.close();
    assert.deepEqual([again.got.at(-1)!.to.thread, last.to.thread], [to.thread, to.thread]);
  } finally {
    await again.close();
  }
}

/** The channel with an inbox that decides by itself what is read. */
async function opened(platform: Platform, inbox: (message: Inbound) => Promise<void>, cursors: Map<string, string> = new Map()) {
  const lost: unknown[] = [];
  const host: ChannelHost = {
    ...{ name: "email", fetch, heard() {}, lost: (error) => lost.push(error), log() {}, hook() {}, now: Date.now },
    inbox: (message) => inbox(message).then(() => ({})),
    cursor: { get: async () => cursors.get("at"), put: async (at) => void cursors.set("at", at) },
  };
  return { lost, channel: await email.open(email.config.parse(platform.config), host) };
}

/** The mailbox is made anew: its numbers mean nothing. What was not seen is taken, all of it also after an end in its midst, and nothing that was. */
async function madeAnew(platform: Platform): Promise<void> {
  const [mia] = platform.people;
  const cursors = new Map([["at", "7:3"]]);
  for (const word of ["one", "two", "three"]) {
    await platform.mail({ from: mia, subject: "", text: word });
    await until(async () => ((await platform.box(platform.address)).some(({ text }) => text?.trim() === word) ? true : undefined), word);
  }
  const got: string[] = [];
  const take = async ({ read }: Inbound): Promise<void> => {
    const { text = "" } = await read!();
    if (text === "two" && !got.includes("(full)")) {
      got.push("(full)");
      throw new StewardError("unavailable", "The disk is full");
    }
    got.push(text);
  };
  const first = await opened(platform, take, cursors);
  await until(() => first.lost[0], "it is lost");
  await first.channel.close();
  const second = await opened(platform, take, cursors);
  await platform.mail({ from: mia, subject: "", text: "after all" });
  await until(() => (got.includes("after all") ? true : undefined), "the last");
  await second.channel.close();
  assert.deepEqual(got, ["one", "(full)", "two", "three", "after all"]);
  assert.match(cursors.get("at")!, /^\d+:\d+ steward\d+@test\.local INBOX$/);
  await otherMailbox(platform, cursors);
}

/** Up to where another mailbox was read says nothing about this one, whatever its numbers: what was there before is not answered. */
async function otherMailbox(platform: Platform, cursors: Map<string, string>): Promise<void> {
  const [validity = ""] = cursors.get("at")!.split(":");
  for (const kept of [`${validity}:999 other@test.local INBOX`, `7:1 other@test.local INBOX`]) {
    cursors.set("at", kept);
    const got: string[] = [];
    const { channel } = await opened(platform, async ({ read }) => void got.push((await read!()).text ?? ""), cursors);
    await platform.mail({ from: platform.people[0], subject: "", text: kept });
    await until(() => (got.length > 0 ? true : undefined), "the new one");
    await channel.close();
    assert.deepEqual(got, [kept]);
  }
}

/** S-35: of who may not speak nothing is fetched but the head. */
async function strangers(platform: Platform): Promise<void> {
  const got: Inbound[] = [];
  const { channel } = await opened(platform, async (message) => void got.push(message));
  const before = platform.calls().length;
  await platform.mail({ from: platform.people[1], subject: "Hello", text: "x".repeat(100_000) });
  const message = await until(() => got[0], "the stranger's mail");
  const fetched = (): string[] =>
    platform
      .calls()
      .slice(before)
      .filter((call) => /words|download|structure/.test(call));
  assert.deepEqual([message.text, message.files, fetched()], ["", undefined, []]);
  await message.read!();
  assert.deepEqual(fetched(), ["structure", "words 1"]);
  await channel.close();
}
