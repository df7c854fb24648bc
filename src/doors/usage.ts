// Reads along what a model answers, in all three shapes: tokens used, whether it came to its end, and an error in its middle. Changes no byte.
import { StringDecoder } from "node:string_decoder";
import type { Usage } from "../core/types.ts";
import { isJson, type Json } from "./body.ts";

export interface Reader {
  /** Whether something of the answer was in it. */
  read(chunk: Uint8Array): boolean;
  /** After the last byte. */
  end(): Tally;
}
export interface Tally {
  /** Absent when the answer did not say. */
  usage?: Usage;
  /** It was said after the answer, not only before. */
  counted?: boolean;
  /** Events with something in them: about as many as tokens, where the answer did not say. */
  pieces: number;
  /** It said itself that it is over. */
  whole: boolean;
  /** An error in the middle of a stream, as it came. */
  error?: unknown;
}

/** Longer lines are passed on unread. */
const MOST_LINE = 4 * 1024 * 1024;

/** Of an answer that is one JSON text, or a stream of events. */
export function openReader(streamed: boolean): Reader {
  return streamed ? streamReader() : wholeReader();
}

function wholeReader(): Reader {
  const pieces: Uint8Array[] = [];
  return {
    read: (chunk) => pieces.push(chunk) > 0,
    end() {
      try {
        const value: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
        const usage = isJson(value) ? usageOf(value) : undefined;
        const filled = isJson(value) && hasContent(value);
        const error = isJson(value) && !filled ? (value["error"] ?? undefined) : undefined;
        return {
          pieces: filled ? 1 : 0,
          whole: true,
          ...(usage ? { usage, counted: true } : {}),
          ...(error === undefined ? {} : { error }),
        };
      } catch {
        return { pieces: 0, whole: false };
      }
    },
  };
}

function hasContent(value: Json): boolean {
  const content = value["content"] ?? value["output"] ?? value["choices"];
  return typeof value["input_tokens"] === "number" || (Array.isArray(content) && content.length > 0);
}

function streamReader(): Reader {
  const decoder = new StringDecoder("utf8");
  const tally: Tally = { pieces: 0, whole: false };
  const state = { rest: "", skip: false };
  const line = (text: string): void => {
    if (!text.startsWith("data:")) return;
    const data = text.slice(5).trim();
    if (data === "[DONE]") tally.whole = true;
    else if (data !== "") event(tally, data);
  };
  return {
    read(chunk) {
      const [text, before] = [decoder.write(chunk), tally.pieces];
      const ended = /[\r\n]/.test(text);
      if (!ended && state.skip) return false;
      if (!ended) state.rest += text; // not looked at again until its line ends
      else {
        const lines = (state.rest + text).split(/\r\n?|\n/);
        state.rest = lines.pop() ?? "";
        for (const one of lines) {
          if (!state.skip) line(one);
          state.skip = false;
        }
      }
      if (state.rest.length > MOST_LINE) Object.assign(state, { rest: "", skip: true });
      return tally.pieces > before;
    },
    end() {
      if (state.rest !== "" && !state.skip) line(state.rest);
      return tally;
    },
  };
}

/** A piece of text, of thinking, of a call. */
const FILLED = /"(?:text|thinking|partial_json|content|reasoning\w*|arguments|delta|name)"\s*:\s*"[^"]/;

/** Most events hold nothing but a piece of text, and are not parsed. */
function event(tally: Tally, data: string): void {
  if (FILLED.test(data)) tally.pieces++;
  if (!/"(usage|error|message_stop|finish_reason|response)"/.test(data)) return;
  const value = parsed(data);
  if (value === undefined) return;
  const type = value["type"];
  if (type === "message_stop" || type === "response.completed" || type === "response.incomplete") tally.whole = true;
  const inner = isJson(value["message"]) ? value["message"] : isJson(value["response"]) ? value["response"] : value;
  const usage = usageOf(inner, tally.usage);
  if (usage) Object.assign(tally, { usage, counted: tally.pieces > 0 });
  const choices = value["choices"];
  if (Array.isArray(choices) && choices.some((one) => isJson(one) && typeof one["finish_reason"] === "string")) tally.whole = true;
  if (type === "error" || type === "response.failed" || (type === undefined && value["error"] != null))
    tally.error = inner["error"] ?? value["error"] ?? value;
}

function parsed(data: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** No request has more: such a count is none, and would eat up the budget of a year. */
const MOST_TOKENS = 10_000_000;
/** A count that can be one. */
export const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.min(Math.ceil(value), MOST_TOKENS) : undefined;
const detail = (value: unknown, name: string): number | undefined => (isJson(value) ? number(value[name]) : undefined);

/** Searches of the provider's: told as a number, or as what the answer consists of. */
const searchesIn = ({ usage, output }: Json): number =>
  detail(isJson(usage) ? usage["server_tool_use"] : undefined, "web_search_requests") ??
  (Array.isArray(output) ? output.filter((item) => isJson(item) && item["type"] === "web_search_call").length : 0);

/** Anthropic counts what was kept beside the input; the others count it within. `before`: what an earlier event said. */
function usageOf(value: Json, before?: Usage): Usage | undefined {
  const { usage } = value;
  if (!isJson(usage)) return undefined;
  const chat = number(usage["prompt_tokens"]);
  const input = chat ?? number(usage["input_tokens"]);
  const output = number(usage["completion_tokens"]) ?? number(usage["output_tokens"]);
  const kept = number(usage["cache_read_input_tokens"]);
  const made = number(usage["cache_creation_input_tokens"]);
  if (input === undefined && output === undefined && before === undefined) return undefined;
  const cached =
    kept ?? detail(usage["prompt_tokens_details"] ?? usage["input_tokens_details"], "cached_tokens") ?? number(usage["cached_tokens"]);
  const thinking = detail(usage["completion_tokens_details"] ?? usage["output_tokens_details"], "reasoning_tokens");
  const read = input === undefined ? undefined : input + (chat === undefined ? (kept ?? 0) + (made ?? 0) : 0);
  const merged: Usage = {
    input: Math.max(read ?? 0, before?.input ?? 0),
    output: Math.max(output ?? 0, before?.output ?? 0),
  };
  const most = (one: number | undefined, other: number | undefined): number | undefined =>
    one === undefined ? other : Math.max(one, other ?? 0);
  const more = {
    cached: most(cached, before?.cached),
    written: most(made || undefined, before?.written),
    thinking: most(thinking, before?.thinking),
    searches: most(searchesIn(value) || undefined, before?.searches),
  };
  return { ...merged, ...Object.fromEntries(Object.entries(more).filter(([, count]) => count !== undefined)) };
}
