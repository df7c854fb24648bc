// Which process of an install has a channel: the one that holds the lease of its job.
import { LEASE_MS } from "../run/jobs.ts";
import type { Steward } from "../run/steward.ts";

/** Deliveries that only the process with this channel claims. */
export const deliverBy = (channel: string): string => `deliver@${channel}`;

const hadKey = (channel: string): string => `channel-had/${channel}`;
/** When a process last had it or tried to have it connected. */
export const lastHad = async ({ store }: Steward, channel: string): Promise<number | undefined> =>
  (await store.get(hadKey(channel))) as number | undefined;
/** These were turned off: nobody waits for them. */
export async function forgetHad({ store }: Steward, channels: string[]): Promise<void> {
  if (channels.length > 0) await store.commit({ drop: channels.map(hadKey) });
}

export interface Lease {
  /** Also notes that somebody has it. Throws stale when another process has it. */
  renew(): Promise<void>;
  free(): Promise<void>;
}

/** One process of an install has a channel: who holds the lease of its job. Undefined: another one does. */
export async function mine({ store, now }: Steward, name: string): Promise<Lease | undefined> {
  const kind = `channel/${name}`;
  await store.commit({ once: `channel-job/${name}`, jobs: [{ id: `channel_${name}`, kind, lane: kind, data: {} }] });
  const job = await store.claim(`${process.pid}`, [kind], LEASE_MS);
  if (!job) return undefined;
  const commit = (then: { keepMs: number } | { retryAt: number }, put: Record<string, unknown> = {}): Promise<unknown> =>
    store.commit({ put, lease: { job: job.id, epoch: job.epoch, then } });
  return {
    renew: async () => void (await commit({ keepMs: LEASE_MS }, { [hadKey(name)]: now() })),
    free: async () => void ((await commit({ retryAt: now() }).catch(() => {})) /* another process has it */),
  };
}
