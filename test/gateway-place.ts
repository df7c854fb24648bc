// A real Steward behind a real gateway in a temporary home, answered by a scripted model server. For tests of the doors.
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { compose, type Composed } from "../src/compose.ts";
import { openGateway, type Gateway } from "../src/gateway/server.ts";
import { type Client, connect } from "../src/client/client.ts";
import type { Stored } from "../src/core/events.ts";
import type { Role } from "../src/core/types.ts";
import { digestOf, keyOf } from "../src/gateway/credentials.ts";
import { personKey } from "../src/run/persons.ts";
import { type ModelServer, modelServer, type Script, type Action } from "../src/testing/model-server.ts";

export interface Place {
  home: string;
  composed: Composed;
  gateway: Gateway;
  model: ModelServer;
  /** The owner's client. */
  client: Client;
  /** The owner's token as a header. */
  bearer: { authorization: string };
  /** A person's bearer token, made straight in the store. */
  tokenFor(person: string, role?: Role): Promise<string>;
  events(session: string): Promise<Stored[]>;
  close(): Promise<void>;
}

export async function openPlace(
  options: {
    script?: Script | Action[];
    config?: Record<string, unknown>;
    web?: string;
    home?: string;
    now?: () => number;
    stop?: () => void;
  } = {},
): Promise<Place> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), "steward-gateway-")));
  const model = await modelServer(options.script ? { script: options.script } : {});
  const overrides = {
    "log.level": "debug",
    model: "compatible/test-1",
    "providers.compatible": { baseUrl: `${model.url}/v1` },
    "computer.mode": "full",
    ...options.config,
  };
  const composed = await compose({
    home,
    env: { HOME: home, PATH: process.env.PATH },
    version: "0.0.1-test",
    overrides,
    auto: true,
    ...(options.now ? { now: options.now } : {}),
  });
  const gateway = await openGateway(composed.steward, {
    host: "127.0.0.1",
    port: 0,
    web: options.web,
    ...(options.stop ? { stop: options.stop } : {}),
  });
  const { store } = composed.steward;
  return {
    home,
    composed,
    gateway,
    model,
    client: connect({ url: gateway.url, token: gateway.localToken }),
    bearer: { authorization: `Bearer ${gateway.localToken}` },
    async tokenFor(person, role = "member") {
      const token = `stw_test-${person}-${role}`;
      const digest = digestOf("token", token);
      await store.commit({
        merge: { [personKey(person)]: { id: person, name: person, role, createdAt: 1 } },
        put: { [keyOf("token", digest)]: { digest, id: `tok_${person}`, label: "test", person, role, createdAt: 1, usedAt: 0 } },
      });
      return token;
    },
    events: (session) => store.events(session),
    async close() {
      await gateway.close();
      await composed.close();
      await model.close();
      if (!options.home) await rm(home, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

export interface Raw {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json(): Wire;
}
/** Every field that the tests look at, of whichever answer. */
export interface Wire {
  detail: { type: string; loc: unknown[]; msg: string }[];
  error: { code: string; message: string };
  events: { seq: number }[];
  seq: number;
  person: string;
  role: string;
  proof: string;
  via: string;
  mode: string;
  success: boolean;
  response: string;
  message: string;
  title: string;
  conversation_id: string;
  message_count: number;
  messages: Said[];
  conversations: (Said & { updated_at: string; message_count: number })[];
  conversation: { messages: Said[] };
  capabilities: Record<"terminal", { enabled: boolean; restrictions: object }>;
  running: boolean;
  enabled_capabilities: string[];
  registered_plugins: string[];
  conversation_length: number;
  cache_stats: { file_cache: object };
  recent_errors: number;
}
interface Said {
  id: string;
  role: string;
  content: string;
}

/** One request with exactly these headers: no client's own ideas about Host, Origin or paths. */
export async function raw(
  url: string,
  {
    method = "GET",
    path = "/",
    headers = {},
    body,
  }: { method?: string; path?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Raw> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<Raw>();
  const sent = httpRequest({ hostname, port, method, path, headers, agent: false, setHost: !("host" in headers) }, async (response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (error) {
      return reject(error);
    }
    const text = Buffer.concat(chunks).toString("utf8");
    resolve({ status: response.statusCode!, headers: response.headers, text, json: () => JSON.parse(text) as Wire });
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** What a browser has after a claim link: the cookie, which any port of the machine may see, and the page's proof. */
export async function signIn({ gateway }: Place): Promise<{ cookie: string; "x-steward-proof": string }> {
  const code = (await gateway.claimLink()).split("#")[1]!;
  const headers = { "content-type": "application/json" };
  const answer = await raw(gateway.url, { method: "POST", path: "/api/claim", headers, body: JSON.stringify({ code }) });
  return { cookie: String(answer.headers["set-cookie"]).split(";")[0]!, "x-steward-proof": answer.json().proof };
}

/** Bytes as they are on a socket; resolves with everything that came back until it closed, or until `ms` went by since the first of it, for which it waits `first` at most. */
export async function bytes(url: string, data: string | Uint8Array, ms = 2000, first = 60_000): Promise<string> {
  const socket = connectSocket(Number(new URL(url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  socket.write(data);
  // A connection that is reset is over, too.
  const over = new Promise((resolve) => socket.on("error", resolve).once("close", resolve));
  const late = (limit: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, limit).unref());
  await Promise.race([over, new Promise((resolve) => socket.once("data", resolve)), late(first)]);
  await Promise.race([over, late(ms)]);
  socket.destroy();
  return text;
}

export interface Chat {
  socket: WebSocket;
  frames: Frame[];
  /** Resolves with all frames once one (from `from` on) fits. */
  until(fits: (frame: Frame) => boolean, from?: number): Promise<Frame[]>;
  send(frame: unknown): void;
}
/** Every field that the tests look at, of whichever frame. */
export interface Frame {
  type: string;
  content: string;
  message: string;
  timestamp: string;
  conversation_id: string;
  status: Wire;
}

/** Resolves after the greeting. Rejects with the HTTP status when the upgrade is refused. */
export async function openChat(url: string, headers: Record<string, string>, protocols: string[] = []): Promise<Chat> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws/chat`, protocols, { headers });
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  const closed = { is: false };
  socket.on("message", (data) => {
    frames.push(JSON.parse(String(data)) as Frame);
    for (const look of waiting) look();
  });
  socket.on("close", () => {
    closed.is = true;
    for (const look of waiting) look();
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("open", resolve);
  socket.on("unexpected-response", (_request, response) => reject(new Error(String(response.statusCode))));
  socket.on("error", reject);
  await promise;
  const chat: Chat = {
    socket,
    frames,
    send: (frame) => socket.send(typeof frame === "string" || frame instanceof Uint8Array ? frame : JSON.stringify(frame)),
    async until(fits, from = 0) {
      const done = Promise.withResolvers<void>();
      const look = (): void => {
        if (frames.slice(from).some(fits)) done.resolve();
        else if (closed.is) done.reject(new Error(`closed; frames: ${JSON.stringify(frames)}`));
      };
      waiting.add(look);
      const timer = setTimeout(() => done.reject(new Error(`no such frame in a minute; frames: ${JSON.stringify(frames)}`)), 60_000);
      look();
      await done.promise.finally(() => (waiting.delete(look), clearTimeout(timer)));
      return frames.slice(from);
    },
  };
  await chat.until(({ type }) => type === "connected");
  return chat;
}

/** Waits for a condition, not for luck. */
export async function eventually<T>(look: () => T | Promise<T>, ms = 60_000): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error("it did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
