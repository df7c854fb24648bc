// What a call needs a person for before it may run, and the asking. What a computer refuses on top is `guard.ts`.
import { type Event, isData, type LiveEvent, type Stored } from "../core/events.ts";
import { textOf } from "../core/history.ts";
import type { Computer } from "../core/computer.ts";
import type { Tool } from "../core/ports.ts";
import type { Answer, Ask, Principal, ToolCall } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { revealed } from "../std/text.ts";
import { hostsIn, plainHost, webAddress } from "../std/web-address.ts";
import { answerTo, listGrants, opening } from "./asks.ts";
import type { Need } from "./identity.ts";
import type { TurnData } from "./jobs.ts";
import { refusedApp } from "./policy.ts";
import { covers, reach, STARTUP, WRITE, type Reach } from "./reach.ts";
import { modeOf, type Steward } from "./steward.ts";
import { isTainted } from "./taint.ts";
import { undoScopes } from "./undo.ts";

/** What a call may be about: one turn of one session. `log` reads what is new in the session's window. */
export interface Scope {
  principal: Principal;
  session: string;
  turn: string;
  signal: AbortSignal;
  /** Set in a helper agent's session: the session it works for. */
  senior?: string;
  /** What the turn's job says of how it runs; its helpers' turns run so too. */
  how?: Pick<TurnData, "rounds" | "think" | "ceiling">;
  /** Waits for something that needs a worker itself, so that meanwhile this turn takes no place. */
  away?<T>(work: Promise<T>): Promise<T>;
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

/** Events of the senior's log in which a helper looks for the person's words. */
const MOST_SAID = 400;

/** Asks for what leaves the mode: writes outside the workspace, the network, what pages may have led to. Returns the scopes that hold for this call. */
export async function approvals(steward: Steward, scope: Scope, checked: Checked): Promise<string[]> {
  const { tool, input, call, computer } = checked;
  const fields = input as Record<string, unknown>;
  if (tool.capability === "applications") {
    if (modeOf(steward, scope.principal) === "contained")
      throw new StewardError("denied", "Permission denied: applications on this desktop are the owner's");
    if (typeof fields.app_name === "string") refuseApp(steward, [fields.app_name]);
  }
  const needs = [
    ...(await outsideWrites(steward, checked, fields)),
    ...(await undoWrites(steward, scope, checked)),
    ...(await afterUntrusted(steward, scope, { tool: tool.name, fields })),
    ...(await sending(steward, scope, tool)),
    ...network(computer, fields),
    ...(await steward.schedules.needs(scope, { tool: tool.name, input: fields })),
    ...(await steward.own.needs({ scope, tool: tool.name, call, input: fields, computer, acts: tool.effect !== "read" })),
  ];
  for (const need of needs) await approve(steward, scope, call, need);
  return needs.map((need) => need.scope);
}

function network({ mode }: Computer, { network: wanted }: Record<string, unknown>): Need[] {
  if (wanted !== true || mode !== "guarded") return [];
  const prompt = "This command wants to use the network. It reaches the listed hosts; you are asked about others";
  return [{ scope: "network", prompt, lasts: "task" }];
}

const PATH_FIELDS = ["path", "source", "destination"] as const;
type PathField = (typeof PATH_FIELDS)[number];
/** Fields that mean a name itself, not what a link of that name leads to; with all that is in it. */
const ON_NAMES = new Set(["move_file source", "delete_file path"]);

async function outsideWrites(steward: Steward, { tool, computer }: Checked, fields: Record<string, unknown>): Promise<Need[]> {
  if (tool.capability !== "filesystem" || tool.effect !== "write") return [];
  const needs: Need[] = [];
  const rules = reach(steward, computer);
  for (const field of PATH_FIELDS) {
    const path = fields[field];
    if (typeof path !== "string") continue;
    const label = field === "path" ? undefined : field;
    const scope = await writeScope(rules, { tool: tool.name, field, path, from: fields.source }).catch((error: unknown) => {
      throw labelled(error, label);
    });
    if (scope !== undefined && !needs.some((need) => need.scope === scope))
      needs.push({ ...writeNeed(tool.name, scope), ...(label ? { field: label } : {}) });
  }
  return needs;
}

const labelled = (error: unknown, field: string | undefined): unknown =>
  field !== undefined && error instanceof StewardError && error.code === "denied"
    ? new StewardError("denied", error.message.replace(/^Permission denied:/, `Permission denied (${field}):`), {
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      })
    : error;

interface Writing {
  tool: string;
  field: PathField;
  path: string;
  from: unknown;
}

/** The scope that the write of one field needs. Throws denied when no answer could allow it. */
async function writeScope(rules: Reach, { tool, field, path, from }: Writing): Promise<string | undefined> {
  if (ON_NAMES.has(`${tool} ${field}`)) {
    const at = await rules.named(path);
    await rules.refuseTree(at);
    return rules.scope(at, true);
  }
  const { at, info } = await rules.resolved(path);
  const into = field === "destination" && info?.type === "dir" && typeof from === "string" ? await rules.named(from) : undefined;
  const target = into === undefined ? at : `${at === "/" ? "" : at}/${into.slice(into.lastIndexOf("/") + 1)}`;
  await rules.refuse(target);
  return rules.scope(target, field === "destination");
}

function writeNeed(tool: string, scope: string): Need {
  if (scope.startsWith(STARTUP))
    return {
      scope,
      lasts: "once",
      prompt: `${tool} wants to change ${scope.slice(STARTUP.length)}, which programs or the system run or read by themselves`,
    };
  return { scope, lasts: "scope", prompt: `${tool} wants to change files in ${scope.slice(WRITE.length)}, outside the workspace` };
}

/** What an undo would write is asked like any other write. */
async function undoWrites(steward: Steward, { principal, session }: Scope, { tool, input }: Checked): Promise<Need[]> {
  if (tool.name !== "undo") return [];
  const scopes = await undoScopes(steward, { who: principal, session }, (input as { id?: string }).id);
  return scopes.map((scope) => writeNeed(tool.name, scope));
}

/** Once something that others may have written was read, a new address or a lasting fact needs a person, unless the person named it. */
async function afterUntrusted(
  steward: Steward,
  scope: Scope,
  { tool, fields }: { tool: string; fields: Record<string, unknown> },
): Promise<Need[]> {
  const fact = keptWords(tool, fields);
  if (typeof fields.url !== "string" && fact === undefined) return [];
  const log = await scope.log();
  if (!(await isTainted(steward, scope.session, log))) return [];
  const said = await saidByPerson(steward, scope, log);
  const after = "After reading what others may have written, Steward wants to";
  if (typeof fields.url === "string") {
    const host = plainHost(webAddress(fields.url)?.hostname ?? "");
    if (host !== "" && said.some((text) => hostsIn(text).has(host))) return [];
    return [
      {
        scope: `host:${host}`,
        lasts: "scope",
        prompt: `${after} fetch from ${host || "an address without a host"}, which you did not name`,
      },
    ];
  }
  if (fact === undefined || said.some((text) => fact.every((words) => text.toLowerCase().includes(words.toLowerCase())))) return [];
  return [
    {
      scope: "memory",
      lasts: "once", // whatever is kept was seen
      prompt: `${after} ${tool === "remember" ? "remember" : "change your memory to"} something that you did not say`,
    },
  ];
}

/** What a server's tool sends may be what a page, or another server, made the model send. */
async function sending(steward: Steward, scope: Scope, { name, group, effect }: Tool): Promise<Need[]> {
  const other = group === "a2a";
  if (group === undefined || effect !== "send" || (!other && !(await isTainted(steward, scope.session, await scope.log())))) return [];
  return [
    {
      scope: `tool:${name}`,
      lasts: "scope",
      prompt: other
        ? `Steward wants to tell an agent of another system something (${name})`
        : `After reading what others may have written, Steward wants to use ${name} of the server ${group}`,
    },
  ];
}

/** What later sessions would read as the person's: each of these has to be the person's own words. */
function keptWords(tool: string, { text, field, value }: Record<string, unknown>): string[] | undefined {
  if (tool === "remember" && typeof text === "string") return [text];
  if (tool !== "manage_memory" || typeof field !== "string") return undefined;
  return [field, ...(value === undefined ? ["forget"] : [typeof value === "string" ? value : JSON.stringify(value)])];
}

/** In a helper's session what the person has said to its senior: the senior's words are not the person's, nor are those of a schedule that the agent made. */
export async function saidByPerson(steward: Steward, { principal, senior }: Scope, log: Stored[]): Promise<string[]> {
  const logs = senior === undefined ? log : await steward.store.events(senior, { last: MOST_SAID });
  return logs.flatMap(({ event }) =>
    event.type === "message.received" && !isData(event.source) && event.from === principal.person ? [textOf(event.parts)] : [],
  );
}

/** By every name that the application goes by: none may be blocked, one must be allowed. */
export function refuseApp(steward: Steward, names: string[]): void {
  const { restrictions } = steward.permissions.read().capabilities.applications;
  const reasons = names.map((name) => ({
    blocked: refusedApp(name, { ...restrictions, allowed_apps: ["*"] }),
    refused: refusedApp(name, restrictions),
  }));
  const why =
    reasons.find(({ blocked }) => blocked)?.blocked ?? (reasons.every(({ refused }) => refused) ? reasons[0]?.refused : undefined);
  if (why)
    throw new StewardError("denied", `Permission denied: ${why}`, { hint: "The lists are on the settings page, under Permissions." });
}

async function approve(steward: Steward, scope: Scope, call: ToolCall, need: Need): Promise<void> {
  if (need.lasts === "scope" && (await listGrants(steward, scope.principal)).some((grant) => covers(grant.scope, need.scope))) return;
  if (need.lasts !== "once" && allowedForTask(await scope.log(), scope.turn, need)) return;
  const answer = await ask(steward, scope, {
    call,
    kind: "approval",
    prompt: need.prompt,
    ...(need.lasts === "scope" ? { scope: need.scope } : {}),
    shows: revealed(need.shows ?? shown(call)),
    options: ["allow", "deny"],
  });
  if (answer.choice !== "allow")
    throw labelled(new StewardError("denied", `Permission denied: ${need.prompt}, and that was not allowed`), need.field);
}

/** Exactly what will run, nothing left out. */
function shown({ tool, input }: ToolCall): string {
  const fields = input as Record<string, unknown>;
  if (typeof fields.command === "string")
    return [fields.command, ...(typeof fields.working_directory === "string" ? [`in ${fields.working_directory}`] : [])].join("\n");
  return `${tool} ${JSON.stringify(input, null, 2)}`;
}

/** Whether this, or what covers it, was allowed for the whole of this turn. What can't last has no scope, and is told by its question. */
function allowedForTask(log: Stored[], turn: string, need: Need): boolean {
  const asked = new Map(
    log.flatMap(({ event }) => (event.type === "ask.opened" && event.ask.turn === turn ? [[event.ask.id, event.ask] as const] : [])),
  );
  return log.some(({ event }) => {
    if (event.type !== "ask.answered" || event.answer.for !== "task" || event.answer.choice !== "allow") return false;
    const granted = asked.get(event.ask);
    return granted?.scope === undefined ? granted?.prompt === revealed(need.prompt) : covers(granted.scope, need.scope);
  });
}

/** What an engine's program wants to do with a tool of its own: asked like a call of Steward's. Throws denied. */
export const permit = (steward: Steward, scope: Scope, { engine, call, about }: { engine: string; call: ToolCall; about?: string }) =>
  approve(steward, scope, call, {
    scope: `engine:${engine}:${call.tool}`,
    lasts: "scope",
    prompt: `${engine} wants to use ${call.tool}${about ? `: ${about}` : ""}`,
  });

/** Opens the question, or finds the one that this call opened before a restart, and waits for a person. */
export async function ask(
  steward: Steward,
  scope: Scope,
  wanted: Pick<Ask, "kind" | "prompt" | "options" | "scope" | "shows"> & { call: ToolCall },
): Promise<Answer> {
  const { call, ...rest } = wanted;
  const question = { ...rest, prompt: revealed(rest.prompt) };
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
