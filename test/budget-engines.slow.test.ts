// The budget of an engine that is a program of its own, the real Claude Code: reserved in the door, asked about once, answered from the terminal, counted in the ledger.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { modelServer } from "../src/testing/model-server.ts";
import { place } from "./cli-place.ts";
import { limit, real, script } from "./engine-claude-place.ts";

interface Asks {
  asks: { id: string; options: string[] }[];
}
interface Used {
  total: { requests: number; cost: number; unknown: number };
  rows: { key: string }[];
}

test("at a ceiling Claude Code waits in the door; allowed it goes on, denied it ends with one message", limit, async (t) => {
  const here = place();
  const server = await modelServer({
    script: script([{ do: "text", text: "Paid for." }], [{ do: "text", text: "Never said." }]),
    key: "sk-real",
  });
  t.after(server.close);
  if (typeof real !== "string") real.giveTo(here.home);
  const config = {
    ...{ model: "anthropic/test-1", runtime: { engine: "claude" }, computer: { mode: "contained", kind: "contained" } },
    providers: { anthropic: { baseUrl: `${server.url}/v1` } },
    ...{ prices: { "anthropic/test-1": { input: 1, output: 5 } }, budget: { person: { day: 0.01 } } },
  };
  writeFileSync(join(here.home, "config.json"), JSON.stringify(config));
  here.env.ANTHROPIC_API_KEY = "sk-real";
  const { child } = await here.start();
  const asked = async (): Promise<Asks["asks"][number]> => {
    for (let tries = 0; tries < 150; tries++) {
      const [ask] = (await here.json<Asks>(["ask", "list", "--json"])).asks;
      if (ask) return ask;
      await sleep(200);
    }
    throw new Error("Nobody was asked");
  };
  // With nobody at its keys `chat` leaves when a question is asked; the turn goes on.
  const shows = async (text: string): Promise<{ out: string }> => {
    for (let tries = 0; ; tries++) {
      const { sessions } = await here.json<{ sessions: { running: boolean }[] }>(["sessions", "--json"]);
      const shown = await here.run(["sessions", "show", "current"]);
      if (shown.out.includes(text) && sessions.every(({ running }) => !running)) return shown;
      assert.ok(tries < 100, `Never shown, or the turn never ended: ${text}\n${shown.out}`);
      await sleep(200);
    }
  };
  const first = here.run(["chat", "Say something dear"]);
  const ask = await asked();
  assert.match(ask.options.join("|"), /^allow 0\.\d0 more today\|deny$/);
  assert.equal((await here.run(["ask", "answer", ask.id, ask.options[0]!])).code, 0);
  await first;
  await shows("Paid for.");
  const used = await here.json<Used>(["usage", "--by", "engine", "--json"]);
  assert.deepEqual([used.total.requests, used.total.unknown, used.rows.map(({ key }) => key)], [1, 0, ["claude"]]);
  assert.ok(used.total.cost > 0 && used.total.cost < 0.01, String(used.total.cost));
  await here.run(["config", "set", "budget.person", '{"day": 0.000001, "turn": 0.000001}']);
  const second = here.run(["chat", "Say more"]);
  const again = await asked();
  await here.run(["ask", "answer", again.id, "deny"]);
  const told = await second;
  const after = await shows("I stopped here");
  assert.equal(after.out.split("I stopped here: the budget of").length, 2, `${after.out}\n---\n${told.code} ${told.out}${told.err}`);
  assert.doesNotMatch(after.out, /Never said\./);
  assert.equal((await here.json<Asks>(["ask", "list", "--json"])).asks.length, 0);
  child.kill("SIGTERM");
  await once(child, "exit");
});
