// Which commands of agents run on the owner's machine, in the store before each begins: what changed while one ran that a kill cut short is not taken for the person's either.
import type { Computer } from "../core/computer.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import { once } from "../std/once.ts";
import { hasFiles } from "./state.ts";

/** Times are epoch milliseconds of the system, as those of files. */
interface Span {
  person: string;
  since: number;
  /** Of one that a kill cut short: the start after it. */
  until?: number;
}
interface State {
  /** Of this process, among the marks of others. */
  id: string;
  running: Set<Span>;
  ends: Set<Promise<void>>;
  /** What was under way when Steward was killed. Read before anybody looks at a file for the first time. */
  left(): Promise<Span[]>;
}
const states = new WeakMap<Steward, State>();
const ROOT = "own-running/";

function stateOf(steward: Steward): State {
  const known = states.get(steward);
  if (known) return known;
  const id = newId("run");
  const left = once(async () => {
    const until = Date.now();
    const marks = await steward.store.list(ROOT);
    return marks.filter(({ key }) => !key.startsWith(`${ROOT}${id}/`)).map(({ value }): Span => ({ ...(value as Span), until }));
  });
  const made: State = { id, running: new Set(), ends: new Set(), left };
  states.set(steward, made);
  return made;
}

/** File times lag behind the clock by up to a tick of the system. */
const TICK_MS = 20;

/** Whether a command of the person's agent may have made a change at this time. */
export async function byCommand(steward: Steward, person: string, changedAt: number): Promise<boolean> {
  const { running, left } = stateOf(steward);
  return [...(await left()), ...running].some(
    ({ person: of, since, until = Infinity }) => of === person && changedAt >= since - TICK_MS && changedAt <= until + TICK_MS,
  );
}

/** After a look at everything: what a killed command had changed is held then, so its mark has done its work. */
export async function forgetLeft(steward: Steward, look: () => Promise<unknown>): Promise<void> {
  const { id, left } = stateOf(steward);
  if ((await left()).length === 0) return;
  await look();
  const marks = (await steward.store.list(ROOT)).map(({ key }) => key).filter((key) => !key.startsWith(`${ROOT}${id}/`));
  if (marks.length > 0) await steward.store.commit({ drop: marks });
}

/** `look` is called while the command still counts as running, so that what it did is found before anybody takes it for the person's. */
export async function duringCommand<T>(
  steward: Steward,
  { who, computer, look }: { who: Principal; computer: Computer; look(): Promise<void> },
  work: () => Promise<T>,
): Promise<T> {
  if (computer.mode === "contained" || !hasFiles(who)) return work();
  const one: Span = { person: who.person, since: Date.now() };
  const { running, ends } = stateOf(steward);
  const end = Promise.withResolvers<void>();
  ends.add(end.promise);
  running.add(one); // before the look, so that nothing of a moment in between is taken for the person's
  try {
    await mark(steward, who.person);
    await look();
    return await work();
  } finally {
    await look().finally(() => running.delete(one));
    await mark(steward, who.person).catch((error: unknown) =>
      steward.log("warning", "The mark of a command could not be taken away", { error: messageOf(error) }),
    );
    ends.delete(end.promise);
    end.resolve();
  }
}

const PATIENCE_MS = 2000;

/** At the end of Steward, once nothing more is begun: what ran is looked at and its mark taken away. */
export async function allEnded(steward: Steward): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS).unref());
  await Promise.race([Promise.all(stateOf(steward).ends), late]);
}

/** One for all commands of a person: it says since when there has been one. */
function mark(steward: Steward, person: string): Promise<void> {
  const { id, running } = stateOf(steward);
  const key = `${ROOT}${id}/${person}`;
  return inLane(steward.lanes, key, async () => {
    const since = Math.min(...[...running].filter((one) => one.person === person).map((one) => one.since));
    const known = (await steward.store.get(key)) as Span | undefined;
    if (since === Infinity) return known && void (await steward.store.commit({ drop: [key] }));
    if (known === undefined || known.since > since) await steward.store.commit({ put: { [key]: { person, since } satisfies Span } });
  });
}
