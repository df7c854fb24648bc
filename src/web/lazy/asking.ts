// Tells the owner, wherever on the page, that somebody asks to be let in at a channel: once each. What it uses is handed in, so that it is a file of nothing else.
import type { ask } from "../api.ts";
import type { toast } from "../notices.ts";

interface Given {
  ask: typeof ask;
  toast: typeof toast;
  go(to: string): void;
}
const told = new Set<string>();

export async function tellAsking({ ask, toast, go }: Given): Promise<void> {
  const { pending } = await ask<"pairings.list">("GET /api/pairings", {});
  for (const { id, name, from, channel } of pending) {
    if (told.has(id)) continue;
    told.add(id);
    if (location.pathname !== "/channels")
      toast(`${name || from} asks to be let in at ${channel}.`, { action: { label: "Look", run: () => go("/channels") } });
  }
}
