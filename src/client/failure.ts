// A failed answer as the one error class, for calls and streams alike.
import { type Code, StewardError } from "../std/error.ts";

const CODES: readonly string[] = [
  "invalid",
  "not_found",
  "denied",
  "conflict",
  "stale",
  "unavailable",
  "limit",
  "internal",
] satisfies Code[];

/** The server's own error; `cause` holds the HTTP status, 401 when a credential is needed. */
export async function failureOf(response: Response): Promise<StewardError> {
  const { status } = response;
  const { error } = (await response.json().catch(() => ({}))) as {
    error?: { code?: string; message?: string; hint?: string; retryAt?: number };
  };
  const code = error?.code && CODES.includes(error.code) ? (error.code as Code) : status >= 500 ? "unavailable" : "invalid";
  return new StewardError(code, error?.message ?? `Steward answered ${status}`, {
    cause: { status },
    ...(error?.hint ? { hint: error.hint } : {}),
    ...(error?.retryAt ? { retryAt: error.retryAt } : {}),
  });
}
