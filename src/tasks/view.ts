// A task as people and programs see it: its document, with what its session, its log and the ledger say now.
import type { TaskInfo } from "../core/api-tasks.ts";
import type { Stored } from "../core/events.ts";
import { messagesAfter } from "../core/history.ts";
import type { Principal, ToolCall } from "../core/types.ts";
import { choiceOf } from "../run/choice.ts";
import { type SessionDoc, sessionKey, type Team } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { type TaskDoc, taskSumKey } from "../run/tasks.ts";
import { oneLine } from "../std/text.ts";
import { isOpen, sessionOf, taskDocs } from "./docs.ts";

const NEWEST = 40;

export async function info(steward: Steward, who: Principal, doc: TaskDoc): Promise<TaskInfo> {
  const { id, name, by, session, from, parent, at, endedAt, budget, result, team } = doc;
  const own = await sessionOf(steward, who.person, session);
  const { engine, model } = await choiceOf(steward, who, session);
  const log = own.running || isOpen(doc) ? await steward.store.events(session, { last: NEWEST }) : [];
  const state = stateOf(doc, own, log);
  const progress = isOpen(doc) || own.running ? progressOf(log, own) : undefined;
  const sums = ((await steward.store.get(taskSumKey(who.person, id))) ?? {}) as Record<string, number>;
  return {
    ...{ id, name, state, by, session, engine, model, at, asks: own.asks ?? 0 },
    ...(from === undefined ? {} : { from }),
    ...(parent === undefined ? {} : { parent }),
    ...(endedAt && state !== "running" ? { endedAt } : {}),
    ...(progress ? { progress } : {}),
    ...{ cost: (sums["cost"] ?? 0) / 1e9, tokens: (sums["input"] ?? 0) + (sums["output"] ?? 0) },
    ...(budget ? { budget } : {}),
    ...(result && (state !== "running" || doc.stays) ? { result } : {}),
    ...(team === undefined ? {} : { team }),
  };
}

/** One that is over and was spoken to again runs again. */
function stateOf({ state }: TaskDoc, { running, asks = 0, halted }: Partial<SessionDoc>, log: Stored[]): TaskInfo["state"] {
  if (running && !halted) return asks > 0 ? "waiting" : "running";
  const end = log.findLast(({ event }) => event.type === "turn.completed")?.event;
  const seen = end?.type === "turn.completed" ? end.seen : 0;
  if (state === "open") return "waiting";
  return messagesAfter(log, seen).length > 0 && !halted ? "waiting" : state;
}

/** The step of its plan, the tool that runs, or what it said last. */
function progressOf(log: Stored[], { asks = 0, running }: Partial<SessionDoc>): string | undefined {
  if (asks > 0) return "Waits for your answer";
  const events = log.map(({ event }) => event);
  if (!running) return events.some(({ type }) => type === "turn.started") ? "Waits for messages and results" : "Waits for its turn";
  const from = events.findLastIndex(({ type }) => type === "turn.started") + 1;
  for (const event of events.slice(from).reverse()) {
    if (event.type !== "item.started" && event.type !== "item.completed") continue;
    const { item } = event;
    const active = item.kind === "plan" ? item.entries.find(({ state }) => state === "active")?.text : undefined;
    if (active) return oneLine(active, 120);
    if (event.type === "item.started" && item.kind === "tool") return oneLine(callText(item.call), 120);
    if (event.type === "item.completed" && item.kind === "text" && item.text.trim()) return oneLine(item.text, 120);
  }
  return "Thinks";
}

const FIRST = ["command", "path", "query", "url", "name", "text"];

function callText({ tool, input }: ToolCall): string {
  const fields = (typeof input === "object" && input !== null ? input : {}) as Record<string, unknown>;
  const about = FIRST.map((name) => fields[name]).find((value) => typeof value === "string" && value !== "");
  return about === undefined ? tool : `${tool}: ${about as string}`;
}

/** Helper agents of sessions stand among them: they work for somebody too. */
async function helpers(steward: Steward, who: Principal): Promise<TaskInfo[]> {
  const { person } = who;
  const root = `p/${person}/team/`;
  const found: TaskInfo[] = [];
  for (const { key, value } of await steward.store.list(root)) {
    const from = key.slice(root.length);
    const senior = (await steward.store.get(sessionKey(person, from))) as SessionDoc | undefined;
    if (!senior || senior.deletedAt) continue;
    const { engine, model } = await choiceOf(steward, who, from);
    for (const { name, session, at } of (value as Team).agents) {
      const { running, asks = 0, snippet, updatedAt } = await sessionOf(steward, person, session);
      const state = running ? (asks > 0 ? ("waiting" as const) : ("running" as const)) : ("done" as const);
      const times = { at, ...(running ? {} : { endedAt: updatedAt ?? at }) };
      const more = { by: "agent" as const, cost: 0, tokens: 0, helper: true, ...(snippet ? { progress: snippet } : {}) };
      found.push({ id: session, name, state, session, from, engine, model, asks, ...times, ...more });
    }
  }
  return found;
}

const MOST_OVER = 60;

/** Oldest first; of those that are over, the newest. */
export async function listTasks(steward: Steward, who: Principal, { open = false }: { open?: boolean | undefined }): Promise<TaskInfo[]> {
  const docs = await taskDocs(steward, who);
  const over = open ? [] : docs.filter((doc) => !isOpen(doc)).slice(-MOST_OVER);
  const tasks = await Promise.all([...over, ...docs.filter(isOpen)].map((doc) => info(steward, who, doc)));
  const others = (await helpers(steward, who)).filter(({ endedAt }) => !open || endedAt === undefined);
  return [...tasks, ...others].toSorted((a, b) => a.at - b.at);
}
