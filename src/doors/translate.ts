// A program's wire over a provider that speaks another: read into the form of language models, asked, and written back in the program's words.
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import type { Usage } from "../core/types.ts";
import { neverReached } from "../run/metered.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { type Block, openBlocks, type Step, thoughtOf } from "./blocks.ts";
import { isJson } from "./body.ts";
import type { Flow } from "./flow.ts";
import { drained } from "./forward.ts";
import { readAnthropic } from "./read-anthropic.ts";
import { readChat } from "./read-chat.ts";
import { offeredTools, readResponses } from "./read-responses.ts";
import { errorEvent, giveUp, sendJson } from "./replies.ts";
import { number as count } from "./usage.ts";
import { writeAnthropic } from "./write-anthropic.ts";
import { writeChat } from "./write-chat.ts";
import { writeResponses } from "./write-responses.ts";

/** Each member gives the bytes of one step of a stream, as text; `whole` the answer as one. */
export interface Writer {
  begin(input: number): string;
  step(step: Step): string;
  end(reason: LanguageModelV4FinishReason, usage: Usage, blocks: Block[]): string;
  whole(reason: LanguageModelV4FinishReason, usage: Usage, blocks: Block[]): object;
}
/** How a request is read and its answer written. */
interface Dialect {
  options: LanguageModelV4CallOptions;
  writer: Writer;
}

/** While a model is loaded or thinks, something passes. */
const QUIET_MS = 10_000;
const MOST_THOUGHTS = 500;

/** Throws what the request itself is refused for. */
export async function translate(flow: Flow): Promise<void> {
  const { options, writer } = await readable(flow);
  const { opened, signal, watch, asked } = flow;
  const state: State = { begun: false, blocks: openBlocks(flow.wire === "anthropic" ? "toolu" : "call") };
  const quiet = setInterval(() => void (flow.stream && send(flow, writer, state, () => ": still at it\n\n")), QUIET_MS);
  try {
    const { limit = Infinity } = flow;
    const most = Math.min(options.maxOutputTokens ?? limit, limit);
    const wanted = { ...options, ...(most === Infinity ? {} : { maxOutputTokens: most }), abortSignal: signal };
    const { stream } = await opened.call(async () => opened.model.doStream(wanted));
    await told(flow, writer, state, stream);
    const usage = usageOf(state, flow);
    await flow.settle(usage);
    if (signal.aborted) return void flow.res.destroy();
    const blocks = state.blocks.all();
    remember(flow, blocks);
    watch.answered(asked, blocks.length > 0);
    await finished(flow, writer, state, { usage, blocks });
  } catch (error) {
    const some = tokensOf(state);
    const none = !signal.aborted && !state.finish && some === 0;
    await flow.settle(none ? (neverReached(error) ? undefined : "unknown") : { input: flow.input, output: madeOf(flow, state) });
    if (signal.aborted || hasCode(error, "stale")) return void flow.res.destroy();
    const failure = await opened.explain(error);
    watch.failed(asked, failure);
    if (!flow.res.headersSent) return giveUp(flow.res, flow.wire, failure);
    flow.res.end(errorEvent(flow.wire, failure));
  } finally {
    clearInterval(quiet);
  }
}

async function readable(flow: Flow): Promise<Dialect> {
  try {
    const dialect = dialectOf(flow);
    const { tools } = flow.body;
    if (Array.isArray(tools) && tools.length > 0 && dialect.options.tools === undefined)
      throw new StewardError("invalid", `${flow.model} has no search of its own.`);
    return dialect;
  } catch (error) {
    await flow.settle(undefined); // nobody was asked
    throw error;
  }
}

interface State {
  begun: boolean;
  blocks: ReturnType<typeof openBlocks>;
  finish?: { reason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage };
}

/** By its own name where it has one: programs keep lists of those they know. */
function dialectOf(flow: Flow): Dialect {
  const { body, path, turn } = flow;
  const name = typeof body["model"] === "string" ? body["model"] : flow.model;
  if (path === "/messages") return { options: readAnthropic(body, turn.thoughts), writer: writeAnthropic(name) };
  if (path === "/chat/completions") {
    const usageWanted = isJson(body["stream_options"]) && body["stream_options"]["include_usage"] === true;
    return { options: readChat(body, turn.thoughts), writer: writeChat(name, { usageWanted }) };
  }
  const offered = offeredTools(body);
  return { options: readResponses(body, offered, turn.thoughts), writer: writeResponses(name, offered) };
}

async function told(flow: Flow, writer: Writer, state: State, stream: ReadableStream<LanguageModelV4StreamPart>): Promise<void> {
  for await (const part of stream) {
    if (flow.signal.aborted) return;
    if (part.type === "error") throw part.error;
    if (part.type === "finish") state.finish = { reason: part.finishReason, usage: part.usage };
    if (part.type.endsWith("-delta") || part.type === "tool-call") flow.silence.heard();
    const steps = state.blocks.take(part);
    if (flow.stream && steps.length > 0) await send(flow, writer, state, () => steps.map(writer.step).join(""));
  }
  if (state.finish === undefined || state.finish.reason.unified === "error")
    throw new StewardError("unavailable", `${flow.model} stopped in the middle of its answer.`, { reason: "outage" });
}

/** `text` is made when what begins a stream stands before it. */
async function send({ res, input }: Flow, writer: Writer, state: State, text: () => string): Promise<void> {
  if (res.destroyed) return;
  if (!state.begun) {
    state.begun = true;
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    res.write(writer.begin(input));
  }
  const more = text();
  if (more !== "" && !res.write(more)) await drained(res);
}

async function finished(flow: Flow, writer: Writer, state: State, { usage, blocks }: { usage: Usage; blocks: Block[] }): Promise<void> {
  const { reason } = state.finish!;
  if (!flow.stream) return sendJson(flow.res, 200, writer.whole(reason, usage, blocks));
  await send(flow, writer, state, () => state.blocks.end().map(writer.step).join("") + writer.end(reason, usage, blocks));
  flow.res.end();
}

/** What the provider did not count is estimated by what came. */
function usageOf(state: State, flow: Flow): Usage {
  const { inputTokens, outputTokens } = state.finish?.usage ?? NOTHING;
  const [cached, written, thinking] = [count(inputTokens.cacheRead), count(inputTokens.cacheWrite), count(outputTokens.reasoning)];
  return {
    input: count(inputTokens.total) ?? flow.input,
    output: count(outputTokens.total) ?? madeOf(flow, state),
    ...(cached ? { cached } : {}),
    ...(written ? { written } : {}),
    ...(thinking ? { thinking } : {}),
  };
}
const NOTHING: Pick<LanguageModelV4Usage, "inputTokens" | "outputTokens"> = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

const LETTERS_A_TOKEN = 2;
/** Of an answer that was cut off: what came, and what was thought in between. */
const madeOf = ({ silence, most }: Flow, state: State): number =>
  Math.max(tokensOf(state), state.finish ? 0 : Math.min(tokensOf(state) + silence.thought(), most));
const tokensOf = ({ blocks }: State): number => Math.ceil(blocks.all().reduce((sum, { text }) => sum + text.length, 0) / LETTERS_A_TOKEN);

/** What a wire has no place for is kept for when the call comes back. */
function remember({ turn }: Flow, blocks: Block[]): void {
  const thought = thoughtOf(blocks);
  if (thought === undefined) return;
  for (const { kind, id } of blocks) if (kind === "call") turn.thoughts.set(id, thought);
  for (const id of turn.thoughts.keys()) if (turn.thoughts.size > MOST_THOUGHTS) turn.thoughts.delete(id);
}
