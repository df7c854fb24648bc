// A body of bytes on its way into a computer: its size, its pace, and how many are taken at once, since a file is written whole.
import type { Principal } from "../core/types.ts";
import { allowanceOf } from "../run/allowance.ts";
import type { Steward } from "../run/steward.ts";
import { bytes as sizeOf } from "../std/text.ts";
import { within } from "../std/within.ts";
import { cutOff, tooSlow } from "./body.ts";
import { type Lanes, openLanes } from "./lanes.ts";
import { refusal } from "./status.ts";

const STALLED_MS = 30_000;
/** So many of the largest may be in memory, of all persons together; each person has one at a time. */
const LARGEST = 3;

interface Taken {
  lanes: Lanes;
  bytes: number;
}
const taken = new WeakMap<Steward, Taken>();

/** Throws limit (413), unavailable when others' fill the memory set aside, 408 when nothing comes for 30 seconds. `done` lets the person's next one in. */
export async function receive(steward: Steward, who: Principal, request: Request): Promise<{ bytes: Uint8Array; done(): void }> {
  const limit = allowanceOf(steward, who.role).uploadBytes;
  const most = LARGEST * steward.settings.config().limits.uploadBytes;
  const tooLarge = () =>
    refusal("limit", `The file is larger than ${sizeOf(limit)}`, {
      status: 413,
      hint: "steward config set limits.uploadBytes changes the limit.",
      headers: { connection: "close" },
    });
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge();
  const all = taken.get(steward) ?? { lanes: openLanes(), bytes: 0 };
  taken.set(steward, all);
  const next = await all.lanes(who.person);
  let size = 0;
  const done = (): void => {
    all.bytes -= size;
    size = 0;
    next();
  };
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of paced(request.body)) {
      size += chunk.byteLength;
      all.bytes += chunk.byteLength;
      if (size > limit) throw tooLarge();
      if (all.bytes > most)
        throw refusal("unavailable", "Too many large files are being written at once", {
          hint: "Try again in a moment.",
          headers: { connection: "close" },
        });
      chunks.push(chunk);
    }
    return { bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size), done };
  } catch (error) {
    done();
    return cutOff(error);
  }
}

async function* paced(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), STALLED_MS, tooSlow);
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
