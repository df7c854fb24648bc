// Checks a value against a JSON Schema that somebody else wrote: bounded in depth and work, and no pattern of theirs is ever run.
import * as z from "zod/mini";
import type { ZodMiniType } from "zod/mini";

export interface Misfit {
  path: (string | number)[];
  message: string;
}
type Schema = Record<string, unknown>;
interface Work {
  root: unknown;
  /** Steps that are left: schemas looked at. */
  left: number;
  /** What is left to be read of the value and of lists in the schema: letters, fields, items. */
  load: number;
  /** Schemas within schemas, also by reference. */
  depth: number;
  problems: Misfit[];
}
type Path = (string | number)[];

const MOST_STEPS = 50_000;
const MOST_LOAD = 2_000_000;
const DEEPEST = 100;

/** What does not fit, [] when all does. `pattern` and `format` are left to whoever wrote the schema. */
export function misfits(schema: unknown, value: unknown): Misfit[] {
  const work: Work = { root: schema, left: MOST_STEPS, load: MOST_LOAD, depth: 0, problems: [] };
  try {
    check(work, schema, { value, path: [] });
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return [{ path: [], message: "the schema is too deep or too large to be checked" }];
  }
  return work.problems;
}
class TooMuch extends Error {}

function read(work: Work, amount: number): void {
  work.load -= amount;
  if (work.load < 0) throw new TooMuch();
}

/** As the gate checks the input of any tool. */
export const inputOf = (schema: unknown): ZodMiniType =>
  z.unknown().check((payload) => {
    for (const { path, message } of misfits(schema, payload.value).slice(0, 20))
      payload.issues.push({ code: "custom", message, path, input: payload.value });
  });

const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);
const own = (of: Schema, name: string): unknown => (Object.hasOwn(of, name) ? of[name] : undefined);

interface At {
  value: unknown;
  path: Path;
}

function check(work: Work, schema: unknown, at: At): void {
  if (--work.left < 0 || work.depth >= DEEPEST) throw new TooMuch();
  work.depth++;
  checkAll(work, schema, at);
  work.depth--;
}

function checkAll(work: Work, schema: unknown, at: At): void {
  if (schema === false) return void work.problems.push({ path: at.path, message: "is not allowed" });
  if (!isObject(schema)) return;
  const ref = own(schema, "$ref");
  if (typeof ref === "string") check(work, target(work, ref), at);
  const before = work.problems.length;
  checkType(work, schema, at);
  if (work.problems.length > before) return;
  checkValue(work, schema, at);
  checkSome(work, schema, at);
  if (isObject(at.value)) checkObject(work, schema, { value: at.value, path: at.path });
  if (Array.isArray(at.value)) checkArray(work, schema, { value: at.value, path: at.path });
}

/** Only within the schema itself: nothing is fetched. */
function target(work: Work, ref: string): unknown {
  const { root } = work;
  if (ref !== "#" && !ref.startsWith("#/")) return true;
  read(work, ref.length);
  const steps = ref
    .slice(2)
    .split("/")
    .filter((step) => step !== "")
    .map((step) => decoded(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce<unknown>(
    (found, step) => (isObject(found) ? own(found, step) : Array.isArray(found) ? (found as unknown[])[Number(step)] : undefined),
    root,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const typeOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : typeof value === "number" && Number.isInteger(value)
        ? "integer"
        : typeof value;
const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);

function checkType(work: Work, schema: Schema, { value, path }: At): void {
  const { problems } = work;
  const type = own(schema, "type");
  if (Array.isArray(type)) read(work, type.length);
  const wanted = (Array.isArray(type) ? type : [type]).filter((one): one is string => typeof one === "string");
  const is = typeOf(value);
  if (wanted.length > 0 && !wanted.includes(is) && !(is === "integer" && wanted.includes("number")))
    problems.push({ path, message: `must be ${wanted.map(article).join(" or ")}, not ${is === "undefined" ? "missing" : article(is)}` });
}

/** As JSON, where the order of fields counts. */
function same(work: Work, a: unknown, b: unknown): boolean {
  read(work, typeof a === "string" && typeof b === "string" && a.length === b.length ? a.length + 1 : 1);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [ours, theirs] = [Object.entries(a), Object.entries(b)];
  read(work, ours.length + theirs.length);
  return ours.length === theirs.length && ours.every(([name, one], at) => name === theirs[at]![0] && same(work, one, theirs[at]![1]));
}

/** As text, to find what is there twice; its whole size is paid for first. */
function textOf(work: Work, value: unknown): string {
  weigh(work, value, 0);
  return JSON.stringify(value);
}
function weigh(work: Work, value: unknown, depth: number): void {
  if (depth > DEEPEST) throw new TooMuch();
  read(work, typeof value === "string" ? value.length + 1 : 1);
  if (typeof value !== "object" || value === null) return;
  for (const [name, one] of Object.entries(value)) {
    read(work, name.length);
    weigh(work, one, depth + 1);
  }
}
const number = (of: Schema, name: string): number | undefined => {
  const value = own(of, name);
  return typeof value === "number" ? value : undefined;
};

function checkValue(work: Work, schema: Schema, { value, path }: At): void {
  const { problems } = work;
  const say = (wrong: boolean, message: string): void => void (wrong && problems.push({ path, message }));
  const options = own(schema, "enum");
  if (Array.isArray(options) && !options.some((one) => same(work, one, value))) say(true, `must be one of ${shown(work, options)}`);
  if (Object.hasOwn(schema, "const") && !same(work, schema["const"], value)) say(true, `must be ${shown(work, [schema["const"]])}`);
  if (typeof value === "string" && (Object.hasOwn(schema, "minLength") || Object.hasOwn(schema, "maxLength"))) {
    read(work, value.length);
    const length = [...value].length;
    say(length < (number(schema, "minLength") ?? 0), `must have at least ${number(schema, "minLength")} characters`);
    say(length > (number(schema, "maxLength") ?? Infinity), `must have at most ${number(schema, "maxLength")} characters`);
  }
  if (typeof value !== "number") return;
  say(value < (number(schema, "minimum") ?? -Infinity), `must be at least ${number(schema, "minimum")}`);
  say(value > (number(schema, "maximum") ?? Infinity), `must be at most ${number(schema, "maximum")}`);
  say(value <= (number(schema, "exclusiveMinimum") ?? -Infinity), `must be more than ${number(schema, "exclusiveMinimum")}`);
  say(value >= (number(schema, "exclusiveMaximum") ?? Infinity), `must be less than ${number(schema, "exclusiveMaximum")}`);
  const step = number(schema, "multipleOf");
  if (step !== undefined && step > 0) say(Math.abs(value / step - Math.round(value / step)) > 1e-9, `must be a multiple of ${step}`);
}

const shown = (work: Work, values: unknown[]): string =>
  values
    .slice(0, 50)
    .map((one) => textOf(work, one))
    .join(", ")
    .slice(0, 500);

/** How many problems this schema has with the value, without keeping them. */
function trial(work: Work, schema: unknown, at: At): Misfit[] {
  const apart: Work = { ...work, problems: [] };
  check(apart, schema, at);
  Object.assign(work, { left: apart.left, load: apart.load });
  return apart.problems;
}

function checkSome(work: Work, schema: Schema, at: At): void {
  const { problems } = work;
  for (const one of listOf(schema, "allOf")) check(work, one, at);
  const any = listOf(schema, "anyOf");
  if (any.length > 0) {
    const tried = any.map((one) => trial(work, one, at));
    if (!tried.some((found) => found.length === 0))
      problems.push(nearest(tried) ?? { path: at.path, message: "fits none of what is allowed" });
  }
  const one = listOf(schema, "oneOf");
  if (one.length > 0) {
    const tried = one.map((each) => trial(work, each, at));
    const fits = tried.filter((found) => found.length === 0).length;
    if (fits === 0) problems.push(nearest(tried) ?? { path: at.path, message: "fits none of what is allowed" });
    if (fits > 1) problems.push({ path: at.path, message: "fits more than one of what is allowed" });
  }
  const not = own(schema, "not");
  if (not !== undefined && trial(work, not, at).length === 0) problems.push({ path: at.path, message: "is what is not allowed" });
  const condition = own(schema, "if");
  if (condition === undefined) return;
  const then = own(schema, trial(work, condition, at).length === 0 ? "then" : "else");
  if (then !== undefined) check(work, then, at);
}

const listOf = (schema: Schema, name: string): unknown[] => {
  const value = own(schema, name);
  return Array.isArray(value) ? (value as unknown[]) : [];
};
const nearest = (tried: Misfit[][]): Misfit | undefined => tried.toSorted((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)[0]?.[0];
const depthOf = (found: Misfit[]): number => Math.max(0, ...found.map(({ path }) => path.length));

function checkObject(work: Work, schema: Schema, { value, path }: { value: Schema; path: Path }): void {
  const { problems } = work;
  const given = own(schema, "properties");
  const properties = isObject(given) ? given : {};
  const required = listOf(schema, "required");
  const names = Object.keys(value);
  read(work, required.length + names.length);
  for (const name of required)
    if (typeof name === "string" && !Object.hasOwn(value, name)) problems.push({ path: [...path, name], message: "is missing" });
  if (names.length < (number(schema, "minProperties") ?? 0)) problems.push({ path, message: "has too few fields" });
  if (names.length > (number(schema, "maxProperties") ?? Infinity)) problems.push({ path, message: "has too many fields" });
  const others = isObject(own(schema, "patternProperties")) ? true : own(schema, "additionalProperties");
  for (const name of names)
    if (Object.hasOwn(properties, name)) check(work, properties[name], { value: value[name], path: [...path, name] });
    else if (others === false) problems.push({ path: [...path, name], message: "is not known" });
    else if (isObject(others)) check(work, others, { value: value[name], path: [...path, name] });
}

function checkArray(work: Work, schema: Schema, { value, path }: { value: unknown[]; path: Path }): void {
  const { problems } = work;
  if (value.length < (number(schema, "minItems") ?? 0))
    problems.push({ path, message: `must have at least ${number(schema, "minItems")}` });
  if (value.length > (number(schema, "maxItems") ?? Infinity))
    problems.push({ path, message: `must have at most ${number(schema, "maxItems")}` });
  const first = listOf(schema, "prefixItems");
  const items = own(schema, "items");
  if (items !== undefined || first.length > 0) read(work, value.length);
  for (const [index, one] of items === undefined && first.length === 0 ? [] : value.entries()) {
    const each = index < first.length ? first[index] : Array.isArray(items) ? (items as unknown[])[index] : items;
    if (each !== undefined) check(work, each, { value: one, path: [...path, index] });
  }
  if (own(schema, "uniqueItems") === true && new Set(value.map((one) => textOf(work, one))).size < value.length)
    problems.push({ path, message: "has the same twice" });
}
