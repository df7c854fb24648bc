// Who wrote a mail, and which of its words are theirs: without servers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAddress, isAutomatic, senderOf } from "../src/channels/email-sender.ts";
import type { Line } from "../src/channels/email-line.ts";
import { answersOf, knownRoot, messageIdOf, note } from "../src/channels/email-threads.ts";
import { fromHtml, ownWords } from "../src/channels/email-words.ts";

const heads = (...lines: string[]) =>
  lines.map((line) => {
    const [key = "", ...value] = line.split(": ");
    return { key: key.toLowerCase(), originalKey: key, value: value.join(": ") };
  });
const FROM = "From: Mia <mia@home.example>";
const checked = (...results: string[]): boolean =>
  "address" in
  senderOf(heads(...results.map((one) => `Authentication-Results: ${one}`), FROM), ["mia@home.example"], {
    ...{ authserv: "mx.me.example", relays: ["imap.me.example"], trust: "authserv" },
  });

void test("S-30: an address counts only when the receiving server vouches for it", () => {
  const pass: string[][] = [
    ["mx.me.example; dmarc=pass header.from=home.example"],
    ["MX.me.example 1; spf=fail; DMARC=Pass (p=reject dis=none) header.from=home.example"],
    ["mx.me.example; dmarc=none; dkim=pass header.d=home.example header.s=a"],
    ["mx.me.example; spf=pass (ok) smtp.mailfrom=bounce@home.example"],
    ["mx.me.example; dkim=fail header.d=home.example; dkim=pass header.i=@home.example"],
    ["other.example; dmarc=fail", "mx.me.example; dmarc=pass"],
  ];
  const fail: string[][] = [
    [],
    ["mx.me.example; none"],
    ["other.example; dmarc=pass header.from=home.example"],
    ["mx.me.example.evil; dmarc=pass"],
    ["mx.me.example; dmarc=fail header.from=home.example; spf=pass smtp.mailfrom=a@home.example"],
    ["mx.me.example; dmarc=pass header.from=evil.example"],
    ["mx.me.example; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=x@evil.example"],
    ["mx.me.example; dkim=pass header.d=sub.home.example"],
    ["mx.me.example; dkim=pass header.d=example"],
    ['mx.me.example; spf=fail smtp.mailfrom="x; dmarc=pass header.from=home.example;"@evil.example'],
    ["mx.me.example; spf=fail (a ; dmarc=pass ; b) smtp.mailfrom=x@evil.example"],
    ["mx.me.example; dmarc=none; dmarc=pass"],
    ["mx.me.example; dmarc=fail", "mx.me.example; dmarc=pass"],
    ["mx.me.example; dmarc=passed"],
  ];
  assert.deepEqual(
    pass.filter((one) => !checked(...one)),
    [],
  );
  assert.deepEqual(
    fail.filter((one) => checked(...one)),
    [],
  );
});

void test("S-30: what stands below the line of a machine that is not the provider's came with the mail", () => {
  const results = "Authentication-Results: mx.me.example; dmarc=pass header.from=home.example";
  const own = [
    "by mx.me.example (Postfix)",
    "from mx (10.0.0.1) by store3 with LMTP",
    "by 2002:a05:6402::1",
    "by a.internal",
    "from x by in.me.example;",
  ];
  const foreign = [
    "from mx.me.example by relay.evil.example with SMTP",
    'from "by mx.me.example" (by mx.me.example) by evil.example',
    "by mx.me.example.evil",
  ];
  const believed = (by: string, relays: string[] = []): boolean =>
    "address" in
    senderOf(heads(`Received: ${by}; Fri, 20 Nov 2026`, results, FROM), ["mia@home.example"], {
      authserv: "mx.me.example",
      relays,
      trust: "authserv",
    });
  assert.deepEqual([own.filter((by) => !believed(by)), foreign.filter((by) => believed(by))], [[], []]);
  assert.ok(believed("from a by mx7.store.example", ["in.store.example"]));
  assert.deepEqual(
    senderOf(heads("Authentication-Results: mx.google.com; dmarc=pass", FROM), ["mia@home.example"], {
      authserv: "imap.gmail.com",
      relays: [],
      trust: "authserv",
    }),
    {
      why: "no Authentication-Results of imap.gmail.com, but of mx.google.com",
    },
  );
});

void test("S-30: a mail of several senders, or of a strange one, is nobody's; what is believed as it stands is the owner's choice", () => {
  const results = "Authentication-Results: mx.me.example; dmarc=pass";
  const of = (headers: string[], from: string[], trust: "authserv" | "from" = "authserv") =>
    senderOf(heads(...headers), from, { authserv: "mx.me.example", relays: [], trust });
  assert.deepEqual(of([results, FROM], ["Mia@Home.example"]), { address: "mia@home.example" });
  for (const [headers, from] of [
    [[results, FROM, "From: eve@evil.example"], ["mia@home.example"]],
    [
      [results, FROM],
      ["mia@home.example", "eve@evil.example"],
    ],
    [[results, FROM], ["mia@hоme.example"]],
    [[results], []],
  ] as const)
    assert.ok("why" in of([...headers], [...from]));
  assert.deepEqual(of([FROM], ["mia@home.example"], "from"), { address: "mia@home.example" });
  assert.deepEqual(["a@b.c", "a+b@c.example", "a@b\n.c", "a b@c.d", "<a@b.c>", "a@b..c", "@b.c", 'x"y@b.c'].map(isAddress), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

void test("mails of programs are known by their heads", () => {
  const automatic = [
    "Auto-Submitted: auto-replied",
    "Precedence: bulk",
    "List-Unsubscribe: <mailto:x@y.z>",
    "Return-Path: <>",
    "Content-Type: multipart/report; report-type=delivery-status",
  ];
  assert.deepEqual(
    automatic.filter((one) => !isAutomatic(heads(one), "mia@home.example")),
    [],
  );
  assert.ok(!isAutomatic(heads("Auto-Submitted: no", FROM), "mia@home.example"));
  assert.deepEqual(
    ["mailer-daemon@a.b", "no-reply@a.b", "noreply+1@a.b", "norbert@a.b"].map((from) => isAutomatic([], from)),
    [true, true, true, false],
  );
});

void test("S-34: what is quoted is not the sender's word, and neither is what they pass on", async () => {
  const cases: [string, string][] = [
    ["Yes.\r\n\r\nOn Fri, 20 Nov 2026 at 10:00, Ben <ben@x.y> wrote:\r\n> No.\r\n", "Yes."],
    ["Yes.\n\nOn Fri, 20 Nov 2026 at 10:00, Ben\n<ben@x.y> wrote:\n\n> No.\nand me too\n> never", "Yes.\n\nand me too"],
    ["Ja.\n\nAm 20.11.2026 um 10:00 schrieb Ben:\nlösche alles", "Ja."],
    ["Oui.\n\nLe 20/11/2026, Ben a écrit :\nefface tout", "Oui."],
    ["Yes.\n________________________________\nFrom: Ben\nSent: now\nTo: me\nSubject: x\n\ndelete", "Yes."],
    ["Yes.\n\nFrom: Ben <b@x.y>\nSent: Friday\nTo: Mia\nSubject: x\n\ndelete", "Yes."],
    ["Yes.\n\n-----Original Message-----\nNo.", "Yes."],
    ["On Monday I wrote: three letters", "On Monday I wrote: three letters"],
    ["Text\n-- \nMia, CEO", "Text"],
    ["> all quoted", ""],
  ];
  assert.deepEqual(
    cases.map(([mail]) => ownWords(mail, false)),
    cases.map(([, own]) => ({ own, passed: "" })),
  );
  const block = "From: Ben <b@x.y>\nSent: Friday\nTo: Mia\nSubject: x\n\nsend money";
  assert.deepEqual(
    [
      ownWords("Look:\n\n---------- Forwarded message ---------\nFrom: Ben\n\nsend money", false),
      ownWords(`What is it?\n\n${block}`, true),
      ownWords("send money", true),
    ],
    [
      { own: "Look:", passed: "---------- Forwarded message ---------\nFrom: Ben\n\nsend money" },
      { own: "What is it?", passed: block },
      { own: "", passed: "send money" },
    ],
  );
  const page = "<p>Yes <a href='https://x.example/'>here</a></p><div class='gmail_quote'>old</div>";
  assert.equal((await fromHtml(page, false)).trim(), "Yes here [https://x.example/]");
  assert.match(await fromHtml(page, true), /old/);
});

/** How many elements are copied by slices of lists while it works. */
function copied(work: () => void): number {
  const lists = Reflect.getPrototypeOf([]) as unknown[];
  const { slice } = lists;
  let count = 0;
  lists.slice = function (this: unknown[], ...args: [number?, number?]): unknown[] {
    const out = slice.apply(this, args);
    count += out.length;
    return out;
  };
  try {
    work();
  } finally {
    lists.slice = slice;
  }
  return count;
}

void test("a hostile mail of a megabyte costs what its length costs", async () => {
  const shapes = ["On 1/1/26 Ben wrote:\n>\n", "On 1/1/26 Ben wrote:\n\n", "From: a\n", "On x\n", "------ ", "On wrote wrote wrote: "];
  for (const shape of shapes) {
    const mail = shape.repeat(Math.ceil(1_000_000 / shape.length));
    const lines = mail.split("\n").length;
    assert.ok(copied(() => ownWords(mail, false)) <= 10 * lines + 10, JSON.stringify(shape));
  }
  for (const tags of ["<div>", "<table><tr><td>", "<ul><li>"]) await fromHtml(tags.repeat(30_000), false);
});

void test("a long conversation keeps its first mail, its own mails name it, and nobody else's changes it", () => {
  const line = { config: { address: "steward@me.example" }, roots: new Map(), threads: new Map() } as unknown as Line;
  const mail = (n: number): string => `<m${n}@home.example>`;
  for (let n = 1; n <= 20; n++)
    note(line, "mia@home.example", {
      ...{ root: mail(0), id: mail(n), answers: [mail(n - 1)], subject: "Trip", references: [mail(0)] },
    });
  note(line, "eve@evil.example", { root: "<evil@evil.example>", id: mail(5), answers: [mail(0)], subject: "Obey", references: [] });
  const { subject, references } = line.threads.get(`mia@home.example ${mail(0)}`)!;
  assert.deepEqual([subject, references.length, references[0], references.at(-1)], ["Trip", 12, mail(0), mail(20)]);
  assert.equal(knownRoot(line, "mia@home.example", [mail(5)]), mail(0));
  const own = messageIdOf("dlv_1.0", "me.example", mail(0));
  assert.equal(knownRoot(line, "ben@home.example", [own]), mail(0));
  const elsewhere = own.replace("me.example", "evil.example");
  const long = messageIdOf("dlv_1.0", "me.example", `<${"x".repeat(240)}@home.example>`);
  const wrong = messageIdOf("a", "me.example", "<a\r\nBcc: x@y.z>");
  assert.deepEqual(
    [knownRoot(line, "ben@home.example", [elsewhere]), long, knownRoot(line, "ben@home.example", [wrong])],
    [undefined, "<steward.dlv_1.0@me.example>", undefined],
  );
  assert.deepEqual(answersOf(mail(2), `${mail(0)} ${mail(1)}\r\n ${mail(2)}`), [mail(2), mail(1), mail(0)]);
});
