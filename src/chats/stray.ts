// Messages that wait for a channel which is turned off here, or gone: without somebody who looks at them they would wait for ever.
import type { Address } from "../core/types.ts";
import { laneOf, sendJob } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";

const MOST = 1000;

/** They are looked at again, by whichever process is first: what nobody can send ends as not delivered, what another process has goes there. */
export async function deliverStray({ store, channels }: Steward, isOn: (channel: string) => boolean): Promise<void> {
  const waiting = (await store.list("outbox/", { first: MOST })).map(({ value }) => (value as { to: Address }).to);
  const lanes = new Map(waiting.filter(({ channel }) => !isOn(channel) && !channels[channel]).map((to) => [laneOf(to), to]));
  if (lanes.size > 0) await store.commit({ jobs: [...lanes.values()].map((to) => sendJob(to)) });
}
