// Steward as a model and as a server of tools: OpenAI's own client and MCP's own client against a real gateway.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client as McpClient } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import OpenAI from "openai";
import { eventually, openPlace, type Place, raw } from "./gateway-place.ts";

let place: Place;
let client: OpenAI;
before(async () => {
  place = await openPlace();
  client = new OpenAI({ baseURL: `${place.gateway.url}/v1`, apiKey: place.gateway.localToken, maxRetries: 0 });
});
after(() => place.close());
const sessions = async (): Promise<string[]> => (await place.client.call("sessions.list")).sessions.map(({ id }) => id).sort();
const says = (...texts: string[]): void => {
  const left = [...texts];
  place.model.script(() => [{ do: "text", text: left.shift() ?? "" }]);
};

test("models: steward is one of them", async () => {
  const found = await client.models.list();
  assert.deepEqual(found.data[0], { id: "steward", object: "model", created: 0, owned_by: "steward" });
  assert.equal((await client.models.retrieve("steward")).id, "steward");
  await assert.rejects(client.models.retrieve("other"), { status: 404 });
});

test("a chat completion is a turn; the same conversation sent again goes on in its session", async () => {
  says("Hello Ada.", "You are Ada.");
  const before = new Set(await sessions());
  const first = await client.chat.completions.create({ model: "steward", messages: [{ role: "user", content: "I am Ada" }] });
  assert.equal(first.choices[0]?.message.content, "Hello Ada.");
  assert.deepEqual([first.choices[0]?.finish_reason, first.model, first.object], ["stop", "compatible/test-1", "chat.completion"]);
  assert.ok(first.usage!.prompt_tokens > 0 && first.usage!.total_tokens === first.usage!.prompt_tokens + first.usage!.completion_tokens);
  const second = await client.chat.completions.create({
    model: "steward",
    messages: [
      { role: "user", content: "I am Ada" },
      { role: "assistant", content: "Hello Ada." },
      { role: "user", content: "Who am I?" },
    ],
  });
  assert.equal(second.choices[0]?.message.content, "You are Ada.");
  const made = (await sessions()).filter((id) => !before.has(id));
  assert.equal(made.length, 1);
  const log = await place.events(made[0]!);
  assert.equal(log.filter(({ event }) => event.type === "message.received").length, 2);
});

test("a conversation that Steward does not know comes along as a record, with what the program says of how to answer", async () => {
  says("As you like.");
  await client.chat.completions.create({
    model: "steward",
    messages: [
      { role: "system", content: "Answer in rhymes." },
      { role: "user", content: "My cat is Mia." },
      { role: "assistant", content: "Noted." },
      { role: "user", content: "And now?" },
    ],
  });
  const asked = JSON.stringify(place.model.requests.at(-1)!.body.messages);
  for (const part of ["Answer in rhymes.", "My cat is Mia.", "Steward: Noted.", "And now?"]) assert.ok(asked.includes(part), part);
});

test("streamed: pieces, the reason it ended, usage when asked for", async () => {
  says("One two three.");
  const stream = await client.chat.completions.create({
    model: "steward",
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: "user", content: "count" }],
  });
  const [texts, finishes, usages]: [string[], string[], number[]] = [[], [], []];
  for await (const chunk of stream) {
    texts.push(chunk.choices[0]?.delta.content ?? "");
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    if (chunk.usage) usages.push(chunk.usage.total_tokens);
  }
  assert.deepEqual([texts.join(""), finishes, usages.length], ["One two three.", ["stop"], 1]);
});

test("a client that goes away stops the turn", async () => {
  place.model.script([
    { do: "text", text: "slowly " },
    { do: "wait", ms: 20_000 },
  ]);
  const before = new Set(await sessions());
  const stop = new AbortController();
  const stream = await client.chat.completions.create(
    { model: "steward", stream: true, messages: [{ role: "user", content: "go on for long" }] },
    { signal: stop.signal },
  );
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  const [made] = (await sessions()).filter((id) => !before.has(id));
  stop.abort();
  await eventually(async () =>
    (await place.events(made!)).some(({ event }) => event.type === "turn.completed" && event.stop === "cancelled"),
  );
});

test("a client that goes away while its message waits for the one before says nothing", async () => {
  place.model.script([
    { do: "text", text: "slowly " },
    { do: "wait", ms: 20_000 },
  ]);
  const before = new Set(await sessions());
  const begin = async (words: string, session?: string): Promise<AbortController> => {
    const stop = new AbortController();
    const stream = await client.chat.completions.create(
      { model: "steward", stream: true, messages: [{ role: "user", content: words }] },
      { signal: stop.signal, headers: session === undefined ? {} : { "x-steward-session": session } },
    );
    await stream[Symbol.asyncIterator]().next();
    return stop;
  };
  const first = await begin("first");
  const [made] = (await sessions()).filter((id) => !before.has(id));
  await eventually(async () => (await place.events(made!)).some(({ event }) => event.type === "turn.started"));
  const second = await begin("second", made);
  second.abort();
  await sessions(); // the gateway has seen it go
  first.abort();
  await eventually(async () => (await place.events(made!)).some(({ event }) => event.type === "turn.completed"));
  says("Third.");
  await client.chat.completions.create(
    { model: "steward", messages: [{ role: "user", content: "third" }] },
    { headers: { "x-steward-session": made! } },
  );
  const said = (await place.events(made!)).filter(({ event }) => event.type === "message.received");
  assert.deepEqual(
    said.map(({ event }) => event.type === "message.received" && event.parts),
    ["first", "third"].map((text) => [{ type: "text", text }]),
  );
});

test("an image is a file of the message; one at another address is refused", async () => {
  says("A dot.");
  const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const image = (url: string) => ({ type: "image_url" as const, image_url: { url } });
  await client.chat.completions.create({
    model: "steward",
    messages: [{ role: "user", content: [{ type: "text", text: "What is this?" }, image(`data:image/png;base64,${dot}`)] }],
  });
  assert.ok(JSON.stringify(place.model.requests.at(-1)!.body.messages).includes(dot));
  await assert.rejects(
    client.chat.completions.create({ model: "steward", messages: [{ role: "user", content: [image("https://example.org/a.png")] }] }),
    { status: 422 },
  );
});

test("errors in OpenAI's shape: no token, an unknown model, tools of the program, a failed turn", async () => {
  const stranger = new OpenAI({ baseURL: `${place.gateway.url}/v1`, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), { status: 401 });
  const messages = [{ role: "user" as const, content: "hi" }];
  await assert.rejects(client.chat.completions.create({ model: "nobody/none", messages }), { status: 404 });
  await assert.rejects(client.chat.completions.create({ model: "gpt-4o", messages }), { status: 404 });
  const tools = [{ type: "function" as const, function: { name: "x", parameters: {} } }];
  await assert.rejects(client.chat.completions.create({ model: "steward", messages, tools }), /has its own/);
  await assert.rejects(client.chat.completions.create({ model: "steward", messages: [{ role: "assistant", content: "hi" }] }), {
    status: 422,
  });
  place.model.script([{ do: "status", status: 401, code: "authentication_error", message: "no" }]);
  await assert.rejects(client.chat.completions.create({ model: "steward", messages }), /asks for a key/);
});

test("responses: whole, and going on from the one before; streamed with every event of a text", async () => {
  says("First.", "Second.", "Third one.");
  const first = await client.responses.create({ model: "steward", input: "one", instructions: "Be brief." });
  assert.deepEqual([first.output_text, first.status], ["First.", "completed"]);
  const second = await client.responses.create({ model: "steward", input: "two", previous_response_id: first.id });
  assert.equal(second.output_text, "Second.");
  const stream = await client.responses.create({ model: "steward", input: "three", stream: true });
  const events: string[] = [];
  let text = "";
  for await (const event of stream) {
    if (events.at(-1) !== event.type) events.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.deepEqual(events, [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  assert.equal(text, "Third one.");
  await assert.rejects(client.responses.create({ model: "steward", input: "x", previous_response_id: "resp_ses-none_x" }), { status: 404 });
});

test("Steward's tools over MCP: asked, searched, read; with the rights of the token", async () => {
  says("The answer is 42.");
  const mcp = new McpClient({ name: "test", version: "1" });
  const url = new URL(`${place.gateway.url}/mcp`);
  const authorized = (token: string) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });
  await mcp.connect(new StreamableHTTPClientTransport(url, authorized(place.gateway.localToken)));
  const { tools } = await mcp.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ["ask_steward", "search_memory", "list_sessions", "read_session"],
  );
  const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]!.text;
  const answer = JSON.parse(
    textOf(await mcp.callTool({ name: "ask_steward", arguments: { message: "What is the answer, marmalade?" } })),
  ) as {
    session: string;
    answer: string;
  };
  assert.equal(answer.answer, "The answer is 42.");
  assert.match(textOf(await mcp.callTool({ name: "read_session", arguments: { session: answer.session } })), /marmalade.*42/s);
  assert.match(textOf(await mcp.callTool({ name: "search_memory", arguments: { words: "marmalade" } })), new RegExp(answer.session));
  const other = new McpClient({ name: "test", version: "1" });
  await other.connect(new StreamableHTTPClientTransport(url, authorized(await place.tokenFor("bea"))));
  const stolen = await other.callTool({ name: "read_session", arguments: { session: answer.session } });
  assert.equal(stolen.isError, true);
  const wrong = await mcp.callTool({ name: "search_memory", arguments: { words: 5 } });
  assert.equal(wrong.isError, true);
  await Promise.all([mcp.close(), other.close()]);
});

test("what is refused leaves nothing behind: no session, no file", async () => {
  const before = await sessions();
  const files = async (): Promise<number> => (await place.composed.steward.store.list("p/owner/file/")).length;
  const kept = await files();
  const dot = { type: "image_url" as const, image_url: { url: "data:image/png;base64,AAAA" } };
  const far = { type: "image_url" as const, image_url: { url: "https://example.org/a.png" } };
  const hi = [{ role: "user" as const, content: "hi" }];
  const tries: [string, OpenAI.ChatCompletionMessageParam[], number][] = [
    ["nobody/none", hi, 404],
    ["none:compatible/test-1", hi, 404],
    ["gpt-4o", hi, 404],
    ["steward", [{ role: "user", content: [dot, far] }], 422],
    ["steward", [{ role: "user", content: " " }], 422],
    ["nobody/none", [{ role: "user", content: [dot] }], 404],
  ];
  for (const [model, messages, status] of tries) await assert.rejects(client.chat.completions.create({ model, messages }), { status });
  await assert.rejects(client.responses.create({ model: "nobody/none", input: "hi" }), { status: 404 });
  place.composed.steward.settings.set("runtime.pin", "engine");
  await assert
    .rejects(client.chat.completions.create({ model: "acp:compatible/test-1", messages: hi }))
    .finally(() => place.composed.steward.settings.set("runtime.pin", undefined));
  assert.deepEqual([await sessions(), await files()], [before, kept]);
});

test("a conversation whose session was deleted begins anew, with what was said as a record", async () => {
  says("Noted, Cyd.", "Cyd again.");
  const before = new Set(await sessions());
  const first = [{ role: "user" as const, content: "I am Cyd" }];
  await client.chat.completions.create({ model: "steward", messages: first });
  const [made] = (await sessions()).filter((id) => !before.has(id));
  await place.client.call("sessions.remove", { params: { id: made! } });
  const messages = [...first, { role: "assistant" as const, content: "Noted, Cyd." }, { role: "user" as const, content: "Who?" }];
  const second = await client.chat.completions.create({ model: "steward", messages });
  assert.equal(second.choices[0]?.message.content, "Cyd again.");
});

test("a client that goes away at any moment leaves no turn behind that runs for nobody", async () => {
  place.model.script([
    { do: "text", text: "slowly " },
    { do: "wait", ms: 60_000 },
  ]);
  const before = new Set(await sessions());
  for (let at = 0; at < 24; at++) {
    const stop = new AbortController();
    const asked = client.chat.completions.create(
      { model: "steward", stream: at % 2 === 0, messages: [{ role: "user", content: `moment ${at}` }] },
      { signal: stop.signal },
    );
    setTimeout(() => stop.abort(), at * 2);
    await asked.then(
      async (stream) => void (await (stream as { toReadableStream(): ReadableStream }).toReadableStream().cancel()),
      () => undefined,
    );
    stop.abort();
  }
  const made = (await sessions()).filter((id) => !before.has(id));
  for (const id of made)
    await eventually(async () => {
      const log = await place.events(id);
      const said = log.some(({ event }) => event.type === "message.received");
      return !said || log.some(({ event }) => event.type === "turn.completed" && event.stop === "cancelled");
    });
});

test("the turn of somebody else in that session goes on when a program leaves", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  place.model.script([
    { do: "text", text: "Hel" },
    { do: "until", promise },
    { do: "text", text: "lo." },
  ]);
  const { id } = await place.client.call("sessions.make", { body: {} });
  await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "from the page" }] } });
  await eventually(async () => (await place.events(id)).some(({ event }) => event.type === "turn.started"));
  const stop = new AbortController();
  const asked = client.chat.completions.create(
    { model: "steward", messages: [{ role: "user", content: "from a program" }] },
    { signal: stop.signal, headers: { "x-steward-session": id } },
  );
  await eventually(async () => (await place.events(id)).filter(({ event }) => event.type === "message.received").length === 2);
  stop.abort();
  await assert.rejects(asked);
  await sessions(); // the gateway has seen it go
  resolve();
  await eventually(async () => (await place.events(id)).some(({ event }) => event.type === "turn.completed"));
  const ends = (await place.events(id)).flatMap(({ event }) => (event.type === "turn.completed" ? [event.stop] : []));
  assert.equal(ends[0], "end");
});

test("each token's calls of tools stand by themselves: one that is revoked takes none with it", async () => {
  says("First.", "Second.");
  const url = new URL(`${place.gateway.url}/mcp`);
  const opened = async (token: string): Promise<McpClient> => {
    const mcp = new McpClient({ name: "test", version: "1" });
    await mcp.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
    return mcp;
  };
  const made = await Promise.all(["one", "other"].map((label) => place.client.call("tokens.make", { body: { label } })));
  const [one, other] = await Promise.all(made.map(({ token }) => opened(token)));
  const asks = (mcp: McpClient | undefined) => mcp!.callTool({ name: "ask_steward", arguments: { message: "hello" } });
  assert.match(JSON.stringify(await asks(one)), /First\./);
  await place.client.call("tokens.remove", { params: { id: made[0]!.id } });
  assert.match(JSON.stringify(await asks(other)), /Second\./);
  await assert.rejects(asks(one));
  await Promise.all([one!.close(), other!.close()]);
});

test("bodies that are none of it are refused, and nothing is made", async () => {
  const before = await sessions();
  for (const body of ["", "{", "[]", '{"messages":[]}', '{"messages":[{"role":"user","content":5}]}', '{"messages":"hi"}'])
    assert.equal(
      (
        await raw(place.gateway.url, {
          method: "POST",
          path: "/v1/chat/completions",
          body,
          headers: { authorization: `Bearer ${place.gateway.localToken}`, "content-type": "application/json" },
        })
      ).status,
      422,
      body,
    );
  assert.deepEqual(await sessions(), before);
});
