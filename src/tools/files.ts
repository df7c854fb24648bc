// Files and folders, through the computer. What is blocked, asked, journaled for undo or cached is decided by the computer that tools are given.
import * as z from "zod/mini";
import type { Computer, FileInfo } from "../core/computer.ts";
import type { Tool } from "../core/ports.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { absolute, entryAt, nameOf, statOrLink } from "./paths.ts";
import { decoded, readLines, readText } from "./read.ts";

const MOST_ENTRIES = 2000;
const MOST_EDITED = 20 * 1024 * 1024;

const place = z.object({ path: z.string() });

async function fileAt(computer: Computer, path: string): Promise<FileInfo> {
  const info = await computer.stat(path);
  if (!info) throw new StewardError("not_found", `File does not exist: ${path}`);
  if (info.type !== "file") throw new StewardError("invalid", `Not a file: ${path}`);
  return info;
}

const readInput = z.object({
  path: z.string(),
  offset: z.optional(z.number()).check(z.describe("first line, from 1")),
  limit: z.optional(z.number()).check(z.describe("lines")),
});
const readFile: Tool<z.infer<typeof readInput>> = {
  name: "read_file",
  description: "Read a text file, or some lines of it.",
  capability: "filesystem",
  effect: "read",
  input: readInput,
  async run({ path, offset, limit }, { computer, signal }) {
    const file = await fileAt(computer, absolute(computer, path));
    if (offset === undefined && limit === undefined) return { output: await readText(computer, file) };
    return { output: await readLines(computer, file, { offset, limit }, signal) };
  },
};

const writeInput = z.object({ path: z.string(), content: z.string() });
const writeFile: Tool<z.infer<typeof writeInput>> = {
  name: "write_file",
  description: "Create or replace a file. Makes parent folders.",
  capability: "filesystem",
  effect: "write",
  input: writeInput,
  async run({ path, content }, { computer }) {
    const full = absolute(computer, path);
    if ((await computer.stat(full))?.type === "dir") throw new StewardError("invalid", `Not a file: ${full}`);
    await computer.write(full, new TextEncoder().encode(content));
    return { output: `Wrote ${characters(content)} characters to ${full}` };
  },
};

/** Code points, not UTF-16 units. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const editInput = z.object({
  path: z.string(),
  old_text: z.string(),
  new_text: z.string(),
  all: z.optional(z.boolean()).check(z.describe("replace every occurrence")),
});
const editFile: Tool<z.infer<typeof editInput>> = {
  name: "edit_file",
  description: "Replace exact text in a file. old_text must occur once, unless all.",
  capability: "filesystem",
  effect: "write",
  input: editInput,
  async run({ path, old_text, new_text, all }, { computer }) {
    const full = absolute(computer, path);
    const file = await fileAt(computer, full);
    if (file.size > MOST_EDITED) throw new StewardError("limit", `The file is too large to edit: ${file.size} bytes`);
    const text = decoded(await computer.read(full));
    if (text === undefined) throw new StewardError("invalid", `Not a text file: ${full}`);
    const { after, count } = replaced(text, { from: old_text, to: new_text });
    if (count === 0) throw new StewardError("not_found", `Text not found in ${full}: it must match exactly, spaces and line ends included`);
    if (count > 1 && !all)
      throw new StewardError("conflict", `The text occurs ${count} times in ${full}: give more of what stands around it, or set all`);
    await computer.write(full, new TextEncoder().encode(after));
    return { output: `Replaced ${count} ${count === 1 ? "occurrence" : "occurrences"} in ${full}` };
  },
};

/** Where a file ends its lines with CR LF, text given with LF matches too and is written as CR LF. */
function replaced(text: string, { from, to }: { from: string; to: string }): { after: string; count: number } {
  if (from === "") throw new StewardError("invalid", "old_text is empty: use write_file to make a file");
  if (from === to) throw new StewardError("invalid", "old_text and new_text are the same");
  const parts = text.split(from);
  if (parts.length > 1 || !text.includes("\r\n") || !from.includes("\n") || from.includes("\r"))
    return { after: parts.join(to), count: parts.length - 1 };
  const dos = text.split(from.replaceAll("\n", "\r\n"));
  return { after: dos.join(to.replaceAll(/\r?\n/g, "\r\n")), count: dos.length - 1 };
}

const listDirectory: Tool<z.infer<typeof place>> = {
  name: "list_directory",
  description: "List a folder, hidden entries included.",
  capability: "filesystem",
  effect: "read",
  input: place,
  async run({ path }, { computer }) {
    const full = absolute(computer, path);
    const info = await computer.stat(full);
    if (!info) throw new StewardError("not_found", `Directory does not exist: ${full}`);
    if (info.type !== "dir") throw new StewardError("invalid", `Not a directory: ${full}`);
    const all = await computer.list(full);
    const shown = await Promise.all(all.slice(0, MOST_ENTRIES).map((entry) => listed(computer, entry)));
    const left = all.length - shown.length;
    return { output: left > 0 ? [...shown, { name: `… ${left} more entries are not shown`, type: "more", size: 0 }] : shown };
  },
};

/** A link is listed as what it leads to; one that leads nowhere, or where Steward may not look, as a file. */
async function listed(computer: Computer, entry: FileInfo): Promise<{ name: string; type: "dir" | "file"; size: number }> {
  const target = entry.type === "link" ? await computer.stat(entry.path).catch(unlessOwnFault) : entry;
  return { name: entry.name, type: target?.type === "dir" ? "dir" : "file", size: target?.type === "file" ? target.size : 0 };
}

function unlessOwnFault(error: unknown): undefined {
  if (!(error instanceof StewardError) || hasCode(error, "unavailable")) throw error;
}

const moveInput = z.object({ source: z.string(), destination: z.string() });
const moveFile: Tool<z.infer<typeof moveInput>> = {
  name: "move_file",
  description: "Move or rename a file or folder. Into destination, if that is a folder.",
  capability: "filesystem",
  effect: "write",
  input: moveInput,
  async run({ source, destination }, { computer }) {
    const from = absolute(computer, source);
    const info = await statOrLink(computer, from);
    if (!info) throw new StewardError("not_found", `Source does not exist: ${from}`);
    refuseRoots(computer, info.path, "moved");
    const given = absolute(computer, destination);
    const folder = (await computer.stat(given))?.type === "dir";
    const to = folder ? `${given === "/" ? "" : given}/${[".", ".."].includes(nameOf(from)) ? nameOf(info.path) : nameOf(from)}` : given;
    const there = await statOrLink(computer, to);
    if (there && there.version !== info.version) throw new StewardError("conflict", `Destination already exists: ${to}`);
    await computer.move(from, to);
    return { output: `Moved ${from} to ${to}` };
  },
};

const deleteInput = z.object({ path: z.string(), recursive: z.optional(z.boolean()) });
const deleteFile: Tool<z.infer<typeof deleteInput>> = {
  name: "delete_file",
  description: "Delete a file or an empty folder; with recursive, a folder and all in it.",
  capability: "filesystem",
  effect: "write",
  input: deleteInput,
  async run({ path, recursive }, { computer }) {
    const full = absolute(computer, path);
    const info = await statOrLink(computer, full);
    if (!info) throw new StewardError("not_found", `Path does not exist: ${full}`);
    const linked = info.type === "dir" && (await entryAt(computer, full))?.type === "link";
    if (!linked) {
      refuseRoots(computer, info.path, "deleted");
      if (info.type === "dir" && !recursive && (await computer.list(full)).length > 0)
        throw new StewardError("conflict", `Directory not empty: ${full}. Set recursive to delete it with everything in it`);
    }
    await computer.remove(full);
    return { output: `Deleted ${full}` };
  },
};

function refuseRoots({ home, workspace }: Computer, path: string, what: string): void {
  if (["/", home, workspace].includes(path)) throw new StewardError("denied", `Permission denied: ${path} itself can't be ${what}`);
}

const createDirectory: Tool<z.infer<typeof place>> = {
  name: "create_directory",
  description: "Make a folder, and its parents.",
  capability: "filesystem",
  effect: "write",
  input: place,
  async run({ path }, { computer }) {
    const full = absolute(computer, path);
    const info = await computer.stat(full);
    if (info && info.type !== "dir") throw new StewardError("conflict", `Not a directory: ${full}`);
    if (!info) await computer.makeFolder(full);
    return { output: `Created directory: ${full}` };
  },
};

const fileInfo: Tool<z.infer<typeof place>> = {
  name: "file_info",
  description: "Type, size, times and permissions.",
  capability: "filesystem",
  effect: "read",
  input: place,
  async run({ path }, { computer }) {
    const full = absolute(computer, path);
    const info = await statOrLink(computer, full);
    if (!info) throw new StewardError("not_found", `Path does not exist: ${full}`);
    const time = (at: number): string => new Date(at).toISOString();
    return {
      output: {
        path: info.path,
        name: nameOf(info.path),
        type: info.type === "dir" ? "directory" : "file",
        size: info.size,
        created: time(info.created || info.modified),
        modified: time(info.modified),
        permissions: info.mode.toString(8).padStart(3, "0"),
      },
    };
  },
};

export default [readFile, writeFile, editFile, listDirectory, moveFile, deleteFile, createDirectory, fileInfo] as Tool[];
