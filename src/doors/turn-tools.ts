// The turn's tools for its program, over MCP: one server a turn, each call through the turn's own gate.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Steward } from "../run/steward.ts";
import { failureOf, hasCode, StewardError } from "../std/error.ts";
import { isDeeper } from "../std/json.ts";
import { readBody } from "./body.ts";
import { drained } from "./forward.ts";
import { said, sendJson } from "./replies.ts";
import { openToolDoor } from "./tools.ts";
import type { OpenTurn } from "./turns.ts";

const MOST_BYTES = 8 * 1024 * 1024;
/** With those that wait for a person. */
const MOST_AT_ONCE = 100;
const DEEPEST = 64;
const ASKED = ["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id", "last-event-id"];

export async function answerTools(
  steward: Steward,
  turn: OpenTurn,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
): Promise<void> {
  const gone = new AbortController();
  res.once("close", () => gone.abort());
  turn.calling++;
  res.once("close", () => turn.calling--);
  try {
    if (turn.calling > MOST_AT_ONCE) throw new StewardError("invalid", `More than ${MOST_AT_ONCE} requests at once are not taken.`);
    const { order } = turn;
    turn.tools ??= openToolDoor({
      name: "steward",
      version: steward.version,
      tools: async () => order.tools,
      call: (call, how) => order.call(call, { ...how, signal: AbortSignal.any([how.signal, turn.over]) }),
    });
    const tools = await turn.tools;
    const bytes = req.method === "POST" ? await readBody(req, { most: MOST_BYTES }) : undefined;
    if (turn.over.aborted) throw new StewardError("denied", "This turn has ended");
    const body = bytes && parsed(bytes);
    if (isDeeper(body, DEEPEST)) throw new StewardError("invalid", "The message is nested too deeply.");
    const request = new Request("http://steward/mcp", {
      method: req.method ?? "GET",
      headers: headersOf(req),
      signal: AbortSignal.any([gone.signal, turn.over]),
      ...(bytes ? { body: new Uint8Array(bytes) } : {}),
    });
    await send(await tools.answer(request, body), res);
  } catch (error) {
    if (res.headersSent || hasCode(error, "stale")) return void res.destroy();
    sendJson(res, hasCode(error, "limit") ? 413 : 400, {
      jsonrpc: "2.0",
      id: null,
      error: { code: -32600, message: said(failureOf(error)) },
    });
  }
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(ASKED.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]]] : [])));
}

/** Undefined for what is no JSON: the server says so. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}

async function send(response: Response, res: ServerResponse): Promise<void> {
  if (res.destroyed) return void (await response.body?.cancel());
  res.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) return void res.end();
  res.flushHeaders();
  const reader = response.body.getReader();
  res.once("close", () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!res.write(value)) await drained(res);
  }
  res.end();
}
