// The cheap look before a heartbeat runs: has anything changed that its last run, which had nothing to report, looked at? No model is asked for that.
import { createHash } from "node:crypto";
import type { Stored } from "../core/events.ts";
import type { Commit } from "../core/store.ts";
import type { ToolContext, ToolOutput } from "../core/ports.ts";
import type { ToolCall } from "../core/types.ts";
import { guard } from "../run/guard.ts";
import { openJournal } from "../run/journal.ts";
import { facts } from "../run/memory.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import type { Running } from "./run.ts";
import { type Run, runKey, timesOfSchedule } from "./state.ts";
import { localOf } from "./zones.ts";

export const NOTHING = "NOTHING TO REPORT";
/** Also how a model decorates it. */
export const isQuiet = (text: string): boolean => /^[\s*_`"'“”.(]*(?:nothing to report)?[\s*_`"'“”.!)]*$/i.test(text);

/** What a run looked at, when all of it can be looked at again without a model. */
interface Looks {
  calls: { tool: string; input: unknown; hash: string }[];
  /** What it goes by: its own text, the instructions, the memory, where it matters the day and what was said. */
  state: string;
  /** The row in which runs that were not needed are counted. */
  row?: number;
}
const looksKey = (person: string, id: string): string => `p/${person}/due-looks/${id}`;

/** Read files and folders of the person's computer: the same call gives the same result as long as nothing changed. */
const COMPARABLE = new Set(["read_file", "list_directory", "file_info", "find_files", "search_files"]);
const HARMLESS = new Set(["show_plan", "read_skill", "recall"]);
const MOST_CALLS = 30;
/** What is true today may be wrong tomorrow. */
const OF_TIME =
  /\b(?:today|tonight|tomorrow|yesterday|due|overdue|deadlines?|dates?|days?|weeks?|months?|years?|morning|noon|evening|(?:mon|tues|wednes|thurs|fri|satur|sun)day|weekend|birthdays?|appointments?|calendar|expires?|late|soon|old|older|recent(?:ly)?|hours?|time)\b/i;

const digest = (value: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(value) ?? "")
    .digest("hex")
    .slice(0, 24);

/** The parts of a commit that keep what a quiet run looked at; without them the next one runs. */
export function looked(running: Running, log: Stored[]): Commit {
  const { doc, row } = running;
  const key = looksKey(doc.person, doc.id);
  if (doc.source !== "heartbeat") return {};
  const calls = callsOf(log);
  if (calls === undefined || row.state === undefined) return { drop: [key] };
  const [narrow, wide] = row.state;
  return { put: { [key]: { calls, state: calls.length === 0 || asked(log, "recall") ? wide : narrow } satisfies Looks } };
}

/** What it goes by, as it is now: what changes while it runs is seen by the next one. */
export const statesOf = async (running: Running): Promise<NonNullable<Run["state"]>> => [
  await stateOf(running, false),
  await stateOf(running, true),
];

const asked = (log: Stored[], tool: string): boolean =>
  log.some(({ event }) => event.type === "item.completed" && event.item.kind === "tool" && event.item.call.tool === tool);

/** Undefined when something was done that can't be compared. */
function callsOf(log: Stored[]): Looks["calls"] | undefined {
  const calls: Looks["calls"] = [];
  for (const { event } of log) {
    if (event.type !== "item.completed" || event.item.kind !== "tool") continue;
    const { call, result } = event.item;
    if (HARMLESS.has(call.tool)) continue;
    if (!COMPARABLE.has(call.tool) || !result || result.full !== undefined || calls.length >= MOST_CALLS) return undefined;
    calls.push({ tool: call.tool, input: call.input, hash: hashOf({ output: result.output, error: result.error }) });
  }
  return calls;
}

const hashOf = ({ output, error }: { output: unknown; error: string | null }): string => digest([output ?? null, error]);

async function stateOf({ steward, doc, who }: Running, wide: boolean): Promise<string> {
  const prompt = "prompt" in doc.action ? doc.action.prompt : "";
  const now = steward.now();
  return digest([
    ...[prompt, doc.model ?? "", doc.engine ?? ""],
    (await steward.own.sections(who)).filter(({ name }) => name !== "waiting"),
    (await facts(steward, who)).map(({ text }) => text),
    await steward.store.get(`p/${who.person}/memory`),
    wide || OF_TIME.test(`${doc.name} ${prompt}`) ? localOf(zoneOf(steward), now).day : 0,
    wide ? await spoken(steward, who.person) : 0,
  ]);
}

/** How much was said in the person's own sessions. */
async function spoken({ store }: Steward, person: string): Promise<unknown> {
  const docs = (await store.list(sessionKey(person, ""))).map(({ value }) => value as SessionDoc);
  return docs.filter(({ quiet, parent }) => !quiet && parent === undefined).map(({ id, messages }) => [id, messages]);
}

/** When nothing changed: the parts of a commit that say so, and the row into which this one goes. */
export async function unchanged(running: Running): Promise<{ more: Commit; into?: Run } | undefined> {
  const { steward, doc, row } = running;
  const key = looksKey(doc.person, doc.id);
  const looks = (await steward.store.get(key)) as Looks | undefined;
  if (!looks) return undefined;
  const wide = looks.calls.length === 0;
  const states = await statesOf(running);
  if (!(wide ? states.slice(1) : states).includes(looks.state)) return undefined;
  for (const call of looks.calls) if ((await again(running, call)) !== call.hash) return undefined;
  const before =
    looks.row === undefined ? undefined : ((await steward.store.get(runKey(doc.person, doc.id, looks.row))) as Run | undefined);
  const follows = before?.outcome === "skipped" && timesOfSchedule(steward, doc).next(before.to ?? before.due) === row.due;
  const more: Commit = follows ? {} : { put: { [key]: { ...looks, row: row.due } satisfies Looks } };
  return { more, ...(follows ? { into: before } : {}) };
}

/** The same call once more, for its result alone. Whatever fails differently counts as a change. */
async function again({ steward, who, doc, hold }: Running, { tool: name, input }: Looks["calls"][number]): Promise<string> {
  const tool = (await steward.tools()).find((one) => one.name === name);
  const parsed = tool?.input.safeParse(input);
  const { capabilities } = steward.permissions.read();
  if (!tool || !parsed?.success || (tool.capability !== "none" && !capabilities[tool.capability].enabled)) return "";
  const computer = await steward.computer(who);
  const place = { session: "", turn: `sch_${doc.id}`, tool: name };
  const journal = openJournal(steward, { principal: who, computer, ...place });
  const guarded = guard(steward, computer, { principal: who, granted: [], journal, note: { cached: false }, reads: true });
  const call: ToolCall = { id: "look", tool: name, input };
  try {
    const result: ToolOutput = await tool.run(parsed.data, contextOf(steward, { who, call, signal: hold.abort.signal, computer: guarded }));
    return hashOf({ output: result.output, error: result.error ?? null });
  } catch (error) {
    if (!(error instanceof StewardError)) throw error;
    return hashOf({ output: null, error: error.hint ? `${error.message}. ${error.hint}` : error.message });
  }
}

const none = (): never => {
  throw new StewardError("denied", "Looking changes nothing");
};

function contextOf(
  steward: Steward,
  { who, call, signal, computer }: Pick<Running, "who"> & Pick<ToolContext, "signal" | "computer"> & { call: ToolCall },
): ToolContext {
  return {
    ...{ principal: who, session: "", turn: "", call: call.id, signal, computer, fetch: steward.fetch },
    ...{ output() {}, ask: none, mayUse: none, undo: none, schedules: none },
    memory: { list: none, add: none, remove: none, edit: none, search: none, turn: none },
    agents: { spawn: none, send: none },
    tasks: { act: none },
    own: { skill: none, change: none },
  };
}
