// engines/claude in a whole Steward, in the person's own computer: the gate, the doors, other engines before and after it, and a Steward that is killed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type ModelServer, modelServer, type Script } from "../src/testing/model-server.ts";
import { place, type Place } from "./cli-place.ts";
import { limit, real, said, script } from "./engine-claude-place.ts";
import { eventually } from "./gateway-place.ts";

const bash = (command: string) => ({ tool: "Bash", input: { command, description: "a test" } });

/** A home in which the program was brought, and its engine chosen. */
async function steward(t: { after(fn: () => unknown): void }, answers: Script): Promise<{ here: Place; server: ModelServer }> {
  const here = place();
  const server = await modelServer({ script: answers, key: "sk-real" });
  t.after(server.close);
  if (typeof real !== "string") real.giveTo(here.home);
  const config = {
    ...{ model: "anthropic/test-1", runtime: { engine: "claude" }, computer: { mode: "contained", kind: "contained" } },
    providers: { anthropic: { baseUrl: `${server.url}/v1` } },
  };
  writeFileSync(join(here.home, "config.json"), JSON.stringify(config));
  here.env.ANTHROPIC_API_KEY = "sk-real";
  return { here, server };
}

const asked = (server: ModelServer): string[][] => server.requests.map((request) => said(request));

test(
  "a turn in the person's own computer, by the doors, with tools of both kinds; then other engines take over and give back",
  limit,
  async (t) => {
    const { here, server } = await steward(
      t,
      script(
        [
          { do: "text", text: "I look." },
          { do: "calls", calls: [bash("id -un; pwd"), { tool: "mcp__steward__remember", input: { text: "likes tea" } }] },
        ],
        [{ do: "text", text: "Noted." }],
        [{ do: "text", text: "From Steward's own loop." }],
        [{ do: "text", text: "Back again." }],
      ),
    );
    const first = await here.run(["chat", "Ada likes tea"]);
    assert.equal(first.code, 0, first.err);
    assert.match(first.out, /I look\.[^]*Noted\./);
    assert.match(first.err, /Bash[^]*remember/);
    assert.equal(asked(server)[1]!.at(-2), "user: result person\n/home/person");
    await here.run(["config", "set", "runtime.engine", "loop"]);
    assert.match((await here.run(["chat", "And now?"])).out, /From Steward's own loop\./);
    await here.run(["config", "set", "runtime.engine", "claude"]);
    assert.match((await here.run(["chat", "And then?"])).out, /Back again\./);
    const last = asked(server)[3]!;
    assert.deepEqual(
      last.filter((line) => !line.includes("result") && !line.includes("<time>")),
      [
        "user: Ada likes tea",
        "assistant: I look.",
        'assistant: call Bash {"command":"id -un; pwd","description":"a test"}',
        'assistant: call mcp__steward__remember {"text":"likes tea"}',
        "assistant: Noted.",
        "user: And now?",
        "assistant: From Steward's own loop.",
        "user: And then?",
      ],
    );
  },
);

test("Steward is killed while the program's command runs: the turn goes on, and the command is not run again", limit, async (t) => {
  const { here, server } = await steward(t, (request, index) => {
    if (JSON.stringify(request.body.messages).includes("tool_result")) return [{ do: "text", text: "All done." }];
    return script([{ do: "calls", calls: [bash("echo once >> /data/count; sleep 600")] }])(request, index);
  });
  const { child } = await here.start();
  const count = join(here.home, "computers/owner/data/count");
  void here.run(["chat", "Count"]);
  await eventually(() => existsSync(count) && readFileSync(count, "utf8") === "once\n", 120_000);
  child.kill("SIGKILL");
  await once(child, "exit");
  const again = await here.start();
  await eventually(() => asked(server).some((lines) => lines.some((line) => line.includes("not known whether this ran"))), 200_000);
  await eventually(async () => {
    const { sessions } = await here.json<{ sessions: { running: boolean }[] }>(["sessions", "--json"]);
    return sessions.every(({ running }) => !running);
  });
  assert.match((await here.run(["chat", "And?"])).out, /All done\./);
  assert.equal(readFileSync(count, "utf8"), "once\n");
  again.child.kill("SIGTERM");
  await once(again.child, "exit");
});
