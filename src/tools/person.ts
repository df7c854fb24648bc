// Talks to the person in the middle of a turn: a question, a plan. Where and how they are shown is the client's.
import * as z from "zod/mini";
import type { Tool } from "../core/ports.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";

const MOST_OPTIONS = 20;
const MOST_ENTRIES = 100;

const askInput = z.object({ question: z.string(), options: z.optional(z.array(z.string())) });
const askPerson: Tool<z.infer<typeof askInput>> = {
  name: "ask_person",
  description: "Ask the person and wait for the answer, when you can't go on without it.",
  capability: "none",
  effect: "read",
  input: askInput,
  async run({ question, options = [] }, { ask }) {
    const prompt = question.trim();
    if (prompt === "") throw new StewardError("invalid", "The question is empty");
    const offered = [...new Set(options.map((option) => option.trim()))].filter((option) => option !== "");
    if (offered.length > MOST_OPTIONS) throw new StewardError("invalid", `At most ${MOST_OPTIONS} options can be offered`);
    return { output: await ask(offered.length > 0 ? { prompt, options: offered } : { prompt }) };
  },
};

const planInput = z.object({
  entries: z.array(z.object({ text: z.string(), state: z._default(z.enum(["pending", "active", "done"]), "pending") })),
});
const showPlan: Tool<z.infer<typeof planInput>> = {
  name: "show_plan",
  description: "Show the person your whole plan for a longer task; again when it changes.",
  capability: "none",
  effect: "read",
  input: planInput,
  async run({ entries }) {
    if (entries.length === 0) throw new StewardError("invalid", "The plan is empty");
    if (entries.length > MOST_ENTRIES) throw new StewardError("invalid", `A plan can have at most ${MOST_ENTRIES} entries`);
    return { output: "Plan shown", items: [{ id: newId("itm"), kind: "plan", entries }] };
  },
};

export default [askPerson, showPlan] as Tool[];
