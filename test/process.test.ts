// A program of an engine as the engine sees it: ended at any time, also when nobody reads what it has said.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Computer, ExecOptions } from "../src/core/computer.ts";
import { startProcess } from "../src/run/process.ts";

/** As computers do it: the end waits for what was given to be taken. */
function patient(say: (give: (text: string) => Promise<void>) => Promise<void>): Computer {
  const exec = async (_argv: unknown, { onBytes, signal }: ExecOptions): Promise<unknown> => {
    const gone = new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve(), { once: true }));
    await say(async (text) => onBytes!(1, Buffer.from(text)));
    await gone;
    return { code: 137, stdout: "", stderr: "" };
  };
  return { exec } as unknown as Computer;
}

test("a kill ends a program whose words nobody takes, and one whose words are half taken", { timeout: 60_000 }, async () => {
  const talkative = patient(async (give) => {
    for (let count = 0; count < 3; count++) await give(`line ${count}`);
  });
  const unread = startProcess(talkative, ["x"], {});
  await unread.kill();
  assert.deepEqual(await unread.exited, { code: 137 });
  const half = startProcess(talkative, ["x"], {});
  const reader = half.stdout[Symbol.asyncIterator]();
  assert.equal(Buffer.from((await reader.next()).value as Uint8Array).toString(), "line 0");
  await half.kill();
  assert.deepEqual(await reader.next(), { done: true, value: undefined });
});
