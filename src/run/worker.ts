// Claims jobs and runs them, many at once, each lane one at a time. The only place that retries.
import type { Job } from "../core/store.ts";
import type { Role } from "../core/types.ts";
import { failureOf, hasCode, messageOf, StewardError } from "../std/error.ts";
import { allowanceOf } from "./allowance.ts";
import { eraseSession } from "./erasure.ts";
import { heldBack } from "./held.ts";
import { cancelKey, type Hold, LEASE_MS, type TurnData, type Work } from "./jobs.ts";
import { tellHeld } from "./notifications.ts";
import { removePerson } from "./removal.ts";
import type { Steward } from "./steward.ts";
import { transcribe } from "./transcripts.ts";
import { runTurn } from "./turn.ts";

export interface Worker {
  /** Runs every job that is due, and those that they enqueue, then resolves. For tests and for a lone `steward chat`. */
  drain(): Promise<void>;
  /** Claims no more, aborts what runs (it resumes after a restart), resolves when it is quiet or after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  running(): number;
}

/** Turns that wait for a person are not counted. */
const AT_ONCE = 256;
const TICK_MS = 1000;
const CROWD = 32;
/** What the kinds of jobs of this folder do; `steward.work` has those of the others. */
const WORK: Record<string, Work> = {
  turn: runTurn,
  erase,
  notifications: tellHeld,
  "remove-person": removePerson,
  transcribe,
};

interface Active {
  job: Job;
  hold: Hold;
  done: Promise<void>;
}

export function startWorker(steward: Steward, options: { name: string; auto: boolean }): Worker {
  const active = new Map<string, Active>();
  const stopping = new AbortController();
  /** What this process can do changes: it has some channels and not others. */
  const kinds = (): string[] => [...Object.keys(WORK), ...Object.keys(steward.work)];
  const others = (): string[] => kinds().filter((kind) => kind !== "turn");
  const isFull = (): boolean => active.size >= AT_ONCE && [...active.values()].filter(({ hold }) => !hold.waiting).length >= AT_ONCE;

  const claimAll = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const busy = atTheirLimit(steward, active.values());
      // In a crowd what is short goes first, so that answers do not wait for all questions to be asked.
      const short =
        active.size >= CROWD && active.size < 2 * AT_ONCE ? await steward.store.claim(options.name, others(), LEASE_MS, busy) : undefined;
      const job = short ?? (isFull() ? undefined : await steward.store.claim(options.name, kinds(), LEASE_MS, busy));
      if (!job) return;
      const mine = active.get(job.id);
      if (!mine || !goesOn(mine, job)) start(job, mine?.done);
    }
  };
  const start = (job: Job, after?: Promise<void>): void => {
    const hold: Hold = { abort: new AbortController(), waiting: false, changed: () => poke() };
    if (stopping.signal.aborted) hold.abort.abort(stopping.signal.reason);
    const done = runJob(steward, job, { hold, after }).finally(() => {
      if (active.get(job.id)?.job === job) active.delete(job.id);
      poke();
    });
    active.set(job.id, { job, hold, done });
  };
  const { poke, quiet, claiming } = oneByOne(() =>
    claimAll().catch((error: unknown) => steward.log("error", "No job could be claimed", { error: messageOf(error) })),
  );
  void listen(steward, stopping.signal, {
    jobs: () => options.auto && poke(),
    cancel: (turn) => {
      for (const { hold } of active.values()) if (hold.turn === turn) hold.abort.abort("cancelled");
    },
  });
  const tick = options.auto ? setInterval(poke, TICK_MS) : undefined;
  if (options.auto) poke();

  return {
    running: () => active.size,
    async drain() {
      for (;;) {
        poke();
        await quiet();
        if (active.size > 0) await Promise.race([...active.values()].map(({ done }) => done));
        else if (!claiming()) return; // a job that has just ended may have let the next one be looked for
      }
    },
    async stop(graceMs) {
      stopping.abort(new StewardError("stale", "Steward is stopping"));
      clearInterval(tick);
      for (const { hold } of active.values()) hold.abort.abort(stopping.signal.reason);
      const ended = Promise.all([...active.values()].map(({ done }) => done));
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
    },
  };
}

/** Never two at once; asked for while it runs, it runs once more. */
function oneByOne(work: () => Promise<void>): { poke(): void; quiet(): Promise<void>; claiming(): boolean } {
  const state: { now?: Promise<void>; again: boolean } = { again: false };
  const poke = (): void => {
    if (state.now) {
      state.again = true;
      return;
    }
    state.now = work().finally(() => {
      delete state.now;
      if (!state.again) return;
      state.again = false;
      poke();
    });
  };
  return {
    poke,
    async quiet() {
      while (state.now) await state.now;
    },
    claiming: () => state.now !== undefined,
  };
}

async function listen({ store, log }: Steward, signal: AbortSignal, on: { jobs(): void; cancel(turn: string): void }): Promise<void> {
  try {
    for await (const notice of store.watch(signal)) {
      if (notice.jobs || notice.session === undefined) on.jobs();
      if (notice.live?.type === "turn.cancelling") on.cancel(notice.live.turn);
    }
  } catch (error) {
    log("critical", "The worker no longer hears of new work; it looks once a second", { error: messageOf(error) });
  }
}

/** Persons who have as many turns running here as they may; their next ones wait, and hold up nobody else's. */
function atTheirLimit(steward: Steward, active: Iterable<Active>): string[] {
  const counts = new Map<string, { role: Role; turns: number }>();
  for (const { job, hold } of active) {
    if (job.kind !== "turn" || hold.waiting) continue;
    const { person, role } = (job.data as TurnData).principal;
    counts.set(person, { role, turns: (counts.get(person)?.turns ?? 0) + 1 });
  }
  return [...counts].flatMap(([person, { role, turns }]) => (turns >= allowanceOf(steward, role).turns ? [person] : []));
}

/** A lease that ran out while the machine slept, and that nobody had meanwhile, is simply taken up again; otherwise what runs here is over. */
function goesOn({ job, hold }: Active, again: Job): boolean {
  if (again.epoch !== job.epoch + 1 || hasCode(hold.abort.signal.reason, "stale")) {
    hold.abort.abort(new StewardError("stale", "Another worker had this job meanwhile"));
    return false;
  }
  job.epoch = again.epoch;
  return true;
}

/** The lease is renewed from the first moment to the last. `after`: an older run of the same job that has yet to end. */
async function runJob(steward: Steward, job: Job, { hold, after }: { hold: Hold; after: Promise<void> | undefined }): Promise<void> {
  const beat = setInterval(() => void renew(steward, job, hold), LEASE_MS / 3);
  try {
    await after;
    if (await heldBack(steward, job)) return;
    await (WORK[job.kind] ?? steward.work[job.kind] ?? steward.work[job.kind.replace(/@.*/, "")])!(steward, job, hold);
  } catch (error) {
    if (hasCode(error, "stale")) return await release(steward, job, steward.now()); // for the next start, unless another worker owns it
    steward.log("error", "A job failed and will be tried again", {
      job: job.id,
      kind: job.kind,
      tries: job.tries,
      error: messageOf(error),
    });
    const now = steward.now();
    await release(steward, job, Math.min(Math.max(failureOf(error).retryAt ?? 0, now + 1000 * 2 ** job.tries), now + 300_000));
  } finally {
    clearInterval(beat);
  }
}

/** Fails silently: then the lease belongs to another, or it runs out by itself. */
async function release({ store }: Steward, job: Job, retryAt: number): Promise<void> {
  await store.commit({ lease: { job: job.id, epoch: job.epoch, then: { retryAt } } }).catch(() => {});
}

/** Also reads whether the turn shall stop, for the live event that says so may get lost. */
async function renew({ store }: Steward, job: Job, { turn, abort }: Hold): Promise<void> {
  try {
    await store.commit({ lease: { job: job.id, epoch: job.epoch, then: { keepMs: LEASE_MS } } });
    if (turn && (await store.get(cancelKey(job.lane))) === turn) abort.abort("cancelled");
  } catch (error) {
    if (hasCode(error, "stale")) abort.abort(error);
  }
}

async function erase(steward: Steward, job: Job): Promise<void> {
  const change = await eraseSession(steward, job.data as { person: string; session: string });
  await steward.store.commit({ ...change, lease: { job: job.id, epoch: job.epoch, then: "done" } });
}
