// SKILL.md: its head of exactly six keys, and the text below it. What the text may say is scan.ts's, where it lies shelf.ts's.
import { messageOf } from "../std/error.ts";
import { visible } from "../std/text.ts";

export interface SkillText {
  name: string;
  description: string;
  license?: string;
  compatibility?: string;
  metadata: Record<string, string>;
  /** Tools that it says it needs; absent: it says nothing of them. */
  allowed?: string[];
  /** What follows the head. */
  body: string;
}
/** Either a skill, or what is wrong with it, for people. */
export interface ReadSkill {
  skill?: SkillText;
  problems: string[];
}

export const MAIN = "SKILL.md";
export const SKILL_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const KEYS = ["name", "description", "license", "compatibility", "metadata", "allowed-tools"];
const HEAD = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/;
const LONGEST_HEAD = 16_384;
export const LONGEST_BODY = 100_000;

/** `folder`: the name of the folder that it lies in, which must be the skill's. */
export async function readSkillText(text: string, folder: string): Promise<ReadSkill> {
  const head = HEAD.exec(text);
  if (!head) return wrong('it must begin with a head: "---", its keys, "---"');
  if (head[1]!.length > LONGEST_HEAD) return wrong(`its head is longer than ${LONGEST_HEAD} characters`);
  const parsed = await parsedHead(head[1]!);
  if (typeof parsed === "string") return wrong(parsed);
  const body = text.slice(head[0].length);
  const problems = [
    ...problemsOf(parsed, folder),
    ...(body.length > LONGEST_BODY ? [`its text is longer than ${LONGEST_BODY} characters`] : []),
  ];
  return problems.length > 0 ? { problems } : { skill: { ...fieldsOf(parsed), body: body.trim() }, problems };
}

const wrong = (...problems: string[]): ReadSkill => ({ problems: problems.map((one) => `${MAIN}: ${one}`) });

async function parsedHead(head: string): Promise<Record<string, unknown> | string> {
  const { parseDocument } = await import("yaml");
  try {
    const document = parseDocument(head, { schema: "core", uniqueKeys: true, logLevel: "silent" });
    const [error] = document.errors;
    if (error) return `its head is not valid YAML: ${error.message.split("\n")[0]}`;
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : "its head has no keys";
  } catch (error) {
    return `its head is not valid YAML: ${messageOf(error)}`;
  }
}

function problemsOf(head: Record<string, unknown>, folder: string): string[] {
  const found: string[] = [];
  const say = (problem: string): void => void found.push(`${MAIN}: ${problem}`);
  for (const key of Object.keys(head))
    if (!KEYS.includes(key)) say(`the key ${JSON.stringify(key)} is not known; there are ${KEYS.join(", ")}`);
  const { name, description, license, compatibility, metadata } = head;
  if (typeof name !== "string" || name.length < 1 || name.length > 64 || !SKILL_NAME.test(name))
    say("name must be 1 to 64 of a–z and 0–9 with single hyphens between");
  else if (name !== folder) say(`name is ${JSON.stringify(name)}, but its folder is ${JSON.stringify(folder)}`);
  if (typeof description !== "string" || description.trim() === "") say("description is missing");
  else if (description.length > 1024) say("description is longer than 1,024 characters");
  if (license !== undefined && typeof license !== "string") say("license must be text");
  if (compatibility !== undefined && (typeof compatibility !== "string" || compatibility.length < 1 || compatibility.length > 500))
    say("compatibility must be text of at most 500 characters");
  if (metadata !== undefined && !isPlain(metadata)) say("metadata must be keys with plain values");
  if (toolsOf(head["allowed-tools"]) === null) say("allowed-tools must be names with blanks between");
  return found;
}

const isPlain = (value: unknown): value is Record<string, string | number | boolean> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => ["string", "number", "boolean"].includes(typeof one));

/** `null`: it is there and can't be read. */
function toolsOf(value: unknown): string[] | undefined | null {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value.match(/[^\s,(]+(?:\([^)]*\))?/g) ?? [];
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : null;
}

function fieldsOf(head: Record<string, unknown>): Omit<SkillText, "body"> {
  const { name, description, license, compatibility, metadata } = head as Record<string, string> & { metadata?: Record<string, unknown> };
  const allowed = toolsOf(head["allowed-tools"]);
  return {
    name: name!,
    description: visible(description!).trim(),
    ...(license === undefined ? {} : { license }),
    ...(compatibility === undefined ? {} : { compatibility }),
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [key, String(value)])),
    ...(allowed ? { allowed } : {}),
  };
}

/** What stands in the instructions: up to the first full stop. */
export function firstSentence(description: string, limit = 120): string {
  const line = description.replace(/\s+/g, " ").trim();
  const sentence = /^.*?[.!?](?=\s|$)/.exec(line)?.[0] ?? line;
  return sentence.length <= limit ? sentence : `${sentence.slice(0, limit - 1)}…`;
}

/** A skill's file as `skills new` and the agent write it. */
export const skillFile = ({ name, description, body }: { name: string; description: string; body: string }): string =>
  `---\nname: ${name}\ndescription: ${JSON.stringify(description)}\n---\n\n${body.trim()}\n`;
