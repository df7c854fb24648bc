// The second half of the store contract: jobs, lanes, leases and notices, with the small events that both halves are made of.
import assert from "node:assert/strict";
import type { Event, LiveEvent } from "../core/events.ts";
import type { Commit, NewJob, Notice, Store } from "../core/store.ts";

/** `again` opens the same database once more; `pass` moves the clock of all. */
export interface More {
  now: () => number;
  pass(ms: number): void;
  again(exclusive?: boolean): Promise<Store>;
}
export type Check = (title: string, body: (store: Store, more: More) => Promise<void>) => unknown;

export const say = (text: string, id = "m"): Event => ({ type: "message.received", id, from: "ada", parts: [{ type: "text", text }] });
export const answer = (text: string): Event => ({ type: "item.completed", turn: "t", item: { id: "i", kind: "text", text } });
export const born = (person: string, title?: string): Event => ({
  type: "session.created",
  person,
  ...(title === undefined ? {} : { title }),
});
export const log = (session: string, ...events: Event[]): Commit => ({ events: events.map((event) => ({ session, event })) });
export const job = (id: string, lane = "a", more: Partial<NewJob> = {}): NewJob => ({ id, kind: "k", lane, data: { id }, ...more });
export const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

export function waiting(check: Check): void {
  check("lets what waits come sooner, but not those kinds", async (store, { pass, now }) => {
    const at = now() + 1e6;
    await store.commit({ jobs: [job("far", "a", { runAt: at }), job("due", "b"), job("stays", "c", { kind: "o", runAt: at })] });
    await store.claim("w", ["k"], 500);
    await store.commit({ lease: { job: "due", epoch: 1, then: { retryAt: at } } });
    await store.commit({ sooner: { by: now() + 50, but: ["o", "p"] } });
    assert.deepEqual(await store.jobs(), { due: 0, later: 3, running: 0, next: now() + 50 });
    pass(51);
    assert.deepEqual(await store.jobs(), { due: 2, later: 1, running: 0, next: now() - 1 });
    await store.commit({ sooner: { by: now() + 50, but: [] } });
    pass(51);
    assert.deepEqual((await store.jobs()).due, 3);
  });
}

export function leases(check: Check): void {
  check("leases the oldest due job of a free lane, of the kinds asked for", async (store, { now, pass }) => {
    await store.commit({
      jobs: [
        job("late", "a", { runAt: now() - 1 }),
        job("first", "b", { runAt: now() - 9 }),
        job("b2", "b", { runAt: now() - 5 }),
        job("soon", "c", { runAt: now() + 100 }),
        job("other", "d", { kind: "o" }),
      ],
    });
    assert.deepEqual(await store.claim("w", ["k"], 50), {
      id: "first",
      kind: "k",
      lane: "b",
      runAt: now() - 9,
      data: { id: "first" },
      epoch: 1,
      tries: 1,
    });
    assert.equal((await store.claim("w", ["k"], 50))?.id, "late");
    assert.deepEqual(await store.jobs(), { due: 2, later: 1, running: 2, next: now() - 5 });
    assert.deepEqual(
      [await store.claim("w", ["k"], 50), await store.claim("w", [], 50), (await store.claim("w", ["x", "o"], 50))?.id],
      [undefined, undefined, "other"],
    );
    await store.commit({ lease: { job: "first", epoch: 1, then: "done" } });
    assert.equal((await store.claim("w", ["k", "o"], 500))?.id, "b2");
    pass(100);
    assert.deepEqual([(await store.claim("w", ["k"], 50))?.id, (await store.claim("w", ["k"], 50))?.id], ["late", "soon"]);
  });

  check("leaves jobs of the persons named where they are, and takes the next one's", async (store) => {
    const of = (id: string, person: string): NewJob => ({
      ...job(id, id),
      data: { session: id, principal: { person, role: "member", via: "page" } },
    });
    const said = { ...job("said", "said"), data: { text: '"principal":{"person":"ann",' } };
    await store.commit({ jobs: [of("1", "ann"), of("2", "a_n"), of("3", "ben"), said] });
    const ids: (string | undefined)[] = [];
    for (const not of [["ann"], ["ann", "ben"], ["ann", "a_n"], ["ann"], [], []]) ids.push((await store.claim("w", ["k"], 50, not))?.id);
    assert.deepEqual(ids, ["2", "said", "3", undefined, "1", undefined]);
  });

  check("takes jobs that are due at the same time in the order they came", async (store) => {
    await store.commit({ jobs: ["z", "m", "a"].map((id) => job(id, id)) });
    await store.commit({ jobs: [job("0", "0")] });
    const ids: (string | undefined)[] = [];
    for (const _ of numbers(1, 5)) ids.push((await store.claim("w", ["k"], 50))?.id);
    assert.deepEqual(ids, ["z", "m", "a", "0", undefined]);
    assert.deepEqual(await store.jobs(), { due: 0, later: 0, running: 4 });
  });

  check("rejects everything a worker writes whose lease is over", async (store, { pass, now }) => {
    await store.commit({ jobs: [job("j"), job("next")] });
    const old = await store.claim("w1", ["k"], 100);
    await store.commit({ lease: { job: "j", epoch: 1, then: { keepMs: 200 } } });
    pass(150);
    assert.equal(await store.claim("w2", ["k"], 100), undefined);
    pass(51);
    assert.deepEqual((await store.jobs()).due, 2);
    await store.commit({ lease: { job: "j", epoch: 1, then: { keepMs: 1 } }, ...log("s", say("late, but nobody took it")) });
    pass(2);
    const heir = await store.claim("w2", ["k"], 100);
    assert.deepEqual([old?.epoch, heir?.id, heir?.epoch, heir?.tries], [1, "j", 2, 2]);
    for (const then of ["done", { keepMs: 100 }, { retryAt: now() }] as const)
      await assert.rejects(
        store.commit({
          once: "zombie",
          erase: ["s"],
          ...log("z", say("x")),
          put: { z: 1 },
          merge: { zz: { a: 1 } },
          jobs: [job("z")],
          lease: { job: "j", epoch: 1, then },
        }),
        { code: "stale" },
      );
    assert.deepEqual(
      [await store.events("z"), await store.list(""), (await store.events("s")).length, (await store.jobs()).due],
      [[], [], 1, 1],
    );
    await store.commit({ once: "zombie", lease: { job: "j", epoch: 2, then: { retryAt: now() + 10 } } });
    await assert.rejects(store.commit({ lease: { job: "j", epoch: 2, then: "done" } }), { code: "stale" });
    assert.equal((await store.claim("w2", ["k"], 5))?.id, "next");
    await assert.rejects(store.commit({ jobs: [job("next")] }), { code: "conflict" });
    await assert.rejects(store.commit({ lease: { job: "never", epoch: 0, then: "done" } }), { code: "stale" });
  });

  check("fences a lease that ran out when another job took its lane", async (store, { pass, now }) => {
    await store.commit({ jobs: [job("slow", "a", { runAt: now() - 1 })] });
    await store.claim("w1", ["k"], 10);
    await store.commit({ jobs: [job("urgent", "a", { runAt: now() - 5 })] });
    pass(11);
    assert.equal((await store.claim("w2", ["k"], 100))?.id, "urgent");
    await assert.rejects(store.commit({ lease: { job: "slow", epoch: 1, then: { keepMs: 100 } } }), { code: "stale" });
    assert.equal(await store.claim("w3", ["k"], 10), undefined);
  });

  check("never overlaps a lane when many claim at once from two sides", async (store, { again }) => {
    const other = await again();
    await store.commit({ jobs: numbers(1, 60).map((n) => job(`j${n}`, `lane${n % 7}`)) });
    const busy = new Set<string>();
    const order: Record<string, number[]> = {};
    const work = async (mine: Store, worker: string): Promise<void> => {
      for (
        let found = await mine.claim(worker, ["k"], 1e6);
        found || (await mine.jobs()).due > 0;
        found = await mine.claim(worker, ["k"], 1e6)
      ) {
        if (!found) continue;
        assert.ok(!busy.has(found.lane), `two jobs in ${found.lane}`);
        busy.add(found.lane);
        (order[found.lane] ??= []).push(Number(found.id.slice(1)));
        await new Promise(setImmediate);
        busy.delete(found.lane);
        await mine.commit({ lease: { job: found.id, epoch: found.epoch, then: "done" } });
      }
    };
    await Promise.all(numbers(1, 6).map((n) => work(n % 2 ? store : other, `w${n}`)));
    assert.deepEqual(await store.jobs(), { due: 0, later: 0, running: 0 });
    for (const ids of Object.values(order))
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      );
    assert.equal(Object.values(order).flat().length, 60);
  });

  check("frees the leases of a dead process when opened as the only one", async (store, { again }) => {
    await store.commit({ jobs: [job("j")] });
    await store.claim("dead", ["k"], 1e9);
    assert.equal(await (await again()).claim("w", ["k"], 10), undefined);
    const heir = await again(true);
    await assert.rejects(store.commit({ lease: { job: "j", epoch: 1, then: "done" } }), { code: "stale" });
    assert.deepEqual((await heir.claim("w", ["k"], 10))?.epoch, 2);
  });
}

export function notices(check: Check): void {
  check("tells watchers of commits and live events from the call on, until the signal", async (store, { now }) => {
    const stop = new AbortController();
    const live: LiveEvent = { type: "item.delta", turn: "t", item: "i", kind: "text", text: "x", at: 0 };
    await store.commit(log("s", say("before")));
    const watching = store.watch(stop.signal);
    await store.commit({ ...log("s", say("1"), say("2")), jobs: [job("j")] });
    store.publish("s", live);
    await store.commit({ put: { quiet: 1 } });
    await store.commit({ events: [...log("r", say("3")).events!, ...log("s", say("4")).events!] });
    await store.commit({ jobs: [job("j2", "b")] });
    await store.claim("w", ["k"], 10);
    await store.commit({ lease: { job: "j", epoch: 1, then: { retryAt: now() } } });
    await store.commit({ erase: ["r"] });
    const wanted: Notice[] = [
      { session: "s", seq: 3, jobs: true },
      { session: "s", live },
      { session: "r", seq: 1 },
      { session: "s", seq: 4 },
      { jobs: true },
      { jobs: true },
      { session: "r", seq: 0 },
    ];
    const heard: Notice[] = [];
    for await (const notice of watching) if (heard.push(notice) === wanted.length) stop.abort();
    assert.deepEqual(heard, wanted);
    for await (const notice of store.watch(stop.signal)) assert.fail(JSON.stringify(notice));
  });

  check("gives a slow watcher every changed session and the newest live events", async (store) => {
    const stop = new AbortController();
    const watching = store.watch(stop.signal);
    await store.commit({ ...log("s", say("1")), jobs: [job("j")] });
    for (const n of numbers(1, 30_000))
      store.publish(`s${n % 3}`, { type: "item.delta", turn: "t", item: "i", kind: "text", text: "x", at: n });
    await store.commit(log("s", say("2")));
    const heard: Notice[] = [];
    for await (const notice of watching) if (heard.push(notice) && notice.seq === 2) stop.abort();
    const ats = heard.flatMap(({ live }) => (live?.type === "item.delta" ? [live.at] : []));
    assert.ok(heard.length < 20_000 && ats.length > 1000, `${heard.length}`);
    assert.deepEqual(ats, numbers(30_001 - ats.length, 30_000));
    assert.ok(heard.some(({ session, jobs }) => session === "s" && jobs));
  });

  check("ends its watchers when it closes, and refuses what comes after", async (store) => {
    const ended = (async () => {
      for await (const notice of store.watch(new AbortController().signal)) assert.fail(JSON.stringify(notice));
    })();
    await store.close();
    await ended;
    await assert.rejects(store.commit({ put: { a: 1 } }), { code: "unavailable" });
    await assert.rejects(store.get("a"), { code: "unavailable" });
  });
}
