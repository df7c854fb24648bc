// Routes about skills and about what a turn sends. What a skill may be is src/skills.
import { createHash } from "node:crypto";
import type { RouteName } from "../../core/api.ts";
import type { SkillInfo } from "../../core/api-skills.ts";
import { unpack } from "../../skills/archive.ts";
import { checkout } from "../../skills/checkout.ts";
import { diffLines } from "../../skills/diff.ts";
import { addSkill, checkSkill, chosen, findSkill, newSkill, removeSkill, turnSkill } from "../../skills/install.ts";
import { sent } from "../../skills/sent.ts";
import { type Skill, skillsOf, textsOf } from "../../skills/skills.ts";
import { StewardError } from "../../std/error.ts";
import { receive } from "../uploads.ts";
import type { Handlers } from "../table.ts";

type Names = Extract<RouteName, `skills.${string}` | "context.get">;

export const skills = {
  "skills.list": async ({ steward, who }) => ({ skills: (await skillsOf(steward, who)).map(told) }),
  "skills.get": async ({ steward, who, id }) => {
    const skill = await findSkill(steward, who, id);
    const { license, compatibility, allowed, metadata = {} } = skill.disk.text ?? {};
    return {
      ...{ skill: told(skill), text: skill.disk.main, diff: diffLines(skill.doc?.main ?? skill.disk.main, skill.disk.main), metadata },
      texts: await textsOf(skill),
      ...(license === undefined ? {} : { license }),
      ...(compatibility === undefined ? {} : { compatibility }),
      ...(allowed === undefined ? {} : { tools: allowed }),
    };
  },
  "skills.make": async ({ steward, who, body: { name, description, body = FIRST_BODY } }) => {
    const { skill } = await newSkill(steward, who, { name, description, body });
    return { skill: told(skill) };
  },
  "skills.add": async ({ steward, who, visit, query: { name, from, replace, enabled, check, sha256 } }) => {
    const { bytes, done } = await receive(steward, who, visit.request);
    try {
      mustBe(bytes, sha256);
      const choice = chosen(unpack(bytes), name);
      if (check === "1") return { name: choice.name, problems: await checkSkill(choice) };
      const { skill } = await addSkill(steward, who, choice, {
        from: from ?? "an archive",
        replace: replace === "1",
        enabled: enabled !== "0",
      });
      return { name: choice.name, problems: [], skill: told(skill) };
    } finally {
      done();
    }
  },
  "skills.fetch": async ({ steward, who, body: { url, ref, name, replace, enabled } }) => {
    const { files, commit } = await checkout(url, ref);
    const { skill } = await addSkill(steward, who, chosen(files, name), {
      from: `${url}#${commit}`,
      replace: replace === "1",
      enabled: enabled !== "0",
    });
    steward.log("info", "A skill was added from a repository", { name: skill.disk.name, url, commit, by: who.person });
    return { skill: told(skill), commit };
  },
  "skills.change": async ({ steward, who, id, body }) => ({ skill: told(await turnSkill(steward, who, id, body)) }),
  "skills.remove": async ({ steward, who, id }) => ({ success: true, undo: (await removeSkill(steward, who, id)).undo }),
  "context.get": ({ steward, who, query }) => sent(steward, who, query.session),
} satisfies Pick<Handlers, Names>;

/** Before anything of it is read. */
function mustBe(bytes: Uint8Array, sha256: string | undefined): void {
  const is = sha256 === undefined ? undefined : createHash("sha256").update(bytes).digest("hex");
  if (is !== sha256?.toLowerCase())
    throw new StewardError("denied", `The archive is another than the one that was meant: its SHA-256 is ${is}`);
}

const FIRST_BODY = "1. Say what is done first.\n2. Say what the result looks like.\n3. Say what must never happen.\n";

function told({ id, source, state, hidden, disk, doc }: Skill): SkillInfo {
  const { name, text, problems, hash, files, marks } = disk;
  return {
    ...{ id, name, source, state, hidden, description: text?.description ?? "", hash, problems },
    by: source === "bundled" ? "steward" : (doc?.by ?? "agent"),
    ...(doc?.from === undefined ? {} : { from: doc.from }),
    ...(doc === undefined || source === "bundled" ? {} : { at: doc.at }),
    files: files.map((file) => ({ ...file, changed: doc?.hash ? doc.marks[file.path] !== marks[file.path] : false })),
  };
}
