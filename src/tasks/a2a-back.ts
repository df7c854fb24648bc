// A caller takes back what it asked: the turn that works on that alone is stopped; one that answers others too, or has not come to it, goes on without it.
import type { Stored } from "../core/events.ts";
import { openTurn } from "../core/history.ts";
import type { Commit } from "../core/store.ts";
import { cancelling, turnJob } from "../run/jobs.ts";
import { stopHelpers } from "../run/sessions.ts";
import { oneLine } from "../std/text.ts";
import { type Asked, askedId, CALLER, LOOK_BACK, privateTurns, type Serving } from "./a2a-parts.ts";
import { askedKey, saidBy } from "./docs.ts";
import { A2A_KEY } from "./limits.ts";

/** No context is called so. */
const BACK_KEY = `${A2A_KEY}~/`;

export async function takenBack({ steward, who }: Serving, asked: Asked): Promise<void> {
  const { store } = steward;
  const { session, seq, context, id } = asked;
  const log = await store.events(session, { last: LOOK_BACK });
  const open = openTurn(log);
  const turn = open !== undefined && privateTurns(log).has(open) ? undefined : open;
  const read = turn === undefined ? 0 : readBy(log, turn);
  const rows = (await store.list(askedKey(who.person, askedId(context, "")))).map(({ value }) => value as Asked);
  const nobodys = new Set([seq, ...rows.flatMap((one) => (one.cancelled ? [one.seq] : []))]);
  if (turn !== undefined && seq <= read && !othersIn(log, read, nobodys)) {
    await store.commit(cancelling(session, who, turn));
    store.publish(session, { type: "turn.cancelling", turn });
    return stopHelpers(steward, who, session);
  }
  const back: Commit = { put: { [askedKey(who.person, id)]: { ...asked, cancelled: true } satisfies Asked } };
  if (seq <= read) return void (await store.commit(back));
  const text = `I take this back, do nothing about it: ${oneLine(textAt(log, seq), 200)}`;
  await store.commit({
    ...back,
    once: `${BACK_KEY}${who.person}/${id}`,
    events: [{ session, event: saidBy(CALLER, text, `${BACK_KEY}${id}`) }],
    jobs: [turnJob(session, who)], // it may have been read at this moment
  });
}

/** What an open turn knows of for sure. */
const readBy = (log: Stored[], turn: string): number =>
  Math.max(
    ...log.map(({ event, seq }) => {
      if (event.type === "turn.started" && event.turn === turn) return seq;
      return event.type === "item.completed" && event.turn === turn && event.item.kind === "step" ? event.item.seen : 0;
    }),
  );

/** Whether the open turn has read what somebody else waits for. */
function othersIn(log: Stored[], read: number, nobodys: Set<number>): boolean {
  const done = Math.max(0, ...log.map(({ event }) => (event.type === "turn.completed" ? event.seen : 0)));
  return log.some(({ event, seq }) => {
    if (event.type !== "message.received" || event.command || seq <= done || seq > read || nobodys.has(seq)) return false;
    return !event.key?.startsWith("task/") && !event.key?.startsWith(BACK_KEY);
  });
}

function textAt(log: Stored[], at: number): string {
  const event = log.find(({ seq }) => seq === at)?.event;
  return event?.type === "message.received" ? event.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join(" ") : "";
}
