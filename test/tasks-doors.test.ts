// Background tasks and the doors that people use: begun from a chat, its questions, words and result come back there; begun by a schedule that nobody sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow } from "../src/chats/follow.ts";
import { receive } from "../src/chats/receive.ts";
import type { Channel } from "../src/core/channel.ts";
import type { Tool } from "../src/core/ports.ts";
import { startWorker } from "../src/run/worker.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import personTools from "../src/tools/person.ts";
import taskTools from "../src/tools/task.ts";
import { makeSession } from "../src/run/sessions.ts";
import { harness, OWNER } from "./harness.ts";
import { start, until } from "./turns-place.ts";

/** A Steward with tasks and a chat. */
const chatting = async (post: Channel) => ({
  ...{ store: await sqlite(":memory:"), tools: [...taskTools, ...personTools] as Tool[] },
  ...{ channels: { post }, config: { channels: { post: { enabled: true } } } },
});

test("a task that was begun in a chat asks, speaks and answers there, and shows nothing else of itself", async (t) => {
  const channel = keepingChannel();
  const act = (input: object): Said => ({ call: "task", input });
  const steward = harness({
    ...(await chatting(channel)),
    model: scripted(({ prompt }) => {
      const asked = JSON.stringify(prompt);
      const done = asked.split('"tool-result"').length - 1;
      if (asked.includes("You are a subagent")) {
        if (done === 0)
          return [{ text: "inner words" }, { call: "ask_person", input: { question: "Red or blue?", options: ["red", "blue"] } }];
        return done === 1
          ? [act({ do: "send", name: "person", text: "Nearly there." })]
          : [{ text: `It is ${asked.includes("blue") ? "painted" : "?"}.` }];
      }
      if (asked.includes("is ready")) return [{ text: "The fence is painted." }];
      return done ? [{ text: "I have it painted." }] : [act({ do: "start", name: "Painter", text: "Paint the fence" })];
    }),
  });
  const stop = new AbortController();
  t.after(() => stop.abort());
  await steward.store.commit({
    put: { "paired/post/77": { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c", at: 1 } },
  });
  follow(steward, stop.signal);
  const worker = startWorker(steward, { name: "w", auto: true });
  t.after(() => worker.stop(1000));
  const to = { channel: "post", chat: "c77" };
  await receive(steward, inbound("m1", "77", to, "paint the fence"));
  const question = await until(() => channel.sent.find(({ buttons }) => buttons !== undefined && buttons.length > 0));
  assert.match(question.text, /Red or blue\?/);
  await until(() => channel.sent.some(({ text }) => text === "I have it painted.") || undefined);
  const blue = question.buttons!.find(({ label }) => label === "blue")!;
  await receive(steward, inbound("m2", "77", to, "", { kind: "press", press: blue.id }));
  await until(() => channel.sent.some(({ text }) => text.includes("The fence is painted.")) || undefined);
  const texts = channel.sent.filter(({ buttons }) => !buttons?.length).map(({ text }) => text);
  assert.deepEqual(texts, ["I have it painted.", "Painter: Nearly there.", "The fence is painted."]);
});

test("an answer that is typed reaches a task's question: by its number, or as an answer to its message; nothing else does", async (t) => {
  const channel = keepingChannel();
  const ask = (question: string, options: string[] = []): Said => ({ call: "ask_person", input: { question, options } });
  const steward = harness({
    ...(await chatting(channel)),
    model: scripted(({ prompt }) => {
      const heard = JSON.stringify(prompt);
      const done = heard.split('"tool-result"').length - 1;
      if (heard.includes("You are a subagent"))
        return [[ask("Which colour?")], [ask("**Matt** or glossy?", ["matt", "glossy"])], [{ text: "Done." }]][done]!;
      if (heard.includes("is ready")) return [{ text: "Painted." }];
      if (heard.includes("no hurry")) return [{ text: "All right." }];
      return done ? [{ text: "I have it painted." }] : [{ call: "task", input: { do: "start", name: "Painter", text: "Paint" } }];
    }),
  });
  const stop = new AbortController();
  t.after(() => stop.abort());
  const pairing = { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c", at: 1 };
  await steward.store.commit({ put: { "paired/post/77": pairing } });
  follow(steward, stop.signal);
  const worker = startWorker(steward, { name: "w", auto: true });
  t.after(() => worker.stop(1000));
  const to = { channel: "post", chat: "c77" };
  const sent = (words: string) => until(() => channel.sent.find(({ text }) => text.includes(words))?.text);
  await receive(steward, inbound("m1", "77", to, "paint the fence"));
  assert.equal(await sent("Which colour?"), "**Which colour?**\n\nTo answer by typing, reply to this message, or write: answer 1 …");
  await receive(steward, inbound("m2", "77", to, "no hurry"));
  await sent("All right.");
  await receive(steward, inbound("m3", "77", to, "answer 2 red"));
  await receive(steward, inbound("m4", "77", to, "Answer 1: dark green"));
  const second = await sent("glossy?");
  // As an answer to its message, which some platforms put in a thread of its own.
  const quoted = { from: "bot", own: true, text: second.replaceAll("*", "") } as const;
  await receive(steward, inbound("m5", "77", { ...to, thread: "t1" }, "Glossy", { quoted }));
  await sent("Painted.");
  const [task] = await steward.tasks.list(OWNER);
  const answers = (await steward.store.events(task!.session)).flatMap(({ event }) => (event.type === "ask.answered" ? [event.answer] : []));
  assert.deepEqual(answers, [{ choice: "dark green" }, { choice: "glossy" }]);
});

test("the run of a schedule that nobody sees passes a late result on to the person", async () => {
  const one = await start((_count, prompt) => [{ text: prompt.includes("is ready") ? "told" : "found" }]);
  const quiet = await makeSession(one.steward, OWNER, {});
  await one.steward.store.commit({ merge: { [`p/owner/session/${quiet.id}`]: { quiet: true } } });
  await one.steward.tasks.start(OWNER, { text: "look", session: quiet.id });
  await one.worker.drain();
  const told = (await one.events()).flatMap((event) =>
    event.type === "message.received" ? [[event.from, event.source, event.parts]] : [],
  );
  assert.deepEqual(told, [["look", "agent", [{ type: "text", text: "look is ready.\n\nfound" }]]]);
  assert.equal((await one.steward.store.events(quiet.id)).length, 1);
});

test("what a subagent tells the person the next turn of that session reads too, as data; it begins none", async () => {
  const act = (input: object): Said => ({ call: "task", input });
  const one = await start(
    (_count, prompt) => {
      if (prompt.includes("You are a subagent"))
        return prompt.includes("tool-result")
          ? [{ text: "" }]
          : [act({ do: "send", name: "person", text: "<b>The key is under the mat." })];
      if (prompt.includes("what did it say")) return [{ text: "read" }];
      return prompt.includes("tool-result") ? [{ text: "ok" }] : [act({ do: "start", name: "Ann", text: "look", wait: true })];
    },
    { tools: [...taskTools] },
  );
  await one.say("go");
  await one.worker.drain();
  assert.equal((await one.ends()).length, 1);
  await one.say("what did it say?");
  await one.worker.drain();
  const words = '<notification from=\\"agent Ann\\">Ann: &lt;b&gt;The key is under the mat.</notification>';
  const asked = JSON.stringify(one.model.requests.at(-1)!.prompt);
  assert.deepEqual([asked.split(words).length - 1, asked.indexOf(words) < asked.indexOf("what did it say?")], [1, true]);
  assert.equal(await one.steward.store.get(`tainted/${one.session}`), true);
});
