// What the dialog about schedules shows of one beyond time and text, what of that was changed, and which field the server means.
import type { Schedule } from "./schedules-api.ts";

/** As it stands in the fields: all text, "" where nothing is said. */
export interface More {
  zone: string;
  place: Schedule["deliver"]["to"];
  into: string;
  channel: string;
  chat: string;
  missed: string;
  overlap: Schedule["overlap"];
  retries: string;
  maxRuns: string;
  session: string;
  tokens: string;
  dollars: string;
  engine: string;
  model: string;
  pin: "" | "local" | "engine";
}
/** null takes away what need not be there. */
export interface Change extends Partial<Pick<Schedule, "deliver" | "onMissed" | "overlap" | "retries">> {
  maxRuns?: number | null;
  ceiling?: { tokens?: number; dollars?: number } | null;
  session?: string | null;
  engine?: string | null;
  model?: string | null;
  pin?: string | null;
}

const MINUTE_MS = 60_000;
const text = (value: string | number | undefined): string => (value === undefined ? "" : String(value));

export function moreOf(schedule: Schedule | undefined): More {
  const { deliver = { to: "person" }, trigger, onMissed, ceiling } = schedule ?? {};
  const address = deliver.to === "channel" ? deliver.address : undefined;
  return {
    zone: trigger && "cron" in trigger ? text(trigger.zone) : "",
    place: deliver.to,
    into: deliver.to === "session" ? deliver.session : "",
    channel: text(address?.channel),
    chat: text(address?.chat),
    missed: typeof onMissed === "object" ? text(onMissed.within / MINUTE_MS) : text(onMissed),
    overlap: schedule?.overlap ?? "skip",
    retries: text(schedule?.retries ?? 2),
    maxRuns: text(schedule?.maxRuns),
    session: text(schedule?.session),
    tokens: text(ceiling?.tokens),
    dollars: text(ceiling?.dollars),
    engine: text(schedule?.engine),
    model: text(schedule?.model),
    pin: schedule?.pin ?? "",
  };
}

/** What is no number goes as it is: the server says so. */
const number = (given: string): number =>
  given.trim() === "" || Number.isNaN(Number(given)) ? (given as unknown as number) : Number(given);

/** Only what was changed. */
export function changesOf(now: More, schedule: Schedule | undefined): Change {
  const before = moreOf(schedule);
  const differ = (...keys: (keyof More)[]): boolean => keys.some((key) => now[key] !== before[key]);
  const change: Change = {};
  if (differ("place", "into", "channel", "chat")) change.deliver = deliverOf(now);
  if (differ("missed"))
    change.onMissed = now.missed === "skip" || now.missed === "ask" ? now.missed : { within: Math.round(number(now.missed) * MINUTE_MS) };
  if (differ("overlap")) change.overlap = now.overlap;
  if (differ("retries")) change.retries = number(now.retries);
  if (differ("maxRuns")) change.maxRuns = now.maxRuns.trim() === "" ? null : number(now.maxRuns);
  if (differ("tokens", "dollars")) change.ceiling = ceilingOf(now);
  for (const key of ["session", "engine", "model"] as const) if (differ(key)) change[key] = now[key].trim() || null;
  if (differ("pin")) change.pin = now.pin || null;
  return change;
}

function deliverOf({ place, into, channel, chat }: More): Schedule["deliver"] {
  if (place === "session") return { to: place, session: into };
  if (place === "channel") return { to: place, address: { channel: channel.trim(), chat: chat.trim() } };
  return { to: place };
}

function ceilingOf({ tokens, dollars }: More): NonNullable<Change["ceiling"]> | null {
  if (tokens.trim() === "" && dollars.trim() === "") return null;
  return {
    ...(tokens.trim() === "" ? {} : { tokens: number(tokens) }),
    ...(dollars.trim() === "" ? {} : { dollars: number(dollars) }),
  };
}

export type FieldName = keyof More | "when" | "text" | "name";
const NAMES: Record<string, FieldName> = {
  ...{ when: "when", trigger: "when", action: "text", name: "name", deliver: "place", session: "session", onMissed: "missed" },
  ...{ overlap: "overlap", retries: "retries", maxRuns: "maxRuns", engine: "engine", model: "model", pin: "pin" },
  ...{ "ceiling.tokens": "tokens", "ceiling.dollars": "dollars", "deliver.session": "into" },
  ...{ "deliver.address.channel": "channel", "deliver.address.chat": "chat" },
};

/** A refusal begins with the field's name where the shape is wrong; else it names the thing. */
export function fieldOf(message: string, { place }: More): FieldName | undefined {
  const named = /^([\w.]+)(?::| lies| is)/.exec(message)?.[1];
  const known = named && (NAMES[named] ?? NAMES[named.split(".")[0]!]);
  if (known) return known;
  if (/\bmodel\b|\bprovider\b/i.test(message)) return "model";
  if (/\bengine\b/i.test(message)) return "engine";
  if (/\bchat\b|\bchannel\b/i.test(message)) return "chat";
  if (/\bsession\b/i.test(message)) return place === "session" ? "into" : "session";
  if (/\bzone\b/i.test(message)) return "zone";
  return /\btime\b|\bover\b|\bcron\b/i.test(message) ? "when" : /nothing to do/i.test(message) ? "text" : undefined;
}
