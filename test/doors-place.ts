// For the tests of doors: a Steward with real providers that lead to a scripted model server, and an order whose money and tools are recorded.
import { join } from "node:path";
import type { LanguageModelV4, ModelKind } from "../src/core/ports.ts";
import type { ToolSpec } from "../src/core/ports.ts";
import type { Failure, Principal, ToolCall, ToolResult, Usage } from "../src/core/types.ts";
import { load, names } from "../src/kinds/load.ts";
import type { DoorsOrder, OpenDoors } from "../src/run/doors.ts";
import type { Call } from "../src/run/meter.ts";
import { openModels } from "../src/run/models.ts";
import { outbound } from "../src/run/outbound.ts";
import { openSecrets } from "../src/run/secrets.ts";
import type { Steward } from "../src/run/steward.ts";
import { noLog } from "../src/std/log.ts";
import { modelServer, type ModelServer } from "../src/testing/model-server.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { harness, type HarnessOptions, OWNER, temporary } from "./harness.ts";

/** Looks like a key, and must be seen nowhere but at the provider. */
export const CANARY = "sk-real-CANARY0123456789";

export interface Spent {
  call: Call;
  usage: Usage | undefined;
}
export interface DoorsPlace {
  steward: Steward;
  server: ModelServer;
  /** What was reserved and settled, in order of the settling. */
  spent: Spent[];
  reserved: Call[];
  calls: { call: ToolCall; signal: AbortSignal | undefined }[];
  /** Makes the meter refuse. */
  budget: { refuse?: Error };
  /** Lets this many milliseconds pass. */
  later(ms: number): void;
  order(more?: Partial<DoorsOrder>): DoorsOrder;
  open(more?: Partial<DoorsOrder>): Promise<OpenDoors>;
  close(): Promise<void>;
}
const unused: LanguageModelV4 = {
  specificationVersion: "v4",
  provider: "none",
  modelId: "none",
  supportedUrls: {},
  doGenerate: () => Promise.reject(new Error("not this way")),
  doStream: () => Promise.reject(new Error("not this way")),
};
export const ECHO: ToolSpec = {
  name: "echo",
  description: "Says it again.",
  schema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
};

/** Providers: anthropic, open (OpenAI's wire), ollama, all at the same server. */
export async function doorsPlace({
  patience: { firstByteMs, idleMs } = { firstByteMs: 30_000, idleMs: 30_000 },
  ...options
}: Partial<HarnessOptions> & {
  providers?: Record<string, unknown>;
  /** Milliseconds that providers may be silent. */ patience?: { firstByteMs: number; idleMs: number };
} = {}): Promise<DoorsPlace> {
  const server = await modelServer({ key: CANARY });
  const { home = temporary() } = options;
  const store = await sqlite(join(temporary(), "steward.db"));
  // It goes by the test alone: a model that rests does so for as long as the test says, however slow the machine is.
  const clock = { at: Date.now() };
  const provider = { firstByteMs, idleMs, maxTokens: 500 };
  const steward = harness({
    store,
    model: unused,
    now: () => clock.at,
    ...options,
    home,
    config: {
      "providers.anthropic": { ...provider, baseUrl: `${server.url}/v1` },
      "providers.open": { ...provider, kind: "compatible", baseUrl: `${server.url}/v1` },
      "providers.ollama": { ...provider, baseUrl: server.url },
      ...options.providers,
      ...options.config,
    },
  });
  const env = { STEWARD_KEYCHAIN: "off", ANTHROPIC_API_KEY: CANARY, OPENAI_API_KEY: CANARY };
  const secrets = openSecrets({
    home,
    env,
    envNames: { anthropic: ["ANTHROPIC_API_KEY"], open: ["OPENAI_API_KEY"], ollama: ["OPENAI_API_KEY"] },
  });
  const fetch = outbound({ allow: () => true, log: noLog });
  steward.models = openModels({
    ...{ settings: steward.settings, secrets, breakers: steward.breakers, env, now: steward.now, fetch },
    load: (name) => load<ModelKind>("models", name, { home }),
    names: () => names("models", { home }),
  });
  const place: DoorsPlace = {
    ...{ steward, server, spent: [], reserved: [], calls: [], budget: {} },
    order: (more = {}) => ({
      ...{ principal: OWNER, session: "ses_1", turn: "trn_1", engine: "claude", model: "anthropic/test-1", tools: [ECHO], reach: "direct" },
      async meter(call) {
        if (place.budget.refuse) throw place.budget.refuse;
        place.reserved.push(call);
        return {
          settle: async (usage) => {
            place.spent.push({ call, usage });
          },
        };
      },
      async call(call, how): Promise<ToolResult> {
        place.calls.push({ call, signal: how?.signal });
        return { success: true, output: (call.input as { text?: string }).text ?? null, error: null };
      },
      ...more,
    }),
    later: (ms) => void (clock.at += ms),
    open: (more) => steward.doors.open(place.order(more)),
    async close() {
      await steward.doors.close();
      await fetch.close();
      await server.close();
      await store.close();
    },
  };
  return place;
}

/** A place of one's own, closed whatever happens. */
export async function within(use: (place: DoorsPlace) => Promise<void>): Promise<void> {
  const place = await doorsPlace();
  try {
    await use(place);
  } finally {
    await place.close();
  }
}

export const MEMBER: Principal = { person: "per_ada", role: "member", via: "page" };

export const ask = (doors: OpenDoors, body: object, more: { path?: string; headers?: Record<string, string>; signal?: AbortSignal } = {}) =>
  fetch(doors.models.anthropic + (more.path ?? "/v1/messages"), {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": doors.key, "anthropic-version": "2023-06-01", ...more.headers },
    body: JSON.stringify(body),
    ...(more.signal ? { signal: more.signal } : {}),
  });

/** The data of each event of a stream. */
export const events = (text: string): Record<string, unknown>[] =>
  text.split("\n").flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6)) as Record<string, unknown>] : []));

export const messageOf = (fault: Failure | undefined): string | undefined => fault?.message;
