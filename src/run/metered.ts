// A model whose calls go through the meter: how large a request is, and what is known to have been used when it ends in whatever way.
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4GenerateResult,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import type { LanguageModelV4, OpenModel } from "../core/ports.ts";
import type { Usage } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import type { Meter, Reservation } from "./meter.ts";

/** Bytes of text that are one token or more: most texts have more in each. */
const BYTES_A_TOKEN = 2;
/** What the largest picture costs with the known providers, about. */
const IMAGE_TOKENS = 5000;
/** An answer with less is of no use. */
const LEAST_OUTPUT = 1024;
/** What a model may have thought in a time, where nobody was shown it: as many tokens as quick ones make. */
export const thoughtIn = (ms: number): number => Math.ceil(ms * 0.3);
/** The connection was never made. */
const NEVER_MADE =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED)/;

/** The same model; each of its calls goes through the meter. */
export const metered = (opened: OpenModel, name: string, meter: Meter): OpenModel => ({
  ...opened,
  model: withMeter(opened.model, name, meter),
});

function withMeter(model: LanguageModelV4, name: string, meter: Meter): LanguageModelV4 {
  const begin = async (options: LanguageModelV4CallOptions): Promise<{ count: Count; told: LanguageModelV4CallOptions }> => {
    const input = tokensOf(options);
    const { maxOutputTokens: most } = options;
    const reservation = await meter({
      model: name,
      id: model.modelId,
      input,
      ...(most === undefined ? {} : { output: most }),
      least: Math.min(LEAST_OUTPUT, most ?? LEAST_OUTPUT),
    });
    const { output } = reservation;
    return {
      count: counting(reservation, { input, signal: options.abortSignal }),
      told: output === undefined ? options : { ...options, maxOutputTokens: output },
    };
  };
  return {
    specificationVersion: "v4",
    provider: model.provider,
    modelId: model.modelId,
    get supportedUrls() {
      return model.supportedUrls;
    },
    async doGenerate(options) {
      const { count, told } = await begin(options);
      const result = await count.through<LanguageModelV4GenerateResult>(() => model.doGenerate(told));
      const received = result.content.reduce((sum, part) => sum + sizeOf(part), 0);
      await count.end(result.usage, received);
      return result;
    },
    async doStream(options) {
      const { count, told } = await begin(options);
      const result = await count.through(() => model.doStream(told));
      return { ...result, stream: counted(result.stream, count) };
    },
  };
}

interface Count {
  /** Ends the reservation when the request itself fails. */
  through<T>(ask: () => PromiseLike<T>): Promise<T>;
  /** Once; later calls do nothing. `received`: bytes of the answer, for when there is no usage. */
  end(usage: LanguageModelV4Usage | undefined, received: number): Promise<void>;
}

function counting(reservation: Reservation, { input, signal }: { input: number; signal: AbortSignal | undefined }): Count {
  const [state, began] = [{ ended: false }, performance.now()];
  const settle = async (usage: Usage | undefined, more?: { assumed: true }): Promise<void> => {
    if (state.ended) return;
    state.ended = true;
    await reservation.settle(usage, more);
  };
  const end: Count["end"] = async (usage, received) => {
    const known = usage && usageOf(usage);
    if (known) return settle(known);
    const seen = Math.ceil(received / BYTES_A_TOKEN);
    const { most = { input, output: seen } } = reservation;
    const thought = Math.min(thoughtIn(performance.now() - began), most.output);
    await settle(received > 0 ? { input, output: seen } : signal?.aborted ? { input, output: thought } : most, { assumed: true });
  };
  return {
    end,
    async through(ask) {
      try {
        return await ask();
      } catch (error) {
        await (neverReached(error) ? settle(undefined) : end(undefined, 0));
        throw error;
      }
    },
  };
}

/** What was refused is not billed; nor what nobody has received. */
export function neverReached(error: unknown): boolean {
  for (let at = error, links = 0; typeof at === "object" && at !== null && links < 8; at = (at as { cause?: unknown }).cause, links++) {
    const { code, statusCode } = at as { code?: unknown; statusCode?: unknown };
    if (typeof statusCode === "number" && statusCode >= 400) return true;
    if (
      at instanceof StewardError
        ? ["denied", "invalid", "not_found", "limit"].includes(at.code)
        : typeof code === "string" && NEVER_MADE.test(code)
    )
      return true;
  }
  return false;
}

/** Settled before the last part is handed on, and also when nobody reads to the end. */
function counted(stream: ReadableStream<LanguageModelV4StreamPart>, count: Count): ReadableStream<LanguageModelV4StreamPart> {
  const reader = stream.getReader();
  const got = { bytes: 0 };
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            await count.end(undefined, got.bytes);
            return controller.close();
          }
          got.bytes += sizeOf(value);
          if (value.type === "finish") await count.end(value.usage, got.bytes);
          controller.enqueue(value);
        } catch (error) {
          await count.end(undefined, got.bytes);
          controller.error(error);
        }
      },
      async cancel(reason) {
        await reader.cancel(reason).catch(() => undefined);
        await count.end(undefined, got.bytes);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Undefined when the provider did not count. */
export function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage | undefined {
  if (inputTokens.total === undefined || outputTokens.total === undefined) return undefined;
  const { cacheRead: cached, cacheWrite: written } = inputTokens;
  const { reasoning: thinking } = outputTokens;
  return {
    input: inputTokens.total,
    output: outputTokens.total,
    ...(cached ? { cached } : {}),
    ...(written ? { written } : {}),
    ...(thinking ? { thinking } : {}),
  };
}

// ---- Sizes

const bytesOf = (text: string): number => Buffer.byteLength(text);

const sizeOf = (part: LanguageModelV4StreamPart | LanguageModelV4Content): number =>
  bytesOf("delta" in part ? part.delta : "text" in part ? part.text : part.type === "tool-call" ? part.input : "");

/** Tokens of a request, rather too many than too few. */
export function tokensOf({ prompt, tools = [] }: Pick<LanguageModelV4CallOptions, "prompt" | "tools">): number {
  const size = { bytes: bytesOf(JSON.stringify(tools)), images: 0 };
  for (const message of prompt) measure(message, size);
  return Math.ceil(size.bytes / BYTES_A_TOKEN) + size.images * IMAGE_TOKENS;
}

function measure({ content }: LanguageModelV4Message, size: { bytes: number; images: number }): void {
  size.bytes += 20;
  if (typeof content === "string") return void (size.bytes += bytesOf(content));
  for (const part of content) {
    if (part.type === "text" || part.type === "reasoning") size.bytes += bytesOf(part.text);
    else if (part.type !== "file") size.bytes += bytesOf(JSON.stringify(part));
    else if (part.mediaType.startsWith("image")) size.images++;
    else size.bytes += part.data.type === "data" ? part.data.data.length : bytesOf(JSON.stringify(part.data));
  }
}
