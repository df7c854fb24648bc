// Tool calls as an agent tells of them by the Agent Client Protocol: gathered from their updates, logged once, Steward's own left to the gate.
import type { Effect, PlanEntry, ToolResult } from "../core/types.ts";
import { type Fields, fieldsOf } from "./acp-connection.ts";
import type { Record } from "./record.ts";

interface Seen {
  /** Of the record: an id that comes again after its end is another call. */
  key: string;
  name: string;
  title: string;
  kind: string;
  status: string;
  input?: unknown;
  content: unknown[];
  output?: unknown;
  /** Said to go to a server of MCP. */
  mcp: boolean;
  /** Steward's, which the gate logs. */
  own: boolean;
}
export interface Calls {
  /** A tool_call or tool_call_update. Rejects in `failed` too, since one that waits for words is not waited for. */
  take(update: Fields): Promise<void>;
  /** A permission is asked for: it is in the log before that. Steward's own need none here. */
  asked(update: Fields): Promise<{ own: boolean; tool: string; input: unknown; title: string }>;
  failed: Promise<never>;
  /** All that was taken is in the log. */
  settled(): Promise<void>;
  /** What waits still is left out. */
  close(): void;
}

const EFFECTS: Readonly<{ [kind: string]: Effect }> = { read: "read", search: "read", think: "read", fetch: "read", switch_mode: "read" };

/** `tools`: names of Steward's. `quiet` resolves when the agent has said nothing for a while, or at once for a signal that has aborted. */
export function openCalls(record: Record, tools: Set<string>, quiet: (hurry: AbortSignal) => Promise<void>): Calls {
  const state = { known: new Map<string, Seen>(), over: new Map<string, number>(), closed: false };
  const lane = openLane(record, quiet);
  const begin = ({ key, name, title, kind, input }: Seen): Promise<void> =>
    record.begun(key, { tool: name, input: isEmpty(input) ? { title } : input, effect: EFFECTS[kind] ?? "write" });
  const follow = async (id: string, call: Seen): Promise<void> => {
    if (state.closed) return;
    const over = isOver(call.status);
    if (over) end(state, id);
    if (call.own) return record.flush();
    if (call.status === "in_progress" || over || !isEmpty(call.input)) await begin(call);
    if (over) await record.done(call.key, resultOf(call));
    else record.prints(call.key, textOf(call.content));
  };
  return {
    failed: lane.failed,
    settled: lane.settled,
    close() {
      state.closed = true;
      lane.hurry();
    },
    async take(update) {
      const id = String(update.toolCallId);
      const first = !state.known.has(id);
      if (first && state.over.has(id) && (update.sessionUpdate !== "tool_call" || isOver(update.status))) return; // late news of one that has ended
      const call = merged(state, update, tools);
      // What a stream tells without its input comes in its place, so all words before it are here.
      const early = first && call.status === "pending" && !isEmpty(call.input);
      if (!early) lane.hurry();
      const done = lane.inTurn(early, () => follow(id, call));
      if (!early) await done;
    },
    async asked(update) {
      const first = !state.known.has(String(update.toolCallId));
      const call = merged(state, update, tools);
      await lane.inTurn(first, () => (call.own ? record.flush() : begin(call)));
      return { own: call.own, tool: call.name, input: call.input ?? { title: call.title }, title: call.title };
    },
  };
}

interface Lane {
  /** One after the other. A call that outran the words before it, which some agents send by another way, waits for them. */
  inTurn(late: boolean, work: () => Promise<void>): Promise<void>;
  /** All words before are here. */
  hurry(): void;
  settled(): Promise<void>;
  failed: Promise<never>;
}

function openLane(record: Record, quiet: (hurry: AbortSignal) => Promise<void>): Lane {
  const state: { tail: Promise<void>; hurry: AbortController } = { tail: Promise.resolve(), hurry: new AbortController() };
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  return {
    failed: failed.promise,
    hurry: () => state.hurry.abort(),
    settled() {
      state.hurry.abort();
      return state.tail;
    },
    inTurn(late, work) {
      const waits = late && record.speaking();
      if (waits) state.hurry = new AbortController();
      const { signal } = state.hurry;
      const done = state.tail.then(() => (waits ? quiet(signal) : undefined)).then(work);
      state.tail = done.catch((error: unknown) => failed.reject(error));
      return done;
    },
  };
}

interface Known {
  known: Map<string, Seen>;
  /** How often an id has ended. */
  over: Map<string, number>;
}

function merged({ known, over }: Known, update: Fields, tools: Set<string>): Seen {
  const id = String(update.toolCallId);
  const before = known.get(id);
  const next = merge(before, update);
  // Once the agent's own, always: what is told later makes nothing Steward's.
  const call = { ...next, key: `${id} ${over.get(id) ?? 0}`, own: before?.own !== false && isStewards(next, tools) };
  known.set(id, call);
  return call;
}

function end({ known, over }: Known, id: string): void {
  known.delete(id);
  over.set(id, (over.get(id) ?? 0) + 1);
}

const isOver = (status: unknown): boolean => status === "completed" || status === "failed";

const isEmpty = (input: unknown): boolean =>
  input === undefined || input === null || (typeof input === "object" && Object.keys(input).length === 0);

function merge(before: Seen | undefined, update: Fields): Omit<Seen, "key" | "own"> {
  const text = (name: string, or: string): string => (typeof update[name] === "string" && update[name] !== "" ? update[name] : or);
  const kind = text("kind", before?.kind ?? "other");
  return {
    name: text("name", before?.name ?? metaName(update) ?? (kind === "other" ? text("title", "tool") : kind)).slice(0, 100),
    title: text("title", before?.title ?? ""),
    kind,
    status: text("status", before?.status ?? "pending"),
    ...(isEmpty(update.rawInput) ? (before?.input === undefined ? {} : { input: before.input }) : { input: update.rawInput }),
    content: Array.isArray(update.content) ? (update.content as unknown[]) : (before?.content ?? []),
    output: update.rawOutput ?? before?.output,
    mcp: before?.mcp === true || fieldsOf(update._meta).is_mcp_tool_call === true,
  };
}

/** Agents that had no field for the name put it here. */
function metaName({ _meta }: Fields): string | undefined {
  for (const part of Object.values(fieldsOf(_meta))) {
    const name = fieldsOf(part).toolName;
    if (typeof name === "string") return name;
  }
  return undefined;
}

/**
 * Agents write them as `mcp__steward__remember`, `steward_remember`, `mcp.steward.remember` or `remember (steward MCP Server)`: as the
 * whole of a name. A title may be what a model wrote, such as a command, so it counts only where there is no other name.
 */
function isStewards({ name, title, kind, mcp }: Omit<Seen, "key" | "own">, tools: Set<string>): boolean {
  if (kind !== "other" && !mcp) return false;
  const said = plain(kind === "other" ? name : title);
  return [...tools].map(plain).some((tool) => FORMS.some((form) => said === form.replace("*", tool)));
}

const FORMS = ["mcp_steward_*", "steward_*", "tool_steward_*", "*_steward_mcp_server"];
const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/_$/, "");

function resultOf({ status, content, output }: Seen): ToolResult {
  const text = textOf(content);
  const shown = text === "" ? (output ?? null) : text;
  if (status === "completed") return { success: true, output: shown, error: null };
  return { success: false, output: null, error: typeof shown === "string" ? shown : shown === null ? "It failed." : JSON.stringify(shown) };
}

function textOf(content: unknown[]): string {
  return content
    .flatMap((part) => {
      const { type, content: inner, path, newText } = fieldsOf(part);
      if (type === "diff") return [`${String(path)}:\n${String(newText)}`];
      const { type: kind, text } = fieldsOf(inner);
      return type === "content" && kind === "text" ? [String(text)] : [];
    })
    .join("\n");
}

const STATES: Readonly<{ [status: string]: PlanEntry["state"] }> = { in_progress: "active", completed: "done" };

export const planOf = (entries: unknown): PlanEntry[] =>
  (Array.isArray(entries) ? (entries as unknown[]) : [])
    .slice(0, 100)
    .map(fieldsOf)
    .map(({ content, status }) => ({ text: String(content).slice(0, 1000), state: STATES[String(status)] ?? "pending" }));
