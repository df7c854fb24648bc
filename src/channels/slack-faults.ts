// What Slack's refusals and a broken network mean for Steward.
import { neverLeft } from "../core/left.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";

type Fault = { status: number } | { waitSeconds: number } | { refused: string; needed?: string } | { network: unknown };

const TOKEN_HINT =
  "At api.slack.com/apps, open the app: OAuth & Permissions has the bot's token (xoxb-…), Basic Information the app-level token (xapp-…). Install the app anew and set the token: steward channels set NAME bot-token, or app-token.";
const DENIED = new Set([
  "invalid_auth",
  "not_authed",
  "account_inactive",
  "token_revoked",
  "token_expired",
  "user_removed_from_team",
  "team_disabled",
  "not_allowed_token_type",
  "app_missing_action_url",
]);
/** It may have been done all the same. */
const UNCLEAR = new Set(["internal_error", "fatal_error", "request_timeout", "service_unavailable"]);
const HINTS: Record<string, string> = {
  not_in_channel: "Invite the app into that channel: /invite @Steward.",
  channel_not_found: "Invite the app into that channel: /invite @Steward. The id of a channel begins with C, G or D.",
  restricted_action: "The workspace does not let apps write there.",
  is_archived: "That channel is archived.",
};

/** What the SDK says of its errors, undefined when it is none of its own. */
function faultOf(error: unknown): Fault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, statusCode, retryAfter, data, original } = error as Error & Record<string, unknown>;
  if (code === "slack_webapi_rate_limited_error") return { waitSeconds: Number(retryAfter) || 5 };
  if (code === "slack_webapi_http_error") return { status: Number(statusCode) };
  if (code === "slack_webapi_request_error") return { network: original };
  if (code !== "slack_webapi_platform_error") return undefined;
  const { error: refused, needed } = data as { error?: unknown; needed?: unknown };
  return { refused: String(refused), ...(typeof needed === "string" ? { needed } : {}) };
}

/** `sure`: nothing can have come of it, whatever went wrong. */
export function explained(error: unknown, sure: boolean): unknown {
  const fault = faultOf(error);
  if (!fault) return error;
  if ("waitSeconds" in fault)
    return new StewardError("unavailable", "Slack asks to wait", { retryAt: Date.now() + fault.waitSeconds * 1000 });
  if ("status" in fault) return new StewardError("unavailable", `Slack has a fault (HTTP ${fault.status})`);
  if ("network" in fault) return offline(fault.network, sure);
  return refusal(fault);
}

function offline(original: unknown, sure: boolean): unknown {
  if (hasCode(original, "denied") || hasCode(original, "invalid")) return original;
  if (sure || neverLeft(original)) return new StewardError("unavailable", `Slack can't be reached: ${messageOf(original)}`);
  return new Error(`The connection to Slack broke: ${messageOf(original)}`, { cause: original });
}

export function refusal({ refused, needed }: { refused: string; needed?: string }): StewardError {
  if (DENIED.has(refused)) return new StewardError("denied", `Slack refuses the token (${refused})`, { hint: TOKEN_HINT });
  if (refused === "missing_scope" || refused === "no_permission")
    return new StewardError("denied", `Slack: the app lacks the scope ${needed ?? "for this"}`, {
      hint: `At api.slack.com/apps, under OAuth & Permissions, add the bot scope ${needed ?? "that this needs"} and install the app anew.`,
    });
  if (UNCLEAR.has(refused) || refused === "ratelimited") return new StewardError("unavailable", `Slack has a fault: ${refused}`);
  const code = /not_found|not_in_channel/.test(refused)
    ? "not_found"
    : /^(restricted|cant_|access_denied)/.test(refused)
      ? "denied"
      : "invalid";
  return new StewardError(code, `Slack: ${refused.replaceAll("_", " ")}`, HINTS[refused] ? { hint: HINTS[refused] } : {});
}

/** The platform took the request and failed: only it knows whether it was done. */
export function isUnclear(error: unknown): boolean {
  const fault = faultOf(error);
  return fault !== undefined && (("status" in fault && fault.status >= 500) || ("refused" in fault && UNCLEAR.has(fault.refused)));
}

export const refusedAs = (error: unknown): string | undefined => {
  const fault = faultOf(error);
  return fault && "refused" in fault ? fault.refused : undefined;
};

/** What only asks, or may be done twice: nothing is lost when it fails. */
export async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explained(error, true);
  }
}
