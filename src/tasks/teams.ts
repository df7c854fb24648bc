// Teams: a lead with the goal, and members that begin when they are spoken to and end with it.
import { createHash } from "node:crypto";
import type { TeamConfig } from "../core/config-tasks.ts";
import type { TeamInfo } from "../core/api-tasks.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import type { TaskDoc } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine, visible } from "../std/text.ts";
import { channelIn } from "./docs.ts";
import { type Starter, startTask } from "./start.ts";

export const teamsOf = (steward: Steward): TeamInfo[] =>
  Object.entries(steward.settings.config().tasks.teams).map(([name, { about, roles }]) => ({
    name,
    about,
    roles: roles.map(({ name: role, brief, engine, model, may }) => ({
      ...{ name: role, brief },
      ...(engine === undefined ? {} : { engine }),
      ...(model === undefined ? {} : { model }),
      ...(may === undefined ? {} : { may }),
    })),
  }));

export interface TeamRun {
  team: string;
  goal: string;
  key?: string | undefined;
  /** Where the result goes. */
  session?: string | undefined;
  from?: Starter;
}

/** The lead's task. The same key again is the same team: what was not made before a stop is made then. */
export async function runTeam(
  steward: Steward,
  who: Principal,
  { team: name, goal, key = newId("key"), session, from }: TeamRun,
): Promise<TaskDoc> {
  const { teams } = steward.settings.config().tasks;
  const team = Object.hasOwn(teams, name) ? teams[name] : undefined;
  if (!team)
    throw new StewardError("not_found", `There is no team ${oneLine(visible(name), 60)}`, {
      hint: `Teams: ${Object.keys(teams).join(", ") || "none; the configuration declares them at tasks.teams"}.`,
    });
  const [first, ...others] = team.roles;
  const channel = teamChannel({ team: name, key, foreign: from?.foreign });
  const plain = ({ engine, model, budget }: (typeof team.roles)[number]) => ({ engine, model, budget, channels: [channel] });
  return startTask(steward, who, {
    ...plain(first!),
    ...{ by: from ? "agent" : "person", team: name, text: goal, preface: leadText(team, channel), key, session },
    budget: team.budget ?? first!.budget,
    members: others.map((role) => ({
      ...plain(role),
      name: role.name,
      text: role.brief,
      preface: memberText(team, role.name, channel),
      // All of a team speak on its channel.
      may: role.may && [...role.may, `#${channel}`],
    })),
    ...(from ? { from } : { name: first!.name }),
  });
}

/** Of this run alone. */
export const teamChannel = ({ team = "", key, foreign }: Pick<TaskDoc, "team" | "key"> & { foreign?: string | undefined }): string =>
  channelIn(foreign, `${team.toLowerCase()}-${createHash("sha256").update(key).digest("hex").slice(0, 8)}`);

function leadText({ roles: [first, ...others] }: TeamConfig, channel: string): string {
  const members = others.map(({ name, brief }) => `- ${name}: ${oneLine(brief, 300)}`);
  return [
    `You are ${first!.name}, who leads a team. ${first!.brief}`,
    `Members, to whom you write with the tool task (send); each begins when you write to it, and what it answers comes to you as a message:`,
    ...members,
    `All hear #${channel}. What you say last, when nobody is at work any more, is the team's result. The goal:`,
  ].join("\n");
}

const memberText = ({ roles: [first] }: TeamConfig, name: string, channel: string): string =>
  `You are ${name}, in a team that ${first!.name} (to: lead) leads. What you say last in answer to the lead's message goes to the lead. Others hear you on #${channel}.`;
