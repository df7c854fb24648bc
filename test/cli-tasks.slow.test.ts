// steward tasks as a real program: run and wait, list, show, send, channels, teams, stop, resume, and what is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskInfo } from "../src/core/api-tasks.ts";
import { place } from "./cli-place.ts";

test("steward tasks: from nothing to a result and back", { timeout: 280_000 }, async () => {
  const { run, json, start } = place();
  const roles = [
    { name: "Lead", brief: "Sums up." },
    { name: "Ann", brief: "Knows A.", may: ["Lead"] },
  ];
  await run(["config", "set", "tasks.teams.sums", JSON.stringify({ about: "adds", roles })]);
  assert.match((await run(["tasks", "run", "what can you do", "--name", "Alone", "--wait"])).out, /^Alone: done\n/);
  assert.match(
    (await run(["tasks", "run", "what can you do", "--name", "Later"])).err,
    /Steward is not running, so this waits: steward start/,
  );
  await start();
  assert.match((await run(["tasks", "wait", "later"])).out, /^Later: done\n/);
  assert.equal((await run(["tasks"])).out, "No open tasks. --all shows those that are over.\n");
  const done = await run(["tasks", "run", "what can you do", "--name", "Guide", "--dollars", "0.5", "--wait"]);
  assert.equal(done.code, 0);
  assert.match(done.out, /^Guide: done\ntsk_\w+, session ses_\w+, loop · builtin\/rules, \d+ tokens, by person\n\n.+/s);
  const { tasks } = await json<{ tasks: TaskInfo[] }>(["tasks", "list", "--all", "--json"]);
  const { id, budget, state } = tasks.find(({ name }) => name === "Guide")!;
  assert.deepEqual([tasks.length, budget, state], [3, { dollars: 0.5 }, "done"]);
  assert.match((await run(["tasks", "list", "--all"])).out, /Guide +done +\S.* \$0\.00 +tsk_/);
  assert.match((await run(["tasks", "show", id.slice(0, 12)])).out, /^Guide: done/);
  assert.equal((await run(["tasks", "send", "guide", "and what not?"])).out, "Sent to Guide.\n");
  await run(["tasks", "wait", "guide"]); // which is at work again
  assert.equal((await run(["tasks", "send", "#news", "hello"])).out, "Nobody listens there.\n");
  assert.match((await run(["tasks", "channels"])).out, /#news +1 /);
  assert.equal((await run(["tasks", "channels", "#news"])).out, "person: hello\n");
  assert.match((await run(["tasks", "team", "list"])).out, /sums +Lead, Ann +adds/);
  assert.match(
    (await run(["tasks", "team", "show", "Sums"])).out,
    /^sums: adds\n\nLead \(leads: .+; writes to all\)\n  Sums up\.\n\nAnn \(writes to Lead, and on the team's channel\)\n  Knows A\.\n$/,
  );
  assert.match((await run(["tasks", "team", "run", "sums", "what can you do", "--wait"])).out, /^Lead: done\n/);
  assert.match((await run(["tasks", "resume", id, "once more", "--wait"])).out, /^Guide: done/);
  assert.equal((await run(["tasks", "show", "nobody"])).code, 4);
  assert.equal((await run(["tasks", "team", "none", "x"])).code, 4);
  for (const wrong of [["frob"], ["run", "x", "--dollars", "much"]]) assert.equal((await run(["tasks", ...wrong])).code, 2);
});
