// A whole Steward with a channel: connected by its configuration, paired, spoken to, killed and started again; the platform is a local server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client/client.ts";
import { until } from "../src/testing/channel-platform.ts";
import type { Action } from "../src/testing/model-server.ts";
import { commandsPlace, type CommandsPlace } from "./commands-place.ts";
import { telegramPlatform } from "./platform-telegram.ts";

type Platform = Awaited<ReturnType<typeof telegramPlatform>>;

async function started(
  platform: Platform,
  script: Action[] | ((request: unknown) => Action[]),
  more: Record<string, unknown> = {},
): Promise<CommandsPlace> {
  const place = await commandsPlace({
    auto: true,
    script: script as Action[],
    config: { channels: { telegram: { ...platform.config, ...more } } },
  });
  await until(async () => ((await place.steward.chats.list())[0]?.state === "healthy" ? true : undefined), "the channel is connected");
  return place;
}

const texts = (platform: Platform): string[] => platform.kept().map(({ text }) => text);
const said = (platform: Platform, pattern: RegExp): Promise<string> =>
  until(() => texts(platform).find((one) => pattern.test(one)), `${pattern} in ${texts(platform).join(" | ")}`);

test("T-102: a token in the configuration connects; a stranger is paired over the page's interface and then answered; commands work", async () => {
  const platform = await telegramPlatform();
  const place = await started(platform, [{ do: "text", text: "Hello **Mia**, all is well." }]);
  try {
    const gateway = await place.gateway();
    const client = connect({ url: gateway.url, token: gateway.localToken });
    await platform.say({ text: "/start" });
    const code = /[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}/.exec(await said(platform, /I don't know you yet/))![0];
    const paired = await client.call("pairings.approve", { body: { channel: "telegram", code, person: "owner" } });
    assert.deepEqual([paired.person, paired.role, paired.from], ["owner", "owner", "501"]);
    await said(platform, /^You are in/);
    await platform.say({ text: "how are you?" });
    assert.equal(await said(platform, /Mia, all/), "Hello Mia, all is well.");
    await platform.say({ text: "/start" });
    await said(platform, /\/engine/);
    await platform.say({ text: "/status" });
    await said(platform, /test-1/);
    const { channels, kinds } = await client.call("channels.list");
    assert.deepEqual(
      channels.map(({ name, title, state, account, secrets }) => ({ name, title, state, account, secrets })),
      [{ name: "telegram", title: "Telegram", state: "healthy", account: "123456", secrets: [] }],
    );
    assert.ok(kinds.some(({ name }) => name === "telegram"));
    assert.doesNotMatch(JSON.stringify(channels), /ABC-DEF/, "no secret is told");
  } finally {
    await place.close();
    await platform.close();
  }
});

test("an answer grows in the chat and ends as one message; a question has buttons and its answer goes on", async () => {
  const platform = await telegramPlatform();
  const words = Array.from({ length: 30 }, (_, at) => `word${at}`).join(" ");
  let asked = 0;
  const shown = until(() => (platform.state.buttons.includes("Stop") ? true : undefined), "while it grows it can be stopped");
  const place = await started(
    platform,
    () =>
      asked++ === 0
        ? [{ do: "calls", calls: [{ tool: "ask_person", input: { question: "Red or blue?", options: ["red", "blue"] } }] }]
        : [
            { do: "text", text: words.slice(0, 90) },
            { do: "until", promise: shown },
            { do: "text", text: words.slice(90) },
          ],
    { allow: { "501": "owner" } },
  );
  try {
    await platform.say({ text: "paint it" });
    const question = await until(() => platform.kept().find(({ buttons }) => buttons), "a question with buttons");
    assert.deepEqual(
      question.buttons?.map(({ label }) => label),
      ["red", "blue"],
    );
    await platform.press!(question.id, question.buttons[1]!.id, "501");
    await said(platform, /word29$/);
    await shown;
    const answer = platform.kept().filter(({ text }) => text.includes("word0"));
    assert.deepEqual([answer.length, answer[0]!.text, answer[0]!.edits > 0, answer[0]!.buttons], [1, words, true, undefined]);
    await until(async () => ((await place.steward.store.list("outbox/")).length === 0 ? true : undefined), "nothing waits");
  } finally {
    await place.close();
    await platform.close();
  }
});

test("channels are added, refused and taken out without a restart; what is wrong is said with what to do", async () => {
  const platform = await telegramPlatform();
  const place = await commandsPlace({ auto: true });
  try {
    const gateway = await place.gateway();
    const client = connect({ url: gateway.url, token: gateway.localToken });
    const { token, ...rest } = platform.config as { token: string; apiRoot: string };
    await assert.rejects(
      client.call("channels.set", { params: { id: "telegram" }, body: { settings: { token, colour: "red" } } }),
      /colour/,
    );
    await assert.rejects(
      client.call("channels.test", { params: { id: "telegram" }, body: { settings: { apiRoot: rest.apiRoot } } }),
      /Missing: token/,
    );
    await assert.rejects(
      client.call("channels.test", {
        params: { id: "telegram" },
        body: { settings: { apiRoot: rest.apiRoot, token: "999999:wrong-token-000" } },
      }),
      /refuses the bot's token/,
    );
    assert.deepEqual(
      await client.call("channels.test", { params: { id: "telegram" }, body: { settings: { token, apiRoot: rest.apiRoot } } }),
      { account: "123456" },
    );
    const made = await client.call("channels.set", {
      params: { id: "telegram" },
      body: { enabled: true, settings: { token, apiRoot: rest.apiRoot } },
    });
    assert.deepEqual([made.secrets, made.settings], [["token"], { apiRoot: rest.apiRoot }]);
    await until(async () => ((await place.steward.chats.list())[0]?.state === "healthy" ? true : undefined), "connected");
    // A second connection of the account would take its messages away, so the one that is there is asked.
    const begun = platform.calls().filter((call) => /deleteWebhook/i.test(call)).length;
    const again = (id: string, settings: Record<string, string>) =>
      client.call("channels.test", { params: { id }, body: { kind: "telegram", settings } });
    assert.deepEqual(await again("telegram", { token }), { account: "123456" });
    await assert.rejects(
      again("telegram", { webhookUrl: "https://steward.example.org", webhookSecret: "x".repeat(20) }),
      /would disturb it/,
    );
    await assert.rejects(again("second", { token, apiRoot: rest.apiRoot }), /The channel telegram has this account already/);
    assert.equal(platform.calls().filter((call) => /deleteWebhook/i.test(call)).length, begun);
    assert.ok(begun > 0);
    platform.revoke();
    await client.call("channels.connect", { params: { id: "telegram" } });
    await until(async () => ((await place.steward.chats.list())[0]?.state === "refused" ? true : undefined), "refused");
    await client.call("channels.remove", { params: { id: "telegram" } });
    assert.deepEqual((await client.call("channels.list")).channels, []);
    assert.deepEqual(place.file()["channels"] ?? {}, {});
  } finally {
    await place.close();
    await platform.close();
  }
});

test("a token that was written into config.json is replaced by the one that is set, and stands there no more", async () => {
  const platform = await telegramPlatform();
  const { token, apiRoot } = platform.config as { token: string; apiRoot: string };
  const place = await commandsPlace({
    auto: true,
    config: { channels: { telegram: { enabled: true, apiRoot, token: "999999:wrong-token-000" } } },
  });
  try {
    const gateway = await place.gateway();
    const client = connect({ url: gateway.url, token: gateway.localToken });
    await until(async () => ((await place.steward.chats.list())[0]?.state === "refused" ? true : undefined), "the old one is refused");
    await client.call("channels.set", { params: { id: "telegram" }, body: { settings: { token } } });
    await until(async () => ((await place.steward.chats.list())[0]?.state === "healthy" ? true : undefined), "the new one works");
    assert.deepEqual(place.file()["channels"], { telegram: { enabled: true, apiRoot } });
  } finally {
    await place.close();
    await platform.close();
  }
});
