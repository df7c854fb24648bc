// A folder of skills as it lies on the disk: each skill's files within limits, links never followed, read again only when something changed.
// Looked at before each turn, so by calls that wait: the others cost a thread and two switches each, more than what is read here.
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../std/error.ts";
import { collecting, type Files, hashOf, LIMITS, textOf } from "./files.ts";
import { type Finding, findingText, scan } from "./scan.ts";
import { MAIN, readSkillText, SKILL_NAME, type SkillText } from "./skill-text.ts";

export interface OnDisk {
  /** Of its folder. */
  name: string;
  folder: string;
  text?: SkillText;
  /** The whole of SKILL.md, "" when there is none. */
  main: string;
  /** Why it can't be used as it is. */
  problems: string[];
  findings: Finding[];
  hash: string;
  files: { path: string; size: number; exec: boolean }[];
  /** Hash of each file, shortened, to tell which of them changed. */
  marks: Record<string, string>;
  /** When one of its files or folders was last changed, epoch milliseconds, as the system says and nobody can set. */
  changedAt: number;
  /** There is no SKILL.md: no skill, or not yet one. */
  bare?: true;
}
/** What was read before, by folder, with how it looked then. */
export type Shelf = Map<string, { sign: string; skill: OnDisk }>;

const MOST_SKILLS = 300;

/** By name. A folder that is not there holds none. Names that begin with "_" or "." are left out. */
export async function readShelf(shelf: Shelf, folder: string): Promise<OnDisk[]> {
  const info = lookAt(folder);
  const names = info?.isDirectory() ? namesIn(folder) : [];
  const found: OnDisk[] = [];
  for (const name of names
    .filter((one) => !/^[._]/.test(one))
    .sort()
    .slice(0, MOST_SKILLS)) {
    const skill = await readOne(shelf, join(folder, name), name);
    // A folder that takes the place of this one brings skills whose own times are older.
    if (skill) found.push({ ...skill, changedAt: Math.max(skill.changedAt, info!.ctimeMs) });
  }
  return found;
}

/** Undefined when it is not there or may not be looked at. */
export function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Something is there that nothing can be moved to. */
export const isTaken = (path: string): boolean => {
  const info = lookAt(path);
  return info !== undefined && (!info.isDirectory() || namesIn(path).length > 0);
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function readOne(shelf: Shelf, folder: string, name: string): Promise<OnDisk | undefined> {
  const unread = { name, folder, main: "", problems: [], findings: [], hash: "", files: [], marks: {} };
  try {
    const seen = walk(folder);
    if (!seen) return undefined;
    if (!seen.files.some(({ path }) => path === MAIN))
      return { ...unread, problems: [`There is no ${MAIN}`], changedAt: seen.changedAt, bare: true };
    const known = shelf.get(folder);
    if (known?.sign === seen.sign) return { ...known.skill, changedAt: seen.changedAt };
    const skill = await described(name, folder, { ...seen, bytes: bytesOf(folder, seen) });
    shelf.set(folder, { sign: seen.sign, skill });
    return skill;
  } catch (error) {
    // When it was changed can't be said, so as late as may be.
    return { ...unread, problems: [messageOf(error)], changedAt: Date.now() };
  }
}

/** The bytes as they are now, with their hash: what is used is what was hashed. Throws invalid. */
export async function readFiles(folder: string): Promise<{ files: Files; hash: string }> {
  const seen = walk(folder);
  const files = seen ? bytesOf(folder, seen) : (new Map() as Files);
  return { files, hash: hashOf(files) };
}

interface Seen {
  files: { path: string; size: number; exec: boolean }[];
  problems: string[];
  changedAt: number;
  sign: string;
}

/** Undefined when it is no folder. */
function walk(folder: string): Seen | undefined {
  const top = lookAt(folder);
  if (!top?.isDirectory()) return undefined;
  const seen: Seen = { files: [], problems: [], changedAt: top.ctimeMs, sign: "" };
  const signs: string[] = [];
  const folders = [""];
  for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
    for (const name of readdirSync(join(folder, next)).sort()) {
      const path = next === "" ? name : `${next}/${name}`;
      if (seen.files.length + folders.length >= LIMITS.files) throw new Error(`it has more than ${LIMITS.files} files`);
      const info = lstatSync(join(folder, path));
      seen.changedAt = Math.max(seen.changedAt, info.ctimeMs);
      signs.push(`${path}:${info.ino}:${info.size}:${info.mode}:${info.ctimeMs}`);
      if (info.isDirectory()) folders.push(path);
      else if (info.isFile()) seen.files.push({ path, size: info.size, exec: (info.mode & 0o100) !== 0 });
      else seen.problems.push(`${path} is a link or no plain file`);
    }
  }
  return { ...seen, sign: signs.join("\n") };
}

function bytesOf(folder: string, { files }: Seen): Files {
  const into = collecting();
  for (const { path, size, exec } of files) {
    into.room(size);
    into.add(path, { bytes: readPlain(join(folder, path)), exec });
  }
  return into.files;
}

/** Never through a link, never from what is no plain file. */
export function readPlain(path: string, most: number = LIMITS.fileBytes): Uint8Array {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const info = fstatSync(file);
    if (!info.isFile()) throw new Error("it is no plain file");
    if (info.size > most) throw new Error(`it is larger than ${most} bytes`);
    const bytes = new Uint8Array(info.size);
    return bytes.subarray(0, readSync(file, bytes, 0, info.size, 0));
  } finally {
    closeSync(file);
  }
}

async function described(name: string, folder: string, { files, problems, changedAt, bytes }: Seen & { bytes: Files }): Promise<OnDisk> {
  const found = await looked(name, bytes);
  return { ...found, problems: [...problems, ...found.problems], folder, files, changedAt };
}

/** What can be said of the files of a skill wherever they are. */
export async function looked(
  name: string,
  bytes: Files,
): Promise<Pick<OnDisk, "name" | "text" | "main" | "problems" | "findings" | "hash" | "marks">> {
  const main = bytes.get(MAIN);
  const text = main ? textOf(main.bytes) : "";
  const { skill, problems } = main ? await readSkillText(text, name) : { skill: undefined, problems: [`There is no ${MAIN}`] };
  const findings = scan(bytes);
  return {
    name,
    ...(skill ? { text: skill } : {}),
    main: text,
    problems: [...(SKILL_NAME.test(name) ? [] : ["Its folder's name is no skill's name"]), ...problems, ...findings.map(findingText)],
    findings,
    hash: hashOf(bytes),
    marks: Object.fromEntries([...bytes].map(([path, file]) => [path, hashOf(new Map([["", file]])).slice(7, 23)])),
  };
}
