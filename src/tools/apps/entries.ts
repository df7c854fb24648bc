// The installed applications of a Linux desktop, out of their .desktop files (Desktop Entry Specification 1.5). Starting them is linux.ts's.
import type { Named } from "./match.ts";

export interface Entry extends Named {
  /** As gtk-launch wants it: the path below `applications/` with `-` for `/`, without `.desktop`. */
  id: string;
  path: string;
  /** What to run: program and arguments, no shell. Empty when the application can only be reached by D-Bus. */
  argv: string[];
  terminal: boolean;
  /** Told by windows of this application, in lower case. */
  classes: string[];
}

const KEYS = "Type|Name|GenericName|Exec|TryExec|StartupWMClass|NoDisplay|Hidden|Terminal";

/** Prints `path NUL line` for the lines of interest of all entries in these data folders. */
export const entriesCommand = (folders: string[]): string[] => [
  "grep",
  "-RsHZE",
  "--include=*.desktop",
  `^(\\[|(${KEYS})(\\[[^]]*\\])? *=)`,
  "--",
  ...folders.map((folder) => `${folder}/applications`),
];

/** Earlier folders win over later ones with the same id. */
export function readEntries(printed: string, folders: string[]): Entry[] {
  const files = new Map<string, string[]>();
  for (const line of printed.split("\n")) {
    const mark = line.indexOf("\0");
    if (mark < 0) continue;
    const path = line.slice(0, mark);
    files.set(path, [...(files.get(path) ?? []), line.slice(mark + 1)]);
  }
  const byId = new Map<string, Entry | undefined>();
  for (const folder of folders)
    for (const [path, lines] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const root = `${folder}/applications/`;
      const id = path.slice(root.length, -".desktop".length).replaceAll("/", "-");
      if (path.startsWith(root) && !byId.has(id)) byId.set(id, entryOf(id, path, mainGroup(lines)));
    }
  return [...byId.values()].filter((entry) => entry !== undefined);
}

/** The keys of `[Desktop Entry]`; other groups are actions. */
function mainGroup(lines: string[]): Map<string, string> {
  const keys = new Map<string, string>();
  let group = "";
  for (const line of lines) {
    const cut = line.indexOf("=");
    if (line.startsWith("[")) group = line.trim();
    else if (group === "[Desktop Entry]" && cut > 0) keys.set(line.slice(0, cut).trim(), line.slice(cut + 1).trim());
  }
  return keys;
}

function entryOf(id: string, path: string, keys: Map<string, string>): Entry | undefined {
  const name = unescaped(keys.get("Name") ?? "").trim();
  if (keys.get("Type") !== "Application" || keys.get("Hidden") === "true" || keys.get("NoDisplay") === "true" || name === "")
    return undefined;
  const argv = execWords(keys.get("Exec") ?? "", { name, path });
  const names = [...keys].filter(([key]) => /^(?:Generic)?Name(?:\[|$)/.test(key)).map(([, value]) => unescaped(value));
  const program = argv[0]?.split("/").at(-1) ?? "";
  const wmClass = keys.get("StartupWMClass");
  return {
    id,
    path,
    name,
    labels: [...new Set([name, id, id.split(".").at(-1)!, program, ...names])].filter((label) => label !== ""),
    argv,
    terminal: keys.get("Terminal") === "true",
    classes: [...(wmClass ? [wmClass] : []), id, id.split(".").at(-1)!, program, name]
      .map((one) => one.toLowerCase())
      .filter((one) => one !== "" && one !== "env" && one !== "sh"),
  };
}

const ESCAPES: Record<string, string> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\" };
const unescaped = (value: string): string => value.replace(/\\(.)/g, (whole, char: string) => ESCAPES[char] ?? whole);

/** An Exec line as words: quotes undone, field codes for files removed. */
export function execWords(line: string, { name, path }: { name: string; path: string }): string[] {
  const words: string[] = [];
  for (const [whole, quoted, bare] of unescaped(line).matchAll(/"((?:[^"\\]|\\.)*)"|([^\s"]+)/g)) {
    if (quoted !== undefined) words.push(quoted.replace(/\\(["`$\\])/g, "$1"));
    else if (/^%[fFuUdDnNickvm]$/.test(whole)) words.push(...(whole === "%c" ? [name] : whole === "%k" ? [path] : []));
    else words.push(bare!.replace(/%(.)/g, (_, code: string) => (code === "%" ? "%" : "")));
  }
  return words;
}
