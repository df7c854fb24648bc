// npm of this machine, run with Steward's own Node: fetches a package with what it needs, runs nothing of it. What for is programs.ts.
import { spawn } from "node:child_process";
import { existsSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { killGroup } from "../run/kill-group.ts";
import { StewardError, type Code } from "../std/error.ts";

export interface Fetching {
  package: string;
  version: string;
  /** An empty folder. */
  into: string;
  env: Readonly<Record<string, string | undefined>>;
  progress(line: string): void;
  signal: AbortSignal;
}

/** Of the surroundings npm gets what leads to a registry, and nothing else. */
const PASSED = /^(?:PATH|HOME|LANG|TMPDIR|(?:https?|no|all)_proxy|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|npm_config_.+)$/i;
/** Of npm's own settings those that say where the registry is and how to get there. */
const SETTING = /^npm_config_(?:registry|userconfig|globalconfig|cafile|ca|strict_ssl|proxy|https_proxy|noproxy|.*:registry|\/\/.*)$/i;

/** Only packages of the registry. What is to be cloned is prepared by an npm of its own, which follows settings in the clone, such as which program git is; older npm knows no `allow-`. */
const FROM_REGISTRY = ["--allow-git=none", "--allow-file=none", "--allow-directory=none", "--git=/dev/null"];

/** Throws StewardError with what to do; when the signal aborts, too. All that it started has ended then. */
export async function fetchPackage({ package: name, version, into, env, progress, signal }: Fetching): Promise<void> {
  const [file, ...first] = findNpm(env);
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--include=optional", "--omit=dev"];
  const more = [
    "--prefix",
    into,
    "--cache",
    path.join(into, ".cache"),
    "--loglevel=http",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=60000",
  ];
  const child = spawn(file, [...first, "install", "--save-exact", ...flags, ...FROM_REGISTRY, ...more, `${name}@${version}`], {
    cwd: into,
    env: Object.fromEntries(Object.entries(env).filter(([key]) => PASSED.test(key) && (!/^npm_config_/i.test(key) || SETTING.test(key)))),
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    const [, got] = /^npm http fetch GET 200 \S*\/([^/\s?]+\.tgz)/.exec(line) ?? [];
    if (got !== undefined) progress(`Fetched ${got}`);
    else if (line.startsWith("npm error") || line.startsWith("npm ERR!")) said.push(line.replace(/^npm (?:error|ERR!) ?/, ""));
    if (said.length > 200) said.shift();
  });
  const end = (): void => killGroup(child.pid);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", (error) => reject(new StewardError("unavailable", `npm can't be started: ${error.message}`, { cause: error })));
      child.once("close", (status) => resolve(status ?? 255));
    });
    if (signal.aborted) throw new StewardError("unavailable", `Bringing ${name} was given up`);
    if (code !== 0) throw explained(said, `${name} ${version}`);
  } finally {
    signal.removeEventListener("abort", end);
    killGroup(child.pid);
  }
}

/** npm's script with this process's Node, so that the packages of today fit; a starter of another kind is run as it is. */
export function findNpm(env: Readonly<Record<string, string | undefined>>): [string, ...string[]] {
  const beside = path.join(path.dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js");
  const folders = (env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  for (const candidate of [...folders.map((folder) => path.join(folder, "npm")), beside]) {
    if (!existsSync(candidate) || !statSync(candidate).isFile()) continue;
    const real = realpathSync(candidate);
    return /\.[cm]?js$/.test(real) ? [process.execPath, real] : [real];
  }
  throw new StewardError("unavailable", "npm was not found, which brings the programs of engines", {
    hint: "Install it (Debian, Ubuntu: sudo apt-get install npm; macOS: brew install node), then try again.",
  });
}

type Reason = [Code, string, string];
const ELSEWHERE: Reason = [
  "denied",
  "it needs what is not in the registry",
  "Do not trust this package, or look at npm's registry setting.",
];
const OFFLINE: Reason = ["unavailable", "the npm registry can't be reached", "Check the network, or npm's proxy and registry settings."];
const REASONS: Record<string, Reason> = {
  ...Object.fromEntries(
    [
      "ENOTFOUND",
      "EAI_AGAIN",
      "ECONNREFUSED",
      "ECONNRESET",
      "ETIMEDOUT",
      "ERR_SOCKET_TIMEOUT",
      "EIDLETIMEOUT",
      "ENETUNREACH",
      "EHOSTUNREACH",
    ].map((code) => [code, OFFLINE]),
  ),
  EALLOWGIT: ELSEWHERE,
  EALLOWFILE: ELSEWHERE,
  EALLOWDIRECTORY: ELSEWHERE,
  E404: ["not_found", "the registry does not have it", "Check engines.<name> in the configuration, and npm's registry setting."],
  ETARGET: ["not_found", "the registry does not have this version", "Check the version in the configuration, and npm's registry setting."],
  EINTEGRITY: ["unavailable", "what came is not what the registry says it is", "Try again; if it stays so, do not trust this registry."],
  ENOSPC: ["limit", "the disk is full", "Make room, then try again."],
  EBADPLATFORM: ["unavailable", "it is not made for this system", "Choose another engine."],
  E401: ["denied", "the registry wants a login", "npm login, or correct npm's registry setting."],
  E403: ["denied", "the registry refuses it", "Check npm's registry setting."],
};

function explained(said: string[], what: string): StewardError {
  const code = said.map((line) => /^code (\w+)/.exec(line)?.[1]).find((one) => one !== undefined) ?? "";
  const [kind, why, hint] = REASONS[code] ?? [
    "unavailable",
    said.find((line) => !/^(?:code|errno|syscall|A complete log)/.test(line)) ?? "npm failed",
    "Try again.",
  ];
  return new StewardError(kind, `${what} could not be brought: ${why}`, { hint });
}
