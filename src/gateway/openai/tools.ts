// Steward as an MCP server: what other programs may do with it, each call with the rights of the token that it came with.
import * as z from "zod/mini";
import type { ToolSpec } from "../../core/ports.ts";
import { transcript } from "../../core/transcript.ts";
import { toMessages } from "../../core/history.ts";
import type { ToolCall, ToolResult } from "../../core/types.ts";
import { openToolDoor, type ToolDoor } from "../../doors/tools.ts";
import { listSessions, makeSession, sessionDoc } from "../../run/sessions.ts";
import { messageOf, StewardError } from "../../std/error.ts";
import { onceFor } from "../../std/once.ts";
import { clip } from "../../std/text.ts";
import type { Caller } from "../auth.ts";
import { reply } from "../reply.ts";
import type { Gate } from "../table.ts";

interface Served {
  gate: Gate;
  caller: Caller;
  signal: AbortSignal;
  output(text: string): void;
}
interface Offer<I> {
  description: string;
  input: z.ZodMiniType<I>;
  run(input: I, served: Served): Promise<unknown>;
}
const offer = <I>(one: Offer<I>): Offer<unknown> => one;

const MOST_READ = 400;
const MOST_TEXT = 30_000;

const OFFERS: Record<string, Offer<unknown>> = {
  ask_steward: offer({
    description:
      "Says something to Steward, this person's own agent, which works with their files, memory and computer, and waits for its answer. With session, in that conversation; else in a new one.",
    input: z.object({ message: z.string().check(z.minLength(1)), session: z.optional(z.string()) }),
    async run({ message, session }, { gate, caller, signal, output }) {
      const id = session ?? (await makeSession(gate.steward, caller.principal, {})).id;
      if (session !== undefined) await sessionDoc(gate.steward, caller.principal, session);
      const leave = await gate.lanes(id);
      const said: string[] = [];
      try {
        if (signal.aborted) throw new StewardError("unavailable", "The call was given up before its message was said");
        for await (const piece of reply(gate, caller, { session: id, parts: [{ type: "text", text: message }], signal, literal: true })) {
          if (piece.type === "left") throw new StewardError("not_found", "The session ended before the answer");
          if (piece.type === "chunk") {
            said.push(piece.text);
            output(piece.text);
          }
          if (piece.type !== "end") continue;
          if (piece.failed) throw new StewardError("unavailable", piece.text);
          return { session: id, answer: said.join("") };
        }
      } finally {
        leave();
      }
      throw new StewardError("unavailable", "Nobody waits for the answer any more", { hint: `It goes on in session ${id}.` });
    },
  }),
  search_memory: offer({
    description: "Searches what was said to Steward, what it remembers, and the files of the workspace.",
    input: z.object({ words: z.string().check(z.minLength(1)), limit: z.optional(z.int().check(z.minimum(1), z.maximum(100))) }),
    run: async ({ words, limit = 20 }, { gate, caller }) => gate.steward.search.find(caller.principal, { words, limit }),
  }),
  list_sessions: offer({
    description: "This person's conversations with Steward, newest first; query: those with these words.",
    input: z.object({ query: z.optional(z.string()), limit: z.optional(z.int().check(z.minimum(1), z.maximum(200))) }),
    run: async ({ query, limit = 20 }, { gate, caller }) => listSessions(gate.steward, caller.principal, { q: query, limit }),
  }),
  read_session: offer({
    description: "The newest part of one of these conversations.",
    input: z.object({ session: z.string() }),
    async run({ session }, { gate, caller }) {
      await sessionDoc(gate.steward, caller.principal, session);
      return clip(transcript(toMessages(await gate.steward.store.events(session, { last: MOST_READ }))), MOST_TEXT);
    },
  }),
};

const specs = (): ToolSpec[] =>
  Object.entries(OFFERS).map(([name, { description, input }]) => {
    const { $schema: _, ...schema } = z.toJSONSchema(input, { io: "input" });
    return { name, description, schema };
  });

async function called(served: Served, { tool, input }: ToolCall): Promise<ToolResult> {
  const found = Object.hasOwn(OFFERS, tool) ? OFFERS[tool] : undefined;
  try {
    if (!found) throw new StewardError("not_found", `There is no tool ${JSON.stringify(clip(tool, 60))}`);
    const parsed = found.input.safeParse(input);
    if (!parsed.success)
      throw new StewardError(
        "invalid",
        parsed.error.issues.map(({ path, message }) => `${path.join(".") || "arguments"}: ${message}`).join("; "),
      );
    return { success: true, output: await found.run(parsed.data, served), error: null };
  } catch (error) {
    const hint = error instanceof StewardError && error.hint ? `. ${error.hint}` : "";
    return { success: false, output: null, error: `${messageOf(error)}${hint}` };
  }
}

const doors = new WeakMap<Gate, Map<string, Promise<ToolDoor>>>();

/** Credentials whose doors are kept. */
const MOST_DOORS = 500;

/** The same door for all requests of one credential, so that a client can cancel by another request. Never for two: what one may, and whether it still stands, says nothing of the other. */
export async function serveTools(gate: Gate, caller: Caller, { request, body }: { request: Request; body: unknown }): Promise<Response> {
  const { person, role, via } = caller.principal;
  const all = doors.get(gate) ?? new Map<string, Promise<ToolDoor>>();
  doors.set(gate, all);
  const [oldest] = all.keys();
  if (all.size >= MOST_DOORS && oldest !== undefined) all.delete(oldest);
  const door = await onceFor(all, JSON.stringify([caller.by, person, role, via]), () =>
    openToolDoor({
      name: "steward",
      version: gate.steward.version,
      instructions:
        "Steward is a person's own agent. ask_steward gives it work; it may take minutes, and may ask the person something on its own page.",
      tools: async () => specs(),
      call: (call, how) => called({ gate, caller, ...how }, call),
    }),
  );
  return door.answer(request, body);
}
