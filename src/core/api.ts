// Every HTTP route as data: method, path, right, shapes. The gateway serves it, the client is typed by it, OpenAPI is made from it.
import type * as z from "zod/mini";
import { accessRoutes } from "./api-access.ts";
import { commandRoutes } from "./api-commands.ts";
import { computerRoutes } from "./api-computer.ts";
import { doctorRoutes } from "./api-doctor.ts";
import { agentRoutes, documentRoutes, memoryRoutes, notificationRoutes } from "./api-documents.ts";
import { engineRoutes } from "./api-engines.ts";
import { identityRoutes } from "./api-identity.ts";
import { libraryRoutes } from "./api-library.ts";
import { channelRoutes } from "./api-channels.ts";
import { noticeRoutes } from "./api-notices.ts";
import { mcpRoutes } from "./api-mcp.ts";
import { openaiRoutes } from "./api-openai.ts";
import { peopleRoutes } from "./api-people.ts";
import { scheduleRoutes } from "./api-schedules.ts";
import { sessionRoutes } from "./api-sessions.ts";
import { settingsRoutes } from "./api-settings.ts";
import type { session, token, undoEntry } from "./api-shapes.ts";
import { skillRoutes } from "./api-skills.ts";
import { taskRoutes } from "./api-tasks.ts";
import { twizzyRoutes } from "./api-twizzy.ts";
import { usageRoutes } from "./api-usage.ts";

export const routes = {
  ...documentRoutes,
  ...notificationRoutes,
  ...memoryRoutes,
  ...libraryRoutes,
  ...agentRoutes,
  ...skillRoutes,
  ...identityRoutes,
  ...computerRoutes,
  ...accessRoutes,
  ...peopleRoutes,
  ...sessionRoutes,
  ...scheduleRoutes,
  ...commandRoutes,
  ...settingsRoutes,
  ...usageRoutes,
  ...doctorRoutes,
  ...engineRoutes,
  ...channelRoutes,
  ...noticeRoutes,
  ...mcpRoutes,
  ...taskRoutes,
  ...openaiRoutes,
  ...twizzyRoutes,
};

export type Routes = typeof routes;
export type RouteName = keyof Routes;
type Inferred<T> = T extends z.ZodMiniType ? z.infer<T> : undefined;
type Given<T> = T extends z.ZodMiniType ? z.input<T> : undefined;
type Field<N extends RouteName, K extends string> = Routes[N] extends Record<K, infer T> ? T : undefined;
export type Body<N extends RouteName> = Inferred<Field<N, "body">>;
export type Query<N extends RouteName> = Inferred<Field<N, "query">>;
export type GivenBody<N extends RouteName> = Given<Field<N, "body">>;
export type GivenQuery<N extends RouteName> = Given<Field<N, "query">>;
export type Answered<N extends RouteName> = Inferred<Field<N, "response">>;
export type SessionInfo = z.infer<typeof session>;
export type UndoInfo = z.infer<typeof undoEntry>;
export type TokenInfo = z.infer<typeof token>;
