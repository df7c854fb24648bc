// Subagents that work in the background, and messages between them. What they are and what they may is Steward's.
import * as z from "zod/mini";
import type { SubagentWish, Tool } from "../core/ports.ts";

const word = z.optional(z.string());
const input = z.object({
  do: z.enum(["start", "send", "wait", "list", "stop", "resume", "join", "leave", "team"]),
  name: word,
  text: word,
  engine: word,
  model: word,
  dollars: z.optional(z.number()),
  wait: z.optional(z.boolean()),
});

const task: Tool<SubagentWish> = {
  name: "task",
  description:
    "Subagents that work in the background; results come as messages, or with wait at once. start: text is the whole brief. send: to a name, person or #channel. join, leave: a #channel. team: text is the goal.",
  capability: "none",
  effect: "write",
  input,
  repeatable: true,
  run: async (wish, { tasks }) => ({ output: await tasks.act(wish) }),
};

export default [task] as Tool[];
