// What would only grow goes, by age and by count: tasks that were over long ago (their logs after the days that a deleted session has), what was asked over A2A, what was said on channels.
import type { Steward } from "../run/steward.ts";
import { sessionKey } from "../run/sessions.ts";
import { type TaskDoc, taskKey, taskSumKey } from "../run/tasks.ts";
import { newId } from "../std/id.ts";
import { contextKey, askedKey, isOpen, resumedKey, type Row, rowKey, sessionOf, taskDocs } from "./docs.ts";
import { earKey } from "./ears.ts";

/** Of so many changes of a person's tasks, or messages on channels, one looks at all. */
export const TIDY_EVERY = 25;
const DAY_MS = 86_400_000;
const KEEP_DELETED_MS = 7 * DAY_MS;
/** Of each kind: how many stay of a person, and how long. */
export const KEPT = { tasks: 300, asked: 500, askedMs: 30 * DAY_MS, resumed: 300, resumedMs: 7 * DAY_MS };
export const KEPT_ON_CHANNELS = { rows: 500, ms: 30 * DAY_MS, channels: 100 };

export async function tidy(steward: Steward, person: string): Promise<void> {
  const { store, now } = steward;
  // Before the tasks: what one of these is about was there before it.
  const asked = await store.list(askedKey(person, ""));
  const contexts = await store.list(contextKey(person, ""));
  const resumed = await store.list(resumedKey(person, ""));
  const stay = await prune(steward, person, await taskDocs(steward, { person }));
  await dropped(steward, [
    ...asked.filter(({ value }) => !stay.has((value as { task: string }).task)).map(({ key }) => key),
    ...contexts.filter(({ value }) => !stay.has(value as string)).map(({ key }) => key),
    ...old(asked, { most: KEPT.asked, since: now() - KEPT.askedMs }),
    ...old(resumed, { most: KEPT.resumed, since: now() - KEPT.resumedMs }),
    ...(await deaf(steward, person)),
  ]);
}

export async function tidyChannels(steward: Steward, person: string): Promise<void> {
  const { rows: most, ms, channels } = KEPT_ON_CHANNELS;
  const rows = await steward.store.list(rowKey(person));
  const some = [...Map.groupBy(rows, ({ value }) => (value as Row).channel).values()].toSorted((a, b) => lastAt(b) - lastAt(a));
  await dropped(
    steward,
    some.flatMap((one, at) => (at < channels ? old(one, { most, since: steward.now() - ms }) : one.map(({ key }) => key))),
  );
}
const lastAt = (rows: { value: unknown }[]): number => (rows.at(-1)!.value as Row).at;

/** The newest stay, and those whose children or parent are not over. Returns the ids of those that do. */
async function prune(steward: Steward, person: string, all: TaskDoc[]): Promise<Set<string>> {
  const open = all.filter(isOpen);
  const needed = new Set(open.flatMap(({ id, parent }) => [id, parent]));
  const over = all.filter(({ id, state, told, run }) => state !== "open" && told >= run && !needed.has(id));
  const going = over.slice(0, Math.max(0, over.length - KEPT.tasks));
  const at = steward.now();
  for (const { id, session } of going)
    await steward.store.commit({
      once: `task/${id}/pruned`,
      drop: [taskKey(person, id), taskSumKey(person, id), earKey(person, session)],
      merge: { [sessionKey(person, session)]: { deletedAt: at } },
      jobs: [{ id: newId("job"), kind: "erase", lane: session, runAt: at + KEEP_DELETED_MS, data: { person, session } }],
    });
  return new Set(all.filter((one) => !going.includes(one)).map(({ id }) => id));
}

/** Keys of all but the newest that are not older. */
function old(rows: { key: string; value: unknown }[], { most, since }: { most: number; since: number }): string[] {
  const atOf = (value: unknown): number => (value as { at?: number }).at ?? 0;
  const sorted = rows.toSorted((a, b) => atOf(b.value) - atOf(a.value));
  return sorted.filter(({ value }, place) => place >= most || atOf(value) < since).map(({ key }) => key);
}

/** Who listened in a session that is gone. */
async function deaf(steward: Steward, person: string): Promise<string[]> {
  const ears = await steward.store.list(earKey(person, ""));
  const docs = await Promise.all(ears.map(({ key }) => sessionOf(steward, person, key.slice(earKey(person, "").length))));
  return ears.filter((_, at) => docs[at]!.id === undefined || docs[at]!.deletedAt).map(({ key }) => key);
}

async function dropped({ store }: Steward, keys: string[]): Promise<void> {
  if (keys.length > 0) await store.commit({ drop: [...new Set(keys)] });
}
