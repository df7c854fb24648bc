// Routes of sessions: list, change, say, follow, export.
import * as z from "zod/mini";
import { type Route, text, count, ok, numberText, session, stored, part } from "./api-shapes.ts";

export const sessionRoutes = {
  "sessions.list": {
    method: "GET",
    path: "/api/sessions",
    right: "self",
    summary: "Your sessions, newest first; with q those whose title or messages hold the words.",
    query: z.strictObject({ q: z.optional(text.check(z.maxLength(500))), limit: z.optional(numberText), before: z.optional(numberText) }),
    response: z.object({ sessions: z.array(session), total: count }),
  },
  "sessions.make": {
    method: "POST",
    path: "/api/sessions",
    right: "self",
    summary: "Makes an empty session.",
    body: z.strictObject({ title: z.optional(text.check(z.maxLength(200))) }),
    response: session,
  },
  "sessions.get": { method: "GET", path: "/api/sessions/:id", right: "self", summary: "One session.", response: session },
  "sessions.change": {
    method: "PATCH",
    path: "/api/sessions/:id",
    right: "self",
    summary: "Renames it, or pins an engine or model (null: back to the default).",
    body: z.strictObject({
      title: z.optional(text.check(z.minLength(1), z.maxLength(200))),
      engine: z.optional(z.nullable(text.check(z.maxLength(100)))),
      model: z.optional(z.nullable(text.check(z.maxLength(200)))),
    }),
    response: session,
  },
  "sessions.remove": {
    method: "DELETE",
    path: "/api/sessions/:id",
    right: "self",
    summary: "Deletes it; `undo` brings it back within seven days.",
    response: z.object({ success: z.literal(true), undo: text }),
  },
  "sessions.clear": {
    method: "POST",
    path: "/api/sessions/:id/clear",
    right: "self",
    summary: "Empties its history under the same id.",
    response: ok,
  },
  "sessions.events": {
    method: "GET",
    path: "/api/sessions/:id/events",
    right: "self",
    summary: "Its events after a number (or the newest `last`). With Accept: text/event-stream a live, resumable stream.",
    query: z.strictObject({
      after: z.optional(numberText),
      before: z.optional(numberText),
      last: z.optional(numberText),
      limit: z.optional(numberText),
    }),
    response: z.object({ events: z.array(stored), seq: count }),
    raw: "events",
  },
  "sessions.say": {
    method: "POST",
    path: "/api/sessions/:id/messages",
    right: "self",
    summary:
      "Says something; a running turn of the same rights takes it up. The same key twice is one message. A command is answered at once: `reply`, with the `session` to go on in when it is another.",
    body: z.strictObject({
      parts: z.array(part).check(z.minLength(1), z.maxLength(50)),
      key: z.optional(text.check(z.maxLength(200))),
      /** Whether the model shall reason. */
      think: z.optional(z.boolean()),
    }),
    response: z.object({ success: z.literal(true), key: text, reply: z.optional(z.object({ text, session: z.optional(text) })) }),
  },
  "sessions.cancel": {
    method: "POST",
    path: "/api/sessions/:id/cancel",
    right: "self",
    summary: "Stops the running turn and everything that it runs.",
    response: z.object({ success: z.literal(true), stopped: z.boolean() }),
  },
  "sessions.export": {
    method: "GET",
    path: "/api/sessions/:id/export",
    right: "self",
    summary: "The session as Markdown or JSON.",
    query: z.strictObject({ format: z.optional(z.enum(["md", "json"])) }),
    response: text,
    raw: "file",
  },
  "notices.stream": {
    method: "GET",
    path: "/api/stream",
    right: "self",
    summary: "Server-sent notices: which of your sessions changed, and banners.",
    response: z.object({ session: text, seq: count }),
    raw: "events",
  },
} as const satisfies Record<string, Route>;
