// Opens the workplace of one turn: the person's computer, an engine's programs in it, and the doors that lead out of there.
import { join } from "node:path";
import type { ToolSpec } from "../core/ports.ts";
import type { Computer } from "../core/computer.ts";
import type { ToolCall, ToolResult } from "../core/types.ts";
import type { ProgramNeed, Process, Workplace } from "../core/workplace.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { once, onceFor } from "../std/once.ts";
import type { Scope } from "./approval.ts";
import { enginesFolder } from "./computers.ts";
import type { OpenDoors } from "./doors.ts";
import { taskText } from "./egress-tasks.ts";
import type { Meter } from "./meter.ts";
import { watched } from "./identity.ts";
import { findProgram } from "./program.ts";
import { startProcess } from "./process.ts";
import type { Steward } from "./steward.ts";

export interface WorkplaceOrder {
  scope: Scope;
  engine: string;
  /** "provider/name". */
  model: string;
  meter: Meter;
  tools: ToolSpec[];
  call(call: ToolCall, how?: { signal?: AbortSignal; output?(text: string): void }): Promise<ToolResult>;
}
export interface OpenWorkplace extends Workplace {
  /** Ends all that was started in it, and its doors. Calls of Steward's tools have ended then: what goes on finds their results. */
  close(): Promise<void>;
}

/** An engine has this long to end its programs in its own way once the turn is stopped. */
const PATIENCE_MS = 1000;

export async function openWorkplace(steward: Steward, order: WorkplaceOrder): Promise<OpenWorkplace> {
  const { scope, engine, model, meter, tools } = order;
  const { principal, session, turn, signal } = scope;
  const computer = await steward.computer(principal);
  const state = `${computer.engines ?? `${computer.home}/.steward-engines`}/${engine}`;
  const real = realPaths(steward, computer, principal.person);
  await computer.makeFolder(await real(state));
  const needs = (await steward.engine(engine)).programs();
  const reach = computer.mode === "full" ? "direct" : "proxy";
  const calls = callsOf(order.call);
  const doors = await steward.doors.open({ principal, session, turn, engine, model, meter, tools, call: calls.call, reach });
  const task = taskText({ session, turn, item: "" });
  const running = runningIn(watched(steward.own, principal, computer), doors, task);
  const late = lateEnd(signal, running.killAll);
  return {
    mode: computer.mode,
    cwd: computer.workspace,
    state,
    doors,
    used: () => doors.used(),
    fault: () => doors.fault(),
    waiting: () => calls.running() || (meter.waits?.() ?? false),
    program: programsOf(steward, computer, { needs, signal }),
    start: running.start,
    read: async (path) => computer.read(await real(path)),
    write: async (path, bytes) => computer.write(await real(path), bytes),
    async close() {
      late.forget();
      await Promise.all([running.killAll(), doors.close()]);
      await calls.ended();
    },
  };
}

/** The workplace of a turn that may need none: opened with the first need. */
export function placeFor(signal: AbortSignal, make: () => Promise<OpenWorkplace>): { open(): Promise<Workplace>; close(): Promise<void> } {
  const held: { place?: Promise<OpenWorkplace>; ready?: true } = {};
  const open = once(async () => {
    const place = await make();
    held.ready = true;
    return place;
  });
  return {
    open: () => (held.place = open()),
    async close() {
      const closing = held.place?.catch(() => undefined).then((place) => place?.close());
      // What is still being made ready, which may take minutes, is closed when it is: a Stop does not wait for it.
      if (held.ready || !signal.aborted) await closing;
      else closing?.catch(() => undefined);
    },
  };
}

interface Calls extends Pick<WorkplaceOrder, "call"> {
  running(): boolean;
  /** No call begins any more; resolves when those that run have stopped, which their signal tells them. */
  ended(): Promise<void>;
}

function callsOf(call: WorkplaceOrder["call"]): Calls {
  const held: { closed?: true } = {};
  const open = new Set<Promise<ToolResult>>();
  return {
    running: () => open.size > 0,
    async call(asked, how) {
      if (held.closed) throw new StewardError("unavailable", "This turn has ended");
      const result = call(asked, how);
      open.add(result);
      return result.finally(() => open.delete(result));
    },
    async ended() {
      held.closed = true;
      await Promise.allSettled(open);
    },
  };
}

/**
 * File members of a guarded computer go by this machine's names, with all of the owner's rights; what engines keep has another
 * name inside. Only that folder and the workspace are meant then, and nothing that a program has put there leads out of them.
 */
function realPaths(steward: Steward, computer: Computer, person: string): (path: string) => Promise<string> {
  const { engines, mode, workspace } = computer;
  if (engines === undefined) return async (path) => path;
  const places = [
    { inside: `${engines}/`, host: enginesFolder(steward, mode, person) },
    { inside: `${workspace}/`, host: workspace },
  ];
  return async (given) => {
    const path = given.startsWith("/") ? given : `${workspace}/${given}`;
    const place = places.find(({ inside }) => path.startsWith(inside));
    const below = place ? path.slice(place.inside.length).split("/") : [];
    if (!place || below.some((part) => part === "" || part === "." || part === ".."))
      throw new StewardError("denied", `${path} is neither in the folder of this engine nor in the workspace`);
    await refuseLinks(computer, place.host, below);
    return join(place.host, ...below);
  };
}

async function refuseLinks(computer: Computer, host: string, below: string[]): Promise<void> {
  for (const [at, part] of below.entries()) {
    const found = (await computer.list(join(host, ...below.slice(0, at))).catch(nothing)).find(({ name }) => name === part);
    if (found === undefined) return;
    if (found.type === "link") throw new StewardError("denied", `${below.join("/")} leads through a link`);
  }
}

function nothing(error: unknown): [] {
  if (hasCode(error, "not_found")) return [];
  throw error;
}

/** The end of the turn ends the looking, too: to copy a program into a computer that is far away takes minutes. */
function programsOf(
  steward: Steward,
  computer: Computer,
  { needs, signal }: { needs: ProgramNeed[]; signal: AbortSignal },
): Workplace["program"] {
  const found = new Map<string, Promise<{ path: string; version: string }>>();
  return (name) =>
    onceFor(found, name, async () => {
      const need = needs.find((one) => one.name === name);
      if (need) return unlessStopped(findProgram(steward, computer, { need, signal }), signal);
      throw new StewardError("not_found", `This engine has no program called ${name}`);
    });
}

async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stop = Promise.withResolvers<never>();
  const refuse = (): void => stop.reject(new StewardError("unavailable", "The turn was stopped"));
  if (signal.aborted) refuse();
  else signal.addEventListener("abort", refuse, { once: true });
  return Promise.race([work, stop.promise]).finally(() => signal.removeEventListener("abort", refuse));
}

/** All that was started, until it has ended. */
function runningIn(computer: Computer, doors: OpenDoors, task: string): { start: Workplace["start"]; killAll(): Promise<void> } {
  const held: { closed?: true } = {};
  const living = new Set<Process>();
  return {
    async start(argv, { cwd, env } = {}) {
      if (held.closed) throw new StewardError("unavailable", "This turn has ended");
      const how = { env: { ...doors.env, ...env }, task, network: computer.mode === "guarded" };
      const process = startProcess(computer, argv, { ...how, ...(cwd === undefined ? {} : { cwd }) });
      living.add(process);
      void process.exited.then(() => living.delete(process));
      return process;
    },
    async killAll() {
      held.closed = true;
      await Promise.all([...living].map((one) => one.kill()));
    },
  };
}

function lateEnd(signal: AbortSignal, end: () => Promise<void>): { forget(): void } {
  const held: { timer?: NodeJS.Timeout } = {};
  const begin = (): void => void (held.timer = setTimeout(() => void end(), PATIENCE_MS));
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return {
    forget() {
      clearTimeout(held.timer);
      signal.removeEventListener("abort", begin);
    },
  };
}
