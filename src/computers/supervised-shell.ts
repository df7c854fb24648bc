// Terminals and folder watching through the supervisor. The PTYs, what they printed and who waits for what are kept inside.
import { setTimeout as delay } from "node:timers/promises";
import type { Computer, Shell, ShellInfo, ShellOptions, ShellOutput, Waiting } from "../core/computer.ts";
import { hasCode, StewardError } from "../std/error.ts";
import type { Channel, Message } from "./link.ts";
import { checked, folderOf } from "./local.ts";
import { joinSmall } from "./pieces.ts";
import { filesInside } from "./supervised-files.ts";
import { answered, askAwake, openAsk, textOf, type Inside } from "./inside.ts";

const CLOSE_MS = 10_000;
/** What nobody has read yet; more than this many prompts and ends are no terminal's. */
const MOST_WAITING = 5000;
/** More are no computer's; what it says may hold a million. */
const MOST_SHELLS = 500;
/** Bytes that a program has not read; when more wait, nothing is added. */
const MOST_TYPED = 8 * 1024 * 1024;

export function shellsInside(inside: Inside): Pick<Computer, "shell" | "shells"> {
  return {
    shell: (options) => open(inside, options),
    async shells() {
      const { shells } = await askAwake(inside, { op: "shells" });
      return Array.isArray(shells) ? shells.slice(0, MOST_SHELLS).map((one) => infoOf(one as Message)) : [];
    },
  };
}

/** Throws invalid for an id or a size that no terminal can have. */
export function checkedShell({ id, columns, rows }: Pick<ShellOptions, "id" | "columns" | "rows">): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new StewardError("invalid", "A terminal's id has letters, digits, - and _, at most 64");
  for (const size of [columns, rows])
    if (!Number.isInteger(size) || size < 1 || size > 1000) throw new StewardError("invalid", "A terminal has 1 to 1000 columns and rows");
}

async function open(inside: Inside, options: ShellOptions): Promise<Shell> {
  const { place } = inside;
  const { id, columns, rows, existing = false, script = false, command } = options;
  checkedShell(options);
  if (existing && !(await inside.awake())) throw new StewardError("not_found", `There is no terminal ${id}`);
  if (!existing) place.allowed?.();
  const cwd = await folderOf({ ...filesInside(inside), workspace: place.workspace }, options.cwd);
  const session = await inside.session();
  const env = inside.env(session, { env: { TERM: "xterm-256color", ...options.env } });
  const program = command && checked(command);
  const ask = { op: "shell", id, columns, rows, existing, script, shell: place.shell, cwd, env, ...(program ? { program } : {}) };
  const { info } = await answered(openAsk(session.link, ask));
  return shellOf(inside, infoOf(info as Message));
}

function shellOf(inside: Inside, info: ShellInfo): Shell {
  const { id } = info;
  const typing = { last: Promise.resolve(), bytes: 0 };
  const quietly = (message: Message): void => void inside.ask(message).catch(() => {});
  return {
    info,
    write(bytes) {
      const piece = Buffer.from(bytes as string);
      if (typing.bytes > MOST_TYPED) return false;
      typing.bytes += piece.length;
      typing.last = typing.last
        .then(() => type(inside, id, piece))
        .catch(() => {})
        .finally(() => void (typing.bytes -= piece.length));
      return true;
    },
    resize(columns, rows) {
      checkedShell({ id, columns, rows });
      Object.assign(info, { columns, rows });
      quietly({ op: "resize", id, columns, rows });
    },
    output: (how) => follow(inside, id, how),
    async run(command) {
      if (command.includes("\0")) throw new StewardError("invalid", "A command can't hold a NUL character");
      inside.place.allowed?.();
      await inside.ask({ op: "run", id, command });
    },
    signal: (name) => quietly({ op: "signal", id, name }),
    async close() {
      const timer = setTimeout(() => void inside.place.kill(), CLOSE_MS);
      try {
        await inside.ask({ op: "end", id });
      } catch (error) {
        if (!hasCode(error, "not_found") && !hasCode(error, "unavailable")) throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function type(inside: Inside, id: string, bytes: Uint8Array): Promise<void> {
  const { channel } = openAsk((await inside.session()).link, { op: "type", id });
  await channel.send(0, bytes);
  channel.end(0);
}

type Follow = { after?: number; signal: AbortSignal };

/** The channel is opened at once, so that nothing which is started after this call is missed. */
function follow(inside: Inside, id: string, { after = 0, signal }: Follow): AsyncIterable<ShellOutput> {
  const state = { queue: [] as ShellOutput[], at: after, wake: () => {}, over: false, error: undefined as unknown };
  const held: { channel?: Channel } = {};
  const put = (one: ShellOutput): void => {
    const last = state.queue.at(-1);
    const both = last?.type === "data" && one.type === "data" && joinSmall(last.bytes, one.bytes);
    if (both) Object.assign(last, { bytes: both });
    else state.queue.push(one);
    if (state.queue.length > MOST_WAITING) held.channel?.close();
    state.wake();
  };
  const finish = (error?: unknown): void => {
    state.over = true;
    state.error ??= error;
    state.wake();
  };
  const begin = async (): Promise<void> => {
    const { link } = await inside.session();
    if (signal.aborted) return;
    const { channel, answer } = openAsk(
      link,
      { op: "output", id, after },
      {
        data(_, bytes) {
          put({ type: "data", bytes, at: state.at });
          state.at += bytes.length;
        },
        event(message) {
          if (typeof message["at"] === "number") state.at = message["at"];
          const one = outputOf(message);
          if (one) put(one);
        },
      },
    );
    held.channel = channel;
    await answered({ answer });
  };
  begin().then(() => finish(), finish);
  const stop = (): void => {
    held.channel?.close();
    finish();
  };
  signal.addEventListener("abort", stop, { once: true });
  return drained(state, { signal, grant: (count) => held.channel?.grant(count), stop });
}

interface Pending {
  queue: ShellOutput[];
  wake: () => void;
  over: boolean;
  error: unknown;
}

async function* drained(
  state: Pending,
  { signal, grant, stop }: { signal: AbortSignal; grant(count: number): void; stop(): void },
): AsyncGenerator<ShellOutput> {
  try {
    while (!signal.aborted) {
      const one = state.queue.shift();
      if (one) {
        yield one;
        if (one.type === "data") grant(one.bytes.length);
      } else if (state.over) {
        if (state.error !== undefined) throw state.error;
        return;
      } else await new Promise<void>((resolve) => (state.wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function outputOf(message: Message): ShellOutput | undefined {
  if (message["waiting"]) return { type: "waiting", waiting: waitingOf(message["waiting"] as Message) };
  if (typeof message["ran"] === "number") return { type: "ran", code: message["ran"] };
  if (typeof message["exit"] === "number") return { type: "exit", code: message["exit"] };
  return undefined;
}

const waitingOf = (told: Message): Waiting => ({ prompt: textOf(told["prompt"]).slice(0, 1000), hidden: told["hidden"] === true });

function infoOf(told: Message): ShellInfo {
  const number = (name: string): number => (typeof told?.[name] === "number" ? told[name] : 0);
  return {
    id: textOf(told?.["id"]),
    columns: number("columns"),
    rows: number("rows"),
    startedAt: number("startedAt"),
    script: told?.["script"] === true,
    program: textOf(told?.["program"]).slice(0, 100),
    ...(told?.["waiting"] ? { waiting: waitingOf(told["waiting"] as Message) } : {}),
    ...(typeof told?.["printed"] === "number" ? { printed: told["printed"] } : {}),
  };
}

/** Lasts until ended, also over a restart of the computer. */
export async function watchInside(inside: Inside, folder: string, changed: () => void): Promise<() => void> {
  const held: { channel?: Channel; over: boolean } = { over: false };
  const begin = async (): Promise<{ answer: Promise<Message> }> => {
    const info = await filesInside(inside).stat(folder);
    if (!info) throw new StewardError("not_found", `The folder ${folder} does not exist`);
    const { link } = await inside.session();
    const ready = Promise.withResolvers<void>();
    const event = (message: Message): void => (message["watching"] ? ready.resolve() : held.over ? undefined : changed());
    const opened = openAsk(link, { op: "watch", path: info.path }, { event });
    held.channel = opened.channel;
    await Promise.race([ready.promise, answered(opened, folder)]);
    return opened;
  };
  const keep = async ({ answer }: { answer: Promise<Message> }): Promise<void> => {
    await answer.catch(() => {});
    for (let wait = 500; !held.over; wait = Math.min(wait * 2, 60_000)) {
      await delay(wait, undefined, { ref: false });
      const again = held.over || !(await inside.awake()) ? undefined : await begin().catch(() => undefined);
      if (!again) continue;
      changed();
      return keep(again);
    }
  };
  void keep(await begin());
  return () => {
    held.over = true;
    held.channel?.close();
  };
}
