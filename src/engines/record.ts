// What a program says and does in a turn, as items of the log: streamed, then durable in the order in which it happened.
import type { Event } from "../core/events.ts";
import type { Host, Message, Turn } from "../core/ports.ts";
import type { Effect, Item, PlanEntry, ToolCall, ToolResult } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { clip, visible } from "../std/text.ts";

/** Characters that a program may say in one turn, and calls that it may make: one that never ends is ended. */
const MOST_TEXT = 4_000_000;
const MOST_CALLS = 5000;
/** Characters of what it gives to its tools. */
const MOST_INPUT = 20_000_000;
const MAX_RESULT = 30_000;

type Said = Item & { kind: "text" | "thinking" };
type Used = Item & { kind: "tool" };
export interface OwnCall {
  tool: string;
  input: unknown;
  effect?: Effect;
}

/** Members that return a promise have it in the log when they resolve; all throw `stale`, and `limit` for a program that floods. */
export interface Record {
  /** A piece of text; another `key` begins another item. */
  say(kind: Said["kind"], key: string, text: string): void;
  /** The whole of what has the key until now. */
  said(kind: Said["kind"], key: string, text: string): void;
  /** Something was said that is not durable yet. */
  speaking(): boolean;
  /** What was said becomes durable: before anything else happens. */
  flush(): Promise<void>;
  /** A tool of the program's own is about to run: the decision and its beginning, in one. Once for each id. */
  begun(id: string, call: OwnCall): Promise<void>;
  /** What it prints until now. */
  prints(id: string, whole: string): void;
  /** Once for each id; one that never began is left out. */
  done(id: string, result: ToolResult): Promise<void>;
  isBegun(id: string): boolean;
  /** Calls of its own that run. */
  running(): number;
  calls(): number;
  plan(entries: PlanEntry[]): Promise<void>;
  /** What the person said meanwhile. */
  steer(): Promise<Message[]>;
  seen(): number;
  /** At the end: what runs still is said to be unknown. Returns what was said last. */
  close(): Promise<Item[]>;
}

const UNKNOWN = "It is not known how this ended: the program stopped while it was running.";

interface State {
  said: Said[];
  key?: string;
  open: Map<string, { item: Used; printed: string; shown: number }>;
  begun: Set<string>;
  /** Characters said, by key. */
  told: Map<string, number>;
  text: number;
  inputs: number;
  seen: number;
}

export function openRecord(turn: Turn, host: Host): Record {
  const state: State = { said: [], open: new Map(), begun: new Set(), told: new Map(), text: 0, inputs: 0, seen: turn.seen };
  const emit = (...items: Item[]): Promise<void> => host.emit(...items.map((item) => completed(turn.id, item)));
  const flush = async (): Promise<void> => {
    const items = spoken(state);
    if (items.length > 0) await emit(...items);
  };
  const finish = async (id: string, result: ToolResult): Promise<void> => {
    const one = state.open.get(id);
    if (one === undefined) return;
    state.open.delete(id);
    await emit({ ...one.item, result: clipped(result) });
  };
  return {
    say: (kind, key, text) => say(state, { turn, host }, { kind, key, text }),
    said: (kind, key, text) => say(state, { turn, host }, { kind, key, text: text.slice(state.told.get(`${kind} ${key}`) ?? 0) }),
    speaking: () => state.said.length > 0,
    flush,
    async begun(id, { tool, input, effect = "write" }) {
      if (state.begun.has(id)) return;
      if (state.begun.size >= MOST_CALLS) throw flooding();
      if ((state.inputs += JSON.stringify(input ?? {}).length) > MOST_INPUT) throw flooding();
      state.begun.add(id);
      const call: ToolCall = { id: newId("own"), tool, input: input ?? {} };
      const item: Used = { id: newId("itm"), kind: "tool", call, effect };
      state.open.set(id, { item, printed: "", shown: 0 });
      const step: Item = { id: newId("itm"), kind: "step", calls: [call], seen: state.seen };
      const decided = [...spoken(state), step].map((one) => completed(turn.id, one));
      await host.emit(...decided, { type: "item.started", turn: turn.id, item });
    },
    prints(id, whole) {
      const one = state.open.get(id);
      if (one === undefined || !whole.startsWith(one.printed) || whole.length === one.printed.length) return;
      const text = visible(whole.slice(one.printed.length));
      host.live({ type: "item.delta", turn: turn.id, item: one.item.id, kind: "tool", text, at: one.shown });
      Object.assign(one, { printed: whole, shown: one.shown + text.length });
    },
    done: finish,
    isBegun: (id) => state.begun.has(id),
    running: () => state.open.size,
    calls: () => state.begun.size,
    async plan(entries) {
      await emit(...spoken(state), { id: newId("itm"), kind: "plan", entries });
    },
    async steer() {
      const { messages, seen } = await host.steer();
      state.seen = Math.max(state.seen, seen);
      return messages;
    },
    seen: () => state.seen,
    async close() {
      if (state.open.size > 0) await flush(); // what was said before they end
      for (const id of state.open.keys()) await finish(id, { success: false, output: null, error: UNKNOWN });
      return spoken(state);
    },
  };
}

const completed = (turn: string, item: Item): Event => ({ type: "item.completed", turn, item });
const flooding = (): StewardError => new StewardError("limit", "The engine's program says or does too much in one turn, so it was stopped");

function say(
  state: State,
  { turn, host }: { turn: Turn; host: Host },
  { kind, key, text }: { kind: Said["kind"]; key: string; text: string },
): void {
  if (text === "") return;
  if ((state.text += text.length) > MOST_TEXT) throw flooding();
  const name = `${kind} ${key}`;
  state.told.set(name, (state.told.get(name) ?? 0) + text.length);
  if (state.key !== name) state.said.push({ id: newId("itm"), kind, text: "" });
  state.key = name;
  const item = state.said.at(-1)!;
  host.live({ type: "item.delta", turn: turn.id, item: item.id, kind, text, at: item.text.length });
  item.text += text;
}

function spoken(state: State): Said[] {
  delete state.key;
  return state.said.splice(0);
}

function clipped({ success, output, error }: ToolResult): ToolResult {
  const text = typeof output === "string" ? output : JSON.stringify(output ?? null);
  const kept = text.length > MAX_RESULT ? clip(text, MAX_RESULT) : output;
  return { success, output: kept ?? null, error: error === null ? null : clip(error, MAX_RESULT) };
}
