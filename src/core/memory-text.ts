// The JSON memory as a text: its template, what is one, and the change of a field, with the one rule that keeps its protected part from the agent. Keeping it is run/json-memory.ts.
import { messageOf, StewardError } from "../std/error.ts";
import { oneLine, visible } from "../std/text.ts";

type Fields = Record<string, unknown>;

export const TEMPLATE = JSON.stringify({ name: "", age: "", gender: "", protected_memory: {} }, null, 2);
const PROTECTED = "protected_memory";
const MOST_DEEP = 64;

/** As it is kept: trimmed. Throws `invalid` when it is not one JSON object, `limit` when it is too long. */
export function checkedMemory(text: string, limit: number): string {
  const trimmed = text.trim();
  refuseLong(trimmed, limit);
  fieldsOf(trimmed);
  return trimmed;
}

function refuseLong(text: string, limit: number): void {
  const length = text.length > 2 * limit ? text.length : [...text].length;
  if (length > limit)
    throw new StewardError("limit", `The memory would have ${length} characters; at most ${limit} fit`, {
      hint: "Remove or shorten something. The setting memory.limit (MEMORY_LIMIT) is the owner's.",
    });
}

function fieldsOf(text: string): Fields {
  const value = parsed(text);
  refuseDeep(value);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new StewardError("invalid", "The memory must be a JSON object", { hint: 'Such as {"name": "Ada"}.' });
}

/** Each level is indented further: a short text of a thousand levels would become a very long one. */
function refuseDeep(whole: unknown): void {
  for (let level = [whole], depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEEP) throw new StewardError("invalid", `The memory would be nested more than ${MOST_DEEP} levels deep`);
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StewardError("invalid", `The memory is not valid JSON: ${messageOf(error)}`);
  }
}

export interface Edit {
  field: string;
  /** Absent: the field is removed. */
  value?: unknown;
  /** The field is one of the protected part. */
  protected?: boolean;
}

/** The text with one field set or removed. Indented as the template, or in one line where only that fits. Throws `limit`. */
export function editedMemory(text: string, edit: Edit, limit: number): string {
  if (edit.field.trim() === "" || edit.field.length > 200) throw new StewardError("invalid", "A field's name has 1 to 200 characters");
  refuseDeep(edit.value);
  return written(withEdit(fieldsOf(text), edit), limit);
}

const partOf = (fields: Fields): Fields | undefined => {
  const part = own(fields, PROTECTED);
  return typeof part === "object" && part !== null && !Array.isArray(part) ? (part as Fields) : undefined;
};

const withEdit = (fields: Fields, { field, value, protected: inside = false }: Edit): Fields =>
  inside ? withField(fields, PROTECTED, withField(partOf(fields) ?? {}, field, value)) : withField(fields, field, value);

function written(fields: Fields, limit: number): string {
  const indented = JSON.stringify(fields, null, 2);
  if ([...indented].length <= limit) return indented;
  const short = JSON.stringify(fields);
  refuseLong(short, limit);
  return short;
}

/** The same for the agent. Throws `denied` for whatever is, holds, or could be taken for the protected part, and when that would not stay as it is to the byte. */
export function editedByAgent(text: string, edit: Omit<Edit, "protected">, limit: number): string {
  if (namesProtected(edit.field) || holdsProtected(edit.value))
    throw new StewardError("denied", `${PROTECTED} can be read, but only the person's own programs change it`);
  if (Object.hasOwn(REACHING, edit.field)) throw new StewardError("invalid", `"${edit.field}" can't be the name of a field`);
  return stillProtected(text, editedMemory(text, edit, limit));
}

function stillProtected(text: string, after: string): string {
  if (protectedOf(after) !== protectedOf(text)) throw new StewardError("denied", `${PROTECTED} would not stay as it is`);
  return after;
}

/** The text without an earlier change of it: the fields that it changed are as they were before it, the others as they are. Throws `conflict` for a field that was changed again since, and for the agent as editedByAgent does. */
export function takenBack(
  text: string,
  { before, after }: { before: string; after: string },
  how: { limit: number; agent: boolean },
): string {
  const [from, to] = [fieldsOf(after), fieldsOf(before)];
  const at = (fields: Fields, edit: Edit): string | undefined =>
    JSON.stringify(own(edit.protected ? (partOf(fields) ?? {}) : fields, edit.field));
  const without = (): Fields =>
    editsBetween(from, to).reduce((fields, edit) => {
      if (at(fields, edit) === at(to, edit)) return fields;
      if (at(fields, edit) !== at(from, edit)) throw new StewardError("conflict", `"${oneLine(edit.field, 40)}" was changed again since`);
      return withEdit(fields, edit);
    }, fieldsOf(text));
  const result = text === after ? before : written(without(), how.limit);
  return how.agent ? stillProtected(text, result) : result;
}

/** Those that make the one the other; of the protected part field by field. */
function editsBetween(from: Fields, to: Fields): Edit[] {
  const changed = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(
    (name) => JSON.stringify(own(from, name)) !== JSON.stringify(own(to, name)),
  );
  return changed.flatMap((field): Edit[] => {
    const [one, other] = field === PROTECTED ? [partOf(from), partOf(to)] : [];
    if (one && other) return editsBetween(one, other).map((edit) => ({ ...edit, protected: true }));
    return [{ field, value: own(to, field) }];
  });
}

const REACHING = { ["__proto__"]: true, constructor: true, prototype: true };

const own = (fields: Fields, name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined);

/** Own properties only, whatever their names are. */
function withField(fields: Fields, name: string, value: unknown): Fields {
  const rest = Object.entries(fields);
  const at = rest.findIndex(([key]) => key === name);
  if (at >= 0 && value === undefined) rest.splice(at, 1);
  else if (at >= 0) rest[at] = [name, value];
  else if (value !== undefined) rest.push([name, value]);
  return Object.fromEntries(rest);
}

/** Every field that is protected, or could be taken for it, as it stands. */
const protectedOf = (text: string): string => JSON.stringify(Object.entries(fieldsOf(text)).filter(([name]) => namesProtected(name)));

function holdsProtected(value: unknown): boolean {
  const open = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one !== "object" || one === null) continue;
    for (const [name, inner] of Object.entries(one)) {
      if (namesProtected(name)) return true;
      open.push(inner);
    }
  }
  return false;
}

/** Letters of other scripts, and signs, that look like those of the word. */
const ALIKE: Record<string, string> = Object.fromEntries(
  [
    "p\u0440\u03c1",
    "r\u0433",
    "o\u043e\u03bf\u04e90",
    "t\u0442\u03c4",
    "e\u0435\u0454\u03b53",
    "c\u0441\u03f2",
    "d\u0501",
    "m\u043c\u03bc",
    "y\u0443\u03b3\u04af",
  ].flatMap(([letter = "", ...others]) => others.map((one) => [one, letter])),
);

/** In whatever case, script, spelling or path it is written. */
export function namesProtected(name: string): boolean {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[^\p{L}\p{N}]/gu, "");
  return [...plain]
    .map((letter) => ALIKE[letter] ?? letter)
    .join("")
    .includes("protectedmemory");
}

/** Whether there is nothing in it yet. */
export function isBare(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(JSON.parse(TEMPLATE));
  } catch {
    return false;
  }
}

/** For the instructions: it can't end its own tags, and holds nothing unseen. */
export const memorySection = (text: string): string =>
  `<memory>\n${visible(text).replace(/<(?=[\s/]*memory)/giu, String.raw`\u003c`)}\n</memory>`;
