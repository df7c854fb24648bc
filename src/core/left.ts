// Whether a request can have left this machine: only then is its outcome unknown when the connection fails.

const BEFORE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "EADDRNOTAVAIL",
  "CERT_HAS_EXPIRED",
]);

/** True when it surely did not: there was no connection. */
export function neverLeft(error: unknown, depth = 0): boolean {
  if (typeof error !== "object" || error === null || depth > 8) return false;
  const { code, cause, error: inner, errors } = error as { code?: unknown; cause?: unknown; error?: unknown; errors?: unknown };
  if (typeof code === "string" && BEFORE.has(code)) return true;
  if (Array.isArray(errors) && errors.length > 0) return errors.every((one) => neverLeft(one, depth + 1));
  return neverLeft(cause, depth + 1) || neverLeft(inner, depth + 1);
}
