// Streams: resumable without loss or double, bounded for slow readers, and other people's objects on every route (S-94).
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type RouteName, routes } from "../src/core/api.ts";
import { type Route } from "../src/core/api-shapes.ts";
import type { LiveEvent, Stored } from "../src/core/events.ts";
import { emptyView, fold } from "../src/core/fold.ts";
import type { Notice } from "../src/core/store.ts";
import { connect } from "../src/client/client.ts";
import { mailbox, openHub } from "../src/gateway/hub.ts";
import { noNotices } from "../src/run/notices.ts";
import { newId } from "../src/std/id.ts";
import { eventually, openChat, openPlace, type Place, raw } from "./gateway-place.ts";
import { leastOf } from "./took.ts";

const table = Object.entries(routes) as [RouteName, Route][];

/** Bytes that are still in use after everything else was collected: what the first collection finds dead, the second gives back. */
async function held(): Promise<number> {
  setFlagsFromString("--expose-gc");
  for (let round = 0; round < 2; round++) {
    (runInNewContext("gc") as () => void)();
    await new Promise(setImmediate);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A relay before the gateway that can drop all its connections at once. */
async function relay(port: number): Promise<{ url: string; cut(): void; bytes(): number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const state = { bytes: 0 };
  const server = createServer((near) => {
    const far = connectSocket(port, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("close", () => (open.delete(socket), near.destroy(), far.destroy()));
      socket.on("error", () => {});
    }
    near.pipe(far);
    far.on("data", (data) => (state.bytes += data.length));
    far.pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    bytes: () => state.bytes,
    close: async () => (cut(), server.close(), void (await once(server, "close"))),
  };
}

const place = await openPlace();
after(() => place.close());
const { bearer } = place;

describe("streams", () => {
  const note = (session: string, text: string) => ({
    session,
    event: { type: "message.received" as const, id: newId("msg"), from: "owner", parts: [{ type: "text" as const, text }] },
  });
  const fill = async (count: number, size = 10): Promise<string> => {
    const { id } = await place.client.call("sessions.make", { body: {} });
    for (let done = 0; done < count; done += 100)
      await place.composed.steward.store.commit({
        events: Array.from({ length: Math.min(100, count - done) }, (_, index) => note(id, `${done + index} ${"x".repeat(size)}`)),
      });
    return id;
  };
  test("a stream that begins in the middle of a reply first gets what was said so far, once", async () => {
    const session = await fill(1);
    const { store } = place.composed.steward;
    const say = (text: string, at: number): void =>
      store.publish(session, { type: "item.delta", turn: "t", item: "i", kind: "text", text, at });
    say("one ", 0);
    say("two ", 4);
    const stop = new AbortController();
    const heard: (Stored | LiveEvent)[] = [];
    const following = (async () => {
      for await (const event of place.client.follow(session, { signal: stop.signal })) heard.push(event);
    })();
    await eventually(() => heard.length >= 3);
    say("three", 8);
    await eventually(() => heard.length >= 4);
    stop.abort();
    await following;
    assert.deepEqual(
      heard.slice(2).map((event) => ("text" in event ? [event.text, "at" in event && event.at] : event)),
      [
        ["one two ", 0],
        ["three", 8],
      ],
    );
  });

  test("who joins while a command runs sees the end of what it printed, until it has ended", async () => {
    const session = await fill(1);
    const { store } = place.composed.steward;
    const item = (id: string) => ({ id, kind: "tool" as const, call: { id: `c-${id}`, tool: "execute_terminal_command", input: {} } });
    const start = (id: string) => store.commit({ events: [{ session, event: { type: "item.started", turn: "t", item: item(id) } }] });
    const end = (id: string) => {
      const done = { ...item(id), result: { success: true, output: "done", error: null } };
      return store.commit({ events: [{ session, event: { type: "item.completed", turn: "t", item: done } }] });
    };
    const print = (id: string, text: string, at: number): void =>
      store.publish(session, { type: "item.delta", turn: "t", item: id, kind: "tool", text, at });
    /** What somebody shows who joins now: each tool's state and output, after `more` was done beside it. */
    const joined = async (enough: (shown: unknown[]) => boolean, more = (): void => {}) => {
      const stop = new AbortController();
      const view = { now: emptyView(session) };
      const shown = () =>
        view.now.entries.flatMap((one) =>
          one.kind === "item" ? [`${one.id} ${one.state} ${one.output?.length ?? 0} ${one.output?.slice(-6) ?? ""}`] : [],
        );
      for await (const event of place.client.follow(session, { signal: stop.signal })) {
        view.now = fold(view.now, [event]);
        if ("at" in event && "text" in event) more();
        if (enough(shown())) stop.abort();
      }
      return shown();
    };
    await start("a");
    await start("b");
    print("a", "one\n", 0);
    print("b", "x".repeat(90_000), 0);
    print("b", "end b\n", 90_000);
    await fill(1);
    await store.commit({ events: [note(session, "said meanwhile")] });
    print("a", "two\n", 4);
    assert.deepEqual(await joined((shown) => shown[1]?.toString().endsWith("end b\n") ?? false), [
      "a running 8 e\ntwo\n",
      "b running 32000 end b\n",
    ]);
    const once = { is: false };
    const more = (): void => {
      if (!once.is) print("a", "three\n", 8);
      once.is = true;
    };
    assert.deepEqual((await joined((shown) => shown[0]?.toString().endsWith("three\n") ?? false, more))[0], "a running 14 three\n");
    await end("b");
    await eventually(
      async () => (await joined((shown) => shown.length === 2 && shown[0]?.toString().endsWith("three\n") === true))[1] === "b done 0 ",
    );
    await store.commit({
      events: [{ session, event: { type: "turn.completed", turn: "t", stop: "end", seen: 1, engine: "e", model: "m" } }],
    });
  });

  const sse = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(place.gateway.url + path, { headers: { ...bearer, accept: "text/event-stream", ...headers }, ...(signal ? { signal } : {}) });
  /** Reads until this many stored events are in. */
  const take = async (response: Response, count: number): Promise<{ seqs: number[]; text: string }> => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      if ((text.match(/^id: /gm)?.length ?? 0) >= count && text.endsWith("\n\n")) break;
    }
    return { seqs: [...text.matchAll(/^id: (\d+)$/gm)].map(([, seq]) => Number(seq)), text };
  };

  test("the wire form: id, event, data; after and Last-Event-ID say where to begin", async () => {
    const id = await fill(3);
    const { text } = await take(await sse(`/api/sessions/${id}/events?after=2`), 2);
    const [, first] = await place.events(id).then((all) => all.slice(1));
    assert.ok(text.startsWith(`id: 3\nevent: stored\ndata: ${JSON.stringify(first)}\n\nid: 4\nevent: stored\n`), text);
    assert.deepEqual((await take(await sse(`/api/sessions/${id}/events`, { "last-event-id": "3" }), 1)).seqs, [4]);
    assert.deepEqual((await take(await sse(`/api/sessions/${id}/events?after=1`, { "last-event-id": "3" }), 1)).seqs, [4]);
    const plain = await raw(place.gateway.url, { path: `/api/sessions/${id}/events?last=2`, headers: bearer });
    assert.deepEqual([plain.json().events.map(({ seq }) => seq), plain.json().seq], [[3, 4], 4]);
    const head = await raw(place.gateway.url, {
      method: "HEAD",
      path: `/api/sessions/${id}/events`,
      headers: { ...bearer, accept: "text/event-stream" },
    });
    assert.deepEqual([head.status, head.text], [200, ""]);
  });

  test("replay and live meet without gap or double while somebody writes all the time", async () => {
    const id = await fill(500);
    const writing = (async () => {
      for (let index = 0; index < 300; index++) await place.composed.steward.store.commit({ events: [note(id, `live ${index}`)] });
    })();
    const { seqs } = await take(await sse(`/api/sessions/${id}/events`), 801);
    await writing;
    assert.deepEqual(
      seqs,
      Array.from({ length: 801 }, (_, index) => index + 1),
    );
  });

  test("live pieces come between the stored events, in order", async () => {
    place.model.script([{ do: "text", text: "a b c d e f g h", pieces: 8 }]);
    const { id } = await place.client.call("sessions.make", { body: {} });
    const got: (Stored | LiveEvent)[] = [];
    const following = (async () => {
      for await (const one of place.client.follow(id)) {
        got.push(one);
        if ("event" in one && one.event.type === "turn.completed") return;
      }
    })();
    await eventually(() => got.length > 0);
    await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "go" }] } });
    await following;
    const kinds = got.map((one) => ("event" in one ? one.event.type : one.type)).filter((type) => type !== "turn.waiting");
    assert.deepEqual(
      kinds.filter((kind, index) => kind !== kinds[index - 1]),
      ["session.created", "message.received", "session.updated", "turn.started", "item.delta", "item.completed", "turn.completed"],
    );
    const text = got.flatMap((one) => ("event" in one || one.type !== "item.delta" ? [] : [one.text])).join("");
    assert.equal(text, "a b c d e f g h");
  });

  test("a client whose connection is cut again and again misses nothing and gets nothing twice", async () => {
    const id = await fill(1000, 200);
    const between = await relay(place.gateway.port);
    const states: string[] = [];
    const seqs: number[] = [];
    const client = connect({ url: between.url, token: place.gateway.localToken });
    let cuts = 0;
    for await (const one of client.follow(id, { onState: ({ state }) => void states.push(state) })) {
      if (!("event" in one)) continue;
      seqs.push(one.seq);
      if (one.seq % 250 === 0 && cuts < 4) {
        cuts++;
        between.cut();
        await place.composed.steward.store.commit({ events: [note(id, "while away")] });
      }
      if (one.seq === 1005) break;
    }
    assert.deepEqual(
      seqs,
      Array.from({ length: 1005 }, (_, index) => index + 1),
    );
    assert.ok(states.filter((state) => state === "waiting").length >= 1 && cuts === 4, JSON.stringify({ states, cuts }));
    await between.close();
  });

  test("a reader that reads nothing costs next to nothing, holds nobody up, and resumes whole", async () => {
    const id = await fill(0);
    const lazy = connectSocket(place.gateway.port, "127.0.0.1");
    lazy.pause();
    lazy.write(
      `GET /api/sessions/${id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer["authorization"]}\r\nAccept: text/event-stream\r\n\r\n`,
    );
    const quick: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const one of place.client.follow(id, { signal: stop.signal })) if ("event" in one) quick.push(one.seq);
    })();
    await eventually(() => quick.length > 0);
    const { store } = place.composed.steward;
    const before = await held();
    for (let round = 0; round < 100; round++) {
      await store.commit({ events: [note(id, "y".repeat(200_000))] });
      for (let live = 0; live < 50; live++)
        store.publish(id, { type: "item.delta", turn: "t", item: "i", kind: "text", text: "z".repeat(20_000), at: 0 });
    }
    await eventually(() => quick.length === 101);
    stop.abort();
    await reading;
    const grown = await leastOf(20, async () => ((await held()) - before) / 1e6);
    assert.ok(grown < 20, `${grown.toFixed(1)} MB are held for 120 MB that were not read`);
    lazy.destroy();
    const again: number[] = [];
    for await (const one of place.client.follow(id)) if ("event" in one && again.push(one.seq) === 101) break;
    assert.deepEqual(again, quick);
    assert.deepEqual(
      again,
      Array.from({ length: 101 }, (_, index) => index + 1),
    );
    await eventually(async () => (await raw(place.gateway.url, { path: "/api/health" })).status === 200);
  });

  test("a watch that fails is begun again, and streams read on from where they were", async () => {
    const { store } = place.composed.steward;
    const { id } = await place.client.call("sessions.make", { body: {} });
    const add = (at: number) =>
      store.commit({ events: [{ session: id, event: { type: "context.compacted", upTo: at, summary: "", by: "test" } }] });
    const stop = new AbortController();
    const state = { watches: 0, logged: [] as unknown[], fail: (): void => {} };
    const flaky = (signal: AbortSignal): AsyncIterable<Notice> => {
      if (++state.watches > 2) return store.watch(signal);
      const broken = Promise.withResolvers<never>();
      state.fail = () => broken.reject(new Error("connection lost"));
      return { [Symbol.asyncIterator]: () => ({ next: () => broken.promise }) };
    };
    const log = (...told: unknown[]): void => void state.logged.push(told.slice(0, 2).concat((told[2] as { error: string }).error));
    const hub = openHub({ store: { ...store, watch: flaky }, log, notices: noNotices }, stop.signal);
    const box = mailbox();
    const all: unknown[] = [];
    const offs = [hub.follow(id, box.push), hub.all((notice) => void all.push(notice))];
    await add(1);
    assert.equal(box.shift(), undefined);
    state.fail();
    const newest = (await store.events(id, { last: 1 }))[0]!.seq;
    assert.deepEqual(await eventually(() => box.shift()), { seq: newest });
    assert.deepEqual(all, [{ session: id, seq: newest }]);
    state.fail();
    await eventually(() => state.watches === 3);
    assert.deepEqual(await eventually(() => box.shift()), { seq: newest });
    await add(2);
    assert.deepEqual(await eventually(() => box.shift()), { seq: newest + 1 });
    assert.deepEqual(
      state.logged,
      Array.from({ length: 2 }, () => ["warning", "Streams hear nothing for a moment: the watch on the store failed", "connection lost"]),
    );
    stop.abort();
    for (const off of offs) off();
  });

  test("a mailbox drops live events when they are too many, never a number", () => {
    const box = mailbox();
    box.push({ session: "s", seq: 1 });
    for (let index = 0; index < 100; index++)
      box.push({ session: "s", live: { type: "item.delta", turn: "t", item: "i", kind: "text", text: "x".repeat(10_000), at: 0 } });
    box.push({ session: "s", seq: 2 });
    const left = [];
    for (let mail = box.shift(); mail; mail = box.shift()) left.push(mail);
    assert.ok(left.length < 40);
    assert.deepEqual([left[0], left.at(-1)], [{ seq: 1 }, { seq: 2 }]);
  });

  test("notices: one's own sessions only, throttled, with the number of open questions", async () => {
    const mia = connect({ url: place.gateway.url, token: await place.tokenFor("mia") });
    const got: unknown[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const one of mia.notices({ signal: stop.signal })) got.push(one);
    })();
    await eventually(() => got.length > 0);
    assert.deepEqual(got, [{ type: "asks", open: 0 }]);
    const others = await fill(5);
    const own = await mia.call("sessions.make", { body: {} });
    const at = Date.now();
    for (let index = 0; index < 200; index++) await place.composed.steward.store.commit({ events: [note(own.id, `${index}`)] });
    await eventually(() => got.some((one) => (one as { seq?: number }).seq === 201));
    const most = Math.ceil((Date.now() - at) / 100) + 2;
    stop.abort();
    await reading;
    assert.ok(!JSON.stringify(got).includes(others));
    assert.ok(got.length <= most + 1, `${got.length} notices, at most ${most}`);
  });

  test("notices tell when a question is opened and answered", async () => {
    let asked = false;
    place.model.script(() => {
      if (asked) return [{ do: "text", text: "Thanks." }];
      asked = true;
      return [{ do: "calls", calls: [{ tool: "ask_person", input: { question: "Sure?" } }] }];
    });
    const opened: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const one of place.client.notices({ signal: stop.signal })) if (one.type === "asks") opened.push(one.open);
    })();
    await eventually(() => opened.length === 1);
    const { id } = await place.client.call("sessions.make", { body: {} });
    await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "ask me" }] } });
    await eventually(() => opened.length === 2);
    const [ask] = (await place.client.call("asks.list")).asks;
    await place.client.call("asks.answer", { params: { id: ask!.id }, body: { choice: "yes" } });
    await eventually(() => opened.length === 3);
    assert.deepEqual(opened, [0, 1, 0]);
    stop.abort();
    await reading;
  });

  test("a client that goes away leaves nothing behind in the server", async (t) => {
    const other = await openPlace();
    t.after(() => other.close());
    const { live } = other.gateway.gate;
    const { id } = await other.client.call("sessions.make", { body: {} });
    const stop = new AbortController();
    const headers = { ...other.bearer, accept: "text/event-stream" };
    const { body } = await fetch(`${other.gateway.url}/api/sessions/${id}/events`, { headers, signal: stop.signal });
    await body!.getReader().read();
    const chat = await openChat(other.gateway.url, other.bearer);
    assert.equal(live.count(), 2);
    stop.abort();
    chat.socket.terminate();
    await eventually(() => live.count() === 0);
  });
});

describe("S-94 other people's objects", () => {
  let place: Place;
  before(async () => {
    let asked = 0;
    place = await openPlace({
      script: () =>
        asked++ === 0 ? [{ do: "calls", calls: [{ tool: "ask_person", input: { question: "Private?" } }] }] : [{ do: "text", text: "ok" }],
    });
  });
  after(() => place.close());

  test("S-94 every self route as A with B's ids is 404, and B's things stay as they were", async () => {
    const [a, b] = [await place.tokenFor("ann"), await place.tokenFor("ben")];
    const ben = connect({ url: place.gateway.url, token: b });
    const session = await ben.call("sessions.make", { body: { title: "Ben's" } });
    await ben.call("sessions.say", { params: { id: session.id }, body: { parts: [{ type: "text", text: "zebra secret" }] } });
    const [ask] = await eventually(async () => {
      const { asks } = await ben.call("asks.list");
      return asks.length > 0 ? asks : undefined;
    });
    const file = await ben.call("files.upload", { query: { name: "b.txt" }, body: new TextEncoder().encode("zebra") });
    const gone = await ben.call("sessions.make", { body: { title: "Gone" } });
    const { undo } = await ben.call("sessions.remove", { params: { id: gone.id } });
    await place.composed.steward.store.commit({
      put: {
        "p/ben/grant/grt_1": { id: "grt_1", scope: "network", until: Date.now() + 1e6 },
        "p/ben/fact/fct_1": { id: "fct_1", text: "zebra", at: 1 },
        "p/ben/letter/dlv_ben": {
          id: "dlv_ben",
          to: { channel: "post", chat: "1" },
          at: 1,
          text: "zebra",
          error: "",
          unknown: false,
          letter: {},
        },
      },
    });
    const ids: Record<string, string> = {
      "/api/sessions": session.id,
      "/api/conversations": session.id,
      "/api/asks": ask!.id,
      "/api/files": file.id,
      "/api/documents": file.id,
      "/api/uploads": (await ben.call("uploads.begin", { body: { name: "zebra.bin", size: 4 } })).id,
      "/api/undo": undo,
      "/api/memory/facts": "fct_1",
      "/api/grants": "grt_1",
      "/api/tokens": "tok_ben",
      "/api/terminals": "trm-of-ben",
      "/api/skills": "of-ben",
      "/api/identity": "BEN.md",
      "/api/mcp": "of-ben",
      "/api/letters": "dlv_ben",
      "/api/notices": "ntc_ben",
      "/api/schedules": "sch_ben",
      "/api/tasks": "tsk_ben",
      "/api/bus": "private",
      "/v1/models": "of-ben",
    };
    const bodies: Partial<Record<RouteName, string>> = {
      "sessions.change": '{"title":"mine"}',
      "sessions.say": '{"parts":[{"type":"text","text":"hi"}]}',
      "asks.answer": '{"choice":"x"}',
      "agents.spawn": '{"name":"mine"}',
      "shells.run": '{"command":"id"}',
      "skills.change": '{"enabled":true}',
      "identity.put": '{"text":"x"}',
      "shells.type": '{"data":"x"}',
    };
    const walked: string[] = [];
    for (const [name, { method, path, right, body }] of table) {
      if (right !== "self" || !path.includes(":id")) continue;
      const prefix = Object.keys(ids).find((start) => path.startsWith(start));
      assert.ok(prefix, `${name} has no object to try`);
      for (const accept of name === "sessions.events" ? ["application/json", "text/event-stream"] : ["*/*"]) {
        const headers = { authorization: `Bearer ${a}`, accept, ...(body ? { "content-type": "application/json" } : {}) };
        const { status, text } = await raw(place.gateway.url, {
          method,
          path: path.replace(":id", ids[prefix]!) + (name === "uploads.put" ? "?at=0" : ""),
          headers,
          ...(body ? { body: bodies[name] ?? "{}" } : {}),
        });
        // Deleting an unknown conversation is a success in TWIZZY's interface, for everybody alike.
        assert.deepEqual([name, status], [name, name === "conversations.remove" ? 200 : 404]);
        assert.ok(!text.includes("zebra") && !text.includes("Ben's"), name);
      }
      walked.push(name);
    }
    assert.ok(walked.length >= 15, walked.join(" "));
    const ann = connect({ url: place.gateway.url, token: a });
    assert.deepEqual((await ann.call("sessions.list", { query: { q: "zebra" } })).sessions, []);
    assert.deepEqual((await ann.call("asks.list")).asks, []);
    assert.deepEqual((await ann.call("undo.list", { query: { session: session.id } })).entries, []);
    const chat = await openChat(place.gateway.url, { authorization: `Bearer ${a}` });
    chat.send({ message: "hi", conversation_id: session.id });
    const frames = await chat.until(({ type }) => type === "response");
    assert.notEqual(frames.find(({ type }) => type === "response")!["conversation_id"], session.id);
    chat.socket.terminate();
    const still = await ben.call("sessions.get", { params: { id: session.id } });
    assert.deepEqual(
      [still.title, still.messages, still.asks, (await ben.call("grants.list")).grants.length, (await ben.call("asks.list")).asks.length],
      ["Ben's", 1, 1, 1, 1],
    );
    assert.equal(await (await ben.call("files.get", { params: { id: file.id } })).text(), "zebra");
  });
});
