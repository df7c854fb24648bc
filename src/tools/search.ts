// Finds files by name and by content with ripgrep, or find and grep where it is missing. What may be looked at is the computer's to decide.
import * as z from "zod/mini";
import type { Computer, ExecOptions, ExecResult } from "../core/computer.ts";
import type { Tool, ToolContext } from "../core/ports.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { globMatcher } from "./glob.ts";
import { absolute } from "./paths.ts";

const MOST_FILES = 500;
const MOST_FOUND = 20_000;
const MOST_MATCHES = 200;
const LONGEST_LINE = 500;
const LONGEST_PATTERN = 1000;
const TIMEOUT_MS = 60_000;
const SKIPPED = [".git", "node_modules"];
const NOT_SKIPPED = SKIPPED.map((name) => `--glob=!${name}`);

/** Runs a program over what lies in `cwd` and stops it once it has printed `enough` of `mark`. */
async function scan(
  { computer, signal }: ToolContext,
  argv: string[],
  { cwd, mark, enough }: { cwd: string; mark: string; enough: number },
): Promise<ExecResult> {
  const full = new AbortController();
  let seen = 0;
  const options: ExecOptions = {
    cwd,
    timeoutMs: TIMEOUT_MS,
    signal: AbortSignal.any([signal, full.signal]),
    onOutput(text) {
      seen += text.split(mark).length - 1;
      if (seen > enough) full.abort();
    },
  };
  const result = await computer.exec(argv, options);
  signal.throwIfAborted();
  if (result.timedOut) throw new StewardError("limit", `The search took longer than ${TIMEOUT_MS / 1000} seconds: give a narrower path`);
  return result;
}

/** The result of `first`, or of `second` where the program of `first` is not installed. */
async function either(
  first: () => Promise<ExecResult>,
  second: () => Promise<ExecResult>,
): Promise<{ result: ExecResult; fallback: boolean }> {
  const result = await first().catch((error: unknown) => {
    if (hasCode(error, "not_found") || hasCode(error, "unavailable")) return undefined;
    throw error;
  });
  return result && result.code !== 127 ? { result, fallback: false } : { result: await second(), fallback: true };
}

/** The folder to search in and the one thing in it to look at. */
async function rootOf(computer: Computer, path: string | undefined): Promise<{ folder: string; only?: string }> {
  const full = absolute(computer, path ?? ".");
  const info = await computer.stat(full);
  if (!info) throw new StewardError("not_found", `Path does not exist: ${full}`);
  if (info.type === "dir") return { folder: info.path };
  const cut = info.path.lastIndexOf("/");
  return { folder: info.path.slice(0, cut) || "/", only: info.path.slice(cut + 1) };
}

const within = (folder: string, path: string): string => `${folder === "/" ? "" : folder}/${path.replace(/^\.\//, "")}`;

/** Nothing is told about files that the computer does not let tools see. */
async function seen(computer: Computer, paths: Iterable<string>): Promise<Map<string, number>> {
  const known = new Map<string, number>();
  for (const path of paths) {
    const info = await computer.stat(path).catch((error: unknown) => {
      if (hasCode(error, "denied") || hasCode(error, "not_found") || hasCode(error, "invalid")) return undefined;
      throw error;
    });
    if (info) known.set(path, info.modified);
  }
  return known;
}

const findInput = z.object({
  pattern: z.string().check(z.describe("glob")),
  path: z.optional(z.string()),
  newest: z.optional(z.boolean()).check(z.describe("newest first")),
});
const findFiles: Tool<z.infer<typeof findInput>> = {
  name: "find_files",
  description: "Find files by name, such as *.pdf or src/**/*.ts. Any case, unless capitals are given.",
  capability: "filesystem",
  effect: "read",
  input: findInput,
  async run({ newest = false, ...wanted }, context) {
    const { computer } = context;
    if (wanted.pattern === "" || wanted.pattern.length > LONGEST_PATTERN || wanted.pattern.includes("\0"))
      throw new StewardError("invalid", "The pattern is empty, too long or holds a NUL character");
    const { pattern, path } = withRoot(wanted);
    const { folder, only } = await rootOf(computer, path);
    const fold = anyCase(pattern) ? (name: string): string => name.toLowerCase() : (name: string): string => name;
    const matches = globMatcher(pattern);
    const names = only === undefined ? await namesIn(context, folder, pattern) : [only];
    const found = names
      .filter((name) => matches(fold(name)))
      .map((name) => within(folder, name))
      .sort();
    const known = await seen(computer, newest ? found : found.slice(0, MOST_FILES));
    const paths = newest ? [...known.keys()].sort((a, b) => known.get(b)! - known.get(a)!) : [...known.keys()];
    const files = paths.slice(0, MOST_FILES);
    if (found.length <= MOST_FILES) return { output: files };
    const total = names.length > MOST_FOUND ? `more than ${MOST_FOUND}` : String(found.length);
    return { output: [...files, `… ${total} files in all, the first ${MOST_FILES} are shown: give a narrower pattern or path`] };
  },
};

/** An absolute pattern without a path begins at its last folder that is no glob. */
function withRoot({ pattern, path }: { pattern: string; path?: string | undefined }): { pattern: string; path: string | undefined } {
  if (path !== undefined || !/^~?\//.test(pattern)) return { pattern, path };
  const cut = pattern.slice(0, /[*?[{\\]|$/.exec(pattern)!.index).lastIndexOf("/");
  return { pattern: pattern.slice(cut), path: pattern.slice(0, cut) || "/" };
}

async function namesIn(context: ToolContext, folder: string, pattern: string): Promise<string[]> {
  const limits = { cwd: folder, mark: "\0", enough: MOST_FOUND };
  const { result } = await either(
    () =>
      scan(
        context,
        [
          "rg",
          "--no-config",
          "--files",
          "--hidden",
          "--no-messages",
          "--null",
          "--sort=path",
          `${anyCase(pattern) ? "--iglob" : "--glob"}=${rgGlob(pattern)}`,
          ...NOT_SKIPPED,
        ],
        limits,
      ),
    () => scan(context, ["find", ".", ...SKIPPED.flatMap((name) => ["-name", name, "-prune", "-o"]), "-type", "f", "-print0"], limits),
  );
  if (result.code > 1 && result.stdout === "" && !result.cancelled) throw failed(result);
  return result.stdout
    .split("\0")
    .slice(0, -1)
    .map((name) => name.replace(/^\.\//, ""));
}

const anyCase = (words: string): boolean => words === words.toLowerCase();
const failed = ({ stderr }: ExecResult): StewardError => new StewardError("invalid", `The search failed: ${stderr.trim().slice(0, 500)}`);
/** A leading `!` would turn the meaning round; the braces and the rest mean the same to ripgrep. */
const rgGlob = (pattern: string): string => pattern.replace(/^(?:\.\/)+/, "/").replace(/^!/, "\\!");

const searchInput = z.object({ text: z.string(), path: z.optional(z.string()), regex: z.optional(z.boolean()) });
const searchFiles: Tool<z.infer<typeof searchInput>> = {
  name: "search_files",
  description: "Find text in files. Any case, unless capitals are given.",
  capability: "filesystem",
  effect: "read",
  input: searchInput,
  async run({ text, path, regex = false }, context) {
    if (text === "" || /[\0\n\r]/.test(text)) throw new StewardError("invalid", "The text must be one line, and not empty");
    const { folder, only } = await rootOf(context.computer, path);
    const { result, fallback } = await matchesIn(context, { folder, only: only ?? ".", text, regex });
    if (result.code > 1 && result.stdout === "" && !result.cancelled) throw failed(result);
    const matches = parsed(result.stdout).map((match) => ({ ...match, path: within(folder, match.path) }));
    if (fallback) matches.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
    const shown = matches.slice(0, MOST_MATCHES);
    const known = await seen(context.computer, new Set(shown.map((match) => match.path)));
    const output: Match[] = shown.filter((match) => known.has(match.path));
    if (matches.length > MOST_MATCHES)
      output.push({ path: "…", line: 0, text: `more than ${MOST_MATCHES} matches: give more of the text, or a narrower path` });
    return { output };
  },
};

interface Match {
  path: string;
  line: number;
  text: string;
}

/** Both engines take time linear in what they read: ripgrep's own, and grep with extended expressions. */
function matchesIn(
  context: ToolContext,
  { folder, only, text, regex }: { folder: string; only: string; text: string; regex: boolean },
): Promise<{ result: ExecResult; fallback: boolean }> {
  const limits = { cwd: folder, mark: "\n", enough: MOST_MATCHES };
  const target = only === "." ? "." : `./${only}`;
  return either(
    () =>
      scan(
        context,
        [
          "rg",
          "--no-config",
          "--no-heading",
          "--with-filename",
          "--line-number",
          "--null",
          "--color=never",
          "--no-messages",
          "--hidden",
          ...NOT_SKIPPED,
          "--sort=path",
          `--max-columns=${LONGEST_LINE}`,
          "--max-columns-preview",
          ...(anyCase(text) ? ["--ignore-case"] : []),
          ...(regex ? [] : ["--fixed-strings"]),
          `--regexp=${text}`,
          "--",
          target,
        ],
        limits,
      ),
    () =>
      scan(
        context,
        [
          "grep",
          "-rnHIZs",
          ...(anyCase(text) ? ["-i"] : []),
          regex ? "-E" : "-F",
          ...SKIPPED.map((name) => `--exclude-dir=${name}`),
          "-e",
          text,
          "--",
          target,
        ],
        limits,
      ),
  );
}

/** Reads `path NUL number : text` lines: a path may hold anything but NUL. A last line that was cut off is left out. */
function parsed(stdout: string): Match[] {
  const matches: Match[] = [];
  for (let at = 0; at < stdout.length;) {
    const mark = stdout.indexOf("\0", at);
    const end = stdout.indexOf("\n", mark);
    if (mark < 0 || end < 0) break;
    const colon = stdout.indexOf(":", mark);
    const text = stdout.slice(colon + 1, end).replace(/\r$/, "");
    matches.push({
      path: stdout.slice(at, mark),
      line: Number(stdout.slice(mark + 1, colon)),
      text: text.length > LONGEST_LINE + 50 ? `${text.slice(0, LONGEST_LINE)}…` : text,
    });
    at = end + 1;
  }
  return matches;
}

export default [findFiles, searchFiles] as Tool[];
