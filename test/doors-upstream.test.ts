// What is paid for and what passes at the doors of programs: requests that reach further than they seem, and providers that count nothing, too much, or wrongly.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { openBlocks } from "../src/doors/blocks.ts";
import { estimate, longest, permitted, searchesOf } from "../src/doors/policy.ts";
import { openReader } from "../src/doors/usage.ts";
import type { DoorsOrder } from "../src/run/doors.ts";
import { ask, doorsPlace, type DoorsPlace } from "./doors-place.ts";

const QUESTION = { model: "x", max_tokens: 10, messages: [{ role: "user", content: "hi" }] };
async function within(use: (place: DoorsPlace) => Promise<void>): Promise<void> {
  const place = await doorsPlace();
  try {
    await use(place);
  } finally {
    await place.close();
  }
}
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
};

test("addresses and kept things are refused wherever they stand, and what nobody knows is left out", () =>
  within(async (place) => {
    const doors = await place.open({ model: "open/test-1" });
    const evil = "http://evil.test/?secret";
    const user = (part: object) => [{ role: "user", content: [part] }];
    const status = async (body: object, path: string): Promise<number> => {
      const answer = await ask(doors, body, { path });
      await answer.text();
      return answer.status;
    };
    const far = (part: object): object[] => [
      { messages: user(part) },
      { messages: [], input: user(part) },
      { input: [], messages: user(part) },
      { messages: user({ type: "document", source: { type: "content", content: [part] } }) },
      { input: [{ type: "function_call_output", call_id: "c", output: [part] }] },
    ];
    const parts = [
      { type: "image_url", image_url: { url: evil } },
      { type: "input_image", image_url: evil },
      { type: "video_url", video_url: { url: evil } },
      { type: "audio_url", audio_url: evil },
      { type: "file", file: { file_data: evil } },
      { type: "file", file: { file_id: "file-1" } },
      { type: "input_file", file_url: evil },
      { type: "input_file", file_id: "file-1" },
      { type: "image", source: { type: "file", file_id: "file_1" } },
      { type: "image", source: { type: "url", url: evil } },
      { type: "container_upload", file_id: "file_1" },
    ];
    for (const part of parts)
      for (const body of far(part))
        for (const path of ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
          assert.deepEqual([JSON.stringify(body), path, await status({ ...body, max_tokens: 5 }, path)], [JSON.stringify(body), path, 400]);
    let deep: object = { type: "image_url", image_url: { url: evil } };
    for (let at = 0; at < 20; at++) deep = { type: "tool_result", content: [deep] };
    assert.equal(await status({ messages: user(deep) }, "/v1/chat/completions"), 400);
    const input = [{ role: "user", content: "hi" }];
    for (const body of [
      { input: [{ type: "item_reference", id: "msg_1" }] },
      { input, prompt: { id: "pmpt_1" } },
      { input, conversation: "conv_1" },
      { input, tools: [{ type: "shell", environment: { type: "container_auto" } }] },
      { input, tools: [{ type: "namespace", name: "n", tools: [{ type: "mcp", server_url: evil }] }] },
      { input, tools: [{ type: "code_interpreter", container: { type: "auto" } }] },
      { input, max_output_tokens: "100000" },
      { input, n: "100" },
    ])
      assert.equal(await status(body, "/v1/responses"), 400, JSON.stringify(body));
    assert.equal(place.server.requests.length, 0);
    const more = {
      models: ["other/dear"],
      route: "fallback",
      provider: { order: ["x"] },
      plugins: [{ id: "web" }],
      extra_body: {},
      user: "me",
    };
    await status({ ...QUESTION, ...more, temperature: 0, tool_choice: "none" }, "/v1/chat/completions");
    assert.deepEqual(Object.keys(place.server.requests[0]!.body).sort(), ["max_tokens", "messages", "model", "temperature", "tool_choice"]);
  }));

test("what is reserved is the worst of what is asked: the largest limit, all letters that are no picture", () =>
  within(async (place) => {
    const chat = (limits: object) => permitted({ ...QUESTION, max_tokens: null, ...limits }, { path: "/chat/completions", search: true });
    assert.deepEqual(
      [{}, { max_tokens: 1, max_completion_tokens: 90_000 }, { max_output_tokens: 7, max_tokens: 3, n: 4 }, { max_tokens: 0 }].map((one) =>
        longest(chat(one)),
      ),
      [undefined, 90_000, 3, 1],
    );
    const packed = "A".repeat(700_000);
    const said = (content: unknown): number => {
      const body = { messages: [{ role: "user", content }] };
      return estimate(JSON.stringify(body).length, body);
    };
    const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: packed } };
    assert.ok(said(packed) > 200_000 && said([{ type: "text", text: `data:image/png;base64,${packed}` }]) > 200_000);
    assert.ok(said([picture]) < 2100 && said([{ type: "image_url", image_url: { url: `data:image/png;base64,${packed}` } }]) < 2100);
    assert.ok(said([{ type: "tool_result", content: [picture, picture] }]) < 4200);
    const pages = (letters: number): number =>
      said([{ type: "document", source: { type: "base64", media_type: "application/pdf", data: "A".repeat(letters) } }]);
    assert.ok(pages(700_000) > 200_000 && pages(20_000_000) < 500_200);
    const open = await place.open({
      model: "open/test-1",
      meter: async (call) => (place.reserved.push(call), { output: 300, settle: async () => {} }),
    });
    const { max_tokens: _, ...without } = QUESTION;
    await (await ask(open, without, { path: "/v1/chat/completions" })).text();
    await (await ask(open, QUESTION, { path: "/v1/chat/completions" })).text();
    assert.deepEqual(
      place.server.requests.map(({ body }) => body["max_tokens"]),
      [300, 10],
    );
    assert.deepEqual(
      place.reserved.map(({ output }) => output),
      [undefined, 10],
    );
  }));

test("searches by the provider are as few as were reserved, and counted as it tells them", () =>
  within(async (place) => {
    const look = { name: "look", input_schema: {} };
    const asked = async (model: string, path: string, more: object, answer: object): Promise<unknown[]> => {
      place.server.script([{ do: "status", status: 200, body: JSON.stringify(answer) }]);
      const doors = await place.open({ turn: `trn_${place.spent.length}`, model });
      await (await ask(doors, { ...QUESTION, ...more }, { path })).text();
      const { tools, max_tool_calls: calls } = place.server.requests.at(-1)!.body as {
        tools?: { max_uses?: number }[];
        max_tool_calls?: number;
      };
      const { call, usage } = place.spent.at(-1)!;
      return [call.searches, call.input > 20_000, usage?.searches, tools?.[0]?.max_uses, calls];
    };
    const usage = { input_tokens: 1, output_tokens: 1 };
    const content = [{ type: "text", text: "hi" }];
    const claude = { type: "web_search_20250305", name: "web_search" };
    for (const [given, most] of [
      [undefined, 8],
      [500, 8],
      [2, 2],
      [-1, 1],
      ["9", 8],
    ] as const)
      assert.deepEqual(
        await asked(
          "anthropic/test-1",
          "/v1/messages",
          { tools: [{ ...claude, max_uses: given }, look] },
          { content, usage: { ...usage, server_tool_use: { web_search_requests: 3 } } },
        ),
        [most, true, 3, most, undefined],
      );
    assert.deepEqual(await asked("anthropic/test-1", "/v1/messages", { tools: [claude] }, { content, usage }), [
      8,
      true,
      undefined,
      8,
      undefined,
    ]);
    const none = [undefined, false, undefined, undefined, undefined];
    assert.deepEqual(await asked("anthropic/test-1", "/v1/messages", { tools: [look] }, { content, usage }), none);
    assert.deepEqual(
      await asked("open/test-1", "/v1/chat/completions", { web_search_options: {} }, { choices: [{ message: { content: "hi" } }], usage }),
      [1, true, 1, undefined, undefined],
    );
  }));

test("searches in OpenAI's responses have their limit beside the tools, and are counted by what the answer consists of", () => {
  const tools = [{ type: "namespace", name: "n", tools: [{ type: "web_search", max_uses: 1 }] }];
  const body = permitted({ input: "hi", tools, max_tool_calls: 100 }, { path: "/responses", search: true });
  assert.deepEqual([searchesOf(body), body["max_tool_calls"], JSON.stringify(body["tools"]).includes("max_uses")], [8, 8, false]);
  const output = ["web_search_call", "message", "web_search_call"].map((type) => ({ type }));
  const response = { output, usage: { input_tokens: 1, output_tokens: 1 } };
  for (const streamed of [true, false]) {
    const reader = openReader(streamed);
    const text = streamed ? `data: ${JSON.stringify({ type: "response.completed", response })}\n\n` : JSON.stringify(response);
    reader.read(Buffer.from(text));
    assert.equal(reader.end().usage?.searches, 2);
  }
});

test("nothing is kept for an hour at the provider, which would cost more than what was reserved", () => {
  const at = { cache_control: { type: "ephemeral", ttl: "1h" } };
  const text = { type: "text", text: "hi", ...at };
  const content = [text, { type: "tool_result", content: [text], ...at }];
  const sent = permitted(
    { ...at, system: [text], tools: [{ name: "look", input_schema: {}, ...at }], messages: [{ role: "user", content }] },
    { path: "/messages", search: true },
  );
  assert.equal(JSON.stringify(sent).match(/"cache_control":\{"type":"ephemeral"\}/g)?.length, 6);
});

test("what an answer may have is what was reserved for it: other wires' limits, several answers, guesses, halves change nothing", () =>
  within(async (place) => {
    const sent = async (model: string, path: string, more: object): Promise<unknown[]> => {
      const meter: DoorsOrder["meter"] = async (call) => (
        place.reserved.push(call),
        { output: call.output ?? 500, settle: async () => {} }
      );
      const doors = await place.open({ turn: `trn_${place.reserved.length}`, model, meter });
      const { max_tokens: _, ...without } = QUESTION;
      await (await ask(doors, { ...without, ...more }, { path })).text();
      const { max_tokens, max_completion_tokens, max_output_tokens, n } = place.server.requests.at(-1)!.body as Record<string, unknown>;
      return [place.reserved.at(-1)!.output, max_tokens, max_completion_tokens, max_output_tokens, n];
    };
    const [chat, none] = ["/v1/chat/completions", undefined];
    assert.deepEqual(await sent("open/test-1", chat, { max_output_tokens: 1, n: 128 }), [none, 500, none, none, none]);
    assert.deepEqual(await sent("open/test-1", chat, { max_tokens: 0, max_completion_tokens: 40 }), [40, 1, 40, none, none]);
    assert.deepEqual(await sent("anthropic/test-1", "/v1/messages", { max_completion_tokens: 1 }), [none, 500, none, none, none]);
    for (const [max, reserved, told] of [
      [300, 300, 300],
      [32_000, none, 500],
      [0.5, 1, 1],
    ] as const)
      assert.deepEqual(await sent("open/test-1", "/v1/messages", { max_tokens: max }), [reserved, told, none, none, none]);
  }));

test("an answer that does not say what it used has used all that was reserved; what is absurd counts as far as it can be", () =>
  within(async (place) => {
    const content = [{ type: "text", text: "a long answer" }];
    const plain = (body: object) => [{ do: "status" as const, status: 200, body: JSON.stringify(body) }];
    const spent = async (script: Parameters<typeof place.server.script>[0], more: object = {}): Promise<unknown> => {
      place.server.script(script);
      const doors = await place.open({ turn: `trn_${place.spent.length}` });
      await (await ask(doors, { ...QUESTION, max_tokens: 4000, ...more })).text().catch(() => undefined);
      const { input = 0, output } = place.spent.at(-1)!.usage ?? {};
      return [input > 0, output];
    };
    assert.deepEqual(await spent(plain({ content })), [true, 4000]);
    assert.deepEqual(await spent(plain({ content, usage: {} })), [true, 4000]);
    assert.deepEqual(await spent(plain({ content, usage: { input_tokens: -1, output_tokens: "9" } })), [true, 4000]);
    assert.deepEqual(await spent(plain({ content, usage: { input_tokens: 5, output_tokens: 0 } })), [true, 1]);
    assert.deepEqual(await spent(plain({ content, usage: { input_tokens: 1e300, output_tokens: 1e12 } })), [true, 10_000_000]);
    const whole = 'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"all of it at once"}}\n\n';
    const end = 'data: {"type":"message_stop"}\n\n';
    assert.deepEqual(await spent([{ do: "bytes", bytes: whole + end }, { do: "end" }], { stream: true }), [true, 4000]);
  }));

test("a provider that breaks off before its first byte may have worked; one that refused has not", () =>
  within(async (place) => {
    for (const [script, usage] of [
      [[{ do: "cut" }], true],
      [[{ do: "status", status: 529, code: "overloaded_error" }], false],
    ] as const) {
      place.server.script([...script]);
      await (await ask(await place.open({ turn: script[0].do }), { ...QUESTION, max_tokens: 4000 })).text();
      const last = place.spent.at(-1)!;
      assert.deepEqual([last.call.output, last.usage?.output], [4000, usage ? 4000 : undefined]);
    }
  }));

test("an error in place of an answer, with status 200, is a fault; so is a page that calls itself something else", () =>
  within(async (place) => {
    const cases: [object, string][] = [
      [{ stream: false }, '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'],
      [{ stream: true }, "<!doctype html><title>Sign in</title>"],
      [{ stream: false }, "<!doctype html><title>Sign in</title>"],
    ];
    for (const [more, body] of cases) {
      place.server.script([{ do: "status", status: 200, body, headers: { "content-type": "text/plain" } }]);
      const doors = await place.open({ turn: body.slice(0, 9) + String("stream" in more) });
      await ask(doors, { ...QUESTION, ...more })
        .then((answer) => answer.text())
        .catch(() => undefined);
      assert.equal(doors.fault()?.code, "unavailable", body);
    }
  }));

test("streams are read along whatever their line ends, comments, spaces, and wherever their bytes are cut", () => {
  const events = [
    ': ping — "usage" 🙂',
    "event: message_start",
    'data: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1,"cache_read_input_tokens":3}}}',
    "",
    'data:{"type":"content_block_delta","delta":{"type":"text_delta","text":"čau 🙂 \\ud83d"}}',
    "id: 5",
    'data:   {"type":"message_delta","usage":{"output_tokens":12}}',
    'data: {"type":"message_stop"}',
    "",
  ];
  const tally = { usage: { input: 10, output: 12, cached: 3 }, counted: true, pieces: 1, whole: true };
  for (const end of ["\n", "\r\n", "\r"]) {
    const bytes = Buffer.from(events.join(end));
    for (const size of [1, 2, 3, 7, 10_000]) {
      const reader = openReader(true);
      for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
      assert.deepEqual([end, size, reader.end()], [end, size, tally]);
    }
  }
});

test("arguments of a call that come in a million pieces take time by their length only", () => {
  const blocks = openBlocks("toolu");
  const { user: began } = process.cpuUsage();
  const take = (part: object): number =>
    blocks
      .take(part as LanguageModelV4StreamPart)
      .reduce((sum, step) => sum + (step.type === "more" ? JSON.stringify(step.text).length - 2 : 0), 0);
  let told = take({ type: "tool-input-start", id: "c", toolName: "write" });
  for (let at = 0; at < 300_000; at++) told += take({ type: "tool-input-delta", id: "c", delta: "0123456789" });
  told += take({ type: "tool-call", toolCallId: "c", toolName: "write", input: `${"0123456789".repeat(300_000)}!` });
  assert.deepEqual([told, blocks.all()[0]!.text.length], [3_000_001, 3_000_001]);
  assert.ok(process.cpuUsage().user - began < 3_000_000);
});

test("when it may be asked again is read also where it is a date", () =>
  within(async (place) => {
    const at = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
    place.server.script([{ do: "status", status: 429, code: "rate_limit_error", headers: { "retry-after": new Date(at).toUTCString() } }]);
    const doors = await place.open();
    await (await ask(doors, QUESTION)).text();
    assert.ok(Math.abs(doors.fault()!.retryAt! - at) < 2000, String(doors.fault()!.retryAt));
  }));

test("what is packed so that it becomes huge, and a way elsewhere, end as faults: nothing large is kept, no key goes there", async () => {
  const elsewhere: string[] = [];
  const thief = createServer((request, response) => void (elsewhere.push(String(request.headers["x-api-key"])), response.end("{}")));
  await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
  const bomb = gzipSync(Buffer.alloc(300 * 1024 ** 2, " "));
  const server = createServer((request, response) => {
    request.resume();
    const there = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/v1/messages`;
    if (request.headers["anthropic-beta"] === "away") response.writeHead(307, { location: there }).end();
    else response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const place = await doorsPlace({ providers: { "providers.anthropic": { baseUrl: base } } });
  const before = process.memoryUsage().rss;
  for (const [beta, words] of [
    ["", /sent more than|stopped in the middle/],
    ["away", /sends requests on to another address/],
  ] as const) {
    const doors = await place.open({ turn: `trn${beta}` });
    const answer = await ask(doors, QUESTION, beta ? { headers: { "anthropic-beta": beta } } : {}).catch(() => undefined);
    const reader = answer?.body?.getReader();
    while (reader && !(await reader.read().catch(() => ({ done: true }))).done);
    assert.match(doors.fault()!.message, words);
  }
  assert.deepEqual(elsewhere, []);
  assert.ok(process.memoryUsage().rss - before < 250e6);
  await place.close();
  for (const one of [server, thief]) {
    one.closeAllConnections();
    await new Promise((resolve) => one.close(resolve));
  }
});

test("the end of a turn ends also what a program does not read, and a body that it still sends", () =>
  within(async (place) => {
    place.server.script([{ do: "flood" }]);
    const doors = await place.open();
    const { port, host } = new URL(doors.models.anthropic);
    const open = (head: string, body: string) => {
      const socket = connect(
        Number(port),
        "127.0.0.1",
        () => void socket.write(`${head}\r\nHost: ${host}\r\nx-api-key: ${doors.key}\r\n${body}`),
      );
      const closed = new Promise<void>((resolve) => socket.on("error", () => undefined).once("close", () => resolve()));
      return { socket, closed };
    };
    const body = JSON.stringify({ ...QUESTION, stream: true });
    const deaf = open("POST /v1/messages HTTP/1.1", `Content-Length: ${body.length}\r\n\r\n${body}`);
    deaf.socket.pause();
    const slow = ["/v1/messages", "/mcp"].map((path) => open(`POST ${path} HTTP/1.1`, "Content-Length: 1000\r\n\r\n{"));
    await until(() => place.server.requests.length === 1);
    await doors.close();
    for (const { socket } of slow) socket.resume();
    await Promise.all(slow.map(({ closed }) => closed));
    assert.equal(await place.server.requests[0]!.closed, "left");
    await until(() => place.spent.length === 1);
    deaf.socket.destroy();
    const stranger = open("POST /v1/messages HTTP/1.1", "Content-Length: 1000\r\n\r\n{");
    stranger.socket.resume();
    await stranger.closed; // it is told that its key is nothing, and not listened to any longer
  }));

test("calls of tools that are nested without end reach no tool", () =>
  within(async (place) => {
    const { tools } = await place.open();
    const deep = `${'{"a":'.repeat(500)}1${"}".repeat(500)}`;
    const answer = await fetch(tools.url, {
      method: "POST",
      headers: { ...tools.headers, "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${deep}}}`,
    });
    assert.deepEqual([answer.status, place.calls.length], [400, 0]);
    assert.match(await answer.text(), /nested too deeply/);
  }));
