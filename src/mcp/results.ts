// What a server's tool gave back, as what the model reads: text stays text, pictures and other bytes become files of the person. All of it is data.
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/client";
import type { ToolOutput } from "../core/ports.ts";
import { isDeeper } from "../std/json.ts";
import { bytes as sizeText, clip, oneLine, visible } from "../std/text.ts";

const MOST_BLOCKS = 200;
const MOST_TEXT = 2_000_000;
const MOST_FILES = 10;
const DEEPEST = 64;
const LARGEST_FILE = 20 * 1024 * 1024;

/** Keeps bytes for the person; gives the id. */
export type Keep = (name: string, bytes: Uint8Array) => Promise<string>;

export async function outputOf(result: CallToolResult, keep: Keep): Promise<ToolOutput> {
  const state = { files: 0 };
  const parts: string[] = [];
  for (const block of (result.content ?? []).slice(0, MOST_BLOCKS)) parts.push(await textOf(block, { keep, state }));
  if ((result.content ?? []).length > MOST_BLOCKS) parts.push(`(${result.content.length - MOST_BLOCKS} more parts were left out)`);
  const given = result.structuredContent;
  const structuredContent = isDeeper(given, DEEPEST) ? undefined : given;
  if (given !== undefined && structuredContent === undefined) parts.push("(Data that was nested too deeply was left out)");
  const text = clip(parts.filter((part) => part !== "").join("\n"), MOST_TEXT);
  const output = structuredContent !== undefined && (text === "" || isSame(text, structuredContent)) ? structuredContent : text;
  if (result.isError)
    return { output: null, error: clip(visible(typeof output === "string" ? output : JSON.stringify(output)) || "It failed", 4000) };
  return { output: structuredContent !== undefined && output === text && text !== "" ? { text, data: structuredContent } : output };
}

/** Servers repeat what is structured as its own JSON. */
function isSame(text: string, value: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
  } catch {
    return false;
  }
}

interface Kept {
  keep: Keep;
  state: { files: number };
}

async function textOf(block: ContentBlock, kept: Kept): Promise<string> {
  switch (block.type) {
    case "text":
      return block.text;
    case "image":
    case "audio":
      return file({ name: `${block.type}.${endingOf(block.mimeType)}`, mime: block.mimeType, base64: block.data }, kept);
    case "resource_link":
      return `(Resource ${told(block.name)}: ${told(block.uri)}${block.description ? `, ${told(block.description)}` : ""})`;
    case "resource": {
      const { uri, mimeType = "" } = block.resource;
      if ("text" in block.resource) return `(Resource ${told(uri)})\n${block.resource.text}`;
      return file({ name: uri.split("/").at(-1) ?? "file", mime: mimeType, base64: block.resource.blob }, kept);
    }
    default:
      return "(A part of a kind that is not known was left out)";
  }
}

/** Where something is, in one line; nothing is fetched. */
const told = (text: string): string => oneLine(visible(text.slice(0, 2000)), 500);

async function file({ name, mime, base64 }: { name: string; mime: string; base64: string }, { keep, state }: Kept): Promise<string> {
  const about = `${visible(mime).slice(0, 80)}, ${sizeText(Math.floor((base64.length * 3) / 4))}`;
  if (++state.files > MOST_FILES || base64.length * 0.75 > LARGEST_FILE) return `(A file was left out because of its size: ${about})`;
  const id = await keep(name, Buffer.from(base64, "base64"));
  return `(A file, ${about}, is kept for the person as ${id})`;
}

const endingOf = (mime: string): string => /^[a-z]+\/(?:x-)?([a-z0-9]{1,8})/.exec(mime.toLowerCase())?.[1]?.replace("jpeg", "jpg") ?? "bin";
