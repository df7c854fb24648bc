// What was typed in conversations, newest first, in a file that only its owner reads. A file that can't be kept is no failure.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MOST = 1000;
const LONGEST = 4000;

export interface ChatHistory {
  lines: string[];
  keep(lines: string[]): void;
}

export function openHistory(home: string): ChatHistory {
  const path = join(home, "chat-history");
  const read = (): string[] => {
    try {
      return readFileSync(path, "utf8").split("\n").filter(Boolean).reverse().slice(0, MOST);
    } catch {
      return [];
    }
  };
  return {
    lines: read(),
    keep(lines) {
      const text = lines
        .slice(0, MOST)
        .map((line) => line.replace(/\s+/g, " ").slice(0, LONGEST))
        .reverse()
        .join("\n");
      try {
        writeFileSync(path, `${text}\n`, { mode: 0o600 });
      } catch {
        // A read-only home still lets people talk.
      }
    },
  };
}
