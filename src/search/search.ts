// Search over all of one person: what was said by the store's words, files of the workspace by an index, and both by meaning where a model for it is set.
import { join } from "node:path";
import type { Found, Indexes, SearchIndex } from "../core/search-index.ts";
import type { Principal } from "../core/types.ts";
import { byHand } from "../run/by-hand.ts";
import type { Hit, Looked, Search } from "../run/hits.ts";
import { choiceOf, isKept } from "../run/choice.ts";
import { facts } from "../run/memory.ts";
import { goneKey, personOf } from "../run/persons.ts";
import { reach } from "../run/reach.ts";
import type { Settings } from "../run/settings.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { onceFor } from "../std/once.ts";
import { chunksOf } from "./chunks.ts";
import { textFiles, textOf } from "./files.ts";
import { homeOf } from "./home.ts";
import { indexFiles } from "./index-file.ts";
import { dropSaid, readSaid, saidWith, sessionsOf } from "./said.ts";
import { hitOf, merged } from "./shown.ts";
import { embedder, type Embedder, maySend } from "./meaning.ts";

const STALE_MS = 60_000;
/** How long a search waits for what changed in the workspace; the rest goes on behind it. */
const PATIENCE_MS = 2000;
const AT_ONCE = 64;
/** Pieces read for one search at most, when many of them may not be shown. */
const MOST_READ = 4000;

interface Own {
  index: SearchIndex;
  embed?: Embedder;
  /** The model did not answer: it is asked again when it is looked at next. */
  mute: boolean;
  syncedAt: number;
}

/** The index is the store's where that is shared and can have one, else a file of each person in this home. */
export function openSearch(steward: () => Steward, settings: Pick<Settings, "onChange" | "config">): Search {
  const people = new Map<string, Promise<Own>>();
  const folder = (): string => join(steward().home, "search");
  const files = indexFiles(folder);
  const indexes = (): Indexes => {
    const { shared = { missing: "" } } = steward().store;
    return "indexes" in shared ? shared.indexes : files;
  };
  const of = (person: string): Promise<Own> =>
    onceFor(people, person, () => open(steward(), indexes(), { person, home: homeOf(folder()) }));
  const model = (): string | undefined => settings.config().memory.embedding;
  const held = { model: model() };
  settings.onChange(() => {
    if (model() === held.model) return;
    held.model = model();
    people.clear(); // whoever still reads keeps the file open
  });
  const close = async (person: string): Promise<void> => {
    const own = people.get(person);
    people.delete(person);
    (await own?.catch(() => undefined))?.index.close();
  };
  const forget = async (person: string): Promise<void> => {
    await close(person);
    await indexes().forget(person);
  };
  const sync = (who: Principal, signal?: AbortSignal): Promise<Looked> =>
    inLane(steward().lanes, `search ${who.person}`, async () => {
      if ((await people.get(who.person)?.catch(() => undefined))?.mute) people.delete(who.person);
      try {
        return await look(steward(), who, { own: await of(who.person), ...(signal ? { signal } : {}) });
      } finally {
        if (await isLeaving(steward(), who.person)) await forget(who.person);
      }
    });
  return {
    sync,
    async find(who, { words, limit, session }) {
      if (words.trim() === "") throw new StewardError("invalid", "There are no words to look for");
      const own = await of(who.person);
      if (steward().now() - own.syncedAt > STALE_MS) {
        own.syncedAt = steward().now();
        const looking = sync(who).catch((error: unknown) =>
          steward().log("warning", "The workspace could not be looked through", { error: messageOf(error) }),
        );
        await Promise.race([looking, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref())]);
      }
      return found(steward(), who, {
        own: await of(who.person),
        words,
        limit: Math.max(1, Math.min(limit, 200)),
        ...(session ? { session } : {}),
      });
    },
    erase: (person, sessions) => erase(people.get(person), () => indexes().open({ person, home: homeOf(folder()) }), sessions),
    forget: (person) => inLane(steward().lanes, `search ${person}`, () => forget(person)),
    close: () => void Promise.all([...people.keys()].map(close)),
  };
}

/** Beside a look, which reads nothing of a deleted session; where none is open without meanings, so that no model is asked. */
async function erase(opened: Promise<Own> | undefined, bare: () => Promise<SearchIndex>, sessions: string[]): Promise<void> {
  const own = await opened?.catch(() => undefined);
  if (own) return dropSaid(own.index, sessions);
  const index = await bare();
  await dropSaid(index, sessions).finally(() => index.close());
}

async function open(steward: Steward, indexes: Indexes, of: { person: string; home: string }): Promise<Own> {
  const state = { mute: false };
  const embed = await embedder(steward, of.person).catch((error: unknown) => {
    steward.log("warning", "Nothing can be found by its meaning now", { error: messageOf(error) });
    state.mute = true;
    return undefined;
  });
  const index = await indexes.open({ ...of, space: embed?.space });
  return { index, syncedAt: 0, ...state, ...(embed && index.meanings ? { embed } : {}) };
}

/** Another process may be taking them away just now. */
const isLeaving = async ({ store }: Steward, person: string): Promise<boolean> =>
  Boolean((await personOf({ store }, person))?.removing) || (await store.get(goneKey(person))) !== undefined;

interface Looking {
  own: Own;
  signal?: AbortSignal;
}

async function look(steward: Steward, who: Principal, { own, signal }: Looking): Promise<Looked> {
  const began = performance.now();
  const problems: string[] = [];
  const files = await lookAtFiles(steward, who, { own, problems, ...(signal ? { signal } : {}) }).catch((error: unknown) => {
    signal?.throwIfAborted();
    problems.push(`The workspace could not be read: ${messageOf(error)}`);
    return 0;
  });
  await readSaid(steward, who, { index: own.index, reads: own.embed !== undefined });
  if (own.embed)
    await fill(own, own.embed, signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      problems.push(`Meanings are missing: ${messageOf(error)}`);
    });
  own.syncedAt = steward.now();
  const { pieces, vectors } = await own.index.counts();
  return { files, pieces, vectors, problems, ms: Math.round(performance.now() - began) };
}

async function lookAtFiles(steward: Steward, who: Principal, { own, signal, problems }: Looking & { problems: string[] }): Promise<number> {
  const { computer } = await byHand(steward, who);
  const known = await own.index.versions("file:"); // first: what another process adds meanwhile is not taken for gone
  const { files, cut } = await textFiles(computer, signal);
  if (cut) problems.push("There are more files than are looked at (10,000).");
  for (const file of files) {
    signal?.throwIfAborted();
    const ref = `file:${file.path}`;
    const before = known.get(ref);
    known.delete(ref);
    if (before === file.version) continue;
    const text = await textOf(computer, file).catch(() => undefined);
    const pieces =
      text === undefined ? [] : chunksOf(text).map(({ line, text: piece }) => ({ place: line, at: file.modified, text: piece }));
    await own.index.put({ ref, before, version: file.version, pieces });
  }
  if (!cut) for (const ref of known.keys()) await own.index.drop(ref);
  return files.length;
}

async function fill({ index }: Own, embed: Embedder, signal?: AbortSignal): Promise<void> {
  while ((await index.fill(AT_ONCE, (texts) => embed.embed(texts, signal))) > 0);
}

interface Asked {
  own: Own;
  words: string;
  limit: number;
  session?: string;
}
async function found(steward: Steward, who: Principal, { own, words, limit, session = "" }: Asked): Promise<Hit[]> {
  const parts = words.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const all = await sessionsOf(steward, who.person);
  const asking = all.get(session);
  const hearsAll = session === "" || (await choiceOf(steward, who, session)).pins.local !== undefined;
  const sessions = new Map([...all].filter(([, doc]) => hearsAll || !isKept([doc, all.get(doc.parent ?? "")])));
  const said = await saidWith(steward, who, { words, limit, parts, sessions });
  const known = (await facts(steward, who, hearsAll ? undefined : session))
    .filter(({ text }) => parts.every((part) => text.toLowerCase().includes(part)))
    .map(({ id, text, at }): Hit => ({ from: "fact", id, at, by: "words", text }));
  const shown = async (by: Hit["by"], read: (most: number) => Promise<Found[]>): Promise<Hit[]> => {
    for (let most = limit; ; most *= 8) {
      const hits = (await read(most)).map((one) => hitOf(one, by, parts));
      const mayRead = await readable(steward, who, hits);
      const may = hits.filter((hit) => (hit.from === "said" ? sessions.has(hit.session) : mayRead(hit)));
      if (hits.length < most || most >= MOST_READ || may.length >= limit) return may.slice(0, limit);
    }
  };
  const files = await shown("words", (most) => own.index.byWords(parts, most));
  const maySay = (await maySend(steward, who.person))(asking, all.get(asking?.parent ?? ""));
  const vector = own.embed && maySay ? await vectorOf(steward, own.embed, words) : undefined;
  const near = vector ? await shown("meaning", (most) => own.index.byMeaning(vector, most)) : [];
  return merged([known.slice(0, limit), said, files, near]).slice(0, limit);
}

/** What was read once is told only while it may be read: paths are blocked, and files switched off, after they were looked at. */
async function readable(steward: Steward, who: Principal, hits: Hit[]): Promise<(hit: Hit) => boolean> {
  const paths = new Set(hits.flatMap((hit) => (hit.from === "file" ? [hit.path] : [])));
  if (paths.size > 0) {
    const on = steward.permissions.read().capabilities.filesystem.enabled;
    const computer = on ? await steward.computer(who).catch(() => undefined) : undefined;
    const rules = computer && reach(steward, computer);
    for (const path of paths)
      if (
        !(await rules?.refuse(path).then(
          () => true,
          () => false,
        ))
      )
        paths.delete(path);
  }
  return (hit) => hit.from !== "file" || paths.has(hit.path);
}

async function vectorOf(steward: Steward, embed: Embedder, words: string): Promise<Float32Array | undefined> {
  try {
    return (await embed.embed([words]))[0];
  } catch (error) {
    steward.log("warning", "Found by words only", { error: messageOf(error) });
    return undefined;
  }
}
