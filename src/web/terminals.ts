// The terminals of the computer's page: which live, which one is shown, opening and ending them.
import { signal } from "@preact/signals";
import type { TerminalInfo } from "../core/api-computer.ts";
import { callComputer } from "./computer-api.ts";
import { telling } from "./notices.ts";
import type { Attached } from "./terminal.ts";

export const terminals = signal<readonly TerminalInfo[] | undefined>(undefined);
export const terminalsProblem = signal("");
export const current = signal<string | undefined>(undefined);
/** How each shown terminal's connection is. */
export const attachedStates = signal<ReadonlyMap<string, Attached>>(new Map());
export const opening = signal(false);

export function keepAttached(id: string, state: Attached | undefined): void {
  const next = new Map(attachedStates.value);
  if (state) next.set(id, state);
  else next.delete(id);
  attachedStates.value = next;
}

export async function refreshTerminals(): Promise<void> {
  try {
    const { terminals: found } = await callComputer("terminals.list");
    const ended = (terminals.value ?? []).filter(
      ({ id }) => attachedStates.value.get(id)?.state === "ended" && !found.some((one) => one.id === id),
    );
    terminals.value = [...found, ...ended];
    terminalsProblem.value = "";
    if (!terminals.value.some(({ id }) => id === current.value)) current.value = (found.findLast(({ script }) => !script) ?? found[0])?.id;
  } catch (error) {
    terminalsProblem.value = (error as Error).message;
  }
}

export async function newTerminal(size: { columns: number; rows: number }): Promise<void> {
  opening.value = true;
  const made = await telling(callComputer("terminals.make", { body: size }));
  opening.value = false;
  if (!made) return;
  terminals.value = [...(terminals.value ?? []), made];
  current.value = made.id;
}

/** Ends what runs in it; one that has ended is only taken off. */
export async function endTerminal(id: string): Promise<void> {
  const ended = attachedStates.value.get(id)?.state === "ended";
  if (!ended && !(await telling(callComputer("terminals.remove", { id })))) return refreshTerminals();
  const list = (terminals.value ?? []).filter((one) => one.id !== id);
  terminals.value = list;
  keepAttached(id, undefined);
  if (current.value === id) current.value = list.at(-1)?.id;
}

export const nameOf = ({ program, script }: TerminalInfo): string => (script ? `agent: ${program}` : program || "terminal");
