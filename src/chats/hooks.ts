// What a webhook brings becomes a message of its one session: the entry's words, then the payload as data. No command, no answer to a question, no sign that somebody is there.
import type { Inbound } from "../core/channel.ts";
import type { Hook } from "../core/config-channels.ts";
import type { Event } from "../core/events.ts";
import type { Principal } from "../core/types.ts";
import { noteMessage, refuseMany } from "../run/allowance.ts";
import { chatKey } from "../run/inbox.ts";
import { turnJob } from "../run/jobs.ts";
import { homeKey } from "../run/outbox.ts";
import { sessionDoc, sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";

/** Durable when it resolves. Throws conflict when it was taken before, limit when there are too many. */
export async function takeHook(
  steward: Steward,
  { to, key, text }: Inbound,
  { who, hook, session }: { who: Principal; hook: Hook; session: string },
): Promise<void> {
  const { title } = await sessionDoc(steward, who, session);
  const doc = sessionKey(who.person, session);
  const titled = title === "" ? { title: `Webhook ${to.channel}` } : undefined;
  refuseMany(steward, who);
  const event: Event = {
    ...{ type: "message.received", id: newId("msg"), from: who.person, key, source: "webhook" },
    parts: [hook.prompt, text].map((one) => ({ type: "text", text: one })),
    ...(hook.url === undefined ? {} : { replyTo: to }),
  };
  const stored = await steward.store.commit({
    // Whoever the entry speaks for: what was sent once is not sent again under another name.
    once: `hook/${chatKey(to, key)}`,
    events: [{ session, event }, ...(titled ? [{ session, event: { type: "session.updated" as const, ...titled } }] : [])],
    put: { [taintKey(session)]: true, ...(hook.url === undefined ? {} : { [homeKey(session)]: to }) },
    merge: { [doc]: { updatedAt: steward.now(), snippet: oneLine(text, 120), ...titled } },
    add: { [doc]: { messages: 1 } },
    jobs: [turnJob(session, who)],
  });
  if (stored.length === 0) throw new StewardError("conflict", "This was taken before");
  // Only now: whoever repeats what they overheard uses up nothing.
  noteMessage(steward, who);
}
