// A web server on loopback for scripted endpoints: a free port, and an end that waits for nobody who is still connected.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface LocalServer {
  /** Without a path. */
  url: string;
  close(): Promise<void>;
}

/** An answer that throws cuts the connection. */
export async function localServer(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  const web = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  web.keepAliveTimeout = 65_000; // as the platforms' servers have it
  web.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(web.address() as AddressInfo).port}`,
    async close() {
      const gone = new Promise((resolve) => web.close(resolve));
      for (const socket of sockets) socket.destroy();
      await gone;
    },
  };
}
