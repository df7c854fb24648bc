// A person's JSON memory: one text, read by the agent each turn, every version kept with who changed it, undone through the journal. What the text may be is core/memory-text.ts.
import { checkedMemory, editedByAgent, editedMemory, type Edit, isBare, memorySection, takenBack, TEMPLATE } from "../core/memory-text.ts";
import type { Principal, UndoEntry } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { documentChange, type Made } from "./journal.ts";
import type { Steward } from "./steward.ts";

export interface Version {
  id: string;
  at: number;
  /** "agent", or the door by which the person or a program of theirs came. */
  by: string;
  /** The session whose agent made it. */
  session?: string;
  memory: string;
}

const memoryKey = (person: string): string => `p/${person}/memory`;
const versionKey = (person: string, id: string): string => `p/${person}/memory-version/${id}`;
const MOST_VERSIONS = 50;
const TRIES = 10;

export const memoryLimit = ({ settings }: Steward): number => settings.config().memory.limit;

const current = async ({ store }: Steward, person: string): Promise<Version | undefined> =>
  (await store.get(memoryKey(person))) as Version | undefined;

/** JSON text; the template when nothing was kept. */
export async function getMemory(steward: Steward, { person }: Principal): Promise<string> {
  return (await current(steward, person))?.memory ?? TEMPLATE;
}

/** Newest first, at most 50; also those that were undone. */
export async function memoryHistory({ store }: Steward, { person }: Principal): Promise<Version[]> {
  return (await store.list(versionKey(person, ""), { last: MOST_VERSIONS })).map(({ value }) => value as Version).reverse();
}

/** Replaces it by any JSON object and returns it as kept. `before`: only while it still says that. Throws `invalid`, `limit` and `conflict`, and then nothing is changed. */
export async function setMemory(steward: Steward, who: Principal, text: string, before?: string): Promise<string> {
  const checked = checkedMemory(text, memoryLimit(steward));
  const next = (now: string): string => {
    if (before === undefined || before === now) return checked;
    throw new StewardError("conflict", "The memory was changed meanwhile", { hint: "Read it again, and change what it says now." });
  };
  return change(steward, who, { by: who.via, summary: "Replaced the memory", next });
}

export const resetMemory = (steward: Steward, who: Principal): Promise<string> =>
  change(steward, who, { by: who.via, summary: "Reset the memory", next: () => TEMPLATE });

/** Sets one field, or removes it when there is no value: the person's own change, which may be of the protected part. */
export const editMemory = (steward: Steward, who: Principal, edit: Edit): Promise<string> =>
  change(steward, who, {
    by: who.via,
    summary: summaryOf(edit),
    next: (before) => editedMemory(before, edit, memoryLimit(steward)),
  });

/** The agent's change: never of the protected part. `made`: the call's journal entries. */
export const editMemoryAsAgent = (
  steward: Steward,
  who: Principal,
  { edit, place, made }: { edit: Omit<Edit, "protected">; place: Pick<Made, "session" | "turn">; made: string[] },
): Promise<string> =>
  change(steward, who, {
    by: "agent",
    summary: summaryOf(edit),
    next: (before) => editedByAgent(before, edit, memoryLimit(steward)),
    place,
    made,
  });

/** Reverses an entry of the journal, over what came since: itself a change like any other. False when the entry is of something else. `agent`: a tool asks. */
export async function takeBackMemory(steward: Steward, who: Principal, entry: UndoEntry, agent: boolean): Promise<boolean> {
  const { session, turn, summary, change: made } = entry;
  if (made.type !== "document" || made.key !== memoryKey(who.person)) return false;
  const before = made.before as Version | undefined;
  const after = made.after ?? (await madeOf(steward, who, before));
  await change(steward, who, {
    by: agent ? "agent" : who.via,
    tool: "undo",
    summary: `Took back: ${summary}`,
    next: (now) => takenBack(now, { before: before?.memory ?? TEMPLATE, after: after ?? now }, { limit: memoryLimit(steward), agent }),
    ...(agent ? { place: { session, turn } } : {}),
  });
  return true;
}

/** What an entry of an older version made, which does not say it: the next version, or of those after it the oldest that is still kept. */
const madeOf = async (steward: Steward, who: Principal, before: Version | undefined): Promise<string | undefined> =>
  (await memoryHistory(steward, who)).findLast(({ id }) => id > (before?.id ?? ""))?.memory;

const summaryOf = ({ field, value, protected: inside }: Edit): string =>
  `${value === undefined ? "Removed" : "Set"} "${oneLine(field, 40)}" in the ${inside ? "protected " : ""}memory`;

interface Change {
  by: string;
  tool?: string;
  summary: string;
  next(before: string): string;
  place?: Pick<Made, "session" | "turn">;
  made?: string[];
}

/** Each version can be followed by one only, so of two changes at once the later one is made anew over the other. */
async function change(steward: Steward, who: Principal, { by, tool, summary, next, place, made }: Change): Promise<string> {
  const { person } = who;
  for (let tries = 0; tries < TRIES; tries++) {
    const versions = await memoryHistory(steward, who);
    const before = await current(steward, person);
    const memory = next(before?.memory ?? TEMPLATE);
    if (memory === (before?.memory ?? TEMPLATE)) return memory;
    const version: Version = { id: newId("mem"), at: steward.now(), by, memory, ...(place ? { session: place.session } : {}) };
    const key = memoryKey(person);
    const journaled = documentChange(steward, {
      person,
      ...(place ?? { session: "", turn: "" }),
      tool: tool ?? (place ? "manage_memory" : "memory"),
      ...{ summary, key, before, after: memory },
    });
    await steward.store.commit({
      once: `memory/${person}/${versions[0]?.id ?? ""}/${before?.id ?? ""}`,
      put: { [key]: version, [versionKey(person, version.id)]: version, ...journaled.put },
      drop: versions.slice(MOST_VERSIONS - 1).map(({ id }) => versionKey(person, id)),
    });
    if (!(await steward.store.get(versionKey(person, version.id)))) continue;
    made?.push(journaled.id);
    return memory;
  }
  throw new StewardError("conflict", "The memory is being changed from several places at once", { hint: "Try again." });
}

/** What stands in the instructions of a session; undefined while it is the bare template. What the session's own agent changed counts from the next window on, for it has seen its own calls; every other change counts at once. */
export async function memoryFor(
  steward: Steward,
  who: Principal,
  { session, windowFrom }: { session: string; windowFrom: number },
): Promise<string | undefined> {
  const newest = await current(steward, who.person);
  if (!newest) return undefined;
  const late = (version: Version): boolean => version.session === session && version.at >= windowFrom;
  const shown = late(newest) ? (await memoryHistory(steward, who)).find((version) => version.id < newest.id && !late(version)) : newest;
  return shown && !isBare(shown.memory) ? memorySection(shown.memory) : undefined;
}
