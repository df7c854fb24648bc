// The skills that Steward brings along, used by a model in a real turn: it is told of them, reads one, and does what it says.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../src/testing/model-server.ts";
import { commandsPlace, owner } from "./commands-place.ts";
import { say } from "../src/run/inbox.ts";

interface Body {
  messages: { role: string; content: unknown }[];
}

/** Reads the skill that the person names, then follows its form for an answer. */
function obedient({ body }: { body: Body }): Action[] {
  const told = JSON.stringify(body.messages);
  const asked = /use the (echo|time) skill(?:: ([a-z ]+))?/.exec(told)!;
  const result = body.messages.findLast(({ role }) => role === "tool");
  if (!result) {
    assert.match(told, new RegExp(`- ${asked[1]}: `), "the skill is in the list");
    return [{ do: "calls", calls: [{ tool: "read_skill", input: { name: asked[1] } }] }];
  }
  const form = /(Echo|Current time): /.exec(JSON.stringify(result.content));
  return [{ do: "text", text: form ? `${form[0]}${asked[2] ?? "noon"}` : "It says nothing of a form." }];
}

test("T-132: echo and time are there, listed briefly, read when they are used, and followed", async () => {
  const place = await commandsPlace({ script: obedient as never });
  try {
    const answers: string[] = [];
    for (const text of ["use the echo skill: good morning", "use the time skill"]) {
      const session = await place.session();
      await say(place.steward, owner, { session, parts: [{ type: "text", text }] });
      await place.composed.worker.drain();
      const log = await place.steward.store.events(session);
      answers.push(...log.flatMap(({ event }) => (event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : [])));
    }
    assert.deepEqual(answers, ["Echo: good morning", "Current time: noon"]);
  } finally {
    await place.close();
  }
});
