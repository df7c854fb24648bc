// Several Stewards on one Postgres: each task runs once wherever it is, every message of a channel reaches each listener once and in the same order.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Store } from "../src/core/store.ts";
import { listen } from "../src/tasks/ears.ts";
import { say } from "../src/run/inbox.ts";
import { makeSession } from "../src/run/sessions.ts";
import { startWorker } from "../src/run/worker.ts";
import { postgres } from "../src/stores/postgres.ts";
import { scripted } from "../src/testing/scripted.ts";
import taskTools from "../src/tools/task.ts";
import { eventually } from "./gateway-place.ts";
import { harness, OWNER } from "./harness.ts";
import { startPostgres } from "./postgres.ts";

const server = await startPostgres();
const skip = "skip" in server ? server.skip : false;
if (skip) console.log(`nodes-tasks: skipped, ${skip}`);
after(() => ("skip" in server ? undefined : server.stop()));
const connect = (): Promise<Store> => postgres("skip" in server ? "" : server.url);
const NODES = 3;
const EACH = 8;

test(
  "three Stewards: sixteen tasks at once, all told once; what is said on a channel from all of them comes in one order",
  { skip, timeout: 280_000 },
  async (t) => {
    const model = () =>
      scripted(({ prompt }) => {
        const asked = JSON.stringify(prompt);
        const number = /Number (\d+)/.exec(asked)?.[1];
        if (asked.includes("You are a subagent")) return [{ text: `result ${number}` }];
        if (asked.includes('"tool-result"')) return [{ text: "ok" }];
        return Array.from({ length: EACH }, (_, at) => ({ call: "task", input: { do: "start", name: `T${at}`, text: `Number ${at}` } }));
      });
    const stewards = await Promise.all(
      Array.from({ length: NODES }, async () =>
        harness({ store: await connect(), model: model(), tools: taskTools, config: { "tasks.most": 40 } }),
      ),
    );
    const [one, two, three] = stewards;
    const workers = stewards.map((steward, at) => startWorker(steward, { name: `node-${at}`, auto: true }));
    t.after(async () => {
      for (const worker of workers) await worker.stop(2000);
      for (const steward of stewards) await steward.store.close();
    });
    const sessions = [(await makeSession(one!, OWNER, {})).id, (await makeSession(two!, OWNER, {})).id];
    await Promise.all(sessions.map((session, at) => say(stewards[at]!, OWNER, { session, parts: [{ type: "text", text: "go" }] })));
    for (const session of sessions) await listen(one!, OWNER, { session, channel: "all", on: true });
    const heard: string[] = [];
    const off = three!.tasks.subscribe(OWNER, "all", (text) => heard.push(text));
    await eventually(async () => {
      await one!.tasks.send(OWNER, { to: "#all", text: "is anybody there?" }); // who subscribes hears what is said from then on
      await new Promise((resolve) => setTimeout(resolve, 300));
      return heard.length > 0;
    });
    const told = (): string[] => heard.filter((text) => text.startsWith("word "));
    const words = Array.from({ length: 12 }, (_, at) => `word ${at}`);
    await Promise.all(words.map((text, at) => stewards[at % NODES]!.tasks.send(OWNER, { to: "#all", text })));
    await eventually(() => told().length >= words.length);
    off();
    const { store } = one!;
    await eventually(async () => {
      const { due, later, running } = await store.jobs();
      return due + later + running === 0;
    }, 120_000);
    const texts = async (session: string, match: RegExp): Promise<string[]> =>
      (await store.events(session)).flatMap(({ event }) => {
        const [first] = event.type === "message.received" ? event.parts : [];
        const found = first?.type === "text" ? match.exec(first.text) : null;
        return found ? [found[1]!] : [];
      });
    for (const session of sessions) {
      assert.deepEqual(await texts(session, /^On #all: (word .*)$/), told(), "in the order of the channel");
      assert.deepEqual(
        (await texts(session, /\n(result \d+)$/)).sort(),
        Array.from({ length: EACH }, (_, at) => `result ${at}`),
        "each result once",
      );
    }
    assert.deepEqual(told().toSorted(), words.toSorted());
    const all = await one!.tasks.list(OWNER);
    assert.deepEqual([all.length, all.every(({ state }) => state === "done")], [EACH * 2, true]);
  },
);
