// The one gate: every tool call, from every engine, is found, checked, approved, run and logged here.
import * as z from "zod/mini";
import type { Event, Stored } from "../core/events.ts";
import type { Computer } from "../core/computer.ts";
import type { Tool, ToolContext, ToolOutput, ToolSpec } from "../core/ports.ts";
import type { Item, Principal, ToolCall, ToolResult } from "../core/types.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { isOf, newId } from "../std/id.ts";
import { clip, visible } from "../std/text.ts";
import { agentsFor } from "./agents.ts";
import { approvals, ask, refuseApp, type Scope } from "./approval.ts";
import { taskText } from "./egress-tasks.ts";
import { putFile } from "./files.ts";
import { aimed, FIND, finder, hidden, shelved } from "./finding.ts";
import { guard } from "./guard.ts";
import { openMemory } from "./memory.ts";
import { usedBy } from "./returns.ts";
import type { Steward } from "./steward.ts";
import { fromOutside, taintKey } from "./taint.ts";
import { openJournal, type Journal } from "./journal.ts";
import { undoInSession } from "./undo.ts";

const MAX_TEXT = 30_000;
const MAX_FULL = 50 * 1024 * 1024;
const UNKNOWN: ToolResult = {
  success: false,
  output: null,
  error: "It is not known whether this ran: Steward was stopped while it was running. Check before doing it again.",
};

const WITH_HELPERS = new Set(["spawn_agent", "send_to_agent"]);
/** What only a senior has: helpers of its own, and the person's ear. */
const SENIORS = new Set([...WITH_HELPERS, "task", "ask_person", "propose_change"]);

interface Offered {
  who: Principal;
  helper: boolean;
  memory: boolean;
}
/** What runs commands has OS-Agent's name at its door, and this one elsewhere. */
const TERMINALS = ["execute_terminal_command", "execute_terminal"];

/** The tools of this turn: those whose switch is on and that fit. The same tools give the same bytes. `memory`: the JSON memory is in use. */
export async function offered(steward: Steward, how: Offered): Promise<Tool[]> {
  return shelved(await fitting(steward, how), { limit: steward.settings.config().mcp.tokens, specOf });
}

/** Steward's own, and those of the servers that this person may use. */
const allTools = async (steward: Steward, who: Principal): Promise<Tool[]> => [
  ...(await steward.tools()),
  ...(await steward.servers.tools(who)),
  ...(await steward.tasks.tools(who)),
];

async function fitting(steward: Steward, { helper, memory, who }: Offered): Promise<Tool[]> {
  const { capabilities } = steward.permissions.read();
  const { agents, tasks } = steward.settings.config();
  const alone = agents.most === 0;
  const all = await allTools(steward, who);
  const older = who.via === "osAgent" || tasks.most === 0 || all.every(({ name }) => name !== "task");
  return all.filter(({ name, capability }) => {
    if (older ? name === "task" : WITH_HELPERS.has(name)) return false;
    if ((helper && SENIORS.has(name)) || (alone && WITH_HELPERS.has(name)) || (!memory && name === "manage_memory")) return false;
    if (name === TERMINALS[who.via === "osAgent" ? 0 : 1]) return false;
    return capability === "none" || capabilities[capability].enabled;
  });
}

const specs = new WeakMap<Tool, ToolSpec>();

export function specOf(tool: Tool): ToolSpec {
  const known = specs.get(tool);
  if (known) return known;
  const { $schema: _schema, additionalProperties: _extra, ...schema } = tool.schema ?? z.toJSONSchema(tool.input, { io: "input" });
  const spec: ToolSpec = { name: tool.name, description: tool.description, schema, ...(tool.together ? { together: true } : {}) };
  specs.set(tool, spec);
  return spec;
}

/** Never throws but `stale`. The same call id again gives the first result; one that was running when Steward died is labelled, or goes on where its tool can, which an engine's own of the same name is not. */
export function toolbox(steward: Steward, whole: Scope): (call: ToolCall, how?: CallHow) => Promise<ToolResult> {
  return async (asked, how) => {
    const scope = how ? narrowed(whole, how) : whole;
    const call = aimed(asked);
    const before = earlier(await scope.log(), scope.turn, call.id);
    if (before?.result) return before.result;
    const item: ToolItem = { id: before?.id ?? newId("itm"), kind: "tool", call };
    if (before && (scope.signal.aborted || !(await goesOn(steward, call)))) return complete(scope, item, UNKNOWN, []);
    const startedAt = steward.now();
    const journal: { value?: Journal } = {};
    try {
      const {
        output,
        error,
        items = [],
        cached,
        undone = [],
      } = await attempt(steward, scope, { item, begun: before !== undefined }, journal);
      const clipped = await clipped30k(steward, scope.principal, output);
      const result: ToolResult = {
        success: error === undefined,
        ...clipped,
        error: error ?? null,
        ms: steward.now() - startedAt,
        ...(undone.length > 0 ? { undo: undone } : {}),
        ...(cached ? { cached } : {}),
      };
      return await complete(scope, item, result, items);
    } catch (error) {
      if (hasCode(error, "stale")) throw error;
      const undone = journal.value?.ids ?? [];
      const result: ToolResult = {
        success: false,
        output: null,
        error: withHint(error),
        ms: steward.now() - startedAt,
        ...(undone.length > 0 ? { undo: [...undone] } : {}),
      };
      return complete(scope, item, result, []);
    }
  };
}

/** `signal`: whoever asked has given this call up. `output`: what the running tool shows. */
export interface CallHow {
  signal?: AbortSignal;
  output?(text: string): void;
}

function narrowed(scope: Scope, { signal, output }: CallHow): Scope {
  return {
    ...scope,
    ...(signal ? { signal: AbortSignal.any([scope.signal, signal]) } : {}),
    live(event) {
      scope.live(event);
      if (event.type === "item.delta" && event.kind === "tool") output?.(event.text);
    },
  };
}

type ToolItem = Item & { kind: "tool" };

const goesOn = async (steward: Steward, call: ToolCall): Promise<boolean> =>
  !isOf("own", call.id) && (await steward.tools()).some(({ name, repeatable }) => name === call.tool && repeatable === true);

const withHint = (error: unknown): string =>
  error instanceof StewardError && error.hint ? `${error.message}. ${error.hint}` : messageOf(error);

function earlier(log: Stored[], turn: string, call: string): ToolItem | undefined {
  const found = log.findLast(
    ({ event }) =>
      (event.type === "item.started" || event.type === "item.completed") &&
      event.turn === turn &&
      event.item.kind === "tool" &&
      event.item.call.id === call,
  )?.event;
  return found && "item" in found && found.item.kind === "tool" ? found.item : undefined;
}

async function complete(scope: Scope, item: ToolItem, result: ToolResult, items: Item[]): Promise<ToolResult> {
  const done = { ...item, result };
  await scope.emit(
    [done, ...items].map((one): Event => ({ type: "item.completed", turn: scope.turn, item: one })),
    fromOutside(item, result) ? { put: { [taintKey(scope.session)]: true } } : {},
  );
  return result;
}

type Attempted = ToolOutput & { undone?: string[] };

/** Find, check, approve; then `item.started`; then run. A log without it proves that the tool never ran. */
async function attempt(
  steward: Steward,
  scope: Scope,
  { item, begun }: { item: ToolItem; begun: boolean },
  kept: { value?: Journal },
): Promise<Attempted> {
  const { call } = item;
  const tool = await findTool(steward, scope, call);
  const input = parsed(tool, call);
  const computer = await steward.computer(scope.principal);
  const granted = await approvals(steward, scope, { tool, input, call, computer });
  Object.assign(item, { effect: tool.effect, ...(tool.group === undefined ? {} : { group: tool.group }) });
  const { person } = scope.principal;
  const own = computer.mode === "contained" && tool.effect !== "read";
  if (!begun)
    await scope.emit([{ type: "item.started", turn: scope.turn, item }], own ? { put: usedBy(steward, person, scope.session) } : {});
  const journal = openJournal(steward, { principal: scope.principal, session: scope.session, turn: scope.turn, tool: tool.name, computer });
  kept.value = journal;
  const note = { cached: false };
  const task = taskText({ session: scope.session, turn: scope.turn, item: item.id });
  const context = contextFor(steward, scope, {
    call,
    item,
    journal,
    granted,
    computer: guard(steward, computer, { principal: scope.principal, granted, journal, note, reads: tool.effect === "read", task }),
  });
  const output = await run(steward, tool, input, { context, note, person }).finally(() => {
    if (own) void steward.lookout.look(person);
  });
  return { ...output, ...(output.cached || note.cached ? { cached: true } : {}), undone: [...journal.ids] };
}

/** The list of apps costs several programs to make; it is kept for a few seconds and forgotten when any app is started or closed. */
async function run(
  steward: Steward,
  tool: Tool,
  input: unknown,
  { context, note, person }: { context: ToolContext; note: { cached: boolean }; person: string },
): Promise<ToolOutput> {
  if (tool.capability !== "applications") return tool.run(input, context);
  const { restrictions } = steward.permissions.read().capabilities.applications;
  const key = `${person}\0${tool.name}\0${JSON.stringify([input, restrictions.allowed_apps, restrictions.blocked_apps])}`;
  const known = tool.effect === "read" ? steward.caches.app.get(key, "") : undefined;
  if (known !== undefined) {
    note.cached = true;
    return { output: known };
  }
  if (tool.effect !== "read") steward.caches.app.clear();
  const output = await tool.run(input, context);
  if (tool.effect === "read" && output.error === undefined) steward.caches.app.set(key, "", output.output);
  return output;
}

async function findTool(steward: Steward, { principal, senior }: Scope, call: ToolCall): Promise<Tool> {
  if (call.tool === FIND) {
    const here = await fitting(steward, { who: principal, helper: senior !== undefined, memory: true });
    return finder(hidden(here, { limit: steward.settings.config().mcp.tokens, specOf }), specOf);
  }
  const all = await allTools(steward, principal);
  const tool = all.find(({ name }) => name === call.tool && (senior === undefined || !SENIORS.has(name)));
  if (!tool) throw new StewardError("not_found", `Unknown tool: ${visible(call.tool).slice(0, 100)}`);
  const switches = steward.permissions.read().capabilities;
  if (tool.capability !== "none" && !switches[tool.capability].enabled)
    throw new StewardError("denied", `Permission denied: ${tool.capability} is switched off`, {
      hint: "It can be switched on at the settings page, under Permissions.",
    });
  return tool;
}

function parsed(tool: Tool, call: ToolCall): unknown {
  if (call.invalid !== undefined) throw new StewardError("invalid", `The arguments of ${tool.name} are not valid JSON: ${call.invalid}`);
  const result = tool.input.safeParse(call.input ?? {});
  if (result.success) return result.data;
  throw new StewardError(
    "invalid",
    `Wrong arguments for ${tool.name}: ${result.error.issues.map((issue) => `${issue.path.join(".") || "arguments"}: ${issue.message}`).join("; ")}`,
  );
}

function contextFor(
  steward: Steward,
  scope: Scope,
  { call, item, journal, granted, computer }: { call: ToolCall; item: ToolItem; journal: Journal; granted: string[]; computer: Computer },
): ToolContext {
  const { principal, session, turn, signal } = scope;
  let at = 0;
  return {
    principal,
    session,
    turn,
    call: call.id,
    signal,
    computer,
    fetch: steward.fetch,
    output(text) {
      const shown = visible(text);
      scope.live({ type: "item.delta", turn, item: item.id, kind: "tool", text: shown, at });
      at += shown.length;
    },
    async ask({ prompt, options = [], signal: given }) {
      const asking = given ? { ...scope, signal: AbortSignal.any([signal, given]) } : scope;
      const answer = await ask(steward, asking, { call, kind: options.length > 0 ? "choice" : "text", prompt, options });
      if (answer.choice === "") throw new StewardError("denied", "The question was not answered");
      return answer.choice;
    },
    mayUse: (names) => refuseApp(steward, names),
    own: {
      skill: (name, file) => steward.own.skill(principal, name, file),
      change: (proposal) => steward.own.change(scope, call, { proposal, granted }),
    },
    memory: openMemory(steward, principal, { journal, session, turn }),
    agents: agentsFor(steward, scope, call.id),
    schedules: (wish) => steward.schedules.wish(scope, journal, wish),
    tasks: steward.tasks.hand(scope, call.id),
    async undo(id) {
      const done = await undoInSession(steward, { who: principal, session, granted }, id);
      return done.map(({ id: one, summary, state, reason }) => ({ id: one, summary, state, ...(reason ? { reason } : {}) }));
    },
  };
}

/** What fits the model's window; the whole goes into a file that the person can open. */
async function clipped30k(steward: Steward, principal: Principal, output: unknown): Promise<{ output: unknown; full?: string }> {
  const text = typeof output === "string" ? output : JSON.stringify(output ?? null);
  if (text.length <= MAX_TEXT) return { output: output ?? null };
  const file = await putFile(steward, principal, { name: "output.txt", bytes: Buffer.from(text.slice(0, MAX_FULL)), limit: MAX_FULL * 4 });
  return { output: `${clip(text, MAX_TEXT)}\n(The whole output is kept as file ${file.id}.)`, full: file.id };
}
