// Where a supervisor runs: what supervised.ts needs to know of a sandbox, a container or this machine. How one is made is theirs.
import type { Duplex } from "node:stream";
import type { Machine } from "../core/computer.ts";

/** Given to `supervised(options, place): Computer` of supervised.ts. */
export interface Place {
  /** Absolute, as seen inside. */
  home: string;
  workspace: string;
  /** "linux" or "darwin". */
  platform: string;
  /** The person's shell inside: absolute path. */
  shell: string;
  /** Where the programs of engines are. */
  programs?: string;
  /** Folders that can't be removed as a whole, besides home. */
  roots?: string[];
  /** Variables of each command and terminal; PATH, HOME, USER, SHELL, LANG, TERM at least. */
  env: Record<string, string>;
  /** Where the supervisor writes its small programs (`notify`) and the certificates to trust; made when missing, absolute, on PATH as `<tools>/bin`. Absent: none are written. */
  tools?: string;
  /** Folder inside where `notify` puts what it is told. */
  notifications?: string;
  /** Starts what is needed and gives a fresh stream to the supervisor. Called when first needed and again after the stream ended, never twice at once. Throws StewardError with what to do. */
  connect(): Promise<Duplex>;
  /** From outside: ends everything inside, at once, when the supervisor does not answer. The stream ends by it. Never throws. */
  kill(): Promise<void>;
  /** Asked before each command, terminal and write: throws `limit` with words while the disk is used up. */
  allowed?(): void;
  /** Told when something begins and ends to run inside or to be written (counts up and down). */
  busy?(change: 1 | -1): void;
  /** True while nothing can be running there; then asking what runs does not start it. */
  asleep?(): Promise<boolean>;
  /** supervised.ts adds processes and, where it is missing, usage; to start it is to connect. */
  machine?: Omit<Machine, "processes" | "start">;
  dispose(): Promise<void>;
}
