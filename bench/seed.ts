// A session with many past messages, written straight into the database of a stopped Steward.
import { join } from "node:path";
import type { Event } from "../src/core/events.ts";
import { sqlite } from "../src/stores/sqlite.ts";

/** `messages` counts those of the person and of the agent together. Resolves to the session's id. */
export async function seed(home: string, messages: number): Promise<string> {
  const store = await sqlite(join(home, "steward.db"), { exclusive: true });
  const session = `ses_seed${messages}`;
  const at = Date.now() - 86_400_000;
  await store.commit({
    put: { [`p/owner/session/${session}`]: { id: session, title: "Seeded", createdAt: at, updatedAt: at, messages } },
    events: [{ session, event: { type: "session.created", person: "owner", title: "Seeded" } }],
  });
  let seq = 1;
  for (let done = 0; done < messages / 2; done += 100) {
    const events: Event[] = [];
    for (let turn = done; turn < Math.min(done + 100, messages / 2); turn++) {
      events.push(...exchange(turn, seq + 1));
      seq += 4;
    }
    await store.commit({ events: events.map((event) => ({ session, event })) });
  }
  await store.commit({ put: { [`turn/${session}`]: { from: 0, seen: seq } } });
  await store.close();
  return session;
}

const exchange = (turn: number, first: number): Event[] => [
  {
    type: "message.received",
    id: `msg_${turn}`,
    from: "owner",
    parts: [{ type: "text", text: `Question number ${turn}: what about the garden, the invoices and the train to Lyon?` }],
  },
  { type: "turn.started", turn: `trn_${turn}`, engine: "loop", model: "compatible/bench" },
  {
    type: "item.completed",
    turn: `trn_${turn}`,
    item: {
      id: `itm_${turn}`,
      kind: "text",
      text: `Answer number ${turn}: the garden is watered, the invoices are paid, the train leaves at nine.`,
    },
  },
  {
    type: "turn.completed",
    turn: `trn_${turn}`,
    stop: "end",
    seen: first,
    engine: "loop",
    model: "compatible/bench",
    usage: { input: 10, output: 10 },
  },
];
