// engines/acp with real agents, offline: Claude Code and OpenCode behind the protocol, Codex on its own wire, Gemini as far as it goes without its maker.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as z from "zod/mini";
import type { Message } from "../src/core/ports.ts";
import acp from "../src/engines/acp.ts";
import type { ModelRequest, Script } from "../src/testing/model-server.ts";
import { openPlace, type PlaceOptions, realProgram } from "./engine-place.ts";
import { type Answer, responsesServer } from "./responses-server.ts";

const limit = { timeout: 280_000 };

async function open(t: TestContext, agent: string, more: Partial<PlaceOptions<never>> & { agents?: object } = {}) {
  const { agents = {}, ...options } = more;
  const config = { agent, agents };
  const programs = (await realProgram(acp.programs(z.parse(acp.config, config))[0]))!;
  const place = await openPlace({ tools: { remind: async () => "kept" }, ...options, engine: acp, config, programs });
  t.after(place.close);
  return place;
}

const toolNames = ({ body }: ModelRequest): string[] =>
  (body.tools ?? []).map((tool: { name?: string; function?: { name: string } }) => tool.name ?? tool.function!.name);
const fresh = (said: string): Message[] => [{ role: "user", parts: [{ type: "text", text: said }] }];

/** Each answer once, the last for ever; requests for titles and the like have none of the tools. */
function script(...answers: ((request: ModelRequest) => ReturnType<Script>)[]): Script {
  const state = { next: 0 };
  return (request) => {
    if (!toolNames(request).some((name) => /^bash$/i.test(name))) return [{ do: "text", text: "A title" }];
    return answers[Math.min(state.next++, answers.length - 1)]!(request);
  };
}
const called = (remind: string, command: string) => (request: ModelRequest) => {
  const shell = toolNames(request).find((name) => /^bash$/i.test(name))!;
  const calls = [
    { tool: remind, input: { at: 9 } },
    { tool: shell, input: { command, description: "a test" } },
  ];
  return [
    { do: "thinking" as const, text: "Well" },
    { do: "text" as const, text: "I look." },
    { do: "calls" as const, calls },
  ];
};
const says = (text: string) => () => [{ do: "text" as const, text }];

for (const { agent, shell, remind, refused } of [
  { agent: "claude-agent-acp", shell: "Bash", remind: "mcp__steward__remind", refused: "text Done." },
  {
    agent: "opencode",
    shell: "execute",
    remind: "steward_remind",
    refused: "execute = The user rejected permission to use this specific tool call.",
  },
]) {
  test(`${agent}: an answer, both kinds of tools, a refusal, its own session gone on with`, limit, async (t) => {
    const place = await open(t, agent, {
      script: script(called(remind, "touch made"), says("Done."), says("Again.")),
      permit: async () => ({ allowed: false, reason: "not today" }),
    });
    place.say("go");
    const first = await place.run();
    assert.deepEqual([first.stop, first.error], ["end", undefined]);
    const story = place.story();
    assert.deepEqual(story.slice(0, 2), ["thinking Well", "text I look."]);
    assert.equal(story.at(-1), "end end");
    // The two calls run beside each other: which of them ends first is the agent's own affair.
    for (const line of [`started ${shell}`, "started remind", 'remind = "kept"', refused])
      assert.equal(story.filter((one) => one === line).length, 1, line);
    assert.deepEqual(
      place.wishes.map(({ tool, input }) => [tool, (input as { command: string }).command]),
      [[shell, "touch made"]],
    );
    assert.ok(!existsSync(join(place.workplace.cwd, "made")));
    place.say("again");
    const second = await place.run({ resume: { id: first.resume!, fresh: fresh("again") } });
    assert.deepEqual(
      [second.stop, second.resume, place.story()],
      ["end", first.resume, [refused === "text Done." ? "text Again." : "text Done.", "end end"]],
    );
    const last = JSON.stringify(place.server.requests.findLast((request) => toolNames(request).length > 0)!.body.messages);
    assert.ok(last.includes("kept") && !last.includes("<conversation>"));
    assert.deepEqual(await place.workplace.left(), []);
  });

  test(`${agent}: cancelled at once, killed, limited`, limit, async (t) => {
    const place = await open(t, agent, { script: script(() => [{ do: "text", text: "Once upon a time" }, { do: "hang" }]) });
    const stop = new AbortController();
    const at = { time: 0 };
    place.say("tell me");
    const cancelled = await place.run({
      signal: stop.signal,
      onLive: () => {
        at.time ||= Date.now();
        stop.abort();
      },
    });
    assert.equal(cancelled.stop, "cancelled");
    assert.ok(Date.now() - at.time < 10_000, `${Date.now() - at.time} ms`); // less than one second where nothing else runs
    assert.deepEqual(await place.workplace.left(), []);
    place.say("go on");
    const state = { killed: false }; // pieces that come later find nobody
    const kill = (): boolean => process.kill(-place.workplace.started.at(-1)!.pid, "SIGKILL");
    const killed = await place.run({ onLive: () => void (state.killed ||= kill()) });
    assert.match(killed.error!.message, /was ended by signal 9/);
    const fault = { code: "limit" as const, message: "Too many requests", retryAt: 99 };
    place.server.script(() => {
      place.fault.now = fault;
      return [{ do: "status", status: 429, message: "slow down", headers: { "retry-after": "3600" } }];
    });
    assert.deepEqual((await place.run()).error, fault);
    assert.deepEqual(await place.workplace.left(), []);
  });
}

test("codex: a command that a person, not a model, is asked about; an answer; its error told as words", limit, async (t) => {
  const answers: Answer[] = [
    { call: "exec_command", input: { cmd: "touch made", sandbox_permissions: "require_escalated", justification: "a test" } },
    { text: "Done." },
    { status: 400, message: "no such thing" },
  ];
  const responses = await responsesServer(answers);
  t.after(responses.close);
  const files = { "codex/config.toml": codexConfig(responses.url) };
  const place = await open(t, "codex", { agents: { codex: { files } }, permit: async () => ({ allowed: false }) });
  place.say("go");
  const outcome = await place.run();
  assert.deepEqual([outcome.stop, outcome.error], ["end", undefined]);
  assert.deepEqual(place.story(), ["step execute @2", "started execute", "execute = It failed.", "end end"]);
  assert.deepEqual(
    place.wishes.map(({ about }) => about),
    ["touch made"],
  );
  assert.ok(!existsSync(join(place.workplace.cwd, "made")));
  place.say("again");
  const answered = await place.run({ resume: { id: outcome.resume!, fresh: fresh("again") } });
  assert.deepEqual([answered.stop, place.story()], ["end", ["text Done.", "end end"]]);
  place.say("once more");
  const failed = await place.run({ resume: { id: outcome.resume!, fresh: fresh("again") } });
  assert.deepEqual([failed.stop, failed.last], ["failed", []]);
  assert.match(failed.error!.message, /^The agent could not go on: .*no such thing/);
});

const codexConfig = (url: string): string => `model = "{model}"
model_provider = "steward"
web_search = "disabled"

[model_providers.steward]
name = "Steward"
base_url = "${url}/v1"
env_key = "CODEX_API_KEY"
wire_api = "responses"

[features]
apps = false
plugins = false
guardian_approval = false
`;

test("gemini: says what it needs; with a key of its own it starts, and is cancelled while it waits", limit, async (t) => {
  const place = await open(t, "gemini");
  place.say("hi");
  const { error } = await place.run();
  assert.equal(error?.message, "Gemini CLI, Google's agent, can't be given the chosen model: it speaks to its maker's only");
  const own = await open(t, "gemini", { agents: { gemini: { env: { GEMINI_API_KEY: "own", GOOGLE_GEMINI_BASE_URL: place.server.url } } } });
  const asked = place.server.others.length;
  const stop = new AbortController();
  own.say("hi");
  const running = own.run({ signal: stop.signal });
  while (place.server.others.length === asked) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort();
  assert.equal((await running).stop, "cancelled");
  assert.match(place.server.others.at(-1)!.path, /^\/v1beta\/models\/gemini/);
  assert.deepEqual(await own.workplace.left(), []);
});
