// The calls of the page about memory.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const memoryPaths = {
  "memory.get": "GET /api/memory",
  "memory.put": "PUT /api/memory",
  "memory.reset": "POST /api/memory/reset",
  "memory.history": "GET /api/memory/history",
  "memory.search": "GET /api/memory/search",
  "memory.sync": "POST /api/memory/sync",
  "memory.facts": "GET /api/memory/facts",
  "memory.restore": "POST /api/memory/facts/:id/restore",
  "memory.forget": "DELETE /api/memory/facts/:id",
} as const satisfies Partial<Record<RouteName, string>>;
export const callMemory = callsOf(memoryPaths);

export type Hit = Answered<"memory.search">["hits"][number];
export type Known = Answered<"memory.get">;
export type Version = Answered<"memory.history">["versions"][number];
export type FactChange = Answered<"memory.facts">["changes"][number];
