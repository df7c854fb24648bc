// Facts the person asked to keep, the JSON memory, and what was said before. Where they are kept, and undo, are the memory's.
import * as z from "zod/mini";
import type { Tool } from "../core/ports.ts";
import { messageOf, StewardError } from "../std/error.ts";

const MOST_MESSAGES = 20;

const TYPES = ["preference", "person", "project", "place", "date", "other"] as const;
const rememberInput = z.object({ text: z.string(), type: z.optional(z.enum(TYPES)) });
const remember: Tool<z.infer<typeof rememberInput>> = {
  name: "remember",
  description: "Keep a short fact about the person for later sessions.",
  capability: "none",
  effect: "write",
  input: rememberInput,
  async run({ text, type }, { memory }) {
    if (text.trim() === "") throw new StewardError("invalid", "There is nothing to remember");
    const { id } = await memory.add(text, type);
    return { output: `Remembered as ${id}` };
  },
};

const recallInput = z.object({ words: z.optional(z.string()), turn: z.optional(z.number()), session: z.optional(z.string()) });
const recall: Tool<z.infer<typeof recallInput>> = {
  name: "recall",
  description: "Kept facts; with words, also earlier messages; turn: a message's number, gives its turn.",
  capability: "none",
  effect: "read",
  input: recallInput,
  async run({ words = "", turn, session }, { memory }) {
    if (turn !== undefined) return { output: await memory.turn(turn, session) };
    const wanted = words
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    const facts = (await memory.list()).filter(({ text }) => wanted.every((word) => text.toLowerCase().includes(word)));
    const { messages, files } = wanted.length > 0 ? await memory.search(words.trim(), MOST_MESSAGES) : { messages: [], files: [] };
    return { output: { facts: facts.map(dated), messages: messages.map(dated), ...(files.length > 0 ? { files: files.map(dated) } : {}) } };
  },
};

const dated = <T extends { at: number }>(one: T): Omit<T, "at"> & { at: string } => ({ ...one, at: new Date(one.at).toISOString() });

const forgetInput = z.object({ id: z.string() });
const forget: Tool<z.infer<typeof forgetInput>> = {
  name: "forget",
  description: "Drop a kept fact; recall gives ids.",
  capability: "none",
  effect: "write",
  input: forgetInput,
  async run({ id }, { memory }) {
    await memory.remove(id);
    return { output: `Forgot ${id}` };
  },
};

const manageInput = z.object({ field: z.string(), value: z.optional(z.unknown()) });
const manage: Tool<z.infer<typeof manageInput>> = {
  name: "manage_memory",
  description: "Set a field of your <memory>, or delete it: no value. protected_memory is read-only.",
  capability: "none",
  effect: "write",
  input: manageInput,
  async run({ field, value }, { memory }) {
    try {
      await memory.edit(field, value);
      return { output: "Memory updated successfully." };
    } catch (error) {
      return { output: null, error: `Error updating memory: ${messageOf(error)}` };
    }
  },
};

export default [remember, recall, forget, manage] as Tool[];
