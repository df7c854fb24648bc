// A homeserver of Matrix as a local server: long polls from any place, invitations, gaps, transactions, files behind the token, and faults on demand.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Fault, Kept, Platform, Said } from "../src/testing/channel-platform.ts";

const TOKEN = "syt_c3Rld2FyZA_secret";
export const ME = "@steward:local";
const NAMES: Record<string, string> = { "@mia:local": "Mia", "@ben:local": "Ben", [ME]: "Steward" };

export type Content = Record<string, unknown>;
export interface Event {
  event_id: string;
  type: string;
  sender: string;
  content: Content;
  state_key?: string;
  origin_server_ts: number;
}
interface Room {
  members: Set<string>;
  /** Asked in, and not there yet. */
  coming?: string[];
  state: Map<string, Content>;
  public: boolean;
}
export interface State {
  log: { room: string; event: Event }[];
  rooms: Map<string, Room>;
  invites: Map<string, { by: string; direct: boolean; at: number }>;
  transactions: Map<string, string>;
  files: Map<string, { name: string; bytes: Uint8Array }>;
  data: Map<string, Content>;
  faults: { fault: Fault; times: number } | undefined;
  frozen: boolean;
  revoked: boolean;
  /** It does not tell what was said before. */
  forgetful: boolean;
  calls: string[];
  waiting: Set<() => void>;
  counter: number;
}
interface More {
  state: State;
  /** Any event, such as a client sends it. */
  put(room: string, sender: string, content: Content, type?: string): Event;
  invite(room: string, by: string, direct: boolean, members?: string[]): void;
  join(room: string, user: string): void;
}

export async function matrixPlatform(): Promise<Platform & More> {
  const state: State = {
    ...{ log: [], rooms: new Map(), invites: new Map(), transactions: new Map(), files: new Map(), data: new Map() },
    ...{ faults: undefined, frozen: false, revoked: false, forgetful: false, calls: [], waiting: new Set(), counter: 0 },
  };
  for (const [room, members] of [
    ["!mia:local", [ME, "@mia:local"]],
    ["!ben:local", [ME, "@ben:local"]],
    ["!room1:local", [ME, "@mia:local", "@ben:local"]],
    ["!room2:local", [ME, "@mia:local", "@ben:local"]],
  ] as const)
    state.rooms.set(room, { members: new Set(members), state: new Map(), public: false });
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void serve(state, request, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 65_000; // as platforms have it
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const put: More["put"] = (room, sender, content, type = "m.room.message") => add(state, room, { type, sender, content });
  return {
    ...{ state, put, people: ["@mia:local", "@ben:local"], rooms: ["!room1:local", "!room2:local"], calls: () => state.calls },
    ...{ quotes: true, stickers: true },
    config: {
      homeserver: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      accessToken: TOKEN,
      pollSeconds: 1,
      answerSeconds: 60,
    },
    soon: { answerSeconds: 3 },
    async say(said) {
      const { room, sender, content } = contentOf(state, said);
      const relation = said.answers === undefined ? {} : { "m.relates_to": { "m.in_reply_to": { event_id: said.answers } } };
      if (said.sticker) return { id: put(room, sender, { body: said.sticker, url: "mxc://local/wave", info: {} }, "m.sticker").event_id };
      return { id: put(room, sender, { ...content, ...relation }).event_id };
    },
    async change(id, text) {
      const { room, event } = state.log.find((one) => one.event.event_id === id)!;
      const content = { msgtype: "m.text", body: text, "m.mentions": {} };
      const relation = { rel_type: "m.replace", event_id: id };
      put(room, event.sender, { ...content, body: `* ${text}`, "m.new_content": content, "m.relates_to": relation });
    },
    invite(room, by, direct, members = [by]) {
      state.rooms.set(room, { members: new Set(members), state: new Map(), public: false });
      state.invites.set(room, { by, direct, at: state.log.length + 1 });
      add(state, room, { type: "m.room.member", sender: by, state_key: ME, content: { membership: "invite", is_direct: direct } });
    },
    join: (room, user) => void enter(state, room, user),
    kept: () => keptOf(state),
    fail: (fault, times) => void (state.faults = times > 0 ? { fault, times } : undefined),
    async cut() {
      for (const socket of sockets) socket.destroy();
    },
    async freeze() {
      state.frozen = true;
    },
    revoke() {
      state.revoked = true;
      wake(state);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const wake = (state: State): void => {
  for (const one of [...state.waiting]) one();
};

function add(state: State, room: string, event: Omit<Event, "event_id" | "origin_server_ts">): Event {
  const whole = { ...event, event_id: `$event${++state.counter}`, origin_server_ts: 1_800_000_000_000 + state.counter };
  state.log.push({ room, event: whole });
  wake(state);
  return whole;
}

function enter(state: State, room: string, user: string): void {
  state.rooms.get(room)!.members.add(user);
  add(state, room, { type: "m.room.member", sender: user, state_key: user, content: { membership: "join", displayname: NAMES[user] } });
}

function contentOf(
  state: State,
  { chat, from = "@mia:local", bot, text, mention, file }: Said,
): { room: string; sender: string; content: Content } {
  const room = chat ?? `!${from.slice(1)}`;
  const body = mention ? `Steward: ${text}` : text;
  if (!file)
    return { room, sender: from, content: { msgtype: bot ? "m.notice" : "m.text", body, "m.mentions": mention ? { user_ids: [ME] } : {} } };
  const id = `up${++state.counter}`;
  state.files.set(id, file);
  const info = { mimetype: "text/csv", size: file.bytes.length };
  return { room, sender: from, content: { msgtype: "m.file", body, filename: file.name, url: `mxc://local/${id}`, info } };
}

/** As clients show it: with the last change in place. */
function keptOf(state: State): Kept[] {
  const own = state.log.filter(({ event }) => event.sender === ME && event.type === "m.room.message");
  const relation = ({ content }: Event): Content => (content["m.relates_to"] ?? {}) as Content;
  return own
    .filter(({ event }) => relation(event)["rel_type"] !== "m.replace")
    .map(({ room, event }): Kept => {
      const changes = own.filter(
        (one) => relation(one.event)["rel_type"] === "m.replace" && relation(one.event)["event_id"] === event.event_id,
      );
      const content = (changes.at(-1)?.event.content["m.new_content"] ?? event.content) as Content;
      const file = state.files.get(
        String(event.content["url"] ?? "")
          .split("/")
          .at(-1)!,
      );
      const thread = relation(event)["rel_type"] === "m.thread" ? { thread: String(relation(event)["event_id"]) } : {};
      return { id: event.event_id, chat: room, text: String(content["body"]), edits: changes.length, ...thread, ...(file ? { file } : {}) };
    });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};
const refuse = (response: ServerResponse, status: number, errcode: string, more: object = {}): void =>
  answer(response, status, { errcode, error: `Refused: ${errcode}`, ...more });

interface Call {
  method: string;
  ids: string[];
  query: URLSearchParams;
  body: Buffer;
}
type Route = [RegExp, (state: State, call: Call, response: ServerResponse) => void];

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, "http://local");
  const body = await bodyOf(request);
  if (state.frozen) return;
  const at = url.pathname.replace("/_matrix/", "");
  state.calls.push(`${request.method} ${at}`);
  if (request.headers.authorization !== `Bearer ${TOKEN}` || state.revoked) return refuse(response, 401, "M_UNKNOWN_TOKEN");
  for (const [pattern, work] of ROUTES) {
    const found = pattern.exec(`${request.method} ${at}`);
    if (found)
      return work(state, { method: request.method!, ids: found.slice(1).map(decodeURIComponent), query: url.searchParams, body }, response);
  }
  refuse(response, 404, "M_UNRECOGNIZED");
}

const json = (body: Buffer): Content => JSON.parse(body.toString()) as Content;

const ROUTES: Route[] = [
  [/^GET client\/v3\/account\/whoami$/, (_, __, response) => answer(response, 200, { user_id: ME, device_id: "D" })],
  [/^GET client\/v3\/profile\/([^/]+)\/displayname$/, (_, { ids }, response) => answer(response, 200, { displayname: NAMES[ids[0]!] })],
  [/^GET client\/v1\/media\/config$/, (_, __, response) => answer(response, 200, { "m.upload.size": 1_000_000 })],
  [/^GET client\/v3\/sync$/, sync],
  [/^PUT client\/v3\/rooms\/([^/]+)\/send\/([^/]+)\/([^/]+)$/, send],
  [/^PUT client\/v3\/rooms\/([^/]+)\/typing\/([^/]+)$/, (_, __, response) => answer(response, 200, {})],
  [
    /^GET client\/v3\/rooms\/([^/]+)\/joined_members$/,
    (state, { ids: [room = ""] }, response) => {
      const { members } = state.rooms.get(room)!;
      if (!members.has(ME)) return refuse(response, 403, "M_FORBIDDEN");
      answer(response, 200, { joined: Object.fromEntries([...members].map((id) => [id, { display_name: NAMES[id] ?? null }])) });
    },
  ],
  [
    /^GET client\/v3\/rooms\/([^/]+)\/members$/,
    (state, { ids: [room = ""], query }, response) => {
      const { members, coming = [] } = state.rooms.get(room)!;
      const found = query.get("membership") === "invite" ? coming : [...members];
      answer(response, 200, { chunk: found.map((id) => ({ type: "m.room.member", state_key: id, content: {} })) });
    },
  ],
  [
    /^GET client\/v3\/rooms\/([^/]+)\/state\/([^/]+)$/,
    (state, { ids: [room = "", type = ""] }, response) => {
      const found = state.rooms.get(room)!;
      const rules = type === "m.room.join_rules" ? { join_rule: found.public ? "public" : "invite" } : undefined;
      const content = found.state.get(type) ?? rules;
      return content ? answer(response, 200, content) : refuse(response, 404, "M_NOT_FOUND");
    },
  ],
  [
    /^GET client\/v3\/rooms\/([^/]+)\/event\/([^/]+)$/,
    (state, { ids: [, id = ""] }, response) => {
      const found = state.log.find(({ event }) => event.event_id === id);
      return found ? answer(response, 200, found.event) : refuse(response, 404, "M_NOT_FOUND");
    },
  ],
  [
    /^PUT client\/v3\/rooms\/([^/]+)\/redact\/([^/]+)\/[^/]+$/,
    (state, { ids: [, id] }, response) => {
      state.log.find(({ event }) => event.event_id === id)!.event.content = {};
      answer(response, 200, { event_id: "$redaction" });
    },
  ],
  [/^GET client\/v3\/rooms\/([^/]+)\/messages$/, messages],
  [
    /^POST client\/v3\/join\/([^/]+)$/,
    (state, { ids: [room = ""] }, response) => {
      if (!state.invites.delete(room)) return refuse(response, 403, "M_FORBIDDEN");
      enter(state, room, ME);
      answer(response, 200, { room_id: room });
    },
  ],
  [
    /^POST client\/v3\/rooms\/([^/]+)\/leave$/,
    (state, { ids: [room = ""] }, response) => {
      state.rooms.get(room)!.members.delete(ME);
      answer(response, 200, {});
    },
  ],
  [
    /^(GET|PUT) client\/v3\/user\/[^/]+\/rooms\/([^/]+)\/account_data\/([^/]+)$/,
    (state, { method, ids: [, room, type], body }, response) => {
      const key = `${room}/${type}`;
      if (method === "PUT") state.data.set(key, json(body));
      const data = state.data.get(key);
      return data ? answer(response, 200, method === "PUT" ? {} : data) : refuse(response, 404, "M_NOT_FOUND");
    },
  ],
  [
    /^POST media\/v3\/upload$/,
    (state, { query, body }, response) => {
      if (failed(state, response, "before")) return;
      const id = `up${++state.counter}`;
      state.files.set(id, { name: query.get("filename")!, bytes: new Uint8Array(body) });
      answer(response, 200, { content_uri: `mxc://local/${id}` });
    },
  ],
  [
    /^GET client\/v1\/media\/download\/local\/([^/]+)$/,
    (state, { ids: [id = ""] }, response) => {
      const file = state.files.get(id);
      return file ? void response.end(file.bytes) : refuse(response, 404, "M_NOT_FOUND");
    },
  ],
];

function failed(state: State, response: ServerResponse, when: "before" | "after"): boolean {
  const { faults } = state;
  if (!faults || faults.times === 0 || (faults.fault === "broken-after") !== (when === "after")) return false;
  faults.times--;
  if (faults.fault === "limited") refuse(response, 429, "M_LIMIT_EXCEEDED", { retry_after_ms: 3000 });
  else if (faults.fault === "error") refuse(response, 502, "M_UNKNOWN");
  else response.destroy();
  return true;
}

function send(state: State, { ids: [room = "", type = "", txn = ""], body }: Call, response: ServerResponse): void {
  if (failed(state, response, "before")) return;
  if (!state.rooms.get(room)?.members.has(ME)) return refuse(response, 403, "M_FORBIDDEN");
  if (body.length > 65_000) return refuse(response, 413, "M_TOO_LARGE");
  const key = `${room}/${type}/${txn}`;
  const id = state.transactions.get(key) ?? add(state, room, { type, sender: ME, content: json(body) }).event_id;
  state.transactions.set(key, id);
  if (failed(state, response, "after")) return;
  answer(response, 200, { event_id: id });
}

interface Filter {
  room: { timeline: { types: string[]; limit: number } };
}

function sync(state: State, { query }: Call, response: ServerResponse): void {
  const since = query.get("since");
  const at = since === null ? state.log.length : Number(since.slice(1));
  const { types, limit } = (JSON.parse(query.get("filter")!) as Filter).room.timeline;
  const news = (): object | undefined => {
    const invite = [...state.invites].filter(([, one]) => since === null || one.at > at).map(([room, one]) => [room, inviteOf(one)]);
    const joined = Map.groupBy(
      state.log.slice(at).filter(({ room, event }) => state.rooms.get(room)!.members.has(ME) && types.includes(event.type)),
      ({ room }) => room,
    );
    if (since !== null && invite.length === 0 && joined.size === 0) return undefined;
    const join = [...joined].map(([room, events]) => [room, { timeline: timelineOf(state, room, { events, limit }) }]);
    return { join: Object.fromEntries(join), invite: Object.fromEntries(invite) };
  };
  const end = (): void => {
    clearTimeout(timer);
    state.waiting.delete(look);
  };
  const give = (rooms: object): void => {
    end();
    answer(response, 200, { next_batch: `s${state.log.length}`, rooms });
  };
  const look = (): void => {
    const rooms = news();
    if (state.revoked) {
      end();
      refuse(response, 401, "M_UNKNOWN_TOKEN");
    } else if (rooms) give(rooms);
  };
  const timer = setTimeout(() => !state.frozen && give({}), Number(query.get("timeout")));
  state.waiting.add(look);
  response.on("close", end);
  look();
}

/** A room that was just entered comes with what was said before. */
function timelineOf(state: State, room: string, { events, limit }: { events: { event: Event }[]; limit: number }): object {
  const entered = events.some(({ event }) => event.state_key === ME && event.content["membership"] === "join");
  const all = entered ? state.log.filter((one) => one.room === room) : events;
  const shown = all.slice(-limit).map(({ event }) => event);
  const first = state.log.findIndex(({ event }) => event === shown[0]);
  return { events: shown, limited: all.length > limit, prev_batch: `t${first}` };
}

const inviteOf = ({ by, direct }: { by: string; direct: boolean }): object => ({
  invite_state: {
    events: [{ type: "m.room.member", sender: by, state_key: ME, content: { membership: "invite", is_direct: direct } }],
  },
});

function messages(state: State, { ids: [id], query }: Call, response: ServerResponse): void {
  if (state.forgetful) return refuse(response, 400, "M_INVALID_PARAM");
  const place = (name: string): number => Number(query.get(name)!.slice(1));
  const all = state.log.map((one, at) => ({ ...one, at })).filter(({ room, at }) => room === id && at < place("from") && at >= place("to"));
  const page = all.slice(-Number(query.get("limit")));
  const more = page.length < all.length;
  answer(response, 200, { chunk: page.map(({ event }) => event).toReversed(), ...(more ? { end: `t${page[0]!.at}` } : {}) });
}
