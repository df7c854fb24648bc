// Routes about documents that a person gave, files that came back, the JSON memory, notifications and helper agents.
import * as z from "zod/mini";
import { count, id, json, numberText, ok, type Route, text, time } from "./api-shapes.ts";

export const document = z.object({
  id: text,
  name: text,
  mime: text,
  size: count,
  at: time,
  /** Where it came from: given by the person, or handed back by the computer. */
  kind: z.enum(["given", "returned"]),
  /** Where it lies in the computer, for given ones. */
  path: z.optional(text),
  session: z.optional(text),
  /** Of audio: the document that holds what is said in it, or why there is none. Absent while it is being heard. */
  transcript: z.optional(z.object({ id: z.optional(text), problem: z.optional(text) })),
});
const fileName = text.check(z.minLength(1), z.maxLength(255));
export const upload = z.object({ id: text, name: text, size: count, received: count, expiresAt: time });
export type DocumentInfo = z.infer<typeof document>;
export type UploadInfo = z.infer<typeof upload>;
const version = z.object({ id: text, at: time, by: text, memory: text });

export const documentRoutes = {
  "documents.list": {
    method: "GET",
    path: "/api/documents",
    right: "self",
    summary: "Your documents and the files handed back to you, newest first.",
    query: z.strictObject({ session: z.optional(id), limit: z.optional(numberText) }),
    response: z.object({ documents: z.array(document) }),
  },
  "documents.remove": {
    method: "DELETE",
    path: "/api/documents/:id",
    right: "self",
    summary: "Takes a document away, also from /data.",
    response: ok,
  },
  /** Small files: files.upload in one request. Larger ones piece by piece, so that a broken connection loses one piece. */
  "uploads.begin": {
    method: "POST",
    path: "/api/uploads",
    right: "self",
    summary: "Begins an upload in pieces; it can be resumed for a day.",
    body: z.strictObject({ name: fileName, size: count }),
    response: upload,
  },
  "uploads.get": { method: "GET", path: "/api/uploads/:id", right: "self", summary: "How much of it has arrived.", response: upload },
  "uploads.put": {
    method: "PUT",
    path: "/api/uploads/:id",
    right: "self",
    summary:
      "The bytes from `at` on; conflict when that is not what comes next. The last piece makes it a document: then `document` is set.",
    query: z.strictObject({ at: numberText }),
    response: z.object({ upload, document: z.optional(document) }),
    raw: "upload",
  },
  "uploads.remove": { method: "DELETE", path: "/api/uploads/:id", right: "self", summary: "Drops an unfinished upload.", response: ok },
} as const satisfies Record<string, Route>;

const found = { at: time, text, by: z.enum(["words", "meaning", "both"]) };
const hit = z.discriminatedUnion("from", [
  z.object({ from: z.literal("said"), session: text, number: count, ...found }),
  z.object({ from: z.literal("file"), path: text, line: count, ...found }),
  z.object({ from: z.literal("fact"), id: text, ...found }),
]);

const fact = z.object({
  id: text,
  text,
  at: time,
  /** preference, person, project, place, date or other. */
  type: z.optional(text),
  /** In which it was kept. */
  session: z.optional(text),
  turn: z.optional(text),
  /** Words that others may have written had been read there. */
  untrusted: z.optional(z.boolean()),
  /** Kept under a pin to local models: told to no other. */
  local: z.optional(z.boolean()),
});

export const memoryRoutes = {
  "memory.get": {
    method: "GET",
    path: "/api/memory",
    right: "self",
    summary: "Your JSON memory as the agent reads it each turn, and the kept facts.",
    response: z.object({
      memory: text,
      limit: count,
      facts: z.array(fact),
    }),
  },
  "memory.put": {
    method: "PUT",
    path: "/api/memory",
    right: "self",
    summary: "Replaces the JSON memory; kept for undo. before: only while it still says that.",
    body: z.strictObject({ memory: text, before: z.optional(text) }),
    response: z.object({ memory: text }),
  },
  "memory.edit": {
    method: "PATCH",
    path: "/api/memory",
    right: "self",
    summary: "Sets one field of the JSON memory, or removes it when there is no value; `protected`: a field of protected_memory.",
    body: z.strictObject({ field: text, value: z.optional(json), protected: z.optional(z.boolean()) }),
    response: z.object({ memory: text }),
  },
  "memory.reset": {
    method: "POST",
    path: "/api/memory/reset",
    right: "self",
    summary: "Puts the template in its place; kept for undo.",
    response: z.object({ memory: text }),
  },
  "memory.history": {
    method: "GET",
    path: "/api/memory/history",
    right: "self",
    summary: "Earlier versions, newest first.",
    response: z.object({ versions: z.array(version) }),
  },
  "memory.search": {
    method: "GET",
    path: "/api/memory/search",
    right: "self",
    summary:
      "What was said, what is remembered and what stands in files of the workspace: by words, and by meaning where memory.embedding is set; best first.",
    query: z.strictObject({ q: text.check(z.minLength(1), z.maxLength(1000)), limit: z.optional(numberText) }),
    response: z.object({
      hits: z.array(hit),
      /** Why processes that share the store do not share what they know of files and meanings. */
      missing: z.optional(text),
    }),
  },
  "memory.sync": {
    method: "POST",
    path: "/api/memory/sync",
    right: "self",
    summary: "Looks through the workspace and what was said since, and tells what is known now.",
    response: z.object({ files: count, pieces: count, vectors: count, problems: z.array(text), ms: count }),
  },
  "memory.facts": {
    method: "GET",
    path: "/api/memory/facts",
    right: "self",
    summary: "What was kept and forgotten, by whom, newest first; `there`: it is kept now.",
    response: z.object({
      changes: z.array(
        z.object({
          at: time,
          did: z.enum(["kept", "forgotten"]),
          by: z.enum(["you", "agent"]),
          fact: text,
          text,
          session: z.optional(text),
          there: z.boolean(),
        }),
      ),
    }),
  },
  "memory.restore": {
    method: "POST",
    path: "/api/memory/facts/:id/restore",
    right: "self",
    summary: "Brings a forgotten fact back as it was; kept for undo.",
    response: z.object({ fact }),
  },
  "memory.forget": {
    method: "DELETE",
    path: "/api/memory/facts/:id",
    right: "self",
    summary: "Forgets one fact; kept for undo.",
    response: ok,
  },
} as const satisfies Record<string, Route>;

export const notificationRoutes = {
  "notifications.send": {
    method: "POST",
    path: "/api/notifications",
    right: "self",
    summary: "Tells your agent something; it wakes in the session given, or in your newest, and you see it.",
    body: z.strictObject({ message: text.check(z.minLength(1), z.maxLength(10_000)), session: z.optional(id) }),
    response: z.object({ id: text, session: text }),
  },
} as const satisfies Record<string, Route>;

export const agent = z.object({
  name: text,
  /** Its own session, readable like any other. */
  session: text,
  running: z.boolean(),
  /** Open questions of it. */
  asks: count,
  createdAt: time,
  updatedAt: time,
  snippet: z.optional(text),
});
export const agentRoutes = {
  "agents.list": {
    method: "GET",
    path: "/api/sessions/:id/agents",
    right: "self",
    summary: "The helper agents of a session, oldest first.",
    response: z.object({ agents: z.array(agent) }),
  },
} as const satisfies Record<string, Route>;
