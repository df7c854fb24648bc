// The shape of config.json, its defaults, and changes by dotted key. Adapters own the shapes of their own entries.
import * as z from "zod/mini";
import { StewardError } from "../std/error.ts";
import { channelsConfig } from "./config-channels.ts";
import { mcpConfig } from "./config-mcp.ts";
import { doorsConfig } from "./config-doors.ts";
import { heartbeatConfig } from "./config-schedules.ts";
import { a2aConfig, tasksConfig } from "./config-tasks.ts";
import { budgetConfig, enginesConfig, failoverConfig, pricesConfig, runtimeConfig } from "./config-engines.ts";

const port = z.int().check(z.minimum(0), z.maximum(65535));
const positive = z.int().check(z.minimum(1));
const adapter = z.record(z.string(), z.looseObject({}));
const HOST = String.raw`(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?`;
const hostPattern = z
  .string()
  .check(z.regex(new RegExp(`^(?:\\*\\.)?${HOST}$`), "must be a host, such as example.org, *.example.org or example.org:8443"));
const exactHost = z.string().check(z.regex(new RegExp(`^${HOST}$`), "must be one host, such as api.example.org"));
/** A secret for programs of a computer: inside, the variable of this name holds a placeholder, which becomes the secret on its way to one of the hosts. */
const boundSecret = z.strictObject({
  /** The name under which it is kept. */
  secret: z.string().check(z.minLength(1)),
  /** Exact hosts, reached by https. */
  hosts: z.array(exactHost).check(z.minLength(1)),
  /** Only in this header. Absent: in any header, and in the query. */
  header: z.optional(z.string().check(z.regex(/^[A-Za-z0-9-]+$/))),
  /** Absent: the owner only. */
  people: z.optional(z.array(z.string())),
});

function isZone(timeZone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone }));
  } catch {
    return false;
  }
}

export const configSchema = z.strictObject({
  server: z._default(
    z.strictObject({
      host: z._default(z.string(), "127.0.0.1"),
      port: z._default(port, 7777),
      /** Further names by which this server may be called (the Host header). */
      hosts: z._default(z.array(z.string()), []),
      /** Exact origins of other pages that may talk to it. */
      origins: z._default(z.array(z.string()), []),
      /** Addresses of proxies in front of it: only what these say of a client's address counts. */
      proxies: z._default(z.array(z.string()), []),
    }),
    () => ({ host: "127.0.0.1", port: 7777, hosts: [], origins: [], proxies: [] }),
  ),
  runtime: runtimeConfig,
  engines: enginesConfig,
  doors: doorsConfig,
  failover: failoverConfig,
  heartbeat: heartbeatConfig,
  prices: pricesConfig,
  mcp: mcpConfig,
  budget: budgetConfig,
  /** "provider/name". Absent: a key in the environment, a reachable Ollama, else builtin/rules. */
  model: z.optional(z.string().check(z.regex(/^[a-z][a-z0-9-]*\/.+$/, 'must be "provider/name", such as ollama/qwen2.5'))),
  providers: z._default(adapter, () => ({})),
  auth: z._default(
    z.strictObject({
      local: z._default(z.enum(["off", "open"]), "off"),
      /** Life of a signed token (JWT) that a program is given. */
      tokenMinutes: z._default(positive, 60),
    }),
    () => ({ local: "off" as const, tokenMinutes: 60 }),
  ),
  computer: z._default(
    z.strictObject({
      /** The owner's mode. */
      mode: z._default(z.enum(["contained", "guarded", "full"]), "guarded"),
      /** What people's own computers are: the name of an adapter, or auto for the strongest that works. */
      kind: z._default(z.string(), "auto"),
      /** Absent: `computers` in Steward's home. */
      stateDir: z.optional(z.string()),
      /** Whether a computer keeps running when nobody uses it. */
      persist: z._default(z.boolean(), true),
      limits: z._default(
        z.strictObject({
          memoryMb: z._default(positive, 2048),
          processes: z._default(positive, 512),
          cpus: z._default(z.number().check(z.minimum(0.1)), 2),
          diskMb: z._default(positive, 10_240),
          /** Longest time of one command; absent: none. */
          commandSeconds: z.optional(positive),
        }),
        () => ({ memoryMb: 2048, processes: 512, cpus: 2, diskMb: 10_240 }),
      ),
      /** Hosts that every computer may reach: `example.org`, `*.example.org`, with `:port` for others than 80 and 443. Others ask. */
      egress: z._default(z.array(hostPattern), []),
      /** By the name of the variable. */
      secrets: z._default(z.record(z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/)), boundSecret), () => ({})),
      docker: z._default(z.looseObject({}), () => ({})),
    }),
    () => ({
      mode: "guarded" as const,
      kind: "auto",
      persist: true,
      limits: { memoryMb: 2048, processes: 512, cpus: 2, diskMb: 10_240 },
      egress: [],
      secrets: {},
      docker: {},
    }),
  ),
  /** OS-Agent's WebSocket. */
  osAgent: z._default(
    z.strictObject({
      enabled: z._default(z.boolean(), false),
      host: z._default(z.string(), "127.0.0.1"),
      port: z._default(port, 8765),
      defaultUser: z._default(z.string(), "demo"),
      defaultSession: z._default(z.string(), "main"),
      requireAuth: z._default(z.boolean(), false),
      /** Folder of this machine from which the owner may upload by path, and where copies of uploads are kept. */
      uploadDir: z.optional(z.string()),
      /** Folder of this machine where copies of returned files are kept. */
      returnDir: z.optional(z.string()),
    }),
    () => ({ enabled: false, host: "127.0.0.1", port: 8765, defaultUser: "demo", defaultSession: "main", requireAuth: false }),
  ),
  /** WebChat and OS-Agent's plain page, with returned files at /files. */
  webchat: z._default(
    z.strictObject({
      enabled: z._default(z.boolean(), false),
      host: z._default(z.string(), "127.0.0.1"),
      port: z._default(port, 8080),
      /** What is at `/`. Absent: OS-Agent's page where its door is turned on, else WebChat. Both are at their own paths too. */
      page: z.optional(z.enum(["chat", "os-agent"])),
    }),
    () => ({ enabled: false, host: "127.0.0.1", port: 8080 }),
  ),
  memory: z._default(
    z.strictObject({
      /** Characters of the JSON memory. */
      limit: z._default(positive, 8000),
      /** Finds by meaning too: a model for embeddings, "provider/name", such as ollama/nomic-embed-text. */
      embedding: z.optional(z.string().check(z.regex(/^[a-z][a-z0-9-]*\/.+$/, 'must be "provider/name", such as ollama/nomic-embed-text'))),
    }),
    () => ({ limit: 8000 }),
  ),
  channels: channelsConfig,
  tasks: tasksConfig,
  a2a: a2aConfig,
  agents: z._default(z.strictObject({ /** Helper agents of one session. */ most: z._default(z.int().check(z.minimum(0)), 4) }), () => ({
    most: 4,
  })),
  notifications: z._default(
    z.strictObject({ /** How often is looked where no event tells. */ pollSeconds: z._default(z.number().check(z.minimum(0.1)), 5) }),
    () => ({ pollSeconds: 5 }),
  ),
  voice: z._default(
    z.strictObject({
      /** The voice that hears uploaded audio: an adapter's name, or that of an entry of `providers` with an adapter as its `kind`. Absent: none does. */
      hear: z.optional(z.string().check(z.minLength(1))),
      /** What is spoken, such as "en". Absent: the voice finds out. */
      language: z.optional(z.string().check(z.regex(/^[a-z]{2,3}$/, 'must be a language such as "en"'))),
      /** For one file. */
      timeoutSeconds: z._default(positive, 600),
      providers: z._default(adapter, () => ({})),
    }),
    () => ({ timeoutSeconds: 600, providers: {} }),
  ),
  /** Absent: `workspace` in Steward's home. */
  workspace: z.optional(z.string()),
  asks: z._default(z.strictObject({ expireMinutes: z._default(z.int().check(z.minimum(1), z.maximum(10_080)), 720) }), () => ({
    expireMinutes: 720,
  })),
  limits: z._default(
    z.strictObject({
      /** Model calls a turn. */
      rounds: z._default(z.int().check(z.minimum(1), z.maximum(500)), 25),
      /** Tokens of history in a request before it is compacted. */
      windowTokens: z._default(z.int().check(z.minimum(1000)), 60_000),
      uploadBytes: z._default(z.int().check(z.minimum(1)), 104_857_600),
      /** Turns of one person that run at the same time; more wait. */
      turnsEach: z._default(positive, 8),
    }),
    () => ({ rounds: 25, windowTokens: 60_000, uploadBytes: 104_857_600, turnsEach: 8 }),
  ),
  /** IANA name. Absent: the machine's. */
  zone: z.optional(z.string().check(z.refine(isZone, "must be a time zone such as Europe/Berlin"))),
  log: z._default(z.strictObject({ level: z._default(z.enum(["debug", "info", "warning", "error"]), "info") }), () => ({
    level: "info" as const,
  })),
  /** Private origins that tools may fetch, such as http://nas.local:8080. */
  outbound: z._default(z.strictObject({ allow: z._default(z.array(z.string()), []) }), () => ({ allow: [] })),
  undo: z._default(z.strictObject({ keepDays: z._default(z.int().check(z.minimum(1)), 30) }), () => ({ keepDays: 30 })),
});
export type Config = z.infer<typeof configSchema>;

/** Throws `invalid` that names each wrong key and what was expected. */
export function parseConfig(value: unknown): Config {
  refusePrototype(value, []);
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown key ${issue.keys.map((key) => [...issue.path, key].join(".")).join(", ")}`
      : `${issue.path.join(".") || "config"}: ${issue.message}`,
  );
  throw new StewardError("invalid", `The configuration is not valid: ${problems.join("; ")}`, {
    hint: "steward config show prints what is in force; steward config set KEY VALUE changes a key.",
  });
}

/** A copy of `value` (a plain object) with the dotted `key` set, or removed when `to` is undefined. */
export function withKey(value: unknown, key: string, to: unknown): Record<string, unknown> {
  const [head = "", ...rest] = key.split(".");
  if (!/^[A-Za-z][\w-]*$/.test(head) || isPrototype(head))
    throw new StewardError("invalid", `"${key}" is not a configuration key`, {
      hint: "Keys are words joined by dots, such as server.port.",
    });
  const old: Record<string, unknown> = isObject(value) ? { ...value } : {};
  if (rest.length > 0) old[head] = withKey(old[head], rest.join("."), to);
  else if (to === undefined) delete old[head];
  else old[head] = to;
  return old;
}

export function valueAt(value: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>((at, name) => (isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined), value);
}

/** JSON Schema of config.json, as published. */
export const configJsonSchema = (): object => z.toJSONSchema(configSchema, { io: "input" });

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isPrototype = (name: string): boolean => name === "__proto__" || name === "constructor" || name === "prototype";

/** Throws `invalid` when any object in `value` has a key that could reach a prototype. */
export function refusePrototype(value: unknown, path: string[] = []): void {
  if (path.length > 64) throw new StewardError("invalid", "Nested too deeply");
  if (Array.isArray(value)) for (const [index, one] of value.entries()) refusePrototype(one, [...path, String(index)]);
  if (!isObject(value)) return;
  for (const [key, one] of Object.entries(value)) {
    if (isPrototype(key)) throw new StewardError("invalid", `The key ${[...path, key].join(".")} is not allowed`);
    refusePrototype(one, [...path, key]);
  }
}
