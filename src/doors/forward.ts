// One request passed on to a provider that speaks the program's wire: the real key put in by the provider's own fetch, the answer byte by byte, its usage read along.
import type { ServerResponse } from "node:http";
import type { Endpoint } from "../core/ports.ts";
import type { Usage } from "../core/types.ts";
import { hasCode, StewardError } from "../std/error.ts";
import type { Flow } from "./flow.ts";
import { neverReached } from "../run/metered.ts";
import { withoutForeign } from "./parts.ts";
import { COUNTS, limited } from "./policy.ts";
import { errorEvent, giveUp, refuse, said, sendJson } from "./replies.ts";
import { openReader, type Reader, type Tally } from "./usage.ts";

const ASKED = { anthropic: ["anthropic-version", "anthropic-beta"], openai: ["openai-beta"] };
const ANSWERED = ["content-type", "request-id", "x-request-id"];

/** Never throws but `stale`. */
export async function forward(flow: Flow, endpoint: Endpoint): Promise<void> {
  const { res, opened, watch, asked } = flow;
  const response = await sent(flow, endpoint);
  if (response === undefined) return;
  const headers = Object.fromEntries(ANSWERED.flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)!]] : [])));
  res.writeHead(response.status, { ...headers, "cache-control": "no-store" });
  res.flushHeaders();
  const reader = openReader(flow.stream);
  const end = await pumped(response, { res, reader, flow });
  const tally = reader.end();
  await flow.settle(usageOf(flow, tally));
  if (end.gone) return;
  const error = end.error ?? tally.error ?? (tally.whole ? undefined : half(flow));
  if (error === undefined) {
    watch.answered(asked, tally.pieces > 0);
    return void res.end();
  }
  const failure = await opened.explain(error);
  watch.failed(asked, failure);
  if (tally.error !== undefined) res.end();
  else if (flow.stream) res.end(errorEvent(flow.wire, failure));
  else res.destroy();
}

const NOTHING: Tally = { pieces: 0, whole: false };

const half = ({ model }: Flow): StewardError =>
  new StewardError("unavailable", `${model} stopped in the middle of its answer.`, {
    hint: "Try again in a moment, or choose another model.",
    reason: "outage",
  });

/** Undefined when there was no answer, and the program was told. */
async function sent(flow: Flow, endpoint: Endpoint): Promise<Response | undefined> {
  const { res, opened, watch, asked, signal, wire } = flow;
  try {
    return await opened.call(async () => {
      const response = await endpoint.fetch(endpoint.baseUrl + flow.path + flow.query, {
        method: "POST",
        headers: { "content-type": "application/json", accept: flow.stream ? "text/event-stream" : "application/json", ...headersOf(flow) },
        body: JSON.stringify(bodyFor(flow, endpoint)),
        signal,
      });
      if (!response.ok) throw await refusal(response);
      return response;
    });
  } catch (error) {
    await flow.settle(neverReached(error) ? undefined : usageOf(flow, NOTHING));
    if (signal.aborted) {
      res.destroy();
      return undefined;
    }
    if (hasCode(error, "stale")) throw error;
    if (flow.path === COUNTS) return void sendJson(res, 200, { input_tokens: flow.input });
    const failure = await opened.explain(error);
    watch.failed(asked, failure);
    const { status, body } = told(error);
    // What is wrong with the request itself is told as the provider tells it: the program may know what to do.
    if (failure.code === "invalid" && status !== undefined) refuse(res, wire, { status, text: body ?? said(failure) });
    else giveUp(res, wire, failure);
    return undefined;
  }
}

function headersOf({ req, wire }: Flow): Record<string, string> {
  return Object.fromEntries(
    ASKED[wire].flatMap((name) => {
      const value = req.headers[name];
      return typeof value === "string" && value.length < 1000 ? [[name, value]] : [];
    }),
  );
}

function bodyFor({ body, wire, path, stream, limit }: Flow, { model, shape }: Endpoint): object {
  const held = limit === undefined ? body : limited(body, path, limit);
  const named = { ...(wire === "anthropic" ? withoutForeign(held) : held), model };
  const counted =
    wire === "openai" && path === "/chat/completions" && stream
      ? { ...named, stream_options: { ...(body["stream_options"] as object | undefined), include_usage: true } }
      : named;
  return shape?.(counted) ?? counted;
}

/** In the form that providers explain. */
async function refusal(response: Response): Promise<Error> {
  return Object.assign(new Error(`status ${response.status}`), {
    statusCode: response.status,
    responseHeaders: Object.fromEntries(response.headers),
    responseBody: await response.text(),
  });
}

function told(error: unknown): { status?: number; body?: string } {
  const { statusCode: status, responseBody } = error as { statusCode?: unknown; responseBody?: unknown };
  if (typeof status !== "number" || status < 400 || status > 422) return {};
  try {
    const value = JSON.parse(String(responseBody)) as { error?: { message?: unknown } };
    return typeof value.error?.message === "string" ? { status, body: value.error.message.slice(0, 4000) } : { status };
  } catch {
    return { status };
  }
}

interface End {
  /** The program has gone, or its turn is over. */
  gone: boolean;
  error?: unknown;
}

/** Slow reading slows the provider down; a program that has gone ends the request there. */
async function pumped(response: Response, { res, reader, flow }: { res: ServerResponse; reader: Reader; flow: Flow }): Promise<End> {
  try {
    for await (const chunk of response.body ?? []) {
      if (reader.read(chunk)) flow.silence.heard();
      if (!res.write(chunk)) await drained(res);
      if (flow.signal.aborted) break;
    }
    return { gone: flow.signal.aborted };
  } catch (error) {
    if (!flow.signal.aborted) return { gone: false, error };
    res.destroy();
    return { gone: true };
  }
}

export function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off("drain", done).off("close", done);
      resolve();
    };
    res.on("drain", done).on("close", done);
    if (res.destroyed) done();
  });
}

/** What an answer that was cut off has cost is estimated: it was asked for, what came came, and what was thought in between did not. Of a whole one that does not say, of one that the provider broke off at its beginning, and of one that would have come as a whole, nobody knows. */
export function usageOf(flow: Flow, { usage, counted, pieces, whole, error }: Tally): Usage | "unknown" {
  const { input, path } = flow;
  if (whole && pieces > 0 && !counted) return "unknown";
  if (!whole && pieces === 0 && error === undefined && !(flow.stream && flow.signal.aborted)) return "unknown";
  const searches = usage?.searches ?? (whole && path !== "/chat/completions" ? 0 : flow.searches);
  const found = searches > 0 ? { searches } : {};
  const seen = whole ? pieces : Math.max(pieces, Math.min(pieces + flow.silence.thought(), flow.most));
  if (usage === undefined) return { input, output: seen, ...found };
  const least = whole && usage.output > 0 ? usage.output : Math.max(usage.output, seen);
  return { ...usage, input: usage.input || input, output: least, ...found };
}
