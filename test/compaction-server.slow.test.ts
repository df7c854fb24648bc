// Five hundred turns before the local model server, through the gateway: compacted many times, nothing said is lost, old turns are read again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, openPlace } from "./gateway-place.ts";

const TURNS = 500;

test(
  "500 turns with the local server: the log is whole, requests stay bounded, an early turn is fetched by its number",
  { timeout: 290_000 },
  async (t) => {
    const place = await openPlace({
      config: { "limits.windowTokens": 4000 },
      script: ({ body }) => {
        const text = JSON.stringify(body.messages);
        if (text.includes("Summarise this conversation"))
          return [{ do: "text", text: "The person counts things in a garden and wants each noted." }];
        if (text.includes("What was in the third message") && !text.includes('"role":"tool"')) {
          const number = /#(\d+) Note 2:/.exec(text)?.[1] ?? "0";
          return [{ do: "calls", calls: [{ tool: "recall", input: { words: "Note 2", turn: Number(number) || 6 } }] }];
        }
        return [{ do: "text", text: "Noted." }];
      },
    });
    t.after(() => place.close());
    const { id } = await place.client.call("sessions.make", { body: {} });
    const say = async (text: string): Promise<void> => {
      const ends = async (): Promise<number> => (await place.client.call("sessions.get", { params: { id } })).messages;
      const before = await ends();
      await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text }] } });
      await eventually(async () => (await ends()) >= before + 2);
    };
    await say("The key of the shed is KX-2207, and Doctor Marlene Voss has the spare one.");
    for (let turn = 0; turn < TURNS; turn++) await say(`Note ${turn}: ${"leaf ".repeat(30)}`);
    const log = await place.events(id);
    const count = (type: string): number => log.filter(({ event }) => event.type === type).length;
    assert.deepEqual([count("message.received"), count("turn.completed")], [TURNS + 1, TURNS + 1]);
    assert.ok(count("context.compacted") >= 5, `${count("context.compacted")} compactions`);
    const sizes = place.model.requests.map(({ body }) => JSON.stringify(body.messages).length);
    assert.ok(Math.max(...sizes) < 90_000, `a request of ${Math.max(...sizes)} characters`);
    const last = JSON.stringify(place.model.requests.at(-1)!.body.messages);
    for (const kept of ["KX-2207", "Marlene Voss"]) assert.ok(last.includes(kept), kept);
    await say("What was in the third message?");
    await eventually(() => JSON.stringify(place.model.requests.at(-1)!.body.messages).includes("<conversation>"));
  },
);
