// steward skills: what Steward has learned to do: list, show, add, remove, check, new, enable, disable.
import { lstatSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Client } from "../../client/client.ts";
import type { DiffLine, SkillInfo } from "../../core/api-skills.ts";
import { StewardError } from "../../std/error.ts";
import { bytes, oneLine } from "../../std/text.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { agrees } from "../input.ts";
import { dim, green, red, table, yellow } from "../output.ts";
import { packed } from "../packing.ts";
import { ago } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const skills: Command = {
  usage: [
    "skills [list] [--json]",
    "skills show NAME [--json]",
    "skills add FOLDER|ARCHIVE|URL [--skill NAME] [--ref REF] [--git] [--sha256 HEX] [--replace] [--off] [--json]",
    "skills check FOLDER|ARCHIVE [--skill NAME] [--json]",
    "skills new NAME [DESCRIPTION] [--json]",
    "skills enable NAME [--yes] [--json]",
    "skills disable NAME [--json]",
    "skills remove NAME [--json]",
  ],
  about:
    "A skill is a folder with a SKILL.md (the Agent Skills format) that the agent reads when a task is about it. What you add is pinned by a hash of all its files: a changed byte turns it off until you have seen it. Nothing of a skill is run when it is added; its scripts only ever run in your computer. steward undo takes a change back.",
  options: {
    skill: { value: "NAME", help: "add, check: which one, where there are several" },
    ref: { value: "REF", help: "add: branch, tag or commit of a repository (its default branch)" },
    git: { help: "add: the folder is a git repository; its last commit is taken" },
    sha256: { value: "HEX", help: "add: what the SHA-256 of the archive must be" },
    replace: { help: "add: in the place of the one that has the name" },
    off: { help: "add: turned off at first" },
    yes: { short: "y", help: "enable: do not ask about what is new or changed" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "show", "add", "check", "new", "enable", "disable", "remove"],
  examples: [
    ["steward skills add ./brew-coffee", "a folder of this machine"],
    ["steward skills add https://example.org/skills.git --skill pdf", "one of a repository, pinned to its commit"],
    ["steward skills check ./brew-coffee", "what is wrong with it, if anything"],
    ['steward skills new brew-coffee "Brews coffee. Use when I ask for some."', "one to begin with"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`skills has no "${verb}"`, "steward help skills shows what it takes.");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const one = ({ args }: Given, what: string): string => {
  const [name, ...more] = args;
  if (name === undefined || more.length > 0) throw usageError(`${what} takes the name of one skill`, "steward skills list shows yours.");
  return name;
};

const verbs: Record<string, Run> = {
  async list({ out, flags, args }, client) {
    if (args.length > 0) throw usageError("list takes nothing more");
    const { skills: found } = await client.call("skills.list");
    if (flags.has("json")) out.json({ skills: found });
    else if (found.length === 0) out.line("No skills.");
    else {
      table(
        out,
        ["name", "state", "from", "does"],
        found.map((skill) => [skill.name, stateOf(skill), placeOf(skill), oneLine(skill.problems[0] ?? skill.description, 70)]),
      );
      if (found.some(waits)) out.note(yellow("Some wait for you: steward skills show NAME, then steward skills enable NAME."));
    }
    return DONE;
  },
  async show(given, client) {
    const shown = await client.call("skills.get", { params: { id: one(given, "show") } });
    const { out, flags } = given;
    if (flags.has("json")) out.json(shown);
    else {
      const { skill } = shown;
      out.line(
        `${skill.name} ${dim(`${stateOf(skill)}, ${placeOf(skill)}${skill.at === undefined ? "" : `, ${ago(skill.at, Date.now())}`}`)}`,
      );
      if (skill.from) out.line(dim(`from ${skill.from}`));
      out.line(dim(skill.hash));
      for (const problem of skill.problems) out.line(red(problem));
      if (shown.tools) out.line(dim(`names the tools ${shown.tools.join(", ")}; others that act ask`));
      for (const file of skill.files) out.line(`${file.changed ? yellow("changed ") : ""}${file.path} ${dim(bytes(file.size))}`);
      out.line();
      for (const line of shown.diff.some(({ kind }) => kind !== "same") ? shown.diff.map(signed) : [shown.text]) out.line(line);
      for (const { path } of skill.files.filter((file) => unseen(skill, file))) {
        out.line(yellow(`— ${path}${shown.texts[path] === undefined ? ": no text, so it can't be shown" : ""}`));
        out.line(shown.texts[path] ?? "");
      }
    }
    return DONE;
  },
  async add(given, client) {
    const { out, flags, args } = given;
    const [source, ...more] = args;
    if (source === undefined || more.length > 0) throw usageError("add takes a folder, an archive or an address");
    const how = {
      ...nameFlag(given),
      ...(flags.has("replace") ? { replace: "1" as const } : {}),
      ...(flags.has("off") ? { enabled: "0" as const } : {}),
    };
    const web = /^[a-z+]+:\/\//i.test(source);
    if (!web && !flags.has("git") && flags.has("ref")) throw usageError("--ref goes with a repository: an address, or a folder and --git");
    if (web || flags.has("git")) {
      if (flags.has("sha256")) throw usageError("--sha256 goes with an archive; a repository is pinned by its commit: --ref COMMIT");
      const ref = flags.text("ref");
      const url = web ? source : resolve(source);
      const { skill, commit } = await client.call("skills.fetch", { body: { url, ...how, ...(ref === undefined ? {} : { ref }) } });
      if (flags.has("json")) out.json({ skill, commit });
      else out.line(`Added ${skill.name} at commit ${commit.slice(0, 12)}: ${stateOf(skill)}.`);
      return DONE;
    }
    const sha256 = flags.text("sha256");
    const query = { ...how, from: basename(resolve(source)), ...(sha256 === undefined ? {} : { sha256 }) };
    const { skill } = await client.call("skills.add", { body: packed(source), query });
    if (flags.has("json")) out.json({ skill });
    else if (skill) out.line(`Added ${skill.name}: ${stateOf(skill)}.`);
    return DONE;
  },
  async check(given, client) {
    const { out, flags, args } = given;
    const [source, ...more] = args;
    if (source === undefined || more.length > 0) throw usageError("check takes a folder or an archive");
    mustBeThere(source);
    const { name, problems } = await client.call("skills.add", { body: packed(source), query: { ...nameFlag(given), check: "1" } });
    if (flags.has("json")) out.json({ name, problems });
    else if (problems.length === 0) out.line(`${name} can be added: nothing is wrong with it.`);
    else for (const problem of problems) out.line(red(problem));
    if (problems.length > 0)
      throw new StewardError("invalid", `${name} can't be added: ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`);
    return DONE;
  },
  async new(given, client) {
    const { out, flags, args } = given;
    const [name, description = `Does ${args[0] ?? ""}. Say here when to use it.`, ...more] = args;
    if (name === undefined || more.length > 0) throw usageError("new takes a name, and a description in quotes");
    const { skill } = await client.call("skills.make", { body: { name, description } });
    if (flags.has("json")) out.json({ skill });
    else
      out.line(
        skill.source === "workspace"
          ? `Made skills/${name}/SKILL.md in the workspace: write it there. Changes hold at once.`
          : `Made ${name}.`,
      );
    return DONE;
  },
  async enable(given, client) {
    const name = one(given, "enable");
    const { skill } = await client.call("skills.get", { params: { id: name } });
    const isNew = waits(skill);
    if (isNew && !given.flags.has("yes")) {
      await verbs["show"]!({ ...given, flags: without(given.flags) }, client);
      if (!(await agrees(given.host, `Turn ${skill.name} on as it is shown?`))) throw new StewardError("denied", `${skill.name} stays off`);
    }
    return turned(
      given,
      await client.call("skills.change", { params: { id: skill.id }, body: { enabled: true, ...(isNew ? { hash: skill.hash } : {}) } }),
    );
  },
  disable: async (given, client) =>
    turned(given, await client.call("skills.change", { params: { id: one(given, "disable") }, body: { enabled: false } })),
  async remove(given, client) {
    const name = one(given, "remove");
    const { undo } = await client.call("skills.remove", { params: { id: name } });
    if (given.flags.has("json")) given.out.json({ removed: name, undo });
    else given.out.line(`Removed ${name}. steward undo ${undo} brings it back.`);
    return DONE;
  },
};

/** A file beside SKILL.md that the person has not accepted as it is. */
const unseen = (skill: SkillInfo, { path, changed }: SkillInfo["files"][number]): boolean =>
  path !== "SKILL.md" && (changed || skill.state === "new");
const waits = ({ state }: SkillInfo): boolean => state === "new" || state === "changed";
const without = (flags: Given["flags"]): Given["flags"] => ({ ...flags, has: (name) => name !== "json" && flags.has(name) });

function nameFlag({ flags }: Given): { name?: string } {
  const name = flags.text("skill");
  return name === undefined ? {} : { name };
}

function mustBeThere(source: string): void {
  if (lstatSync(source, { throwIfNoEntry: false }) === undefined)
    throw new StewardError("not_found", `${source} is not there`, { hint: "check takes a folder or an archive of this machine." });
}

function stateOf({ state, hidden }: SkillInfo): string {
  const colour = state === "enabled" ? green : state === "disabled" ? dim : state === "blocked" || state === "invalid" ? red : yellow;
  return `${colour(state)}${hidden ? dim(", another of this name is used") : ""}`;
}

const PLACES = { workspace: "workspace", person: "added", bundled: "Steward" } as const;
const placeOf = ({ source, by }: SkillInfo): string => (source === "workspace" && by === "agent" ? "written by the agent" : PLACES[source]);
const SIGNS = { same: "  ", out: "- ", in: "+ " } as const;
const signed = ({ kind, text }: DiffLine): string =>
  kind === "same" ? `  ${text}` : (kind === "in" ? green : red)(`${SIGNS[kind]}${text}`);

function turned({ out, flags }: Given, { skill }: { skill: SkillInfo }): number {
  if (flags.has("json")) out.json({ skill });
  else out.line(`${skill.name}: ${stateOf(skill)}.`);
  return DONE;
}
