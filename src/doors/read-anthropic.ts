// Anthropic's messages as a program sends them, in the form of language models.
import type { LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4ToolChoice } from "@ai-sdk/provider";
import { isJson, type Json } from "./body.ts";
import {
  filePart,
  inputOf,
  list,
  metaOf,
  most,
  type Names,
  number,
  resultPart,
  string,
  textPart,
  type Thought,
  withMeta,
} from "./parts.ts";
import { callPart } from "./read-chat.ts";

type User = (LanguageModelV4Message & { role: "user" })["content"];
type Assistant = (LanguageModelV4Message & { role: "assistant" })["content"];

/** `thoughts`: what a call's provider wants back with it, which this wire has no place for beside thinking. */
export function readAnthropic(body: Json, thoughts: ReadonlyMap<string, Thought>): LanguageModelV4CallOptions {
  const names: Names = new Map();
  const system = blocks(body["system"]).map(({ text }) => string(text));
  // Claude Code's line of bookkeeping differs with each request, so that no cache would ever hold.
  const instructions = system.filter((text) => text !== "" && !text.startsWith("x-anthropic-billing-header:")).join("\n\n");
  const prompt: LanguageModelV4Message[] = instructions === "" ? [] : [{ role: "system", content: instructions }];
  for (const message of list(body["messages"])) {
    const content = blocks(message["content"]);
    if (message["role"] === "assistant")
      prompt.push({ role: "assistant", content: content.flatMap((block) => assistantPart(block, { names, thoughts })) });
    else if (message["role"] === "system") prompt.push({ role: "system", content: content.map(({ text }) => string(text)).join("\n\n") });
    else prompt.push(...userMessages(content, names));
  }
  const tools = list(body["tools"]).flatMap((tool) =>
    isJson(tool["input_schema"])
      ? [
          {
            type: "function" as const,
            name: string(tool["name"]),
            description: string(tool["description"]),
            inputSchema: tool["input_schema"],
          },
        ]
      : [],
  );
  const stop = Array.isArray(body["stop_sequences"]) ? body["stop_sequences"].filter((one) => typeof one === "string") : [];
  return {
    prompt,
    ...most(body["max_tokens"]),
    ...(tools.length > 0 ? { tools, toolChoice: choice(body["tool_choice"]) } : {}),
    ...(stop.length > 0 ? { stopSequences: stop } : {}),
    ...optional("topP", number(body["top_p"])),
    ...format(body),
  };
}

const optional = <K extends string>(name: K, value: number | undefined): { [key in K]?: number } =>
  (value === undefined ? {} : { [name]: value }) as { [key in K]?: number };
const blocks = (content: unknown): Json[] => (typeof content === "string" ? [{ type: "text", text: content }] : list(content));

function choice(value: unknown): LanguageModelV4ToolChoice {
  const type = isJson(value) ? value["type"] : undefined;
  if (type === "tool") return { type: "tool", toolName: string((value as Json)["name"]) };
  return { type: type === "any" ? "required" : type === "none" ? "none" : "auto" };
}

function format(body: Json): Pick<LanguageModelV4CallOptions, "responseFormat"> {
  const wanted = isJson(body["output_config"]) ? body["output_config"]["format"] : body["output_format"];
  if (!isJson(wanted) || wanted["type"] !== "json_schema") return {};
  return { responseFormat: { type: "json", ...(isJson(wanted["schema"]) ? { schema: wanted["schema"] } : {}) } };
}

interface Known {
  names: Names;
  thoughts: ReadonlyMap<string, Thought>;
}

function assistantPart(block: Json, { names, thoughts }: Known): Assistant {
  switch (block["type"]) {
    case "text":
      return string(block["text"]).trim() === "" ? [] : [textPart(string(block["text"]))];
    case "thinking":
      return [{ type: "reasoning", text: string(block["thinking"]), ...withMeta(metaOf(block["signature"])) }];
    case "tool_use": {
      const [id, name] = [string(block["id"]), string(block["name"])];
      names.set(id, name);
      return [callPart({ id, name, input: inputOf(block["input"]) }, thoughts)];
    }
    default:
      return [];
  }
}

/** Results come first, as a message of their own. */
function userMessages(content: Json[], names: Names): LanguageModelV4Message[] {
  const results = content.filter(({ type }) => type === "tool_result");
  const rest = content.filter(({ type }) => type !== "tool_result").flatMap(userPart);
  const tool = results.map((block) => {
    const id = string(block["tool_use_id"]);
    const text = blocks(block["content"])
      .map((one) => (one["type"] === "text" ? string(one["text"]) : one["type"] === "image" ? "[A picture: it follows.]" : ""))
      .filter((one) => one !== "")
      .join("\n");
    return resultPart(id, names.get(id) ?? "tool", { text, failed: block["is_error"] === true });
  });
  const pictures = results.flatMap((block) => blocks(block["content"]).filter(({ type }) => type === "image")).flatMap(userPart);
  const user = [...pictures, ...rest];
  return [
    ...(tool.length > 0 ? [{ role: "tool" as const, content: tool }] : []),
    ...(user.length > 0 ? [{ role: "user" as const, content: user }] : []),
  ];
}

function userPart(block: Json): User {
  if (block["type"] === "text") return string(block["text"]) === "" ? [] : [textPart(string(block["text"]))];
  const source = isJson(block["source"]) ? block["source"] : undefined;
  if (source === undefined) return [];
  if (source["type"] === "text") return [textPart(string(source["data"]))];
  return [filePart(string(source["media_type"]), source["data"], block["title"])];
}
