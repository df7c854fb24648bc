// Prompts for the built-in model from plain lists, shared by its tests.
import type { LanguageModelV4CallOptions, LanguageModelV4Prompt } from "@ai-sdk/provider";
import type { ModelHost } from "../src/core/ports.ts";
import builtin from "../src/models/builtin.ts";

export const TOOLS =
  "execute_terminal_command read_file write_file edit_file list_directory move_file delete_file create_directory file_info find_files search_files launch_application quit_application list_running_apps activate_application get_app_info fetch_page ask_person show_plan remember recall forget undo schedule_task".split(
    " ",
  );
export const host: ModelHost = {
  fetch: () => Promise.reject(new Error("no network")),
  key: async () => undefined,
  env: {},
  now: () => Date.UTC(2026, 6, 31, 12, 5),
};
export const model = (await builtin.open({}, host)).model("rules");

export type Turn = string | { tool: string; input: object; output?: unknown; error?: string } | { reply: string };

/** A prompt from a plain list: the person's texts, calls with their results, closing answers. */
function promptOf(turns: Turn[]): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = [
    { role: "system", content: "You are Steward.\nIt can be undone. Time zone: Europe/Zurich. You run on builtin/rules." },
  ];
  for (const [index, turn] of turns.entries()) {
    if (typeof turn === "string") prompt.push({ role: "user", content: [{ type: "text", text: turn }] });
    else if ("reply" in turn) prompt.push({ role: "assistant", content: [{ type: "text", text: turn.reply }] });
    else {
      const value = JSON.stringify({ success: turn.error === undefined, output: turn.output ?? null, error: turn.error ?? null });
      prompt.push({ role: "assistant", content: [{ type: "tool-call", toolCallId: `c${index}`, toolName: turn.tool, input: turn.input }] });
      prompt.push({
        role: "tool",
        content: [{ type: "tool-result", toolCallId: `c${index}`, toolName: turn.tool, output: { type: "text", value } }],
      });
    }
  }
  return prompt;
}

export const optionsOf = (turns: Turn[], tools = TOOLS): LanguageModelV4CallOptions => ({
  prompt: promptOf(turns),
  tools: tools.map((name) => ({ type: "function", name, inputSchema: { type: "object" } })),
});

/** [text, tool, input]; the last two only when it calls one. */
export async function next(turns: Turn[], tools = TOOLS): Promise<unknown[]> {
  const { content } = await model.doGenerate(optionsOf(turns, tools));
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  return [text, ...content.flatMap((part) => (part.type === "tool-call" ? [part.toolName, JSON.parse(part.input)] : []))];
}
