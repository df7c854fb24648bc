// The rows of due times: the newest are listed a page at a time, old ones are forgotten together with the sessions of their runs. The sums stay.
import type { Commit } from "../core/store.ts";
import { helpersUsageKey, sessionKey, type SessionDoc, teamKey, teamOf } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import { runner } from "./plan.ts";
import { type Run, runKey, runsKey, type Schedule } from "./state.ts";

const KEPT = 500;
/** Runs whose sessions stay in the list however old they are. */
const LISTED = 50;
const LISTED_MS = 30 * 86_400_000;
const isOver = ({ outcome }: Run): boolean => !["waiting", "queued", "running"].includes(outcome);

export async function runsOf({ store }: Steward, person: string, id: string): Promise<Run[]> {
  return (await store.list(runsKey(person, id))).map(({ value }) => value as Run);
}

/** Newest first, what waits is not among them. `before`: only those that were due earlier. */
export async function historyOf(
  steward: Steward,
  { person, id }: Pick<Schedule, "person" | "id">,
  { limit = 50, before = Infinity }: { limit?: number; before?: number } = {},
): Promise<Run[]> {
  const all = (await runsOf(steward, person, id)).filter(({ outcome, due }) => outcome !== "waiting" && due < before);
  return all.reverse().slice(0, limit);
}

/** What was kept of runs that are long over. The rows of the newest stay, and say what came of them, also when their session is gone. */
export async function forget(steward: Steward, { person, id }: Pick<Schedule, "person" | "id">): Promise<void> {
  const over = (await runsOf(steward, person, id)).filter(isOver);
  const gone = over.slice(0, Math.max(0, over.length - KEPT));
  const before = steward.now() - LISTED_MS;
  const old = over.slice(gone.length, Math.max(gone.length, over.length - LISTED)).filter(({ due, session }) => session && due < before);
  const { erase, drop } = await sessionsOf(steward, person, [...gone, ...old]);
  const erased = new Set(erase);
  const bare = old.flatMap(({ session, turn: _turn, ...row }): Run[] => (erased.has(session!) ? [row] : []));
  if (gone.length === 0 && bare.length === 0) return;
  await steward.store.commit({
    erase,
    put: Object.fromEntries(bare.map((row) => [runKey(person, id, row.due), row])),
    drop: [...drop, ...gone.map(({ due }) => runKey(person, id, due))],
  });
}

/** The parts of a commit that take away the sessions of runs in which nobody has said anything. `quiet`: only those that nobody was told of. */
export async function sessionsOf(
  steward: Steward,
  person: string,
  rows: Run[],
  quiet = false,
): Promise<Required<Pick<Commit, "erase" | "drop">>> {
  const mine = new Map(rows.flatMap((row) => (row.session === undefined ? [] : [[row.session, row] as const])));
  const erase: string[] = [];
  const drop: string[] = [];
  for (const [session, row] of mine) {
    if (!(await isItsOwn(steward, person, row, quiet))) continue;
    const { agents } = await teamOf(steward, runner({ person, role: "guest" }), session);
    const all = [session, ...agents.map((agent) => agent.session)];
    erase.push(...all);
    drop.push(...all.flatMap((one) => [sessionKey(person, one), `turn/${one}`, taintKey(one)]));
    drop.push(teamKey(person, session), helpersUsageKey(session));
  }
  return { erase, drop };
}

/** Whether a session was made for this run alone, and is that still. */
async function isItsOwn({ store }: Steward, person: string, { schedule, session = "" }: Run, quiet: boolean): Promise<boolean> {
  const doc = (await store.get(sessionKey(person, session))) as SessionDoc | undefined;
  if (!doc || doc.running || (doc.asks ?? 0) > 0 || (quiet && !doc.quiet)) return false;
  if ((await store.get(`p/${person}/current`)) === session) return false;
  const said = (await store.events(session)).flatMap(({ event }) => (event.type === "message.received" ? [event.key ?? ""] : []));
  return said.length > 0 && said.every((key) => key.startsWith(`schedule/${schedule}/`));
}
