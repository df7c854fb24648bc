// Which channels there shall be, with their settings and secrets in their places. Config, environment and the kept secrets decide; no flag is needed.
import type * as z from "zod/mini";
import type { ChannelKind } from "../core/channel.ts";
import { CHANNEL_SECRETS, type ChannelEntry, channelEntry, secretName } from "../core/config-channels.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";

export interface Entry {
  name: string;
  kind: string;
  entry: ChannelEntry;
  on: boolean;
  /** It is not in the configuration: a secret was found. */
  found: boolean;
}
const OURS = ["enabled", "kind", "strangers", "allow", "groups", "alertMinutes", "keepHours"];

/** Those of the configuration, and those whose secrets lie in the environment or were kept, sorted. `flags`: turned on for this start. */
export async function entriesOf(steward: Steward, flags: readonly string[] = []): Promise<Entry[]> {
  const configured = steward.settings.config().channels;
  const names = new Set([...Object.keys(configured), ...Object.keys(CHANNEL_SECRETS), ...flags]);
  const entries: Entry[] = [];
  for (const name of [...names].toSorted()) {
    const entry = configured[name] ?? channelEntry.parse({});
    const kind = entry.kind ?? name;
    const given = await hasSecret(steward, name, kind);
    if (configured[name] === undefined && !given && !flags.includes(name)) continue;
    entries.push({ name, kind, entry, on: flags.includes(name) || (entry.enabled ?? given), found: configured[name] === undefined });
  }
  return entries;
}

/** What was written into config.json counts too. */
async function hasSecret({ secrets, settings }: Steward, name: string, kind: string): Promise<boolean> {
  const keys = Object.keys(CHANNEL_SECRETS[kind] ?? {});
  const entry = settings.config().channels[name] ?? {};
  for (const key of keys) if (Object.hasOwn(entry, key) || (await secrets.where(secretName(name, key)))) return true;
  return false;
}

/** The adapter's own settings; a secret may be kept, be named by a reference, or stand in the file. */
export async function settingsOf(
  { secrets }: Steward,
  { name, entry }: Pick<Entry, "name" | "entry">,
  kind: ChannelKind,
): Promise<{ settings: Record<string, unknown>; missing: string[] }> {
  const settings: Record<string, unknown> = Object.fromEntries(Object.entries(entry).filter(([key]) => !OURS.includes(key)));
  const missing: string[] = [];
  for (const { key, secret, optional } of kind.needs) {
    const given = settings[key];
    if (typeof given === "object" && given !== null && typeof (given as { secret?: unknown }).secret === "string") {
      const value = await secrets.get((given as { secret: string }).secret);
      if (value === undefined) delete settings[key];
      else settings[key] = value;
    }
    if (secret && settings[key] === undefined) {
      const kept = await secrets.get(secretName(name, key));
      if (kept !== undefined) settings[key] = kept;
    }
    if (settings[key] === undefined && !optional) missing.push(key);
  }
  return { settings, missing };
}

/** In words of our own where the schema has none. */
function wrong(name: string, issue: z.core.$ZodIssue): string {
  const at = ["channels", name, ...issue.path.map(String)].join(".");
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${at}.${key}: there is no such setting`).join("; ");
  if (issue.code === "invalid_type") return `${at}: must be ${issue.expected}`;
  if (issue.code === "invalid_value") return `${at}: must be one of ${issue.values.map(String).join(", ")}`;
  return `${at}: ${issue.message}`;
}

/** Throws invalid that names each wrong key. */
export function parsed<C>(name: string, { config }: ChannelKind<C>, settings: Record<string, unknown>): C {
  const result = config.safeParse(settings);
  if (result.success) return result.data;
  throw misfit(name, result.error.issues);
}

/** The same of what is there, while these keys are missing. */
export function refuseWrong(name: string, { config }: ChannelKind, settings: Record<string, unknown>, missing: string[]): void {
  const issues = config.safeParse(settings).error?.issues.filter(({ path }) => !missing.includes(String(path[0]))) ?? [];
  if (issues.length > 0) throw misfit(name, issues);
}

const misfit = (name: string, issues: z.core.$ZodIssue[]): StewardError =>
  new StewardError("invalid", `The channel ${name} is not set up rightly: ${issues.map((issue) => wrong(name, issue)).join("; ")}`, {
    hint: `steward channels set ${name} KEY VALUE corrects it, unset takes it out, or Steward's page under Channels.`,
  });
