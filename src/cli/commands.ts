// The table of commands: a line of help each, and where it is loaded from.
import type { Command } from "./command.ts";

interface Entry {
  summary: string;
  load(): Promise<Command>;
}

export const commands: Record<string, Entry> = {
  start: {
    summary: "start Steward and open its page (also: plain `steward`)",
    load: async () => (await import("./commands/start.ts")).start,
  },
  stop: { summary: "stop the running Steward", load: async () => (await import("./commands/stop.ts")).stop },
  status: { summary: "whether it runs, where, and how it is", load: async () => (await import("./commands/status.ts")).status },
  chat: { summary: "ask for something, or hold a conversation", load: async () => (await import("./commands/chat.ts")).chat },
  help: { summary: "this list, or help for one command", load: async () => (await import("./commands/help.ts")).help },
};
