// A person's skills: which there are, in which state, and what the instructions and the tool say of them. Bringing and changing them is install.ts.
import { join } from "node:path";
import type { Computer } from "../core/computer.ts";
import type { Principal } from "../core/types.ts";
import { undoKey } from "../run/journal.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { inLane } from "../std/lanes.ts";
import { oneLine } from "../std/text.ts";
import { type Files, isText, textOf } from "./files.ts";
import { MOST_TEXT } from "./scan.ts";
import { type OnDisk, readFiles, readShelf } from "./shelf.ts";
import { byCommand } from "./running.ts";
import { firstSentence, MAIN } from "./skill-text.ts";
import { hasFiles, personFolder, stateOf, workspaceOf } from "./state.ts";

/** The first wins when two have one name and both were accepted. */
export const SOURCES = ["workspace", "person", "bundled"] as const;
export type Source = (typeof SOURCES)[number];
/** new and changed wait for the person; blocked asks for what no skill may; invalid can't be read. */
export type SkillState = "enabled" | "disabled" | "new" | "changed" | "blocked" | "invalid";

/** What the person has said of a skill, or what was found to be theirs. */
export interface SkillDoc {
  enabled: boolean;
  /** Of the bytes that hold; "" for those that come with Steward. */
  hash: string;
  marks: Record<string, string>;
  main: string;
  by: "you" | "agent" | "steward";
  at: number;
  /** Where it came from: a folder's or archive's name, or an address with its commit. */
  from?: string;
  /** A command made what is there now. */
  held?: boolean;
}
export interface Skill {
  /** "source:name". */
  id: string;
  source: Source;
  state: SkillState;
  /** Another of the same name is used instead. */
  hidden: boolean;
  disk: OnDisk;
  doc?: SkillDoc;
}

export const docKey = (person: string, source: Source, name: string): string => `p/${person}/skill/${source}/${name}`;
export const folderOf = (steward: Steward, who: Principal, source: Source): string | undefined => {
  if (source === "bundled") return steward.own.bundled || undefined;
  if (source === "person") return personFolder(steward, who.person);
  return hasFiles(who) ? join(workspaceOf(steward), "skills") : undefined;
};

/** All, by name. Looks at the disk, so that a new one is there at once. */
export async function listSkills(steward: Steward, who: Principal): Promise<Skill[]> {
  const prefix = `p/${who.person}/skill/`;
  const docs = new Map((await steward.store.list(prefix)).map(({ key, value }) => [key.slice(prefix.length), value as SkillDoc]));
  const found: Skill[] = [];
  for (const source of SOURCES) {
    const folder = folderOf(steward, who, source);
    const state = stateOf(steward);
    const there = !folder
      ? []
      : source === "bundled"
        ? await (state.bundled ??= readShelf(state.shelf, folder))
        : await readShelf(state.shelf, folder);
    for (const disk of there) {
      const one = await judged(steward, who, { source, disk, doc: docs.get(`${source}/${disk.name}`) });
      if (!disk.bare) found.push(one);
    }
  }
  for (const skill of found) skill.hidden = winner(found, skill.disk.name) !== skill;
  return found.sort((a, b) => a.disk.name.localeCompare(b.disk.name));
}

const accepted = ({ state }: Skill): boolean => state === "enabled" || state === "disabled";

export function winner(skills: Skill[], name: string): Skill | undefined {
  const same = skills.filter(({ disk }) => disk.name === name).sort((a, b) => SOURCES.indexOf(a.source) - SOURCES.indexOf(b.source));
  return same.find(accepted) ?? same[0];
}

interface Found {
  source: Source;
  disk: OnDisk;
  doc: SkillDoc | undefined;
}

async function judged(steward: Steward, who: Principal, { source, disk, doc: known }: Found): Promise<Skill> {
  const doc = await withHold(steward, who, { source, disk, doc: known });
  const made = (state: SkillState, now = doc): Skill => ({
    ...{ id: `${source}:${disk.name}`, source, state, hidden: false, disk },
    ...(now ? { doc: now } : {}),
  });
  if (disk.findings.length > 0) return made("blocked");
  if (disk.problems.length > 0) return made("invalid");
  if (source === "bundled") return made(doc?.enabled === false ? "disabled" : "enabled");
  if (doc && doc.hash === disk.hash && !doc.held) return made(doc.enabled ? "enabled" : "disabled");
  const waiting = doc?.hash ? "changed" : "new";
  if (source === "person" || doc?.held) return made(waiting);
  const own: SkillDoc = { enabled: true, ...doc, ...accepting(disk), by: await authorOf(steward, who, disk), at: steward.now() };
  await steward.store.commit({ put: { [docKey(who.person, source, disk.name)]: own } });
  return made(own.enabled ? "enabled" : "disabled", own);
}

/** What a command changed is held also while it is no skill or can't be used, so that making it one does not make it hold. */
async function withHold(steward: Steward, who: Principal, { source, disk, doc }: Found): Promise<SkillDoc | undefined> {
  if (source !== "workspace" || doc?.held || (doc && doc.hash === disk.hash)) return doc;
  if (!(await byCommand(steward, who.person, disk.changedAt))) return doc;
  const held: SkillDoc = { ...(doc ?? { enabled: true, hash: "", marks: {}, main: "", by: "agent", at: steward.now() }), held: true };
  await steward.store.commit({ put: { [docKey(who.person, source, disk.name)]: held } });
  return held;
}

/** What waits is looked at by the person, before an agent changes anything of it: that would make the rest hold too. */
export function refuseUnseen({ source, disk, doc }: Skill): void {
  if (!doc?.held && (source !== "person" || doc?.hash === disk.hash)) return;
  throw new StewardError("conflict", `The skill ${disk.name} was changed and waits for the person`, {
    hint: "They look at it and turn it on, or remove it, on the page Skills, or with steward skills show, enable and remove.",
  });
}

export const accepting = ({ hash, marks, main }: OnDisk): Pick<SkillDoc, "hash" | "marks" | "main"> => ({ hash, marks, main });

/** The agent's file tools stand in the journal; whoever else can write there is the person. */
async function authorOf({ store }: Steward, { person }: Principal, { folder, changedAt }: OnDisk): Promise<"you" | "agent"> {
  const newest = (await store.list(undoKey(person, ""), { last: 50 })).map(
    ({ value }) => value as { at: number; tool: string; change: { path?: string; to?: string } },
  );
  const theirs = newest.some(
    ({ at, tool, change }) => tool !== "by hand" && at >= changedAt - 60_000 && (change.path ?? change.to ?? "").startsWith(`${folder}/`),
  );
  return theirs ? "agent" : "you";
}

/** Never two looks of one person at once. */
export const skillsOf = (steward: Steward, who: Principal): Promise<Skill[]> =>
  inLane(steward.lanes, `skills/${who.person}`, () => listSkills(steward, who));

const MOST_LISTED = 1600;

/** For the instructions: each by name and first sentence, as far as there is room; the rest is found by the tool. "" when there is none. */
export async function skillLines(steward: Steward, who: Principal, all?: Skill[]): Promise<string> {
  const on = (all ?? (await skillsOf(steward, who))).filter(({ state, hidden }) => state === "enabled" && !hidden);
  let room = MOST_LISTED;
  const lines = on
    .map(({ disk }) => `- ${disk.name}: ${oneLine(firstSentence(disk.text!.description), 120)}`)
    .filter((line) => (room -= line.length + 1) >= 0);
  const rest = on.length - lines.length;
  if (lines.length === 0) return "";
  return [
    "Skills; read_skill gives the text of one, to be followed when a task is about it:",
    ...lines,
    ...(rest > 0 ? [`(${rest} more: read_skill with words finds them)`] : []),
  ].join("\n");
}

/** For the tool. */
export async function useSkill(steward: Steward, who: Principal, name: string, file?: string): Promise<unknown> {
  const all = (await skillsOf(steward, who)).filter(({ state, hidden }) => state === "enabled" && !hidden);
  const skill = all.find(({ disk }) => disk.name === name.trim().toLowerCase());
  if (!skill) throw missing(all, name);
  const { files, hash } = await readFiles(skill.disk.folder);
  if (hash !== skill.disk.hash) throw new StewardError("conflict", `${name} is being changed`, { hint: "Try again." });
  const wanted = files.get(file ?? MAIN);
  if (!wanted) throw new StewardError("not_found", `${name} has no ${file}`, { hint: `It has ${[...files.keys()].join(", ")}` });
  const own = skill.source === "bundled" || (skill.doc?.by !== undefined && skill.doc.from === undefined);
  if (file !== undefined && file !== MAIN)
    return { own, skill: skill.disk.name, file, text: isText(wanted.bytes) ? textOf(wanted.bytes) : "(no text)" };
  const others = [...files.keys()].filter((path) => path !== MAIN);
  const { body, allowed } = skill.disk.text!;
  return {
    ...{ own, skill: skill.disk.name, text: body },
    ...(others.length > 0 ? { files: others, ...(await lent(steward, who, skill, files)) } : {}),
    ...(allowed ? { tools: allowed } : {}),
  };
}

/** Its files beside SKILL.md that are text, by path, as far as they are looked through: what a person turns on is what they can read. */
export async function textsOf({ disk }: Skill): Promise<Record<string, string>> {
  if (disk.hash === "") return {}; // it can't be read, so it can't be turned on
  const { files, hash } = await readFiles(disk.folder);
  if (hash !== disk.hash) throw new StewardError("conflict", `${disk.name} is being changed`, { hint: "Try again." });
  const room = { left: MOST_TEXT };
  return Object.fromEntries(
    [...files]
      .filter(([path, { bytes }]) => path !== MAIN && isText(bytes) && (room.left -= bytes.byteLength) >= 0)
      .map(([path, { bytes }]) => [path, textOf(bytes)]),
  );
}

function missing(on: Skill[], name: string): StewardError {
  const words = name
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const fit = on
    .map(({ disk }) => ({
      disk,
      score: words.filter((word) => `${disk.name} ${disk.text!.description}`.toLowerCase().includes(word)).length,
    }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 10)
    .map(({ disk }) => `${disk.name}: ${oneLine(disk.text!.description, 200)}`);
  return new StewardError("not_found", `There is no skill ${JSON.stringify(name.slice(0, 80))} that is on`, {
    hint: fit.length > 0 ? `These fit: ${fit.join("; ")}` : "None fits these words.",
  });
}

/** Its files as they lie in the person's computer, for their commands there and nowhere else; made anew each time, so that nobody else's change to them runs. */
async function lent(
  steward: Steward,
  who: Principal,
  { source, disk }: Skill,
  files: Files,
): Promise<{ folder?: string; problem?: string }> {
  try {
    const computer = await steward.computer(who);
    if (source === "workspace" && computer.mode !== "contained") return { folder: disk.folder };
    return { folder: await copied(computer, disk.name, files) };
  } catch (error) {
    return { problem: `Its files could not be put into the computer: ${messageOf(error)}` };
  }
}

async function copied(computer: Computer, name: string, files: Files): Promise<string> {
  // Full resolved paths are followed without links, so what was planted in the workspace is refused, not followed.
  const workspace = (await computer.stat(computer.workspace))?.path ?? computer.workspace;
  const folder = `${workspace}/.skills/${name}`;
  if ((await computer.stat(folder))?.path === folder) await computer.remove(folder);
  for (const [path, { bytes }] of files) await computer.write(`${folder}/${path}`, bytes);
  const programs = [...files].filter(([, { exec }]) => exec).map(([path]) => `${folder}/${path}`);
  if (programs.length > 0) await computer.exec(["chmod", "+x", ...programs]);
  return folder;
}
