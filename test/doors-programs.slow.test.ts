// The real Claude Code and OpenCode at the doors, offline: either over any wire, with Steward's tools, and how soon they give up.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import claude from "../src/engines/claude.ts";
import opencode from "../src/engines/opencode.ts";
import type { OpenDoors } from "../src/run/doors.ts";
import { CANARY, doorsPlace, ECHO } from "./doors-place.ts";
import { eventually } from "./gateway-place.ts";
import { realPrograms } from "./programs.ts";

const needs = [...claude.programs(), ...opencode.programs()];
const real = await realPrograms(needs);
const skip = typeof real === "string" ? { skip: real } : {};
const path = typeof real === "string" ? {} : real.path;

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

interface Start {
  argv: string[];
  env: Record<string, string>;
  /** Files in its home. */
  files?: Record<string, string>;
}
type Program = { name: string; tool: string; start(doors: OpenDoors): Start };

const claudeCode: Program = {
  name: "claude",
  tool: "mcp__steward__echo",
  start({ models, key, tools }) {
    const servers = JSON.stringify({ mcpServers: { steward: { type: "http", ...tools } } });
    return {
      argv: [path["claude"]!, "-p", "hi", "--mcp-config", servers, "--strict-mcp-config", "--dangerously-skip-permissions"],
      env: { IS_SANDBOX: "1", ANTHROPIC_BASE_URL: models.anthropic, ANTHROPIC_API_KEY: key, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
    };
  },
};
const openCode: Program = {
  name: "opencode",
  tool: "steward_echo",
  start({ models, key, tools }) {
    const door = {
      npm: "@ai-sdk/openai-compatible",
      options: { baseURL: models.openai, apiKey: key },
      models: { turn: { tool_call: true, limit: { context: 200_000, output: 8000 } } },
    };
    const config = {
      ...{ model: "door/turn", provider: { door }, permission: "allow", autoupdate: false, share: "disabled" },
      mcp: { steward: { type: "remote", ...tools, enabled: true, oauth: false, timeout: 120_000 } },
    };
    return {
      argv: [path["opencode"]!, "run", "hi"],
      env: { OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_MODELS_PATH: "models.json", OPENCODE_DISABLE_AUTOUPDATE: "1" },
      files: { "opencode.json": JSON.stringify(config), "models.json": "{}" },
    };
  },
};

async function ran(program: Program, doors: OpenDoors): Promise<{ out: string; ms: number }> {
  const home = await mkdtemp(join(tmpdir(), "steward-door-"));
  folders.push(home);
  const { argv, env, files = {} } = program.start(doors);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  const began = performance.now();
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: home,
    env: { HOME: home, PATH: process.env.PATH ?? "", ...doors.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 280_000,
    killSignal: "SIGKILL",
  });
  const got = { out: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (got.out += bytes.toString()));
  await new Promise((resolve) => child.on("close", resolve));
  return { out: got.out, ms: performance.now() - began };
}

for (const program of [claudeCode, openCode])
  for (const model of ["anthropic/test-1", "open/test-1", "ollama/test-1"])
    test(`${program.name} over ${model}: words, a call of Steward's tool, usage`, skip, async (t) => {
      const place = await doorsPlace();
      t.after(place.close);
      const told = { call: false };
      place.server.script(({ body }) => {
        if (!Array.isArray(body.tools) || body.tools.length === 0 || told.call) return [{ do: "text", text: "All done." }];
        told.call = true;
        return [{ do: "calls", calls: [{ id: "call_1", tool: program.tool, input: { text: "from the tool" } }] }];
      });
      const doors = await place.open({ model });
      const { out } = await ran(program, doors);
      assert.match(out, /All done\./);
      assert.deepEqual(
        place.calls.map(({ call }) => [call.tool, call.input]),
        [[ECHO.name, { text: "from the tool" }]],
      );
      // The title that some ask for may come after it.
      assert.ok(place.server.requests.some(({ body }) => JSON.stringify(body).includes("from the tool")));
      assert.deepEqual([doors.fault(), doors.used().output > 0, out.includes(CANARY)], [undefined, true, false]);
      await eventually(() => place.spent.length === place.server.requests.length);
    });

for (const program of [claudeCode, openCode])
  for (const [status, reason] of [
    [429, "rate"],
    [401, "key"],
    [529, "outage"],
  ] as const)
    test(`${program.name} gives up soon after a ${status}`, skip, async (t) => {
      const place = await doorsPlace();
      t.after(place.close);
      place.server.script([{ do: "status", status, code: "overloaded_error", message: "busy", headers: { "retry-after": "3600" } }]);
      const doors = await place.open();
      const { ms } = await ran(program, doors);
      assert.deepEqual([doors.fault()?.reason, ms < 100_000], [reason, true]); // by themselves they would wait an hour, or for ever
      // What came first is refused, and nothing is tried again; a title beside the work may come before that has its answer.
      const all = place.server.requests.length;
      const work = place.server.requests.filter(({ body }) => (body.tools ?? []).length > 0).length;
      assert.ok(all > 0 && work <= 1 && all - work <= 1, `${work} of ${all}`);
    });
