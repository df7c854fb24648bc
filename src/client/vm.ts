// The computer that a person's commands run on, as a program holds it: commands, a session's shell, files. Local files are read and written in Node only.
import type { ExecResult } from "../core/computer.ts";
import { hasCode } from "../std/error.ts";
import { type Line, openLine, openLimits, told, type Until, type Where, within } from "./config.ts";

export type Ran = ExecResult;
export interface ExecHow {
  cwd?: string | undefined;
  stdin?: string | undefined;
  /** Milliseconds; Steward kills everything that the command started then. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}
/** A secret that Steward's owner has stored, by its name, or one that the program holds. */
export type Secret = { name: string } | { value: string };
/** A program waits for a line: what it printed before, and whether what is typed stays hidden. */
export interface Waiting {
  prompt: string;
  hidden: boolean;
}
export interface StreamHow extends Until {
  /** Output as it comes; else line by line. */
  raw?: boolean | undefined;
  /** What it returns is typed in as it is; end it with a line end. */
  onInput?: ((waiting: Waiting) => string | void | Promise<string | void>) | undefined;
}
export interface StreamEnd {
  /** Null when the shell ended first. */
  code: number | null;
  timedOut: boolean;
}
export interface FileEntry {
  name: string;
  path: string;
  type: "file" | "dir" | "link" | "other";
  size: number;
  /** Epoch milliseconds. */
  modified: number;
}

/** All reject with StewardError. Paths may begin with `~`; relative ones start at the workspace. */
export interface LinuxVM {
  /** In a shell of its own. A command that fails, or runs out of time, is a result. */
  exec(command: string, how?: ExecHow): Promise<Ran>;
  /** The same, with a secret and a line end on its standard input and nowhere else; it is taken out of the output. In the person's own computer, whatever the mode. */
  execWithSecret(command: string, secret: Secret, how?: Omit<ExecHow, "stdin">): Promise<Ran>;
  /** In the session's shell, whose folder and variables stay; one command after the other. Whoever stops reading ends it. */
  stream(command: string, how?: StreamHow): AsyncGenerator<string, StreamEnd>;
  /** Types into what runs in the session's shell. */
  type(text: string, until?: Until): Promise<void>;
  /** The same key by key, `delayMs` apart. */
  keys(text: string, how?: Until & { delayMs?: number }): Promise<void>;
  list(path?: string, until?: Until): Promise<FileEntry[]>;
  read(path: string, until?: Until): Promise<Uint8Array>;
  write(path: string, content: string | Uint8Array | Blob, until?: Until): Promise<void>;
  /** A file or a whole folder; can be undone. False: nothing was there. */
  remove(path: string, until?: Until): Promise<boolean>;
  /** The bytes as they come. */
  open(path: string, until?: Until): Promise<ReadableStream<Uint8Array>>;
  /** Ends all shells of sessions and starts the computer again; files stay, and the session's agent is told. */
  restart(until?: Until): Promise<void>;
}

export const linuxVM = (where: Where = {}): LinuxVM => vmOver(openLine(where));

export const sessionPath = async (line: Line, until: Until = {}): Promise<string> => `/api/sessions/${(await openSession(line, until)).id}`;
export const openSession = (line: Line, until: Until = {}): Promise<{ id: string; seq: number; running: boolean }> =>
  line.json("/api/named-sessions", { ...until, method: "POST", body: { name: line.config.session }, again: true });

export function vmOver(line: Line): LinuxVM {
  const file = (path: string): string => `/api/computer/file?path=${encodeURIComponent(path)}`;
  const type: LinuxVM["type"] = async (text, until) => {
    await line.json(`${await sessionPath(line, until)}/input`, { ...until, method: "POST", body: { data: text } });
  };
  return {
    type,
    exec: (command, how = {}) => exec(line, { command, ...how }),
    execWithSecret: (command, secret, how = {}) => exec(line, { command, secret, ...how }),
    stream: (command, how = {}) => stream(line, command, how),
    async keys(text, { delayMs = 50, ...until } = {}) {
      await within(until, async (signal) => {
        for (const [index, key] of [...text].entries()) {
          if (index > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
          signal.throwIfAborted();
          await type(key, { signal });
        }
      });
    },
    async list(path, until) {
      const query = path === undefined ? "" : `?path=${encodeURIComponent(path)}`;
      return (await line.json<{ entries: FileEntry[] }>(`/api/computer/files${query}`, until)).entries.map(plainEntry);
    },
    read: (path, until = {}) =>
      within(until, async (signal) => new Uint8Array(await (await line.open(file(path), { signal })).arrayBuffer())),
    async write(path, content, until = {}) {
      const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await within(until, async (signal) => (await line.open(file(path), { signal, method: "PUT", body })).body?.cancel());
    },
    async remove(path, until) {
      try {
        await line.json("/api/computer/change", { ...until, method: "POST", body: { action: "remove", path } });
        return true;
      } catch (error) {
        if (hasCode(error, "not_found")) return false;
        throw error;
      }
    },
    open: async (path, until = {}) => bodyOf(line, file(path), until),
    async restart(until) {
      await line.json(`${await sessionPath(line, until)}/restart`, { timeoutMs: RESTART_MS, ...until, method: "POST", body: {} });
    },
  };
}

const RESTART_MS = 600_000;
const plainEntry = ({ name, path, type, size, modified }: FileEntry): FileEntry => ({ name, path, type, size, modified });

async function bodyOf(line: Line, path: string, until: Until): Promise<ReadableStream<Uint8Array>> {
  const limits = openLimits(until);
  const { body } = await Promise.race([line.open(path, { signal: limits.signal }), limits.over]).catch((error: unknown) => {
    limits.close();
    throw error;
  });
  const reader = body!.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await Promise.race([reader.read(), limits.over]);
        if (!done) return controller.enqueue(value);
        limits.close();
        controller.close();
      },
      cancel: async (reason) => {
        await reader.cancel(reason);
        limits.close();
      },
    },
    { highWaterMark: 0 },
  );
}

async function exec(
  line: Line,
  { signal, command, cwd, stdin, timeoutMs, secret }: ExecHow & { command: string; secret?: Secret },
): Promise<Ran> {
  const body = { command, cwd, stdin, timeoutMs, secret };
  const telling = told<Ran>(line, "/api/computer/exec", { body, signal });
  for (;;) {
    const { done, value } = await telling.next();
    if (done) return value;
  }
}

async function* stream(line: Line, command: string, { raw = false, onInput, ...until }: StreamHow): AsyncGenerator<string, StreamEnd> {
  const path = await sessionPath(line, until);
  const telling = told<StreamEnd>(line, `${path}/run`, { ...until, body: { command } });
  const input = async (waiting: Waiting): Promise<void> => {
    const text = await onInput?.(waiting);
    if (text) await line.json(`${path}/input`, { method: "POST", body: { data: text }, signal: until.signal });
  };
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await telling.next();
      if (done) {
        if (rest) yield rest;
        return value;
      }
      if (value.event === "waiting") await input(value.data as Waiting);
      if (value.event !== "output") continue;
      if (raw) yield value.data as string;
      else {
        const parts = (rest + (value.data as string)).replaceAll("\r\n", "\n").split("\n");
        rest = parts.pop()!;
        for (const part of parts) yield `${part}\n`;
      }
    }
  } finally {
    await telling.return({ code: null, timedOut: false }); // whoever breaks off ends the command
  }
}
