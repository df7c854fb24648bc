// A language model by hand: a function from what it is asked to what it says.
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";

export type Said = { text: string } | { thinking: string } | { call: string; input: unknown } | { fail: unknown };

/** `script` sees the request and how many requests came before it. */
export function scripted(
  script: (request: LanguageModelV4CallOptions, count: number) => Said[],
): LanguageModelV4 & { requests: LanguageModelV4CallOptions[] } {
  const requests: LanguageModelV4CallOptions[] = [];
  return {
    requests,
    specificationVersion: "v4",
    provider: "scripted",
    modelId: "script",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("This model only streams")),
    async doStream(request) {
      const said = script(request, requests.length);
      requests.push({ ...request, prompt: structuredClone(request.prompt) });
      return {
        stream: new ReadableStream<LanguageModelV4StreamPart>({
          start(stream) {
            for (const [at, one] of said.entries()) {
              if ("fail" in one) return stream.error(one.fail);
              for (const part of partsOf(one, `${requests.length}.${at}`)) stream.enqueue(part);
            }
            stream.enqueue({
              type: "finish",
              finishReason: { unified: "stop", raw: undefined },
              usage: {
                inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
                outputTokens: { total: 2, text: 2, reasoning: 0 },
              },
            });
            stream.close();
          },
        }),
      };
    },
  };
}

function partsOf(said: Exclude<Said, { fail: unknown }>, id: string): LanguageModelV4StreamPart[] {
  if ("text" in said)
    return [
      { type: "text-start", id },
      { type: "text-delta", id, delta: said.text },
      { type: "text-end", id },
    ];
  if ("thinking" in said)
    return [
      { type: "reasoning-start", id },
      { type: "reasoning-delta", id, delta: said.thinking },
      { type: "reasoning-end", id },
    ];
  return [
    {
      type: "tool-call",
      toolCallId: id,
      toolName: said.call,
      input: typeof said.input === "string" ? said.input : JSON.stringify(said.input),
    },
  ];
}
