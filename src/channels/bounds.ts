// What adapters share to stay within bounds: so many entries, so many bytes, so often.
import { hasCode, StewardError } from "../std/error.ts";

/** At most so many: the oldest goes. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, most = 1000): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}

/** Of an answer no more than that is read, whatever it says of its length. `from`: whose it is, for people. */
export async function limited(response: Response, limit: number, from: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > limit) throw new StewardError("limit", "The file is larger than allowed");
      parts.push(part);
    }
  } catch (error) {
    if (hasCode(error, "limit")) throw error;
    throw new StewardError("unavailable", `The file broke off while it was fetched from ${from}`, { cause: error });
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const MINUTE_MS = 60_000;
const MOST_CLIENTS = 10_000;

/** Counts at once, so that attempts at the same time are all seen. An IPv6 client is its /64. Gives the time to wait for when there were more than that in a minute. */
export function counter(now: () => number, most: number): (peer: string) => number | undefined {
  const clients = new Map<string, { count: number; until: number }>();
  return (peer) => {
    const key = peer.includes(":") ? peer.split(":").slice(0, 4).join(":") : peer;
    const known = clients.get(key);
    const one = known && known.until > now() ? known : { count: 0, until: now() + MINUTE_MS };
    remember(clients, key, one, MOST_CLIENTS);
    return ++one.count > most ? one.until : undefined;
  };
}
