// The table of commands: a line of help each, and where it is loaded from.
import type { Entry } from "./command.ts";

export const commands: Record<string, Entry> = {
  start: {
    summary: "start Steward and open its page (also: plain `steward`)",
    load: async () => (await import("./commands/start.ts")).start,
  },
  stop: { summary: "stop the running Steward", load: async () => (await import("./commands/stop.ts")).stop },
  status: { summary: "whether it runs, where, and how it is", load: async () => (await import("./commands/status.ts")).status },
  chat: { summary: "ask for something, or hold a conversation", load: async () => (await import("./commands/chat.ts")).chat },
  ask: { summary: "open questions, and answering them", load: async () => (await import("./commands/ask.ts")).ask },
  undo: { summary: "take changes back", load: async () => (await import("./commands/undo.ts")).undo },
  sessions: { summary: "list, show, search, export, rename, delete", load: async () => (await import("./commands/sessions.ts")).sessions },
  upload: { summary: "give files to the agent", load: async () => (await import("./commands/upload.ts")).upload },
  documents: {
    summary: "your documents and what came back: list, get, remove",
    load: async () => (await import("./commands/documents.ts")).documents,
  },
  notify: { summary: "tell the agent something, as a program", load: async () => (await import("./commands/notify.ts")).notify },
  notices: {
    summary: "what you were told, and how you want to be told",
    load: async () => (await import("./commands/notices.ts")).notices,
  },
  memory: { summary: "what the agent knows of you, and changing it", load: async () => (await import("./commands/memory.ts")).memory },
  cron: {
    summary: "what is done later or again: add, list, pause, history",
    load: async () => (await import("./commands/cron.ts")).cron,
  },
  heartbeat: { summary: "what HEARTBEAT.md says is done by itself", load: async () => (await import("./commands/heartbeat.ts")).heartbeat },
  skills: {
    summary: "what Steward has learned to do: list, add, check, turn on",
    load: async () => (await import("./commands/skills.ts")).skills,
  },
  identity: {
    summary: "how Steward speaks and what it always knows of you",
    load: async () => (await import("./commands/identity.ts")).identity,
  },
  context: { summary: "what a turn sends to the model, in tokens", load: async () => (await import("./commands/context.ts")).context },
  agents: { summary: "the helper agents of a session", load: async () => (await import("./commands/agents.ts")).agents },
  channels: {
    summary: "chat apps: connect, let people in, what was not delivered",
    load: async () => (await import("./commands/channels.ts")).channels,
  },
  tasks: { summary: "agents that work in the background, and teams", load: async () => (await import("./commands/tasks.ts")).tasks },
  "os-agent": {
    summary: "start with the WebSocket of OS-Agent's programs",
    load: async () => (await import("./commands/os-agent.ts")).osAgent,
  },
  config: { summary: "show and change the configuration", load: async () => (await import("./commands/config.ts")).config },
  secret: { summary: "store keys and passwords", load: async () => (await import("./commands/secret.ts")).secret },
  mcp: { summary: "MCP servers: more tools for the agent", load: async () => (await import("./commands/mcp.ts")).mcp },
  engines: {
    summary: "who can answer, and bringing programs for it",
    load: async () => (await import("./commands/engines.ts")).engines,
  },
  models: { summary: "providers and their models", load: async () => (await import("./commands/models.ts")).models },
  usage: { summary: "what models used and cost, and the budget", load: async () => (await import("./commands/usage.ts")).usage },
  permissions: { summary: "what Steward may do at all", load: async () => (await import("./commands/permissions.ts")).permissions },
  token: { summary: "bearer tokens for programs", load: async () => (await import("./commands/token.ts")).token },
  claim: { summary: "another one-time link into the page", load: async () => (await import("./commands/claim.ts")).claim },
  computer: {
    summary: "what your commands run on: state, restart, self-test",
    load: async () => (await import("./commands/computer.ts")).computer,
  },
  terminal: { summary: "a terminal in your computer", load: async () => (await import("./commands/terminal.ts")).terminal },
  files: { summary: "the files in your computer", load: async () => (await import("./commands/files.ts")).files },
  people: { summary: "who may use this Steward: invite, suspend, remove", load: async () => (await import("./commands/people.ts")).people },
  computers: {
    summary: "everybody's computer: state, stop, restart, reset, remove",
    load: async () => (await import("./commands/computers.ts")).computers,
  },
  health: { summary: "every part, and how it is", load: async () => (await import("./commands/health.ts")).health },
  doctor: { summary: "what is wrong on this machine, and what to do", load: async () => (await import("./commands/doctor.ts")).doctor },
  logs: { summary: "the newest log lines", load: async () => (await import("./commands/logs.ts")).logs },
  completion: { summary: "completion for bash, zsh or fish", load: async () => (await import("./commands/completion.ts")).completion },
  help: { summary: "this list, or help for one command", load: async () => (await import("./commands/help.ts")).help },
};
