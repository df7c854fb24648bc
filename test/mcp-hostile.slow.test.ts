// MCP servers that mean no good, as programs: questions of one session while another calls too, storms, deafness, names of Steward's own, data that does not fit.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tool, ToolContext } from "../src/core/ports.ts";
import { openAsks } from "../src/run/asks.ts";
import { OWNER } from "./harness.ts";
import { hostile, openMcp } from "./mcp-place.ts";

const all = { config: { "mcp.tokens": 100_000 } };
type Asked = Parameters<ToolContext["ask"]>[0];

/** A server with all its tools, and calls from sessions that note what is asked in them. */
async function opened(t: { after(run: () => Promise<void>): void }, ...how: string[]) {
  const place = await openMcp(all);
  t.after(() => place.close());
  await place.add("evil", { ...hostile(...how), seconds: 30 });
  const tools = new Map((await place.servers.tools(OWNER)).map((tool) => [tool.name, tool]));
  const asked: [string, Asked][] = [];
  const context = (session: string): ToolContext =>
    ({
      ...{ principal: OWNER, session, signal: new AbortController().signal, output: () => {} },
      ask: async (question: Asked) => {
        asked.push([session, question]);
        return "Don't answer";
      },
    }) as Partial<ToolContext> as ToolContext;
  const run = async (name: string, session = "a"): Promise<unknown> => {
    const tool: Tool = tools.get(`evil_${name}`)!;
    return (await tool.run({}, context(session))).output;
  };
  return { place, tools, asked, run };
}

test("a question is asked in the session that calls, and while two call, where it can't be told, in none", async (t) => {
  const { asked, run } = await opened(t);
  assert.deepEqual(JSON.parse(String(await run("ask", "a"))), { action: "decline" });
  assert.deepEqual(
    asked.map(([session]) => session),
    ["a"],
  );
  const held = run("hold", "b");
  assert.deepEqual(JSON.parse(String(await run("ask", "a"))), { action: "cancel" });
  assert.equal(asked.length, 1);
  await run("release", "b");
  assert.equal(await held, "held");
  const own = run("hold", "a");
  assert.deepEqual(JSON.parse(String(await run("ask", "a"))), { action: "decline" });
  assert.deepEqual(
    asked.map(([session]) => session),
    ["a", "a"],
  );
  await run("release", "a");
  await own;
});

test("a question whose call is over waits for nobody", async (t) => {
  const place = await openMcp({ ...all, script: (_, count) => (count === 0 ? [{ call: "evil_leaves", input: {} }] : [{ text: "done" }]) });
  t.after(() => place.close());
  await place.add("evil", hostile());
  await place.steward.store.commit({ put: { "p/owner/grant/grt_1": { id: "grt_1", scope: "tool:evil_leaves", until: Date.now() + 1e7 } } });
  await place.turn();
  assert.deepEqual(
    (await place.results()).map(({ result }) => result.output),
    ["gone on"],
  );
  while ((await openAsks(place.steward, OWNER)).length > 0) await new Promise((resolve) => setImmediate(resolve));
  const ended = (await place.events()).flatMap((event) => (event.type === "ask.answered" ? [event.by] : []));
  assert.ok(ended.length <= 1 && ended.every((by) => by === "cancelled"), ended.join());
});

test("a storm of changes is looked at a few times, and the tools go on", async (t) => {
  const { run } = await opened(t);
  for (let at = 0; at < 3; at++) assert.equal(await run("storm"), "stormed");
  const { lists } = JSON.parse(String(await run("release"))) as { lists: number };
  assert.ok(lists < 12, `${lists} lists`);
});

test("a server that asks and does not read is ended, and what it was sent is not kept", async (t) => {
  const { run } = await opened(t);
  const before = process.memoryUsage().rss;
  await assert.rejects(run("deaf"), { code: "unavailable" });
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 400e6, `${grown} bytes`);
  assert.equal(await run("fast"), "fast");
});

test("data that does not fit its schema, or is nested without end, fails that call alone", async (t) => {
  const { run } = await opened(t);
  await assert.rejects(run("misfit"), /structured content|output schema/i);
  await run("deep").then(
    (output) => assert.equal(output, "(Data that was nested too deeply was left out)"),
    (error: unknown) => assert.equal((error as { code: string }).code, "unavailable"),
  );
  assert.equal(await run("fast"), "fast");
});

test("S-100 a name of Steward's own way to tools is no server's, and of a name that is listed twice the first counts", async (t) => {
  const place = await openMcp(all);
  t.after(() => place.close());
  await place.add("use", { ...hostile("own"), tools: ["tool"] });
  await place.add("find", { ...hostile("own"), tools: ["tools"] });
  const names = (await place.servers.tools(OWNER)).map(({ name }) => name);
  assert.deepEqual(
    names.map((name) => name.replace(/_[0-9a-f]{8}$/, "_#")),
    ["find_tools_#", "use_tool_#"],
  );
  await place.add("twice", hostile("twice"));
  const twice = (await place.servers.tools(OWNER)).filter(({ group }) => group === "twice");
  assert.deepEqual(
    twice.map(({ name, description }) => [name, description]),
    [["twice_fast", "Good."]],
  );
});
