// Whose a tool of OpenCode is: only Steward's own pass without the gate, not those of a project's server whose name begins alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workplace } from "../src/core/workplace.ts";
import { watch } from "../src/engines/frame.ts";
import { take, type Work } from "../src/engines/opencode-events.ts";
import { type Fields, openServer, type Server } from "../src/engines/opencode-server.ts";
import type { Record } from "../src/engines/record.ts";

test("a project's server that is called steward_evil is asked about and stands in the log", async () => {
  const [begun, wishes, replies]: [string[], string[], unknown[]] = [[], [], []];
  const record = {
    begun: async (_key: string, { tool }: { tool: string }) => void begun.push(tool),
    done: async () => {},
    flush: async () => {},
  } as unknown as Record;
  const host = {
    signal: new AbortController().signal,
    permit: async ({ tool }: { tool: string }) => (wishes.push(tool), { allowed: false }),
  } as unknown as Work["host"];
  const server = {
    call: async (_method: string, path: string, body: unknown) => void replies.push([path, (body as { reply: string }).reply]),
  };
  const work = {
    ...{ record, host, server: () => server, own: new Set(["steward_remind"]), session: "s" },
    ...{ helpers: new Set(), roles: new Map(), kinds: new Map(), inputs: new Map(), asked: new Set() },
    ...{ sent: 0, asking: 0, steps: 0, empty: 0, cut: false, idle: () => {}, retried: () => {} },
  } as unknown as Work;
  for (const tool of ["steward_remind", "steward_evil_run"]) {
    const part = { type: "tool", messageID: "m", callID: tool, tool, state: { status: "running", input: { at: 9 } } };
    await take(work, { type: "message.part.updated", properties: { sessionID: "s", part } });
    const wish = { sessionID: "s", id: tool, permission: tool, patterns: ["*"], tool: { messageID: "m", callID: tool } };
    await take(work, { type: "permission.asked", properties: wish });
  }
  while (replies.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    [begun, wishes, replies],
    [
      ["steward_evil_run"],
      ["steward_evil_run"],
      [
        ["/permission/steward_remind/reply", "once"],
        ["/permission/steward_evil_run/reply", "reject"],
      ],
    ],
  );
});

test("a program that hangs in a tool of its own is ended, later than one that hangs without; one that waits for a person is not", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const ended: string[] = [];
  const begin = (name: string, { asking = false, working = false, waiting = false }): (() => void) => {
    const place = { fault: () => undefined, waiting: () => waiting } as Partial<Workplace> as Workplace;
    const { failed, stop } = watch(place, { name, idleMs: 60_000, heard: () => 0, asking: () => asking, working: () => working });
    failed.catch(({ message }: Error) => ended.push(message));
    return stop;
  };
  const stops = [begin("One", {}), begin("Two", { working: true }), begin("Three", { asking: true }), begin("Four", { waiting: true })];
  const after = async (ms: number): Promise<string[]> => {
    t.mock.timers.tick(ms);
    await Promise.resolve();
    return ended.splice(0);
  };
  assert.deepEqual(await after(60_000), []);
  assert.deepEqual(await after(200), ["One has said nothing for 60 seconds"]);
  assert.deepEqual(await after(899_000), []);
  assert.deepEqual(await after(5000), ["Two has said nothing for 960 seconds"]);
  assert.deepEqual(await after(3_600_000), []);
  for (const stop of stops) stop();
});

test("the beat of OpenCode's server is no sign of life, what happens in it is", async (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  const heard: [string, number][] = [];
  const held: { server?: Server } = {};
  async function* stdout(): AsyncGenerator<Uint8Array> {
    for (const type of ["server.heartbeat", "session.idle", "server.heartbeat"]) {
      await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(1000);
      yield Buffer.from(`{"event":{"type":"${type}"}}\n`);
    }
  }
  const process = { stdout: stdout(), exited: Promise.resolve({ code: 0 }), stderr: () => "" };
  const place = { state: "", cwd: "", write: async () => {}, start: async () => process } as unknown as Workplace;
  const take = ({ type }: Fields): void => void heard.push([String(type), held.server!.heard()]);
  held.server = await openServer(place, { path: "", env: {} }, take);
  await held.server.broken.catch(() => {});
  assert.deepEqual(heard, [
    ["server.heartbeat", 0],
    ["session.idle", 2000],
    ["server.heartbeat", 2000],
  ]);
});
