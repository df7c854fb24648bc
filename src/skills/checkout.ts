// Fetches a skill by the git program: one commit into a bare repository of its own, read as an archive. No checkout, so no hook, filter, submodule or large-file program ever runs.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { isPublic, literal } from "../run/addresses.ts";
import { killGroup } from "../run/kill-group.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { unpack } from "./archive.ts";
import { type Files, LIMITS } from "./files.ts";

export interface Checkout {
  files: Files;
  /** 40 hexadecimal digits. */
  commit: string;
}

const LONGEST_MS = 60_000;
/** Megabytes of one file that git may write. */
const MOST_MB = 200;

/** `from`: an https address, or an absolute path of this machine. `ref`: a branch, tag or whole commit. */
export async function checkout(from: string, ref = "HEAD"): Promise<Checkout> {
  const local = isAbsolute(from);
  const at = local ? undefined : await publicAddress(from);
  if (!/^[\w][\w./-]{0,199}$/.test(ref) || ref.includes("..")) throw new StewardError("invalid", `"${ref}" is no branch, tag or commit`);
  const folder = await mkdtemp(join(tmpdir(), "steward-git-"));
  const git = (...words: string[]): Promise<Buffer> => runGit(folder, at, words);
  try {
    await git("init", "--quiet", "--bare", "--template=", ".");
    await git("fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--", from, ref);
    const commit = (await git("rev-parse", "--verify", "FETCH_HEAD^{commit}")).toString().trim();
    return { commit, files: unpack(await git("archive", "--format=tar", commit)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where the host is, for git to connect to and nowhere else: a name that means another address a moment later changes nothing. */
async function publicAddress(from: string): Promise<string> {
  const url = URL.canParse(from) ? new URL(from) : undefined;
  if (url?.protocol !== "https:" || url.username !== "" || url.password !== "")
    throw new StewardError("invalid", "A repository is an https address without a name and password, or an absolute path of this machine");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses =
    literal(url.hostname) === undefined
      ? (await lookup(host, { all: true }).catch(unreachable(host))).map(({ address }) => address)
      : [host];
  if (addresses.length === 0 || !addresses.every((address) => isPublic(address)))
    throw new StewardError("denied", `${host} is not a public address`, { hint: "Clone it yourself and add the folder." });
  const [first = ""] = addresses;
  return `${host}:${url.port || "443"}:${first.includes(":") ? `[${first}]` : first}`;
}

const unreachable =
  (host: string) =>
  (error: unknown): never => {
    throw new StewardError("unavailable", `${host} can't be found: ${messageOf(error)}`);
  };

/** Settings of the machine and of people are not read, so none of them can name a program. */
function runGit(folder: string, at: string | undefined, words: string[]): Promise<Buffer> {
  const settings = [
    ...["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.symlinks=false", "credential.helper=", "http.followRedirects=false"],
    ...["protocol.allow=never", `protocol.${at === undefined ? "file" : "https"}.allow=always`, "submodule.recurse=false", "gc.auto=0"],
    ...(at === undefined ? [] : [`http.curloptResolve=${at}`]),
  ].flatMap((one) => ["-c", one]);
  const script = `ulimit -f ${MOST_MB * 2048} 2>/dev/null; exec git "$@"`;
  const env = {
    ...{ PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: folder, LANG: "C" },
    ...{ GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "false", SSH_ASKPASS: "false" },
    ...{ GIT_LFS_SKIP_SMUDGE: "1", GIT_OPTIONAL_LOCKS: "0", GIT_ATTR_NOSYSTEM: "1" },
  };
  return outputOf(
    spawn("sh", ["-c", script, "git", ...settings, ...words], { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] }),
  );
}

/** What it printed, once it and all that it started have ended: git alone leaves the program that fetches for it behind. */
async function outputOf(child: ChildProcess): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const state = { size: 0, said: "", over: false };
  const end = (): void => {
    state.over = true;
    killGroup(child.pid);
  };
  const timer = setTimeout(end, LONGEST_MS);
  child.stderr!.on("data", (piece: Buffer) => void (state.said = (state.said + piece.toString()).slice(-2000)));
  child.stdout!.on("data", (piece: Buffer) => {
    pieces.push(piece);
    if ((state.size += piece.byteLength) > LIMITS.allBytes * 2) end();
  });
  try {
    const code = await new Promise<number>((resolve, reject) =>
      child.once("error", reject).once("close", (status) => resolve(status ?? 255)),
    );
    if (code === 0 && !state.over) return Buffer.concat(pieces);
    if (code === 127)
      throw new StewardError("unavailable", "The program git is not on this machine", { hint: "Add a folder or an archive instead." });
    const said = state.said.trim().split("\n").slice(-2).join(" ").slice(0, 300);
    const why = state.over ? "it took too long or is too large" : said || `it ended with ${code}`;
    throw new StewardError("unavailable", `git could not fetch it: ${why}`);
  } finally {
    clearTimeout(timer);
    killGroup(child.pid);
  }
}
