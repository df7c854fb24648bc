// Routes of background tasks, the messages between them, and teams.
import type { Handlers } from "../table.ts";

type Names =
  | "tasks.list"
  | "tasks.start"
  | "tasks.get"
  | "tasks.stop"
  | "tasks.resume"
  | "tasks.send"
  | "bus.list"
  | "bus.read"
  | "teams.list"
  | "teams.run";

const LONGEST_WAIT_S = 60;

export const tasks = {
  "tasks.list": async ({ steward, who, query }) => ({ tasks: await steward.tasks.list(who, query) }),
  "tasks.start": ({ steward, who, body }) => steward.tasks.start(who, body),
  "tasks.get": async ({ steward, who, id, query: { wait = 0 }, visit }) => {
    const found = await steward.tasks.get(who, id);
    if (wait === 0 || found.endedAt !== undefined) return found;
    const limit = AbortSignal.timeout(Math.min(wait, LONGEST_WAIT_S) * 1000);
    return steward.tasks.wait(who, id, AbortSignal.any([limit, visit.request.signal]));
  },
  "tasks.stop": ({ steward, who, id }) => steward.tasks.stop(who, id),
  "tasks.resume": ({ steward, who, id, body }) => steward.tasks.resume(who, id, body),
  "tasks.send": ({ steward, who, body }) => steward.tasks.send(who, body),
  "bus.list": async ({ steward, who }) => ({ channels: await steward.tasks.channels(who) }),
  "bus.read": async ({ steward, who, id }) => ({ messages: await steward.tasks.read(who, id) }),
  "teams.list": async ({ steward, who }) => ({ teams: await steward.tasks.teams(who) }),
  "teams.run": ({ steward, who, body }) => steward.tasks.team(who, body),
} satisfies Pick<Handlers, Names>;
