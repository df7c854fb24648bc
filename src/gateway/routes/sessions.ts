// Routes about sessions: list, make, read, say, cancel, follow, export.
import { choose } from "../../commands/choose.ts";
import { cancelTurn, say } from "../../run/inbox.ts";
import {
  changeSession,
  clearSession,
  getSession,
  listSessions,
  makeSession,
  removeSession,
  sessionDoc,
  sessionEvents,
} from "../../run/sessions.ts";
import { exportSession } from "../export.ts";
import { fileHeaders } from "../headers.ts";
import { noticeSource } from "../notices.ts";
import { eventStream, sessionSource } from "../stream.ts";
import type { Handlers } from "../table.ts";

type Names =
  | "sessions.list"
  | "sessions.make"
  | "sessions.get"
  | "sessions.change"
  | "sessions.remove"
  | "sessions.clear"
  | "sessions.events"
  | "sessions.say"
  | "sessions.cancel"
  | "sessions.export"
  | "notices.stream";

const wantsStream = (request: Request): boolean => request.headers.get("accept")?.toLowerCase().includes("text/event-stream") ?? false;

function lastEventId(request: Request): number {
  const id = request.headers.get("last-event-id") ?? "";
  return /^\d{1,15}$/.test(id) ? Number(id) : 0;
}

export const sessions = {
  "sessions.list": ({ steward, who, query }) => listSessions(steward, who, query),
  "sessions.make": ({ steward, who, body }) => makeSession(steward, who, body),
  "sessions.get": ({ steward, who, id }) => getSession(steward, who, id),
  "sessions.change": async ({ steward, who, id, body: { title, engine, model } }) => {
    const wish = { ...(engine === undefined ? {} : { engine }), ...(model === undefined ? {} : { model }) };
    if (Object.keys(wish).length > 0) await choose(steward, who, { scope: "session", session: id, ...wish });
    return title === undefined ? getSession(steward, who, id) : changeSession(steward, who, id, { title });
  },
  "sessions.remove": async ({ steward, who, id }) => ({ success: true, ...(await removeSession(steward, who, id)) }),
  "sessions.clear": async ({ steward, who, id }) => {
    await clearSession(steward, who, id);
    return { success: true };
  },
  "sessions.events": async ({ gate, steward, visit, who, caller, id, query }) => {
    if (!wantsStream(visit.request)) return sessionEvents(steward, who, id, query);
    await sessionDoc(steward, who, id);
    return eventStream(
      visit,
      caller,
      sessionSource(gate, caller, { session: id, after: Math.max(query.after ?? 0, lastEventId(visit.request)) }),
    );
  },
  "sessions.say": async ({ steward, who, id, body }) => ({
    success: true,
    ...(await say(steward, who, {
      session: id,
      parts: body.parts,
      key: body.key,
      ...(body.think === undefined ? {} : { think: body.think }),
    })),
  }),
  "sessions.cancel": async ({ steward, who, id }) => ({ success: true, stopped: await cancelTurn(steward, who, id) }),
  "sessions.export": async ({ steward, who, id, query }) => {
    const { name, mime, text } = await exportSession(steward, who, id, query.format ?? "md");
    return new Response(text, { headers: fileHeaders({ name, mime, download: true }) });
  },
  "notices.stream": ({ gate, visit, caller }) => eventStream(visit, caller, noticeSource(gate, caller)),
} satisfies Pick<Handlers, Names>;
