// Claims jobs and runs them, many at once, each lane one at a time. The only place that retries.
import type { Job } from "../core/store.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { deliver } from "./deliver.ts";
import { eraseSession } from "./sessions.ts";
import type { Steward } from "./steward.ts";
import { LEASE_MS, runTurn } from "./turn.ts";

export interface Worker {
  /** Runs every job that is due, and those that they enqueue, then resolves. For tests and for a lone `steward chat`. */
  drain(): Promise<void>;
  /** Claims no more, aborts what runs (it resumes after a restart), resolves when it is quiet or after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  running(): number;
}

const AT_ONCE = 256;
const TICK_MS = 1000;
const KINDS = ["turn", "deliver", "erase"];

export function startWorker(steward: Steward, options: { name: string; auto: boolean }): Worker {
  const active = new Map<string, { done: Promise<void>; abort: AbortController; session?: string }>();
  const stopping = new AbortController();
  const claiming: { now?: Promise<void>; again: boolean } = { again: false };

  const claimAll = async (): Promise<void> => {
    while (active.size < AT_ONCE && !stopping.signal.aborted) {
      const job = await steward.store.claim(options.name, KINDS, LEASE_MS);
      if (!job) return;
      const abort = new AbortController();
      const { session } = job.data as { session?: string };
      const done = runJob(steward, job, abort).finally(() => {
        active.delete(job.id);
        poke();
      });
      active.set(job.id, { done, abort, ...(session ? { session } : {}) });
    }
  };
  const poke = (): void => {
    if (claiming.now) {
      claiming.again = true;
      return;
    }
    claiming.now = claimAll()
      .catch((error: unknown) => steward.log("error", "No job could be claimed", { error: messageOf(error) }))
      .finally(() => {
        delete claiming.now;
        if (!claiming.again) return;
        claiming.again = false;
        poke();
      });
  };
  void listen(steward, stopping.signal, {
    jobs: () => options.auto && poke(),
    cancel: (session) => {
      for (const one of active.values()) if (one.session === session) one.abort.abort("cancelled");
    },
  });
  const tick = options.auto ? setInterval(poke, TICK_MS) : undefined;
  if (options.auto) poke();

  return {
    running: () => active.size,
    async drain() {
      for (;;) {
        poke();
        while (claiming.now) await claiming.now;
        if (active.size === 0) return;
        await Promise.race([...active.values()].map(({ done }) => done));
      }
    },
    async stop(graceMs) {
      stopping.abort();
      clearInterval(tick);
      for (const one of active.values()) one.abort.abort(new StewardError("stale", "Steward is stopping"));
      const quiet = Promise.all([...active.values()].map(({ done }) => done));
      await Promise.race([quiet, new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
    },
  };
}

async function listen({ store, log }: Steward, signal: AbortSignal, on: { jobs(): void; cancel(session: string): void }): Promise<void> {
  try {
    for await (const notice of store.watch(signal)) {
      if (notice.jobs || notice.session === undefined) on.jobs();
      if (notice.live?.type === "turn.cancelling" && notice.session) on.cancel(notice.session);
    }
  } catch (error) {
    log("critical", "The worker no longer hears of new work; it looks once a second", { error: messageOf(error) });
  }
}

async function runJob(steward: Steward, job: Job, abort: AbortController): Promise<void> {
  try {
    if (job.kind === "turn") await runTurn(steward, job, abort);
    else if (job.kind === "deliver") await deliver(steward, job);
    else await erase(steward, job);
  } catch (error) {
    if (hasCode(error, "stale")) return; // another worker owns it, or the next start goes on with it
    steward.log("error", "A job failed and will be tried again", {
      job: job.id,
      kind: job.kind,
      tries: job.tries,
      error: messageOf(error),
    });
    const retryAt = steward.now() + Math.min(1000 * 2 ** job.tries, 300_000);
    await steward.store.commit({ lease: { job: job.id, epoch: job.epoch, then: { retryAt } } }).catch(() => {}); // its lease runs out by itself
  }
}

async function erase(steward: Steward, job: Job): Promise<void> {
  const change = await eraseSession(steward, job.data as { person: string; session: string });
  await steward.store.commit({ ...change, lease: { job: job.id, epoch: job.epoch, then: "done" } });
}
