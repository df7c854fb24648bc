// steward start: the server in this process until it is told to stop; or the way to the one that runs already.
import type { Answered } from "../../core/api.ts";
import type { CliHost, Serving } from "../cli.ts";
import { type Command, type Flags, type Given, usageError } from "../command.ts";
import { openBrowser, whyNot } from "../browser.ts";
import { DONE, exitCodes, INTERRUPTED } from "../exit.ts";
import { ask, type Running } from "../local.ts";
import { bold, cyan, dim, green, red, yellow } from "../output.ts";

const LEVELS = ["debug", "info", "warning", "error"];
/** Channels that have a flag of their own, as in the older system. */
const CHANNELS = ["discord", "telegram", "slack"];

export const start: Command = {
  usage: ["start [--port N] [--host H] [--model PROVIDER/NAME] [--log LEVEL] [--os-agent] [--webchat] [--no-open]", "start --test"],
  about: "Starts Steward here and stays until Ctrl-C or `steward stop`. Opens the page with a one-time link.",
  options: {
    port: { value: "N", help: "port instead of server.port (7777); 0 takes a free one" },
    host: { value: "H", help: "address to listen on instead of server.host (127.0.0.1)" },
    model: { value: "P/N", help: "model for this run, such as ollama/qwen2.5" },
    log: { value: "LEVEL", help: "debug, info, warning or error" },
    "os-agent": { help: "open OS-Agent's WebSocket too, as osAgent.host and osAgent.port say (127.0.0.1:8765)" },
    webchat: {
      help: "open WebChat and the plain page too, as webchat.host and webchat.port say (127.0.0.1:8080), and OS-Agent's WebSocket, which the plain page uses",
    },
    "no-open": { help: "do not open a browser" },
    test: { help: "start, check every part, and exit" },
    claude: { help: "Claude Code answers in this run (engine claude)" },
    ...Object.fromEntries(CHANNELS.map((name) => [name, { help: `connect ${name}, whatever channels.${name}.enabled says` }])),
  },
  examples: [
    ["steward start", "start, and open the page"],
    ["steward start --port 8080 --no-open", "another port, no browser"],
    ["steward start --model builtin/rules", "with the model that needs no key"],
    ["steward start --test", "check that everything is well"],
  ],
  async run(given) {
    const { host, flags, args } = given;
    if (args.length > 0) throw usageError(`start takes no further words, found "${args[0]}"`);
    const options = optionsOf(flags);
    const running = await host.running();
    if (running) return flags.has("test") ? check(given, running) : join(given, running);
    if (!flags.has("test")) return stay(given, options);
    return test(given, await host.serve({ ...options, port: options.port ?? 0 }));
  },
};

/** Serves until Ctrl-C or `steward stop`. */
export async function stay(given: Given, options: Parameters<CliHost["serve"]>[0]): Promise<number> {
  const signals = watchSignals();
  const served = await given.host.serve(options);
  introduce(given, served);
  return until(served, signals, given);
}

function optionsOf(flags: Flags): Parameters<CliHost["serve"]>[0] {
  const port = flags.number("port", { min: 0, max: 65_535 });
  const host = flags.text("host");
  const model = flags.text("model");
  const given = flags.text("log")?.toLowerCase();
  const logLevel = given === "warn" ? "warning" : given;
  if (logLevel !== undefined && !LEVELS.includes(logLevel)) throw usageError(`--log takes ${LEVELS.join(", ")}, not "${given}"`);
  return {
    ...(port === undefined ? {} : { port }),
    ...(host === undefined ? {} : { host }),
    ...(model === undefined ? {} : { model }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(flags.has("os-agent") ? { osAgent: {} } : {}),
    ...(flags.has("webchat") ? { webchat: {} } : {}),
    ...(flags.has("claude") ? { engine: "claude" } : {}),
    ...(CHANNELS.some((name) => flags.has(name)) ? { channels: CHANNELS.filter((name) => flags.has(name)) } : {}),
  };
}

function introduce({ host, out, flags }: Given, { url, claimUrl, plainClaimUrl, model, sandbox, warnings, doors }: Serving): void {
  out.line(`${bold("Steward")} ${host.version} runs at ${cyan(url)}`);
  out.line(`  ${dim("model    ")}${model}`);
  out.line(`  ${dim("sandbox  ")}${sandbox}`);
  out.line(`  ${dim("home     ")}${host.home}`);
  for (const [name, address] of Object.entries(doors)) out.line(`  ${dim(name.padEnd(9))}${cyan(address)}`);
  for (const warning of warnings) out.line(`  ${yellow(`warning  ${warning}`)}`);
  offer({ host, out, flags }, claimUrl);
  if (plainClaimUrl !== undefined) out.line(`Or this one, for WebChat and the plain page:\n  ${plainClaimUrl}\n`);
  out.line(dim("Ctrl-C stops it."));
}

/** Prints the link and opens it where that is possible. */
function offer({ host, out, flags }: Pick<Given, "host" | "out" | "flags">, claimUrl: string): void {
  const not = flags.has("no-open") ? "--no-open" : whyNot(host.env);
  out.line(`\nOpen this link to come in (once, within ten minutes):\n  ${claimUrl}\n`);
  if (not === undefined) openBrowser(claimUrl, host);
}

async function join(given: Given, running: Running): Promise<number> {
  const { url } = await ask<Answered<"claim.make">>(running, "/api/claim-link", { method: "POST", body: {} });
  given.out.line(`Steward already runs at ${cyan(running.url)} ${dim(`(process ${running.pid})`)}`);
  if (["port", "host", "model", "log", "os-agent", "webchat"].some((name) => given.flags.has(name)))
    given.out.note(yellow("The options given hold for a new start only: steward stop, then start again."));
  offer(given, url);
  return DONE;
}

/** How often a stop was asked for; the first may come while it still starts. */
interface Signals {
  count: number;
  ring?: () => void;
}

function watchSignals(): Signals {
  const signals: Signals = { count: 0 };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (++signals.count > 1 && name === "SIGINT") process.exit(INTERRUPTED);
      signals.ring?.();
    });
  return signals;
}

async function until(served: Serving, signals: Signals, { out }: Given): Promise<number> {
  const asked = new Promise<void>((resolve) => {
    signals.ring = resolve;
    if (signals.count > 0) resolve();
  });
  await Promise.race([asked, served.closed]);
  if (signals.count > 0) out.note("\nStopping…");
  await served.close();
  return DONE;
}

async function test(given: Given, served: Serving): Promise<number> {
  try {
    const running = await given.host.running();
    return running ? await check(given, running) : exitCodes.internal;
  } finally {
    await served.close();
  }
}

async function check({ out }: Given, running: Running): Promise<number> {
  const { status, components = [] } = await ask<Answered<"health.get">>(running, "/api/health");
  for (const { name, status: how, message } of components)
    out.line(`${(how === "healthy" ? green : how === "unhealthy" ? red : yellow)(how.padEnd(10))} ${name}: ${message}`);
  return status === "unhealthy" ? exitCodes.internal : DONE;
}
