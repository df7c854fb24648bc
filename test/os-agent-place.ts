// OS-Agent's door in front of a real Steward, and clients that talk to it as its programs do. For tests of that door.
import { type ClientOptions, WebSocket } from "ws";
import { type OsAgent, openOsAgent } from "../src/gateway/os-agent/listener.ts";
import { openPlace, type Place } from "./gateway-place.ts";

export interface OsPlace extends Place {
  osAgent: OsAgent;
  /** Connects; rejects with the HTTP status when the handshake is refused. */
  connect(path?: string, options?: ClientOptions): Promise<Talk>;
}
export interface Talk {
  socket: WebSocket;
  frames: string[];
  send(frame: unknown): void;
  /** Sends a command and resolves with the next frame that has a result or an error, as Python's helper does. */
  ask(command: string, args?: object): Promise<Frame>;
  /** Resolves with the first frame (from `from` on) that fits. */
  until(fits: (frame: string) => boolean, from?: number): Promise<string>;
  /** Resolves with code and reason. */
  closed: Promise<[number, string]>;
  close(): Promise<void>;
}
export interface Frame {
  result?: unknown;
  error?: string;
}

export const PYTHON = "Python/3.11 websockets/10.4";

export async function openOsPlace(options: Parameters<typeof openPlace>[0] = {}): Promise<OsPlace> {
  const place = await openPlace({ ...options, config: { "auth.local": "open", "computer.kind": "contained", ...options.config } });
  const osAgent = await openOsAgent(place.gateway.gate, { host: "127.0.0.1", port: 0 });
  return {
    ...place,
    osAgent,
    connect: (path = "/?user=demo&session=ws", more = {}) => connect(`${osAgent.url}${path}`, more),
    async close() {
      await osAgent.close();
      await closePlace(place);
    },
  };
}

/** With the computers that connections have started. */
export async function closePlace(place: Place): Promise<void> {
  const { store, computers } = place.composed.steward;
  for (const { key } of await store.list("person/")) await computers.forget(key.slice("person/".length));
  await computers.forget("owner");
  await place.close();
}

export async function connect(url: string, options: ClientOptions = {}): Promise<Talk> {
  const socket = new WebSocket(url, options);
  const frames: string[] = [];
  const waiting = new Set<() => void>();
  const over = Promise.withResolvers<[number, string]>();
  socket.on("close", (code, reason) => over.resolve([code, String(reason)]));
  const closed = over.promise;
  socket.on("message", (data) => {
    frames.push(String(data));
    for (const look of waiting) look();
  });
  const opened = Promise.withResolvers<void>();
  socket.on("open", opened.resolve);
  socket.on("unexpected-response", (_request, response) => {
    opened.reject(new Error(String(response.statusCode)));
    socket.terminate();
  });
  socket.on("error", opened.reject);
  await opened.promise;
  const until: Talk["until"] = async (fits, from = 0) => {
    const found = Promise.withResolvers<string>();
    const look = (): void => {
      const frame = frames.slice(from).find(fits);
      if (frame !== undefined) found.resolve(frame);
    };
    const lost = (): void => found.reject(new Error(`closed; frames: ${JSON.stringify(frames).slice(0, 2000)}`));
    const timer = setTimeout(
      () => found.reject(new Error(`no such frame in a minute; frames: ${JSON.stringify(frames).slice(0, 2000)}`)),
      60_000,
    );
    waiting.add(look);
    socket.once("close", lost);
    look();
    return found.promise.finally(() => {
      waiting.delete(look);
      socket.off("close", lost);
      clearTimeout(timer);
    });
  };
  const talk: Talk = {
    socket,
    frames,
    until,
    closed,
    send: (frame) => socket.send(typeof frame === "string" || frame instanceof Uint8Array ? frame : JSON.stringify(frame)),
    async ask(command, args) {
      const from = frames.length;
      talk.send({ command, ...(args ? { args } : {}) });
      return JSON.parse(await until(isAnswer, from)) as Frame;
    },
    async close() {
      socket.close();
      await closed;
    },
  };
  return talk;
}

export const parsed = (frame: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(frame);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
};
export const isAnswer = (frame: string): boolean => {
  const value = parsed(frame);
  return value !== undefined && ("result" in value || "error" in value);
};

/** A binary frame as OS-Agent's page makes it. */
export function binary(header: object, bytes: Uint8Array, { little = false } = {}): Buffer {
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  if (little) length.writeUInt32LE(head.length);
  else length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, bytes]);
}
