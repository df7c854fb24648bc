// A prompt of a schedule as a turn: said in a session, followed until the turn that read it has ended, and read.
import type { Event, Stored } from "../core/events.ts";
import type { Commit } from "../core/store.ts";
import type { Item, Part, Principal } from "../core/types.ts";
import { LEASE_MS, turnJob } from "../run/jobs.ts";
import { limited } from "../run/rights.ts";
import { sessionDoc, type SessionDoc, sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { zoneOf } from "../run/steward.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { looked, NOTHING, isQuiet } from "./looks.ts";
import { wishOf } from "./ready.ts";
import type { End, Running } from "./run.ts";
import { failureText, momentText } from "./said.ts";
import { type Run, runKey } from "./state.ts";

export async function runPrompt(running: Running, prompt: string): Promise<End> {
  const { steward, hold, who } = running;
  const { session, key, from } = running.row.key === undefined ? await begin(running, prompt) : (running.row as Begun);
  hold.waiting = true;
  hold.changed();
  const log = await followed(steward, { who, session, key, from, signal: hold.abort.signal });
  return ended(running, session, log);
}

/** Whose words they are that nobody but the agent has chosen. */
const AGENT = "agent:steward";
type Begun = Run & Required<Pick<Run, "session" | "key" | "from">>;

/** In one commit: the session where there is none yet, the message, the turn, and where it is. */
async function begin(running: Running, prompt: string): Promise<Begun> {
  const { steward, job, doc, row, who } = running;
  const { person } = who;
  const fixed = doc.session ?? row.session;
  const session = fixed ?? newId("ses");
  if (fixed !== undefined) await sessionDoc(steward, who, session);
  const [newest] = fixed === undefined ? [] : await steward.store.events(session, { last: 1 });
  const key = `schedule/${doc.id}/${row.due}/${row.tries ?? 0}`;
  const begun: Begun = { ...row, outcome: "running", startedAt: row.startedAt ?? steward.now(), session, key, from: newest?.seq ?? 0 };
  const source = doc.source === "heartbeat" ? ("heartbeat" as const) : ("schedule" as const);
  const from = doc.source === "agent" && !doc.agreed ? AGENT : person;
  const rights = limited(who, { ...(doc.ceiling ? { ceiling: doc.ceiling } : {}), alone: key });
  const event: Event = { type: "message.received", id: newId("msg"), from, parts: partsOf(running, prompt), key, source, ...rights };
  await steward.store.commit({
    ...(fixed === undefined ? made(running, session, event) : spoken(running, session, event)),
    jobs: [turnJob(session, who, rights)],
    lease: { job: job.id, epoch: job.epoch, then: { keepMs: LEASE_MS } },
    ...put(running, session, { fixed, begun }),
  });
  return begun;
}

function put(
  { steward, doc, who }: Running,
  session: string,
  { fixed, begun }: { fixed: string | undefined; begun: Begun },
): Pick<Commit, "put"> {
  const row = { [runKey(doc.person, doc.id, begun.due)]: begun };
  if (fixed !== undefined) return { put: row };
  const at = steward.now();
  const made: SessionDoc = {
    id: session,
    title: oneLine(doc.name, 60),
    createdAt: at,
    updatedAt: at,
    messages: 1,
    ...wishOf(doc),
    quiet: true,
  };
  return { put: { ...row, [sessionKey(who.person, session)]: made } };
}

const made = ({ who, doc }: Running, session: string, event: Event): Commit => ({
  events: [
    { session, event: { type: "session.created", person: who.person, title: oneLine(doc.name, 60) } },
    { session, event },
  ],
});
const spoken = ({ who, steward }: Running, session: string, event: Event): Commit => ({
  events: [{ session, event }],
  merge: { [sessionKey(who.person, session)]: { updatedAt: steward.now() } },
  add: { [sessionKey(who.person, session)]: { messages: 1 } },
});

/** The prompt as it was agreed, and what it is. */
function partsOf({ steward, doc, row }: Running, prompt: string): Part[] {
  const zone = zoneOf(steward);
  const late = row.byHand || steward.now() - row.due < 120_000 ? "" : `, now it is ${momentText(steward.now(), zone)}`;
  const again = row.tries
    ? ` The attempt before failed (${oneLine(row.reason ?? "unknown", 160).replace(/[<>]/g, "")}): go on from what was done.`
    : "";
  const what = doc.source === "heartbeat" ? "This section of HEARTBEAT.md" : `The schedule “${oneLine(doc.name, 60).replace(/[<>]/g, "")}”`;
  const note = `<schedule>${what} was due ${momentText(row.due, zone)}${late}. Nobody is there to answer questions. Do what it says and report the result briefly. With nothing worth telling, answer only: ${NOTHING}.${again}</schedule>`;
  return [
    { type: "text", text: prompt },
    { type: "text", text: note },
  ];
}

interface Followed {
  who: Principal;
  session: string;
  key: string;
  from: number;
  signal: AbortSignal;
}

/** The log from the message to the end of the turn that read it. Throws not_found when the session is gone, stale when Steward stops. */
async function followed(steward: Steward, { who, session, key, from, signal }: Followed): Promise<Stored[]> {
  const { store } = steward;
  const stop = new AbortController();
  const log: Stored[] = [];
  try {
    const watching = store.watch(AbortSignal.any([signal, stop.signal]))[Symbol.asyncIterator]();
    let next = watching.next();
    for (;;) {
      log.push(...(await store.events(session, { after: log.at(-1)?.seq ?? from })));
      const said = log.find(({ event }) => event.type === "message.received" && event.key === key)?.seq;
      if (said === undefined) throw new StewardError("not_found", "The session of this run is gone");
      const end = log.findIndex(({ event, seq }) => seq > said && event.type === "turn.completed" && event.seen >= said);
      if (end >= 0) return log.slice(0, end + 1);
      await sessionDoc(steward, who, session);
      let notice = await next;
      while (!notice.done && notice.value.session !== undefined && (notice.value.session !== session || notice.value.live))
        notice = await watching.next();
      if (notice.done) break;
      next = watching.next();
    }
  } finally {
    stop.abort();
  }
  if (hasCode(signal.reason, "stale")) throw signal.reason;
  throw new StewardError("stale", "It is looked at again");
}

const NO_RETRY = new Set(["refusal", "cancelled", "limit"]);
const WHY: Record<string, string> = {
  refusal: "The model refused",
  cancelled: "It was stopped",
  limit: "A ceiling was reached",
  failed: "It failed",
};

async function ended(running: Running, session: string, log: Stored[]): Promise<End> {
  const end = log.at(-1)!.event as Event & { type: "turn.completed" };
  const { turn, stop, usage, error } = end;
  const items = log.flatMap(({ event }) => (event.type === "item.completed" && event.turn === turn ? [event.item] : []));
  const text = spokenText(items);
  const told = {
    ...{ session, turn },
    ...(text ? { text } : {}),
    ...(usage ? { tokens: usage.input + usage.output } : {}),
    ...(usage?.cost === undefined ? {} : { cost: usage.cost }),
  };
  if (stop === "end" || stop === "length")
    return { ...told, outcome: "ran", ...(isQuiet(text) ? { quiet: true as const, more: looked(running, log) } : {}) };
  const reason = error ? failureText(error) : stop === "limit" && text ? text : (WHY[stop] ?? stop);
  const notBefore = error?.retryAt === undefined ? {} : { notBefore: error.retryAt };
  return {
    ...told,
    outcome: "failed",
    reason,
    ...(NO_RETRY.has(stop) ? {} : { again: notBefore }),
    ...(error?.reason ? { cause: "model" } : {}),
  };
}

/** What was said after the last tool. */
function spokenText(items: Item[]): string {
  const texts = (some: Item[]): string => some.flatMap((item) => (item.kind === "text" ? [item.text] : [])).join("\n\n");
  return texts(items.slice(items.findLastIndex(({ kind }) => kind === "step") + 1)).trim() || texts(items).trim();
}
