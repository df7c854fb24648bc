// Opens the claim link in the person's browser. The link reaches it by a file that only they can read: arguments are seen by everybody on the machine.
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { randomText } from "../std/id.ts";

type Env = Record<string, string | undefined>;
const KEEP_MS = 30_000;

/** Why no browser is opened here, or undefined when one can be. */
export function whyNot(env: Env, platform: string = process.platform): string | undefined {
  if (env["CI"]) return "CI is set";
  if (env["SSH_CONNECTION"]) return "this is a remote login";
  if (platform === "linux" && !env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return "there is no display";
  return undefined;
}

/** Never throws: the link is printed as well. The folder is not a hidden one, which confined browsers could not read. */
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
    const child = spawn(process.platform === "darwin" ? "open" : "xdg-open", [path], {
      detached: true,
      stdio: "ignore",
      env,
    });
    child.on("error", remove);
    child.unref();
    process.once("exit", remove);
    setTimeout(remove, KEEP_MS).unref();
  } catch {
    remove();
  }
}
