// The seams: engine, model, tool, voice (channel.ts, computer.ts and store.ts hold theirs). Each is small enough to fake by hand; adapters implement exactly one.
import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { ZodMiniType } from "zod/mini";
import type { Computer } from "./computer.ts";
import type { Event, LiveEvent } from "./events.ts";
import type { ProgramNeed, Wire, Workplace } from "./workplace.ts";
import type { Effect, Failure, Item, Part, Principal, Stop, ToolCall, ToolResult, Usage } from "./types.ts";

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
  /** Tokens of history that a request should hold at most. */
  window: number;
  /** Log position up to which the person's messages are in `history`. */
  seen: number;
  /** Calls decided before a restart that have no result yet: make them first. `history` ends with the step that decided them. */
  pending: ToolCall[];
  /** Whether the model shall reason before it answers, where it can be told; absent: its own way. */
  think?: boolean;
  /** The engine's own session, when it knows everything but `fresh`: nobody else has answered here since, and nothing was left out of the history. */
  resume?: { id: string; fresh: Message[] };
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
  /** The model, each of its calls reserved in the ledger before and settled after. Throws StewardError when it can't be had; a call throws limit when the budget does not allow it. */
  model(name: string): Promise<OpenModel>;
  /** For engines that are programs of their own. Throws unavailable, with what to do, when none can run for this person. */
  workplace(): Promise<Workplace>;
  /** The engine's program wants to use a tool of its own: refused where the lists of permissions forbid it, else asked, unless the configuration has it `listed`. Never throws but `stale`. */
  permit(wish: { tool: string; input: unknown; about?: string; listed?: boolean }): Promise<{ allowed: boolean; reason?: string }>;
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
export interface EngineKind<C = unknown> {
  name: string;
  /** Of `engines.<name>` in the configuration; `config.parse({})` is valid. */
  config: ZodMiniType<C>;
  /** Wires that its program speaks to models; absent: it takes any model. */
  wires?: Wire[];
  /** What has to be there; brought from npm when the owner says so. Absent: nothing. */
  programs?(config: C): ProgramNeed[];
  open(host: EngineHost<C>): Engine;
}
export interface EngineHost<C = unknown> {
  config(): C;
  /** The bytes of a file that is part of a message. */
  file(session: string, id: string): Promise<Uint8Array>;
}
export interface OpenModel {
  model: LanguageModelV4;
  call<T>(run: () => Promise<T>): Promise<T>;
  explain(error: unknown): Promise<Failure>;
  /** See Provider. */
  endpoint?(wire: Wire): Endpoint | undefined;
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
/** A model at an address that speaks a wire by itself. */
export interface Endpoint {
  /** Up to and with the version. */
  baseUrl: string;
  /** As the provider names it. */
  model: string;
  /** What there is below the address, such as `/messages`. */
  paths: readonly string[];
  /** For this address only: puts the key in, follows no redirect, ends what stays silent or grows without end, tells web pages from answers. Refusals come back without secrets. */
  fetch: Fetch;
  /** The request as this provider wants it. */
  shape?(body: Record<string, unknown>): Record<string, unknown>;
}
export interface Provider {
  model(id: string): LanguageModelV4;
  /** What texts mean, one vector for each in their order, all of one length. Throws as `list` does. */
  embed?(id: string, texts: string[], signal?: AbortSignal): Promise<number[][]>;
  /** Ids of models that the endpoint offers now. Throws StewardError when it can't be reached. */
  list(): Promise<string[]>;
  /** Window size in tokens, when the provider knows it without a request. */
  window(id: string): number | undefined;
  /** For Steward's door only: this model where it speaks a wire by itself; undefined when the provider does not speak it. */
  endpoint?(wire: Wire, id: string): Endpoint | undefined;
  /** It is on this machine or in the private network. */
  local?: boolean;
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
  /** What the model is told of the input instead of what is made from `input`, which still checks it. */
  schema?: Record<string, unknown>;
  /** Not in each request but found by words: always, or when all such tools are too many. Where it comes from is its `group`. */
  found?: "always" | "many";
  group?: string;
  /** The same call id may run again: it then goes on with what it began, so after a restart it is run once more instead of being labelled as unknown. */
  repeatable?: boolean;
  /** Calls of it that follow each other in one step run at the same time. */
  together?: boolean;
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
  /** As the tool says; not told to the model. */
  together?: boolean;
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
  /** Asks the person and waits; resolves to the answer's text. Throws `denied` when it expires unanswered. `signal`: nobody waits for it any more. */
  ask(question: { prompt: string; options?: string[]; signal?: AbortSignal }): Promise<string>;
  /** Steward's own documents of this person, journaled for undo. */
  memory: Memory;
  /** The helper agents of this session. */
  agents: Agents;
  /** What it started in the background. */
  tasks: Subagents;
  /** A wish about the person's schedules, in the words of the tool `schedule_task`. Throws StewardError. */
  schedules(wish: Record<string, unknown>): Promise<unknown>;
  /** The person's skills, and changes of what Steward goes by: identity files, skills, settings. */
  own: {
    skill(name: string, file?: string): Promise<unknown>;
    change(proposal: { target: string; new?: string; old?: string }): Promise<{ target: string; undo: string }>;
  };
  /** Throws denied when a list of applications forbids one of these names: all that an application goes by, as soon as it was found. */
  mayUse(names: string[]): void;
  /** Reverses a change of this session; `undefined` means the newest. Throws conflict, naming the next, when that one can't be undone. */
  undo(id?: string): Promise<{ id: string; summary: string; state: string; reason?: string }[]>;
}
/** Helper agents: each a session of its own, with no more rights than this one. Throws denied in a helper's own session. */
export interface Agents {
  /** Resolves to its name as it is kept. Throws conflict when there is one of that name, limit when there are as many as may be. */
  spawn(agent: { name: string; details: string; context: string }): Promise<string>;
  /** Says it and waits for the answer. Throws not_found, and what made the helper fail or stop. */
  send(name: string, message: string): Promise<string>;
}
/** Subagents that work in the background, and messages between them. */
export interface Subagents {
  /** The same call again does nothing anew. Throws StewardError. */
  act(wish: SubagentWish): Promise<object>;
}
export interface SubagentWish {
  do: "start" | "send" | "wait" | "list" | "stop" | "resume" | "join" | "leave" | "team";
  /** Of a subagent, `#channel`, a team, `person` or `lead`. */
  name?: string | undefined;
  text?: string | undefined;
  engine?: string | undefined;
  model?: string | undefined;
  /** The most that it may cost. */
  dollars?: number | undefined;
  wait?: boolean | undefined;
}
/** What is kept of the person: facts that they asked to keep, short texts each with an id, and the JSON memory. */
export interface Memory {
  list(): Promise<{ id: string; text: string; at: number }[]>;
  /** `type`: what it is about, in one word. */
  add(text: string, type?: string): Promise<{ id: string }>;
  remove(id: string): Promise<void>;
  /** Sets a field of the JSON memory, or removes it when there is no value. Throws denied for its protected part. */
  edit(field: string, value?: unknown): Promise<void>;
  /** Earlier messages of this person, and pieces of files of their workspace, that hold the words or mean the same; best first. */
  search(
    words: string,
    limit: number,
  ): Promise<{ messages: FoundMessage[]; files: { path: string; line: number; at: number; text: string }[] }>;
  /** A message of this person by its number, and all that answered it, as text. `session`: absent, the one of the call. Throws not_found. */
  turn(number: number, session?: string): Promise<string>;
}

export interface FoundMessage {
  session: string;
  number: number;
  at: number;
  text: string;
}

// ---- Voice

/** Text from audio. */
export interface Voice {
  /**
   * The words, "" when there are none. Throws `unavailable` when trying again may help, another StewardError when not, the
   * signal's reason when it aborts. Costs anew each time.
   */
  hear(audio: Audio, options: { signal: AbortSignal; language?: string }): Promise<string>;
}
/** `name` says nothing but the format, by its ending; `mime` was found from the content. */
export interface Audio {
  bytes: Uint8Array<ArrayBuffer>;
  name: string;
  mime: string;
}
/** Default export of `voices/<name>.ts`. */
export interface VoiceKind<C = unknown> {
  name: string;
  config: ZodMiniType<C>;
  /** Opens no connection. Throws `invalid` when a setting is wrong, with a hint that says where to set it. */
  open(config: C, host: Pick<ModelHost, "fetch" | "key">): Promise<Voice>;
}
