// What every store must do. An adapter's test is one call of `storeContract`; what is peculiar to a database is tested beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event, LiveEvent } from "../core/events.ts";
import type { Commit, NewJob, Notice, Store } from "../core/ports.ts";

/** One empty database, which may be opened several times, also at once. */
export interface Place {
  open(options: { now: () => number; exclusive?: boolean }): Promise<Store>;
  remove(): Promise<void>;
}
export interface Clock {
  now: () => number;
  pass(ms: number): void;
}

const say = (text: string, id = "m"): Event => ({ type: "message.received", id, from: "ada", parts: [{ type: "text", text }] });
const answer = (text: string): Event => ({ type: "item.completed", turn: "t", item: { id: "i", kind: "text", text } });
const born = (person: string, title?: string): Event => ({ type: "session.created", person, ...(title === undefined ? {} : { title }) });
const log = (session: string, ...events: Event[]): Commit => ({ events: events.map((event) => ({ session, event })) });
const job = (id: string, lane = "a", more: Partial<NewJob> = {}): NewJob => ({ id, kind: "k", lane, data: { id }, ...more });
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** `place` makes a fresh database for each test. With a reason in `skip` the tests are shown as skipped. */
export function storeContract(name: string, place: () => Promise<Place>, skip?: string): void {
  const check = (title: string, body: (store: Store, more: Clock & { again: (exclusive?: boolean) => Promise<Store> }) => Promise<void>) =>
    test(`${name}: ${title}`, { skip: skip ?? false }, async () => {
      const where = await place();
      const clock = { at: 1_000_000 };
      const opened: Store[] = [];
      const again = async (exclusive = false): Promise<Store> => {
        const store = await where.open({ now: () => clock.at, exclusive });
        opened.push(store);
        return store;
      };
      const pass = (ms: number) => {
        clock.at += ms;
      };
      try {
        await body(await again(), { again, pass, now: () => clock.at });
      } finally {
        for (const store of opened) await store.close();
        await where.remove();
      }
    });
  logs(check);
  documents(check);
  leases(check);
  notices(check);
}
type Check = (
  title: string,
  body: (store: Store, more: Clock & { again: (exclusive?: boolean) => Promise<Store> }) => Promise<void>,
) => unknown;

function logs(check: Check): void {
  check("numbers the events of a session without gaps, also under parallel commits from two sides", async (store, { again, now }) => {
    const other = await again();
    const stored = await Promise.all(
      numbers(1, 40).map((n) => (n % 2 ? store : other).commit(log(n % 4 < 2 ? "s" : "r", say(`${n}`), answer(`${n}`)))),
    );
    for (const session of ["s", "r"]) {
      const read = await store.events(session);
      assert.deepEqual(
        read.map(({ seq }) => seq),
        numbers(1, 40),
      );
      const returned = stored.flat().filter((one) => one.session === session);
      assert.deepEqual(
        returned.sort((a, b) => a.seq - b.seq),
        read,
      );
      assert.ok(read.every(({ at }) => at === now()));
    }
    assert.deepEqual(await store.events("none"), []);
  });

  check("keeps any text as it is", async (store) => {
    const texts = ["", "\0 nul", "\ud800 lone", "👩‍👩‍👧 e\u0301 \u202e", "'; DROP TABLE events; --", "$1 ?1", "x".repeat(300_000)];
    const stored = await store.commit({ ...log("ümläut/'\"", ...texts.map((text) => say(text))), put: { "a'b$1": { texts } } });
    assert.deepEqual(await store.events("ümläut/'\""), stored);
    assert.deepEqual(await store.get("a'b$1"), { texts });
  });

  check("reads ranges: after, before, limit, last", async (store) => {
    await store.commit(log("s", ...numbers(1, 10).map((n) => say(`${n}`))));
    await store.commit(log("other", say("not this one")));
    const seqs = async (range: Parameters<Store["events"]>[1]) => (await store.events("s", range)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({}), numbers(1, 10));
    assert.deepEqual(await seqs({ after: 7 }), [8, 9, 10]);
    assert.deepEqual(await seqs({ before: 3 }), [1, 2]);
    assert.deepEqual(await seqs({ after: 2, before: 9, limit: 3 }), [3, 4, 5]);
    assert.deepEqual(await seqs({ last: 3 }), [8, 9, 10]);
    assert.deepEqual(await seqs({ after: 4, before: 9, last: 2 }), [7, 8]);
    assert.deepEqual(await seqs({ last: 4, limit: 2 }), [7, 8]);
    assert.deepEqual([await seqs({ limit: 0 }), await seqs({ last: 0 }), await seqs({ after: 10 })], [[], [], []]);
  });

  check("does nothing when the key was used before, also at the same moment", async (store, { again }) => {
    const other = await again();
    const change = (n: number): Commit => ({
      once: "k",
      ...log("s", say("hello")),
      jobs: [job(`j${n}`)],
      put: { [`d${n}`]: n },
      add: { sum: { n: 1 } },
    });
    const all = await Promise.all(numbers(1, 6).map((n) => (n % 2 ? store : other).commit(change(n))));
    assert.deepEqual(all.map((stored) => stored.length).sort(), [0, 0, 0, 0, 0, 1]);
    assert.equal((await store.events("s")).length, 1);
    assert.deepEqual([await store.get("sum"), (await store.jobs()).due, (await store.list("d")).length], [{ n: 1 }, 1, 1]);
    assert.deepEqual(await store.commit({ once: "k2" }), []);
  });

  check("finds all words in any case as prefixes, of one person, newest first", async (store) => {
    await store.commit(
      log("s1", born("ada", "Invoices of May"), say("Please pay the RENT to Zoë"), answer("The rent is paid. Café—closed")),
    );
    await store.commit(log("s2", born("bob"), say("Bob's rent")));
    await store.commit(log("s3", born("ada"), say("rental cars, don't; 漢字かな"), { type: "session.updated", title: "Zürich trip" }));
    const find = async (words: string, limit = 10, person = "ada") =>
      (await store.search(person, words, limit)).map(({ session, seq }) => `${session}.${seq}`);
    assert.deepEqual(await find("rent"), ["s3.2", "s1.3", "s1.2"]);
    assert.deepEqual(await find("RENT the"), ["s1.3", "s1.2"]);
    assert.deepEqual(await find("rent", 2), ["s3.2", "s1.3"]);
    assert.deepEqual(await find("rent", 10, "bob"), ["s2.2"]);
    assert.deepEqual(
      [await find("zoe"), await find("cafe"), await find("字"), await find("zür tri"), await find("invoi")],
      [["s1.2"], ["s1.3"], ["s3.2"], ["s3.3"], ["s1.1"]],
    );
    for (const odd of [
      '"',
      "'",
      "*",
      "AND",
      "rent OR",
      "NEAR(a b)",
      "^rent -the",
      "words:rent",
      "\\",
      ":*",
      "a & | ! <-> b",
      "\0",
      "%",
      "(",
      "rent)",
      "\ud800",
    ])
      await find(odd);
    assert.deepEqual(
      [await find('rent" OR "bob'), await find(""), await find(" .,- "), await find("ent"), await find("rent", 0)],
      [[], [], [], [], []],
    );
    const [hit] = await store.search("ada", "zoe", 1);
    assert.equal(hit?.text, "Please pay the RENT to Zoë");
  });

  check("erases logs and what search knows of them, and nothing else", async (store) => {
    await store.commit(log("s1", born("ada"), say("secret one")));
    await store.commit(log("s2", born("ada"), say("secret two")));
    await store.commit({ erase: ["s1", "none"], drop: ["p"] });
    assert.deepEqual([await store.events("s1"), (await store.search("ada", "secret", 9)).map(({ session }) => session)], [[], ["s2"]]);
    await store.commit({ ...log("s2", born("eve"), say("anew")), erase: ["s2"] });
    assert.deepEqual(
      (await store.events("s2")).map(({ seq, event }) => [seq, event.type]),
      [
        [1, "session.created"],
        [2, "message.received"],
      ],
    );
    assert.deepEqual([await store.search("ada", "anew", 9), (await store.search("eve", "anew", 9)).length], [[], 1]);
  });
}

function documents(check: Check): void {
  check("puts, merges, adds and drops documents", async (store) => {
    await store.commit({ put: { a: { x: 1, y: [2], z: null }, b: "text", c: null } });
    await store.commit({
      merge: { a: { x: null, y: 3, w: { deep: true } }, new: { one: 1, none: null } },
      add: { a: { n: 2 }, sums: { dollars: 0.5, calls: 1 } },
    });
    await store.commit({ add: { sums: { dollars: 0.25 } }, merge: { sums: { at: 7 } }, drop: ["b", "never"] });
    assert.deepEqual(await store.list(""), [
      { key: "a", value: { y: 3, z: null, w: { deep: true }, n: 2 } },
      { key: "c", value: null },
      { key: "new", value: { one: 1 } },
      { key: "sums", value: { dollars: 0.75, calls: 1, at: 7 } },
    ]);
    assert.deepEqual([await store.get("c"), await store.get("b")], [null, undefined]);
    await store.commit({ put: { d: { n: 1 } }, merge: { d: { m: 2 } }, add: { d: { n: 1 } } });
    assert.deepEqual(await store.get("d"), { n: 2, m: 2 });
    for (const change of [{ merge: { c: { x: 1 } } }, { add: { a: { w: 1 } } }, { put: { u: undefined } }])
      await assert.rejects(store.commit({ ...change, ...log("s", say("not written")) }), { code: "invalid" });
    assert.deepEqual([await store.events("s"), await store.get("c")], [[], null]);
  });

  check("loses no merge or sum when many write the same document", async (store, { again }) => {
    const other = await again();
    await Promise.all(
      numbers(1, 40).map((n) =>
        (n % 2 ? store : other).commit({ add: { sum: { n }, [`x${n % 3}`]: { n: 1 } }, merge: { sum: { [`f${n}`]: n } } }),
      ),
    );
    const fields = Object.fromEntries(numbers(1, 40).map((n) => [`f${n}`, n]));
    assert.deepEqual(await store.get("sum"), { n: 820, ...fields });
  });

  check("lists by key, by code point, and only the prefix", async (store) => {
    const keys = ["p", "p/", "p/A", "p/B", "p/a", "p/a/b", "p/é", "p/\uffee", "p/😀", "p0", "q"];
    await store.commit({ put: Object.fromEntries(keys.toReversed().map((key) => [key, { key }])) });
    assert.deepEqual(
      await store.list("p/"),
      keys.slice(1, -2).map((key) => ({ key, value: { key } })),
    );
    assert.deepEqual([await store.list("p/%"), (await store.list("p/a")).length], [[], 2]);
  });
}

function leases(check: Check): void {
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

function notices(check: Check): void {
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
