// One commit as steps of SQL: what is checked, locked, read and written, in which order. Knows no dialect and no connection.
import { type Event, spoken, type Stored } from "../core/events.ts";
import type { Commit, NewJob, Notice } from "../core/store.ts";
import { StewardError } from "../std/error.ts";
import { FIRST_LINK, link } from "./audit.ts";
import type { Row, Sql, Statement, Steps, Value } from "./sql.ts";
import { wordsOf } from "./words.ts";

const ONCE = "INSERT INTO once (key, at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING key";
const SPENT = "DELETE FROM once WHERE key >= $1 AND key < $2 AND at < $3";
const PUT = "INSERT INTO docs (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const HOLD = "INSERT INTO docs (key, value) VALUES ($1, '{}') ON CONFLICT (key) DO UPDATE SET value = docs.value RETURNING value";
const HEAD = `INSERT INTO heads (session, seq, person, chain) VALUES ($1, $2, '', '${FIRST_LINK}') ON CONFLICT (session) DO UPDATE SET seq = heads.seq + $2 RETURNING seq, person, chain`;

/** Undefined when `once` was used before. Rows are locked in one order (job, documents, heads; each by key), so that commits seldom deadlock. */
export function* apply(change: Commit, at: number, words: Sql["words"]): Steps<Stored[] | undefined> {
  const { once, spent, lease, put = {}, merge = {}, add = {} } = change;
  if (once !== undefined && (yield [[ONCE, once, at]])[0]?.length === 0) return undefined;
  const held = [...new Set([...Object.keys(merge), ...Object.keys(add)])].sort();
  const logs = Map.groupBy(change.events ?? [], ({ session }) => session);
  const first: Statement[] = (change.erase ?? []).flatMap((session) => erase(session, words));
  if (lease) first.push(settle(lease, at));
  if (change.sooner) first.push(hurry(change.sooner));
  for (const key of Object.keys(put).sort()) first.push([PUT, key, json(put[key], key)]);
  const rest = first.length;
  for (const key of held) first.push([HOLD, key]);
  for (const session of [...logs.keys()].sort()) first.push([HEAD, session, logs.get(session)?.length ?? 0]);
  const rows = first.length > 0 ? yield first : [];
  if (lease && rows[(change.erase ?? []).length * erase("", words).length]?.length === 0)
    throw new StewardError("stale", `Job ${lease.job} belongs to another worker now`);

  const then: Statement[] = held.map((key, n) => {
    const before = parse(rows[rest + n]?.[0]?.["value"], `document ${key}`);
    return [PUT, key, json(changed(key, before, { merge: merge[key], add: add[key] }), key)];
  });
  for (const key of change.drop ?? []) then.push(["DELETE FROM docs WHERE key = $1", key]);
  if (spent) then.push([SPENT, spent.prefix, `${spent.prefix}\u{10ffff}`, Math.floor(spent.before)]);
  for (const job of change.jobs ?? []) then.push(enqueue(job, at));
  const heads = new Map([...logs.keys()].sort().map((session, n) => [session, rows[rest + held.length + n]?.[0] ?? {}]));
  const stored = append(change.events ?? [], { heads, at, words, then });
  if (then.length > 0) yield then;
  return stored;
}

interface Log {
  seq: number;
  person: string;
  chain: string;
}
/** Numbers and links the events; `then` receives the statements. */
function append(
  events: { session: string; event: Event }[],
  { heads, at, words, then }: { heads: Map<string, Row>; at: number; words: Sql["words"]; then: Statement[] },
): Stored[] {
  const logs = new Map<string, Log>();
  const added = Map.groupBy(events, ({ session }) => session);
  for (const [session, head] of heads)
    logs.set(session, {
      seq: Number(head["seq"]) - (added.get(session)?.length ?? 0),
      person: String(head["person"]),
      chain: String(head["chain"]),
    });
  const stored = events.map(({ session, event }): Stored => {
    const log = logs.get(session)!;
    const body = json(event, session);
    log.seq++;
    log.chain = link(log.chain, session, log.seq, at, body);
    if (event.type === "session.created") log.person = event.person;
    then.push(["INSERT INTO events (session, seq, at, body, chain) VALUES ($1, $2, $3, $4, $5)", session, log.seq, at, body, log.chain]);
    const said = wordsOf(spoken(event));
    if (said.length > 0) then.push(...words.learn({ session, seq: log.seq, person: log.person }, said));
    return { session, seq: log.seq, at, event };
  });
  for (const [session, { chain, person }] of logs)
    then.push(["UPDATE heads SET chain = $2, person = $3 WHERE session = $1", session, chain, person]);
  return stored;
}

const erase = (session: string, words: Sql["words"]): Statement[] => [
  ...words.forget(session),
  ["DELETE FROM events WHERE session = $1", session],
  ["DELETE FROM heads WHERE session = $1", session],
];

function settle({ job, epoch, then }: NonNullable<Commit["lease"]>, at: number): Statement {
  const mine = "WHERE id = $1 AND epoch = $2 AND running IS NOT NULL RETURNING id";
  if (then === "done") return [`DELETE FROM jobs ${mine}`, job, epoch];
  if ("keepMs" in then) return [`UPDATE jobs SET until = $3 ${mine}`, job, epoch, Math.ceil(at + then.keepMs)];
  return [`UPDATE jobs SET running = NULL, until = 0, run_at = $3 ${mine}`, job, epoch, Math.ceil(then.retryAt)];
}

const hurry = ({ by, but }: NonNullable<Commit["sooner"]>): Statement => [
  `UPDATE jobs SET run_at = $1 WHERE run_at > $1 ${but.map((_, n) => `AND kind <> $${n + 2}`).join(" ")}`,
  ...[Math.ceil(by), ...but],
];

const enqueue = ({ id, kind, lane, runAt, data }: NewJob, at: number): Statement => [
  "INSERT INTO jobs (id, kind, lane, run_at, data) VALUES ($1, $2, $3, $4, $5)",
  ...[id, kind, lane, Math.ceil(runAt ?? at), json(data ?? null, id)],
];

function changed(
  key: string,
  before: unknown,
  { merge = {}, add = {} }: { merge?: Record<string, unknown> | undefined; add?: Record<string, number> | undefined },
) {
  if (typeof before !== "object" || before === null || Array.isArray(before))
    throw new StewardError("invalid", `Document ${key} has no fields to change`);
  const fields = before as Record<string, unknown>; // just parsed, so nobody else's
  for (const [name, value] of Object.entries(merge)) {
    if (value === null) delete fields[name];
    else if (value !== undefined) setField(fields, name, value);
  }
  for (const [name, value] of Object.entries(add)) {
    const held = (Object.hasOwn(fields, name) ? fields[name] : undefined) ?? 0;
    const sum = typeof held === "number" ? held + value : Number.NaN;
    if (!Number.isFinite(sum)) throw new StewardError("invalid", `Field ${name} of document ${key} is not a number`);
    setField(fields, name, sum);
  }
  return fields;
}

function setField(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(fields, name, { value, writable: true, enumerable: true, configurable: true });
  else fields[name] = value;
}

export function noticesOf({ erase: erased = [], jobs = [], sooner, lease }: Commit, stored: Stored[]): Notice[] {
  const newest = new Map<string, number>(erased.map((session) => [session, 0]));
  for (const { session, seq } of stored) newest.set(session, seq);
  const notices: Notice[] = Array.from(newest, ([session, seq]) => ({ session, seq }));
  if (jobs.length === 0 && !sooner && !(typeof lease?.then === "object" && "retryAt" in lease.then)) return notices;
  return [{ ...notices[0], jobs: true }, ...notices.slice(1)];
}

function json(value: unknown, where: string): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new StewardError("invalid", `What is to be kept under ${where} is not JSON`);
  return text;
}

export function parse(text: Value | undefined, where: string): unknown {
  try {
    return JSON.parse(String(text));
  } catch (cause) {
    throw new StewardError("unavailable", `The database is damaged: ${where} can't be read`, {
      hint: "A backup of the database brings the rest back.",
      cause,
    });
  }
}
