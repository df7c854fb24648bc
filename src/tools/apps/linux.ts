// Applications of a Linux desktop: .desktop entries, and the window manager by wmctrl. Runs outside the sandbox, arguments only.
import type { Computer, ExecResult } from "../../core/computer.ts";
import { StewardError } from "../../std/error.ts";
import { visible } from "../../std/text.ts";
import type { Desktop, Surroundings } from "./desktop.ts";
import { entriesCommand, readEntries, type Entry } from "./entries.ts";
import { pick, suggestion, type Named } from "./match.ts";

const WAIT_MS = 5000;
const POLL_MS = 150;
/** As often it is looked at least. */
const LOOKS = 10;

interface Session {
  display: string;
  programs: Set<string>;
  folders: string[];
}
interface Window {
  id: string;
  wmClass: string;
  /** Undefined when the application does not say. */
  pid?: string;
  title: string;
}
interface Running extends Named {
  entry?: Entry;
  windows: Window[];
}

const PROBE =
  'printf "%s\\n" "${DISPLAY-}" "${WAYLAND_DISPLAY-}" "${XDG_DATA_HOME-}" "${XDG_DATA_DIRS-}"; for p in wmctrl gtk-launch; do command -v "$p" >/dev/null && printf "%s\\n" "$p"; done; true';
/** $1 must be there; the rest runs in a session of its own and keeps no pipe open. */
const DETACHED =
  'command -v "$1" >/dev/null || { printf "%s is not installed\\n" "$1" >&2; exit 127; }; shift; exec setsid "$@" </dev/null >/dev/null 2>&1';

export function linuxDesktop({ computer, signal, mayUse }: Surroundings): Desktop {
  const run = (...argv: string[]): Promise<ExecResult> => computer.exec(argv, { desktop: true, signal, timeoutMs: 15_000 });
  const script = (text: string, ...argv: string[]): Promise<ExecResult> => run("sh", "-c", text, "sh", ...argv);
  const entries = async ({ folders }: Session): Promise<Entry[]> => readEntries((await run(...entriesCommand(folders))).stdout, folders);
  const running = async (session: Session): Promise<Running[]> => grouped(await windowsOf(session, run), await entries(session));
  const one = async (name: string): Promise<Running> => {
    const result = pick(name, await running(await sessionOf(computer, script)));
    if (!result.found) throw new StewardError("not_found", `It is not running${suggestion(result.near)}`);
    mayUse(namesOf(result.found, result.found.entry));
    return result.found;
  };
  return {
    async launch(name) {
      const session = await sessionOf(computer, script);
      const result = pick(name, await entries(session));
      if (!result.found) throw new StewardError("not_found", `No application has this name${suggestion(result.near)}`);
      mayUse(namesOf(result.found, result.found));
      await start(result.found, session, script);
      return result.found.name;
    },
    async quit(name, force) {
      const app = await one(name);
      for (const window of app.windows) await (force ? kill(window, run) : run("wmctrl", "-i", "-c", window.id));
      const left = await gone(app.windows, run, signal);
      if (left.length > 0)
        throw new StewardError(
          "conflict",
          `It is still open after ${WAIT_MS / 1000} seconds; it may be asking whether to save. Set force to end it all the same`,
        );
      return app.name;
    },
    list: async () => (await running(await sessionOf(computer, script))).map(({ name }) => name),
    async activate(name) {
      const app = await one(name);
      const result = await run("wmctrl", "-i", "-a", app.windows[0]!.id);
      if (result.code !== 0) throw new StewardError("unavailable", result.stderr.trim() || "The window manager refused");
      return app.name;
    },
    async info(name) {
      const session = await sessionOf(computer, script);
      const open = pick(name, await running(session));
      const installed = pick(name, await entries(session));
      const entry = open.found?.entry ?? installed.found;
      if (!open.found && !installed.found)
        throw new StewardError("not_found", `No application has this name${suggestion([...new Set([...open.near, ...installed.near])])}`);
      if (open.found) mayUse(namesOf(open.found, entry));
      else mayUse(namesOf(installed.found!, entry));
      const windows = open.found?.windows ?? [];
      return {
        name: open.found?.name ?? entry!.name,
        path: entry?.path ?? null,
        running: windows.length > 0,
        pids: pidsOf(windows),
        windows: windows.map(({ title }) => title),
      };
    },
  };
}

async function kill({ id, pid }: Window, run: Run): Promise<void> {
  if (pid) await run("kill", "-KILL", pid);
  else if ((await run("xdotool", "windowkill", id)).code === 127)
    throw new StewardError("unavailable", "It does not tell its process; install the package xdotool to end it");
}

/** All that an application goes by: names, ids, the programs in its command line. */
const namesOf = ({ labels }: Named, entry: Entry | undefined): string[] => [
  ...new Set([...labels, ...(entry ? [...entry.labels, entry.id, `${entry.id}.desktop`, ...programsIn(entry.argv)] : [])]),
];

/** `env A=b xterm -e "sh x"` runs env, xterm, sh and x. */
const programsIn = (argv: string[]): string[] =>
  argv
    .flatMap((word) => word.split(/\s+/))
    .filter((word) => word !== "" && !/^-|^\w+=/.test(word))
    .flatMap((word) => [word, word.split("/").at(-1)!]);

type Run = (...argv: string[]) => Promise<ExecResult>;
const pidsOf = (windows: Window[]): number[] => [...new Set(windows.flatMap(({ pid }) => (pid === undefined ? [] : [Number(pid)])))];

async function sessionOf(computer: Computer, script: Run): Promise<Session> {
  const { stdout } = await script(PROBE);
  const [display = "", wayland = "", own = "", shared = "", ...programs] = stdout.split("\n");
  if (!display && !wayland)
    throw new StewardError("unavailable", "No graphical session: neither DISPLAY nor WAYLAND_DISPLAY is set where Steward runs");
  const absolute = (folder: string): boolean => folder.startsWith("/");
  const folders = [own || `${computer.home}/.local/share`, ...(shared || "/usr/local/share:/usr/share").split(":")]
    .filter(absolute)
    .map((folder) => folder.replace(/\/+$/, ""));
  return { display, programs: new Set(programs), folders: [...new Set(folders)] };
}

async function start({ id, argv, terminal, name }: Entry, { programs }: Session, script: Run): Promise<void> {
  if (programs.has("gtk-launch") && (await script(DETACHED, argv[0] ?? "gtk-launch", "-w", "gtk-launch", "--", id)).code === 0) return;
  if (argv.length === 0)
    throw new StewardError("unavailable", `${name} can only be started by gtk-launch; install the package libgtk-3-bin`);
  const { code, stderr } = await script(DETACHED, argv[0]!, "-f", ...(terminal ? ["x-terminal-emulator", "-e"] : []), ...argv);
  if (code !== 0) throw new StewardError("unavailable", stderr.trim() || `The program ended with code ${code}`);
}

async function windowsOf({ display, programs }: Session, run: Run): Promise<Window[]> {
  if (!programs.has("wmctrl")) throw new StewardError("unavailable", "wmctrl is not installed; install the package wmctrl");
  if (!display) throw new StewardError("unavailable", "Windows can only be seen in an X11 session: DISPLAY is not set");
  const { code, stdout, stderr } = await run("wmctrl", "-l", "-p", "-x");
  if (/display/i.test(stderr)) throw new StewardError("unavailable", `No graphical session: the display ${display} can't be opened`);
  if (code !== 0)
    throw new StewardError(
      "unavailable",
      `No window manager is running on display ${display}; install and start one, such as the package openbox`,
    );
  return stdout.split("\n").flatMap(windowOf);
}

/** A line is `id desktop pid instance.Class  host title`; the class may hold single spaces. */
function windowOf(line: string): Window[] {
  const [, id, pid = "", wmClass = "", title = ""] = /^(0x[0-9a-f]+) +-?\d+ +(\d+) +(.*?) {2,}\S+ ?(.*)$/.exec(line) ?? [];
  if (id === undefined) return [];
  const name = wmClass === "N/A" ? "" : classIn(wmClass);
  return [
    {
      id,
      wmClass: name,
      title: title === "N/A" ? name : visible(title),
      ...(Number(pid) > 1 ? { pid } : {}),
    },
  ];
}

/** Both parts may hold dots; most often they are the same but for case. */
function classIn(both: string): string {
  const half = (both.length - 1) / 2;
  if (both[half] === "." && both.slice(0, half).toLowerCase() === both.slice(half + 1).toLowerCase()) return both.slice(half + 1);
  return both.slice(both.lastIndexOf(".") + 1);
}

/** Windows by the application they belong to, in the order in which they were opened. */
function grouped(windows: Window[], entries: Entry[]): Running[] {
  const apps = new Map<string, Running>();
  for (const window of windows) {
    const entry = entries.find(({ classes }) => classes.includes(window.wmClass.toLowerCase()));
    const name = entry?.name ?? (visible(window.wmClass) || window.title);
    const app = apps.get(name) ?? {
      name,
      labels: [...new Set([name, window.wmClass, ...(entry?.labels ?? [])])].filter((label) => label !== ""),
      windows: [],
      ...(entry ? { entry } : {}),
    };
    app.windows.push(window);
    apps.set(name, app);
  }
  return [...apps.values()];
}

/** Those windows that are still there after waiting a while for them to go. */
async function gone(windows: Window[], run: Run, signal: AbortSignal): Promise<Window[]> {
  const end = Date.now() + WAIT_MS;
  for (let looks = 1; ; looks++) {
    const { stdout } = await run("wmctrl", "-l");
    const left = windows.filter(({ id }) => stdout.split("\n").some((line) => line.startsWith(`${id} `)));
    // Time that the whole machine stood still was none for the application either.
    if (left.length === 0 || (Date.now() > end && looks >= LOOKS)) return left;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    signal.throwIfAborted();
  }
}
