// Reads words that name a file or folder: "the notes folder on my Desktop" → ~/Desktop/notes. Touches no disk.
import type { Known, Request } from "./meaning.ts";
import { isToken } from "./request.ts";

export interface Place {
  path: string;
  /** The words say that it is a folder. */
  folder: boolean;
  /** Surely meant as a path: quoted, with a slash or extension, or called a file or folder. */
  sure: boolean;
}
const PLACES = new Map(
  [
    ["~/Desktop", "desktop"],
    ["~/Documents", "documents"],
    ["~/Downloads", "downloads", "download"],
    ["~/Pictures", "pictures", "photos"],
    ["~/Music", "music"],
    ["~/Movies", "movies"],
    ["~/Videos", "videos"],
    ["~", "home", "user folder"],
    ["/", "root"],
    [
      ".",
      "here",
      "this folder",
      "this directory",
      "current folder",
      "current directory",
      "working directory",
      "working folder",
      "workspace",
      "current location",
    ],
  ].flatMap(([path = "", ...names]) => names.map((name) => [name, path] as const)),
);
const VAGUE = new Set(
  "everything anything something nothing all them these those me you yourself myself us one files file folder folders directory directories document documents things thing stuff apps app applications application programs program history memory account content contents text line lines data hidden any some a an the my your and or to not up off over out again away around".split(
    " ",
  ),
);
const IT = /^(?:it|this|that|this one|that one|its contents?|(?:the|that|this)(?: same)? (?:file|document|one))$/i;
const THERE = /^(?:there|in there|(?:the|that)(?: same| new)? (?:folder|directory)|it)$/i;
const FILES = /^(?:readme|makefile|dockerfile|license|changelog)$/i;

export const looksLikeFile = (path: string): boolean =>
  /[^.]\.[A-Za-z][A-Za-z0-9]{0,7}$/.test(path) || path.includes("/") || path.startsWith("~") || path.startsWith(".") || FILES.test(path);
export const nameOf = (path: string): string => path.replace(/\/+$/, "").split("/").at(-1) ?? path;
export const parentOf = (path: string): string => (path.includes("/") ? path.slice(0, Math.max(1, path.lastIndexOf("/"))) : ".");
export const within = (folder: string, name: string): string => (folder === "." ? name : `${folder.replace(/\/+$/, "")}/${name}`);

/** The folder that the words mean ("there", "my Desktop", "src"), or undefined. */
export function folder(words: string, request: Request, known: Known): string | undefined {
  if (THERE.test(words.trim())) return known.folder;
  return place(words, request, known)?.path;
}

/** What the words name, or undefined when that is not certain enough to act on. */
export function place(words: string, request: Request, known: Known): Place | undefined {
  const text = words.trim();
  if (IT.test(text)) return known.file === undefined ? undefined : { path: known.file, folder: false, sure: true };
  if (THERE.test(text)) return known.folder === undefined ? undefined : { path: known.folder, folder: true, sure: true };
  const bare = text.replace(/^(?:all of )?(?:the|my|our|this|that)(?: (?:contents? of|new|old|empty|entire|whole))? (?=\S)/i, "");
  const fixed =
    PLACES.get(text.toLowerCase()) ??
    PLACES.get(bare.toLowerCase()) ??
    PLACES.get(bare.toLowerCase().replace(/ (?:folder|directory)$/, ""));
  if (fixed) return { path: fixed, folder: true, sure: true };
  const called = /^(?:a |an )?(?:new )?(?:text )?(file|document|folder|directory|dir)(?: (?:called|named|at))? (\S.*)$/i.exec(bare);
  const inside = /^(\S.*?),? (?:in|on|from|inside|within|under|at|into)(?: the folder)? (\S.*)$/i.exec(called?.[2] ?? bare);
  if (inside?.[1] && inside[2])
    return inFolder(inside[1], inside[2], { request, known, folder: /^(?:folder|dir)/i.test(called?.[1] ?? "") });
  const kind = /^(\S+) (file|document|folder|directory)$/i.exec(bare);
  const word = called?.[2] ?? kind?.[1] ?? bare;
  return single(word, request, { noun: called?.[1] ?? kind?.[2], bare: bare === text });
}

function inFolder(name: string, where: string, more: { request: Request; known: Known; folder: boolean }): Place | undefined {
  const base = folder(where, more.request, more.known);
  const inner = place(name, more.request, { now: more.known.now, zone: more.known.zone });
  if (base === undefined || inner === undefined || /^[~/]/.test(inner.path) || inner.path === ".") return undefined;
  return { path: within(base, inner.path), folder: inner.folder || more.folder, sure: true };
}

function single(word: string, request: Request, more: { noun: string | undefined; bare: boolean }): Place | undefined {
  const isFolder = /^(?:folder|dir)/i.test(more.noun ?? "") || /^(?:\.{1,2}|~|.*\/)$/.test(word);
  if (isToken(word)) {
    const path = request.value(word).trim();
    return path === "" || path.includes("\n") ? undefined : { path, folder: isFolder, sure: true };
  }
  const path = request.value(word).replace(/^(\S.*[^.])[,!?:]$/, "$1");
  if (
    /\s/.test(word) ||
    path === "" ||
    path.startsWith("-") ||
    /[*?<>|"'`]/.test(path) ||
    /^[\W_]+$/.test(path.replace(/[/~.]/g, "a")) ||
    VAGUE.has(path.toLowerCase())
  )
    return undefined;
  const file = looksLikeFile(path);
  return { path, folder: isFolder, sure: file || more.noun !== undefined || more.bare };
}

/** Several names at once, "a.txt, b.txt and c.txt on my Desktop"; undefined when one of them is not certain. */
export function places(words: string, request: Request, known: Known): Place[] | undefined {
  const tail = / (?:in|on|from|inside) (\S.*)$/i.exec(words);
  const base = tail?.[1] ? folder(tail[1], request, known) : undefined;
  const names = (base === undefined || !tail ? words : words.slice(0, tail.index)).split(/, and |,? and |, /i);
  const found = names.map((name) =>
    base === undefined ? place(name, request, known) : inFolder(name, tail?.[1] ?? "", { request, known, folder: false }),
  );
  return found.every((item) => item !== undefined) ? found : undefined;
}
