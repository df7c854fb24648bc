// Programs of one wire over providers of another: the AI SDK's own clients read what the door writes, and what reaches the provider is whole.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { type Block, openBlocks, thoughtOf } from "../src/doors/blocks.ts";
import { readAnthropic } from "../src/doors/read-anthropic.ts";
import type { OpenDoors } from "../src/run/doors.ts";
import type { Action } from "../src/testing/model-server.ts";
import { ask, events, within } from "./doors-place.ts";

const claude = ({ models, key }: OpenDoors): LanguageModelV4 =>
  createAnthropic({ baseURL: `${models.anthropic}/v1`, apiKey: key })("claude-sonnet-4-5");
const chat = ({ models, key }: OpenDoors): LanguageModelV4 =>
  createOpenAICompatible({ name: "door", baseURL: models.openai, apiKey: key, includeUsage: true })("any");

const responses = ({ models, key }: OpenDoors): LanguageModelV4 => createOpenAI({ baseURL: models.openai, apiKey: key }).responses("gpt-5");

/** What came, joined: text, thinking, calls, reason, usage. */
async function heard(model: LanguageModelV4, options: LanguageModelV4CallOptions) {
  const { stream } = await model.doStream(options);
  const parts: LanguageModelV4StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  const joined = (type: "text-delta" | "reasoning-delta") => parts.flatMap((part) => (part.type === type ? [part.delta] : [])).join("");
  const finish = parts.find((part) => part.type === "finish");
  return {
    text: joined("text-delta"),
    thinking: joined("reasoning-delta"),
    calls: parts.flatMap((part) => (part.type === "tool-call" ? [[part.toolName, JSON.parse(part.input)]] : [])),
    ids: parts.flatMap((part) => (part.type === "tool-call" ? [part.toolCallId] : [])),
    reason: finish?.finishReason.unified,
    input: finish?.usage.inputTokens.total,
    cached: finish?.usage.inputTokens.cacheRead,
    output: finish?.usage.outputTokens.total,
    signatures: parts.flatMap((part) => {
      const signature = part.type === "reasoning-delta" ? part.providerMetadata?.["anthropic"]?.["signature"] : undefined;
      return signature === undefined ? [] : [signature];
    }),
    errors: parts.flatMap((part) => (part.type === "error" ? [part.error] : [])),
  };
}

const TOOL = {
  type: "function" as const,
  name: "look",
  description: "Looks.",
  inputSchema: { type: "object" as const, properties: { at: { type: "string" as const } } },
};
const PICTURE = Buffer.from("iVBORw0KGgo=", "base64");
const FIRST: LanguageModelV4CallOptions = {
  prompt: [
    { role: "system", content: "Be brief." },
    {
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        { type: "file", mediaType: "image/png", data: { type: "data", data: new Uint8Array(PICTURE) } },
      ],
    },
  ],
  tools: [TOOL],
  maxOutputTokens: 300,
};
const ANSWER: Action[] = [
  { do: "thinking", text: "Let me look.", signature: "sig" },
  { do: "text", text: "Looking" },
  {
    do: "calls",
    calls: [
      { id: "call_a", tool: "look", input: { at: "here" } },
      { id: "call_b", tool: "look", input: { at: "there ü" } },
    ],
    pieces: 4,
  },
  { do: "usage", input: 70, output: 12, cached: 50 },
];
const CALLS = [
  ["look", { at: "here" }],
  ["look", { at: "there ü" }],
] as const;
/** How clients tell ANSWER. */
const HEARD = {
  text: "Looking",
  thinking: "Let me look.",
  calls: CALLS,
  ...{ reason: "tool-calls", input: 70, cached: 50, output: 12, errors: [] },
};
/** The same on its way back; of thinking only what the client keeps. */
type Said = Extract<LanguageModelV4CallOptions["prompt"][number], { role: "assistant" }>;
const saidAgain = (ids: string[], thinking: Said["content"] = []): Said => ({
  role: "assistant",
  content: [
    ...thinking,
    { type: "text", text: "Looking" },
    ...CALLS.map(([toolName, input], at) => ({ type: "tool-call" as const, toolCallId: ids[at]!, toolName, input })),
  ],
});
/** What Anthropic's wire carries then: roles and kinds of blocks. */
const CARRIED = [
  ["user", ["text", "image"]],
  ["assistant", ["thinking", "text", "tool_use", "tool_use"]],
  ["user", ["tool_result", "tool_result"]],
];
const carried = (messages: { role: string; content: { type: string }[] }[]) =>
  messages.map(({ role, content }) => [role, content.map(({ type }) => type)]);
const results = (said: LanguageModelV4CallOptions["prompt"][number], ids: string[]): LanguageModelV4CallOptions["prompt"] => [
  ...FIRST.prompt,
  said,
  {
    role: "tool",
    content: [
      { type: "tool-result", toolCallId: ids[0]!, toolName: "look", output: { type: "text", value: "a cat" } },
      { type: "tool-result", toolCallId: ids[1]!, toolName: "look", output: { type: "error-text", value: "nothing" } },
    ],
  },
];

test("Anthropic's client over OpenAI's wire: thinking, text, parallel calls, usage, and the results on their way back", () =>
  within(async (place) => {
    const doors = await place.open({ model: "open/test-1" });
    place.server.script([...ANSWER]);
    const first = await heard(claude(doors), FIRST);
    const { signatures, ids, ...rest } = first;
    assert.deepEqual(rest, HEARD);
    assert.equal(signatures.length, 1);
    place.server.script([{ do: "text", text: "A cat." }]);
    const signed = { type: "reasoning" as const, text: "Let me look.", providerOptions: { anthropic: { signature: signatures[0]! } } };
    const second = await heard(claude(doors), { ...FIRST, prompt: results(saidAgain(ids, [signed]), ids) });
    assert.deepEqual([second.text, second.reason], ["A cat.", "stop"]);
    const { messages, tools, model, max_tokens } = place.server.requests[1]!.body;
    assert.deepEqual(
      [model, max_tokens, tools],
      ["test-1", 300, [{ type: "function", function: { name: "look", description: "Looks.", parameters: TOOL.inputSchema } }]],
    );
    assert.deepEqual(messages, [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PICTURE.toString("base64")}` } },
        ],
      },
      {
        role: "assistant",
        content: "Looking",
        reasoning_content: "Let me look.",
        tool_calls: CALLS.map(([name, input], at) => ({
          id: ids[at],
          type: "function",
          function: { name, arguments: JSON.stringify(input) },
        })),
      },
      { role: "tool", tool_call_id: ids[0], content: "a cat" },
      { role: "tool", tool_call_id: ids[1], content: "nothing" },
    ]);
    assert.deepEqual(
      place.spent.map(({ usage }) => usage),
      [
        { input: 70, output: 12, cached: 50 },
        { input: 10, output: 5 },
      ],
    );
  }));

test("what the provider wrote into its cache is counted, also where the program's wire has no place for it", () =>
  within(async (place) => {
    const usage = { input_tokens: 10, cache_creation_input_tokens: 100, cache_read_input_tokens: 5, output_tokens: 7 };
    const told = [
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi." } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage },
      { type: "message_stop" },
    ];
    place.server.script([
      { do: "bytes", bytes: told.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join("") },
      { do: "end" },
    ]);
    const doors = await place.open();
    assert.equal((await heard(chat(doors), FIRST)).text, "Hi.");
    const counted = { input: 115, output: 7, cached: 5, written: 100 };
    assert.deepEqual([place.spent[0]!.usage, doors.used()], [counted, counted]);
  }));

test("what a provider wants back with a call comes back with it over Anthropic's wire", () => {
  const meta = { endpoint: { thoughtSignature: "SIG" } };
  const blocks = openBlocks("toolu");
  blocks.take({ type: "tool-call", toolCallId: "c1", toolName: "look", input: "{}", providerMetadata: meta });
  const [{ id }] = blocks.all() as [Block];
  const thoughts = new Map([[id, thoughtOf(blocks.all())!]]);
  const messages = [{ role: "assistant", content: [{ type: "tool_use", id, name: "look", input: {} }] }];
  assert.deepEqual(readAnthropic({ messages }, thoughts).prompt, [
    { role: "assistant", content: [{ type: "tool-call", toolCallId: id, toolName: "look", input: {}, providerOptions: meta }] },
  ]);
});

test("OpenAI's client over Anthropic's wire: the thinking that its provider has signed comes back with the calls", () =>
  within(async (place) => {
    const doors = await place.open({ model: "anthropic/test-1" });
    place.server.script([...ANSWER]);
    const { ids, ...first } = await heard(chat(doors), FIRST);
    assert.deepEqual({ ...first, signatures: [] }, { ...HEARD, signatures: [] });
    place.server.script([{ do: "text", text: "A cat." }]);
    const second = await heard(chat(doors), { ...FIRST, prompt: results(saidAgain(ids), ids) });
    assert.deepEqual([second.text, second.reason, second.errors], ["A cat.", "stop", []]);
    const messages = place.server.requests[1]!.body.messages as { role: string; content: { type: string }[] }[];
    assert.deepEqual(carried(messages), CARRIED);
    assert.deepEqual(messages[1]!.content[0], { type: "thinking", thinking: "Let me look.", signature: "sig" });
  }));

for (const [wire, client] of [
  ["anthropic", claude],
  ["openai", chat],
] as const)
  test(`${wire}'s client over Ollama, and over the model that is built in`, () =>
    within(async (place) => {
      place.server.script([
        { do: "text", text: "Looking" },
        { do: "calls", calls: [{ id: "call_a", tool: "look", input: { at: "here" } }] },
      ]);
      const doors = await place.open({ model: "ollama/test-1" });
      const { text, calls, reason, input, output, errors } = await heard(client(doors), FIRST);
      assert.deepEqual(
        { text, calls, reason, input, output, errors },
        {
          text: "Looking",
          calls: [["look", { at: "here" }]],
          ...{ reason: "tool-calls", input: 10, output: 5, errors: [] },
        },
      );
      const builtin = await place.open({ model: "builtin/rules" });
      const { text: plain } = await heard(client(builtin), { prompt: [{ role: "user", content: [{ type: "text", text: "hello" }] }] });
      assert.equal(plain.length > 0, true);
      const whole = await client(builtin).doGenerate({ prompt: [{ role: "user", content: [{ type: "text", text: "hello" }] }] });
      assert.deepEqual(whole.content, [{ type: "text", text: plain }]);
    }));

test("OpenAI's client of responses over Anthropic's wire: items of thinking, words and calls, there and back", () =>
  within(async (place) => {
    const doors = await place.open({ model: "anthropic/test-1" });
    place.server.script([...ANSWER]);
    const stored = { providerOptions: { openai: { store: false, include: ["reasoning.encrypted_content"] } } };
    const { ids, ...first } = await heard(responses(doors), { ...FIRST, ...stored });
    assert.deepEqual(first, { ...HEARD, signatures: [] });
    place.server.script([{ do: "text", text: "A cat." }]);
    const whole = await responses(doors).doGenerate({ ...FIRST, ...stored, prompt: results(saidAgain(ids), ids) });
    assert.deepEqual(
      [whole.content.map((part) => (part.type === "text" ? part.text : part.type)), whole.finishReason.unified],
      [["A cat."], "stop"],
    );
    const messages = place.server.requests[1]!.body.messages as { role: string; content: { type: string }[] }[];
    assert.deepEqual(carried(messages), CARRIED);
  }));

test("responses: tools in groups and tools that take any text keep their form for the program", () =>
  within(async (place) => {
    const doors = await place.open({ model: "open/test-1" });
    place.server.script([
      {
        do: "calls",
        calls: [
          { id: "a", tool: "mcp__steward__echo", input: { text: "x" } },
          { id: "b", tool: "apply_patch", input: { input: "*** Begin" } },
        ],
      },
    ]);
    const schema = { type: "object", properties: { text: { type: "string" } } };
    const tools = [
      { type: "namespace", name: "mcp__steward", tools: [{ type: "function", name: "echo", description: "", parameters: schema }] },
      { type: "custom", name: "apply_patch", description: "", format: { type: "grammar", syntax: "lark", definition: "start: x" } },
    ];
    const body = { model: "x", stream: true, instructions: "Be brief.", input: [{ role: "user", content: "go" }], tools };
    const told = events(await (await ask(doors, body, { path: "/v1/responses" })).text());
    const output = (told.at(-1)!["response"] as { output: Record<string, unknown>[] }).output;
    assert.deepEqual(
      output.map(({ type, name, namespace, arguments: given, input }) => ({ type, name, namespace, given, input })),
      [
        { type: "function_call", name: "echo", namespace: "mcp__steward", given: '{"text":"x"}', input: undefined },
        { type: "custom_tool_call", name: "apply_patch", namespace: undefined, given: undefined, input: "*** Begin" },
      ],
    );
    assert.deepEqual(
      told.map(({ sequence_number: number }) => number),
      told.map((_, at) => at),
    );
    place.server.script([{ do: "text", text: "Done" }]);
    const results = output.map(({ type, call_id }) => ({ type: `${String(type)}_output`, call_id, output: "ok" }));
    await (await ask(doors, { ...body, input: [...body.input, ...output, ...results] }, { path: "/v1/responses" })).text();
    const sent = place.server.requests[1]!.body.messages as { role: string; tool_calls?: { function: object }[] }[];
    assert.deepEqual(
      sent.map(({ role }) => role),
      ["system", "user", "assistant", "tool", "tool"],
    );
    assert.deepEqual(
      sent[2]!.tool_calls!.map(({ function: called }) => called),
      [
        { name: "mcp__steward__echo", arguments: '{"text":"x"}' },
        { name: "apply_patch", arguments: '{"input":"*** Begin"}' },
      ],
    );
  }));

test("a refusal before the first word is an answer of its own, one in the middle an event; both are faults", () =>
  within(async (place) => {
    const doors = await place.open({ model: "open/test-1" });
    place.server.script([{ do: "status", status: 429, code: "rate_limit_exceeded", headers: { "retry-after": "60" } }]);
    await assert.rejects(async () => claude(doors).doStream(FIRST), /takes no more for now/);
    assert.equal(doors.fault()?.reason, "rate");
    place.later(61_000);
    place.server.script([
      { do: "text", text: "Hel" },
      { do: "error", code: "server_error", message: "broken" },
    ]);
    const { text, errors } = await heard(claude(doors), FIRST);
    assert.deepEqual([text, errors.length], ["Hel", 1]);
    assert.equal(doors.fault()?.reason, "outage");
    assert.deepEqual(
      place.spent.map(({ usage }) => usage === undefined),
      [true, false],
    );
  }));

test("a program that goes ends the request at the provider", () =>
  within(async (place) => {
    const doors = await place.open({ model: "open/test-1" });
    place.server.script([{ do: "text", text: "Hello" }, { do: "hang" }]);
    const gone = new AbortController();
    const { stream } = await claude(doors).doStream({ ...FIRST, abortSignal: gone.signal });
    for await (const part of stream) if (part.type === "text-delta") break;
    gone.abort();
    assert.equal(await place.server.requests[0]!.closed, "left");
    while (place.spent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(doors.fault(), undefined);
  }));

test("thinking that another model signed for this wire is left out where the provider signs its own", () =>
  within(async (place) => {
    const open = await place.open({ model: "open/test-1" });
    place.server.script([
      { do: "thinking", text: "Hm." },
      { do: "text", text: "Yes" },
    ]);
    const body = { model: "x", max_tokens: 50, stream: true, messages: [{ role: "user", content: "hi" }] };
    const said = events(await (await ask(open, body)).text());
    const signature = said.flatMap(({ delta }) => (delta as { signature?: string } | undefined)?.signature ?? [])[0];
    const real = await place.open({ model: "anthropic/test-1" });
    const content = [
      { type: "thinking", thinking: "Hm.", signature },
      { type: "text", text: "Yes" },
    ];
    await ask(real, { ...body, messages: [...body.messages, { role: "assistant", content }, { role: "user", content: "go" }] });
    assert.deepEqual(place.server.requests[1]!.body.messages![1], { role: "assistant", content: [{ type: "text", text: "Yes" }] });
  }));
