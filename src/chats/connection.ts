// One connection of a channel to its platform: opened with its settings and secrets, its messages received, its cursor and requests kept apart.
import type { Channel } from "../core/channel.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { givenUp } from "./attempts.ts";
import { parsed, settingsOf } from "./entries.ts";
import { soon, withinMinute } from "./lost.ts";
import { receive } from "./receive.ts";
import type { Keeping, Watching } from "./supervision.ts";

/** Connects with what is configured now; what comes in is received, once `ready`. Throws what is missing or wrong. */
export async function opened(
  watching: Watching,
  { entry, state, signal }: Pick<Keeping, "entry" | "state" | "signal">,
  { lost, ready }: { lost(error: unknown): void; ready: Promise<void> },
): Promise<Channel> {
  const { steward } = watching;
  const { name } = entry;
  const kind = await watching.load(entry.kind);
  state.title = kind.title;
  const { settings, missing } = await settingsOf(steward, entry, kind);
  state.missing = missing;
  if (missing.length > 0)
    throw new StewardError("invalid", `${kind.title}: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing`, {
      hint: `steward channels add ${entry.kind} leads through it, or Steward's page under Channels.`,
    });
  const cursorKey = `channel-cursor/${name}`;
  state.settings = settings;
  const opening = kind.open(parsed(name, kind, settings), {
    name,
    async inbox(message) {
      if (signal.aborted) throw new StewardError("unavailable", "Steward is stopping");
      await soon(ready);
      state.heardAt = state.messageAt = steward.now();
      const { account, keys = "" } = state;
      const key = `${keys}${message.key}`;
      const channel = steward.channels[name];
      const door = {
        entry: steward.settings.config().channels[name] ?? entry.entry,
        kind: entry.kind,
        ...(account === undefined ? {} : { account }),
        ...(channel ? { channel } : {}),
      };
      const taking = receive(steward, { ...message, key, to: { ...message.to, channel: name } }, door);
      // Nothing comes after it that it could keep from coming in, and only what was kept is acknowledged.
      return entry.kind === "webhook" ? taking : taking.catch((error: unknown) => givenUp(steward, { name, key }, error));
    },
    cursor: {
      get: async () => (await steward.store.get(cursorKey)) as string | undefined,
      put: async (cursor) => void (await steward.store.commit({ put: { [cursorKey]: cursor } })),
    },
    fetch: watching.fetchFor(kind, settings),
    heard: () => (state.heardAt = steward.now()),
    lost,
    log: (level, text, more = {}) => steward.log(level, text, { channel: name, ...more }),
    hook: (listen) => (state.listen = listen),
    now: steward.now,
  });
  return withinMinute(opening).catch((error: unknown) => {
    opening.then((late) => late.close()).catch(() => {}); // it came too late: nobody would close it
    throw error;
  });
}

/** Platforms count messages by account: those of another one under the same name are not those of before. The first account's keys stand as they come. */
export async function keysAt({ store }: Steward, name: string, account: string): Promise<string> {
  const doc = `channel-accounts/${name}`;
  const read = async (): Promise<Record<string, number>> => ((await store.get(doc)) ?? {}) as Record<string, number>;
  const known = await read();
  if (!Object.hasOwn(known, account))
    await store.commit({ once: `${doc}/${account}`, merge: { [doc]: { [account]: Object.keys(known).length } } });
  const count = (await read())[account] ?? 0;
  return count === 0 ? "" : `${count}~`;
}

const OFFERED = 30;

/** As the platform's own commands. */
export async function offerCommands({ commands }: Steward, channel: Channel): Promise<void> {
  if (!channel.commands) return;
  const list = await commands.list({ person: "nobody", role: "guest", via: "channel" });
  await channel.commands([{ name: "start", about: "Begins" }, ...list.map(({ name, about }) => ({ name, about }))].slice(0, OFFERED));
}
