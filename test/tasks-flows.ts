// Background tasks that are killed at each of their commits: what must hold in the end. How they are killed is crash-flows.ts and tasks-crash.slow.test.ts.
import assert from "node:assert/strict";
import type { Event } from "../src/core/events.ts";
import { say } from "../src/run/inbox.ts";
import type { Said } from "../src/testing/scripted.ts";
import { awaited, type Flow } from "./crash-flows.ts";
import { OWNER } from "./harness.ts";

const go = (text: string) => ({ session: "ses_crash", key: "k1", parts: [{ type: "text" as const, text }] });
const act = (input: object): Said => ({ call: "task", input });
const called = (prompt: string): number => prompt.split('"tool-result"').length - 1;
const nameIn = (prompt: string): string | undefined => /Your task:\\n\\nName: (\w+)/.exec(prompt.replaceAll("\\\\n", "\\n"))?.[1];
const texts = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : []));
/** What agents said to each other, as messages. */
const told = (events: Event[]): string[] =>
  events.flatMap((event) =>
    event.type === "message.received" && event.source === "agent" ? [`${event.from}: ${JSON.stringify(event.parts)}`] : [],
  );
/** What calls brought. */
const brought = (events: Event[]): string[] =>
  events.flatMap((event) =>
    event.type === "item.completed" && event.item.kind === "tool" ? [JSON.stringify(event.item.result?.output)] : [],
  );
const times = (all: string[], word: string): number => all.filter((one) => one.includes(word)).length;
const sessions = (events: Event[]): number => events.filter(({ type }) => type === "session.created").length;

export const taskFlows: Flow[] = [
  {
    name: "a task whose result comes later",
    script(prompt) {
      if (nameIn(prompt)) return called(prompt) ? [{ text: "answer 42" }] : [{ call: "work", input: { name: "a" } }];
      if (prompt.includes("is ready")) return [{ text: "told" }];
      return called(prompt) ? [{ text: "on it" }] : [act({ do: "start", name: "Deep", text: "Name: Deep" })];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, go("go"))),
    check(events, _world, where) {
      assert.equal(sessions(events), 2, where);
      assert.deepEqual(
        [times(told(events), "answer 42"), times(texts(events), "answer 42")],
        [1, 1],
        `${where}: ${JSON.stringify(told(events))}`,
      );
      assert.equal(times(texts(events), "told"), 1, where);
    },
  },
  {
    name: "two tasks that a call waits for",
    script(prompt) {
      const name = nameIn(prompt);
      if (name) return [{ text: `answer of ${name}` }];
      if (prompt.includes("is ready")) return [{ text: "told" }];
      const done = called(prompt);
      if (done === 0) return ["one", "two"].map((one) => act({ do: "start", name: one, text: `Name: ${one}` }));
      return done === 2 ? [act({ do: "wait" })] : [{ text: "both" }];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, go("go"))),
    check(events, _world, where) {
      assert.equal(sessions(events), 3, where);
      for (const name of ["one", "two"]) {
        const word = `answer of ${name}`;
        assert.equal(times(told(events), word) + times(brought(events), word), 1, `${where}: ${word}`);
      }
    },
  },
  {
    name: "subagents that write to each other and on a channel",
    script(prompt) {
      const name = nameIn(prompt);
      const done = called(prompt);
      if (name === "Ann") return done === 0 ? [act({ do: "send", name: "Bob", text: "hello Bob" })] : [{ text: "Ann ends" }];
      if (name === "Bob")
        return prompt.includes("hello Bob") && done === 0 ? [act({ do: "send", name: "#all", text: "hello all" })] : [{ text: "Bob ends" }];
      if (done > 0) return [{ text: "ok" }];
      return [act({ do: "join", name: "#all" }), ...["Bob", "Ann"].map((one) => act({ do: "start", name: one, text: `Name: ${one}` }))];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, go("go"))),
    check(events, _world, where) {
      assert.equal(sessions(events), 3, where);
      assert.equal(times(told(events), "hello Bob"), 1, where);
      assert.equal(times(told(events), "hello all"), 1, `${where}: ${JSON.stringify(told(events))}`);
      assert.ok(times(told(events), "Ann is ready") >= 1 && times(told(events), "Bob is ready") >= 1, where);
    },
  },
  {
    name: "a task that is stopped with what it started",
    script(prompt) {
      const name = nameIn(prompt);
      if (name === "Top") return called(prompt) ? [{ text: "top waits" }] : [act({ do: "start", name: "Low", text: "Name: Low" })];
      if (name === "Low") return [{ call: "slow", input: { name: "low" } }];
      return prompt.includes("is ready") || called(prompt) ? [{ text: "ok" }] : [act({ do: "start", name: "Top", text: "Name: Top" })];
    },
    drive: async ({ steward }) => void (await say(steward, OWNER, go("go"))),
    async beside(life) {
      const { tasks } = life.steward;
      const named = async (name: string) => (await tasks.list(OWNER)).find((one) => one.name === name);
      const begun = await awaited(life, async () => ((await named("Low"))?.state ?? "waiting") !== "waiting");
      if (begun) await tasks.stop(OWNER, (await named("Top"))!.id);
    },
    check(events, _world, where) {
      assert.equal(sessions(events), 3, where);
      const stopped = events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : []));
      assert.equal(times(stopped, "was stopped by the person"), 2, `${where}: ${JSON.stringify(stopped)}`);
      assert.equal(times(told(events), "is ready"), 0, where);
    },
  },
];
