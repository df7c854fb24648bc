// Documented capabilities of the systems that Steward unites, by the numbers of docs/checklist.md, through the real gateway. TWIZZY's wire forms are in twizzy.test.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { compose } from "../src/compose.ts";
import type { Stored } from "../src/core/events.ts";
import { openGateway } from "../src/gateway/server.ts";
import { openSettings } from "../src/run/settings.ts";
import type { ToolResult } from "../src/core/types.ts";
import { type Action, type ModelServer, modelServer } from "../src/testing/model-server.ts";
import { place as commandLine } from "./cli-place.ts";
import { eventually, raw, type Wire } from "./gateway-place.ts";
import { temporary } from "./harness.ts";

const call = (tool: string, input: unknown): Action => ({ do: "calls", calls: [{ tool, input }] });
const text = (words: string): Action => ({ do: "text", text: words });

interface Door {
  model: ModelServer;
  send(method: string, path: string, body?: unknown): Promise<Wire>;
  /** A message in a new conversation, or in `session`; the model does `actions` first, then says "Done.". */
  chat(message: string, actions?: Action[], session?: string): Promise<{ response: string; session: string; calls: Made[] }>;
  events(session: string): Promise<Stored[]>;
  /** A path in the person's home; Steward's home is `.steward` in it. */
  at(name: string): string;
  restart(): Promise<void>;
}
interface Made {
  tool: string;
  input: unknown;
  result: ToolResult;
}

async function opened(home: string, env: Record<string, string>, overrides: Record<string, unknown>) {
  const composed = await compose({
    home: join(home, ".steward"),
    env: { HOME: home, PATH: process.env["PATH"], STEWARD_KEYCHAIN: "off", ...env },
    version: "0.0.1-test",
    overrides: { "computer.mode": "full", ...overrides },
    auto: true,
  });
  const gateway = await openGateway(composed.steward, { host: "127.0.0.1", port: 0, web: undefined });
  return { composed, gateway, close: () => gateway.close().then(() => composed.close()) };
}

async function door(t: TestContext, { home = temporary(), env = {}, builtin = false } = {}): Promise<Door> {
  const model = await modelServer();
  const overrides = builtin
    ? { model: "builtin/rules" }
    : { model: "compatible/test-1", "providers.compatible": { baseUrl: `${model.url}/v1` } };
  const state = { place: await opened(home, env, overrides) };
  t.after(() => state.place.close().then(() => model.close()));
  const send: Door["send"] = async (method, path, body) => {
    const { url, localToken } = state.place.gateway;
    const headers = { authorization: `Bearer ${localToken}`, "content-type": "application/json" };
    const answer = await raw(url, { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`);
    return answer.json();
  };
  const events: Door["events"] = (session) => state.place.composed.steward.store.events(session);
  return {
    model,
    send,
    events,
    at: (name) => join(home, name),
    async restart() {
      await state.place.close();
      state.place = await opened(home, env, overrides);
    },
    async chat(message, actions = [], session) {
      const script = { left: [...actions] };
      model.script(() => [script.left.shift() ?? text("Done.")]);
      const id = session ?? (await send("POST", "/api/conversations/new")).conversation_id;
      const from = (await events(id)).length;
      const { response } = await send("POST", "/api/chat", { message, conversation_id: id });
      const calls = (await events(id)).slice(from).flatMap(({ event }) => {
        if (event.type !== "item.completed" || event.item.kind !== "tool" || !event.item.result) return [];
        return [{ tool: event.item.call.tool, input: event.item.call.input, result: event.item.result }];
      });
      return { response, session: id, calls };
    },
  };
}

/** Nothing on the machine of whoever runs the tests is opened, closed or updated. */
const harmless = {
  capabilities: {
    applications: { restrictions: { blocked_apps: ["*"] } },
    terminal: { restrictions: { blocked_commands: ["brew"] } },
  },
};
const EXAMPLES: [request: string, scripted: Action[], tools: string[], builtin: string[]][] = [
  ["List all files on my Desktop", [call("list_directory", { path: "~/Desktop" })], ["list_directory"], ["list_directory"]],
  [
    "Create a file called notes.txt with my meeting notes",
    [call("write_file", { path: "notes.txt", content: "Meeting: all well." })],
    ["write_file"],
    [],
  ],
  [
    "Open Safari and Finder",
    [
      {
        do: "calls",
        calls: [
          { tool: "launch_application", input: { app_name: "Safari" } },
          { tool: "launch_application", input: { app_name: "Finder" } },
        ],
      },
    ],
    ["launch_application", "launch_application"],
    ["launch_application"], // step by step: the first is refused here, so the second is not tried
  ],
  [
    "Run the command 'brew update'",
    [call("execute_terminal_command", { command: "brew update" })],
    ["execute_terminal_command"],
    ["execute_terminal_command"],
  ],
  ["What apps are running?", [call("list_running_apps", {})], ["list_running_apps"], ["list_running_apps"]],
  ["Quit Slack", [call("quit_application", { app_name: "Slack" })], ["quit_application"], ["quit_application"]],
  [
    "Read your own code and improve yourself",
    [call("read_file", { path: join(import.meta.dirname, "../src/main.ts") })],
    ["read_file"],
    [],
  ],
  ["What API do you use?", [text("I use compatible.")], [], []],
];

test("T-164 T-165 the eight example requests lead to the right calls: with a model that calls tools", async (t) => {
  const place = await door(t);
  await place.send("PUT", "/api/permissions", harmless);
  for (const [request, script, tools] of EXAMPLES) {
    const { calls, response } = await place.chat(request, script);
    assert.deepEqual(
      calls.map(({ tool }) => tool),
      tools,
      request,
    );
    assert.notEqual(response, "", request);
  }
  const { messages } = place.model.requests.at(-1)!.body as { messages: { role: string; content: string }[] };
  assert.match(messages[0]!.content, /compatible\/test-1/);
  assert.equal(readFileSync(place.at(".steward/workspace/notes.txt"), "utf8"), "Meeting: all well.");
});

test("T-063 T-164 T-165 the eight example requests with the built-in model: no key, the same calls, or a plain answer", async (t) => {
  const place = await door(t, { builtin: true });
  await place.send("PUT", "/api/permissions", harmless);
  for (const [request, , , tools] of EXAMPLES) {
    const { calls } = await place.chat(request);
    assert.deepEqual(
      calls.map(({ tool }) => tool),
      tools,
      request,
    );
  }
  const asked = await place.chat("Create a file called notes.txt with my meeting notes");
  assert.match(asked.response, /What should `notes\.txt` contain\?/);
  const written = await place.chat("All well.", [], asked.session);
  assert.deepEqual(
    written.calls.map(({ tool, input }) => [tool, input]),
    [["write_file", { path: "notes.txt", content: "All well." }]],
  );
  assert.match((await place.chat("What API do you use?")).response, /builtin\/rules/);
  assert.match((await place.chat("Read your own code and improve yourself")).response, /did not understand/);
  assert.match((await place.chat("compose a sonnet about tea")).response, /key|Ollama/);
});

test("T-050 T-051 T-052 permissions of a fresh install", async (t) => {
  const place = await door(t);
  const { capabilities } = (await place.send("GET", "/api/permissions")) as unknown as {
    capabilities: Record<string, { enabled: boolean; restrictions: Record<string, unknown> }>;
  };
  assert.deepEqual(
    Object.entries(capabilities).map(([name, { enabled }]) => [name, enabled]),
    [
      ["terminal", true],
      ["filesystem", true],
      ["applications", true],
      ["browser", false],
      ["system", false],
      ["ui_control", false],
    ],
  );
  assert.deepEqual(
    [capabilities["terminal"]?.restrictions["allow_sudo"], capabilities["terminal"]?.restrictions["blocked_commands"]],
    [false, ["rm -rf /", "shutdown", "reboot", "mkfs"]],
  );
  assert.deepEqual(capabilities["filesystem"]?.restrictions["blocked_paths"], ["~/.ssh", "~/.aws", "~/.gnupg", "~/Library/Keychains"]);
  for (const command of ["sudo ls", "x | sudo y", "true && sudo ls", "rm  -r -f  /", "/sbin/reboot"]) {
    const { calls } = await place.chat("go", [call("execute_terminal_command", { command })]);
    assert.match(calls[0]?.result.error ?? "", /^Permission denied/, command);
  }
});

test("T-058 T-049 permissions.json edited by hand holds at the next call", async (t) => {
  const place = await door(t);
  const run = () => place.chat("go", [call("execute_terminal_command", { command: "echo hi" })]);
  assert.equal((await run()).calls[0]?.result.output, "hi");
  writeFileSync(place.at(".steward/permissions.json"), JSON.stringify({ capabilities: { terminal: { enabled: false } } }));
  assert.match(JSON.stringify((await run()).calls), /"success":false/);
  writeFileSync(place.at(".steward/permissions.json"), JSON.stringify({ capabilities: { terminal: { enabled: true } } }));
  assert.equal((await run()).calls[0]?.result.output, "hi");
});

test("T-054 T-055 blocked paths are closed for every tool and by every way, their neighbours are open", async (t) => {
  const place = await door(t);
  for (const folder of [".ssh", ".sshfoo"]) mkdirSync(place.at(folder), { recursive: true });
  for (const name of [".ssh/id", ".sshfoo/id"]) writeFileSync(place.at(name), "KEY");
  symlinkSync(place.at(".ssh"), place.at(".steward/workspace/link"));
  const shut: [string, unknown][] = [
    ["read_file", { path: "~/.ssh/id" }],
    ["read_file", { path: "../../.ssh/id" }],
    ["read_file", { path: "link/id" }],
    ["read_file", { path: "~/.sshfoo/../.ssh/id" }],
    ["write_file", { path: "~/.ssh/authorized_keys", content: "x" }],
    ["delete_file", { path: "~/.ssh/id" }],
    ["move_file", { source: "~/.ssh/id", destination: "stolen" }],
    ["move_file", { source: "~/.sshfoo", destination: "link/x" }],
    ["list_directory", { path: "~/.ssh" }],
    ["execute_terminal_command", { command: "cat ~/.ssh/id" }],
    ["execute_terminal_command", { command: `cat "$HOME/.ssh/id"` }],
    ["execute_terminal_command", { command: "cat link/id" }],
  ];
  for (const [tool, input] of shut) {
    const { calls } = await place.chat("go", [call(tool, input)]);
    assert.match(calls[0]?.result.error ?? "", /^Permission denied.*blocked path/, JSON.stringify([tool, input]));
    assert.doesNotMatch(JSON.stringify(calls[0]), /KEY/);
  }
  assert.equal((await place.chat("go", [call("read_file", { path: "~/.sshfoo/id" })])).calls[0]?.result.output, "KEY");
  assert.deepEqual([existsSync(place.at(".ssh/id")), existsSync(place.at(".ssh/authorized_keys"))], [true, false]);
});

test("T-056 with allowed paths, a path outside of them is refused", async (t) => {
  const place = await door(t);
  writeFileSync(place.at("other"), "other");
  await place.send("PUT", "/api/permissions", {
    capabilities: { filesystem: { restrictions: { allowed_paths: ["~/.steward/workspace"] } } },
  });
  const outside = await place.chat("go", [call("read_file", { path: "~/other" })]);
  assert.match(outside.calls[0]?.result.error ?? "", /allowed paths/);
  const inside = await place.chat("go", [call("write_file", { path: "a", content: "x" })]);
  assert.equal(inside.calls[0]?.result.success, true);
});

test("T-085 T-086 T-088 repeated reads and commands are hits, changes end them, effects are never kept", async (t) => {
  const place = await door(t);
  type Stats = Record<"file_cache" | "command_cache", { hits: number }>;
  const hits = async (): Promise<number[]> => {
    const { cache_stats } = (await place.send("GET", "/api/status")) as unknown as { cache_stats: Stats };
    return [cache_stats.file_cache.hits, cache_stats.command_cache.hits];
  };
  const read = async (): Promise<unknown> => (await place.chat("go", [call("read_file", { path: "f" })])).calls[0]?.result.output;
  const run = async (command: string): Promise<unknown> =>
    (await place.chat("go", [call("execute_terminal_command", { command })])).calls[0]?.result.output;
  writeFileSync(place.at(".steward/workspace/f"), "one");
  assert.deepEqual([await read(), await read(), await hits()], ["one", "one", [1, 0]]);
  assert.deepEqual([await run("cat f"), await run("cat f"), await hits()], ["one", "one", [1, 1]]);
  await place.chat("go", [call("write_file", { path: "f", content: "two" })]);
  assert.deepEqual([await read(), await run("cat f"), await hits()], ["two", "two", [1, 1]]);
  await place.chat("go", [call("move_file", { source: "f", destination: "g" })]);
  assert.match(JSON.stringify(await run("cat f")), /No such file/);
  await run("echo x >> log");
  await run("echo x >> log");
  assert.deepEqual([readFileSync(place.at(".steward/workspace/log"), "utf8"), await hits()], ["x\nx\n", [1, 1]]);
});

test("T-065 T-066 T-067 the model is streamed, gets the tools that are switched on, and its thinking is kept apart", async (t) => {
  const place = await door(t);
  place.model.script([{ do: "thinking", text: "Hmm, tea." }, text("Tea it is.")]);
  const { response, conversation_id } = await place.send("POST", "/api/chat", { message: "tea or coffee?" });
  assert.equal(response, "Tea it is.");
  const items = (await place.events(conversation_id)).flatMap(({ event }) => (event.type === "item.completed" ? [event.item] : []));
  assert.deepEqual(
    items.flatMap((item) => (item.kind === "thinking" || item.kind === "text" ? [[item.kind, item.text]] : [])),
    [
      ["thinking", "Hmm, tea."],
      ["text", "Tea it is."],
    ],
  );
  const offered = (): string[] => {
    const { stream, tools } = place.model.requests.at(-1)!.body as unknown as { stream: boolean; tools: { function: { name: string } }[] };
    assert.equal(stream, true);
    return tools.map((tool) => tool.function.name);
  };
  assert.ok(offered().includes("execute_terminal_command"));
  await place.send("POST", "/api/permissions/toggle", { capability: "terminal", enabled: false });
  await place.chat("again");
  assert.deepEqual([offered().includes("execute_terminal_command"), offered().includes("read_file")], [false, true]);
});

test("T-091 a tool that throws is a result, and the server goes on", async (t) => {
  const home = temporary();
  mkdirSync(join(home, ".steward/adapters/tools"), { recursive: true });
  writeFileSync(
    join(home, ".steward/adapters/tools/boom.ts"),
    `import * as z from "zod/mini";
    export default [{ name: "boom", description: "Fails.", capability: "none", effect: "read", input: z.object({}), run: () => { throw new TypeError("inner detail"); } }];`,
  );
  const place = await door(t, { home });
  const { calls, response } = await place.chat("go", [call("boom", {})]);
  assert.deepEqual([calls.map(({ result }) => result.success), response], [[false], "Done."]);
  assert.equal((await place.chat("still there?")).response, "Done.");
});

test("T-093 health names its parts with a state and a response time", async (t) => {
  const place = await door(t);
  const { components } = (await place.send("GET", "/api/health")) as unknown as {
    components: { name: string; status: string; responseMs: number }[];
  };
  for (const name of ["llm_connection", "plugins", "system"]) {
    const part = components.find((one) => one.name === name);
    assert.match(part?.status ?? "", /^(healthy|degraded|unhealthy|unknown)$/, name);
    assert.equal(typeof part?.responseMs, "number", name);
  }
});

test("T-095 T-097 the log grows while it runs, and holds no key", async (t) => {
  const place = await door(t);
  const log = place.at(".steward/logs/steward.log");
  const key = "sk-test-0123456789abcdef";
  const before = existsSync(log) ? statSync(log).size : 0;
  await place.send("POST", "/api/api-key", { api_key: key });
  await place.chat(`my key is ${key}`, [{ do: "status", status: 401, message: `wrong key ${key}` }]);
  assert.ok(statSync(log).size > before);
  assert.doesNotMatch(readFileSync(log, "utf8"), new RegExp(key));
});

test("T-161 values of .env in Steward's home are read, and .env.example names the documented variables", () => {
  const home = temporary();
  const root = join(import.meta.dirname, "..");
  writeFileSync(join(home, ".env"), "STEWARD_ZONE=Asia/Tokyo\nTWIZZY_PORT=4321\n");
  const env = { PATH: process.env["PATH"], HOME: home, STEWARD_HOME: home, STEWARD_KEYCHAIN: "off" };
  const shown = execFileSync(process.execPath, [join(root, "src/main.ts"), "config", "show", "--json"], { env, encoding: "utf8" });
  assert.match(shown, /Asia\/Tokyo/);
  assert.match(shown, /4321/);
  const example = readFileSync(join(root, ".env.example"), "utf8");
  for (const name of (
    "STEWARD_HOME STEWARD_HOST STEWARD_PORT STEWARD_MODEL STEWARD_MODE STEWARD_ZONE TWIZZY_HOME TWIZZY_HOST TWIZZY_PORT TWIZZY_DEBUG " +
    "KIMI_API_KEY KIMI_API_PROVIDER KIMI_MODEL MOONSHOT_API_KEY ANTHROPIC_API_KEY OPENAI_API_KEY OLLAMA_HOST OLLAMA_MODEL OLLAMA_NUM_CTX " +
    "DB_PATH LOG_LEVEL STEWARD_KEYCHAIN STEWARD_DATABASE_URL"
  ).split(" "))
    assert.match(example, new RegExp(`\\b${name}\\b`), name);
});

test("T-163 TWIZZY_HOST, TWIZZY_PORT and TWIZZY_DEBUG are honoured, Steward's own names win", () => {
  const read = (env: Record<string, string>) => {
    const { server, log } = openSettings({ home: temporary(), env }).config();
    return [server.host, server.port, log.level];
  };
  assert.deepEqual(read({ TWIZZY_HOST: "127.0.0.2", TWIZZY_PORT: "4000", TWIZZY_DEBUG: "true" }), ["127.0.0.2", 4000, "debug"]);
  assert.deepEqual(read({ TWIZZY_PORT: "4000", STEWARD_PORT: "5000", LOG_LEVEL: "WARNING" }), ["127.0.0.1", 5000, "warning"]);
});

test("T-057 blocked apps are neither launched, quit nor brought to the front, whatever their case", async (t) => {
  const place = await door(t);
  await place.send("PUT", "/api/permissions", { capabilities: { applications: { restrictions: { blocked_apps: ["*CHROME*"] } } } });
  for (const tool of ["launch_application", "quit_application", "activate_application"]) {
    const { calls } = await place.chat("go", [call(tool, { app_name: "Google Chrome" })]);
    assert.match(calls[0]?.result.error ?? "", /^Permission denied: .*blocked app/, tool);
  }
});

test("O-022 O-023 O-024 O-076 a session goes on where it was, alone, also after a restart, in the file at DB_PATH", async (t) => {
  const file = join(temporary(), "own.db");
  const place = await door(t, { env: { DB_PATH: file } });
  const one = await place.chat("my colour is teal", [text("Noted.")]);
  const other = await place.chat("what is my colour?");
  const prompt = (): string => JSON.stringify(place.model.requests.at(-1)!.body.messages);
  assert.doesNotMatch(prompt(), /teal/);
  await place.restart();
  await place.chat("what is my colour?", [], one.session);
  assert.match(prompt(), /teal/);
  const { sessions } = (await place.send("GET", "/api/sessions")) as unknown as { sessions: { id: string; title: string }[] };
  assert.deepEqual(
    sessions.map(({ id, title }) => [id, title]),
    [
      [one.session, "my colour is teal"],
      [other.session, "what is my colour?"],
    ],
  );
  assert.deepEqual([existsSync(file), existsSync(place.at(".steward/steward.db"))], [true, false]);
});

test("A-027 A-031 without a command the server starts, and status shows it", async () => {
  const here = commandLine();
  const done = here.run([], { env: { ...here.env, STEWARD_PORT: "0" } });
  const status = (): Promise<{ running: boolean; url: string }> => here.json(["status", "--json"]);
  await eventually(async () => (await status()).running);
  const { url } = await status();
  assert.match((await here.run(["status"])).out, new RegExp(`address +${url}\n`));
  assert.equal((await here.run(["stop"])).code, 0);
  const { code, out } = await done;
  assert.deepEqual([code, out.includes(`runs at ${url}`)], [0, true]);
});

test("T-069 a command lists which configured models answer", async (t) => {
  const model = await modelServer({ models: ["test-1", "test-2"] });
  t.after(() => model.close());
  const here = commandLine();
  await here.run(["config", "set", "providers.compatible.baseUrl", `${model.url}/v1`]);
  await here.run(["config", "set", "providers.ollama.baseUrl", "http://127.0.0.1:1"]);
  const { providers } = await here.json<{ providers: { name: string; ready: boolean; problem?: string; models: string[] }[] }>([
    "models",
    "--probe",
    "--json",
  ]);
  const named = (name: string) => providers.find((one) => one.name === name);
  assert.deepEqual([named("compatible")?.ready, named("compatible")?.models], [true, ["test-1", "test-2"]]);
  assert.deepEqual([named("ollama")?.ready, named("ollama")?.models], [false, []]);
  assert.match(named("ollama")?.problem ?? "", /127\.0\.0\.1:1/);
});
