// What Steward goes by, put together for the rest of it: sections of the instructions, the gate's questions, changes, the way back.
import type { Principal, ToolCall } from "../core/types.ts";
import type { Own, OwnChange, Proposal } from "../run/identity.ts";
import type { Scope } from "../run/approval.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import { make, plan, setSetting } from "./changes.ts";
import { said } from "./first-texts.ts";
import { BY_HAND, type Identity, isIdentity, putIdentity, readIdentity, readOne } from "./identity.ts";
import { restoreSkill } from "./install.ts";
import { mustAsk, needsOf, scopeOf } from "./needs.ts";
import { skillLines, skillsOf, useSkill } from "./skills.ts";
import { allEnded, duringCommand } from "./running.ts";

/** Characters of each file that a request holds. What a heartbeat does is no part of it. */
const ROOM = { "SOUL.md": 4000, "USER.md": 6000, "MEMORY.md": 8000, "TOOLS.md": 4000 };
type Told = keyof typeof ROOM;
const HEADS: Record<Told, string> = {
  "SOUL.md": "How you speak (SOUL.md)",
  "USER.md": "About this person (USER.md)",
  "MEMORY.md": "What to keep in mind (MEMORY.md)",
  "TOOLS.md": "On tools (TOOLS.md)",
};

/** `bundled`: the folder of the skills that come with Steward. */
export function openOwn(steward: () => Steward, { bundled }: { bundled: string }): Own {
  const look = async (who: Principal): Promise<void> => {
    await readIdentity(steward(), who);
    await skillsOf(steward(), who);
  };
  return {
    bundled,
    async sections(who) {
      const [files, all] = [await readIdentity(steward(), who), await skillsOf(steward(), who)];
      const skills = await skillLines(steward(), who, all);
      const waits = [
        ...files.flatMap(({ name, waits: text }) => (text === undefined ? [] : [name])),
        ...all.flatMap(({ state, disk }) => (state === "new" || state === "changed" ? [`the skill ${disk.name}`] : [])),
      ];
      return [
        ...told(files),
        ...(skills === "" ? [] : [{ name: "skills", text: skills }]),
        ...(waits.length === 0 ? [] : [{ name: "waiting", text: `${WAITING}: ${waits.slice(0, 10).join(", ")}` }]),
      ];
    },
    holds: async (who, name) => (await readOne(steward(), who, name)).text,
    during: (who, computer, work) => duringCommand(steward(), { who, computer, look: () => look(who) }, work),
    needs: (wish) => needsOf(steward(), wish),
    change: (scope, call, how) => change(steward(), scope, { call, ...how }),
    skill: (who, name, file) => useSkill(steward(), who, name, file),
    restore: (who, one) => restore(steward(), who, one),
    close: () => allEnded(steward()),
  };
}

const WAITING = "Changed by a command and not in force before this person has looked, on the pages Identity and Skills";

function told(files: Identity[]): { name: string; text: string }[] {
  return files.flatMap(({ name, text }) => {
    if (!(name in HEADS)) return [];
    const short = clip(visible(said(text)), ROOM[name as Told]);
    return short === "" ? [] : [{ name, text: `${HEADS[name as Told]}:\n${short.replace(/^# [^\n]*\n+/, "")}` }];
  });
}

async function change(
  steward: Steward,
  scope: Scope,
  { proposal, granted }: { call: ToolCall; proposal: Proposal; granted: string[] },
): Promise<{ target: string; undo: string }> {
  const made = await plan(steward, scope.principal, proposal);
  if ((await mustAsk(steward, { scope }, made)) && !granted.includes(scopeOf(made)))
    throw new StewardError("conflict", `${made.target} was changed meanwhile`, { hint: "Look at it again and propose anew." });
  const { session, turn } = scope;
  const undo = await make(steward, scope.principal, made, { session, turn, tool: "propose_change", by: "agent" });
  return { target: made.target, undo };
}

async function restore(steward: Steward, who: Principal, { target, before }: OwnChange): Promise<void> {
  const maker = { ...BY_HAND, tool: "undo" };
  if (isIdentity(target))
    return void (await putIdentity(steward, who, { name: target, text: typeof before === "string" ? before : "", maker }));
  if (target.startsWith("skill:")) return restoreSkill(steward, who, target, before);
  if (who.role !== "owner" || who.via === "osAgent" || who.via === "local") throw new StewardError("denied", "Settings are the owner's");
  await setSetting(steward, who, { key: target.slice("config:".length), text: typeof before === "string" ? before : undefined, maker });
}
