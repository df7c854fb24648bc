// A model's answer in Anthropic's words: events of a stream, or one message.
import type { LanguageModelV4FinishReason } from "@ai-sdk/provider";
import type { Usage } from "../core/types.ts";
import { newId } from "../std/id.ts";
import type { Block, Step } from "./blocks.ts";
import { inputOf, signatureOf } from "./parts.ts";
import type { Writer } from "./translate.ts";

export function writeAnthropic(model: string): Writer {
  const message = { id: newId("msg"), type: "message", role: "assistant", model, stop_sequence: null };
  return {
    begin: (input) =>
      event("message_start", {
        message: { ...message, content: [], stop_reason: null, usage: { input_tokens: input, output_tokens: 0 } },
      }) + event("ping", {}),
    step,
    end: (reason, usage, blocks) =>
      event("message_delta", { delta: { stop_reason: stopReason(reason, blocks), stop_sequence: null }, usage: usageOf(usage) }) +
      event("message_stop", {}),
    whole: (reason, usage, blocks) => ({
      ...message,
      content: blocks.map(contentOf),
      stop_reason: stopReason(reason, blocks),
      usage: usageOf(usage),
    }),
  };
}

const event = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;

function step(one: Step): string {
  const { block, index } = one;
  if (one.type === "open") {
    const start = {
      text: { type: "text", text: "" },
      thinking: { type: "thinking", thinking: "", signature: "" },
      call: { type: "tool_use", id: block.id, name: block.name, input: {} },
    }[block.kind];
    return event("content_block_start", { index, content_block: start });
  }
  if (one.type === "more") {
    const { text } = one;
    const delta = {
      text: { type: "text_delta", text },
      thinking: { type: "thinking_delta", thinking: text },
      call: { type: "input_json_delta", partial_json: text },
    }[block.kind];
    return event("content_block_delta", { index, delta });
  }
  const signed =
    block.kind === "thinking"
      ? event("content_block_delta", { index, delta: { type: "signature_delta", signature: signatureOf(block.meta) } })
      : "";
  return signed + event("content_block_stop", { index });
}

function contentOf({ kind, id, name, text, meta }: Block): object {
  if (kind === "text") return { type: "text", text };
  if (kind === "thinking") return { type: "thinking", thinking: text, signature: signatureOf(meta) };
  return { type: "tool_use", id, name, input: inputOf(text) };
}

function stopReason({ unified }: LanguageModelV4FinishReason, blocks: Block[]): string {
  if (unified === "length") return "max_tokens";
  if (unified === "content-filter") return "refusal";
  return blocks.some(({ kind }) => kind === "call") ? "tool_use" : "end_turn";
}

const usageOf = ({ input, output, cached = 0, written = 0 }: Usage): object => ({
  input_tokens: Math.max(0, input - cached - written),
  output_tokens: output,
  cache_read_input_tokens: cached,
  cache_creation_input_tokens: written,
});
