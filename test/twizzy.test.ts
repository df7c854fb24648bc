// TWIZZY's documented interface, as its own clients use it: REST and /ws/chat.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Action } from "../src/testing/model-server.ts";
import { type Chat, eventually, type Frame, openChat, openPlace, raw, type Raw } from "./gateway-place.ts";
import { leastOf } from "./took.ts";

const isUpdate = ({ type }: Frame): boolean => type === "status_update";
const typesOf = (frames: Frame[]): string[] =>
  frames.map(({ type }) => type).filter((type, index, all) => type !== "chunk" || all[index - 1] !== "chunk");
const joined = (frames: Frame[]): string =>
  frames
    .filter(({ type }) => type === "chunk")
    .map(({ content }) => content)
    .join("");
const newest = ({ messages }: { messages?: unknown[] }) => messages!.at(-1) as { role: string; content: unknown };
const call = (tool: string, input: unknown): Action => ({ do: "calls", calls: [{ tool, input }] });

const place = await openPlace();
after(() => place.close());
const { bearer } = place;

describe("TWIZZY", () => {
  const get = (path: string): Promise<Raw> => raw(place.gateway.url, { path, headers: bearer });
  const send = (method: string, path: string, body?: unknown): Promise<Raw> =>
    raw(place.gateway.url, {
      method,
      path,
      headers: { ...bearer, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const say = async (message: string, conversation_id?: string) =>
    (await send("POST", "/api/chat", { message, ...(conversation_id ? { conversation_id } : {}) })).json() as {
      response: string;
      conversation_id: string;
    };
  const chat = (): Promise<Chat> => openChat(place.gateway.url, bearer);
  const turn = async (socket: Chat, frame: unknown): Promise<Frame[]> => {
    const from = socket.frames.length;
    socket.send(frame);
    return socket.until(isUpdate, from);
  };
  const answersWith = (...actions: Action[]) => place.model.script(actions);
  const echo = () => place.model.script(({ body }) => [{ do: "text", text: `You said: ${JSON.stringify(newest(body).content)}` }]);

  test("T-001 chat over REST", async () => {
    answersWith({ do: "text", text: "Hello, Ada." });
    const { status, json } = await send("POST", "/api/chat", { message: "hi" });
    assert.deepEqual(
      [status, Object.keys(json()), json().response, typeof json().conversation_id],
      [200, ["response", "conversation_id"], "Hello, Ada.", "string"],
    );
  });

  test("T-002 the body of /api/chat is checked", async () => {
    const missing = await send("POST", "/api/chat", {});
    assert.deepEqual(
      [missing.status, missing.json().detail],
      [422, [{ type: "missing", loc: ["body", "message"], msg: "Field required" }]],
    );
    const broken = await send("POST", "/api/chat", "not json");
    assert.deepEqual([broken.status, broken.json().detail[0]?.type], [422, "json_invalid"]);
    assert.equal((await send("POST", "/api/chat", { message: " " })).status, 422);
  });

  test("T-003 status without any API key", async () => {
    const status = (await get("/api/status")).json();
    const caches = { size: 0, max_size: 0, hits: 0, misses: 0, hit_rate: 0 };
    assert.deepEqual(Object.keys(status.cache_stats.file_cache), Object.keys(caches));
    assert.deepEqual(
      [
        status.running,
        typeof status.conversation_id,
        status.enabled_capabilities,
        Array.isArray(status.registered_plugins),
        typeof status.conversation_length,
        Object.keys(status.cache_stats),
        typeof status.recent_errors,
      ],
      [true, "string", ["terminal", "filesystem", "applications"], true, "number", ["file_cache", "command_cache", "app_cache"], "number"],
    );
  });

  test("T-004 T-005 T-006 clear and history, with the times of the messages", async () => {
    assert.deepEqual((await send("POST", "/api/clear")).json(), { success: true, message: "Conversation cleared" });
    assert.deepEqual((await get("/api/history")).json().messages, []);
    answersWith({ do: "text", text: "Noted." });
    await say("remember the milk");
    const first = (await get("/api/history")).json();
    assert.deepEqual(Object.keys(first), ["conversation_id", "title", "message_count", "messages"]);
    assert.deepEqual(
      first.messages.map(({ role, content }) => [role, content]),
      [
        ["user", "remember the milk"],
        ["assistant", "Noted."],
      ],
    );
    assert.equal(first.message_count, 2);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.deepEqual((await get("/api/history")).json(), first);
  });

  test("T-007 T-008 T-009 T-011 the socket: greeting, the documented form, pieces, order", async () => {
    const text = Array.from({ length: 40 }, (_, index) => `Paragraph ${index}.`).join("\n\n");
    answersWith({ do: "text", text, pieces: 40 });
    const socket = await chat();
    const frames = await turn(socket, { type: "message", content: "write much" });
    assert.deepEqual(Object.keys(socket.frames[0]!), ["type", "message", "conversation_id"]);
    assert.deepEqual(typesOf(frames), ["status", "chunk", "response", "done", "status_update"]);
    assert.ok(frames.filter(({ type }) => type === "chunk").length > 1);
    const response = frames.find(({ type }) => type === "response")!;
    assert.deepEqual([joined(frames), response["message"], typeof response["timestamp"]], [text, text, "string"]);
    assert.equal(frames.find(({ type }) => type === "status")!["status"], "thinking");
    assert.deepEqual(frames.at(-1)!["status"].enabled_capabilities, ["terminal", "filesystem", "applications"]);
    socket.socket.close();
  });

  test("T-010 the form of the web clients", async () => {
    answersWith({ do: "text", text: "Yes." });
    const socket = await chat();
    const frames = await turn(socket, { message: "there?", conversation_id: null });
    assert.deepEqual(
      [typesOf(frames), frames.filter(({ type }) => type === "response").map(({ message }) => message)],
      [["status", "chunk", "response", "done", "status_update"], ["Yes."]],
    );
    socket.socket.close();
  });

  test("T-012 a wrong frame is answered and the socket stays open", async () => {
    answersWith({ do: "text", text: "Still here." });
    const socket = await chat();
    for (const wrong of [
      "not json",
      "42",
      "[]",
      '{"message":7}',
      Buffer.from([1, 2, 3]),
      '{"message":"a\\u0000b"}',
      "[".repeat(2000),
      '{"__proto__":1}',
    ]) {
      const from = socket.frames.length;
      socket.send(wrong);
      const [frame] = await socket.until(({ type }) => type === "error", from);
      assert.equal(typeof frame!["message"], "string");
    }
    socket.send({ message: "" });
    assert.equal(joined(await turn(socket, { message: "hi" })), "Still here.");
    socket.socket.close();
  });

  test("T-013 one agent: what the socket said is in the history", async () => {
    answersWith({ do: "text", text: "By socket." });
    const socket = await chat();
    await turn(socket, { message: "over the wire" });
    assert.deepEqual(
      (await get("/api/history"))
        .json()
        .messages.slice(-2)
        .map(({ content }) => content),
      ["over the wire", "By socket."],
    );
    socket.socket.close();
  });

  test("T-014 two sockets at once: each gets its own answer, one turn at a time", async () => {
    echo();
    const sockets = await Promise.all([chat(), chat()]);
    const frames = await Promise.all(sockets.map((socket, index) => turn(socket, { message: `I am ${index}` })));
    for (const [index, own] of frames.entries()) {
      assert.match(own.find(({ type }) => type === "response")!["message"], new RegExp(`^You said: .*I am ${index}`));
      assert.equal(own.filter(({ type }) => type === "response").length, 1);
    }
    for (const { socket } of sockets) socket.close();
  });

  test("several messages on one socket are answered in their order", async () => {
    echo();
    const socket = await chat();
    for (const word of ["one", "two", "three"]) socket.send({ message: word });
    await socket.until(({ type, message }) => type === "response" && message.includes("three"));
    assert.deepEqual(
      socket.frames.filter(({ type }) => type === "response").map(({ message }) => /one|two|three/.exec(message)![0]),
      ["one", "two", "three"],
    );
    socket.socket.close();
  });

  test("T-015 a model's failure is told: REST begins with Sorry, the socket has an error and is done", async () => {
    answersWith({ do: "status", status: 400, message: "The request is bad" });
    const { response } = await say("hi");
    assert.match(response, /^Sorry, I encountered an error: /);
    const socket = await chat();
    const frames = await turn(socket, { message: "hi" });
    assert.deepEqual(typesOf(frames), ["status", "error", "done", "status_update"]);
    assert.match(frames.find(({ type }) => type === "error")!["message"], /^Sorry, I encountered an error: /);
    assert.match((await get("/api/history")).json().messages.at(-1)!.content, /^Sorry/);
    socket.socket.close();
  });

  test("T-016 a turn with a tool ends in one reply on both", async () => {
    const script = () =>
      place.model.script(({ body }) =>
        newest(body).role === "tool"
          ? [{ do: "text", text: "Two files." }]
          : [{ do: "text", text: "Let me look." }, call("list_directory", { path: "~" })],
      );
    script();
    assert.equal((await say("what is here?")).response, "Let me look.\n\nTwo files.");
    const socket = await chat();
    const frames = await turn(socket, { message: "and now?" });
    assert.deepEqual(
      [typesOf(frames), joined(frames)],
      [["status", "chunk", "response", "done", "status_update"], "Let me look.\n\nTwo files."],
    );
    assert.ok(!(await get("/api/history")).json().messages.some(({ role, content }) => role === "tool" || content === ""));
    socket.socket.close();
  });

  test("T-017 a model that only calls tools is stopped after ten rounds and says so, whatever the setting", async () => {
    let count = 0;
    assert.equal(place.composed.steward.settings.config().limits.rounds, 25);
    place.model.script(() => [call("list_directory", { path: `/tmp/none-${count++}` })]);
    assert.match((await say("loop")).response, /stopped after 10 rounds/);
    assert.equal(count, 10);
  });

  test("a turn that waits for a person says what is asked and where; the socket gets the rest when it was answered", async () => {
    const ask = () => {
      let asked = false;
      place.model.script(() => {
        if (asked) return [{ do: "text", text: "Blue it is." }];
        asked = true;
        return [call("ask_person", { question: "Which colour?", options: ["red", "blue"] })];
      });
    };
    ask();
    const { response, conversation_id: id } = await say("paint it");
    assert.ok(
      response.includes("Which colour?") && response.includes("red, blue") && response.includes(`${place.gateway.url}/s/${id}`),
      response,
    );
    const again = await say("hello?");
    assert.ok(again.response.includes("Which colour?"), "said while it waits");
    const answerIt = async () => {
      const [open] = await eventually(async () => {
        const { asks } = await place.client.call("asks.list");
        return asks.length > 0 ? asks : undefined;
      });
      await place.client.call("asks.answer", { params: { id: open!.id }, body: { choice: "blue" } });
    };
    await answerIt();
    await eventually(async () => !(await place.client.call("sessions.get", { params: { id } })).running);
    ask();
    const socket = await chat();
    const first = await turn(socket, { message: "paint it again" });
    assert.deepEqual(typesOf(first), ["status", "chunk", "response", "done", "status_update"]);
    assert.ok(first.find(({ type }) => type === "response")!["message"].includes("Which colour?"));
    const from = socket.frames.length;
    await answerIt();
    const rest = await socket.until(isUpdate, from);
    assert.deepEqual([typesOf(rest), joined(rest)], [["status", "chunk", "response", "done", "status_update"], "Blue it is."]);
    socket.socket.close();
  });

  test("T-019 T-027 an id in a message selects that conversation, an unknown one the current; Clear keeps the id", async () => {
    echo();
    const { conversation_id: old } = await say("I am Ada");
    const fresh = (await send("POST", "/api/conversations/new")).json().conversation_id;
    assert.equal((await say("new one")).conversation_id, fresh);
    const socket = await chat();
    await turn(socket, { message: "who am I?", conversation_id: old });
    assert.ok(JSON.stringify(place.model.requests.at(-1)!.body.messages).includes("I am Ada"));
    assert.equal((await get("/api/history")).json().conversation_id, old);
    assert.equal((await say("still", "no-such-id")).conversation_id, old);
    await send("POST", "/api/clear");
    const frames = await turn(socket, { message: "and now?", conversation_id: old });
    assert.equal(frames.find(({ type }) => type === "response")!["conversation_id"], old);
    assert.ok(!JSON.stringify(place.model.requests.at(-1)!.body.messages).includes("I am Ada"));
    socket.socket.close();
  });

  test("T-020 T-021 T-022 T-023 T-024 T-026 conversations: list, new, get, switch, delete", async () => {
    answersWith({ do: "text", text: "ok" });
    const { conversation_id: id } = (await send("POST", "/api/conversations/new")).json();
    assert.deepEqual((await get("/api/history")).json(), {
      conversation_id: id,
      title: (await get("/api/history")).json().title,
      message_count: 0,
      messages: [],
    });
    await say("a word");
    const { success, conversations } = (await get("/api/conversations")).json();
    assert.deepEqual(
      [success, conversations[0]!.id, Object.keys(conversations[0]!), conversations[0]!.message_count],
      [true, id, ["id", "title", "created_at", "updated_at", "message_count"], 2],
    );
    const times = conversations.map(({ updated_at }) => Date.parse(updated_at));
    assert.deepEqual(
      times,
      times.toSorted((a: number, b: number) => b - a),
    );
    const one = (await get(`/api/conversations/${id}`)).json();
    assert.deepEqual(
      [one.success, Object.keys(one.conversation)],
      [true, ["id", "title", "created_at", "updated_at", "messages", "metadata"]],
    );
    assert.deepEqual(
      one.conversation.messages.map(({ role, content }) => [role, content]),
      [
        ["user", "a word"],
        ["assistant", "ok"],
      ],
    );
    const other = (await send("POST", "/api/conversations/new")).json().conversation_id;
    assert.deepEqual((await send("POST", `/api/conversations/${id}/switch`)).json(), { success: true, conversation_id: id });
    assert.equal((await get("/api/status")).json().conversation_id, id);
    assert.deepEqual((await send("DELETE", `/api/conversations/${other}`)).json(), { success: true });
    assert.deepEqual((await send("DELETE", `/api/conversations/${other}`)).json(), { success: true });
    assert.ok(!(await get("/api/conversations")).json().conversations.some(({ id: found }) => found === other));
    for (const answer of [
      await get("/api/conversations/nope"),
      await send("POST", "/api/conversations/nope/switch"),
      await get(`/api/conversations/${other}`),
    ])
      assert.deepEqual([answer.status, typeof answer.json().detail], [404, "string"]);
  });

  test("T-025 a search finds an old conversation by a word of it", async () => {
    answersWith({ do: "text", text: "ok" });
    const { conversation_id: id } = (await send("POST", "/api/conversations/new")).json();
    await say("the quick Wombat jumps");
    const { sessions } = await place.client.call("sessions.list", { query: { q: "wombat" } });
    assert.deepEqual(
      sessions.map((found) => found.id),
      [id],
    );
  });

  test("T-045 T-046 T-047 T-048 T-049 permissions: read, merge, toggle, at once", async () => {
    const first = (await get("/api/permissions")).json();
    assert.deepEqual(Object.keys(first.capabilities), ["terminal", "filesystem", "applications", "browser", "system", "ui_control"]);
    for (const one of Object.values(first.capabilities))
      assert.deepEqual(
        [typeof one.enabled, Object.keys(one.restrictions)],
        ["boolean", ["allow_sudo", "blocked_commands", "allowed_paths", "blocked_paths", "allowed_apps", "blocked_apps"]],
      );
    assert.deepEqual((await send("PUT", "/api/permissions", first)).json(), { success: true, message: "Permissions updated" });
    assert.deepEqual(JSON.parse(await readFile(join(place.home, "permissions.json"), "utf8")), first);
    await send("PUT", "/api/permissions", { capabilities: { terminal: { enabled: false } } });
    const expected = structuredClone(first);
    expected.capabilities.terminal.enabled = false;
    assert.deepEqual((await get("/api/permissions")).json(), expected);
    place.model.script(({ body }) =>
      newest(body).role === "tool"
        ? [{ do: "text", text: String(newest(body).content) }]
        : [call("execute_terminal_command", { command: "echo hello" })],
    );
    assert.match((await say("run it")).response, /Permission denied/);
    assert.deepEqual((await send("POST", "/api/permissions/toggle", { capability: "terminal", enabled: true })).json(), {
      success: true,
      capability: "terminal",
      enabled: true,
    });
    assert.match((await say("run it")).response, /hello/);
    assert.equal((await send("POST", "/api/permissions/toggle", { capability: "flying", enabled: true })).status, 404);
    assert.equal((await send("PUT", "/api/permissions", { capabilities: { terminal: { enabled: "yes" } } })).status, 422);
  });

  test("T-059 T-060 T-061 the API key: stored, told only by its beginning, written to .env", async () => {
    assert.deepEqual((await get("/api/api-key/status")).json(), { configured: false, key_prefix: null });
    const env = await send("POST", "/api/api-key/env", { api_key: "sk-kimi-env-1234567890abcdefghijklmnop" });
    assert.deepEqual([env.status, env.json().success], [200, true]);
    assert.equal(await readFile(join(place.home, ".env"), "utf8"), "KIMI_API_KEY=sk-kimi-env-1234567890abcdefghijklmnop\n");
    assert.equal((await stat(join(place.home, ".env"))).mode & 0o777, 0o600);
    assert.equal((await send("POST", "/api/api-key/env", { api_key: "a\nEVIL=1" })).status, 422);
    const set = (await send("POST", "/api/api-key", { api_key: "sk-kimi-set-1234567890abcdefghijklmnop" })).json();
    assert.deepEqual([set.success, /^API key saved to /.test(set.message)], [true, true]);
    assert.deepEqual((await get("/api/api-key/status")).json(), { configured: true, key_prefix: "sk-kimi-se..." });
    assert.equal((await send("POST", "/api/api-key", {})).status, 422);
    await place.client.call("secrets.remove", { params: { id: "kimi-code" } });
  });

  /** How long the end takes. */
  const stopping = async (): Promise<number> => {
    const other = await openPlace();
    const { socket } = await openChat(other.gateway.url, { authorization: `Bearer ${other.gateway.localToken}` });
    const stream = await fetch(`${other.gateway.url}/api/stream`, {
      headers: { authorization: `Bearer ${other.gateway.localToken}`, accept: "text/event-stream" },
    });
    const closed = once(socket, "close");
    const at = Date.now();
    await other.gateway.close();
    const took = Date.now() - at;
    assert.deepEqual(
      [(await closed)[0], /event: notice\ndata: \{"type":"ended","reason":"closing"\}/.test(await stream.text())],
      [1001, true],
    );
    await other.close().catch(() => {});
    return took;
  };
  test("the socket goes with a word when the server stops", async () => {
    assert.ok((await leastOf(2000, stopping)) < 2000);
  });
});

test("T-018 conversations are there after a restart, and so is the current one", async () => {
  const home = await mkdtemp(join(tmpdir(), "steward-restart-"));
  const open = () => openPlace({ home });
  const first = await open();
  const id = (await first.client.call("chat.say", { body: { message: "keep this" } })).conversation_id!;
  await first.close();
  const second = await open();
  const { conversation } = await second.client.call("conversations.get", { params: { id } });
  assert.deepEqual(
    [conversation.messages.map(({ content }) => content), (await second.client.call("history.get")).conversation_id],
    [["keep this", "Hello."], id],
  );
  await second.close();
  await rm(home, { recursive: true });
});
