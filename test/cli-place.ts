// The command line as a real process on a home of its own, for the tests of the terminal.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

export const root = dirname(import.meta.dirname);
/** The program: the sources, or what `npm test` has just built of them, which starts in half the time. */
export const main = process.env.STEWARD_TEST_MAIN ?? join(root, "src", "main.ts");

export interface Ran {
  code: number | null;
  out: string;
  err: string;
}
export interface Place {
  home: string;
  env: NodeJS.ProcessEnv;
  run(args: string[], more?: { input?: string; env?: NodeJS.ProcessEnv; during?: (child: ChildProcess) => void }): Promise<Ran>;
  /** The document that the command printed. */
  json<T>(args: string[]): Promise<T>;
  /** Starts the server and waits until it tells its link. */
  start(args?: string[]): Promise<{ child: ChildProcess; out: string; url: string }>;
}

const children = new Set<ChildProcess>();
const homes: string[] = [];
const terminals: Terminal[] = [];
after(() => {
  for (const terminal of terminals) terminal.close();
  for (const child of children) child.kill("SIGKILL");
  // What was just told to end may still write there.
  for (const home of homes) rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

/** A new home; it goes, and what was started on it ends, when the tests of the file are over. */
export function place(): Place {
  const home = mkdtempSync(join(tmpdir(), "steward-cli-"));
  homes.push(home);
  const { DISPLAY: _, WAYLAND_DISPLAY: __, ...rest } = process.env;
  const clean = Object.fromEntries(
    Object.entries(rest).filter(([name]) => !/^(STEWARD|TWIZZY|KIMI|OLLAMA|OPENAI|ANTHROPIC|MOONSHOT)_/.test(name)),
  );
  const env: NodeJS.ProcessEnv = { ...clean, STEWARD_HOME: home, STEWARD_KEYCHAIN: "off", CI: "1", TZ: "UTC", NO_COLOR: "1" };
  const begin = (args: string[], more: NodeJS.ProcessEnv = {}): ChildProcess => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...env, ...more }, stdio: "pipe" });
    children.add(child);
    child.once("exit", () => children.delete(child));
    return child;
  };
  const run: Place["run"] = async (args, { input = "", env: more, during } = {}) => {
    const child = begin(args, more);
    const [out, err] = [text(child.stdout!), text(child.stderr!)];
    child.stdin!.on("error", () => {});
    child.stdin!.end(input);
    during?.(child);
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, out: out.text, err: err.text };
  };
  return {
    home,
    env,
    run,
    async json(args) {
      const { out, err } = await run(args);
      try {
        return JSON.parse(out);
      } catch {
        throw new Error(`steward ${args.join(" ")} printed no JSON: ${out}${err}`);
      }
    },
    async start(args = []) {
      const child = begin(["start", "--port", "0", "--no-open", ...args]);
      const [out, err] = [text(child.stdout!), text(child.stderr!)];
      await until(
        () => /Ctrl-C stops it/.test(out.text) || child.exitCode !== null,
        () => `start said: ${out.text}${err.text}`,
      );
      return { child, out: out.text, url: /http:\/\/[\d.:]+/.exec(out.text)?.[0] ?? "" };
    },
  };
}

function text(stream: NodeJS.ReadableStream): { text: string } {
  const state = { text: "" };
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => void (state.text += piece));
  return state;
}

/** Looks until it holds; throws with what is to be seen after a minute. */
export async function until(holds: () => boolean | Promise<boolean>, seen: () => string): Promise<void> {
  for (const end = Date.now() + 60_000; ; await wait(25)) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(seen());
  }
}

export interface Terminal {
  /** Types text as it is. */
  type(text: string): void;
  /** Presses keys by name: Enter, C-c, Up. */
  press(...keys: string[]): void;
  /** The rows on the screen, without empty ones at the end. */
  screen(): string;
  /** Waits until the screen fits. */
  shows(pattern: RegExp): Promise<string>;
  paste(text: string): void;
  close(): void;
}

export const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

/** The command line in a real terminal. Its exit code is printed at the end as EXIT n. */
export function terminal(
  { env }: Place,
  args: string[],
  { columns = 90, rows = 30, more = {} }: { columns?: number; rows?: number; more?: NodeJS.ProcessEnv } = {},
): Terminal {
  const name = `steward-${process.pid}-${terminals.length}`;
  const tmux = (...words: string[]) =>
    spawnSync("tmux", ["-L", name, "-f", "/dev/null", ...words], { encoding: "utf8", env: { ...env, TERM: "xterm-256color", ...more } });
  const quoted = [process.execPath, main, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  tmux("new-session", "-d", "-s", "t", "-x", String(columns), "-y", String(rows), `${quoted}; echo EXIT $?; read -r _`);
  const close = (): void => void tmux("kill-server");
  const screen = (): string => tmux("capture-pane", "-p", "-t", "t").stdout.trimEnd();
  const made: Terminal = {
    type: (words) => void tmux("send-keys", "-t", "t", "-l", words),
    press: (...keys) => void tmux("send-keys", "-t", "t", ...keys),
    paste: (words) => {
      tmux("set-buffer", words);
      tmux("paste-buffer", "-t", "t");
    },
    screen,
    close,
    async shows(pattern) {
      const state = { seen: "" };
      await until(
        () => pattern.test((state.seen = screen())),
        () => `${pattern} was not on the screen:\n${state.seen}`,
      );
      return state.seen;
    },
  };
  terminals.push(made);
  return made;
}
