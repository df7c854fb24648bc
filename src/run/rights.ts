// Whose rights a turn has: those of the message that it begins with. What was said with others waits for a turn of its own.
import type { Stored } from "../core/events.ts";
import { horizon, messagesAfter } from "../core/history.ts";
import type { Principal, Rights } from "../core/types.ts";
import { type Ceiling, type TurnData, turnJob } from "./jobs.ts";
import type { NewJob } from "../core/store.ts";
import { lesserRole, personOf } from "./persons.ts";
import type { Running } from "./running.ts";
import type { Steward } from "./steward.ts";

/** The part of a message that says its rights, where its door gives less than the page. */
export function limited({ role, via }: Principal, more: Pick<Rights, "ceiling" | "alone"> = {}): { rights?: Rights } {
  return via === "osAgent" || via === "schedule" ? { rights: { role, via, ...more } } : {};
}

/** The same of one who may be known in a chat with less than they may. */
export async function limitedNow(steward: Steward, who: Principal): Promise<{ rights?: Rights }> {
  if (who.via !== "channel") return limited(who);
  const own = (await personOf(steward, who.person))?.role ?? "guest";
  return lesserRole(own, who.role) === own ? {} : { rights: { role: who.role, via: who.via } };
}

/** Of the turn that would begin now. */
export function rightsOf(log: Stored[], seen: number): Rights | undefined {
  const event = messagesAfter(log, seen)[0]?.event;
  return event?.type === "message.received" ? event.rights : undefined;
}

export const withRights = (who: Principal, rights: Rights | undefined): Principal =>
  rights ? { person: who.person, role: rights.role, via: rights.via } : who;

/** What the turn may cost, where its message or its job says so. */
export function ceilingOf({ rights, job }: Pick<Running, "rights" | "job">): { ceiling?: Ceiling } {
  const ceiling = rights?.ceiling ?? (job.data as TurnData).ceiling;
  return ceiling ? { ceiling } : {};
}

/** The number of the first message that the turn leaves to another. */
export const leaves = ({ state, rights }: Running, log: Stored[]): number => horizon(log, state.seen, rights);

/** Whether there is anything that the turn may read. */
export function hasNews(running: Running, log: Stored[]): boolean {
  const [first] = messagesAfter(log, running.state.seen);
  return first !== undefined && first.seq < leaves(running, log);
}

/** Whether a job came for a message of certain rights that is read by now: what waits has a job of its own. */
export function isLate({ rights }: TurnData, log: Stored[], seen: number): boolean {
  return rights !== undefined && messagesAfter(log, seen).length > 0 && JSON.stringify(rights) !== JSON.stringify(rightsOf(log, seen));
}

/** The job for what this turn leaves unread, where nothing else may come for it. */
export function nextTurn({ session, job, rights }: Running, log: Stored[], { seen, stop }: { seen: number; stop: string }): NewJob[] {
  const [next] = messagesAfter(log, seen);
  if (!next || (stop !== "cancelled" && horizon(log, seen, rights) !== next.seq)) return [];
  const data = job.data as TurnData;
  const wanted = rightsOf(log, seen);
  if (wanted) return [turnJob(session, withRights(data.principal, wanted), { rights: wanted })];
  // The person's own words have a job, which came for them with their rights.
  return data.rights ? [] : [turnJob(session, data.principal)];
}
