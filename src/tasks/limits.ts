// What keeps agents from going on without end: how many messages of theirs may follow each other, how many a minute, the same again. Where it began, the person is told of the cut.
import { createHash } from "node:crypto";
import type { Stored } from "../core/events.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import type { TaskDoc } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { sessionOf } from "./docs.ts";

/** Who sends: set by Steward. */
export interface Sender {
  principal: Principal;
  /** As the others see it. */
  name: string;
  /** Absent: the person, by a door of theirs. */
  session?: string;
  task?: TaskDoc;
  /** Session or task at the top. */
  root?: string;
  /** What pays for what this leads to. */
  origin?: TaskDoc["origin"];
  hops: number;
}
/** Of what was sent in the last ten minutes. */
export interface Sent {
  at: number;
  from: string;
  root: string;
  to: string;
  hash: string;
  key: string;
  got: string[];
}
const MINUTE_MS = 60_000;
const SAME_MS = 10 * MINUTE_MS;
const MOST_SAME = 2;
/** Of one tree. */
const MOST_SENT = 200;
const PAGE = 1000;
const PAGES = 5;

/** What was sent while the clock was ahead is old; that of another process may be a little. */
const isWithin = ({ at }: Sent, now: number, ms: number): boolean => now - at < ms && at - now < MINUTE_MS;
export const whoIs = ({ session }: Sender): string => session ?? "person";
export const digest = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 22);

/** What is still looked at: each tree has its own, so that none drives out what others have sent. */
export function kept(sent: Sent[], now: number, rateAll: number): Sent[] {
  const most = Math.max(MOST_SENT, 2 * rateAll);
  const counts = new Map<string, number>();
  return sent
    .filter((one) => isWithin(one, now, SAME_MS))
    .toReversed()
    .filter(({ root }) => counts.set(root, (counts.get(root) ?? 0) + 1).get(root)! <= most)
    .toReversed();
}

/** Throws limit, and says so where the person sees it. */
export async function refuseTooMuch(
  steward: Steward,
  sender: Sender,
  { recent, to, text }: { recent: Sent[]; to: string; text: string },
): Promise<void> {
  if (sender.session === undefined) return;
  const { rate, rateAll, hops } = steward.settings.config().tasks;
  const from = whoIs(sender);
  const now = steward.now();
  const minute = recent.filter((one) => isWithin(one, now, MINUTE_MS));
  const same = recent.filter(
    (one) => isWithin(one, now, SAME_MS) && one.from === from && one.to === to && one.hash === digest(text),
  ).length;
  const why =
    sender.hops + 1 > hops
      ? tooFar(hops)
      : same >= MOST_SAME
        ? "the same was said before, and again"
        : minute.filter((one) => one.from === from).length >= rate
          ? `${rate} messages were sent within a minute`
          : minute.filter(({ root }) => root === sender.root).length >= rateAll
            ? `${rateAll} messages were sent within a minute by all together`
            : undefined;
  if (why === undefined) return;
  await tellOfCut(steward, sender, why);
  throw new StewardError("limit", `Not sent: ${why}`, { hint: "Do not try again; finish with what you know." });
}

/** As for a message: what starts a task, or lets one go on, leads to more messages too. */
export async function refuseTooFar(steward: Steward, sender: Sender, what: "started" | "resumed"): Promise<void> {
  const { hops } = steward.settings.config().tasks;
  if (sender.hops + 1 <= hops) return;
  await tellOfCut(steward, sender, tooFar(hops));
  throw new StewardError("limit", `Not ${what}: ${tooFar(hops)}`, { hint: "Do not try again; finish with what you know." });
}

const tooFar = (hops: number): string => `${hops} messages of agents followed each other without a word of the person`;

/** Once in ten minutes for each tree. */
async function tellOfCut(steward: Steward, { principal: { person }, session, root = "", name }: Sender, why: string): Promise<void> {
  const text = `Messages between subagents were cut off at ${name}: ${why}.`;
  const top = (await sessionOf(steward, person, root)).id === undefined ? session! : root;
  await steward.store.commit({
    once: `bus-cut/${person}/${root}/${Math.floor(steward.now() / SAME_MS)}`,
    events: [
      { session: top, event: { type: "item.completed", turn: "", item: { id: newId("itm"), kind: "notice", level: "warning", text } } },
    ],
  });
}

/** How many messages of agents led to what this session does now, since it was last spoken to from outside. */
export async function hopsOf({ store }: Pick<Steward, "store">, session: string, person: string): Promise<number> {
  let log: Stored[] = [];
  for (let page = 0; page < PAGES; page++) {
    const older = await store.events(session, { last: PAGE, ...(log[0] ? { before: log[0].seq } : {}) });
    log = [...older, ...log];
    if (older.length < PAGE || older.some((one) => begins(one, person))) break;
  }
  const since = log.slice(log.findLastIndex((one) => begins(one, person)) + 1);
  return Math.max(0, ...since.map(hopOf));
}

/** The person speaks, or what they set up does: a schedule, a program, another system. Each of these has limits of its own. */
function begins({ event }: Stored, person: string): boolean {
  if (event.type !== "message.received" || event.command) return false;
  const { source, from, key = "" } = event;
  return source === undefined ? from === person : OUTSIDE.has(source) || (source === "agent" && key.startsWith(A2A_KEY));
}
const OUTSIDE = new Set(["schedule", "heartbeat", "webhook", "forwarded"]);
/** So the keys of messages begin that came over A2A. */
export const A2A_KEY = "a2a/";

/** Only Steward's own keys say it, never one that a client chose. */
function hopOf({ event }: Stored): number {
  if (event.type !== "message.received" || (event.source !== "agent" && !event.from.startsWith("agent:"))) return 0;
  return Number(/^(?:task|bus|result|resume|stopped)\/.*~(\d+)$/.exec(event.key ?? "")?.[1] ?? 0);
}
