// One open connection to a server: what it may ask of us (the person's answers, the workspace), what we ask of it, and how long that may take.
import type * as Library from "@modelcontextprotocol/client";
import type { CallToolResult, Client, ElicitResult, Tool as ServerTool, Transport } from "@modelcontextprotocol/client";
import { pathToFileURL } from "node:url";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import { type Call, type Calls, openCalls } from "./calls.ts";
import { listing, LARGEST_SCHEMA, type Listed } from "./pins.ts";
import { elicit } from "./questions.ts";
import { misfits } from "./schema.ts";

export type Sdk = typeof Library;
/** Takes a tenth of a second and thirty megabytes, so only when a server is used. */
export const sdk = (): Promise<Sdk> => import("@modelcontextprotocol/client");

export interface ConnectOptions {
  name: string;
  /** Made anew for each try. */
  transport(): Transport;
  /** As the server may know it; absent: it is told of no folder. */
  workspace?: string;
  version: string;
  startMs: number;
  /** After the server said that its tools have changed. */
  changed(tools: Record<string, Listed>): void;
  /** What stays behind the transports is closed with the connection. */
  closed?(): Promise<void>;
  signal?: AbortSignal;
}
export interface Connection {
  tools: Record<string, Listed>;
  /** What the server calls itself. */
  version: string;
  /** Calls that are under way. */
  busy(): number;
  /** Undefined: the server had ended the session before it took this; another connection may be asked. */
  call(tool: string, input: unknown, how: CallOptions): Promise<CallToolResult | undefined>;
  /** No more once a call has shown that it is over; then it closes by itself when nothing is under way. */
  isOpen(): boolean;
  close(): Promise<void>;
}
export interface CallOptions {
  context: Call["context"];
  silentMs: number;
}

const MOST_MS = 60 * 60_000;
const MOST_SHOWN = 20_000;

export async function connect(options: ConnectOptions): Promise<Connection> {
  const mcp = await sdk();
  const calls = openCalls();
  const state = { open: true };
  const { client, transport } = await opened(mcp, options, calls);
  client.onclose = () => void (state.open = false);
  calls.follow(transport);
  const definitions = new Map<string, ServerTool>();
  const read = async (): Promise<Record<string, Listed>> => {
    if (!client.getServerCapabilities()?.tools) return {};
    const { tools } = await client.listTools(undefined, { timeout: options.startMs, cacheMode: "bypass" });
    const found = listing(tools);
    definitions.clear();
    for (const tool of tools) if (Object.hasOwn(found, tool.name) && !definitions.has(tool.name)) definitions.set(tool.name, kept(tool));
    return found;
  };
  const close = async (): Promise<void> => {
    state.open = false;
    await client.close().catch(() => undefined);
    await transport.close().catch(() => undefined);
    await options.closed?.();
  };
  const over = (): void => void (state.open = false);
  const hasEnded = (error: unknown): Ended | undefined =>
    transport.sessionId !== undefined && error instanceof mcp.SdkHttpError ? endedBy(error) : undefined;
  const connection: Connection = {
    tools: await read().catch(async (error: unknown) => {
      await close();
      throw error;
    }),
    version: versionOf(client),
    busy: calls.size,
    isOpen: () => state.open,
    async call(tool, input, how) {
      try {
        return await call(client, calls, { tool, input, how, definition: definitions.get(tool), over, hasEnded });
      } finally {
        if (!state.open && calls.size() === 0) await close();
      }
    },
    close,
  };
  const again = paced(async () => {
    if (!state.open) return;
    connection.tools = await read().catch(() => connection.tools);
    options.changed(connection.tools);
  });
  client.setNotificationHandler("notifications/tools/list_changed", again);
  return connection;
}

/** The session is not known: `before` the call was looked at, or so says an answer to the call itself, which may have run. */
type Ended = "before" | "answered";

/** 404 by the protocol, and 400 by those who have copied the library's examples. */
function endedBy({ status, data }: Library.SdkHttpError): Ended | undefined {
  if (status === 404) return "before";
  const { id, error } = status === 400 ? errorOf(data["text"]) : {};
  if (!/^Bad Request: (?:No valid session|Session not found)/i.test(String(error?.message))) return undefined;
  return id === undefined || id === null ? "before" : "answered";
}

function errorOf(text: unknown): { id?: unknown; error?: { message?: unknown } | null } {
  try {
    return Object(JSON.parse(String(text))) as object;
  } catch {
    return {};
  }
}

/** Of what the server said of a tool, what a call needs. */
function kept({ name, inputSchema, outputSchema }: ServerTool): ServerTool {
  const fits = outputSchema !== undefined && JSON.stringify(outputSchema).length <= LARGEST_SCHEMA;
  return { name, inputSchema, ...(fits ? { outputSchema } : {}) };
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

/** However often it is asked for: once, and once more afterwards; later and later while it is asked for without end. */
function paced(work: () => Promise<void>): () => void {
  const state = { busy: false, again: false, pause: FIRST_PAUSE_MS };
  const run = async (): Promise<void> => {
    state.again = false;
    await work();
    setTimeout(() => {
      state.busy = state.again;
      state.pause = state.again ? Math.min(LONGEST_PAUSE_MS, state.pause * 2) : FIRST_PAUSE_MS;
      if (state.again) void run();
    }, state.pause).unref();
  };
  return () => {
    if (state.busy) return void (state.again = true);
    state.busy = true;
    void run();
  };
}

const versionOf = (client: Client): string => {
  const { name = "", version = "" } = client.getServerVersion() ?? {};
  return visible(`${name} ${version} (MCP ${client.getNegotiatedProtocolVersion() ?? "?"})`).slice(0, 200);
};

/** A program that ends at an unknown question, or never answers it, speaks the older protocol: it is asked again in that one. */
async function opened(mcp: Sdk, options: ConnectOptions, calls: Calls): Promise<{ client: Client; transport: Transport }> {
  const tried = async (mode: "auto" | "legacy"): Promise<{ client: Client; transport: Transport }> => {
    const client = makeClient(mcp, options, { calls, mode });
    const transport = options.transport();
    const how = { timeout: options.startMs, ...(options.signal ? { signal: options.signal } : {}) };
    await client.connect(transport, how).catch(async (error: unknown) => {
      await transport.close().catch(() => undefined);
      throw error;
    });
    return { client, transport };
  };
  if (options.workspace === undefined) return tried("auto");
  return tried("auto").catch((error: unknown) => {
    if (options.signal?.aborted || !/clos|gone|ended|probe timed out/i.test(messageOf(error))) throw error;
    return tried("legacy");
  });
}

function makeClient(
  mcp: Sdk,
  { name, workspace, version, startMs }: ConnectOptions,
  { calls, mode }: { calls: Calls; mode: "auto" | "legacy" },
): Client {
  const client = new mcp.Client(
    { name: "steward", version },
    {
      capabilities: { elicitation: { form: { applyDefaults: true } }, ...(workspace === undefined ? {} : { roots: {} }) },
      // It may have to be fetched first, or the machine be busy.
      versionNegotiation: { mode, probe: { timeoutMs: workspace === undefined ? startMs : startMs / 3 } },
      jsonSchemaValidator: checker,
      listMaxPages: 32,
    },
  );
  client.onerror = () => undefined; // what ends a connection is seen where it ends
  client.setRequestHandler("elicitation/create", async ({ params }, { mcpReq }): Promise<ElicitResult> => {
    const call = calls.meant();
    if (call === undefined || params.mode === "url") return { action: "cancel" };
    const signal = AbortSignal.any([calls.over(call), mcpReq.signal]);
    const asked = calls.question(call, () => elicit(name, params, (question) => call.context.ask({ ...question, signal })));
    call.asking(asked);
    return asked;
  });
  if (workspace !== undefined)
    client.setRequestHandler("roots/list", () => ({ roots: [{ uri: pathToFileURL(workspace).href, name: "workspace" }] }));
  return client;
}

/** Schemas of others are read by our own checker: their patterns are not run, and no code is made from them. */
const checker: Library.jsonSchemaValidator = {
  getValidator: (schema) => (value) => {
    const [problem] = misfits(schema, value);
    return problem === undefined
      ? { valid: true, data: value as never, errorMessage: undefined }
      : { valid: false, data: undefined, errorMessage: `${problem.path.join(".")} ${problem.message}` };
  },
};

interface Wanted {
  tool: string;
  input: unknown;
  how: CallOptions;
  definition: ServerTool | undefined;
  /** It is not to be trusted to answer again. */
  over(): void;
  /** Whether it says that it does not know the session. */
  hasEnded(error: unknown): Ended | undefined;
}

async function call(
  client: Client,
  calls: Calls,
  { tool, input, how, definition, over, hasEnded }: Wanted,
): Promise<CallToolResult | undefined> {
  const { context, silentMs } = how;
  const late = new AbortController();
  const watch = silence(silentMs, () => late.abort(new StewardError("unavailable", `${tool} was silent for ${silentMs / 1000} s`)));
  const one: Call = { context, alive: watch.alive, asking: watch.pause };
  const shown = { size: 0 };
  const params = { name: tool, arguments: (input ?? {}) as Record<string, unknown> };
  const options = {
    signal: AbortSignal.any([context.signal, late.signal]),
    timeout: MOST_MS,
    ...(definition ? { toolDefinition: definition } : {}),
    onprogress(progress: Library.Progress) {
      watch.alive();
      const text = progressText(progress);
      if ((shown.size += text.length) < MOST_SHOWN) context.output(text);
    },
  };
  try {
    return await calls.during(one, () => client.callTool(params, options));
  } catch (error) {
    if (context.signal.aborted) throw new StewardError("denied", "It was cancelled");
    const ended = hasEnded(error);
    if (ended) over();
    if (ended === "before") return undefined;
    // It was silent, or can't be reached. While it answers others, it is not given up.
    if ((late.signal.aborted || hasCode(error, "unavailable")) && calls.size() === 0) over();
    throw late.signal.aborted ? late.signal.reason : explained(error);
  } finally {
    watch.over();
  }
}

function progressText({ progress, total, message }: Library.Progress): string {
  const far = total === undefined ? `${progress}` : `${progress} of ${total}`;
  return `${far}${message === undefined ? "" : `: ${clip(visible(message), 500)}`}\n`;
}

const explained = (error: unknown): unknown =>
  error instanceof StewardError
    ? error
    : new StewardError("unavailable", clip(visible(messageOf(error)), 1000) || "The server failed", { cause: error });

/** Calls back after a time without life. */
function silence(ms: number, over: () => void): { alive(): void; pause(work: Promise<unknown>): void; over(): void } {
  const state: { timer?: NodeJS.Timeout; paused: number; done: boolean } = { paused: 0, done: false };
  const alive = (): void => {
    clearTimeout(state.timer);
    if (!state.done && state.paused === 0) state.timer = setTimeout(over, ms);
  };
  alive();
  return {
    alive,
    pause(work) {
      state.paused++;
      clearTimeout(state.timer);
      const back = (): void => {
        state.paused--;
        alive();
      };
      void work.then(back, back);
    },
    over() {
      state.done = true;
      clearTimeout(state.timer);
    },
  };
}
