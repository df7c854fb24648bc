// The port of a computer: where commands run and files live. What may be done there is the gate's.
import type { Mode } from "./types.ts";

/** Where commands run and files live: this host, a sandbox, a container. Paths may begin with `~`; relative ones start at `workspace`. All members throw StewardError. */
export interface Computer {
  readonly mode: Mode;
  /** Absolute, as seen by commands inside. */
  readonly home: string;
  readonly workspace: string;
  /** "linux" or "darwin". */
  readonly platform: string;
  /** A string runs in a shell; an array runs without one. Resolves when the process group is gone; a non-zero exit is a result, not an error. */
  exec(command: string | string[], options?: ExecOptions): Promise<ExecResult>;
  /** A terminal (PTY). Bytes both ways. */
  shell(options: { columns: number; rows: number; signal: AbortSignal }): Promise<Shell>;
  /** What is there, following links; undefined when nothing is. `path` is the resolved path. */
  stat(path: string): Promise<FileInfo | undefined>;
  /** At most `limit` bytes from `offset`. Throws not_found, invalid (a folder), denied. */
  read(path: string, range?: { offset?: number; limit?: number }): Promise<Uint8Array>;
  /** Creates parents, replaces atomically, keeps the mode of a replaced file. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Sorted by name, hidden ones included, links not followed. With `most`, whichever come first, so that a huge folder costs no more. */
  list(path: string, most?: number): Promise<FileInfo[]>;
  makeFolder(path: string): Promise<void>;
  /** Renames a file or a whole folder; copies when it crosses a device. Throws conflict when `to` exists and is not an empty folder. */
  move(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with everything in it. */
  remove(path: string): Promise<void>;
  /** Makes `to` hold what `from` holds now, whatever happens to `from` later; a file or a folder, by reflink or copy. */
  copy(from: string, to: string): Promise<void>;
  dispose(): Promise<void>;
}
export interface ExecOptions {
  cwd?: string;
  stdin?: string | Uint8Array;
  /** The whole process group is killed then. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Pieces as they come, of stdout and stderr mixed. */
  onOutput?(text: string): void;
  env?: Record<string, string>;
  /** Bytes kept of each stream; the rest is counted and dropped. Default 10 MB. */
  maxBytes?: number;
  /** Ask for network in a mode that has none by default. */
  network?: boolean;
  /** Run on the person's desktop, outside the sandbox (applications); only honoured for argument arrays. */
  desktop?: boolean;
}
export interface ExecResult {
  /** Exit status; 128 + signal when killed. */
  code: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  cancelled: boolean;
  /** Bytes that did not fit `maxBytes`. */
  lost: number;
}
export interface FileInfo {
  path: string;
  name: string;
  type: "file" | "dir" | "link" | "other";
  size: number;
  /** Epoch milliseconds. */
  modified: number;
  created: number;
  /** Permission bits, such as 0o644. */
  mode: number;
  /** Changes when the content may have changed: inode, size, change time. */
  version: string;
}
export interface Shell {
  write(bytes: Uint8Array | string): void;
  resize(columns: number, rows: number): void;
  output: AsyncIterable<Uint8Array>;
  exit: Promise<number>;
  close(): void;
}
/** Default export of `computers/<name>.ts`. */
export interface ComputerKind {
  name: string;
  /** Why this kind can't work on this machine, or undefined when it can. Tries it for real, once. */
  missing(): Promise<string | undefined>;
  open(options: ComputerOptions): Promise<Computer>;
}
export interface ComputerOptions {
  person: string;
  mode: Mode;
  /** Host folder that is the person's home (guarded, full) or holds it (contained). */
  home: string;
  /** Host folder where writes are free. */
  workspace: string;
  /** Host folder of Steward itself; never visible inside. */
  steward: string;
  /** Absolute host paths that do not exist for commands inside. Read at each command, so that a change holds at once. */
  hidden(): string[];
  env: Readonly<Record<string, string | undefined>>;
}
