// A program of an engine while it runs: bytes in, bytes out, its end. Where it runs is the computer's.
import type { Computer, ExecOptions, ExecResult } from "../core/computer.ts";
import type { Process } from "../core/workplace.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { openInlet } from "./process-input.ts";

/** Characters of stderr. */
const TAIL = 4000;

export type StartOptions = Pick<ExecOptions, "cwd" | "env" | "task" | "network">;

/** Never throws by itself: a program that could not be started has ended, and its stderr says why. */
export function startProcess(computer: Computer, argv: string[], how: StartOptions): Process {
  const stop = new AbortController();
  const [input, output, errors] = [openInlet(), openOutlet(), openTail()];
  const onBytes = (stream: 1 | 2, bytes: Uint8Array): Promise<void> | undefined => {
    input.began();
    return stream === 1 ? output.give(bytes) : errors.add(bytes);
  };
  const done = computer
    .exec(argv, { ...how, stdin: input, onBytes, lasting: true, maxBytes: TAIL, signal: stop.signal })
    .catch((error: unknown): Pick<ExecResult, "code" | "stderr"> => ({ code: 255, stderr: errors.text() || reasonOf(error) }))
    .finally(() => (input.close(), output.close()));
  const exited = done.then(({ code, stderr }) => {
    if (errors.text() === "") void errors.add(Buffer.from(stderr));
    return { code };
  });
  return {
    write: (bytes) => input.write(typeof bytes === "string" ? Buffer.from(bytes) : bytes),
    end: () => input.end(),
    stdout: output,
    stderr: () => errors.text(),
    exited,
    async kill() {
      stop.abort();
      output.abandon(); // a computer may wait for what it has given to be taken
      await done;
    },
  };
}

const reasonOf = (error: unknown): string =>
  error instanceof StewardError && error.hint ? `${error.message}. ${error.hint}` : messageOf(error);

function openTail(): { add(bytes: Uint8Array): undefined; text(): string } {
  const state = { text: "" };
  const decoder = new TextDecoder();
  return {
    add: (bytes) => void (state.text = (state.text + decoder.decode(bytes, { stream: true })).slice(-TAIL)),
    text: () => state.text,
  };
}

interface Outlet extends AsyncIterable<Uint8Array> {
  /** Resolves when it was taken and the next one is asked for. */
  give(bytes: Uint8Array): Promise<void>;
  close(): void;
  /** Nobody reads it any more. */
  abandon(): void;
}

function openOutlet(): Outlet {
  const state: {
    closed: boolean;
    left?: boolean;
    piece?: { bytes: Uint8Array; taken(): void } | undefined;
    wake?: (() => void) | undefined;
  } = { closed: false };
  const take = async (): Promise<IteratorResult<Uint8Array>> => {
    while (!state.piece && !state.closed) await new Promise<void>((resolve) => (state.wake = resolve));
    const { piece } = state;
    state.piece = undefined;
    piece?.taken();
    return piece ? { done: false, value: piece.bytes } : { done: true, value: undefined };
  };
  /** What nobody wants any more holds up nothing. */
  const abandon = (): void => {
    state.left = true;
    state.closed = true;
    state.piece?.taken();
    state.piece = undefined;
    state.wake?.();
  };
  const leave = async (): Promise<IteratorResult<Uint8Array>> => {
    abandon();
    return { done: true, value: undefined };
  };
  return {
    give: (bytes) =>
      new Promise((taken) => {
        if (state.left) return taken();
        state.piece = { bytes, taken };
        state.wake?.();
      }),
    close() {
      state.closed = true;
      state.wake?.();
    },
    abandon,
    [Symbol.asyncIterator]: () => ({ next: take, return: leave }),
  };
}
