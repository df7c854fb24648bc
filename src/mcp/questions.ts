// A server asks the person something in the middle of a call (elicitation): field by field, as any tool asks. The person may decline.
import type { ToolContext } from "../core/ports.ts";
import { clip, visible } from "../std/text.ts";
import { misfits } from "./schema.ts";

export type Elicited = {
  action: "accept" | "decline" | "cancel";
  content?: Record<string, string | number | boolean | string[]>;
};
type Field = Record<string, unknown>;
type Answer = string | number | boolean | string[];

const MOST_FIELDS = 12;
const MOST_OPTIONS = 40;
const LONGEST_OPTION = 200;
const DECLINE = "Don't answer";
const SKIP = "-";

const isObject = (value: unknown): value is Field => typeof value === "object" && value !== null && !Array.isArray(value);
const short = (value: unknown, limit: number): string => clip(visible(typeof value === "string" ? value : ""), limit).trim();

/** Never throws: an answer that does not come is a cancellation. */
export async function elicit(
  server: string,
  params: { message: string; requestedSchema?: unknown },
  ask: ToolContext["ask"],
): Promise<Elicited> {
  const schema = isObject(params.requestedSchema) ? params.requestedSchema : {};
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? (schema["required"] as unknown[]) : []);
  const fields = Object.entries(properties).filter((entry): entry is [string, Field] => isObject(entry[1]));
  if (fields.length > MOST_FIELDS) return { action: "cancel" };
  const intro = `The server ${server} asks: ${short(params.message, 1500)}`;
  try {
    if (fields.length === 0)
      return { action: (await ask({ prompt: intro, options: ["Yes", DECLINE] })) === "Yes" ? "accept" : "decline", content: {} };
    const content: Record<string, Answer> = {};
    for (const [name, field] of fields) {
      const answer = await one({ name, field, must: required.has(name), intro }, ask);
      if (answer === DECLINED) return { action: "decline" };
      if (answer !== undefined)
        Object.defineProperty(content, name, { value: answer, enumerable: true, configurable: true, writable: true });
    }
    return { action: "accept", content };
  } catch {
    return { action: "cancel" };
  }
}

const DECLINED = Symbol("declined");

interface Asked {
  name: string;
  field: Field;
  must: boolean;
  intro: string;
}

/** Asked again when it does not fit, three times at most. */
async function one(asked: Asked, ask: ToolContext["ask"]): Promise<Answer | undefined | typeof DECLINED> {
  const { name, field, must, intro } = asked;
  const options = optionsOf(field);
  const label = short(field["title"], 100) || short(name, 100);
  const about = short(field["description"], 500);
  const standing = field["default"];
  const notes = [
    ...(field["type"] === "array" ? ["several, with commas between"] : []),
    ...(standing === undefined ? [] : [`"${SKIP}" takes ${short(JSON.stringify(standing), 200)}`]),
    ...(standing === undefined && !must ? [`"${SKIP}" leaves it out`] : []),
    ...(options ? [] : [`"${DECLINE}" declines`]),
  ];
  const extra = notes.length > 0 ? ` (${notes.join("; ")})` : "";
  const prompt = `${intro}\n${label}${about ? `: ${about}` : ""}${extra}`;
  const choices =
    options && field["type"] !== "array"
      ? [...options.map(({ label: text }) => text), ...(must && standing === undefined ? [] : [SKIP]), DECLINE]
      : undefined;
  for (let tries = 0, wrong = ""; tries < 3; tries++) {
    // The same question again would have the same answer.
    const last = wrong && `\nThat does not fit: ${wrong}${tries === 2 ? " (the last time that it is asked)" : ""}`;
    const said = await ask({ prompt: prompt + last, ...(choices ? { options: choices } : {}) });
    if (said.trim() === DECLINE) return DECLINED;
    if (said.trim() === SKIP && (standing !== undefined || !must)) return standing as Answer | undefined;
    const value = valueOf(field, said, options);
    const [problem] = misfits(field, value);
    if (problem === undefined) return value;
    wrong = short(problem.message, 300);
  }
  throw new Error("no answer that fits");
}

interface Choice {
  value: string;
  label: string;
}

/** `enum` with or without names, `oneOf` of constants, yes and no; for a list, those of its items. */
function optionsOf(field: Field): Choice[] | undefined {
  const items = field["type"] === "array" && isObject(field["items"]) ? field["items"] : field;
  if (field["type"] === "boolean")
    return [
      { value: "true", label: "Yes" },
      { value: "false", label: "No" },
    ];
  const named = [items["oneOf"], items["anyOf"]].find(Array.isArray) as unknown[] | undefined;
  const names = Array.isArray(items["enumNames"]) ? (items["enumNames"] as unknown[]) : [];
  const choices = Array.isArray(items["enum"])
    ? (items["enum"] as unknown[]).slice(0, MOST_OPTIONS).map((value, at) => choice(value, names[at]))
    : named
        ?.filter(isObject)
        .slice(0, MOST_OPTIONS)
        .map((one) => choice(one["const"], one["title"]));
  return choices;
}

const choice = (value: unknown, title: unknown): Choice => ({
  value: String(value),
  label: short(title, 80) || short(String(value), LONGEST_OPTION),
});

function valueOf(field: Field, said: string, options: Choice[] | undefined): Answer {
  const pick = (text: string): string => options?.find(({ label, value }) => label === text || value === text)?.value ?? text;
  if (field["type"] === "boolean") return pick(said) === "true";
  if (field["type"] === "number" || field["type"] === "integer") return said.trim() === "" ? said : Number(said);
  if (field["type"] === "array") return said.split(",").map((text) => pick(text.trim()));
  return pick(said);
}
