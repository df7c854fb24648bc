// What blocks of Claude's program hold, as Steward keeps it: the results of its own tools, its list of what is to be done, how much it says.
import type { Item, PlanEntry, ToolResult } from "../core/types.ts";
import { newId } from "../std/id.ts";
import { clip, visible } from "../std/text.ts";
import { isRecord, textIn } from "./claude-wire.ts";

const MAX_OUTPUT = 30_000;

/** Of its words, and of what it gives to a tool. */
export const sizeOf = (block: unknown): number =>
  isRecord(block) ? textIn(block.text).length + textIn(block.thinking).length + (JSON.stringify(block.input)?.length ?? 0) : 0;

export function resultOf({ content, is_error: failed }: Record<string, unknown>): ToolResult {
  const text = clip(visible(textOf(content)), MAX_OUTPUT);
  return failed === true ? { success: false, output: null, error: text || "It failed" } : { success: true, output: text, error: null };
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return textIn(content);
  return content
    .map((block: unknown) => (isRecord(block) ? (block.type === "text" ? textIn(block.text) : `[${textIn(block.type)}]`) : ""))
    .join("\n");
}

const STATES: Record<string, PlanEntry["state"]> = { in_progress: "active", completed: "done" };

/** Its list of what is to be done. */
export function planOf(input: unknown): Item[] {
  const todos: unknown[] = isRecord(input) && Array.isArray(input.todos) ? input.todos : [];
  const entries = todos
    .slice(0, 100)
    .flatMap((one): PlanEntry[] =>
      isRecord(one) ? [{ text: visible(textIn(one.content).slice(0, 1000)), state: STATES[textIn(one.status)] ?? "pending" }] : [],
    );
  return [{ id: newId("itm"), kind: "plan", entries }];
}
