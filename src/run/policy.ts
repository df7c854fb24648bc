// What permissions.json says about a command, a path or an app. A seat belt that reads words; the sandbox is the wall.
import { simpleCommands, type SimpleCommand } from "../std/shell-words.ts";
import type { Restrictions } from "./permissions.ts";

/** Programs that run another: the letters of their options that take a word, and how many words stand before the command. */
const WRAPPERS: Record<string, [takes: string, before: number]> = {
  sudo: ["ugCpRTDhrtU", 0],
  doas: ["uC", 0],
  su: ["cgGsw", 1],
  pkexec: ["", 0],
  run0: ["ugD", 0],
  env: ["uCS", 0],
  nice: ["n", 0],
  timeout: ["sk", 1],
  stdbuf: ["ioe", 0],
  ionice: ["cnpPu", 0],
  time: ["fo", 0],
  exec: ["a", 0],
  command: ["vV", 0],
  xargs: ["IaLnPsdE", 0],
  chroot: ["", 1],
  flock: ["cwE", 1],
  script: ["cEIOBTmo", 1],
  watch: ["nq", 0],
  ...Object.fromEntries(
    "nohup builtin setsid busybox coproc eval trap then do else elif if while until !".split(" ").map((name) => [name, ["", 0]]),
  ),
};
const LONG_WITH_WORD =
  /^--(?:unset|chdir|signal|kill-after|adjustment|input|output|error|class|classdata|interval|max-args|max-procs|max-lines|delimiter|arg-file|timeout|wait|conflict-exit-code|format|user|group)$/;
const ELEVATORS = new Set(["sudo", "doas", "su", "pkexec", "run0"]);
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"]);
/** They hand their words to a shell, joined. */
const JOINED = new Set(["eval", "trap", "watch"]);
/** They take a line of shell as an option's word. */
const WITH_SCRIPT = new Set([...SHELLS, "su", "script", "flock", "env"]);
const ASSIGNMENT = /^[A-Za-z_]\w*=/;
const LONG_FLAGS: Record<string, string> = { recursive: "r", force: "f" };

/** Why the command may not run, or undefined. */
export function refusedCommand(command: string | string[], rules: Restrictions): string | undefined {
  const patterns = rules.blocked_commands.map((text) => ({ text, words: text.trim().split(/\s+/) }));
  for (const words of everyCommand(command)) {
    const name = baseOf(words[0]);
    if (ELEVATORS.has(name) && !rules.allow_sudo) return `${name} is not allowed`;
    const blocked = patterns.find((pattern) => isBlocked(words, pattern.words));
    if (blocked) return `"${blocked.text}" is a blocked command`;
  }
  return undefined;
}

/** All commands that can be seen in this one, those in wrappers and inner shells included, each as its words. */
export const everyCommand = (command: string | string[]): string[][] =>
  (typeof command === "string" ? simpleCommands(command) : [{ words: command, input: "" }]).flatMap((one) => unwrapped(one, 0));

/** The simple commands in a line of shell, each as its words. */
export const commandsOf = (line: string): string[][] => simpleCommands(line).map(({ words }) => words);

/** A command together with those that its wrappers and inner shells run. */
function unwrapped({ words, input }: SimpleCommand, depth: number): string[][] {
  const start = words.findIndex((word) => !ASSIGNMENT.test(word));
  if (depth > 8 || start < 0) return [];
  const own = words.slice(start);
  const name = baseOf(own[0]);
  const at = commandAt(own, name);
  const inner = [
    ...(SHELLS.has(name) ? simpleCommands(input) : []),
    ...(WITH_SCRIPT.has(name) ? simpleCommands(scriptOf(own.slice(0, at))) : []),
    ...(name === "find" ? afterExec(own) : []),
    ...(at === undefined ? [] : wrapped(own.slice(at), { name, input })),
  ];
  return [own, ...inner.flatMap((one) => unwrapped(one, depth + 1))];
}

function wrapped(words: string[], { name, input }: { name: string; input: string }): SimpleCommand[] {
  if (JOINED.has(name)) return simpleCommands(words.join(" "));
  return [{ words: name === "xargs" ? [...words, ...input.split(/\s+/)] : words, input }];
}

/** Where the words of the command begin that a wrapper runs. */
function commandAt(words: string[], name: string): number | undefined {
  if (!Object.hasOwn(WRAPPERS, name)) return undefined;
  const [takes, before] = WRAPPERS[name]!;
  for (let at = 1, left = before; at < words.length; at++) {
    const word = words[at]!;
    if (LONG_WITH_WORD.test(word) || (/^-[A-Za-z]+$/.test(word) && takes.includes(word.at(-1)!))) at++;
    else if (!word.startsWith("-") && !ASSIGNMENT.test(word) && left-- <= 0) return at;
  }
  return undefined;
}

function scriptOf(words: string[]): string {
  const at = words.findIndex((word) => /^(?:-[A-Za-z]*[cS][A-Za-z]*|--command|--split-string)$/.test(word));
  const attached = words.find((word) => /^--(?:command|split-string)=/.test(word));
  return `${at < 0 ? "" : (words[at + 1] ?? "")}\n${attached?.slice(attached.indexOf("=") + 1) ?? ""}`;
}

function afterExec(words: string[]): SimpleCommand[] {
  const found: SimpleCommand[] = [];
  for (const [at, word] of words.entries()) {
    if (/^-(?:exec|ok)(?:dir)?$/.test(word)) found.push({ words: [], input: "" });
    else if (word !== ";" && at > 0) found.at(-1)?.words.push(word);
  }
  return found;
}

const baseOf = (word = ""): string => word.split("/").at(-1) ?? "";

function isBlocked(words: string[], [name = "", ...wanted]: string[]): boolean {
  const called = baseOf(words[0]);
  if (called !== baseOf(name) && !(wanted.length === 0 && called.startsWith(`${name}.`))) return false;
  const has = shape(words.slice(1));
  const needs = shape(wanted);
  return [...needs.flags].every((flag) => has.flags.has(flag)) && needs.rest.every((word) => has.rest.includes(word));
}

/** Flags as letters whatever way they are written, and the other words with paths written in one way. */
function shape(words: string[]): { flags: Set<string>; rest: string[] } {
  const flags = new Set<string>();
  const rest: string[] = [];
  for (const word of words) {
    if (word.startsWith("--") && word.length > 2) flags.add(LONG_FLAGS[word.slice(2)] ?? word);
    else if (/^-[A-Za-z]+$/.test(word)) for (const letter of word.slice(1)) flags.add(letter === "R" ? "r" : letter);
    else rest.push(plainPath(word));
  }
  return { flags, rest };
}

/** `/etc/..`, `//`, `/*` and `~/../..` are all `/`: the home counts as one folder below the root. */
function plainPath(word: string): string {
  if (!/^(?:\/|~|\$\{?HOME)/.test(word)) return word.length > 1 ? word.replace(/\/+$/, "") : word;
  const parts: string[] = [];
  for (const part of word.replace(/^(?:~[^/]*|\$HOME|\$\{HOME\})/, "/~").split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== "." && !/^\.?\*+$/.test(part)) parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** True when `path` is `folder` or lies in it. Both absolute and resolved. */
export const isUnder = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);

/** Paths in the form in which they are compared: macOS takes names that differ in case or in composed letters as the same. */
export const samePath =
  (platform: string): ((path: string) => string) =>
  (path) =>
    platform === "darwin" ? path.normalize("NFD").toUpperCase().toLowerCase() : path;

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
const FILE_READERS = new Set(["cat", "head", "tail", "wc", "file", "grep"]);

/** What a cached answer of this command depends on, as written: files, or folders and the names in them; undefined when it must not be cached. */
export function cacheable(command: string | string[]): { paths: string[]; of: "file" | "dir" } | undefined {
  if (typeof command !== "string" || /[<>|;&$`(){}*?[\]~\n\\]/.test(command)) return undefined;
  const [words, more] = commandsOf(command);
  if (!words || more) return undefined;
  const [name = "", ...rest] = words;
  if (PURE.has(name)) return { paths: [], of: "file" };
  const flags = rest.filter((word) => word.startsWith("-"));
  const operands = rest.filter((word, at) => !word.startsWith("-") && !(/^\d+$/.test(word) && /^-[ncmABC]$/.test(rest[at - 1] ?? "")));
  if (operands.some((word) => /^\/+(?:proc|sys|dev)(?:\/|$)/.test(word))) return undefined;
  if (name === "ls")
    return flags.every((flag) => /^-[aA1]+$/.test(flag)) ? { paths: operands.length > 0 ? operands : ["."], of: "dir" } : undefined;
  if (!FILE_READERS.has(name) || flags.some((flag) => (name === "wc" ? /^--/ : /^--|[fFrRl]/).test(flag))) return undefined;
  const paths = name === "grep" ? operands.slice(1) : operands;
  return paths.length > 0 ? { paths, of: "file" } : undefined;
}
