// Routes about schedules: what is done later or again and again, how its due times ended, and the heartbeat.
import * as z from "zod/mini";
import { count, flagText, id, numberText, type Route, text, time } from "./api-shapes.ts";

const trigger = z.union([
  z.strictObject({ cron: text.check(z.maxLength(200)), zone: z.optional(text.check(z.maxLength(60))) }),
  z.strictObject({ every: count, from: time }),
  /** Every so many days: the number of the first since 1 January 1970, and milliseconds since midnight on the wall. */
  z.strictObject({ days: count, from: count, time: count, zone: z.optional(text.check(z.maxLength(60))) }),
  z.strictObject({ at: time }),
]);
const long = text.check(z.minLength(1), z.maxLength(20_000));
const action = z.union([z.strictObject({ prompt: long }), z.strictObject({ script: long }), z.strictObject({ tell: long })]);
const address = z.strictObject({ channel: id, chat: id, thread: z.optional(id) });
const deliver = z.union([
  z.strictObject({ to: z.literal("session"), session: id }),
  z.strictObject({ to: z.literal("channel"), address }),
  z.strictObject({ to: z.enum(["person", "log"]) }),
]);
const onMissed = z.union([z.strictObject({ within: count }), z.enum(["skip", "ask"])]);
const ceiling = z.strictObject({ dollars: z.optional(z.number().check(z.minimum(0))), tokens: z.optional(count) });
const choices = {
  name: text.check(z.maxLength(200)),
  /** "every weekday at 9", "in 20 minutes", or a cron expression. */
  when: text.check(z.minLength(1), z.maxLength(200)),
  trigger,
  /** For the agent; for the person's own computer, without a model; only told. */
  action,
  deliver,
  /** Each run goes on in it; absent: each begins a fresh one. */
  session: id,
  /** `within`: milliseconds in which a missed time is still made up for. */
  onMissed,
  overlap: z.enum(["skip", "wait", "parallel"]),
  retries: count.check(z.maximum(10)),
  ceiling,
  maxRuns: count.check(z.minimum(1)),
  engine: id,
  model: id,
  pin: z.enum(["local", "engine"]),
};
const optional = Object.fromEntries(Object.entries(choices).map(([key, one]) => [key, z.optional(one)])) as {
  [K in keyof typeof choices]: z.ZodMiniOptional<(typeof choices)[K]>;
};
/** `null` takes it away. */
const { session, ceiling: most, maxRuns, engine, model, pin } = choices;
const taken = Object.fromEntries(
  Object.entries({ session, ceiling: most, maxRuns, engine, model, pin }).map(([key, one]) => [key, z.optional(z.nullable(one))]),
) as { [K in "session" | "ceiling" | "maxRuns" | "engine" | "model" | "pin"]: z.ZodMiniOptional<z.ZodMiniNullable<(typeof choices)[K]>> };
const run = z.object({
  /** The first due time of it, and when there are several that ended alike the last and how many. */
  due: time,
  to: z.optional(time),
  count: z.optional(count),
  outcome: z.enum(["waiting", "queued", "running", "ran", "failed", "missed", "skipped"]),
  reason: z.optional(text),
  asks: z.optional(z.boolean()),
  /** It was missed, and was made up for later. */
  madeUp: z.optional(z.boolean()),
  byHand: z.optional(z.boolean()),
  tries: z.optional(count),
  startedAt: z.optional(time),
  endedAt: z.optional(time),
  session: z.optional(text),
  turn: z.optional(text),
  tokens: z.optional(count),
  cost: z.optional(z.number()),
  said: z.optional(text),
});
const schedule = z.object({
  ...{ ...optional, id: text, name: text, when: text, trigger, action, deliver, onMissed, overlap: choices.overlap, retries: count },
  source: z.enum(["person", "agent", "heartbeat", "builtin"]),
  enabled: z.boolean(),
  /** The agent made it after reading what others may have written, or with nobody there: it waits until you resume it. */
  held: z.boolean(),
  finished: z.boolean(),
  createdAt: time,
  updatedAt: time,
  next: z.optional(time),
  newest: z.optional(run),
  /** Due times that ended so, since it was made. */
  sums: z.object({ ran: count, failed: count, missed: count, skipped: count, byHand: count }),
});
const done = z.object({ schedule });

export const scheduleRoutes = {
  "schedules.list": {
    method: "GET",
    path: "/api/schedules",
    right: "self",
    summary: "Your schedules, those that are due next first, a page at a time. from: how many to leave out. q: words of name or text.",
    query: z.strictObject({ limit: z.optional(numberText), from: z.optional(numberText), q: z.optional(text) }),
    response: z.object({ schedules: z.array(schedule), total: count, zone: text, now: time }),
  },
  "schedules.add": {
    method: "POST",
    path: "/api/schedules",
    right: "self",
    summary: "Schedules something: when in words or as a trigger, and what.",
    body: z.strictObject({ ...optional, action }),
    response: done,
  },
  "schedules.preview": {
    method: "POST",
    path: "/api/schedules/preview",
    right: "self",
    summary: "What words mean as a time, and the next five times; or why they are none. Keeps nothing.",
    body: z.strictObject({ when: choices.when }),
    response: z.object({ trigger: z.optional(trigger), text, next: z.array(time), zone: text, problem: z.optional(text) }),
  },
  "schedules.calendar": {
    method: "GET",
    path: "/api/calendar",
    right: "self",
    summary: "What will run between two times, in order. more: there is more than can be told at once.",
    query: z.strictObject({ from: numberText, to: numberText }),
    response: z.object({
      entries: z.array(z.object({ schedule: text, name: text, at: time, /** So often on that day. */ times: z.optional(count) })),
      more: z.boolean(),
      zone: text,
    }),
  },
  "schedules.get": {
    method: "GET",
    path: "/api/schedules/:id",
    right: "self",
    summary: "One schedule.",
    response: done,
  },
  "schedules.change": {
    method: "PATCH",
    path: "/api/schedules/:id",
    right: "self",
    summary:
      "Changes, pauses (enabled: false) or resumes a schedule; enabled: true also says that you have seen one that waits for that. null takes session, ceiling, maxRuns, engine, model or pin away.",
    body: z.strictObject({ ...optional, ...taken, enabled: z.optional(z.boolean()) }),
    response: done,
  },
  "schedules.remove": {
    method: "DELETE",
    path: "/api/schedules/:id",
    right: "self",
    summary: "Takes a schedule away with its history; kept for undo.",
    response: z.object({ success: z.literal(true), undo: text }),
  },
  "schedules.run": {
    method: "POST",
    path: "/api/schedules/:id/run",
    right: "self",
    summary: "Runs it once now, at most 20 times a minute. missed: the due time of a missed row that is made up for by that.",
    body: z.strictObject({ missed: z.optional(time) }),
    response: z.object({ due: time }),
  },
  "schedules.history": {
    method: "GET",
    path: "/api/schedules/:id/history",
    right: "self",
    summary: "How its due times ended, newest first. before: only earlier ones.",
    query: z.strictObject({ limit: z.optional(numberText), before: z.optional(numberText) }),
    response: z.object({ runs: z.array(run) }),
  },
  "heartbeat.get": {
    method: "GET",
    path: "/api/heartbeat",
    right: "self",
    summary: "What HEARTBEAT.md says that is done by itself, and what of it can't be read. read=1: reads it again first.",
    query: z.strictObject({ read: z.optional(flagText) }),
    response: z.object({ enabled: z.boolean(), sections: z.array(schedule), problems: z.array(text) }),
  },
} as const satisfies Record<string, Route>;
export type ScheduleInfo = z.infer<typeof schedule>;
export type ScheduleRun = z.infer<typeof run>;
