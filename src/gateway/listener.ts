// One HTTP port: limits on strangers, the Host check, upgrades to WebSocket, a clean end. What is answered is its visitor's: `door.ts`, `plain/door.ts`.
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { type WebSocket, WebSocketServer } from "ws";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { hostAllowed, type Own } from "./addresses.ts";
import type { Peer } from "./auth.ts";
import { MAX_JSON } from "./body.ts";
import { wrongHost } from "./guards.ts";
import { SECURITY } from "./headers.ts";
import { watchStrangers } from "./sockets.ts";
import { answerFailure, describeFailure, refusal } from "./status.ts";

/** One request over this port; its Host was right. */
export interface Arrived {
  request: Request;
  peer: Peer;
  /** The Host header as it came: where the visitor sees this server. */
  host: string;
  /** A credential was good, so the socket no longer counts as a stranger's. */
  known(): void;
  /** Drops the connection. */
  cut(): void;
}
export interface Visited {
  steward: Steward;
  own: Own;
  /** Never throws. */
  visit(arrived: Arrived): Promise<Response>;
  /** Before a frame is read; throws what the handshake is refused with. The Host was right. Absent: there are no sockets here. */
  upgrade?(arrived: { headers: Headers; url: string; peer: Peer }): Promise<(opened: WebSocket) => void>;
}
export interface Listener {
  /** The one that was taken. */
  port: number;
  serve(visited: Visited): void;
  /** Stops accepting, calls `end` for streams and sockets, and is done soon. */
  close(end: () => void): Promise<void>;
}
/** What a taken port means, for people. */
export interface Taken {
  hint: string;
}

const CLOSE_MS = 1500;

/** Throws conflict when the port is in use. Port 0 takes a free one. Answers nothing until it serves. */
export async function openListener(own: Own, taken: Taken): Promise<Listener> {
  const server = createServer({
    headersTimeout: 5000,
    requestTimeout: 3_600_000,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 5000,
    maxHeaderSize: 16_384,
  });
  server.maxHeadersCount = 100;
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  const port = await listen(server, own, taken);
  return { port, serve: (visited) => serve(server, visited), close: (end) => close(server, connections, end) };
}

async function listen(server: Server, { host, port }: Own, { hint }: Taken): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port }, resolve);
  await promise.catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") throw new StewardError("conflict", `Port ${port} is in use`, { hint, cause: error });
    if (error.code === "EACCES")
      throw new StewardError("denied", `Port ${port} may not be used without special rights`, {
        hint: "Take a port above 1023: steward start --port 7777.",
        cause: error,
      });
    throw new StewardError("unavailable", `Can't listen on ${host}:${port}: ${error.message}`, {
      hint: "The address must be one of this machine's.",
      cause: error,
    });
  });
  server.removeListener("error", reject);
  return (server.address() as AddressInfo).port;
}

const peerOf = (socket: Socket): Peer => ({
  address: socket.remoteAddress ?? "",
  secure: "encrypted" in socket && socket.encrypted === true,
});

function serve(server: Server, { steward, own, visit, upgrade }: Visited): void {
  const { log, now, settings } = steward;
  const strangers = watchStrangers(server);
  const hosts = new WeakMap<object, string>();
  const answer = getRequestListener(
    (request, { incoming }) => {
      const { socket } = incoming as IncomingMessage;
      return visit({
        request,
        peer: peerOf(socket),
        host: hosts.get(incoming) ?? "",
        known: () => strangers.known(socket),
        cut: () => void socket.destroy(),
      });
    },
    { errorHandler: () => answerFailure(refusal("invalid", "Bad Request", { status: 400 }), log, now()) },
  );
  const called = (host: string | undefined): boolean => hostAllowed(host, own, settings.config());
  server.on("error", (error) => log("error", "The listener failed", { error: error.message }));
  server.on("clientError", ({ code }: NodeJS.ErrnoException, socket) => {
    const late = code === "ERR_HTTP_REQUEST_TIMEOUT";
    // Browsers open sockets in advance, and send a request again where one is closed without a word; any answer would be taken for its own.
    if (!socket.writable || (late && "bytesRead" in socket && socket.bytesRead === 0)) return void socket.destroy();
    const status = late ? "408 Request Timeout" : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  server.on("request", (incoming, outgoing) => {
    for (const name in SECURITY) outgoing.setHeader(name, SECURITY[name]!);
    if (called(incoming.headers.host)) {
      hosts.set(incoming, incoming.headers.host ?? "");
      incoming.headers.host = "localhost"; // it has done its part; a URL made from it is the same for every name
      return void answer(incoming, outgoing);
    }
    const { status, body } = describeFailure(wrongHost(), log, now());
    outgoing.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(body));
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_JSON, perMessageDeflate: false });
  const enter = async (incoming: IncomingMessage): Promise<(opened: WebSocket) => void> => {
    if (!called(incoming.headers.host)) throw wrongHost();
    if (!upgrade) throw refusal("not_found", "Not Found", { status: 404 });
    const headers = new Headers(
      Object.entries(incoming.headers).flatMap(([name, value]): [string, string][] => (typeof value === "string" ? [[name, value]] : [])),
    );
    return upgrade({ headers, url: incoming.url ?? "", peer: peerOf(incoming.socket) });
  };
  server.on("upgrade", (incoming, socket, head) => {
    socket.on("error", () => socket.destroy());
    enter(incoming).then(
      (serveSocket) => {
        strangers.known(incoming.socket);
        sockets.handleUpgrade(incoming, socket, head, serveSocket);
      },
      (error: unknown) => refuse(socket, describeFailure(error, log, now())),
    );
  });
}

function refuse(socket: Duplex, { status, body, headers }: ReturnType<typeof describeFailure>): void {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...SECURITY,
    "content-type": "application/json",
    ...headers,
    connection: "close",
    "content-length": String(Buffer.byteLength(text)),
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${text}`,
  );
  setTimeout(() => socket.destroy(), 1000).unref();
}

async function close(server: Server, connections: Set<Socket>, end: () => void): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  end();
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const timer = setTimeout(() => {
    for (const socket of connections) socket.destroy();
  }, CLOSE_MS);
  await closed.promise;
  clearTimeout(timer);
  clearInterval(idle);
}
