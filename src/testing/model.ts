// Contract suite of a model provider: what it must do with each answer and each fault of an endpoint. The endpoint is model-server.ts.
import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { LanguageModelV4CallOptions, LanguageModelV4Prompt, LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider";
import type { Provider } from "../core/ports.ts";
import { expectedFailures, expectedMessages, history, type ModelSubject, tools, user } from "./model-cases.ts";
import type { Action, ModelRequest } from "./model-server.ts";

export { type ModelSubject, tools, user };

/** What one streamed call came to. */
export interface Outcome {
  thinking: string;
  meta: unknown;
  text: string;
  pieces: number;
  calls: { id: string; tool: string; input: string }[];
  finish: string;
  usage: LanguageModelV4Usage | undefined;
  error: unknown;
}

export async function asked(provider: Provider, options: Partial<LanguageModelV4CallOptions> & { id?: string } = {}): Promise<Outcome> {
  const { id = "test-1", ...rest } = options;
  const out: Outcome = { thinking: "", meta: undefined, text: "", pieces: 0, calls: [], finish: "", usage: undefined, error: undefined };
  try {
    const { stream } = await provider.model(id).doStream({ prompt: [user("hi")], ...rest });
    for await (const part of stream) note(part, out);
  } catch (error) {
    out.error ??= error;
  }
  return out;
}

function note(part: LanguageModelV4StreamPart, out: Outcome): void {
  if (part.type === "text-delta") {
    out.text += part.delta;
    out.pieces++;
  }
  if (part.type === "reasoning-delta") out.thinking += part.delta;
  if (part.type.startsWith("reasoning-") && "providerMetadata" in part && part.providerMetadata !== undefined)
    out.meta = part.providerMetadata;
  if (part.type === "tool-call") out.calls.push({ id: part.toolCallId, tool: part.toolName, input: part.input });
  if (part.type === "error") out.error ??= part.error;
  if (part.type === "finish") {
    out.finish = part.finishReason.unified;
    out.usage = part.usage;
  }
}

export function modelContract(subject: ModelSubject): void {
  describe(`${subject.name}: answers`, () => answers(subject));
  describe(`${subject.name}: requests`, () => requests(subject));
  describe(`${subject.name}: faults`, () => faults(subject));
}

function answers({ wire, server, open }: ModelSubject): void {
  const play = async (actions: Action[], options?: Partial<LanguageModelV4CallOptions>): Promise<Outcome> => {
    server.script(actions);
    return asked(await open(), options);
  };
  const plain = async (actions: Action[], options?: Partial<LanguageModelV4CallOptions>): Promise<object> => {
    const { usage: _, pieces: __, ...outcome } = await play(actions, options);
    return outcome;
  };
  const nothing = { thinking: "", meta: undefined, text: "", calls: [], finish: "stop", error: undefined };

  test("text comes in pieces", async () => {
    const outcome = await play([{ do: "text", text: "One two thrée 😀.", pieces: 4 }]);
    assert.deepEqual([outcome.text, outcome.pieces, outcome.finish, outcome.error], ["One two thrée 😀.", 4, "stop", undefined]);
  });
  test("thinking is kept apart from the text", async () => {
    const meta = wire === "anthropic" ? { anthropic: { signature: "sig-1" } } : undefined;
    assert.deepEqual(
      await plain([
        { do: "thinking", text: "Hmm, let me see.", signature: "sig-1" },
        { do: "text", text: "Yes." },
      ]),
      { ...nothing, thinking: "Hmm, let me see.", meta, text: "Yes." },
    );
  });
  test("a call", async () => {
    const actions: Action[] = [
      { do: "text", text: "I look." },
      { do: "calls", calls: [{ id: "c1", tool: "read_file", input: { path: "/a b/ç" } }] },
    ];
    assert.deepEqual(await plain(actions, { tools }), {
      ...nothing,
      text: "I look.",
      finish: "tool-calls",
      calls: [{ id: "c1", tool: "read_file", input: '{"path":"/a b/ç"}' }],
    });
  });
  test("parallel calls whose arguments come in pieces", async () => {
    const calls = ["/a", "/b", "/c"].map((path, index) => ({
      id: `c${index}`,
      tool: index === 1 ? "list_directory" : "read_file",
      input: { path },
    }));
    assert.deepEqual(await plain([{ do: "calls", calls, pieces: 4 }], { tools }), {
      ...nothing,
      finish: "tool-calls",
      calls: calls.map((call) => ({ ...call, input: JSON.stringify(call.input) })),
    });
  });
  test("arguments that are not JSON come as they are", async () => {
    assert.deepEqual(await plain([{ do: "calls", calls: [{ id: "c1", tool: "read_file", input: '{"path": /etc' }] }], { tools }), {
      ...nothing,
      finish: "tool-calls",
      calls: [{ id: "c1", tool: "read_file", input: '{"path": /etc' }],
    });
  });
  test("usage, cached tokens among it", async () => {
    const { usage } = await play([
      { do: "text", text: "ok" },
      { do: "usage", input: 1000, output: 30, cached: 800 },
    ]);
    assert.deepEqual(
      [usage?.inputTokens.total, usage?.inputTokens.cacheRead, usage?.outputTokens.total],
      [1000, wire === "ollama" ? undefined : 800, 30],
    );
  });
  test("an answer that was cut by its length, and a refusal", async () => {
    assert.equal(
      (
        await play([
          { do: "text", text: "ok" },
          { do: "finish", reason: "length" },
        ])
      ).finish,
      "length",
    );
    if (wire !== "ollama")
      assert.equal(
        (
          await play([
            { do: "text", text: "no" },
            { do: "finish", reason: "filter" },
          ])
        ).finish,
        "content-filter",
      );
  });
  test("an answer in one piece, without a stream", async () => {
    server.script([
      { do: "thinking", text: "Hm." },
      { do: "text", text: "Hello." },
      { do: "calls", calls: [{ id: "c1", tool: "read_file", input: { path: "/a" } }] },
    ]);
    const { content, finishReason } = await (await open()).model("test-1").doGenerate({ prompt: [user("hi")], tools });
    const parts = content.map((part) =>
      part.type === "tool-call"
        ? [part.toolCallId, part.toolName, part.input]
        : part.type === "text" || part.type === "reasoning"
          ? [part.type, part.text]
          : part,
    );
    assert.deepEqual(
      [parts, finishReason.unified],
      [
        [
          ["reasoning", "Hm."],
          ["text", "Hello."],
          ["c1", "read_file", '{"path":"/a"}'],
        ],
        "tool-calls",
      ],
    );
  });
  const stopped = async (): Promise<number> => {
    const stop = new AbortController();
    server.script([{ do: "text", text: "begins" }, { do: "hang" }]);
    const { stream } = await (await open()).model("test-1").doStream({ prompt: [user("hi")], abortSignal: stop.signal });
    const reader = stream.getReader();
    for (let part = await reader.read(); part.value?.type !== "text-delta";) part = await reader.read();
    const began = performance.now();
    stop.abort();
    await assert.rejects(async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read()) if (part.value.type === "error") throw part.value.error;
    });
    assert.equal(await Promise.race([server.requests.at(-1)!.closed, after(30_000, "still open", { ref: false })]), "left");
    return performance.now() - began;
  };
  test("a stop in the middle ends it within a second, on the wire too", async () => {
    const took = [await stopped()];
    while (took.at(-1)! >= 1000 && took.length < 4) took.push(await stopped()); // the machine may have stood still
    assert.ok(Math.min(...took) < 1000, took.join());
  });
  test("a reader that goes away ends it on the wire", async () => {
    server.script([{ do: "text", text: "begins" }, { do: "hang" }]);
    const { stream } = await (await open()).model("test-1").doStream({ prompt: [user("hi")] });
    for await (const part of stream) if (part.type === "text-delta") break;
    assert.equal(await Promise.race([server.requests.at(-1)!.closed, after(30_000, "still open", { ref: false })]), "left");
  });
  test("the models that it offers", async () => {
    const provider = await open();
    assert.deepEqual(await provider.list(), server.models);
    assert.ok(["number", "undefined"].includes(typeof provider.window("test-1")));
  });
}

function requests(subject: ModelSubject): void {
  const { wire, server, open } = subject;
  const sent = async (prompt: LanguageModelV4Prompt): Promise<ModelRequest> => {
    assert.equal((await asked(await open(), { prompt, tools })).error, undefined);
    return server.requests.at(-1)!;
  };
  test("history, thinking, calls and pictures go out in the endpoint's words", async () => {
    server.script([
      { do: "thinking", text: "x", signature: "sig-9" },
      { do: "text", text: "ok" },
    ]);
    const { meta } = await asked(await open());
    const { body } = await sent([...history(meta), user("Thanks")]);
    assert.deepEqual(body.messages, expectedMessages[wire]);
    assert.deepEqual([body.model, body.stream, body.tools?.length], ["test-1", true, 2]);
    if (wire === "anthropic")
      assert.deepEqual(body["system"], [{ type: "text", text: "You are Steward.", cache_control: { type: "ephemeral" } }]);
    if (wire === "openai") assert.deepEqual(body["stream_options"], { include_usage: true });
  });
  test("the key travels in its header only", async () => {
    const request = await sent([user("hi")]);
    assert.equal(
      wire === "anthropic" ? request.headers["x-api-key"] : request.headers.authorization,
      wire === "anthropic" ? subject.key : `Bearer ${subject.key}`,
    );
    assert.equal(request.raw.includes(subject.key), false);
    assert.equal(request.path.includes(subject.key), false);
  });
  test("the same input is the same bytes, and a longer history has the shorter one's bytes before it", async () => {
    const prompts = [
      [user("one")],
      [...history(undefined)],
      [...history(undefined), user("two")],
      [...history(undefined), user("two"), user("three")],
    ];
    const bodies: string[] = [];
    for (const prompt of prompts) {
      const [once, twice] = [await sent(prompt), await sent(prompt)];
      assert.equal(once.raw.equals(twice.raw), true);
      // The mark of what to cache moves with the newest message and is no part of what the endpoint caches.
      bodies.push(once.raw.toString().replace(/,"cache_control":\{"type":"ephemeral"\}(\}\]\}\]\})$/, "$1"));
    }
    for (const [index, body] of bodies.entries()) {
      if (index < 2) continue;
      const before = bodies[index - 1]!.slice(0, -"]}".length);
      const joined = wire === "anthropic" && index === 3 ? before.slice(0, -"]}".length) : before;
      assert.equal(body.slice(0, joined.length), joined);
    }
  });
}

/** Only what is tested is short, so that a machine that stands still changes nothing else. */
const SHORT: Record<string, "firstByteMs" | "idleMs"> = { "silence at once": "firstByteMs", "silence half-way": "idleMs" };

function faults(subject: ModelSubject): void {
  const { name, server, open, key } = subject;
  for (const [title, actions, expected] of expectedFailures(subject)) {
    const short = SHORT[title];
    const tried = async (ms: number): Promise<void> => {
      const provider = await open(short ? { [short]: ms } : {});
      server.script(actions);
      const before = server.requests.length;
      const { error } = await asked(provider, { tools });
      const failure = await provider.explain(error, "test-1");
      // One that stands still for so long asks late, or not at all.
      for (let looks = 0; short && server.requests.length === before && looks < 50; looks++) await after(20);
      if (short && server.requests.length === before && ms < 900) return tried(ms + 300);
      assert.deepEqual(failure, { ...expected, message: expected.message.replace("300 ms", `${ms} ms`) });
      assert.equal(inspect(error, { depth: 9, maxStringLength: null }).includes(key), false, "nor does the error itself hold the key");
      assert.equal(JSON.stringify(failure).includes(key), false);
      assert.equal(server.requests.length, before + 1, "the endpoint was asked once");
    };
    test(title, () => tried(300));
  }
  test("headers without an end", async () => {
    server.script([{ do: "headers" }]);
    const provider = await open();
    const failure = await provider.explain((await asked(provider)).error, "test-1");
    assert.deepEqual(failure, {
      code: "unavailable",
      message: `${name} can't be reached at ${server.url}: its headers are too long.`,
      hint: `Check the connection, and that providers.${name}.baseUrl is right.`,
    });
  });
  test("an unknown model, with those that there are", async () => {
    server.script([{ do: "text", text: "ok" }]);
    const provider = await open();
    const failure = await provider.explain((await asked(provider, { id: "nope" })).error, "nope");
    assert.deepEqual(failure, { code: "not_found", message: `${name} has no model called "nope".`, hint: "It offers: test-1, test-2." });
  });
  test("a file that the model can't take", async () => {
    const provider = await open();
    const prompt: LanguageModelV4Prompt = [
      { role: "user", content: [{ type: "file", mediaType: "application/x-thing", data: { type: "data", data: new Uint8Array([1]) } }] },
    ];
    assert.equal((await provider.explain((await asked(provider, { prompt })).error, "test-1")).code, "invalid");
  });
}
