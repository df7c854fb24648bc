// Reads text out of files of any size, a piece at a time. Paths, messages about them and caching are left to others.
import type { Computer, FileInfo } from "../core/computer.ts";
import { StewardError } from "../std/error.ts";

/** The most that one read gives back, in bytes; also the size of a piece. */
export const MOST_BYTES = 1024 * 1024;

/** Line numbers count from 1. */
export interface Lines {
  offset?: number | undefined;
  limit?: number | undefined;
}

const binary = ({ size }: FileInfo): string => `<binary file, ${size} bytes>`;

/** Text as it is, or undefined when it is not UTF-8 text. With `cut`, a last character that is not whole is left out. */
export function decoded(bytes: Uint8Array, cut = false): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The file's text; of one over `MOST_BYTES` the first lines and a note. */
export async function readText(computer: Computer, file: FileInfo): Promise<string> {
  const bytes = await computer.read(file.path, { limit: MOST_BYTES });
  const whole = bytes.length >= file.size;
  const text = decoded(bytes, !whole);
  if (text === undefined) return binary(file);
  if (whole) return text;
  const end = text.lastIndexOf("\n") + 1;
  if (end === 0) return `${text}\n… (the beginning of a file of ${file.size} bytes, whose first line is longer)`;
  const lines = countLines(text.slice(0, end));
  return `${text.slice(0, end)}\n… (lines 1–${lines} of a file of ${file.size} bytes; read on with offset ${lines + 1})`;
}

/** Lines `offset` to `offset + limit - 1` with their line ends, at most `MOST_BYTES` of them. Throws invalid when the file has no such line. */
export async function readLines(
  computer: Computer,
  file: FileInfo,
  { offset = 1, limit = Infinity }: Lines,
  signal: AbortSignal,
): Promise<string> {
  const first = Math.max(1, Math.floor(offset));
  const last = first + Math.max(1, Math.floor(limit)) - 1;
  const taken: Uint8Array[] = [];
  let [line, size, ended] = [1, 0, true];
  for (let at = 0; (at === 0 || at < file.size) && line <= last && size <= MOST_BYTES;) {
    signal.throwIfAborted();
    const piece = await computer.read(file.path, { offset: at, limit: MOST_BYTES });
    if (piece.length === 0) break;
    const { from, to, next } = within(piece, { line, first, last });
    if (to > from) taken.push(piece.subarray(from, to));
    size += to - from;
    at += piece.length;
    line = next;
    ended = piece.at(-1) === NEWLINE;
  }
  if (line < first || (line === first && size === 0 && ended && first > 1))
    throw new StewardError("invalid", `The file has only ${ended ? line - 1 : line} lines`);
  return joined(file, taken, size);
}

const NEWLINE = 10;

/** Which bytes of `piece`, which begins in line `line`, belong to the lines `first` to `last`; the line it ends in. */
function within(
  piece: Uint8Array,
  { line, first, last }: { line: number; first: number; last: number },
): { from: number; to: number; next: number } {
  let from = line >= first ? 0 : piece.length;
  let at = 0;
  while (line <= last) {
    const end = piece.indexOf(NEWLINE, at);
    if (end < 0) return { from, to: piece.length, next: line };
    at = end + 1;
    line++;
    if (line === first) from = at;
  }
  return { from, to: at, next: line };
}

function joined(file: FileInfo, pieces: Uint8Array[], size: number): string {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const text = decoded(bytes.subarray(0, MOST_BYTES), size > MOST_BYTES);
  if (text === undefined) return binary(file);
  return size > MOST_BYTES ? `${text}\n… (cut off at ${MOST_BYTES} bytes; ask for fewer lines)` : text;
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count + (text.endsWith("\n") ? 0 : 1);
}
