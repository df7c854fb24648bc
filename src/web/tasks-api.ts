// The calls of the page about background tasks.
import type { Answered, RouteName } from "../core/api.ts";
import { callsOf } from "./calls.ts";

export const taskPaths = {
  "tasks.list": "GET /api/tasks",
  "tasks.start": "POST /api/tasks",
  "tasks.stop": "POST /api/tasks/:id/stop",
  "tasks.resume": "POST /api/tasks/:id/resume",
  "tasks.send": "POST /api/tasks/messages",
  "bus.list": "GET /api/bus",
  "bus.read": "GET /api/bus/:id",
  "teams.list": "GET /api/teams",
  "teams.run": "POST /api/teams",
} as const satisfies Partial<Record<RouteName, string>>;
export const callTasks = callsOf(taskPaths);

export type Task = Answered<"tasks.list">["tasks"][number];
export type Team = Answered<"teams.list">["teams"][number];
