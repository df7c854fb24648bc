// A scripted model endpoint on loopback: OpenAI chat completions, Anthropic messages and Ollama chat, with every fault that a wire can have.
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, cut, errorBody, type Finish, type Wire, type WireCall, type WireUsage, writer } from "./model-wires.ts";
import { localServer } from "./local-server.ts";

export type { Wire };
export type Action =
  | { do: "text"; text: string; pieces?: number }
  | { do: "thinking"; text: string; pieces?: number; signature?: string }
  /** All in parallel, arguments cut in `pieces`. An input that is a string goes out as it is. */
  | { do: "calls"; calls: { id?: string; tool: string; input: unknown }[]; pieces?: number }
  | ({ do: "usage" } & WireUsage)
  | { do: "finish"; reason: Finish }
  | { do: "wait"; ms: number }
  /** Waits for this promise before going on. */
  | { do: "until"; promise: Promise<unknown> }
  /** An error answer in the wire's own words, or with this body. */
  | { do: "status"; status: number; code?: string; message?: string; body?: string; headers?: Record<string, string> }
  /** An error inside a stream that began well. */
  | { do: "error"; code: string; message: string }
  | { do: "html"; status?: number }
  /** Any bytes into the stream. */
  | { do: "bytes"; bytes: string | Uint8Array }
  /** Ends the answer here, without its closing events. */
  | { do: "end" }
  /** Destroys the socket. */
  | { do: "cut" }
  /** Nothing more, ever; the socket stays open. */
  | { do: "hang" }
  /** Headers that never end. */
  | { do: "headers" }
  /** Keeps sending filler until the client goes. */
  | { do: "flood" };
export type Script = (request: ModelRequest, index: number) => Action[];

/** The members that all formats have, and whatever else came. */
export interface ModelBody {
  model?: string;
  stream?: boolean;
  messages?: unknown[];
  tools?: object[];
  [member: string]: unknown;
}
export interface ModelRequest {
  wire: Wire;
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
  raw: Buffer;
  body: ModelBody;
  stream: boolean;
  /** Resolves when the client has closed the connection or has the whole answer. */
  closed: Promise<"whole" | "left">;
}
export interface ModelServer {
  url: string;
  /** Requests for an answer, oldest first; those for lists are in `others`. */
  requests: ModelRequest[];
  others: ModelRequest[];
  /** What the next requests are answered with. */
  script(script: Script | Action[]): void;
  models: string[];
  /** When set, requests without this key are refused. */
  key?: string;
  close(): Promise<void>;
}

export async function modelServer(options: { models?: string[]; key?: string; script?: Script | Action[] } = {}): Promise<ModelServer> {
  const state = { script: asScript(options.script ?? [{ do: "text", text: "Hello." }]) };
  const web = await localServer((request, response) => answer(request, response));
  const server: ModelServer = {
    url: web.url,
    requests: [],
    others: [],
    models: options.models ?? ["test-1", "test-2"],
    ...(options.key === undefined ? {} : { key: options.key }),
    script: (script) => {
      state.script = asScript(script);
    },
    close: () => web.close(),
  };
  return server;

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await received(incoming, response);
    const chat = request.method === "POST" && chats.includes(request.path);
    (chat ? server.requests : server.others).push(request);
    if (server.key !== undefined && keyOf(request) !== server.key)
      return refuse(response, request.wire, {
        status: 401,
        code: "authentication_error",
        message: `Incorrect API key provided: ${keyOf(request)}`,
      });
    if (!chat) return listing(server, request, response);
    const model = String(request.body.model);
    const actions = state.script(request, server.requests.length - 1);
    if (actions[0]?.do !== "status" && !server.models.includes(model)) {
      const message = request.wire === "ollama" ? `model '${model}' not found` : `The model \`${model}\` does not exist`;
      return refuse(response, request.wire, {
        status: 404,
        code: request.wire === "anthropic" ? "not_found_error" : "model_not_found",
        message,
      });
    }
    await play({ request, response, actions });
  }
}

const chats = ["/v1/chat/completions", "/v1/messages", "/api/chat"];
const asScript = (script: Script | Action[]): Script => (typeof script === "function" ? script : () => script);
const keyOf = (request: ModelRequest): string =>
  String(request.headers["x-api-key"] ?? String(request.headers.authorization ?? "").replace(/^Bearer /, ""));

async function received(incoming: IncomingMessage, response: ServerResponse): Promise<ModelRequest> {
  const closed = new Promise<"whole" | "left">((resolve) =>
    response.on("close", () => resolve(response.writableFinished ? "whole" : "left")),
  );
  const raw = Buffer.concat(await incoming.toArray());
  const path = (incoming.url ?? "/").split("?")[0]!;
  const wire: Wire =
    path.includes("/api/") && !path.includes("/v1/")
      ? "ollama"
      : path.endsWith("/messages") || incoming.headers["anthropic-version"]
        ? "anthropic"
        : "openai";
  const body = (raw.length === 0 ? {} : JSON.parse(raw.toString())) as ModelBody;
  const wants = body.stream;
  return {
    wire,
    method: incoming.method ?? "GET",
    path,
    headers: incoming.headers,
    raw,
    body,
    stream: wire === "ollama" ? wants !== false : wants === true,
    closed,
  };
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

function refuse(
  response: ServerResponse,
  wire: Wire,
  error: { status: number; code: string; message: string; body?: string; headers?: Record<string, string> },
): void {
  send(response, error.status, error.body ?? errorBody(wire, error), error.headers);
}

function listing(server: ModelServer, request: ModelRequest, response: ServerResponse): void {
  if (request.path === "/api/tags") return send(response, 200, { models: server.models.map((name) => ({ name, model: name, size: 1 })) });
  if (request.path === "/api/show")
    return send(response, 200, { model_info: { "test.context_length": 32_768 }, capabilities: ["completion", "tools"] });
  if (request.path === "/v1/models" && request.wire === "anthropic")
    return send(response, 200, {
      data: server.models.map((id) => ({ type: "model", id, display_name: id, created_at: "2026-01-01T00:00:00Z" })),
      has_more: false,
    });
  if (request.path === "/v1/models")
    return send(response, 200, { object: "list", data: server.models.map((id) => ({ id, object: "model" })) });
  send(response, 404, { error: { message: "no such path" } });
}

interface Stage {
  request: ModelRequest;
  response: ServerResponse;
  actions: Action[];
}

async function play(stage: Stage): Promise<void> {
  const { request, response, actions } = stage;
  if (!request.stream && !actions.some((action) => fault(action)))
    return send(response, 200, writer(request.wire, String(request.body.model)).whole(collect(actions)));
  const out = writer(request.wire, String(request.body.model));
  const answer = collect(actions);
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { "content-type": out.type });
    response.write(out.begin());
  };
  let calls = 0;
  for (const action of actions) {
    if (response.destroyed) return;
    if (await disturb(stage, action, begin)) return;
    if (action.do === "text" || action.do === "thinking" || action.do === "calls" || action.do === "error") begin();
    if (action.do === "text") for (const piece of cut(action.text, action.pieces ?? 3)) response.write(out.text(piece));
    if (action.do === "thinking")
      response.write(
        [...cut(action.text, action.pieces ?? 3).map((piece) => out.thinking(piece)), out.signature(action.signature ?? "signed")].join(""),
      );
    if (action.do === "calls") {
      const pieces = action.calls.map((call) => out.call(calls, named(call, calls++), action.pieces ?? 3));
      // The pieces of parallel calls alternate, where the format says to which call each belongs.
      const longest = Math.max(...pieces.map((one) => one.length));
      if (request.wire === "openai") for (let at = 0; at < longest; at++) for (const one of pieces) response.write(one[at] ?? "");
      else for (const one of pieces) response.write(one.join(""));
    }
    if (action.do === "error") response.write(out.error(action.code, action.message));
  }
  begin();
  response.end(out.end(answer.finish, answer.usage));
}

const fault = (action: Action): boolean => ["status", "html", "cut", "hang", "headers", "flood", "bytes", "end"].includes(action.do);
const named = (call: { id?: string; tool: string; input: unknown }, index: number): WireCall => ({
  id: call.id ?? `call_${index + 1}`,
  tool: call.tool,
  input: call.input,
});

/** Plays a fault or a pause; true when the answer is over. */
async function disturb({ request, response }: Stage, action: Action, begin: () => void): Promise<boolean> {
  if (action.do === "wait") await new Promise((resolve) => setTimeout(resolve, action.ms).unref());
  if (action.do === "until") await action.promise;
  if (action.do === "bytes") {
    begin();
    response.write(action.bytes);
  }
  if (action.do === "status") refuse(response, request.wire, { code: "error", message: `status ${action.status}`, ...action });
  if (action.do === "html") {
    response.writeHead(action.status ?? 200, { "content-type": "text/html" });
    response.end("<!doctype html><title>Sign in</title><p>Please sign in</p>");
  }
  if (action.do === "end") response.end();
  if (action.do === "cut") {
    // What was written before must be on its way, or the client would see a reset at once.
    await new Promise((resolve) => setTimeout(resolve, 20));
    response.destroy();
  }
  if (action.do === "hang") await request.closed;
  if (action.do === "headers") await trickle(response, "HTTP/1.1 200 OK\r\n", () => `x-filler: ${"a".repeat(1000)}\r\n`);
  if (action.do === "flood") {
    begin();
    await trickle(response, "", () => "a".repeat(65_536));
  }
  return ["status", "html", "end", "cut", "hang", "headers", "flood"].includes(action.do);
}

async function trickle(response: ServerResponse, first: string, next: () => string): Promise<void> {
  const socket = response.socket;
  if (socket === null) return;
  const raw = !response.headersSent;
  if (raw) socket.write(first);
  while (!socket.destroyed) {
    const room = raw ? socket.write(next()) : response.write(next());
    if (!room) await new Promise<void>((resolve) => void (socket.once("drain", () => resolve()), socket.once("close", () => resolve())));
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

function collect(actions: Action[]): Answer {
  const answer: Answer = { thinking: "", signature: "", text: "", calls: [], usage: { input: 10, output: 5 }, finish: "stop" };
  for (const action of actions) {
    if (action.do === "text") answer.text += action.text;
    if (action.do === "thinking") {
      answer.thinking += action.text;
      answer.signature = action.signature ?? "signed";
    }
    if (action.do === "calls") {
      for (const call of action.calls) answer.calls.push(named(call, answer.calls.length));
      answer.finish = "calls";
    }
    if (action.do === "usage") {
      const { do: _, ...usage } = action;
      answer.usage = usage;
    }
  }
  for (const action of actions) if (action.do === "finish") answer.finish = action.reason;
  return answer;
}
