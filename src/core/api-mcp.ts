// Routes about the MCP servers that Steward uses: for the owner to define and approve, for each person to sign in.
import * as z from "zod/mini";
import { count, id, json, ok, type Route, text, time } from "./api-shapes.ts";
import { diff } from "./api-skills.ts";
import { SERVER_NAME } from "./config-mcp.ts";

const hash = text.check(z.maxLength(128));
const name = text.check(z.regex(SERVER_NAME, "must be a name of letters, digits, - and _"));

/** What is approved is exactly this text; `before`: what was approved until now, `diff`: line by line against that. */
const change = z.object({ hash, text, before: z.optional(text), diff: z.optional(diff) });
const tool = z.object({
  /** As the server calls it. */
  name: text,
  /** As the agent calls it. */
  called: text,
  effect: z.enum(["read", "write", "send"]),
  tokens: count,
  /** Whether the owner has approved it just as it is. */
  state: z.enum(["approved", "new", "changed", "gone", "unlisted", "refused"]),
  why: z.optional(text),
  wants: z.optional(change),
});
export const mcpServer = z.object({
  name: text,
  kind: z.enum(["stdio", "http"]),
  /** The command line or the address. */
  what: text,
  enabled: z.boolean(),
  state: z.enum(["off", "unapproved", "idle", "starting", "running", "failed", "sign-in"]),
  /** For people: why it is so, with the end of what the program said. */
  note: z.optional(text),
  /** The next try after failures. */
  retryAt: z.optional(time),
  signedIn: z.optional(z.boolean()),
  people: z.array(text),
  wants: z.optional(change),
  tools: z.array(tool),
});
export type McpServer = z.infer<typeof mcpServer>;
export type McpTool = z.infer<typeof tool>;

export const mcpRoutes = {
  "mcp.list": {
    method: "GET",
    path: "/api/mcp",
    right: "owner",
    summary: "The MCP servers that Steward uses: how each is, its tools, and what waits to be approved.",
    response: z.object({ servers: z.array(mcpServer), tokens: count, limit: count, found: z.boolean() }),
  },
  "mcp.add": {
    method: "POST",
    path: "/api/mcp",
    right: "owner",
    summary: "Defines a server, or with replace defines it anew. Nothing of it starts before it is approved.",
    body: z.strictObject({ name, server: json, replace: z.optional(z.boolean()) }),
    response: mcpServer,
  },
  "mcp.remove": {
    method: "DELETE",
    path: "/api/mcp/:id",
    right: "owner",
    summary: "Ends a server and forgets it with its approvals and tokens.",
    response: ok,
  },
  "mcp.approve": {
    method: "POST",
    path: "/api/mcp/:id/approve",
    right: "owner",
    summary: "Approves a definition, and tools, just as they were shown: by their hashes. What has changed since is refused.",
    body: z.strictObject({
      definition: z.optional(hash),
      tools: z._default(z.array(z.strictObject({ name: text, hash })).check(z.maxLength(500)), []),
    }),
    response: mcpServer,
  },
  "mcp.test": {
    method: "POST",
    path: "/api/mcp/:id/test",
    right: "owner",
    summary: "Starts an approved server anew and reads what tools it has now.",
    response: z.object({ server: mcpServer, ms: count, version: z.optional(text) }),
  },
  "mcp.mine": {
    method: "GET",
    path: "/api/mcp-mine",
    right: "self",
    summary: "The servers at an address that you may use, and whether you are signed in there.",
    response: z.object({ servers: z.array(z.object({ name: text, what: text, signedIn: z.boolean() })) }),
  },
  "mcp.signIn": {
    method: "POST",
    path: "/api/mcp/:id/sign-in",
    right: "self",
    summary: "Begins to sign in to a server (OAuth). The address is for this browser only, within ten minutes.",
    response: z.object({ url: z.optional(text), signedIn: z.boolean() }),
  },
  "mcp.signedIn": {
    method: "POST",
    path: "/api/mcp-callback",
    right: "self",
    summary: "Ends what mcp.signIn began, with what the server's page sent back. Only the browser that began can.",
    body: z.strictObject({ state: id, code: z.optional(text.check(z.maxLength(4096))), iss: z.optional(text), error: z.optional(text) }),
    response: z.object({ server: text, signedIn: z.boolean() }),
  },
  "mcp.signOut": {
    method: "POST",
    path: "/api/mcp/:id/sign-out",
    right: "self",
    summary: "Forgets your tokens of a server.",
    response: ok,
  },
} as const satisfies Record<string, Route>;
