// Several Stewards with connections of their own on one Postgres: together they never take more than a ceiling, and ask once. And what reserving costs in time.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../src/core/store.ts";
import { dayKey } from "../src/money/ledger.ts";
import { nano } from "../src/money/prices.ts";
import { usage } from "../src/money/sums.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { say } from "../src/run/inbox.ts";
import { meterFor } from "../src/run/meter.ts";
import { makeSession } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { hasCode } from "../src/std/error.ts";
import { postgres } from "../src/stores/postgres.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER } from "./harness.ts";
import { NOON, PRICES, sums, texts, TODAY } from "./money-place.ts";
import { startPostgres } from "./postgres.ts";

const server = await startPostgres();
const skip = "skip" in server ? server.skip : false;
if (skip) console.log(`budget-nodes: skipped, ${skip}`);
after(() => ("skip" in server ? undefined : server.stop()));
const connect = (): Promise<Store> => postgres("skip" in server ? "" : server.url, { now: () => NOON });
const nodes = (config: Record<string, unknown>) =>
  Promise.all(
    Array.from({ length: 4 }, async () =>
      harness({ store: await connect(), model: scripted(() => [{ text: "hello" }]), now: () => NOON, config: { ...PRICES, ...config } }),
    ),
  );

test("four Stewards spend at the same moment: exactly as much as the ceiling allows, never more", { skip, timeout: 280_000 }, async () => {
  const stewards = await nodes({ "budget.day": 0.02 });
  const { store } = stewards[0]!;
  const count = { done: 0, refused: 0, most: 0 };
  await Promise.all(
    Array.from({ length: 80 }, async (_, n) => {
      const meter = meterFor(stewards[n % 4]!, {
        ...{ principal: { person: `p${n % 3}`, role: "member", via: "page" }, session: `s${n}`, turn: `t${n}`, engine: "loop" },
      });
      try {
        const { settle } = await meter({ model: "script/one", input: 200, output: 400 });
        count.most = Math.max(count.most, (await sums(store, dayKey(undefined, TODAY)))["cost"] ?? 0);
        await sleep(Math.random() * 5);
        await settle({ input: 200, output: 400 });
        count.done++;
      } catch (error) {
        if (!hasCode(error, "limit")) throw error;
        count.refused++;
      }
    }),
  );
  const day = await sums(store, dayKey(undefined, TODAY));
  assert.deepEqual([count.done, count.refused, day["cost"], day["held"]], [20, 60, nano(0.02), 0]);
  assert.ok(count.most <= nano(0.02));
  const { total, rows } = await usage(stewards[3]!, { by: "model", from: TODAY, to: TODAY });
  assert.deepEqual([total.requests, rows.map(({ key, cost }) => [key, cost])], [20, [["script/one", 0.02]]]);
  await Promise.all(stewards.map((one) => one.store.close()));
});

test(
  "four turns of one person at the ceiling, each on another Steward: one question, and all go on",
  { skip, timeout: 280_000 },
  async () => {
    const stewards = await nodes({ "budget.people": { owner: { day: 1 } } });
    const { store } = stewards[0]!;
    await store.commit({ add: { [dayKey("owner", TODAY)]: { cost: nano(1) } } });
    const workers = stewards.map((steward, at) => startWorker(steward, { name: `node-${at}`, auto: true }));
    const sessions = stewards.map((_, at) => `ses_${at}`);
    for (const [at, session] of sessions.entries()) {
      await makeSession(stewards[at]!, OWNER, { id: session, title: "Talk" });
      await say(stewards[at]!, OWNER, { session, key: `k${at}`, parts: [{ type: "text", text: "hi" }] });
    }
    const waiting = async (): Promise<number> => {
      const logs = await Promise.all(sessions.map((session) => store.events(session)));
      return logs.filter((log) =>
        log.some(({ event }) => event.type === "ask.opened" || (event.type === "item.completed" && event.item.kind === "notice")),
      ).length;
    };
    for (let tries = 0; tries < 5000 && (await waiting()) < 4; tries++) await sleep(10);
    const [ask, ...more] = await openAsks(stewards[1]!, OWNER);
    assert.deepEqual([await waiting(), more], [4, []]);
    await answerAsk(stewards[2]!, OWNER, ask!.id, { choice: ask!.options[0]! });
    for (let tries = 0; tries < 5000; tries++) {
      const { due, running, later } = await store.jobs();
      if (due + running + later === 0) break;
      await sleep(10);
    }
    for (const session of sessions) assert.deepEqual(texts((await store.events(session)).map(({ event }) => event)), ["hello"], session);
    await Promise.all(workers.map((worker) => worker.stop(1000)));
    await Promise.all(stewards.map((one) => one.store.close()));
  },
);
