// How a failure looks on the wire: code to HTTP status, the body of every failed request, nothing internal in it.
import { type Code, failureOf, messageOf, StewardError } from "../std/error.ts";
import type { Log } from "../std/log.ts";

const STATUS: Record<Code, number> = {
  invalid: 422,
  not_found: 404,
  denied: 403,
  conflict: 409,
  stale: 409,
  unavailable: 503,
  limit: 429,
  internal: 500,
};

interface Wire {
  /** A finer status than the code's own. */
  status?: number;
  /** What the older clients read; the message when absent. */
  detail?: unknown;
  headers?: Record<string, string>;
}
const wires = new WeakMap<StewardError, Wire>();

/** An error with a say in how it is answered. */
export function refusal(code: Code, message: string, wire: Wire & { hint?: string; retryAt?: number }): StewardError {
  const { hint, retryAt, ...rest } = wire;
  const error = new StewardError(code, message, { ...(hint ? { hint } : {}), ...(retryAt ? { retryAt } : {}) });
  wires.set(error, rest);
  return error;
}

export const unauthenticated = (message = "This needs a credential"): StewardError =>
  refusal("denied", message, {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    hint: "Open the claim link that `steward start` printed, or send a token made by `steward token` in the Authorization header.",
  });

export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", "cache-control": "no-store", ...headers } });

/** The answer to a failed request. What is not a StewardError, and what is internal, is logged and told in general words. */
export function answerFailure(error: unknown, log: Log, now: number): Response {
  const { status, body, headers } = describeFailure(error, log, now);
  return json(body, status, headers);
}

export function describeFailure(
  error: unknown,
  log: Log,
  now: number,
): { status: number; body: { detail: unknown; error: object }; headers: Record<string, string> } {
  const known = error instanceof StewardError && error.code !== "internal" ? error : undefined;
  if (!known)
    log("error", "A request failed inside Steward", {
      error: error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error),
    });
  const failure = known
    ? failureOf(known)
    : { code: "internal" as const, message: "Something went wrong inside Steward", hint: "`steward logs` shows what." };
  const wire = (known && wires.get(known)) ?? {};
  const retry: Record<string, string> =
    failure.code === "limit" && !wire.status
      ? { "retry-after": String(Math.max(1, Math.ceil(((failure.retryAt ?? now + 1000) - now) / 1000))) }
      : {};
  return {
    status: wire.status ?? STATUS[failure.code],
    body: { detail: wire.detail ?? failure.message, error: failure },
    headers: { ...retry, ...wire.headers },
  };
}
