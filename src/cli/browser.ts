// Opens the claim link in the person's browser. The link reaches it by a file that only they can read: arguments are seen by everybody on the machine.
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { randomText } from "../std/id.ts";

type Env = Record<string, string | undefined>;
const KEEP_SECONDS = 20;

/** Why no browser is opened here, or undefined when one can be. */
export function whyNot(env: Env, platform: string = process.platform): string | undefined {
  if (env["CI"]) return "CI is set";
  if (env["SSH_CONNECTION"]) return "this is a remote login";
  if (platform === "linux" && !env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return "there is no display";
  return undefined;
}

/** Never throws: the link is printed as well. The folder is not a hidden one, which confined browsers could not read. A process of its own takes the file away, so that a command may end before the browser has read it. */
export function openBrowser(url: string, { home, env }: { home: string; env: Env }): void {
  const folder = /\/\./.test(home) ? homedir() : home;
  const path = join(folder, `steward-opens-${randomText(8)}.html`);
  const remove = (): void => rmSync(path, { force: true });
  try {
    writeFileSync(
      path,
      `<!doctype html><meta charset="utf-8"><title>Steward</title><meta http-equiv="refresh" content="0;url=${url.replaceAll('"', "%22")}">\n`,
      { mode: 0o600, flag: "wx" },
    );
    const opener = process.platform === "darwin" ? "open" : "xdg-open";
    const child = spawn("sh", ["-c", `${opener} "$1"; sleep ${KEEP_SECONDS}; rm -f "$1"`, "steward", path], {
      detached: true,
      stdio: "ignore",
      env,
    });
    child.on("error", remove);
    child.unref();
  } catch {
    remove();
  }
}
