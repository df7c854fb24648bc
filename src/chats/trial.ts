// Trying settings at the platform without keeping them, and without disturbing a connection of the same account.
import type { ChannelKind } from "../core/channel.ts";
import type { Fetch } from "../core/ports.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { withinMinute } from "./lost.ts";

/** By all that has to be brought from the platform. A webhook is nobody's account: there is nothing to disturb. */
export const isSameAccount = ({ name, needs }: ChannelKind, one: Record<string, unknown>, other: Record<string, unknown>): boolean =>
  name !== "webhook" && needs.every(({ key, optional = false }) => optional || one[key] === other[key]);

interface Settings {
  name: string;
  settings: Record<string, unknown>;
}

/** By the connection that is there: a second one would take its messages, or end it. Throws conflict where that one proves nothing. */
export async function probed({ channels }: Steward, wanted: Settings, there: Settings): Promise<{ account: string }> {
  if (wanted.name !== there.name)
    throw new StewardError("conflict", `The channel ${there.name} has this account already`, {
      hint: "Each account is one channel: two would take each other's messages.",
    });
  const keys = new Set([...Object.keys(wanted.settings), ...Object.keys(there.settings)]);
  const changed = [...keys].filter((key) => JSON.stringify(wanted.settings[key]) !== JSON.stringify(there.settings[key]));
  const channel = channels[there.name];
  if (changed.length > 0 || !channel)
    throw new StewardError("conflict", `${there.name} is connected with this account, and a second connection would disturb it`, {
      hint: "Keep the settings: it connects anew with them at once and says what is wrong.",
    });
  return withinMinute(channel.probe());
}

/** Connects as another reader would and takes nothing: what comes meanwhile is left to come again. */
export async function tried(
  steward: Steward,
  { kind, name, config, fetch }: { kind: ChannelKind; name: string; config: unknown; fetch: Fetch },
): Promise<{ account: string }> {
  const channel = await kind.open(config, {
    name,
    inbox: async () => Promise.reject(new StewardError("unavailable", "This was only a test")),
    cursor: { get: async () => undefined, put: async () => {} },
    fetch,
    heard() {},
    lost() {},
    log: (level, text, more) => steward.log(level, text, more),
    hook() {},
    now: steward.now,
  });
  try {
    return await channel.probe();
  } finally {
    await channel
      .close()
      .catch((error: unknown) => steward.log("debug", "A test of a channel did not end cleanly", { error: messageOf(error) }));
  }
}
