// Shows in chats what goes on in the sessions that live there: that it works, its words while they grow, its questions. What is final goes by the outbox.
import type { Channel, Outgoing } from "../core/channel.ts";
import type { Event } from "../core/events.ts";
import type { Notice } from "../core/store.ts";
import type { Address, Ask, Rights } from "../core/types.ts";
import { openAsks } from "../run/asks.ts";
import { everybody } from "../run/people.ts";
import { sending } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { type Draft, draftKey } from "./draft.ts";
import { fitsIn, pieces } from "./pieces.ts";
import { mayGrow } from "./reach.ts";
import { howToAnswer, numbering } from "./numbered.ts";
import { askHomeOf, homeOf, questionLetter, stopButton } from "./questions.ts";

const TYPING_MS = 4500;
/** Half an hour. */
const MOST_TYPING = 400;
/** So much is said before a message is begun with it. */
const FIRST_CHARS = 24;
/** A quick answer comes at once, whole. */
const FIRST_MS = 700;
const MOST_SESSIONS = 5000;
const AGAIN_MS = 1000;

interface Followed {
  to: Address;
  /** A background task: only its questions are shown. */
  asks?: true;
  seq: number;
  session: string;
  person: string;
  /** The newest message that came from there and is not answered yet. */
  wrote?: number;
  /** Those of that message: a turn that has others is not its answer. */
  rights?: string;
  turn?: string;
  typing?: NodeJS.Timeout;
  words: string;
  shown: string;
  next: number;
  timer?: NodeJS.Timeout;
}

const followed = new WeakSet<AbortSignal>();

/** From now on until the signal aborts; once for each signal. What fails here costs only looks: every message and every question goes out by the outbox, once. */
export function follow(steward: Steward, signal: AbortSignal): void {
  if (followed.has(signal)) return;
  followed.add(signal);
  void following(steward, signal).catch((error: unknown) =>
    steward.log("error", "The chats no longer show what goes on", { error: messageOf(error) }),
  );
}

async function following(steward: Steward, signal: AbortSignal): Promise<void> {
  const sessions = new Map<string, Followed | null>();
  const failed = new Set<string>();
  const lookAt = async (session: string): Promise<Followed | null> => {
    const known = sessions.get(session);
    if (known !== undefined) return known;
    const own = await homeOf(steward, session);
    const to = own ?? (await askHomeOf(steward, session));
    const more = own ? {} : { asks: true as const };
    // Also while its channel is not connected here: its questions go by the outbox.
    const [first] = await steward.store.events(session, { limit: 1 });
    const person = first?.event.type === "session.created" ? first.event.person : "";
    const followed = to ? { to, ...more, session, person, seq: 0, words: "", shown: "", next: 0 } : null;
    if (sessions.size >= MOST_SESSIONS) {
      const [oldest, one] = sessions.entries().next().value!;
      if (one) rest(one);
      sessions.delete(oldest);
    }
    sessions.set(session, followed);
    return followed;
  };
  while (!signal.aborted) {
    try {
      const notices = steward.store.watch(signal);
      await askAgain(steward); // what was opened while nobody listened
      for await (const notice of notices) await keptUp(steward, { notice, sessions, lookAt, failed, signal });
    } catch (error) {
      if (!signal.aborted) steward.log("warning", "The chats no longer hear what goes on; looking again", { error: messageOf(error) });
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1000).unref());
  }
  for (const one of sessions.values()) if (one) rest(one);
}

interface Hearing {
  notice: Notice;
  sessions: Map<string, Followed | null>;
  lookAt(session: string): Promise<Followed | null>;
}
interface Keeping extends Hearing {
  /** Sessions that are looked at again soon. */
  failed: Set<string>;
  signal: AbortSignal;
}

/** In order within a session. What fails is looked at again: else a question would never be sent, because nothing else happens before its answer. */
async function keptUp(steward: Steward, keeping: Keeping): Promise<void> {
  const { notice, failed, signal } = keeping;
  const { session = "" } = notice;
  try {
    await inLane(steward.lanes, `follow/${session}`, () => heard(steward, keeping));
  } catch (error) {
    steward.log("debug", "A chat could not be kept up to date; looking again", { error: messageOf(error) });
    if (notice.live || failed.has(session) || signal.aborted) return;
    failed.add(session);
    const again = (): void => {
      failed.delete(session);
      if (!signal.aborted) void keptUp(steward, keeping);
    };
    setTimeout(again, AGAIN_MS).unref();
  }
}

async function heard(steward: Steward, { notice, sessions, lookAt }: Hearing): Promise<void> {
  const { session, seq, live } = notice;
  if (session === undefined) return;
  if (live) {
    const one = sessions.get(session);
    if (one && live.type === "item.delta" && live.kind === "text") grow(steward, one, live);
    return;
  }
  if (seq === undefined) return;
  const known = sessions.get(session);
  const [newest] = known ? [] : await steward.store.events(session, { last: 1 });
  if (newest) await handOver(steward, session, newest.event);
  // A session gets its chat with a message from there; by the time that it is heard of, more may have followed.
  if (known === null && (newest?.event.type === "ask.opened" || (await homeOf(steward, session)))) sessions.delete(session);
  const one = await lookAt(session);
  if (!one) return;
  // Of what came before it was followed only the newest; from then on all.
  for (const { event, seq: at } of await steward.store.events(session, {
    after: one.seq === 0 ? Math.max(0, seq - 50) : one.seq,
    limit: 500,
  })) {
    if (event.type === "message.received" && event.replyTo && !event.command)
      Object.assign(one, { to: event.replyTo, wrote: at, rights: rightsText(event) });
    // An answer to the page, or of a schedule, is not sent here: nothing of it grows here that nobody would end.
    if (event.type === "turn.started" && !one.asks && one.wrote !== undefined && one.rights === rightsText(event))
      begin(steward, one, event.turn);
    if (event.type === "item.completed" && event.turn !== "" && event.turn === one.turn && event.item.kind === "text")
      said(steward, one, event.item.text);
    if (event.type === "ask.opened") {
      await ask(steward, one.to, event.ask);
      clearInterval(one.typing); // it waits for a person
    }
    if (event.type === "ask.answered" && one.turn !== undefined) showTyping(steward, one);
    await handOver(steward, session, event);
    if (event.type === "turn.completed") {
      rest(one);
      if (event.seen >= (one.wrote ?? 0)) delete one.wrote;
    }
    one.seq = at;
  }
}

const rightsText = ({ rights }: { rights?: Rights }): string => JSON.stringify(rights ?? null);

function begin({ channels }: Steward, one: Followed, turn: string): void {
  rest(one);
  Object.assign(one, { turn, words: "", shown: "", next: Date.now() + FIRST_MS });
  showTyping({ channels }, one);
}

function showTyping({ channels }: Pick<Steward, "channels">, one: Followed): void {
  clearInterval(one.typing);
  if (!channels[one.to.channel]?.typing) return;
  let left = MOST_TYPING;
  const tell = (): void => {
    if (left-- <= 0) clearInterval(one.typing);
    else void channels[one.to.channel]?.typing?.(one.to).catch(() => {});
  };
  one.typing = setInterval(tell, TYPING_MS);
  one.typing.unref();
  tell();
}

function rest(one: Followed): void {
  clearInterval(one.typing);
  clearTimeout(one.timer);
  delete one.typing;
  delete one.timer;
  delete one.turn;
}

function said(steward: Steward, one: Followed, text: string): void {
  one.words = text;
  show(steward, one);
}

function grow(steward: Steward, one: Followed, { turn, text, at }: { turn: string; text: string; at: number }): void {
  if (turn !== one.turn) return;
  one.words = one.words.slice(0, at) + text;
  show(steward, one);
}

/** Not more often than the platform bears; the last state is always shown by the outbox. */
function show(steward: Steward, one: Followed): void {
  const channel = steward.channels[one.to.channel];
  const { editMs } = channel?.limits ?? {};
  if (!channel?.edit || editMs === undefined || one.timer || one.words.length < FIRST_CHARS) return;
  const turn = one.turn!;
  one.timer = setTimeout(
    () => {
      void draw(steward, channel, one)
        .catch(() => {})
        .finally(() => {
          if (one.turn !== turn) return;
          one.next = Date.now() + editMs;
          delete one.timer;
          if (one.words !== one.shown) show(steward, one);
        });
    },
    Math.max(0, one.next - Date.now()),
  );
  one.timer.unref();
}

/** The first message of a turn's answer, as far as it was said. Its id is durable, so that the answer takes its place; in its lane nothing overtakes the answer. */
async function draw(steward: Steward, channel: Channel, one: Followed): Promise<void> {
  const { turn, words, to, person } = one;
  if (turn === undefined) return;
  const [first] = pieces(words.slice(0, channel.limits.text * 2), fitsIn(channel, " …"));
  if (first === undefined) return;
  await inLane(steward.lanes, draftKey(turn), async () => {
    if (one.turn !== turn) return;
    const draft = (await steward.store.get(draftKey(turn))) as Draft | undefined;
    if (draft?.final || (draft && draft.receipt === undefined) || !(await mayGrow(steward, to, person))) return;
    const message: Outgoing = { text: `${first} …`, ...(channel.limits.buttons > 0 ? { buttons: [stopButton(one.session, turn)] } : {}) };
    if (draft) await channel.edit!(to, draft.receipt!, message);
    else await begun(steward, channel, { draft: { to, person }, turn, message });
    one.shown = words;
  });
}

async function begun(
  { store, now }: Steward,
  channel: Channel,
  { draft, turn, message }: { draft: Draft; turn: string; message: Outgoing },
): Promise<void> {
  const first = { text: message.text, since: now() };
  await store.commit({ put: { [draftKey(turn)]: { ...draft, first } satisfies Draft } });
  try {
    const receipt = await channel.send(draft.to, message, `${turn}.draft`);
    await store.commit({ put: { [draftKey(turn)]: { ...draft, receipt } satisfies Draft } });
  } catch (error) {
    // It surely was not sent: nothing of it is there.
    if (error instanceof StewardError && error.code !== "internal") await store.commit({ drop: [draftKey(turn)] });
    throw error;
  }
}

/** A file that the computer handed over while nobody worked there goes to the session's chat, once; those of a turn go with its answer. */
async function handOver(steward: Steward, session: string, event: Event): Promise<void> {
  if (event.type !== "item.completed" || event.turn !== "" || event.item.kind !== "file") return;
  const to = await homeOf(steward, session);
  const [first] = await steward.store.events(session, { limit: 1 });
  if (!to || first?.event.type !== "session.created") return;
  const { id } = event.item.file;
  await steward.store.commit({
    once: `handed/${session}/${id}`,
    ...sending({ person: first.event.person, to, text: "", files: [id], session }, steward.now()),
  });
}

/** Once for each question, whoever sees it first. */
async function ask(steward: Steward, to: Address, question: Ask): Promise<void> {
  const [first] = await steward.store.events(question.session, { limit: 1 });
  if (first?.event.type !== "session.created") return;
  const { person } = first.event;
  const once = `asked/${question.id}`;
  if (await homeOf(steward, question.session))
    return void (await steward.store.commit({ once, ...sending(questionLetter(person, question, to), steward.now()) }));
  await inLane(steward.lanes, `numbering/${person}`, async () => {
    const { n, put, drop = [] } = await numbering(steward, { person, ask: question, to });
    const letter = sending(questionLetter(person, question, to, howToAnswer(n)), steward.now());
    await steward.store.commit({ once, ...letter, put: { ...letter.put, ...put }, drop });
  });
}

/** Those that were opened while nobody followed. */
async function askAgain(steward: Steward): Promise<void> {
  for (const { id: person, role } of await everybody(steward))
    for (const question of await openAsks(steward, { person, role, via: "channel" })) {
      const to = await askHomeOf(steward, question.session);
      if (to) await ask(steward, to, question);
    }
}
