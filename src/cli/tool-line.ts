// A tool call as one line: what it does to what, and how it ended.
import type { Item, ToolCall } from "../core/types.ts";
import { oneLine } from "../std/text.ts";
import { dim, green, red } from "./output.ts";
import { duration } from "./words.ts";

/** What a person looks for first in a call. */
const FIRST = ["command", "path", "source", "query", "pattern", "url", "app_name", "name", "fact", "text", "question"];

export function callText({ tool, input }: ToolCall, limit = 70): string {
  const fields = typeof input === "object" && input !== null ? (input as Record<string, unknown>) : {};
  const first = FIRST.find((name) => typeof fields[name] === "string");
  const destination = typeof fields["destination"] === "string" ? ` → ${fields["destination"]}` : "";
  const rest = Object.keys(fields).length > 0 ? JSON.stringify(fields) : "";
  return oneLine(`${tool} ${first ? `${String(fields[first])}${destination}` : rest}`.trim(), limit);
}

/** The line when it has ended. */
export function endText({ call, result }: Item & { kind: "tool" }, limit = 70): string {
  const text = callText(call, limit);
  if (!result) return `${dim("?")} ${text} ${dim("(unknown whether it ran)")}`;
  const took = result.ms !== undefined && result.ms >= 1000 ? `, ${duration(result.ms)}` : "";
  const notes = `${took}${result.cached ? ", from the cache" : ""}${result.undo?.length ? ", can be undone" : ""}`.slice(2);
  const note = notes ? dim(` (${notes})`) : "";
  return result.success ? `${green("✓")} ${dim(text)}${note}` : `${red("✗")} ${text}: ${oneLine(result.error ?? "failed", 160)}${note}`;
}
