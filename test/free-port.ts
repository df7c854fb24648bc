// A port for a server that is started by its number, and again at the same one after it was killed.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below those from which the system takes what outgoing connections need: else one of them may have it before the server does. */
const [LOWEST, HIGHEST] = [20_000, 30_000];

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) =>
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true)),
    );
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
