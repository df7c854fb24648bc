// OS-Agent's commands about sessions, memory and notifications.
import { isAside, textOf } from "../../core/history.ts";
import { getMemory, resetMemory, setMemory } from "../../run/json-memory.ts";
import { namedSessions } from "../named-sessions.ts";
import { notify } from "../../run/notifications.ts";
import { type Asked, textArg } from "./frames.ts";
import type { Link } from "./link.ts";

const SNIPPET = 50;
const LOOKED_AT = 60;

export const listNames = async ({ steward, who }: Link): Promise<string[]> => (await namedSessions(steward, who)).map(({ name }) => name);

export async function listInfo({ steward, who }: Link): Promise<{ name: string; last_message: string }[]> {
  const all = await namedSessions(steward, who);
  return Promise.all(all.map(async ({ name, doc }) => ({ name, last_message: await lastMessage(steward, doc.id) })));
}

/** What was said last in a session, as one short line. */
export const lastMessage = async (steward: Link["steward"], session: string): Promise<string> => snippet(await lastWords(steward, session));

async function lastWords({ store }: Link["steward"], session: string): Promise<string> {
  for (const { event } of (await store.events(session, { last: LOOKED_AT })).reverse()) {
    if (isAside({ event })) continue;
    if (event.type === "session.updated" && event.cleared) return "";
    if (event.type === "message.received") return textOf(event.parts);
    if (event.type === "item.completed" && event.item.kind === "text" && event.item.text) return event.item.text;
  }
  return "";
}

function snippet(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SNIPPET ? `${line.slice(0, SNIPPET).toWellFormed()}…` : line;
}

export const readMemory = ({ steward, who }: Link): Promise<string> => getMemory(steward, who);
export const writeMemory = ({ steward, who }: Link, { args }: Asked): Promise<string> =>
  setMemory(steward, who, textArg(args, "memory", ""));
export const clearMemory = ({ steward, who }: Link): Promise<string> => resetMemory(steward, who);

export async function sendNotification({ steward, who, room }: Link, { args }: Asked): Promise<"ok"> {
  await notify(steward, who, { message: textArg(args, "message"), session: room.place.session, from: "outside" });
  return "ok";
}
