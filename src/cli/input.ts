// What comes in from the terminal or a pipe: whole standard input, a line, a hidden line, a yes.
import { createInterface } from "node:readline/promises";
import { StewardError } from "../std/error.ts";
import { usageError } from "./command.ts";

type In = NodeJS.ReadStream;
type Out = NodeJS.WriteStream;
const LONGEST = 10 * 1024 * 1024;

/** All of it as text. Throws `invalid` when it is no UTF-8 or longer than 10 MB. */
export async function readAll(stdin: In): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stdin as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > LONGEST) throw usageError("Standard input is longer than 10 MB");
    pieces.push(piece);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw usageError("Standard input is not UTF-8 text");
  }
}

/** One typed line. Throws `denied` on Ctrl-C, Ctrl-D, and when `signal` aborts. */
export async function readTyped({ stdin, stderr }: { stdin: In; stderr: Out }, question: string, signal?: AbortSignal): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr, terminal: true, historySize: 0 });
  const gone = new AbortController();
  lines.once("SIGINT", () => gone.abort());
  lines.once("close", () => gone.abort());
  try {
    return await lines.question(question, { signal: signal ? AbortSignal.any([signal, gone.signal]) : gone.signal });
  } catch (error) {
    stderr.write("\n");
    throw new StewardError("denied", "Nothing was answered", { cause: error });
  } finally {
    lines.close();
  }
}

/** A line that is not shown while it is typed. */
export async function readHidden({ stdin, stderr }: { stdin: In; stderr: Out }, question: string): Promise<string> {
  stderr.write(question);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let typed = "";
  const take = (piece: Buffer): void => {
    for (const char of piece.toString("utf8")) {
      if (char === "\r" || char === "\n") return resolve(typed);
      if (char === "\u0003" || char === "\u0004") return reject(new StewardError("denied", "Nothing was entered"));
      typed = char === "\u007f" || char === "\b" ? [...typed].slice(0, -1).join("") : typed + char;
    }
  };
  stdin.setRawMode(true);
  stdin.on("data", take);
  try {
    return await promise;
  } finally {
    stdin.off("data", take);
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

export async function agrees(streams: { stdin: In; stderr: Out }, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await readTyped(streams, `${question} [y/N] `)).trim());
}
