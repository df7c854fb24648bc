// Every HTTP route as data: method, path, right, shapes. The gateway serves it, the client is typed by it, OpenAPI is made from it.
import * as z from "zod/mini";
import { configSchema } from "./config.ts";

/** public: no credential. self: any principal, own objects only. owner: the owner only. */
export type Right = "public" | "self" | "owner";
export interface Route {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  right: Right;
  summary: string;
  query?: z.ZodMiniType;
  body?: z.ZodMiniType;
  response: z.ZodMiniType;
  /** Not JSON: a stream of server-sent events, a file, or raw bytes in. */
  raw?: "events" | "file" | "upload";
}

const text = z.string();
const count = z.int().check(z.minimum(0));
const time = z.number();
const ok = z.object({ success: z.literal(true) });
const json = z.unknown();
const id = text.check(z.minLength(1), z.maxLength(200));
const numberText = z.pipe(z.string().check(z.regex(/^\d{1,15}$/)), z.transform(Number));
const flagText = z.pipe(z.enum(["1", "true", "0", "false"]), z.transform((value) => value === "1" || value === "true"));

export const session = z.object({
  id: text, title: text, createdAt: time, updatedAt: time, messages: count, seq: count,
  engine: z.optional(text), model: z.optional(text), running: z.boolean(), asks: count, snippet: z.optional(text),
});
export const stored = z.object({ session: text, seq: count, at: time, event: z.looseObject({ type: text }) });
export const ask = z.object({
  id: text, session: text, turn: text, call: text, kind: z.enum(["approval", "choice", "text"]), prompt: text, shows: z.optional(text),
  scope: z.optional(text), options: z.array(text), openedAt: time, expiresAt: time,
});
export const undoEntry = z.object({
  id: text, session: text, turn: text, at: time, tool: text, summary: text, state: z.enum(["done", "undone", "failed", "impossible"]), reason: z.optional(text), changed: z.optional(z.array(text)),
});
export const token = z.object({ id: text, label: text, role: z.enum(["owner", "member", "guest"]), createdAt: time, usedAt: z.optional(time) });
const part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text }),
  z.strictObject({ type: z.literal("file"), id }),
]);
const health = z.enum(["healthy", "degraded", "unhealthy", "unknown"]);
const cacheStats = z.object({ size: count, max_size: count, hits: count, misses: count, hit_rate: z.number() });
const restriction = z.object({
  enabled: z.boolean(),
  restrictions: z.object({
    allow_sudo: z.boolean(), blocked_commands: z.array(text), allowed_paths: z.array(text), blocked_paths: z.array(text), allowed_apps: z.array(text), blocked_apps: z.array(text),
  }),
});
export const permissions = z.object({ capabilities: z.record(text, restriction) });

export const routes = {
  // Who is there
  "health.get": { method: "GET", path: "/api/health", right: "public", summary: "Whether it is up; with a credential also components, breakers, memory, queue and caches.",
    response: z.object({
      status: text, version: z.optional(text), uptimeSeconds: z.optional(z.number()),
      components: z.optional(z.array(z.object({ name: text, status: health, message: text, responseMs: z.optional(z.number()), lastCheck: z.optional(time) }))),
      breakers: z.optional(z.array(z.object({ name: text, state: text, failures: count, since: z.optional(time) }))),
      memory: z.optional(z.object({ residentBytes: count, heapBytes: count })),
      queue: z.optional(z.object({ due: count, later: count, running: count })),
      caches: z.optional(z.record(text, cacheStats)),
      banner: z.optional(text),
    }) },
  "claim.redeem": { method: "POST", path: "/api/claim", right: "public", summary: "Redeems the one-time code of a claim link and sets the cookie.", body: z.strictObject({ code: text.check(z.maxLength(200)) }), response: z.object({ person: text, role: text }) },
  "me.get": { method: "GET", path: "/api/me", right: "self", summary: "Who you are here.", response: z.object({ person: text, role: text, via: text, zone: text, version: text, mode: text, sandbox: text, home: text, workspace: text }) },
  "me.leave": { method: "POST", path: "/api/logout", right: "self", summary: "Ends this browser's session.", response: ok },
  "claim.make": { method: "POST", path: "/api/claim-link", right: "owner", summary: "Makes a new one-time claim link for another browser.", response: z.object({ url: text, expiresAt: time }) },
  "tokens.list": { method: "GET", path: "/api/tokens", right: "owner", summary: "Bearer tokens, without their secret.", response: z.object({ tokens: z.array(token) }) },
  "tokens.make": { method: "POST", path: "/api/tokens", right: "owner", summary: "Makes a bearer token; the secret is shown once.", body: z.strictObject({ label: text.check(z.maxLength(100)) }), response: z.object({ id: text, token: text }) },
  "tokens.remove": { method: "DELETE", path: "/api/tokens/:id", right: "owner", summary: "Revokes a token at once.", response: ok },
  // Sessions
  "sessions.list": { method: "GET", path: "/api/sessions", right: "self", summary: "Your sessions, newest first; with q those whose title or messages hold the words.",
    query: z.strictObject({ q: z.optional(text.check(z.maxLength(500))), limit: z.optional(numberText), before: z.optional(numberText) }), response: z.object({ sessions: z.array(session), total: count }) },
  "sessions.make": { method: "POST", path: "/api/sessions", right: "self", summary: "Makes an empty session.", body: z.strictObject({ title: z.optional(text.check(z.maxLength(200))) }), response: session },
  "sessions.get": { method: "GET", path: "/api/sessions/:id", right: "self", summary: "One session.", response: session },
  "sessions.change": { method: "PATCH", path: "/api/sessions/:id", right: "self", summary: "Renames it, or pins an engine or model (null: back to the default).",
    body: z.strictObject({ title: z.optional(text.check(z.minLength(1), z.maxLength(200))), engine: z.optional(z.nullable(text.check(z.maxLength(100)))), model: z.optional(z.nullable(text.check(z.maxLength(200)))) }), response: session },
  "sessions.remove": { method: "DELETE", path: "/api/sessions/:id", right: "self", summary: "Deletes it; `undo` brings it back within seven days.", response: z.object({ success: z.literal(true), undo: text }) },
  "sessions.clear": { method: "POST", path: "/api/sessions/:id/clear", right: "self", summary: "Empties its history under the same id.", response: ok },
  "sessions.events": { method: "GET", path: "/api/sessions/:id/events", right: "self", summary: "Its events after a number (or the newest `last`). With Accept: text/event-stream a live, resumable stream.",
    query: z.strictObject({ after: z.optional(numberText), before: z.optional(numberText), last: z.optional(numberText), limit: z.optional(numberText) }), response: z.object({ events: z.array(stored), seq: count }), raw: "events" },
  "sessions.say": { method: "POST", path: "/api/sessions/:id/messages", right: "self", summary: "Says something; a running turn takes it up. The same key twice is one message.",
    body: z.strictObject({ parts: z.array(part).check(z.minLength(1), z.maxLength(50)), key: z.optional(text.check(z.maxLength(200))) }), response: z.object({ success: z.literal(true), key: text }) },
  "sessions.cancel": { method: "POST", path: "/api/sessions/:id/cancel", right: "self", summary: "Stops the running turn and everything that it runs.", response: z.object({ success: z.literal(true), stopped: z.boolean() }) },
  "sessions.export": { method: "GET", path: "/api/sessions/:id/export", right: "self", summary: "The session as Markdown or JSON.", query: z.strictObject({ format: z.optional(z.enum(["md", "json"])) }), response: text, raw: "file" },
  "notices.stream": { method: "GET", path: "/api/stream", right: "self", summary: "Server-sent notices: which of your sessions changed, and banners.", response: z.object({ session: text, seq: count }), raw: "events" },
  // Asks and undo
  "asks.list": { method: "GET", path: "/api/asks", right: "self", summary: "Open questions to you.", response: z.object({ asks: z.array(ask) }) },
  "asks.answer": { method: "POST", path: "/api/asks/:id", right: "self", summary: "Answers one, once.",
    body: z.strictObject({ choice: text.check(z.maxLength(10_000)), for: z.optional(z.enum(["once", "task", "scope"])), until: z.optional(time) }), response: ok },
  "grants.list": { method: "GET", path: "/api/grants", right: "self", summary: "Lasting answers in force.", response: z.object({ grants: z.array(z.object({ id: text, scope: text, until: time })) }) },
  "grants.remove": { method: "DELETE", path: "/api/grants/:id", right: "self", summary: "Takes a lasting answer back.", response: ok },
  "undo.list": { method: "GET", path: "/api/undo", right: "self", summary: "What was changed for you, newest first, and whether it can be undone.", query: z.strictObject({ session: z.optional(id), limit: z.optional(numberText) }), response: z.object({ entries: z.array(undoEntry) }) },
  "undo.newest": { method: "POST", path: "/api/undo", right: "self", summary: "Undoes the newest change.", response: z.object({ entries: z.array(undoEntry) }) },
  "undo.one": { method: "POST", path: "/api/undo/:id", right: "self", summary: "Undoes one change.", response: z.object({ entries: z.array(undoEntry) }) },
  // Files
  "files.upload": { method: "POST", path: "/api/files", right: "self", summary: "Uploads the request body; name in the query.", query: z.strictObject({ name: text.check(z.minLength(1), z.maxLength(255)) }), response: z.object({ id: text, name: text, mime: text, size: count }), raw: "upload" },
  "files.get": { method: "GET", path: "/api/files/:id", right: "self", summary: "A file of yours, by its id.", response: text, raw: "file" },
  // Settings
  "config.get": { method: "GET", path: "/api/config", right: "owner", summary: "The configuration in force, and where each value came from.", response: z.object({ config: configSchema, origins: z.record(text, text), path: text, problem: z.optional(text) }) },
  "config.change": { method: "PATCH", path: "/api/config", right: "owner", summary: "Sets one dotted key (null removes it).", body: z.strictObject({ key: text.check(z.maxLength(200)), value: json }), response: z.object({ success: z.literal(true), restart: z.boolean() }) },
  "config.schema": { method: "GET", path: "/api/config/schema", right: "self", summary: "JSON Schema of the configuration.", response: z.looseObject({}) },
  "models.list": { method: "GET", path: "/api/models", right: "self", summary: "Providers, and with probe=1 which of their models answer.", query: z.strictObject({ probe: z.optional(flagText) }),
    response: z.object({ current: text, providers: z.array(z.object({ name: text, ready: z.boolean(), keySet: z.boolean(), problem: z.optional(text), models: z.array(text) })) }) },
  "secrets.list": { method: "GET", path: "/api/secrets", right: "owner", summary: "Names of stored secrets and where each is kept; never their values.", response: z.object({ secrets: z.array(z.object({ name: text, where: text })), keychain: z.boolean() }) },
  "secrets.set": { method: "PUT", path: "/api/secrets/:id", right: "owner", summary: "Stores a secret.", body: z.strictObject({ value: text.check(z.minLength(1), z.maxLength(10_000)) }), response: z.object({ success: z.literal(true), where: text, note: z.optional(text) }) },
  "secrets.remove": { method: "DELETE", path: "/api/secrets/:id", right: "owner", summary: "Forgets a secret.", response: ok },
  "logs.tail": { method: "GET", path: "/api/logs", right: "owner", summary: "The newest log lines, redacted.", query: z.strictObject({ lines: z.optional(numberText) }), response: z.object({ lines: z.array(text) }) },
  "server.stop": { method: "POST", path: "/api/stop", right: "owner", summary: "Finishes what can be finished in a few seconds and stops.", response: ok },
  "openapi.get": { method: "GET", path: "/api/openapi.json", right: "self", summary: "This interface as OpenAPI 3.1.", response: z.looseObject({}) },
  // TWIZZY
  "chat.say": { method: "POST", path: "/api/chat", right: "self", summary: "One message, one whole reply.", body: z.object({ message: text, conversation_id: z.optional(z.nullable(text)) }), response: z.object({ response: text, conversation_id: z.nullable(text) }) },
  "status.get": { method: "GET", path: "/api/status", right: "self", summary: "State of the agent.",
    response: z.object({ running: z.boolean(), conversation_id: z.nullable(text), enabled_capabilities: z.array(text), registered_plugins: z.array(text), conversation_length: count,
      cache_stats: z.object({ file_cache: cacheStats, command_cache: cacheStats, app_cache: cacheStats }), recent_errors: count, model: text, engine: text, mode: text, sandbox: text, version: text }) },
  "clear.do": { method: "POST", path: "/api/clear", right: "self", summary: "Empties the current conversation.", response: z.object({ success: z.literal(true), message: text }) },
  "history.get": { method: "GET", path: "/api/history", right: "self", summary: "The current conversation.",
    response: z.object({ conversation_id: z.nullable(text), title: text, message_count: count, messages: z.array(z.object({ role: text, content: text, timestamp: text })) }) },
  "permissions.get": { method: "GET", path: "/api/permissions", right: "owner", summary: "permissions.json.", response: permissions },
  "permissions.put": { method: "PUT", path: "/api/permissions", right: "owner", summary: "Merges into permissions.json.", body: z.looseObject({ capabilities: z.optional(z.record(text, z.looseObject({}))) }), response: z.object({ success: z.literal(true), message: text }) },
  "permissions.toggle": { method: "POST", path: "/api/permissions/toggle", right: "owner", summary: "Switches one capability.", body: z.object({ capability: text, enabled: z.boolean() }), response: z.object({ success: z.literal(true), capability: text, enabled: z.boolean() }) },
  "apikey.status": { method: "GET", path: "/api/api-key/status", right: "owner", summary: "Whether the default provider has a key.", response: z.object({ configured: z.boolean(), key_prefix: z.nullable(text) }) },
  "apikey.set": { method: "POST", path: "/api/api-key", right: "owner", summary: "Stores the default provider's key.", body: z.object({ api_key: text.check(z.minLength(1)) }), response: z.object({ success: z.literal(true), message: text }) },
  "apikey.env": { method: "POST", path: "/api/api-key/env", right: "owner", summary: "Writes KIMI_API_KEY to .env in Steward's home.", body: z.object({ api_key: text.check(z.minLength(1)) }), response: z.object({ success: z.literal(true), message: text }) },
  "conversations.list": { method: "GET", path: "/api/conversations", right: "self", summary: "At most 100, newest first.",
    response: z.object({ success: z.literal(true), conversations: z.array(z.object({ id: text, title: text, created_at: text, updated_at: text, message_count: count })) }) },
  "conversations.make": { method: "POST", path: "/api/conversations/new", right: "self", summary: "A new, current conversation.", response: z.object({ success: z.literal(true), conversation_id: text }) },
  "conversations.get": { method: "GET", path: "/api/conversations/:id", right: "self", summary: "One conversation with its messages.",
    response: z.object({ success: z.literal(true), conversation: z.object({ id: text, title: text, created_at: text, updated_at: text, messages: z.array(z.object({ role: text, content: text, timestamp: text })), metadata: z.looseObject({}) }) }) },
  "conversations.remove": { method: "DELETE", path: "/api/conversations/:id", right: "self", summary: "Deletes one; an unknown id is a success as well.", response: ok },
  "conversations.switch": { method: "POST", path: "/api/conversations/:id/switch", right: "self", summary: "Makes it the current one.", response: z.object({ success: z.literal(true), conversation_id: text }) },
} as const satisfies Record<string, Route>;

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

/** Every failed request's body: `detail` as the older clients read it, `error` for the rest. */
export const failure = z.object({ detail: z.unknown(), error: z.object({ code: text, message: text, hint: z.optional(text), retryAt: z.optional(time) }) });
