// The calls of the page about channels.
import type { Answered, GivenBody, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const channelPaths = {
  "channels.list": "GET /api/channels",
  "channels.set": "PUT /api/channels/:id",
  "channels.remove": "DELETE /api/channels/:id",
  "channels.test": "POST /api/channels/:id/test",
  "channels.connect": "POST /api/channels/:id/connect",
  "pairings.list": "GET /api/pairings",
  "pairings.accept": "POST /api/pairings/:id/accept",
  "pairings.refuse": "POST /api/pairings/:id/refuse",
  "pairings.approve": "POST /api/pairings",
  "pairings.remove": "POST /api/pairings/remove",
  "letters.list": "GET /api/letters",
  "letters.resend": "POST /api/letters/:id/resend",
  "letters.remove": "DELETE /api/letters/:id",
} as const satisfies Partial<Record<RouteName, string>>;
export const callChannels = callsOf(channelPaths);

type List = Answered<"channels.list">;
export type Channel = List["channels"][number];
export type Kind = List["kinds"][number];
export type Need = Kind["needs"][number];
export type Pairings = Answered<"pairings.list">;
export type Pending = Pairings["pending"][number];
export type Paired = Pairings["paired"][number];
export type Letter = Answered<"letters.list">["letters"][number];
export type Settings = NonNullable<NonNullable<GivenBody<"channels.set">>["settings"]>;
