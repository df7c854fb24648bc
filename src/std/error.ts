// The one error class. `code` is for programs, `message` for people, `hint` says what to do next.

/** Eight codes; HTTP status and exit code are two tables from them (`gateway/status.ts`, `cli/exit.ts`). */
export type Code = "invalid" | "not_found" | "denied" | "conflict" | "stale" | "unavailable" | "limit" | "internal";

export class StewardError extends Error {
  readonly code: Code;
  readonly hint?: string;
  /** Epoch milliseconds before which trying again is pointless. */
  readonly retryAt?: number;

  constructor(code: Code, message: string, more: { hint?: string; cause?: unknown; retryAt?: number } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "StewardError";
    this.code = code;
    if (more.hint !== undefined) this.hint = more.hint;
    if (more.retryAt !== undefined) this.retryAt = more.retryAt;
  }
}

/** A failure as data: what events, clients and the model see. */
export interface Failure {
  code: Code;
  message: string;
  hint?: string;
  retryAt?: number;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const hasCode = (error: unknown, code: Code): error is StewardError => error instanceof StewardError && error.code === code;

export function failureOf(error: unknown): Failure {
  if (!(error instanceof StewardError)) return { code: "internal", message: messageOf(error) };
  const { code, message, hint, retryAt } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }), ...(retryAt === undefined ? {} : { retryAt }) };
}
