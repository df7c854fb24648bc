// Questions in chats: as buttons where the platform has them, else answered by typing. Who may answer is decided like everywhere: only the person asked.
import type { Button, Inbound } from "../core/channel.ts";
import type { Ask, Principal } from "../core/types.ts";
import { answerAsk, openAsks } from "../run/asks.ts";
import { cancelTurn } from "../run/inbox.ts";
import { homeKey, type Letter } from "../run/outbox.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode } from "../std/error.ts";
import { type TaskDoc, taskKey } from "../run/tasks.ts";
import type { Address, Answer } from "../core/types.ts";
import type { Admitted } from "./admission.ts";
import { answeredByTyping } from "./numbered.ts";

const LETTERS = { a: { choice: "allow", for: "once" }, t: { choice: "allow", for: "task" }, d: { choice: "deny" } } as const;

export function buttonsOf({ id, kind, options }: Ask): Button[] {
  if (kind === "approval")
    return [
      { id: `ask/${id}/a`, label: "Allow once", style: "primary" },
      { id: `ask/${id}/t`, label: "Allow for this task" },
      { id: `ask/${id}/d`, label: "Deny", style: "danger" },
    ];
  return options.map((option, at) => ({ id: `ask/${id}/${at}`, label: option }));
}

/** Under an answer that grows: of this turn, however late it is pressed. */
export const stopButton = (session: string, turn: string): Button => ({ id: `stop/${session}/${turn}`, label: "Stop", style: "danger" });

const NEXT = "\n\nYour next message here is the answer.";

/** What the chat is shown of a question; `how`: how it is answered by typing. */
export function questionLetter(person: string, ask: Ask, to: Address, how = ask.kind === "text" ? NEXT : ""): Letter {
  // Exactly what will run, whatever ticks are in it.
  const fence = "`".repeat(Math.max(3, ...[...(ask.shows ?? "").matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  const shows = ask.shows ? `\n\n${fence}\n${ask.shows}\n${fence}` : "";
  return { person, to, text: `**${ask.prompt}**${shows}${how}`, buttons: buttonsOf(ask), session: ask.session, ask: ask.id };
}

/** In a room the writer answers as themselves, and only when the question is theirs. */
export async function pressed(steward: Steward, { press = "" }: Inbound, { who, writer }: Admitted): Promise<{ text?: string }> {
  const [kind, id = "", letter = ""] = press.split("/");
  if (kind === "stop") return { text: (await cancelTurn(steward, who, id, letter)) ? "Stopping." : "Nothing is running here." };
  if (kind === "notice") {
    await steward.notices.here(who.person);
    return { text: "Thank you." };
  }
  if (kind !== "ask") return {};
  const asking = await whose(steward, id, [who, ...(writer ? [writer] : [])]);
  if (!asking) return { text: "This question is not open any more." };
  const answer = answerBy(asking.ask, letter);
  if (!answer) return { text: "This answer is not known." };
  await answerAsk(steward, asking.who, id, answer);
  return { text: answer.choice === "deny" ? "Denied." : answer.choice === "allow" ? "Allowed." : `Answered: ${answer.choice}` };
}

async function whose(steward: Steward, id: string, all: Principal[]): Promise<{ who: Principal; ask: Ask } | undefined> {
  for (const who of all) {
    const ask = (await openAsks(steward, who)).find((one) => one.id === id);
    if (ask) return { who, ask };
  }
  return undefined;
}

function answerBy({ kind, options }: Ask, letter: string): Answer | undefined {
  if (kind === "approval") return Object.hasOwn(LETTERS, letter) ? LETTERS[letter as keyof typeof LETTERS] : undefined;
  const option = /^\d{1,3}$/.test(letter) ? options[Number(letter)] : undefined;
  return option === undefined ? undefined : { choice: option };
}

interface Typed {
  at: number;
  ask: string;
  answer: Answer;
}
const typedKey = (person: string, key = ""): string => `p/${person}/typed/${key}`;
const KEPT_MS = 2 * 86_400_000;

/** Where a question of this chat, or of a task that was begun there, is open, a message that can only be its answer is one. The same key twice is one answer, also when Steward is stopped between. */
export async function typedAnswer(
  steward: Steward,
  { who, session, key, text, message }: { who: Principal; session: string; key: string; text: string; message?: Inbound },
): Promise<boolean> {
  const { store, now } = steward;
  const mark = typedKey(who.person, key);
  const before = (await store.get(mark)) as Typed | undefined;
  const mayBe = !before && !text.startsWith("/");
  const meant = mayBe && message ? await answeredByTyping(steward, who.person, { ...message, text }) : undefined;
  const open = meant || !mayBe ? [] : (await openAsks(steward, who)).filter((one) => one.session === session);
  const ask = meant?.ask ?? (open.length === 1 ? open[0] : undefined);
  const words = ask && wordsOf(ask, meant?.words ?? text);
  const typed = before ?? (ask && words ? { at: now(), ask: ask.id, answer: words } : undefined);
  if (!typed) return false;
  if (!before) {
    const old = (await store.list(typedKey(who.person))).filter(({ value }) => (value as Typed).at < now() - KEPT_MS);
    await store.commit({ put: { [mark]: typed }, drop: old.map(({ key: one }) => one) });
  }
  await answerAsk(steward, who, typed.ask, typed.answer).catch(unlessAnswered);
  return true;
}

function unlessAnswered(error: unknown): void {
  if (!hasCode(error, "conflict") && !hasCode(error, "not_found")) throw error;
}

function wordsOf(ask: Ask, text: string): Answer | undefined {
  const said = text.trim();
  if (ask.kind === "text") return said === "" ? undefined : { choice: said };
  const plain = said.toLowerCase().replace(/[.!]$/, "");
  if (ask.kind === "choice") {
    const option = ask.options.find((one) => [plain, said.toLowerCase()].includes(one.toLowerCase()));
    return option === undefined ? undefined : { choice: option };
  }
  return buttonsOf(ask).flatMap(({ id, label }) => (label.toLowerCase() === plain ? [answerBy(ask, id.at(-1)!)!] : []))[0];
}

/** Where its questions go: those of a background task to the chat from which it was begun. */
export async function askHomeOf(steward: Steward, session: string): Promise<Address | undefined> {
  const [first] = await steward.store.events(session, { limit: 1 });
  const person = first?.event.type === "session.created" ? first.event.person : "";
  for (let at: string | undefined = session, steps = 0; at !== undefined && steps < 10; steps++) {
    const home = await homeOf(steward, at);
    if (home) return home;
    const { task } = ((await steward.store.get(sessionKey(person, at))) ?? {}) as Partial<SessionDoc>;
    at = task === undefined ? undefined : ((await steward.store.get(taskKey(person, task))) as TaskDoc | undefined)?.from;
  }
  return undefined;
}

/** The chat in which a session lives. */
export const homeOf = async ({ store }: Steward, session: string): Promise<Address | undefined> =>
  (await store.get(homeKey(session))) as Address | undefined;
