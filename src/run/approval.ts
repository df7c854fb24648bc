// What a call needs a person for before it may run, and the asking. What a computer refuses on top is `guard.ts`.
import type { Event, LiveEvent, Stored } from "../core/events.ts";
import { textOf } from "../core/history.ts";
import type { Computer } from "../core/computer.ts";
import type { Tool } from "../core/ports.ts";
import type { Answer, Ask, Principal, ToolCall } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { revealed } from "../std/text.ts";
import { answerTo, listGrants, opening } from "./asks.ts";
import { covers, writeScope } from "./guard.ts";
import { refusedApp } from "./policy.ts";
import { modeOf, type Steward } from "./steward.ts";

/** What a call may be about: one turn of one session. `log` reads what is new in the session's window. */
export interface Scope {
  principal: Principal;
  session: string;
  turn: string;
  signal: AbortSignal;
  log(): Promise<Stored[]>;
  emit(events: Event[], more?: { put?: Record<string, unknown>; add?: Record<string, Record<string, number>> }): Promise<void>;
  live(event: LiveEvent): void;
}

export interface Checked {
  tool: Tool;
  input: unknown;
  call: ToolCall;
  computer: Computer;
}

const PATH_FIELDS = ["path", "source", "destination"] as const;
/** Tools that act on a name itself, not on what a link of that name leads to. */
const ON_NAMES = new Set(["move_file source", "delete_file path"]);

/** Asks for what leaves the mode: writes outside the workspace, the network, a contained person's desktop. Returns the scopes that hold for this call. */
export async function approvals(steward: Steward, scope: Scope, checked: Checked): Promise<string[]> {
  const { tool, input, call, computer } = checked;
  const fields = input as Record<string, unknown>;
  if (tool.capability === "applications") refuseApp(steward, scope, fields);
  const needs = [...(await outsideWrites(steward, checked, fields)), ...(await afterUntrusted(scope, fields))];
  if (fields.network === true && computer.mode !== "full") {
    if (computer.mode === "contained") throw new StewardError("denied", "Permission denied: there is no network in contained mode");
    needs.push({ scope: "network", prompt: "This command wants to use the network" });
  }
  for (const need of needs) await approve(steward, scope, call, need);
  return needs.map((need) => need.scope);
}

interface Need {
  scope: string;
  prompt: string;
}

async function outsideWrites(steward: Steward, { tool, computer }: Checked, fields: Record<string, unknown>): Promise<Need[]> {
  if (tool.capability !== "filesystem" || tool.effect !== "write") return [];
  const scopes = new Set<string>();
  for (const field of PATH_FIELDS) {
    const path = fields[field];
    const needed = typeof path === "string" ? await writeScope(steward, computer, path, ON_NAMES.has(`${tool.name} ${field}`)) : undefined;
    if (needed) scopes.add(needed);
  }
  return [...scopes].map((scope) => ({ scope, prompt: `${tool.name} wants to change files in ${scope.slice(6)}, outside the workspace` }));
}

/** Tools whose results other people write. */
const FROM_OUTSIDE = new Set(["fetch_page"]);

/** Once a page has been read, a new address or a lasting fact needs a person, unless the person named it: pages may try to steer. */
async function afterUntrusted(scope: Scope, fields: Record<string, unknown>): Promise<Need[]> {
  const host =
    typeof fields.url === "string" ? URL.parse(fields.url.includes("://") ? fields.url : `https://${fields.url}`)?.hostname : undefined;
  const fact = typeof fields.text === "string" && Object.keys(fields).length === 1 ? fields.text : undefined;
  if (host === undefined && fact === undefined) return [];
  const log = await scope.log();
  const read = log.some(
    ({ event }) =>
      event.type === "item.completed" && event.item.kind === "tool" && FROM_OUTSIDE.has(event.item.call.tool) && event.item.result?.success,
  );
  const asked = log.flatMap(({ event }) => (event.type === "message.received" ? [textOf(event.parts).toLowerCase()] : []));
  const named = (words: string): boolean => asked.some((text) => text.includes(words.toLowerCase()));
  if (!read || named(host ?? fact ?? "")) return [];
  return [
    host === undefined
      ? { scope: "memory", prompt: "After reading a page, Steward wants to remember something that you did not say" }
      : { scope: `host:${host}`, prompt: `After reading a page, Steward wants to fetch from ${host}, which you did not name` },
  ];
}

function refuseApp(steward: Steward, { principal }: Scope, { app_name }: Record<string, unknown>): void {
  if (modeOf(steward, principal) === "contained")
    throw new StewardError("denied", "Permission denied: applications on this desktop are the owner's");
  const refused =
    typeof app_name === "string" ? refusedApp(app_name, steward.permissions.read().capabilities.applications.restrictions) : undefined;
  if (refused)
    throw new StewardError("denied", `Permission denied: ${refused}`, { hint: "The lists are on the settings page, under Permissions." });
}

async function approve(steward: Steward, scope: Scope, call: ToolCall, need: Need): Promise<void> {
  if ((await listGrants(steward, scope.principal)).some((grant) => covers(grant.scope, need.scope))) return;
  if (taskGrants(await scope.log(), scope.turn).some((granted) => covers(granted, need.scope))) return;
  const answer = await ask(steward, scope, {
    call,
    kind: "approval",
    prompt: need.prompt,
    scope: need.scope,
    shows: revealed(shown(call)),
    options: ["allow", "deny"],
  });
  if (answer.choice !== "allow") throw new StewardError("denied", `Permission denied: ${need.prompt}, and that was not allowed`);
}

/** Exactly what will run, nothing left out. */
function shown({ tool, input }: ToolCall): string {
  const fields = input as Record<string, unknown>;
  if (typeof fields.command === "string")
    return [fields.command, ...(typeof fields.working_directory === "string" ? [`in ${fields.working_directory}`] : [])].join("\n");
  return `${tool} ${JSON.stringify(input, null, 2)}`;
}

/** Scopes that were allowed for the whole of this turn. */
function taskGrants(log: Stored[], turn: string): string[] {
  const asked = new Map(
    log.flatMap(({ event }) => (event.type === "ask.opened" && event.ask.turn === turn ? [[event.ask.id, event.ask] as const] : [])),
  );
  return log.flatMap(({ event }) => {
    if (event.type !== "ask.answered" || event.answer.for !== "task" || event.answer.choice !== "allow") return [];
    const granted = asked.get(event.ask)?.scope;
    return granted ? [granted] : [];
  });
}

/** Opens the question, or finds the one that this call opened before a restart, and waits for a person. */
export async function ask(
  steward: Steward,
  scope: Scope,
  wanted: Pick<Ask, "kind" | "prompt" | "options" | "scope" | "shows"> & { call: ToolCall },
): Promise<Answer> {
  const { call, ...question } = wanted;
  const known = (await scope.log()).find(
    ({ event }) => event.type === "ask.opened" && event.ask.call === call.id && event.ask.prompt === question.prompt,
  )?.event;
  const now = steward.now();
  const opened: Ask =
    known?.type === "ask.opened"
      ? known.ask
      : {
          id: newId("ask"),
          session: scope.session,
          turn: scope.turn,
          call: call.id,
          openedAt: now,
          expiresAt: now + steward.settings.config().asks.expireMinutes * 60_000,
          ...question,
        };
  if (!known) {
    const { put, add, events } = opening(scope.principal.person, opened);
    await scope.emit(
      events.map(({ event }) => event),
      { put, add },
    );
  }
  scope.live({ type: "turn.waiting", turn: scope.turn, on: "ask", until: opened.expiresAt });
  const answer = await answerTo(steward, scope.principal.person, opened, scope.signal);
  if (scope.signal.aborted) throw new StewardError("denied", "The turn was cancelled");
  return answer;
}
