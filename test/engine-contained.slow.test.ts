// The whole way of an engine that is a program: from a message through the person's own computer, the doors and the gate to the log.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as z from "zod/mini";
import { compose } from "../src/compose.ts";
import contained from "../src/computers/contained.ts";
import type { Event } from "../src/core/events.ts";
import type { ProgramNeed } from "../src/core/workplace.ts";
import acp from "../src/engines/acp.ts";
import opencode from "../src/engines/opencode.ts";
import { answerAsk } from "../src/run/asks.ts";
import { say } from "../src/run/inbox.ts";
import { makeSession, sessionKey } from "../src/run/sessions.ts";
import { type Action, modelServer, type ModelRequest } from "../src/testing/model-server.ts";
import { OWNER, temporary } from "./harness.ts";
import { realPrograms } from "./programs.ts";

const missing = await contained.missing();
const skip = missing === undefined ? false : `no contained computer here: ${missing}`;
const limit = { timeout: 280_000, skip };

const toolNames = ({ body }: ModelRequest): string[] =>
  (body.tools ?? []).map((tool: { name?: string; function?: { name: string } }) => tool.name ?? tool.function!.name);

async function open(t: TestContext, { engine, agent, need }: { engine: string; agent?: string; need: ProgramNeed }) {
  const real = await realPrograms([need]);
  assert.ok(typeof real !== "string", `${real as string}, so nothing is tested`);
  const home = temporary();
  real.giveTo(home);
  const answers: ((request: ModelRequest) => Action[])[] = [];
  const model = await modelServer({
    models: ["test-1"],
    script: (request) => {
      if (toolNames(request).length === 0) return [{ do: "text", text: "A title" }];
      return (answers.shift() ?? (() => [{ do: "text", text: "Well." }]))(request);
    },
  });
  const own = join(home, "person");
  mkdirSync(join(own, "workspace"), { recursive: true });
  const env = { HOME: own, PATH: process.env["PATH"], STEWARD_KEYCHAIN: "off" };
  const overrides = {
    ...{ workspace: join(own, "workspace"), "server.port": 0, "computer.mode": "contained", "computer.kind": "contained" },
    ...{ model: "compatible/test-1", "providers.compatible": { kind: "compatible", baseUrl: `${model.url}/v1` }, "runtime.engine": engine },
    ...(agent === undefined ? {} : { "engines.acp": { agent } }),
  };
  const { steward, worker, close } = await compose({ home, env, version: "0.0.0", auto: false, overrides });
  const { id: session } = await makeSession(steward, OWNER, {});
  const log = async (): Promise<Event[]> => (await steward.store.events(session)).map(({ event }) => event);
  const asked = new Set<string>();
  const allow = setInterval(async () => {
    for (const event of await log().catch(() => []))
      // the last look may come after the end
      if (event.type === "ask.opened" && !asked.has(event.ask.id)) {
        asked.add(event.ask.id);
        await answerAsk(steward, OWNER, event.ask.id, { choice: "allow" }).catch(() => {});
      }
  }, 50);
  t.after(async () => {
    clearInterval(allow);
    await close();
    await model.close();
  });
  return {
    ...{ steward, answers, session, log, home },
    /** What the model was told last for an answer; a title may be asked for beside it. */
    lastAsked: () => JSON.stringify(model.requests.findLast((request) => toolNames(request).length > 0)!.body.messages),
    use: (name: string) => steward.store.commit({ merge: { [sessionKey(OWNER.person, session)]: { engine: name } } }),
    async say(text: string) {
      const from = (await log()).length;
      await say(steward, OWNER, { session, parts: [{ type: "text", text }] });
      await worker.drain();
      return (await log()).slice(from);
    },
  };
}

const told = (events: Event[]): string[] =>
  events.flatMap((event) => {
    if (event.type === "ask.opened") return [`ask ${event.ask.prompt}`];
    if (event.type === "turn.completed") return [`end ${event.stop}`];
    if (event.type !== "item.started" && event.type !== "item.completed") return [];
    const { item } = event;
    if (item.kind === "text") return [`text ${item.text}`];
    if (item.kind === "step") return [`step ${item.calls.map(({ tool }) => tool).join(" ")}`];
    if (item.kind !== "tool") return [];
    return [event.type === "item.started" ? `started ${item.call.tool}` : `${item.call.tool} ${String(item.result?.success)}`];
  });

const calls =
  (...all: { tool: string; input: unknown }[]) =>
  (): Action[] => [
    { do: "text", text: "I look." },
    { do: "calls", calls: all },
  ];

for (const { engine, agent, need, remember, bash } of [
  { engine: "opencode", need: opencode.programs()[0]!, remember: "steward_remember", bash: "bash" },
  ...["claude-agent-acp"].map((name) => ({
    ...{ engine: "acp", agent: name, need: acp.programs(z.parse(acp.config, { agent: name }))[0]! },
    ...{ remember: "mcp__steward__remember", bash: "Bash" },
  })),
])
  test(`${agent ?? engine}: the gate, an ask, usage, its own session gone on with, another engine between`, limit, async (t) => {
    const place = await open(t, { engine, need, ...(agent === undefined ? {} : { agent }) });
    const shell = { tool: bash, input: { command: "id -u; touch here; hostname", description: "a test" } };
    place.answers.push(calls({ tool: remember, input: { text: "The sky is blue" } }, shell), () => [{ do: "text", text: "Done." }]);
    const first = await place.say("go");
    const lines = told(first);
    assert.equal(lines[0], "text I look.");
    assert.deepEqual(lines.slice(-2), ["text Done.", "end end"]);
    for (const line of ["step remember", "started remember", "remember true", `step ${bash}`, `started ${bash}`, `${bash} true`])
      assert.equal(lines.filter((one) => one === line).length, 1, `${line} in ${lines.join(", ")}`);
    assert.ok(
      lines.every((line) => !line.startsWith("ask A program wants to connect")),
      lines.join(", "),
    );
    const end = first.at(-1);
    assert.ok(end?.type === "turn.completed" && end.usage!.input > 0 && end.resume !== undefined);
    assert.deepEqual(told(await place.say("again")), ["text Well.", "end end"]);
    const again = place.lastAsked();
    assert.ok(again.includes("Done.") && !again.includes("<conversation>"), "it goes on with its own session");
    await place.use("loop");
    assert.deepEqual(told(await place.say("and you?")), ["text Well.", "end end"]);
    await place.use(engine);
    assert.deepEqual(told(await place.say("and now?")), ["text Well.", "end end"]);
    const last = place.lastAsked();
    assert.match(
      last,
      /<conversation>.*<call tool=.{1,2}remember.*Done\..*and you\?.*<\/conversation>.*and now\?/,
      "what was said elsewhere is told",
    );
  });

test("opencode: a plugin that a project brings runs inside only", limit, async (t) => {
  const place = await open(t, { engine: "opencode", need: opencode.programs()[0]! });
  const outside = join(place.home, "outside.txt");
  writeFileSync(outside, "outside");
  const computer = await place.steward.computer(OWNER);
  const plugin = `import { existsSync, readFileSync, writeFileSync } from "node:fs";
export const Own = async () => {
  const found = [${JSON.stringify(outside)}, ${JSON.stringify(place.home)}, "/proc/1/cwd/etc/shadow"].map((path) => existsSync(path));
  writeFileSync("ran.txt", JSON.stringify({ found, key: Object.keys(process.env).filter((name) => /API_KEY|SECRET/.test(name)) }));
  try { writeFileSync(${JSON.stringify(`${outside}.new`)}, "x"); } catch {}
  return {};
};
`;
  await computer.write(`${computer.workspace}/.opencode/plugin/own.js`, new TextEncoder().encode(plugin));
  assert.equal(told(await place.say("hi")).at(-1), "end end");
  const ran = JSON.parse(new TextDecoder().decode(await computer.read(`${computer.workspace}/ran.txt`))) as object;
  assert.deepEqual(ran, { found: [false, false, false], key: [] });
  assert.ok(!existsSync(`${outside}.new`));
});
