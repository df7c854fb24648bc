// The command line's way in: finds the command, reads its line, turns its failure into words and an exit code. Loads only the one that is asked for.
import type { Answered } from "../core/api.ts";
import { failureOf, StewardError } from "../std/error.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { DONE, exitCodes, USAGE } from "./exit.ts";

export interface CliHost {
  env: Record<string, string | undefined>;
  version: string;
  /** STEWARD_HOME, resolved. */
  home: string;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Starts the server in this process; resolves when it listens. */
  serve(options: {
    port?: number;
    host?: string;
    model?: string;
    logLevel?: string;
    osAgent?: { host?: string; port?: number };
    webchat?: { soft?: boolean };
    engine?: string;
    channels?: string[];
  }): Promise<Serving>;
  /** The whole of Steward in this process without a listener, for one command when no server runs. */
  embed(work: boolean): Promise<{ fetch(request: Request): Promise<Response>; close(): Promise<void> }>;
  /** The doctor, in this process. */
  examine(asked: { names: string[]; fix: boolean }): Promise<Answered<"doctor.get">>;
  /** The running server of this home, checked to be alive (pid and start time), or undefined. */
  running(): Promise<{ url: string; token: string; pid: number } | undefined>;
}
/** A Steward that answers. */
export interface Serving {
  url: string;
  claimUrl: string;
  /** The same for the plain page, when it is open. */
  plainClaimUrl?: string;
  warnings: string[];
  /** Who answers where nothing else was chosen. */
  model: string;
  sandbox: string;
  /** Addresses of further doors, by name. */
  doors: Record<string, string>;
  close(): Promise<void>;
  /** Resolves when it has stopped, whoever asked for it. */
  closed: Promise<void>;
}

/** Resolves to the exit code; never throws. */
export async function runCli(argv: string[], host: CliHost): Promise<number> {
  for (const stream of [host.stdout, host.stderr]) stream.on("error", endOfPipe);
  try {
    return await dispatch(withoutHome(argv), host);
  } catch (error) {
    return tell(error, host);
  }
}

/** A reader that has seen enough, such as `head`, is no failure. */
function endOfPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(DONE);
  throw error;
}

/** `--home DIR` may stand before the command; it has been read already. */
function withoutHome(argv: string[]): string[] {
  const equals = argv.find((word) => word.startsWith("--home="));
  if (equals) throw new StewardError("invalid", `Write --home and the folder as two words, not "${equals}"`);
  const at = argv.indexOf("--home");
  if (at >= 0 && argv[at + 1] === undefined) throw new StewardError("invalid", "--home takes a folder");
  return at >= 0 ? argv.toSpliced(at, 2) : argv;
}

async function dispatch(argv: string[], host: CliHost): Promise<number> {
  const [first = "start", ...rest] = argv;
  if (first === "--version" || first === "-v" || first === "version") {
    host.stdout.write(`steward ${host.version}\n`);
    return DONE;
  }
  if (first === "--help" || first === "-h") return run("help", rest, host);
  return first.startsWith("-") ? run("start", argv, host) : run(first, rest, host);
}

async function run(name: string, argv: string[], host: CliHost): Promise<number> {
  const known = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!known) throw await unknown(name);
  const command: Command = await known.load();
  const [{ readLine }, { openOutput }] = await Promise.all([import("./command.ts"), import("./output.ts")]);
  const { args, flags } = readLine(name, command, argv);
  const out = openOutput(host);
  if (flags.has("help")) {
    const { describe } = await import("./help.ts");
    describe(out, name, command);
    return DONE;
  }
  return command.run({ commands, host, out, args, flags });
}

async function unknown(name: string): Promise<StewardError> {
  const { nearest } = await import("./help.ts");
  const meant = nearest(name, Object.keys(commands));
  return new StewardError("invalid", `There is no command "${name}"`, {
    hint: meant ? `Did you mean steward ${meant}?` : "steward help lists the commands.",
  });
}

const debugs = (env: CliHost["env"]): boolean =>
  [env["STEWARD_DEBUG"], env["TWIZZY_DEBUG"]].some((value) => value && !/^(0|false|no|off)$/i.test(value));

async function tell(error: unknown, { env, stderr }: CliHost): Promise<number> {
  const { clean } = await import("./output.ts");
  const { code, message, hint } = failureOf(error);
  stderr.write(`steward: ${clean(message).replace(/\s*\n\s*/g, " ")}\n${hint ? `${clean(hint)}\n` : ""}`);
  if (debugs(env) && error instanceof Error)
    for (let at: unknown = error; at instanceof Error; at = at.cause) stderr.write(`${clean(at.stack ?? at.message)}\n`);
  return exitCodes[code] ?? USAGE;
}
