// What can go wrong on the way to a model endpoint, in words, and no secret in them.
import { messageOf, StewardError } from "../std/error.ts";
import type { Wire } from "./wire.ts";

export const half = (name: string, cause?: unknown): StewardError =>
  new StewardError("unavailable", `${name} stopped in the middle of its answer.`, {
    hint: "Try again in a moment, or choose another model.",
    cause,
  });

export const silent = (message: string): StewardError =>
  new StewardError("unavailable", message, { hint: "Try again in a moment, or choose another model." });

export const unreadable = (name: string, cause?: unknown): StewardError =>
  new StewardError("unavailable", `${name} sent an answer that can't be read.`, {
    hint: `Try again in a moment, or choose another model. If it stays so, check providers.${name}.baseUrl.`,
    cause,
  });

/** Where a key is set, as the end of a sentence that begins with `begin`. */
export const keyPlace = (begin: string, { variable, advice }: { variable: string | undefined; advice: string | undefined }): string =>
  `${begin} on the settings page${variable === undefined ? "" : `, or set ${variable} in the environment and start Steward again`}.${advice === undefined ? "" : ` ${advice}`}`;

/** Cuts the key and secret headers out of `text`, and whatever else looks like a key. */
export function redacted(text: string, wire: Wire): string {
  const secrets = [
    wire.key,
    ...Object.entries(wire.headers)
      .filter(([name]) => name !== "user-agent" && name !== "anthropic-version")
      .map(([, value]) => value),
  ].filter((value) => value !== undefined && value.length >= 6);
  const forms = secrets.flatMap((secret) => [
    secret!,
    encodeURIComponent(secret!),
    Buffer.from(secret!).toString("base64"),
    JSON.stringify(secret).slice(1, -1),
  ]);
  const known = [...new Set(forms)].sort((a, b) => b.length - a.length).reduce((rest, secret) => rest.replaceAll(secret, "[key]"), text);
  return known.replace(/\b(?:sk|pk|gsk|xai|key|hf|AIza)[-_][\w*.-]{8,}/g, "[key]").replace(/\bBearer\s+[\w.~+/*=-]{8,}/gi, "Bearer [key]");
}

/** Whatever `fetch` threw, as a StewardError with the reason in words. */
export function broken(wire: Wire, error: unknown): unknown {
  if ((error instanceof StewardError && (error.code !== "unavailable" || error.cause === undefined)) || hasStatus(error)) return error;
  const code = codeOf(error);
  const reason = reasons[code] ?? (/CERT|TLS|SSL|SELF_SIGNED/.test(code) ? "its certificate is not trusted" : oneReason(error));
  return new StewardError("unavailable", `${wire.name} can't be reached at ${new URL(wire.base).origin}: ${redacted(reason, wire)}.`, {
    cause: error,
    hint: `Check the connection, and that providers.${wire.name}.baseUrl is right.`,
  });
}
const hasStatus = (error: unknown): boolean => typeof error === "object" && error !== null && "statusCode" in error;
function oneReason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const said = messageOf(cause).replace(/\.+$/, "");
  return said === "fetch failed" || said === "terminated" || said === "" ? "the connection broke" : said;
}
const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing answers there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name can't be looked up",
  ECONNRESET: "the connection was closed",
  UND_ERR_SOCKET: "the connection was closed",
  ETIMEDOUT: "it took too long",
  UND_ERR_CONNECT_TIMEOUT: "it took too long",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no network",
  UND_ERR_HEADERS_OVERFLOW: "its headers are too long",
  HPE_HEADER_OVERFLOW: "its headers are too long",
};
function codeOf(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; depth++) {
    const { code, errors } = at as { code?: unknown; errors?: unknown[] };
    if (typeof code === "string" && !(at instanceof StewardError)) return code;
    at = at.cause ?? errors?.[0];
  }
  return "";
}
export const seconds = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`);
