// Messages between subagents, and from and to their person: rows in one order, put into the sessions of all who get them in the same commit.
import type { Channelled } from "../core/api-tasks.ts";
import type { Commit } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import { homeKey, sending } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import type { TaskDoc } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import {
  around,
  ceilingOf,
  channelIn,
  channelName,
  cleanText,
  foreignOf,
  isOpen,
  named,
  prefixIn,
  type Row,
  rowKey,
  sessionOf,
  taskDocs,
} from "./docs.ts";
import { earsOf, hearing } from "./ears.ts";
import { digest, kept, refuseTooMuch, type Sender, type Sent, whoIs } from "./limits.ts";
import { KEPT_ON_CHANNELS, TIDY_EVERY, tidyChannels } from "./pruning.ts";
import { joined, waken, type Waking } from "./telling.ts";

export interface Letter {
  /** A subagent's name or id, `#channel`, `person` or `lead`. */
  to: string;
  text: string;
  /** The same key twice is one message. */
  key: string;
}
/** One document a person: all that is sent comes in one order, whichever process sends it. */
interface Bus {
  version: number;
  recent: Sent[];
}
const TRIES = 30;

export const busKey = (person: string): string => `p/${person}/bus`;

/** Durable when it resolves, in the session of everyone who gets it. Returns who does. */
export async function send(steward: Steward, sender: Sender, letter: Letter): Promise<string[]> {
  const text = cleanText(letter.text);
  const { person } = sender.principal;
  for (let tries = 0; tries < TRIES; tries++) {
    const bus = ((await steward.store.get(busKey(person))) as Bus | undefined) ?? { version: 0, recent: [] };
    const before = bus.recent.find(({ key }) => key === letter.key);
    if (before) return before.got;
    const all = await taskDocs(steward, { person });
    const to = await addressees(steward, sender, { to: letter.to, all });
    await refuseTooMuch(steward, sender, { recent: bus.recent, to: to.name, text });
    const n = bus.version + 1;
    const change = await written(steward, { sender, to, text, n });
    const entry = {
      at: steward.now(),
      from: whoIs(sender),
      root: sender.root ?? "",
      to: to.name,
      hash: digest(text),
      key: letter.key,
      got: to.got,
    };
    const next: Bus = { version: n, recent: kept([...bus.recent, entry], steward.now(), steward.settings.config().tasks.rateAll) };
    const stored = await steward.store.commit({ ...change, once: `bus/${person}/${n}`, put: { ...change.put, [busKey(person)]: next } });
    if (stored.length === 0 && !(await isMine(steward, person, letter.key))) continue;
    if (n % TIDY_EVERY === 0) await tidyChannels(steward, person);
    for (const wake of hearing(steward)) wake();
    return to.got;
  }
  throw new StewardError("conflict", "Too much is being sent at once");
}

const isMine = async ({ store }: Steward, person: string, key: string): Promise<boolean> =>
  ((await store.get(busKey(person))) as Bus | undefined)?.recent.some((one) => one.key === key) === true;

interface Addressed {
  name: string;
  got: string[];
  wake: Pick<Waking, "session" | "principal">[];
  channel?: string;
  /** The person, in the session at the top. */
  person?: { session: string };
}

async function addressees(steward: Steward, sender: Sender, { to, all }: { to: string; all: TaskDoc[] }): Promise<Addressed> {
  if (to.trim().startsWith("#")) return onChannel(steward, sender, { channel: channelIn(foreignOf(sender.task), to.trim()), all });
  const name = to.trim();
  const { task } = sender;
  if (name.toLowerCase() === "person" && sender.session !== undefined) {
    const session = await topOf(steward, sender, all);
    return { name: "person", got: ["person"], wake: [], person: { session } };
  }
  if (["lead", "parent"].includes(name.toLowerCase()) && task?.from !== undefined) {
    const senior = all.find(({ session }) => session === task.from);
    return {
      name: senior?.name ?? "lead",
      got: [senior?.name ?? "lead"],
      wake: [{ session: task.from, principal: senior?.principal ?? task.principal }],
    };
  }
  const mine = sender.session === undefined ? all : around(all, { session: sender.session, task });
  const found = named(mine, name);
  if (!found) throw new StewardError("not_found", `Agent ${name.slice(0, 60)} not found`);
  if (task && !mayWrite(task, found)) throw new StewardError("denied", `${task.name} may not write to ${found.name}`);
  if (found.state === "stopped" || found.state === "failed")
    throw new StewardError("conflict", `${found.name} ${found.state === "failed" ? "failed" : "was stopped"}: resume it first`);
  return { name: found.id, got: [found.name], wake: [{ session: found.session, principal: found.principal }] };
}

const mayWrite = ({ may, parent }: TaskDoc, { id, name }: TaskDoc): boolean =>
  may === undefined || id === parent || may.some((one) => one.toLowerCase() === name.toLowerCase());

/** All that listen but the sender. One whose session is gone, or whose task is over, hears nothing and holds up nobody. */
async function onChannel(
  steward: Steward,
  { principal: { person }, session, task }: Sender,
  { channel, all }: { channel: string; all: TaskDoc[] },
): Promise<Addressed> {
  const bare = channel.slice(prefixIn(foreignOf(task)).length);
  if (task?.may && ![channel, bare].some((name) => task.may!.includes(`#${name}`)))
    throw new StewardError("denied", `${task.name} may not write to #${channel}`);
  const wake: Addressed["wake"] = [];
  const got: string[] = [];
  for (const ear of await earsOf(steward, person, channel)) {
    if (ear.session === session) continue;
    const doc = await sessionOf(steward, person, ear.session);
    const owner = doc.task === undefined ? undefined : all.find(({ id }) => id === doc.task);
    if (doc.id === undefined || doc.deletedAt || (doc.task !== undefined && (!owner || !isOpen(owner)))) continue;
    // One of before this was so.
    if (!channel.startsWith(prefixIn(foreignOf(owner)))) continue;
    wake.push(ear);
    got.push(owner?.name ?? ear.session);
  }
  return { name: `#${channel}`, got, wake, channel };
}

/** The session in which the person began it; when that is gone, none. */
async function topOf(steward: Steward, { task, session, principal: { person } }: Sender, all: TaskDoc[]): Promise<string> {
  let at = session!;
  for (let steps = 0, one = task; one?.from !== undefined && steps < 50; steps++) {
    const { from }: TaskDoc = one;
    at = from!;
    one = all.find((other) => other.session === from);
  }
  const { id, deletedAt } = await sessionOf(steward, person, at);
  if (id === undefined || deletedAt) throw new StewardError("not_found", "The session of the person is gone; say it as your result");
  return at;
}

async function written(
  steward: Steward,
  { sender, to, text, n }: { sender: Sender; to: Addressed; text: string; n: number },
): Promise<Commit> {
  const { principal, session, name } = sender;
  const { person } = principal;
  const key = `bus/${n}~${sender.hops + 1}`;
  let change: Commit = {};
  if (to.channel !== undefined) {
    const row: Row = { n, at: steward.now(), channel: to.channel, from: name, text };
    change = { put: { [rowKey(person, to.channel, n)]: row } };
  }
  const said = to.channel === undefined ? text : `On #${to.channel}: ${text}`;
  for (const { session: there, principal: theirs } of to.wake)
    change = joined(
      change,
      await waken(steward, {
        session: there,
        principal: theirs,
        sender: name,
        text: said,
        key,
        ...(session === undefined ? { plain: true } : { how: ceilingOf(sender) }),
      }),
    );
  return to.person ? joined(change, await toPerson(steward, { sender, session: to.person.session, text, n })) : change;
}

/** A line in the session where the person is, and a message to the chat in which that lives. */
async function toPerson(
  { store, now }: Steward,
  { sender, session, text, n }: { sender: Sender; session: string; text: string; n: number },
): Promise<Commit> {
  const { person } = sender.principal;
  const name = sender.task?.name ?? "Steward";
  const words = `${name}: ${text}`;
  const home = (await store.get(homeKey(session))) as Address | undefined;
  // In its own session it has said it already.
  const told = session === sender.session ? undefined : { by: `agent ${name}` };
  const letter: Commit = home ? sending({ person, to: home, text: words, session }, now(), `dlv_bus_${n}_${session}`) : {};
  return {
    ...letter,
    put: { ...letter.put, ...(told ? { [taintKey(session)]: true } : {}) },
    events: [
      {
        session,
        event: {
          type: "item.completed",
          turn: "",
          item: { id: `itm_bus_${n}_${session}`, kind: "notice", level: "info", text: words, ...told },
        },
      },
    ],
  };
}

/** Oldest first. */
export async function rowsOf({ store }: Steward, person: string, channel: string): Promise<Channelled[]> {
  return (await store.list(rowKey(person, channelName(channel)), { last: KEPT_ON_CHANNELS.rows })).map(({ value }) => {
    const { n, at, from, text } = value as Row;
    return { n, at, from, text };
  });
}

export async function channelsOf({ store }: Steward, person: string): Promise<{ name: string; messages: number; at: number }[]> {
  const rows = (await store.list(rowKey(person))).map(({ value }) => value as Row);
  return [...Map.groupBy(rows, ({ channel }) => channel)].map(([name, some]) => ({ name, messages: some.length, at: some.at(-1)!.at }));
}
