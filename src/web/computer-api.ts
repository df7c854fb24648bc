// The calls of the computer's page.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const computerPaths = {
  "computer.get": "GET /api/computer",
  "computer.start": "POST /api/computer/start",
  "computer.restart": "POST /api/computer/restart",
  "computer.reset": "POST /api/computer/reset",
  "computer.processes": "GET /api/computer/processes",
  "computer.test": "POST /api/computer/test",
  "terminals.list": "GET /api/terminals",
  "terminals.make": "POST /api/terminals",
  "terminals.remove": "DELETE /api/terminals/:id",
  "tree.list": "GET /api/computer/files",
  "tree.change": "POST /api/computer/change",
  "documents.list": "GET /api/documents",
  "documents.remove": "DELETE /api/documents/:id",
} as const satisfies Partial<Record<RouteName, string>>;
export const callComputer = callsOf(computerPaths);

export const fileUrl = (path: string): string => `/api/computer/file?path=${encodeURIComponent(path)}`;
export type ComputerInfo = Answered<"computer.get">;
