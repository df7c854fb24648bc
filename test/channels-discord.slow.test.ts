// A whole Steward in Discord: connected by its token, in a conversation and in a room, by slash command and button, and killed while it is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../src/testing/channel-platform.ts";
import { commandsPlace } from "./commands-place.ts";
import { discordPlatform } from "./platform-discord.ts";

test("T-104 A-052: people are answered alone and, when they mention it, in a listed room; commands, growing answers and questions are Discord's own", async () => {
  const platform = await discordPlatform();
  const [mia, ben] = platform.people;
  const words = Array.from({ length: 30 }, (_, at) => `word${at}`).join(" ");
  let turns = 0;
  const shown = (): Promise<unknown> =>
    until(() => platform.kept().find(({ text }) => text.includes("word0")), "the beginning of the answer");
  const place = await commandsPlace({
    auto: true,
    script: () => {
      turns++;
      if (turns === 1)
        return [{ do: "calls", calls: [{ tool: "ask_person", input: { question: "Red or blue?", options: ["red", "blue"] } }] }];
      if (turns === 2)
        return [
          { do: "text", text: words.slice(0, 90) },
          { do: "until", promise: shown() },
          { do: "text", text: words.slice(90) },
        ];
      return [{ do: "text", text: "In **this** room." }];
    },
    config: {
      channels: {
        discord: { ...platform.config, allow: { [mia]: "owner", [ben]: "owner" }, groups: { [platform.rooms[0]]: { people: [ben] } } },
      },
    },
  });
  const said = (text: string): Promise<unknown> => until(() => platform.kept().find((one) => one.text === text), text);
  try {
    const { steward } = place;
    await until(async () => ((await steward.chats.list())[0]?.state === "healthy" ? true : undefined), "the channel is connected");
    await until(() => (platform.state.commands.some(({ name }) => name === "status") ? true : undefined), "the commands are offered");
    await platform.say({ text: "paint it", from: mia });
    const question = await until(() => platform.kept().find(({ buttons }) => buttons), "a question with buttons");
    await platform.press!(question.id, question.buttons![1]!.id, mia);
    await said(words);
    const answer = platform.kept().filter(({ text }) => text.includes("word0"));
    assert.deepEqual([answer.length, answer[0]!.edits > 0], [1, true]);
    await platform.say({ text: "lunch?", from: ben, chat: platform.rooms[0], group: true });
    await platform.say({ text: "mention of somebody not listed", from: mia, chat: platform.rooms[0], group: true, mention: true });
    await platform.say({ text: "where are we?", from: ben, chat: platform.rooms[0], group: true, mention: true });
    await said("In **this** room.");
    const token = platform.command("status", "", mia);
    await until(() => platform.kept().find(({ text }) => /test-1/.test(text)), "the answer of /status");
    await until(() => platform.state.answers.get(token)?.gone, "no placeholder is left");
    assert.equal(turns, 3);
    assert.equal((await steward.chats.list())[0]?.account, platform.state.botId);
    for (const socket of platform.state.sockets) socket.terminate();
    platform.state.session = undefined;
    await platform.say({ text: "back?", from: ben, chat: platform.rooms[0], group: true, mention: true });
    await until(() => (turns === 4 ? true : undefined), "what was missed is answered");
  } finally {
    await place.close();
    await platform.close();
  }
});
