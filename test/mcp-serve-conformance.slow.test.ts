// The official MCP conformance suite against Steward's server side: its public door at the gateway, and the piece beneath it with the suite's own test tools.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import type { ToolResult } from "../src/core/types.ts";
import { openToolDoor } from "../src/doors/tools.ts";
import { openPlace, type Place } from "./gateway-place.ts";
import { temporary } from "./harness.ts";

const suite = join(import.meta.dirname, "..", "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js");

let place: Place;
/** The suite sends no token, so this stands between and adds it. */
let public_: Server;
/** The piece that both doors stand on, with tools that the suite calls. */
let plain: Server;
const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const listening = (server: Server): Promise<Server> => new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(server)));

before(async () => {
  place = await openPlace();
  const { port } = new URL(place.gateway.url);
  public_ = await listening(
    createServer((req, res) => {
      const headers = { ...req.headers, authorization: `Bearer ${place.gateway.localToken}` };
      if (req.headers.host?.startsWith("127.0.0.1") || req.headers.host?.startsWith("localhost")) headers.host = `127.0.0.1:${port}`;
      const to = forward({ host: "127.0.0.1", port, path: req.url, method: req.method, headers }, (from) => {
        res.writeHead(from.statusCode!, from.headers);
        from.pipe(res);
      });
      to.on("error", () => res.destroy());
      req.pipe(to);
    }),
  );
  const door = await openToolDoor({
    name: "test",
    version: "1",
    tools: async () =>
      ["test_simple_text", "test_error_handling", "test_tool_with_progress"].map((name) => ({
        name,
        description: name,
        schema: { type: "object" },
      })),
    call: async ({ tool }): Promise<ToolResult> =>
      tool === "test_error_handling"
        ? { success: false, output: null, error: "This tool intentionally returns an error for testing" }
        : { success: true, output: "This is a simple text response for testing.", error: null },
  });
  plain = await listening(
    createServer(async (req, res) => {
      const body = ["GET", "HEAD"].includes(req.method!) ? undefined : Readable.toWeb(req);
      const request = new Request(`http://${req.headers.host}${req.url}`, {
        method: req.method!,
        headers: req.headers as Record<string, string>,
        ...(body ? { body, duplex: "half" } : {}),
      } as RequestInit);
      const response = await door.answer(request);
      res.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body) Readable.fromWeb(response.body as never).pipe(res);
      else res.end();
    }),
  );
});
after(async () => {
  for (const server of [public_, plain]) {
    server.closeAllConnections();
    server.close();
  }
  await place.close();
});

async function run(url: string, scenario: string, revision: string): Promise<void> {
  const args = ["server", "--url", url, "--scenario", scenario, "--spec-version", revision, "--timeout", "60000"];
  const child = spawn(process.execPath, [suite, ...args], { cwd: temporary(), stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => void said.push(text));
  const code = await new Promise((resolve) => child.once("close", resolve));
  const failed = [...said.join("").matchAll(/\[([\w-]+) *\] \S*FAILURE/g)].map(([, name]) => name!);
  assert.deepEqual([failed, failed.length > 0 ? 0 : code], [TESTER[scenario] ?? [], 0], said.join(""));
}

/** Checks that call tools of the suite's own, or look at resources and prompts, which Steward does not offer. */
const TESTER: Record<string, string[]> = {
  "server-stateless": ["sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"],
  caching: [
    "sep-2549-prompts-list-caching-hints",
    "sep-2549-resources-list-caching-hints",
    "sep-2549-resources-templates-list-caching-hints",
  ],
};

const PUBLIC = {
  "2025-11-25": ["server-initialize", "ping", "tools-list", "server-sse-multiple-streams"],
  "2026-07-28": ["server-stateless", "tools-list", "http-header-validation", "caching", "server-sse-multiple-streams"],
};
for (const [revision, scenarios] of Object.entries(PUBLIC))
  for (const scenario of scenarios)
    test(`MCP ${revision} at the gateway: ${scenario}`, { timeout: 200_000 }, () => run(`${addressOf(public_)}/mcp`, scenario, revision));

for (const revision of ["2025-11-25", "2026-07-28"])
  for (const scenario of ["tools-call-simple-text", "tools-call-error"])
    test(`MCP ${revision}, calls: ${scenario}`, { timeout: 200_000 }, () => run(`${addressOf(plain)}/mcp`, scenario, revision));
