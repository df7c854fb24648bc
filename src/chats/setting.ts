// Making, changing and taking out channels, for the owner: settings go to config.json, secrets to where secrets are kept.
import type { ChannelKind } from "../core/channel.ts";
import { CHANNEL_SECRETS, channelEntry, type ChannelEntry, secretName } from "../core/config-channels.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { refuseWrong, settingsOf } from "./entries.ts";

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** What stands beside the platform's own settings has fields of its own. */
const OURS = new Set(["enabled", "kind", "strangers", "allow", "groups"]);

export interface ChannelChange {
  kind?: string | undefined;
  enabled?: boolean | undefined;
  settings: Record<string, string | number | boolean | null>;
  strangers?: "pair" | "ignore" | undefined;
  groups?: Record<string, { people: string[] }> | undefined;
  allow?: string[] | Record<string, string> | undefined;
}

/** Throws invalid, not_found. A channel that is new is turned on. */
export async function setChannel(steward: Steward, name: string, change: ChannelChange): Promise<void> {
  const { settings: given, ...more } = change;
  if (!NAME.test(name)) throw new StewardError("invalid", "The name of a channel is like telegram or team-slack");
  const wrong = Object.keys(given).find((key) => OURS.has(key) || key in {});
  if (wrong !== undefined) throw new StewardError("invalid", `${wrong} is no setting of the platform`);
  const before = steward.settings.config().channels[name];
  const kind = await steward.chats.kind(more.kind ?? before?.kind ?? name);
  const secret = new Set(kind.needs.filter((need) => need.secret).map(({ key }) => key));
  const entry: Record<string, unknown> = { ...(before ?? { enabled: true }) };
  const secrets = Object.entries(given).filter(([key]) => secret.has(key));
  for (const [key, value] of Object.entries({ ...given, ...more })) {
    if (value === undefined) continue;
    // What was written into the file would go before what is kept.
    if (value === null || secret.has(key)) delete entry[key];
    else entry[key] = value;
  }
  if (kind.name !== name) entry["kind"] = kind.name;
  const checked = channelEntry.safeParse(entry);
  if (!checked.success)
    throw new StewardError("invalid", `channels.${name}: ${checked.error.issues.map(({ message }) => message).join("; ")}`);
  const whole = checked.data;
  const { settings, missing } = await settingsOf(steward, { name, entry: { ...whole, ...Object.fromEntries(secrets) } }, kind);
  // What is still missing may come later; what is there has to be right.
  refuseWrong(name, kind, Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null)), missing);
  for (const [key, value] of secrets) await keepSecret(steward, secretName(name, key), value);
  steward.settings.set(`channels.${name}`, slim(whole));
}

async function keepSecret({ secrets }: Steward, name: string, value: string | number | boolean | null): Promise<void> {
  if (value !== null) return void (await secrets.set(name, String(value)));
  if ((await secrets.names()).includes(name)) await secrets.remove(name);
}

/** Without what is the default anyway. */
function slim(entry: ChannelEntry): Record<string, unknown> {
  const defaults: Record<string, unknown> = channelEntry.parse({});
  return Object.fromEntries(
    Object.entries(entry).filter(([key, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(defaults[key])),
  );
}

export async function removeChannel(steward: Steward, name: string): Promise<void> {
  const kind = await steward.chats.kind(steward.settings.config().channels[name]?.kind ?? name).catch(() => undefined);
  const keys = kind?.needs.filter(({ secret }) => secret).map(({ key }) => key) ?? Object.keys(CHANNEL_SECRETS[name] ?? {});
  for (const key of keys) await keepSecret(steward, secretName(name, key), null);
  if (steward.settings.config().channels[name] !== undefined) steward.settings.set(`channels.${name}`, undefined);
}

/** Environment variables that may hold a need's secret. */
export const envOf = (kind: ChannelKind, key: string): string[] => CHANNEL_SECRETS[kind.name]?.[key] ?? [];
