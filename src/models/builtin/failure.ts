// Puts a failed or impossible tool call into words, with what to do next.
import type { Call, Result } from "./meaning.ts";
import { nameOf } from "./places.ts";
import { block, code } from "./markdown.ts";

const FILES = [
  "filesystem",
  "read_file",
  "write_file",
  "edit_file",
  "list_directory",
  "move_file",
  "delete_file",
  "create_directory",
  "file_info",
  "find_files",
  "search_files",
];
const APPS = ["applications", "launch_application", "quit_application", "list_running_apps", "activate_application", "get_app_info"];
const SWITCHES = new Map([
  ["execute_terminal_command", "terminal"],
  ...[FILES, APPS].flatMap(([name = "", ...tools]) => tools.map((tool) => [tool, name] as const)),
]);
const NAMES = new Map([
  ["terminal", "Terminal"],
  ["filesystem", "Filesystem"],
  ["applications", "Applications"],
]);

/** Why a tool that was not offered can't be used, and where to turn it on. */
export function missing({ tool }: Call): string {
  const name = SWITCHES.get(tool);
  if (name === undefined) return `I can't do that here: the tool ${code(tool)} is not on offer in this conversation.`;
  return `I can't do that: the **${NAMES.get(name)}** switch is off here. Turn it on under Permissions on the settings page, or in \`permissions.json\` (\`capabilities.${name}.enabled\`).`;
}

/** What went wrong, in words. Works with any error text. */
export function wrong(call: Call, result: Result): string {
  const error = (result.error ?? "").trim() || "it failed without saying why";
  const target = ["path", "source", "app_name", "url"]
    .map((key) => call.input[key])
    .find((value): value is string => typeof value === "string");
  const named = target === undefined ? "it" : code(target);
  if (/^(?:not run|unknown whether)/i.test(error))
    return `${error.replace(/[.]?$/, ".")} I did not try again: look at it first, and say it again if you still want it.`;
  if (call.tool === "undo") return sentence(error);
  if (/^Permission denied: .*(?:not (?:allowed|approved))$|was not answered/i.test(error))
    return `That needed a yes that I did not get, so I left it: ${sentence(error.replace(/^Permission denied: /i, ""))}`;
  if (/denied|not allowed|forbidden|refused|blocked|declined|not permitted|EACCES|EPERM/i.test(error)) return denied(call, error);
  if (call.tool === "execute_terminal_command") return command(call, result, error);
  if (APPS.includes(call.tool) && /session|display|window manager|install the package/i.test(error))
    return `I can't reach the desktop: ${sentence(error.replace(/^Failed to .+?: /, ""))}`;
  if (APPS.includes(call.tool))
    return `That did not work with ${named}: ${sentence(error)} ${call.tool === "launch_application" ? "Check the app's name, or whether it is installed." : "“What apps are running?” shows the names that I can use."}`;
  if (
    /text (?:was )?not found|old_text|does not (?:contain|occur)|no occurrence|occurs|more than once|not unique|several times/i.test(error)
  )
    return `I could not change ${named}: ${sentence(error)} Read the file to see its exact words${/once|unique|several|occurs \d/i.test(error) ? ", or say “replace all”" : ""}.`;
  if (/not empty|non-empty/i.test(error))
    return `${named} is a folder with things in it, so I left it. Say “delete the folder ${String(target)} and everything in it” if all of it should go.`;
  if (/not exist|not found|no such|ENOENT|there is no|nothing (?:is )?(?:there|at)/i.test(error) && FILES.includes(call.tool))
    return `There is no ${named}. I can look for it: say “find ${nameOf(target ?? "")}”.`;
  if (/exists|conflict/i.test(error))
    return `Something is there already, so I changed nothing: ${sentence(error)} Choose another name, or delete the old one first.`;
  if (/not a directory/i.test(error)) return `${named} is a file, not a folder. Say “read ${String(target)}” to see it.`;
  if (/not a file|is a (?:folder|directory)/i.test(error))
    return `${named} is a folder, not a file. Say “list ${String(target)}” to see what is in it.`;
  if (call.tool === "fetch_page") return `I could not fetch ${String(target)}: ${sentence(error)} Check the address and the network.`;
  return `That did not work: ${sentence(error)}`;
}

const sentence = (text: string): string => `${text.replace(/^Error: /, "").replace(/[.!]?$/, "")}.`;

function denied(call: Call, error: string): string {
  const reason = sentence(error.replace(/^permission denied(?: \(\w+\))?: ?/i, ""));
  const name = SWITCHES.get(call.tool);
  return `That was not allowed: ${reason} ${name ? `What I may do is set under Permissions on the settings page (**${NAMES.get(name)}**, its blocked ${name === "terminal" ? "commands" : name === "applications" ? "apps" : "paths"}), or in \`permissions.json\`.` : "What I may do is set under Permissions on the settings page."}`;
}

function command(call: Call, { output }: Result, error: string): string {
  const text = typeof output === "string" ? output.replace(/^Command exited with code -?\d+\s*/, "").trim() : "";
  const shown = text === "" ? "" : `\n\n${block(text)}`;
  const ran = code(String(call.input["command"] ?? "").slice(0, 200));
  if (call.view?.startsWith("copy "))
    return /already exists/i.test(text)
      ? "Something is there already, so I copied nothing. Choose another name, or delete the old one first."
      : `I could not copy it (${error}).${shown}`;
  if (call.view === "size" && /no such file/i.test(text)) return "There is no such folder.";
  if (/read-only file system/i.test(text))
    return `${ran} could not write there: in this mode, commands may write in the workspace only.${shown}`;
  const status = /exit code: (-?\d+)/i.exec(error)?.[1];
  if (status === "127" || /command not found/i.test(text))
    return `There is no such command: ${ran}. It may have to be installed first.${shown}`;
  if (error === "Command was stopped") return `${ran} was stopped.${shown}`;
  if (/timed out/i.test(error)) return `${ran} took too long and was stopped (${error}).${shown}`;
  return `${ran} failed (${status ? `exit code ${status}` : error}).${shown}`;
}
