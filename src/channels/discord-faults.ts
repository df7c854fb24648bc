// What Discord's refusals, its gateway's farewells and a broken network mean for Steward.
import type { DiscordAPIError, HTTPError, RateLimitError } from "@discordjs/rest";
import { neverLeft } from "../core/left.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";

const TOKEN_HINT =
  "At discord.com/developers/applications → your application → Bot: Reset Token, and set the new one: steward channels set NAME token.";
const INTENT_HINT =
  "At discord.com/developers/applications → your application → Bot → Privileged Gateway Intents: switch on Message Content Intent. Or set channels.NAME.messageContent to false: then Steward reads in rooms only what mentions it.";

const UNKNOWN = new Set([10003, 10008]);

const isRefusal = (error: unknown): error is DiscordAPIError => error instanceof Error && "rawError" in error && "status" in error;
const isLimit = (error: unknown): error is RateLimitError => error instanceof Error && "timeToReset" in error && "retryAfter" in error;
const isBroken = (error: unknown): error is HTTPError => error instanceof Error && error.name === "HTTPError" && "status" in error;
/** The SDK forgets a token that was refused, and then asks for one. */
const forgot = (error: unknown): boolean => error instanceof Error && /^Expected token to be set/.test(error.message);

export const refusedToken = (): StewardError => new StewardError("denied", "Discord refuses the bot's token", { hint: TOKEN_HINT });
export const isTokenRefusal = (error: unknown): boolean => hasCode(error, "denied") && error.hint === TOKEN_HINT;

/** `sure`: nothing can have arrived, whatever went wrong. */
export function explained(error: unknown, sure: boolean): unknown {
  if (error instanceof StewardError) return error;
  if (isLimit(error)) {
    const retryAt = Date.now() + Math.max(error.retryAfter, error.timeToReset, 250);
    return new StewardError("unavailable", "Discord asks to wait", { retryAt });
  }
  if (isBroken(error)) return new StewardError("unavailable", `Discord has a fault (HTTP ${error.status})`);
  if (forgot(error)) return refusedToken();
  if (isRefusal(error)) return refusal(error);
  return sure ? new StewardError("unavailable", `Discord can't be reached: ${messageOf(error)}`) : error;
}

function refusal({ status, code, message }: DiscordAPIError): StewardError {
  if (status === 401) return refusedToken();
  const said = `Discord: ${message.split("\n")[0]}`;
  if (status === 403)
    return new StewardError("denied", said, {
      hint:
        code === 50007
          ? "The person does not take direct messages from this bot: they have to share a server with it and allow direct messages there."
          : "Give the bot's role the right to see that channel, to read its history and to write there.",
    });
  return new StewardError(status === 404 || UNKNOWN.has(Number(code)) ? "not_found" : "invalid", said);
}

/** What only asks, or may be done twice: nothing is lost when it fails. */
export async function asked<T>(call: () => Promise<unknown>): Promise<T> {
  try {
    return (await call()) as T;
  } catch (error) {
    throw explained(error, true);
  }
}

/** A connection that was never made has carried nothing. */
export async function sent<T>(call: () => Promise<unknown>): Promise<T> {
  try {
    return (await call()) as T;
  } catch (error) {
    throw explained(error, neverLeft(error));
  }
}

/** After which nothing is tried again by itself. Undefined: the connection may be made anew. */
export function farewell(code: number): StewardError | undefined {
  if (code === 4004) return refusedToken();
  if (code === 4014) return new StewardError("denied", "Discord does not let this bot read what is written", { hint: INTENT_HINT });
  if (code === 4010 || code === 4011)
    return new StewardError("denied", "This bot is in too many servers for one connection", {
      hint: "Make a bot of its own for Steward.",
    });
  if (code === 4012 || code === 4013)
    return new StewardError("denied", `Discord's gateway does not take this client any more (${code})`, { hint: "Update Steward." });
  return undefined;
}
