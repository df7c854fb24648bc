// Background tasks as the rest sees them: each a session of its own with a document beside it. How they are run, and the messages between them, is src/tasks.
import type { Channelled, TaskInfo, TeamInfo } from "../core/api-tasks.ts";
import type { Subagents, Tool } from "../core/ports.ts";
import type { NewJob } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { newId } from "../std/id.ts";
import type { Scope } from "./approval.ts";
import type { Ceiling } from "./jobs.ts";
import type { Steward } from "./steward.ts";

export interface Budget {
  /** US dollars. */
  dollars?: number | undefined;
  /** Of input and output together. */
  tokens?: number | undefined;
}
export interface NewTask {
  text: string;
  /** Default: from the text. */
  name?: string | undefined;
  engine?: string | undefined;
  model?: string | undefined;
  budget?: Budget | undefined;
  /** Where the result goes: absent, nowhere but the task's own document. */
  session?: string | undefined;
  /** The same key twice is one task. */
  key?: string | undefined;
  by?: TaskDoc["by"];
}
export type Origin = Required<Ceiling>["of"] & { ceiling?: Pick<Ceiling, "dollars" | "tokens"> };
/** Kept under `taskKey`. Only what its own session and its sums do not say. */
export interface TaskDoc {
  id: string;
  name: string;
  person: string;
  /** With whose rights it runs: those of the turn that started it. */
  principal: Principal;
  by: "person" | "agent" | "schedule" | "a2a";
  session: string;
  /** The session that started it and gets its result. */
  from?: string;
  /** The task that started it. */
  parent?: string;
  /** What it spends counts for this turn and session too, whose job had this ceiling. */
  origin?: Origin;
  /** Session or task at the top: names are unique below it, and messages stay there. */
  root: string;
  depth: number;
  /** Id of the task at the top, where another system's agent began that. */
  foreign?: string;
  /** How many messages of agents, each woken by the one before, led to it. */
  hops: number;
  key: string;
  at: number;
  budget?: Budget;
  state: "open" | "done" | "failed" | "stopped";
  /** Number of the turn's end in its log that was looked at last. */
  upTo: number;
  /** How often it has come to a result. */
  run: number;
  /** The run whose result has arrived where it goes. */
  told: number;
  endedAt?: number | null;
  result?: { text: string; error?: string; files: string[] } | null;
  /** The call that waits for it. */
  wanted?: { session: string; turn: string; call: string } | null;
  /** Of a team's member: ends with its lead; may write to these only. */
  stays?: true;
  may?: string[];
  team?: string;
}

export interface Tasks {
  /** Durable when it resolves. Throws limit, invalid, not_found, denied. */
  start(who: Principal, task: NewTask): Promise<TaskInfo>;
  /** Oldest first; `open`: only those that are not over. */
  list(who: Principal, which?: { open?: boolean | undefined }): Promise<TaskInfo[]>;
  get(who: Principal, id: string): Promise<TaskInfo>;
  /** With all that it started. */
  stop(who: Principal, id: string): Promise<TaskInfo>;
  /** Goes on in its session. */
  resume(
    who: Principal,
    id: string,
    more: { text?: string | undefined; budget?: Budget | undefined; key?: string | undefined },
  ): Promise<TaskInfo>;
  /** Resolves when it is over, or with how it stands when the signal aborts. */
  wait(who: Principal, id: string, signal: AbortSignal): Promise<TaskInfo>;
  /** This person's words, to a task or (`#name`) a channel. */
  send(who: Principal, message: { to: string; text: string; key?: string | undefined }): Promise<{ to: string[] }>;
  channels(who: Principal): Promise<{ name: string; messages: number; at: number }[]>;
  /** Oldest first. Throws not_found. */
  read(who: Principal, channel: string): Promise<Channelled[]>;
  /** Every message from now on, each once and in order, also of other processes; what `callback` throws is logged. Returns what ends it. */
  subscribe(who: Principal, channel: string, callback: (message: string, sender: string) => unknown): () => void;
  teams(who: Principal): Promise<TeamInfo[]>;
  team(who: Principal, run: { team: string; goal: string; session?: string | undefined; key?: string | undefined }): Promise<TaskInfo>;
  /** The model's side, for one call. */
  hand(scope: Scope, call: string): Subagents;
  /** Other systems' agents. */
  tools(who: Principal): Promise<Tool[]>;
  /** What others may know of this one over A2A. Throws not_found while that is off. */
  card(url: string): Promise<unknown>;
  /** One request of A2A: its answer, or a stream of answers. */
  answer(
    who: Principal,
    request: { body: Record<string, unknown>; url: string; version: string | undefined; signal: AbortSignal },
  ): Promise<object | AsyncGenerator<object, void, undefined>>;
}

export const taskKey = (person: string, id: string): string => `p/${person}/task/${id}`;
/** What it and all that it started has used. */
export const taskSumKey = (person: string, id: string): string => `p/${person}/usage/task/${id}`;

/** Looks at what became of a task when a turn in its session has ended. */
export const taskJob = (task: string, { person, role, via }: Principal): NewJob => ({
  id: newId("job"),
  kind: "task",
  lane: `task/${task}`,
  data: { principal: { person, role, via }, task },
});

/** The task and those that started it, from the nearest on: all pay for what it does. */
export async function payers({ store }: Steward, person: string, task: string | undefined): Promise<TaskDoc[]> {
  const chain: TaskDoc[] = [];
  for (let id = task; id !== undefined && chain.length < 50; id = chain.at(-1)?.parent) {
    const doc = (await store.get(taskKey(person, id))) as TaskDoc | undefined;
    if (!doc) break;
    chain.push(doc);
  }
  return chain;
}
