// Connections that have shown no credential yet: how many there may be, and which go first. Time limits are the HTTP server's own.
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { clientKey } from "./addresses.ts";

const EACH = 128;
const TOTAL = 2000;
/** Younger ones are not dropped for others: their first request may be on its way. */
const PATIENCE_MS = 1000;

export interface Strangers {
  known(socket: Socket): void;
  count(): number;
}

export function watchStrangers(server: Server): Strangers {
  const strangers = new Map<Socket, { client: string; at: number }>();
  const counts = new Map<string, number>();
  const forget = (socket: Socket): void => {
    const one = strangers.get(socket);
    if (!one) return;
    strangers.delete(socket);
    const left = (counts.get(one.client) ?? 1) - 1;
    if (left > 0) counts.set(one.client, left);
    else counts.delete(one.client);
  };
  const drop = (client: string | undefined, age: number): void => {
    const now = Date.now();
    for (const [socket, one] of strangers) {
      if (now - one.at < age) return;
      if (client !== undefined && one.client !== client) continue;
      forget(socket);
      socket.destroy();
      return;
    }
  };
  server.on("connection", (socket: Socket) => {
    const client = clientKey(socket.remoteAddress ?? "");
    strangers.set(socket, { client, at: Date.now() });
    counts.set(client, (counts.get(client) ?? 0) + 1);
    socket.on("close", () => forget(socket));
    if (counts.get(client)! > EACH) drop(client, PATIENCE_MS);
    if (strangers.size > TOTAL) drop(undefined, 0);
  });
  return { known: forget, count: () => strangers.size };
}
