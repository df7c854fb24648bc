// /config and /reload: settings by their dotted keys, read by the owner, changed within what a chat may.
import { existsSync } from "node:fs";
import { configJsonSchema, valueAt } from "../core/config.ts";
import { masked } from "../core/config-masked.ts";
import type { UndoEntry } from "../core/types.ts";
import type { Reply } from "../run/asides.ts";
import { choose } from "./choose.ts";
import { keysOf } from "../run/journal.ts";
import { readObject } from "../run/json-file.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { alone, type Command, list, ownerOnly, type Place } from "./command.ts";
import { forgetOffers } from "./offers.ts";

/** What the owner may change from any door. All else only at the page: rights, money, programs, addresses, what is reachable, which doors are open. */
const OPEN = [
  "model",
  "runtime",
  "failover",
  "webchat.port",
  "osAgent.port",
  "osAgent.defaultSession",
  "memory",
  "agents",
  "notifications",
  "voice.hear",
  "voice.language",
  "voice.timeoutSeconds",
  "asks",
  "limits",
  "zone",
  "log",
  "undo",
  "heartbeat",
];
const within = (key: string, names: readonly string[]): boolean => names.some((name) => key === name || key.startsWith(`${name}.`));

const SECRET_KEY = /(?:^|[a-z._-])(?:key|token|secret|password|passphrase|credential|credentials|authorization)$/i;
const SECRET_VALUE =
  /\b(?:sk|pk|rk)-[\w-]{16,}|\bxox[a-z]-[\w-]{10,}|\bgh[a-z]_\w{20,}|\bAIza[\w-]{20,}|\bAKIA[A-Z0-9]{12,}|\beyJ[\w-]{10,}\.[\w-]{10,}|\b\d{6,12}:[\w-]{30,}/g;
/** A name of a key in text that is, or nearly is, JSON, and text as its value. */
const SECRET_MEMBER =
  /["'](?:[\w.-]*[a-z._-])?(?:key|token|secret|password|passphrase|credential|credentials|authorization)["']\s*:\s*["'[{]\s*[^\s"'\]}]/i;

export const holdsSecret = (key: string, value: string): boolean =>
  SECRET_KEY.test(key) || value.search(SECRET_VALUE) >= 0 || SECRET_MEMBER.test(value) || inJson(value);

/** Names may be written with escapes. */
function inJson(text: string): boolean {
  const named = (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).some(
      ([key, one]) =>
        (SECRET_KEY.test(key) && typeof one !== "number" && typeof one !== "boolean" && one !== null && one !== "") || named(one),
    );
  return named(parse(text));
}

/** The text of a command as it may stand in the log. */
export const withoutSecrets = (text: string): string =>
  text
    .replace(SECRET_VALUE, "[redacted]")
    .replace(/^(\s*\/?config(?:@\w+)?\s+set\s+(\S+)\s+)([\s\S]+)$/i, (all: string, head: string, key: string, value: string) =>
      holdsSecret(key, value) ? `${head}[redacted]` : all,
    );

export const config: Command = {
  name: "config",
  about: "Settings of this Steward",
  owner: true,
  forms: [
    { text: "config", about: "what is set, and where it comes from" },
    { text: "config get KEY", about: "one setting" },
    { text: "config set KEY VALUE", about: "JSON, else text; takes the old value back with undo" },
    { text: "config unset KEY", about: "as Steward has it by itself" },
  ],
  values: async () => ["get", "set", "unset"],
  read({ words: [verb = "show", key, ...more], rest, slash }, place) {
    const what = verb.toLowerCase();
    if (what === "show" && key === undefined) return () => show(place);
    if (key === undefined || !["get", "set", "unset"].includes(what)) return undefined;
    if ((what === "set") !== more.length > 0) return undefined;
    if (!slash && !isKey(key)) return undefined;
    const value = rest.slice(rest.indexOf(key, verb.length) + key.length).trim();
    if (what === "get") return () => get(place, key);
    return () => change(place, key, what === "set" ? value : undefined);
  },
};

const schema: { made?: object } = {};

/** Whether the configuration has a setting of this name. */
function isKey(key: string): boolean {
  let at = (schema.made ??= configJsonSchema()) as Record<string, unknown> | undefined;
  for (const name of key.split(".")) {
    const properties = at?.["properties"] as Record<string, Record<string, unknown>> | undefined;
    const more = at?.["additionalProperties"];
    at =
      properties && Object.hasOwn(properties, name)
        ? properties[name]
        : typeof more === "object" && more !== null
          ? (more as Record<string, unknown>)
          : undefined;
    if (at === undefined) return false;
    const { anyOf } = at;
    if (Array.isArray(anyOf)) at = (anyOf as Record<string, unknown>[]).find((one) => "properties" in one) ?? at;
  }
  return true;
}

const shown = (value: unknown): string => oneLine(typeof value === "string" ? value : JSON.stringify(value), 300);

async function show({ steward, who }: Place): Promise<Reply> {
  ownerOnly(who);
  const { settings } = steward;
  const all = masked(settings.config());
  const lines = Object.entries(settings.origins()).flatMap(([key, origin]) => {
    const value = valueAt(all, key);
    return value === undefined ? [] : [`${key}: ${shown(value)} (${origin})`];
  });
  const wrong = settings.problem();
  return {
    text: [
      lines.length > 0 ? list(lines.sort()) : "Nothing is set: all is as Steward has it by itself.",
      ...(wrong ? [wrong] : []),
      "/config get KEY shows any other setting, /config set KEY VALUE changes one.",
    ].join("\n\n"),
  };
}

async function get({ steward, who }: Place, key: string): Promise<Reply> {
  ownerOnly(who);
  const value = valueAt(masked(steward.settings.config()), key);
  const origin = steward.settings.origins()[key];
  if (value === undefined && !isKey(key)) throw unknown(key);
  const text = value === undefined ? "not set" : typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return { text: text.includes("\n") ? `${key}:\n\n\`\`\`json\n${text}\n\`\`\`` : `${key}: ${text}${origin ? ` (${origin})` : ""}` };
}

const unknown = (key: string): StewardError =>
  new StewardError("not_found", `There is no setting ${oneLine(key, 60)}`, {
    hint: "/config shows what is set; docs/ and `steward config schema` tell all.",
  });

/** Throws denied for who may not change this setting from where they are. */
export function refuse(who: Place["who"], key: string, value: string): void {
  ownerOnly(who);
  if (holdsSecret(key, value))
    throw new StewardError("denied", "Keys, tokens and passwords are not set in a chat, which is kept", {
      hint: "The settings page or `steward secret set NAME` keeps them.",
    });
  if (!within(key, OPEN) && who.via !== "page")
    throw new StewardError(
      "denied",
      `${oneLine(key, 60)} decides about rights, money or what is reachable: it is changed by the owner at the page only`,
    );
}

const CHOICES: Record<string, "engine" | "model" | "pin"> = { "runtime.engine": "engine", model: "model", "runtime.pin": "pin" };

async function change(place: Place, key: string, value: string | undefined): Promise<Reply> {
  const { steward, who, session } = place;
  refuse(who, key, value ?? "");
  const parts = Object.keys(CHOICES).filter((one) => one.startsWith(`${key}.`));
  if (parts.length > 0)
    throw new StewardError("invalid", `${key} holds who answers, which is checked against the pins: it is changed by its parts`, {
      hint: `/config set ${parts.join(" VALUE, /config set ")} VALUE.`,
    });
  const before = valueAt(fileOf(place), key);
  if (Object.hasOwn(CHOICES, key)) {
    await choose(steward, who, { scope: "install", session, [CHOICES[key]!]: value ?? null });
    await record(place, { key, before });
    return { text: told(place, key, false) };
  }
  const { restart } = set(place, key, value);
  await record(place, { key, before });
  steward.log("info", "The configuration was changed", { key, by: who.person, via: who.via });
  await steward.models.forget();
  forgetOffers(steward);
  return { text: told(place, key, restart) };
}

/** Only what stands in the file: neither what Steward has by itself, nor the environment. */
const fileOf = ({ steward: { settings } }: Place): unknown => (existsSync(settings.path) ? readObject(settings.path) : {});

/** JSON where it fits the setting, else the text as it stands. */
function set({ steward: { settings } }: Place, key: string, value: string | undefined): { restart: boolean } {
  if (value === undefined) return settings.set(key, undefined);
  const parsed = parse(value);
  try {
    return settings.set(key, parsed);
  } catch (error) {
    if (typeof parsed === "string" || !hasCode(error, "invalid")) throw error;
    try {
      return settings.set(key, value);
    } catch {
      throw error;
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const jsonText = (name: string, value: unknown): Record<string, string> => (value === undefined ? {} : { [name]: JSON.stringify(value) });

/** The way back. */
async function record({ steward, who, session }: Place, { key, before }: { key: string; before: unknown }): Promise<void> {
  const after = valueAt(steward.settings.config(), key);
  const entry: UndoEntry = {
    ...{ id: newId("und"), person: who.person, session, turn: "", at: steward.now(), tool: "config", state: "done" },
    summary: `Changed the setting ${key}`,
    change: { type: "own", target: `config:${key}`, ...jsonText("before", before), ...jsonText("after", after) },
  };
  const [own, inSession] = keysOf(entry) as [string, string];
  await steward.store.commit({ put: { [own]: entry, [inSession]: true } });
}

function told({ steward: { settings } }: Place, key: string, restart: boolean): string {
  const value = valueAt(masked(settings.config()), key);
  const origin = settings.origins()[key];
  const over = origin !== undefined && origin !== "file" ? ` It is set by ${origin} too, which comes first.` : "";
  return `${key} is ${value === undefined ? "not set" : shown(value)} now${restart ? ", from the next start of Steward on" : ""}.${over} /undo takes it back.`;
}

export const reload: Command = {
  name: "reload",
  about: "Reads the configuration and the skills again",
  forms: [{ text: "reload", about: "also keys and what models there are; no restart" }],
  owner: true,
  read: alone(async ({ steward, who }) => {
    ownerOnly(who);
    const problem = steward.settings.problem();
    await steward.models.forget();
    await steward.models.discover();
    forgetOffers(steward);
    steward.caches.file.clear();
    await steward.schedules.look();
    return `🔄 Config and skills reloaded.${problem ? `\n\n${problem}` : ""}`;
  }),
};
