// Agents that speak the Agent Client Protocol, as data: how each is started, where it finds its model, how it differs. No code knows their names.
import * as z from "zod/mini";
import type { ProgramNeed, Wire, Workplace } from "../core/workplace.ts";
import { NO_PROJECT } from "./opencode-config.ts";

const words = z.record(z.string(), z.string());

/** In `command`, `env` and `files`: {key}, {anthropic}, {openai} (the doors' addresses), {model}, {state} (the engine's own folder). */
export const agentConfig = z.strictObject({
  /** The first is a program of `package`, or one that is on the path inside the computer. */
  command: z.optional(z.array(z.string().check(z.minLength(1))).check(z.minLength(1))),
  /** From npm, brought when the owner says so. */
  package: z.optional(z.string()),
  version: z.optional(z.string()),
  env: z._default(words, {}),
  /** Files below {state} that it reads at its start. */
  files: z._default(words, {}),
  /** Way of authentication to choose, by its id. */
  auth: z.optional(z.string()),
  /** Session mode to begin in, by its id. */
  mode: z.optional(z.string()),
  /** Sent with a new session, for what only this agent understands. */
  meta: z.optional(z.record(z.string(), z.unknown())),
});
export type AgentConfig = z.infer<typeof agentConfig>;

export interface Agent extends Omit<AgentConfig, "command"> {
  name: string;
  command: string[];
  wire: Wire;
  about: string;
  licence: string;
  /** The variable of a key of its own: it speaks to its maker's models in a way that no door of Steward's has. */
  account?: string;
  /** More variables where it runs without walls. */
  bare?: Record<string, string>;
  /** What it says in the model's place, which nobody asked for: a pattern for pieces that are left out. */
  noise?: string;
  /** How it says in the model's place what is wrong, and then ends well: a pattern for a turn in which the model said nothing. */
  failure?: string;
}

type Known = Partial<Agent> & { command: string[]; wire: Wire; about: string; licence: string };

const CODEX = `model = "{model}"
model_provider = "steward"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.steward]
name = "Steward"
base_url = "{openai}"
env_key = "CODEX_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false

[features]
apps = false
plugins = false
plugin_discovery_prefetch = false
api_key_model_discovery = false
image_generation = false
guardian_approval = false
`;
const OPENCODE = JSON.stringify({
  autoupdate: false,
  share: "disabled",
  enabled_providers: ["steward"],
  provider: {
    steward: { npm: "@ai-sdk/openai-compatible", options: { baseURL: "{openai}", apiKey: "{key}" }, models: { "{model}": {} } },
  },
  model: "steward/{model}",
  small_model: "steward/{model}",
  permission: { "*": "ask" },
});

export const AGENTS: Readonly<Record<string, Known>> = {
  "claude-agent-acp": {
    command: ["claude-agent-acp"],
    package: "@agentclientprotocol/claude-agent-acp",
    version: "0.100.0",
    wire: "anthropic",
    about: "Claude Code behind the Agent Client Protocol",
    licence: "Apache-2.0, around Anthropic's own program",
    env: {
      ANTHROPIC_BASE_URL: "{anthropic}",
      ANTHROPIC_AUTH_TOKEN: "{key}",
      ANTHROPIC_MODEL: "{model}",
      ANTHROPIC_SMALL_FAST_MODEL: "{model}",
      CLAUDE_CONFIG_DIR: "{state}/claude",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
    meta: { claudeCode: { options: { settingSources: [], strictMcpConfig: true } } },
  },
  codex: {
    command: ["codex-acp"],
    package: "@agentclientprotocol/codex-acp",
    version: "2.6.0",
    wire: "openai",
    about: "Codex, OpenAI's agent",
    licence: "Apache-2.0",
    env: {
      CODEX_HOME: "{state}/codex",
      CODEX_API_KEY: "{key}",
      NO_BROWSER: "1",
      MODEL_PROVIDER: "steward",
      INITIAL_AGENT_MODE: "workspace-write",
    },
    files: { "codex/config.toml": CODEX },
    noise: "^Warning: Model metadata for .* not found",
    failure: '^\\s*(\\{"error"|unexpected status|stream (error|disconnected)|exceeded retry|error sending|We.re currently)',
  },
  gemini: {
    command: ["gemini", "--acp"],
    package: "@google/gemini-cli",
    version: "0.61.0",
    wire: "openai",
    about: "Gemini CLI, Google's agent",
    licence: "Apache-2.0",
    env: { GEMINI_CLI_HOME: "{state}/gemini", GEMINI_TELEMETRY_ENABLED: "false" },
    auth: "gemini-api-key",
    account: "GEMINI_API_KEY",
  },
  goose: {
    command: ["goose", "acp"],
    wire: "openai",
    about: "Goose, an agent of Block",
    licence: "Apache-2.0",
    env: {
      GOOSE_PROVIDER: "openai",
      GOOSE_MODEL: "{model}",
      GOOSE_DISABLE_KEYRING: "1",
      OPENAI_BASE_URL: "{openai}",
      OPENAI_API_KEY: "{key}",
      XDG_CONFIG_HOME: "{state}/goose/config",
      XDG_DATA_HOME: "{state}/goose/data",
      XDG_STATE_HOME: "{state}/goose/state",
    },
  },
  kimi: {
    command: ["kimi", "acp"],
    wire: "openai",
    about: "Kimi CLI, Moonshot's agent",
    licence: "Apache-2.0",
    env: { KIMI_BASE_URL: "{openai}", KIMI_API_KEY: "{key}", KIMI_MODEL_NAME: "{model}", KIMI_SHARE_DIR: "{state}/kimi" },
  },
  opencode: {
    command: ["opencode", "acp"],
    package: "opencode-ai",
    version: "1.18.33",
    wire: "openai",
    about: "OpenCode behind the Agent Client Protocol; engines.opencode is the better way to it",
    licence: "MIT",
    env: {
      OPENCODE_CONFIG_CONTENT: OPENCODE,
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      // Its list of all models takes long to read.
      OPENCODE_MODELS_PATH: "{state}/opencode/models.json",
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      XDG_DATA_HOME: "{state}/opencode/data",
      XDG_CONFIG_HOME: "{state}/opencode/config",
      XDG_STATE_HOME: "{state}/opencode/state",
      XDG_CACHE_HOME: "{state}/opencode/cache",
      npm_config_fetch_retries: "0",
    },
    bare: NO_PROJECT,
    files: { "opencode/models.json": "{}" },
  },
};

/** What is known of it and what the configuration says, which wins. Undefined when neither says how to start it. */
export function agentOf(name: string, given: AgentConfig | undefined): Agent | undefined {
  const known = AGENTS[name];
  const command = given?.command ?? known?.command;
  if (command === undefined) return undefined;
  const own = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined));
  return {
    ...{ wire: "openai" as const, about: "An agent of your own", licence: "unknown" },
    ...known,
    ...own,
    name,
    command,
    env: { ...known?.env, ...given?.env },
    files: { ...known?.files, ...given?.files },
  };
}

export const needOf = ({ command, package: from, version, about, licence }: Agent): ProgramNeed[] =>
  from === undefined || version === undefined ? [] : [{ name: command[0]!, package: from, version, bin: command[0]!, about, licence }];

/** Fills in where the doors are. */
export function filled(text: string, { doors, state }: Workplace, model: string): string {
  const values: Record<string, string> = {
    key: doors.key,
    anthropic: doors.models.anthropic,
    openai: doors.models.openai,
    model: model.slice(model.indexOf("/") + 1),
    state,
  };
  return text.replace(/\{(key|anthropic|openai|model|state)\}/g, (_, name: string) => JSON.stringify(values[name]).slice(1, -1));
}
