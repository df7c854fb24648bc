// Commands about the conversation: new, clear, stop, undo, compact, sessions, whoami.
import type { Reply } from "../run/asides.ts";
import { cancelTurn, routeKey } from "../run/inbox.ts";
import { turnJob } from "../run/jobs.ts";
import { personOf } from "../run/persons.ts";
import { clearSession, listSessions, makeSession, sessionDoc } from "../run/sessions.ts";
import { modeOf } from "../run/steward.ts";
import { undoKey } from "../run/journal.ts";
import { listUndo, undo as takeBack } from "../run/undo.ts";
import { StewardError } from "../std/error.ts";
import type { UndoEntry } from "../core/types.ts";
import { oneLine } from "../std/text.ts";
import { alone, type Command, list, type Place } from "./command.ts";
import { refuse } from "./settings.ts";
import { ago } from "./words.ts";

export const fresh: Command = {
  name: "new",
  about: "A new session",
  forms: [{ text: "new", about: "goes on in a new, empty session" }],
  read: alone(async ({ steward, who, replyTo }): Promise<Reply> => {
    if (who.via === "osAgent")
      throw new StewardError("conflict", "Here a session goes by the name that the connection gives", { hint: "/clear empties it." });
    const { id } = await makeSession(steward, who, {});
    if (replyTo) await steward.store.commit({ put: { [routeKey(who.person, replyTo)]: id } });
    return { text: "This is a new session.", session: id };
  }),
};

export const clear: Command = {
  name: "clear",
  about: "Empties this conversation",
  forms: [{ text: "clear", about: "its history is out of view and out of the model's mind; the log keeps it" }],
  read: alone(async ({ steward, who, session }) => {
    await clearSession(steward, who, session);
    return "Cleared: from here on, nothing of before is known.";
  }),
};

export const stop: Command = {
  name: "stop",
  about: "Stops what is running",
  forms: [{ text: "stop", about: "the running turn and all that it started" }],
  read: alone(async ({ steward, who, session }) => ((await cancelTurn(steward, who, session)) ? "Stopping." : "Nothing is running here.")),
};

export const undo: Command = {
  name: "undo",
  about: "Takes a change back",
  forms: [
    { text: "undo", about: "the newest change of this session" },
    { text: "undo ID", about: "that one" },
  ],
  values: async ({ steward, who }) =>
    (await listUndo(steward, who, { limit: 20 })).flatMap(({ id, state }) => (state === "done" ? [id] : [])),
  read({ words: [id, ...more] }, place) {
    if (more.length > 0 || (id !== undefined && !/^und_\w+$/.test(id))) return undefined;
    return () => taken(place, id);
  },
};

async function taken({ steward, who, session }: Place, id: string | undefined): Promise<Reply> {
  const open = async (where: { session?: string }) =>
    (await listUndo(steward, who, { ...where, limit: 200 })).find(({ state, tool }) => state !== "undone" && tool !== "undo");
  const newest = id ?? (await open({ session }))?.id;
  if (newest === undefined) {
    const elsewhere = await open({});
    const hint = elsewhere ? ` The newest elsewhere: ${elsewhere.summary}. /undo ${elsewhere.id} takes that back.` : "";
    return { text: `There is nothing to undo in this session.${hint}` };
  }
  const { change } = ((await steward.store.get(undoKey(who.person, newest))) as UndoEntry | undefined) ?? {};
  if (change?.type === "own" && change.target.startsWith("config:")) refuse(who, change.target.slice("config:".length), "");
  const [entry] = await takeBack(steward, who, newest);
  return { text: entry?.state === "undone" ? `Undone: ${entry.summary}.` : `Not undone: ${entry?.summary}. ${entry?.reason ?? ""}` };
}

export const compact: Command = {
  name: "compact",
  about: "Sums the older part of this conversation up",
  forms: [{ text: "compact", about: "makes room: the older part becomes a summary for the model; the log stays whole" }],
  read: alone(async ({ steward, who, session }) => {
    const { running } = await sessionDoc(steward, who, session);
    await steward.store.commit({ jobs: [turnJob(session, who, { compact: true })] });
    return `The older part of this conversation becomes a summary${running ? " when the running turn has ended" : ""}. The log stays whole.`;
  }),
};

export const sessions: Command = {
  name: "sessions",
  about: "Your newest sessions",
  forms: [{ text: "sessions", about: "the ten used last" }],
  read: alone(async ({ steward, who, session }) => {
    const { sessions: found, total } = await listSessions(steward, who, { limit: 10 });
    if (found.length === 0) return "There are no sessions with words in them yet.";
    const lines = found.map(({ id, title, snippet, updatedAt, running, asks }) => {
      const notes = [ago(updatedAt, steward.now()), ...(running ? ["running"] : []), ...(asks > 0 ? [`${asks} to answer`] : [])];
      return `${id === session ? "(here) " : ""}${oneLine(title || snippet || "untitled", 60)} – ${notes.join(", ")} – ${id}`;
    });
    return `${list(lines)}${total > found.length ? `\n\nAnd ${total - found.length} more.` : ""}`;
  }),
};

export const whoami: Command = {
  name: "whoami",
  about: "Who you are here",
  forms: [{ text: "whoami", about: "person, role, door, and where your commands run" }],
  read: alone(async ({ steward, who, session }) => {
    const { name = who.person } = (await personOf(steward, who.person)) ?? {};
    return `You are ${name} (${who.role}), by the door "${who.via}". Commands run ${modeOf(steward, who)}. This is session ${session}.`;
  }),
};
