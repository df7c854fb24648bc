// A tool's surroundings for tests, by hand: a real or made-up computer, everything that the tool did on record. No gate and no journal.
import * as z from "zod/mini";
import type { Computer } from "../core/computer.ts";
import type { Fetch, Memory, Tool, ToolContext, ToolOutput } from "../core/ports.ts";
import { StewardError } from "../std/error.ts";

export interface ToolTrial {
  context: ToolContext;
  /** What the tool showed while it ran, in order. */
  shown: string[];
  asked: { prompt: string; options?: string[] }[];
  undone: (string | undefined)[];
  facts: { id: string; text: string; at: number }[];
}
export interface TrialOptions {
  fetch?: Fetch;
  signal?: AbortSignal;
  /** Taken one by one by `ask`; none left means that nobody answers. */
  answers?: string[];
  /** Applications that may not be used, by any of their names. */
  blocked?: string[];
  /** What `undo` gives back. */
  undo?: { id: string; summary: string; state: string; reason?: string }[];
  /** What a search of earlier messages finds. */
  said?: { session: string; number: number; at: number; text: string }[];
}

export function toolTrial(computer: Computer, options: TrialOptions = {}): ToolTrial {
  const trial = {
    shown: [] as string[],
    asked: [] as ToolTrial["asked"],
    undone: [] as ToolTrial["undone"],
    facts: [] as ToolTrial["facts"],
  };
  const answers = [...(options.answers ?? [])];
  const context: ToolContext = {
    principal: { person: "ada", role: "owner", via: "page" },
    session: "ses_test",
    turn: "trn_test",
    call: "call_test",
    signal: options.signal ?? new AbortController().signal,
    computer,
    fetch: options.fetch ?? (async () => Promise.reject(new StewardError("denied", "There is no network in this test"))),
    output: (text) => void trial.shown.push(text),
    async ask(question) {
      trial.asked.push(question);
      const answer = answers.shift();
      if (answer === undefined) throw new StewardError("denied", "The question was not answered");
      return answer;
    },
    memory: memoryOf(trial.facts, options.said ?? []),
    agents: {
      spawn: async ({ name }) => name,
      send: async (name) => Promise.reject(new StewardError("not_found", `Agent ${name} not found`)),
    },
    tasks: { act: async ({ do: what }) => ({ own: true, did: what }) },
    schedules: async (wish) => ({ wished: wish }),
    own: {
      skill: async (name) => Promise.reject(new StewardError("not_found", `There is no skill ${name}`)),
      change: async ({ target }) => ({ target, undo: "und_test" }),
    },
    mayUse(names) {
      const blocked = names.find((name) => options.blocked?.includes(name));
      if (blocked !== undefined) throw new StewardError("denied", `Permission denied: ${blocked} is a blocked app`);
    },
    async undo(id) {
      trial.undone.push(id);
      return options.undo ?? [];
    },
  };
  return { context, ...trial };
}

function memoryOf(facts: ToolTrial["facts"], said: NonNullable<TrialOptions["said"]>): Memory {
  return {
    list: async () => [...facts],
    async add(text) {
      const id = `fct_${facts.length + 1}`;
      facts.push({ id, text, at: 0 });
      return { id };
    },
    async remove(id) {
      const at = facts.findIndex((fact) => fact.id === id);
      if (at < 0) throw new StewardError("not_found", "There is no such fact");
      facts.splice(at, 1);
    },
    edit: async () => Promise.reject(new StewardError("denied", "There is no JSON memory in this test")),
    search: async (words, limit) => ({ messages: said.filter(({ text }) => text.includes(words)).slice(0, limit), files: [] }),
    async turn(number) {
      const found = said.find((one) => one.number === number);
      if (!found) throw new StewardError("not_found", `There is no message #${number}`);
      return `Person: ${found.text}`;
    },
  };
}

/** Checks the input as the toolbox does, then runs the tool of that name; what it throws becomes `error`. */
export async function use(tools: Tool[], name: string, input: unknown, context: ToolContext): Promise<ToolOutput> {
  const tool = tools.find((one) => one.name === name);
  if (!tool) throw new StewardError("not_found", `Unknown tool: ${name}`);
  try {
    return await tool.run(z.parse(tool.input, input), context);
  } catch (error) {
    if (error instanceof StewardError) return { output: null, error: error.message };
    throw error;
  }
}
