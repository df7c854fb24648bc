// A request's body and query to checked values: size, time, encoding, depth, forbidden keys, then the route's schema.
import type { ZodMiniType } from "zod/mini";
import { StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";
import { refusal } from "./status.ts";

export const MAX_JSON = 1_048_576;
export const MAX_OPEN_JSON = 16_384;
const MAX_DEPTH = 64;

export interface BodyLimits {
  bytes: number;
  ms: number;
  /** The request did not come over a socket, so its headers say nothing about its body. */
  inside: boolean;
}

/** The parsed JSON of a body; undefined when there is none. */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const length = request.headers.get("content-length");
  const chunked = request.headers.get("transfer-encoding") !== null;
  if (length === "0" || (length === null && !chunked && (!limits.inside || request.body === null))) return undefined;
  if (length !== null && Number(length) > limits.bytes) throw tooLarge(limits.bytes);
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw refusal("invalid", "The body must be JSON", { status: 415, hint: "Send the header content-type: application/json." });
  const reading = length === null ? readLimited(request, limits.bytes) : request.arrayBuffer();
  const bytes = await within(reading.catch(cutOff), limits.ms, tooSlow);
  return parseJson(new Uint8Array(bytes));
}

const tooLarge = (bytes: number) =>
  refusal("limit", `The body is larger than ${bytes} bytes`, { status: 413, headers: { connection: "close" } });

/** The client went away in the middle: nobody's fault here. */
export function cutOff(error: unknown): never {
  throw error instanceof StewardError ? error : refusal("invalid", "The body was cut off", { status: 400 });
}

/** The bytes as they came. Counted while they come: a length that is told, or not told, proves nothing. */
export async function readBytes(request: Request, { bytes, ms }: Omit<BodyLimits, "inside">): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get("content-length") ?? 0) > bytes) throw tooLarge(bytes);
  return new Uint8Array(await within(readLimited(request, bytes).catch(cutOff), ms, tooSlow));
}

async function readLimited(request: Request, limit: number): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer();
}

export const tooSlow = (): StewardError => refusal("invalid", "The body took too long", { status: 408, headers: { connection: "close" } });

export function parseJson(bytes: Uint8Array): unknown {
  const value = decode(bytes);
  checkValue(value, 0);
  return value;
}

function decode(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badJson("The body is not valid JSON in UTF-8");
  }
}

const badJson = (message: string) => refusal("invalid", message, { detail: [{ type: "json_invalid", loc: ["body"], msg: message }] });

/** No database takes NUL or half a character, no merge takes a prototype's key, nothing of ours nests this deep. */
function checkValue(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw badJson(`The body is nested more than ${MAX_DEPTH} levels deep`);
  if (typeof value === "string") return checkText(value);
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const one of value) checkValue(one, depth + 1);
    return;
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") throw badJson(`The key ${key} is not allowed`);
    checkText(key);
    checkValue((value as Record<string, unknown>)[key], depth + 1);
  }
}

function checkText(text: string): void {
  if (text.includes("\0")) throw badJson("Text must not hold NUL characters");
  if (!text.isWellFormed()) throw badJson("Text must not hold half of a character (a lone surrogate)");
}

/** Each name once. */
export function readQuery(url: string): Record<string, string> {
  const start = url.indexOf("?");
  if (start < 0) return {};
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(url.slice(start))) {
    if (name in query)
      throw refusal("invalid", `${name} is given twice`, { detail: [{ type: "duplicate", loc: ["query", name], msg: "Given twice" }] });
    checkText(value);
    query[name] = value;
  }
  return { ...query };
}

/** The value as its schema has it; what does not fit is told field by field, in the form that the older clients know. */
export function fit(schema: ZodMiniType, value: unknown, where: "body" | "query"): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const detail = parsed.error.issues.slice(0, 20).flatMap((issue) => {
    const loc = [where, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))];
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({ type: "extra_forbidden", loc: [...loc, key], msg: "Unknown field" }));
    if (at(value, issue.path) === undefined) return [{ type: "missing", loc, msg: "Field required" }];
    return [{ type: issue.code, loc, msg: expectation(issue) }];
  });
  const first = detail[0];
  throw refusal("invalid", first ? `${first.loc.slice(1).join(".") || `The ${where}`}: ${first.msg}` : `The ${where} is not valid`, {
    detail,
  });
}

const at = (value: unknown, path: PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (one, key) => (typeof one === "object" && one !== null ? (one as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );

function expectation(issue: {
  code: string;
  message: string;
  expected?: unknown;
  minimum?: unknown;
  maximum?: unknown;
  values?: unknown;
}): string {
  if (issue.code === "invalid_type") return `Must be ${String(issue.expected)}`;
  if (issue.code === "too_big") return `At most ${String(issue.maximum)}`;
  if (issue.code === "too_small") return `At least ${String(issue.minimum)}`;
  if (issue.code === "invalid_value" && Array.isArray(issue.values)) return `One of ${issue.values.join(", ")}`;
  return issue.message;
}
