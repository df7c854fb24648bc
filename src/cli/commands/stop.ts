// steward stop: asks the server to end, waits until its process is gone, and only then uses force.
import { setTimeout as wait } from "node:timers/promises";
import { StewardError } from "../../std/error.ts";
import type { CliHost } from "../cli.ts";
import type { Command } from "../command.ts";
import { DONE, NOT_RUNNING } from "../exit.ts";
import { ask } from "../local.ts";

const PATIENCE_MS = 15_000;
const LOOK_MS = 40;

export const stop: Command = {
  usage: ["stop [--json]"],
  about: "Stops the Steward of this home. Running turns are finished at the next start; nothing is lost.",
  options: { json: { help: "as JSON" } },
  examples: [["steward stop", "stop, and wait until it has"]],
  async run({ host, out, flags }) {
    const running = await host.running();
    if (!running) {
      if (flags.has("json")) out.json({ stopped: false, running: false });
      else out.line("Steward is not running.");
      return NOT_RUNNING;
    }
    await ask(running, "/api/stop", { method: "POST", body: {}, timeoutMs: 5000 }).catch(() => undefined);
    const { pid } = running;
    if (!(await gone(host, pid))) await end(host, pid);
    if (flags.has("json")) out.json({ stopped: true, pid });
    else out.line("Steward has stopped.");
    return DONE;
  },
};

/** Whether that process has left within the time. */
async function gone(host: CliHost, pid: number): Promise<boolean> {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await wait(LOOK_MS)) if (!(await same(host, pid))) return true;
  return false;
}

/** `running` has compared the start time, so a pid that was given anew is never meant. */
const same = async (host: CliHost, pid: number): Promise<boolean> => (await host.running())?.pid === pid;

async function end(host: CliHost, pid: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!(await same(host, pid))) return;
    process.kill(pid, signal);
    if (await gone(host, pid)) return;
  }
  throw new StewardError("unavailable", `Process ${pid} does not end`, { hint: "Look at it with your system's process viewer." });
}
