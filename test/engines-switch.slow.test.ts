// One conversation over every engine: switched by a word in every direction, limited in the middle, its program and its Steward killed; with the real programs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "../src/client/client.ts";
import acp from "../src/engines/acp.ts";
import claude from "../src/engines/claude.ts";
import opencode from "../src/engines/opencode.ts";
import { liveInstance } from "../src/run/instance.ts";
import { type ModelRequest, type ModelServer, modelServer, type Script } from "../src/testing/model-server.ts";
import { place, type Place } from "./cli-place.ts";
import { eventually } from "./gateway-place.ts";
import { realPrograms } from "./programs.ts";

const needs = [...claude.programs(), ...opencode.programs(), ...acp.programs(acp.config.parse({}))];
const real = await realPrograms(needs);
const limit = { timeout: 280_000, ...(typeof real === "string" ? { skip: real } : {}) };

interface World {
  here: Place;
  server: ModelServer;
  say(text: string): Promise<string>;
  stop(signal?: "SIGKILL"): Promise<void>;
}

/** A Steward on a home in which all programs were brought; everybody works in a contained computer. */
async function world(t: TestContext, script: Script, config: object = {}): Promise<World> {
  const here = place();
  const server = await modelServer({ script, key: "sk-real" });
  t.after(server.close);
  if (typeof real !== "string") real.giveTo(here.home);
  const settings = {
    ...{ model: "anthropic/test-1", computer: { mode: "contained", kind: "contained" } },
    providers: { anthropic: { baseUrl: `${server.url}/v1` } },
    ...config,
  };
  writeFileSync(join(here.home, "config.json"), JSON.stringify(settings));
  here.env.ANTHROPIC_API_KEY = "sk-real";
  const running = { child: (await here.start()).child };
  const say = async (text: string): Promise<string> => {
    const { code, out, err } = await here.run(["chat", text]);
    assert.equal(code, 0, `${text}: ${err}`);
    return out;
  };
  return {
    ...{ here, server, say },
    async stop(signal) {
      running.child.kill(signal ?? "SIGTERM");
      await once(running.child, "exit");
      if (signal) running.child = (await here.start()).child;
    },
  };
}

const ENGINES = ["loop", "claude", "opencode", "acp"];
/** From each to each other of the first three, and to the last and back. */
function everyWay(): string[] {
  const [a, b, c, d] = ENGINES as [string, string, string, string];
  return [a, b, a, c, b, c, a, d, a];
}

const textOf = (request: ModelRequest): string => JSON.stringify(request.body.messages);
/** The newest word of the person in a request: "word seven" gives "seven". */
const newest = (request: ModelRequest): string => [...textOf(request).matchAll(/my word is (\w+)/g)].at(-1)?.[1] ?? "none";

test("every engine after every other: each knows all that was said to the others", limit, async (t) => {
  const asked: { word: string; text: string }[] = [];
  const at = await world(t, (request) => {
    const word = newest(request);
    // A title is asked for beside it, of the newest message alone.
    if (request.body.tools?.length) asked.push({ word, text: textOf(request) });
    return [{ do: "text", text: `I heard ${word}.` }];
  });
  const words = everyWay().map((_, index) => `w${index}x`);
  for (const [index, engine] of everyWay().entries()) {
    assert.match(await at.say(`/engine ${engine}`), new RegExp(engine));
    assert.match(await at.say(`my word is ${words[index]}`), new RegExp(`I heard ${words[index]}\\.`), `${index}: ${engine}`);
    const request = asked.findLast(({ word }) => word === words[index]);
    for (const before of words.slice(0, index)) assert.ok(request!.text.includes(before), `${index}: ${engine} does not know ${before}`);
  }
  const config = JSON.parse(readFileSync(join(at.here.home, "config.json"), "utf8")) as { runtime: { engine: string } };
  assert.equal(config.runtime.engine, everyWay().at(-1));
  await at.stop();
});

for (const [first, second] of [
  ["claude", "opencode"],
  ["opencode", "claude"],
  ["claude", "loop"],
  ["acp", "loop"],
] as const)
  test(`a limit in the middle of a turn of ${first}: ${second} goes on, and the tool runs once`, limit, async (t) => {
    const at = await world(
      t,
      (request) => {
        const done = /tool_result|"role":"tool"/.test(textOf(request)) || textOf(request).includes("Remembered as");
        if (request.body.model === "test-2") return [{ do: "text", text: "The second one goes on." }];
        if (!textOf(request).includes("keep it")) return [{ do: "text", text: "A title" }];
        if (done)
          return [{ do: "status", status: 429, code: "rate_limit_error", message: "slow down", headers: { "retry-after": "3600" } }];
        const tools = (request.body.tools ?? []) as { name?: string; function?: { name: string } }[];
        const names = tools.map((one) => one.name ?? one.function!.name);
        if (names.length === 0) return [{ do: "text", text: "A title" }];
        // One that is found by words is called by its whole name.
        const tool = names.find((name) => name.endsWith("remember")) ?? "mcp__steward__remember";
        return [{ do: "calls", calls: [{ tool, input: { text: "keeps ladders" } }] }];
      },
      { runtime: { engine: first }, failover: { chain: [`${second}:anthropic/test-2`] } },
    );
    const { out, err } = await at.here.run(["chat", "keep it: I keep ladders"]);
    assert.match(out, /The second one goes on\./, err);
    assert.match(`${out}${err}`, /too many requests.*answers instead/s);
    const { out: facts } = await at.here.run(["memory", "show", "--json"]);
    assert.equal((JSON.parse(facts) as { facts: unknown[] }).facts.length, 1);
    const told = at.server.requests.findLast(({ body }) => body.model === "test-2" && body.tools?.length);
    assert.match(textOf(told!), /Remembered as/);
    await at.stop();
  });

for (const engine of ["claude", "opencode", "acp"])
  test(
    `${engine}: its program is killed while it waits for the model, then Steward while a turn runs; the person gets one answer to each`,
    limit,
    async (t) => {
      const slow = Promise.withResolvers<void>();
      let killed = 0;
      const at = await world(
        t,
        (request) => {
          if (!/first question|second question/.test(textOf(request))) return [{ do: "text", text: "A title" }];
          if (killed === 0) return [{ do: "wait", ms: 30_000 }];
          if (textOf(request).includes("second question") && killed === 1) return [{ do: "wait", ms: 30_000 }];
          slow.resolve();
          return [{ do: "text", text: textOf(request).includes("second question") ? "Second answer." : "First answer." }];
        },
        { runtime: { engine } },
      );
      const first = at.here.run(["chat", "first question"]);
      await eventually(() => at.server.requests.some((one) => textOf(one).includes("first question")), 90_000);
      killed = 1;
      for (const pid of programsOf(at.here.home)) kill(pid);
      assert.match((await first).out, /First answer\./);
      void at.here.run(["chat", "second question"]).catch(() => {});
      await eventually(() => at.server.requests.some((one) => textOf(one).includes("second question")), 90_000);
      killed = 2;
      await at.stop("SIGKILL");
      const { url, token } = liveInstance(at.here.home)!;
      const client = connect({ url, token });
      await eventually(async () => {
        const { hits } = await client.call("memory.search", { query: { q: "Second answer" } });
        return hits.some(({ text }) => text.includes("Second answer.")) || wait(200, false);
      }, 150_000);
      const { out } = await at.here.run(["memory", "search", "answer", "--json"]);
      const said = (JSON.parse(out) as { hits: { text: string }[] }).hits.map(({ text }) => text);
      assert.deepEqual(said.filter((text) => /^(First|Second) answer\.$/.test(text)).sort(), ["First answer.", "Second answer."]);
      await at.stop();
    },
  );

/** One may end by itself when another does. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}

/** Processes of engines' programs that belong to this home: those whose program lies in the shared folder and whose computer is this one's. */
function programsOf(home: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
      const mounts = readFileSync(`/proc/${name}/mountinfo`, "utf8");
      return line.startsWith("/opt/steward/programs/") && mounts.includes(home) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
