// A whole Steward in Slack: in Socket Mode, and told by HTTP at its own address.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { until } from "../src/testing/channel-platform.ts";
import { commandsPlace, type CommandsPlace } from "./commands-place.ts";
import { type SlackPlatform, slackPlatform } from "./platform-slack.ts";

async function started(platform: SlackPlatform, more: Record<string, unknown> = {}): Promise<CommandsPlace> {
  const [mia] = platform.people;
  const [kitchen] = platform.rooms;
  const slack = { ...platform.config, allow: { [mia]: "owner" }, groups: { [kitchen]: { people: [mia] } }, ...more };
  const place = await commandsPlace({
    auto: true,
    script: ((request: unknown) => [
      { do: "text", text: `You said: ${/(tea|coffee|water|milk)/.exec(JSON.stringify(request).split('"role"').at(-1)!)?.[1]}.` },
    ]) as never,
    config: { channels: { slack } },
  });
  await until(async () => ((await place.steward.chats.list())[0]?.state === "healthy" ? true : undefined), "the channel is connected");
  return place;
}
const said = (platform: SlackPlatform, text: string) =>
  until(
    () => platform.kept().find((one) => one.text === text),
    `${text} in ${platform
      .kept()
      .map((one) => one.text)
      .join(" | ")}`,
  );

test("T-103: a direct message, a mention and /twizzy are answered in Socket Mode; nobody else's are", async () => {
  const platform = await slackPlatform();
  const place = await started(platform);
  const [mia, ben] = platform.people;
  const [kitchen, garden] = platform.rooms;
  try {
    await platform.say({ text: "tea?", from: mia });
    const answer = await said(platform, "You said: tea.");
    assert.deepEqual([answer.chat[0], answer.thread], ["D", undefined]);
    const { id } = await platform.say({ text: "coffee?", from: mia, chat: kitchen, group: true, mention: true });
    const inRoom = await said(platform, "You said: coffee.");
    assert.deepEqual([inRoom.chat, inRoom.thread], [kitchen, id.split(":")[1]]);
    platform.command("/twizzy", "water?", mia);
    assert.equal((await said(platform, "You said: water.")).chat, answer.chat);
    await platform.say({ text: "milk?", from: ben, chat: kitchen, group: true, mention: true });
    await platform.say({ text: "milk?", from: mia, chat: garden, group: true, mention: true });
    platform.command("/steward", "help", mia);
    await until(() => platform.kept().find(({ text }) => text.includes("/status")), "the help");
    assert.ok(!platform.kept().some(({ text }) => text.includes("milk")));
    const [info] = await place.steward.chats.list();
    assert.deepEqual(
      [info!.account, info!.problem],
      [`T000000001/${platform.state.users.get(String(platform.config["botToken"]))}`, undefined],
    );
  } finally {
    await place.close();
    await platform.close();
  }
});

test("told by HTTP: signed calls at Steward's own address are answered, others are not", async () => {
  const platform = await slackPlatform();
  const secret = "8f742231b10e8888abcd99yyyzzz85a5";
  const place = await started(platform, { mode: "http", signingSecret: secret });
  const [mia] = platform.people;
  try {
    const { url } = await place.gateway();
    const call = async (text: string, key: string): Promise<number> => {
      const [at, chat] = [String(Math.floor(Date.now() / 1000)), platform.rooms[0]];
      const event = { type: "app_mention", channel: chat, user: mia, team: "T000000001", ts: `${at}.000001`, text };
      const body = JSON.stringify({ type: "event_callback", event }, undefined, 1);
      const signature = `v0=${createHmac("sha256", key).update(`v0:${at}:${body}`).digest("hex")}`;
      const headers = { "content-type": "application/json", "x-slack-request-timestamp": at, "x-slack-signature": signature };
      return (await fetch(`${url}/hooks/slack`, { method: "POST", headers, body })).status;
    };
    assert.equal(await call("milk?", "wrong-secret-wrong-secret"), 401);
    assert.equal(await call("tea?", secret), 200);
    await said(platform, "You said: tea.");
    assert.equal(platform.kept().filter(({ text }) => text.startsWith("You said")).length, 1);
  } finally {
    await place.close();
    await platform.close();
  }
});
