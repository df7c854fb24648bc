// What a person asked to keep: short facts, each a document, journaled for undo.
import type { Memory } from "../core/ports.ts";
import type { Principal } from "../core/types.ts";
import { toMessages } from "../core/history.ts";
import { transcript } from "../core/transcript.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { clip, oneLine } from "../std/text.ts";
import { choiceOf, stayingHere, staysHere, type Whose } from "./choice.ts";
import { sessionDoc } from "./sessions.ts";
import type { Steward } from "./steward.ts";
import { isTainted } from "./taint.ts";
import type { Journal } from "./journal.ts";
import { editMemoryAsAgent } from "./json-memory.ts";

export interface Fact {
  id: string;
  text: string;
  at: number;
  /** What it is about. */
  type?: string;
  /** Where it was kept. */
  session?: string;
  turn?: string;
  /** That session had read words that others may have written. */
  untrusted?: true;
  /** A pin of that session kept what was said there on this machine, and so this. */
  local?: true;
}
export const factKey = (person: string, id: string): string => `p/${person}/fact/${id}`;
const MAX_FACT = 2000;
const MAX_FACTS = 1000;

/** `asking`: the session whose model reads them. It gets none that a pin keeps on this machine, unless its own answers stay here too. */
export async function facts(steward: Steward, who: Principal, asking?: string): Promise<Fact[]> {
  const all = await storedFacts(steward, who);
  if (asking === undefined || (await choiceOf(steward, who, asking)).pins.local) return all;
  await markOldFacts(steward, who);
  const unmarked = all.filter(({ local }) => !local);
  const kept = await stayingHere(steward, who, placesOf(unmarked));
  return unmarked.filter(({ session = "" }) => !kept.has(session));
}

/** Without those that were forgotten just before a mark came to them. */
const storedFacts = async ({ store }: Steward, { person }: Whose): Promise<Fact[]> =>
  (await store.list(factKey(person, ""))).map(({ value }) => value as Fact).filter(({ id }) => id !== undefined);

const placesOf = (all: Fact[]): string[] => [...new Set(all.map(({ session = "" }) => session))];

/** For a commit's `merge`: marks the facts that nothing but a pin of their session keeps here, for when the session goes. `of`: of these sessions only. */
export async function localMarks(steward: Steward, who: Whose, of?: string[]): Promise<Record<string, { local: true }>> {
  const unmarked = (await storedFacts(steward, who)).filter(({ local, session = "" }) => !local && (of?.includes(session) ?? true));
  const kept = await stayingHere(steward, who, placesOf(unmarked));
  return Object.fromEntries(
    unmarked.flatMap(({ id, session = "" }) => (kept.has(session) ? [[factKey(who.person, id), { local: true }]] : [])),
  );
}

/** Once for each person: an older version kept facts under a pin without the mark. What is unmarked later was kept before the pin came, and is free when it goes. */
export async function markOldFacts(steward: Steward, who: Whose): Promise<void> {
  const done = `p/${who.person}/facts-marked`;
  if (!(await steward.store.get(done))) await steward.store.commit({ put: { [done]: true }, merge: await localMarks(steward, who) });
}

/** `place`: where the call is made. */
export function openMemory(
  steward: Steward,
  who: Principal,
  { journal, ...place }: { journal: Journal; session: string; turn: string },
): Memory {
  return {
    list: () => facts(steward, who, place.session),
    async add(text, type = "other") {
      const clean = text.trim();
      if (!clean) throw new StewardError("invalid", "There is nothing to remember");
      if (clean.length > MAX_FACT) throw new StewardError("limit", `A fact can have at most ${MAX_FACT} characters`);
      if ((await facts(steward, who)).length >= MAX_FACTS)
        throw new StewardError("limit", `${MAX_FACTS} facts are kept already`, { hint: "Forget some first." });
      const untrusted = await isTainted(steward, place.session, await steward.store.events(place.session, { last: MOST_EVENTS }));
      const marks = {
        ...(untrusted ? { untrusted } : {}),
        ...((await staysHere(steward, who, place.session)) ? { local: true as const } : {}),
      };
      const fact: Fact = { id: newId("fct"), text: clean, at: steward.now(), type, ...place, ...marks };
      const key = factKey(who.person, fact.id);
      await journal.record(`Remembered "${oneLine(clean)}"`, { type: "document", key, before: undefined });
      await steward.store.commit({ put: { [key]: fact } });
      return { id: fact.id };
    },
    async remove(id) {
      const key = factKey(who.person, id);
      const before = (await facts(steward, who, place.session)).find((fact) => fact.id === id);
      if (!before) throw new StewardError("not_found", "There is no such fact");
      await journal.record(`Forgot "${oneLine(before.text)}"`, { type: "document", key, before });
      await steward.store.commit({ drop: [key] });
    },
    async edit(field, value) {
      if ((await staysHere(steward, who, place.session)) && !(await choiceOf(steward, who)).pins.local)
        throw new StewardError("denied", "This session is pinned to models of this machine, and the memory is read by every model", {
          hint: "A fact that is remembered here is told to such models only.",
        });
      const edit = { field, ...(value === undefined ? {} : { value }) };
      await editMemoryAsAgent(steward, who, { edit, place, made: journal.ids });
    },
    async search(words, limit) {
      const hits = await steward.search.find(who, { words, limit, session: place.session });
      return {
        messages: hits.flatMap((hit) =>
          hit.from === "said" ? [{ session: hit.session, number: hit.number, at: hit.at, text: hit.text }] : [],
        ),
        files: hits.flatMap((hit) => (hit.from === "file" ? [{ path: hit.path, line: hit.line, at: hit.at, text: hit.text }] : [])),
      };
    },
    turn: (number, session = place.session) => turnText(steward, who, { number, session, asking: place.session }),
  };
}

const MOST_EVENTS = 400;
const MOST_TEXT = 20_000;

interface Told {
  number: number;
  session: string;
  asking: string;
}
async function turnText(steward: Steward, who: Principal, { number, session, asking }: Told): Promise<string> {
  await sessionDoc(steward, who, session);
  const log = await steward.store.events(session, { after: Math.max(0, number - 1), limit: MOST_EVENTS });
  const missing = new StewardError("not_found", `There is no message #${number} in ${session}`);
  if ((await staysHere(steward, who, session)) && !(await choiceOf(steward, who, asking)).pins.local) throw missing;
  if (log[0]?.seq !== number) throw missing;
  const end = log.findIndex(({ event, seq }) => event.type === "turn.completed" && event.seen >= number && seq > number);
  const messages = toMessages(end < 0 ? log : log.slice(0, end + 1));
  if (messages.length === 0) throw missing;
  return clip(transcript(messages), MOST_TEXT);
}
