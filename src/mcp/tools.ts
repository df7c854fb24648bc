// Approved tools of servers as Steward's own kind of tool: the gate checks, asks, logs and clips them like any other.
import type { CallToolResult } from "@modelcontextprotocol/client";
import type { ServerConfig } from "../core/config-mcp.ts";
import type { Tool, ToolContext, ToolOutput } from "../core/ports.ts";
import { putFile } from "../run/files.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import type { Connection } from "./connection.ts";
import { hiderOf } from "./given.ts";
import { isApproved, type Pin } from "./pins.ts";
import { outputOf } from "./results.ts";
import { inputOf } from "./schema.ts";

const LONGEST_DESCRIPTION = 1200;
const LARGEST_FILE = 20 * 1024 * 1024;

export interface Source {
  steward(): Steward;
  connection(context: ToolContext, server: string): Promise<{ connection: Connection; server: ServerConfig; pins: Record<string, Pin> }>;
}

/** The same pin gives the same tool. */
export function openTools(source: Source): (server: string, name: string, pin: Pin) => Tool {
  const made = new Map<string, Tool>();
  return (server, name, pin) => {
    const key = `${server}\0${pin.called}\0${pin.hash}`;
    const known = made.get(key);
    if (known) return known;
    const tool: Tool = {
      name: pin.called,
      description: clip(visible(pin.description), LONGEST_DESCRIPTION) || `${name} of ${server}`,
      capability: "none",
      effect: pin.effect,
      input: inputOf(pin.schema),
      schema: plain(pin.schema) as Record<string, unknown>,
      found: "many",
      group: server,
      run: (input, context) => run(source, { server, name, input, context }),
    };
    if (made.size > 5000) made.clear();
    made.set(key, tool);
    return tool;
  };
}

/** What the model is told of a schema: no characters that nobody sees. */
function plain(value: unknown): unknown {
  if (typeof value === "string") return visible(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [visible(name), plain(one)]));
}

interface Wanted {
  server: string;
  name: string;
  input: unknown;
  context: ToolContext;
}

async function run(source: Source, wanted: Wanted): Promise<ToolOutput> {
  const result = (await answer(source, wanted)) ?? (await answer(source, wanted));
  if (result === undefined) throw new StewardError("unavailable", `The server ${wanted.server} does not know its own sessions`);
  return outputOf(result, async (file, bytes) => {
    const { id } = await putFile(source.steward(), wanted.context.principal, { name: file, bytes, limit: LARGEST_FILE });
    return id;
  });
}

/** Undefined: nothing ran, because the server had ended the session; the next connection is another. */
async function answer(source: Source, { server: at, name, input, context }: Wanted): Promise<CallToolResult | undefined> {
  const { connection, server, pins } = await source.connection(context, at);
  const live = Object.hasOwn(connection.tools, name) ? connection.tools[name] : undefined;
  if (live === undefined || !isApproved(Object.hasOwn(pins, name) ? pins[name] : undefined, live.hash))
    throw new StewardError(
      "denied",
      `The server ${at} has ${live ? "changed" : "no longer"} the tool ${name} since the owner approved it`,
      {
        hint: `The owner can look at it and approve it: steward mcp approve ${at}`,
      },
    );
  const hide = await hiderOf(source.steward(), server);
  const output = (text: string): void => context.output(hide(text));
  const result = await connection
    .call(name, input, {
      context: { signal: context.signal, ask: context.ask, session: context.session, output },
      silentMs: server.seconds * 1000,
    })
    .catch((error: unknown) => {
      throw error instanceof StewardError
        ? new StewardError(error.code, hide(error.message), error.hint ? { hint: error.hint } : {})
        : error;
    });
  return hide(result);
}
