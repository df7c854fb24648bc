// What chats are shown while something goes on: nothing that nobody ends, nothing where others may read it, every question, also over a connection that was gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft } from "../src/chats/draft.ts";
import { follow } from "../src/chats/follow.ts";
import { reachKey } from "../src/chats/reach.ts";
import type { Event } from "../src/core/events.ts";
import type { Ask } from "../src/core/types.ts";
import { opening } from "../src/run/asks.ts";
import { homeKey } from "../src/run/outbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { until } from "../src/testing/channel-platform.ts";
import { keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";

const chatOf = (session: string) => ({ channel: "post", chat: `c-${session}` });

async function start(connected = true) {
  const channel = keepingChannel();
  Object.assign(channel, { edit: async () => {} });
  channel.limits.editMs = 1;
  const steward = harness({
    store: await sqlite(":memory:"),
    model: scripted(() => [{ text: "hello" }]),
    channels: connected ? { post: channel } : {},
    config: { channels: { post: { enabled: true } } },
  });
  const stop = new AbortController();
  const session = async (id: string): Promise<string> => {
    await makeSession(steward, OWNER, { id });
    await steward.store.commit({ put: { [homeKey(id)]: chatOf(id) } });
    return id;
  };
  const happens = async (id: string, ...events: Event[]): Promise<void> => {
    for (const event of events) await steward.store.commit({ events: [{ session: id, event }] });
  };
  return { steward, channel, session, happens, stop, begin: () => follow(steward, stop.signal) };
}

const said = (id: string, fromChat: boolean): Event => ({
  ...{ type: "message.received", id: `m-${id}`, from: "owner", parts: [{ type: "text", text: "hi" }] },
  ...(fromChat ? { replyTo: chatOf(id) } : {}),
});
const began: Event = { type: "turn.started", turn: "t", engine: "loop", model: "script/one" };
const turn = (id: string): Event[] => [
  { ...began, turn: id },
  { type: "item.completed", turn: id, item: { id: "i", kind: "text", text: "Here is the answer, as far as it has been said." } },
];

test("only what answers a message of the chat grows there, and only where nobody else may read it", async () => {
  const { steward, channel, session, happens, stop, begin } = await start();
  begin();
  try {
    await until(async () => ((await steward.store.jobs()).running === 0 ? true : undefined), "it listens");
    for (const id of ["page", "closed", "alone", "weaker", "chat"]) await session(id);
    await steward.store.commit({
      put: { [reachKey(chatOf("closed"))]: { closed: true }, [reachKey(chatOf("alone"))]: { person: "owner", alone: "77" } },
    });
    await happens("page", said("page", false), ...turn("page"));
    // It waits for a turn with its own rights; this one answers the page.
    await happens("weaker", { ...said("weaker", true), rights: { role: "member", via: "channel" } } as Event, ...turn("weaker"));
    for (const id of ["closed", "alone", "chat"]) await happens(id, said(id, true), ...turn(id));
    await until(() => channel.sent.find(({ to }) => to.chat === "c-chat"), "the answer grows");
    assert.deepEqual(
      channel.sent.map(({ to }) => to.chat),
      ["c-chat"],
    );
    const drafts = (await steward.store.list("draft/")).map(({ value }) => value as Draft);
    assert.deepEqual(
      drafts.map(({ to, person }) => [to.chat, person]),
      [["c-chat", "owner"]],
    );
  } finally {
    stop.abort();
  }
});

const question = (session: string): Ask => ({
  ...{ id: `ask_${session}`, session, turn: "t", call: "c", kind: "choice", prompt: "Which?", options: ["a", "b"] },
  ...{ openedAt: 0, expiresAt: 9e15 },
});

test("a question goes out once, also when its channel is not connected, or it was opened among many events, or before", async () => {
  const { steward, session, happens, stop, begin } = await start(false);
  const before = await session("before");
  await steward.store.commit(opening("owner", question(before)));
  begin();
  try {
    const many = await session("many");
    await happens(many, said(many, true));
    await steward.store.commit({
      ...opening("owner", question(many)),
      events: [
        ...opening("owner", question(many)).events,
        ...Array.from({ length: 80 }, (): { session: string; event: Event } => ({
          session: many,
          event: { type: "item.completed", turn: "", item: { id: "n", kind: "notice", level: "info", text: "n" } },
        })),
      ],
    });
    await until(async () => ((await steward.store.list("outbox/")).length >= 2 ? true : undefined), "both wait to go out");
    const asks = (await steward.store.list("outbox/")).map(({ value }) => (value as { ask: string }).ask);
    assert.deepEqual(asks.toSorted(), ["ask_before", "ask_many"]);
  } finally {
    stop.abort();
  }
});

test("a question and a file whose commit fails once are sent all the same", async () => {
  const { steward, session, happens, stop, begin } = await start(false);
  const { commit } = steward.store;
  const failed = new Set<string>();
  steward.store.commit = async (change) => {
    const kind = /^(asked|handed)\//.exec(change.once ?? "")?.[1];
    if (kind === undefined || failed.has(kind)) return commit(change);
    failed.add(kind);
    throw new StewardError("unavailable", "The database is being restarted");
  };
  begin();
  try {
    const [one, two] = [await session("one"), await session("two")];
    await happens(one, said(one, true));
    await steward.store.commit(opening("owner", question(one)));
    const file = { type: "file", id: "fil_1", name: "a.txt", mime: "text/plain", size: 1 } as const;
    await happens(two, said(two, true), { type: "item.completed", turn: "", item: { id: "f", kind: "file", file } });
    const sent = await until(async () => {
      const all = (await steward.store.list("outbox/")).map(({ value }) => value as { ask?: string; files?: string[] });
      return all.length >= 2 ? all.map(({ ask, files }) => ask ?? files?.[0]).toSorted() : undefined;
    }, "both wait to go out");
    assert.deepEqual(
      [sent, [...failed].toSorted()],
      [
        ["ask_one", "fil_1"],
        ["asked", "handed"],
      ],
    );
  } finally {
    stop.abort();
  }
});
