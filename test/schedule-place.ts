// Schedules in process: a clock that the test moves, a model that says what a script says, and what became of each due time.
import { runsOf } from "../src/schedules/history.ts";
import type { New } from "../src/schedules/change.ts";
import { type Run, type Sums, sumsKey } from "../src/schedules/state.ts";
import { startWorker, type Worker } from "../src/run/worker.ts";
import type { Steward } from "../src/run/steward.ts";
import type { Store } from "../src/core/store.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import scheduleTools from "../src/tools/schedules.ts";
import { harness, type HarnessOptions, OWNER } from "./harness.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const START = Date.UTC(2026, 10, 21, 12, 0, 30);

export interface World {
  steward: Steward;
  store: Store;
  worker: Worker;
  clock: { at: number };
  prompts: string[];
  /** Moves the clock and does what is due. */
  to(at: number): Promise<void>;
  runs(id: string): Promise<Run[]>;
  sums(id: string): Promise<Sums>;
}

export async function open(
  script: (prompt: string) => Said[] = () => [{ text: "done" }],
  {
    over = (store) => store,
    path = ":memory:",
    tools = [],
    ...options
  }: Partial<HarnessOptions> & { over?(store: Store): Store; path?: string } = {},
): Promise<World> {
  const clock = { at: START };
  const store = over(await sqlite(path, { now: () => clock.at }));
  const prompts: string[] = [];
  const model = scripted((request) => {
    prompts.push(JSON.stringify(request.prompt.at(-1)));
    return script(JSON.stringify(request.prompt));
  });
  const steward = harness({ store, model, now: () => clock.at, tools: [...scheduleTools, ...tools], ...options });
  const worker = startWorker(steward, { name: "w", auto: false });
  return {
    ...{ steward, store, worker, clock, prompts },
    async to(at) {
      clock.at = at;
      await worker.drain();
    },
    runs: (id) => runsOf(steward, OWNER.person, id),
    sums: async (id) => (await store.get(sumsKey(OWNER.person, id))) ?? {},
  };
}

export const every = (cron: string, more: Partial<New> = {}): New => ({
  trigger: { cron },
  action: { prompt: "Look at the garden" },
  deliver: { to: "log" },
  ...more,
});
export const brief = (rows: Run[]): unknown[] =>
  rows.map(({ due, to, count, outcome }) => [
    new Date(due).toISOString().slice(5, 16),
    outcome,
    ...(count ? [count, new Date(to!).toISOString().slice(5, 16)] : []),
  ]);

/** What the owner was told. */
export const reports = async ({ store }: World): Promise<string[]> =>
  (await store.list("p/owner/notice/")).map(({ value }) => (value as { text: string }).text);
