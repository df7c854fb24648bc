// steward mcp, as a real program against a real server: define, look, approve, test, remove.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { McpServer } from "../src/core/api-mcp.ts";
import { place } from "./cli-place.ts";

test("steward mcp: from nothing to tools and back", { timeout: 280_000 }, async () => {
  const { run, json, start, home } = place();
  await start();
  assert.equal((await run(["mcp"])).out, "No MCP servers. steward mcp add defines one.\n");
  mkdirSync(join(home, "workspace"), { recursive: true });
  const program = join(home, "workspace", "hostile.mjs");
  copyFileSync(join(import.meta.dirname, "mcp-hostile.mjs"), program);
  const node = join(home, "workspace", "node"); // wherever this one lies, the sandbox shows the workspace
  copyFileSync(process.execPath, node);
  const added = await run(["mcp", "add", "evil", "--env", "MODE=x", "--", node, program]);
  assert.match(added.out, /^evil is defined: /);
  assert.match(added.err, /steward mcp approve evil/);
  assert.equal((await run(["mcp", "test", "evil"])).code, 5);
  assert.match((await run(["mcp", "approve", "evil"])).err, /Let evil run as this\? \[y\/N\]/);
  const approved = await run(["mcp", "approve", "evil", "--yes"]);
  assert.match(approved.out, /^command: .*\nargument: .*hostile\.mjs\nvariable: MODE \(value [0-9a-f]{12}\)\nnetwork: yes\n/);
  assert.match(approved.out, /\nreads \(only reads, says the server\)\nDoes reads\.\n/);
  assert.match(approved.out, /evil: running, tools: 22\.\n$/);
  const { servers } = await json<{ servers: McpServer[] }>(["mcp", "list", "--json"]);
  assert.deepEqual([servers[0]!.state, servers[0]!.tools.filter(({ state }) => state === "approved").length], ["running", 22]);
  assert.match((await run(["mcp", "tools", "evil"])).out, /evil +reads +evil_reads +read +\d+ +approved/);
  assert.match((await run(["mcp", "test", "evil"])).out, /^evil answers: evil 6\.6\.6 \(MCP 2025-06-18\), 22 tools, \d+ ms\.\n$/);
  const swapped = ["mcp", "add", "evil", "--env", "MODE=x", "--", node, "way", program];
  assert.equal((await run([...swapped.slice(0, 3), "--replace", ...swapped.slice(3)])).code, 0);
  await run(["mcp", "approve", "evil", "--yes"]);
  const anew = ["mcp", "add", "evil", "--env", "MODE=x", "--", node, program, "way"];
  const taken = await run(anew);
  assert.match(taken.err, /There is an MCP server evil already.*--replace/s);
  assert.equal((await run([...anew.slice(0, 3), "--replace", ...anew.slice(3)])).code, 0);
  const shown = (await run(["mcp", "approve", "evil"])).out.split("\n").filter((line) => line.includes("argument"));
  assert.deepEqual(shown, ["- argument: way", `  argument: ${program}`, "+ argument: way"]);
  assert.equal((await run(["mcp", "add", "far", "--url", "https://mcp.example.org/mcp", "--json"])).code, 0);
  assert.match((await run(["mcp"])).out, /far +to be approved/);
  assert.equal((await run(["mcp", "remove", "evil", "--yes"])).out, "Removed.\n");
  assert.equal((await run(["mcp", "remove", "evil", "--yes"])).code, 4);
  for (const wrong of [["add"], ["add", "x"], ["add", "x", "--url", "ftp://a"], ["frob"], ["add", "x y", "--", "a"]])
    assert.equal((await run(["mcp", ...wrong])).code, 2);
});
