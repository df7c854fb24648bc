// Tools that are not in each request: found by words and called by name, through two tools of their own. The gate resolves such a call before it looks at anything.
import * as z from "zod/mini";
import type { Tool, ToolSpec } from "../core/ports.ts";
import type { ToolCall } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { tokens } from "../std/text.ts";

export const FIND = "find_tools";
const USE = "use_tool";
/** Not among the tools, and nobody else's names. */
export const OWN_NAMES = [FIND, USE];
const MOST_FOUND = 5;
const MOST_NAMED = 60;
const LONGEST_SCHEMA = 6000;

/** What a request holds: all tools, or those that are always there and two to get at the others. */
export function shelved(tools: Tool[], { limit, specOf }: { limit: number; specOf(tool: Tool): ToolSpec }): Tool[] {
  const behind = hidden(tools, { limit, specOf });
  if (behind.length === 0) return tools;
  const away = new Set(behind);
  return [...tools.filter((tool) => !away.has(tool)), finder(behind, specOf), use(behind)];
}

/** In the order given. */
export function hidden(tools: Tool[], { limit, specOf }: { limit: number; specOf(tool: Tool): ToolSpec }): Tool[] {
  const many = tools.filter(({ found }) => found === "many");
  const size = many.reduce((sum, tool) => sum + sizeOf(specOf(tool)), 0);
  return tools.filter(({ found }) => found === "always" || (found === "many" && size > limit));
}

/** Tokens that a tool takes in each request. */
export const sizeOf = ({ name, description, schema }: ToolSpec): number => tokens(JSON.stringify({ name, description, schema }));

/** The call that is meant: of the tool itself. */
export function aimed(call: ToolCall): ToolCall {
  if (call.tool !== USE) return call;
  const { name, arguments: input = {} } = (call.input ?? {}) as { name?: unknown; arguments?: unknown };
  return typeof name === "string" && name !== USE ? { ...call, tool: name, input: parsed(input) } : call;
}

/** Some models write the arguments as text. */
function parsed(input: unknown): unknown {
  if (typeof input !== "string") return input;
  try {
    return JSON.parse(input) as unknown;
  } catch {
    return input;
  }
}

const groupsOf = (tools: Tool[]): string => [...new Set(tools.flatMap(({ group }) => group ?? []))].join(", ").slice(0, 300);

const findInput = z.object({ query: z.string() });
export const finder = (tools: Tool[], specOf: (tool: Tool) => ToolSpec): Tool<z.infer<typeof findInput>> => ({
  name: FIND,
  description: `Look for more tools by what they do${groupsOf(tools) ? ` (${groupsOf(tools)})` : ""}; then call one with ${USE}.`,
  capability: "none",
  effect: "read",
  input: findInput,
  async run({ query }) {
    const best = ranked(tools, query).slice(0, MOST_FOUND);
    const others = tools.filter((tool) => !best.includes(tool)).map(({ name }) => name);
    return { output: { tools: best.map((tool) => told(specOf(tool))), others: others.slice(0, MOST_NAMED) } };
  },
});

const told = ({ name, description, schema }: ToolSpec): Pick<ToolSpec, "name" | "description" | "schema"> =>
  JSON.stringify(schema).length <= LONGEST_SCHEMA
    ? { name, description, schema }
    : { name, description, schema: { type: "object", properties: Object.keys(schema.properties ?? {}) } };

const wordsOf = (text: string): string[] =>
  text
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 1);

/** Those that share a word with the query, best first; the same query gives the same order. */
function ranked(tools: Tool[], query: string): Tool[] {
  const wanted = [...new Set(wordsOf(query))];
  const scored = tools.map((tool) => {
    const names = wordsOf(tool.name);
    const about = new Set(wordsOf(tool.description));
    const score = wanted.reduce((sum, word) => {
      const named = names.some((one) => one === word || one.startsWith(word) || (one.length > 2 && word.startsWith(one)));
      return sum + (named ? 3 : 0) + (about.has(word) ? 1 : 0);
    }, 0);
    return { tool, score: tool.name === query.trim() ? Infinity : score };
  });
  return scored
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score)
    .map(({ tool }) => tool);
}

const useInput = z.object({ name: z.string(), arguments: z.optional(z.record(z.string(), z.unknown())) });
/** Never runs: the gate calls the tool that is meant. */
const use = (tools: Tool[]): Tool<z.infer<typeof useInput>> => ({
  name: USE,
  description: `Call a tool that ${FIND} told of.`,
  capability: "none",
  effect: tools.some(({ effect }) => effect !== "read") ? "send" : "read",
  input: useInput,
  run: () => Promise.reject(new StewardError("invalid", `${USE} takes the name of a tool`)),
});
