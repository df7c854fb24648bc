// Calls of Matrix's client-server API, and what its refusals and a broken network mean for Steward.
import type { ChannelHost } from "../core/channel.ts";
import { messageOf, StewardError } from "../std/error.ts";

export interface Account {
  host: Pick<ChannelHost, "fetch" | "name">;
  config: { homeserver: string; accessToken: string; answerSeconds: number };
  stop: AbortController;
}
export interface Asked {
  query?: Record<string, string>;
  body?: Record<string, unknown>;
  raw?: { bytes: Uint8Array; mime: string };
  /** How long it may take; default: `answerSeconds`. */
  ms?: number;
}
export type Answer = Record<string, unknown>;

const hintOf = (name: string): string =>
  `Sign in anew as Steward's account and set its access token: steward channels set ${name} access-token. In Element it stands under All settings → Help & About → Advanced.`;

/** Of the paths' pieces: ids hold !, #, : and may hold a slash. */
export const path = (pieces: TemplateStringsArray, ...ids: string[]): string =>
  pieces.map((piece, at) => piece + (at < ids.length ? encodeURIComponent(ids[at]!) : "")).join("");

/** Throws StewardError. All that sends bears an id of its own, so a call that broke may be made once more: it is unavailable, never in doubt. */
export async function call(account: Account, method: "GET" | "PUT" | "POST", at: string, asked: Asked = {}): Promise<Answer> {
  const response = await requested(account, method, at, asked);
  const answer = await jsonOf(response, account);
  if (!response.ok) throw refusal(response, answer, account.host.name);
  return answer;
}

/** As it comes, without an eye on its status. */
export async function requested({ host, config, stop }: Account, method: string, at: string, asked: Asked): Promise<Response> {
  const url = new URL(`${config.homeserver.replace(/\/+$/, "")}/_matrix/${at}`);
  for (const [key, value] of Object.entries(asked.query ?? {})) url.searchParams.set(key, value);
  const type = asked.raw?.mime ?? (asked.body ? "application/json" : undefined);
  const body = asked.raw ? (asked.raw.bytes as Uint8Array<ArrayBuffer>) : asked.body ? JSON.stringify(asked.body) : undefined;
  try {
    return await host.fetch(url, {
      method,
      headers: { authorization: `Bearer ${config.accessToken}`, ...(type ? { "content-type": type } : {}) },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(asked.ms ?? config.answerSeconds * 1000)]),
    });
  } catch (error) {
    throw broken(error);
  }
}

function broken(error: unknown): StewardError {
  if (error instanceof StewardError) return error;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new StewardError("unavailable", `The homeserver can't be reached: ${messageOf(cause)}`);
}

async function jsonOf(response: Response, { stop }: Account): Promise<Answer> {
  try {
    const answer: unknown = await response.json();
    if (typeof answer === "object" && answer !== null && !Array.isArray(answer)) return answer as Answer;
  } catch (error) {
    if (stop.signal.aborted || !(error instanceof SyntaxError)) throw broken(error);
  }
  if (response.ok) throw new StewardError("unavailable", "What answers at the homeserver's address does not speak Matrix");
  return {};
}

/** `name`: of the channel. */
export function refusal({ status, headers }: Response, answer: Answer, name: string): StewardError {
  const code = typeof answer["errcode"] === "string" ? answer["errcode"] : "";
  const said = `Matrix: ${typeof answer["error"] === "string" ? answer["error"].slice(0, 300) : `HTTP ${status}`}`;
  if (status === 429 || code === "M_LIMIT_EXCEEDED") {
    const asked = Number(answer["retry_after_ms"] ?? Number(headers.get("retry-after") ?? 5) * 1000);
    return new StewardError("unavailable", "The homeserver asks to wait", {
      retryAt: Date.now() + Math.min(Math.max(Number.isFinite(asked) ? asked : 5000, 250), 3_600_000),
    });
  }
  if (status >= 500) return new StewardError("unavailable", `The homeserver has a fault (HTTP ${status})`);
  if (status === 401 || code === "M_UNKNOWN_TOKEN" || code === "M_USER_DEACTIVATED")
    return new StewardError("denied", "The homeserver refuses Steward's access token", { hint: hintOf(name) });
  if (status === 403) return new StewardError("denied", said, { hint: "Invite Steward's account to that room, and let it write there." });
  if (status === 413 || code === "M_TOO_LARGE") return new StewardError("limit", said);
  return new StewardError(status === 404 ? "not_found" : "invalid", said);
}
