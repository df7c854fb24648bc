// The seams. Each is small enough to fake in a test by hand; adapters implement exactly one.
import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { ZodMiniType } from "zod/mini";
import type { Event, LiveEvent, Stored } from "./events.ts";
import type { Address, Effect, Failure, Item, Mode, Part, Principal, Stop, ToolCall, ToolResult, Usage } from "./types.ts";

export type { LanguageModelV4 };
/** The one outbound client. As the platform's fetch; refuses what policy forbids with StewardError("denied"). */
export type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

// ---- Engine

/** Runs one turn. Must settle within a second after `host.signal` aborts. Failures are returned, not thrown; only `stale` may be thrown. */
export interface Engine {
  name: string;
  run(turn: Turn, host: Host): Promise<Outcome>;
}
export interface Turn {
  id: string;
  session: string;
  /** "provider/name". */
  model: string;
  instructions: string;
  /** Oldest first; the same log gives the same bytes. */
  history: Message[];
  tools: ToolSpec[];
  /** Model calls still allowed in this turn. */
  rounds: number;
  /** Log position up to which the person's messages are in `history`. */
  seen: number;
  /** Calls decided before a restart that have no result yet: make them first. `history` ends with the step that decided them. */
  pending: ToolCall[];
  resume?: string;
}
/** All an engine may do to the world. */
export interface Host {
  signal: AbortSignal;
  /** Durable events are committed together before it resolves; a live event is published and never fails. Throws `stale` when another worker owns the turn. */
  emit(...events: Event[]): Promise<void>;
  live(event: LiveEvent): void;
  /** The only road to a tool, so the only gate. Never throws but `stale`; a refusal is a result. Same call id twice: the first result. */
  call(call: ToolCall): Promise<ToolResult>;
  /** Messages that came in since the last call, each once, and the log position up to which the person was read. */
  steer(): Promise<{ messages: Message[]; seen: number }>;
}
/** `last` are the closing items: durable in the same commit as the end of the turn. */
export interface Outcome {
  stop: Stop;
  /** Position of the newest message that was read. */
  seen: number;
  last?: Item[];
  usage?: Usage;
  error?: Failure;
  resume?: string;
}
/** Default export of `engines/<name>.ts`. */
export interface EngineKind {
  name: string;
  open(host: EngineHost): Engine;
}
export interface EngineHost {
  /** Throws StewardError when the model can't be had. `call` runs a request through its circuit breaker. */
  model(name: string): Promise<OpenModel>;
  /** The bytes of a file that is part of a message. */
  file(session: string, id: string): Promise<Uint8Array>;
}
export interface OpenModel {
  model: LanguageModelV4;
  call<T>(run: () => Promise<T>): Promise<T>;
  explain(error: unknown): Promise<Failure>;
}
/** One message of the model's history. A tool result is JSON text already, so that it is the same bytes each time. */
export type Message =
  | { role: "user"; parts: Part[] }
  | { role: "assistant"; thinking?: { text: string; meta?: unknown }[]; text: string; calls: ToolCall[]; meta?: unknown }
  | { role: "tool"; call: string; tool: string; result: string };

// ---- Model

/** A language-model provider; `engines/loop` uses its models. Default export of `models/<name>.ts`. */
export interface ModelKind<C = unknown> {
  name: string;
  /** Also holds defaults, so that `config.parse({})` is valid when the provider needs no setting. */
  config: ZodMiniType<C>;
  /** Opens no connection. Throws `invalid` when a needed setting is missing, with a hint that says where to set it. */
  open(config: C, host: ModelHost): Promise<Provider>;
}
export interface ModelHost {
  fetch: Fetch;
  /** The key for this provider, by the documented order (environment, keychain or encrypted file, .env); undefined when there is none. */
  key(): Promise<string | undefined>;
  env: Readonly<Record<string, string | undefined>>;
  now(): number;
}
export interface Provider {
  model(id: string): LanguageModelV4;
  /** Ids of models that the endpoint offers now. Throws StewardError when it can't be reached. */
  list(): Promise<string[]>;
  /** Window size in tokens, when the provider knows it without a request. */
  window(id: string): number | undefined;
  /** Turns a failure of this provider's model into data people can read: code, message, hint, retryAt. Never throws. */
  explain(error: unknown, id: string): Promise<Failure>;
}

// ---- Tool

export type Capability = "terminal" | "filesystem" | "applications" | "browser" | "system" | "ui_control" | "none";
/** Throwing from `run` is a result the model sees, never a crash. */
export interface Tool<I = unknown> {
  name: string;
  description: string;
  /** Switch of permissions.json that must be on. */
  capability: Capability;
  effect: Effect;
  input: ZodMiniType<I>;
  run(input: I, context: ToolContext): Promise<ToolOutput>;
}
/** `error` makes the result unsuccessful while the output is still shown. Output is any JSON value. */
export interface ToolOutput {
  output: unknown;
  error?: string;
  /** Items to add to the log beside the result, such as a plan or a file. */
  items?: Item[];
  /** Answered from a cache. */
  cached?: boolean;
}
export interface ToolSpec {
  name: string;
  description: string;
  /** JSON Schema of the input. */
  schema: Record<string, unknown>;
}
export interface ToolContext {
  principal: Principal;
  session: string;
  turn: string;
  call: string;
  signal: AbortSignal;
  /** Checked, journaled for undo and asking where the mode says so: tools just use it. */
  computer: Computer;
  /** For outbound requests on behalf of the person; private addresses are refused. */
  fetch: Fetch;
  /** Text that a running tool shows before its result. */
  output(text: string): void;
  /** Asks the person and waits; resolves to the answer's text. Throws `denied` when it expires unanswered. */
  ask(question: { prompt: string; options?: string[] }): Promise<string>;
  /** Steward's own documents of this person, journaled for undo. */
  memory: Memory;
  /** Reverses journal entries; `undefined` means the newest that can be undone. */
  undo(id?: string): Promise<{ id: string; summary: string; state: string; reason?: string }[]>;
}
/** Facts that the person asked to keep: short texts, each with an id. */
export interface Memory {
  list(): Promise<{ id: string; text: string; at: number }[]>;
  add(text: string): Promise<{ id: string }>;
  remove(id: string): Promise<void>;
  /** Earlier messages of this person that hold the words, newest first. */
  search(words: string, limit: number): Promise<{ session: string; at: number; text: string }[]>;
}

// ---- Computer

/** Where commands run and files live: this host, a sandbox, a container. Paths may begin with `~`; relative ones start at `workspace`. All members throw StewardError. */
export interface Computer {
  readonly mode: Mode;
  /** Absolute, as seen by commands inside. */
  readonly home: string;
  readonly workspace: string;
  /** "linux" or "darwin". */
  readonly platform: string;
  /** A string runs in a shell; an array runs without one. Resolves when the process group is gone; a non-zero exit is a result, not an error. */
  exec(command: string | string[], options?: ExecOptions): Promise<ExecResult>;
  /** A terminal (PTY). Bytes both ways. */
  shell(options: { columns: number; rows: number; signal: AbortSignal }): Promise<Shell>;
  /** What is there, following links; undefined when nothing is. `path` is the resolved path. */
  stat(path: string): Promise<FileInfo | undefined>;
  /** At most `limit` bytes from `offset`. Throws not_found, invalid (a folder), denied. */
  read(path: string, range?: { offset?: number; limit?: number }): Promise<Uint8Array>;
  /** Creates parents, replaces atomically, keeps the mode of a replaced file. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Sorted by name, hidden ones included, links not followed. */
  list(path: string): Promise<FileInfo[]>;
  makeFolder(path: string): Promise<void>;
  /** Renames a file or a whole folder; copies when it crosses a device. Throws conflict when `to` exists and is not an empty folder. */
  move(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with everything in it. */
  remove(path: string): Promise<void>;
  /** Makes `to` hold what `from` holds now, whatever happens to `from` later; a file or a folder, by reflink or copy. */
  copy(from: string, to: string): Promise<void>;
  dispose(): Promise<void>;
}
export interface ExecOptions {
  cwd?: string;
  stdin?: string | Uint8Array;
  /** The whole process group is killed then. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Pieces as they come, of stdout and stderr mixed. */
  onOutput?(text: string): void;
  env?: Record<string, string>;
  /** Bytes kept of each stream; the rest is counted and dropped. Default 10 MB. */
  maxBytes?: number;
  /** Ask for network in a mode that has none by default. */
  network?: boolean;
  /** Run on the person's desktop, outside the sandbox (applications); only honoured for argument arrays. */
  desktop?: boolean;
}
export interface ExecResult {
  /** Exit status; 128 + signal when killed. */
  code: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  cancelled: boolean;
  /** Bytes that did not fit `maxBytes`. */
  lost: number;
}
export interface FileInfo {
  path: string;
  name: string;
  type: "file" | "dir" | "link" | "other";
  size: number;
  /** Epoch milliseconds. */
  modified: number;
  created: number;
  /** Permission bits, such as 0o644. */
  mode: number;
  /** Changes when the content may have changed: inode, size, change time. */
  version: string;
}
export interface Shell {
  write(bytes: Uint8Array | string): void;
  resize(columns: number, rows: number): void;
  output: AsyncIterable<Uint8Array>;
  exit: Promise<number>;
  close(): void;
}
/** Default export of `computers/<name>.ts`. */
export interface ComputerKind {
  name: string;
  /** Why this kind can't work on this machine, or undefined when it can. Tries it for real, once. */
  missing(): Promise<string | undefined>;
  open(options: ComputerOptions): Promise<Computer>;
}
export interface ComputerOptions {
  person: string;
  mode: Mode;
  /** Host folder that is the person's home (guarded, full) or holds it (contained). */
  home: string;
  /** Host folder where writes are free. */
  workspace: string;
  /** Host folder of Steward itself; never visible inside. */
  steward: string;
  /** Absolute host paths that do not exist for commands inside. Read at each command, so that a change holds at once. */
  hidden(): string[];
  env: Readonly<Record<string, string | undefined>>;
}

// ---- Channel

/** Transport only: no routing, no policy, no retries, no splitting. `send` throws `unavailable` when it surely did not arrive, anything else when the outcome is unknown. */
export interface Channel {
  limits: { text: number };
  send(to: Address, text: string, key: string): Promise<string>;
  close(): Promise<void>;
  typing?(to: Address): Promise<void>;
  edit?(to: Address, receipt: string, text: string): Promise<void>;
}
export interface ChannelKind<C = unknown> {
  name: string;
  config: ZodMiniType<C>;
  open(config: C, inbox: Inbox): Promise<Channel>;
}
/** Resolves once the message is durable; only then may an adapter acknowledge it to the platform. */
export type Inbox = (message: Inbound) => Promise<void>;
export interface Inbound {
  /** Unique for this message at its source; the same key twice is one message. */
  key: string;
  from: string;
  to: Address;
  parts: Part[];
}

// ---- Store

/** All state. `commit` is the only write and is atomic; every member throws StewardError("unavailable") when the database can't be reached. */
export interface Store {
  /** Appends, writes, enqueues and settles together or not at all. Returns the stored events, [] when `once` was used before. */
  commit(change: Commit): Promise<Stored[]>;
  /** Oldest first. `after`/`before` are exclusive numbers; with `last` the newest that many. */
  events(session: string, range?: { after?: number; before?: number; limit?: number; last?: number }): Promise<Stored[]>;
  /** The oldest due job of these kinds whose lane is free. The kinds a node claims are its roles. */
  claim(worker: string, kinds: string[], leaseMs: number): Promise<Job | undefined>;
  get(key: string): Promise<unknown>;
  /** Documents whose key begins with `prefix`, by key. */
  list(prefix: string): Promise<{ key: string; value: unknown }[]>;
  /** Sessions of this person whose messages hold all words (any case, prefixes count), newest first. */
  search(person: string, words: string, limit: number): Promise<{ session: string; seq: number; at: number; text: string }[]>;
  /** How many jobs wait (due now), wait (later), run; the earliest due time. */
  jobs(): Promise<{ due: number; later: number; running: number; next?: number }>;
  publish(session: string, event: LiveEvent): void;
  /** Every commit and every live event from now on, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<Notice>;
  close(): Promise<void>;
}
/** `seq` is the session's newest number after a commit; `jobs` says that work was enqueued. */
export interface Notice {
  session?: string;
  seq?: number;
  jobs?: boolean;
  live?: LiveEvent;
}
export interface Commit {
  /** Idempotency key: a second commit with the same key does nothing and returns []. */
  once?: string;
  events?: { session: string; event: Event }[];
  put?: Record<string, unknown>;
  /** Shallow-merges into an existing document (or an empty one); null removes a field. Read and written inside the transaction. */
  merge?: Record<string, Record<string, unknown>>;
  /** Adds to number fields of a document, from 0. */
  add?: Record<string, Record<string, number>>;
  drop?: string[];
  jobs?: NewJob[];
  /** Proves this worker still owns the job; a stale epoch rejects the whole commit with `stale`. */
  lease?: { job: string; epoch: number; then: "done" | { keepMs: number } | { retryAt: number } };
  /** Deletes the whole logs and search texts of these sessions. */
  erase?: string[];
}
/** At most one job per lane is leased at a time. A schedule is a job with a future `runAt` (epoch milliseconds). */
export interface NewJob {
  id: string;
  kind: string;
  lane: string;
  runAt?: number;
  data: unknown;
}
export interface Job extends NewJob {
  epoch: number;
  /** How often it was claimed, this time included. */
  tries: number;
}
