// The file browser's state and what it does: a folder at a time, every change with its way back.
import { signal } from "@preact/signals";
import type { TreeEntry } from "../core/api-computer.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { bytes } from "../std/text.ts";
import { callComputer, fileUrl } from "./computer-api.ts";
import { confirm, telling, toast } from "./notices.ts";
import { transfer } from "./transfer.ts";
import { undo } from "./undo.ts";

export interface Folder {
  path: string;
  entries: readonly TreeEntry[];
  more: boolean;
}
export interface Sending {
  key: number;
  name: string;
  size: number;
  share: number;
  problem?: string;
  stop: AbortController;
}
export type SortBy = "name" | "size" | "modified";

export const folder = signal<Folder | undefined>(undefined);
export const folderProblem = signal("");
export const loading = signal(false);
export const sending = signal<readonly Sending[]>([]);
export const sortBy = signal<{ by: SortBy; down: boolean }>({ by: "name", down: false });
/** Chosen to be moved or copied to the folder that is open next. */
export const carried = signal<{ entry: TreeEntry; action: "move" | "copy" } | undefined>(undefined);

const asked = { last: 0, key: 0 };

export async function openFolder(path?: string): Promise<void> {
  const mine = ++asked.last;
  loading.value = true;
  try {
    const found = await callComputer("tree.list", { query: path === undefined ? {} : { path } });
    if (mine !== asked.last) return;
    folder.value = found;
    folderProblem.value = "";
  } catch (error) {
    if (mine === asked.last) folderProblem.value = messageOf(error);
  } finally {
    if (mine === asked.last) loading.value = false;
  }
}

export const refreshFolder = (): Promise<void> => openFolder(folder.value?.path);

export function sorted({ entries }: Folder): readonly TreeEntry[] {
  const { by, down } = sortBy.value;
  const compare = (a: TreeEntry, b: TreeEntry): number =>
    by === "name" ? a.name.localeCompare(b.name, undefined, { numeric: true }) : a[by] - b[by];
  return entries.toSorted((a, b) => {
    if ((a.type === "dir") !== (b.type === "dir")) return a.type === "dir" ? -1 : 1;
    return down ? compare(b, a) : compare(a, b);
  });
}

export const below = (path: string, name: string): string => `${path === "/" ? "" : path}/${name}`;
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

type Change = { action: "move" | "copy" | "remove" | "folder"; path: string; to?: string };

/** Returns whether it was done. */
export async function change(what: Change, said?: string): Promise<boolean> {
  const done = await telling(callComputer("tree.change", { body: what }));
  if (!done) return false;
  if (said) sayDone(said, done.undo);
  await refreshFolder();
  return true;
}

function sayDone(text: string, ids: readonly string[]): void {
  const back = (): void => void undo(ids).then(refreshFolder);
  toast(text, ids.length > 0 ? { action: { label: "Undo", run: back } } : {});
}

export const removeEntry = ({ path, name }: TreeEntry): Promise<boolean> => change({ action: "remove", path }, `Deleted “${name}”`);

export async function dropCarried(): Promise<void> {
  const { entry, action } = carried.value ?? {};
  const to = folder.value;
  if (!entry || !action || !to) return;
  const done = await change(
    { action, path: entry.path, to: below(to.path, entry.name) },
    `${action === "move" ? "Moved" : "Copied"} “${entry.name}”`,
  );
  if (done) carried.value = undefined;
}

export function uploadAll(files: Iterable<File>): void {
  const to = folder.value;
  if (to) for (const file of files) void uploadOne(file, to);
}

async function uploadOne(file: File, to: Folder, version = "new"): Promise<void> {
  const one: Sending = { key: ++asked.key, name: file.name, size: file.size, share: 0, stop: new AbortController() };
  sending.value = [...sending.value, one];
  const put = (more: Partial<Sending>): void => {
    sending.value = sending.value.map((other) => (other.key === one.key ? { ...other, ...more } : other));
  };
  const target = below(to.path, file.name.replaceAll("/", "_") || "file");
  try {
    const progress = (share: number): void => put({ share });
    const url = `PUT ${fileUrl(target)}${version ? `&version=${version}` : ""}`;
    const { undo: ids } = await transfer<{ undo: string[] }>(url, file, { signal: one.stop.signal, progress });
    dropSending(one.key);
    sayDone(`Uploaded “${file.name}” (${bytes(file.size)})`, ids);
    if (folder.value?.path === to.path) await refreshFolder();
  } catch (error) {
    if (one.stop.signal.aborted) return dropSending(one.key);
    put({ problem: messageOf(error) });
    if (version === "new" && hasCode(error, "conflict")) await replaceInstead(one, file, to);
  }
}

async function replaceInstead(one: Sending, file: File, to: Folder): Promise<void> {
  dropSending(one.key);
  const replace = await confirm({
    title: `Replace “${file.name}”?`,
    text: "A file of that name is there already. What it holds now can be brought back with Undo.",
    action: "Replace",
  });
  if (replace) await uploadOne(file, to, "");
}

export function dropSending(key: number): void {
  sending.value = sending.value.filter((one) => one.key !== key);
}

/** Throws conflict when the file was changed since that version. */
export async function saveText(path: string, text: string, version: string): Promise<{ version: string }> {
  const stop = new AbortController();
  const to = `PUT ${fileUrl(path)}${version ? `&version=${encodeURIComponent(version)}` : ""}`;
  const { entry } = await transfer<{ entry: TreeEntry }>(to, new Blob([text]), { signal: stop.signal, progress: () => {} });
  void refreshFolder();
  return entry;
}
