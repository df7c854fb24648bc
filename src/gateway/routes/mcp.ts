// Routes about the MCP servers that Steward uses. What they mean is src/mcp's.
import type { RouteName } from "../../core/api.ts";
import type { McpServer } from "../../core/api-mcp.ts";
import { sizeOf } from "../../run/finding.ts";
import { specOf } from "../../run/toolbox.ts";
import { diffLines, MOST } from "../../skills/diff.ts";
import type { Handlers } from "../table.ts";

type Names = Extract<RouteName, `mcp.${string}`>;

export const mcp = {
  "mcp.list": async ({ steward, who }) => {
    const tools = await steward.servers.tools(who);
    const tokens = tools.reduce((sum, tool) => sum + sizeOf(specOf(tool)), 0);
    const { tokens: limit } = steward.settings.config().mcp;
    return { servers: compared(await steward.servers.list()), tokens, limit, found: tokens > limit };
  },
  "mcp.add": async ({ steward, who, body: { name, server, replace } }) => {
    const added = await steward.servers.add(name, server, replace);
    steward.log("info", "An MCP server was defined", { server: name, by: who.person, via: who.via });
    return compared([added])[0]!;
  },
  "mcp.remove": async ({ steward, id }) => {
    await steward.servers.remove(id);
    return { success: true };
  },
  "mcp.approve": async ({ steward, id, body }) => compared([await steward.servers.approve(id, body)])[0]!,
  "mcp.test": async ({ steward, who, id }) => {
    const { version, server, ms } = await steward.servers.test(who, id);
    return { server: compared([server])[0]!, ms, ...(version === undefined ? {} : { version }) };
  },
  "mcp.mine": async ({ steward, who }) => ({ servers: await steward.servers.mine(who) }),
  "mcp.signIn": async ({ steward, who, caller, visit, id }) => {
    // Where this browser has the page: its Origin was checked at the door already.
    const origin = visit.request.headers.get("origin") ?? undefined;
    const { url, signedIn } = await steward.servers.signIn(who, id, { by: caller.by, page: origin });
    return { signedIn, ...(url === undefined ? {} : { url }) };
  },
  "mcp.signedIn": ({ steward, who, caller, body }) => steward.servers.signedIn(who, caller.by, body),
  "mcp.signOut": async ({ steward, who, id }) => {
    await steward.servers.signOut(who, id);
    return { success: true };
  },
} satisfies Pick<Handlers, Names>;

/** With what has changed, line by line. However much a server has changed, the work for one answer is bounded. */
function compared(servers: McpServer[]): McpServer[] {
  const changes = servers
    .flatMap(({ wants, tools }) => [wants, ...tools.map((tool) => tool.wants)])
    .filter((one) => one?.before !== undefined);
  for (const change of changes) change!.diff = diffLines(change!.before!, change!.text, MOST / changes.length);
  return servers;
}
