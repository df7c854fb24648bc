// A store whose process dies at one of its commits, for crash tests. What an heir does is the test's business.
import type { Store } from "../core/store.ts";
import { StewardError } from "../std/error.ts";

export interface Mortal extends Store {
  dead(): boolean;
  /** Commits begun so far, the fatal one counted in. */
  commits(): number;
}

/**
 * Dies at commit number `dieAt` (from 1), before or after it is applied. Once dead everything rejects, claims find nothing,
 * live events vanish and watchers end: what a process that is gone can still do.
 */
export function mortal(store: Store, dieAt: number, when: "before" | "after"): Mortal {
  const life = { commits: 0, dead: false };
  const end = new AbortController();
  const die = (): never => {
    life.dead = true;
    end.abort();
    throw new StewardError("unavailable", "This process died");
  };
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (life.dead) return die();
    const result = await work();
    return life.dead ? die() : result;
  };
  return {
    dead: () => life.dead,
    commits: () => life.commits,
    async commit(change) {
      if (life.dead) return die();
      const fatal = ++life.commits === dieAt;
      if (fatal && when === "before") return die();
      const stored = await store.commit(change);
      return fatal || life.dead ? die() : stored;
    },
    async claim(worker, kinds, leaseMs, not) {
      if (life.dead) return undefined;
      const job = await store.claim(worker, kinds, leaseMs, not);
      return life.dead ? undefined : job;
    },
    events: (session, range) => alive(() => store.events(session, range)),
    get: (key) => alive(() => store.get(key)),
    list: (prefix, range) => alive(() => store.list(prefix, range)),
    search: (person, words, limit) => alive(() => store.search(person, words, limit)),
    jobs: () => alive(() => store.jobs()),
    publish(session, event) {
      if (!life.dead) store.publish(session, event);
    },
    watch: (signal) => store.watch(AbortSignal.any([signal, end.signal])),
    close: () => store.close(),
  };
}
