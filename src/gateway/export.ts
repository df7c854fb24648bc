// A session as a file to keep: what was said and done as Markdown, or all events as JSON.
import { emptyView, fold, type Entry } from "../core/fold.ts";
import { textOf } from "../core/history.ts";
import type { Principal } from "../core/types.ts";
import { sessionDoc, toInfo } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { oneLine } from "../std/text.ts";

export async function exportSession(
  steward: Steward,
  who: Principal,
  id: string,
  format: "md" | "json",
): Promise<{ name: string; mime: string; text: string }> {
  const doc = await sessionDoc(steward, who, id);
  const events = await steward.store.events(id);
  const name = `${(doc.title || "session").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "session"}.${format}`;
  if (format === "json")
    return {
      name,
      mime: "application/json",
      text: JSON.stringify({ session: toInfo(doc, events.at(-1)?.seq ?? 0), metadata: {}, events }, null, 2),
    };
  const lines = fold(emptyView(id), events).entries.flatMap(toMarkdown);
  return {
    name,
    mime: "text/markdown",
    text: `# ${doc.title || "Session"}\n\n${new Date(doc.createdAt).toISOString()}\n\n${lines.join("\n\n")}\n`,
  };
}

function toMarkdown(entry: Entry): string[] {
  if (entry.kind === "message")
    return [
      `**${entry.source ? `Notification from ${entry.source === "computer" ? "the computer" : "outside"}` : "You"}** (${new Date(entry.at).toISOString()})`,
      textOf(entry.parts),
    ];
  if (entry.kind === "end") return entry.error ? [`> Failed: ${entry.error.message}`] : [];
  if (entry.kind !== "item" || entry.state !== "done") return [];
  const { item } = entry;
  if (item.kind === "text") return ["**Steward**", item.text];
  if (item.kind === "notice") return [`> ${item.text}`];
  if (item.kind === "file") return [`> File: ${item.file.name}`];
  if (item.kind === "tool")
    return [`> \`${item.call.tool}\` ${item.result?.success ? "done" : `failed: ${oneLine(item.result?.error ?? "", 200)}`}`];
  return [];
}
