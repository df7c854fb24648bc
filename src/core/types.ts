// The nouns. Plain data only: everything here is JSON and may cross a process or a browser.
import type { Failure } from "../std/error.ts";

export type Part = { type: "text"; text: string } | FilePart;
/** `id` is an opaque id of the file store; a path never stands here. */
export interface FilePart {
  type: "file";
  id: string;
  name: string;
  mime: string;
  size: number;
  /** Where Steward has put a copy in the person's own computer (`/data/report.pdf`): told to the model, never taken from anybody. */
  place?: string;
}

export type Role = "owner" | "member" | "guest";
/** Who acts. Made only by the gateway's authentication or by a channel's pairing, never from a request's fields. */
export interface Principal {
  person: string;
  role: Role;
  /** By which door: decides the mode. What comes in by a guest door, or by OS-Agent's, is always contained. */
  via: "page" | "token" | "local" | "osAgent" | "channel" | "schedule";
}

/** What a message may have done, where that is less than what its person may at the page. A turn has the rights of the message that it begins with. */
export interface Rights extends Pick<Principal, "role" | "via"> {
  /** What the turn may cost with its helpers: US dollars, tokens. */
  ceiling?: { dollars?: number; tokens?: number };
  /** It has a turn to itself. */
  alone?: string;
}

/** Where a person can be reached: a channel and its own opaque ids. */
export interface Address {
  channel: string;
  chat: string;
  thread?: string;
}

/** `input` is what the model asked for, unchecked. `invalid` is set when it was not JSON. */
export interface ToolCall {
  id: string;
  tool: string;
  input: unknown;
  invalid?: string;
}

/** The wire form of every tool result (also the JSON that the model reads, with the first three fields). */
export interface ToolResult {
  success: boolean;
  output: unknown;
  error: string | null;
  /** Ids of the undo journal for what this call changed. */
  undo?: string[];
  /** File id that holds the whole output when `output` was clipped. */
  full?: string;
  /** Wall time in milliseconds. */
  ms?: number;
  /** Answered from a cache. */
  cached?: boolean;
}

export interface PlanEntry {
  text: string;
  state: "pending" | "active" | "done";
}

/** One thing the agent produced in a turn. `step` is the model's decision to call tools; clients draw the calls, not the step. `by`: told in the session by somebody else, while no turn asked for it: the next one reads it, as data. `group`: of the tool that began. */
export type Item =
  | { id: string; kind: "text"; text: string; meta?: unknown; by?: string }
  | { id: string; kind: "thinking"; text: string; meta?: unknown }
  | { id: string; kind: "step"; calls: ToolCall[]; seen: number; meta?: unknown }
  | { id: string; kind: "tool"; call: ToolCall; effect?: Effect; group?: string; result?: ToolResult }
  | { id: string; kind: "plan"; entries: PlanEntry[] }
  | { id: string; kind: "notice"; level: "info" | "warning" | "error"; text: string; by?: string }
  | { id: string; kind: "file"; file: FilePart };

export type Effect = "read" | "write" | "send";
export type Stop = "end" | "length" | "refusal" | "cancelled" | "failed" | "limit";
/** Tokens, `cached` and `written` being part of the input, `thinking` of the output; `cost` in US dollars, absent when the price is unknown. */
export interface Usage {
  input: number;
  output: number;
  cached?: number;
  /** Of the input: what the provider keeps for the next calls, where that has a price of its own. */
  written?: number;
  thinking?: number;
  /** Searches of the web that the provider made for the answer, where they have a price of their own. */
  searches?: number;
  cost?: number;
}

/** A question only a person may answer. `shows` is exactly what will run or change, hidden characters made visible. */
export interface Ask {
  id: string;
  session: string;
  turn: string;
  call: string;
  kind: "approval" | "choice" | "text";
  prompt: string;
  shows?: string;
  /** What a lasting answer would cover, such as `write:/home/ada/notes` or `network`. Absent: only once. */
  scope?: string;
  /** Answers to choose from. An approval has `allow` and `deny`; `text` has none. */
  options: string[];
  openedAt: number;
  expiresAt: number;
}

/** A person's answer. `scope` only widens an approval that offered one. */
export interface Answer {
  choice: string;
  for?: "once" | "task" | "scope";
  /** Epoch milliseconds; only with `for: "scope"`. */
  until?: number;
}

/** One change that a tool made and what was there before. */
export interface UndoEntry {
  id: string;
  person: string;
  session: string;
  turn: string;
  at: number;
  tool: string;
  /** For people: "Deleted /home/ada/old (10,000 files)". */
  summary: string;
  state: "done" | "undone" | "failed" | "impossible";
  /** Why it cannot be undone, when `state` is impossible; what went wrong, when failed. */
  reason?: string;
  change: Change;
  /** Where the changed files are; absent for what is no file. */
  mode?: Mode;
}
export type Change =
  | { type: "created"; path: string }
  | { type: "replaced"; path: string; kept: string }
  | { type: "removed"; path: string; kept: string }
  | { type: "moved"; from: string; to: string; kept?: string }
  /** `after`: only of what is reversed field by field. */
  | { type: "document"; key: string; before: unknown; after?: string }
  | { type: "command"; command: string; changed: string[] }
  /** An identity file, a skill or a key of the configuration, by name. */
  | { type: "own"; target: string; before?: unknown; after?: unknown };

export type Mode = "contained" | "guarded" | "full";
export type { Failure };
