// Takes back a change that a tool made. The journal, and what can be taken back, are the core's.
import * as z from "zod/mini";
import type { Tool } from "../core/ports.ts";

const input = z.object({ id: z.optional(z.string()).check(z.describe("default: the newest change")) });
const undo: Tool<z.infer<typeof input>> = {
  name: "undo",
  description: "Take back a change made by a tool.",
  capability: "none",
  effect: "write",
  input,
  async run({ id }, context) {
    const entries = await context.undo(id);
    if (entries.length === 0) return { output: [], error: "There is nothing to undo" };
    const failed = entries.filter(({ state }) => state !== "undone");
    if (failed.length === 0) return { output: entries };
    return {
      output: entries,
      error: failed.map(({ summary, reason }) => `Not undone: ${summary}${reason ? ` (${reason})` : ""}`).join("; "),
    };
  },
};

export default [undo] as Tool[];
