// Routes of configuration, models, secrets and logs.
import * as z from "zod/mini";
import { type Route, text, ok, json, numberText, flagText } from "./api-shapes.ts";
import { configSchema } from "./config.ts";

export const settingsRoutes = {
  "config.get": {
    method: "GET",
    path: "/api/config",
    right: "owner",
    summary: "The configuration in force, and where each value came from.",
    response: z.object({ config: configSchema, origins: z.record(text, text), path: text, problem: z.optional(text) }),
  },
  "config.change": {
    method: "PATCH",
    path: "/api/config",
    right: "owner",
    summary: "Sets one dotted key (null removes it).",
    body: z.strictObject({ key: text.check(z.maxLength(200)), value: json }),
    response: z.object({ success: z.literal(true), restart: z.boolean() }),
  },
  "config.schema": {
    method: "GET",
    path: "/api/config/schema",
    right: "self",
    summary: "JSON Schema of the configuration.",
    response: z.looseObject({}),
  },
  "models.list": {
    method: "GET",
    path: "/api/models",
    right: "self",
    summary: "Providers, and with probe=1 (the owner only) which of their models answer.",
    query: z.strictObject({ probe: z.optional(flagText) }),
    response: z.object({
      current: text,
      providers: z.array(
        z.object({ name: text, ready: z.boolean(), keySet: z.boolean(), problem: z.optional(text), models: z.array(text) }),
      ),
    }),
  },
  "secrets.list": {
    method: "GET",
    path: "/api/secrets",
    right: "owner",
    summary: "Names of stored secrets and where each is kept; never their values.",
    response: z.object({ secrets: z.array(z.object({ name: text, where: text })), keychain: z.boolean() }),
  },
  "secrets.set": {
    method: "PUT",
    path: "/api/secrets/:id",
    right: "owner",
    summary: "Stores a secret.",
    body: z.strictObject({ value: text.check(z.minLength(1), z.maxLength(10_000)) }),
    response: z.object({ success: z.literal(true), where: text, note: z.optional(text) }),
  },
  "secrets.remove": { method: "DELETE", path: "/api/secrets/:id", right: "owner", summary: "Forgets a secret.", response: ok },
  "logs.tail": {
    method: "GET",
    path: "/api/logs",
    right: "owner",
    summary: "The newest log lines, redacted.",
    query: z.strictObject({ lines: z.optional(numberText) }),
    response: z.object({ lines: z.array(text) }),
  },
  "server.stop": {
    method: "POST",
    path: "/api/stop",
    right: "owner",
    summary: "Finishes what can be finished in a few seconds and stops.",
    response: ok,
  },
  "openapi.get": {
    method: "GET",
    path: "/api/openapi.json",
    right: "self",
    summary: "This interface as OpenAPI 3.1.",
    response: z.looseObject({}),
  },
} as const satisfies Record<string, Route>;
