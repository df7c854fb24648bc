// What the agent proposes: planned as a whole first (what was, what will be), checked, then made to hold. Whether a person is asked is needs.ts's.
import { createHash } from "node:crypto";
import { configSchema, parseConfig, valueAt, withKey } from "../core/config.ts";
import type { Principal } from "../core/types.ts";
import type { Proposal } from "../run/identity.ts";
import type { Steward } from "../run/steward.ts";
import { diffText } from "./diff.ts";
import { StewardError } from "../std/error.ts";
import { type Files, isText, textOf } from "./files.ts";
import { type Maker, ownEntry } from "./history.ts";
import { isIdentity, LONGEST, putIdentity, readOne, refuseWaiting } from "./identity.ts";
import { addSkill, removeSkill } from "./install.ts";
import { looked, readFiles } from "./shelf.ts";
import { MAIN, SKILL_NAME } from "./skill-text.ts";
import { refuseUnseen, type Skill, skillsOf } from "./skills.ts";
import { hasFiles } from "./state.ts";

export interface Plan {
  kind: "identity" | "skill" | "setting";
  target: string;
  before: string;
  /** Undefined: it goes. */
  after: string | undefined;
  diff: string;
  /** The same for the same change of the same text. */
  mark: string;
}

/** Keys that the agent may propose: none of them widens a right, moves a limit of money or names a program, an address or a secret. */
const SETTINGS = [
  ...["model", "runtime.engine", "memory", "agents", "notifications", "heartbeat", "asks"],
  ...["failover", "voice.hear", "voice.language", "voice.timeoutSeconds", "log.level"],
];
const SKILL_FILE = /^skills\/([^/]+)\/(.+)$/;

/** Throws invalid and denied, with what is wrong. */
export async function plan(steward: Steward, who: Principal, { target: given, ...wish }: Proposal): Promise<Plan> {
  const target = given.trim().replace(/^(?:\.\/|workspace\/)/, "");
  if (isIdentity(target)) {
    const now = await readOne(steward, who, target);
    refuseWaiting(now);
    return planned("identity", target, { before: now.text, ...wish });
  }
  const file = SKILL_FILE.exec(target);
  if (file) return planSkill(steward, who, { target, name: file[1]!, path: file[2]!, wish });
  return planSetting(steward, who, target.replace(/^config(?:\.json)?[:.#]/, ""), wish);
}

function planned(kind: Plan["kind"], target: string, { before, ...wish }: { before: string } & Omit<Proposal, "target">): Plan {
  const after = edited(target, before, wish);
  if (after !== undefined && Buffer.byteLength(after) > LONGEST)
    throw new StewardError("limit", `${target} can have at most ${LONGEST} bytes`);
  if (after === before) throw new StewardError("invalid", `${target} says that already`);
  const mark = createHash("sha256")
    .update(JSON.stringify([target, before, after ?? null]))
    .digest("hex")
    .slice(0, 16);
  return { kind, target, before, after, diff: diffText(before, after ?? ""), mark };
}

function edited(target: string, before: string, { new: next, old }: Omit<Proposal, "target">): string | undefined {
  if (old === undefined || old === "") return next;
  const at = before.indexOf(old);
  if (at < 0) throw new StewardError("invalid", `${target} does not hold the old text`, { hint: `It says: ${before.slice(0, 2000)}` });
  if (before.includes(old, at + 1))
    throw new StewardError("invalid", `${target} holds the old text more than once`, { hint: "Give more of it." });
  return before.slice(0, at) + (next ?? "") + before.slice(at + old.length);
}

interface SkillWish {
  target: string;
  name: string;
  path: string;
  wish: Omit<Proposal, "target">;
}

async function planSkill(steward: Steward, who: Principal, { target, name, path, wish }: SkillWish): Promise<Plan> {
  if (!SKILL_NAME.test(name) || name.length > 64)
    throw new StewardError("invalid", `"${name}" is no name of a skill: a–z, 0–9 and single hyphens`);
  const { there, files } = await ownSkill(steward, who, name);
  const file = files.get(path);
  if (file && !isText(file.bytes)) throw new StewardError("invalid", `${target} is no text`);
  const made = planned("skill", target, { before: file ? textOf(file.bytes) : "", ...wish });
  if (made.after === undefined && path === MAIN) {
    if (!there) throw new StewardError("not_found", `There is no skill ${name} of your own`);
    return made;
  }
  const { problems, findings } = await looked(name, withFile(files, path, made.after));
  if (problems.length > 0)
    throw new StewardError(findings.length > 0 ? "denied" : "invalid", `This can't be a skill: ${problems.slice(0, 5).join("; ")}`);
  return made;
}

/** In the place where the agent may change skills. Throws conflict for what waits, or is being changed. */
async function ownSkill(steward: Steward, who: Principal, name: string): Promise<{ there?: Skill; files: Files }> {
  const source = hasFiles(who) ? "workspace" : "person";
  const there = (await skillsOf(steward, who)).find((one) => one.source === source && one.disk.name === name);
  if (!there) return { files: new Map() };
  refuseUnseen(there);
  const { files, hash } = await readFiles(there.disk.folder);
  if (hash !== there.disk.hash) throw new StewardError("conflict", `${name} is being changed`, { hint: "Try again." });
  return { there, files };
}

function withFile(files: Files, path: string, text: string | undefined): Files {
  const next = new Map(files);
  if (text === undefined) next.delete(path);
  else next.set(path, { bytes: new TextEncoder().encode(text), exec: files.get(path)?.exec ?? false });
  return next;
}

function planSetting(steward: Steward, who: Principal, key: string, wish: Omit<Proposal, "target">): Plan {
  if (!hasFiles(who) || who.via === "osAgent" || who.via === "local")
    throw new StewardError("denied", "Settings are the owner's", {
      hint: "What can be changed here are USER.md, MEMORY.md, HEARTBEAT.md, TOOLS.md and skills/NAME/SKILL.md.",
    });
  const top = key.split(".")[0]!;
  if (!Object.hasOwn(configSchema.def.shape, top))
    throw new StewardError("not_found", `There is nothing to change that is called ${JSON.stringify(key.slice(0, 100))}`, {
      hint: `There are SOUL.md, USER.md, MEMORY.md, HEARTBEAT.md, TOOLS.md, skills/NAME/FILE and these settings: ${SETTINGS.join(", ")}.`,
    });
  if (!SETTINGS.some((one) => key === one || key.startsWith(`${one}.`)))
    throw new StewardError("denied", `${key} is not for an agent to change`, {
      hint: "The owner can: on the settings page, or with steward config set.",
    });
  const now = steward.settings.config();
  const before = steward.settings.origins()[key] === undefined ? "" : JSON.stringify(valueAt(now, key));
  const plan = planned("setting", `config:${key}`, {
    before,
    ...wish,
    ...(wish.new === undefined ? {} : { new: JSON.stringify(valueOf(wish.new)) }),
  });
  parseConfig(withKey(now, key, plan.after === undefined ? undefined : valueOf(plan.after)));
  return { ...plan, diff: [`- ${key}: ${before || "(as by default)"}`, `+ ${key}: ${plan.after ?? "(as by default)"}`].join("\n") };
}

/** JSON when it is some, else the text itself. */
export function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Returns the id for undo. */
export async function make(steward: Steward, who: Principal, { kind, target, before, after }: Plan, maker: Maker): Promise<string> {
  if (kind === "identity" && isIdentity(target)) return putIdentity(steward, who, { name: target, text: after ?? "", before, maker });
  if (kind === "setting") return setSetting(steward, who, { key: target.slice("config:".length), text: after, maker });
  const [, name = "", path = ""] = SKILL_FILE.exec(target) ?? [];
  const { there, files } = await ownSkill(steward, who, name);
  if (after === undefined && path === MAIN && there) return (await removeSkill(steward, who, there.id, maker)).undo;
  const source = hasFiles(who) ? ("workspace" as const) : ("person" as const);
  return (await addSkill(steward, who, { name, files: withFile(files, path, after) }, { replace: true, source, maker })).undo;
}

/** `text`: JSON, or undefined to take the key out. */
export async function setSetting(
  steward: Steward,
  who: Principal,
  { key, text, maker }: { key: string; text: string | undefined; maker: Maker },
): Promise<string> {
  const { settings } = steward;
  const before = settings.origins()[key] === undefined ? undefined : JSON.stringify(valueAt(settings.config(), key));
  const { id, put } = ownEntry(steward, who, { target: `config:${key}`, before, after: text, summary: `Set ${key}`, maker });
  await steward.store.commit({ put });
  settings.set(key, text === undefined ? undefined : valueOf(text));
  await steward.models.forget();
  steward.log("info", "The configuration was changed", { key, by: who.person, via: maker.tool });
  return id;
}
