// /approve and /deny: the person's answer to what the agent asks, in words.
import type { Answer, Ask } from "../core/types.ts";
import { answerAsk, openAsks } from "../run/asks.ts";
import type { Reply } from "../run/asides.ts";
import { type SessionDoc, sessionKey } from "../run/sessions.ts";
import { type TaskDoc, taskKey } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { type Command, type Given, isOwner, list, type Place } from "./command.ts";

/** Doors of programs and guests answer only what their own session asks: no contained door opens another. */
async function open({ steward, who, session }: Place): Promise<Ask[]> {
  const all = (await openAsks(steward, who)).filter(({ kind }) => kind === "approval");
  return who.via === "osAgent" || who.via === "local" ? all.filter((ask) => ask.session === session) : all;
}

async function read({ words, slash }: Given, place: Place, choice: "allow" | "deny"): Promise<(() => Promise<Reply>) | undefined> {
  const far = choice === "allow" ? /^(?:(\S+) )?for (once|task|scope)$/.exec(words.join(" ")) : undefined;
  const [id, ...more] = far ? (far[1] === undefined ? [] : [far[1]]) : words;
  if (more.length > 0) return undefined;
  const asks = await open(place);
  const named = id === undefined ? undefined : asks.find((ask) => ask.id === id || (id.length >= 4 && ask.id.endsWith(id)));
  if (id !== undefined && !named && !slash) return undefined;
  return async () => {
    if (id !== undefined && !named)
      throw new StewardError("not_found", `There is no open question ${oneLine(id, 40)}`, {
        hint: "/approve lists them when there are several.",
      });
    const shown = named ? [named] : (await Promise.all(asks.map(async (ask) => ((await isHere(place, ask)) ? [ask] : [])))).flat();
    const [ask, ...others] = shown;
    if (!ask && asks.length === 0) return { text: "There is nothing to approve." };
    // What is asked elsewhere was perhaps never seen.
    if (!ask) return { text: `Nothing is asked here, but elsewhere:\n\n${list(asks.map(line))}\n\n/approve ID or /deny ID.` };
    if (others.length > 0) return { text: `Which one?\n\n${list(shown.map(line))}\n\n/approve ID or /deny ID.` };
    const answer: Answer = { choice, ...(far ? { for: far[2] as "once" | "task" | "scope" } : {}) };
    await answerAsk(place.steward, place.who, ask.id, answer);
    return { text: `${choice === "allow" ? "Allowed" : "Denied"}${far && far[2] !== "once" ? ` for the ${far[2]}` : ""}: ${ask.prompt}` };
  };
}

/** Helper agents and background tasks ask in sessions of their own, for the one in which they were begun. */
async function isHere({ steward: { store }, who: { person }, session }: Place, ask: Ask): Promise<boolean> {
  for (let at: string | undefined = ask.session, steps = 0; at !== undefined && steps < 10; steps++) {
    if (at === session) return true;
    const { parent, task } = ((await store.get(sessionKey(person, at))) ?? {}) as Partial<SessionDoc>;
    at = parent ?? (task === undefined ? undefined : ((await store.get(taskKey(person, task))) as TaskDoc | undefined)?.from);
  }
  return false;
}

const line = ({ id, prompt }: Ask): string => `${oneLine(prompt, 100)} (${id})`;

/** Somebody's pairing code at a channel: `telegram ABCD-EFGH-JKLM`. Only the owner lets people in. */
function pairing({ words }: Given, { steward, who }: Place): (() => Promise<Reply>) | undefined {
  const [channel = "", code = "", ...more] = words;
  if (more.length > 0 || !/^[a-z][a-z0-9-]*$/.test(channel) || !/^([A-Z0-9]{4}-?){3}$/i.test(code)) return undefined;
  return async () => {
    if (!isOwner(who)) throw new StewardError("denied", "Only the owner lets people in");
    const { name, person } = await steward.chats.approve({ channel, code, by: who.person });
    return { text: `${name || person} is in at ${channel}, as a guest. Steward's page, under Channels, makes them more.` };
  };
}

export const approve: Command = {
  name: "approve",
  about: "Allows what the agent asks for",
  forms: [
    { text: "approve CHANNEL CODE", about: "lets in whoever was told this code there (owner)" },
    { text: "approve [ID]", about: "this once; without an ID the question that is open here" },
    { text: "approve [ID] for task", about: "until the turn ends" },
    { text: "approve [ID] for scope", about: "for what the question names, for a day" },
  ],
  values: async ({ steward, who }) => (await openAsks(steward, who)).map(({ id }) => id),
  read: async (given, place) => pairing(given, place) ?? read(given, place, "allow"),
};

export const deny: Command = {
  name: "deny",
  about: "Refuses what the agent asks for",
  forms: [{ text: "deny [ID]", about: "without an ID the question that is open here" }],
  values: async ({ steward, who }) => (await openAsks(steward, who)).map(({ id }) => id),
  read: (given, place) => read(given, place, "deny"),
};
