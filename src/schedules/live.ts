// How many runs are under way, of one schedule and of one person, and when that is enough.
import type { Commit } from "../core/store.ts";
import type { Steward } from "../run/steward.ts";
import { type Run, runKey, type Schedule } from "./state.ts";

/** Runs of one schedule that wait or run; the next due times are skipped. */
const MOST_OF_ONE = 20;
/** Of all schedules of a person. The first run of a schedule always begins, so that what is due at the same time is not lost. */
const MOST_OF_PERSON: Record<Schedule["role"], number> = { owner: 200, member: 50, guest: 10 };

type Whose = Pick<Schedule, "person" | "id">;
const liveKey = (person: string): string => `p/${person}/due-live`;

/** The parts of a commit that begin a run, and that end some. */
export const begins = ({ person, id }: Whose, due: number): Commit => ({ merge: { [liveKey(person)]: { [`${id}/${due}`]: 1 } } });
export const ends = ({ person, id }: Whose, dues: number[]): Commit =>
  dues.length === 0 ? {} : { merge: { [liveKey(person)]: Object.fromEntries(dues.map((due) => [`${id}/${due}`, null])) } };

export const isLive = (row: Run | undefined): boolean => row?.outcome === "queued" || row?.outcome === "running";

/** Due times of the runs of a schedule that have not ended, and how many there are of all schedules of this person. */
export async function liveOf({ store }: Steward, { person, id }: Whose): Promise<{ own: number[]; all: number }> {
  const fields = Object.keys((await store.get(liveKey(person))) ?? {});
  const noted = fields.filter((field) => field.startsWith(`${id}/`)).map((field) => Number(field.slice(id.length + 1)));
  const rows = await Promise.all(noted.map((due) => store.get(runKey(person, id, due)) as Promise<Run | undefined>));
  const own = noted.filter((_, at) => isLive(rows[at]));
  return { own, all: fields.length - noted.length + own.length };
}

/** Why one more may not begin now. `wanted`: by hand, so it may wait for the one before. */
export async function crowded(steward: Steward, doc: Schedule, wanted = false): Promise<string | undefined> {
  const { own, all } = await liveOf(steward, doc);
  if (own.length === 0) return undefined;
  if (doc.overlap === "skip" && !wanted) return "The run before had not ended";
  if (own.length >= MOST_OF_ONE) return `${own.length} runs before had not ended`;
  const most = MOST_OF_PERSON[doc.role];
  return all >= most ? `${all} runs of your schedules had not ended` : undefined;
}
