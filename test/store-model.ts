// The store as a few lines of plain data, and random commands for it: what a real store must equal, whole state by whole state.
import fc from "fast-check";
import type { Event, Stored } from "../src/core/events.ts";
import type { Commit, Job, NewJob, Store } from "../src/core/store.ts";
import { StewardError } from "../src/std/error.ts";

interface Held extends Required<NewJob> {
  n: number;
  epoch: number;
  tries: number;
  until?: number;
}
interface State {
  logs: Record<string, Stored[]>;
  people: Record<string, string>;
  said: { session: string; seq: number; person: string; text: string }[];
  docs: Record<string, unknown>;
  once: string[];
  jobs: Held[];
  n: number;
}
type Fields = Record<string, unknown>;

export class Model {
  private state: State = { logs: {}, people: {}, said: [], docs: {}, once: [], jobs: [], n: 0 };
  at = 1000;

  commit(change: Commit): Stored[] {
    const state = structuredClone(this.state);
    if (change.once !== undefined && state.once.includes(change.once)) return [];
    const stored = apply(state, change, this.at);
    this.state = state;
    return stored;
  }

  claim(kinds: string[], leaseMs: number): Job | undefined {
    const { jobs } = this.state;
    const busy = new Set(jobs.filter(({ until = 0 }) => until > this.at).map(({ lane }) => lane));
    const [job] = jobs
      .filter(({ kind, lane, runAt }) => kinds.includes(kind) && !busy.has(lane) && runAt <= this.at)
      .sort((a, b) => a.runAt - b.runAt || a.n - b.n);
    if (!job) return undefined;
    for (const other of jobs) if (other.lane === job.lane) delete other.until;
    Object.assign(job, { epoch: job.epoch + 1, tries: job.tries + 1, until: this.at + leaseMs });
    const { n: _n, until: _until, ...rest } = job;
    return rest;
  }

  view(): unknown {
    const { logs, docs, jobs, said } = this.state;
    const waiting = jobs.filter(({ until = 0 }) => until <= this.at);
    const next = waiting.length > 0 ? { next: Math.min(...waiting.map(({ runAt }) => runAt)) } : {};
    const due = waiting.filter(({ runAt }) => runAt <= this.at).length;
    return {
      logs: SESSIONS.map((session) => logs[session] ?? []),
      docs: Object.entries(docs)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value })),
      jobs: { due, later: waiting.length - due, running: jobs.length - waiting.length, ...next },
      found: PEOPLE.map((person) =>
        said
          .filter((one) => one.person === person && one.text.includes("red"))
          .map(({ session, seq }) => `${session}${seq}`)
          .reverse(),
      ),
    };
  }
}

export async function viewOf(store: Store): Promise<unknown> {
  return {
    logs: await Promise.all(SESSIONS.map((session) => store.events(session))),
    docs: await store.list(""),
    jobs: await store.jobs(),
    found: await Promise.all(
      PEOPLE.map(async (person) => (await store.search(person, "RE", 1000)).map(({ session, seq }) => `${session}${seq}`)),
    ),
  };
}

function apply(
  state: State,
  { once, erase = [], lease, put = {}, merge = {}, add = {}, drop = [], jobs = [], sooner, events = [] }: Commit,
  at: number,
): Stored[] {
  if (once !== undefined) state.once.push(once);
  for (const session of erase) {
    delete state.logs[session];
    delete state.people[session];
    state.said = state.said.filter((one) => one.session !== session);
  }
  if (lease) settle(state, lease, at);
  if (sooner) for (const job of state.jobs) if (!sooner.but.includes(job.kind)) job.runAt = Math.min(job.runAt, sooner.by);
  Object.assign(state.docs, structuredClone(put));
  for (const key of new Set([...Object.keys(merge), ...Object.keys(add)])) {
    if (!(key in state.docs)) state.docs[key] = {};
    const doc = state.docs[key] as Fields;
    if (typeof doc !== "object" || doc === null || Array.isArray(doc)) throw new StewardError("invalid", key);
    for (const [name, value] of Object.entries(merge[key] ?? {}))
      if (value === null) delete doc[name];
      else doc[name] = value;
    for (const [name, value] of Object.entries(add[key] ?? {})) {
      if (typeof (doc[name] ?? 0) !== "number") throw new StewardError("invalid", name);
      doc[name] = Number(doc[name] ?? 0) + value;
    }
  }
  for (const key of drop) delete state.docs[key];
  for (const { id, kind, lane, runAt = at, data } of jobs) {
    if (state.jobs.some((job) => job.id === id)) throw new StewardError("conflict", id);
    state.jobs.push({ id, kind, lane, runAt, data, n: state.n++, epoch: 0, tries: 0 });
  }
  return events.map(({ session, event }) => {
    const log = (state.logs[session] ??= []);
    const one: Stored = { session, seq: log.length + 1, at, event };
    log.push(one);
    if (event.type === "session.created") state.people[session] = event.person;
    const text = event.type === "message.received" && event.parts[0]?.type === "text" ? event.parts[0].text : "";
    if (text) state.said.push({ session, seq: one.seq, person: state.people[session] ?? "", text });
    return one;
  });
}

function settle(state: State, { job: id, epoch, then }: NonNullable<Commit["lease"]>, at: number): void {
  const job = state.jobs.find((one) => one.id === id && one.epoch === epoch && one.until !== undefined);
  if (!job) throw new StewardError("stale", id);
  if (then === "done") state.jobs.splice(state.jobs.indexOf(job), 1);
  else if ("keepMs" in then) job.until = at + then.keepMs;
  else {
    job.runAt = then.retryAt;
    delete job.until;
  }
}

const SESSIONS = ["a", "b"];
const PEOPLE = ["ada", "bob", ""];
const one = <T>(...values: T[]) => fc.constantFrom(...values);
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    type: fc.constant("message.received" as const),
    id: one("m"),
    from: one("x"),
    parts: fc.tuple(fc.record({ type: fc.constant("text" as const), text: one("red one", "green", "a red\nreed", "") })),
  }),
  fc.record({ type: fc.constant("session.created" as const), person: one("ada", "bob") }),
  fc.record({ type: fc.constant("turn.started" as const), turn: fc.string(), engine: one("loop"), model: fc.string({ unit: "binary" }) }),
);
const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.dictionary(one("n", "m", "__proto__"), fc.oneof(fc.integer(), fc.string())));
const keyed = <T>(values: fc.Arbitrary<T>) => fc.dictionary(one("x", "y", "z"), values, { maxKeys: 2, noNullPrototype: true });
const jobId = one("j1", "j2", "j3", "j4", "j5");
const ahead = one(-7, -3, 0, 4, 12);

const parts = {
  once: one("o1", "o2", "o3", "o4"),
  events: fc.array(fc.record({ session: one(...SESSIONS), event }), { maxLength: 4 }),
  put: keyed(value),
  merge: keyed(fc.dictionary(one("n", "m", "k"), fc.oneof(fc.constant(null), fc.integer(), fc.string()), { noNullPrototype: true })),
  add: keyed(fc.dictionary(one("n", "m", "k"), fc.integer({ min: -9, max: 9 }), { noNullPrototype: true })),
  drop: fc.subarray(["x", "z"]),
  jobs: fc.array(fc.record({ id: jobId, kind: one("k", "q"), lane: one("l1", "l2"), runAt: ahead, data: fc.jsonValue({ maxDepth: 1 }) }), {
    maxLength: 2,
  }),
  sooner: fc.record({ by: ahead, but: fc.subarray(["k", "q"]) }),
};
const then = fc.oneof(fc.constant("done" as const), fc.record({ keepMs: one(1, 8) }), fc.record({ retryAt: ahead }));
const lease = fc.record({ job: jobId, epoch: one(1, 1, 1, 2, 3), then });

export type Command = { commit: Commit } | { claim: string[]; leaseMs: number } | { pass: number };
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record(parts, { requiredKeys: [] }).map((commit) => ({ commit })) },
  { weight: 6, arbitrary: fc.record({ ...parts, lease }, { requiredKeys: ["lease"] }).map((commit) => ({ commit })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ ...parts, erase: fc.subarray(SESSIONS, { minLength: 1 }) }, { requiredKeys: ["erase"] })
      .map((commit) => ({ commit })),
  },
  { weight: 8, arbitrary: fc.record({ claim: fc.subarray(["k", "q"]), leaseMs: one(2, 10) }) },
  { weight: 2, arbitrary: fc.record({ pass: one(1, 5, 20) }) },
);
/** As they look after a way through JSON, where there is no -0 and no undefined. */
export const commands: fc.Arbitrary<Command[]> = fc
  .array(command, { minLength: 5, maxLength: 50, size: "max" })
  .map((all) => JSON.parse(JSON.stringify(all)) as Command[]);

/** Times of a command count from now. */
export const timed = (change: Commit, at: number): Commit => ({
  ...change,
  ...(change.jobs ? { jobs: change.jobs.map((job) => ({ ...job, runAt: at + (job.runAt ?? 0) })) } : {}),
  ...(change.sooner ? { sooner: { ...change.sooner, by: at + change.sooner.by } } : {}),
  ...(typeof change.lease?.then === "object" && "retryAt" in change.lease.then
    ? { lease: { ...change.lease, then: { retryAt: at + change.lease.then.retryAt } } }
    : {}),
});
