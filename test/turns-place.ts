// What the tests of turns stand on: a whole Steward whose clock, model and worker are in the test's hand, and a few tools.
import type { TestContext } from "node:test";
import * as z from "zod/mini";
import type { Event, Stored } from "../src/core/events.ts";
import type { Tool, ToolContext } from "../src/core/ports.ts";
import { openAsks } from "../src/run/asks.ts";
import { say } from "../src/run/inbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

export const said = (text: string) => [{ type: "text" as const, text }];
export const down = { fail: new StewardError("unavailable", "down") };
export const words = "words ".repeat(300);

export const tool = (name: string, run: (context: ToolContext) => Promise<unknown>): Tool => ({
  name,
  description: "",
  capability: "none",
  effect: "read",
  input: z.object({}),
  run: async (_, context) => ({ output: await run(context) }),
});
export const asking = tool("wait", ({ ask }) => ask({ prompt: "?" }));
export const touch = {
  ...tool("touch", async () => {}),
  capability: "filesystem",
  effect: "write",
  input: z.object({ path: z.string() }),
  run: async ({ path }: { path: string }, { computer }: ToolContext) => ({ output: await computer.write(path, new Uint8Array([120])) }),
} as Tool;
export const call = (name: string): Said => ({ call: name, input: name === "touch" ? { path: "~/outside" } : {} });

/** A tool that stands still until it is let go. */
export function gated() {
  const gate = Promise.withResolvers<void>();
  const runs: AbortSignal[] = [];
  const slow = tool("slow", async ({ signal }) => {
    runs.push(signal);
    await Promise.race([gate.promise, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    return signal.aborted ? "stopped" : "done";
  });
  return { slow, runs, open: gate.resolve };
}

export async function start(script: (count: number, prompt: string) => Said[], more: Partial<Parameters<typeof harness>[0]> = {}) {
  const clock = { at: 1_800_000_000_000 };
  const model = scripted((request, count) => script(count, JSON.stringify(request.prompt)));
  const steward = harness({ store: await sqlite(":memory:", { now: () => clock.at }), model, now: () => clock.at, ...more });
  const worker = startWorker(steward, { name: "w", auto: false });
  const session = (await makeSession(steward, OWNER, {})).id;
  const log = (): Promise<Stored[]> => steward.store.events(session);
  return {
    ...{ steward, worker, session, clock, model, log },
    say: (text: string, rounds?: number) =>
      say(steward, OWNER, { session, parts: said(text), ...(rounds === undefined ? {} : { rounds }) }),
    events: async (): Promise<Event[]> => (await log()).map(({ event }) => event),
    ends: async () => (await log()).flatMap(({ event }) => (event.type === "turn.completed" ? [event] : [])),
    heir: () => startWorker(steward, { name: "heir", auto: false }),
  };
}
export type Started = Awaited<ReturnType<typeof start>>;
export const stops = async (one: Started): Promise<string[]> => (await one.ends()).map(({ stop }) => stop);

export async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("It did not happen within a minute");
}
export const asked = (one: Started, who = OWNER) => until(async () => (await openAsks(one.steward, who))[0]);

export async function beats(one: Started, t: TestContext, times: number): Promise<void> {
  for (let beat = 0; beat < times; beat++) {
    one.clock.at += 20_000;
    t.mock.timers.tick(20_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
