// The calls of the page about people.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const peoplePaths = {
  "people.list": "GET /api/people",
  "people.invite": "POST /api/people",
  "people.link": "POST /api/people/:id/link",
  "people.change": "PATCH /api/people/:id",
  "people.remove": "DELETE /api/people/:id",
  "computers.list": "GET /api/computers",
  "computers.act": "POST /api/computers/:id",
} as const satisfies Partial<Record<RouteName, string>>;
export const callPeople = callsOf(peoplePaths);

export type Person = Answered<"people.list">["people"][number];
export type Computers = Answered<"computers.list">;
export type Machine = Computers["computers"][number]["machine"];
