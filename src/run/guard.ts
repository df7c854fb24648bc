// The computer that tools get: every path and command checked, every change journaled, reads answered from caches that stay true.
import type { Computer, ExecOptions, ExecResult, FileInfo } from "../core/computer.ts";
import type { Principal } from "../core/types.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { bytes as sizeOf, oneLine } from "../std/text.ts";
import { cacheable, commandsOf, isUnder, refusedCommand } from "./policy.ts";
import type { Steward } from "./steward.ts";
import type { Journal } from "./undo.ts";

export interface GuardScope {
  principal: Principal;
  /** Approved for this call: "write:/folder", "network". */
  granted: string[];
  journal: Journal;
  /** Set when an answer came from a cache. */
  note: { cached: boolean };
  /** The tool only reads: its commands change nothing that could be named. */
  reads: boolean;
}

const MAX_CACHED = 1024 * 1024;

/** The scope that changing `path` needs, or undefined when it is free in this mode. `itself`: a last name that is a link is meant, not what it leads to. Throws denied when no answer could allow it. */
export async function writeScope(steward: Steward, computer: Computer, path: string, itself: boolean): Promise<string | undefined> {
  const at = await (itself ? named : resolved)(computer, path);
  if (itself) await refuseTree(steward, computer, at);
  return scopeOf(steward, computer, at);
}

async function scopeOf(steward: Steward, computer: Computer, at: string): Promise<string | undefined> {
  await refusePath(steward, computer, at);
  if (computer.mode !== "guarded" || isUnder(at, await resolved(computer, computer.workspace))) return undefined;
  return `write:${at.slice(0, at.lastIndexOf("/")) || "/"}`;
}

export const covers = (granted: string, scope: string): boolean =>
  granted === scope || (granted.startsWith("write:") && scope.startsWith("write:") && isUnder(scope.slice(6), granted.slice(6)));

/** Absolute, with links followed as far as the path exists. */
async function resolved(computer: Computer, path: string): Promise<string> {
  const info = await computer.stat(path);
  if (info) return info.path;
  const plain = path.replace(/\/+$/, "");
  const cut = plain.lastIndexOf("/");
  const name = plain.slice(cut + 1);
  if (name === ".." || name === ".") throw new StewardError("not_found", `${path} does not exist`);
  if (plain === "" || plain === "~") return computer.home;
  const parent = await resolved(computer, cut < 0 ? computer.workspace : plain.slice(0, cut) || "/");
  return `${parent === "/" ? "" : parent}/${name}`;
}

/** As `resolved`, but a last name that is a link is meant itself: for what moves or removes a name, not its content. */
async function named(computer: Computer, path: string): Promise<string> {
  const plain = path.replace(/(?<=.)\/+$/, "");
  const cut = plain.lastIndexOf("/");
  const name = plain.slice(cut + 1);
  if (name === "" || name === "." || name === ".." || plain === "~") return resolved(computer, path);
  const parent = await resolved(computer, cut < 0 ? computer.workspace : plain.slice(0, cut) || "/");
  return `${parent === "/" ? "" : parent}/${name}`;
}

/** A folder may not be moved, removed or copied together with something in it that may not be touched. */
async function refuseTree(steward: Steward, computer: Computer, at: string): Promise<void> {
  await refusePath(steward, computer, at);
  const kept = [
    ...steward.permissions.read().capabilities.filesystem.restrictions.blocked_paths,
    ...(computer.mode === "contained" ? [] : [steward.home]),
    computer.workspace,
  ];
  for (const path of kept)
    if (isUnder(await resolved(computer, path), at))
      throw new StewardError("denied", `Permission denied: ${at} holds ${path}, which must stay where it is`);
}

async function refusePath(steward: Steward, computer: Computer, at: string): Promise<void> {
  const { restrictions } = steward.permissions.read().capabilities.filesystem;
  const same = computer.platform === "darwin" ? (path: string): string => path.toLowerCase() : (path: string): string => path;
  const inside = async (folder: string): Promise<boolean> => isUnder(same(at), same(await resolved(computer, folder)));
  const workspaceInHome = async (): Promise<boolean> =>
    isUnder(same(await resolved(computer, computer.workspace)), same(await resolved(computer, steward.home)));
  if (computer.mode !== "contained" && (await inside(steward.home)) && !((await inside(computer.workspace)) && (await workspaceInHome())))
    throw new StewardError("denied", `Permission denied: ${at} belongs to Steward itself`, {
      hint: "Settings are changed on the settings page or with steward config.",
    });
  for (const folder of restrictions.blocked_paths)
    if (await inside(folder))
      throw new StewardError("denied", `Permission denied: ${at} is in the blocked path ${folder}`, {
        hint: "Blocked paths are listed on the settings page.",
      });
  if (restrictions.allowed_paths.length === 0) return;
  for (const folder of restrictions.allowed_paths) if (await inside(folder)) return;
  throw new StewardError("denied", `Permission denied: ${at} is in none of the allowed paths`, {
    hint: "Allowed paths are listed on the settings page.",
  });
}

export function guard(steward: Steward, computer: Computer, scope: GuardScope): Computer {
  const { journal } = scope;
  const readable = async (path: string): Promise<string> => {
    const at = await resolved(computer, path);
    await refusePath(steward, computer, at);
    return at;
  };
  const writable = async (path: string): Promise<string> => {
    const at = await resolved(computer, path);
    await mayWrite(steward, computer, scope, at);
    return at;
  };
  const movable = async (path: string): Promise<string> => {
    const at = await named(computer, path);
    await refuseTree(steward, computer, at);
    await mayWrite(steward, computer, scope, at);
    return at;
  };
  const copyable = async (path: string): Promise<string> => {
    const at = await named(computer, path);
    await refuseTree(steward, computer, at);
    return at;
  };
  const changed = (): void => {
    steward.caches.command.clear();
  };
  return {
    mode: computer.mode,
    home: computer.home,
    workspace: computer.workspace,
    platform: computer.platform,
    shell: (options) => computer.shell(options),
    dispose: async () => {},
    stat: async (path) => computer.stat(await readable(path)),
    list: async (path) => computer.list(await readable(path)),
    read: async (path, range) => readCached(steward, computer, scope, { path: await readable(path), range }),
    async write(path, bytes) {
      const at = await writable(path);
      await keepOld(computer, journal, at, `${sizeOf(bytes.byteLength)} to`);
      await computer.write(at, bytes);
      changed();
    },
    async makeFolder(path) {
      const at = await writable(path);
      if (!(await computer.stat(at))) await journal.record(`Made the folder ${at}`, { type: "created", path: at });
      await computer.makeFolder(at);
      changed();
    },
    move: async (from, to) => moveKept(computer, journal, await movable(from), await writable(to)).finally(changed),
    copy: async (from, to) => copyKept(computer, journal, await copyable(from), await writable(to)).finally(changed),
    remove: async (path) => removeKept(computer, journal, await movable(path)).finally(changed),
    exec: (command, options = {}) => checkedExec(steward, computer, scope, { command, options }),
  };
}

async function mayWrite(steward: Steward, computer: Computer, scope: GuardScope, at: string): Promise<void> {
  const needs = await scopeOf(steward, computer, at);
  if (needs && !scope.granted.some((one) => covers(one, needs)))
    throw new StewardError("denied", `Permission denied: writing to ${at} was not approved`);
}

async function moveKept(computer: Computer, journal: Journal, source: string, target: string): Promise<void> {
  const id = await journal.record(`Moved ${source} to ${target}`, { type: "moved", from: source, to: target });
  await computer.move(source, target).catch(unless(journal, id));
}

async function copyKept(computer: Computer, journal: Journal, source: string, target: string): Promise<void> {
  const id = await journal.record(`Copied ${source} to ${target}`, { type: "created", path: target });
  await computer.copy(source, target).catch(unless(journal, id));
}

/** A delete is a move to where it can be fetched back from. */
async function removeKept(computer: Computer, journal: Journal, at: string): Promise<void> {
  const info = await entryAt(computer, at);
  if (!info) throw new StewardError("not_found", `${at} does not exist`);
  const { id, kept } = journal.place(at);
  await journal.record(
    `Deleted ${at}${info.type === "dir" ? " and what was in it" : ` (${sizeOf(info.size)})`}`,
    { type: "removed", path: at, kept },
    id,
  );
  await computer.move(at, kept).catch(unless(journal, id));
}

/** What stands under this very name: a link is a link, also a broken one. */
async function entryAt(computer: Computer, at: string): Promise<FileInfo | undefined> {
  const info = await computer.stat(at);
  if (info?.path === at) return info;
  const cut = at.lastIndexOf("/");
  return (await computer.list(at.slice(0, cut) || "/")).find(({ name }) => name === at.slice(cut + 1));
}

/** A change that surely was not made leaves no journal entry. */
const unless =
  (journal: Journal, id: string) =>
  async (error: unknown): Promise<never> => {
    if (hasCode(error, "not_found") || hasCode(error, "conflict") || hasCode(error, "invalid") || hasCode(error, "denied"))
      await journal.forget(id);
    throw error;
  };

async function keepOld(computer: Computer, journal: Journal, at: string, what: string): Promise<void> {
  if (!(await computer.stat(at))) return void (await journal.record(`Wrote ${what} the new file ${at}`, { type: "created", path: at }));
  const { id, kept } = journal.place(at);
  await computer.copy(at, kept);
  await journal.record(`Wrote ${what} ${at}`, { type: "replaced", path: at, kept }, id);
}

async function readCached(
  steward: Steward,
  computer: Computer,
  scope: GuardScope,
  { path, range }: { path: string; range: { offset?: number; limit?: number } | undefined },
): Promise<Uint8Array> {
  const info = await computer.stat(path);
  if (!info || info.type !== "file" || info.size > MAX_CACHED) return computer.read(path, range);
  const key = `${scope.principal.person}\0${computer.mode}\0${path}\0${range?.offset ?? 0}\0${range?.limit ?? ""}`;
  const known = steward.caches.file.get(key, info.version);
  if (known) {
    scope.note.cached = true;
    return known;
  }
  const bytes = await computer.read(path, range);
  if ((await computer.stat(path))?.version === info.version) steward.caches.file.set(key, info.version, bytes);
  return bytes;
}

interface Running {
  command: string | string[];
  options: ExecOptions;
}

async function checkedExec(steward: Steward, computer: Computer, scope: GuardScope, { command, options }: Running): Promise<ExecResult> {
  const { restrictions } = steward.permissions.read().capabilities.terminal;
  const refused = refusedCommand(command, restrictions);
  if (refused)
    throw new StewardError("denied", `Permission denied: ${refused}`, { hint: "Blocked commands are listed on the settings page." });
  if (options.network && computer.mode !== "full" && !scope.granted.includes("network"))
    throw new StewardError("denied", "Permission denied: the network was not approved");
  if (computer.mode === "full" && !options.desktop) await refuseNamedPaths(steward, computer, { command, options });
  const cwd = options.cwd === undefined ? computer.workspace : await resolved(computer, options.cwd);
  await refusePath(steward, computer, cwd);
  const dependsOn = options.stdin === undefined ? cacheable(command) : undefined;
  if (options.desktop && Array.isArray(command)) return computer.exec(command, { ...options, cwd });
  if (dependsOn) return execCached(steward, computer, scope, { command, options: { ...options, cwd }, paths: dependsOn.paths });
  const startedAt = steward.now();
  const result = await computer.exec(command, { ...options, cwd });
  if (scope.reads) return result;
  steward.caches.command.clear();
  await recordCommand(computer, scope.journal, { command, cwd, startedAt });
  return result;
}

/** In full mode nothing hides the blocked paths from a command, so at least those that it names are refused. */
async function refuseNamedPaths(steward: Steward, computer: Computer, { command, options }: Running): Promise<void> {
  const words = typeof command === "string" ? commandsOf(command).flat() : command;
  for (const word of words) {
    const path = word.replace(/^[^=]*=/, "").replace(/^\$\{?HOME\}?/, "~");
    if (!/[/~]/.test(path) || path.includes("\0") || path.length > 4096) continue;
    const absolute = path.startsWith("/") || path.startsWith("~") ? path : `${options.cwd ?? computer.workspace}/${path}`;
    await resolved(computer, absolute).then(
      (at) => refuseBlocked(steward, computer, at),
      (error: unknown) => {
        if (!hasCode(error, "not_found") && !hasCode(error, "invalid") && !hasCode(error, "conflict")) throw error;
      },
    );
  }
}

async function refuseBlocked(steward: Steward, computer: Computer, at: string): Promise<void> {
  for (const folder of steward.permissions.read().capabilities.filesystem.restrictions.blocked_paths)
    if (isUnder(at, await resolved(computer, folder)))
      throw new StewardError("denied", `Permission denied: ${at} is in the blocked path ${folder}`);
}

async function execCached(
  steward: Steward,
  computer: Computer,
  scope: GuardScope,
  { command, options, paths }: Running & { paths: string[] },
): Promise<ExecResult> {
  const proof = async (): Promise<string> => {
    const infos = await Promise.all(paths.map((path) => computer.stat(path.startsWith("/") ? path : `${options.cwd}/${path}`)));
    return infos.map((info: FileInfo | undefined) => info?.version ?? "none").join();
  };
  const key = `${scope.principal.person}\0${computer.mode}\0${options.cwd}\0${String(command)}`;
  const before = await proof();
  const known = steward.caches.command.get(key, before) as ExecResult | undefined;
  if (known) {
    scope.note.cached = true;
    return known;
  }
  const result = await computer.exec(command, options);
  if (result.code === 0 && (await proof()) === before) steward.caches.command.set(key, before, result);
  return result;
}

const LOOK_AT = 3000;

/** Says honestly what a command changed in its folder: files newer than its start. Deletions can't be seen this way. */
async function recordCommand(
  computer: Computer,
  journal: Journal,
  { command, cwd, startedAt }: { command: string | string[]; cwd: string; startedAt: number },
): Promise<void> {
  const changed: string[] = [];
  const folders = [cwd];
  for (let seen = 0; folders.length > 0 && seen < LOOK_AT;) {
    const folder = folders.shift()!;
    for (const info of await computer.list(folder).catch((): FileInfo[] => [])) {
      seen++;
      if (info.type === "dir") folders.push(info.path);
      else if (info.modified >= startedAt - 20 || info.created >= startedAt - 20) changed.push(info.path);
    }
  }
  if (changed.length === 0) return;
  const text = typeof command === "string" ? command : command.join(" ");
  await journal.record(`Ran ${oneLine(text)}: changed ${changed.length} ${changed.length === 1 ? "file" : "files"}`, {
    type: "command",
    command: text,
    changed: changed.slice(0, 200),
  });
}
