// Bringing, turning on and off, approving and taking away skills: the person's own doing, by a page or a command. Nothing of a skill is ever run here.
import { join } from "node:path";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import type { Files } from "./files.ts";
import { handOn } from "./hand.ts";
import { BY_HAND } from "./identity.ts";
import { isTaken, looked } from "./shelf.ts";
import { MAIN, readSkillText, SKILL_NAME, skillFile } from "./skill-text.ts";
import { accepting, docKey, folderOf, listSkills, refuseUnseen, type Skill, type SkillDoc, skillsOf, winner } from "./skills.ts";
import { textOf } from "./files.ts";
import { hasFiles } from "./state.ts";
import { type Maker, ownEntry } from "./history.ts";

const MOST_SKILLS = 200;
const MOST_BYTES = 200_000_000;

export interface Choice {
  name: string;
  files: Files;
}

/** The one skill in what was brought, in its own folder; `name` when there are several. Throws invalid, naming what there is. */
export function chosen(files: Files, name?: string): Choice {
  const roots = [...files.keys()].filter((path) => path === MAIN || path.endsWith(`/${MAIN}`)).map((path) => path.slice(0, -MAIN.length));
  const named = roots.map((root) => ({ root, name: nameAt(files, root) }));
  const fit = named.filter((one) => name === undefined || one.name === name);
  const [one, ...more] = fit;
  if (named.length === 0) throw new StewardError("invalid", `There is no ${MAIN} in it`);
  if (!one)
    throw new StewardError("not_found", `There is no skill ${name} in it`, {
      hint: `There are ${named.map((other) => other.name).join(", ")}.`,
    });
  if (more.length > 0)
    throw new StewardError(
      "invalid",
      `There are ${fit.length} skills in it: ${fit
        .map((other) => other.name)
        .slice(0, 50)
        .join(", ")}`,
      { hint: "Say which one." },
    );
  const own = new Map([...files].filter(([path]) => path.startsWith(one.root)).map(([path, file]) => [path.slice(one.root.length), file]));
  return { name: one.name, files: own };
}

/** Of its folder; at the root of an archive, which has none, what the skill says itself. */
function nameAt(files: Files, root: string): string {
  if (root !== "") return root.slice(0, -1).split("/").at(-1)!;
  return /^name:[ \t]*["']?([a-z0-9-]{1,64})["']?[ \t]*$/m.exec(textOf(files.get(MAIN)!.bytes))?.[1] ?? "skill";
}

/** What is wrong with it; nothing when it could be added. */
export const checkSkill = async ({ name, files }: Choice): Promise<string[]> => (await looked(name, files)).problems;

interface Adding {
  from?: string;
  /** Takes the place of one of that name, which is kept for undo. */
  replace?: boolean;
  enabled?: boolean;
  /** Absent: the person's own folder. */
  source?: "person" | "workspace";
  maker?: Maker;
}
const BY_PERSON: Maker = { ...BY_HAND, tool: "skills" };

/** Pinned by its hash. Throws invalid and denied with everything that is wrong, and then nothing was kept. */
export async function addSkill(steward: Steward, who: Principal, { name, files }: Choice, how: Adding = {}): Promise<Added> {
  const { from, replace = false, enabled = true, source = "person", maker = BY_PERSON } = how;
  if (who.role === "guest") throw new StewardError("denied", "A guest has the skills that are there, and adds none");
  const found = await looked(name, files);
  const [problem] = found.problems;
  if (problem !== undefined)
    throw new StewardError(
      found.findings.length > 0 ? "denied" : "invalid",
      `${name} can't be added: ${found.problems.slice(0, 5).join("; ")}`,
      {
        hint: found.findings.length > 0 ? "A skill that asks for this is never added." : "steward skills check FOLDER shows what is wrong.",
      },
    );
  const folder = folderOf(steward, who, source)!;
  return inLane(steward.lanes, `skills/${who.person}`, async () => {
    const before = await listSkills(steward, who);
    const same = before.find((one) => one.source === source && one.disk.name === name);
    if (same && !replace)
      throw new StewardError("conflict", `There is a skill ${name} already`, { hint: "--replace puts this one in its place." });
    if (same && maker.by === "agent") refuseUnseen(same);
    if (!same && isTaken(join(folder, name)))
      throw new StewardError("conflict", `There is something of the name ${name} already that is no skill`, {
        hint: "Move it away first.",
      });
    refuseMore(before.filter((one) => one.source === source && one !== same));
    const hand = await handOn(steward, who, source);
    const fresh = join(folder, `.${newId("new")}`);
    const target = `skill:${source}:${name}`;
    try {
      for (const [path, { bytes, exec }] of files) await hand.write(join(fresh, path), bytes, exec);
      const { id, put } = same
        ? { id: await setAside(steward, who, same, { summary: `Changed the skill ${name}`, maker }), put: {} }
        : ownEntry(steward, who, { target, summary: `Added the skill ${name}`, maker });
      const doc: SkillDoc = {
        ...{ enabled, hash: found.hash, marks: found.marks, main: found.main, at: steward.now() },
        ...{ by: maker.by === "agent" ? "agent" : "you", ...(from ? { from } : {}) },
      };
      await steward.store.commit({ put: { [docKey(who.person, source, name)]: doc, ...put } });
      await hand.move(fresh, join(folder, name));
      return { skill: oneOf(await listSkills(steward, who), `${source}:${name}`), undo: id };
    } finally {
      await hand.remove(fresh);
    }
  });
}
function refuseMore(there: Skill[]): void {
  const size = there.reduce((sum, { disk }) => sum + disk.files.reduce((all, file) => all + file.size, 0), 0);
  if (there.length < MOST_SKILLS && size < MOST_BYTES) return;
  throw new StewardError("limit", `There are ${there.length} skills with ${Math.ceil(size / 1e6)} MB already`, {
    hint: "Remove some first.",
  });
}

export interface Added {
  skill: Skill;
  undo: string;
}

const oneOf = (skills: Skill[], id: string): Skill => {
  const found = skills.find((one) => one.id === id) ?? winner(skills, id);
  if (!found) throw new StewardError("not_found", "There is no such skill", { hint: "steward skills list shows yours." });
  return found;
};

/** By id, or by name: then the one that is used. Throws not_found. */
export const findSkill = async (steward: Steward, who: Principal, id: string): Promise<Skill> => oneOf(await skillsOf(steward, who), id);

/** Turning on what is new or changed needs the hash of what the person saw. Throws conflict when that is no longer what is there. */
export async function turnSkill(
  steward: Steward,
  who: Principal,
  id: string,
  { enabled, hash }: { enabled: boolean; hash?: string | undefined },
): Promise<Skill> {
  return inLane(steward.lanes, `skills/${who.person}`, async () => {
    const skill = oneOf(await listSkills(steward, who), id);
    const { source, state, disk, doc } = skill;
    if (enabled && (state === "blocked" || state === "invalid"))
      throw new StewardError("denied", `${disk.name} can't be turned on: ${disk.problems.slice(0, 5).join("; ")}`);
    if (enabled && (state === "new" || state === "changed") && hash !== disk.hash)
      throw new StewardError(
        "conflict",
        hash === undefined ? `${disk.name} is ${state}: look at it first` : `${disk.name} was changed again meanwhile`,
        {
          hint: `steward skills show ${disk.name} tells what it says and its hash.`,
        },
      );
    const plain: SkillDoc = { by: source === "bundled" ? "steward" : "you", ...accepting(disk), ...doc, enabled, at: steward.now() };
    delete plain.held;
    const next = enabled ? { ...plain, ...accepting(disk) } : doc?.held ? { ...plain, held: true } : plain;
    await steward.store.commit({ put: { [docKey(who.person, source, disk.name)]: next } });
    return oneOf(await listSkills(steward, who), skill.id);
  });
}

/** Kept for undo. Those that come with Steward can only be turned off. */
export async function removeSkill(
  steward: Steward,
  who: Principal,
  id: string,
  maker = BY_PERSON,
): Promise<{ name: string; undo: string }> {
  return inLane(steward.lanes, `skills/${who.person}`, async () => {
    const skill = oneOf(await listSkills(steward, who), id);
    if (skill.source === "bundled")
      throw new StewardError("denied", `${skill.disk.name} comes with Steward`, {
        hint: "It can be turned off: steward skills disable NAME",
      });
    if (maker.by === "agent") refuseUnseen(skill);
    const summary = `Removed the skill ${skill.disk.name}`;
    return { name: skill.disk.name, undo: await setAside(steward, who, skill, { summary, maker }) };
  });
}

/** Journaled before it is moved; what was stopped between, or can't be moved, is still there, off and waiting, and can be removed again. */
async function setAside(
  steward: Steward,
  who: Principal,
  { source, disk, doc }: Skill,
  { summary, maker }: { summary: string; maker: Maker },
): Promise<string> {
  const id = newId("und");
  const before = { kept: id, ...(doc ? { doc } : {}) };
  const { put } = ownEntry(steward, who, { id, target: `skill:${source}:${disk.name}`, before, summary, maker });
  const own = docKey(who.person, source, disk.name);
  const off: SkillDoc = { ...(doc ?? { by: "you", ...accepting(disk), at: steward.now() }), enabled: false, held: true };
  await steward.store.commit({ put: { ...put, [own]: off } });
  await (await handOn(steward, who, source)).move(disk.folder, join(steward.home, "kept", id, disk.name));
  await steward.store.commit({ drop: [own] });
  return id;
}

/** The way back of `setAside` and of adding. */
export async function restoreSkill(steward: Steward, who: Principal, target: string, before: unknown): Promise<void> {
  const [, source, name] = target.split(":") as [string, Skill["source"], string];
  const folder = folderOf(steward, who, source);
  if (!folder || !SKILL_NAME.test(name)) throw new StewardError("not_found", "There is no place for this skill any more");
  await inLane(steward.lanes, `skills/${who.person}`, async () => {
    const there = (await listSkills(steward, who)).find((one) => one.source === source && one.disk.name === name);
    if (there) await setAside(steward, who, there, { summary: `Set the skill ${name} aside`, maker: { ...BY_PERSON, tool: "undo" } });
    const { kept, doc } = (before ?? {}) as { kept?: string; doc?: SkillDoc };
    if (kept === undefined || !/^und_\w+$/.test(kept)) return;
    if (doc) await steward.store.commit({ put: { [docKey(who.person, source, name)]: doc } });
    await (await handOn(steward, who, source)).move(join(steward.home, "kept", kept, name), join(folder, name));
  });
}

/** One to begin with: for the owner in the workspace, where it can be edited, for others in the folder of their skills. */
export async function newSkill(
  steward: Steward,
  who: Principal,
  { name, description, body }: { name: string; description: string; body: string },
): Promise<Added> {
  const text = skillFile({ name, description, body });
  const { problems } = await readSkillText(text, name);
  if (problems.length > 0) throw new StewardError("invalid", problems.join("; "));
  const files: Files = new Map([[MAIN, { bytes: new TextEncoder().encode(text), exec: false }]]);
  return addSkill(steward, who, { name, files }, { source: hasFiles(who) ? "workspace" : "person" });
}
