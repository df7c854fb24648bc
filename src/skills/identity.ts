// The identity files: for the owner files in the workspace that anybody may edit, for others kept by Steward. Each has a text that holds; what a command changed waits for the person.
import { lstat, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Principal } from "../core/types.ts";
import { IDENTITY, type IdentityName } from "../run/identity.ts";
import { OWNER_ID } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import { FIRST } from "./first-texts.ts";
import { type Maker, ownEntry } from "./history.ts";
import { textOf } from "./files.ts";
import { byCommand, forgetLeft } from "./running.ts";
import { lookAt, readPlain } from "./shelf.ts";
import { skillsOf } from "./skills.ts";
import { hasFiles, workspaceOf } from "./state.ts";

export const LONGEST = 65_536;

interface Kept {
  text: string;
  by: Maker["by"] | "start";
  at: number;
  /** What the file said before, until this text is written over it. */
  over?: string;
  /** A command changed the file, so that only the person's word makes it hold. */
  held?: boolean;
}
export interface Identity {
  name: IdentityName;
  /** What holds. */
  text: string;
  at: number;
  by: Kept["by"];
  /** What the file says, while it waits for the person. */
  waits?: string;
  /** The file can't be read. */
  problem?: string;
}
export const BY_HAND: Maker = { session: "", turn: "", tool: "identity", by: "you" };
/** Of what was not in force: taken back by its id only, never as the newest change. */
const ASIDE: Maker = { ...BY_HAND, tool: "undo" };

const key = (person: string, name: string): string => `p/${person}/identity/${name}`;
const inOwnLane = <T>(steward: Steward, person: string, work: () => Promise<T>): Promise<T> => inLane(steward.lanes, `own/${person}`, work);

/** Of SOUL.md there is one, the owner's: it is how this Steward speaks. */
const holderOf = (who: Principal, name: string): Principal =>
  name === "SOUL.md" && !hasFiles(who) ? { person: OWNER_ID, role: "owner", via: who.via } : who;

export function isIdentity(name: string): name is IdentityName {
  return (IDENTITY as readonly string[]).includes(name);
}

export const readIdentity = (steward: Steward, who: Principal): Promise<Identity[]> =>
  Promise.all(IDENTITY.map((name) => readOne(steward, who, name)));

export async function readOne(steward: Steward, who: Principal, name: IdentityName): Promise<Identity> {
  const holder = holderOf(who, name);
  const kept = (await steward.store.get(key(holder.person, name))) as Kept | undefined;
  if (!hasFiles(holder)) return shown(name, kept);
  return inOwnLane(steward, holder.person, () => look(steward, holder, name));
}

const shown = (name: IdentityName, kept: Kept | undefined, more: Pick<Identity, "waits" | "problem"> = {}): Identity => ({
  name,
  text: kept?.text ?? FIRST[name],
  at: kept?.at ?? 0,
  by: kept?.by ?? "start",
  ...more,
});

/** What the owner's file says now, against what holds. A change by hand holds at once, and stands in the history. */
async function look(steward: Steward, who: Principal, name: IdentityName): Promise<Identity> {
  const kept = (await steward.store.get(key(who.person, name))) as Kept | undefined;
  const file = readNow(steward, name);
  if (file === undefined) return shown(name, kept); // it comes back at the next start
  if ("problem" in file) return shown(name, kept ?? { text: "", by: "start", at: 0 }, { problem: file.problem });
  if (kept?.over !== undefined) {
    await written(steward, who, name, kept.over === file.text ? kept.text : undefined); // stopped before it was, or right after
    if (kept.over === file.text) return shown(name, kept);
  }
  if (kept?.text === file.text) return shown(name, kept);
  if (kept?.held) return shown(name, kept, { waits: file.text });
  if (kept && (await byCommand(steward, who.person, file.changedAt))) {
    await steward.store.commit({ merge: { [key(who.person, name)]: { held: true } } });
    steward.log("warning", "A command changed an identity file; it waits for the owner", { name });
    return shown(name, kept, { waits: file.text });
  }
  const next: Kept = { text: file.text, by: file.text === FIRST[name] ? "start" : "you", at: steward.now() };
  await keep(steward, who, { name, next, before: kept?.text, maker: BY_HAND });
  return shown(name, next);
}

interface Keeping {
  name: IdentityName;
  next: Kept;
  before: string | undefined;
  maker: Maker;
  /** What waited in the file, and goes. */
  waits?: string | undefined;
}

/** The document and its place in the history, in one commit. Returns the id for undo. */
async function keep(steward: Steward, who: Principal, { name, next, before, maker, waits }: Keeping): Promise<string> {
  const isNews = before !== undefined && before !== next.text;
  const aside =
    waits === undefined || waits === next.text
      ? undefined
      : ownEntry(steward, who, {
          target: name,
          before: waits,
          after: next.text,
          summary: `Set aside what waited in ${name}`,
          maker: ASIDE,
        });
  const { id, put } = ownEntry(steward, who, { target: name, before: before ?? "", after: next.text, summary: `Changed ${name}`, maker });
  await steward.store.commit({ put: { [key(who.person, name)]: next, ...aside?.put, ...(isNews ? put : {}) } });
  return isNews ? id : "";
}

/** Makes a text hold from the next turn on; for the owner it is in the file too. Returns the id for undo, "" when nothing changed. */
export async function putIdentity(
  steward: Steward,
  who: Principal,
  { name, text, maker, before }: { name: IdentityName; text: string; maker: Maker; before?: string },
): Promise<string> {
  if (name === "SOUL.md" && !hasFiles(who))
    throw new StewardError("denied", "SOUL.md is how this Steward speaks to everybody: only the owner changes it", {
      hint: "USER.md is yours.",
    });
  const longest = who.role === "guest" ? LONGEST / 8 : LONGEST;
  if (Buffer.byteLength(text) > longest) throw new StewardError("limit", `${name} can have at most ${longest} bytes`);
  return inOwnLane(steward, who.person, async () => {
    const now = hasFiles(who)
      ? await look(steward, who, name)
      : shown(name, (await steward.store.get(key(who.person, name))) as Kept | undefined);
    if (before !== undefined && before !== now.text)
      throw new StewardError("conflict", `${name} was changed meanwhile`, { hint: "Look at it again, then decide." });
    if (maker.by === "agent") refuseWaiting(now);
    const next: Kept = { text, by: maker.by, at: steward.now() };
    if (!hasFiles(who)) return keep(steward, who, { name, next, before: now.text, maker });
    const over = now.problem === undefined ? { over: now.waits ?? now.text } : {};
    const id = await keep(steward, who, { name, next: { ...next, ...over }, before: now.text, maker, waits: now.waits });
    await written(steward, who, name, text);
    return id;
  });
}

/** What waits, or can't be read, is settled by the person before an agent writes over it. */
export function refuseWaiting({ name, waits, problem }: Identity): void {
  if (problem !== undefined) throw new StewardError("conflict", `${name} can't be read, so it is not written over: ${problem}`);
  if (waits === undefined) return;
  throw new StewardError("conflict", `${name} was changed by a command and waits for the person`, {
    hint: "They settle it on the page Identity, or with steward identity accept or restore.",
  });
}

/** The person's word on what a command had changed: it holds, or the file is put back. `text`: what they saw. */
export async function settleIdentity(
  steward: Steward,
  who: Principal,
  { name, accept, text }: { name: IdentityName; accept: boolean; text: string },
): Promise<void> {
  const { waits, text: holds } = await readOne(steward, who, name);
  if (waits === undefined || !hasFiles(who)) throw new StewardError("not_found", `Nothing waits in ${name}`);
  if (waits !== text) throw new StewardError("conflict", `${name} was changed again meanwhile`, { hint: "Look at it again, then decide." });
  await putIdentity(steward, who, { name, text: accept ? waits : holds, maker: BY_HAND });
}

/** At each start: what is not there is made, nothing that is there is touched. */
export async function makeIdentity(steward: Steward): Promise<void> {
  const who: Principal = { person: OWNER_ID, role: "owner", via: "page" };
  for (const name of IDENTITY)
    await inOwnLane(steward, who.person, async () => {
      if ((await lstat(join(workspaceOf(steward), name)).catch(() => undefined)) !== undefined)
        return void (await look(steward, who, name));
      const kept = (await steward.store.get(key(who.person, name))) as Kept | undefined;
      const next: Kept = { text: FIRST[name], by: "start", at: steward.now(), ...kept };
      await steward.store.commit({ put: { [key(who.person, name)]: next } });
      await writeFileOf(steward, name, next.text);
    }).catch((error: unknown) => steward.log("warning", `${name} could not be made`, { error: messageOf(error) }));
  await forgetLeft(steward, () => skillsOf(steward, who)).catch((error: unknown) =>
    steward.log("warning", "What a killed command left could not be looked at", { error: messageOf(error) }),
  );
}

function readNow(steward: Steward, name: IdentityName): ReturnType<typeof readFileOf> | { problem: string } {
  try {
    return readFileOf(steward, name);
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function readFileOf(steward: Steward, name: IdentityName): { text: string; changedAt: number } | undefined {
  const path = join(workspaceOf(steward), name);
  const info = lookAt(path);
  if (!info) return undefined;
  return { text: textOf(readPlain(path, LONGEST)), changedAt: info.ctimeMs };
}

/** Once the text is in the file, what the file said before is not told from a change any more. */
async function written(steward: Steward, who: Principal, name: IdentityName, text: string | undefined): Promise<void> {
  if (text !== undefined) await writeFileOf(steward, name, text);
  await steward.store.commit({ merge: { [key(who.person, name)]: { over: null } } });
}

/** Replaces a name, never what a link of that name leads to. */
async function writeFileOf(steward: Steward, name: IdentityName, text: string): Promise<void> {
  const folder = workspaceOf(steward);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = join(folder, `.${name}.${newId("new")}`);
  await writeFile(fresh, text, { flag: "wx", mode: 0o600 });
  await rename(fresh, join(folder, name));
}
