// A command that is run and its answer: once for each message, kept in the log beside the conversation, delivered where it was typed.
import type { Event, Stored } from "../core/events.ts";
import type { Address } from "../core/types.ts";
import type { Reply, Scene } from "../run/asides.ts";
import { sending } from "../run/outbox.ts";
import { redactor } from "../run/redact.ts";
import { sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";

export interface Taken {
  /** As it may stand in the log: without what looks like a secret. */
  text: string;
  /** Throws StewardError for what can't be done. */
  run(): Promise<Reply>;
}

/** What was answered to this message already. */
export const answeredBefore = (steward: Steward, { session, key, replyTo }: Scene): Promise<Reply | undefined> =>
  replyTo ? lastOf(steward, replyTo, key) : earlier(steward, session, key);

/** Runs it once, whatever often it comes under this key. Message and answer are one commit; a stop in between is said, not run again. */
export function answered(steward: Steward, scene: Scene, taken: Taken): Promise<Reply> {
  const { session, key, replyTo } = scene;
  const mark = `command/${replyTo ? "" : `${session}/`}${key}`;
  return inLane(steward.lanes, mark, async () => {
    const known = await answeredBefore(steward, scene);
    if (known) return known;
    const begun = (await steward.store.get(mark)) !== undefined;
    if (!begun) await steward.store.commit({ put: { [mark]: true } });
    const reply = begun ? UNKNOWN : await outcome(steward, taken);
    const clean = redactor(() => steward.secrets.values());
    const told = { ...reply, text: clean(reply.text) };
    await keep(steward, { ...scene, mark, text: clean(taken.text) }, told);
    return told;
  });
}

const UNKNOWN: Reply = { text: "It is not known whether this was done: Steward was stopped meanwhile. /status shows how things stand." };

async function outcome({ log }: Steward, { run }: Taken): Promise<Reply> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof StewardError) || error.code === "internal") {
      log("error", "A command failed inside Steward", { error: messageOf(error) });
      return { text: "Something went wrong inside Steward. `steward logs` shows what." };
    }
    return { text: `${/[.!?]$/.test(error.message) ? error.message : `${error.message}.`}${error.hint ? ` ${error.hint}` : ""}` };
  }
}

/** A chat may be in another session after its command, so it knows its last ones by itself: a platform that was not told brings several once more. */
const lastKey = (to: Address): string => `command-last/${JSON.stringify([to.channel, to.chat, to.thread ?? ""])}`;

interface Last {
  key: string;
  reply: Reply;
  /** Keys of those before. */
  before?: string[];
}
const MOST_LAST = 200;

async function lastOf({ store }: Steward, to: Address, key: string): Promise<Reply | undefined> {
  const last = (await store.get(lastKey(to))) as Last | undefined;
  if (last?.key === key) return last.reply;
  return last?.before?.includes(key) ? { text: "" } : undefined;
}

async function asLast({ store }: Steward, to: Address, { key, reply }: Pick<Last, "key" | "reply">): Promise<Record<string, Last>> {
  const last = (await store.get(lastKey(to))) as Last | undefined;
  return { [lastKey(to)]: { key, reply, before: last ? [...(last.before ?? []), last.key].slice(-MOST_LAST) : [] } };
}

const replyId = (message: string): string => message.replace(/^msg/, "rpl");

async function keep(steward: Steward, scene: Scene & { mark: string; text: string }, { text, session: next }: Reply): Promise<void> {
  const { who, session, replyTo, key, mark } = scene;
  const id = newId("msg");
  const events: Event[] = [
    {
      ...{ type: "message.received", id, from: who.person, parts: [{ type: "text", text: scene.text }], key, command: true },
      ...(replyTo ? { replyTo } : {}),
    },
    {
      type: "item.completed",
      turn: "",
      item: { id: replyId(id), kind: "text", text, ...(next === undefined ? {} : { meta: { session: next } }) },
    },
  ];
  const sent = replyTo ? sending({ person: who.person, session, to: replyTo, text }, steward.now()) : undefined;
  await steward.store.commit({
    once: mark,
    ...(sent ? { put: { ...(await asLast(steward, replyTo!, { key, reply: { text } })), ...sent.put }, jobs: sent.jobs } : {}),
    events: events.map((event) => ({ session, event })),
    merge: { [sessionKey(who.person, session)]: { updatedAt: steward.now() } },
    drop: [mark],
  });
}

const LOOK_BACK = 500;

async function earlier({ store }: Steward, session: string, key: string): Promise<Reply | undefined> {
  const log = await store.events(session, { last: LOOK_BACK });
  const message = log.findLast(({ event }) => event.type === "message.received" && event.command && event.key === key)?.event;
  return message?.type === "message.received" ? replyIn(log, message.id) : undefined;
}

function replyIn(log: Stored[], message: string): Reply | undefined {
  for (const { event } of log)
    if (event.type === "item.completed" && event.item.kind === "text" && event.item.id === replyId(message)) {
      const { session } = (event.item.meta ?? {}) as { session?: string };
      return { text: event.item.text, ...(session === undefined ? {} : { session }) };
    }
  return undefined;
}
