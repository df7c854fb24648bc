// Discord as a local server: REST v10 with nonces, limits and faults on demand, and its gateway (platform-discord-gateway.ts).
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Fault, Kept, Platform, Said } from "../src/testing/channel-platform.ts";
import { discordGateway, type GatewayState } from "./platform-discord-gateway.ts";

const TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAx.GaBcDe.local-server-token-0123456789abcdef";
const BOT = { id: "100000000000000001", username: "steward", global_name: "Steward", bot: true, discriminator: "0000", avatar: null };
const APPLICATION = "100000000000000002";
const GUILD = "100000000000000003";
const ROLE = "100000000000000004";
const EPOCH = 1_420_070_400_000n;
const NONCE_MS = 180_000;

export interface Message {
  id: string;
  channel_id: string;
  author: { id: string; username: string; bot?: boolean };
  content: string;
  attachments: { id: string; filename: string; size: number; url: string }[];
  components: { components: { custom_id: string; label: string }[] }[];
  edits: number;
  [more: string]: unknown;
}
export interface DiscordState extends GatewayState {
  /** Epoch milliseconds, by which ids and nonces go. */
  now(): number;
  count: bigint;
  /** By id. A thread has a parent. */
  channels: Map<string, { id: string; type: number; parent_id?: string; recipient?: string }>;
  messages: Message[];
  /** That of a message goes with the answer and the event only. */
  nonces: Map<string, { id: string; at: number }>;
  files: Map<string, { name: string; bytes: Uint8Array }>;
  faults: { fault: Fault; times: number } | undefined;
  calls: string[];
  commands: { name: string; description: string }[];
  /** Answers to interactions, by their tokens. */
  answers: Map<string, { type?: number; flags?: number; content?: string; gone?: boolean; followups: string[] }>;
  reactions: string[];
  signs: string[];
  root: string;
}
export interface DiscordPlatform extends Platform {
  state: DiscordState;
  /** What the gateway tells. */
  tell(t: string, d: unknown): void;
  /** A slash command by somebody, in their direct conversation or in a room. Returns its token. */
  command(name: string, text: string, from: string, chat?: string): string;
  nextId(): string;
}

const PEOPLE: [string, string] = ["500000000000000501", "500000000000000502"];
const ROOMS: [string, string] = ["700000000000000701", "700000000000000702"];
export const THREAD = "800000000000000801";
const directOf = (person: string): string => person.replace(/^5/, "6");
const user = (id: string, bot = false) => ({
  id,
  username: id.endsWith("1") ? "mia" : "ben",
  global_name: id.endsWith("1") ? "Mia" : "Ben",
  ...(bot ? { bot } : {}),
});

export async function discordPlatform(more: Partial<DiscordState> = {}): Promise<DiscordPlatform> {
  const server = createServer((request, response) => void serve(state, request, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 65_000; // as platforms have it
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state = Object.assign(stateAt(at), more);
  const { tell, close } = discordGateway(server, state);
  const platform = {
    ...{ state, tell, nextId: () => nextId(state), people: PEOPLE, rooms: ROOMS, quotes: true as const, stickers: true as const },
    config: { token: TOKEN, api: `http://${at}/api` },
    hasty: { answerSeconds: 0.5 },
    ...saying(state, tell),
    kept: () => state.messages.filter(({ author }) => author.id === BOT.id).map((one) => keptOf(state, one)),
    fail: (fault: Fault, times: number) => void (state.faults = times > 0 ? { fault, times } : undefined),
    async cut() {
      for (const socket of open) socket.destroy();
    },
    async freeze() {
      state.frozen = true;
    },
    revoke() {
      state.revoked = true;
      for (const socket of state.sockets) socket.close(4004, "Authentication failed.");
    },
    calls: () => state.calls,
    signs: () => state.signs,
    offered: () => state.commands.map(({ name }) => name),
    async close() {
      close();
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  listening.set(state, (message, nonce) => tell("MESSAGE_CREATE", eventOf(state, { ...message, nonce })));
  return platform;
}

/** What the gateway tells of the bot's own messages. */
const listening = new WeakMap<DiscordState, (message: Message, nonce: unknown) => void>();

function stateAt(at: string): DiscordState {
  const channels: DiscordState["channels"] = new Map();
  for (const id of ROOMS) channels.set(id, { id, type: 0 });
  channels.set(THREAD, { id: THREAD, type: 11, parent_id: ROOMS[0] });
  for (const person of PEOPLE) channels.set(directOf(person), { id: directOf(person), type: 1, recipient: person });
  const state: DiscordState = {
    ...{ token: TOKEN, botId: BOT.id, applicationId: APPLICATION, url: `ws://${at}/gateway`, root: `http://${at}`, beatMs: 10_000 },
    ...{
      frozen: false,
      revoked: false,
      contentDenied: false,
      away: false,
      forgets: false,
      seen: [],
      sockets: new Set(),
      session: undefined,
    },
    ...{ now: Date.now, count: 0n, channels, messages: [], nonces: new Map(), files: new Map(), faults: undefined, calls: [] },
    ...{ commands: [], answers: new Map(), reactions: [], signs: [] },
    guild() {
      const last = (id: string) => ({ last_message_id: state.messages.findLast(({ channel_id }) => channel_id === id)?.id ?? null });
      const all = [...channels.values()].map((one) => ({ ...one, ...last(one.id) }));
      return {
        ...{ id: GUILD, name: "Home", roles: [{ id: ROLE, name: "steward", tags: { bot_id: BOT.id } }], members: [] },
        ...{ channels: all.filter(({ type }) => type === 0), threads: all.filter(({ type }) => type === 11) },
      };
    },
  };
  return state;
}

/** Discord's ids hold their time. */
function nextId(state: DiscordState): string {
  return String(((BigInt(state.now()) - EPOCH) << 22n) + ++state.count);
}

const eventOf = ({ channels }: DiscordState, message: Message): object => {
  const { edits: _, ...plain } = message;
  const direct = channels.get(message.channel_id)?.type === 1;
  return { ...plain, ...(direct ? { channel_type: 1 } : { guild_id: GUILD, member: { roles: [] } }) };
};

function saying(
  state: DiscordState,
  tell: DiscordPlatform["tell"],
): Pick<DiscordPlatform, "say" | "redeliver" | "change" | "press" | "command"> {
  const byId = (id: string): Message => state.messages.find((one) => one.id === id)!;
  const interaction = (type: number, from: string, chat: string, inner: object): string => {
    const id = nextId(state);
    const token = `token-${id}`;
    const channel = state.channels.get(chat)!;
    state.answers.set(token, { followups: [] });
    const who = channel.type === 1 ? { user: user(from) } : { member: { user: user(from) }, guild_id: GUILD };
    tell("INTERACTION_CREATE", { id, token, type, application_id: APPLICATION, channel_id: chat, channel, ...who, ...inner });
    return token;
  };
  return {
    async say(said) {
      const answered = state.messages.find(({ id }) => id === said.answers);
      const message = {
        ...messageOf(state, said),
        ...(answered ? { type: 19, referenced_message: answered } : {}),
        ...(said.sticker ? { sticker_items: [{ id: "1", name: said.sticker, format_type: 1 }] } : {}),
      };
      state.messages.push(message);
      tell("MESSAGE_CREATE", eventOf(state, message));
      return { id: message.id };
    },
    async redeliver(id) {
      tell("MESSAGE_CREATE", eventOf(state, byId(id)));
    },
    async change(id, content) {
      Object.assign(byId(id), { content, edited_timestamp: new Date(state.now()).toISOString() });
      tell("MESSAGE_UPDATE", eventOf(state, byId(id)));
    },
    async press(id, custom_id, from) {
      const message = byId(id);
      interaction(3, from, message.channel_id, { message, data: { custom_id, component_type: 2 } });
    },
    command: (name, text, from, chat = directOf(from)) =>
      interaction(2, from, chat, { data: { id: "1", name, type: 1, options: text ? [{ name: "text", type: 3, value: text }] : [] } }),
  };
}

function messageOf(state: DiscordState, { chat, from = PEOPLE[0], bot = false, text, mention = false, file }: Said): Message {
  const id = nextId(state);
  if (file) state.files.set(`${id}/${file.name}`, file);
  return {
    ...{ id, channel_id: chat ?? directOf(from), author: user(from, bot), content: mention ? `<@${BOT.id}> ${text}` : text, type: 0 },
    ...{ mentions: mention ? [BOT] : [], mention_roles: [], mention_everyone: false, pinned: false, tts: false, embeds: [] },
    ...{ timestamp: new Date(state.now()).toISOString(), edited_timestamp: null, components: [], edits: 0 },
    ...(file?.as === "voice" ? { flags: 1 << 13 } : {}),
    attachments: file ? [{ id, filename: file.name, size: file.bytes.length, url: `${state.root}/attachments/${id}/${file.name}` }] : [],
  };
}

function keptOf(state: DiscordState, { id, channel_id, content, attachments, components, edits }: Message): Kept {
  const parent = state.channels.get(channel_id)?.parent_id;
  const buttons = components.flatMap((row) => row.components).map(({ custom_id, label }) => ({ id: custom_id, label }));
  const file = attachments[0] && state.files.get(`${id}/${attachments[0].filename}`);
  return {
    ...{ id, ...(parent ? { chat: parent, thread: channel_id } : { chat: channel_id }), text: content, edits },
    ...(buttons.length > 0 ? { buttons } : {}),
    ...(file ? { file } : {}),
  };
}

const answer = (response: ServerResponse, status: number, body?: object, headers: Record<string, string> = {}): void => {
  if (body === undefined) return void response.writeHead(status, headers).end();
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};
const refuse = (response: ServerResponse, status: number, code: number, message: string): void =>
  answer(response, status, { code, message });

async function bodyOf(request: IncomingMessage): Promise<{ body: Record<string, unknown>; file?: File }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const type = request.headers["content-type"] ?? "";
  if (bytes.length === 0) return { body: {} };
  if (type.includes("json")) return { body: JSON.parse(bytes.toString()) as Record<string, unknown> };
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  const file = form.get("files[0]");
  return { body: JSON.parse(String(form.get("payload_json"))) as Record<string, unknown>, ...(file instanceof File ? { file } : {}) };
}

interface Call {
  state: DiscordState;
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  file?: File;
  response: ServerResponse;
}

async function serve(state: DiscordState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url!, state.root);
  const method = request.method!;
  state.calls.push(`${method} ${pathname}`);
  if (pathname === "/attachments/endless") {
    const more = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
    return void response.on("close", () => clearInterval(more));
  }
  if (pathname.startsWith("/attachments/")) {
    const file = state.files.get(decodeURIComponent(pathname.slice("/attachments/".length)));
    return void (file ? response.end(file.bytes) : refuse(response, 404, 0, "Not Found"));
  }
  const { body, file } = await bodyOf(request);
  const path = decodeURIComponent(pathname).replace("/api/v10", "");
  const call: Call = { state, method, path, query, body, response, ...(file ? { file } : {}) };
  if (path.startsWith("/interactions/") || path.startsWith("/webhooks/")) return interactions(call);
  if (state.revoked || request.headers.authorization !== `Bot ${TOKEN}`) return refuse(response, 401, 0, "401: Unauthorized");
  if (path === "/users/@me") return answer(response, 200, BOT);
  if (path === "/gateway/bot") {
    const session_start_limit = { total: 1000, remaining: 999, reset_after: 60_000, max_concurrency: 1000 };
    return answer(response, 200, { url: state.url, shards: 1, session_start_limit });
  }
  if (path === `/applications/${APPLICATION}/commands`) return commands(call);
  return channels(call);
}

function commands({ state, method, body, response }: Call): void {
  if (method === "PUT") state.commands = body as unknown as DiscordState["commands"];
  answer(response, 200, state.commands);
}

function failed({ faults }: DiscordState, response: ServerResponse, when: "before" | "after"): boolean {
  if (!faults || faults.times === 0 || (faults.fault === "broken-after") !== (when === "after")) return false;
  faults.times--;
  if (faults.fault === "limited")
    answer(
      response,
      429,
      { message: "You are being rate limited.", retry_after: 1.5, global: false },
      { "retry-after": "2", "x-ratelimit-scope": "user" },
    );
  else if (faults.fault === "error") answer(response, 502, { message: "Bad Gateway" });
  else response.destroy();
  return true;
}

function channels(call: Call): void {
  const { state, method, path, body, response } = call;
  const [, , channel = "", kind = "", id = "", ...rest] = path.split("/");
  const known = state.channels.get(channel);
  if (!known) return refuse(response, 404, 10003, "Unknown Channel");
  if (kind === "") return answer(response, 200, known);
  if (kind === "typing") {
    state.signs.push(`typing ${channel}`);
    return answer(response, 204);
  }
  if (kind !== "messages") return refuse(response, 404, 0, "404: Not Found");
  if (id === "" && method === "GET") return history(call, channel);
  if (id === "" && failed(state, response, "before")) return;
  if (id === "") return create(call, channel);
  const message = state.messages.find((one) => one.id === id && one.channel_id === channel);
  if (!message) return refuse(response, 404, 10008, "Unknown Message");
  if (rest[0] === "reactions") {
    state.reactions.push(`${method} ${id} ${rest[1]}`);
    state.signs.push(`${method === "PUT" ? "mark" : "unmark"} ${id}`);
    return answer(response, 204);
  }
  if (method !== "PATCH") return answer(response, 200, message);
  if (message.author.id !== BOT.id) return refuse(response, 403, 50005, "Cannot edit a message authored by another user");
  if (tooLong(body)) return refuse(response, 400, 50035, "Invalid Form Body");
  Object.assign(message, { content: String(body["content"]).trim(), components: body["components"] ?? [], edits: message.edits + 1 });
  answer(response, 200, message);
}

const tooLong = ({ content }: Record<string, unknown>): boolean => [...String(content ?? "")].length > 2000;

/** The oldest after that id, at most so many, newest first. */
function history({ state, query, response }: Call, channel: string): void {
  const after = BigInt(query.get("after") ?? 0);
  const found = state.messages.filter(({ channel_id, id }) => channel_id === channel && BigInt(id) > after);
  const page = found.slice(0, Number(query.get("limit") ?? 50));
  answer(response, 200, page.toReversed());
}

function create(call: Call, channel: string): void {
  const { state, body, file, response } = call;
  if (tooLong(body)) return refuse(response, 400, 50035, "Invalid Form Body");
  if (String(body["content"] ?? "").trim() === "" && !file) return refuse(response, 400, 50006, "Cannot send an empty message");
  const { nonce, enforce_nonce } = body;
  if (String(nonce ?? "").length > 25) return refuse(response, 400, 50035, "Invalid Form Body");
  const before = enforce_nonce === true ? state.nonces.get(String(nonce)) : undefined;
  const same = before && state.now() - before.at < NONCE_MS ? state.messages.find(({ id }) => id === before.id) : undefined;
  const message = same ?? posted(call, channel);
  if (!same) {
    state.messages.push(message);
    if (nonce !== undefined) state.nonces.set(String(nonce), { id: message.id, at: state.now() });
    listening.get(state)!(message, nonce);
  }
  if (file)
    void file
      .arrayBuffer()
      .then((bytes) => state.files.set(`${message.id}/${file.name}`, { name: file.name, bytes: new Uint8Array(bytes) }));
  if (failed(state, response, "after")) return;
  answer(response, 200, { ...message, nonce });
}

function posted({ state, body, file }: Call, channel: string): Message {
  const message = messageOf(state, { chat: channel, text: String(body["content"] ?? "").trim() });
  const attachments = file
    ? [{ id: message.id, filename: file.name, size: file.size, url: `${state.root}/attachments/${message.id}/${file.name}` }]
    : [];
  return { ...message, author: BOT, attachments, components: (body["components"] ?? []) as Message["components"] };
}

/** Once for each; the rest by the token. */
function interactions({ state, method, path, body, response }: Call): void {
  const [, kind, , token = "", ...rest] = path.split("/");
  const known = state.answers.get(token);
  if (!known) return refuse(response, 404, 10062, "Unknown interaction");
  const data = (kind === "interactions" ? body["data"] : body) as { content?: string; flags?: number } | undefined;
  if (kind === "interactions") {
    if (known.type !== undefined) return refuse(response, 400, 40060, "Interaction has already been acknowledged.");
    Object.assign(known, { type: body["type"], ...data });
  } else if (known.type === undefined) return refuse(response, 404, 10015, "Unknown Webhook");
  else if (method === "DELETE") known.gone = true;
  else if (method === "POST") known.followups.push(String(data?.content));
  else if (rest.includes("@original") && data?.content !== undefined) known.content = data.content;
  answer(response, method === "POST" && kind === "webhooks" ? 200 : 204, method === "POST" && kind === "webhooks" ? {} : undefined);
}
