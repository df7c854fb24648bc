// How much a person may do at all, by role: the one place that makes guests smaller. Whether a route is open to them is the gateway's `rights.ts`.
import type { Principal, Role } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import type { Steward } from "./steward.ts";

export interface Allowance {
  /** Answers to questions that hold beyond the task. */
  lastingAnswers: boolean;
  /** Bytes of one upload. */
  uploadBytes: number;
  /** Messages a minute, over all sessions. */
  messages: number;
  /** Turns at the same time; those that wait for a person are not counted. */
  turns: number;
}

const GUEST_UPLOAD = 10 * 1024 * 1024;
const MINUTE_MS = 60_000;

export function allowanceOf(steward: Pick<Steward, "settings">, role: Role): Allowance {
  const { uploadBytes, turnsEach } = steward.settings.config().limits;
  if (role === "guest")
    return { lastingAnswers: false, uploadBytes: Math.min(uploadBytes, GUEST_UPLOAD), messages: 60, turns: Math.min(turnsEach, 2) };
  return { lastingAnswers: true, uploadBytes, messages: role === "owner" ? Infinity : 600, turns: turnsEach };
}

interface Minute {
  count: number;
  until: number;
}
const said = new WeakMap<Steward, Map<string, Minute>>();
const MOST_KEPT = 10_000;

function minuteOf(steward: Steward, person: string): Minute {
  const minutes = said.get(steward) ?? new Map<string, Minute>();
  said.set(steward, minutes);
  const at = steward.now();
  const known = minutes.get(person);
  const minute = known && known.until > at ? known : { count: 0, until: at + MINUTE_MS };
  minutes.delete(person);
  minutes.set(person, minute);
  if (minutes.size > MOST_KEPT) minutes.delete(minutes.keys().next().value!);
  return minute;
}

/** Counts a message of this person. Throws limit with the time when the next may come. */
export function countMessage(steward: Steward, who: Principal): void {
  refuseMany(steward, who);
  noteMessage(steward, who);
}

/** Throws limit as `countMessage` does, and counts nothing. */
export function refuseMany(steward: Steward, { person, role }: Principal): void {
  const { messages } = allowanceOf(steward, role);
  const { count, until } = minuteOf(steward, person);
  if (count < messages) return;
  throw new StewardError("limit", `That is more than ${messages} messages a minute`, {
    retryAt: until,
    hint: "Wait a moment; one message may ask for several things.",
  });
}

export function noteMessage(steward: Steward, { person }: Principal): void {
  minuteOf(steward, person).count++;
}
