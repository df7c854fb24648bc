// What Telegram's refusals and a broken network mean for Steward.
import type { GrammyError } from "grammy";
import { neverLeft } from "../core/left.ts";
import { messageOf, StewardError } from "../std/error.ts";

const HINT = "Ask @BotFather for the bot's token (/token) and set it anew: steward channels set NAME token.";

const isRefusal = (error: unknown): error is GrammyError => error instanceof Error && "error_code" in error && "description" in error;

/** `sure`: nothing can have arrived, whatever went wrong. */
export function explained(error: unknown, sure: boolean): unknown {
  if (error instanceof StewardError) return error;
  if (!isRefusal(error)) return sure ? new StewardError("unavailable", `Telegram can't be reached: ${causeOf(error)}`) : error;
  const { error_code: code, description, parameters } = error;
  if (code === 429)
    return new StewardError("unavailable", "Telegram asks to wait", { retryAt: Date.now() + (parameters.retry_after ?? 5) * 1000 });
  if (code >= 500) return new StewardError("unavailable", `Telegram has a fault: ${description}`);
  if (code === 401 || code === 404) return new StewardError("denied", "Telegram refuses the bot's token", { hint: HINT });
  if (code === 409)
    return new StewardError("unavailable", "Another program reads this bot's messages", {
      hint: "Stop the other one, or make a bot of its own for Steward.",
    });
  if (code === 403)
    return new StewardError("denied", `Telegram: ${description}`, { hint: "The person has to write to the bot first, or has blocked it." });
  return new StewardError(/not found/i.test(description) ? "not_found" : "invalid", `Telegram: ${description}`);
}

/** grammY says of the network only that it failed; why is behind it. */
function causeOf(error: unknown): string {
  const inner = typeof error === "object" && error !== null && "error" in error ? error.error : undefined;
  return messageOf(inner ?? error);
}

/** What only asks: nothing is lost when it fails. */
export async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explained(error, true);
  }
}

/** A connection that was never made has carried nothing. */
export async function sent<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explained(error, neverLeft(error));
  }
}

/** Telegram has read the request and not its form: nothing was sent. */
export const isUnread = (error: unknown): boolean => isRefusal(error) && /can't parse entities/i.test(error.description);

/** Telegram has refused it, so nothing was sent: it may go in another form. */
export const isUntaken = (error: unknown): boolean => isRefusal(error) && error.error_code === 400;

export function unlessSame(error: unknown): void {
  if (!(error instanceof StewardError && /not modified/i.test(error.message))) throw error;
}
