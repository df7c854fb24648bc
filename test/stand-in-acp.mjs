// An agent by hand that speaks the Agent Client Protocol on its input and output: does what the words of the prompt say, well or badly.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const waiting = new Map();
const state = { next: 1000, cancelled: () => {}, steered: () => {} };
const ask = (method, params) =>
  new Promise((resolve) => {
    waiting.set(state.next, resolve);
    send({ id: state.next++, method, params });
  });
const has = (name) => process.argv.includes(name);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const forever = () => new Promise(() => {});
const die = async () => {
  process.stderr.write("out of luck");
  process.kill(process.pid, "SIGKILL");
  await forever();
};

const update = (sessionId) => (sessionUpdate, more) =>
  send({ method: "session/update", params: { sessionId, update: { sessionUpdate, ...more } } });
const chunk = (text, messageId) => ({ content: { type: "text", text }, ...(messageId ? { messageId } : {}) });

async function prompt({ sessionId, prompt: parts }) {
  const tell = update(sessionId);
  const words = parts.map((part) => (part.type === "text" ? part.text : `[${part.type}]`)).join("\n");
  appendFileSync("asked.txt", `${words}\n---\n`);
  const last = parts.at(-1).text ?? "";
  const cancelled = new Promise((resolve) => (state.cancelled = () => resolve("cancelled")));
  if (last === "die") await die();
  if (last === "hang") return { stopReason: await cancelled };
  if (last === "stubborn") await forever();
  if (last === "garbage")
    for (;;) if (!process.stdout.write("\u0007no message at all\n")) await new Promise((resolve) => process.stdout.once("drain", resolve));
  if (last === "flood")
    for (;;) {
      tell("agent_message_chunk", chunk("a".repeat(100_000)));
      await pause(1);
    }
  if (last === "long")
    for (;;) if (!process.stdout.write("{".repeat(65_536))) await new Promise((resolve) => process.stdout.once("drain", resolve));
  if (last === "circle")
    for (let at = 0; ; at++) {
      tell("tool_call", { toolCallId: `c${at}`, title: "again", kind: "read", status: "completed", rawInput: { at } });
      await pause(1);
    }
  if (last === "refuse") throw { code: -32603, message: "no such thing" };
  if (last === "early") return { stopReason: "sleepy" };
  if (last === "error as text") {
    tell("agent_message_chunk", chunk("429 Too Many Requests"));
    return { stopReason: "end_turn" };
  }
  if (last === "slow") {
    const steered = new Promise((resolve) => (state.steered = resolve));
    tell("agent_message_chunk", chunk("Working. "));
    await (has("--steer") ? steered : pause(100));
    return { stopReason: "end_turn" };
  }
  const options = [
    { optionId: "a", name: "Always", kind: "allow_always" },
    { optionId: "o", name: "Once", kind: "allow_once" },
    { optionId: "n", name: "No", kind: "reject_once" },
  ];
  if (last === "outrun") {
    const call = { toolCallId: "t1", title: "echo one", kind: "execute", status: "pending", rawInput: { command: "echo one" } };
    tell("agent_thought_chunk", chunk("We", "m0"));
    tell("tool_call", call);
    const asked = ask("session/request_permission", { sessionId, toolCall: call, options });
    await pause(30);
    tell("agent_thought_chunk", chunk("ll", "m0"));
    await pause(30);
    tell("agent_message_chunk", chunk("I look.", "m0"));
    await asked;
    tell("tool_call_update", { toolCallId: "t1", status: "completed" });
    return { stopReason: "end_turn" };
  }
  if (last === "again") {
    for (const call of [
      { title: "steward_remind", kind: "other", rawInput: { at: 9 } },
      { title: "echo one", kind: "execute", rawInput: { command: "echo one" } },
      { title: "echo two # mcp__steward__remind", kind: "execute", rawInput: { command: "echo two # mcp__steward__remind" } },
      { title: "steward_remind", kind: "execute", rawInput: { command: "steward_remind" } },
      { name: "mcp__other__do", title: "steward_remind", kind: "other", rawInput: { at: 1 } },
    ]) {
      const toolCall = { toolCallId: "same", status: "pending", ...call };
      tell("tool_call", { ...toolCall, rawInput: {} });
      const { outcome } = await ask("session/request_permission", { sessionId, toolCall, options });
      tell("tool_call_update", { toolCallId: "same", status: "completed", rawOutput: outcome.optionId, content: [null] });
      tell("tool_call_update", { toolCallId: "same", rawOutput: "late news" });
    }
    return { stopReason: "end_turn" };
  }
  if (last === "work") {
    tell("plan", {
      entries: [
        { content: "look", status: "in_progress", priority: "high" },
        { content: "tell", status: "pending", priority: "low" },
      ],
    });
    tell("agent_thought_chunk", chunk("Hm", "m0"));
    tell("agent_thought_chunk", chunk("m.", "m0"));
    tell("agent_message_chunk", chunk("I look.", "m1"));
    tell("tool_call", { toolCallId: "t1", title: "echo one", kind: "execute", status: "pending", rawInput: {} });
    const call = { toolCallId: "t1", title: "echo one", rawInput: { command: "echo one" } };
    const { outcome } = await ask("session/request_permission", { sessionId, toolCall: call, options });
    if (outcome.optionId === "o") {
      tell("tool_call_update", {
        toolCallId: "t1",
        status: "in_progress",
        content: [{ type: "content", content: { type: "text", text: "on" } }],
      });
      tell("tool_call_update", {
        toolCallId: "t1",
        status: "completed",
        content: [{ type: "content", content: { type: "text", text: "one" } }],
      });
    } else tell("tool_call_update", { toolCallId: "t1", status: "failed", rawOutput: `not allowed: ${JSON.stringify(outcome)}` });
    tell("tool_call", {
      toolCallId: "t2",
      title: "remind (steward MCP Server)",
      kind: "other",
      status: "in_progress",
      rawInput: { at: 9 },
    });
    tell("tool_call_update", { toolCallId: "t2", status: "completed" });
    tell("usage_update", { used: 10, size: 100, cost: { amount: 0.25, currency: "USD" } });
    tell("agent_message_chunk", chunk("Done.", "m2"));
    return { stopReason: "end_turn" };
  }
  tell("agent_message_chunk", chunk(`You said: ${last}`));
  return { stopReason: "end_turn" };
}

const answers = {
  initialize: async () => {
    if (has("--mute")) await forever();
    if (has("--die")) await die();
    if (has("--exit")) process.exit(3);
    return {
      protocolVersion: has("--future") ? 7 : 1,
      agentCapabilities: { loadSession: has("--load"), promptCapabilities: { image: true }, mcpCapabilities: { http: has("--http") } },
      ...(has("--steer") ? { _meta: { steering: { supported: true } } } : {}),
    };
  },
  authenticate: async ({ methodId }) => ({ methodId }),
  "session/new": async (params) => {
    appendFileSync("asked.txt", `new ${JSON.stringify(params.mcpServers.map(({ type = "stdio", name }) => [type, name]))}\n`);
    if (has("--login")) throw { code: -32000, message: "Authentication required" };
    if (has("--die-new")) await die();
    return { sessionId: "s1" };
  },
  "session/load": async ({ sessionId }) => {
    if (sessionId !== "s1") throw { code: -32002, message: "Session not found" };
    update(sessionId)("user_message_chunk", chunk("of old"));
    update(sessionId)("agent_message_chunk", chunk("an old answer"));
    return {};
  },
  "session/prompt": prompt,
  "_session/steering": async ({ sessionId, prompt: parts }) => {
    update(sessionId)("agent_message_chunk", chunk(`Meanwhile: ${parts[0].text}. `));
    state.steered();
    return { outcome: "injected" };
  },
};

if (has("--noise")) process.stdout.write("Starting up…\n{not json\n\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params, result } = JSON.parse(line);
  if (method === "session/cancel") state.cancelled();
  else if (method === undefined) waiting.get(id)?.(result);
  else
    void answers[method](params).then(
      (answer) => send({ id, result: answer }),
      (error) => send({ id, error: error.code ? error : { code: -32603, message: String(error) } }),
    );
}
