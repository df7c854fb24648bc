// Telegram's Bot API as a local server: long polls with acknowledgement, one reader at a time, files, buttons, edits, and faults on demand.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Fault, Kept, Platform, Said } from "../src/testing/channel-platform.ts";

const TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
const BOT = { id: 123_456, is_bot: true, first_name: "Steward", username: "steward_test_bot" };

interface Sent {
  id: number;
  chat: number;
  text: string;
  buttons?: { id: string; label: string }[];
  file?: { name: string; bytes: Uint8Array };
  edits: number;
}
interface State {
  updates: { update_id: number; [kind: string]: unknown }[];
  next: number;
  message: number;
  sent: Map<string, Sent>;
  files: Map<string, Uint8Array>;
  faults: { fault: Fault; times: number } | undefined;
  frozen: boolean;
  revoked: boolean;
  calls: string[];
  signs: string[];
  commands: string[];
  /** All buttons that were ever shown, a line each. */
  buttons: string[];
  /** The poll that waits. */
  poll?: { answer(): void; refuse(): void };
}

export async function telegramPlatform(): Promise<Platform & { state: State }> {
  const state: State = {
    updates: [],
    next: 1000,
    message: 10,
    sent: new Map(),
    files: new Map(),
    faults: undefined,
    frozen: false,
    revoked: false,
    buttons: [],
    calls: [],
    signs: [],
    commands: [],
  };
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void serve(state, request, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 65_000; // as platforms have it
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const add = (update: Record<string, unknown>): void => {
    state.updates.push({ update_id: state.next++, ...update });
    state.poll?.answer();
  };
  const messages = new Map<string, Record<string, unknown>>();
  return {
    state,
    config: { token: TOKEN, apiRoot: root },
    people: ["501", "502"],
    ...{ quotes: true, stickers: true },
    rooms: ["-100701", "-100702"],
    async say(said) {
      const message = messageOf(state, said);
      const { answers = "", sticker } = said;
      if (sticker) Object.assign(message, { text: undefined, sticker: { emoji: sticker } });
      const own = [...state.sent.values()].find(({ id }) => String(id) === answers);
      const answered = own ? { message_id: own.id, date: 1, chat: chatOf(own.chat), from: BOT, text: own.text } : messages.get(answers);
      if (answered) message["reply_to_message"] = answered;
      messages.set(String(message["message_id"]), message);
      add({ message });
      return { id: String(message["message_id"]) };
    },
    async change(id, text) {
      add({ edited_message: { ...messages.get(id), text, edit_date: 1_800_000_100 } });
    },
    async press(id, data, from) {
      const sent = [...state.sent.values()].find((one) => String(one.id) === id)!;
      add({
        callback_query: {
          id: String(state.next),
          from: user(from),
          data,
          chat_instance: "1",
          message: { message_id: sent.id, date: 1, chat: chatOf(sent.chat), text: sent.text },
        },
      });
    },
    kept: () => [...state.sent.values()].map((one): Kept => ({ ...one, id: String(one.id), chat: String(one.chat) })),
    fail: (fault, times) => void (state.faults = times > 0 ? { fault, times } : undefined),
    async cut() {
      for (const socket of sockets) socket.destroy();
    },
    revoke() {
      state.revoked = true;
      state.poll?.refuse();
    },
    calls: () => state.calls,
    signs: () => state.signs,
    offered: () => state.commands,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const user = (id: string) => ({ id: Number(id), is_bot: false, first_name: id === "501" ? "Mia" : "Ben" });
const chatOf = (id: number) => (id < 0 ? { id, type: "supergroup", title: "Room" } : { id, type: "private", first_name: "Mia" });

function messageOf(state: State, { chat, from = "501", bot, text, mention, file }: Said): Record<string, unknown> {
  const said = mention ? `@${BOT.username} ${text}` : text;
  const id = `file-${state.files.size}`;
  if (file) state.files.set(id, file.bytes);
  return {
    ...{
      message_id: state.message++,
      date: 1_800_000_000,
      chat: chatOf(Number(chat ?? from)),
      from: { ...user(from), is_bot: bot ?? false },
    },
    ...(file ? { caption: said, ...heldAs(file, id) } : { text: said }),
  };
}

/** Pictures come in several sizes, the largest last. */
function heldAs({ name, bytes, as }: NonNullable<Said["file"]>, id: string): Record<string, unknown> {
  const held = { file_id: id, file_unique_id: id, file_size: bytes.length };
  if (as === "image")
    return {
      photo: [
        { ...held, file_id: "small", width: 1, height: 1 },
        { ...held, width: 2, height: 2 },
      ],
    };
  return as === "voice" ? { voice: { ...held, duration: 1, mime_type: "audio/ogg" } } : { document: { ...held, file_name: name } };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const type = request.headers["content-type"] ?? "";
  if (bytes.length === 0) return {};
  if (type.includes("json")) return JSON.parse(bytes.toString()) as Record<string, unknown>;
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  return Object.fromEntries(form.entries());
}

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};
const refuse = (response: ServerResponse, code: number, description: string, parameters: object = {}): void =>
  answer(response, code, { ok: false, error_code: code, description, parameters });

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, kind = "", ...path] = request.url!.split("/");
  if (kind === "file") {
    state.calls.push(`download ${path.join("/")}`);
    const bytes = state.files.get(path.at(-1)!);
    return void (bytes ? response.end(bytes) : refuse(response, 404, "Not Found"));
  }
  const method = path[0] ?? "";
  const body = await bodyOf(request);
  state.calls.push(method);
  if (kind !== `bot${TOKEN}` || state.revoked) return refuse(response, 401, "Unauthorized");
  if (method === "getUpdates") return poll(state, body, response);
  if (/^(send(Message|Document|Photo)|editMessageText)$/.test(method) && failed(state, response, "before")) return;
  if (method === "sendPhoto" && (await isTooTall(Object.values(body).find((value) => value instanceof File))))
    return refuse(response, 400, "Bad Request: PHOTO_INVALID_DIMENSIONS");
  const result = call(state, method, body);
  if ("code" in result) return refuse(response, result.code, result.description);
  if (/^send(Message|Document|Photo)$/.test(method) && failed(state, response, "after")) return;
  answer(response, 200, { ok: true, result: result["result"] });
}

/** Of PNG files. */
async function isTooTall(photo: unknown): Promise<boolean> {
  if (!(photo instanceof File) || photo.size < 24) return false;
  const head = Buffer.from(await photo.arrayBuffer());
  const [width, height] = [head.readUInt32BE(16), head.readUInt32BE(20)];
  return width + height > 10_000 || Math.max(width / height, height / width) > 20;
}

function failed(state: State, response: ServerResponse, when: "before" | "after"): boolean {
  const { faults } = state;
  if (!faults || faults.times === 0 || (faults.fault === "broken-after") !== (when === "after")) return false;
  faults.times--;
  if (faults.fault === "limited") refuse(response, 429, "Too Many Requests: retry after 3", { retry_after: 3 });
  else if (faults.fault === "error") refuse(response, 502, "Bad Gateway");
  else response.destroy();
  return true;
}

function poll(state: State, { offset = 0, timeout = 0 }: Record<string, unknown>, response: ServerResponse): void {
  state.poll?.refuse();
  state.updates = state.updates.filter(({ update_id }) => update_id >= Number(offset));
  const timer = setTimeout(() => give(), Number(timeout) * 1000);
  const end = (): void => {
    clearTimeout(timer);
    if (state.poll === mine) delete state.poll;
  };
  const give = (): void => {
    end();
    answer(response, 200, { ok: true, result: state.updates });
  };
  const mine = {
    answer: give,
    refuse() {
      end();
      if (state.revoked) refuse(response, 401, "Unauthorized");
      else refuse(response, 409, "Conflict: terminated by other getUpdates request");
    },
  };
  state.poll = mine;
  response.on("close", end);
  if (state.updates.length > 0) give();
}

type Called = { result: unknown } | { code: number; description: string };

function call(state: State, method: string, body: Record<string, unknown>): Called {
  const chat = Number(body["chat_id"]);
  if (method === "getMe") return { result: BOT };
  if (method === "getFile")
    return { result: { file_id: body["file_id"], file_unique_id: "u", file_path: `documents/${String(body["file_id"])}` } };
  if (method === "getChatMemberCount") return { result: 3 };
  if (method === "setMyCommands") state.commands = (listOf(body["commands"]) as { command: string }[]).map(({ command }) => command);
  if (method === "sendChatAction") state.signs.push(`${String(body["action"])} ${chat}`);
  if (method === "setMessageReaction")
    state.signs.push(`${listOf(body["reaction"]).length > 0 ? "mark" : "unmark"} ${String(body["message_id"])}`);
  if (method === "editMessageText") return edit(state, body);
  if (!method.startsWith("send") || method === "sendChatAction") return { result: true };
  const upload = [...Object.values(body)].find((value) => value instanceof File);
  const text = String(body["text"] ?? body["caption"] ?? "");
  const visible = text.replace(/<[^>]*>/g, "").replace(/&(amp|lt|gt|quot);/g, "x");
  if (visible.length > 4096) return { code: 400, description: "Bad Request: message is too long" };
  if (visible.trim() === "" && !upload) return { code: 400, description: "Bad Request: message text is empty" };
  if (upload instanceof File && upload.size === 0) return { code: 400, description: "Bad Request: file must be non-empty" };
  const id = state.message++;
  const sent: Sent = { id, chat, text: plain(text), edits: 0, ...keysOf(state, body) };
  state.sent.set(String(id), sent);
  if (upload instanceof File) void upload.arrayBuffer().then((bytes) => (sent.file = { name: upload.name, bytes: new Uint8Array(bytes) }));
  return { result: { message_id: id, date: 1, chat: chatOf(chat), text } };
}

const listOf = (value: unknown): unknown[] => (typeof value === "string" ? JSON.parse(value) : value) as unknown[];

/** As people see it; addresses of links are kept behind their words. */
const plain = (html: string): string =>
  html
    .replace(/<a href="([^"]*)">(.*?)<\/a>/g, "$2 ($1)")
    .replace(/<[^>]*>/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&");

function keysOf(state: State, body: Record<string, unknown>): Pick<Sent, "buttons"> {
  const raw = body["reply_markup"];
  const markup = (typeof raw === "string" ? JSON.parse(raw) : raw) as
    | { inline_keyboard?: { text: string; callback_data: string }[][] }
    | undefined;
  const keys = markup?.inline_keyboard?.flat() ?? [];
  if (keys.some(({ callback_data }) => callback_data.length > 64)) throw new Error("callback_data has at most 64 bytes");
  if (keys.length > 0) state.buttons.push(keys.map(({ text }) => text).join());
  return keys.length > 0 ? { buttons: keys.map(({ text, callback_data }) => ({ id: callback_data, label: text })) } : {};
}

function edit(state: State, body: Record<string, unknown>): Called {
  const known = state.sent.get(String(body["message_id"]));
  if (!known) return { code: 400, description: "Bad Request: message to edit not found" };
  const text = plain(String(body["text"]));
  if (text === known.text) return { code: 400, description: "Bad Request: message is not modified" };
  const { buttons: _, ...rest } = known;
  state.sent.set(String(known.id), { ...rest, text, edits: known.edits + 1, ...keysOf(state, body) });
  return { result: true };
}
