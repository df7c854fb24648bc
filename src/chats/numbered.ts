// Questions of background tasks in a chat: each is told with a number, so that an answer that is typed there finds the one it is for.
import type { Inbound } from "../core/channel.ts";
import type { Commit } from "../core/store.ts";
import type { Address, Ask } from "../core/types.ts";
import { openAsks } from "../run/asks.ts";
import { laneOf } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";

interface Told {
  ask: string;
  n: number;
  to: Address;
}
const toldKey = (person: string, ask: string): string => `p/${person}/told-ask/${ask}`;

async function toldIn(steward: Steward, person: string): Promise<{ key: string; told: Told; ask: Ask | undefined }[]> {
  const open = new Map((await openAsks(steward, { person, role: "guest", via: "channel" })).map((ask) => [ask.id, ask]));
  const rows = await steward.store.list(toldKey(person, ""));
  return rows.map(({ key, value }) => ({ key, told: value as Told, ask: open.get((value as Told).ask) }));
}

/** The smallest number that no open question of that chat has; it is kept with the commit that tells it. Two that get the same at the same moment are answered by an answer to their message. */
export async function numbering(
  steward: Steward,
  { person, ask, to }: { person: string; ask: Ask; to: Address },
): Promise<Pick<Commit, "put" | "drop"> & { n: number }> {
  const rows = await toldIn(steward, person);
  const taken = rows.filter((row) => row.ask && laneOf(row.told.to) === laneOf(to)).map(({ told }) => told.n);
  let n = 1;
  while (taken.includes(n)) n++;
  return {
    n,
    put: { [toldKey(person, ask.id)]: { ask: ask.id, n, to } satisfies Told },
    drop: rows.filter((row) => !row.ask).map(({ key }) => key),
  };
}

/** What its message says of that. */
export const howToAnswer = (n: number): string => `\n\nTo answer by typing, reply to this message, or write: answer ${n} …`;

/** Only what can be meant for one of them: its number, or an answer to its message. */
export async function answeredByTyping(
  steward: Steward,
  person: string,
  { text, to, quoted }: Pick<Inbound, "text" | "to" | "quoted">,
): Promise<{ ask: Ask; words: string } | undefined> {
  const [, number, words] = /^\s*answer\s+#?(\d{1,4})\s*[:.,]?\s+(\S[\s\S]*)$/i.exec(text) ?? [];
  const quote = quoted?.own ? quoted.text : undefined;
  if (number === undefined && quote === undefined) return undefined;
  // Where an answer to a message stands in a thread of its own, its question does not.
  const placeOf = (one: Address): string => laneOf(number === undefined ? { channel: one.channel, chat: one.chat } : one);
  const rows = (await toldIn(steward, person)).flatMap(({ told, ask }) =>
    ask && placeOf(told.to) === placeOf(to) ? [{ ask, n: told.n }] : [],
  );
  const meant = rows.filter(({ ask, n }) => (number === undefined ? isQuoted(quote!, ask, n) : n === Number(number)));
  return meant.length === 1 ? { ask: meant[0]!.ask, words: words ?? text } : undefined;
}

/** Platforms show Markdown in their own way, so only letters and digits count. */
const isQuoted = (quote: string, { prompt }: Ask, n: number): boolean =>
  plain(quote).includes(plain(prompt).slice(0, 200)) && (!/\banswer \d+ …/.test(quote) || new RegExp(`\\banswer ${n} …`).test(quote));
const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
