// The order in which a person's tasks begin and end: each such change is one version on, so that several at the same moment never undo each other, and no more are opened than may be.
import type { Commit } from "../core/store.ts";
import type { Stored } from "../core/events.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import type { TaskDoc } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { isOpen, taskDocs } from "./docs.ts";
import { TIDY_EVERY, tidy } from "./pruning.ts";

const countKey = (person: string): string => `p/${person}/tasks`;
const TRIES = 20;

/** `make` is called again when another was faster. What brings no events changes no order, and is simply committed. */
export async function inOrder(
  steward: Steward,
  { person }: Pick<Principal, "person">,
  make: (all: TaskDoc[]) => Promise<Commit | undefined>,
): Promise<Stored[]> {
  const { store, lanes } = steward;
  return inLane(lanes, countKey(person), async () => {
    for (let tries = 0; tries < TRIES; tries++) {
      const { version = 0 } = ((await store.get(countKey(person))) ?? {}) as { version?: number };
      const change = await make(await taskDocs(steward, { person }));
      if (!change) return [];
      if (!change.events?.length) return store.commit(change);
      const put = { ...change.put, [countKey(person)]: { version: version + 1 } };
      const stored = await store.commit({ ...change, put, once: `tasks/${person}/${version + 1}` });
      if (stored.length === 0) continue;
      if ((version + 1) % TIDY_EVERY === 0) await tidy(steward, person);
      return stored;
    }
    throw new StewardError("conflict", "Tasks are being started from several places at once");
  });
}

/** Throws limit when as many as `more` can't be opened. */
export function refuseMore({ settings }: Pick<Steward, "settings">, all: TaskDoc[], more = 1): void {
  const { most } = settings.config().tasks;
  if (all.filter(isOpen).length + more > most)
    throw new StewardError("limit", `At most ${most} tasks may be open`, { hint: "Wait for some, or stop some." });
}
