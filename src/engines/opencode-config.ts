// How OpenCode is started: where its model and Steward's tools are, what it may do without a question, and what of its own is off.
import type { Turn } from "../core/ports.ts";
import type { Workplace } from "../core/workplace.ts";
import { randomText } from "../std/id.ts";

export interface Settings {
  /** Only Steward's tools, which can be undone. */
  no_tools: boolean;
  /** What changes something is asked about behind walls, too. */
  ask: boolean;
  /** A project's own opencode.json, AGENTS.md, commands, agents and plugins. */
  project: boolean;
  /** Its tool that searches the web. */
  search: boolean;
  outputTokens: number;
  idleSeconds: number;
}

/** The agent that answers: OpenCode's own words about itself are left out, Steward's instructions come with each message. */
export const AGENT = "steward";
const PROVIDER = "steward";
const WORDS = "You work as the agent of Steward. Its instructions follow.";

/** Its own tool, and Steward's that do the same: where Steward's are switched off, so is its own; where both could be had, its own is. */
const SAME: Readonly<{ [tool: string]: string[] }> = {
  bash: ["execute_terminal", "execute_terminal_command"],
  read: ["read_file", "file_info"],
  edit: ["edit_file", "write_file"],
  glob: ["find_files"],
  grep: ["search_files"],
  list: ["list_directory"],
  webfetch: ["fetch_page"],
  todowrite: ["show_plan"],
};
const READING = ["read", "glob", "grep", "list", "todowrite", "todoread", "skill", "lsp"];
/** What it ships with besides: behind walls it runs as Steward's own tools do. */
const WORKING = ["bash", "edit", "webfetch", "websearch", "task"];

interface Rule {
  permission: string;
  pattern: string;
  action: "allow" | "ask" | "deny";
}

/** The last that fits counts, and a session's come after all others: no project changes them. */
export function rulesFor({ mode }: Pick<Workplace, "mode">, { tools }: Pick<Turn, "tools">, { ask, no_tools: none }: Settings): Rule[] {
  const names = new Set(tools.map(({ name }) => name));
  const off = Object.keys(SAME).filter((own) => none || !SAME[own]!.some((name) => names.has(name)));
  if (off.includes("webfetch")) off.push("websearch");
  if (none) off.push("task", "lsp");
  const doubled = Object.keys(SAME).flatMap((own) => (off.includes(own) ? [] : SAME[own]!.map((name) => `steward_${name}`)));
  const free = ask || mode === "full" ? [] : mode === "contained" ? [...WORKING, "external_directory"] : WORKING;
  const rule = (permission: string, action: Rule["action"]): Rule => ({ permission, pattern: "*", action });
  return [
    rule("*", "ask"),
    ...[...READING, ...free].map((name) => rule(name, "allow")),
    ...["question", ...off, ...doubled].map((name) => rule(name, "deny")),
  ];
}

export const modelOf = ({ model }: Pick<Turn, "model">) => ({ providerID: PROVIDER, modelID: model.slice(model.indexOf("/") + 1) });

/** Plugins and servers of a project run unasked: without walls, on the bare machine. */
export const NO_PROJECT = { OPENCODE_DISABLE_PROJECT_CONFIG: "1", OPENCODE_DISABLE_CLAUDE_CODE: "1" };

export function environment(place: Workplace, turn: Turn, settings: Settings): Record<string, string> {
  const { doors, state } = place;
  const { search } = settings;
  return {
    ...doors.env,
    ...{
      XDG_DATA_HOME: `${state}/data`,
      XDG_CONFIG_HOME: `${state}/config`,
      XDG_STATE_HOME: `${state}/state`,
      XDG_CACHE_HOME: `${state}/cache`,
    },
    OPENCODE_CONFIG_CONTENT: JSON.stringify(configuration(place, turn, settings)),
    OPENCODE_SERVER_PASSWORD: randomText(24),
    OPENCODE_CLIENT: "steward",
    OPENCODE_DISABLE_AUTOUPDATE: "1",
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_MODELS_PATH: `${state}/models.json`,
    OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
    OPENCODE_DISABLE_EMBEDDED_WEB_UI: "1",
    OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
    OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1",
    ...(search ? { OPENCODE_ENABLE_EXA: "1" } : {}),
    ...(settings.project && place.mode !== "full" ? {} : NO_PROJECT),
    // A project with plugins has their packages brought first: without a registry that was tried for 90 seconds.
    npm_config_fetch_retries: "0",
  };
}

function configuration(place: Workplace, turn: Turn, settings: Settings): object {
  const { doors } = place;
  const { outputTokens: output } = settings;
  const { modelID } = modelOf(turn);
  const limit = { context: Math.max(turn.window, 4 * output) + output, output };
  const model = {
    name: modelID,
    ...{ attachment: true, tool_call: true, reasoning: true, limit },
    modalities: { input: ["text", "image"], output: ["text"] },
  };
  return {
    ...{ autoupdate: false, share: "disabled", enabled_providers: [PROVIDER], snapshot: false },
    provider: {
      [PROVIDER]: {
        ...{ npm: "@ai-sdk/openai-compatible", name: "Steward" },
        options: { baseURL: doors.models.openai, apiKey: doors.key, timeout: false },
        models: { [modelID]: model },
      },
    },
    ...{ model: `${PROVIDER}/${modelID}`, small_model: `${PROVIDER}/${modelID}` },
    agent: { [AGENT]: { mode: "primary", prompt: WORDS, steps: turn.rounds }, title: { disable: true } },
    default_agent: AGENT,
    permission: Object.fromEntries(rulesFor(place, turn, settings).map(({ permission, action }) => [permission, action])),
    mcp: {
      steward: { type: "remote", url: doors.tools.url, headers: doors.tools.headers, oauth: false, enabled: true, timeout: 24 * 3600_000 },
    },
  };
}
