// The end of a turn and its workplace: calls of Steward's tools are waited for, and what is only made ready is not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import claude from "../src/engines/claude.ts";
import opencode from "../src/engines/opencode.ts";
import type { EngineHost, Host, Turn } from "../src/core/ports.ts";
import type { ToolResult } from "../src/core/types.ts";
import type { Workplace } from "../src/core/workplace.ts";
import { placeFor } from "../src/run/workplace.ts";
import { stewardPlace } from "./workplace-place.ts";

test("a call that runs when the program is gone is told to stop, and what goes on finds its result", async () => {
  const steward = await stewardPlace({ "computer.mode": "full" });
  const happened: string[] = [];
  const begun = Promise.withResolvers<void>();
  const place = await steward.place({
    async call(_call, how): Promise<ToolResult> {
      begun.resolve();
      await new Promise<void>((resolve) => how!.signal!.addEventListener("abort", () => setTimeout(resolve, 50), { once: true }));
      happened.push("its result");
      return { success: false, output: null, error: "stopped" };
    },
  });
  const client = new Client({ name: "test", version: "1" });
  const { url, headers } = place.doors.tools;
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  assert.equal(place.waiting!(), false);
  client.callTool({ name: "echo", arguments: {} }).catch(() => undefined);
  await begun.promise;
  assert.equal(place.waiting!(), true); // the program may be silent meanwhile
  await place.close();
  happened.push("the next engine");
  assert.deepEqual(happened, ["its result", "the next engine"]);
  await client.close();
  await steward.close();
});

test("a Stop does not wait for a program that is looked for, nor for a workplace that is made ready", async () => {
  const steward = await stewardPlace({});
  const stop = new AbortController();
  const signals: (AbortSignal | undefined)[] = [];
  const { computer } = steward.steward;
  steward.steward.computer = async (who) => ({
    ...(await computer(who)),
    exec: (_command, { signal } = {}) => (signals.push(signal), new Promise(() => {})),
  });
  const place = await steward.place({ signal: stop.signal });
  const looking = place.program("parrot");
  while (signals.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await assert.rejects(looking, { code: "unavailable" });
  assert.equal(signals[0]?.aborted, true);
  await place.close();
  const closed = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  const later = placeFor(stop.signal, async () => {
    await ready.promise;
    return { ...place, close: async () => closed.resolve() };
  });
  later.open().catch(() => undefined);
  await later.close();
  ready.resolve();
  await closed.promise;
  await steward.close();
});

const TURN: Turn = {
  ...{ id: "trn_1", session: "ses_1", model: "a/b", instructions: "", history: [], tools: [] },
  ...{ rounds: 5, window: 1000, seen: 3, pending: [] },
};

for (const kind of [claude, opencode])
  test(`${kind.name}: a Stop while the workplace is made ready ends the turn at once`, async () => {
    const stop = new AbortController();
    const host = { signal: stop.signal, workplace: () => new Promise<Workplace>(() => {}) } as unknown as Host;
    const engine = kind.open({ config: () => ({}) } as unknown as EngineHost<never>);
    const outcome = engine.run(TURN, host);
    setImmediate(() => stop.abort());
    const { stop: how, seen } = await outcome;
    assert.deepEqual([how, seen], ["cancelled", 3]);
  });
