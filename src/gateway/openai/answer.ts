// A turn as OpenAI's answers: whole or as a stream of events; chat completions' form. The other form is `responses.ts`.
import type { Event } from "../../core/events.ts";
import type { Usage } from "../../core/types.ts";
import { StewardError } from "../../std/error.ts";
import { newId } from "../../std/id.ts";
import type { Caller } from "../auth.ts";
import { reply } from "../reply.ts";
import { json } from "../status.ts";
import type { Gate } from "../table.ts";
import type { Known } from "./conversation.ts";

type Done = Event & { type: "turn.completed" };
export interface Asking {
  gate: Gate;
  caller: Caller;
  known: Known;
  /** The client's connection. */
  signal: AbortSignal;
  stream: boolean;
  form: Form;
}
/** How one of the two interfaces writes things. All objects are JSON. */
export interface Form {
  begin(): Frame[];
  /** `text` is all until now. */
  piece(delta: string): Frame[];
  end(answer: Answer): Frame[];
  whole(answer: Answer): unknown;
  failed(message: string): Frame[];
}
export interface Frame {
  event?: string;
  data: unknown;
}
export interface Answer {
  text: string;
  /** Why it ended: the model's own end, too long, refused. */
  finish: "stop" | "length" | "content_filter";
  /** Who answered: "provider/name". */
  model?: string;
  usage?: Usage;
  session: string;
}

/** Runs the turn. A client that goes away stops it. */
export async function answer(asking: Asking): Promise<Response> {
  return asking.stream ? streamed(asking) : json(asking.form.whole(await run(asking, () => {})));
}

async function run({ gate, caller, known, signal }: Asking, piece: (text: string) => void): Promise<Answer> {
  const { session, parts } = known;
  const leave = await gate.lanes(session);
  const said: string[] = [];
  try {
    if (signal.aborted) throw new StewardError("unavailable", "The connection was closed"); // while it waited for the message before
    for await (const one of reply(gate, caller, { session, parts, signal, literal: true, stops: true })) {
      if (one.type === "left") throw new StewardError("not_found", "The session ended before the reply");
      if (one.type === "chunk") {
        said.push(one.text);
        piece(one.text);
      }
      if (one.type !== "end") continue;
      if (one.failed) throw new StewardError(one.done?.error?.code ?? "internal", one.done?.error?.message ?? one.text, hintOf(one.done));
      const text = said.join("");
      await known.answered(text);
      return { text, session: one.session ?? session, finish: finishOf(one.done), ...spent(one.done) };
    }
    throw new StewardError("unavailable", "The connection was closed");
  } finally {
    leave();
  }
}

const hintOf = (done: Done | undefined): { hint?: string } => (done?.error?.hint === undefined ? {} : { hint: done.error.hint });

function finishOf(done: Done | undefined): Answer["finish"] {
  if (done?.stop === "length" || done?.stop === "limit") return "length";
  return done?.stop === "refusal" ? "content_filter" : "stop";
}

const spent = (done: Done | undefined): Pick<Answer, "model" | "usage"> => ({
  ...(done ? { model: done.model } : {}),
  ...(done?.usage ? { usage: done.usage } : {}),
});

const KEEP_ALIVE_MS = 15_000;

function streamed(asking: Asking): Response {
  const { form } = asking;
  const over = new AbortController();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const put = (text: string): void => {
        if (!over.signal.aborted) controller.enqueue(encoder.encode(text));
      };
      const write = (frames: Frame[]): void => {
        for (const { event, data } of frames)
          put(`${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
      };
      write(form.begin());
      const alive = setInterval(() => put(": still working\n\n"), KEEP_ALIVE_MS);
      const signal = AbortSignal.any([asking.signal, over.signal]);
      void run({ ...asking, signal }, (text) => write(form.piece(text)))
        .then(
          (done) => write(form.end(done)),
          (error: unknown) => write(form.failed(error instanceof Error ? error.message : String(error))),
        )
        .finally(() => {
          clearInterval(alive);
          if (!over.signal.aborted) controller.close();
        });
    },
    cancel: () => over.abort(),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" } });
}

export const seconds = (now: number): number => Math.floor(now / 1000);

/** `asked`: the name that the program used. */
export function chatForm({ now, asked, withUsage }: { now: number; asked: string; withUsage: boolean }): Form {
  const id = newId("chatcmpl").replace("_", "-");
  const frame = (delta: object, finish: string | null = null, more: object = {}): Frame => ({
    data: {
      id,
      object: "chat.completion.chunk",
      created: seconds(now),
      model: asked,
      choices: [{ index: 0, delta, finish_reason: finish }],
      ...more,
    },
  });
  return {
    begin: () => [frame({ role: "assistant", content: "" })],
    piece: (delta) => [frame({ content: delta })],
    end: ({ finish, model = asked, usage }) => [
      frame({}, finish, { model }),
      ...(withUsage
        ? [{ data: { id, object: "chat.completion.chunk", created: seconds(now), model, choices: [], usage: chatUsage(usage) } }]
        : []),
      { data: "[DONE]" },
    ],
    whole: ({ text, finish, model = asked, usage }) => ({
      id,
      object: "chat.completion",
      created: seconds(now),
      model,
      choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, logprobs: null, finish_reason: finish }],
      usage: chatUsage(usage),
    }),
    failed: (message) => [{ data: { error: { message, type: "server_error", code: null, param: null } } }, { data: "[DONE]" }],
  };
}

const chatUsage = ({ input = 0, output = 0, cached = 0, thinking = 0 }: Partial<Usage> = {}) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: { cached_tokens: cached },
  completion_tokens_details: { reasoning_tokens: thinking },
});
