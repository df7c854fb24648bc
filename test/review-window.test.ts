// Holes that a hostile reading of the model's window found, each closed and kept closed: compaction, clearing, long turns.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import { cutAt } from "../src/compaction/cut.ts";
import { digest } from "../src/compaction/summary.ts";
import type { Event, Stored } from "../src/core/events.ts";
import { shorten, toMessages } from "../src/core/history.ts";
import type { Message } from "../src/core/ports.ts";
import { MOST_EVENTS, readWindow } from "../src/run/context.ts";
import { clearSession } from "../src/run/sessions.ts";
import { OWNER } from "./harness.ts";
import { down, said, start, stops, tool, words } from "./turns-place.ts";

test("a summary is written by the model that the session is pinned to, and by no other", async () => {
  const opened: string[] = [];
  const one = await start(() => [{ text: "an answer that is long enough ".repeat(40) }], { config: { "limits.windowTokens": 1000 } });
  const { open } = one.steward.models;
  one.steward.models.open = (name) => (opened.push(name), open(name));
  await one.steward.store.commit({ merge: { [`p/owner/session/${one.session}`]: { model: "local/private" } } });
  for (let turn = 0; turn < 7; turn++) {
    await one.say(`${turn} ${words}`);
    await one.worker.drain();
  }
  const by = (await one.events()).flatMap((event) => (event.type === "context.compacted" ? [event.by] : []));
  assert.deepEqual([[...new Set(opened)], [...new Set(by)]], [["local/private"], ["local/private"]]);
});

test("a model that a pin forbids since gets no transcript to sum up either", async () => {
  const opened: string[] = [];
  const one = await start(() => [{ text: "an answer that is long enough ".repeat(40) }], { config: { "limits.windowTokens": 1000 } });
  await one.steward.store.commit({ merge: { [`p/owner/session/${one.session}`]: { model: "far/big" } } });
  for (let turn = 0; turn < 2; turn++) {
    await one.say(`${turn} ${words}`);
    await one.worker.drain();
  }
  const { open } = one.steward.models;
  one.steward.models.open = (name) => (opened.push(name), open(name));
  one.steward.models.isLocal = async (name) => name !== "far/big";
  await one.steward.store.commit({ put: { "p/owner/choice": { pin: "local" } } });
  const before = (await one.events()).length;
  for (let turn = 2; turn < 9; turn++) {
    await one.say(`${turn} ${words}`);
    await one.worker.drain();
  }
  const events = (await one.events()).slice(before);
  assert.deepEqual([...new Set(events.flatMap((event) => (event.type === "context.compacted" ? [event.by] : [])))], ["digest"]);
  assert.ok(events.some((event) => event.type === "turn.completed" && event.error?.code === "denied"));
  assert.deepEqual(opened, []);
});

function written() {
  const log: Stored[] = [];
  const put = (event: Event): number => log.push({ session: "s", seq: log.length + 1, at: 0, event });
  const message = (text: string): number => put({ type: "message.received", id: `m${log.length}`, from: "owner", parts: said(text) });
  const end = (turn: string, seen: number): number => put({ type: "turn.completed", turn, stop: "end", seen, engine: "loop", model: "m" });
  const items = (turn: string, count: number, text: string): void => {
    put({ type: "turn.started", turn, engine: "loop", model: "m" });
    for (let at = 0; at < count; at++)
      put({ type: "item.completed", turn, item: { id: `${turn}${at}`, kind: "notice", level: "info", text } });
    put({ type: "item.completed", turn, item: { id: `${turn}t`, kind: "text", text } });
  };
  return { log, put, message, items, end };
}

test("no window begins after a message that nobody has read, nor between a message and the turn that read it", () => {
  const { log, put, message, items, end } = written();
  items("t1", 0, "x".repeat(20_000));
  const clean = end("t1", message("one"));
  const two = message("two");
  items("t2", 0, "x".repeat(20_000));
  message("UNREAD");
  end("t2", two);
  put({ type: "session.updated", title: "renamed meanwhile" });
  assert.equal(cutAt(log, 1000), clean);
  put({ type: "session.updated", cleared: true });
  put({ type: "session.updated", title: "and after it was cleared it may go" });
  assert.equal(cutAt(log, 1000), clean + 6 - 1);
});

test("the window reaches back to the oldest message that waits, however much was written since", async () => {
  const one = await start(() => [{ text: "ok" }]);
  const { log, message, items, end } = written();
  const first = message("one");
  items("t1", MOST_EVENTS + 50, "n");
  const waits = message("WAITS");
  items("t1", MOST_EVENTS + 50, "n");
  end("t1", first);
  await one.steward.store.commit({ events: log.map(({ event }) => ({ session: "old", event })) });
  const window = await readWindow(one.steward, "old", { from: 0, seen: 0 });
  assert.equal(window.seen, first);
  assert.ok(window.log[0]!.seq <= waits);
});

test("a summary of what is cleared, which comes a moment later, is not read, nor summed up", () => {
  const { log, put, message, end } = written();
  const upTo = end("t", message("my secret is 1234"));
  put({ type: "session.updated", cleared: true });
  put({ type: "context.compacted", upTo, summary: "The secret is 1234.", by: "script/one" });
  const last = end("t2", message("hello"));
  assert.deepEqual(toMessages(log), [{ role: "user", parts: said("hello") }]);
  assert.doesNotMatch(digest(log, last), /1234/);
});

test("what was cleared comes back in no digest, and counts as read", async () => {
  const { log, put, message, end } = written();
  end("t", message("my secret is 1234"));
  put({ type: "session.updated", cleared: true });
  end("t2", message("hello"));
  assert.doesNotMatch(digest(log, log.length), /1234/);
  const one = await start(() => [{ text: "ok" }]);
  await one.say("first");
  await clearSession(one.steward, OWNER, one.session);
  await one.worker.drain();
  assert.deepEqual([one.model.requests.length, await stops(one)], [0, []]);
  await one.say("second");
  await one.worker.drain();
  const [, ...messages] = one.model.requests[0]!.prompt;
  assert.deepEqual(
    messages.map(({ role, content }) => [role, JSON.stringify(content).includes("second"), JSON.stringify(content).includes("first")]),
    [["user", true, false]],
  );
});

test("a turn whose messages were cleared while its retry waited ends without asking a model about nothing", async () => {
  const one = await start(() => [down]);
  await one.say("first");
  await one.worker.drain();
  await clearSession(one.steward, OWNER, one.session);
  one.clock.at += 5000;
  await one.worker.drain();
  assert.deepEqual([one.model.requests.length, await stops(one)], [1, ["cancelled"]]);
});

test("what a turn says after it was cleared away is not in the next one's history", () => {
  const { log, put, message, items, end } = written();
  const first = message("one");
  items("t1", 0, "before");
  put({ type: "session.updated", cleared: true });
  put({ type: "item.completed", turn: "t1", item: { id: "late", kind: "text", text: "after" } });
  end("t1", first);
  message("two");
  assert.deepEqual(toMessages(log), [{ role: "user", parts: said("two") }]);
});

test("a turn with many results stays within its window, and its requests are prefixes but for a few strides", async () => {
  const one = await start((count) => (count < 30 ? [{ call: "big", input: { n: count } }] : [{ text: "end" }]), {
    tools: [
      {
        ...tool("big", async () => {}),
        input: z.object({ n: z.number() }),
        run: async (input) => ({ output: `${JSON.stringify(input)} ${"r".repeat(1200)}` }),
      },
    ],
    config: { "limits.windowTokens": 2000, "limits.rounds": 40 },
  });
  await one.say("go");
  await one.worker.drain();
  assert.deepEqual(await stops(one), ["end"]);
  const bytes = one.model.requests.map(({ prompt }) => JSON.stringify(prompt.slice(1)).slice(0, -1));
  assert.ok(Math.max(...bytes.map(({ length }) => length)) < 2000 * 4 * 2, `${Math.max(...bytes.map(({ length }) => length))} characters`);
  assert.match(bytes.at(-1)!, /result left out: \d+ characters; call again if needed/);
  const breaks = bytes.filter((text, at) => at > 0 && !text.startsWith(bytes[at - 1]!)).length;
  assert.ok(breaks >= 3 && breaks <= 12, `${breaks} strides in 30 rounds`);
  for (const [at, text] of bytes.entries())
    if (at > 0) assert.ok(text.includes(`:${at - 1}} rrrr`), `request ${at} lacks the newest result`);
});

test("shortening is the same for the same messages, and leaves a window alone that fits", () => {
  const messages: Message[] = Array.from({ length: 20 }, (_, at): Message[] => [
    { role: "assistant", text: "", calls: [{ id: `c${at}`, tool: "t", input: {} }] },
    { role: "tool", call: `c${at}`, tool: "t", result: "x".repeat(400) },
  ]).flat();
  assert.equal(shorten(messages, 100_000), messages);
  const short = shorten(messages, 1000);
  assert.deepEqual(shorten(structuredClone(messages), 1000), short);
  assert.deepEqual(
    short.map(({ role }) => role),
    messages.map(({ role }) => role),
  );
  assert.equal(short.at(-1), messages.at(-1));
});
