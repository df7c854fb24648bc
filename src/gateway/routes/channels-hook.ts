// Requests that platforms and programs make to /hooks/<name>: nothing is read for a name that nobody has, and not too much at once.
import type { HookRequest } from "../../core/channel.ts";
import type { Steward } from "../../run/steward.ts";
import { hasCode } from "../../std/error.ts";
import { clientAddress, clientKey } from "../addresses.ts";
import { readBytes } from "../body.ts";
import { refusal } from "../status.ts";
import type { Visit } from "../table.ts";
import { openTries, type Tries } from "../tries.ts";

const MOST_BYTES = 1024 * 1024;
const READ_MS = 30_000;
/** Names that nobody has, a minute and client. */
const MOST_UNKNOWN = 30;
/** Bodies that are being read at the same time. */
const MOST_READ = 128;
const MOST_READ_EACH = 32;
const ANYBODY = "";

interface House {
  unknown: Tries;
  reading: Map<string, number>;
}
const houses = new WeakMap<Steward, House>();

function houseOf(steward: Steward): House {
  const house = houses.get(steward) ?? { unknown: openTries(steward.now, { limit: MOST_UNKNOWN, windowMs: 60_000 }), reading: new Map() };
  houses.set(steward, house);
  return house;
}

export async function takeHook(steward: Steward, { request, peer }: Visit, name: string): Promise<Response> {
  const house = houseOf(steward);
  const from = peer ? clientAddress(peer.address, request.headers, steward.settings.config().server.proxies) : "inside";
  const { pathname, search } = new URL(request.url);
  const answer = await steward.chats
    .hook(name, {
      ...{ method: request.method, path: `${pathname.slice(`/hooks/${name}`.length)}${search}`, peer: from },
      headers: Object.fromEntries(request.headers),
      body: () => read(house, request, clientKey(from)),
    })
    .catch((error: unknown) => {
      const until = hasCode(error, "not_found") ? house.unknown.count(clientKey(from)) : undefined;
      if (until === undefined) throw error;
      throw tooMany("Too many names from this address that nobody has", (until - steward.now()) / 1000);
    });
  return new Response(answer.body ?? null, { status: answer.status, headers: answer.headers ?? {} });
}

const tooMany = (message: string, seconds: number) =>
  refusal("limit", message, { headers: { connection: "close", "retry-after": String(Math.max(1, Math.ceil(seconds))) } });

async function read({ reading }: House, request: Request, client: string): Promise<HookRequest["body"]> {
  const all = [ANYBODY, client];
  const count = (key: string): number => reading.get(key) ?? 0;
  if (count(ANYBODY) >= MOST_READ || count(client) >= MOST_READ_EACH) throw tooMany("Too much is being read at once; send it again", 1);
  for (const key of all) reading.set(key, count(key) + 1);
  try {
    return await readBytes(request, { bytes: MOST_BYTES, ms: READ_MS });
  } finally {
    for (const key of all)
      if (count(key) > 1) reading.set(key, count(key) - 1);
      else reading.delete(key);
  }
}
