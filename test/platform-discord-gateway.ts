// The gateway of the local Discord: one session at a time, events with numbers, heartbeats, resumption with what was missed, and misbehaviour on demand.
import type { Server } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";

export interface GatewayState {
  token: string;
  botId: string;
  applicationId: string;
  /** Where it listens. */
  url: string;
  /** Where it says that a session goes on, when that is elsewhere. */
  resumeUrl?: string;
  /** Of the server in which all rooms are; read when a session begins. */
  guild(): Record<string, unknown>;
  beatMs: number;
  /** Nothing is read and nothing is written any more. */
  frozen: boolean;
  revoked: boolean;
  /** Message Content Intent is not switched on at the portal. */
  contentDenied: boolean;
  /** No connection is taken. */
  away: boolean;
  /** The next RESUME is answered with INVALID_SESSION. */
  forgets: boolean;
  /** What was seen: IDENTIFY, RESUME, heartbeats, closes. */
  seen: string[];
  sockets: Set<WebSocket>;
  session: { id: string; events: { s: number; t: string; d: unknown }[] } | undefined;
}

const CONTENT = 1 << 15;

export function discordGateway(server: Server, state: GatewayState): { tell(t: string, d: unknown): void; close(): void } {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    state.seen.push("upgrade");
    if (state.away) socket.destroy();
    else sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, state));
  });
  return {
    tell(t, d) {
      const { session } = state;
      if (!session) return;
      const event = { s: session.events.length + 1, t, d };
      session.events.push(event);
      for (const socket of state.sockets) put(state, socket, { op: 0, ...event });
    },
    close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

function put(state: GatewayState, socket: WebSocket, payload: object): void {
  if (!state.frozen && socket.readyState === socket.OPEN) socket.send(JSON.stringify(payload));
}

function serve(socket: WebSocket, state: GatewayState): void {
  put(state, socket, { op: 10, d: { heartbeat_interval: state.beatMs } });
  socket.on("close", (code) => {
    state.seen.push(`close ${code}`);
    state.sockets.delete(socket);
    if (code === 1000 || code === 1001) state.session = undefined;
  });
  socket.on("error", () => {});
  socket.on("message", (data) => {
    if (state.frozen) return;
    const { op, d } = JSON.parse((data as Buffer).toString()) as { op: number; d: Record<string, unknown> };
    if (op === 1) {
      state.seen.push("heartbeat");
      put(state, socket, { op: 11 });
    }
    if (op === 2) identify(socket, state, d);
    if (op === 6) resume(socket, state, d);
  });
}

function identify(socket: WebSocket, state: GatewayState, d: Record<string, unknown>): void {
  state.seen.push("identify");
  if (state.revoked || d["token"] !== state.token) return socket.close(4004, "Authentication failed.");
  if (state.contentDenied && (Number(d["intents"]) & CONTENT) !== 0) return socket.close(4014, "Disallowed intent(s).");
  const guild = state.guild();
  const id = `session-${state.seen.length}`;
  const ready = {
    ...{
      v: 10,
      user: { id: state.botId, username: "steward", bot: true },
      session_id: id,
      resume_gateway_url: state.resumeUrl ?? state.url,
    },
    ...{ guilds: [{ id: guild["id"], unavailable: true }], application: { id: state.applicationId, flags: 0 } },
  };
  state.session = {
    id,
    events: [
      { s: 1, t: "READY", d: ready },
      { s: 2, t: "GUILD_CREATE", d: guild },
    ],
  };
  for (const event of state.session.events) put(state, socket, { op: 0, ...event });
  state.sockets.add(socket);
}

/** All that was missed, in order, then that it is all. */
function resume(socket: WebSocket, state: GatewayState, d: Record<string, unknown>): void {
  state.seen.push("resume");
  if (state.revoked || d["token"] !== state.token) return socket.close(4004, "Authentication failed.");
  const { session } = state;
  if (state.forgets || !session || session.id !== d["session_id"]) {
    state.forgets = false;
    return put(state, socket, { op: 9, d: false });
  }
  for (const event of session.events) if (event.s > Number(d["seq"])) put(state, socket, { op: 0, ...event });
  session.events.push({ s: session.events.length + 1, t: "RESUMED", d: {} });
  put(state, socket, { op: 0, ...session.events.at(-1)! });
  state.sockets.add(socket);
}
