// How often a computer that cannot tell of changes is looked into: NOTIFICATION_POLL_INTERVAL.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Computer } from "../src/core/computer.ts";
import { openLookout } from "../src/run/lookout.ts";
import { openSettings } from "../src/run/settings.ts";
import { scripted } from "../src/testing/scripted.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { eventually } from "./gateway-place.ts";
import { harness, temporary } from "./harness.ts";

/** Milliseconds from the beginning to each look. */
async function looks(seconds: number, count: number): Promise<number[]> {
  const at: number[] = [];
  const none = async (): Promise<never> => Promise.reject(new Error("nothing tells of changes here"));
  const computer = {
    mode: "contained",
    watch: none,
    list: async (path: string) => (path === "/return" && at.push(performance.now()), []),
  } as unknown as Computer;
  const store = await sqlite(":memory:");
  const steward = harness({
    store,
    model: scripted(() => []),
    computer: { name: "mute", missing: async () => undefined, open: async () => computer },
    config: { "notifications.pollSeconds": seconds },
  });
  const lookout = openLookout(() => steward);
  try {
    const began = performance.now();
    lookout.attend("owner");
    await eventually(() => at.length > count);
    return at.map((time) => time - began);
  } finally {
    await lookout.close();
    await store.close();
  }
}

test("O-075 the interval is 5 seconds, or as the variable says; a shorter one is a shorter delay", async () => {
  const of = (env: Record<string, string>): number => openSettings({ home: temporary(), env }).config().notifications.pollSeconds;
  assert.deepEqual([of({}), of({ NOTIFICATION_POLL_INTERVAL: "0.25" })], [5, 0.25]);
  const [often, seldom] = await Promise.all([looks(0.1, 8), looks(0.6, 2)]);
  // One that a busy machine held up is not followed the later by the next: it counts how many there may have been by then.
  for (const [all, ms] of [
    [often, 100],
    [seldom, 600],
  ] as const)
    assert.ok(
      all.every((time, n) => time > 0.97 * ms * n),
      String(all),
    );
  assert.ok(Math.min(...often.slice(1).map((time, n) => time - often[n]!)) < 580, String(often));
});
