// settle → deliver: a reply goes out at most once for sure; when nobody can know whether it arrived, the log says so.
import type { Job } from "../core/store.ts";
import type { Address } from "../core/types.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { LEASE_MS } from "./jobs.ts";
import type { Steward } from "./steward.ts";

const MAX_TRIES = 8;

interface Delivery {
  session: string;
  delivery: string;
  to: Address;
  text: string;
}

/** The mark is durable before the platform is called: an heir that finds it knows that the outcome is unknown. */
export async function deliver({ store, channels }: Steward, job: Job): Promise<void> {
  const { session, delivery, to, text } = job.data as Delivery;
  const lease = () => ({ job: job.id, epoch: job.epoch });
  const mark = `sending/${delivery}`;
  const settle = (more: { ok: boolean; receipt?: string; error?: string; unknown?: boolean }) =>
    store.commit({
      lease: { ...lease(), then: "done" },
      drop: [mark],
      events: [{ session, event: { type: "delivery.settled", delivery, to, ...more } }],
    });
  if (await store.get(mark))
    return void (await settle({ ok: false, unknown: true, error: "Steward was stopped while this was being sent: it may have arrived." }));
  const channel = channels[to.channel];
  if (!channel) return void (await settle({ ok: false, error: `There is no channel "${to.channel}" here` }));
  await store.commit({ lease: { ...lease(), then: { keepMs: LEASE_MS } }, put: { [mark]: true } });
  const receipts: string[] = [];
  for (const piece of split(text, channel.limits.text)) {
    try {
      receipts.push(await channel.send(to, piece, `${delivery}.${receipts.length}`));
    } catch (error) {
      if (hasCode(error, "unavailable") && receipts.length === 0 && job.tries < MAX_TRIES) {
        await store.commit({ drop: [mark] });
        throw error;
      }
      return void (await settle({
        ok: false,
        error: messageOf(error),
        ...(hasCode(error, "unavailable") ? {} : { unknown: true }),
        ...(receipts[0] ? { receipt: receipts.join() } : {}),
      }));
    }
  }
  await settle({ ok: true, receipt: receipts.join() });
}

/** Pieces of at most `limit` characters, cut at a line or a blank where there is one, never inside a character. */
export function split(text: string, limit: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > limit) {
    const part = rest.slice(0, limit);
    const cut = Math.max(part.lastIndexOf("\n"), part.lastIndexOf(" "));
    const at = cut > limit / 2 ? cut : isHigh(part) && limit > 1 ? limit - 1 : limit;
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at).replace(/^\s/, "");
  }
  return [...pieces, rest];
}

/** Ends with the first half of a character. */
const isHigh = (text: string): boolean => /[\ud800-\udbff]$/.test(text);
