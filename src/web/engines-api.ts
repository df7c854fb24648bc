// The calls about engines.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const enginePaths = {
  "engines.list": "GET /api/engines",
  "engines.install": "POST /api/engines/:id/install",
  "engines.cancel": "POST /api/engines/:id/cancel",
  "engines.remove": "DELETE /api/engines/:id",
} as const satisfies Partial<Record<RouteName, string>>;
export const callEngines = callsOf(enginePaths);

export type Engine = Answered<"engines.list">["engines"][number];
export type Program = Engine["programs"][number];
