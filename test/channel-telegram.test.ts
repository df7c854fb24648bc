// Telegram: the contract of channels, through grammY against a local Bot API; pictures that are no photos there.
import assert from "node:assert/strict";
import { test } from "node:test";
import telegram from "../src/channels/telegram.ts";
import { StewardError } from "../src/std/error.ts";
import { channelContract, connect, until } from "../src/testing/channel-platform.ts";
import { telegramPlatform } from "./platform-telegram.ts";

channelContract({ kind: telegram, start: telegramPlatform, sure: "unknown", media: true });

/** As far as Telegram looks at it before it refuses. */
function png(width: number, height: number): Uint8Array {
  const bytes = Buffer.alloc(33);
  bytes.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return new Uint8Array(bytes);
}

test("a picture that is no photo to Telegram goes as a file; what it takes in no form is refused, and what broke is not sent twice", async () => {
  const platform = await telegramPlatform();
  const trial = await connect(telegram, platform);
  try {
    const to = { channel: "telegram", chat: "501" };
    const send = (bytes: Uint8Array) => trial.channel.send(to, { text: "", file: { name: "page.png", mime: "image/png", bytes } }, "k1");
    const sends = () => platform.calls().filter((call) => /^send/.test(call));
    const receipt = await send(png(1280, 40_000));
    const file = await until(() => platform.kept().find(({ id }) => id === receipt)?.file, "the file is there");
    assert.deepEqual([sends(), file.bytes.length], [["sendPhoto", "sendDocument"], 33]);
    await assert.rejects(send(new Uint8Array()), (error) => error instanceof StewardError && /non-empty/.test(error.message));
    platform.fail("broken-after", 1);
    const before = sends().length;
    await assert.rejects(send(png(10, 10)), (error) => !(error instanceof StewardError));
    assert.deepEqual(sends().slice(before), ["sendPhoto"]);
  } finally {
    await trial.close();
    await platform.close();
  }
});

test("up to where another bot was read says nothing about this one", async () => {
  const platform = await telegramPlatform();
  try {
    await platform.say({ text: "hello" });
    for (const [kept, ...came] of [["999999 777", "hello"], ["999999"]] as const) {
      const trial = await connect(telegram, platform, new Map([["at", kept]]));
      if (came.length > 0) await trial.came(1);
      await trial.close();
      assert.deepEqual(
        trial.got.map(({ text }) => text),
        came,
      );
    }
  } finally {
    await platform.close();
  }
});
