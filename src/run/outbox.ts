// What goes out to chats: each thing a document in the queue of its address, written in the commit that causes it. Sending it is src/chats.
import type { Button } from "../core/channel.ts";
import type { Commit, NewJob } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import { newId } from "../std/id.ts";

/** One message to one address. */
export interface Letter {
  /** Whose it is: it is shown only to them, and its files are theirs. */
  person: string;
  to: Address;
  /** Markdown of any length. */
  text: string;
  /** Ids of the person's files that go with it. */
  files?: string[];
  buttons?: Button[];
  /** In whose log it is written whether it arrived. */
  session?: string;
  /** The turn whose answer it is: what was shown of it while it grew becomes this. */
  turn?: string;
  /** The question that it asks. */
  ask?: string;
  /** To somebody who is nobody here: a pairing code. */
  stranger?: true;
}
export interface Queued extends Letter {
  id: string;
  /** Epoch milliseconds when it was written. */
  at: number;
  /** Not to be tried before: the platform said so, or it can't be reached. */
  notBefore?: number;
  /** The job that tries it then. */
  job?: string;
}

export const laneOf = ({ channel, chat, thread }: Address): string =>
  JSON.stringify([channel, chat, ...(thread === undefined ? [] : [thread])]);
/** In the order in which they were written. */
export const outboxKey = (to: Address, id = ""): string => `outbox/${laneOf(to)}/${id}`;
/** The chat in which a session lives. */
export const homeKey = (session: string): string => `home/${session}`;

/** The parts of a commit that send it, once with the commit; `name` is part of its id, which sorts by time: nothing overtakes what was begun. */
export function sending(letter: Letter, at: number, name?: string): Required<Pick<Commit, "put" | "jobs">> {
  const id = name === undefined ? newId("dlv") : `dlv_${(at * 1000).toString(36).padStart(11, "0")}${name.replace(/^dlv/, "")}`;
  return { put: { [outboxKey(letter.to, id)]: { ...letter, id, at } satisfies Queued }, jobs: [sendJob(letter.to)] };
}

export const sendJob = (to: Address, runAt?: number): NewJob => ({
  id: newId("job"),
  kind: "deliver",
  lane: laneOf(to),
  ...(runAt === undefined ? {} : { runAt }),
  data: { to },
});
