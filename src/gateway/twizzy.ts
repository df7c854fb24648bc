// TWIZZY's conversations: which one is meant, and how its pages read it. A reply is `reply.ts`, its socket `twizzy-socket.ts`.
import { isData } from "../core/events.ts";
import { textOf } from "../core/history.ts";
import type { Principal } from "../core/types.ts";
import { currentSession, setCurrentSession } from "../run/sessions.ts";
import { failedText } from "../run/settle.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, StewardError } from "../std/error.ts";

/** Model calls that TWIZZY promised a message at most. */
export const ROUNDS = 10;

/** A known id selects that conversation; an unknown one falls back to the current. */
export async function conversation(steward: Steward, who: Principal, id: string | null | undefined): Promise<string> {
  const current = await currentSession(steward, who);
  if (!id || id === current) return current;
  try {
    await setCurrentSession(steward, who, id);
    return id;
  } catch (error) {
    if (hasCode(error, "not_found")) return current;
    throw error;
  }
}

// ---- The conversation as TWIZZY's pages read it

export interface Said {
  role: "user" | "assistant";
  content: string;
  timestamp: string;
}

/** What was said, oldest first: no tool messages, nothing empty, each with the time when it was said. */
export async function conversationMessages({ store }: Steward, session: string): Promise<Said[]> {
  const messages: Said[] = [];
  const texts: string[] = [];
  for (const { event, at } of await store.events(session)) {
    const timestamp = new Date(at).toISOString();
    if (event.type === "session.updated" && event.cleared) messages.length = texts.length = 0;
    if (event.type === "message.received")
      messages.push({ role: "user", content: `${isData(event.source) ? "[Notification] " : ""}${textOf(event.parts)}`, timestamp });
    if (event.type === "turn.started") texts.length = 0;
    if (event.type === "item.completed" && event.turn === "" && event.item.kind === "text")
      messages.push({ role: "assistant", content: event.item.text, timestamp });
    else if (event.type === "item.completed" && event.item.kind === "text" && event.item.text) texts.push(event.item.text);
    if (event.type !== "turn.completed") continue;
    const content = event.stop === "failed" ? failedText(event.error) : texts.join("\n\n");
    texts.length = 0;
    if (content) messages.push({ role: "assistant", content, timestamp });
  }
  return messages;
}

export function checkMessage(text: string): string {
  if (text.trim() === "") throw new StewardError("invalid", "The message is empty");
  return text;
}
