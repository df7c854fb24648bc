// Routes of background tasks, the messages between them, and teams.
import * as z from "zod/mini";
import { count, flagText, id, json, numberText, type Route, text, time } from "./api-shapes.ts";

const budget = z.object({ dollars: z.optional(z.number().check(z.minimum(0))), tokens: z.optional(z.int().check(z.minimum(1))) });
export const task = z.object({
  id: text,
  name: text,
  /** waiting: for its turn, for a person, for what it started or for a message. */
  state: z.enum(["waiting", "running", "done", "failed", "stopped"]),
  by: z.enum(["person", "agent", "schedule", "a2a"]),
  /** Its own session, readable like any other. */
  session: text,
  /** The session that gets its result. */
  from: z.optional(text),
  /** The task that started it. */
  parent: z.optional(text),
  engine: text,
  model: text,
  at: time,
  endedAt: z.optional(time),
  /** What it is doing, or waits for. */
  progress: z.optional(text),
  /** Open questions of it. */
  asks: count,
  /** US dollars and tokens, with all that it started. */
  cost: z.number(),
  tokens: count,
  budget: z.optional(budget),
  result: z.optional(z.object({ text, error: z.optional(text), files: z.array(text) })),
  team: z.optional(text),
  /** A helper agent of a session, which goes with it. */
  helper: z.optional(z.boolean()),
});
export type TaskInfo = z.infer<typeof task>;

const channelled = z.object({ n: count, at: time, from: text, text });
export type Channelled = z.infer<typeof channelled>;
const team = z.object({
  name: text,
  about: text,
  roles: z.array(z.object({ name: text, brief: text, engine: z.optional(text), model: z.optional(text), may: z.optional(z.array(text)) })),
});
export type TeamInfo = z.infer<typeof team>;

const words = text.check(z.minLength(1), z.maxLength(100_000));
const key = z.optional(text.check(z.maxLength(200)));

export const taskRoutes = {
  "tasks.list": {
    method: "GET",
    path: "/api/tasks",
    right: "self",
    summary: "Your background tasks and helper agents, oldest first; with open=1 those that are not over.",
    query: z.strictObject({ open: z.optional(flagText) }),
    response: z.object({ tasks: z.array(task) }),
  },
  "tasks.start": {
    method: "POST",
    path: "/api/tasks",
    right: "self",
    summary: "Starts one. `session` gets its result as a message; without it, it is only kept. The same key twice is one task.",
    body: z.strictObject({
      text: words,
      name: z.optional(text.check(z.maxLength(60))),
      engine: z.optional(text.check(z.maxLength(100))),
      model: z.optional(text.check(z.maxLength(200))),
      budget: z.optional(budget),
      session: z.optional(id),
      key,
    }),
    response: task,
  },
  "tasks.get": {
    method: "GET",
    path: "/api/tasks/:id",
    right: "self",
    summary: "One task; with wait=SECONDS (at most 60) once it is over, or as it stands then.",
    query: z.strictObject({ wait: z.optional(numberText) }),
    response: task,
  },
  "tasks.stop": {
    method: "POST",
    path: "/api/tasks/:id/stop",
    right: "self",
    summary: "Stops it and all that it started.",
    response: task,
  },
  "tasks.resume": {
    method: "POST",
    path: "/api/tasks/:id/resume",
    right: "self",
    summary: "Goes on in its session, with what you say, or simply on.",
    body: z.strictObject({ text: z.optional(words), budget: z.optional(budget), key }),
    response: task,
  },
  "tasks.send": {
    method: "POST",
    path: "/api/tasks/messages",
    right: "self",
    summary: "Says something to a task (its id), or to all that listen on a channel (#name). Returns who got it.",
    body: z.strictObject({ to: id, text: words, key }),
    response: z.object({ to: z.array(text) }),
  },
  "bus.list": {
    method: "GET",
    path: "/api/bus",
    right: "self",
    summary: "The channels on which your subagents have talked.",
    response: z.object({ channels: z.array(z.object({ name: text, messages: count, at: time })) }),
  },
  "bus.read": {
    method: "GET",
    path: "/api/bus/:id",
    right: "self",
    summary: "The newest messages of a channel, oldest first.",
    response: z.object({ messages: z.array(channelled) }),
  },
  "teams.list": {
    method: "GET",
    path: "/api/teams",
    right: "self",
    summary: "The teams that the configuration declares (tasks.teams).",
    response: z.object({ teams: z.array(team) }),
  },
  "teams.run": {
    method: "POST",
    path: "/api/teams",
    right: "self",
    summary: "Gives a team a goal. Answers with its lead's task.",
    body: z.strictObject({ team: text.check(z.maxLength(40)), goal: words, key }),
    response: task,
  },
  "a2a.card": {
    method: "GET",
    path: "/.well-known/agent-card.json",
    right: "public",
    summary: "The agent card of A2A, while a2a.serve.enabled is on.",
    response: json,
  },
  "a2a.answer": {
    method: "POST",
    path: "/a2a",
    right: "self",
    summary:
      "A2A (JSON-RPC, versions 1.0 and 0.3), while a2a.serve.enabled is on: what is asked runs contained, each context in a session of its own.",
    body: z.looseObject({ method: z.optional(text) }),
    response: json,
  },
} as const satisfies Record<string, Route>;
