// Shapes that several routes share, and what a route is. The routes themselves stand beside it, api.ts joins them.
import * as z from "zod/mini";

/** public: no credential. self: any principal, own objects only. owner: the owner only. */
export type Right = "public" | "self" | "owner";
export interface Route {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  right: Right;
  summary: string;
  query?: z.ZodMiniType;
  body?: z.ZodMiniType;
  response: z.ZodMiniType;
  /** Not JSON: a stream of server-sent events, a file, or raw bytes in. */
  raw?: "events" | "file" | "upload";
}

export const text = z.string();
export const count = z.int().check(z.minimum(0));
export const time = z.number();
export const ok = z.object({ success: z.literal(true) });
export const json = z.unknown();
export const id = text.check(z.minLength(1), z.maxLength(200));
export const numberText = z.pipe(z.string().check(z.regex(/^\d{1,15}$/)), z.transform(Number));
export const flagText = z.pipe(
  z.enum(["1", "true", "0", "false"]),
  z.transform((value) => value === "1" || value === "true"),
);

export const session = z.object({
  id: text,
  title: text,
  createdAt: time,
  updatedAt: time,
  messages: count,
  /** Newest number of its log; not in lists, which read no logs. */
  seq: z.optional(count),
  engine: z.optional(text),
  model: z.optional(text),
  running: z.boolean(),
  asks: count,
  snippet: z.optional(text),
  /** Only of a helper agent's session, which lists leave out: the session it works for. */
  parent: z.optional(text),
  /** Only of a background task's session, which lists leave out too. */
  task: z.optional(text),
});
export const stored = z.object({ session: text, seq: count, at: time, event: z.looseObject({ type: text }) });
export const ask = z.object({
  id: text,
  session: text,
  turn: text,
  call: text,
  kind: z.enum(["approval", "choice", "text"]),
  prompt: text,
  shows: z.optional(text),
  scope: z.optional(text),
  options: z.array(text),
  openedAt: time,
  expiresAt: time,
});
export const undoEntry = z.object({
  id: text,
  session: text,
  turn: text,
  at: time,
  tool: text,
  summary: text,
  state: z.enum(["done", "undone", "failed", "impossible"]),
  reason: z.optional(text),
  changed: z.optional(z.array(text)),
});
export const token = z.object({
  id: text,
  label: text,
  role: z.enum(["owner", "member", "guest"]),
  createdAt: time,
  usedAt: z.optional(time),
});
export const part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text }),
  z.strictObject({ type: z.literal("file"), id }),
]);
export const health = z.enum(["healthy", "degraded", "unhealthy", "unknown"]);
export const cacheStats = z.object({ size: count, max_size: count, hits: count, misses: count, hit_rate: z.number() });
export const restriction = z.object({
  enabled: z.boolean(),
  restrictions: z.object({
    allow_sudo: z.boolean(),
    blocked_commands: z.array(text),
    allowed_paths: z.array(text),
    blocked_paths: z.array(text),
    allowed_apps: z.array(text),
    blocked_apps: z.array(text),
  }),
});
export const permissions = z.object({ capabilities: z.record(text, restriction) });

/** Every failed request's body: `detail` as the older clients read it, `error` for the rest. */
export const failure = z.object({
  detail: z.unknown(),
  error: z.object({ code: text, message: text, hint: z.optional(text), retryAt: z.optional(time) }),
});
