// Routes about notices: what Steward tells a person beside conversations, and how they want it.
import * as z from "zod/mini";
import { ok, type Route, text, time } from "./api-shapes.ts";

const clock = text.check(z.regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 22:00"));
export const notice = z.object({
  id: text,
  text,
  /** Which part says it. */
  from: text,
  at: time,
  urgent: z.boolean(),
  session: z.optional(text),
  /** Channels by which it went out. */
  sent: z.array(text),
  readAt: z.optional(time),
});
const preferences = {
  /** First choice first; channels that are not named come after. */
  channels: z.array(text.check(z.maxLength(64))).check(z.maxLength(50)),
  quiet: z.nullable(z.strictObject({ from: clock, to: clock })),
  urgentAlways: z.boolean(),
  escalateMinutes: z.int().check(z.minimum(1), z.maximum(1440)),
};

export const noticeRoutes = {
  "notices.list": {
    method: "GET",
    path: "/api/notices",
    right: "self",
    summary: "What you were told, newest first, and how you want to be told.",
    response: z.object({
      notices: z.array(notice),
      preferences: z.object(preferences),
      /** Channels by which it goes now, in their order. */
      reachable: z.array(text),
      /** Webhooks of yours: used only once your preferences name them. */
      hooks: z.array(text),
      /** Whose clock the quiet hours follow. */
      zone: text,
    }),
  },
  "notices.tell": {
    method: "POST",
    path: "/api/notices",
    right: "self",
    summary: "Tells you something by the channel that you prefer; the agent is not asked. The owner may tell others.",
    body: z.strictObject({
      text: text.check(z.minLength(1), z.maxLength(4000)),
      urgent: z.optional(z.boolean()),
      person: z.optional(text.check(z.maxLength(64))),
      key: z.optional(text.check(z.maxLength(200))),
    }),
    response: ok,
  },
  "notices.read": {
    method: "POST",
    path: "/api/notices/:id/read",
    right: "self",
    summary: "You have read it; it goes on to no other channel.",
    response: ok,
  },
  "notices.readAll": {
    method: "POST",
    path: "/api/notices/read",
    right: "self",
    summary: "You have read all.",
    response: ok,
  },
  "notices.prefer": {
    method: "PUT",
    path: "/api/notices/preferences",
    right: "self",
    summary: "How you want to be told: channels, quiet hours, what urgent means.",
    body: z.strictObject({
      channels: z.optional(preferences.channels),
      quiet: z.optional(preferences.quiet),
      urgentAlways: z.optional(preferences.urgentAlways),
      escalateMinutes: z.optional(preferences.escalateMinutes),
    }),
    response: z.object(preferences),
  },
} as const satisfies Record<string, Route>;
