// Where a path leads, whether it may be touched at all, and which approval changing it needs. Running and journaling are guard.ts's.
import type { Computer, FileInfo } from "../core/computer.ts";
import { hasCode, StewardError } from "../std/error.ts";
import type { Restrictions } from "./permissions.ts";
import { isUnder, samePath } from "./policy.ts";
import { startupPlaces } from "./startup.ts";
import type { Steward } from "./steward.ts";

/** For one call: what the lists lead to is looked up once, and again when the permissions change. */
export interface Reach {
  /** Absolute, with links followed as far as the path exists; with what is there. */
  resolved(path: string): Promise<{ at: string; info?: FileInfo }>;
  /** As `resolved`, but a last name that is a link is meant itself: for what moves or removes a name, not its content. */
  named(path: string): Promise<string>;
  /** Throws denied when no answer of a person could allow it. `anywhere`: the allowed paths don't matter, as for a program. */
  refuse(at: string, how?: { anywhere?: boolean }): Promise<void>;
  /** A folder may not be moved, removed or copied together with something in it that may not be touched. */
  refuseTree(at: string): Promise<void>;
  /** The scope that changing `at` needs, or undefined when it is free in this mode. `tree`: it may be a folder with all in it. */
  scope(at: string, tree: boolean): Promise<string | undefined>;
}

/** `write:` scopes hold for all that is below them, others only for themselves. */
export const covers = (granted: string, scope: string): boolean =>
  granted === scope || (granted.startsWith("write:") && scope.startsWith("write:") && isUnder(scope.slice(6), granted.slice(6)));

export const WRITE = "write:";
/** What the system runs or reads by itself: asked for each time. */
export const STARTUP = "startup:";

interface Lists {
  home: string;
  workspace: string;
  /** Steward's own home, where it can be seen. */
  own: string | undefined;
  blocked: { given: string; at: string }[];
  allowed: string[];
}

export function reach(steward: Steward, computer: Computer): Reach {
  const fold = samePath(computer.platform);
  const inside = (at: string, folder: string): boolean => isUnder(fold(at), fold(folder));
  const known: { of?: Restrictions; lists?: Promise<Lists> } = {};
  const lists = (): Promise<Lists> => {
    const { restrictions } = steward.permissions.read().capabilities.filesystem;
    if (known.lists && known.of === restrictions) return known.lists;
    known.of = restrictions;
    return (known.lists = readLists(steward, computer, restrictions));
  };
  const refuse = async (at: string, { anywhere = false }: { anywhere?: boolean } = {}): Promise<void> => {
    const { own, workspace, blocked, allowed } = await lists();
    if (own !== undefined && inside(at, own) && !(inside(at, workspace) && inside(workspace, own)))
      throw denied(`${at} belongs to Steward itself`, "Settings are changed on the settings page or with steward config.");
    const blocking = blocked.find((one) => inside(at, one.at));
    if (blocking) throw denied(`${at} is in the blocked path ${blocking.given}`, "Blocked paths are listed on the settings page.");
    if (!anywhere && allowed.length > 0 && !allowed.some((one) => inside(at, one)))
      throw denied(`${at} is in none of the allowed paths`, "Allowed paths are listed on the settings page.");
  };
  return {
    resolved: (path) => resolved(computer, path),
    named: (path) => named(computer, path),
    refuse,
    async refuseTree(at) {
      await refuse(at);
      const { own, workspace, blocked } = await lists();
      const kept = [...blocked, ...(own === undefined ? [] : [{ given: steward.home, at: own }]), { given: workspace, at: workspace }];
      const held = kept.find((one) => inside(one.at, at));
      if (held) throw denied(`${at} holds ${held.given}, which must stay where it is`);
    },
    async scope(at, tree) {
      if (computer.mode !== "guarded") return undefined;
      const { home, workspace } = await lists();
      if (inside(home, at)) throw denied(`${at} can't be changed as a whole`);
      if (startupPlaces(home).some((place) => inside(at, place) || (tree && inside(place, at)))) return STARTUP + at;
      if (inside(at, workspace)) return undefined;
      const parent = at.slice(0, at.lastIndexOf("/")) || "/";
      return WRITE + (inside(home, parent) ? at : parent);
    },
  };
}

/** What stands under this very absolute name: a link is a link, also a broken one. Undefined when nothing does. */
export async function entryAt(computer: Computer, at: string): Promise<FileInfo | undefined> {
  const info = await computer.stat(at);
  if (info?.path === at) return info;
  const cut = at.lastIndexOf("/");
  const beside = await computer.list(at.slice(0, cut) || "/").catch((error: unknown) => {
    if (hasCode(error, "not_found")) return [];
    throw error;
  });
  return beside.find(({ name }) => name === at.slice(cut + 1));
}

const denied = (why: string, hint?: string): StewardError =>
  new StewardError("denied", `Permission denied: ${why}`, hint === undefined ? {} : { hint });

async function readLists(steward: Steward, computer: Computer, { blocked_paths, allowed_paths }: Restrictions): Promise<Lists> {
  const where = async (path: string): Promise<string> => (await resolved(computer, path)).at;
  const [home, workspace, own, blocked, allowed] = await Promise.all([
    where(computer.home),
    where(computer.workspace),
    computer.mode === "contained" ? undefined : where(steward.home),
    Promise.all(blocked_paths.map(async (given) => ({ given, at: await where(given) }))),
    Promise.all(allowed_paths.map(where)),
  ]);
  return { home, workspace, own, blocked, allowed };
}

async function resolved(computer: Computer, path: string): Promise<{ at: string; info?: FileInfo }> {
  const info = await computer.stat(path);
  if (info) return { at: info.path, info };
  const plain = path.replace(/\/+$/, "");
  const cut = plain.lastIndexOf("/");
  const name = plain.slice(cut + 1);
  if (name === ".." || name === ".") throw new StewardError("not_found", `${path} does not exist`);
  if (plain === "" || plain === "~") return { at: computer.home };
  return { at: below((await resolved(computer, cut < 0 ? computer.workspace : plain.slice(0, cut) || "/")).at, name) };
}

async function named(computer: Computer, path: string): Promise<string> {
  const plain = path.replace(/(?<=.)\/+$/, "");
  const cut = plain.lastIndexOf("/");
  const name = plain.slice(cut + 1);
  if (name === "" || name === "." || name === ".." || plain === "~") return (await resolved(computer, path)).at;
  return below((await resolved(computer, cut < 0 ? computer.workspace : plain.slice(0, cut) || "/")).at, name);
}

const below = (folder: string, name: string): string => `${folder === "/" ? "" : folder}/${name}`;
