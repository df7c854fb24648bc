// All channels: which there are, kept connected each by itself, changed without a restart.
import type { ChannelKind } from "../core/channel.ts";
import { channelEntry, secretName } from "../core/config-channels.ts";
import type { Fetch } from "../core/ports.ts";
import type { ChannelInfo, Chats } from "../run/chats.ts";
import type { Work } from "../run/jobs.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { entriesOf, type Entry, parsed, settingsOf } from "./entries.ts";
import { forgetHad } from "./lease.ts";
import { deliverStray } from "./stray.ts";
import { probed, isSameAccount, tried } from "./trial.ts";
import type { Watch, Watching } from "./supervision.ts";

/** What channels need is loaded when there is one. */
export const chatWork: Record<string, Work> = {
  deliver: async (steward, job) => (await import("./deliver.ts")).deliver(steward, job),
  bang: async (steward, job, hold) => (await import("./bang-work.ts")).bang(steward, job, hold),
};

const MOST_COUNTED = 1000;
const AGAIN_MS = 30_000;

export interface ChatsOptions {
  load(kind: string): Promise<ChannelKind>;
  names(): string[];
  /** Public addresses, and these origins. */
  fetch(allow: (origin: string) => boolean): Fetch;
  /** Channels turned on for this start by a flag. */
  flags?: readonly string[];
  alert?: Watching["alert"];
}

interface Kept {
  /** What it was opened with: another value opens it anew. */
  with: string;
  watch: Watch;
}

export function openChats(steward: () => Steward, options: ChatsOptions): Chats {
  const kept = new Map<string, Kept>();
  const ending = new AbortController();
  const watching: Watching = {
    get steward() {
      return steward();
    },
    load: options.load,
    fetchFor: (kind, settings) => options.fetch(originsOf(kind, settings)),
    alert: options.alert ?? (async (name, text) => steward().log("error", text, { channel: name })),
  };
  const refresh = oneAtATime(() => renew({ steward: steward(), options, watching, kept, signal: ending.signal }));
  const list = (): Promise<ChannelInfo[]> =>
    Promise.all(
      [...kept.values()].map(async ({ watch: { info } }) => {
        const one = info();
        return { ...one, waiting: await waitingOf(steward(), one.name) };
      }),
    );
  // What can't be read now, such as a keychain that is locked, is tried again: no channel stays closed for that.
  const look = (): void =>
    void refresh().catch((error: unknown) => {
      steward().log("error", "The channels could not be looked at; trying again", { error: messageOf(error) });
      if (!ending.signal.aborted) setTimeout(look, AGAIN_MS).unref();
    });
  const of = (name: string): Watch => {
    const found = kept.get(name)?.watch;
    if (!found) throw new StewardError("not_found", `There is no channel "${name}"`, { hint: "steward channels lists them." });
    return found;
  };
  return {
    begin() {
      look();
      steward().settings.onChange(look);
    },
    list,
    refresh,
    kind: options.load,
    kinds: async () =>
      (await Promise.allSettled(options.names().map(options.load))).flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
    async again(name) {
      of(name).again();
      await refresh();
      return (await list()).find((one) => one.name === name)!;
    },
    test: (given) => trial({ steward: steward(), options, kept }, given),
    approve: async (given) => (await import("./pairing.ts")).approve(steward(), given),
    async hook(name, call) {
      const { channels } = steward().settings.config();
      // Whoever calls does not always come again after a 404.
      if (!kept.has(name) && Object.hasOwn(channels, name) && channels[name]!.enabled !== false)
        throw new StewardError("unavailable", "The channel is being connected");
      return of(name).hook(call);
    },
    async close() {
      ending.abort();
      await refresh();
    },
  };
}

/** Throws what is wrong. */
async function trial(
  { steward, options, kept }: Pick<House, "steward" | "options" | "kept">,
  { name, kind: of, settings }: Parameters<Chats["test"]>[0],
): Promise<{ account: string }> {
  const kind = await options.load(of);
  const entry = { name, entry: channelEntry.parse({ ...steward.settings.config().channels[name], ...settings }) };
  const { settings: whole, missing } = await settingsOf(steward, entry, kind);
  if (missing.length > 0) throw new StewardError("invalid", `Missing: ${missing.join(", ")}`);
  const config = parsed(name, kind, whole);
  for (const [known, { watch }] of kept) {
    const there = watch.info().kind === kind.name ? watch.settings() : undefined;
    if (there && isSameAccount(kind, there, whole)) return probed(steward, { name, settings: whole }, { name: known, settings: there });
  }
  return tried(steward, { kind, name, config, fetch: options.fetch(originsOf(kind, whole)) });
}

interface House {
  steward: Steward;
  options: ChatsOptions;
  watching: Watching;
  kept: Map<string, Kept>;
  signal: AbortSignal;
}

/** Opens what is new, closes what is gone, and anew what has changed. */
async function renew({ steward, options, watching, kept, signal }: House): Promise<void> {
  const entries = signal.aborted ? [] : await entriesOf(steward, options.flags);
  const marks = new Map(await Promise.all(entries.map(async (entry) => [entry.name, await fingerprint(steward, options, entry)] as const)));
  const over = [...kept].filter(([name, { with: had }]) => marks.get(name) !== had);
  for (const [name] of over) kept.delete(name);
  await Promise.all(over.map(([, { watch: old }]) => old.close()));
  if (!signal.aborted)
    await forgetHad(
      steward,
      over.map(([name]) => name).filter((name) => !entries.some((entry) => entry.name === name && entry.on)),
    );
  if (!signal.aborted) await deliverStray(steward, (name) => entries.some((entry) => entry.name === name && entry.on));
  if (entries.length === 0) return;
  const [{ watch }, { follow }] = await Promise.all([import("./supervision.ts"), import("./follow.ts")]);
  follow(steward, signal);
  for (const entry of entries)
    if (!kept.has(entry.name)) kept.set(entry.name, { with: marks.get(entry.name)!, watch: watch(watching, entry) });
}

/** What opens the channel anew when it changes. Who may speak is read with each message, so it is not in it. */
async function fingerprint({ secrets }: Steward, { load }: ChatsOptions, entry: Entry): Promise<string> {
  const needs = await load(entry.kind).then(
    (kind) => kind.needs,
    () => [],
  );
  const values = await Promise.all(needs.filter(({ secret }) => secret).map(({ key }) => secrets.get(secretName(entry.name, key))));
  const { strangers: _s, allow: _a, groups: _g, ...settings } = entry.entry;
  return JSON.stringify([entry.kind, entry.on, settings, values]);
}

function originsOf({ outside = [] }: ChannelKind, settings: Record<string, unknown>): (origin: string) => boolean {
  const origins = new Set(
    Object.entries(settings).flatMap(([key, value]) =>
      typeof value === "string" && !outside.includes(key) && URL.canParse(value) ? [new URL(value).origin] : [],
    ),
  );
  return (origin) => origins.has(origin);
}

/** No more than are counted at a glance. */
const waitingOf = async ({ store }: Steward, channel: string): Promise<number> =>
  (await store.list(`outbox/[${JSON.stringify(channel)},`, { first: MOST_COUNTED })).length;

/** Asked for while it runs, it runs once more; resolves when nothing is left to do. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let tail: Promise<void> = Promise.resolve();
  return () => (tail = tail.then(work, work));
}
