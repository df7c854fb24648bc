// What OpenCode's server tells while it works: parts of messages become items, wishes go to the person, its calls of Steward's tools are left to the gate.
import type { Host } from "../core/ports.ts";
import type { Effect, PlanEntry, ToolResult } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import type { Fields, Server } from "./opencode-server.ts";
import type { Record } from "./record.ts";

export interface Work {
  record: Record;
  host: Host;
  /** Steward's tools, by the names that OpenCode gives them. */
  own: Set<string>;
  server(): Server;
  /** The session of the turn; nothing counts before it is known. Those that its helpers work in are told of by their parent. */
  session?: string;
  helpers: Set<string>;
  /** What the model said, by part: OpenCode tells of the person's words in the same way. */
  roles: Map<string, string>;
  kinds: Map<string, "text" | "thinking">;
  /** Inputs of calls that run, and what waits for them. */
  inputs: Map<string, PromiseWithResolvers<{ tool: string; input: unknown }>>;
  /** Messages of the person that were sent; those that OpenCode has, the newest last; the one that was answered last. */
  sent: number;
  asked: Set<string>;
  answered?: string;
  asking: number;
  steps: number;
  /** Answers of the model in a row that held nothing. */
  empty: number;
  /** Set when it said why it can't go on; it is idle soon after. */
  error?: StewardError;
  cut: boolean;
  idle(): void;
  retried(message: string): void;
}

const EFFECTS: Readonly<{ [tool: string]: Effect }> = Object.fromEntries(
  ["read", "glob", "grep", "list", "skill", "lsp", "webfetch", "websearch", "todowrite", "todoread"].map((name) => [name, "read" as const]),
);
/** A server of a project may have a name that begins alike, so only Steward's own tools are. */
const isStewards = ({ own }: Work, name: string): boolean => own.has(name);

/** Throws what `record` throws. */
export async function take(work: Work, { type, properties }: Fields): Promise<void> {
  const { sessionID, info, part, ...more } = (properties ?? {}) as Fields;
  const session = String(sessionID ?? (part as Fields | undefined)?.sessionID ?? (info as Fields | undefined)?.sessionID ?? "");
  if (work.session === undefined) return;
  const main = session === work.session;
  const parent = String((info as Fields | undefined)?.parentID ?? "");
  if (type === "session.created" && (parent === work.session || work.helpers.has(parent))) work.helpers.add(String((info as Fields).id));
  if (!main && !work.helpers.has(session)) return;
  if (type === "permission.asked") return void wish(work, (properties ?? {}) as Fields);
  if (type === "message.part.updated") return takePart(work, main, part as Fields);
  if (!main) return;
  if (type === "message.updated") takeMessage(work, info as Fields);
  if (type === "message.part.delta") takeDelta(work, more);
  if (type === "todo.updated") await work.record.plan(planOf(more.todos));
  if (type === "session.error") work.error = failure(more.error);
  const status = (more.status ?? {}) as Fields;
  if (type === "session.status" && status.type === "retry") work.retried(String(status.message));
  if (type === "session.status" && status.type === "idle" && (work.error !== undefined || isAnswered(work))) work.idle();
}

/** It is idle for a moment between two messages, too. */
const isAnswered = ({ sent, asked, answered }: Work): boolean => asked.size >= sent && [...asked].at(-1) === answered;

function takeMessage(work: Work, { id, role, finish, parentID }: Fields): void {
  work.roles.set(String(id), String(role));
  if (role === "user") work.asked.add(String(id));
  if (role !== "assistant") return;
  work.answered = String(parentID);
  if (typeof finish === "string") work.cut = finish === "length";
}

function takeDelta({ record, kinds }: Work, { partID, field, delta }: Fields): void {
  const kind = kinds.get(String(partID));
  if (kind !== undefined && field === "text") record.say(kind, String(partID), String(delta));
}

/** It would ask again for ever what answers nothing. */
const MOST_EMPTY = 3;

function begun(work: Work): void {
  work.steps++;
  if (++work.empty <= MOST_EMPTY) return;
  work.error ??= new StewardError("unavailable", "The model's side answers, but says nothing");
  work.idle();
}

async function takePart(work: Work, main: boolean, part: Fields): Promise<void> {
  const { id, messageID, type, text, synthetic } = part;
  if (type === "tool") return takeTool(work, part);
  if (type === "step-start" && main) begun(work);
  if ((type !== "text" && type !== "reasoning") || !main || synthetic === true || work.roles.get(String(messageID)) !== "assistant") return;
  const kind = type === "text" ? "text" : "thinking";
  if (text !== "") work.empty = 0;
  work.kinds.set(String(id), kind);
  work.record.said(kind, String(id), String(text ?? ""));
}

// ---- Tools

const callKey = (message: unknown, call: unknown): string => `${String(message)} ${String(call)}`;

function inputOf({ inputs }: Work, key: string): PromiseWithResolvers<{ tool: string; input: unknown }> {
  const known = inputs.get(key) ?? Promise.withResolvers<{ tool: string; input: unknown }>();
  inputs.set(key, known);
  return known;
}

/** Its ids are the model's, which may use the same in every answer: the message's makes them one of a kind. */
async function takeTool(work: Work, { messageID, callID, tool, state }: Fields): Promise<void> {
  const { status, input, output, error, metadata } = (state ?? {}) as Fields;
  const [key, name] = [callKey(messageID, callID), String(tool)];
  work.empty = 0;
  if (status === "pending") return;
  if (isStewards(work, name)) {
    if (status === "running") await work.record.flush();
    return inputOf(work, key).resolve({ tool: name, input });
  }
  await work.record.begun(key, { tool: name, input, effect: EFFECTS[name] ?? "write" });
  inputOf(work, key).resolve({ tool: name, input });
  const printed = (metadata as Fields | undefined)?.output;
  if (status === "running") return typeof printed === "string" ? work.record.prints(key, printed) : undefined;
  await work.record.done(key, resultOf(status, output, error));
}

const resultOf = (status: unknown, output: unknown, error: unknown): ToolResult =>
  status === "completed"
    ? { success: true, output: output ?? null, error: null }
    : { success: false, output: null, error: String(error ?? "It failed.") };

/** How long a wish waits to be told what it is about. */
const KNOWN_MS = 2000;

/** Not waited for: what else happens goes on. The call is in the log before the person is asked. */
async function wish(work: Work, { id, permission, patterns, metadata, tool }: Fields): Promise<void> {
  work.asking++;
  try {
    const { messageID, callID } = (tool ?? {}) as Fields;
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, KNOWN_MS));
    const call = tool === undefined ? undefined : await Promise.race([inputOf(work, callKey(messageID, callID)).promise, late]);
    const own = isStewards(work, String(permission));
    if (own) await work.record.flush();
    const input = call?.input ?? { patterns, ...(metadata as Fields) };
    const about = own ? "" : aboutOf(String(permission), call?.tool, patterns);
    const name = call?.tool ?? String(permission);
    const { allowed, reason = "" } = own
      ? { allowed: true }
      : await work.host.permit({ tool: name, input, ...(about === "" ? {} : { about }) });
    if (work.host.signal.aborted) return;
    const message = reason === "" ? "This was not allowed." : reason;
    await work.server().call("POST", `/permission/${String(id)}/reply`, allowed ? { reply: "once" } : { reply: "reject", message });
  } catch (error) {
    work.error ??= error instanceof StewardError ? error : new StewardError("internal", String(error));
    work.idle();
  } finally {
    work.asking--;
  }
}

/** A wish about something else than the tool itself, such as a folder outside the workspace, says what. */
function aboutOf(permission: string, tool: string | undefined, patterns: unknown): string {
  const which = Array.isArray(patterns)
    ? oneLine(
        patterns
          .map(String)
          .filter((one) => one !== "*")
          .join(", "),
        200,
      )
    : "";
  return permission === tool ? which : `${permission.replace(/_/g, " ")} ${which}`.trim();
}

// ---- Words

const STATES: Readonly<{ [status: string]: PlanEntry["state"] }> = { in_progress: "active", completed: "done", cancelled: "done" };

const planOf = (todos: unknown): PlanEntry[] =>
  (Array.isArray(todos) ? (todos as Fields[]) : [])
    .slice(0, 100)
    .map(({ content, status }) => ({ text: String(content).slice(0, 1000), state: STATES[String(status)] ?? "pending" }));

function failure(error: unknown): StewardError {
  const { name, data } = (error ?? {}) as Fields;
  const { message, statusCode } = (data ?? {}) as Fields;
  const said = oneLine(String(message ?? name ?? "no reason given"), 500);
  const code = statusCode === 429 ? "limit" : statusCode === 400 || name === "ContextOverflowError" ? "invalid" : "unavailable";
  return new StewardError(code, `OpenCode could not go on: ${said}`);
}
