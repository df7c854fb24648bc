// What a program may have its model's provider do: answer. Nothing that reaches further (fetching addresses, running code there, keeping conversations) or costs more than it says.
import { StewardError } from "../std/error.ts";
import { isJson, type Json } from "./body.ts";

/** Tools that the program runs itself. All others would be run by the provider, which may do nothing but search. */
const OWN_TOOL = /^(custom|function|bash|text_editor|computer|memory|tool_search|local_shell|shell|apply_patch|namespace)(_|$)/;
/** What an answer needs, in all three wires. Everything else is left out without a word: what it would mean at some provider (other models, other prices, stored things, people's names) nobody here knows. So are other answers to the same (`n`): one is what is reserved for. */
const KNOWN = new Set([
  ...["model", "messages", "system", "input", "instructions", "stream", "stream_options", "max_tool_calls"],
  ...["temperature", "top_p", "top_k", "min_p", "seed", "stop", "stop_sequences", "logit_bias", "logprobs", "top_logprobs"],
  ...["presence_penalty", "frequency_penalty", "repetition_penalty"],
  ...["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "web_search_options"],
  ...["thinking", "enable_thinking", "chat_template_kwargs", "reasoning", "reasoning_effort", "include_reasoning", "verbosity"],
  ...["output_config", "output_format", "response_format", "text", "include", "truncation", "prediction", "usage"],
  ...["context_management", "cache_control", "prompt_cache_key"],
]);

const SEARCH = /^web_search(_|$)/;
/** Whether tools are offered that the program runs: what is asked without is beside the work, such as a title or a search. */
export const isWork = (body: Json): boolean =>
  Array.isArray(body["tools"]) &&
  body["tools"].some((tool) => isJson(tool) && !SEARCH.test(typeof tool["type"] === "string" ? tool["type"] : ""));

/** The request without what it may not have. `search`: the provider may search the web for it. Throws invalid for what would be missed. */
export function permitted(body: Json, { path, search }: { path: string; search: boolean }): Json {
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => KNOWN.has(name)));
  const tools: unknown[] = Array.isArray(body["tools"]) ? body["tools"] : [];
  const may = (tool: unknown): boolean => isOwn(tool, search);
  if (!tools.every(may)) rest["tools"] = tools.filter(may);
  if (tools.length > 0 && !tools.some(may))
    throw new StewardError("invalid", "Steward's door does not pass on tools that run at the model's provider.");
  if (!search) delete rest["web_search_options"];
  if (["previous_response_id", "conversation", "prompt"].some((name) => body[name] != null))
    throw new StewardError("invalid", "Steward's door passes on whole conversations only.");
  refuseNumbers(body);
  for (const part of partsOf(rest)) {
    refuseElsewhere(part);
    keepShort(part);
  }
  for (const part of [rest, rest["system"], rest["tools"]].flat()) keepShort(part);
  limitSearches(rest, path);
  const limits = limitNames(path).flatMap((name) => (body[name] == null ? [] : [[name, body[name]]]));
  return { ...rest, ...Object.fromEntries(limits), ...(path === "/responses" ? { store: false } : {}) };
}

/** For one answer: each costs a fee and what it finds. */
const MOST_SEARCHES = 8;
const few = (value: unknown): number => (Number.isInteger(value) ? Math.max(1, Math.min(value as number, MOST_SEARCHES)) : MOST_SEARCHES);
const searchesIn = (tools: unknown): Json[] =>
  (Array.isArray(tools) ? tools : []).flatMap((tool: unknown) => {
    if (!isJson(tool)) return [];
    return SEARCH.test(String(tool["type"])) ? [tool] : searchesIn(tool["tools"]);
  });

/** Each wire has a place of its own for the limit. */
function limitSearches(body: Json, path: string): void {
  const tools = searchesIn(body["tools"]);
  for (const tool of tools) {
    if (path === "/messages") tool["max_uses"] = few(tool["max_uses"]);
    else delete tool["max_uses"];
  }
  if (path === "/responses" && tools.length > 0) body["max_tool_calls"] = few(body["max_tool_calls"]);
}

/** How often the provider may search for the answer to a permitted request. */
export const searchesOf = (body: Json): number =>
  searchesIn(body["tools"]).reduce((sum, tool) => sum + few(tool["max_uses"]), body["web_search_options"] == null ? 0 : 1);

/** Run by the program, also when it is one of a group or has a place to run in. */
function isOwn(tool: unknown, search: boolean): boolean {
  const { type, tools, environment } = isJson(tool) ? tool : {};
  if (Array.isArray(tools) && !tools.every((one) => isOwn(one, search))) return false;
  if (isJson(environment) && environment["type"] !== "local") return false;
  return typeof type !== "string" || OWN_TOOL.test(type) || (search && SEARCH.test(type));
}

const DEEPEST = 12;

/** All parts of the messages, those within results and documents among them. What a tool was called with is nobody's part. */
function* partsOf(body: Json): Generator<Json> {
  yield* within(body["messages"], 0);
  yield* within(body["input"], 0);
}
function* within(value: unknown, depth: number): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  if (depth > DEEPEST) throw new StewardError("invalid", "The messages are nested too deeply.");
  if (Array.isArray(value)) {
    for (const one of value) yield* within(one, depth + 1);
    return;
  }
  const part = value as Json;
  yield part;
  if (part["type"] === "tool_use" || part["type"] === "function_call") return;
  for (const name of ["content", "source", "output"]) yield* within(part[name], depth + 1);
}

/** A file or picture by its address would be fetched by the provider: a way out that nobody watches. By its id, it would be what others have put there. */
function refuseElsewhere(part: Json): void {
  const { file, source, type } = part;
  const named = Object.entries(part).flatMap(([name, value]) => (name.endsWith("_url") ? [isJson(value) ? value["url"] : value] : []));
  const urls = [...named, isJson(source) && source["type"] === "url" ? source["url"] : undefined];
  const data = [part["file_data"], isJson(file) ? file["file_data"] : undefined].filter((one) => /^[a-z][a-z0-9+.-]*:/i.test(String(one)));
  if ([...urls, ...data].some((url) => typeof url === "string" && !url.startsWith("data:")))
    throw new StewardError("invalid", "Steward's door passes on files and pictures as they are, not by their address.");
  if ([part, file, source].some((one) => isJson(one) && one["file_id"] != null) || type === "item_reference" || type === "container_upload")
    throw new StewardError("invalid", "Steward's door passes on files and messages as they are, not what is kept at the provider.");
}

/** What is kept for an hour costs more to write than what is kept as usual, which is what is reserved and counted. */
function keepShort(part: unknown): void {
  const kept = isJson(part) ? part["cache_control"] : undefined;
  if (isJson(kept)) delete kept["ttl"];
}

const LIMITS = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/** What money is reserved by must be what it seems to be: some endpoints take a number that is written as text. */
function refuseNumbers(body: Json): void {
  const wrong = [...LIMITS, "n"].find((name) => body[name] != null && !(Number.isFinite(body[name]) && (body[name] as number) >= 0));
  if (wrong !== undefined) throw new StewardError("invalid", `${wrong} is no number.`);
}

const LETTERS_A_TOKEN = 3.5;
const A_PICTURE = 2000;
/** A document has a hundred pages at most. */
const LETTERS_OF_DOCUMENT = 1_750_000;

/** Tokens of a request, a little too many: pictures count as one picture, not as their letters. `size`: bytes of the whole. */
export function estimate(size: number, body: Json): number {
  const sum = { letters: 0, pictures: 0 };
  for (const part of partsOf(body)) {
    const { type, media_type: mime, data, image_url: image, file, file_data: own } = part;
    const url = isJson(image) ? image["url"] : image;
    const document = type === "base64" && !isPicture(mime) ? data : isJson(file) ? file["file_data"] : own;
    const picture = type === "base64" && isPicture(mime) ? data : isPicture(url, "data:") ? url : undefined;
    if (typeof picture === "string") {
      sum.letters += picture.length;
      sum.pictures++;
    }
    if (typeof document === "string") sum.letters += Math.max(0, document.length - LETTERS_OF_DOCUMENT);
  }
  return Math.ceil(Math.max(0, size - sum.letters) / LETTERS_A_TOKEN) + sum.pictures * A_PICTURE;
}
const isPicture = (text: unknown, before = ""): boolean => typeof text === "string" && text.startsWith(`${before}image/`);

/** Where tokens are only counted, which costs nothing and decides nothing. */
export const COUNTS = "/messages/count_tokens";

/** What limits an answer in this path's wire, the usual name first. Another wire's name limits nothing there, so it is not passed on. */
const limitNames = (path: string): string[] =>
  path === "/responses" ? ["max_output_tokens"] : path === "/chat/completions" ? ["max_tokens", "max_completion_tokens"] : ["max_tokens"];

/** How much the answer may hold at most; undefined when the request, which is a permitted one, does not say. */
export function longest(body: Json): number | undefined {
  const given = LIMITS.flatMap((name) => (typeof body[name] === "number" ? [body[name]] : []));
  return given.length === 0 ? undefined : Math.max(1, ...given);
}

/** The same request for an answer of so many tokens at most. */
export function limited(body: Json, path: string, most: number): Json {
  const [usual = "", ...others] = limitNames(path);
  const names = [usual, ...others].filter((name) => typeof body[name] === "number");
  const limits = (names.length > 0 ? names : [usual]).map((name) => [name, Math.max(1, Math.min(Number(body[name] ?? most), most))]);
  return { ...body, ...Object.fromEntries(limits) };
}
