// Puts a tool's result into words for a person, as Markdown. Failures are in failure.ts, figures of the machine in figures.ts.
import { bytes } from "../../std/text.ts";
import { figures } from "./figures.ts";
import { scheduled } from "./later.ts";
import type { Call, Known, Result } from "./meaning.ts";
import { asText, block, cell, code, plural, table } from "./markdown.ts";
import { factsOf } from "./system.ts";

const MOST = 100;
const LANGUAGES = new Map(
  Object.entries({
    js: "js",
    ts: "ts",
    py: "python",
    sh: "sh",
    json: "json",
    html: "html",
    css: "css",
    yml: "yaml",
    yaml: "yaml",
    go: "go",
    rs: "rust",
    c: "c",
    java: "java",
    rb: "ruby",
    toml: "toml",
    xml: "xml",
    sql: "sql",
  }),
);
const inText = (input: Call["input"], key: string): string => (typeof input[key] === "string" ? input[key] : "");

const added = (input: Call["input"]): string => `I added it at the end of ${code(inText(input, "path"))}.`;

type Telling = (call: Call, output: unknown, known: Known) => string;
const TELL: Record<string, Telling> = {
  read_file: (call, output) => {
    const [path, text] = [inText(call.input, "path"), asText(output)];
    if (text === "") return `${code(path)} is empty.`;
    if (/^<binary file, [\d,]+ bytes>$/.test(text))
      return `${code(path)} is not text: ${bytes(Number(text.replace(/\D/g, "")))} of other data.`;
    return `${code(path)}:\n\n${block(text, LANGUAGES.get(path.split(".").at(-1) ?? ""))}`;
  },
  write_file: ({ input, view }) =>
    view === "append"
      ? added(input)
      : input["content"] === ""
        ? `I created ${code(inText(input, "path"))}, empty.`
        : `I wrote ${plural([...inText(input, "content")].length, "character")} to ${code(inText(input, "path"))}.`,
  edit_file: ({ input, view }) =>
    view === "append"
      ? added(input)
      : `I replaced ${input["all"] ? "every" : ""} ${code(inText(input, "old_text"))} with ${code(inText(input, "new_text"))} in ${code(inText(input, "path"))}.`.replace(
          "  ",
          " ",
        ),
  move_file: ({ input }) => `I moved ${code(inText(input, "source"))} to ${code(inText(input, "destination"))}.`,
  delete_file: ({ input }) => `I deleted ${code(inText(input, "path"))}. “Undo” brings it back.`,
  create_directory: ({ input }) => `The folder ${code(inText(input, "path"))} is there now.`,
  list_directory: listing,
  file_info: (_, output, known) => fileInfo(output, known),
  find_files: ({ input }, output) =>
    hits(
      output,
      {
        none: `I found no file that matches ${code(inText(input, "pattern"))}`,
        some: (count) => `${plural(count, "match").replace(/matchs$/, "matches")} for ${code(inText(input, "pattern"))}`,
      },
      inText(input, "path"),
    ),
  search_files: ({ input }, output) =>
    hits(
      output,
      {
        none: `I found ${code(inText(input, "text"))} in no file`,
        some: (count) => `${plural(count, "place")} with ${code(inText(input, "text"))}`,
      },
      inText(input, "path"),
    ),
  execute_terminal_command: (call, output, known) =>
    figures(call, asText(output), known) ??
    (asText(output).trim() === ""
      ? `${code(inText(call.input, "command"))} ran and printed nothing.`
      : `${code(inText(call.input, "command"))} printed:\n\n${block(asText(output))}`),
  launch_application: ({ input }) => `I opened ${inText(input, "app_name")}.`,
  quit_application: ({ input }) => `I ${input["force"] ? "forced" : "asked"} ${inText(input, "app_name")} to quit.`,
  activate_application: ({ input }) => `${inText(input, "app_name")} is in front now.`,
  list_running_apps: runningApps,
  get_app_info: ({ input }, output) => `${inText(input, "app_name")}:\n\n${table(output)}`,
  fetch_page: ({ input }, output) => page(inText(input, "url"), output),
  schedule_task: scheduled,
  remember: ({ input }) => `I will remember: ${inText(input, "text")}`,
  recall: recalled,
  forget: ({ view }) => `Forgotten${view ? `: ${view.replace(/^forget /, "")}` : ""}.`,
  undo: (_, output) => undone(output),
  ask_person: (_, output) => `You answered: ${asText(output)}`,
  show_plan: () => "The plan is shown.",
};

/** A successful result in words. Works with any output, also from tools that it does not know. */
export function tell(call: Call, result: Result, known: Known): string {
  const telling = Object.hasOwn(TELL, call.tool) ? TELL[call.tool] : undefined;
  if (telling) return telling(call, result.output, known);
  const text = asText(result.output);
  return text.trim() === "" ? `${code(call.tool)} is done.` : `${code(call.tool)} answered:\n\n${block(text)}`;
}

function listing({ input, view }: Call, output: unknown): string {
  const path = inText(input, "path");
  const here = path === "." ? "This folder" : code(path);
  if (!Array.isArray(output)) return `${here}:\n\n${block(asText(output))}`;
  const rest = output.find((item: { type?: unknown } | null) => item?.type === "more") as { name: string } | undefined;
  const all = output
    .filter((item) => item !== rest)
    .flatMap((item: { name?: unknown; type?: unknown; size?: unknown } | null) =>
      typeof item?.name === "string"
        ? [{ name: item.name, folder: item.type === "dir" || item.type === "directory", size: Number(item.size) || 0 }]
        : [],
    );
  const chosen = view === "folders" ? all.filter(({ folder }) => folder) : all;
  const shown = view === "hidden" ? chosen : chosen.filter(({ name }) => !name.startsWith("."));
  const unseen = chosen.length - shown.length;
  const folders = shown.filter(({ folder }) => folder).length;
  const counts = [
    ...(view === "folders" || folders < shown.length ? [] : []),
    ...(shown.length - folders > 0 ? [plural(shown.length - folders, "file")] : []),
    ...(folders > 0 ? [plural(folders, "folder")] : []),
  ];
  const more = unseen > 0 ? `${plural(unseen, "hidden one")} not shown` : "";
  if (shown.length === 0) return `${here} ${view === "folders" ? "has no folders" : "is empty"}${more ? ` (${more})` : ""}.`;
  const title = `${here} has ${counts.join(" and ")}${more ? ` (${more})` : ""}`;
  if (view === "count") return `${title}${rest ? `, and more: ${rest.name}` : ""}.`;
  const lines = [...shown]
    .sort((a, b) => Number(b.folder) - Number(a.folder))
    .slice(0, MOST)
    .map(({ name, folder, size }) => (folder ? `- **${code(`${name}/`)}**` : `- ${code(name)}, ${bytes(size)}`));
  return `${title}:\n\n${cut(lines, shown.length)}${rest ? `\n- ${rest.name}` : ""}`;
}

const cut = (lines: string[], total: number): string =>
  [...lines.slice(0, MOST), ...(total > MOST ? [`- … and ${(total - MOST).toLocaleString("en")} more`] : [])].join("\n");

function fileInfo(output: unknown, { zone }: Known): string {
  if (!output || typeof output !== "object") return block(asText(output));
  const file = output as Record<string, unknown>;
  const at = (value: unknown) =>
    Number.isNaN(Date.parse(String(value)))
      ? String(value)
      : new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "long", timeStyle: "short" }).format(new Date(String(value)));
  const rows = {
    Kind: file["type"] === "dir" ? "folder" : file["type"],
    Size: typeof file["size"] === "number" ? `${bytes(file["size"])} (${plural(file["size"], "byte")})` : undefined,
    Changed: file["modified"] && at(file["modified"]),
    Created: file["created"] && at(file["created"]),
    Permissions: file["permissions"],
  };
  return `${code(String(file["path"] ?? file["name"] ?? "It"))}:\n\n${table(rows)}`;
}

/** What a search answered, as lines: a list of names or of {path, line, text}, on its own or inside an object, or plain text. */
export function found(output: unknown): string[] {
  const inner = output && typeof output === "object" && !Array.isArray(output) ? Object.values(output).find(Array.isArray) : output;
  if (Array.isArray(inner))
    return inner.flatMap((item: unknown) =>
      typeof item === "string" ? [item] : item && typeof item === "object" ? [hit(item as Record<string, unknown>)] : [],
    );
  return typeof output === "string" ? output.split("\n").filter((line) => line.trim() !== "" && !/^no (?:match|file)/i.test(line)) : [];
}
const hit = (item: Record<string, unknown>): string =>
  `${String(item["path"] ?? item["file"] ?? item["name"] ?? "")}${item["line"] === undefined ? "" : `:${String(item["line"])}`}${typeof item["text"] === "string" ? `: ${item["text"].trim()}` : ""}`;

function hits(output: unknown, words: { none: string; some(count: number): string }, where: string): string {
  const notes = found(output).filter((line) => line.startsWith("…"));
  const lines = found(output).filter((line) => !line.startsWith("…"));
  const place = where ? ` in ${code(where)}` : "";
  return lines.length === 0
    ? `${words.none}${place}.`
    : `${words.some(lines.length)}${place}:\n\n${cut(
        lines.slice(0, MOST).map((line) => `- ${code(line.slice(0, 300))}`),
        lines.length,
      )}${notes.map((note) => `\n- ${note.replace(/^…:0: /, "… ")}`).join("")}`;
}

function runningApps({ view }: Call, output: unknown): string {
  const names = found(output);
  if (view) {
    const wanted = view.slice(3);
    return names.some((name) => name.toLowerCase().includes(wanted.toLowerCase()))
      ? `Yes, ${wanted} is running.`
      : `No, ${wanted} is not running.`;
  }
  return names.length === 0
    ? "No apps are running."
    : `${plural(names.length, "app")} ${names.length === 1 ? "is" : "are"} running:\n\n${cut(
        names.map((name) => `- ${cell(name)}`),
        names.length,
      )}`;
}

function page(url: string, output: unknown): string {
  const data = output && typeof output === "object" ? (output as Record<string, unknown>) : { text: output };
  const text = asText(data["text"] ?? data["content"] ?? data["markdown"] ?? "").trim();
  if (text === "") return `${url} has no text.`;
  const first =
    text.length <= 1200 ? text : `${text.slice(0, Math.max(text.lastIndexOf(". ", 1200) + 1, text.lastIndexOf("\n", 1200), 600)).trim()} …`;
  const title = typeof data["title"] === "string" && data["title"] ? `**${cell(data["title"])}**, ` : "";
  return `${title}${url}${text.length > first.length ? " begins" : ""}:\n\n${first
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n")}`;
}

function recalled({ input }: Call, output: unknown): string {
  const facts = factsOf(output);
  const said = found(
    output && typeof output === "object" && !Array.isArray(output)
      ? (Object.values(output)
          .filter(Array.isArray)
          .find((list) => list.length > 0 && typeof list[0]?.id !== "string") ?? [])
      : facts.length > 0
        ? []
        : output,
  );
  const about = inText(input, "words");
  const lines = facts.map(({ id, text }) => `- ${text} (${code(id)})`);
  const heard = said
    .filter((line) => !/^(?:: )?(?:what|do you|recall|forget)\b/i.test(line))
    .map((line) => `- ${line.replace(/^: /, "").slice(0, 300)}`);
  if (facts.length === 0 && heard.length === 0)
    return about ? `I know nothing about “${about}”.` : "I know nothing about you yet. Say “remember that …” and I will keep it.";
  return [
    ...(lines.length > 0 ? [`I remember:\n\n${cut(lines, lines.length)}`] : []),
    ...(heard.length > 0 ? [`Said before:\n\n${cut(heard, heard.length)}`] : []),
  ].join("\n\n");
}

function undone(output: unknown): string {
  const entries = Array.isArray(output) ? (output as { summary?: unknown; state?: unknown; reason?: unknown }[]) : [];
  if (entries.length === 0) return typeof output === "string" && output !== "" ? output : "There is nothing to undo.";
  const lines = entries.map(({ summary, state, reason }) =>
    state === "undone" ? `Undone: ${String(summary)}` : `Not undone: ${String(summary)}${reason ? ` (${String(reason)})` : ""}`,
  );
  return lines.length === 1
    ? `${lines[0]}.`
    : cut(
        lines.map((line) => `- ${line}`),
        lines.length,
      );
}
