// The calls of the page about MCP servers.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const mcpPaths = {
  "mcp.list": "GET /api/mcp",
  "mcp.add": "POST /api/mcp",
  "mcp.remove": "DELETE /api/mcp/:id",
  "mcp.approve": "POST /api/mcp/:id/approve",
  "mcp.test": "POST /api/mcp/:id/test",
  "mcp.mine": "GET /api/mcp-mine",
  "mcp.signIn": "POST /api/mcp/:id/sign-in",
  "mcp.signedIn": "POST /api/mcp-callback",
  "mcp.signOut": "POST /api/mcp/:id/sign-out",
} as const satisfies Partial<Record<RouteName, string>>;
export const callMcp = callsOf(mcpPaths);

export type Server = Answered<"mcp.list">["servers"][number];
export type ServerTool = Server["tools"][number];
export type Change = NonNullable<Server["wants"]>;
export type Mine = Answered<"mcp.mine">["servers"][number];
