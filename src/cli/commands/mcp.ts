// steward mcp: the MCP servers that Steward uses: list, add, remove, approve, test, tools.
import type { Client } from "../../client/client.ts";
import type { McpServer, McpTool } from "../../core/api-mcp.ts";
import { StewardError } from "../../std/error.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { agrees } from "../input.ts";
import { dim, table } from "../output.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const mcp: Command = {
  usage: [
    "mcp [list] [--json]",
    "mcp add NAME [--env NAME=VALUE] [--secret VARIABLE=SECRET] [--people A,B] [--replace] -- COMMAND [ARGUMENT …]",
    "mcp add NAME --url ADDRESS [--people A,B] [--replace] [--json]",
    "mcp approve NAME [--yes] [--json]",
    "mcp tools [NAME] [--json]",
    "mcp test NAME [--json]",
    "mcp remove NAME [--yes] [--json]",
  ],
  about:
    "MCP servers give the agent more tools. One is a program, which runs in the computer of whoever uses it, or an address. Nothing of it runs before you have seen and approved exactly what it is; each of its tools is shown and approved too, and asks again when one byte of it changes. To sign in to an address, use the page.",
  options: {
    url: { value: "ADDRESS", help: "add: a server at this address instead of a program" },
    env: { value: "NAME=VALUE,…", help: "add: variables of the program" },
    secret: { value: "VARIABLE=SECRET,…", help: "add: variables that get a stored secret (steward secret)" },
    people: { value: "A,B", help: "add: who may use it, by their id (the owner only)" },
    replace: { help: "add: in the place of the one that has the name" },
    yes: { short: "y", help: "do not ask" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "add", "approve", "tools", "test", "remove"],
  examples: [
    ["steward mcp add files -- npx -y @modelcontextprotocol/server-filesystem .", "a program from npm"],
    ["steward mcp add notes --url https://mcp.example.org/mcp", "a server at an address"],
    ["steward mcp approve files", "shows what it is, then each of its tools"],
    ["steward mcp tools files", "its tools and what each costs"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`mcp has no "${verb}"`, "steward help mcp shows what it takes.");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const verbs: Record<string, Run> = {
  async list({ args, out, flags }, client) {
    if (args.length > 0) throw usageError("list takes nothing");
    const found = await client.call("mcp.list");
    if (flags.has("json")) out.json(found);
    else if (found.servers.length === 0) out.line("No MCP servers. steward mcp add defines one.");
    else {
      table(
        out,
        ["name", "state", "tools", "what"],
        found.servers.map((server) => [server.name, stateWords(server), toolWords(server.tools), server.what]),
      );
      const how = found.found ? "so they are found by words" : "in each request";
      out.line(dim(`Their tools take ${found.tokens} tokens of ${found.limit}, ${how}.`));
      for (const { name, note } of found.servers.filter(({ state, note }) => state === "failed" && note)) out.note(`${name}: ${note}`);
    }
    return DONE;
  },
  add,
  approve,
  async tools({ args, out, flags }, client) {
    const { servers } = await client.call("mcp.list");
    const chosen = args.length === 0 ? servers : [known(servers, nameOf(args))];
    if (flags.has("json")) out.json({ servers: chosen.map(({ name, tools }) => ({ name, tools })) });
    else
      table(
        out,
        ["server", "tool", "called", "effect", "tokens", "state"],
        chosen.flatMap(({ name, tools }) =>
          tools.map((tool) => [
            name,
            tool.name,
            tool.called,
            tool.effect,
            String(tool.tokens),
            `${tool.state}${tool.why ? `: ${tool.why}` : ""}`,
          ]),
        ),
      );
    return DONE;
  },
  async test({ args, out, flags }, client) {
    const tested = await client.call("mcp.test", { params: { id: nameOf(args) } });
    if (flags.has("json")) out.json(tested);
    else {
      out.line(`${tested.server.name} answers: ${tested.version ?? "no version"}, ${tested.server.tools.length} tools, ${tested.ms} ms.`);
      if (waiting(tested.server).length > 0) out.note(`Tools wait to be approved: steward mcp approve ${tested.server.name}`);
    }
    return DONE;
  },
  async remove(given, client) {
    const { args, out, flags } = given;
    const name = nameOf(args);
    if (!flags.has("yes") && !(await agrees(given.host, `Remove ${name} with its approvals and tokens?`))) return DONE;
    await client.call("mcp.remove", { params: { id: name } });
    if (flags.has("json")) out.json({ removed: name });
    else out.line("Removed.");
    return DONE;
  },
};

function nameOf(args: string[]): string {
  const [name] = args;
  if (name === undefined || args.length > 1) throw usageError("This takes the name of a server", "steward mcp list shows them.");
  return name;
}

function known(servers: McpServer[], name: string): McpServer {
  const found = servers.find((one) => one.name === name);
  if (found) return found;
  throw new StewardError("not_found", `There is no MCP server ${name}`, { hint: "steward mcp list shows them." });
}

const waiting = ({ tools }: McpServer): McpTool[] => tools.filter(({ wants }) => wants !== undefined);

function stateWords(server: McpServer): string {
  if (server.state === "unapproved") return server.wants?.before === undefined ? "to be approved" : "changed: to be approved";
  return server.state === "sign-in" ? "wants you to sign in" : server.state;
}

function toolWords(tools: McpTool[]): string {
  const ready = tools.filter(({ state }) => state === "approved").length;
  const others = tools.filter(({ wants }) => wants !== undefined).length;
  return others === 0 ? String(ready) : `${ready}, ${others} to be approved`;
}

async function add({ args, out, flags }: Given, client: Client): Promise<number> {
  const [name, command, ...rest] = args;
  const url = flags.text("url");
  if (name === undefined || (command === undefined) === (url === undefined))
    throw usageError("add takes a name, and either -- and a command, or --url", "steward help mcp shows examples.");
  const people = flags.text("people")?.split(",");
  const env = {
    ...Object.fromEntries(pairs(flags.text("env"))),
    ...Object.fromEntries(pairs(flags.text("secret")).map(([variable, secret]) => [variable, { secret }])),
  };
  const server = { ...(url === undefined ? { command, args: rest, env } : { url }), ...(people ? { people } : {}) };
  const added = await client.call("mcp.add", { body: { name, server, ...(flags.has("replace") ? { replace: true } : {}) } });
  if (flags.has("json")) out.json(added);
  else {
    out.line(`${name} is defined: ${added.what}`);
    if (added.wants) out.note(dim(`Nothing of it runs before you approve it: steward mcp approve ${name}`));
  }
  return DONE;
}

function pairs(text: string | undefined): [string, string][] {
  if (text === undefined) return [];
  return text.split(",").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw usageError(`"${pair}" is no NAME=VALUE`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}

/** First what it is, then, from what it says itself, its tools: each as a whole. */
async function approve(given: Given, client: Client): Promise<number> {
  const { args, out, flags, host } = given;
  const id = nameOf(args);
  const sure = async (question: string): Promise<boolean> => flags.has("yes") || agrees(host, question);
  const say = (text: string): void => void (flags.has("json") ? undefined : out.line(text));
  let server = known((await client.call("mcp.list")).servers, id);
  if (server.wants) {
    say(difference(server.wants));
    if (!(await sure(`Let ${id} run as this?`))) return DONE;
    server = await client.call("mcp.approve", { params: { id }, body: { definition: server.wants.hash } });
  }
  if (waiting(server).length === 0) ({ server } = await client.call("mcp.test", { params: { id } }));
  const tools = waiting(server);
  for (const { wants, why } of tools) say(`\n${difference(wants!)}${why ? `\n(${why})` : ""}`);
  if (tools.length > 0 && (await sure(`Let the agent use ${tools.length === 1 ? "this tool" : `these ${tools.length} tools`}?`)))
    server = await client.call("mcp.approve", {
      params: { id },
      body: { tools: tools.map(({ name, wants }) => ({ name, hash: wants!.hash })) },
    });
  if (flags.has("json")) out.json(server);
  else out.line(`${id}: ${stateWords(server)}, tools: ${toolWords(server.tools)}.`);
  return DONE;
}

const SIGNS = { same: " ", out: "-", in: "+" } as const;

/** All lines; those that are new or gone are marked. */
const difference = ({ text, diff }: NonNullable<McpServer["wants"]>): string =>
  diff === undefined ? text : diff.map(({ kind, text: line }) => `${SIGNS[kind]} ${line}`).join("\n");
