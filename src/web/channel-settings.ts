// What the form of a channel shows as its settings, and what of them was changed.
import type { Channel, Kind, Settings } from "./channels-api.ts";

/** Said of a secret that is to go. Not a value that anybody types. */
export const TAKE_OUT = "\u{0}";

export const isSet = (channel: Channel | undefined, key: string): boolean =>
  channel !== undefined && (channel.secrets.includes(key) || channel.settings[key] !== undefined);

export const scalar = (value: unknown): value is string | number | boolean =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean";

export const plainValues = ({ needs }: Kind, channel: Channel | undefined): Record<string, string> =>
  Object.fromEntries(
    needs.flatMap(({ key, secret }) => {
      const value = channel?.settings[key];
      return secret || !scalar(value) ? [] : [[key, String(value)]];
    }),
  );

/** Settings beyond the needs, `name = value` a line. */
export function linesOf({ needs }: Kind, channel: Channel | undefined): string {
  const known = new Set(needs.map(({ key }) => key));
  return Object.entries(channel?.settings ?? {})
    .flatMap(([key, value]) => (known.has(key) || !scalar(value) ? [] : [`${key} = ${String(value)}`]))
    .join("\n");
}

const parsedLines = (text: string): Map<string, string> =>
  new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const at = line.indexOf("=");
      return at < 1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
    }),
  );

const plain = (value: string): string | number | boolean =>
  value === "true" ? true : value === "false" ? false : /^\d{1,6}$/.test(value) ? Number(value) : value;

interface Edited {
  kind: Kind;
  channel: Channel | undefined;
  values: Record<string, string>;
  more: string;
}

/** Only what was changed; null takes a setting out. What is shown hidden and left so stays as it is. */
export function changes({ kind, channel, values, more }: Edited): Settings {
  const settings: Settings = {};
  const before = plainValues(kind, channel);
  for (const { key, secret } of kind.needs) {
    const value = (values[key] ?? "").trim();
    if (secret ? value === "" : value === (before[key] ?? "")) continue;
    settings[key] = value === "" || value === TAKE_OUT ? null : secret ? value : plain(value);
  }
  const [old, now] = [parsedLines(linesOf(kind, channel)), parsedLines(more)];
  for (const [key, value] of now) if (old.get(key) !== value) settings[key] = plain(value);
  for (const key of old.keys()) if (!now.has(key)) settings[key] = null;
  return settings;
}
