// An engine that is a program before a scripted model server, with Steward's tools over real MCP and a host that keeps its log in memory.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod/mini";
import type { Event, LiveEvent, Stored } from "../src/core/events.ts";
import { pendingCalls, toMessages } from "../src/core/history.ts";
import type { EngineKind, Host, Outcome, ToolSpec, Turn } from "../src/core/ports.ts";
import type { FilePart, Item, ToolCall, ToolResult } from "../src/core/types.ts";
import { openToolDoor } from "../src/doors/tools.ts";
import { newId } from "../src/std/id.ts";
import { type Action, type ModelServer, modelServer, type Script } from "../src/testing/model-server.ts";
import { testWorkplace, type TestWorkplace, type WorkplaceOptions } from "../src/testing/workplace.ts";
import type { ProgramNeed } from "../src/core/workplace.ts";
import { realPrograms } from "./programs.ts";

/** The real program, brought when it is not there yet. Where it can't be had the test fails. */
export async function realProgram(need: ProgramNeed | undefined): Promise<WorkplaceOptions["programs"]> {
  const real = await realPrograms([need!]);
  assert.ok(typeof real !== "string", `${real as string}, so nothing is tested`);
  return { [need!.name]: { path: real.path[need!.name]!, version: need!.version } };
}

export type Run = (input: Record<string, unknown>, signal: AbortSignal) => Promise<unknown>;
export interface PlaceOptions<C> extends Omit<WorkplaceOptions, "model" | "tools"> {
  engine: EngineKind<C>;
  config?: Record<string, unknown>;
  script?: Script | Action[];
  tools?: Record<string, Run>;
  /** Names of tools whose calls run beside each other. */
  together?: string[];
  permit?: Host["permit"];
  files?: Record<string, Uint8Array>;
}
export interface Place {
  server: ModelServer;
  workplace: TestWorkplace;
  log: Stored[];
  live: LiveEvent[];
  /** What the person was asked to allow. */
  wishes: Parameters<Host["permit"]>[0][];
  /** What the door of the model says is wrong. */
  fault: { now?: ReturnType<TestWorkplace["fault"]> };
  /** A message of the person, in the log. */
  say(text: string, ...files: FilePart[]): void;
  /** A turn over the log, from its start or, after a crash, from where it was left. Its end is put into the log. */
  run(
    how?: Partial<Turn> & {
      signal?: AbortSignal;
      onEvent?: (event: Event) => void | Promise<void>;
      onLive?: (event: LiveEvent) => void;
      /** The engine has taken what the person said meanwhile. */
      onSteer?: () => void;
    },
  ): Promise<Outcome>;
  /** What happened in the newest turn, in short. */
  story(): string[];
  close(): Promise<void>;
}

export async function openPlace<C>(options: PlaceOptions<C>): Promise<Place> {
  const { engine: kind, script, tools = {}, together = [], config = {}, files = {}, permit, ...more } = options;
  const server = await modelServer({ models: ["test-1", "test-2"], ...(script ? { script } : {}) });
  const held: { call?: (call: ToolCall) => Promise<ToolResult> } = {};
  const specs = Object.keys(tools).map((name): ToolSpec => ({
    name,
    description: `Does ${name}`,
    schema: { type: "object", properties: {} },
    ...(together.includes(name) ? { together: true } : {}),
  }));
  const door = await serveTools(specs, async (call) => {
    if (held.call === undefined) throw new Error("No turn runs");
    return held.call(call);
  });
  const fault: Place["fault"] = {};
  const workplace = await testWorkplace({ model: server.url, tools: door.tools, fault: () => fault.now, ...more });
  const log: Stored[] = [];
  const live: LiveEvent[] = [];
  const wishes: Place["wishes"] = [];
  const add = (...events: Event[]): void => {
    for (const event of events) log.push({ session: "ses_1", seq: log.length + 1, at: 1, event });
  };
  const engine = kind.open({ config: () => z.parse(kind.config, config), file: async (_session, id) => files[id]! });
  return {
    ...{ server, workplace, log, live, wishes, fault },
    say: (text, ...parts) => add({ type: "message.received", id: newId("msg"), from: "owner", parts: [{ type: "text", text }, ...parts] }),
    async run({ signal = new AbortController().signal, onEvent, onLive, onSteer, ...how } = {}) {
      const open = log.findLast(({ event }) => event.type === "turn.started" || event.type === "turn.completed")?.event;
      const turn = open?.type === "turn.started" ? open.turn : newId("trn");
      if (open?.type !== "turn.started") add({ type: "turn.started", turn, engine: kind.name, model: "compatible/test-1" });
      const state = { seen: log.length };
      const emit = async (...events: Event[]): Promise<void> => {
        add(...events);
        for (const event of events) await onEvent?.(event);
      };
      const call = (one: ToolCall): Promise<ToolResult> => callTool({ log, turn, emit, tools, signal }, one);
      held.call = async (one) => {
        await emit({ type: "item.completed", turn, item: { id: newId("itm"), kind: "step", calls: [one], seen: state.seen } });
        return call(one);
      };
      const host: Host = {
        ...{ signal, emit, call },
        live: (event) => {
          live.push(event);
          onLive?.(event);
        },
        async steer() {
          const news = log.filter(({ seq, event }) => seq > state.seen && event.type === "message.received");
          state.seen = log.length;
          if (news.length > 0) onSteer?.();
          return { messages: toMessages(news), seen: state.seen };
        },
        model: () => Promise.reject(new Error("not for this engine")),
        workplace: async () => workplace,
        permit: (wish) => {
          wishes.push(wish);
          return permit?.(wish) ?? Promise.resolve({ allowed: true });
        },
      };
      const named = { id: turn, session: "ses_1", model: "compatible/test-1", instructions: "You are Steward.", tools: specs };
      const read = { history: toMessages(log), seen: log.length, pending: pendingCalls(log) };
      // A request of a program that is gone, which arrives late, finds no turn.
      const outcome = await engine.run({ ...named, rounds: 20, window: 100_000, ...read, ...how }, host).finally(() => delete held.call);
      const { last = [], ...end } = outcome;
      add(...last.map((item): Event => ({ type: "item.completed", turn, item })));
      if (outcome.stop !== "failed") add({ type: "turn.completed", turn, engine: kind.name, model: "compatible/test-1", ...end });
      return outcome;
    },
    story: () => story(log),
    async close() {
      await workplace.close();
      await door.close();
      await server.close();
    },
  };
}

async function serveTools(specs: ToolSpec[], call: (call: ToolCall) => Promise<ToolResult>) {
  const mcp = await openToolDoor({ name: "steward", version: "1", tools: async () => specs, call });
  const web = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray());
    const headers = Object.entries(req.headers).flatMap(([name, value]): [string, string][] =>
      typeof value === "string" ? [[name, value]] : [],
    );
    if (req.headers.authorization !== "Bearer placeholder") return void res.writeHead(401).end();
    const request = new Request("http://steward/mcp", { method: req.method!, headers, ...(req.method === "POST" ? { body } : {}) });
    const answer = await mcp.answer(request, req.method === "POST" ? JSON.parse(body.toString()) : undefined);
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) for await (const piece of answer.body) res.write(piece);
    res.end();
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/mcp`;
  return {
    tools: { url, headers: { Authorization: "Bearer placeholder" } },
    async close() {
      await mcp.close();
      web.closeAllConnections();
      await new Promise((resolve) => web.close(resolve));
    },
  };
}

interface Calling {
  log: Stored[];
  turn: string;
  emit: Host["emit"];
  tools: Record<string, Run>;
  signal: AbortSignal;
}

/** As the toolbox does it: once for each call. */
async function callTool({ log, turn, emit, tools, signal }: Calling, call: ToolCall): Promise<ToolResult> {
  const before = log.findLast(
    ({ event }) => "item" in event && typeof event.item === "object" && event.item.kind === "tool" && event.item.call.id === call.id,
  )?.event;
  const item: Item & { kind: "tool" } = { id: newId("itm"), kind: "tool", call };
  const complete = async (result: ToolResult): Promise<ToolResult> => {
    await emit({ type: "item.completed", turn, item: { ...item, result } });
    return result;
  };
  if (before?.type === "item.completed" && before.item.kind === "tool" && before.item.result) return before.item.result;
  if (before) return complete({ success: false, output: null, error: "It is not known whether this ran" });
  const run = tools[call.tool];
  if (run === undefined) return complete({ success: false, output: null, error: `Unknown tool: ${call.tool}` });
  await emit({ type: "item.started", turn, item });
  try {
    return await complete({ success: true, output: await run(call.input as Record<string, unknown>, signal), error: null });
  } catch (error) {
    return complete({ success: false, output: null, error: String(error) });
  }
}

/** One line for each durable event of the newest turn. */
function story(log: Stored[]): string[] {
  const from = log.findLastIndex(({ event }) => event.type === "turn.started");
  return log.slice(from + 1).map(({ event }) => {
    if (event.type === "message.received") return "message";
    if (event.type === "turn.completed") return `end ${event.stop}`;
    if (event.type !== "item.started" && event.type !== "item.completed") return event.type;
    const { item } = event;
    const when = event.type === "item.started" ? "started " : "";
    if (item.kind === "text" || item.kind === "thinking") return `${item.kind} ${item.text}`;
    if (item.kind === "step") return `step ${item.calls.map(({ tool }) => tool).join(" ")} @${item.seen}`;
    if (item.kind === "plan") return `plan ${item.entries.map(({ text, state }) => `${text}:${state}`).join(" ")}`;
    if (item.kind !== "tool") return item.kind;
    return `${when}${item.call.tool}${item.result ? ` = ${item.result.success ? JSON.stringify(item.result.output) : item.result.error}` : ""}`;
  });
}
