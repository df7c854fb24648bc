// steward channels as a real program, before a local Telegram: set up, somebody let in, told and taken out; what is wrong is said.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Platform } from "../src/testing/channel-platform.ts";
import { place, until } from "./cli-place.ts";
import { telegramPlatform } from "./platform-telegram.ts";

const texts = (platform: Platform): string =>
  platform
    .kept()
    .map(({ text }) => text)
    .join("\n");
const told = (platform: Platform, pattern: RegExp): Promise<void> =>
  until(
    () => pattern.test(texts(platform)),
    () => `no ${pattern} in:\n${texts(platform)}`,
  );

test("steward channels: from nothing to an answer and back", { timeout: 280_000 }, async (t) => {
  const platform = await telegramPlatform();
  t.after(() => platform.close());
  const { token, apiRoot } = platform.config as { token: string; apiRoot: string };
  const { run, start } = place();
  await start();
  assert.match((await run(["channels"])).out, /^No channels\. steward channels add PLATFORM connects one: .*telegram/);
  assert.match((await run(["channels", "add", "telegram"])).err, /add asks for tokens, so it needs a terminal/);

  assert.match((await run(["channels", "set", "telegram", "colour", "red"])).err, /channels\.telegram\.colour: there is no such setting/);
  assert.match((await run(["channels", "set", "telegram", "token", token])).err, /A secret does not go on the command line/);
  assert.equal((await run(["channels", "set", "telegram", "apiRoot", apiRoot])).code, 0);
  assert.match((await run(["channels"])).out, /telegram +Telegram +settings are missing/);
  assert.equal((await run(["channels", "set", "telegram", "token"], { input: `${token}\n` })).code, 0);
  await until(
    async () => / works /.test((await run(["channels"])).out),
    () => "it was not connected",
  );
  assert.equal((await run(["channels", "test", "telegram"])).out, "telegram works, as 123456.\n");

  await platform.say({ text: "hello" });
  await told(platform, /I don't know you yet/);
  const code = /[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}/.exec(texts(platform))![0];
  assert.match((await run(["channels", "pairings"])).out, /Mia/);
  assert.match((await run(["channels", "approve", "telegram", "ABCD-ABCD-ABCD"])).err, /steward: .+/);
  assert.equal((await run(["channels", "approve", "telegram", code, "--as", "owner"])).out, "Mia is in at telegram, as owner (owner).\n");
  await platform.say({ text: "what is 17*23?" });
  await told(platform, /391/);
  assert.match((await run(["notify", "The cellar is wet", "--me"])).out, /telegram|Told/);
  await told(platform, /The cellar is wet/);
  assert.equal((await run(["channels", "undelivered"])).out, "Everything was delivered.\n");

  assert.match((await run(["channels", "unpair", "telegram", "501", "--yes"])).out, /^Taken out/);
  await platform.say({ text: "what is 3*3?" });
  await told(platform, /I don't know you yet[^]*I don't know you yet/);
  assert.match((await run(["channels", "unset", "telegram", "colour"])).err, /has no setting colour[^]*It has .*apiRoot/);
  assert.equal((await run(["channels", "unset", "telegram", "api-root"])).out, "apiRoot is taken out; that holds at once.\n");
  assert.equal((await run(["channels", "off", "telegram"])).out, "telegram is off.\n");
  assert.equal((await run(["channels", "remove", "telegram", "--yes"])).code, 0);
  assert.match((await run(["channels"])).out, /^No channels/);
});
