// A whole Steward reached by Matrix and by mail: paired by a code, answered where one wrote, asked by words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client/client.ts";
import { type Kept, type Platform, until } from "../src/testing/channel-platform.ts";
import type { Action } from "../src/testing/model-server.ts";
import { commandsPlace, type CommandsPlace } from "./commands-place.ts";
import { mailMissing, mailPlace } from "./mail-place.ts";
import { emailPlatform } from "./platform-email.ts";
import { matrixPlatform } from "./platform-matrix.ts";

const QUESTION: Action[] = [
  { do: "calls", calls: [{ tool: "ask_person", input: { question: "Red or blue?", options: ["red", "blue"] } }] },
];
const ANSWER: Action[] = [{ do: "text", text: "It is **blue** now." }];

async function reached(
  platform: Platform,
  name: string,
  answer: (question: Kept) => Promise<unknown>,
): Promise<{ place: CommandsPlace; last: Kept }> {
  const rounds = { now: 0 };
  const script = (() => (rounds.now++ === 0 ? QUESTION : ANSWER)) as unknown as Action[];
  const place = await commandsPlace({ auto: true, script, config: { channels: { [name]: platform.config } } });
  const said = (pattern: RegExp): Promise<Kept> => until(() => platform.kept().find(({ text }) => pattern.test(text)), String(pattern));
  await until(async () => ((await place.steward.chats.list())[0]?.state === "healthy" ? true : undefined), "the channel is connected");
  const gateway = await place.gateway();
  const client = connect({ url: gateway.url, token: gateway.localToken });
  await platform.say({ text: "hello" });
  const code = /[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}/.exec((await said(/I don't know you yet/)).text)![0];
  const paired = await client.call("pairings.approve", { body: { channel: name, code, person: "owner" } });
  assert.deepEqual([paired.person, paired.from], ["owner", platform.people[0]]);
  await said(/^You are in/);
  await platform.say({ text: "paint it" });
  await answer(await said(/Answer with one of: red, blue/));
  const last = await said(/blue\** now/);
  await until(async () => ((await place.steward.store.list("outbox/")).length === 0 ? true : undefined), "nothing waits");
  assert.deepEqual(platform.kept().filter(({ text }) => /blue\** now/.test(text)).length, 1, "it was said once");
  return { place, last };
}

void test("a whole Steward by Matrix", async () => {
  const platform = await matrixPlatform();
  const { place, last } = await reached(platform, "matrix", () => platform.say({ text: "Blue" }));
  await place.close();
  await platform.close();
  assert.equal(last.chat, "!mia:local");
});

void test("a whole Steward by mail", { skip: process.env["CI"] ? false : (mailMissing ?? false) }, async () => {
  const servers = await mailPlace();
  const platform = await emailPlatform(servers);
  const { place, last } = await reached(platform, "email", ({ id, thread }) =>
    platform.mail({
      from: platform.people[0],
      subject: "Re: your mail",
      text: "blue\n\nOn 1/1/26 Steward wrote:\n> red",
      inReplyTo: id,
      references: [thread!, id],
    }),
  );
  await place.close();
  await platform.close();
  await servers.close();
  assert.ok(last.thread, "it is in the conversation of the question");
});
