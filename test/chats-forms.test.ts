// Forms of platforms hold whatever the text is; what others wrote is known as such; settings take only what is theirs.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "grammy/types";
import { telegramHtml, telegramLength } from "../src/channels/telegram-form.ts";
import { inboundOf, isSaid } from "../src/channels/telegram-messages.ts";
import type { Line } from "../src/channels/telegram-reading.ts";
import telegram from "../src/channels/telegram.ts";
import { setChannel } from "../src/chats/setting.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness } from "./harness.ts";

test("Telegram's form: links are whole and harmless, nothing is empty, nothing breaks out of an attribute", () => {
  const forms: [string, string][] = [
    ["[![a cat](https://a.b/c.png)](https://a.b/)", '<a href="https://a.b/">a cat</a>'],
    ["[](https://a.b/)", '<a href="https://a.b/">https://a.b/</a>'],
    ["[x]: https://a.b/", "[x]: https://a.b/"],
    ["[click](javascript:alert(1))", "click"],
    ["[click](JaVaScRiPt:alert)", "click"],
    ['[a](https://a.b/"><b>)', '<a href="https://a.b/&quot;&gt;&lt;b&gt;">a</a>'],
    ["<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
    ['```x"><a>\ny\n```', '<pre><code class="language-x">y</code></pre>'],
    ["**bold *both ~~all~~***", "<b>bold <i>both <s>all</s></i></b>"],
  ];
  for (const [markdown, html] of forms) assert.equal(telegramHtml(markdown), html, markdown);
  assert.ok(telegramLength(`a${" ".repeat(100_000)}b`) < 300, "a gap is no work");
  assert.ok(telegramHtml(`${">".repeat(3000)} deep`).includes("deep"));
});

const line = { me: { id: 1, username: "steward_bot" }, host: { name: "telegram" } } as unknown as Line;
const from = { id: 501, is_bot: false, first_name: "Ada" };
const plain: Message = { message_id: 5, date: 1, chat: { id: 501, type: "private", first_name: "Ada" }, from, text: "words" };
const message = (more: object): Message => Object.assign({ ...plain }, more);

test("S-34: what Telegram says was forwarded, or written by another bot, is known as such; one's own is not", () => {
  const other = { ...from, id: 502 };
  const kinds: [object, true | undefined][] = [
    [{}, undefined],
    [{ forward_origin: { type: "user", date: 1, sender_user: from } }, undefined],
    [{ forward_origin: { type: "user", date: 1, sender_user: other } }, true],
    [{ forward_origin: { type: "hidden_user", date: 1, sender_user_name: "Ada" } }, true],
    [{ forward_origin: { type: "channel", date: 1, chat: { id: -5, type: "channel" }, message_id: 1 } }, true],
    [{ via_bot: { ...other, is_bot: true } }, true],
  ];
  for (const [more, expected] of kinds) {
    const { forwarded } = inboundOf(line, message(more), { update_id: 1 });
    assert.equal(forwarded, expected, JSON.stringify(more));
  }
});

test("what people send at Telegram without words is put into words; its notices are nobody's", () => {
  const place = { latitude: 52.5, longitude: 13.4 };
  const options = ["Yes", "No"].map((text) => ({ text }));
  const things: [object, string][] = [
    [{ location: place }, "(Location: 52.5, 13.4)"],
    [{ location: place, venue: { title: "Café", address: "Street 1", location: place } }, "(Location: Café, Street 1, 52.5, 13.4)"],
    [{ contact: { first_name: "Mia", phone_number: "+49 1" } }, "(Contact: Mia, +49 1)"],
    [{ poll: { question: "Lunch?", options } }, "(Poll: Lunch?, Yes / No)"],
    [{ dice: { emoji: "🎲", value: 4 } }, "(🎲: 4)"],
    [{ story: { id: 1 } }, ""],
  ];
  const { text: _, ...bare } = plain as Message & { text: string };
  for (const [more, expected] of things) {
    const thing = { ...bare, ...more } as Message;
    assert.deepEqual([inboundOf(line, thing, { update_id: 1 }).text, isSaid(thing)], [expected, true]);
    assert.equal(inboundOf(line, thing, { update_id: 1, edited_message: thing as never }).text, "");
  }
  assert.equal(isSaid({ ...bare, pinned_message: plain }), false);
});

test("a channel's settings change nothing beside them, and a name is a name", async () => {
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => []) });
  steward.chats = { ...steward.chats, kind: async () => telegram };
  const refused: [string, Record<string, string>][] = [
    ["telegram", { allow: "*" }],
    ["telegram", { groups: "x" }],
    ["telegram", { kind: "webhook" }],
    ["telegram", { constructor: "x" }],
    ["telegram", { ["__proto__"]: "x" }],
    ["telegram", { alertMinutes: "soon" }],
    ["telegram.groups", {}],
    ["__proto__", {}],
  ];
  for (const [name, settings] of refused) await assert.rejects(setChannel(steward, name, { settings }), { code: "invalid" }, name);
  assert.deepEqual(steward.settings.config().channels, {});
});
