// Slack as a local server: an independent emulator keeps people, conversations, messages and files; before it stands what it lacks: Socket Mode, presses, slash commands, redelivery, faults.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createEmulator } from "emulate";
import { WebSocketServer, type WebSocket } from "ws";
import type { Fault, Kept, Platform, Said } from "../src/testing/channel-platform.ts";

const BOT = "xoxb-1234567890-steward";
const APP = "xapp-1-A1234567890-steward";
const TEAM = "T000000001";
const PEOPLE = { mia: "xoxp-mia", ben: "xoxp-ben" };
const AGAIN_MS = 250;
/** Slack gives up earlier; here it goes on for a minute, so that a machine that stands still now and then loses none. */
const MOST_AGAIN = 240;

type Json = Record<string, unknown>;
interface Shown extends Json {
  ts: string;
  text: string;
  thread_ts?: string;
  blocks?: { type: string; text?: unknown; block_id?: string; elements?: { action_id: string; text: { text: string } }[] }[];
  files?: { id: string; name: string }[];
}
interface State {
  root: string;
  inner: string;
  /** By token. */
  users: Map<string, string>;
  kept: Map<string, Kept & { raw: Shown }>;
  said: Map<string, { chat: string; message: Shown; token: string }>;
  uploads: Map<string, Uint8Array>;
  sockets: Set<WebSocket>;
  raw: Set<Socket>;
  /** Envelopes that were not acknowledged yet. */
  open: Map<string, () => void>;
  /** Envelopes that were. */
  told: Set<string>;
  /** `late`: the server has an error after it has done what it should. */
  faults: { fault: Fault | "late"; times: number } | undefined;
  revoked: boolean;
  /** Calls that are refused for want of a scope. */
  lacks: Map<string, string>;
  calls: string[];
  /** What only one person sees. */
  whispers: { to: string; text: string }[];
  status: Json[];
  signs: string[];
  /** So much was said there, all of it by that person a while ago. */
  flood: { channel: string; user: string; count: number } | undefined;
}

export interface SlackPlatform extends Platform {
  state: State;
  /** A private room. */
  cellar: string;
  /** Sends an envelope once, and again while it is not acknowledged. */
  deliver(type: string, payload: Json): string;
  event(event: Json, more?: Json): string;
  command(command: string, text: string, from: string, chat?: string): void;
  /** A WebSocket that is asked to leave. */
  leave(reason: string): void;
}

export async function slackPlatform(): Promise<SlackPlatform> {
  const state: State = {
    ...{ root: "", inner: "", users: new Map(), kept: new Map(), said: new Map(), uploads: new Map(), sockets: new Set(), raw: new Set() },
    ...{
      open: new Map(),
      told: new Set(),
      faults: undefined,
      revoked: false,
      lacks: new Map(),
      calls: [],
      whispers: [],
      status: [],
      signs: [],
      flood: undefined,
    },
  };
  const emulator = await createEmulator({ service: "slack", port: 0, seed: { slack: SEED } });
  state.inner = emulator.url.replace("localhost", "127.0.0.1");
  const server = createServer((request, response) => void serve(state, request, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 65_000; // as platforms have it
  const wires = new WebSocketServer({ noServer: true });
  server.on("connection", (socket) => {
    state.raw.add(socket);
    socket.on("close", () => state.raw.delete(socket));
  });
  server.on("upgrade", (request, socket, head) => wires.handleUpgrade(request, socket, head, (wire) => greet(state, wire)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const token of [BOT, ...Object.values(PEOPLE)])
    state.users.set(token, String((await api(state, token, "auth.test", {}))["user_id"]));
  const { channels } = (await api(state, BOT, "conversations.list", { types: "public_channel,private_channel" })) as {
    channels: { id: string; name: string }[];
  };
  const room = (name: string): string => channels.find((one) => one.name === name)!.id;
  return {
    ...{
      state,
      people: [state.users.get(PEOPLE.mia)!, state.users.get(PEOPLE.ben)!],
      rooms: [room("kitchen"), room("garden")],
      cellar: room("cellar"),
    },
    config: { botToken: BOT, appToken: APP, apiUrl: `${state.root}/api/`, pongMs: 60_000 },
    hasty: { pongMs: 2000 },
    ...acts(state),
    quotes: true,
    kept: () => [...state.kept.values()],
    fail: (fault, times) => void (state.faults = times > 0 ? { fault, times } : undefined),
    async cut() {
      for (const socket of state.raw) socket.destroy();
    },
    async freeze() {
      for (const wire of state.sockets) wire.pause();
    },
    revoke: () => void (state.revoked = true),
    calls: () => state.calls,
    signs: () => state.signs,
    async close() {
      for (const stop of state.open.values()) stop();
      for (const socket of state.raw) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await emulator.close();
    },
  };
}

const SEED = {
  users: [{ name: "mia", real_name: "Mia" }, { name: "ben", real_name: "Ben" }, { name: "steward" }],
  channels: [{ name: "kitchen" }, { name: "garden" }, { name: "cellar", is_private: true }],
  tokens: [{ token: BOT, type: "bot", user: "steward" }, ...Object.entries(PEOPLE).map(([user, token]) => ({ token, type: "user", user }))],
};

/** What people do. */
function acts(state: State): Pick<SlackPlatform, "say" | "redeliver" | "change" | "press" | "deliver" | "event" | "command" | "leave"> {
  const deliver: SlackPlatform["deliver"] = (type, payload) => {
    const envelope_id = randomUUID();
    const tell = (retry_attempt: number): void => {
      const [wire] = state.sockets;
      wire?.send(JSON.stringify({ envelope_id, type, payload, accepts_response_payload: false, retry_attempt, retry_reason: "" }));
      if (!wire || retry_attempt === MOST_AGAIN) return void state.open.delete(envelope_id);
      const timer = setTimeout(() => tell(retry_attempt + 1), AGAIN_MS);
      state.open.set(envelope_id, () => clearTimeout(timer));
    };
    tell(0);
    return envelope_id;
  };
  const event: SlackPlatform["event"] = (one, more = {}) =>
    deliver("events_api", { type: "event_callback", team_id: TEAM, event_id: `Ev${randomUUID()}`, event: one, ...more });
  const kindOf = (chat: string): string => (chat.startsWith("D") ? "im" : "channel");
  const userOf = (token: string): string => state.users.get(token)!;
  const tokenOf = (from: string | undefined): string => Object.values(PEOPLE).find((token) => userOf(token) === from) ?? PEOPLE.mia;
  const tell = (id: string): void => {
    const { chat, message } = state.said.get(id)!;
    const whole = { ...message, channel: chat, channel_type: kindOf(chat), team: TEAM, event_ts: message.ts };
    event(whole);
    if (message.text.includes(`<@${userOf(BOT)}>`) && kindOf(chat) !== "im")
      event({ ...whole, type: "app_mention", channel_type: undefined });
  };
  return {
    ...{ deliver, event },
    async say({ chat: given, from, bot, text, mention, file, answers, ...more }: Said & { thread?: string }) {
      const token = tokenOf(from);
      const words = mention ? `<@${userOf(BOT)}> ${text}` : text;
      const chat = given ?? (await directOf(state, token));
      const thread = more.thread ?? answers?.split(":").at(-1);
      const place = { channel: chat, ...(thread === undefined ? {} : { thread_ts: thread }) };
      const parent = answers === undefined ? {} : { parent_user_id: userOf(state.kept.has(answers) ? BOT : token) };
      const message = file
        ? await upload(state, token, { chat, text: words, file })
        : ((await api(state, token, "chat.postMessage", { ...place, text: words }))["message"] as Shown);
      const id = `${chat}:${message.ts}`;
      state.said.set(id, { chat, token, message: { ...message, ...parent, ...(bot ? { bot_id: "B0OTHER" } : {}) } });
      tell(id);
      return { id };
    },
    redeliver: async (id) => tell(id),
    async change(id, text) {
      const { chat, message, token } = state.said.get(id)!;
      const answer = await api(state, token, "chat.update", { channel: chat, ts: message.ts, text });
      event({
        type: "message",
        subtype: "message_changed",
        channel: chat,
        channel_type: kindOf(chat),
        message: answer["message"],
        previous_message: message,
      });
    },
    async press(id, button, from) {
      const { chat, thread, raw } = state.kept.get(id)!;
      const container = { type: "message", message_ts: id, channel_id: chat, ...(thread === undefined ? {} : { thread_ts: thread }) };
      deliver("interactive", {
        ...{ type: "block_actions", user: { id: from, username: "ben", team_id: TEAM }, trigger_id: randomUUID(), container, message: raw },
        ...{ channel: { id: chat }, response_url: `${state.root}/respond/${from}`, team: { id: TEAM } },
        actions: [{ type: "button", action_id: button, value: button, action_ts: `${Date.now()}` }],
      });
    },
    command(command, text, from, chat = "C0ELSEWHERE") {
      const who = { user_id: from, user_name: "mia", team_id: TEAM, channel_id: chat };
      deliver("slash_commands", { command, text, ...who, response_url: `${state.root}/respond/${from}`, trigger_id: randomUUID() });
    },
    leave(reason) {
      const [wire] = state.sockets;
      state.sockets.delete(wire!);
      wire!.send(JSON.stringify({ type: "disconnect", reason, debug_info: {} }));
    },
  };
}

const directOf = async (state: State, token: string): Promise<string> =>
  ((await api(state, token, "conversations.open", { users: state.users.get(BOT) }))["channel"] as { id: string }).id;

async function upload(
  state: State,
  token: string,
  { chat, text, file }: { chat: string; text: string; file: NonNullable<Said["file"]> },
): Promise<Shown> {
  const got = await api(state, token, "files.getUploadURLExternal", { filename: file.name, length: file.bytes.length });
  await fetch(String(got["upload_url"]).replace(state.root, state.inner), { method: "POST", body: new Uint8Array(file.bytes) });
  await api(state, token, "files.completeUploadExternal", { files: [{ id: got["file_id"] }], channel_id: chat, initial_comment: text });
  const { messages } = (await api(state, token, "conversations.history", { channel: chat, limit: 1 })) as { messages: Shown[] };
  const [message] = messages;
  const spoken = file.as === "voice" ? message!.files?.map((one) => ({ ...one, subtype: "slack_audio" })) : undefined;
  return { ...message!, ...(spoken ? { files: spoken } : {}) };
}

/** What the emulator answers; its addresses are this server's. */
async function api(state: State, token: string, method: string, body: Json): Promise<Json> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`${state.inner}/api/${method}`, { method: "POST", headers, body: JSON.stringify(body) });
  return outward(state, await response.text());
}

const outward = (state: State, text: string): Json =>
  JSON.parse(text.replaceAll(state.inner, state.root).replaceAll(state.inner.replace("127.0.0.1", "localhost"), state.root)) as Json;

function greet(state: State, wire: WebSocket): void {
  state.sockets.add(wire);
  wire.on("close", () => state.sockets.delete(wire));
  wire.on("message", (data) => {
    const { envelope_id } = JSON.parse(String(data)) as { envelope_id: string };
    state.told.add(envelope_id);
    state.open.get(envelope_id)?.();
    state.open.delete(envelope_id);
  });
  wire.send(JSON.stringify({ type: "hello", num_connections: state.sockets.size, connection_info: { app_id: "A1" } }));
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const [, kind = "", ...rest] = request.url!.split("/");
  const method = rest.join("/");
  state.calls.push(kind === "api" ? method : `${kind}/${method}`);
  if (kind === "respond") {
    state.whispers.push({ to: method, text: (JSON.parse(body.toString()) as { text: string }).text });
    return void response.end("ok");
  }
  if (kind === "upload") state.uploads.set(rest.at(-1)!, new Uint8Array(body));
  if (kind !== "api") return pass(state, request, { body, response });
  const given = formOf(body);
  const answer = (status: number, told: Json): void => {
    response.writeHead(status, { "content-type": "application/json", ...(status === 429 ? { "retry-after": "3" } : {}) });
    response.end(JSON.stringify(told));
  };
  const sends = /^(chat\.postMessage|chat\.update|files\.completeUploadExternal)$/.test(method);
  if (sends && faulty(state, "before", { response, answer })) return;
  const told = await call(state, method, { given, token: request.headers.authorization?.slice(7) ?? "" });
  if (sends && faulty(state, "after", { response, answer })) return;
  answer(200, told);
}

async function pass(state: State, request: IncomingMessage, { body, response }: { body: Buffer; response: ServerResponse }): Promise<void> {
  const { authorization = "" } = request.headers;
  const taken = await fetch(`${state.inner}${request.url}`, {
    ...{ method: request.method!, headers: authorization ? { authorization } : {} },
    ...(request.method === "POST" ? { body: new Uint8Array(body) } : {}),
  });
  response.writeHead(taken.status, { "content-type": taken.headers.get("content-type") ?? "application/octet-stream" });
  response.end(new Uint8Array(await taken.arrayBuffer()));
}

/** As the SDK sends it: a form whose values may be JSON. */
function formOf(body: Buffer): Json {
  return Object.fromEntries(
    [...new URLSearchParams(body.toString())].map(([key, value]) => [
      key,
      /^[[{]/.test(value) && key !== "text" ? JSON.parse(value) : value,
    ]),
  );
}

function faulty(
  state: State,
  when: "before" | "after",
  { response, answer }: { response: ServerResponse; answer(status: number, told: Json): void },
): boolean {
  const { faults } = state;
  if (!faults || faults.times === 0 || /after|late/.test(faults.fault) !== (when === "after")) return false;
  faults.times--;
  if (faults.fault === "limited") answer(429, { ok: false, error: "ratelimited" });
  else if (faults.fault === "error" || faults.fault === "late") answer(502, {});
  else response.destroy();
  return true;
}

async function call(state: State, method: string, { given, token }: { given: Json; token: string }): Promise<Json> {
  if (state.revoked) return { ok: false, error: "token_revoked" };
  if (token !== (method === "apps.connections.open" ? APP : BOT)) return { ok: false, error: "invalid_auth" };
  const needed = state.lacks.get(method);
  if (needed !== undefined) return { ok: false, error: "missing_scope", needed, provided: "chat:write" };
  if (method === "apps.connections.open") return { ok: true, url: `${state.root.replace("http", "ws")}/link/?ticket=${randomUUID()}` };
  if (method === "assistant.threads.setStatus") {
    state.status.push(given);
    return { ok: true };
  }
  if (state.flood && method === "conversations.history" && given["channel"] === state.flood.channel) return flooded(state.flood, given);
  const sign = /^reactions\.(add|remove)$/.exec(method)?.[1];
  if (sign) state.signs.push(`${sign === "add" ? "mark" : "unmark"} ${String(given["timestamp"])}`);
  const wrong = tooMuch(given);
  if (wrong !== undefined) return { ok: false, error: wrong };
  const told = await api(state, token, method === "users.conversations" ? "conversations.list" : method, given);
  if (told["ok"] !== true) return told;
  if (method === "chat.postEphemeral") state.whispers.push({ to: String(given["user"]), text: String(given["text"]) });
  if (method === "chat.postMessage" || method === "chat.update") keep(state, String(told["channel"]), told["message"] as Shown);
  if (method === "files.completeUploadExternal") await keepFile(state, String(given["channel_id"]));
  return method.startsWith("conversations.") ? older(told, given) : told;
}

/** The newest first, by pages. */
function flooded({ user, count }: NonNullable<State["flood"]>, { limit, cursor = "0" }: Json): Json {
  const all = Array.from({ length: count }, (_, n) => ({
    type: "message",
    user,
    team: TEAM,
    text: `m${n}`,
    ts: `1800000000.${100_000 + n}`,
  }));
  const end = count - Number(cursor);
  const begin = Math.max(0, end - Number(limit));
  return {
    ok: true,
    messages: all.slice(begin, end).toReversed(),
    response_metadata: { next_cursor: begin > 0 ? `${count - begin}` : "" },
  };
}

/** The documented limits of blocks. */
function tooMuch({ blocks = [] }: { blocks?: Shown["blocks"] }): string | undefined {
  const markdown = (blocks ?? []).filter(({ type }) => type === "markdown").reduce((sum, { text }) => sum + String(text).length, 0);
  const buttons = (blocks ?? []).flatMap(({ elements = [] }) => elements);
  if (markdown > 12_000) return "msg_blocks_too_long";
  return buttons.some(({ action_id, text }) => action_id.length > 255 || text.text.length > 75) ? "invalid_blocks" : undefined;
}

/** Only what is younger than asked, and no metadata that nobody asked for. */
function older(told: Json, { oldest, include_all_metadata }: Json): Json {
  const all = told["messages"] as Shown[] | undefined;
  if (!all) return told;
  const young = all.filter(({ ts }) => oldest === undefined || Number(ts) > Number(oldest));
  return {
    ...told,
    messages: young.map((one) => ({ ...one, team: TEAM, ...(include_all_metadata === "true" ? {} : { metadata: undefined }) })),
  };
}

function keep(state: State, chat: string, raw: Shown): void {
  const known = state.kept.get(raw.ts);
  const markdown = raw.blocks?.find(({ type }) => type === "markdown")?.text;
  const buttons =
    raw.blocks?.flatMap(({ elements = [] }) => elements.map(({ action_id, text }) => ({ id: action_id, label: text.text }))) ?? [];
  state.kept.set(raw.ts, {
    ...{ id: raw.ts, chat, raw, text: plain(typeof markdown === "string" ? markdown : raw.text), edits: known ? known.edits + 1 : 0 },
    ...(raw.thread_ts === undefined ? {} : { thread: raw.thread_ts }),
    ...(buttons.length > 0 ? { buttons } : {}),
  });
}

const plain = (text: string): string => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

async function keepFile(state: State, chat: string): Promise<void> {
  const { messages } = (await api(state, BOT, "conversations.history", { channel: chat, limit: 1 })) as { messages: Shown[] };
  const [file] = messages[0]!.files ?? [];
  keep(state, chat, messages[0]!);
  state.kept.get(messages[0]!.ts)!.file = { name: file!.name, bytes: state.uploads.get(file!.id)! };
}
