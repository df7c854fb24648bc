// What the page says beside the conversation: toasts, questions before something is lost, words for screen readers.
import { signal } from "@preact/signals";
import { messageOf, StewardError } from "../std/error.ts";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run(): void };
}

export interface Question {
  title: string;
  text: string;
  action: string;
  danger?: boolean;
  answer(yes: boolean): void;
}

export const toasts = signal<readonly Toast[]>([]);
export const question = signal<Question | undefined>(undefined);
/** Spoken politely by screen readers; written at the end of things, never while they stream. */
export const spoken = signal("");

const ids = { last: 0 };

export function toast(text: string, more: { tone?: Toast["tone"]; action?: Toast["action"] } = {}): void {
  const id = ++ids.last;
  const { tone = "plain", action } = more;
  toasts.value = [...toasts.value.slice(-3), { id, text, tone, ...(action ? { action } : {}) }];
  setTimeout(() => dropToast(id), action || tone === "bad" ? 10_000 : 5000);
}

export function dropToast(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function sayFailure(error: unknown): void {
  const hint = error instanceof StewardError && error.hint ? ` ${error.hint}` : "";
  toast(`${messageOf(error)}${hint}`, { tone: "bad" });
}

/** Runs something whose failure is only to be told. */
export async function telling<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    sayFailure(error);
    return undefined;
  }
}

export function confirm(ask: Omit<Question, "answer">): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...ask,
      answer: (yes) => {
        question.value = undefined;
        resolve(yes);
      },
    };
  });
}
