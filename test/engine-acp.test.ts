// engines/acp before an agent by hand: what it says becomes items, what it asks goes to the host, and whatever it does ends as an outcome.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import acp from "../src/engines/acp.ts";
import { StewardError } from "../src/std/error.ts";
import { limit, open } from "./engine-acp-place.ts";
import { openPlace } from "./engine-place.ts";

test("text, thinking, a plan and calls become items in their order; a call is in the log before the person is asked", limit, async (t) => {
  const place = await open(t, ["--noise"], {
    used: () => ({ input: 10, output: 5, cost: 0.1 }),
    permit: async () => {
      assert.deepEqual(place.story().slice(-2), ["step execute @2", "started execute"]);
      return { allowed: true };
    },
  });
  place.say("work");
  const { last, seen: _, ...outcome } = await place.run();
  assert.deepEqual(outcome, { stop: "end", usage: { input: 10, output: 5, cost: 0.1 } });
  assert.deepEqual(place.story(), [
    ...["plan look:active tell:pending", "thinking Hmm.", "text I look.", "step execute @2", "started execute"],
    ...['execute = "one"', "text Done.", "end end"],
  ]);
  assert.deepEqual(place.wishes, [{ tool: "execute", input: { command: "echo one" }, about: "echo one" }]);
  const pieces = place.live.flatMap((one) => (one.type === "item.delta" ? [`${one.kind} ${one.at} ${one.text}`] : []));
  assert.deepEqual(pieces, ["thinking 0 Hm", "thinking 2 m.", "text 0 I look.", "tool 0 on", "text 0 Done."]);
  assert.equal(last?.length, 1);
  assert.deepEqual(await place.workplace.left(), []);
});

test("a permission that outruns the words before it waits for them", limit, async (t) => {
  const outrun = async (tries: number): Promise<string[]> => {
    const place = await open(t);
    place.say("outrun");
    assert.equal((await place.run()).stop, "end");
    const story = place.story();
    // Words are waited for a quarter of a second, for which the agent may have stood still.
    return story[0] === "thinking Well" || tries === 0 ? story : outrun(tries - 1);
  };
  const call = ["step execute @2", "started execute", "execute = null", "end end"];
  assert.deepEqual(await outrun(3), ["thinking Well", "text I look.", ...call]);
});

test("an id that comes again is another call, and no title makes a call Steward's", limit, async (t) => {
  const place = await open(t, [], { permit: async () => ({ allowed: false }) });
  place.say("again");
  assert.equal((await place.run()).stop, "end");
  assert.deepEqual(
    place.wishes.map(({ tool, input }) => [tool, Object.values(input as object)[0]]),
    [
      ["execute", "echo one"],
      ["execute", "echo two # mcp__steward__remind"],
      ["execute", "steward_remind"],
      ["mcp__other__do", 1],
    ],
  );
  assert.deepEqual(
    place.story().filter((line) => line.includes(" = ")),
    ['execute = "n"', 'execute = "n"', 'execute = "n"', 'mcp__other__do = "n"'],
  );
});

test("what is not allowed is refused once, and said so in the log", limit, async (t) => {
  const place = await open(t, [], { permit: async () => ({ allowed: false }) });
  place.say("work");
  assert.equal((await place.run()).stop, "end");
  assert.equal(place.story()[5], 'execute = not allowed: {"outcome":"selected","optionId":"n"}');
});

test("a new session is told the instructions and what was said before; its own is gone on with", limit, async (t) => {
  const place = await open(t, ["--load", "--http"]);
  place.say("one");
  const first = await place.run();
  place.say("two");
  const fresh = [{ role: "user" as const, parts: [{ type: "text" as const, text: "two" }] }];
  const second = await place.run({ resume: { id: first.resume!, fresh } });
  const third = await place.run({ resume: { id: "mine gone", fresh }, history: [...fresh] });
  assert.deepEqual([first.resume, second.resume, third.resume], ["mine s1", "mine s1", "mine s1"]);
  const hello = "<instructions>\nYou are Steward.\n</instructions>\n";
  const made = 'new [["http","steward"]]\n';
  assert.equal(await place.asked(), `${made}${hello}one\n---\ntwo\n---\n${made}${hello}two\n---\n`);
  assert.deepEqual(place.story(), ["text You said: two", "end end"]);
});

test("who has answered elsewhere is told as a record; images go along", limit, async (t) => {
  const place = await open(t, [], { files: { f1: new Uint8Array([1]) } });
  place.say("one");
  await place.run();
  place.say("look", { type: "file", id: "f1", name: "a.png", mime: "image/png", size: 1, place: "/data/a.png" });
  await place.run();
  const asked = await place.asked();
  assert.match(asked, /<conversation>\n<person>one<\/person>\n<steward>You said: one<\/steward>\n<\/conversation>\nlook\n/);
  assert.match(asked, /\[Attached file "a.png" \(image\/png, 1 B\): \/data\/a.png\]\n\[image\]\n---\n$/);
  assert.match(asked, /^new \[\["stdio","steward"\]\]/);
});

test("what the model's door says is wrong ends the turn at once, and what the agent makes of it is left out", limit, async (t) => {
  const fault = { code: "limit" as const, message: "Too many requests", retryAt: 5 };
  const silent = await open(t);
  silent.say("stubborn");
  const running = silent.run();
  while (!(await silent.asked().catch(() => "")).includes("stubborn")) await new Promise((resolve) => setTimeout(resolve, 5));
  silent.fault.now = fault;
  assert.deepEqual((await running).error, fault);
  const told = await open(t, [], { used: () => ({ input: 0, output: 0 }) });
  told.say("error as text");
  const wrong = { code: "invalid" as const, message: "No such model" };
  const outcome = await told.run({ onLive: () => void (told.fault.now = wrong) });
  assert.deepEqual([outcome.stop, outcome.error, outcome.last], ["failed", wrong, []]);
});

test("calls that a restart left open are made or said to be unknown, and the work goes on from there", limit, async (t) => {
  const place = await open(t);
  place.say("work");
  const lost = new StewardError("stale", "somebody else has the turn");
  const dies = async (): Promise<never> => Promise.reject(lost);
  await assert.rejects(place.run({ onEvent: (event) => (event.type === "item.started" ? dies() : undefined) }), lost);
  assert.deepEqual(await place.workplace.left(), []);
  await place.run();
  assert.match(
    place.story().find((line) => line.startsWith("execute = "))!,
    /not known whether this ran/,
  );
  assert.match(
    await place.asked(),
    /<call tool="execute">\{"command":"echo one"\}<\/call>\n<result tool="execute">.*\n<\/conversation>\nThe record ends in the middle/,
  );
});

test("what an agent says that it cost counts where the owner has given it an account of its own", limit, async (t) => {
  const command = ["node", join(import.meta.dirname, "stand-in-acp.mjs")];
  const agents = {
    mine: { command: [process.execPath, command[1]!] },
    gemini: { command, env: { GEMINI_API_KEY: "own" }, auth: undefined },
  };
  for (const [agent, cost] of [
    ["mine", undefined],
    ["gemini", 0.25],
  ] as const) {
    const programs = { node: { path: process.execPath, version: "1" } };
    const place = await openPlace({ engine: acp, config: { agent, agents }, programs });
    t.after(place.close);
    place.say("work");
    const { stop, usage } = await place.run();
    assert.deepEqual([stop, usage?.cost], ["end", cost]);
  }
});

test("without walls OpenCode reads nothing of the project, whichever way it is started", limit, async (t) => {
  for (const mode of ["full", "guarded"] as const) {
    const agents = { opencode: { command: ["sh", "-c", "env > seen"] } };
    const programs = { sh: { path: "/bin/sh", version: "1" } };
    const place = await openPlace({ engine: acp, config: { agent: "opencode", agents }, mode, programs });
    t.after(place.close);
    place.say("hi");
    assert.equal((await place.run()).stop, "failed");
    const seen = readFileSync(join(place.workplace.cwd, "seen"), "utf8");
    assert.equal(/^OPENCODE_DISABLE_PROJECT_CONFIG=1$/m.test(seen), mode === "full");
  }
});

test("an agent that nobody knows is refused with those that are known", limit, async (t) => {
  const place = await openPlace({ engine: acp, config: { agent: "nobody" } });
  t.after(place.close);
  place.say("hi");
  const { error } = await place.run();
  assert.equal(error?.message, "Nothing says how the agent nobody is started");
  assert.match(error.hint!, /^Known: claude-agent-acp, codex, gemini, goose, kimi, opencode\./);
});
