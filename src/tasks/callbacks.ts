// Programs of this process that listen to a channel.
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf } from "../std/error.ts";
import { busKey, rowsOf } from "./bus.ts";
import { channelName } from "./docs.ts";
import { hearing } from "./ears.ts";

const LOOK_MS = 2000;

/** From now on, each once and in order, whichever process sends. A callback that throws stops nobody, not even itself. */
export function subscribe(
  steward: Steward,
  { person }: Principal,
  { channel, callback }: { channel: string; callback: (message: string, sender: string) => unknown },
): () => void {
  const name = channelName(channel);
  const state: { cursor: Promise<number>; now: Promise<void>; over?: true } = {
    cursor: steward.store.get(busKey(person)).then((bus) => (bus as { version?: number } | undefined)?.version ?? 0),
    now: Promise.resolve(),
  };
  const look = async (): Promise<void> => {
    const after = await state.cursor;
    for (const { n, text, from } of await rowsOf(steward, person, name)) {
      if (n <= after || state.over) continue;
      state.cursor = Promise.resolve(n);
      await Promise.resolve()
        .then(() => callback(text, from))
        .catch((error: unknown) => steward.log("warning", "A subscriber failed", { channel: name, error: messageOf(error) }));
    }
  };
  const wake = (): void =>
    void (state.now = state.now
      .then(look)
      .catch((error: unknown) => steward.log("warning", "A channel could not be read", { channel: name, error: messageOf(error) })));
  const timer = setInterval(wake, LOOK_MS);
  timer.unref();
  hearing(steward).add(wake);
  wake();
  return () => {
    state.over = true;
    clearInterval(timer);
    hearing(steward).delete(wake);
  };
}
