// What permissions.json says about a command, a path or an app. A seat belt that reads words; the sandbox is the wall.
import type { Restrictions } from "./permissions.ts";

const WRAPPERS = new Set([
  "env",
  "nice",
  "nohup",
  "command",
  "exec",
  "builtin",
  "time",
  "timeout",
  "setsid",
  "stdbuf",
  "ionice",
  "busybox",
  "xargs",
  "chroot",
  "watch",
  "flock",
  "then",
  "do",
  "else",
  "if",
  "while",
  "until",
  "!",
  "{",
]);
const ELEVATORS = new Set(["sudo", "doas", "su", "pkexec", "run0"]);
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "eval"]);
const LONG_FLAGS: Record<string, string> = { recursive: "r", force: "f" };

/** Why the command may not run, or undefined. */
export function refusedCommand(command: string | string[], rules: Restrictions): string | undefined {
  const commands = typeof command === "string" ? commandsOf(command) : [command];
  for (const words of commands.flatMap((one) => unwrapped(one, 0))) {
    const name = baseOf(words[0]);
    if (ELEVATORS.has(name) && !rules.allow_sudo) return `${name} is not allowed`;
    const blocked = rules.blocked_commands.find((pattern) => isBlocked(words, pattern));
    if (blocked !== undefined) return `"${blocked}" is a blocked command`;
  }
  return undefined;
}

/** The simple commands in a line of shell, each as its words; also those inside $(…), `…` and ( … ). Tolerant: never throws. */
export function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) commands.at(-1)!.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    commands.push([]);
  };
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (char === "\\") word = (word ?? "") + (line[++at] ?? "");
    else if (char === "'") {
      const end = closing(line, at + 1, "'");
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const end = closingDouble(line, at + 1);
      const inner = line.slice(at + 1, end);
      word = (word ?? "") + inner.replace(/\\(["\\$`])/g, "$1");
      if (/\$\(|`/.test(inner)) commands.unshift(...commandsOf(inner.replace(/^[^$`]*/, "")));
      at = end;
    } else if (char === "#" && word === undefined) at = closing(line, at, "\n") - 1;
    else if (";&|\n()`{}".includes(char) || (char === "$" && line[at + 1] === "(")) endCommand();
    else if (/[\s<>]/.test(char)) endWord();
    else word = (word ?? "") + char;
  }
  endWord();
  return commands.filter((words) => words.length > 0);
}

const closing = (line: string, from: number, mark: string): number => {
  const end = line.indexOf(mark, from);
  return end < 0 ? line.length : end;
};

function closingDouble(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (line[at] === '"') return at;
  }
  return line.length;
}

/** A command together with those that its wrappers and inner shells run. */
function unwrapped(words: string[], depth: number): string[][] {
  const rest = words.slice(words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word)));
  if (depth > 8 || rest.length === 0 || words.every((word) => /^[A-Za-z_]\w*=/.test(word))) return [];
  const name = baseOf(rest[0]);
  if (SHELLS.has(name)) {
    const script = name === "eval" ? rest.slice(1).join(" ") : (rest[rest.findIndex((word) => /^-[a-z]*c[a-z]*$/.test(word)) + 1] ?? "");
    return [rest, ...(script === rest[0] ? [] : commandsOf(script).flatMap((inner) => unwrapped(inner, depth + 1)))];
  }
  if (name === "find") return [rest, ...afterExec(rest).flatMap((inner) => unwrapped(inner, depth + 1))];
  if (!WRAPPERS.has(name) && !ELEVATORS.has(name)) return [rest];
  const inner = rest.slice(1).findIndex((word) => !word.startsWith("-") && !/^[A-Za-z_]\w*=/.test(word) && !/^[\d.]+[smhd]?$/.test(word));
  return [rest, ...(inner < 0 ? [] : unwrapped(rest.slice(1 + inner), depth + 1))];
}

const afterExec = (words: string[]): string[][] =>
  words.flatMap((word, at) => (/^-(exec|ok)(dir)?$/.test(word) ? [words.slice(at + 1)] : []));

const baseOf = (word = ""): string => word.split("/").at(-1) ?? "";

function isBlocked(words: string[], pattern: string): boolean {
  const [name = "", ...wanted] = pattern.trim().split(/\s+/);
  const called = baseOf(words[0]);
  if (called !== baseOf(name) && !(wanted.length === 0 && called.startsWith(`${name}.`))) return false;
  const has = shape(words.slice(1));
  const needs = shape(wanted);
  return [...needs.flags].every((flag) => has.flags.has(flag)) && needs.rest.every((word) => has.rest.includes(word));
}

/** Flags as letters whatever way they are written, and the other words with root written in one way. */
function shape(words: string[]): { flags: Set<string>; rest: string[] } {
  const flags = new Set<string>();
  const rest: string[] = [];
  for (const word of words) {
    if (word.startsWith("--") && word.length > 2) flags.add(LONG_FLAGS[word.slice(2)] ?? word);
    else if (/^-[A-Za-z]+$/.test(word)) for (const letter of word.slice(1)) flags.add(letter === "R" ? "r" : letter);
    else rest.push(rootForms(word));
  }
  return { flags, rest };
}

const rootForms = (word: string): string =>
  /^(?:\/|\.|\*)+$/.test(word) && word.startsWith("/") && !/\/\.{3,}/.test(word) ? "/" : word.length > 1 ? word.replace(/\/+$/, "") : word;

/** True when `path` is `folder` or lies in it. Both absolute and resolved. */
export const isUnder = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);

/** Why the app may not be used, or undefined. Patterns with * and ?, any case. */
export function refusedApp(name: string, { allowed_apps, blocked_apps }: Restrictions): string | undefined {
  const lower = name.toLowerCase();
  if (blocked_apps.some((pattern) => glob(pattern.toLowerCase(), lower))) return `${name} is a blocked app`;
  return allowed_apps.some((pattern) => glob(pattern.toLowerCase(), lower)) ? undefined : `${name} is not an allowed app`;
}

/** Linear in text × pattern; no regular expression is built from what a person wrote. */
export function glob(pattern: string, text: string): boolean {
  let reach = new Set([0]);
  for (const char of pattern) {
    const next = new Set<number>();
    for (const at of reach) {
      if (char === "*") for (let to = at; to <= text.length; to++) next.add(to);
      else if (at < text.length && (char === "?" || char === text[at])) next.add(at + 1);
    }
    reach = next;
  }
  return reach.has(text.length);
}

const PURE = new Set(["whoami", "uname", "which", "type", "pwd"]);
const FILE_READERS = new Set(["cat", "head", "tail", "wc", "stat", "file", "grep", "ls"]);

/** What a cached answer of this command depends on: paths (as written), or nothing; undefined when it must not be cached. */
export function cacheable(command: string | string[]): { paths: string[] } | undefined {
  if (typeof command !== "string" || /[<>|;&$`(){}*?[\]~\n\\]/.test(command)) return undefined;
  const [words, more] = commandsOf(command);
  if (!words || more) return undefined;
  const [name = "", ...rest] = words;
  if (PURE.has(name)) return { paths: [] };
  if (!FILE_READERS.has(name) || rest.some((word) => /^-.*[flRr]/.test(word) && name !== "wc")) return undefined;
  const paths = rest.filter((word) => !word.startsWith("-") && !/^\d+$/.test(word)).slice(name === "grep" ? 1 : 0);
  return name === "ls" && paths.length === 0 ? { paths: ["."] } : paths.length > 0 ? { paths } : undefined;
}
