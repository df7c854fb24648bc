// Keeps one channel connected: opens it, sees whether messages travel, opens it anew when in doubt, tells the owner when that lasts. Each channel by itself.
import type { ChannelKind, HookAnswer, HookRequest } from "../core/channel.ts";
import type { Fetch } from "../core/ports.ts";
import type { ChannelInfo, ChannelState, HookCall } from "../run/chats.ts";
import { LEASE_MS } from "../run/jobs.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { keysAt, offerCommands, opened } from "./connection.ts";
import type { Entry } from "./entries.ts";
import { deliverBy, type Lease, mine } from "./lease.ts";
import { losing, type Lost, unlessLost, withinMinute } from "./lost.ts";

export interface Watch {
  info(): Omit<ChannelInfo, "waiting">;
  /** Connects anew at once. */
  again(): void;
  hook(call: HookCall): Promise<HookAnswer>;
  /** The settings of the connection that is open, or being opened. */
  settings(): Record<string, unknown> | undefined;
  close(): Promise<void>;
}
export interface Watching {
  steward: Steward;
  load(kind: string): Promise<ChannelKind>;
  /** May reach the origins of these settings. */
  fetchFor(kind: ChannelKind, settings: Record<string, unknown>): Fetch;
  /** The owner is told elsewhere: once when it has been in doubt too long, once when it is well again. */
  alert(name: string, text: string): Promise<void>;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 300_000;
const PROBE_MS = 60_000;
const DOUBT_MS = 180_000;
/** Connected for so long it counts as well. */
const STEADY_MS = 60_000;
/** What is sent there may be taken soon. */
const COMING: ChannelState[] = ["opening", "waiting", "elsewhere"];

export interface State {
  state: ChannelState;
  since: number;
  title: string;
  account?: string;
  /** What stands before the keys of its messages. */
  keys?: string;
  problem?: string;
  hint?: string;
  heardAt?: number;
  messageAt?: number;
  retryAt?: number;
  missing: string[];
  tries: number;
  /** Since when it does not work. */
  ill?: number;
  told?: boolean;
  listen?: (request: HookRequest) => Promise<HookAnswer>;
  /** What it was opened with, secrets and all: never shown. */
  settings?: Record<string, unknown>;
}

export function watch(watching: Watching, entry: Entry): Watch {
  const { steward } = watching;
  const ending = new AbortController();
  const state: State = { state: "opening", since: steward.now(), title: entry.kind, missing: [], tries: 0 };
  const wake: { now?: () => void; again: boolean } = { again: false };
  // Ends early when poked. Resolves to whether somebody wants it connected anew.
  const pause = (ms: number): Promise<boolean> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        if (wake.now === end) delete wake.now;
        const { again } = wake;
        wake.again = false;
        resolve(again);
      };
      const timer = setTimeout(end, ms);
      wake.now = end;
      if (ending.signal.aborted || wake.again) end();
    });
  const stir = (): void => wake.now?.();
  const done = keep(watching, { entry, state, pause, stir, signal: ending.signal });
  const poke = (): void => {
    wake.again = true;
    stir();
  };
  return {
    info: () => ({ name: entry.name, kind: entry.kind, ...shown(state, steward.now()) }),
    again: poke,
    settings: () => (state.state === "healthy" || state.state === "opening" ? state.settings : undefined),
    async hook(call) {
      if (!state.listen)
        throw COMING.includes(state.state)
          ? new StewardError("unavailable", "The channel is not connected here just now")
          : new StewardError("not_found", "Nobody listens there");
      const request = { ...call, body: await call.body() };
      // It may have been closed meanwhile.
      if (!state.listen) throw new StewardError("unavailable", "The channel is being connected anew");
      return state.listen(request);
    },
    async close() {
      ending.abort();
      poke();
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 3000).unref())]);
    },
  };
}

function shown(
  { tries: _t, ill: _i, keys: _k, told: _a, listen: _l, settings: _s, ...state }: State,
  now: number,
): Omit<ChannelInfo, "name" | "kind" | "waiting"> {
  const stale = state.state === "healthy" && now - (state.heardAt ?? 0) > DOUBT_MS;
  return stale ? { ...state, state: "doubtful", problem: "Nothing was heard of the platform lately" } : state;
}

export interface Keeping {
  entry: Entry;
  state: State;
  pause(ms: number): Promise<boolean>;
  /** Ends the pause, if there is one. */
  stir(): void;
  signal: AbortSignal;
}

function become(watching: Watching, { state }: Keeping, next: ChannelState, more: Partial<State> = {}): void {
  const { now } = watching.steward;
  if (state.state !== next) state.since = now();
  delete state.problem;
  delete state.hint;
  delete state.retryAt;
  Object.assign(state, { state: next, ...more });
  // Where another process has it, that one knows how it is.
  if (next === "elsewhere" || next === "off") delete state.ill;
  else if (next !== "healthy") state.ill ??= now();
}

async function keep(watching: Watching, keeping: Keeping): Promise<void> {
  const { steward } = watching;
  const { state, entry, signal, pause } = keeping;
  if (!entry.on) return become(watching, keeping, "off");
  const deliveries = deliverBy(entry.name);
  signal.addEventListener("abort", () => delete steward.work[deliveries], { once: true });
  while (!signal.aborted) {
    const lease = await mine(steward, entry.name).catch(() => undefined);
    if (!lease) {
      delete steward.work[deliveries];
      become(watching, keeping, "elsewhere");
      await pause(LEASE_MS / 2);
      continue;
    }
    if (!signal.aborted) steward.work[deliveries] = steward.work["deliver"]!;
    try {
      await lease.renew();
      await connected(watching, keeping, lease);
    } catch (error) {
      failed(watching, keeping, error);
    } finally {
      await lease.free();
    }
    if (signal.aborted) break;
    await tellIll(watching, keeping);
    if (state.retryAt !== undefined) await pause(Math.max(0, state.retryAt - steward.now()));
  }
}

function failed(watching: Watching, keeping: Keeping, error: unknown): void {
  const { steward } = watching;
  const { state, entry } = keeping;
  const passing =
    !(error instanceof StewardError) ||
    error.code === "unavailable" ||
    error.code === "stale" ||
    error.code === "internal" ||
    error.code === "limit";
  const wait = passing ? Math.min(FIRST_WAIT_MS * 2 ** state.tries, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2) : LONGEST_WAIT_MS;
  const asked = error instanceof StewardError ? (error.retryAt ?? 0) : 0;
  become(watching, keeping, state.missing.length > 0 ? "missing" : passing ? "waiting" : "refused", {
    problem: messageOf(error),
    retryAt: Math.max(asked, steward.now() + wait),
    tries: state.tries + 1,
    ...(error instanceof StewardError && error.hint ? { hint: error.hint } : {}),
  });
  steward.log(passing ? "warning" : "error", "A channel is not connected", { channel: entry.name, error: messageOf(error) });
}

/** Open until it is lost, closed, wanted anew, or too long in doubt. Throws why. */
async function connected(watching: Watching, keeping: Keeping, lease: Lease): Promise<void> {
  const { steward } = watching;
  const { entry, state, signal } = keeping;
  if (state.state !== "opening") become(watching, keeping, "opening");
  const lost: Lost = { tell: keeping.stir };
  const stop = (): void => losing(lost, new StewardError("unavailable", "Steward is stopping"));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  // What comes before the account is known waits: who is paired is paired with an account.
  const known = Promise.withResolvers<void>();
  known.promise.catch(() => {});
  const channel = await opened(watching, keeping, {
    ready: known.promise,
    lost: (error) => losing(lost, error),
  }).catch((error: unknown) => {
    known.reject(new StewardError("unavailable", "Not connected"));
    signal.removeEventListener("abort", stop);
    throw error;
  });
  try {
    const { account } = await unlessLost(lost, withinMinute(channel.probe()));
    if (account) Object.assign(state, { account, keys: await keysAt(steward, entry.name, account) });
    await lease.renew();
    state.heardAt = steward.now();
    steward.channels[entry.name] = channel;
    become(watching, keeping, "healthy");
    known.resolve();
    await offerCommands(steward, channel).catch((error: unknown) =>
      steward.log("debug", "Commands could not be offered", { channel: entry.name, error: messageOf(error) }),
    );
    while (!signal.aborted) {
      lost.tell = keeping.stir;
      const again = lost.error ? false : await keeping.pause(PROBE_MS / 3);
      if (signal.aborted || again) return;
      if (lost.error) throw lost.error;
      await lease.renew();
      if (steward.now() - state.since >= STEADY_MS) await steady(watching, keeping);
      if (steward.now() - (state.heardAt ?? 0) < PROBE_MS) continue;
      await unlessLost(lost, withinMinute(channel.probe()));
      state.heardAt = steward.now();
    }
  } finally {
    signal.removeEventListener("abort", stop);
    known.reject(new StewardError("unavailable", "Not connected"));
    if (steward.channels[entry.name] === channel) delete steward.channels[entry.name];
    delete state.listen;
    await Promise.race([channel.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
  }
}

/** One that comes and goes is not well. */
async function steady(watching: Watching, keeping: Keeping): Promise<void> {
  keeping.state.tries = 0;
  delete keeping.state.ill;
  await tellWell(watching, keeping);
}

async function tellIll(watching: Watching, { entry, state }: Keeping): Promise<void> {
  const { steward, alert } = watching;
  if (state.told || state.ill === undefined || steward.now() - state.ill < entry.entry.alertMinutes * 60_000) return;
  state.told = true;
  await alert(
    entry.name,
    `${state.title} (${entry.name}) has not worked for ${entry.entry.alertMinutes} minutes: ${state.problem ?? "nothing is heard of it"}.${state.hint ? ` ${state.hint}` : ""}`,
  );
}

async function tellWell(watching: Watching, { entry, state }: Keeping): Promise<void> {
  if (!state.told) return;
  state.told = false;
  await watching.alert(entry.name, `${state.title} (${entry.name}) works again.`);
}
