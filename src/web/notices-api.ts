// The calls of the page about notifications.
import type { Answered, GivenBody, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const noticePaths = {
  "notices.list": "GET /api/notices",
  "notices.tell": "POST /api/notices",
  "notices.read": "POST /api/notices/:id/read",
  "notices.readAll": "POST /api/notices/read",
  "notices.prefer": "PUT /api/notices/preferences",
} as const satisfies Partial<Record<RouteName, string>>;
export const callNotices = callsOf(noticePaths);

export type Told = Answered<"notices.list">;
export type Notice = Told["notices"][number];
export type Preferences = Told["preferences"];
export type Change = NonNullable<GivenBody<"notices.prefer">>;
