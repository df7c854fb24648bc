// The typed client for a command: of the running server, or of a Steward in this process when none runs.
import { setTimeout as wait } from "node:timers/promises";
import { type Client, connect } from "../client/client.ts";
import { hasCode, StewardError } from "../std/error.ts";
import type { CliHost } from "./cli.ts";
import type { Output } from "./output.ts";

export interface Connection {
  client: Client;
  /** In this process: what is not finished when it is closed waits for the next start. */
  embedded: boolean;
  close(): Promise<void>;
}

const PATIENCE_MS = 30_000;
const LOOK_MS = 100;

/** `work`: turns are run also when no server is there. A home that another command holds for a moment is waited for; `conflict` when it takes longer. */
export async function reach(host: CliHost, work = false): Promise<Connection> {
  for (const until = Date.now() + PATIENCE_MS; ; await wait(LOOK_MS)) {
    const running = await host.running();
    if (running) return { client: connect(running), embedded: false, close: async () => {} };
    try {
      const { fetch, close } = await host.embed(work);
      return { client: connect({ url: "http://127.0.0.1", fetch }), embedded: true, close };
    } catch (error) {
      if (!hasCode(error, "conflict") || Date.now() > until) throw error;
    }
  }
}

export async function withClient<T>(host: CliHost, use: (client: Client, connection: Connection) => Promise<T>, work = false): Promise<T> {
  const connection = await reach(host, work);
  try {
    return await use(connection.client, connection);
  } finally {
    await connection.close();
  }
}

/** Says that what was just asked for waits, when no server is there to do it. */
export function saysThatItWaits(out: Output, { embedded }: Connection): void {
  if (embedded) out.note("Steward is not running, so this waits: steward start begins with it.");
}

/** An id as it was typed: whole, or the beginning or end of exactly one. Throws not_found and invalid. */
export async function sessionOf(client: Client, typed: string): Promise<string> {
  if (typed === "current") return currentOf(client);
  const { sessions } = await client.call("sessions.list", { query: { limit: "1000" } });
  const found = sessions.filter(({ id }) => id === typed || (typed.length >= 3 && (id.startsWith(typed) || id.endsWith(typed))));
  const exact = found.find(({ id }) => id === typed) ?? (found.length === 1 ? found[0] : undefined);
  if (exact) return exact.id;
  if (found.length > 1)
    throw new StewardError("invalid", `"${typed}" fits ${found.length} sessions`, {
      hint: "Write more of the id; steward sessions list shows them.",
    });
  return (await client.call("sessions.get", { params: { id: typed } })).id;
}

/** The session that goes on when none is named; made when there is none. */
export async function currentOf(client: Client): Promise<string> {
  const { conversation_id: id } = await client.call("status.get");
  return id ?? (await client.call("sessions.make", { body: {} })).id;
}
