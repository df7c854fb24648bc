// Several workers on one Postgres: every message answered once, no session in two hands, a dead worker's turn taken over.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Store } from "../src/core/store.ts";
import { receive } from "../src/chats/receive.ts";
import type { SessionDoc } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { postgres } from "../src/stores/postgres.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { eventually } from "./gateway-place.ts";
import { harness } from "./harness.ts";
import { startPostgres } from "./postgres.ts";

const server = await startPostgres();
const skip = "skip" in server ? server.skip : false;
if (skip) console.log(`nodes: skipped, ${skip}`);
after(() => ("skip" in server ? undefined : server.stop()));
const connect = (): Promise<Store> => postgres("skip" in server ? "" : server.url);

const NODES = 4;
const CHATS = 12;
const EACH = 4;

test("four workers on one database answer every message once and never overlap a session", { skip }, async () => {
  const channel = keepingChannel();
  const script = () => scripted((request) => [{ text: `re:${request.prompt.filter(({ role }) => role === "user").length}` }]);
  const stewards = await Promise.all(
    Array.from({ length: NODES }, async () => harness({ store: await connect(), model: script(), channels: { chat: channel } })),
  );
  await stewards[0]!.store.commit({ put: { "paired/chat/u": { person: "owner", role: "owner" } } });
  const workers = stewards.map((steward, at) => startWorker(steward, { name: `node-${at}`, auto: true }));
  for (let round = 0; round < EACH; round++)
    await Promise.all(
      Array.from({ length: CHATS }, (_, chat) =>
        receive(stewards[(chat + round) % NODES]!, inbound(`m${chat}.${round}`, "u", { channel: "chat", chat: String(chat) }, `q${round}`)),
      ),
    );
  const { store } = stewards[0]!;
  await eventually(async () => {
    const { due, later, running } = await store.jobs();
    return due + later + running === 0;
  }, 120_000);
  let turns = 0;
  for (const { value } of await store.list("p/owner/session/")) {
    const log = await store.events((value as SessionDoc).id);
    let open = 0;
    for (const { event } of log) {
      if (event.type === "turn.started") open++;
      if (event.type === "turn.completed") {
        open--;
        turns++;
      }
      assert.ok(open === 0 || open === 1, "two turns of a session at once");
    }
    assert.equal(log.filter(({ event }) => event.type === "message.received").length, EACH);
    const newest = log.findLast(({ event }) => event.type === "message.received")!.seq;
    assert.ok(
      log.some(({ event }) => event.type === "turn.completed" && event.seen >= newest),
      "the last message was not read",
    );
  }
  assert.equal(channel.sent.length, turns);
  assert.equal(new Set(channel.sent.map(({ key }) => key)).size, turns);
  await Promise.all(workers.map((worker) => worker.stop(2000)));
  await Promise.all(stewards.map(({ store: one }) => one.close()));
  console.log(`      ${CHATS * EACH} messages, ${turns} turns on ${NODES} workers`);
});
