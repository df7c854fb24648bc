// What every store must do. An adapter's test is one call of `storeContract`; what is peculiar to a database is tested beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Commit, Store } from "../core/store.ts";
import { answer, born, type Check, job, leases, log, notices, numbers, say, waiting } from "./store-work.ts";

/** One empty database, which may be opened several times, also at once. */
export interface Place {
  open(options: { now: () => number; exclusive?: boolean }): Promise<Store>;
  remove(): Promise<void>;
}

/** `place` makes a fresh database for each test. With a reason in `skip` the tests are shown as skipped. */
export function storeContract(name: string, place: () => Promise<Place>, skip?: string): void {
  const check: Check = (title, body) =>
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
  waiting(check);
  leases(check);
  notices(check);
}
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

  check("forgets keys that are spent, and no other", async (store) => {
    for (const once of ["a/1", "a/2", "b/1"]) await store.commit({ once });
    const used = async (once: string): Promise<boolean> => {
      await store.commit({ once, put: { [`used ${once}`]: true } });
      return (await store.get(`used ${once}`)) === undefined;
    };
    await store.commit({ spent: { prefix: "a/", before: 0 } });
    assert.equal(await used("a/1"), true);
    await store.commit({ spent: { prefix: "a/", before: Date.now() + 1e12 } });
    assert.deepEqual([await used("a/1"), await used("a/2"), await used("b/1")], [false, false, true]);
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
    const wrong: Commit[] = [
      { merge: { c: { x: 1 } } },
      { add: { a: { w: 1 } } },
      { put: { z: { m: false } }, add: { z: { m: 0 } } },
      { put: { u: undefined } },
    ];
    for (const change of wrong) await assert.rejects(store.commit({ ...change, ...log("s", say("not written")) }), { code: "invalid" });
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
    const newest = async (last: number) => (await store.list("p/", { last })).map(({ key }) => key);
    assert.deepEqual([await newest(0), await newest(2), (await newest(100)).length], [[], keys.slice(-4, -2), keys.length - 3]);
  });
}
