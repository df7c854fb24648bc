// The vocabulary. Every client, the model's history and the tests are folds over this one union.
import type { Address, Answer, Ask, Failure, Item, Part, Rights, Stop, Usage } from "./types.ts";

export type Source = "computer" | "notification" | "agent" | "schedule" | "heartbeat" | "webhook" | "forwarded";

/** What others may have written. A schedule's prompt was agreed by its person. */
export const isData = (source: Source | undefined): boolean => source !== undefined && source !== "schedule" && source !== "heartbeat";

/** Durable events: appended to a session's log, numbered from 1 without gaps, replayed to every client. */
export type Event =
  | { type: "session.created"; person: string; title?: string; home?: Address }
  /** `cleared`: everything before is out of the history (it stays in the log). */
  | { type: "session.updated"; title?: string; engine?: string; model?: string; pin?: string; cleared?: boolean }
  /** `source`: not the person's own words but a program's, in the person's computer or outside. They are data. */
  /** `rights`: absent where the message has those of whoever said it. */
  /** `command`: it was for Steward itself and is answered already: no model reads it, nor the text that follows with the turn "". */
  | {
      type: "message.received";
      id: string;
      from: string;
      parts: Part[];
      replyTo?: Address;
      key?: string;
      source?: Source;
      rights?: Rights;
      command?: boolean;
    }
  /** `rights`: those of the message that it began with. */
  | { type: "turn.started"; turn: string; engine: string; model: string; rights?: Rights }
  /** Written after approval and immediately before running: its absence proves that the tool never ran. */
  | { type: "item.started"; turn: string; item: Item }
  /** `turn` is "" for a file or a notice that came while no turn ran, and for the answer to a command. */
  | { type: "item.completed"; turn: string; item: Item }
  | { type: "ask.opened"; ask: Ask }
  | { type: "ask.answered"; ask: string; by: string; answer: Answer }
  /** Everything up to `upTo` is replaced in the model's window by `summary`. */
  | { type: "context.compacted"; upTo: number; summary: string; by: string }
  /** `seen`: the number up to which this turn has read the person's messages. */
  | {
      type: "turn.completed";
      turn: string;
      stop: Stop;
      seen: number;
      engine: string;
      model: string;
      usage?: Usage;
      error?: Failure;
      resume?: string;
    }
  | { type: "delivery.settled"; delivery: string; to: Address; ok: boolean; receipt?: string; error?: string; unknown?: boolean };

/** Live events: never stored. A client that misses them converges on the next `item.completed`. */
export type LiveEvent =
  /** `kind` tool: `text` is output of a running command. `at`: length of the item's text before this piece. */
  | { type: "item.delta"; turn: string; item: string; kind: "text" | "thinking" | "tool"; text: string; at: number }
  /** A person asked the turn to stop. */
  | { type: "turn.cancelling"; turn: string }
  /** What the turn is waiting for: the model, a retry at a time, a person. */
  | { type: "turn.waiting"; turn: string; on: "model" | "retry" | "ask"; until?: number; text?: string };

export interface Stored {
  session: string;
  seq: number;
  /** Epoch milliseconds. */
  at: number;
  event: Event;
}

/** What a search finds: the words of people and of Steward, and titles. */
export function spoken(event: Event): string {
  if (event.type === "message.received")
    return event.command ? "" : event.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  if (event.type === "item.completed") return event.item.kind === "text" && event.turn !== "" ? event.item.text : "";
  return (event.type === "session.created" || event.type === "session.updated") && event.title !== undefined ? event.title : "";
}
