// What every screen shows of a session's log: one pure fold. What the model reads is history.ts.
import type { LiveEvent, Source, Stored } from "./events.ts";
import type { Answer, Ask, Failure, Item, Part, Stop, Usage } from "./types.ts";

export interface View {
  session: string;
  title: string;
  engine?: string;
  model?: string;
  /** The newest number that is folded in; reconnect with `after=seq`. */
  seq: number;
  entries: Entry[];
  /** The running turn, if any. */
  turn?: {
    id: string;
    engine: string;
    model: string;
    at: number;
    waiting?: { on: "model" | "retry" | "ask"; until?: number; text?: string };
  };
}

/** One thing to draw, oldest first. Ids are unique in a view. */
export type Entry =
  | { kind: "message"; id: string; seq: number; at: number; from: string; parts: Part[]; key?: string; source?: Source; command?: boolean }
  /** `live`: still streaming, not durable. `running`: a tool at work, `output` is the end of what it has printed so far, `printed` how long all of it is. */
  | {
      kind: "item";
      id: string;
      seq: number;
      at: number;
      turn: string;
      state: "live" | "waiting" | "running" | "done";
      item: Item;
      output?: string;
      printed?: number;
    }
  | { kind: "ask"; id: string; seq: number; at: number; ask: Ask; answered?: { by: string; answer: Answer; at: number } }
  | {
      kind: "end";
      id: string;
      seq: number;
      at: number;
      stop: Stop;
      engine: string;
      model: string;
      usage?: Usage;
      error?: Failure;
      startedAt?: number;
    }
  | { kind: "compacted"; id: string; seq: number; at: number; summary: string };

export const emptyView = (session: string): View => ({ session, title: "", seq: 0, entries: [] });

/** A new view with these events folded in. Numbers already folded in are ignored, so replays are harmless. */
export function fold(view: View, events: (Stored | LiveEvent)[]): View {
  const next: View = { ...view, entries: [...view.entries] };
  for (const event of events) {
    if (!("event" in event)) applyLive(next, event);
    else if (event.seq > next.seq) {
      apply(next, event);
      next.seq = event.seq;
    }
  }
  return next;
}

function apply(view: View, stored: Stored): void {
  const { event, seq, at } = stored;
  switch (event.type) {
    case "session.created":
      view.title = event.title ?? "";
      return;
    case "session.updated":
      if (event.cleared) view.entries = [];
      for (const key of ["title", "engine", "model"] as const) if (event[key] !== undefined) view[key] = event[key];
      return;
    case "message.received":
      return void view.entries.push({
        kind: "message",
        id: event.id,
        seq,
        at,
        from: event.from,
        parts: event.parts,
        ...(event.key ? { key: event.key } : {}),
        ...(event.source ? { source: event.source } : {}),
        ...(event.command ? { command: true } : {}),
      });
    case "turn.started":
      view.turn = { id: event.turn, engine: event.engine, model: event.model, at };
      return;
    case "item.started":
      return putItem(view, { id: event.item.id, seq, at, turn: event.turn, state: "running", item: event.item });
    case "item.completed":
      return completeItem(view, event.turn, event.item, { seq, at });
    case "ask.opened":
      return void view.entries.push({ kind: "ask", id: event.ask.id, seq, at, ask: event.ask });
    case "ask.answered":
      return answerAsk(view, event.ask, { by: event.by, answer: event.answer, at });
    case "context.compacted":
      return void view.entries.push({ kind: "compacted", id: `compacted-${seq}`, seq, at, summary: event.summary });
    case "turn.completed":
      return endTurn(view, stored);
    case "delivery.settled":
  }
}

function answerAsk(view: View, id: string, answered: { by: string; answer: Answer; at: number }): void {
  const index = view.entries.findLastIndex((entry) => entry.kind === "ask" && entry.id === id);
  const entry = view.entries[index];
  if (entry?.kind === "ask") view.entries[index] = { ...entry, answered };
  if (view.turn?.waiting?.on === "ask") delete view.turn.waiting;
}

function endTurn(view: View, { event, seq, at }: Stored): void {
  if (event.type !== "turn.completed") return;
  const { turn, stop, engine, model, usage, error } = event;
  view.entries = view.entries.filter((entry) => entry.kind !== "item" || entry.turn !== turn || entry.state === "done");
  const startedAt = view.turn?.id === turn ? view.turn.at : undefined;
  view.entries.push({
    kind: "end",
    id: turn,
    seq,
    at,
    stop,
    engine,
    model,
    ...(usage ? { usage } : {}),
    ...(error ? { error } : {}),
    ...(startedAt ? { startedAt } : {}),
  });
  delete view.turn;
}

type ItemEntry = Entry & { kind: "item" };

function putItem(view: View, entry: Omit<ItemEntry, "kind">): void {
  const index = view.entries.findLastIndex((one) => one.kind === "item" && one.turn === entry.turn && sameItem(one.item, entry.item));
  const old = view.entries[index];
  const { output, printed } = old?.kind === "item" ? old : {};
  const next: ItemEntry = { kind: "item", ...entry, ...(output === undefined ? {} : { output, printed }) };
  if (index < 0) view.entries.push(next);
  else view.entries[index] = { ...next, id: old!.id };
}

const sameItem = (a: Item, b: Item): boolean => a.id === b.id || (a.kind === "tool" && b.kind === "tool" && a.call.id === b.call.id);

/** A step shows its calls as waiting cards, and clears what was streamed by an attempt that did not survive. */
function completeItem(view: View, turn: string, item: Item, { seq, at }: { seq: number; at: number }): void {
  if (item.kind !== "step") return putItem(view, { id: item.id, seq, at, turn, state: "done", item });
  view.entries = view.entries.filter((entry) => entry.kind !== "item" || entry.turn !== turn || entry.state !== "live");
  for (const call of item.calls) putItem(view, { id: call.id, seq, at, turn, state: "waiting", item: { id: call.id, kind: "tool", call } });
}

function applyLive(view: View, event: LiveEvent): void {
  if (event.type === "turn.cancelling") {
    if (view.turn?.id === event.turn) view.turn = { ...view.turn, waiting: { on: "model", text: "Stopping" } };
    return;
  }
  if (event.type === "turn.waiting") {
    const { on, until, text } = event;
    if (view.turn?.id === event.turn) view.turn = { ...view.turn, waiting: { on, ...(until ? { until } : {}), ...(text ? { text } : {}) } };
    return;
  }
  const index = view.entries.findLastIndex(
    (entry) => entry.kind === "item" && entry.turn === event.turn && (entry.item.id === event.item || entry.id === event.item),
  );
  const entry = view.entries[index];
  if (view.turn?.waiting?.on === "model")
    view.turn = { id: view.turn.id, engine: view.turn.engine, model: view.turn.model, at: view.turn.at };
  if (entry?.kind !== "item") return addLive(view, event);
  if (entry.item.kind === "tool") view.entries[index] = entry.state === "running" ? printing(entry, event) : entry;
  else if (entry.state === "live" && "text" in entry.item)
    view.entries[index] = { ...entry, item: { ...entry.item, text: entry.item.text.slice(0, event.at) + event.text } };
}

/** What came already, whole or in part, is not told again: who joins gets it from the beginning. */
function printing(entry: ItemEntry, { at, text }: { at: number; text: string }): ItemEntry {
  const { output = "", printed = 0 } = entry;
  const fresh = text.slice(Math.max(0, printed - at));
  return { ...entry, output: (output + fresh).slice(-100_000), printed: Math.max(printed, at + text.length) };
}

function addLive(view: View, event: LiveEvent & { type: "item.delta" }): void {
  if (event.kind === "tool" || event.at > 0) return; // its beginning was missed: wait for the durable item
  view.entries.push({
    kind: "item",
    id: event.item,
    seq: view.seq,
    at: Date.now(),
    turn: event.turn,
    state: "live",
    item: { id: event.item, kind: event.kind, text: event.text },
  });
}
