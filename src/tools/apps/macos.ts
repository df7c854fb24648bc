// Applications of macOS by `open` and `osascript`. Names are arguments of fixed scripts, never part of one.
import type { Computer } from "../../core/computer.ts";
import { StewardError } from "../../std/error.ts";
import type { Desktop, Surroundings } from "./desktop.ts";
import { pick, suggestion } from "./match.ts";

/** Two lines: where the application is and its bundle id; each empty when macOS does not say. */
const ABOUT =
  'on run argv\n  set appName to item 1 of argv\n  set appPath to ""\n  set appId to ""\n  try\n    set appPath to POSIX path of (path to application appName)\n  end try\n  try\n    set appId to id of application appName\n  end try\n  return appPath & linefeed & appId\nend run\n';
const ACTIVATE = "on run argv\n  tell application (item 1 of argv) to activate\nend run\n";
const QUIT = "on run argv\n  tell application (item 1 of argv) to quit\nend run\n";
const LIST =
  'tell application "System Events" to set appNames to name of every application process whose background only is false\nset AppleScript\'s text item delimiters to linefeed\nreturn appNames as text\n';
const PIDS =
  'on run argv\n  tell application "System Events" to set pids to unix id of every application process whose name is (item 1 of argv)\n  set AppleScript\'s text item delimiters to linefeed\n  return pids as text\nend run\n';

export function macDesktop({ computer, signal, mayUse }: Surroundings): Desktop {
  const run = runner(computer, signal);
  /** The script comes by standard input, so that a name which begins with a dash is not read as an option. */
  const osascript = (text: string, ...argv: string[]): Promise<string> => run(["osascript", "-", ...argv], text);
  const list = async (): Promise<string[]> => (await osascript(LIST)).split("\n").filter((name) => name !== "");
  const one = async (name: string): Promise<string> => {
    const result = pick(
      name,
      (await list()).map((running) => ({ name: running, labels: [running] })),
    );
    if (!result.found) throw new StewardError("not_found", `It is not running${suggestion(result.near)}`);
    mayUse(namesOf(result.found.name, await about(result.found.name)));
    return result.found.name;
  };
  const about = async (name: string): Promise<About> => {
    const lines = (await osascript(ABOUT, name)).split("\n");
    return { path: lines.find((line) => line.startsWith("/")) ?? "", id: lines.find((line) => !line.startsWith("/")) ?? "" };
  };
  const pids = async (name: string): Promise<string[]> => (await osascript(PIDS, name)).split("\n").filter((pid) => /^[1-9]\d+$/.test(pid));
  return {
    async launch(name) {
      const found = await about(name);
      if (found.path === "") throw new StewardError("not_found", "No application has this name");
      mayUse(namesOf(name, found));
      await run(["open", "-a", found.path]);
      return name;
    },
    async quit(name, force) {
      const app = await one(name);
      if (!force) await osascript(QUIT, app);
      else for (const pid of await pids(app)) await run(["kill", "-KILL", pid]);
      return app;
    },
    list,
    async activate(name) {
      const app = await one(name);
      await osascript(ACTIVATE, app);
      return app;
    },
    async info(name) {
      const found = await about(name);
      const { path } = found;
      const result = pick(
        name,
        (await list()).map((running) => ({ name: running, labels: [running] })),
      );
      if (path === "" && !result.found) throw new StewardError("not_found", `No application has this name${suggestion(result.near)}`);
      const running = result.found?.name;
      mayUse([...namesOf(name, found), ...(running === undefined ? [] : [running])]);
      return {
        name: running ?? name,
        path: path || null,
        running: running !== undefined,
        pids: running === undefined ? [] : (await pids(running)).map(Number),
      };
    },
  };
}

type Run = (argv: string[], stdin?: string) => Promise<string>;

/** Gives what was printed; every failure is an error. */
function runner(computer: Computer, signal: AbortSignal): Run {
  return async (argv: string[], stdin?: string): Promise<string> => {
    const { code, stdout, stderr, timedOut } = await computer.exec(argv, {
      desktop: true,
      signal,
      timeoutMs: 30_000,
      ...(stdin === undefined ? {} : { stdin }),
    });
    if (timedOut)
      throw new StewardError("unavailable", "It did not answer within 30 seconds; macOS may be asking whether Steward may control it");
    if (code !== 0) throw new StewardError("unavailable", stderr.trim() || `${argv[0]} ended with code ${code}`);
    return stdout.trim();
  };
}

interface About {
  path: string;
  id: string;
}

/** The folder that an application is tells its real name, whatever it was called by. */
const namesOf = (name: string, { path, id }: About): string[] => {
  const folder = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return [...new Set([name, folder, folder.replace(/\.app$/i, ""), id])].filter((one) => one !== "");
};
