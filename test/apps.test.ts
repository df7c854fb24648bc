// Applications: on Linux a real one in a real X session of its own, on macOS what would be run, recorded. Nothing of macOS itself is tried here.
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import host from "../src/computers/host.ts";
import type { Computer, ExecResult } from "../src/core/computer.ts";
import type { ToolOutput } from "../src/core/ports.ts";
import { toolTrial, use } from "../src/testing/tools.ts";
import apps from "../src/tools/apps.ts";
import { execWords, readEntries } from "../src/tools/apps/entries.ts";
import { pick } from "../src/tools/apps/match.ts";
import { plainOptions } from "../src/testing/computer-options.ts";

const ok = (output: unknown): ToolOutput => ({ output });
const bad = (error: string): ToolOutput => ({ output: null, error });
const call = (computer: Computer, name: string, input: object = {}, blocked: string[] = []): Promise<ToolOutput> =>
  use(apps, name, input, toolTrial(computer, { blocked }).context);

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) assert.fail(`still waiting: ${what}`);
    await delay(50);
  }
}

const onPath = (program: string): boolean => (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
const absent =
  process.platform === "linux"
    ? ["Xvfb", "openbox", "wmctrl", "xdotool", "xterm", "setsid", "xprop"].filter((program) => !onPath(program))
    : ["Linux"];
if (absent.length > 0) console.log(`Applications on Linux are not tested: missing ${absent.join(", ")}`);

describe("a Linux desktop", { skip: absent.length > 0 }, () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "steward-apps-")));
  const started: ChildProcess[] = [];
  const env: Record<string, string> = {};
  const open = (more: Record<string, string>): Promise<Computer> =>
    host.open({
      person: "ada",
      mode: "full",
      home,
      workspace: home,
      steward: join(home, ".steward"),
      hidden: () => [],
      ...plainOptions,
      env: { XDG_DATA_DIRS: join(home, "share"), ...more },
    });
  let computer: Computer;
  const mark = (name: string): string => join(home, name);

  function entry(file: string, lines: string[], folder = ".local/share/applications"): string {
    const path = join(home, folder, file);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, `${["[Desktop Entry]", "Type=Application", ...lines].join("\n")}\n`);
    return path;
  }
  const term = (wmClass: string, title: string, more = ""): string => `Exec=xterm -class ${wmClass} -T "${title}" ${more} -e sleep 600 %U`;

  before(async () => {
    const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    started.push(screen);
    const number = await new Promise<string>((resolve, reject) => {
      (screen.stdio[3] as NodeJS.ReadableStream).once("data", (data: Buffer) => resolve(data.toString().trim()));
      screen.once("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
    });
    env["DISPLAY"] = `:${number}`;
    computer = await open(env);
  });
  after(async () => {
    await computer?.dispose();
    for (const child of started.reverse()) {
      const over = new Promise((resolve) => child.once("exit", resolve));
      if (child.kill("SIGTERM")) await over;
    }
    rmSync(home, { recursive: true, force: true, maxRetries: 5 }); // what was launched ends with its screen, and not at once
  });

  test("no session, no display, no window manager, each said clearly", async () => {
    const none = await open({});
    assert.deepEqual(
      await call(none, "list_running_apps"),
      bad("Failed to list apps: No graphical session: neither DISPLAY nor WAYLAND_DISPLAY is set where Steward runs"),
    );
    assert.deepEqual(
      await call(none, "launch_application", { app_name: "x" }),
      bad("Failed to launch x: No graphical session: neither DISPLAY nor WAYLAND_DISPLAY is set where Steward runs"),
    );
    const wayland = await open({ WAYLAND_DISPLAY: "wayland-0" });
    assert.deepEqual(
      await call(wayland, "list_running_apps"),
      bad("Failed to list apps: Windows can only be seen in an X11 session: DISPLAY is not set"),
    );
    const dead = await open({ DISPLAY: ":65000" });
    assert.deepEqual(
      await call(dead, "list_running_apps"),
      bad("Failed to list apps: No graphical session: the display :65000 can't be opened"),
    );
    assert.deepEqual(
      await call(computer, "list_running_apps"),
      bad(
        `Failed to list apps: No window manager is running on display ${env["DISPLAY"]}; install and start one, such as the package openbox`,
      ),
    );
    const bare: Computer = {
      ...computer,
      exec: async (argv, options) => {
        const result = await computer.exec(argv, options);
        return { ...result, stdout: result.stdout.replace("wmctrl\n", "") };
      },
    };
    assert.deepEqual(
      await call(bare, "list_running_apps"),
      bad("Failed to list apps: wmctrl is not installed; install the package wmctrl"),
    );
  });

  test("launch, list, activate, info, quit, force quit", async () => {
    started.push(spawn("openbox", [], { env: { ...process.env, ...env, HOME: home }, stdio: "ignore" }));
    await until(
      "openbox",
      async () =>
        "output" in (await call(computer, "list_running_apps")) && (await call(computer, "list_running_apps")).error === undefined,
    );
    assert.deepEqual(await call(computer, "list_running_apps"), ok([]));

    const notes = entry("org.example.Notes.desktop", [
      "Name=Field Notes",
      "Name[de]=Feldnotizen",
      "GenericName=Text Editor",
      "StartupWMClass=FieldNotes",
      term("FieldNotes", "first words"),
    ]);
    const clock = entry("clock.desktop", ["Name=Clock", term("Clock", "tick")], "share/applications");
    for (const blocked of ["org.example.Notes", "Field Notes", "xterm", "Text Editor"])
      assert.deepEqual(
        await call(computer, "launch_application", { app_name: "feldnotizen" }, [blocked]),
        bad(`Permission denied: ${blocked} is a blocked app`),
      );
    assert.deepEqual(await call(computer, "launch_application", { app_name: "field notes" }), ok("Launched field notes"));
    assert.deepEqual(await call(computer, "launch_application", { app_name: "clock" }), ok("Launched clock"));
    const names = await until("both windows", async () => {
      const { output } = await call(computer, "list_running_apps");
      return Array.isArray(output) && output.length === 2 && [...(output as string[])].sort();
    });
    assert.deepEqual(names, ["Clock", "Field Notes"]);

    const look = (...argv: string[]): string =>
      execFileSync(argv[0]!, argv.slice(1), { env: { ...process.env, ...env } })
        .toString()
        .trim();
    // For a moment no window is in front, or the one that was is gone: both tools then fail.
    const active = (): string => {
      try {
        return /"([^"]*)"$/.exec(look("xprop", "-id", look("xdotool", "getactivewindow"), "WM_CLASS"))?.[1] ?? "";
      } catch {
        return "";
      }
    };
    for (const [name, said, wmClass] of [
      ["feldnotizen", "feldnotizen (Field Notes)", "FieldNotes"],
      ["Clock", "Clock", "Clock"],
      ["FieldNotes", "FieldNotes (Field Notes)", "FieldNotes"],
    ] as const) {
      assert.deepEqual(await call(computer, "activate_application", { app_name: name }), ok(`Activated ${said}`));
      await until(`${wmClass} in front`, async () => active() === wmClass);
    }

    look("xprop", "-name", "first words", "-f", "_NET_WM_NAME", "8u", "-set", "_NET_WM_NAME", "ünï  漢字 📝");
    const info = (await call(computer, "get_app_info", { app_name: "notes" })).output as { pids: number[] };
    assert.equal(info.pids.length, 1);
    assert.deepEqual(info, { name: "Field Notes", path: notes, running: true, pids: info.pids, windows: ["ünï  漢字 📝"] });
    assert.ok(existsSync(`/proc/${info.pids[0]}`));
    const clockInfo = (await call(computer, "get_app_info", { app_name: "clock" })).output as { pids: number[] };

    assert.deepEqual(await call(computer, "quit_application", { app_name: "Text Editor" }), ok("Quit Text Editor (Field Notes)"));
    assert.deepEqual(await call(computer, "list_running_apps"), ok(["Clock"]));
    assert.deepEqual(
      await call(computer, "get_app_info", { app_name: "notes" }),
      ok({ name: "Field Notes", path: notes, running: false, pids: [], windows: [] }),
    );
    assert.deepEqual(await call(computer, "quit_application", { app_name: "notes" }), bad("Failed to quit notes: It is not running"));

    assert.deepEqual(await call(computer, "quit_application", { app_name: "Clock", force: true }), ok("Force quit Clock"));
    assert.deepEqual(await call(computer, "list_running_apps"), ok([]));
    await until("the process is gone", async () => !existsSync(`/proc/${clockInfo.pids[0]}/exe`));
    assert.ok(existsSync(clock));
  });

  test("an application that does not close is said, and can be forced", async () => {
    entry("stubborn.desktop", ["Name=Stubborn", term("Stubborn", "no")]);
    await call(computer, "launch_application", { app_name: "Stubborn" });
    const info = await until("its window", async () => {
      const { output } = await call(computer, "get_app_info", { app_name: "Stubborn" });
      const { pids = [] } = (output ?? {}) as { pids?: number[] };
      return pids.length === 1 && { pid: pids[0]! };
    });
    process.kill(info.pid, "SIGSTOP");
    assert.deepEqual(
      await call(computer, "quit_application", { app_name: "Stubborn" }),
      bad("Failed to quit Stubborn: It is still open after 5 seconds; it may be asking whether to save. Set force to end it all the same"),
    );
    assert.deepEqual(await call(computer, "quit_application", { app_name: "Stubborn", force: true }), ok("Force quit Stubborn"));
    await until("the process is gone", async () => !existsSync(`/proc/${info.pid}/exe`));
  });

  test("an application that does not tell its process can be forced too", async () => {
    const path = entry("dial.desktop", ["Name=Dial", term("Dial", "dial window")]);
    await call(computer, "launch_application", { app_name: "Dial" });
    const info = async (): Promise<{ running: boolean; pids: number[] }> =>
      (await call(computer, "get_app_info", { app_name: "Dial" })).output as { running: boolean; pids: number[] };
    const { pids } = await until("its window", async () => (await info()).pids.length === 1 && (await info()));
    execFileSync("xprop", ["-name", "dial window", "-remove", "_NET_WM_PID"], { env: { ...process.env, ...env } });
    assert.deepEqual(await info(), { name: "Dial", path, running: true, pids: [], windows: ["dial window"] });
    assert.deepEqual(await call(computer, "quit_application", { app_name: "Dial", force: true }), ok("Force quit Dial"));
    await until("the process is gone", async () => !existsSync(`/proc/${pids[0]}/exe`));
  });

  test("names are data, whatever they hold", async () => {
    const bait = mark("pwned");
    for (const app_name of ['"; touch pwned; "', "$(touch pwned)", "*", "%", "a' b"]) {
      const result = await call(computer, "launch_application", { app_name });
      assert.equal(result.error?.startsWith(`Failed to launch ${app_name}: No application has this name`), true, JSON.stringify(result));
      assert.match((await call(computer, "quit_application", { app_name, force: true })).error ?? "", /: It is not running/);
    }
    for (const app_name of ["", " ", "a\nb", "a\0b", "x".repeat(201), "--version", "-rf", "../../etc/passwd", "/usr/bin/xterm"])
      assert.deepEqual(await call(computer, "launch_application", { app_name }), bad("Not the name of an application"));
    entry("-rf.desktop", ["Name=Dash", `Exec=touch "${mark("dash $(x) ; y")}"`]);
    const ran: string[][] = [];
    const watched: Computer = { ...computer, exec: (argv, options) => (ran.push(argv as string[]), computer.exec(argv, options)) };
    assert.deepEqual(await call(watched, "launch_application", { app_name: "Dash" }), ok("Launched Dash"));
    if (onPath("gtk-launch")) assert.deepEqual(ran.at(-1)?.slice(4), ["touch", "-w", "gtk-launch", "--", "-rf"]);
    await until("the odd file", async () => existsSync(mark("dash $(x) ; y")));
    assert.ok(!existsSync(bait));
  });

  test("without gtk-launch, with a missing program, with names that are close", async () => {
    const bare: Computer = {
      ...computer,
      exec: async (argv, options) => {
        const result = await computer.exec(argv, options);
        return { ...result, stdout: result.stdout.replace("gtk-launch\n", "") };
      },
    };
    entry("touch.desktop", ["Name=Toucher", `Exec=env -u LANG touch "${mark("a b")}" %F --%c%%`.replace(" --%c%%", ` "${mark("x%%y")}"`)]);
    assert.deepEqual(await call(bare, "launch_application", { app_name: "toucher" }), ok("Launched toucher"));
    await until("the file", async () => existsSync(mark("a b")));
    entry("gone.desktop", ["Name=Gone", "Exec=/no/such/program"]);
    for (const on of [computer, bare])
      assert.deepEqual(
        await call(on, "launch_application", { app_name: "Gone" }),
        bad("Failed to launch Gone: /no/such/program is not installed"),
      );
    assert.deepEqual(
      await call(computer, "launch_application", { app_name: "Tuocher" }),
      bad("Failed to launch Tuocher: No application has this name. Did you mean Toucher?"),
    );
    assert.deepEqual(
      await call(computer, "get_app_info", { app_name: "Feld" }),
      bad("Failed to get information about Feld: No application has this name. Did you mean Field Notes?"),
    );
  });

  test("an application outlives the call and sees no secret", async () => {
    const secret = await open({ ...env, STEWARD_TOKEN: "canary-1", KIMI_API_KEY: "canary-2" });
    const out = mark("environment");
    writeFileSync(
      mark("late.sh"),
      `#!/bin/sh\nuntil [ -e '${out}.go' ]; do sleep 0.05; done\necho noise; echo noise >&2\nenv > '${out}.new'\nreadlink /proc/$$/fd/0 /proc/$$/fd/2 >> '${out}.new'\nmv '${out}.new' '${out}'\n`,
      {
        mode: 0o755,
      },
    );
    entry("late.desktop", ["Name=Late", `Exec="${mark("late.sh")}"`]);
    assert.deepEqual(await call(secret, "launch_application", { app_name: "Late" }), ok("Launched Late"));
    writeFileSync(`${out}.go`, ""); // the call has not waited for the application, which goes on only now
    const text = await until("its environment", async () => existsSync(out) && (await computer.exec(["cat", out])).stdout);
    assert.match(text, new RegExp(`^DISPLAY=${env["DISPLAY"]}$`, "m"));
    assert.doesNotMatch(text, /canary/);
    assert.equal(text.split("\n").slice(-3).join(), "/dev/null,/dev/null,", "it holds no pipe of Steward");
  });
});

describe("desktop entries", () => {
  const lines = (path: string, ...rest: string[]): string =>
    ["[Desktop Entry]", "Type=Application", ...rest].map((line) => `${path}\0${line}\n`).join("");
  test("read", () => {
    const printed =
      lines("/a/applications/x.desktop", "Name = First", "Exec=x %U", "[Desktop Action new]", "Name=New Window", "Exec=evil") +
      lines("/b/applications/x.desktop", "Name=Second", "Exec=y") +
      lines("/b/applications/kde/z.desktop", "Name=Zed\\sTool", "Exec=z", "Terminal=true") +
      lines("/a/applications/hidden.desktop", "Name=Hidden", "Hidden=true") +
      lines("/b/applications/hidden.desktop", "Name=Hidden", "Exec=h") +
      lines("/b/applications/no.desktop", "Name=No", "NoDisplay=true") +
      "/b/applications/link.desktop\0[Desktop Entry]\n/b/applications/link.desktop\0Type=Link\n/b/applications/link.desktop\0Name=Link\ngarbage\n";
    assert.deepEqual(readEntries(printed, ["/a", "/b"]), [
      {
        id: "x",
        path: "/a/applications/x.desktop",
        name: "First",
        labels: ["First", "x"],
        argv: ["x"],
        terminal: false,
        classes: ["x", "x", "x", "first"],
      },
      {
        id: "kde-z",
        path: "/b/applications/kde/z.desktop",
        name: "Zed Tool",
        labels: ["Zed Tool", "kde-z", "z"],
        argv: ["z"],
        terminal: true,
        classes: ["kde-z", "kde-z", "z", "zed tool"],
      },
    ]);
  });
  test("Exec lines", () => {
    const words = (line: string): string[] => execWords(line, { name: "N m", path: "/p" });
    assert.deepEqual(words(`/usr/bin/a --x=%f "b c" %U %% 100%% %c %k %i`), ["/usr/bin/a", "--x=", "b c", "%", "100%", "N m", "/p"]);
    assert.deepEqual(words(String.raw`a "q\\"uote \\$x \\` + "`" + String.raw` \\\\" b`), ["a", 'q"uote $x ` \\', "b"]);
    assert.deepEqual(words("  "), []);
    assert.deepEqual(words('a "never closed'), ["a", "never", "closed"]);
  });
  test("names", () => {
    const all = ["Google Chrome", "Firefox", "Text Editor", "Text Viewer"].map((name) => ({ name, labels: [name] }));
    const found = (wanted: string): unknown => (({ found: one, ...rest }) => one?.name ?? rest)(pick(wanted, all));
    assert.equal(found("firefox"), "Firefox");
    assert.equal(found("FIREFOX.desktop"), "Firefox");
    assert.equal(found("chrome"), "Google Chrome");
    assert.equal(found("google-chrome"), "Google Chrome");
    assert.deepEqual(found("text"), { near: ["Text Editor", "Text Viewer"] });
    assert.deepEqual(found("fierfox"), { near: ["Firefox"] });
    assert.deepEqual(found("zzzz"), { near: [] });
    assert.deepEqual(found("..."), { near: [] });
  });
});

describe("macOS, recorded", () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "steward-mac-")));
  after(() => rmSync(folder, { recursive: true, force: true }));
  /** A stand-in on PATH for all three programs: notes its arguments and its input, answers as macOS would. */
  writeFileSync(
    join(folder, "stand-in.cjs"),
    `const { appendFileSync, readFileSync } = require("node:fs");
const [program, args] = [process.argv[2].split("/").at(-1), process.argv.slice(3)];
const script = args[0] === "-" ? readFileSync(0, "utf8") : "";
appendFileSync(${JSON.stringify(join(folder, "log"))}, JSON.stringify([program, ...args]) + "\\n");
if (script !== "" && args.slice(1).some((arg) => arg !== "Mail" && script.includes(arg))) process.exit(99);
if (args.includes("Nope")) { if (program === "open") console.error("Unable to find application named 'Nope'"); process.exit(program === "open" ? 1 : 0); }
if (script.includes("background only")) console.log("Finder\\nMail\\n-rf");
if (script.includes("unix id")) console.log("4242");
if (script.includes("path to application")) console.log("/Applications/" + (args[1] === "mail" ? "Mail" : args[1]) + ".app/");
`,
  );
  writeFileSync(join(folder, "osascript"), `#!/bin/sh\nexec '${process.execPath}' '${join(folder, "stand-in.cjs")}' "$0" "$@"\n`, {
    mode: 0o755,
  });
  for (const name of ["open", "kill"]) symlinkSync("osascript", join(folder, name));
  const recorded: string[][] = [];
  const mac = async (): Promise<Computer> => {
    const real = await host.open({
      person: "ada",
      mode: "full",
      home: folder,
      workspace: folder,
      steward: join(folder, ".s"),
      hidden: () => [],
      ...plainOptions,
      env: {},
    });
    const exec = async (command: string | string[], options: Parameters<Computer["exec"]>[1] = {}): Promise<ExecResult> => {
      assert.ok(Array.isArray(command) && options.desktop === true);
      recorded.push(command);
      return real.exec([join(folder, command[0]!), ...command.slice(1)], options);
    };
    return { ...real, platform: "darwin", exec };
  };
  const ran = (): string[][] => recorded.splice(0);

  test("every name is an argument", async () => {
    const computer = await mac();
    assert.deepEqual(await call(computer, "launch_application", { app_name: "Mail" }), ok("Launched Mail"));
    assert.deepEqual(ran(), [
      ["osascript", "-", "Mail"],
      ["open", "-a", "/Applications/Mail.app/"],
    ]);
    assert.deepEqual(await call(computer, "list_running_apps"), ok(["Finder", "Mail", "-rf"]));
    assert.deepEqual(ran(), [["osascript", "-"]]);
    for (const name of ["Mail"]) {
      assert.deepEqual(await call(computer, "activate_application", { app_name: name }), ok(`Activated ${name}`));
      assert.deepEqual(ran(), [
        ["osascript", "-"],
        ["osascript", "-", name],
        ["osascript", "-", name],
      ]);
      assert.deepEqual(await call(computer, "quit_application", { app_name: name }), ok(`Quit ${name}`));
      assert.deepEqual(ran(), [
        ["osascript", "-"],
        ["osascript", "-", name],
        ["osascript", "-", name],
      ]);
      assert.deepEqual(await call(computer, "quit_application", { app_name: name, force: true }), ok(`Force quit ${name}`));
      assert.deepEqual(ran(), [
        ["osascript", "-"],
        ["osascript", "-", name],
        ["osascript", "-", name],
        ["kill", "-KILL", "4242"],
      ]);
      assert.deepEqual(
        await call(computer, "get_app_info", { app_name: name }),
        ok({ name, path: `/Applications/${name}.app/`, running: true, pids: [4242] }),
      );
      assert.deepEqual(ran(), [
        ["osascript", "-", name],
        ["osascript", "-"],
        ["osascript", "-", name],
      ]);
    }
    for (const name of [`x" & (do shell script "id") & "`, "$(id)"]) {
      await call(computer, "launch_application", { app_name: name });
      await call(computer, "get_app_info", { app_name: name });
      assert.deepEqual(ran(), [
        ["osascript", "-", name],
        ["open", "-a", `/Applications/${name}.app/`],
        ["osascript", "-", name],
        ["osascript", "-"],
      ]);
    }
  });
  test("a blocked application is not reached by another of its names, by a path or by an option", async () => {
    const computer = await mac();
    for (const [name, app_name] of [
      ["launch_application", "mail"],
      ["quit_application", "mail"],
      ["activate_application", "mail"],
      ["get_app_info", "mail"],
    ] as const) {
      assert.deepEqual(await call(computer, name, { app_name }, ["Mail"]), bad("Permission denied: Mail is a blocked app"));
      assert.ok(!ran().some(([program]) => program !== "osascript"), name);
    }
    for (const app_name of ["/System/Applications/Mail.app", "-rf", "../Mail"])
      assert.deepEqual(await call(computer, "launch_application", { app_name }), bad("Not the name of an application"));
    assert.deepEqual(ran(), []);
  });
  test("failures", async () => {
    const computer = await mac();
    assert.deepEqual(
      await call(computer, "launch_application", { app_name: "Nope" }),
      bad("Failed to launch Nope: No application has this name"),
    );
    assert.deepEqual(
      await call(computer, "quit_application", { app_name: "Mial" }),
      bad("Failed to quit Mial: It is not running. Did you mean Mail?"),
    );
    assert.deepEqual(
      await call(computer, "get_app_info", { app_name: "Nope" }),
      bad("Failed to get information about Nope: No application has this name"),
    );
  });
});
