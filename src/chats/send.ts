// Sends one message of the outbox in its pieces: each at most once for sure; when nobody can know whether one arrived, that is said and not repeated.
import type { Channel, Outgoing } from "../core/channel.ts";
import type { Job } from "../core/store.ts";
import { LEASE_MS } from "../run/jobs.ts";
import { laneOf, type Queued } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { within } from "../std/within.ts";
import { type Draft, draftKey } from "./draft.ts";
import { type Progress, progressKey } from "./letters.ts";
import { type Parcel, parcelsOf, withoutFile } from "./parcels.ts";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 300_000;
/** What a platform's client has not done by then, nobody knows. */
const MOST_SEND_MS = 300_000;
const HOUR_MS = 3_600_000;
/** So often the outcome of one message may be unknown before it is said that it is. */
const MOST_UNCLEAR = 10;
const MOST_OTHERS = 100;

/** It has waited for longer than it is kept. */
export const isOver = ({ settings, now }: Steward, { at, to }: Queued): boolean =>
  now() - at > (settings.config().channels[to.channel]?.keepHours ?? 72) * HOUR_MS;

export interface Sending {
  steward: Steward;
  job: Job;
  channel: Channel;
  head: Queued;
}
export type End = { ok: boolean; error?: string; unknown?: boolean; receipts: string[] };

/** In pieces, each durable before the platform is called. `until`: later, from where it is. */
export async function sendAll(sending: Sending, before: Progress): Promise<End | { until: number; progress: Progress }> {
  const { steward, channel, head } = sending;
  const parcels = parcelsOf(steward, channel, head);
  let progress = before;
  for (let at = progress.receipts.length; at < parcels.length; at = progress.receipts.length) {
    const had = progress.had?.[at];
    if (had) {
      progress = { ...progress, receipts: [...progress.receipts, had] };
      continue;
    }
    const piece = pieceAt(head, progress, parcels[at]!);
    let looking = progress.now === at;
    let isFile = false;
    try {
      if (looking) {
        const found = await lookedUp(sending, { piece, since: progress.since ?? head.at });
        if (found !== "again") {
          const { now: _, since: __, doubtful = 0, ...rest } = progress;
          progress = { ...rest, receipts: [...rest.receipts, found ?? ""], doubtful: doubtful + (found === undefined ? 1 : 0) };
          continue;
        }
        looking = false;
      }
      const parcel = await piece.parcel();
      isFile = parcel.file !== undefined;
      progress = { ...progress, now: at, since: steward.now() };
      await begin(sending, progress);
      const receipt = await within(sendOne(sending, { ...piece, parcel }), MOST_SEND_MS, unsaid);
      const { now: _, since: __, tries: ___, ...rest } = progress;
      progress = { ...rest, receipts: [...rest.receipts, receipt] };
    } catch (error) {
      if (hasCode(error, "stale")) throw error;
      const { now: _, since: __, ...sure } = progress;
      const refused = error instanceof StewardError && error.code !== "internal";
      if (hasCode(error, "unavailable") && !isOver(steward, head)) return again(steward, error, looking ? progress : sure);
      if (refused && isFile && error.code !== "unavailable") {
        progress = { ...sure, refused: { ...sure.refused, [at]: messageOf(error) } };
        continue;
      }
      if (refused && !looking) return { ok: false, error: messageOf(error), receipts: arrived(sure) };
      // It is asked for next time, or sent once more as the same: nothing is in doubt yet.
      if (!looking && (channel.repeatable || channel.lookup) && (progress.tries ?? 0) < MOST_UNCLEAR && !isOver(steward, head))
        return again(steward, error, progress);
      steward.log("warning", "A message may or may not have arrived", { channel: head.to.channel, error: messageOf(error) });
      progress = { ...sure, receipts: [...sure.receipts, ""], doubtful: (sure.doubtful ?? 0) + 1 };
    }
  }
  return ended(progress);
}

const DOUBTFUL = "Nobody can know whether all of it arrived: the connection broke, or Steward was stopped, while it was being sent.";
const ended = (progress: Progress): End => ({
  ...(progress.doubtful ? { ok: false, unknown: true, error: DOUBTFUL } : { ok: true }),
  receipts: arrived(progress),
});

/** Also what is behind the piece where it ends. */
export const arrived = ({ receipts, had = [] }: Progress): string[] => [...receipts, ...had.slice(receipts.length)];

const begin = async ({ steward: { store }, job, head }: Sending, progress: Progress): Promise<unknown> =>
  store.commit({
    put: { [progressKey(head.id)]: progress },
    lease: { job: job.id, epoch: job.epoch, then: { keepMs: LEASE_MS } },
  });

interface Piece {
  at: number;
  key: string;
  parcel: Parcel;
}

/** The line that stands for a refused file is another message than the file. */
function pieceAt({ id }: Queued, { receipts: { length: at }, refused = {} }: Progress, parcel: Parcel): Piece {
  const why = refused[at];
  if (why === undefined) return { at, key: `${id}.${at}`, parcel };
  return { at, key: `${id}.${at}.refused`, parcel: async () => withoutFile(await parcel(), why) };
}

/** A client that never says how it ended holds up nobody for ever. */
const unsaid = (): Error => new Error("The platform's client did not say how it ended");

function again({ now }: Steward, error: unknown, progress: Progress): { until: number; progress: Progress } {
  const { tries = 0 } = progress;
  const asked = error instanceof StewardError ? (error.retryAt ?? 0) : 0;
  return {
    until: Math.max(asked, now() + Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS)),
    progress: { ...progress, tries: tries + 1 },
  };
}

/** The receipt of a piece that was being sent when Steward was stopped; undefined: nobody knows; "again": it did not arrive, or sending it twice is sending it once. */
async function lookedUp(
  sending: Sending,
  { piece: { at, key, parcel }, since }: { piece: Piece; since: number },
): Promise<string | undefined> {
  const { steward, channel, head } = sending;
  if (channel.repeatable) return "again";
  const { turn } = head;
  const draft = at === 0 && turn !== undefined ? ((await steward.store.get(draftKey(turn))) as Draft | undefined) : undefined;
  // It was being put in the place of what had grown there: the same once more changes nothing.
  if (draft?.receipt !== undefined && channel.edit && laneOf(draft.to) === laneOf(head.to)) return "again";
  if (!channel.lookup) return undefined;
  const message = draft?.lost ? labelled(channel, await parcel()) : await parcel();
  return (await channel.lookup(head.to, key, { message, since, known: await othersAt(sending) })) ?? "again";
}

/** What the person has seen grow becomes the first piece; in its lane, so that nothing half is drawn over it. */
async function sendOne(sending: Sending, { parcel, at, key }: Omit<Piece, "parcel"> & { parcel: Outgoing }): Promise<string> {
  const { steward, channel, head } = sending;
  const { turn } = head;
  if (turn === undefined || at > 0 || !channel.edit) return channel.send(head.to, parcel, key);
  return inLane(steward.lanes, draftKey(turn), async () => {
    const draft = (await steward.store.get(draftKey(turn))) as Draft | undefined;
    if (!draft || laneOf(draft.to) !== laneOf(head.to)) return channel.send(head.to, parcel, key);
    const receipt = draft.receipt ?? (await begunAs(sending, turn, draft));
    if (receipt === undefined) return channel.send(head.to, parcel, key);
    const put = (more: Partial<Draft>) => steward.store.commit({ put: { [draftKey(turn)]: { ...draft, ...more, final: true } } });
    if (receipt === "lost") {
      await put({ lost: true }); // the heir has to know what it looks for
      return channel.send(head.to, labelled(channel, parcel), key);
    }
    await put({ receipt });
    return inItsPlace(sending, { receipt, parcel, key });
  });
}

/** The receipt of what was begun to be shown when nobody heard of it; undefined: it is not there; "lost": nobody can know. */
async function begunAs(sending: Sending, turn: string, { first, lost }: Draft): Promise<string | undefined> {
  const { channel, head } = sending;
  if (lost || !channel.lookup) return "lost";
  const was = first && { message: { text: first.text }, since: first.since, known: await othersAt(sending) };
  return channel.lookup(head.to, `${turn}.draft`, was).catch((error: unknown) => {
    if (!hasCode(error, "internal")) throw error;
    return "lost";
  });
}

/** Receipts of what came before at this address, as far as the store knows: those of this message and of the newest that its session's log has. */
async function othersAt({ steward: { store }, head: { id, session, to } }: Sending): Promise<string[]> {
  const { receipts = [], had = [] } = ((await store.get(progressKey(id))) ?? {}) as Partial<Progress>;
  const log = session === undefined ? [] : await store.events(session, { last: MOST_OTHERS });
  const settled = log.flatMap(({ event }) =>
    event.type === "delivery.settled" && laneOf(event.to) === laneOf(to) ? (event.receipt ?? "").split(",") : [],
  );
  return [...receipts, ...had, ...settled].filter((one) => one !== "");
}

/** Steward was stopped while it began to show the answer: what stands above may be a half of it. */
function labelled(channel: Channel, parcel: Outgoing): Outgoing {
  const text = `(Whole, in case a part of it stands above:)\n\n${parcel.text}`;
  return channel.length(text) <= channel.limits.text ? { ...parcel, text } : parcel;
}

async function inItsPlace(
  { steward, channel, head }: Sending,
  { receipt, parcel, key }: { receipt: string; parcel: Outgoing; key: string },
): Promise<string> {
  try {
    await channel.edit!(head.to, receipt, parcel);
    return receipt;
  } catch (error) {
    if (hasCode(error, "not_found") || hasCode(error, "denied") || hasCode(error, "invalid")) {
      await steward.store.commit({ drop: [draftKey(head.turn!)] }); // from here on it is a message of its own
      return channel.send(head.to, parcel, key);
    }
    if (hasCode(error, "unavailable")) throw error;
    throw new StewardError("unavailable", messageOf(error)); // the same edit once more changes nothing
  }
}
