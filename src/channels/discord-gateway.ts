// The socket over which Discord tells what happens, by the SDK's shard: kept, resumed, and given up when it does not come back soon.
import type { SessionInfo, WebSocketShard, WebSocketShardEvents } from "@discordjs/ws";
import { type APIGatewayBotInfo, type GatewayDispatchPayload, GatewayOpcodes, type GatewayReadyDispatchData } from "discord-api-types/v10";
import { messageOf, StewardError } from "../std/error.ts";
import { farewell } from "./discord-faults.ts";

export interface Gateway {
  /** A heartbeat of ours was answered just now. Throws unavailable. */
  pulse(withinMs: number): Promise<void>;
  close(): Promise<void>;
}
export interface Listening {
  info: APIGatewayBotInfo;
  /** Whether this address may be given the token. */
  isOwn(url: string): boolean;
  token: string;
  intents: number;
  /** Anything came: an event, an answer to a heartbeat. */
  heard(): void;
  /** A session begins: what came before it is not told. */
  ready(data: GatewayReadyDispatchData): void;
  dispatch(event: GatewayDispatchPayload): void;
  /** It does not come back by itself. */
  lost(error: unknown): void;
  log(text: string, more?: Record<string, unknown>): void;
}

const OPEN_MS = 20_000;
const BACK_MS = 15_000;
const CLOSE_MS = 1000;
const VERSION = "10";

interface State {
  session: SessionInfo | null;
  ended: boolean;
  up: boolean;
  identifiedAt: number;
  waiting: Set<() => void>;
  back?: NodeJS.Timeout;
}

/** Resolves when events come. Throws denied with what to do, unavailable. */
export async function openGateway(listening: Listening): Promise<Gateway> {
  const { total, remaining, reset_after } = listening.info.session_start_limit;
  if (remaining === 0)
    throw new StewardError("unavailable", `This bot has begun ${total} sessions today, as many as Discord allows`, {
      retryAt: Date.now() + reset_after,
    });
  const { WebSocketShard: Shard, WebSocketShardEvents: on } = await import("@discordjs/ws");
  const state: State = { session: null, ended: false, up: false, identifiedAt: 0, waiting: new Set() };
  const shard = new Shard(strategy(listening, state), 0);
  const opened = Promise.withResolvers<void>();
  opened.promise.catch(() => {});
  const end = (): Promise<void> => ending(shard, state);
  const timer = setTimeout(() => opened.reject(new StewardError("unavailable", "Discord's gateway can't be reached")), OPEN_MS);
  attend(listening, { shard, state, opened, on });
  try {
    await Promise.race([shard.connect().then(() => opened.promise), opened.promise]);
  } catch (error) {
    await end();
    throw error instanceof StewardError ? error : new StewardError("unavailable", `Discord's gateway: ${messageOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
  return { pulse: (withinMs) => pulse(shard, state, withinMs), close: end };
}

/** Of this connection alone: the SDK's own strategy shares sessions between all bots of a process. */
function strategy({ info, isOwn, token, intents, log }: Listening, state: State): ConstructorParameters<typeof WebSocketShard>[0] {
  const never = new Promise<never>(() => {});
  return {
    options: {
      ...{ token, intents, version: VERSION, shardCount: 1, encoding: "json" as never, compression: null, largeThreshold: null },
      ...{ gatewayInformation: info, initialPresence: null, handshakeTimeout: 10_000, helloTimeout: 10_000, readyTimeout: 15_000 },
      identifyProperties: { browser: "Steward", device: "Steward", os: process.platform },
    },
    // Once it has ended, nothing goes on: a connection that was about to be made anew waits for this for ever.
    retrieveSessionInfo: () => (state.ended ? never : state.session),
    updateSessionInfo(_id, session) {
      const foreign = session !== null && !isOwn(session.resumeURL);
      if (foreign) log("Discord's gateway named an address that is not its own; it is not used");
      state.session = foreign ? { ...session, resumeURL: info.url } : session;
    },
    async waitForIdentify() {
      const wait = state.identifiedAt + 5000 / Math.max(1, info.session_start_limit.max_concurrency) - Date.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      state.identifiedAt = Date.now();
      log("Begins a session at Discord");
    },
  };
}

function attend(
  { heard, ready, dispatch, lost, log }: Listening,
  {
    shard,
    state,
    opened,
    on,
  }: { shard: WebSocketShard; state: State; opened: PromiseWithResolvers<void>; on: typeof WebSocketShardEvents },
): void {
  const tries = { count: 0, begun: false };
  const up = (): void => {
    clearTimeout(state.back);
    Object.assign(state, { up: true });
    Object.assign(tries, { count: 0, begun: true });
    opened.resolve();
  };
  const closed = (code: number): void => {
    log("The connection to Discord's gateway broke", { code });
    broken({ code, state, tries }, (error) => {
      if (tries.begun) lost(error);
      opened.reject(error);
    });
  };
  const during = <T extends unknown[]>(work: (...given: T) => void) => {
    return (...given: T): void => (state.ended ? undefined : work(...given));
  };
  shard.on(
    on.Ready,
    during(({ data }) => {
      ready(data);
      up();
    }),
  );
  shard.on(on.Resumed, during(up));
  shard.on(
    on.Dispatch,
    during(({ data }) => {
      heard();
      dispatch(data);
    }),
  );
  shard.on(
    on.HeartbeatComplete,
    during(() => {
      heard();
      for (const answered of state.waiting) answered();
    }),
  );
  shard.on(
    on.Error,
    during(({ error }) => log("Discord's gateway", { error: messageOf(error) })),
  );
  shard.on(
    on.Closed,
    during(({ code }) => closed(code)),
  );
}

/** Some codes are final; of the others, a connection comes back within seconds or is given up. */
function broken({ code, state, tries }: { code: number; state: State; tries: { count: number } }, down: (error: unknown) => void): void {
  state.up = false;
  const final = farewell(code);
  if (final) return down(final);
  if (++tries.count > 2) return down(new StewardError("unavailable", `Discord's gateway ends each connection (${code})`));
  const late = (): void =>
    state.ended ? undefined : down(new StewardError("unavailable", `Discord's gateway does not come back (${code})`));
  clearTimeout(state.back);
  state.back = setTimeout(late, BACK_MS).unref();
}

async function pulse(shard: WebSocketShard, state: State, withinMs: number): Promise<void> {
  if (!state.up) throw new StewardError("unavailable", "Discord's gateway is not connected at the moment");
  const answered = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => answered.reject(new StewardError("unavailable", "Discord's gateway is connected and does not answer")),
    withinMs,
  );
  state.waiting.add(answered.resolve);
  try {
    await shard.send({ op: GatewayOpcodes.Heartbeat, d: state.session?.sequence ?? null });
    await answered.promise;
  } catch (error) {
    throw error instanceof StewardError ? error : new StewardError("unavailable", `Discord's gateway: ${messageOf(error)}`);
  } finally {
    clearTimeout(timer);
    state.waiting.delete(answered.resolve);
  }
}

/** Also of a connection that is still being made, or that is dead: the SDK would leave the one to fail with nobody to hear it, and wait half a minute for the other. */
async function ending(shard: WebSocketShard, state: State): Promise<void> {
  if (state.ended) return;
  state.ended = true;
  clearTimeout(state.back);
  const socket = (shard as unknown as { connection: null | { on(name: "error", listen: () => void): void; terminate(): void } }).connection;
  socket?.on("error", () => {});
  const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
  await Promise.race([shard.destroy({ code: 1000, reason: "Steward closes" }).catch(() => {}), late]);
  socket?.terminate();
}
