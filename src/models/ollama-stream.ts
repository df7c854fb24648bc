// Reads the answers of Ollama's /api/chat, one JSON object a line, as the parts of a language model's stream. Asking is ollama.ts.
import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { newId } from "../std/id.ts";
import { textOf } from "./wire.ts";
import { half, unreadable } from "./wire-errors.ts";

interface Line {
  error?: unknown;
  model?: unknown;
  message?: { content?: unknown; thinking?: unknown; tool_calls?: unknown };
  done?: unknown;
  done_reason?: unknown;
  prompt_eval_count?: unknown;
  eval_count?: unknown;
}
type Controller = ReadableStreamDefaultController<LanguageModelV4StreamPart>;

const WHOLE_BYTES = 8_388_608;

export function parts(body: ReadableStream<Uint8Array>, name: string): ReadableStream<LanguageModelV4StreamPart> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const state: State = { name, calls: 0, done: false };
  let rest = "";
  return new ReadableStream<LanguageModelV4StreamPart>({
    start: (controller) => controller.enqueue({ type: "stream-start", warnings: [] }),
    async pull(controller) {
      try {
        for (const before = state.count ?? 0; before === (state.count ?? 0) && !state.done;) {
          const piece = await reader.read();
          const text = piece.done ? `${decoder.decode()}\n` : decoder.decode(piece.value, { stream: true });
          rest += text;
          if (!text.includes("\n")) continue;
          const lines = rest.split("\n");
          rest = lines.pop()!;
          for (const line of lines) if (line.trim() !== "" && !state.done) take(parse(line, name), state, controller);
          if (piece.done && !state.done) throw half(name);
        }
        if (!state.done) return;
        controller.close();
        await reader.cancel().catch(() => {});
      } catch (error) {
        controller.error(error);
        await reader.cancel().catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

interface State {
  name: string;
  /** The block that is open. */
  open?: { kind: "text" | "reasoning"; id: string };
  blocks?: number;
  calls: number;
  /** Parts given so far. */
  count?: number;
  done: boolean;
}

function parse(text: string, name: string): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw unreadable(name, cause);
  }
  if (typeof line !== "object" || line === null || Array.isArray(line)) throw unreadable(name);
  if ("error" in line) throw Object.assign(new Error("error in the stream"), { statusCode: 200, responseBody: text });
  return line;
}

function take(line: Line, state: State, controller: Controller): void {
  const give = (part: LanguageModelV4StreamPart): void => {
    state.count = (state.count ?? 0) + 1;
    controller.enqueue(part);
  };
  const { content, thinking } = line.message ?? {};
  if (typeof thinking === "string" && thinking !== "") grow("reasoning", thinking, { state, give });
  if (typeof content === "string" && content !== "") grow("text", content, { state, give });
  for (const call of callsOf(line)) {
    close(state, give);
    state.calls++;
    give({ type: "tool-input-start", id: call.toolCallId, toolName: call.toolName });
    give({ type: "tool-input-delta", id: call.toolCallId, delta: call.input });
    give({ type: "tool-input-end", id: call.toolCallId });
    give(call);
  }
  if (line.done !== true) return;
  close(state, give);
  give({ type: "finish", finishReason: reasonOf(line, state.calls > 0), usage: usageOf(line) });
  state.done = true;
}

interface Output {
  state: State;
  give: (part: LanguageModelV4StreamPart) => void;
}
function grow(kind: "text" | "reasoning", delta: string, { state, give }: Output): void {
  if (state.open?.kind !== kind) {
    close(state, give);
    state.blocks = (state.blocks ?? 0) + 1;
    state.open = { kind, id: `${kind}-${state.blocks}` };
    give({ type: `${kind}-start`, id: state.open.id });
  }
  give({ type: `${kind}-delta`, id: state.open.id, delta });
}
function close(state: State, give: Output["give"]): void {
  if (state.open !== undefined) give({ type: `${state.open.kind}-end`, id: state.open.id });
  delete state.open;
}

function callsOf(line: Line): Extract<LanguageModelV4Content, { type: "tool-call" }>[] {
  const calls = line.message?.tool_calls;
  return (Array.isArray(calls) ? calls : []).flatMap((call: { id?: unknown; function?: { name?: unknown; arguments?: unknown } }) => {
    const { name, arguments: input = {} } = call?.function ?? {};
    if (typeof name !== "string") return [];
    return [
      {
        type: "tool-call" as const,
        toolCallId: typeof call.id === "string" && call.id !== "" ? call.id : newId("call"),
        toolName: name,
        input: typeof input === "string" ? input : JSON.stringify(input),
      },
    ];
  });
}

const reasonOf = (line: Line, calls: boolean): LanguageModelV4FinishReason => {
  const raw = typeof line.done_reason === "string" ? line.done_reason : undefined;
  return { unified: raw === "length" ? "length" : calls ? "tool-calls" : raw === "stop" || raw === undefined ? "stop" : "other", raw };
};

function usageOf(line: Line): LanguageModelV4Usage {
  const count = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
  return {
    inputTokens: { total: count(line.prompt_eval_count), noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: count(line.eval_count), text: undefined, reasoning: undefined },
  };
}

/** An answer that came in one piece. */
export async function whole(
  response: Response,
  name: string,
): Promise<Pick<LanguageModelV4GenerateResult, "content" | "finishReason" | "usage">> {
  const line = parse(await textOf(response, WHOLE_BYTES), name);
  const { content: text, thinking } = line.message ?? {};
  const calls = callsOf(line);
  return {
    content: [
      ...(typeof thinking === "string" && thinking !== "" ? [{ type: "reasoning" as const, text: thinking }] : []),
      ...(typeof text === "string" && text !== "" ? [{ type: "text" as const, text }] : []),
      ...calls,
    ],
    finishReason: reasonOf(line, calls.length > 0),
    usage: usageOf(line),
  };
}
