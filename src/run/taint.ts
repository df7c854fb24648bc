// Whether a session has seen words that others may have written. What follows from that is decided by approval.ts.
import { isData, type Stored } from "../core/events.ts";
import type { Item, ToolResult } from "../core/types.ts";
import { isOf } from "../std/id.ts";
import type { Steward } from "./steward.ts";

/** Kept beside the log, because a compacted window no longer shows the results themselves. */
export const taintKey = (session: string): string => `tainted/${session}`;

/** Steward's own tools whose results are Steward's words or the person's. Every other tool brings words of others. */
const OWN_WORDS = new Set([
  ...["write_file", "edit_file", "move_file", "delete_file", "create_directory", "file_info"],
  ...["remember", "forget", "manage_memory", "undo", "ask_person", "show_plan", "spawn_agent", "find_tools"],
  ...["propose_change", "schedule_task"],
  ...["launch_application", "quit_application", "activate_application"],
]);

/** What failed without any output has said nothing, but for a tool of a server that ran, or of an engine's program: its errors are its words. */
export const fromOutside = ({ call: { id, tool }, group }: Item & { kind: "tool" }, { success, output }: ToolResult): boolean =>
  !OWN_WORDS.has(tool) &&
  (success || (output !== null && output !== undefined) || group !== undefined || isOf("own", id)) &&
  !isOwnSkill(tool, output);

/** Skills that came with Steward, or that this person or its own agent wrote; what a task was told to do. */
const isOwnSkill = (tool: string, output: unknown): boolean =>
  (tool === "read_skill" || tool === "task") && typeof output === "object" && output !== null && (output as { own?: unknown }).own === true;

export async function isTainted({ store }: Steward, session: string, log: Stored[]): Promise<boolean> {
  const seen = log.some(({ event }) => {
    if (event.type === "message.received") return isData(event.source);
    if (event.type !== "item.completed") return false;
    const { item } = event;
    if ((item.kind === "text" || item.kind === "notice") && item.by !== undefined) return true;
    return item.kind === "file" || (item.kind === "tool" && item.result !== undefined && fromOutside(item, item.result));
  });
  return seen || (await store.get(taintKey(session))) === true;
}
