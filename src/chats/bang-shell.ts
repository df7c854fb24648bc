// A command in the terminal of a chat, whose folder and variables stay: what it prints, and when it waits for somebody to type.
import { createHash } from "node:crypto";
import type { Computer, Shell } from "../core/computer.ts";
import type { Address } from "../core/types.ts";
import { laneOf } from "../run/outbox.ts";
import { hasCode } from "../std/error.ts";

const MOST_KEPT = 4_000_000;
const GRACE_MS = 1500;
/** Colours, titles, and moves of a terminal. */
// oxlint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g;

export const shellOf = (person: string, to: Address): string =>
  `bang-${createHash("sha256")
    .update(JSON.stringify([person, laneOf(to)]))
    .digest("hex")
    .slice(0, 24)}`;

export interface Command {
  id: string;
  command: string;
  signal: AbortSignal;
  /** It waits for a line, after these words. */
  waits(prompt: string): Promise<void>;
}

/** Resolves with what it printed when it has ended, or was stopped. */
export async function inShell(computer: Computer, { id, command, signal, waits }: Command): Promise<string> {
  const { shell, after } = await begun(computer, id, command);
  const reading = new AbortController();
  const ended = { is: false };
  const stop = (): void => void stopped(shell, () => ended.is, reading);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const output of shell.output({ after, signal: reading.signal })) {
      if (output.type === "data") text = (text + decoder.decode(output.bytes, { stream: true })).slice(-MOST_KEPT);
      else if (output.type === "waiting") await waits(output.waiting.prompt);
      else break;
    }
  } finally {
    ended.is = true;
    reading.abort();
    signal.removeEventListener("abort", stop);
  }
  const plain = text.replace(ESCAPES, "").replaceAll("\r\n", "\n");
  return signal.aborted ? `${plain}\n(It was stopped.)` : plain;
}

/** One that still runs something of before is ended: nobody hears it any more. `after`: where its own output begins. */
async function begun(computer: Computer, id: string, command: string): Promise<{ shell: Shell; after: number }> {
  const opened = async (): Promise<{ shell: Shell; after: number }> => {
    const shell = await computer.shell({ id, columns: 120, rows: 40, script: true });
    const info = (await computer.shells()).find((one) => one.id === id);
    return { shell, after: info?.printed ?? 0 };
  };
  const first = await opened();
  try {
    await first.shell.run(command);
    return first;
  } catch (error) {
    if (!hasCode(error, "conflict")) throw error;
    await first.shell.close();
    const second = await opened();
    await second.shell.run(command);
    return second;
  }
}

/** Politely, then for certain, then the whole terminal. */
async function stopped(shell: Shell, over: () => boolean, reading: AbortController): Promise<void> {
  for (const signal of ["INT", "KILL"] as const) {
    if (over()) return;
    shell.signal(signal);
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref());
  }
  if (over()) return;
  await shell.close().catch(() => {});
  reading.abort();
}
